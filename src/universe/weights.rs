//! Sizes become weights that sum to 100 percent to the last digit, none above the cap or below the floor: water-filling.
//!
//! Weights are whole numbers of millionths of a percent, so all of it is whole-number arithmetic. Let `w(i) = clamp(l * s(i), min, max)`
//! for the one level `l` at which the weights sum to 100. It is found by fixing those that hit a bound, side by side with their
//! total violation, as CSS resolves flexible lengths: while the sum of what is cut off at the cap is at least what is missing at the
//! floor, the capped ones are final, else the floored ones are. Each round fixes one at least.
//!
//! A size has 30 bits at the most and there are a hundred of them, so that no product leaves 64 bits: a 32-bit processor has no more at once.

use crate::amount::Percent;

/// Decimals of a percentage of the list.
pub const PLACES: u32 = 6;
/// All of it, in millionths of a percent.
const WHOLE: u64 = 100_000_000;
/// Sizes are halved together until they are below this: a billionth of the largest that is at no bound is still told.
const MOST: u64 = 1 << 30;
/// The most members of a list.
pub const MOST_TOP: usize = 100;

/// One millionth of a percent.
pub fn step() -> Percent {
    Percent::parse("0.000001").unwrap_or_default()
}

/// A percentage in millionths, towards zero.
fn steps(percent: Percent) -> u64 {
    u64::try_from(percent.ticks(step())).unwrap_or(WHOLE).min(WHOLE)
}

/// Whether so many weights can sum to 100 percent between `min` and `max`.
pub fn feasible(count: usize, min: Percent, max: Percent) -> bool {
    let few = u64::try_from(count).ok().filter(|_| (1..=MOST_TOP).contains(&count));
    few.is_some_and(|count| count * steps(min) <= WHOLE && count * steps(max) >= WHOLE)
}

/// The square roots of sizes, towards zero, in units that only compare with each other. All sizes are doubled together
/// before, so that the largest root has 31 bits or 32.
pub fn roots(sizes: &[u64]) -> Vec<u64> {
    let spare = sizes.iter().max().map_or(0, |largest| (largest | 1).leading_zeros() & !1);
    sizes.iter().map(|size| root(size << spare)).collect()
}

/// The square root towards zero, bit by bit from the highest: the standard library's is some kilobytes of code.
fn root(size: u64) -> u64 {
    let mut root = 0_u64;
    for bit in (0..32).rev() {
        let larger = root | 1 << bit;
        if larger * larger <= size {
            root = larger;
        }
    }
    root
}

/// The sizes of those that have no weight yet, in their lowest terms, halved together until each has 30 bits at the most; those of the
/// others are nothing.
fn parts(sizes: &[u64], filled: &[Option<u64>]) -> Vec<u64> {
    let free = || sizes.iter().zip(filled).map(|(size, weight)| if weight.is_some() { 0 } else { *size });
    let divisor = free().fold(0, common_divisor).max(1);
    let mut surplus = 0;
    while free().any(|size| (size / divisor) >> surplus >= MOST) {
        surplus += 1;
    }
    free().map(|size| if size > 0 { ((size / divisor) >> surplus).max(1) } else { 0 }).collect()
}

/// The largest number that divides both, by Euclid.
fn common_divisor(mut one: u64, mut other: u64) -> u64 {
    while other > 0 {
        (one, other) = (other, one % other);
    }
    one
}

/// Weights in percent, in proportion to `sizes`, each above zero, as far as the bounds allow. Rounded towards zero; the millionths that
/// remain go to the first ones that are at no bound, one each. `None` when no weights can satisfy the bounds.
pub fn weights(sizes: &[u64], min: Percent, max: Percent) -> Option<Vec<Percent>> {
    if !feasible(sizes.len(), min, max) || sizes.contains(&0) {
        return None;
    }
    let (min, max) = (steps(min), steps(max));
    let mut filled: Vec<Option<u64>> = vec![None; sizes.len()];
    let mut rest = WHOLE;
    // A free one gets rest * part / level.
    let (parts, level) = loop {
        let parts = parts(sizes, &filled);
        let level: u64 = parts.iter().sum();
        let (most, least) = (max * level, min * level);
        let free = || parts.iter().filter(|part| **part > 0).map(|part| rest * part);
        let cut: u64 = free().map(|share| share.saturating_sub(most)).sum();
        let lack: u64 = free().map(|share| least.saturating_sub(share)).sum();
        let some_over = free().any(|share| share >= most);
        if !some_over && lack == 0 {
            break (parts, level);
        }
        let capping = some_over && cut >= lack;
        let (all, bound) = (rest, if capping { max } else { min });
        for (part, weight) in parts.iter().zip(&mut filled).filter(|(part, _)| **part > 0) {
            if capping && all * part >= most || !capping && all * part < least {
                *weight = Some(bound);
                rest -= bound;
            }
        }
    };
    let share = |part: u64| (rest * part).checked_div(level).unwrap_or(0);
    let mut left = rest - parts.iter().map(|part| share(*part)).sum::<u64>();
    let mut weights = Vec::new();
    for (part, weight) in parts.into_iter().zip(filled) {
        let steps = weight.unwrap_or_else(|| {
            let one = left.min(1);
            left -= one;
            share(part) + one
        });
        weights.push(Percent::of_ticks(steps.into(), step())?);
    }
    Some(weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(text: &str) -> Percent {
        Percent::parse(text).unwrap()
    }

    fn of(sizes: &[u64], min: &str, max: &str) -> Option<Vec<String>> {
        let weights = weights(sizes, percent(min), percent(max))?;
        assert_eq!(weights.iter().copied().sum::<Percent>(), Percent::HUNDRED);
        Some(weights.iter().map(ToString::to_string).collect())
    }

    fn are(sizes: &[u64], min: &str, max: &str, expected: &[&str]) {
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
    fn large_sizes_in_round_proportions_have_round_weights() {
        are(&[6_000_000_000_000_000, 3_000_000_000_000_000, 1_000_000_000_000_000], "0", "100", &["60", "30", "10"]);
    }

    #[test]
    fn sizes_that_are_far_apart_keep_their_bounds() {
        // The least one counts as a billionth of the largest.
        are(&[u64::MAX, 1], "0", "100", &["100", "0"]);
        are(&[u64::MAX, u64::MAX, 1], "0.5", "100", &["49.75", "49.75", "0.5"]);
        are(&[u64::MAX - 1, u64::MAX / 3], "0", "100", &["75", "25"]);
    }

    #[test]
    fn roots_are_in_proportion() {
        assert!(roots(&[]).is_empty());
        assert_eq!(roots(&[0, 0]), [0, 0]);
        // 25 to 16 to 1 are squares of 5, 4 and 1, each doubled 29 times.
        assert_eq!(roots(&[25, 16, 1]), [5 << 29, 4 << 29, 1 << 29]);
        let roots = roots(&[u64::MAX, 2, 1 << 60]);
        assert_eq!(roots, [(1 << 32) - 1, 1, 1 << 30]);
    }
}
