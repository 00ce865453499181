//! A year of forty coins, from a seed and in whole numbers: market caps that walk, jump, rise and fall for good.
//!
//! The caps begin as the first over the rank (Zipf), so that around the tenth place neighbours are a tenth apart, and a coin moves by three
//! percent on an ordinary day: they cross often. What a source tells of a cap is off by another half percent. Prices follow the caps.

use super::common::Chance;

pub const COINS: usize = 40;
pub const DAYS: usize = 365;
pub const DAY_MS: i64 = 86_400_000;
/// A Sunday's midnight in UTC.
const START_MS: i64 = 1_788_048_000_000;

/// Of a million: the ordinary day of one coin, of the whole market, and of what a source tells.
const OWN: i64 = 30_000;
const COMMON: i64 = 20_000;
const TOLD: i64 = 5_000;
/// What rises or falls for good: the coin, and its daily part of a million.
const TRENDS: [(usize, i64); 5] = [(4, -6_000), (7, -4_000), (13, 4_000), (17, 6_000), (24, 8_000)];
/// A coin that the list does not name any more from this day on.
const GONE: (usize, usize) = (6, 200);

/// One look at the list.
pub struct Day {
    /// From the first day of the year, and the moment.
    pub number: usize,
    pub at: i64,
    /// The coins by their places.
    pub order: Vec<String>,
    /// Their prices in millionths of the quote currency, by the coin's number.
    pub prices: Vec<i128>,
}

/// As near to a normal distribution as twelve dice are, with this standard deviation.
fn normal(chance: &mut Chance, deviation: i64) -> i64 {
    // One of twelve between -half and half of it has a third of (half of it) squared.
    let half = deviation / 2;
    (0..12).map(|_| chance.below((2 * half + 1) as u64) as i64 - half).sum()
}

fn moved(amount: u128, millionths: i64) -> u128 {
    amount * (1_000_000 + millionths.max(-900_000)) as u128 / 1_000_000
}

pub fn name(coin: usize) -> String {
    format!("C{coin}")
}

/// The looks of a year; on one day in fifty the source does not answer, and no look is at the same minute as the one before.
pub fn year(seed: u64) -> Vec<Day> {
    let mut chance = Chance(seed);
    // In cents: 60 billion dollars for the first.
    let first: Vec<u128> = (1..=COINS as u128).map(|rank| 6_000_000_000_000 / rank).collect();
    let prices: Vec<u128> = (0..COINS).map(|_| 10_u128.pow(5 + chance.below(6) as u32) + 7).collect();
    let mut caps = first.clone();
    let mut days = Vec::new();
    for day in 0..DAYS {
        let common = normal(&mut chance, COMMON);
        for (coin, cap) in caps.iter_mut().enumerate() {
            let jump = if chance.below(200) == 0 { 100_000 + chance.below(250_000) as i64 } else { 0 };
            let jump = if chance.below(2) == 0 { jump } else { -jump };
            let trend = TRENDS.iter().find(|(trending, _)| *trending == coin).map_or(0, |(_, daily)| *daily);
            *cap = moved(*cap, common + normal(&mut chance, OWN) + jump + trend);
        }
        let told: Vec<u128> = caps.iter().map(|cap| moved(*cap, normal(&mut chance, TOLD))).collect();
        let mut order: Vec<usize> = (0..COINS).filter(|coin| day < GONE.1 || *coin != GONE.0).collect();
        order.sort_by_key(|coin| std::cmp::Reverse(told[*coin]));
        let at = START_MS + day as i64 * DAY_MS + chance.below(600_000) as i64;
        if day > 0 && chance.below(50) == 0 {
            continue;
        }
        let price = |coin: usize| (prices[coin] * caps[coin] / first[coin]).max(1) as i128;
        days.push(Day {
            number: day,
            at,
            order: order.into_iter().map(name).collect(),
            prices: (0..COINS).map(price).collect(),
        });
    }
    days
}
