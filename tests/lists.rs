//! Everything that reads a list of coins, beside a second reading: CoinGecko's answers, every form of a list of one's own, what is
//! remembered of it, and the numbers in them.
//!
//! What must hold: it ends, it does not panic, it is refused or what serde_json reads in the same bytes. The same holds under
//! coverage-guided fuzzing: tests/fuzz/run.sh, targets `list` and `universe`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::use_debug)]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_possible_wrap)]
#![allow(clippy::float_arithmetic, missing_docs)]

#[path = "untrusted/mod.rs"]
mod untrusted;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rebalancer::json::{Row, quote_numbers, validate};
use rebalancer::universe::source::{own, shown_size, size};
use serde_json::Value as Json;
use untrusted::changes::changes;
use untrusted::lists::{coingecko, list, record, steps};
use untrusted::shapes::{GECKO, LISTS};
use untrusted::{NOW, seeds};

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, rng_seed: RngSeed::Fixed(7), ..ProptestConfig::default() }
}

#[test]
fn no_prefix_of_an_answer_of_coingeckos_is_a_list_and_no_change_is_another_one() {
    assert!(coingecko(GECKO.as_bytes()));
    for length in 0..GECKO.len() {
        assert!(!coingecko(&GECKO.as_bytes()[..length]), "cut after {length} bytes");
    }
    let mut accepted = 0;
    changes(GECKO.as_bytes(), true, &mut |bytes, _| accepted += usize::from(coingecko(bytes)));
    assert!(accepted > 100, "{accepted}");
}

#[test]
fn no_prefix_of_a_list_is_another_one_and_every_change_is_refused_or_read_as_it_stands() {
    for whole in LISTS {
        assert!(list(whole), "{whole}");
        for length in (0..whole.trim_end().len()).filter(|length| whole.is_char_boundary(*length)) {
            // Of lines every whole one counts: nothing says how many there should be.
            let said = list(&whole[..length]);
            assert!(
                !said || !whole.trim_start().starts_with(['[', '{', '\u{feff}']) && whole[..length].ends_with('\n')
            );
        }
        let (mut accepted, mut refused) = (0, 0);
        changes(whole.as_bytes(), true, &mut |bytes, _| match std::str::from_utf8(bytes).is_ok_and(list) {
            true => accepted += 1,
            false => refused += 1,
        });
        assert!(accepted > 0 && refused > 0, "{whole}: {accepted} accepted, {refused} refused");
    }
}

#[test]
fn no_change_of_what_is_remembered_is_read_as_something_else() {
    let whole = seeds::universe();
    let read = record(&whole).unwrap();
    assert_eq!((read.members.len(), read.departed.len(), read.again), (2, 1, true));
    let outside: Vec<Option<i64>> = read.members.iter().map(|member| member.seat.outside).collect();
    assert_eq!((outside, read.read_at, read.not_before), (vec![None, Some(NOW - 3)], Some(NOW), Some(NOW + 2)));
    for length in 0..whole.len() {
        assert!(record(&whole[..length]).is_none(), "cut after {length} bytes");
    }
    changes(&whole, true, &mut |bytes, what| {
        // A line may end as on another system.
        assert!(record(bytes).is_none_or(|again| again == read), "{what}: something else is remembered");
    });
}

#[test]
fn what_only_looks_like_a_coin_or_like_a_list_is_refused() {
    for text in [
        // An answer of another kind.
        r#"{"status": {"error_code": 0}, "data": [{"symbol": "BTC"}]}"#,
        r#"{"status": null, "data": []}"#,
        r#"{"data": ["BTC", "ETH"]}"#,
        r#"{"BTC": true, "ETH": true}"#,
        // A weight in the place of a name.
        r#"["BTC", 50, "ETH", 30]"#,
        r#"["BTC", 1e5]"#,
        "BTC\n50\nETH\n30\n",
        "{5: 50}",
        // No JSON, whatever the numbers are made of.
        r#"{"BTC": 05, "ETH": 5}"#,
        r#"{"BTC": 5., "ETH": 5}"#,
        r#"{"BTC": 1-2, "ETH": 5}"#,
        r#"[{"coin": "BTC", "note": 1.2.3}]"#,
        // Letters whose capitals are plain ones.
        "\u{17f}OL\n",
        "[\"\u{131}NJ\"]",
        // Twice.
        "BTC 1\nbtc 2\n",
        r#"{"BTC": 1, "btc": 2}"#,
    ] {
        assert!(!list(text), "{text}");
    }
    let row = |id: &str, symbol: &str, more: &str| {
        let time = r#""last_updated":"2026-08-16T21:40:00.000Z""#;
        format!(r#"{{"id":"{id}","symbol":"{symbol}","market_cap":5{more},{time}}}"#)
    };
    let good = row("one", "one", "");
    assert!(coingecko(format!("[{good}]").as_bytes()));
    for bad in [
        good.clone(),
        row("", "two", ""),
        row(&"x".repeat(201), "two", ""),
        row("two", "two", "-5"),
        row("two", "two", r#","ath":1-2"#),
        row("two", "two", r#","ath":05"#),
        row("two", "two", ",5:1"),
    ] {
        assert!(!coingecko(format!("[{good},{bad}]").as_bytes()), "{bad}");
    }
    // What it is called reaches a terminal.
    assert!(coingecko(format!("[{good},{}]", row("two", r"\u001b[2J", "")).as_bytes()));
    // A letter whose capital is an S makes no other coin.
    assert!(coingecko(format!("[{good},{}]", row("two", "\u{17f}ol", "")).as_bytes()));
}

#[test]
fn a_thousand_coins_are_a_list_and_one_more_is_none() {
    let lines = |count: usize| (0..count).map(|coin| format!("C{coin}\n")).collect::<String>();
    assert!(list(&lines(1000)) && !list(&lines(1001)));
    let json = |count: usize| format!("[{}]", vec!["\"A\""; count].join(","));
    // Before the second one is looked for.
    assert!(own(&json(1001)).is_err_and(|why| why.contains("more than 1000")));
    let rows = |count: usize| {
        let rows: Vec<String> = (0..count)
            .map(|at| format!(r#"{{"id":"c{at}","symbol":"c{at}","last_updated":"2026-08-16T21:40:00Z"}}"#))
            .collect();
        format!("[{}]", rows.join(","))
    };
    assert!(coingecko(rows(1000).as_bytes()) && !coingecko(rows(1001).as_bytes()));
}

/// A number as somebody may write it: any digits, a point anywhere, an exponent or none.
fn number() -> impl Strategy<Value = String> {
    let exponent = prop_oneof![3 => Just(String::new()), 2 => "[eE][+-]?[0-9]", 1 => "[eE][+-]?[0-6]?[0-9]"];
    let number = prop_oneof!["[0-9]{1,20}", "[0-9]{1,16}\\.[0-9]{1,20}", "0{0,30}[1-9][0-9]{0,20}\\.0{0,50}[0-9]{0,9}"];
    // So small without its exponent that it needs a large one.
    let small =
        ("0\\.0{15,40}[1-9][0-9]{0,20}", 15..=60).prop_map(|(number, exponent)| format!("{number}e+{exponent}"));
    prop_oneof![4 => (number, exponent).prop_map(|(number, exponent)| number + &exponent), 1 => small]
}

/// Any JSON: nested, with escapes, and with numbers of every kind.
fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_filter("a number", |number| number.is_finite()).prop_map(Json::from),
        (-1000_i32..1000, -30_i32..30).prop_map(|(digits, places)| Json::from(f64::from(digits) * 10_f64.powi(places))),
        text().prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::btree_map(text(), inner, 0..5)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

/// Texts with everything that a reader of numbers might stumble over; a zero byte is no letter of ours.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[-0-9eE+.]{0,8}",
        "[ -~]{0,12}",
        "[\"\\\\5:,{}\\[\\]]{0,8}",
        "\\PC{0,6}",
        Just("\n\u{1}\u{7f}\u{9b}5".to_string()),
    ]
}

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn a_size_is_the_number_that_was_written(text in number()) {
        let read = size(&text);
        prop_assert_eq!(read.map(u128::from), steps(&text), "{}", text);
        // serde_json has it in binary, as near as that is. It knows no needless zeros.
        if let (Some(read), Ok(number)) = (read, serde_json::from_str::<f64>(text.trim_start_matches('0'))) {
            let theirs = number * 1e4;
            prop_assert!((read as f64 - theirs).abs() <= 1.0 + theirs * 1e-12, "{}: {} {}", text, read, theirs);
        }
        if let Some(read) = read {
            let shown = shown_size(read);
            prop_assert_eq!(size(&shown), Some(read), "{}", shown);
            prop_assert!(!shown.contains('.') || !shown.ends_with(['0', '.']), "{}", shown);
        }
    }

    #[test]
    fn what_is_no_number_has_no_size(text in "[-+0-9eE. ]{0,8}") {
        prop_assert_eq!(size(&text).is_some(), steps(&text).is_some(), "{}", text);
    }

    #[test]
    fn any_object_reads_to_the_texts_that_serde_json_wrote(
        members in prop::collection::btree_map(text(), json(), 0..12), pretty in any::<bool>()
    ) {
        let object = Json::Object(members.clone().into_iter().collect());
        let written = if pretty { serde_json::to_string_pretty(&object) } else { serde_json::to_string(&object) }.unwrap();
        let row = Row::read(&quote_numbers(&written)).map_err(TestCaseError::fail)?;
        for (key, value) in &members {
            let expected = match value {
                Json::String(text) => Some(text.clone()),
                Json::Number(number) => Some(number.to_string()),
                Json::Bool(truth) => Some(truth.to_string()),
                _ => None,
            };
            prop_assert_eq!(row.get(key).map(str::to_string), expected, "{} in {}", key, written);
        }
    }

    #[test]
    fn numbers_in_quotes_leave_json_what_it_is_and_the_rest_what_it_is(text in "[-0-9eE+.\":,{}\\[\\] tru]{0,10}") {
        let theirs = match serde_json::from_str::<Json>(&text) {
            Err(error) => error.to_string().contains("number out of range"),
            Ok(_) => true,
        };
        prop_assert_eq!(validate(&quote_numbers(&text)).is_ok(), theirs, "{}", text);
    }

    #[test]
    fn any_json_is_a_list_as_serde_json_reads_it_or_none(json in json()) {
        list(&json.to_string());
        coingecko(json.to_string().as_bytes());
    }
}
