//! Exact base-10 amounts: what crosses the wire is never binary.
//!
//! One mantissa, an `i128` at 18 decimals, under four names that cannot be mixed up:
//!
//! | operation | result | rounding |
//! |---|---|---|
//! | `Price::value_of(Quantity)` | `Value` | towards zero (`value_of_up`: away from zero) |
//! | `Price::quantity_for(Value)` | `Quantity` | towards zero |
//! | `Quantity::floor_to_tick(Quantity)` | `Quantity` | towards zero, exact on the decimal grid |
//! | `Value::percent(Percent)` | `Value` | towards zero (`percent_up`: away from zero) |
//! | `Value::share(Share)` | `Value` | towards zero |
//! | `Weight::of(Value, Value)` | `Weight` | towards zero, for showing and sorting only |
//!
//! Weights and shares are ratios, and there binary fixed point is right. They never decide whether a coin is inside
//! its band: that comparison is made in `Value`s, exactly. Amounts are at most [`LIMIT`] units, so that sums of
//! a thousand of them cannot overflow; whatever is larger is refused when it is read.

mod mantissa;

use core::fmt;
use fixed::types::{I64F64, U1F127};
use mantissa::Mantissa;
pub(crate) use mantissa::div_rem;

/// One unit, as a mantissa: 18 decimals (balances carry up to 14, prices up to 14).
pub const UNIT: i128 = 1_000_000_000_000_000_000;
/// Largest amount accepted anywhere, in units: 10^17. A thousand of them still fit the mantissa.
pub const LIMIT: i128 = 100_000_000_000_000_000;
macro_rules! amount {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
        pub struct $name(Mantissa);

        impl $name {
            /// Nothing.
            pub const ZERO: $name = $name(Mantissa::of(0));
            /// One unit.
            pub const ONE: $name = $name(Mantissa::of(UNIT));

            /// Reads plain decimal text: digits with at most 18 decimals, no exponent, no plus sign, no spaces.
            /// `None` for anything else and for amounts above [`LIMIT`].
            pub fn parse(text: &str) -> Option<$name> {
                Mantissa::parse(text).map($name)
            }

            /// Plain decimal text rounded to `places` decimals, halves away from zero: for tables, not for orders.
            pub fn rounded(self, places: u32) -> String {
                self.0.rounded(places)
            }

            /// The larger of the difference and nothing.
            pub fn minus_or_zero(self, other: $name) -> $name {
                $name(self.0.minus_or_zero(other.0))
            }

            /// How far it is from zero.
            pub fn distance(self) -> $name {
                $name(self.0.distance())
            }

            /// The largest multiple of `tick` that is not above it (towards zero); itself when `tick` is not positive.
            pub fn floor_to_tick(self, tick: $name) -> $name {
                $name(self.0.floor_to_tick(tick.0))
            }

            /// How many whole ticks it has; none when the tick or the amount is not positive.
            pub fn ticks(self, tick: $name) -> u128 {
                self.0.ticks(tick.0)
            }

            /// So many ticks; `None` above [`LIMIT`].
            pub fn of_ticks(count: u128, tick: $name) -> Option<$name> {
                Mantissa::of_ticks(count, tick.0).map($name)
            }

            /// The smallest multiple of `tick` that is not below it (away from zero).
            pub fn ceil_to_tick(self, tick: $name) -> $name {
                $name(self.0.ceil_to_tick(tick.0))
            }
        }

        impl core::ops::Add for $name {
            type Output = $name;
            fn add(self, other: $name) -> $name {
                $name(self.0.plus(other.0))
            }
        }
        impl core::ops::Sub for $name {
            type Output = $name;
            fn sub(self, other: $name) -> $name {
                $name(self.0.minus(other.0))
            }
        }
        impl core::ops::AddAssign for $name {
            fn add_assign(&mut self, other: $name) {
                self.0 = self.0.plus(other.0);
            }
        }
        impl core::ops::SubAssign for $name {
            fn sub_assign(&mut self, other: $name) {
                self.0 = self.0.minus(other.0);
            }
        }
        impl core::iter::Sum for $name {
            fn sum<I: Iterator<Item = $name>>(amounts: I) -> $name {
                amounts.fold($name::ZERO, |sum, amount| sum + amount)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

amount! {
    /// An amount of one coin, in whole coins.
    Quantity
}
amount! {
    /// What one coin costs, in the quote currency.
    Price
}
amount! {
    /// An amount of the quote currency.
    Value
}
amount! {
    /// Percent, exactly as the owner wrote it: 50 is half.
    Percent
}

impl Price {
    /// Value of `quantity` at this price, towards zero; `None` when it is above [`LIMIT`].
    pub fn value_of(self, quantity: Quantity) -> Option<Value> {
        self.0.times(quantity.0, false).map(Value)
    }

    /// Value of `quantity` at this price, away from zero; `None` when it is above [`LIMIT`].
    pub fn value_of_up(self, quantity: Quantity) -> Option<Value> {
        self.0.times(quantity.0, true).map(Value)
    }

    /// How much `value` buys at this price, towards zero; `None` for a price of zero or a result above [`LIMIT`].
    pub fn quantity_for(self, value: Value) -> Option<Quantity> {
        value.0.divided_by(self.0).map(Quantity)
    }

    /// Half way between bid and ask, towards zero in the 18th decimal.
    pub fn middle(bid: Price, ask: Price) -> Price {
        Price(bid.0.plus(ask.0).over(2))
    }
}

impl Quantity {
    /// `percent` of it, towards zero.
    pub fn percent(self, percent: Percent) -> Option<Quantity> {
        self.0.times(percent.0, false).map(|hundredfold| Quantity(hundredfold.over(100)))
    }

    /// An amount of the quote currency seen as a balance becomes a value, one for one.
    pub fn as_value(self) -> Value {
        Value(self.0)
    }
}

impl Value {
    /// A value in the quote currency seen as a balance of it, one for one.
    pub fn as_quantity(self) -> Quantity {
        Quantity(self.0)
    }

    /// `percent` of it, towards zero. For whole mantissas `v > total.percent(p)` is exactly `v > total * p / 100`.
    pub fn percent(self, percent: Percent) -> Option<Value> {
        self.0.times(percent.0, false).map(|hundredfold| Value(hundredfold.over(100)))
    }

    /// `percent` of it, away from zero. For whole mantissas `v < total.percent_up(p)` is exactly `v < total * p / 100`.
    pub fn percent_up(self, percent: Percent) -> Option<Value> {
        self.0.times(percent.0, true).map(|hundredfold| Value(hundredfold.over_up(100)))
    }

    /// What is left after costs of `percent` were added on top: `self * 100 / (100 + percent)`, towards zero.
    pub fn without_cost(self, percent: Percent) -> Option<Value> {
        self.0.divided_by(Mantissa::of(UNIT).plus(percent.0.over(100))).map(Value)
    }

    /// The least that must be sold so that it remains after costs of `percent` (rounded up) were taken off. `None` when the cost is
    /// 100 percent or more.
    pub fn with_cost(self, percent: Percent) -> Option<Value> {
        let left = Mantissa::of(UNIT).minus(percent.0.over(100));
        if left <= Mantissa::of(0) {
            return None;
        }
        // Both roundings together take less than two units of the 18th decimal times 100 / (100 - percent).
        let mut sold = Value(self.0.divided_by(left)?);
        for _ in 0..2 {
            let lack = self.minus_or_zero(sold - sold.percent_up(percent)?);
            sold += Value(lack.0.divided_by(left)?.plus(Mantissa::of(i128::from(lack > Value::ZERO))));
        }
        Some(sold)
    }

    /// Its part of an amount, towards zero: the remainder stays with the caller.
    pub fn share(self, share: Share) -> Value {
        let magnitude = self.0.get().unsigned_abs();
        let bits = share.0.to_bits();
        // magnitude * bits / 2^127 with both split at 64 bits, so that no product leaves u128.
        let (mh, ml) = (magnitude >> 64, magnitude & u128::from(u64::MAX));
        let (bh, bl) = (bits >> 64, bits & u128::from(u64::MAX));
        let low = (ml * bl) >> 64;
        let middle = mh * bl + low;
        let cross = ml * bh + (middle & u128::from(u64::MAX));
        let high = mh * bh + (middle >> 64) + (cross >> 64);
        let product = (high << 1) + ((cross & u128::from(u64::MAX)) >> 63);
        let value = i128::try_from(product).unwrap_or(i128::MAX);
        Value(Mantissa::of(if self < Value::ZERO { -value } else { value }))
    }

    /// Half of it, towards zero.
    pub fn half(self) -> Value {
        Value(self.0.over(2))
    }

    /// One of `parts` equal pieces, towards zero; itself for one or no part.
    pub fn split(self, parts: u32) -> Value {
        Value(self.0.over(parts.max(1)))
    }
}

impl Percent {
    /// One hundred.
    pub const HUNDRED: Percent = Percent(Mantissa::of(100 * UNIT));

    /// Half of it, towards zero.
    pub fn half(self) -> Percent {
        Percent(self.0.over(2))
    }

    /// `part` percent of it, towards zero: 20 percent of 10 percent are 2 percent.
    pub fn of(self, part: Percent) -> Percent {
        Percent(self.0.times(part.0, false).unwrap_or_default().over(100))
    }

    /// Whether `part` is more than this percentage of `whole`, exactly; also true when it cannot be computed.
    pub fn exceeded_by(self, part: Price, whole: Price) -> bool {
        whole.0.times(self.0, false).is_none_or(|limit| part.0 > limit.over(100))
    }
}

/// A part of a whole between 0 and 1, towards zero: what proportional distribution multiplies with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(U1F127);

impl Share {
    /// `part / whole`, towards zero; everything when `part` is at least `whole`.
    pub fn of(part: Value, whole: Value) -> Share {
        if part >= whole || whole <= Value::ZERO {
            return Share(U1F127::ONE);
        }
        let (mut rest, whole) = (part.0.get().max(0).unsigned_abs(), whole.0.get().unsigned_abs());
        let mut bits: u128 = 0;
        for _ in 0..127 {
            rest <<= 1;
            bits <<= 1;
            if rest >= whole {
                rest -= whole;
                bits |= 1;
            }
        }
        Share(U1F127::from_bits(bits))
    }
}

/// A weight or a drift as a fraction of the portfolio: for showing and sorting.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Weight(I64F64);

impl Weight {
    /// `part / whole`, towards zero; zero when there is nothing at all.
    pub fn of(part: Value, whole: Value) -> Weight {
        let (mut part, mut whole) = (part.0.get(), whole.0.get());
        // 62 bits of each are more than a fraction of 64 bits shown with six digits can tell apart.
        let half = |number: i128| (number + i128::from(number < 0)) >> 1;
        while whole >= 1 << 62 || part.abs() >= 1 << 62 {
            (part, whole) = (half(part), half(whole));
        }
        if whole <= 0 {
            return Weight::default();
        }
        let (bits, _) = div_rem(part.unsigned_abs() << 64, whole.unsigned_abs());
        Weight(I64F64::from_bits(if part < 0 { -bits.cast_signed() } else { bits.cast_signed() }))
    }

    /// The fraction that a percentage stands for, towards zero in the 64th bit.
    pub fn from_percent(percent: Percent) -> Weight {
        Weight::of(Value(percent.0), Value(Percent::HUNDRED.0))
    }

    /// Rounded to a percentage of `places` decimals (at most 6), halves away from zero.
    pub fn rounded(self, places: u32) -> String {
        // 2^64 steps of a fraction, times 10^8, fit i128; the mantissa is then percent at 6 decimals.
        let scaled = self.0.to_bits().saturating_mul(100_000_000);
        let half = if scaled < 0 { -(1_i128 << 63) } else { 1_i128 << 63 };
        Mantissa::of(scaled.saturating_add(half) / (1_i128 << 64) * 1_000_000_000_000).rounded(places.min(6))
    }
}

impl core::ops::Sub for Weight {
    type Output = Weight;
    fn sub(self, other: Weight) -> Weight {
        Weight(self.0 - other.0)
    }
}
