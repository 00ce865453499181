//! One number at 18 decimals, and all arithmetic on it.
//!
//! It lives in memory, and every operation is a call: in the registers of a 32-bit processor a 128-bit number is four words, and
//! each comparison in place a dozen instructions. The Pi Zero's file was 37 kB smaller for it.

use super::{LIMIT, UNIT};
use core::cmp::Ordering;
use core::fmt;

/// Decimals.
const PLACES: usize = 18;
/// One unit, without a sign.
const STEP: u128 = UNIT.unsigned_abs();

/// Quotient and rest; a divisor of zero leaves everything. The one place that divides, bit by bit: on a 32-bit processor the compiler
/// puts more than a thousand bytes of code wherever 128 bits are divided.
#[inline(never)]
pub(crate) fn div_rem(a: u128, b: u128) -> (u128, u128) {
    if b == 0 || b > a {
        return (0, a);
    }
    let bits = b.leading_zeros() - a.leading_zeros();
    let (mut quotient, mut rest, mut part) = (0, a, b << bits);
    for _ in 0..=bits {
        quotient <<= 1;
        if rest >= part {
            rest -= part;
            quotient |= 1;
        }
        part >>= 1;
    }
    (quotient, rest)
}

/// An `i128` that is passed by its address. Sums and differences end the process when they overflow, which amounts that were read
/// cannot reach: see [`LIMIT`].
#[derive(Clone, Copy)]
#[repr(align(8))]
pub(super) struct Mantissa([u8; 16]);

impl Mantissa {
    pub(super) const fn of(number: i128) -> Mantissa {
        Mantissa(number.to_ne_bytes())
    }

    pub(super) const fn get(self) -> i128 {
        i128::from_ne_bytes(self.0)
    }

    /// A magnitude with a sign; `None` above [`LIMIT`].
    fn signed(magnitude: u128, negative: bool) -> Option<Mantissa> {
        let value = i128::try_from(magnitude).ok().filter(|value| *value <= LIMIT * UNIT)?;
        Some(Mantissa::of(if negative { -value } else { value }))
    }

    /// The same sign with another magnitude, which is not above this one's.
    fn map_magnitude(self, map: impl FnOnce(u128) -> u128) -> Mantissa {
        let number = self.get();
        let magnitude = map(number.unsigned_abs()).cast_signed();
        Mantissa::of(if number < 0 { -magnitude } else { magnitude })
    }

    #[inline(never)]
    pub(super) fn plus(self, other: Mantissa) -> Mantissa {
        Mantissa::of(self.get() + other.get())
    }

    #[inline(never)]
    pub(super) fn minus(self, other: Mantissa) -> Mantissa {
        Mantissa::of(self.get() - other.get())
    }

    /// The larger of the difference and nothing.
    #[inline(never)]
    pub(super) fn minus_or_zero(self, other: Mantissa) -> Mantissa {
        Mantissa::of((self.get() - other.get()).max(0))
    }

    /// How far it is from zero.
    pub(super) fn distance(self) -> Mantissa {
        Mantissa::of(self.get().abs())
    }

    /// A part of it, towards zero.
    #[inline(never)]
    pub(super) fn over(self, parts: u32) -> Mantissa {
        self.map_magnitude(|magnitude| div_rem(magnitude, u128::from(parts)).0)
    }

    /// A part of it, away from zero.
    pub(super) fn over_up(self, parts: u32) -> Mantissa {
        self.map_magnitude(|magnitude| {
            let (part, rest) = div_rem(magnitude, u128::from(parts));
            part + u128::from(rest > 0)
        })
    }

    /// `self * other / UNIT`, towards zero or away from it. `None` when the result is above [`LIMIT`].
    #[inline(never)]
    pub(super) fn times(self, other: Mantissa, up: bool) -> Option<Mantissa> {
        let (a, b) = (self.get(), other.get());
        let negative = (a < 0) != (b < 0);
        let (a, b) = (a.unsigned_abs(), b.unsigned_abs());
        // (a1 U + a0)(b1 U + b0) / U = a1 b + a0 b1 + a0 b0 / U, and a0 b0 < U * U fits.
        let ((a1, a0), (b1, b0)) = (div_rem(a, STEP), div_rem(b, STEP));
        let (low, rest) = div_rem(a0 * b0, STEP);
        let whole = a1.checked_mul(b)?.checked_add(a0.checked_mul(b1)?)?;
        let result = whole.checked_add(low)?.checked_add(u128::from(up && rest > 0))?;
        Mantissa::signed(result, negative)
    }

    /// `self * UNIT / other`, towards zero. `None` when `other` is zero or the result is above [`LIMIT`].
    #[inline(never)]
    pub(super) fn divided_by(self, other: Mantissa) -> Option<Mantissa> {
        let (a, b) = (self.get(), other.get());
        let negative = (a < 0) != (b < 0);
        let (a, b) = (a.unsigned_abs(), b.unsigned_abs());
        if b == 0 {
            return None;
        }
        // Long division, decimal by decimal: each digit is found by subtracting, at most nine times.
        let (mut result, mut rest) = div_rem(a, b);
        for _ in 0..PLACES {
            (result, rest) = (result.checked_mul(10)?, rest.checked_mul(10)?);
            while rest >= b {
                (result, rest) = (result + 1, rest - b);
            }
        }
        Mantissa::signed(result, negative)
    }

    /// The largest multiple of `tick` that is not above it (towards zero); itself when `tick` is not positive.
    #[inline(never)]
    pub(super) fn floor_to_tick(self, tick: Mantissa) -> Mantissa {
        match u128::try_from(tick.get()) {
            Ok(tick) if tick > 0 => self.map_magnitude(|magnitude| magnitude - div_rem(magnitude, tick).1),
            _ => self,
        }
    }

    /// The smallest multiple of `tick` that is not below it (away from zero).
    #[inline(never)]
    pub(super) fn ceil_to_tick(self, tick: Mantissa) -> Mantissa {
        let floor = self.floor_to_tick(tick);
        match (floor == self, self.get() < 0) {
            (true, _) => self,
            (false, false) => floor.plus(tick),
            (false, true) => floor.minus(tick),
        }
    }

    /// How many whole ticks it has; none when the tick or the amount is not positive.
    #[inline(never)]
    pub(super) fn ticks(self, tick: Mantissa) -> u128 {
        match (u128::try_from(self.get()), u128::try_from(tick.get())) {
            (Ok(amount), Ok(tick)) => div_rem(amount, tick).0,
            _ => 0,
        }
    }

    /// So many ticks; `None` above [`LIMIT`].
    pub(super) fn of_ticks(count: u128, tick: Mantissa) -> Option<Mantissa> {
        Mantissa::signed(tick.get().unsigned_abs().checked_mul(count)?, false)
    }

    /// Reads digits with at most 18 decimals and a minus sign, nothing else.
    #[inline(never)]
    pub(super) fn parse(text: &str) -> Option<Mantissa> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
        if whole.is_empty() || part.is_empty() || part.len() > PLACES {
            return None;
        }
        let padding = core::iter::repeat_n(b'0', PLACES - part.len());
        let mut mantissa: u128 = 0;
        for digit in whole.bytes().chain(part.bytes()).chain(padding) {
            let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
            mantissa = mantissa.checked_mul(10)?.checked_add(u128::from(digit))?;
        }
        Mantissa::signed(mantissa, negative)
    }

    /// Rounds to `places` decimals, halves away from zero, and prints exactly that many.
    #[inline(never)]
    pub(super) fn rounded(self, places: u32) -> String {
        let places = places.min(18);
        let step = 10_u128.pow(18 - places);
        let (rounded, _) = div_rem(self.get().unsigned_abs() + (step >> 1), step);
        let (whole, part) = div_rem(rounded, 10_u128.pow(places));
        let sign = if self.get() < 0 && rounded != 0 { "-" } else { "" };
        let width = usize::try_from(places).unwrap_or(PLACES);
        match places {
            0 => format!("{sign}{rounded}"),
            _ => format!("{sign}{}.{:0width$}", whole, part),
        }
    }
}

impl Default for Mantissa {
    fn default() -> Self {
        Mantissa::of(0)
    }
}

impl PartialEq for Mantissa {
    #[inline(never)]
    fn eq(&self, other: &Mantissa) -> bool {
        self.get() == other.get()
    }
}

impl Eq for Mantissa {}

impl PartialOrd for Mantissa {
    fn partial_cmp(&self, other: &Mantissa) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Mantissa {
    #[inline(never)]
    fn cmp(&self, other: &Mantissa) -> Ordering {
        self.get().cmp(&other.get())
    }
}

/// Plain decimal text without zeros at its end.
impl fmt::Display for Mantissa {
    #[inline(never)]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = div_rem(self.get().unsigned_abs(), STEP);
        let sign = if self.get() < 0 { "-" } else { "" };
        if part == 0 {
            return write!(f, "{sign}{whole}");
        }
        let digits = format!("{part:018}");
        write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
    }
}
