//! The loopback exchange on its own, to try the program against by hand or under emulation.
//!
//!     loopback-exchange [--port N] [--coins N] [--catalogue N] [--tls CERT_OUT_FILE] [--forever]
//!
//! Prints its URL, and serves until its standard input ends, or for ever.

#![allow(clippy::expect_used, clippy::panic)]

#[path = "mod.rs"]
mod exchange;

use std::io::Read;

use exchange::{Authority, Exchange, World, dec};

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

fn main() {
    let (mut port, mut coins, mut catalogue, mut tls, mut forever) = (0, 8, 0, None, false);
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
            _ => panic!("unknown option {option}"),
        }
    }
    let authority = tls.as_ref().map(|_| Authority::new());
    if let Some((file, authority)) = tls.zip(authority.as_ref()) {
        std::fs::write(file, authority.pem()).expect("the certificate file is written");
    }
    let identity = authority.map(|authority| authority.vouch("localhost"));
    let exchange = Exchange::start_at(world(coins, catalogue), port, identity).expect("the port");
    println!("{}", exchange.url());
    // Nothing is expected on the standard input but its end.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    if forever {
        loop {
            std::thread::park();
        }
    }
    for violation in &exchange.world().violations {
        eprintln!("violation: {violation}");
    }
}
