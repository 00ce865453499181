//! Sizes become weights that sum to 100 percent to the last digit, none above the cap or below the floor: water-filling.
//!
//! Weights are whole numbers of millionths of a percent, so all of it is whole-number arithmetic. Let `w(i) = clamp(l * s(i), min, max)`
//! for the one level `l` at which the weights sum to 100. It is found by fixing those that hit a bound, side by side with their
//! total violation, as CSS resolves flexible lengths: while the sum of what is cut off at the cap is at least what is missing at the
//! floor, the capped ones are final, else the floored ones are. Each round fixes one at least.

use crate::amount::{Percent, div_rem};

/// Decimals of a percentage of the list.
pub const PLACES: u32 = 6;
/// All of it, in millionths of a percent.
const WHOLE: u128 = 100_000_000;
/// Largest size: 10^15 in millionths. A thousand of them times [`WHOLE`] are far inside 128 bits.
pub const MOST_SIZE: u128 = 1_000_000_000_000_000_000_000;
/// Before a root is taken, so that it has decimals.
const ROOT_SCALE: u128 = 1_000_000_000_000;

/// One millionth of a percent.
pub fn step() -> Percent {
    Percent::parse("0.000001").unwrap_or_default()
}

/// The square root of a size towards zero, in units that only compare with other roots: thirteen digits and more.
pub fn root(size: u128) -> u128 {
    size.min(MOST_SIZE).saturating_mul(ROOT_SCALE).isqrt()
}

/// Whether so many weights can sum to 100 percent between `min` and `max`.
pub fn feasible(count: usize, min: Percent, max: Percent) -> bool {
    let (count, step) = (count as u128, step());
    count > 0 && count * min.ticks(step) <= WHOLE && count * max.ticks(step) >= WHOLE
}

/// Weights in percent, in proportion to `sizes` (each above zero and at most [`MOST_SIZE`]) as far as the bounds allow. Rounded
/// towards zero; the millionths that remain go to the first ones that are at no bound, one each. `None` when no weights can satisfy the bounds.
pub fn weights(sizes: &[u128], min: Percent, max: Percent) -> Option<Vec<Percent>> {
    if !feasible(sizes.len(), min, max) || sizes.iter().any(|size| !(1..=MOST_SIZE).contains(size)) {
        return None;
    }
    let (min, max) = (min.ticks(step()), max.ticks(step()));
    let mut filled: Vec<Option<u128>> = vec![None; sizes.len()];
    let (mut rest, mut level) = (WHOLE, sizes.iter().sum::<u128>());
    loop {
        // A free one would get rest * size / level.
        let free = || sizes.iter().zip(&filled).filter(|(_, weight)| weight.is_none()).map(|(size, _)| *size);
        let over = |size: u128| rest * size >= max * level;
        let under = |size: u128| rest * size < min * level;
        let cut: u128 = free().filter(|size| over(*size)).map(|size| rest * size - max * level).sum();
        let lack: u128 = free().filter(|size| under(*size)).map(|size| min * level - rest * size).sum();
        let some_over = free().any(over);
        if !some_over && lack == 0 {
            break;
        }
        let (bound, beyond): (u128, &dyn Fn(u128) -> bool) =
            if some_over && cut >= lack { (max, &over) } else { (min, &under) };
        let fixed: Vec<bool> =
            sizes.iter().zip(&filled).map(|(size, weight)| weight.is_none() && beyond(*size)).collect();
        for ((size, weight), _) in sizes.iter().zip(&mut filled).zip(fixed).filter(|(_, fixed)| *fixed) {
            *weight = Some(bound);
            (rest, level) = (rest - bound, level - size);
        }
    }
    let share = |size: u128| div_rem(rest * size, level).0;
    let free = sizes.iter().zip(&filled).filter(|(_, weight)| weight.is_none());
    let mut left = rest - free.map(|(size, _)| share(*size)).sum::<u128>();
    let mut weights = Vec::new();
    for (size, weight) in sizes.iter().zip(&filled) {
        let steps = weight.unwrap_or_else(|| {
            let one = left.min(1);
            left -= one;
            share(*size) + one
        });
        weights.push(Percent::of_ticks(steps, step())?);
    }
    Some(weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(text: &str) -> Percent {
        Percent::parse(text).unwrap()
    }

    fn of(sizes: &[u128], min: &str, max: &str) -> Option<Vec<String>> {
        let weights = weights(sizes, percent(min), percent(max))?;
        assert_eq!(weights.iter().copied().sum::<Percent>(), Percent::HUNDRED);
        Some(weights.iter().map(ToString::to_string).collect())
    }

    fn are(sizes: &[u128], min: &str, max: &str, expected: &[&str]) {
        let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
        assert_eq!(of(sizes, min, max), Some(expected), "{sizes:?} {min} {max}");
    }

    #[test]
    fn hand_computed_weights() {
        are(&[1], "0", "100", &["100"]);
        are(&[1, 1, 1], "0", "100", &["33.333334", "33.333333", "33.333333"]);
        are(&[60, 30, 10], "0", "100", &["60", "30", "10"]);
        // The first is cut to 50; the others share 50 as 3 to 1.
        are(&[60, 30, 10], "0", "50", &["50", "37.5", "12.5"]);
        // 40 for the first; 60 as 3 to 1 would be 45 and 15, and 45 is above the cap as well.
        are(&[60, 30, 10], "0", "40", &["40", "40", "20"]);
        // The last is lifted to 20; 80 as 2 to 1.
        are(&[60, 30, 10], "20", "100", &["53.333334", "26.666666", "20"]);
        // Both bounds: 98 to 1 to 1 becomes 50, and 25 each.
        are(&[98, 1, 1], "2", "50", &["50", "25", "25"]);
        // A floor that takes more than the cap sets free: 10 percent each for eight, and 20 for the largest, below its cap of 40.
        are(&[92, 1, 1, 1, 1, 1, 1, 1, 1], "10", "40", &["20", "10", "10", "10", "10", "10", "10", "10", "10"]);
    }

    #[test]
    fn bounds_that_no_weights_satisfy_are_refused() {
        for (count, min, max) in
            [(3, "0", "33.333333"), (3, "33.333334", "100"), (0, "0", "100"), (10, "0", "9.999999")]
        {
            assert_eq!(of(&vec![1; count], min, max), None, "{count} {min} {max}");
        }
        are(&[7, 1, 1, 1], "25", "25", &["25", "25", "25", "25"]);
        assert_eq!(of(&[1, 0], "0", "100"), None, "a size of nothing");
    }

    #[test]
    fn roots_are_towards_zero() {
        for size in [0, 1, 2, 3, 4, 999_999, MOST_SIZE] {
            let root = root(size);
            assert!(root * root <= size * ROOT_SCALE && (root + 1) * (root + 1) > size * ROOT_SCALE, "{size}");
        }
    }
}
