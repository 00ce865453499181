//! What is done so many times under valgrind: this benchmark calls itself with these arguments and compares the counts of two runs.
//!
//! ```text
//! worker plan CASE COINS TIMES        one plan
//! worker portfolio COINS TIMES        balances and prices to a portfolio
//! worker config COINS TIMES           config.json
//! worker json FILE TIMES              a list of the exchange, row by row, from memory
//! worker list URL COINS CACHE TIMES   rules and prices of the coins from the exchange, with this cache file
//! worker pairs URL TIMES              the instrument list from the exchange, alone
//! worker cache save|load FILE COINS TIMES
//! worker day FOLDER HOURS             the daemon's loop, on a clock of its own
//! ```

use crate::account::{self, Drift};
use crate::idle;
use rebalancer::amount::{Percent, Price, Quantity, Value};
use rebalancer::clock::Clock;
use rebalancer::config::{self, Config};
use rebalancer::disk::SystemDisk;
use rebalancer::exchange::catalogue::{Cache, Instrument, Instruments};
use rebalancer::exchange::crypto_com::CryptoCom;
use rebalancer::exchange::{Balance, Exchange, Listing, Millis};
use rebalancer::http::Http;
use rebalancer::json::{self, Reader};
use rebalancer::log::Log;
use rebalancer::machine::Machine;
use rebalancer::market::{Market, Quote};
use rebalancer::named::Named;
use rebalancer::plan::{self, Rules};
use rebalancer::portfolio::Portfolio;
use std::cell::Cell;
use std::hint::black_box;
use std::path::Path;

/// Time that passes only while somebody sleeps.
pub struct SimulatedClock {
    pub now: Cell<Millis>,
}

impl Clock for SimulatedClock {
    fn now(&self) -> Millis {
        self.now.get()
    }

    fn elapsed(&self) -> Millis {
        self.now.get()
    }

    fn sleep(&self, ms: Millis) {
        self.now.set(self.now.get() + ms);
    }
}

pub fn run(job: &[&str]) -> Result<(), String> {
    match *job {
        ["plan", case, coins, times] => plan(case, count(coins)?, count(times)?),
        ["portfolio", coins, times] => portfolio(count(coins)?, count(times)?),
        ["config", coins, times] => read_config(count(coins)?, count(times)?),
        ["json", file, times] => read_rows(file, count(times)?),
        ["list", url, coins, cache, times] => list(url, count(coins)?, cache, count(times)?),
        ["pairs", url, times] => pairs(url, count(times)?),
        ["cache", what, file, coins, times] => cache(what, file, count(coins)?, count(times)?),
        ["day", folder, hours] => idle::day(Path::new(folder), count(hours)?),
        _ => Err("a job that nobody knows".to_string()),
    }
}

fn count(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("{text} is not a number"))
}

/// The account of the benchmark, without an exchange.
struct Account {
    config: Config,
    balances: Vec<Balance>,
    listings: Named<Listing>,
}

fn account(coins: usize, drift: Drift) -> Result<Account, String> {
    let text = account::config(coins, "http://127.0.0.1:1", "sunday 00:00");
    let config = config::parse(&text, Path::new(".")).map_err(|error| error.to_string())?;
    let amount = |text: &str| Quantity::parse(text).ok_or_else(|| format!("{text} is no amount"));
    let value = |text: &str| Value::parse(text).ok_or_else(|| format!("{text} is no value"));
    let price = |text: String| Price::parse(&text).ok_or_else(|| format!("{text} is no price"));
    let mut balances = vec![Balance { coin: "USDT".to_string(), total: amount("50")?, locked: Quantity::ZERO }];
    let mut listings = Named::new();
    for number in 0..coins {
        let (base, bid) = (account::coin(number), account::bid(number));
        let quote = Quote { bid: price(format!("{bid}.00"))?, ask: price(format!("{bid}.01"))? };
        let worth = value(&account::worth(number, drift).to_string())?;
        let total = quote.bid.quantity_for(worth).ok_or("a balance is too large")?;
        balances.push(Balance { coin: base.clone(), total, locked: Quantity::ZERO });
        let market = Market {
            symbol: format!("{base}_USDT"),
            base: base.clone(),
            quantity_tick: amount("0.0001")?,
            notional_tick: value("0.01")?,
            min_value: Value::ONE,
            max_value: Some(value("1000000")?),
            tradable: true,
        };
        listings.insert(&base, Listing { market, quote: Some(quote) });
    }
    Ok(Account { config, balances, listings })
}

impl Account {
    fn portfolio(&self) -> Result<Portfolio, String> {
        Portfolio::new(&self.config, &self.balances, &self.listings).map_err(|error| error.to_string())
    }
}

fn plan(case: &str, coins: usize, times: usize) -> Result<(), String> {
    let account = account(coins, if case == "few" { Drift::Few } else { Drift::All })?;
    let portfolio = account.portfolio()?;
    let fee = Percent::parse("0.5").unwrap_or_default();
    let mut rules = Rules::new(&account.config, fee, false, false);
    if case == "full" {
        rules.method = config::Method::Full;
    }
    for _ in 0..times {
        let plan = plan::plan(black_box(&portfolio), &rules).ok_or("an amount is too large")?;
        if plan.is_empty() {
            return Err("there was nothing to plan".to_string());
        }
        black_box(plan);
    }
    Ok(())
}

fn portfolio(coins: usize, times: usize) -> Result<(), String> {
    let account = account(coins, Drift::Few)?;
    for _ in 0..times {
        black_box(account.portfolio()?);
    }
    Ok(())
}

fn read_config(coins: usize, times: usize) -> Result<(), String> {
    let text = account::config(coins, "http://127.0.0.1:1", "sunday 00:00");
    for _ in 0..times {
        black_box(config::parse(black_box(&text), Path::new(".")).map_err(|error| error.to_string())?);
    }
    Ok(())
}

/// As the program reads a list, except that it keeps no row.
fn read_rows(file: &str, times: usize) -> Result<(), String> {
    let text = std::fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    for _ in 0..times {
        let mut rows = 0;
        let mut row = |row: &str| -> Result<(), String> {
            rows += 1;
            let mut reader = Reader::new(row).map_err(|error| error.to_string())?;
            let read = reader.object(&mut |reader, _| reader.scalar().map(|value| drop(black_box(value))));
            read.map_err(|error| error.to_string())
        };
        let rest = json::rows(&mut text.as_slice(), Some("data"), 16 * 1024, 512 * 1024, &mut row);
        if rest.is_err() || rows != account::INSTRUMENTS {
            return Err(format!("{rows} rows were read"));
        }
    }
    Ok(())
}

fn coins(count: usize) -> Vec<String> {
    (0..count).map(account::coin).collect()
}

fn list(url: &str, count: usize, cache: &str, times: usize) -> Result<(), String> {
    let (clock, coins) = (now(), coins(count));
    let log = Log::new(&clock, 0, false, &|_| ());
    for _ in 0..times {
        let mut exchange = CryptoCom::new(Machine::this(&clock), &log, url, "USDT", cache.into(), None);
        let listings = exchange.listings(&coins).map_err(|error| error.message)?;
        if listings.len() != count {
            return Err(format!("{} of {count} coins are listed", listings.len()));
        }
    }
    Ok(())
}

fn pairs(url: &str, times: usize) -> Result<(), String> {
    let (clock, coins) = (now(), coins(10));
    let log = Log::new(&clock, 0, false, &|_| ());
    let mut exchange = CryptoCom::new(Machine::this(&clock), &log, url, "USDT", "/nowhere/cache".into(), None);
    for _ in 0..times {
        black_box(exchange.quotes_of(&coins).map_err(|error| error.message)?);
    }
    Ok(())
}

/// The body of a reply, whole.
pub fn fetch(url: &str, path: &str) -> Result<String, String> {
    let clock = now();
    let log = Log::new(&clock, 0, false, &|_| ());
    let reply = Http::new(Machine::this(&clock), &log, url)
        .send(path, None, (4 * 1024 * 1024, 15))
        .map_err(|failure| failure.message)?;
    reply.body.text().map_err(|error| error.to_string())
}

/// The exchange's clock is the machine's, and what a cache holds must not be from the future.
fn now() -> SimulatedClock {
    SimulatedClock { now: Cell::new(rebalancer::clock::SystemClock::new().now()) }
}

fn cache(what: &str, file: &str, count: usize, times: usize) -> Result<(), String> {
    let tick = Quantity::parse("0.0001").unwrap_or(Quantity::ZERO);
    let instrument = |coin: &str| Instrument {
        symbol: format!("{coin}_USDT"),
        quantity_tick: tick,
        notional_tick: tick.as_value(),
        min_usd: Value::ONE,
        max_usd: Some(Value::ONE),
        tradable: true,
    };
    let mut rules = Instruments::new();
    for coin in coins(count) {
        rules.insert(&coin, Some(instrument(&coin)));
    }
    let cache = Cache::new(&SystemDisk, file.into(), "the exchange".to_string());
    cache.save(0, &rules);
    for _ in 0..times {
        match what {
            "save" => cache.save(0, black_box(&rules)),
            _ if cache.load(0).is_none() => return Err("there is nothing in the cache".to_string()),
            _ => {}
        }
    }
    Ok(())
}
