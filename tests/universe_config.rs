//! The key `universe` of the config, on the real program: what is accepted, and what is refused with which line and key
//! before anything is asked or written.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::use_debug)]
#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss, missing_docs)]

mod common;

use common::{Dir, run};

/// A list that lies beside the config, with so many coins.
const LIST: &str = r#"["BTC", "ETH", "SOL", "CRO"]"#;

/// A config whose `universe` has one more member, on line 5.
fn with(member: &str) -> String {
    format!(
        "{{\n  \"universe\": {{\n    \"source\": \"list\", \"list\": \"mine.json\",\n    \
         \"top\": 3,\n    {member}\n  }}\n}}\n"
    )
}

/// The same with CoinGecko as source.
fn coingecko(member: &str) -> String {
    with(member).replace("\"source\": \"list\", \"list\": \"mine.json\"", "\"source\": \"coingecko\"")
}

/// The config is accepted: `plan --paper` ends well.
fn accepted(config: &str) {
    let dir = Dir::with(config);
    dir.write("mine.json", LIST);
    let run = run(&dir, &["plan", "--paper"]);
    assert_eq!((run.code, run.out.is_empty()), (Some(0), false), "{config}\n{run:?}");
}

/// The config is understood: what fails is the source, which nobody serves.
fn understood(config: &str) {
    let member = r#""base_url": "http://127.0.0.1:1", "#;
    let dir = Dir::with(&config.replace("\"top\"", &format!("{member}\"top\"")));
    let run = run(&dir, &["plan", "--paper"]);
    assert_eq!(run.code, Some(1), "{config}\n{run:?}");
    assert!(run.err.contains("no list of coins yet"), "{config}\n{run:?}");
}

/// The config is refused before anything is written, by a sentence with file and line and all of `words`.
fn refused(config: &str, line: usize, words: &[&str]) {
    for args in [["plan", "--paper"], ["universe", "--paper"], ["once", "--paper"]] {
        let dir = Dir::with(config);
        dir.write("mine.json", LIST);
        let run = run(&dir, &args);
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{config}\n{run:?}");
        assert!(
            run.err.starts_with(&format!("rebalancer: config.json:{line}: ")),
            "not line {line}: {config}\n{run:?}"
        );
        for word in words {
            assert!(run.err.contains(word), "no {word:?}: {config}\n{run:?}");
        }
        assert_eq!(run.err.matches('\n').count(), 1, "one sentence: {run:?}");
        assert!(run.err.len() < 600, "{run:?}");
        assert_eq!(dir.names(), ["config.json", "mine.json"], "{config}");
    }
}

#[test]
fn every_key_is_accepted() {
    accepted(&with(r#""share": 100"#));
    let members = r#"
        "leave_rank": 3 | "leave_rank": 200 | "leave_after": "1s" | "leave_after": "365d" | "refresh": "15m"
        "refresh": "1h" | "weighting": "equal"
        "max_weight": 33.333334 | "max_weight": 100 | "min_weight": 33.333333 | "min_weight": 0
        "exclude": [] | "exclude": ["USDT"] | "exclude": ["bitcoin-2", "0x", "a_b.c"] | "include": ["CRO"]
        "include": [] | "include": ["ETH", "SOL", "CRO"]
        "max_age": "1d" | "max_weight": 50, "min_weight": 10, "weighting": "equal""#;
    members.trim().split(['|', '\n']).for_each(|member| accepted(&with(member)));
    let members = r#"
        "category": "decentralized-finance-defi" | "category": "layer-1" | "category": "2" | "weighting": "market-cap"
        "weighting": "sqrt-market-cap" | "max_age": "30m""#;
    // Each waits for the pauses before a source is asked again.
    std::thread::scope(|scope| {
        for member in members.trim().split(['|', '\n']) {
            scope.spawn(move || understood(&coingecko(member)));
        }
        scope.spawn(|| understood(&coingecko(r#""share": 100"#).replace("3", "100")));
    });
}

#[test]
fn the_allocation_beside_a_share_sums_to_the_rest_or_to_100() {
    let config = |allocation: &str, share: &str| {
        format!(
            "{{\n  \"allocation\":\n    {allocation},\n  \"universe\":\n    \
             {{\"source\": \"list\", \"list\": \"mine.json\", \"top\": 2, \"share\": {share}}}\n}}\n"
        )
    };
    for (allocation, share) in [
        (r#"{"BTC": 20}"#, "80"),
        (r#"{"BTC": 100}"#, "80"),
        (r#"{"BTC": 12.5, "USDT": 7.5}"#, "80"),
        (r#"{"BTC": 62.5, "USDT": 37.5}"#, "80"),
        (r#"{"BTC": 0.000001}"#, "99.999999"),
        (r#"{"BTC": 99.999999}"#, "0.000001"),
        (r#"{"BTC": 100}"#, "0.000001"),
        (r#"{"BTC": 50, "USDT": 0}"#, "50"),
    ] {
        accepted(&config(allocation, share));
    }
    // 100 less the share, which is also wrong by the last of eighteen digits.
    for (allocation, share, rest) in [
        (r#"{"BTC": 20}"#, "70", "30"),
        (r#"{"BTC": 99}"#, "80", "20"),
        (r#"{"BTC": 20.000000000000000001}"#, "80", "20"),
        (r#"{"BTC": 19.999999999999999999}"#, "80", "20"),
        (r#"{"BTC": 80}"#, "80", "20"),
        (r#"{"BTC": 100.0, "ETH": 20}"#, "80", "20"),
        (r#"{"BTC": 0}"#, "80", "20"),
    ] {
        refused(&config(allocation, share), 3, &["universe", "sum to", share, rest]);
    }
    refused(&config("{}", "80"), 3, &["universe", "share is 80", "allocation", "20"]);
    for share in ["100", "100.0"] {
        refused(&config(r#"{"BTC": 100}"#, share), 3, &["universe", "share is 100", "nothing is left"]);
    }
    refused(&with(r#""share": 80"#), 2, &["universe", "share is 80", "allocation", "20"]);
}

#[test]
fn a_value_of_a_wrong_type_is_refused_with_line_and_key() {
    let texts = ["source", "category", "list", "base_url", "weighting", "leave_after", "refresh", "max_age"];
    let numbers = ["top", "leave_rank", "max_weight", "min_weight", "share"];
    // The line that has the key of its own is taken out.
    let lone = |member: &str, key: &str| {
        let config = with(member);
        match key {
            "source" => config.replacen("\"source\": \"list\", ", "", 1),
            "list" => config.replacen(", \"list\": \"mine.json\"", "", 1),
            "top" => config.replacen("\"top\": 3,", "", 1),
            _ => config,
        }
    };
    for key in texts {
        for value in ["5", "null", "true", "[\"x\"]", "{}"] {
            refused(&lone(&format!("\"{key}\": {value}"), key), 5, &[key, "text in double quotes"]);
        }
    }
    for key in numbers {
        for value in ["\"5\"", "null", "true", "[5]", "{\"a\": 5}"] {
            refused(&lone(&format!("\"{key}\": {value}"), key), 5, &[key, "number"]);
        }
    }
    for key in ["exclude", "include"] {
        for value in ["5", "\"BTC\"", "null", "{\"BTC\": 1}"] {
            refused(&with(&format!("\"{key}\": {value}")), 5, &["list in square brackets"]);
        }
        for value in ["[5]", "[null]", "[[\"BTC\"]]", "[\"BTC\", 1]"] {
            refused(&with(&format!("\"{key}\": {value}")), 5, &[key, "text in double quotes"]);
        }
    }
    for value in ["5", "\"coingecko\"", "null", "[]"] {
        refused(&format!("{{\n\"universe\": {value}\n}}"), 2, &["an object in curly brackets is missing"]);
    }
}

#[test]
fn a_value_out_of_range_is_refused_with_line_and_key() {
    let top = |value: &str| with("\"share\": 100").replace("\"top\": 3", &format!("\"top\": {value}"));
    for value in ["0", "-1", "101", "3.5", "1e1", "99999999999999999999"] {
        // The tokenizer's own limits speak first for the last two.
        let words: &[&str] =
            if value.len() > 4 || value.contains('e') { &["top"] } else { &["top", "whole number from 1 to 100"] };
        refused(&top(value), 4, words);
    }
    for value in ["0", "-3", "201", "3.0"] {
        refused(&with(&format!("\"leave_rank\": {value}")), 5, &["leave_rank", "whole number from 1 to 200"]);
    }
    for value in ["1", "2"] {
        refused(&with(&format!("\"leave_rank\": {value}")), 2, &["universe", "leave_rank", "inside the top 3"]);
    }
    for key in ["max_weight", "min_weight", "share"] {
        for value in ["-1", "100.000001", "101", "-0.5"] {
            refused(&with(&format!("\"{key}\": {value}")), 5, &[key, "percentage from 0 to 100"]);
        }
        refused(&with(&format!("\"{key}\": 33.3333333")), 5, &[key, "more than 6 decimals"]);
    }
    refused(&with("\"share\": 0"), 5, &["share", "no list", "leave universe out"]);
    refused(&with("\"share\": 0.000000"), 5, &["share", "no list", "leave universe out"]);
    for key in ["leave_after", "refresh", "max_age"] {
        for value in [
            "",
            "1",
            "24",
            "1 h",
            "0h",
            "-1h",
            "+1h",
            "1.5h",
            "1H",
            "1w",
            "24h30m",
            "367d",
            "1e3s",
            "99999999999999999999d",
        ] {
            refused(&with(&format!("\"{key}\": \"{value}\"")), 5, &[key, "is no time such as \"24h\""]);
        }
    }
    for value in ["", "marketcap", "Equal", "market_cap", "sqrt"] {
        refused(&with(&format!("\"weighting\": \"{value}\"")), 5, &["weighting", "equal, market-cap, sqrt-market-cap"]);
    }
    for value in ["", "CoinGecko", "file", "coinmarketcap"] {
        let config = with("\"share\": 100").replace("\"source\": \"list\"", &format!("\"source\": \"{value}\""));
        refused(&config, 3, &["source", "coingecko, list"]);
    }
}

#[test]
fn a_place_that_is_none_is_refused_with_line_and_key() {
    for value in ["", "DeFi", "decentralized finance", "a&b=c", "a/b", "défi", "a_b", "x?y", "#"] {
        refused(&coingecko(&format!("\"category\": \"{value}\"")), 5, &["category", "decentralized-finance-defi"]);
    }
    for value in [
        "",
        "coingecko.com",
        "http://api.coingecko.com/api/v3",
        "ftp://x",
        "https://",
        "https://a b/",
        "https://u@h/",
        "http://192.168.1.2:80",
    ] {
        refused(&coingecko(&format!("\"base_url\": \"{value}\"")), 5, &["base_url"]);
    }
    let list = |value: &str| with("\"share\": 100").replace("mine.json", value);
    for value in [
        "",
        "http://example.com/list.txt",
        "ftp://example.com/list",
        "https://",
        "https://u:p@example.com/x",
        "https://example.com/a b",
        "https://example.com/x#y",
        "file:///etc/passwd",
    ] {
        refused(&list(value), 3, &["list"]);
    }
    refused(&list("https://example.com/ä"), 3, &["list", "write %20 for a space"]);
}

#[test]
fn names_that_are_none_repeated_or_on_both_sides_are_refused() {
    for key in ["exclude", "include"] {
        for value in ["", "Btc", "BTC ", "usd coin", "ÜNI", "A-B", "ABCDEFGHIJKLMNOPQRSTU", "a\\nb"] {
            let words = [key, "neither a coin (capital letters) nor an id of the source"];
            refused(&with(&format!("\"{key}\": [\"{value}\"]")), 5, &words);
        }
        refused(&with(&format!("\"{key}\": [\"BTC\", \"ETH\", \"BTC\"]")), 5, &[key, "BTC is repeated"]);
    }
    refused(
        &with(r#""include": ["BTC", "ETH"], "exclude": ["SOL", "ETH"]"#),
        2,
        &["universe", "ETH is in include and in exclude"],
    );
    refused(
        &with(r#""include": ["BTC", "ETH", "SOL", "CRO"]"#),
        2,
        &["universe", "include names 4 coins, but the list has 3"],
    );
}

#[test]
fn a_key_that_is_unknown_missing_repeated_or_of_the_other_source_is_refused() {
    let keys = "Source|sources|url|categories|coins|number|weights|maxweight|max-weight|min|percent|excluded|\
        whitelist|leave|leave_at|interval|age|api_key|key|//|_comment|quote|tolerance";
    for key in keys.split('|') {
        for value in ["5", "\"x\"", "null", "[1]", "{\"a\": {}}"] {
            refused(
                &with(&format!("\"{key}\": {value}")),
                5,
                &[key, "the key is unknown; allowed are source", "max_age"],
            );
        }
    }
    for (key, value) in [("source", "\"list\""), ("list", "\"mine.json\""), ("top", "3")] {
        refused(&with(&format!("\"{key}\": {value}")), 5, &[key, "the key is repeated"]);
    }
    for member in
        [r#""share": 90, "share": 90"#, r#""refresh": "1h", "refresh": "1h""#, r#""include": [], "include": []"#]
    {
        refused(&with(member), 5, &["the key is repeated"]);
    }
    refused(
        "{\n\"universe\": {\"source\": \"coingecko\", \"top\": 3},\n\
         \"universe\": {\"source\": \"coingecko\", \"top\": 3}\n}",
        3,
        &["universe", "the key is repeated"],
    );
    refused("{\n\"universe\": {}\n}", 2, &["universe", "source is missing"]);
    refused("{\n\"universe\": {\"top\": 3}\n}", 2, &["universe", "source is missing"]);
    refused("{\n\"universe\": {\"source\": \"coingecko\"}\n}", 2, &["universe", "top is missing"]);
    refused("{\n\"universe\": {\"source\": \"list\", \"top\": 3}\n}", 2, &["universe", "list is missing"]);
    refused(&coingecko(r#""list": "mine.json""#), 2, &["universe", "list goes with \"source\": \"list\""]);
    for member in [r#""category": "layer-1""#, r#""base_url": "https://example.com""#] {
        refused(&with(member), 2, &["universe", "category and base_url go with \"source\": \"coingecko\""]);
    }
    // In the flat form a list has no place.
    refused("{\n\"BTC\": 100,\n\"universe\": {\"source\": \"coingecko\", \"top\": 3}\n}", 2, &["BTC", "allocation"]);
}

#[test]
fn caps_and_floors_that_no_weights_satisfy_are_refused() {
    let cases = [
        (
            3,
            r#""max_weight": 33.333333"#,
            "3 coins of at most max_weight, 33.333333 percent, are less than 100 percent",
        ),
        (3, r#""max_weight": 0"#, "3 coins of at most max_weight, 0 percent, are less than 100 percent"),
        (
            10,
            r#""max_weight": 9.999999"#,
            "10 coins of at most max_weight, 9.999999 percent, are less than 100 percent",
        ),
        (1, r#""max_weight": 99.999999"#, "1 coins of at most max_weight"),
        (
            3,
            r#""min_weight": 33.333334"#,
            "3 coins of at least min_weight, 33.333334 percent, are more than 100 percent",
        ),
        (100, r#""min_weight": 1.000001"#, "100 coins of at least min_weight"),
    ];
    for (top, member, why) in cases {
        let config = with(member).replace("\"top\": 3", &format!("\"top\": {top}"));
        refused(&config, 2, &["universe", why]);
    }
    // To the last of six digits.
    accepted(&with(r#""max_weight": 33.333334, "min_weight": 33.333333"#));
    understood(&coingecko(r#""max_weight": 10, "min_weight": 10"#).replace("\"top\": 3", "\"top\": 10"));
}
