//! Weights of a list beside a second computation of them: the level at which clamped sizes sum to 100 percent, looked for among all the
//! points where a coin begins or ceases to be at a bound. All in whole numbers, so that "within one step" is exact.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::use_debug)]
#![allow(missing_docs)]

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rebalancer::amount::Percent;
use rebalancer::universe::weights::{feasible, roots, step, weights};
use std::cmp::Reverse;

/// 100 percent in steps: millionths of a percent.
const WHOLE: u128 = 100_000_000;
/// The largest size of all: 10^15 in ten-thousandths.
const LARGEST: u128 = 10_000_000_000_000_000_000;

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, rng_seed: RngSeed::Fixed(7), ..ProptestConfig::default() }
}

fn percent(steps: u128) -> Percent {
    Percent::parse(&format!("{}.{:06}", steps / 1_000_000, steps % 1_000_000)).unwrap()
}

/// A weight in steps; it must be a whole number of them.
fn steps(weight: Percent) -> u128 {
    let text = weight.to_string();
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    assert!(part.len() <= 6, "{text} is finer than a step");
    format!("{whole}{part:0<6}").parse().unwrap()
}

fn weigh(sizes: &[u128], min: u128, max: u128) -> Option<Vec<u128>> {
    let sizes: Vec<u64> = sizes.iter().map(|size| u64::try_from(*size).unwrap()).collect();
    Some(weights(&sizes, percent(min), percent(max))?.into_iter().map(steps).collect())
}

/// One exact weight.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Exact {
    Min,
    Max,
    /// A fraction of steps.
    Between(u128, u128),
}

/// Where each size stands at the level `top / bottom`, in steps for each unit of size.
fn stand(size: u128, (top, bottom): (u128, u128), min: u128, max: u128) -> Exact {
    match top * size {
        amount if amount <= min * bottom => Exact::Min,
        amount if amount >= max * bottom => Exact::Max,
        amount => Exact::Between(amount, bottom),
    }
}

/// The exact weights. Their sum grows with the level, from all at the floor to all at the cap, in a straight line between the levels at
/// which some coin leaves its floor (min / size) or reaches its cap (max / size). So the level of 100 percent is one of these, or it
/// lies between two neighbours, where the same coins are free all the way.
fn exact(sizes: &[u128], min: u128, max: u128) -> Vec<Exact> {
    let mut levels: Vec<(u128, u128)> = sizes.iter().flat_map(|size| [(min, *size), (max, *size)]).collect();
    levels.sort_by(|(a, b), (c, d)| (a * d).cmp(&(c * b)));
    let at = |level: (u128, u128)| sizes.iter().map(move |size| stand(*size, level, min, max));
    // The sum at a level, in parts of a step: as many of them as its denominator.
    let sum = |level: (u128, u128)| -> u128 {
        let part = |exact| match exact {
            Exact::Min => min * level.1,
            Exact::Max => max * level.1,
            Exact::Between(amount, _) => amount,
        };
        at(level).map(part).sum()
    };
    // The first level that has 100 percent or more; the one before it has less.
    let above = levels.iter().position(|level| sum(*level) >= WHOLE * level.1).unwrap();
    if sum(levels[above]) == WHOLE * levels[above].1 {
        return at(levels[above]).collect();
    }
    // A coin is free between both when it is not at the floor at the upper one, and not at the cap at the lower one.
    let lower = levels[above - 1];
    let low = |size: u128| stand(size, levels[above], min, max) == Exact::Min;
    let high = |size: u128| stand(size, lower, min, max) == Exact::Max;
    let bound = |size: u128| if low(size) { Some(min) } else { high(size).then_some(max) };
    let rest = WHOLE - sizes.iter().filter_map(|size| bound(*size)).sum::<u128>();
    let free: u128 = sizes.iter().filter(|size| bound(**size).is_none()).sum();
    let between = |size: &u128| match (low(*size), high(*size)) {
        (true, _) => Exact::Min,
        (_, true) => Exact::Max,
        _ => Exact::Between(rest * size, free),
    };
    sizes.iter().map(between).collect()
}

/// Everything that is said of weights, of these.
fn check(sizes: &[u128], min: u128, max: u128) -> Result<(), TestCaseError> {
    let weights = weigh(sizes, min, max).unwrap();
    prop_assert_eq!(weights.len(), sizes.len());
    prop_assert_eq!(weights.iter().sum::<u128>(), WHOLE, "to the last digit");
    prop_assert!(weights.iter().all(|weight| (min..=max).contains(weight)), "a bound: {:?}", weights);
    for (whole, weight) in exact(sizes, min, max).into_iter().zip(&weights) {
        // Thirty bits are a billionth of the largest size: a tenth of a step, and for each of a hundred tiny coins as much.
        let near = |exact: u128| weight.abs_diff(exact) <= 2 + sizes.len() as u128 / 8;
        match whole {
            Exact::Min => prop_assert!(near(min)),
            Exact::Max => prop_assert!(near(max)),
            Exact::Between(top, bottom) => prop_assert!(near(top / bottom), "{weight}, exact {top} / {bottom}"),
        }
    }
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|at| Reverse(sizes[*at]));
    for two in order.windows(2) {
        let (larger, smaller) = (two[0], two[1]);
        prop_assert!(weights[larger] + 1 >= weights[smaller], "{:?} {:?}", sizes, weights);
        prop_assert!(sizes[larger] > sizes[smaller] || weights[larger].abs_diff(weights[smaller]) <= 1);
    }
    // What remains goes to the first: of two equal ones the first has no less.
    for (at, size) in sizes.iter().enumerate() {
        let next = sizes.iter().skip(at + 1).position(|other| other == size);
        prop_assert!(next.is_none_or(|next| weights[at] >= weights[at + 1 + next]));
    }
    Ok(())
}

/// One size: of any magnitude, the smallest, the largest, one of a few, so that some are the same.
fn size() -> impl Strategy<Value = u128> {
    let magnitude = (0_u32..=20, 1_000_u128..10_000).prop_map(|(zeros, digits)| {
        let size = digits * 10_u128.pow(zeros) / 1000;
        size.clamp(1, LARGEST)
    });
    prop_oneof![6 => magnitude, 1 => Just(1), 1 => Just(LARGEST), 2 => 1_u128..5, 2 => LARGEST / 2..=LARGEST]
}

/// Sizes that are all over, or as those of real coins: the first over the rank, and a little off.
fn sizes() -> impl Strategy<Value = Vec<u128>> {
    let coins = (1_usize..=100, 1_u128..1_000_000_000, prop::collection::vec(900_u128..1100, 100));
    let ranked = coins.prop_map(|(count, first, off)| {
        (1..=count).map(|rank| first * 1_000_000 * off[rank - 1] / rank as u128).collect()
    });
    prop_oneof![prop::collection::vec(size(), 1..=100), prop::collection::vec(size(), 1..=12), ranked]
}

/// A floor and a cap that some weights satisfy: each a part of what there is room for, in thousandths, or none, or all of it.
fn bounds(count: u128, low: u128, high: u128) -> (u128, u128) {
    let (equal, equal_up) = (WHOLE / count, WHOLE.div_ceil(count));
    (equal * low / 1000, equal_up + (WHOLE - equal_up) * high / 1000)
}

/// Near nothing as often as anywhere.
fn part() -> impl Strategy<Value = u128> {
    prop_oneof![1 => Just(0_u128), 1 => Just(1000), 4 => 0_u128..=1000, 4 => 0_u128..50]
}

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn weights_are_the_exact_ones_to_the_step(sizes in sizes(), low in part(), high in part()) {
        let (min, max) = bounds(sizes.len() as u128, low, high);
        check(&sizes, min, max)?;
    }

    /// Where a coin just reaches its cap or its floor, a step decides.
    #[test]
    fn a_bound_that_is_a_coins_own_share_is_kept(
        sizes in sizes(), one in 0_usize..100, cap in any::<bool>(), off in 0_u128..3
    ) {
        let sum: u128 = sizes.iter().sum();
        let share = (WHOLE * sizes[one % sizes.len()] / sum + off).saturating_sub(1).min(WHOLE);
        let (min, max) = if cap { (0, share) } else { (share, WHOLE) };
        if feasible(sizes.len(), percent(min), percent(max)) {
            check(&sizes, min, max)?;
        }
    }

    #[test]
    fn the_order_decides_about_single_steps_alone(sizes in sizes(), low in part(), high in part()) {
        let (min, max) = bounds(sizes.len() as u128, low, high);
        let there = weigh(&sizes, min, max).unwrap();
        let back: Vec<u128> = sizes.iter().rev().copied().collect();
        let back = weigh(&back, min, max).unwrap();
        prop_assert!(there.iter().zip(back.iter().rev()).all(|(one, other)| one.abs_diff(*other) <= 1));
    }

    #[test]
    fn what_no_weights_satisfy_is_refused_and_everything_else_is_not(
        sizes in sizes(), min in 0..=WHOLE, max in 0..=WHOLE, near in 0_u128..6, bad in 0_usize..400
    ) {
        let count = sizes.len() as u128;
        // Often just at the edge of what is possible.
        let min = if near % 2 == 0 { (WHOLE / count + near / 2).min(WHOLE) } else { min / count };
        let max = if near < 3 { (WHOLE / count + near).min(WHOLE) } else { max };
        let possible = min * count <= WHOLE && max * count >= WHOLE;
        prop_assert_eq!(feasible(sizes.len(), percent(min), percent(max)), possible);
        prop_assert_eq!(weigh(&sizes, min, max).is_some(), possible);
        if possible {
            check(&sizes, min, max)?;
            let mut sizes = sizes;
            if let Some(size) = sizes.get_mut(bad) {
                *size = 0;
                prop_assert_eq!(weigh(&sizes, min, max), None, "a size that is none");
            }
        }
    }

    #[test]
    fn roots_are_in_proportion_to_the_roots(sizes in prop::collection::vec(size(), 1..=20)) {
        let roots = roots(&sizes.iter().map(|size| u64::try_from(*size).unwrap()).collect::<Vec<_>>());
        let roots: Vec<u128> = roots.into_iter().map(u128::from).collect();
        // All were multiplied by the same power of four, as large as 64 bits allow.
        let largest = sizes.iter().max().unwrap();
        let scale = (0..32).map(|times| 1_u128 << (2 * times)).rfind(|scale| largest * scale < 1 << 64).unwrap();
        for (size, root) in sizes.iter().zip(&roots) {
            prop_assert!(root * root <= size * scale && (root + 1) * (root + 1) > size * scale, "{size}: {root}");
        }
        check(&roots, 0, WHOLE)?;
        // a : b as weights is the square root of a : b as sizes; multiplied, so that nothing is divided. A weight may be a step off,
        // and a root a millionth of itself.
        let weights = weigh(&roots, 0, WHOLE).unwrap();
        for (size, weight) in sizes.iter().zip(&weights) {
            for (other, than) in sizes.iter().zip(&weights) {
                let (low, high) = (weight.saturating_sub(2), than + 2);
                // low^2 / high^2 <= size / other.
                let holds = low * low * other / 1000 * 999 <= high * high * size;
                prop_assert!(holds, "{size} {other}: {weight} {than}");
            }
        }
    }
}

#[test]
fn the_largest_and_the_smallest_there_are() {
    assert_eq!(step(), percent(1));
    // A hundred of the largest: a hundredth each.
    assert_eq!(weigh(&[LARGEST; 100], 0, WHOLE), Some(vec![1_000_000; 100]));
    // One of the smallest beside the largest has no step of its own: the remainder goes to the first.
    assert_eq!(weigh(&[LARGEST, 1], 0, WHOLE), Some(vec![WHOLE, 0]));
    assert_eq!(weigh(&[1, LARGEST], 0, WHOLE), Some(vec![1, WHOLE - 1]));
    assert_eq!(weigh(&[LARGEST, 1], 1, WHOLE), Some(vec![WHOLE - 1, 1]));
    assert_eq!(weigh(&[LARGEST, 1, 1, 1], 0, WHOLE / 4), Some(vec![WHOLE / 4; 4]));
    // The first has its cap without being cut, and takes no step of the remainder.
    assert_eq!(weigh(&[3, 1, 1, 1], 0, WHOLE / 2), Some(vec![50_000_000, 16_666_667, 16_666_667, 16_666_666]));
    for size in [1, 2, LARGEST] {
        assert_eq!(weigh(&[size], 0, WHOLE), Some(vec![WHOLE]), "alone");
        assert_eq!(weigh(&[size; 3], 0, WHOLE), Some(vec![33_333_334, 33_333_333, 33_333_333]));
    }
    assert_eq!(weigh(&[], 0, WHOLE), None);
}

/// The second computation itself, by hand: 98 to 1 to 1 between 2 and 50 percent is 50, and 25 each; 60, 30 and 10 with a cap of 50 is
/// 50, 37.5 and 12.5.
#[test]
fn the_exact_weights_are_those_of_the_hand() {
    let between = |top, bottom| Exact::Between(top, bottom);
    assert_eq!(exact(&[98, 1, 1], 2_000_000, 50_000_000), [Exact::Max, between(50_000_000, 2), between(50_000_000, 2)]);
    assert_eq!(
        exact(&[60, 30, 10], 0, 50_000_000),
        [Exact::Max, between(50_000_000 * 30, 40), between(50_000_000 * 10, 40)]
    );
    assert_eq!(exact(&[3, 1], 0, 75_000_000), [Exact::Max, between(75_000_000, 3)]);
}
