//! Exact decimals for the loopback exchange: an `i128` counting units of 10⁻¹⁸.
//!
//! Written apart from the program's own arithmetic on purpose: it is the second opinion. Division
//! and multiplication say which way they round; everything else is exact, and overflow panics.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

/// Decimal places kept.
const PLACES: usize = 18;
const ONE: i128 = 10_i128.pow(PLACES as u32);

/// An exact decimal with 18 places.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dec(i128);

impl Dec {
    pub const ZERO: Dec = Dec(0);
    pub const ONE: Dec = Dec(ONE);

    /// Reads `[-]digits[.digits]`, at most 18 places; no exponent, no bare point.
    pub fn parse(text: &str) -> Option<Dec> {
        let (negative, plain) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, part) = plain.split_once('.').unwrap_or((plain, "0"));
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > PLACES {
            return None;
        }
        let whole: i128 = whole.parse().ok()?;
        let part: i128 = format!("{part:0<PLACES$}").parse().ok()?;
        let units = whole.checked_mul(ONE)?.checked_add(part)?;
        Some(Dec(if negative { -units } else { units }))
    }

    /// So many of it.
    pub fn times(self, count: u64) -> Dec {
        Dec(self.0 * i128::from(count))
    }

    /// The product, rounded down at the 18th place. Only the last term can lose anything, and no
    /// term is larger than the result, so large amounts of small coins do not overflow.
    pub fn mul_floor(self, other: Dec) -> Dec {
        let (a, x) = (self.0.div_euclid(ONE), self.0.rem_euclid(ONE));
        let (b, y) = (other.0.div_euclid(ONE), other.0.rem_euclid(ONE));
        Dec(a * b * ONE + a * y + x * b + x * y / ONE)
    }

    /// The quotient, rounded down at the 18th place, by long division by a positive divisor.
    pub fn div_floor(self, other: Dec) -> Dec {
        assert!(other.0 > 0, "division of {self} by {other}");
        let (mut quotient, mut rest) = (self.0.div_euclid(other.0), self.0.rem_euclid(other.0));
        for _ in 0..PLACES {
            rest *= 10;
            quotient = quotient * 10 + rest / other.0;
            rest %= other.0;
        }
        Dec(quotient)
    }

    /// The largest multiple of `tick` that is not above `self`.
    pub fn floor_to(self, tick: Dec) -> Dec {
        Dec(self.0 - self.0.rem_euclid(tick.0))
    }

    /// Rounded down to so many decimal places.
    pub fn floor_places(self, places: usize) -> Dec {
        self.floor_to(Dec(10_i128.pow((PLACES - places) as u32)))
    }

    /// Rounded up to so many decimal places.
    pub fn ceil_places(self, places: usize) -> Dec {
        -(-self).floor_places(places)
    }

    /// Half of it, rounded down at the 18th place.
    pub fn half(self) -> Dec {
        Dec(self.0.div_euclid(2))
    }

    /// How many decimal places it needs.
    pub fn places(self) -> usize {
        (0..PLACES).find(|&places| self.floor_places(places) == self).unwrap_or(PLACES)
    }

    /// Printed with exactly so many places, rounded down: `1.00000`.
    pub fn fixed(self, places: usize) -> String {
        let units = self.floor_places(places).0;
        let sign = if units < 0 { "-" } else { "" };
        let whole = units.unsigned_abs() / ONE.unsigned_abs();
        let part = format!("{:018}", units.unsigned_abs() % ONE.unsigned_abs());
        let point = if places == 0 { "" } else { "." };
        format!("{sign}{whole}{point}{}", &part[..places])
    }
}

/// A decimal written in a test; panics on anything that is not one.
pub fn dec(text: &str) -> Dec {
    Dec::parse(text).unwrap_or_else(|| panic!("not a decimal: {text:?}"))
}

impl fmt::Display for Dec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fixed(self.places()))
    }
}

impl fmt::Debug for Dec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Add for Dec {
    type Output = Dec;
    fn add(self, other: Dec) -> Dec {
        Dec(self.0 + other.0)
    }
}

impl Sub for Dec {
    type Output = Dec;
    fn sub(self, other: Dec) -> Dec {
        Dec(self.0 - other.0)
    }
}

impl Neg for Dec {
    type Output = Dec;
    fn neg(self) -> Dec {
        Dec(-self.0)
    }
}

impl AddAssign for Dec {
    fn add_assign(&mut self, other: Dec) {
        *self = *self + other;
    }
}

impl SubAssign for Dec {
    fn sub_assign(&mut self, other: Dec) {
        *self = *self - other;
    }
}

impl Sum for Dec {
    fn sum<I: Iterator<Item = Dec>>(items: I) -> Dec {
        items.fold(Dec::ZERO, Add::add)
    }
}
