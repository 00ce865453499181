//! Simulated years from seeds: the real planner, executor, journal, adapter and schedule, with clock, disk and network passed in.
//!
//! ```text
//! cargo test --test simulation                                        a few lives, with every cargo test
//! WEEKS=100000 cargo test --profile simulation --test simulation      as many weeks as you like
//! SEED=7 cargo test --test simulation -- --nocapture                  one life, told line by line; the same every time
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::use_debug)]
#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss, missing_docs)]

mod around;
mod auditor;
mod balanced;
mod chance;
mod disk;
#[path = "../exchange/mod.rs"]
mod exchange;
mod follow;
mod life;
mod list_auditor;
mod remembered;
mod setup;
mod source;
mod weather;
mod wire;

use life::live;
use std::collections::BTreeMap;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: no whole number")))
}

#[test]
fn whatever_happens_nothing_is_lost_or_doubled_and_in_fair_weather_it_is_balanced_and_quiet() {
    if let Some(seed) = number("SEED") {
        let life = live(seed, true);
        println!("{:?}", life.counts);
        assert_eq!(life.failure, None, "seed {seed}");
        return;
    }
    let (first, weeks) = (number("FIRST_SEED").unwrap_or(1), number("WEEKS").unwrap_or(200) as i64);
    let (mut lived, mut seed, mut failures) = (0, first, Vec::new());
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let most_failures = number("FAILURES").unwrap_or(5) as usize;
    while lived < weeks && failures.len() < most_failures {
        let life = live(seed, false);
        if number("EACH").is_some() {
            println!("seed {seed}: {} weeks, {:?}", life.weeks, life.counts);
        }
        lived += life.weeks;
        for (what, count) in life.counts {
            *counts.entry(what).or_default() += count;
        }
        failures.extend(life.failure.map(|why| format!("seed {}: {why}", life.seed)));
        seed = seed.wrapping_add(1);
    }
    println!("{} lives, {lived} weeks, seeds from {first}: {counts:?}", seed.wrapping_sub(first));
    assert!(
        failures.is_empty(),
        "{}\nto see one: SEED=N cargo test --test simulation -- --nocapture",
        failures.join("\n")
    );
}

#[test]
fn a_life_is_the_same_every_time() {
    for seed in [3, 4, 5] {
        let (first, second) = (live(seed, false), live(seed, false));
        assert_eq!((first.digest, first.counts), (second.digest, second.counts), "seed {seed}");
    }
}
