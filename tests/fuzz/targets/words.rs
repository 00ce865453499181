//! Small texts: schedules, offsets, amounts, dates, addresses. Each is refused or says what was written.
#![no_main]

#[path = "../../untrusted/mod.rs"]
mod untrusted;

use libfuzzer_sys::fuzz_target;
use rebalancer::amount::{Percent, Price, Quantity, Value};
use rebalancer::clock::{http_date, stamp};
use rebalancer::exchange::Millis;
use rebalancer::http::base_url;
use rebalancer::schedule::{Schedule, When, parse_offset};
use untrusted::{NOW, oracle};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    amounts(text);
    times(text);
    if let Some(date) = http_date(text) {
        shown_again(text.trim(), date);
    }
    if let Ok(url) = base_url(text) {
        assert!(text.starts_with(&url) && (url.starts_with("https://") || url.starts_with("http://")));
        assert!(url.bytes().all(|byte| byte.is_ascii_graphic()) && !url.contains(['@', '?', '#']));
        let rest = url.strip_prefix("http://").unwrap_or("localhost");
        assert!(rest.starts_with("localhost") || rest.starts_with("127."), "{url}");
    }
});

fn amounts(text: &str) {
    let plain = oracle::plain(text);
    assert_eq!(Quantity::parse(text).map(|amount| amount.to_string()), plain);
    assert_eq!(Value::parse(text).map(|amount| amount.to_string()), plain);
    assert_eq!(Percent::parse(text).map(|amount| amount.to_string()), plain);
    assert_eq!(Price::parse(text).map(|amount| amount.to_string()), plain);
    // Two amounts in one text: arithmetic on anything that can be read does not overflow.
    let Some((first, second)) = text.split_once(' ') else { return };
    let (Some(price), Some(quantity)) = (Price::parse(first), Quantity::parse(second)) else { return };
    let (low, high) = (price.value_of(quantity), price.value_of_up(quantity));
    if let (Some(low), Some(high)) = (low, high) {
        assert!((high - low).distance().to_string().len() <= "0.000000000000000001".len());
        assert!(price.quantity_for(low).is_none_or(|back| back.distance() <= quantity.distance()));
    }
    let tick = quantity;
    let amount = Quantity::parse(first).unwrap();
    let (floor, ceiling) = (amount.floor_to_tick(tick), amount.ceil_to_tick(tick));
    assert!(floor.distance() <= amount.distance() && ceiling.distance() >= amount.distance());
    assert!(tick <= Quantity::ZERO || (amount - floor).distance() < tick && (ceiling - amount).distance() < tick);
}

fn times(text: &str) {
    let offset = parse_offset(text);
    if let Ok(seconds) = offset {
        let sign = if text.starts_with('-') { '-' } else { '+' };
        assert_eq!(text, format!("{sign}{:02}:{:02}", seconds.abs() / 3600, seconds.abs() / 60 % 60));
    }
    let Ok(when) = When::parse(text) else { return };
    for offset_s in [0, 19_800, -50_400] {
        let schedule = Schedule { when, offset_s };
        for now in [0, NOW, 253_402_300_799_999] {
            let due = schedule.after(now);
            assert!(due > now && due - now <= 367 * 86_400_000, "{text}: {now} -> {due}");
            assert!(schedule.due(Some(now), now, now) > now);
            assert!(schedule.due(Some(Millis::MAX), now, now) >= now, "a last run at the end of time");
        }
    }
}

fn shown_again(text: &str, date: Millis) {
    let shown = stamp(date, 0);
    // A leap second is the next minute's first.
    if &text[23..25] == "60" {
        return assert!(shown.ends_with(":00"));
    }
    assert_eq!(shown[11..], text[17..25]);
    assert_eq!((&shown[..4], &shown[8..10]), (&text[12..16], &text[5..7]));
}
