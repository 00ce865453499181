//! Random numbers from one seed, so that a run's worlds, markets and weather can be had again.

/// SplitMix64.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = u64::try_from(high - low).unwrap_or(0) + 1;
        low + i64::try_from(self.number() % width).unwrap_or(0)
    }

    pub fn one_in(&mut self, count: u64) -> bool {
        self.number().is_multiple_of(count)
    }

    pub fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        let last = i64::try_from(items.len()).unwrap_or(1) - 1;
        items[usize::try_from(self.between(0, last)).unwrap_or(0)].clone()
    }
}
