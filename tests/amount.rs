//! Amounts against an independent computation on decimal digits: what is read is what is printed, and every operation
//! rounds in the direction that its name and its documentation say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use core::cmp::Ordering;
use core::fmt::Display;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rebalancer::amount::{Percent, Price, Quantity, Share, Value, Weight};

const UNIT: u128 = 10_u128.pow(18);
const LIMIT: u128 = 10_u128.pow(35);

fn config() -> ProptestConfig {
    ProptestConfig { cases: 1500, failure_persistence: None, rng_seed: RngSeed::Fixed(18), ..ProptestConfig::default() }
}

/// A natural number of any size as decimal digits, lowest first, without zeros at the end: schoolbook arithmetic.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Natural(Vec<u8>);

impl Natural {
    fn of(mut number: u128) -> Natural {
        let mut digits = Vec::new();
        while number > 0 {
            digits.push(u8::try_from(number % 10).unwrap());
            number /= 10;
        }
        Natural(digits)
    }

    /// The mantissa of a printed amount, its sign left out.
    fn read(shown: &str) -> Natural {
        let (whole, part) =
            shown.trim_start_matches('-').split_once('.').unwrap_or((shown.trim_start_matches('-'), ""));
        let digits = format!("{whole}{part:0<18}");
        Natural(digits.bytes().rev().map(|digit| digit - b'0').collect()).trim()
    }

    fn number(&self) -> u128 {
        self.0.iter().rev().fold(0, |sum, digit| sum * 10 + u128::from(*digit))
    }

    fn trim(mut self) -> Natural {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        self
    }

    fn times(&self, other: &Natural) -> Natural {
        let mut sums = vec![0_u32; self.0.len() + other.0.len() + 1];
        for (i, a) in self.0.iter().enumerate() {
            for (j, b) in other.0.iter().enumerate() {
                sums[i + j] += u32::from(*a) * u32::from(*b);
            }
        }
        Natural(carried(sums)).trim()
    }

    fn plus(&self, other: &Natural) -> Natural {
        let digit = |number: &Natural, at: usize| u32::from(number.0.get(at).copied().unwrap_or(0));
        let sums = (0..=self.0.len().max(other.0.len())).map(|at| digit(self, at) + digit(other, at)).collect();
        Natural(carried(sums)).trim()
    }

    fn minus(&self, other: &Natural) -> Natural {
        let mut digits = self.0.clone();
        let mut borrow = 0;
        for (at, digit) in digits.iter_mut().enumerate() {
            let take = other.0.get(at).copied().unwrap_or(0) + borrow;
            borrow = u8::from(*digit < take);
            *digit = *digit + 10 * borrow - take;
        }
        Natural(digits).trim()
    }

    /// Quotient rounded down, and rounded up.
    fn over(&self, divisor: &Natural) -> (Natural, Natural) {
        let mut rest = Natural(Vec::new());
        let mut quotient = vec![0_u8; self.0.len()];
        for at in (0..self.0.len()).rev() {
            rest.0.insert(0, self.0[at]);
            rest = rest.trim();
            while rest >= *divisor {
                rest = rest.minus(divisor);
                quotient[at] += 1;
            }
        }
        let down = Natural(quotient).trim();
        let up = if rest.0.is_empty() { down.clone() } else { down.plus(&Natural::of(1)) };
        (down, up)
    }
}

fn carried(sums: Vec<u32>) -> Vec<u8> {
    let mut carry = 0;
    let mut digits = Vec::new();
    for sum in sums {
        digits.push(u8::try_from((sum + carry) % 10).unwrap());
        carry = (sum + carry) / 10;
    }
    assert_eq!(carry, 0);
    digits
}

impl Ord for Natural {
    fn cmp(&self, other: &Natural) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}
impl PartialOrd for Natural {
    fn partial_cmp(&self, other: &Natural) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Text of a mantissa with all its 18 decimals.
fn text(mantissa: u128) -> String {
    format!("{}.{:018}", mantissa / UNIT, mantissa % UNIT)
}
fn price(mantissa: u128) -> Price {
    Price::parse(&text(mantissa)).unwrap()
}
fn quantity(mantissa: u128) -> Quantity {
    Quantity::parse(&text(mantissa)).unwrap()
}
fn value(mantissa: u128) -> Value {
    Value::parse(&text(mantissa)).unwrap()
}
fn percent(mantissa: u128) -> Percent {
    Percent::parse(&text(mantissa)).unwrap()
}
fn negative<T>(parse: fn(&str) -> Option<T>, mantissa: u128) -> T {
    parse(&format!("-{}", text(mantissa))).unwrap()
}

/// What an operation must give: the number, or nothing when it is above the limit.
fn expect<T: Display>(result: Option<T>, number: &Natural) -> Result<(), TestCaseError> {
    let limit = Natural::of(LIMIT);
    prop_assert_eq!(
        result.map(|amount| Natural::read(&amount.to_string())),
        Some(number).filter(|n| **n <= limit).cloned()
    );
    Ok(())
}

/// Mantissas of every magnitude: full of digits, with few of them, and on or beside a power of ten.
fn mantissa() -> impl Strategy<Value = u128> {
    let digits = (any::<u128>(), 0_u32..=35).prop_map(|(number, digits)| number % 10_u128.pow(digits));
    let round = (0_u128..1000, 0_u32..=32).prop_map(|(number, zeros)| number * 10_u128.pow(zeros));
    let beside =
        (0_u32..=35, 0_u128..3).prop_map(|(zeros, off)| (10_u128.pow(zeros) + off).saturating_sub(1).min(LIMIT));
    prop_oneof![4 => digits, 2 => round, 1 => beside]
}

/// Percentages from 0 to 100 with up to 16 decimals, so that their hundredth part is still exact.
fn percentage() -> impl Strategy<Value = u128> {
    (0_u128..=100 * UNIT, 2_u32..=18).prop_map(|(number, zeros)| number - number % 10_u128.pow(zeros))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_read_is_what_is_printed(minus: bool, mantissa in mantissa(), zeros in 0_usize..3) {
        let full = text(mantissa);
        let short = full.trim_end_matches('0').trim_end_matches('.');
        let sign = if minus && mantissa > 0 { "-" } else { "" };
        let canonical = format!("{sign}{short}");
        prop_assert_eq!(Value::parse(&canonical).unwrap().to_string(), canonical.clone());
        prop_assert_eq!(Quantity::parse(&canonical).unwrap().to_string(), canonical.clone());
        prop_assert_eq!(Price::parse(&canonical).unwrap().to_string(), canonical.clone());
        prop_assert_eq!(Percent::parse(&canonical).unwrap().to_string(), canonical.clone());
        let padded = format!("{sign}{}{full}", "0".repeat(zeros));
        prop_assert_eq!(Value::parse(&padded).unwrap().to_string(), canonical);
    }

    #[test]
    fn only_plain_decimals_within_the_limit_are_read(
        text in "-?[0-9]{0,20}(\\.[0-9]{0,20})?|[-+0-9.eE_ ,x٣]{0,8}|\\PC{0,6}",
    ) {
        let digits = text.strip_prefix('-').unwrap_or(&text);
        let parts: Vec<&str> = digits.split('.').collect();
        let plain = parts.len() <= 2
            && parts.iter().all(|part| !part.is_empty() && part.chars().all(|digit| "0123456789".contains(digit)))
            && parts.get(1).is_none_or(|part| part.len() <= 18);
        let wanted = plain && Natural::read(digits) <= Natural::of(LIMIT);
        prop_assert_eq!(Value::parse(&text).is_some(), wanted);
        prop_assert_eq!(Quantity::parse(&text).is_some(), wanted);
    }

    #[test]
    fn flooring_to_a_tick_is_exact_on_the_decimal_grid(ticks in 0_u128..1_000_000, tick in mantissa(), over: u128) {
        let tick = (tick % 10_u128.pow(28)).max(1);
        let (floor, over) = (ticks * tick, over % tick);
        let amount = value(floor + over);
        prop_assert_eq!(amount.floor_to_tick(value(tick)), value(floor));
        prop_assert_eq!(amount.ceil_to_tick(value(tick)), value(if over == 0 { floor } else { floor + tick }));
        let below = negative(Value::parse, floor + over);
        prop_assert_eq!(below.floor_to_tick(value(tick)), Value::ZERO - value(floor));
        prop_assert_eq!(below.ceil_to_tick(value(tick)), Value::ZERO - amount.ceil_to_tick(value(tick)));
        prop_assert_eq!(amount.floor_to_tick(Value::ZERO), amount);
        prop_assert_eq!(amount.floor_to_tick(negative(Value::parse, tick)), amount);
    }

    #[test]
    fn a_value_is_rounded_towards_zero_or_away_from_it(a in mantissa(), b in mantissa()) {
        let (down, up) = Natural::of(a).times(&Natural::of(b)).over(&Natural::of(UNIT));
        expect(price(a).value_of(quantity(b)), &down)?;
        expect(price(a).value_of_up(quantity(b)), &up)?;
        expect(price(a).value_of(negative(Quantity::parse, b)), &down)?;
        expect(price(a).value_of_up(negative(Quantity::parse, b)), &up)?;
        let minus = price(a).value_of(negative(Quantity::parse, b));
        prop_assert!(minus.is_none_or(|minus| minus <= Value::ZERO));
    }

    #[test]
    fn what_a_value_buys_is_rounded_towards_zero(a in mantissa(), b in mantissa()) {
        if b == 0 {
            prop_assert!(price(b).quantity_for(value(a)).is_none());
            return Ok(());
        }
        let (down, _) = Natural::of(a).times(&Natural::of(UNIT)).over(&Natural::of(b));
        expect(price(b).quantity_for(value(a)), &down)?;
        expect(price(b).quantity_for(negative(Value::parse, a)), &down)?;
    }

    #[test]
    fn a_percentage_is_rounded_as_it_says_and_decides_a_band_exactly(
        a in mantissa(), p in 0..=100 * UNIT, v in mantissa(), near in 0_u128..3,
    ) {
        let hundred = Natural::of(100 * UNIT);
        let product = Natural::of(a).times(&Natural::of(p));
        let (down, up) = product.over(&hundred);
        // The product itself, a hundredfold of the result, must stay below the limit.
        let fits = product.over(&Natural::of(UNIT)).1 <= Natural::of(LIMIT);
        prop_assume!(fits);
        expect(value(a).percent(percent(p)), &down)?;
        expect(value(a).percent_up(percent(p)), &up)?;
        expect(quantity(a).percent(percent(p)), &down)?;
        expect(negative(Value::parse, a).percent(percent(p)), &down)?;
        expect(negative(Value::parse, a).percent_up(percent(p)), &up)?;
        for v in [v, (down.number() + near).saturating_sub(1)] {
            let scaled = Natural::of(v).times(&hundred);
            prop_assert_eq!(value(v) > value(a).percent(percent(p)).unwrap(), scaled > product);
            prop_assert_eq!(value(v) < value(a).percent_up(percent(p)).unwrap(), scaled < product);
        }
    }

    #[test]
    fn a_share_is_the_exact_ratio_rounded_down(amount in mantissa(), part in mantissa(), whole in mantissa()) {
        let (part, whole) = (part.min(whole), whole.max(part).max(1));
        let (exact, _) = Natural::of(amount).times(&Natural::of(part)).over(&Natural::of(whole));
        let got = Natural::read(&value(amount).share(Share::of(value(part), value(whole))).to_string());
        prop_assert!(got <= exact, "{:?} above {:?}", got, exact);
        prop_assert!(got.plus(&Natural::of(1)) >= exact, "{:?} far below {:?}", got, exact);
        let below = negative(Value::parse, amount).share(Share::of(value(part), value(whole)));
        prop_assert_eq!(Natural::read(&below.to_string()), got.clone());
        prop_assert!(below <= Value::ZERO);
        // To the last of its 127 bits.
        let power = Natural::of(1 << 127);
        let bits = Natural::of(part).times(&power).over(&Natural::of(whole)).0;
        prop_assert_eq!(got, Natural::of(amount).times(&bits).over(&power).0);
    }

    #[test]
    fn shares_never_give_out_more_than_there_is(
        amount in mantissa(), parts in prop::collection::vec(mantissa(), 1..12),
    ) {
        let parts: Vec<u128> = parts.iter().map(|part| part / 16).collect();
        let whole = parts.iter().sum::<u128>();
        prop_assume!(whole > 0);
        let given: Value = parts.iter().map(|part| value(amount).share(Share::of(value(*part), value(whole)))).sum();
        prop_assert!(given <= value(amount));
        prop_assert!(value(amount) - given <= value(2 * 12));
        prop_assert_eq!(value(amount).share(Share::of(value(whole), value(whole))), value(amount));
        prop_assert_eq!(value(amount).share(Share::of(value(whole), Value::ZERO)), value(amount));
        prop_assert_eq!(value(amount).share(Share::of(Value::ZERO, value(whole))), Value::ZERO);
    }

    #[test]
    fn a_table_shows_halves_rounded_away_from_zero(a in mantissa(), places in 0_u32..=18, half: bool) {
        let step = 10_u128.pow(18 - places);
        // Half of the cases lie half way exactly.
        let a = if half && step > 1 { (a - a % step).min(LIMIT - step) + step / 2 } else { a };
        let rounded = (a / step) + u128::from(a % step >= step.div_ceil(2) && step > 1);
        let (whole, part) = (rounded / 10_u128.pow(places), rounded % 10_u128.pow(places));
        let width = usize::try_from(places).unwrap();
        let shown = if places == 0 { format!("{whole}") } else { format!("{whole}.{part:0>width$}") };
        prop_assert_eq!(value(a).rounded(places), shown.clone());
        let minus = if rounded == 0 { shown } else { format!("-{shown}") };
        prop_assert_eq!(negative(Value::parse, a).rounded(places), minus);
    }

    #[test]
    fn a_weight_shows_the_ratio_and_keeps_the_order(a in mantissa(), b in mantissa(), whole in mantissa()) {
        let whole = whole.max(a).max(b).max(1);
        for part in [a, b] {
            let exact = Natural::of(part).times(&Natural::of(100 * UNIT)).over(&Natural::of(whole)).0;
            let shown = Natural::read(&Weight::of(value(part), value(whole)).rounded(6));
            let (low, high) = if shown < exact { (shown, exact) } else { (exact, shown) };
            prop_assert!(high.minus(&low) <= Natural::of(UNIT / 1_000_000), "{:?} and {:?}", low, high);
        }
        let (weight_a, weight_b) = (Weight::of(value(a), value(whole)), Weight::of(value(b), value(whole)));
        prop_assert!((a <= b) == (weight_a <= weight_b) || weight_a == weight_b);
        let (drift, back) = ((weight_a - weight_b).rounded(6), (weight_b - weight_a).rounded(6));
        prop_assert_eq!(drift.trim_start_matches('-'), back.trim_start_matches('-'));
        prop_assert_eq!((weight_a - weight_a).rounded(2), "0.00");
    }

    #[test]
    fn a_target_is_shown_as_it_was_written(parts in 0_u128..=100_000_000) {
        let written = percent(parts * 10_u128.pow(12));
        prop_assert_eq!(Weight::from_percent(written).rounded(6), written.rounded(6));
        prop_assert_eq!(Weight::of(value(parts), value(100_000_000)).rounded(6), written.rounded(6));
    }

    #[test]
    fn costs_are_covered_and_hardly_more(a in mantissa(), fee in percentage()) {
        let fee_percent = percent(fee / 2 - fee / 2 % 100);
        let a = a / 1000;
        let spent = |buy: Value| buy + buy.percent_up(fee_percent).unwrap();
        let buy = value(a).without_cost(fee_percent).unwrap();
        prop_assert!(spent(buy) <= value(a));
        prop_assert!(spent(buy + value(1)) > value(a));
        let left = |sell: Value| sell - sell.percent_up(fee_percent).unwrap();
        let sell = value(a).with_cost(fee_percent).unwrap();
        prop_assert!(left(sell) >= value(a));
        prop_assert!(a == 0 || left(sell - value(3)) < value(a));
    }

    #[test]
    fn pieces_are_equal_and_ticks_are_counted(a in mantissa(), size in mantissa(), parts in 1_u32..1000) {
        prop_assert_eq!(value(a).split(parts), value(a / u128::from(parts)));
        let ticks = a.checked_div(size).unwrap_or(0);
        prop_assert_eq!(value(a).ticks(value(size)), ticks);
        prop_assert_eq!(Value::of_ticks(ticks, value(size)), Some(value(ticks * size)));
        prop_assert_eq!(value(a).half(), value(a / 2));
    }

    #[test]
    fn a_spread_is_compared_exactly(part in mantissa(), whole in mantissa(), limit in 0..=100 * UNIT) {
        let (part, whole) = (part / 1000, whole / 1000);
        let (a, b) = (Natural::of(part).times(&Natural::of(100 * UNIT)), Natural::of(whole).times(&Natural::of(limit)));
        prop_assert_eq!(percent(limit).exceeded_by(price(part), price(whole)), a > b);
        prop_assert_eq!(Price::middle(price(part), price(whole)), price((part + whole) / 2));
        let square = Natural::of(limit).times(&Natural::of(limit)).over(&Natural::of(100 * UNIT)).0;
        prop_assert_eq!(percent(limit).of(percent(limit)), percent(square.number()));
    }
}

#[test]
fn malformed_amounts_are_refused() {
    let texts = "|.|-|-.|1.|.5|-.5|+1|1e5|1E5|0x1|1_000|1,5|1 | 1|--1|1-|1.2.3|NaN|inf|٣|１|1.\u{0663}|1\n\
                 |1.0000000000000000000|0.0000000000000000001|100000000000000000.000000000000000001\
                 |-100000000000000000.000000000000000001\
                 |100000000000000001|340282366920938463463374607431768211456\
                 |99999999999999999999999999999999999999999999999999";
    for text in texts.split('|') {
        assert!(Value::parse(text).is_none(), "{text:?} was read");
        assert!(Quantity::parse(text).is_none() && Price::parse(text).is_none() && Percent::parse(text).is_none());
    }
}

#[test]
fn amounts_that_break_binary_fractions_stay_on_their_tick() {
    let cases = [
        ("0.3", "0.1", "0.3"),
        ("0.00007", "0.00001", "0.00007"),
        ("0.29", "0.01", "0.29"),
        ("1.1", "0.1", "1.1"),
        ("4.35", "0.01", "4.35"),
        ("0.000000000000000003", "0.000000000000000001", "0.000000000000000003"),
        ("123456789.99", "10000", "123450000"),
        ("9999", "10000", "0"),
        ("-0.35", "0.1", "-0.3"),
        ("7", "0", "7"),
    ];
    for (amount, tick, floor) in cases {
        let floored = Quantity::parse(amount).unwrap().floor_to_tick(Quantity::parse(tick).unwrap());
        assert_eq!(floored.to_string(), floor, "{amount} at a tick of {tick}");
    }
}

#[test]
fn the_limit_itself_is_an_amount_and_a_thousand_of_them_can_be_summed() {
    let most = Value::parse("100000000000000000").unwrap();
    assert_eq!(core::iter::repeat_n(most, 1000).sum::<Value>() - most, core::iter::repeat_n(most, 999).sum::<Value>());
    assert_eq!(Price::ONE.value_of(most.as_quantity()), Some(most));
    assert_eq!(Price::parse("1.000000000000000001").unwrap().value_of(most.as_quantity()), None);
    assert_eq!(Value::ZERO - most, Value::parse("-100000000000000000").unwrap());
    assert_eq!(Value::parse("-0").unwrap().to_string(), "0");
}

#[test]
fn the_weight_of_nothing_is_zero() {
    assert_eq!(Weight::of(Value::ZERO, Value::ZERO).rounded(2), "0.00");
    assert_eq!(Weight::of(Value::ONE, Value::ONE).rounded(2), "100.00");
    assert_eq!(Weight::of(Value::ONE, Value::parse("3").unwrap()).rounded(4), "33.3333");
    assert_eq!((Weight::default() - Weight::of(Value::ONE, Value::parse("8").unwrap())).rounded(1), "-12.5");
    assert_eq!((Weight::default() - Weight::of(Value::ONE, Value::parse("8").unwrap())).rounded(0), "-13");
}
