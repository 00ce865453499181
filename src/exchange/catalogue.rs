//! Trading rules that rarely change, kept in a small file with an age.
//!
//! The file holds the coins that were asked for, not the exchange's whole list: sealed lines, a head and then one coin each.
//! A file that is damaged, old, from the future or about something else is not an error: the list is read again.

use crate::amount::{Price, Quantity, Value};
use crate::disk::Disk;
use crate::exchange::Millis;
use crate::json::{Object, Row};
use crate::market::{Coin, Market, Quote};
use crate::named::Named;
use crate::store;
use crate::text;
use std::path::PathBuf;

/// Rules older than this are read again: ticks and minimums change by announcement, days ahead.
const MOST_AGE_MS: Millis = 24 * 3600 * 1000;

/// A larger file is not ours: a thousand coins take a fifth of this.
const MOST_BYTES: usize = 1024 * 1024;

/// The exchange's clock is known to a second, ours perhaps to less.
const CLOCK_ERROR_MS: Millis = 60_000;

/// One instrument as the exchange describes it; order values in US dollars, as it counts them.
#[derive(Clone, PartialEq, Eq)]
pub struct Instrument {
    /// The exchange's name of it.
    pub symbol: String,
    /// Quantities are multiples of this.
    pub quantity_tick: Quantity,
    /// Amounts to spend are multiples of this.
    pub notional_tick: Value,
    /// Smallest order in US dollars.
    pub min_usd: Value,
    /// Largest order in US dollars.
    pub max_usd: Option<Value>,
    /// Whether orders are taken.
    pub tradable: bool,
}

impl Instrument {
    /// The rules in the quote currency, one unit of which costs `usd` dollars. Minimums are converted at its bid and rounded up,
    /// maximums at its ask and rounded down. `None` when an amount is too large to count.
    pub fn market(&self, base: &str, usd: Quote) -> Option<Market> {
        let convert = |dollars: Value, usd: Price| usd.quantity_for(dollars).map(Quantity::as_value);
        // The division rounds down: one tick on top makes it at least the minimum.
        let min_value = (convert(self.min_usd, usd.bid)? + self.notional_tick).ceil_to_tick(self.notional_tick);
        let max_value = match self.max_usd {
            Some(max) => Some(convert(max, usd.ask)?),
            None => None,
        };
        Some(Market {
            symbol: self.symbol.clone(),
            base: base.to_string(),
            quantity_tick: self.quantity_tick,
            notional_tick: self.notional_tick,
            min_value: if usd.bid == Price::ONE { self.min_usd } else { min_value },
            max_value,
            tradable: self.tradable,
        })
    }
}

/// Coins with their instrument, or with the knowledge that they have none.
pub type Instruments = Named<Option<Instrument>>;

/// The file.
pub struct Cache<'a> {
    disk: &'a dyn Disk,
    path: PathBuf,
    /// What the rules are about: the exchange's address and the quote currency.
    subject: String,
}

impl<'a> Cache<'a> {
    /// A cache of rules about `subject`.
    pub fn new(disk: &'a dyn Disk, path: PathBuf, subject: String) -> Cache<'a> {
        Cache { disk, path, subject }
    }

    /// What is known of a previous reading, if it is recent and about the same subject.
    pub fn load(&self, now: Millis) -> Option<Instruments> {
        let text = text::utf8(self.disk.read(&self.path, MOST_BYTES).ok()?).ok()?;
        let mut lines = text.lines();
        let head = Row::read(store::unseal(lines.next()?)?).ok()?;
        let age = now.saturating_sub(head.get("at")?.parse().ok()?);
        if head.get("subject") != Some(&self.subject) || !(-CLOCK_ERROR_MS..=MOST_AGE_MS).contains(&age) {
            return None;
        }
        let mut coins = Instruments::new();
        for line in lines {
            let (coin, instrument) = read_coin(store::unseal(line)?)?;
            coins.insert(&coin, instrument);
        }
        (head.get("coins") == Some(&coins.len().to_string())).then_some(coins)
    }

    /// Keeps rules. A failure is no error: they are read again next time.
    pub fn save(&self, now: Millis, coins: &Instruments) {
        let head = Object::new()
            .raw("at", &now.to_string())
            .text("subject", &self.subject)
            .raw("coins", &coins.len().to_string());
        let mut text = store::seal(&head.end());
        for (coin, instrument) in coins.iter() {
            text.push_str(&store::seal(&write_coin(coin, instrument.as_ref())));
        }
        let _ = store::replace(self.disk, &self.path, &text);
    }

    /// Forgets what was kept.
    pub fn forget(&self) {
        let _ = self.disk.remove(&self.path);
    }
}

fn write_coin(coin: &str, instrument: Option<&Instrument>) -> String {
    let line = Object::new().text("coin", coin);
    let Some(rules) = instrument else { return line.end() };
    let line = line
        .text("symbol", &rules.symbol)
        .text("quantity_tick", &rules.quantity_tick.to_string())
        .text("notional_tick", &rules.notional_tick.to_string())
        .text("min_usd", &rules.min_usd.to_string())
        .raw("tradable", if rules.tradable { "true" } else { "false" });
    match rules.max_usd {
        Some(max) => line.text("max_usd", &max.to_string()).end(),
        None => line.end(),
    }
}

fn read_coin(line: &str) -> Option<(Coin, Option<Instrument>)> {
    let row = Row::read(line).ok()?;
    let coin = row.get("coin")?.to_string();
    let Some(symbol) = row.get("symbol") else { return Some((coin, None)) };
    let value = |key: &str| row.get(key).and_then(Value::parse);
    let instrument = Instrument {
        symbol: symbol.to_string(),
        quantity_tick: Quantity::parse(row.get("quantity_tick")?)?,
        notional_tick: value("notional_tick")?,
        min_usd: value("min_usd")?,
        max_usd: value("max_usd"),
        tradable: row.get("tradable") == Some("true"),
    };
    Some((coin, Some(instrument)))
}
