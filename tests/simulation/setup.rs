//! Any market, any account and any valid config, from chance.

use super::chance::Chance;
use super::exchange::{Dec, FeeIn, World, dec};
use super::follow::{COINS, Follow};
use rebalancer::config::{self, Config};
use std::path::Path;

/// Where the program keeps its files; only the simulated disk knows it.
pub const HOME: &str = "/sim";

/// Everything that a life begins with.
pub struct Setup {
    pub world: World,
    pub config: Config,
    /// As the owner wrote it, for the trace.
    pub config_text: String,
    pub weeks: i64,
    /// The coins that the life is about.
    pub coins: Vec<String>,
    /// The list that is followed.
    pub follow: Option<Follow>,
}

/// 10 to the power of minus `places`.
fn unit(places: u32) -> Dec {
    match places {
        0 => Dec::ONE,
        _ => dec(&format!("0.{}1", "0".repeat(places as usize - 1))),
    }
}

/// A price in units of its tick, so that it has two to five digits; how many places the tick has; and a tick for quantities that is
/// worth between almost nothing and some units of the quote currency.
fn market(chance: &Chance, world: &mut World, symbol: &str, ordinary: bool) {
    let places = if ordinary { 2 } else { chance.below(8) as u32 };
    let units = chance.between(300, 90_000) as u64;
    let price_tick = unit(places);
    let bid = price_tick.times(units);
    let spread = chance.pick(&[0, 1, 1, 2, units / 1000, units / 100]);
    // From a ten-thousandth of the price's inverse up to about three units' worth.
    let finest = if bid >= dec("1000") { 8 } else { 6 };
    let mut tick = unit(chance.between(2, finest) as u32);
    while tick.mul_floor(bid) < dec("0.0001") {
        tick = tick.times(10);
    }
    while tick.mul_floor(bid) > dec("3") && tick.places() < 10 {
        tick = tick.mul_floor(dec("0.1"));
    }
    let ask = price_tick.times(units + spread);
    let market = world.list(symbol, &tick.to_string(), &price_tick.to_string(), &bid.to_string(), &ask.to_string());
    market.quote_decimals = market.price_tick.places();
    if chance.percent(20) {
        market.min_usd = chance.pick(&[None, Some(dec("5")), Some(dec("0.5"))]);
    }
    if chance.percent(20) {
        market.max_usd = chance.pick(&[None, Some(dec("1000")), Some(dec("50000"))]);
    }
}

/// Whole percentages, sometimes with decimals, that sum to 100: the quote's own comes last.
fn weights(chance: &Chance, count: usize) -> Vec<String> {
    let raw: Vec<u64> = (0..=count)
        .map(|at| if at == count && chance.percent(60) { 0 } else { 1 + chance.below(chance.pick(&[3, 20, 100])) })
        .collect();
    let sum: u64 = raw.iter().sum();
    let scale = chance.pick(&[100, 100, 10_000, 1_000_000]);
    let mut parts: Vec<u64> = raw.iter().map(|weight| weight * scale / sum).collect();
    let largest = (0..count).max_by_key(|at| parts[*at]).unwrap_or(0);
    parts[largest] += scale - parts.iter().sum::<u64>();
    let places = [(100, 0), (10_000, 2), (1_000_000, 4)].iter().find(|(of, _)| *of == scale).map_or(0, |(_, n)| *n);
    parts.iter().map(|part| Dec::ONE.times(*part).mul_floor(unit(places)).to_string()).collect()
}

/// The key `allocation`.
fn allocation(chance: &Chance, quote: &str, coins: &[String]) -> String {
    let weights = weights(chance, coins.len());
    let mut allocation: Vec<String> =
        coins.iter().zip(&weights).map(|(coin, weight)| format!("\"{coin}\": {weight}")).collect();
    if weights.last().is_some_and(|weight| weight != "0") || chance.percent(5) {
        allocation.push(format!("\"{quote}\": {}", weights[coins.len()]));
    }
    format!("\"allocation\": {{{}}}", allocation.join(", "))
}

fn config_text(chance: &Chance, quote: &str, mut keys: Vec<String>, total: u64) -> String {
    keys.extend([format!("\"quote\": \"{quote}\""), "\"base_url\": \"http://127.0.0.1:1/exchange/v1\"".to_string()]);
    let mut key = |percent: u64, name: &str, values: &[&str]| {
        if chance.percent(percent) {
            keys.push(format!("\"{name}\": {}", chance.pick(values)));
        }
    };
    key(70, "tolerance", &["0", "0.1", "0.5", "1", "2", "5", "12.5"]);
    key(40, "relative_tolerance", &["1", "5", "10", "20", "50"]);
    key(70, "method", &["\"drifted\"", "\"target\"", "\"full\""]);
    key(60, "restore", &["\"target\"", "\"half\"", "\"edge\""]);
    key(50, "min_trade", &["0", "1", "2.5", "10", "25"]);
    key(30, "max_spread", &["2", "10", "3.3333"]);
    key(30, "unlisted", &["\"sell\"", "\"ignore\""]);
    key(30, "utc_offset", &["\"+02:00\"", "\"-05:30\"", "\"+14:00\""]);
    let (third, tenth, reserve) = ((total / 3).max(30).to_string(), (total / 10).max(30).to_string(), total / 20);
    key(20, "max_trade", &[&third, &third, &tenth]);
    key(15, "cash_reserve", &[&reserve.to_string(), "0.01"]);
    let weekly = ["\"sunday 00:00\"", "\"wednesday 13:37\"", "\"every 7d\""];
    let often = ["\"daily 06:30\"", "\"every 6h\"", "\"every 1h\"", "\"every 2d\""];
    key(100, "schedule", if chance.percent(75) { &weekly } else { &often });
    format!("{{{}}}", keys.join(", "))
}

impl Setup {
    pub fn new(chance: &Chance) -> Setup {
        let mut world = World::new();
        (world.strict_funds, world.strict_ticks, world.strict_unknown) = (false, false, false);
        let quote = chance.pick(&["USDT", "USDT", "USDT", "USD", "USD", "EUR"]);
        match quote {
            "USDT" if chance.percent(80) => drop(world.list("USDT_USD", "0.1", "0.00001", "0.99912", "0.99916")),
            "EUR" => drop(world.list("EUR_USD", "0.1", "0.0001", "1.0841", "1.0843")),
            _ => {}
        }
        let follows = chance.percent(25);
        let count = chance.pick(if follows { &[4, 5, 6, 8, 10] } else { &[1, 2, 2, 2, 2, 3, 3, 4, 7] });
        let coins: Vec<String> = COINS.iter().take(count).map(|(name, _)| (*name).to_string()).collect();
        let follow = follows.then(|| Follow::new(chance, quote, &coins));
        for coin in &coins {
            let ordinary = chance.percent(50);
            market(chance, &mut world, &format!("{coin}_{quote}"), ordinary);
        }
        let total = chance.pick(&[20, 150, 1000, 1000, 10_000, 300_000]);
        if follows {
            for other in ["TWIN", "WBTC", "STETH"] {
                market(chance, &mut world, &format!("{other}_{quote}"), true);
            }
        }
        for coin in &coins {
            if follows && chance.percent(40) {
                continue;
            }
            let bid = world.market(&format!("{coin}_{quote}")).bid.unwrap_or_default();
            let value = Dec::ONE.times(total * chance.below(100) / 100 / count as u64);
            let held = value.div_floor(bid).floor_places(chance.between(4, 12) as usize);
            world.hold(coin, &held.to_string());
        }
        world.hold(quote, &Dec::ONE.times(total * chance.below(60) / 100).to_string());
        unlisted(chance, &mut world, quote);
        world.fee = dec(chance.pick(&["0.005", "0.005", "0.0046", "0.0004", "0"]));
        world.fee_in = chance.pick(&[FeeIn::Default, FeeIn::Default, FeeIn::Quote, FeeIn::Coin("CRO")]);
        world.forgets_ids = chance.percent(50);
        let shares = match &follow {
            Some(follow) => follow.keys.clone(),
            None => vec![allocation(chance, quote, &coins)],
        };
        let config_text = config_text(chance, quote, shares, total);
        let config = config::parse(&config_text, Path::new(HOME));
        let config = config.unwrap_or_else(|error| panic!("{error}: {config_text}"));
        let weeks = match config_text.contains("every 1h") || config_text.contains("every 6h") {
            true => chance.between(1, 3),
            false if config_text.contains("daily") || config_text.contains("2d") => chance.between(3, 12),
            false => chance.between(8, 60),
        };
        Setup { world, config, config_text, weeks, coins, follow }
    }
}

/// Coins that the allocation does not name: one that trades, dust, one that is dead.
fn unlisted(chance: &Chance, world: &mut World, quote: &str) {
    if chance.percent(60) {
        world.list(&format!("CRO_{quote}"), "1", "0.00001", "0.05488", "0.05490");
        world.list("CRO_USD", "1", "0.00001", "0.05486", "0.05489");
        world.hold("CRO", chance.pick(&["0", "0.4", "30", "5000"]));
    }
    if chance.percent(30) {
        world.hold("MCO", "12.5");
    }
    if chance.percent(30) {
        world.list(&format!("PEPE_{quote}"), "10000", "0.0000000001", "0.0000081231", "0.0000081240");
        world.hold("PEPE", chance.pick(&["3", "12345.67890123456789", "9000000"]));
    }
}
