//! The audit: what the exchange did, what the program wrote down and what there is in the end must agree. Nothing here asks the
//! program for a number.

use crate::exchange::{Balance, Dec, Order, Side, Status, World, dec};
use crate::process::Look;
use crate::station::{Life, Station};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// A journal above 128 kB is shortened by the next cycle that finds no order open in it; until then cycles that trade all there is add
/// some 30 kB each.
const MOST_JOURNAL: u64 = 256 * 1024;
/// Logs are shortened between two cycles, when they have grown above 1 MB.
const MOST_LOG: u64 = 1024 * 1024 + 64 * 1024;
/// So much may a daemon's own memory be above what it was in the first half of its life. It reads the journal after each cycle, as one
/// text of up to 128 kB and more while it grows, and some C libraries keep what that took: those that trade most come to their
/// level only after some journals. A leak of 600 bytes a cycle is more than this in half an hour.
const MOST_GROWTH_KIB: u64 = 256;
/// Nor may it ever be above this.
const MOST_OWN_KIB: u64 = 1024;
/// A process is judged when it was looked at so often, once a second: its first cycles, and the first long journal it reads, are
/// then far behind in the first half.
const LEAST_LOOKS: usize = 240;
/// What a daemon opens for a moment.
const MOST_MORE_FILES: u64 = 4;

/// Everything that is wrong at a station, each a sentence.
pub fn station(station: &Station) -> Vec<String> {
    let mut wrong = station.wrong.clone();
    wrong.extend(station.records.wrong.iter().cloned());
    wrong.extend(station.diary.wrong.iter().cloned());
    {
        let world = station.exchange.world();
        wrong.extend(world.violations.iter().cloned());
        balances(station, &world, &mut wrong);
        orders(station, &world, &mut wrong);
        weights(station, &world, &mut wrong);
    }
    sizes(station, &mut wrong);
    station.lives.iter().for_each(|life| flat(life, &mut wrong));
    secrets(station, &mut wrong);
    asked(station, &mut wrong);
    let number = station.number;
    wrong.into_iter().map(|what| format!("daemon {number}: {what}")).collect()
}

/// What there was, with every deposit, withdrawal, fill and fee since, is what there is, to the last digit.
fn balances(station: &Station, world: &World, wrong: &mut Vec<String>) {
    let mut should: BTreeMap<String, Dec> = BTreeMap::new();
    let mut add = |coin: &str, amount: Dec| *should.entry(coin.to_string()).or_default() += amount;
    for (coin, Balance { quantity, .. }) in &station.began {
        add(coin, *quantity);
    }
    for (coin, amount) in &station.money.moved {
        add(coin, *amount);
    }
    for order in &world.orders {
        let (got, gave) = match order.side {
            Side::Buy => (order.cumulative_quantity, -order.cumulative_value),
            Side::Sell => (-order.cumulative_quantity, order.cumulative_value),
        };
        add(&order.base, got);
        add(&order.quote, gave);
        add(&order.fee_coin, -order.fee);
    }
    for (coin, amount) in &should {
        let balance = world.balances.get(coin).copied().unwrap_or_default();
        if balance.quantity != *amount {
            wrong.push(format!("{coin}: there are {}, and there should be {amount}", balance.quantity));
        }
        if balance.reserved != Dec::ZERO {
            wrong.push(format!("{coin}: {} are still reserved", balance.reserved));
        }
    }
    if world.balances.keys().any(|coin| !should.contains_key(coin)) {
        wrong.push("there is a coin that never came".to_string());
    }
}

/// Every order once, ended, in the journal, with the outcome that it really had.
fn orders(station: &Station, world: &World, wrong: &mut Vec<String>) {
    let mut known = BTreeSet::new();
    for order in &world.orders {
        let Order { client_oid: id, cumulative_quantity: quantity, cumulative_value: value, .. } = order;
        if !known.insert(id) {
            wrong.push(format!("order {id} was executed twice"));
        }
        if order.status == Status::Active {
            wrong.push(format!("order {id} is still open"));
        }
        match station.records.outcomes.get(id) {
            None => wrong.push(format!("order {id} has no outcome in the journal")),
            Some((status, written, paid)) if (written, paid) != (quantity, value) => wrong.push(format!(
                "order {id} has filled {quantity} for {value}; the journal says {status}, {written} for {paid}"
            )),
            Some(_) => {}
        }
        let given = if order.side == Side::Sell { &order.base } else { &order.quote };
        if order.code == 306 && !station.money.explains(given, order.when) {
            wrong.push(format!("order {id} gave more {given} than was free, and nobody had taken any"));
        }
    }
    for id in &station.records.intents {
        match station.records.outcomes.get(id) {
            None => wrong.push(format!("record {id} of the journal has no outcome")),
            Some((status, quantity, _)) if !known.contains(id) && *quantity != Dec::ZERO => {
                wrong.push(format!("record {id} says {status} with {quantity}, and the exchange never had it"));
            }
            Some(_) => {}
        }
    }
}

/// Every weight is inside its band, or off by less than the smallest order, by the exchange's own numbers.
fn weights(station: &Station, world: &World, wrong: &mut Vec<String>) {
    let plan = &station.plan;
    let quote = plan.quote();
    let value = |coin: &str| world.coin_value(coin, quote);
    let cash = value(quote) - plan.reserve();
    let strangers = plan.sells_strangers();
    let counted = plan.coins.iter().filter(|coin| coin.target.is_some() || strangers);
    let mut parts: Vec<(&str, Dec, Dec)> =
        counted.map(|coin| (coin.name.as_str(), value(&coin.name), coin.target.unwrap_or_default())).collect();
    let total = parts.iter().map(|(_, value, _)| *value).sum::<Dec>() + cash;
    parts.push((quote, cash, plan.cash_target()));
    let wanted = |target: Dec| total.mul_floor(target).div_floor(dec("100"));
    let excess = |(_, value, target): &(&str, Dec, Dec)| *value - wanted(*target);
    let richest = parts.iter().map(excess).max().unwrap_or_default();
    for (coin, value, target) in parts {
        if coin == quote && cash < Dec::ZERO {
            // Somebody has taken of the reserve, and coins are not sold to fill it up.
            continue;
        }
        let weight = value.mul_floor(dec("100")).div_floor(total);
        let stranger = coin != quote && target == Dec::ZERO;
        let band = if stranger { Dec::ZERO } else { plan.band(target) };
        let (off, wanted) = (distance(weight, target), wanted(target));
        let market = world.markets.get(&plan.symbol(coin));
        let tick = market.and_then(|market| Some(market.ask?.mul_floor(market.qty_tick))).unwrap_or_default();
        // A sell counts at the bid, by whole ticks.
        let least = plan.min_trade().max(dec("1.01")).max(tick) + tick;
        // What an order would have to move: to the target, half way to it, or to the edge.
        let room = total.mul_floor(band).mul_floor(plan.restores()).div_floor(dec("100"));
        if off > band && distance(value, wanted) - room >= least {
            if value < wanted && richest < least {
                // Many coins are a little above their targets, none by an order's worth: there is nobody to pay for it.
                eprintln!(
                    "soak: daemon {}: {coin} stays at {weight} of {target} percent: nobody can pay",
                    station.number
                );
                continue;
            }
            wrong.push(format!("{coin} is at {weight} percent in the end, not within {band} of {target}"));
        }
    }
}

fn distance(a: Dec, b: Dec) -> Dec {
    (a - b).max(b - a)
}

/// Journal and log are bounded.
fn sizes(station: &Station, wrong: &mut Vec<String>) {
    for (name, most, bound) in [("journal", station.journal.most, MOST_JOURNAL), ("log", station.log.most, MOST_LOG)] {
        if most > bound {
            wrong.push(format!("the {name} had {most} bytes"));
        }
    }
}

/// The most of a column in the first half of a life, after its first seconds, and in the second half.
pub fn halves(life: &Life, column: fn(&Look) -> u64) -> Option<(u64, u64)> {
    let looks = life.looks.get(10..).filter(|looks| looks.len() >= LEAST_LOOKS)?;
    let (first, second) = looks.split_at(looks.len() / 2);
    let most = |looks: &[Look]| looks.iter().map(column).max();
    most(first).zip(most(second))
}

fn flat(life: &Life, wrong: &mut Vec<String>) {
    if let Some((first, second)) = halves(life, |look| look.own)
        && second > first + MOST_GROWTH_KIB
    {
        wrong.push(format!("its own memory grew: {first} KiB in the first half of its time, then {second}"));
    }
    let most = life.looks.iter().map(|look| look.own).max().unwrap_or(0);
    if most > MOST_OWN_KIB {
        wrong.push(format!("it had {most} KiB of its own"));
    }
    // Not while it starts.
    let looks = life.looks.get(10..).unwrap_or_default();
    let files = looks.iter().map(|look| look.files);
    let (least, most) = (files.clone().min().unwrap_or(0), files.max().unwrap_or(0));
    if most > least + MOST_MORE_FILES {
        wrong.push(format!("it had {most} files open, {least} at other times"));
    }
    // Open for good is what is open whenever it is looked at.
    let half = looks.len() / 2;
    let lasting = |looks: &[Look]| looks.iter().map(|look| look.files).min().unwrap_or(0);
    let (first, second) = (lasting(&looks[..half]), lasting(&looks[half..]));
    if half >= LEAST_LOOKS / 2 && second > first {
        wrong.push(format!("its open files grew from {first} to {second}"));
    }
}

/// Neither key nor secret is in any file that the program has written.
fn secrets(station: &Station, wrong: &mut Vec<String>) {
    let Ok(files) = fs::read_dir(&station.home) else { return };
    for file in files.flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        if name == "credentials.json" || name == "rebalancer" {
            continue;
        }
        let text = fs::read(file.path()).unwrap_or_default();
        let shows = |what: &str| text.windows(what.len()).any(|window| window == what.as_bytes());
        if shows(&station.plan.secret) || shows(&station.plan.key) {
            wrong.push(format!("the file {name} shows the key or the secret"));
        }
    }
}

/// The program plans no order, either.
fn asked(station: &Station, wrong: &mut Vec<String>) {
    match station.ask(&["plan", "--json"]) {
        Ok((Some(0), out)) if out.contains("\"orders\":[]") => {}
        Ok((code, out)) => wrong.push(format!("its own plan is not quiet in the end: {code:?} {out}")),
        Err(error) => wrong.push(error),
    }
}
