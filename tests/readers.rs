//! Everything that reads what others wrote, against every cut and many changes of every recorded shape.
//!
//! The real adapter, config, paper account, journal and trading rules read from a machine in memory (tests/untrusted). What must hold:
//! it ends, it does not panic, it is an error or what serde_json reads in the same bytes, it holds no more than its limit.
//! The same holds under coverage-guided fuzzing: tests/fuzz/run.sh.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::use_debug)]
#![allow(clippy::float_arithmetic, missing_docs)]

#[path = "untrusted/mod.rs"]
mod untrusted;

use rebalancer::clock::{http_date, stamp};
use rebalancer::config::parse;
use rebalancer::disk::private;
use rebalancer::exchange::Kind;
use rebalancer::exchange::catalogue::Cache;
use rebalancer::exchange::signer::Credentials;
use rebalancer::journal::Journal;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;
use untrusted::changes::changes;
use untrusted::shapes::{
    BALANCE, CONFIG, CONFIG_GECKO, CONFIG_LIST, DETAIL, FLAT, OPEN, PAPER, PAPER_LIVE, RISK, SHAPES, Shape, TICKERS,
    right,
};
use untrusted::{Asked, KEY, Memory, NOW, Outcome, Replies, SECRET, Told, ask, files, oracle, seeds};

#[test]
fn the_fuzzing_begins_with_the_shapes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds");
    let write = std::env::var_os("REBALANCER_WRITE_SEEDS").is_some();
    for (target, name, bytes) in untrusted::seeds::all() {
        let path = folder.join(target).join(&name);
        if write {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &bytes).unwrap();
        }
        let said = "REBALANCER_WRITE_SEEDS=1 cargo test --test readers fuzzing writes them anew";
        assert!(std::fs::read(&path).is_ok_and(|there| there == bytes), "{} is another: {said}", path.display());
    }
}

/// Runs a test on a thread of its own; fails when it does not end.
fn watched(test: impl FnOnce() + Send + 'static) {
    let (done, end) = mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        let _done = done;
        test();
    });
    let end = end.recv_timeout(Duration::from_secs(300));
    assert!(end != Err(mpsc::RecvTimeoutError::Timeout), "a reader does not come to an end");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Asks with one answer in the place of the right one, and looks at what came of it with the second reading.
fn told(shape: &Shape, body: &[u8], impatient: bool) -> Asked {
    let mut replies = Replies::of(shape.method, Told::new(shape.status, body));
    replies.impatient = impatient;
    let asked = ask(shape.method, &replies);
    oracle::agree(shape.method, &replies, &asked);
    asked
}

#[test]
fn every_shape_is_read_as_it_was_recorded() {
    for shape in SHAPES {
        let asked = told(shape, shape.body.as_bytes(), false);
        let good = matches!(&asked.outcome, Ok(outcome) if !matches!(outcome, Outcome::Order(None)));
        let why = asked.outcome.err().map(|error| error.message).unwrap_or_default();
        assert_eq!(good, shape.good, "{}: {why}", shape.name);
    }
}

#[test]
fn no_prefix_of_any_answer_is_accepted() {
    watched(|| {
        for shape in SHAPES.iter().filter(|shape| shape.body.starts_with('{')) {
            for length in 0..shape.body.len() {
                let outcome = told(shape, &shape.body.as_bytes()[..length], false).outcome;
                let kind = outcome.err().unwrap_or_else(|| panic!("{}: {length} bytes accepted", shape.name)).kind;
                let unclear = matches!(kind, Kind::Garbled | Kind::Unknown);
                assert!(unclear || shape.status == 429, "{}: cut after {length} bytes, and sure of it", shape.name);
            }
        }
    });
}

#[test]
fn every_single_byte_change_of_any_answer_is_an_error_or_read_as_serde_json_reads_it() {
    watched(|| {
        for shape in SHAPES {
            let (mut accepted, mut refused) = (0, 0);
            changes(shape.body.as_bytes(), false, &mut |body, _| match told(shape, body, true).outcome {
                Ok(_) => accepted += 1,
                Err(_) => refused += 1,
            });
            assert!(
                refused > 0 && (accepted > 0 || !shape.good),
                "{}: {accepted} accepted, {refused} refused",
                shape.name
            );
        }
    });
}

#[test]
fn every_change_of_the_config_is_refused_or_read_as_serde_json_reads_it() {
    watched(|| {
        let least = r#"{"universe":{"source":"coingecko","top":5}}"#;
        for whole in [CONFIG, FLAT, CONFIG_GECKO, CONFIG_LIST, least] {
            let read = |text: &str| {
                let read = parse(text, Path::new("/"));
                files::config(text, &read);
                read.is_ok()
            };
            assert!(read(whole));
            for length in 0..whole.trim_end().len() {
                assert!(!read(&whole[..length]), "cut after {length} bytes");
            }
            let twice = whole.replace(r#""top""#, r#""top": 10, "top""#);
            assert!(twice == whole || !read(&twice), "a key of the list is repeated");
            let mut accepted = 0;
            changes(whole.as_bytes(), true, &mut |bytes, _| {
                accepted += usize::from(std::str::from_utf8(bytes).is_ok_and(read));
            });
            assert!(accepted > 0);
        }
    });
}

#[test]
fn every_change_of_the_paper_account_is_refused_and_left_alone_or_read_as_serde_json_reads_it() {
    watched(|| {
        for whole in [PAPER, PAPER_LIVE] {
            assert!(files::paper(whole.as_bytes()));
            for length in 0..whole.trim_end().len() {
                assert!(!files::paper(&whole.as_bytes()[..length]), "cut after {length} bytes");
            }
            let mut accepted = 0;
            changes(whole.as_bytes(), false, &mut |bytes, _| accepted += usize::from(files::paper(bytes)));
            assert!(accepted > 0);
        }
    });
}

#[test]
fn every_change_of_the_key_file_is_refused_without_showing_it_or_read_as_serde_json_reads_it() {
    // The file is read from the disk of this machine: a folder of its own for this test.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readers-key");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("credentials.json");
    let whole = format!("{{\"api_key\": \"{KEY}\",\n \"api_secret\": \"{SECRET}\"}}");
    let config = parse(FLAT, &folder).map_err(|error| error.message).unwrap();
    let _ = std::fs::remove_file(&path);
    private().create(true).write(true).open(&path).unwrap();
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        match config.credentials() {
            Err(error) => {
                let message = error.to_string();
                // Not even the better part of it.
                assert!(!message.contains(&SECRET[..12]) && !message.contains(&KEY[..6]), "{message}");
                assert!(!message.chars().any(char::is_control), "{message:?}");
                false
            }
            Ok(credentials) => {
                let json: serde_json::Value = serde_json::from_slice(bytes).unwrap();
                assert_eq!(json.as_object().unwrap().len(), 2);
                assert_eq!(json["api_key"], credentials.key.as_str());
                let theirs = Credentials::new(String::new(), json["api_secret"].as_str().unwrap().to_string());
                assert_eq!(credentials.sign("message"), theirs.sign("message"));
                true
            }
        }
    };
    assert!(read(whole.as_bytes()));
    for length in 0..whole.len() {
        assert!(!read(&whole.as_bytes()[..length]), "cut after {length} bytes");
    }
    let mut accepted = 0;
    changes(whole.as_bytes(), false, &mut |bytes, _| accepted += usize::from(read(bytes)));
    assert!(accepted > 0);
}

#[test]
fn no_change_of_a_journal_or_of_trading_rules_is_read_as_something_else() {
    let path = Path::new("state");
    let journal = seeds::journal();
    let said = |bytes: &[u8]| {
        let disk = Memory::with(path, bytes);
        let opened = Journal::open(&disk, path)
            .map(|journal| (journal.repaired, journal.state.orders.len(), journal.state.last_run));
        assert!(opened.is_ok() || disk.get(path) == bytes, "refused, and not left as it is");
        opened.ok()
    };
    assert_eq!(said(&journal), Some((false, 1, Some(NOW + 3))));
    let last_line = 1 + journal[..journal.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
    let end = journal.len();
    changes(&journal, true, &mut |bytes, what| {
        // What is left when the power went while the last line was written: its order was never sent.
        let torn = bytes.starts_with(&journal[..last_line]) && bytes[last_line..].iter().all(|byte| *byte != b'\n');
        match said(bytes) {
            None => {}
            Some((repaired, orders, last_run)) => {
                assert!(torn && repaired && orders == 0, "{what}: {orders} orders");
                assert_eq!(last_run, Some(NOW + 3));
            }
        }
        assert!(bytes.len().abs_diff(end) <= 1);
    });
    let rules = seeds::cache();
    let load = |bytes: &[u8]| {
        let disk = Memory::with(path, bytes);
        Cache::new(&disk, path.to_path_buf(), seeds::SUBJECT.to_string()).load(NOW)
    };
    let whole = load(&rules).unwrap();
    assert_eq!(whole.len(), 3);
    changes(&rules, true, &mut |bytes, what| {
        // A line may end as on another system, or the file without one.
        assert!(load(bytes).is_none_or(|again| again == whole), "{what}: other rules");
    });
}

#[test]
fn a_length_that_is_not_the_bodys_is_refused_however_it_is_written() {
    let shape = right(BALANCE);
    let exact = shape.body.len().to_string();
    let short = (shape.body.len() - 1).to_string();
    let with = |headers: &[(&str, &str)]| {
        let told = headers.iter().fold(Told::new(200, shape.body), |told, (name, value)| told.header(name, value));
        let replies = Replies::of(BALANCE, told);
        let asked = ask(BALANCE, &replies);
        oracle::agree(BALANCE, &replies, &asked);
        asked.outcome.is_ok()
    };
    assert!(with(&[]));
    let padded = format!(" {exact} ");
    for good in [exact.as_str(), &padded] {
        assert!(with(&[("CONTENT-length", good)]), "{good}");
    }
    let garbage =
        ["", "-1", "0", "many", "0x10", "1e3", "9223372036854775808", "99999999999999999999999", "\u{a0}", "1,2"];
    let negative = format!("-{exact}");
    for bad in garbage.into_iter().chain([short.as_str(), &negative]) {
        assert!(!with(&[("Content-Length", bad)]), "{bad:?} was accepted");
        // The first counts here; minreq refuses what is no number, and reads as far as the last.
        assert!(!with(&[("Content-Length", bad), ("content-length", &exact)]), "{bad:?} before the right one");
        // A body in pieces has no length of its own.
        assert!(with(&[("Content-Length", bad), ("Transfer-Encoding", "chunked")]), "{bad:?} in pieces");
    }
}

#[test]
fn a_date_that_is_none_tells_no_time_and_one_that_is_far_can_be_counted_from() {
    let time = |dates: &[&str]| {
        let told = dates.iter().fold(Told::new(200, right(BALANCE).body), |told, date| told.header("dAtE", date));
        let replies = Replies::of(BALANCE, told);
        let asked = ask(BALANCE, &replies);
        assert!(asked.outcome.is_ok());
        asked.time
    };
    let now = "Sun, 16 Aug 2026 21:46:40 GMT";
    assert_eq!(time(&[now]), Some(NOW));
    assert_eq!(time(&["Sun, 16 Aug 2026 21:46:38 GMT"]), Some(NOW), "our own clock, when both agree");
    assert_eq!(time(&["Sun, 16 Aug 2026 22:46:40 GMT"]), Some(NOW + 3_600_000));
    assert_eq!(time(&["Thu, 01 Jan 1970 00:00:00 GMT"]), Some(0));
    assert_eq!(time(&["Fri, 31 Dec 9999 23:59:60 GMT"]), Some(253_402_300_800_000));
    assert_eq!(time(&[now, "Fri, 31 Dec 9999 23:59:59 GMT"]), Some(NOW), "the first of two");
    let none = [
        "",
        "0",
        "-1",
        "99999999999999999999",
        "2026-08-16T21:46:40Z",
        "Sunday, 16-Aug-26 21:46:40 GMT",
        "Sun Aug 16 21:46:40 2026",
        "Sun, 16 Aug 2026 21:46:40 UTC",
        "Sun, 31 Feb 2026 21:46:40 GMT",
        "Sun, 16 Aug 2026 24:00:00 GMT",
        "Sun, 16 Aug -026 21:46:40 GMT",
        "Sun, 16 Aug 1969 21:46:40 GMT",
        "Sun, 16 \u{c4}ug 2026 1:46:40 GMT",
    ];
    for date in none {
        assert_eq!(time(&[date]), None, "{date:?}");
    }
    // Every change of a byte: nothing, or the moment that stands there.
    changes(now.as_bytes(), true, &mut |bytes, what| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        // A leap second is the next minute's first.
        if let Some(ms) = http_date(text).filter(|_| !text.contains(":60 ")) {
            let shown = stamp(ms, 0);
            let text = text.trim();
            assert_eq!(
                (text.len(), &shown[..4], &shown[8..]),
                (29, &text[12..16], &*format!("{} {}", &text[5..7], &text[17..25])),
                "{what}"
            );
        }
    });
    for length in 0..now.len() {
        assert_eq!(http_date(&now[..length]), None);
    }
}

#[test]
fn a_tickers_time_can_be_counted_from_whatever_it_is() {
    for (time, told) in [
        ("1786916797915", Some(NOW - 2085)),
        ("\"1786916797915\"", Some(NOW - 2085)),
        ("9223372036854775807", None),
        ("\"-9223372036854775807\"", None),
        ("\"-9223372036854775808\"", None),
        ("-1", None),
        ("null", None),
        ("253402300799999", Some(253_402_300_799_999)),
        ("253402300800000", None),
    ] {
        let body = format!(r#"{{"code":0,"result":{{"data":[{{"i":"BTC_USDT","b":"1","k":"2","t":{time}}}]}}}}"#);
        let replies = Replies::of(TICKERS, Told::new(200, body));
        let asked = ask(TICKERS, &replies);
        assert!(asked.outcome.is_ok(), "{time}");
        // The answers of this test come without a date, and without any pause after the tickers.
        assert_eq!(asked.time, told, "{time}");
    }
}

#[test]
fn a_null_after_a_price_is_no_price_and_the_last_of_two_prices_counts() {
    let bid = |members: &str| {
        let body = format!(r#"{{"code":0,"result":{{"data":[{{"i":"BTC_USDT","k":"2","b":"1",{members}}}]}}}}"#);
        let replies = Replies::of(TICKERS, Told::new(200, body));
        let asked = ask(TICKERS, &replies);
        oracle::agree(TICKERS, &replies, &asked);
        match asked.outcome {
            Ok(Outcome::Listings(listings)) => {
                listings.get("BTC").and_then(|btc| btc.quote).map(|quote| quote.bid.to_string())
            }
            _ => panic!("{members}: an error"),
        }
    };
    assert_eq!(bid(r#""x":null"#).as_deref(), Some("1"));
    assert_eq!(bid(r#""b":"1.5""#).as_deref(), Some("1.5"));
    for nothing in ["null", "[]", "{}"] {
        assert_eq!(bid(&format!(r#""b":{nothing}"#)), None, "{nothing}");
    }
}

#[test]
fn only_the_named_list_is_a_list_and_it_must_be_there() {
    let rows = r#"[{"instrument_name":"BTC","min_order_notional_usd":"7"}]"#;
    let minimum = |risk: String| {
        let replies = Replies::of(RISK, Told::new(200, risk));
        let asked = ask(RISK, &replies);
        oracle::agree(RISK, &replies, &asked);
        match asked.outcome {
            Ok(Outcome::Listings(listings)) => listings.get("BTC").map(|listing| listing.market.min_value.to_string()),
            _ => None,
        }
    };
    let risk = |result: &str| format!(r#"{{"code":0,"result":{result}}}"#);
    assert_eq!(minimum(risk(&format!(r#"{{"base_currency_config":{rows}}}"#))).as_deref(), Some("7"));
    assert_eq!(minimum(risk(r#"{"base_currency_config" : [] }"#)).as_deref(), Some("1"), "no special minimum");
    for result in [
        "{}",
        r#"{"base_currency_config":{}}"#,
        r#"{"base_currency_config":null}"#,
        r#"{"other":"base_currency_config"}"#,
        r#"{"base_currency_config\\":[]}"#,
        r#"{"x":{"base_currency_config":[]}}"#,
        "[]",
        r#""base_currency_config""#,
    ] {
        assert_eq!(minimum(risk(result)), None, "{result}");
    }
    // A name with an escape in it is another name.
    for key in [r"base_currency_confi\g", r"\base_currency_config", r"base_currency_config\\"] {
        assert_eq!(
            minimum(risk(&format!(r#"{{"{key}":{rows},"base_currency_config":[]}}"#))).as_deref().unwrap_or("1"),
            "1"
        );
    }
    assert_eq!(minimum(format!(r#"{{"code":0,"resul\t":{{"base_currency_config":{rows}}},"result":{{}}}}"#)), None);
}

#[test]
fn what_an_exchange_wrote_reaches_the_owner_without_control_characters_and_short() {
    let escape = r"\u001b[2J\n\u009b\u007f";
    let long = "A".repeat(20_000);
    for name in [escape, long.as_str()] {
        let rows = format!(r#"{{"instrument_name":"{name}","quantity":"1","reserved_qty":"0"}}"#);
        let good = format!(r#"{{"code":0,"result":{{"data":[{{"position_balances":[{rows}]}}]}}}}"#);
        for (method, body) in [
            (BALANCE, good.replace("\"1\"", "\"x\"")),
            (BALANCE, good),
            (BALANCE, format!(r#"{{"code":40101,"message":"{name}"}}"#)),
            (BALANCE, "{\"code\":0,\"\u{9b}2J\" x".to_string()),
            (
                OPEN,
                format!(r#"{{"code":0,"result":{{"data":[{{"client_oid":"{name}","instrument_name":"{name}"}}]}}}}"#),
            ),
            (
                DETAIL,
                format!(
                    r#"{{"code":0,"result":{{"client_oid":"rb1","order_id":"{name}","status":"{name}","cumulative_quantity":"0","cumulative_value":"0"}}}}"#
                ),
            ),
            (
                RISK,
                format!(
                    r#"{{"code":0,"result":{{"base_currency_config":[{{"instrument_name":"BTC","min_order_notional_usd":"{}"}}]}}}}"#,
                    &name[..name.len().min(9000)]
                ),
            ),
        ] {
            let replies = Replies::of(method, Told::new(200, body));
            let asked = ask(method, &replies);
            oracle::agree(method, &replies, &asked);
            let words: Vec<String> = match asked.outcome {
                Err(error) => vec![error.message],
                Ok(Outcome::Balances(all)) => all.into_iter().map(|balance| balance.coin).collect(),
                Ok(Outcome::Open(all)) => all.into_iter().flat_map(|order| [order.client_id, order.symbol]).collect(),
                Ok(Outcome::Order(Some(order))) => vec![order.order_id, order.status],
                Ok(_) => panic!("{method}: no words"),
            };
            for word in words {
                assert!(!word.chars().any(char::is_control) && word.chars().count() <= 500, "{method}: {word:?}");
            }
            assert!(asked.log.lines().all(|line| line.starts_with("2026-08-16 ") && line.len() < 600), "{}", asked.log);
        }
    }
}
