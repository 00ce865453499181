//! The config file and the key, on the real program: what is accepted, and what is refused with which file, line and key.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::use_debug)]
#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod common;

use common::{Dir, Killed, command, finish, run};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

const FULL: &str = r#"{
  "allocation": {"BTC": 50, "ETH": 40, "USDT": 10},
  "exchange": "crypto.com",
  "quote": "USDT",
  "tolerance": 5,
  "relative_tolerance": 20,
  "method": "drifted",
  "restore": "target",
  "min_trade": 5,
  "max_trade": 10000,
  "max_spread": 5,
  "cash_reserve": 0,
  "unlisted": "ignore",
  "schedule": "sunday 00:00",
  "utc_offset": "+02:00",
  "base_url": "https://api.crypto.com/exchange/v1",
  "state_dir": "."
}
"#;

/// The config is accepted: `plan --paper` ends well.
fn accepted(config: impl AsRef<[u8]>) {
    let text = String::from_utf8_lossy(config.as_ref()).into_owned();
    let dir = Dir::new();
    dir.write("config.json", config);
    let run = run(&dir, &["plan", "--paper"]);
    assert_eq!((run.code, run.out.is_empty()), (Some(0), false), "{text}\n{run:?}");
}

/// The config is refused before anything is written; the message begins with file and line and has all of `words`.
fn refused(config: impl AsRef<[u8]>, line: usize, words: &[&str]) {
    let text: String = String::from_utf8_lossy(config.as_ref()).chars().take(2000).collect();
    for args in [["plan", "--paper"], ["check", "--paper"]] {
        let dir = Dir::new();
        dir.write("config.json", config.as_ref());
        let run = run(&dir, &args);
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{text}\n{run:?}");
        let place =
            if line == 0 { "rebalancer: config.json: ".into() } else { format!("rebalancer: config.json:{line}: ") };
        assert!(run.err.starts_with(&place), "no {place}: {text}\n{run:?}");
        for word in words {
            assert!(run.err.contains(word), "no {word:?}: {text}\n{run:?}");
        }
        assert_eq!(run.err.matches('\n').count(), 1, "one sentence: {run:?}");
        assert!(run.err.len() < 600, "{run:?}");
        assert_eq!(dir.names(), ["config.json"], "{text}");
    }
}

/// A config with one more member, on line 3.
fn with(member: &str) -> String {
    format!("{{\n  \"allocation\": {{\"BTC\": 50, \"ETH\": 50}},\n  {member}\n}}\n")
}

#[test]
fn both_forms_and_every_key_are_accepted() {
    accepted(r#"{"BTC": 50, "ETH": 50}"#);
    accepted(FULL);
    accepted(r#"{"allocation": {"BTC": 100}}"#);
    accepted("{\"BTC\":33.3333,\"ETH\":33.3333,\"SOL\":33.3334}");
    accepted(r#"{"BTC": 50.000000000000000001, "ETH": 49.999999999999999999}"#);
    accepted(r#"{"BTC": 90, "USDT": 10}"#);
    accepted(r#"{"1INCH": 100.0}"#);
    accepted("\r\n\t {\r\n\"BTC\"\t:\r100\r\n}\r\n\r\n");
    accepted(r#"{"\u0042TC": 100}"#);
    let members = r#"
        "exchange": "paper" | "quote": "USD" | "tolerance": 0 | "tolerance": 100 | "tolerance": 0.5 | "method": "target"
        "relative_tolerance": 12.5 | "method": "full" | "restore": "half" | "restore": "edge" | "min_trade": 0
        "min_trade": 5.5 | "max_trade": 5 | "max_trade": 99999999999999999 | "max_spread": 0.1 | "cash_reserve": 100.25
        "unlisted": "sell" | "base_url": "http://127.0.0.1:8080" | "base_url": "http://127.0.0.1:8080/exchange/v1/"
        "base_url": "http://localhost:9" | "base_url": "https://example.com:8443/x""#;
    for member in members.trim().split(['|', '\n']) {
        accepted(with(member));
    }
}

#[test]
fn every_schedule_that_the_help_names_is_accepted_and_no_other() {
    for day in "monday|tuesday|wednesday|thursday|friday|saturday|sunday|Sunday".split('|') {
        accepted(with(&format!("\"schedule\": \"{day} 23:59\"")));
    }
    for words in "daily 00:00|daily 23:59|every 1s|every 90m|every 6h|every 30d".split('|') {
        accepted(with(&format!("\"schedule\": \"{words}\"")));
    }
    for offset in "+00:00|-00:00|+02:00|-05:30|+14:00|-11:59".split('|') {
        accepted(with(&format!("\"utc_offset\": \"{offset}\"")));
    }
    let bad = "| |sunday|sunday 24:00|sunday 00:60|sunday 0:00|sunday 00:0|sunday 00:00:00|sunday  00:00| sunday 00:00|\
        sunday 00:00 |sun 00:00|sundey 00:00|sunday,00:00|sunday -1:00|sunday +1:00|sonntag 00:00|daily|daily 6:30|\
        daily 24:00|daily 06.30|daily 06:30pm|every|every 6|every h|every 0h|every -6h|every +6h|every 6.5h|every 6 h|\
        every 6H|every 6w|every 6h30m|every 1e3s|every 367d|every 99999999999999999999d|every 9223372036854775807d|\
        hourly|0 0 * * 0|every ６h|every 6ℎ";
    for words in bad.split('|') {
        let member = format!("\"schedule\": \"{words}\"");
        refused(with(&member), 3, &["schedule", "sunday 00:00", "daily 06:30", "every 6h"]);
    }
    for offset in "|2|02:00|+2:00|+02|+0200|+15:00|+02:60|UTC|Z|+02:00 |++2:00|−02:00".split('|') {
        refused(with(&format!("\"utc_offset\": \"{offset}\"")), 3, &["utc_offset", "+02:00", "14 hours"]);
    }
}

#[test]
fn an_offset_above_14_hours_is_refused_to_the_minute() {
    for offset in ["+14:01", "+14:30", "-14:59"] {
        refused(with(&format!("\"utc_offset\": \"{offset}\"")), 3, &["utc_offset", "14 hours"]);
    }
}

#[test]
fn a_key_that_is_unknown_or_nearly_right_is_refused_with_the_allowed_ones() {
    let keys = "allocations|Exchange|QUOTE |tolerence|relative-tolerance|relativeTolerance|mode|restor|min_trades|minTrade|\
        max_trade | max_trade|maxspread|cash|reserve|unlist|schedul|schedule_|offset|baseurl|base_URL|url|statedir|api_key|\
        api_secret|//|_comment|täglich|paper|$schema";
    for key in keys.split('|') {
        let words = [key, "unknown", "allocation", "tolerance", "schedule", "state_dir"];
        for value in ["5", "\"x\"", "null", "[1]", "{\"a\": {}}"] {
            refused(with(&format!("\"{key}\": {value}")), 3, &words);
        }
    }
    refused(with(r#""BTC": 5"#), 3, &["BTC", "allocation"]);
    refused("{\"BTC\": 50, \"ETH\": 50,\n\"tolerance\": 5}", 1, &["BTC", "allocation"]);
    refused("{\"BTC\": 50,\n\"ETH\": 50,\n\"tolerence\": 5}", 3, &["tolerence"]);
    refused("{\n\"tolerance\": 5\n}", 3, &["allocation"]);
    refused("{\"Allocation\": {\"BTC\": 100}}", 1, &["Allocation", "allowed are allocation"]);
    // What a terminal would act on is not shown to it.
    let dir = Dir::with(&with(r#""\u001b[2J\u0007red": 1"#));
    assert!(run(&dir, &["plan", "--paper"]).err.chars().all(|letter| letter == '\n' || !letter.is_control()));
}

#[test]
fn a_repeated_key_or_coin_is_refused_at_its_second_line() {
    for line in FULL.lines().filter(|line| line.contains(": ")) {
        let member = line.trim().trim_end_matches(',');
        let key = member.split('"').nth(1).unwrap();
        let twice = format!("{{\n\"allocation\": {{\"BTC\": 100}},\n{member},\n\n{member}\n}}");
        let line = if key == "allocation" { 3 } else { 5 };
        refused(twice, line, &[key, "repeated"]);
    }
    refused("{\"BTC\": 50,\n \"BTC\": 50}", 2, &["BTC", "repeated"]);
    refused("{\"allocation\": {\"BTC\": 50,\n\n \"BTC\": 50}}", 3, &["BTC", "repeated"]);
    refused("{\"BTC\": 50,\r\n\r\n \"\\u0042TC\": 50}", 3, &["BTC", "repeated"]);
}

#[test]
fn a_wrong_type_is_refused_for_every_key() {
    let number = ["\"5\"", "true", "null", "[5]", "{\"a\": 5}", "\"\""];
    for key in ["tolerance", "relative_tolerance", "min_trade", "max_trade", "max_spread", "cash_reserve"] {
        for value in number {
            refused(with(&format!("\"{key}\": {value}")), 3, &[key, "number"]);
        }
    }
    for value in number {
        refused(format!("{{\"allocation\":\n{{\"BTC\": {value}}}}}"), 2, &["BTC", "number"]);
    }
    refused("{\"BTC\": 50,\n\"ETH\": \"50\"}", 2, &["ETH", "number", "quotes"]);
    for key in ["exchange", "quote", "method", "restore", "unlisted", "schedule", "utc_offset", "base_url", "state_dir"]
    {
        for value in ["5", "true", "null", "[\"x\"]", "{\"a\": \"x\"}"] {
            refused(with(&format!("\"{key}\": {value}")), 3, &[key, "text", "quotes"]);
        }
    }
    for value in ["5", "true", "null", "[]", "[{\"BTC\": 100}]", "\"BTC\""] {
        refused(format!("{{\n\"allocation\": {value}\n}}"), 2, &["allocation", "{\"BTC\": 50, \"ETH\": 50}"]);
    }
}

#[test]
fn a_word_that_is_no_choice_is_refused_with_the_choices() {
    for (key, value, choices) in [
        ("exchange", "binance", "crypto.com, paper"),
        ("exchange", "Crypto.com", "crypto.com, paper"),
        ("exchange", "", "crypto.com, paper"),
        ("method", "drift", "drifted, target, full"),
        ("method", "Target", "drifted, target, full"),
        ("restore", "center", "target, half, edge"),
        ("unlisted", "keep", "ignore, sell"),
        ("unlisted", " sell", "ignore, sell"),
    ] {
        refused(with(&format!("\"{key}\": \"{value}\"")), 3, &[key, choices, &format!("\"{value}\"")]);
    }
}

#[test]
fn a_number_outside_its_range_is_refused_with_the_range() {
    for key in ["tolerance", "relative_tolerance", "max_spread"] {
        for value in [
            "-1",
            "-0.000000000000000001",
            "101",
            "100.000000000000000001",
            "0.0000000000000000001",
            "999999999999999999",
        ] {
            refused(with(&format!("\"{key}\": {value}")), 3, &[key, value, "0 to 100"]);
        }
    }
    for key in ["min_trade", "max_trade", "cash_reserve"] {
        for value in ["-1", "-0.01", "0.0000000000000000001", "100000000000000001"] {
            refused(with(&format!("\"{key}\": {value}")), 3, &[key, value, "from 0 up"]);
        }
    }
    refused(with("\"max_trade\": 0"), 3, &["max_trade", "leave the key out"]);
    refused(with("\"max_trade\": 0.000"), 3, &["max_trade", "leave the key out"]);
    refused("{\"BTC\": -50,\n \"ETH\": 150}", 1, &["BTC", "-50", "0 to 100"]);
    refused("{\"BTC\": 0,\n \"ETH\": 150}", 2, &["ETH", "150", "0 to 100"]);
}

#[test]
fn max_trade_below_min_trade_is_refused_at_its_line() {
    refused(with("\"min_trade\": 10, \"max_trade\": 9.99"), 3, &["max_trade", "9.99", "min_trade", "10"]);
    refused(with("\"max_trade\": 3"), 3, &["max_trade", "3", "min_trade", "5"]);
}

#[test]
fn numbers_that_are_not_plain_decimals_are_refused_at_their_line() {
    let values = "NaN|nan|Infinity|-Infinity|inf|1e2|1E2|1e-2|5.0e0|050|00|-05|+50|.5|50.|-|0x32|5_0|5,0|5 0|50%|５０|--5|1.2.3|\
        1234567890123456789|'50'|undefined|True|NULL|nul|5f";
    for value in values.split('|') {
        refused(with(&format!("\"tolerance\": {value}")), 3, &[]);
        refused(format!("{{\"ETH\": 50,\n\"BTC\": {value}}}"), 2, &[]);
    }
}

#[test]
fn percentages_that_do_not_sum_to_100_are_refused_with_their_sum() {
    for (percentages, sum, off) in [
        ("\"BTC\": 50, \"ETH\": 49.9999", "99.9999", "0.0001 is missing"),
        ("\"BTC\": 50, \"ETH\": 50.0001", "100.0001", "0.0001 is too much"),
        ("\"BTC\": 33.3333, \"ETH\": 33.3333, \"SOL\": 33.3333", "99.9999", "0.0001 is missing"),
        ("\"BTC\": 50, \"ETH\": 49.999999999999999999", "99.999999999999999999", "0.000000000000000001 is missing"),
        ("\"BTC\": 100, \"ETH\": 100", "200", "100 is too much"),
        ("\"BTC\": 0", "0", "100 is missing"),
        ("\"BTC\": 0.5, \"ETH\": 0.5", "1", "99 is missing"),
    ] {
        refused(format!("{{{percentages}}}"), 1, &["allocation", &format!("sum to {sum},"), off]);
        refused(
            format!("{{\n\"quote\": \"USDT\",\n\"allocation\": {{{percentages}}}}}"),
            3,
            &["allocation", &format!("sum to {sum},")],
        );
    }
    refused("{\"allocation\": {}}", 1, &["allocation", "100 is missing"]);
}

#[test]
fn a_coin_is_capital_letters_and_digits() {
    let coins = "btc|Btc|bTC|| | BTC|BTC |BTC_USDT|BTC-PERP|BTC/USDT|BTC.E|B TC|BTC\\n|ＢＴＣ|ВТС|ÄTC|₿|BTC\\u0000x|$BTC|b\\u0130c|\
        ABCDEFGHIJKLMNOPQRSTU|BTC\\\"";
    for coin in coins.split('|') {
        let nul = coin.contains("u0000");
        let words: &[&str] = if nul { &[] } else { &["allocation", "capital letters and digits"] };
        refused(format!("{{\"ETH\": 50,\n\"{coin}\": 50}}"), 2, words);
        let words: &[&str] = if nul { &[] } else { &["quote", "capital letters and digits"] };
        refused(with(&format!("\"quote\": \"{coin}\"")), 3, words);
    }
    refused("{\"ETH\": 50,\n\"btc\": 50}", 2, &["\"btc\"", "did you mean \"BTC\"?"]);
}

#[test]
fn what_is_no_json_object_is_refused_at_its_line() {
    let texts = r#"|null|5|"BTC"|[]|[{"BTC": 100}]|{}|{|}|{"BTC": 100,}|{"BTC": 50,,"ETH": 50}|{"BTC" 100}|{BTC: 100}|{'BTC': 100}|
        {"BTC": 100} // half|/* x */{"BTC": 100}|{"BTC": 100}}|{"BTC": 100]|\ufeff{"BTC": 100}|{"BTC": 100}\ufeff|{"BTC":\u00a0100}|
        {"BTC": 100}\u0000|{"B\xTC": 100}|{"\ud800": 100}|{"BTC": }|{: 100}|{"BTC": 100|<html>|{"BTC": 100} {"BTC": 100}"#;
    for text in texts.replace("\n        ", "").split('|') {
        let raw = [('\u{feff}', "\\ufeff"), ('\u{a0}', "\\u00a0"), ('\0', "\\u0000")];
        let text = raw.iter().fold(text.to_string(), |text, (letter, code)| text.replace(code, &letter.to_string()));
        refused(text, 1, &[]);
    }
    for (text, line) in [
        (" \n\n", 3),
        ("{\"BTC\": 50\n\"ETH\": 50}", 2),
        ("{ // half\n\"BTC\": 100}", 1),
        ("{\n# half\n\"BTC\": 100}", 2),
        ("{\"BTC\": 100}\n{\"BTC\": 100}", 2),
        ("{\"BTC\": 100}\n\nx", 3),
        ("{\"BTC\n\": 100}", 1),
        ("allocation:\n  BTC: 100\n", 1),
    ] {
        refused(text, line, &[]);
    }
    let deep = |open: &str, depth: usize| open.repeat(depth);
    for text in [deep("[", 100_000), deep("{\"a\":", 100_000), format!("{{\"allocation\": {}", deep("{\"a\":", 50_000))]
    {
        refused(text, 1, &["too deeply"]);
    }
    let whole = format!("{{\"x\": {}1{}, \"allocation\": {{\"BTC\": 100}}}}", deep("[", 500), deep("]", 500));
    refused(whole, 1, &["too deeply"]);
}

#[test]
fn line_numbers_count_every_kind_of_line_end_that_has_a_newline() {
    for end in ["\n", "\r\n", "\n\n", "\r\n\r\n"] {
        let newlines = end.matches('\n').count();
        for before in 0..6 {
            let text = format!("{}{{\"BTC\": 50,{end}\"eth\":{end}50}}", end.repeat(before));
            refused(text, 1 + newlines * (before + 2), &["\"eth\""]);
            let text = format!("{}{{\"BTC\": 50,{end}\"ETH\": 5x0}}", end.repeat(before));
            refused(text, 1 + newlines * (before + 1), &[]);
        }
    }
}

#[test]
fn a_config_that_was_cut_anywhere_is_refused() {
    for text in [FULL.trim_end(), "{\"BTC\": 50, \"ETH\": 50}"] {
        for at in 0..text.len() {
            let dir = Dir::with(&text[..at]);
            let run = run(&dir, &["plan", "--paper"]);
            assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "cut at {at}: {run:?}");
            assert!(run.err.starts_with("rebalancer: config.json:"), "cut at {at}: {run:?}");
            assert_eq!(dir.names(), ["config.json"]);
        }
    }
}

#[test]
fn files_that_are_no_config_are_refused_and_named() {
    refused(format!("{{\"BTC\": 100{}}}", " ".repeat(2 * 1024 * 1024)), 0, &["larger than 1048576 bytes"]);
    refused(b"{\"BTC\": 100, \"\xff\": 0}", 0, &["UTF-8"]);
    refused("{\"BTC\": 100}".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>(), 1, &[]);
    refused(
        format!("{{{}}}", (0..2000).map(|at| format!("\"C{at}\": 0.05")).collect::<Vec<_>>().join(",")),
        1,
        &["1000 coins"],
    );

    let dir = Dir::new();
    let missing = run(&dir, &["plan", "--paper"]);
    assert_eq!(missing.code, Some(2));
    assert!(
        missing.err.contains("config.json: there is no such file")
            && missing.err.contains("{\"BTC\": 50, \"ETH\": 50}"),
        "{missing:?}"
    );
    let missing = run(&dir, &["plan", "--paper", "-c", "no/where.json"]);
    assert!(missing.code == Some(2) && missing.err.contains("no/where.json: there is no such file"), "{missing:?}");
    let directory = run(&dir, &["plan", "--paper", "--config", "."]);
    assert!(directory.code == Some(2) && directory.err.contains(".: cannot read the file"), "{directory:?}");
    let device = run(&dir, &["plan", "--paper", "--config", "/dev/zero"]);
    assert!(device.code == Some(2) && device.err.contains("/dev/zero: "), "{device:?}");
    assert!(dir.names().is_empty());
}

#[test]
fn an_address_must_keep_the_account_private() {
    let urls = "|api.crypto.com|http://api.crypto.com/exchange/v1|http://192.168.0.1|http://0.0.0.0:80|http://127.0.0.1.example.com|\
        http://localhost.example.com|ftp://127.0.0.1|https://|https:///path|https://user:pass@example.com|http://[::1]:80|\
        http://127.0.0.1:80@example.com|https://example.com:0|https://example.com:65536|https://example.com:x|\
        https://example.com:|https://example.com?x=1|https://example.com#x|https://exa mple.com|https://example.com/%2e|\
        https://exämple.com|HTTPS://example.com| https://example.com|https://example.com\\\\x|http://127.0.0.1:-1";
    for url in urls.split('|') {
        refused(with(&format!("\"base_url\": \"{url}\"")), 3, &["base_url", "https://HOST/PATH", "127.0.0.1"]);
    }
}

#[test]
fn a_port_is_digits() {
    refused(with("\"base_url\": \"http://127.0.0.1:+80\""), 3, &["base_url"]);
}

#[test]
fn a_refused_text_shows_the_terminal_nothing_to_act_on() {
    for member in [r#""base_url": "https://\n\u001b[2J\u0007""#, r#""state_dir": "\n\u001b[2J\u0007""#] {
        let dir = Dir::with(&with(member));
        let run = run(&dir, &["plan", "--paper"]);
        assert_eq!(run.code, Some(2));
        assert!(run.err.trim_end_matches('\n').chars().all(|letter| !letter.is_control()), "{run:?}");
    }
}

#[test]
fn the_state_directory_is_relative_to_the_config_and_must_exist() {
    let dir = Dir::new();
    std::fs::create_dir_all(dir.file("etc/state")).unwrap();
    dir.write("etc/my.json", with(r#""state_dir": "state""#));
    run(&dir, &["plan", "--paper", "-c", "etc/my.json"]).good();
    assert!(dir.file("etc/state/paper.json").is_file() && dir.names() == ["etc"]);

    let absolute = Dir::new();
    dir.write("etc/abs.json", with(&format!("\"state_dir\": \"{}\"", absolute.path().display())));
    run(&dir, &["plan", "--paper", "-c", "etc/abs.json"]).good();
    assert_eq!(absolute.names(), ["paper.json"]);

    dir.write("etc/none.json", with(r#""state_dir": """#));
    let none = run(&dir, &["plan", "--paper", "-c", "etc/none.json"]);
    assert!(none.code == Some(2) && none.err.contains("etc/none.json:3: state_dir"), "{none:?}");
    for bad in ["nowhere", "etc.json"] {
        dir.write("etc.json", with(&format!("\"state_dir\": \"{bad}\"")));
        let run = run(&dir, &["plan", "--paper", "-c", "etc.json"]);
        assert!(run.code == Some(2) && run.err.contains("etc.json:3: state_dir: "), "{run:?}");
        assert!(run.err.contains(bad) && run.err.contains("directory"), "{run:?}");
    }
    let without = Dir::new();
    without.write("x.json", with(r#""tolerance": 5"#));
    finish({
        let mut elsewhere = command(&dir, &["plan", "--paper", "-c"]);
        elsewhere.arg(without.file("x.json"));
        elsewhere
    })
    .good();
    assert_eq!(without.names(), ["paper.json", "x.json"]);
}

const KEY: &str = "k3yPUBLICpart7";
const SECRET: &str = "s3cretPRIVATEpart";
const LOCAL: &str = r#"{"allocation": {"BTC": 50, "ETH": 50}, "base_url": "http://127.0.0.1:1"}"#;

/// The first line that the daemon logs: it comes after the key was found, or is the reason why not.
fn daemon_says(dir: &Dir, environment: &[(&str, &str)]) -> String {
    let mut daemon = command(dir, &["run", "--verbose"]);
    daemon.envs(environment.iter().copied()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut daemon = Killed(daemon.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(daemon.0.stderr.take().unwrap()).read_line(&mut line).unwrap();
    if line.starts_with("rebalancer: ") {
        assert_eq!(common::wait(&mut daemon.0), Some(2), "{line}");
    }
    assert!(!line.contains(SECRET) && !line.contains(KEY), "{line}");
    line
}

fn key_found(dir: &Dir, environment: &[(&str, &str)]) {
    let line = daemon_says(dir, environment);
    assert!(line.contains("next run sunday"), "{line}");
}

fn key_refused(dir: &Dir, environment: &[(&str, &str)], words: &[&str]) {
    let line = daemon_says(dir, environment);
    assert!(line.starts_with("rebalancer: ") && words.iter().all(|word| line.contains(word)), "no {words:?}: {line}");
    // Not `check`: it goes on without a key, which takes a while.
    for args in [&["plan"][..], &["status", "--json"], &["once"]] {
        let mut command = command(dir, args);
        command.envs(environment.iter().copied());
        let run = finish(command);
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(words.iter().all(|word| run.err.contains(word)), "no {words:?}: {run:?}");
        assert!(!format!("{run:?}").contains(SECRET), "{run:?}");
    }
    assert!(!dir.names().iter().any(|name| name.ends_with(".journal")), "{:?}", dir.names());
}

fn key_file() -> String {
    format!("{{\"api_key\": \"{KEY}\",\n \"api_secret\": \"{SECRET}\"}}\n")
}

#[test]
fn the_key_is_taken_from_the_environment_whole_or_not_at_all() {
    let dir = Dir::with(LOCAL);
    key_found(&dir, &[("REBALANCER_API_KEY", KEY), ("REBALANCER_API_SECRET", SECRET)]);
    let advice = ["no API key", "REBALANCER_API_KEY", "REBALANCER_API_SECRET", "credentials.json", "--paper"];
    key_refused(&dir, &[], &advice);
    key_refused(&dir, &[("REBALANCER_API_KEY", ""), ("REBALANCER_API_SECRET", "")], &advice);
    let only_key = ["REBALANCER_API_KEY is set", "REBALANCER_API_SECRET is not"];
    key_refused(&dir, &[("REBALANCER_API_KEY", KEY)], &only_key);
    key_refused(&dir, &[("REBALANCER_API_KEY", KEY), ("REBALANCER_API_SECRET", "")], &only_key);
    key_refused(
        &dir,
        &[("REBALANCER_API_SECRET", SECRET)],
        &["REBALANCER_API_SECRET is set", "REBALANCER_API_KEY is not"],
    );
    for bad in ["with space", " lead", "trail ", "line\nend", "tab\t", "quote\"", "back\\slash", "ümlaut", "\u{7f}"] {
        key_refused(
            &dir,
            &[("REBALANCER_API_KEY", bad), ("REBALANCER_API_SECRET", SECRET)],
            &["api key", "copy it again"],
        );
        key_refused(
            &dir,
            &[("REBALANCER_API_KEY", KEY), ("REBALANCER_API_SECRET", bad)],
            &["api secret", "copy it again"],
        );
    }
    // Half a key in the environment is not completed from the file.
    dir.write("credentials.json", key_file());
    dir.chmod("credentials.json", 0o600);
    key_refused(&dir, &[("REBALANCER_API_KEY", KEY)], &only_key);
}

#[test]
fn a_key_file_is_private_or_refused() {
    let (dir, other) = (Dir::with(LOCAL), Dir::new());
    let named = other.file("key.json");
    let named = [("REBALANCER_CREDENTIALS", named.to_str().unwrap())];
    dir.write("credentials.json", key_file());
    other.write("key.json", key_file());
    for mode in [0o600, 0o400, 0o700] {
        dir.chmod("credentials.json", mode);
        other.chmod("key.json", mode);
        key_found(&dir, &[]);
        key_found(&dir, &named);
    }
    for mode in [0o644, 0o640, 0o604, 0o660, 0o620, 0o602, 0o610, 0o601, 0o777] {
        dir.chmod("credentials.json", mode);
        other.chmod("key.json", mode);
        key_refused(&dir, &[], &["credentials.json", "group or others", "chmod 600", &format!("{mode:o}")]);
        key_refused(&dir, &named, &["key.json", "group or others", "chmod 600"]);
    }
    // The environment's key does not need the file.
    key_found(&dir, &[("REBALANCER_API_KEY", KEY), ("REBALANCER_API_SECRET", SECRET)]);
    key_refused(&dir, &[("REBALANCER_CREDENTIALS", "/no/where")], &["no API key", "/no/where"]);
    // A link to a file that others may read is no way around.
    let linked = Dir::with(LOCAL);
    other.chmod("key.json", 0o644);
    std::os::unix::fs::symlink(other.file("key.json"), linked.file("credentials.json")).unwrap();
    key_refused(&linked, &[], &["group or others"]);
}

#[test]
fn the_key_file_lies_beside_the_config() {
    let (dir, beside) = (Dir::new(), Dir::with(LOCAL));
    dir.write("credentials.json", key_file());
    dir.chmod("credentials.json", 0o600);
    let config = beside.file("config.json");
    let refused = run(&dir, &["plan", "-c", config.to_str().unwrap()]);
    assert!(refused.code == Some(2) && refused.err.contains(beside.path().to_str().unwrap()), "{refused:?}");
}

#[test]
fn a_key_file_that_is_not_understood_is_refused_without_showing_it() {
    // K is the key and S the secret; quotes are single here, and | is a line end.
    let refuse = |text: &str, words: &str| {
        let dir = Dir::with(LOCAL);
        let text = text.replace("'K", &format!("'{KEY}")).replace('S', SECRET).replace('\'', "\"").replace('|', "\n");
        dir.write("credentials.json", text);
        dir.chmod("credentials.json", 0o600);
        key_refused(&dir, &[], &[words]);
    };
    for text in
        ["", "{", "S", "['K', 'S']", "'S'", "{'S': 'api_secret'}", "{'api_key': 'K' 'S'}", "{'api_key': 'K', 'S'}"]
    {
        refuse(text, "credentials.json:1: ");
    }
    for rest in [
        "'api_secret': S}",
        "'api_secret': 'S}",
        "'api_secret': 'S',}",
        "'api_secret': ['S']}",
        "'api_secret': 5}",
        "'S': 'api_secret'}",
        "'api_key': 'K', 'api_secret': 'S'}",
        "'passphrase': 'x', 'api_secret': 'S'}",
        "'api_secret': 'S'} 'S'",
    ] {
        refuse(&format!("{{'api_key': 'K',|{rest}"), "credentials.json:2: ");
    }
    refuse("{}", "\"api_secret\"");
    refuse("{'api_key': 'K'}", "\"api_secret\"");
    refuse("{'api_secret': 'S'}", "\"api_key\"");
    refuse("{'api_key': '', 'api_secret': 'S'}", "api key");
    refuse("{'api_key': 'K', 'api_secret': 'S '}", "api secret");
    refuse("{'api_key': 'K', 'api_secret': 'S\\n'}", "api secret");
}

/// A server that answers every request with the request itself, as a refusal: the nosiest there is.
fn echo() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let (mut head, mut length) = (String::new(), 0);
            while reader.read_line(&mut head).is_ok_and(|count| count > 2) {
                let line = head.lines().last().unwrap_or("").to_ascii_lowercase();
                length = line.strip_prefix("content-length: ").map_or(length, |text| text.parse().unwrap());
            }
            let mut body = vec![0; length];
            let _ = reader.read_exact(&mut body);
            let said = format!("{head} {}", String::from_utf8_lossy(&body)).replace(['"', '\r', '\n', '\\'], " ");
            let body = format!("{{\"id\":1,\"method\":\"x\",\"code\":40101,\"message\":\"{said}\"}}");
            let reply = format!("HTTP/1.1 401 No\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let _ = reader.get_mut().write_all(reply.as_bytes());
        }
    });
    address
}

#[test]
fn no_command_ever_shows_the_key_or_the_secret() {
    let urls = ["http://127.0.0.1:1".to_string(), echo()];
    std::thread::scope(|scope| {
        for (url, from_file) in urls.iter().flat_map(|url| [(url, false), (url, true)]) {
            for args in [
                &["plan"][..],
                &["plan", "--json"],
                &["status"],
                &["once"],
                &["once", "--json"],
                &["check"],
                &["check", "--json"],
            ] {
                scope.spawn(move || {
                    let dir = Dir::with(&format!("{{\"allocation\": {{\"BTC\": 100}}, \"base_url\": \"{url}\"}}"));
                    let mut command = command(&dir, args);
                    command.arg("--verbose");
                    if from_file {
                        dir.write("credentials.json", key_file());
                        dir.chmod("credentials.json", 0o600);
                    } else {
                        command.env("REBALANCER_API_KEY", KEY).env("REBALANCER_API_SECRET", SECRET);
                    }
                    let run = finish(command);
                    assert!(matches!(run.code, Some(1 | 2)), "{run:?}");
                    let mut all = format!("{}{}", run.out, run.err);
                    assert!(all.contains("private/") || all.contains("public/"), "it asked the server: {run:?}");
                    for name in dir.names().iter().filter(|name| *name != "credentials.json") {
                        all.push_str(&dir.read(name));
                    }
                    assert!(!all.contains(SECRET), "{args:?} {url}: {all}");
                    assert!(!all.contains(KEY), "{args:?} {url}: {all}");
                });
            }
        }
    });
}
