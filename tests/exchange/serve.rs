//! The loopback exchange on its own, to try the program against by hand or under emulation.
//!
//!     loopback-exchange [--port N] [--coins N] [--catalogue N] [--tls CERT_OUT_FILE] [--forever]
//!                       [--state FILE] [--now MILLIS]
//!
//! Prints its URL, and serves until its standard input ends, or for ever. With `--state` the account outlives the process, however it
//! ends; the other options must stay the same. With `--now` it has a clock of its own, which shows that time at the start.
//!
//! Each line on the standard input is a command, answered with one line:
//!
//!     books                    the account as JSON: prices, balances, orders, and what trading has cost so far
//!     price SYMBOL BID ASK     moves a market, then as above
//!     hold N                   takes the Nth order from now, says so, and never answers it

#![allow(clippy::expect_used, clippy::panic)]

#[path = "mod.rs"]
mod exchange;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use exchange::{Act, Authority, Exchange, Fault, Side, World, dec};
use serde_json::{Map, Value, json};

/// Symbol, quantity tick, price tick, bid, ask.
const KNOWN: &[[&str; 5]] = &[
    ["BTC_USDT", "0.00001", "0.01", "62845.65", "62845.66"],
    ["ETH_USDT", "0.0001", "0.01", "1861.20", "1861.35"],
    ["SOL_USDT", "0.001", "0.01", "78.41", "78.44"],
    ["CRO_USDT", "1", "0.00001", "0.05488", "0.05490"],
    ["UNI_USDT", "0.01", "0.001", "3.412", "3.417"],
    ["AAVE_USDT", "0.001", "0.001", "91.030", "91.120"],
    ["LINK_USDT", "0.001", "0.001", "8.711", "8.716"],
    ["SHIB_USDT", "10000", "0.000000001", "0.000004480", "0.000004489"],
];

fn world(coins: usize, catalogue: usize) -> World {
    let mut world = World::new();
    for number in 0..coins {
        let symbol = match KNOWN.get(number) {
            Some([symbol, qty_tick, price_tick, bid, ask]) => {
                world.list(symbol, qty_tick, price_tick, bid, ask);
                symbol.to_string()
            }
            None => {
                let (symbol, units) = (format!("C{number}_USDT"), 1 + number * 37 % 400);
                let (bid, ask) = (format!("{units}.00"), format!("{units}.05"));
                world.list(&symbol, "0.0001", "0.01", &bid, &ask);
                symbol
            }
        };
        let market = world.market(&symbol);
        let (base, bid) = (market.base.clone(), market.bid.unwrap_or_default());
        // Worth 500, 600, ... 1400 of the quote: always something to rebalance.
        let worth = dec(&(500 + number % 10 * 100).to_string());
        world.hold(&base, &worth.div_floor(bid).floor_places(12).to_string());
    }
    world.hold("USDT", "1000");
    world.catalogue = catalogue;
    world
}

/// Everything that an audit needs, with every amount to its last digit.
fn books(world: &World) -> Value {
    let prices = world.markets.values().map(|market| {
        let [bid, ask] = [market.bid, market.ask].map(|price| price.map(|price| price.to_string()));
        (market.symbol.clone(), json!([bid, ask]))
    });
    let balances = world.balances.iter().map(|(coin, balance)| (coin.clone(), json!(balance.quantity.to_string())));
    let orders = world.orders.iter().map(|order| {
        json!({
            "client_oid": order.client_oid, "order_id": order.order_id, "symbol": order.symbol,
            "side": if order.side == Side::Buy { "BUY" } else { "SELL" },
            "quantity": order.cumulative_quantity.to_string(), "value": order.cumulative_value.to_string(),
            "fee": order.fee.to_string(), "fee_coin": order.fee_coin,
        })
    });
    json!({
        "prices": prices.collect::<Map<_, _>>(), "balances": balances.collect::<Map<_, _>>(),
        "orders": orders.collect::<Vec<_>>(), "violations": world.violations,
        "value": world.value("USDT").to_string(),
        "fees": world.fee_cost.to_string(), "spread": world.spread_cost.to_string(),
    })
}

fn obey(exchange: &Exchange, line: &str) {
    let mut world = exchange.world();
    match line.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["books"] => println!("books {}", books(&world)),
        ["price", symbol, bid, ask] => {
            world.move_price(symbol, bid, ask);
            println!("books {}", books(&world));
        }
        ["hold", number] => {
            let skip = number.parse::<u32>().expect("a number") - 1;
            let f = Arc::new(|| {
                println!("holding the answer to an order that was taken");
                std::thread::sleep(Duration::from_secs(600));
            });
            world.faults.push(Fault::once("private/create-order", Act::Call { before: false, f }).after(skip));
            println!("order {number} from now will be held");
        }
        _ => println!("not understood: {line}"),
    }
}

fn main() {
    let (mut port, mut coins, mut catalogue, mut tls, mut forever) = (0, 8, 0, None, false);
    let (mut state, mut now) = (None, None);
    let mut args = std::env::args().skip(1);
    while let Some(option) = args.next() {
        if option == "--forever" {
            forever = true;
            continue;
        }
        let value = args.next().unwrap_or_else(|| panic!("{option} needs a value"));
        match option.as_str() {
            "--port" => port = value.parse().expect("a port"),
            "--coins" => coins = value.parse().expect("a number of coins"),
            "--catalogue" => catalogue = value.parse().expect("a number of rows"),
            "--tls" => tls = Some(value),
            "--state" => state = Some(value),
            "--now" => now = Some(value.parse().expect("milliseconds since 1970")),
            _ => panic!("unknown option {option}"),
        }
    }
    let authority = tls.as_ref().map(|_| Authority::new());
    if let Some((file, authority)) = tls.zip(authority.as_ref()) {
        std::fs::write(file, authority.pem()).expect("the certificate file is written");
    }
    let identity = authority.map(|authority| authority.vouch("localhost"));
    let mut world = world(coins, catalogue);
    world.own_clock = now.map(|now| (now, Instant::now()));
    if let Some(file) = state {
        world.remember_in(Path::new(&file)).expect("the state file can be read and written");
    }
    let exchange = Exchange::start_at(world, port, identity).expect("the port");
    println!("{}", exchange.url());
    for line in std::io::stdin().lines() {
        obey(&exchange, &line.expect("a line of text"));
    }
    if forever {
        loop {
            std::thread::park();
        }
    }
    for violation in &exchange.world().violations {
        eprintln!("violation: {violation}");
    }
}
