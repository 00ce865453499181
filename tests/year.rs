//! A year of a list that is looked at every day: what membership costs with and without its delay, and its rules day by day.
//!
//! `cargo test --test year -- --nocapture` prints the tables. The year is made in `year/market.rs`, the rules are said again in
//! `year/audit.rs`, and `year/money.rs` has the real planner trade the members at the prices of that year.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::use_debug)]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_possible_wrap, missing_docs)]

#[path = "year/audit.rs"]
mod audit;
#[path = "common/mod.rs"]
mod common;
#[path = "year/market.rs"]
mod market;
#[path = "year/money.rs"]
mod money;

use audit::{Audit, most_exits};
use market::{DAY_MS, Day, year};
use money::{Account, trade};
use rebalancer::universe::members::Rules;
use std::collections::BTreeSet;

const TOP: usize = 10;
const SEEDS: std::ops::RangeInclusive<u64> = 1..=12;

/// Without any delay: whoever is not inside the top today is none.
const NONE: Rules = Rules { top: TOP, leave_rank: TOP, leave_after_ms: 0 };
/// The program's own for a top 10.
const DAY: Rules = Rules { top: TOP, leave_rank: 13, leave_after_ms: DAY_MS };
const WEEK: Rules = Rules { top: TOP, leave_rank: 13, leave_after_ms: 7 * DAY_MS };

fn audited(days: &[Day], rules: Rules) -> Audit {
    let mut audit = Audit::new(rules);
    for day in days {
        audit.look(day);
    }
    audit
}

/// One line of the first table.
fn line(seed: u64, words: &str, audit: &Audit, days: &[Day], most: usize) -> String {
    let Audit { entries, exits, outside, .. } = audit;
    let outside = outside * 1000 / (days.len() * TOP);
    let turnover = audit.turnover();
    format!(
        "{seed:>4}  {words:<8} {entries:>8} {exits:>6} {most:>8} {turnover:>10} {:>11}.{}",
        outside / 10,
        outside % 10
    )
}

/// The bounds. A coin that crosses the edge is, to its neighbour, a walk that went below zero. However large its steps are, as long as
/// they are as likely up as down, a walk that begins there is still on that side after n more steps with the probability
/// C(2n, n) / 4^n (Sparre Andersen): 1/2 for the next day and 0.21 for seven. What comes back in between costs two changes without a
/// delay and none with it. Coins that cross by far, or for good, are more than chance has; so a half is left for a week's delay, which
/// is more than twice what the walk alone would leave, and "fewer" for a day's.
#[test]
fn with_a_delay_the_members_change_less_in_every_year() {
    println!("seed  delay     entries  exits  at most  turnover %  outside the top % of seats");
    let mut sum = [0; 3];
    for seed in SEEDS {
        let days = year(seed);
        let mut exits = Vec::new();
        for (words, rules) in [("none", NONE), ("24h, 13", DAY), ("7d, 13", WEEK)] {
            let (audit, most) = (audited(&days, rules), most_exits(&days, rules));
            println!("{}", line(seed, words, &audit, &days, most));
            assert_eq!(audit.entries, audit.exits, "always as many members");
            assert!(audit.exits <= most, "{words}: {} exits, and there was reason for {most}", audit.exits);
            exits.push((audit.exits, audit.turnover()));
        }
        let [none, day, week] = exits[..] else { panic!() };
        // Without a delay the members are the top of each day, and every difference is a change.
        let tops: Vec<BTreeSet<&String>> = days.iter().map(|day| day.order.iter().take(TOP).collect()).collect();
        let gone: usize = tops.windows(2).map(|two| two[0].difference(&two[1]).count()).sum();
        assert_eq!(none.0, gone);
        assert!(gone > 20, "a year in which nothing crosses says nothing");
        for with in [day, week] {
            assert!(with.0 < none.0 && with.1 < none.1, "seed {seed}: {with:?} with a delay, {none:?} without");
        }
        assert!(2 * week.0 <= none.0, "seed {seed}: {} exits with a week's delay, {} without", week.0, none.0);
        for (sum, (exits, _)) in sum.iter_mut().zip(exits) {
            *sum += exits;
        }
    }
    println!(" all  exits without, with a day, with a week: {sum:?}");
}

/// A year in which the list is the same every day, but that two neighbours change places as `swapped` says.
fn two(above: usize, swapped: impl Fn(usize) -> bool) -> Vec<Day> {
    let day = |number: usize| {
        let mut order: Vec<String> = (1..=20).map(|place| format!("P{place}")).collect();
        if swapped(number) {
            order.swap(above - 1, above);
        }
        Day { number, at: number as i64 * DAY_MS, order, prices: Vec::new() }
    };
    (0..365).map(day).collect()
}

#[test]
fn a_coin_that_goes_back_and_forth_over_the_edge_every_day_never_trades() {
    let long = Rules { leave_after_ms: DAY_MS + 1, ..DAY };
    let flips = two(TOP, |day| day % 2 == 1);
    for rules in [long, DAY, WEEK] {
        let audit = audited(&flips, rules);
        assert_eq!((audit.entries, audit.exits), (0, 0));
        assert_eq!(audit.outside, 182, "outside on every second day");
    }
    assert_eq!(audited(&flips, NONE).exits, 364, "and without a delay on each of them");
    // Two days outside and one inside: too long for a day, not for more.
    let halves = two(TOP, |day| day % 3 != 0);
    assert_eq!((audited(&halves, long).exits, audited(&halves, WEEK).exits), (0, 0));
    // P10 leaves on day 2; P11, which has its place, is outside for a day at a time from then on, and stays.
    assert_eq!(audited(&halves, DAY).exits, 1);
}

#[test]
fn a_member_that_stays_outside_leaves_once_and_one_that_stays_inside_never() {
    // From day 100 on for good: seen outside on day 100, gone on day 107.
    let crossed = two(TOP, |day| day >= 100);
    let audit = audited(&crossed, WEEK);
    assert_eq!((audit.exits, audit.outside), (1, 7));
    // Inside the top the order says nothing.
    assert_eq!(audited(&two(TOP - 1, |day| day % 2 == 1), NONE).exits, 0);
    // A member at the eleventh place that the twelfth overtakes for a day, again and again: it is outside anyhow, and leaves after a week.
    let order = |day: usize| {
        let mut order = two(TOP, |_| day > 0).remove(0).order;
        if day % 2 == 1 {
            order.swap(TOP, TOP + 1);
        }
        Day { number: day, at: day as i64 * DAY_MS, order, prices: Vec::new() }
    };
    let days: Vec<Day> = (0..20).map(order).collect();
    let audit = audited(&days, WEEK);
    assert_eq!((audit.exits, audit.outside), (1, 7));
}

#[test]
fn the_planner_trades_less_with_a_delay_and_pays_less() {
    println!(
        "seed  cycles  delay    exits  orders  turnover %  of it sold off %     traded     fees   worth at the end"
    );
    for seed in SEEDS.take(6) {
        let days = year(seed);
        for (cycles, every) in [("weekly", 7), ("daily", 1)] {
            let mut seen = Vec::new();
            for (words, rules) in [("none", NONE), ("24h, 13", DAY), ("7d, 13", WEEK)] {
                let (account, audit, worth) = trade(&days, rules, every);
                let Account { traded, fees, turnover, orders, forced, .. } = account;
                println!(
                    "{seed:>4}  {cycles:<7} {words:<8} {:>5} {orders:>7} {:>11} {:>17} {:>10} {:>8} {:>18}",
                    audit.exits,
                    turnover / 10_000,
                    forced / 10_000,
                    traded / 1_000_000,
                    fees / 1_000_000,
                    worth / 1_000_000
                );
                seen.push((audit.exits, turnover, forced));
            }
            let [none, day, week] = seen[..] else { panic!() };
            for with in [day, week] {
                assert!(with.0 < none.0, "seed {seed}, {cycles}: {with:?} with a delay, {none:?} without");
                assert!(with.1 < none.1 && with.2 < none.2, "seed {seed}, {cycles}: {with:?}, {none:?} without");
            }
        }
    }
}
