//! The worlds: what is listed, what somebody holds of it, what it is meant to become, and how the market moves.

use crate::exchange::{Dec, FeeIn, World, dec};
use crate::random::Random;

/// The quantity tick, the price tick and about what a coin costs.
const KINDS: [[&str; 3]; 8] = [
    ["0.00001", "0.01", "62000"],
    ["0.0001", "0.01", "1860"],
    ["0.001", "0.01", "78"],
    ["1", "0.00001", "0.0549"],
    ["0.01", "0.001", "3.4"],
    ["10000", "0.000000001", "0.00000448"],
    ["0.1", "0.0001", "0.52"],
    ["0.001", "0.001", "9.1"],
];
const NAMES: [&str; 20] = [
    "BTC", "ETH", "SOL", "CRO", "UNI", "SHIB", "XRP", "LINK", "WBTC", "AAVE", "LTC", "DOGE", "DOT", "PEPE", "ADA",
    "ATOM", "BCH", "INJ", "AVAX", "XLM",
];
/// Held, with a market, in no allocation.
pub const STRANGER: &str = "WIF";

/// A coin of a world.
pub struct Coin {
    pub name: String,
    pub qty_tick: Dec,
    pub price_tick: Dec,
    /// What it costs at the beginning, and wanders around.
    pub anchor: Dec,
    /// Its target in percent; `None` outside the allocation.
    pub target: Option<Dec>,
}

/// The owner's decisions.
#[derive(Clone, Copy)]
struct Rules {
    coins: usize,
    quote: &'static str,
    /// Percent.
    cash: i64,
    method: &'static str,
    restore: &'static str,
    tolerance: &'static str,
    relative: Option<&'static str>,
    min_trade: &'static str,
    max_trade: Option<&'static str>,
    reserve: &'static str,
    sell_strangers: bool,
    fee: &'static str,
    fee_in: FeeIn,
    /// How restless its prices are, in millionths a second.
    restless: i64,
    /// How often one of its coins jumps.
    jumps_every_s: u64,
    /// Rows of the exchange's lists; 0: only what is traded.
    catalogue: usize,
}

const HALVES: Rules = Rules {
    coins: 2,
    quote: "USDT",
    cash: 0,
    method: "drifted",
    restore: "target",
    tolerance: "2",
    relative: None,
    min_trade: "5",
    max_trade: None,
    reserve: "0",
    sell_strangers: false,
    fee: "0.005",
    fee_in: FeeIn::Default,
    restless: 1000,
    jumps_every_s: 90,
    catalogue: 0,
};

/// One after the other, then again from the first with other coins and numbers.
const KITS: [Rules; 8] = [
    HALVES,
    Rules { coins: 5, cash: 10, relative: Some("3"), ..HALVES },
    Rules {
        coins: 20,
        method: "target",
        tolerance: "1",
        relative: Some("2"),
        min_trade: "1",
        max_trade: Some("400"),
        fee: "0.001",
        restless: 6000,
        jumps_every_s: 10,
        ..HALVES
    },
    Rules { coins: 3, method: "full", tolerance: "3", fee: "0.0004", ..HALVES },
    Rules { coins: 8, restore: "half", relative: Some("5"), reserve: "500", sell_strangers: true, ..HALVES },
    Rules { coins: 10, quote: "USD", restore: "edge", relative: Some("8"), fee_in: FeeIn::Quote, ..HALVES },
    Rules { coins: 12, cash: 4, tolerance: "1", relative: Some("2"), fee: "0.0025", jumps_every_s: 60, ..HALVES },
    Rules {
        coins: 4,
        cash: 25,
        tolerance: "1",
        min_trade: "12",
        max_trade: Some("900"),
        fee: "0.0025",
        fee_in: FeeIn::Quote,
        catalogue: 930,
        ..HALVES
    },
];

/// One world.
pub struct Plan {
    rules: Rules,
    pub coins: Vec<Coin>,
    /// What the account is worth at the beginning, about.
    pub worth: Dec,
    /// Half of the worlds: others withdraw and lock what is free, so an order may come too late for its money.
    pub others_take: bool,
    pub clock_skew_s: i64,
    pub key: String,
    pub secret: String,
}

/// So many millionths.
pub fn millionths(number: i64) -> Dec {
    dec(&number.to_string()).div_floor(dec("1000000"))
}

impl Plan {
    pub fn new(number: usize, random: &mut Random) -> Plan {
        let rules = KITS[number % KITS.len()];
        let targets = targets(&rules, random);
        let first = if rules.coins < NAMES.len() { random.between(0, 7) } else { 0 };
        let named = |at: usize, target| {
            let at = (at + usize::try_from(first).unwrap_or(0)) % NAMES.len();
            (NAMES[at], KINDS[at % KINDS.len()], target)
        };
        let mut all: Vec<_> = targets.into_iter().enumerate().map(|(at, target)| named(at, Some(target))).collect();
        all.push((STRANGER, KINDS[4], None));
        let coins = all.into_iter().map(|(name, [qty_tick, price_tick, price], target)| Coin {
            name: name.to_string(),
            qty_tick: dec(qty_tick),
            price_tick: dec(price_tick),
            anchor: dec(price).mul_floor(millionths(random.between(600_000, 1_700_000))).floor_to(dec(price_tick)),
            target,
        });
        Plan {
            rules,
            coins: coins.collect(),
            worth: dec(&random.between(8000, 40_000).to_string()),
            others_take: number % 2 == 1,
            // Not far ahead: a run is written down by the later of both clocks, so "every 1s" would begin so much later.
            clock_skew_s: [0, -25, 0, 2, 0][number % 5],
            key: format!("soak-key-{number}-{:x}", random.number()),
            secret: format!("soak-secret-{number}-{:x}", random.number()),
        }
    }

    pub fn quote(&self) -> &'static str {
        self.rules.quote
    }

    pub fn restless(&self) -> i64 {
        self.rules.restless
    }

    pub fn jumps_every_s(&self) -> u64 {
        self.rules.jumps_every_s
    }

    pub fn reserve(&self) -> Dec {
        dec(self.rules.reserve)
    }

    pub fn min_trade(&self) -> Dec {
        dec(self.rules.min_trade)
    }

    pub fn cash_target(&self) -> Dec {
        dec(&self.rules.cash.to_string())
    }

    /// How much of its band a coin may stay away from its target when it is brought back.
    pub fn restores(&self) -> Dec {
        match self.rules.restore {
            "edge" => Dec::ONE,
            "half" => Dec::ONE.half(),
            _ => Dec::ZERO,
        }
    }

    pub fn sells_strangers(&self) -> bool {
        self.rules.sell_strangers
    }

    /// How far a weight may be off this target, in points.
    pub fn band(&self, target: Dec) -> Dec {
        let tolerance = dec(self.rules.tolerance);
        match self.rules.relative {
            Some(relative) if target > Dec::ZERO => {
                tolerance.min(target.mul_floor(dec(relative)).div_floor(dec("100")))
            }
            _ => tolerance,
        }
    }

    pub fn symbol(&self, coin: &str) -> String {
        format!("{coin}_{}", self.rules.quote)
    }

    /// In a few words, for the table.
    pub fn describe(&self) -> String {
        let Rules { coins, method, restore, tolerance, relative, .. } = self.rules;
        let restore = if restore == "target" { String::new() } else { format!(" {restore}") };
        let relative = relative.map(|relative| format!("/{relative}%")).unwrap_or_default();
        format!("{coins} coins {method}{restore} {tolerance}{relative}")
    }

    pub fn config(&self, url: &str) -> String {
        let rules = &self.rules;
        let listed = self.coins.iter().filter_map(|coin| Some((coin.name.as_str(), coin.target?)));
        let cash = (rules.cash > 0).then(|| (rules.quote, self.cash_target()));
        let allocation: Vec<String> =
            listed.chain(cash).map(|(coin, target)| format!("\"{coin}\": {target}")).collect();
        let mut keys = vec![
            format!("\"allocation\": {{{}}}", allocation.join(", ")),
            format!("\"quote\": \"{}\", \"method\": \"{}\"", rules.quote, rules.method),
            format!("\"restore\": \"{}\", \"tolerance\": {}", rules.restore, rules.tolerance),
            format!("\"min_trade\": {}, \"cash_reserve\": {}", rules.min_trade, rules.reserve),
            format!("\"unlisted\": \"{}\"", if rules.sell_strangers { "sell" } else { "ignore" }),
            format!("\"schedule\": \"every 1s\", \"base_url\": \"{url}\""),
        ];
        keys.extend(rules.relative.map(|relative| format!("\"relative_tolerance\": {relative}")));
        keys.extend(rules.max_trade.map(|most| format!("\"max_trade\": {most}")));
        format!("{{{}}}\n", keys.join(",\n "))
    }

    /// The exchange at the beginning: everything listed, and the account anywhere but at its targets.
    pub fn world(&self, random: &mut Random) -> World {
        let mut world = World::new();
        (world.key, world.secret) = (self.key.clone(), self.secret.clone());
        (world.fee, world.fee_in) = (dec(self.rules.fee), self.rules.fee_in);
        (world.catalogue, world.clock_skew_s) = (self.rules.catalogue, self.clock_skew_s);
        world.strict_funds = !self.others_take;
        if self.rules.quote == "USDT" {
            world.list("USDT_USD", "0.1", "0.00001", "0.99912", "0.99916");
        }
        for coin in &self.coins {
            let (symbol, bid) = (self.symbol(&coin.name), coin.anchor.to_string());
            let ask = (coin.anchor + coin.price_tick).to_string();
            world.list(&symbol, &coin.qty_tick.to_string(), &coin.price_tick.to_string(), &bid, &ask);
            let share = coin.target.unwrap_or(Dec::ONE).mul_floor(millionths(random.between(200_000, 1_800_000)));
            let worth = self.worth.mul_floor(share).div_floor(dec("100"));
            world.hold(&coin.name, &worth.div_floor(coin.anchor).floor_places(12).to_string());
        }
        // Dust of a coin that is dead.
        world.hold("CRPT", "12.5");
        world.hold(self.rules.quote, &self.worth.mul_floor(dec("0.1")).to_string());
        world
    }
}

/// Targets that sum to what the cash leaves of 100, none below a percent; sometimes with decimals.
fn targets(rules: &Rules, random: &mut Random) -> Vec<Dec> {
    let count = i64::try_from(rules.coins).unwrap_or(1);
    let mut rest = (100 - rules.cash) * 10_000;
    let mut targets = Vec::new();
    for left in (1..=count).rev() {
        let even = rest / left;
        let drawn = if random.one_in(2) { even * random.between(60, 140) / 100 } else { even / 10_000 * 10_000 };
        let target = if left == 1 { rest } else { drawn };
        rest -= target;
        targets.push(dec(&target.to_string()).div_floor(dec("10000")));
    }
    targets
}
