//! What an owner writes about a list of coins that the portfolio follows, from chance, and what that means in plain
//! numbers.

use super::around::{DAY_MS, HOUR_MS};
use super::chance::Chance;
use super::exchange::{Dec, dec};

/// The source's address on the simulated wire.
pub const ADDRESS: &str = "http://127.0.0.1:2";
/// A list of one's own, beside the config.
pub const FILE: &str = "my.list";

/// Coins of the exchange with CoinGecko's ids for them, from large to small.
pub const COINS: [(&str, &str); 12] = [
    ("BTC", "bitcoin"),
    ("ETH", "ethereum"),
    ("SOL", "solana"),
    ("XRP", "ripple"),
    ("ADA", "cardano"),
    ("DOGE", "dogecoin"),
    ("SHIB", "shiba-inu"),
    ("LINK", "chainlink"),
    ("UNI", "uniswap"),
    ("AAVE", "aave"),
    ("1INCH", "1inch"),
    ("DOT", "polkadot"),
];

/// Where the list lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    CoinGecko,
    Page,
    File,
}

/// How it is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// As CoinGecko does.
    Markets,
    /// A coin a line.
    Lines,
    /// A coin and its weight a line.
    WeightedLines,
    /// `["BTC", "ETH"]`
    Names,
    /// `{"updated": TIME, "coins": {"BTC": 50, "ETH": 30}}`
    Weights,
    /// `[{"id": "bitcoin", "symbol": "btc", "market_cap": 50}]`
    Rows,
}

impl Form {
    /// Whether coins come with ids.
    pub fn has_ids(self) -> bool {
        matches!(self, Form::Markets | Form::Rows)
    }

    /// Whether coins come with a size.
    pub fn has_sizes(self) -> bool {
        !matches!(self, Form::Lines | Form::Names)
    }

    /// Whether a text that was cut at the end of a line is a whole, shorter list.
    pub fn is_lines(self) -> bool {
        matches!(self, Form::Lines | Form::WeightedLines)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Weighting {
    Equal,
    Size,
    Root,
}

/// What the owner wants of the list.
#[derive(Clone)]
pub struct Follow {
    pub place: Place,
    pub form: Form,
    pub top: usize,
    pub leave_rank: usize,
    pub leave_after_ms: i64,
    pub refresh_ms: i64,
    pub max_age_ms: Option<i64>,
    pub weighting: Weighting,
    /// Whether the owner has written it.
    pub explicit: bool,
    /// Smallest and largest weight in millionths of a percent.
    pub bounds: (u64, u64),
    /// Percent of the portfolio that follows the list.
    pub share: Dec,
    /// Coins that are always, or never, members.
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    /// The fixed coins with their percentages of the portfolio.
    pub fixed: Vec<(String, Dec)>,
    /// The keys of the config.
    pub keys: Vec<String>,
}

/// Some keys of the object `universe`.
struct Keys<'a> {
    chance: &'a Chance,
    keys: Vec<String>,
}

impl Keys<'_> {
    fn add(&mut self, name: &str, value: &str) {
        self.keys.push(format!("\"{name}\": {value}"));
    }

    fn has(&self, name: &str) -> bool {
        self.keys.iter().any(|key| key.starts_with(&format!("\"{name}\"")))
    }

    /// A span of time, or its default in hours; in milliseconds.
    fn span(&mut self, name: &str, hours: &[i64], default: i64) -> i64 {
        if self.chance.percent(40) {
            return default * HOUR_MS;
        }
        let hours = self.chance.pick(hours);
        let text = if hours % 24 == 0 { format!("\"{}d\"", hours / 24) } else { format!("\"{hours}h\"") };
        self.add(name, &text);
        hours * HOUR_MS
    }
}

/// Takes so many at most out of `coins`.
fn some(chance: &Chance, coins: &mut Vec<String>, most: usize) -> Vec<String> {
    let count = chance.below(most as u64 + 1) as usize;
    (0..count.min(coins.len())).map(|_| coins.remove(chance.below(coins.len() as u64) as usize)).collect()
}

/// The id of a coin.
pub fn id_of(coin: &str) -> &'static str {
    COINS.iter().find(|(name, _)| *name == coin).map_or("", |(_, id)| id)
}

impl Follow {
    /// Any list of some of these coins; the quote currency and one coin at least may be beside it.
    pub fn new(chance: &Chance, quote: &str, coins: &[String]) -> Follow {
        let mut free = coins.to_vec();
        let place = chance.pick(&[Place::CoinGecko, Place::CoinGecko, Place::Page, Place::File]);
        let form = match place {
            Place::CoinGecko => Form::Markets,
            _ => chance.pick(&[Form::Lines, Form::WeightedLines, Form::Names, Form::Weights, Form::Rows]),
        };
        let (share, fixed, allocation) = beside(chance, quote, &mut free);
        let top = chance.between(1, 4.min(free.len() as i64 - 1)) as usize;
        let mut spare = free.clone();
        let include = if chance.percent(20) { some(chance, &mut spare, top.min(2)) } else { Vec::new() };
        let most = spare.len().saturating_sub(top + 1).min(2);
        let exclude = if chance.percent(25) { some(chance, &mut spare, most) } else { Vec::new() };
        let mut keys = Keys { chance, keys: Vec::new() };
        match place {
            Place::CoinGecko => {
                keys.add("source", "\"coingecko\"");
                keys.add("base_url", &format!("\"{ADDRESS}/api/v3\""));
                if chance.percent(50) {
                    keys.add("category", "\"smart-contract-platform\"");
                }
            }
            Place::Page => {
                keys.add("source", "\"list\"");
                keys.add("list", &format!("\"{ADDRESS}/lists/mine?form=any\""));
            }
            Place::File => {
                keys.add("source", "\"list\"");
                keys.add("list", &format!("\"{FILE}\""));
            }
        }
        keys.add("top", &top.to_string());
        let mut leave_rank = top + [0, 1, 1, 1, 2][top];
        if chance.percent(50) {
            leave_rank = top + chance.below(4) as usize;
            keys.add("leave_rank", &leave_rank.to_string());
        }
        let leave_after_ms = keys.span("leave_after", &[1, 24, 72, 240], 24);
        let refresh_ms = keys.span("refresh", &[1, 6, 24, 72, 336], 24);
        let default = if form == Form::Markets { Some(24 * HOUR_MS) } else { None };
        let max_age_ms = match chance.percent(40) {
            true => Some(keys.span("max_age", &[2, 24, 72], 24)).filter(|_| keys.has("max_age")),
            false => None,
        };
        let max_age_ms = max_age_ms.or(default);
        let own = if form.has_sizes() && form != Form::Markets { Weighting::Size } else { Weighting::Equal };
        let (mut weighting, explicit) = (own, chance.percent(70));
        if explicit {
            let ways =
                [("equal", Weighting::Equal), ("market-cap", Weighting::Size), ("sqrt-market-cap", Weighting::Root)];
            let (name, way) = ways[if form.has_sizes() { chance.below(3) as usize } else { 0 }];
            weighting = way;
            keys.add("weighting", &format!("\"{name}\""));
        }
        let bounds = bounds(&mut keys, top as u64);
        if share != dec("100") || chance.percent(10) {
            keys.add("share", &share.to_string());
        }
        for (name, coins) in [("include", &include), ("exclude", &exclude)] {
            let by_id = form.has_ids() && chance.percent(50);
            let word = |coin: &String| format!("\"{}\"", if by_id { id_of(coin) } else { coin });
            if !coins.is_empty() {
                keys.add(name, &format!("[{}]", coins.iter().map(word).collect::<Vec<_>>().join(", ")));
            }
        }
        let mut all = vec![format!("\"universe\": {{{}}}", keys.keys.join(", "))];
        all.extend(allocation);
        Follow {
            place,
            form,
            top,
            leave_rank,
            leave_after_ms,
            refresh_ms,
            max_age_ms,
            weighting,
            explicit,
            bounds,
            share,
            include,
            exclude,
            fixed,
            keys: all,
        }
    }

    /// Whether a coin without a size has no place.
    pub fn needs_sizes(&self) -> bool {
        self.form == Form::Markets || self.explicit && self.weighting != Weighting::Equal
    }

    /// After so long a list that stays as it is has had all its consequences but the trades.
    pub fn patience_ms(&self) -> i64 {
        self.leave_after_ms.max(self.refresh_ms).max(DAY_MS) + HOUR_MS
    }
}

/// A cap and a floor that so many weights can keep.
fn bounds(keys: &mut Keys<'_>, top: u64) -> (u64, u64) {
    const WHOLE: u64 = 100_000_000;
    let (mut least, mut most) = (0, WHOLE);
    let percent = |millionths: u64| dec("0.000001").times(millionths).to_string();
    if keys.chance.percent(40) {
        // From just possible, rounded up, to none.
        most = (WHOLE.div_ceil(top) + keys.chance.pick(&[0, 1, 5_000_000, 20_000_000])).min(WHOLE);
        keys.add("max_weight", &percent(most));
    }
    if keys.chance.percent(30) {
        least = WHOLE / top / keys.chance.pick(&[1, 2, 4, 20]);
        keys.add("min_weight", &percent(least));
    }
    (least, most)
}

/// The share of the list, the fixed coins with their part of the portfolio, and how the owner writes these.
fn beside(chance: &Chance, quote: &str, free: &mut Vec<String>) -> (Dec, Vec<(String, Dec)>, Option<String>) {
    if chance.percent(50) {
        return (dec("100"), Vec::new(), None);
    }
    let share = dec(chance.pick(&["20", "50", "80", "95", "66.6667", "33.333333"]));
    let left = dec("100") - share;
    let mut coins = some(chance, free, 1);
    if coins.is_empty() || chance.percent(30) {
        coins.push(quote.to_string());
    }
    let first = if coins.len() == 2 { dec(chance.pick(&["50", "70", "33.3333333"])) } else { dec("100") };
    let parts = [first, dec("100") - first];
    let mut fixed: Vec<(String, Dec)> =
        coins.into_iter().zip(parts).map(|(coin, part)| (coin, left.mul_floor(part).mul_floor(dec("0.01")))).collect();
    let rest = left - fixed.iter().map(|(_, part)| *part).sum();
    fixed[0].1 += rest;
    // As parts of what is left, or of the portfolio.
    let written = if chance.percent(50) { parts.to_vec() } else { fixed.iter().map(|(_, part)| *part).collect() };
    let words: Vec<String> = fixed.iter().zip(written).map(|((coin, _), part)| format!("\"{coin}\": {part}")).collect();
    (share, fixed, Some(format!("\"allocation\": {{{}}}", words.join(", "))))
}
