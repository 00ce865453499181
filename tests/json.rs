//! The JSON reader against every cut and many changes of the venue's replies, and against serde_json.
//!
//! The tokenizer underneath may loop or panic on what is not JSON, so the contract is: whatever bytes come, [`validate`],
//! [`Reader`] and [`rows`] end with a value or an error, and what they accept, another reader accepts and reads alike.
//! Each test runs under a watchdog: a loop is a failure and not a test run that never ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::use_debug)]
#![allow(missing_docs)]

#[path = "untrusted/walk.rs"]
mod walk;

use proptest::prelude::*;
use rebalancer::json::{Error, Next, Reader, RowsError, rows, validate};
use serde_json::Value;
use std::io::{self, Read};
use std::sync::mpsc;
use std::time::Duration;

const INSTRUMENTS: &str = r#"{"id":-1,"method":"public/get-instruments","code":0,"result":{"data":[
 {"symbol":"BTC_USDT","inst_type":"CCY_PAIR","display_name":"BTC/USDT","base_ccy":"BTC","quote_ccy":"USDT","quote_decimals":2,"price_tick_size":"0.01","qty_tick_size":"0.00001","max_leverage":"50","tradable":true,"expiry_timestamp_ms":0,"session":{"symbol":"]}{\"","levels":[["1",null],{}]}},
 {"symbol":"SHIB_BTC@OEX_HK","inst_type":"CCY_PAIR","quantity_decimals":0,"tradable":false}]}}"#;
const TICKERS: &str = r#"{"id":1,"method":"public/get-tickers","code":0,"result":{"data":[{"i":"BTC_USDT","h":"63332.40","a":null,"c":"-0.0041","b":"62845.65","k":"62845.66","oi":null,"t":1786916797915},{"i":"DYM_USD","b":null,"k":"0.01460","depth":{"b":"0.1","levels":[["1","2"]]}}]}}"#;
const RISK: &str = r#"{"id":-1,"method":"public/get-risk-parameters","code":0,"result":{"default_unit_margin_rate":"0.05","update_timestamp_ms":1786916797915,"base_currency_config":[{"instrument_name":"BTC","min_order_notional_usd":"1.0","max_order_notional_usd":"1000000.0","order_limit":"x"},{"instrument_name":"CRPT"}],"perpetual_swap_config":[{"instrument_name":"BTCUSD-PERP"}]}}"#;
const BALANCE: &str = r#"{"id":1,"method":"private/user-balance","code":0,"result":{"data":[{"instrument_name":"USD","total_cash_balance":"19.82186564","isolated_positions":[],"is_liquidating":false,"position_balances":[{"instrument_name":"CRO","quantity":"29.01316839415396","reserved_qty":"0","collateral_eligible":"true","borrowable":{"quantity":"1","limits":[]}}]}]}}"#;
const ACK: &str = r#"{"id":1786916800003,"method":"private/create-order","code":0,"result":{"client_oid":"rb20261122x0001","order_id":"6530219466236720401","new":[{}]}}"#;
const FILLED: &str = r#"{"id":"11","method":"private/get-order-detail","code":"0","result":{"order_id":"6142909983412425183","client_oid":"rb1","side":"SELL","exec_inst":[],"quantity":"0.00079","avg_price":"62845.65","cumulative_quantity":"0.00079","cumulative_value":"49.6480635","cumulative_fee":"0.24","status":"FILLED","reason":0,"create_time":1786916797915,"create_time_ns":"1786916797915000000"}}"#;
const CANCELED: &str = r#"{"id":12,"method":"private/get-order-detail","code":0,"result":{"order_type":"MARKET","side":"BUY","exec_inst":["NOTIONAL_ORDER"],"quantity":"17","order_value":"1.00000","cumulative_quantity":"18","cumulative_value":"0.9882","status":"CANCELED","reason":0,"client_oid":"rb2","ref_price_type":"NULL_VAL"}}"#;
const ACTIVE: &str = r#"{"id":13,"method":"private/get-order-detail","code":0,"result":{"client_oid":"rb3","status":"ACTIVE","cumulative_quantity":"0","cumulative_value":"0","isolation_id":null,"extra":{"status":"FILLED","quantity":[null,-1.50]}}}"#;
const OPEN: &str = r#"{"id":14,"method":"private/get-open-orders","code":0,"result":{"data":[{"client_oid":"","order_id":"65","instrument_name":"BTC_USDT","status":"ACTIVE"},{"client_oid":"a\u00e9\ud83d\ude00\"\\\/","instrument_name":"ETH_USDT"}]}}"#;
const NO_OPEN: &str = r#"{"id":15,"method":"private/get-open-orders","code":0,"result":{"data":[]}}"#;
const REFUSED: &str =
    r#"{"id":16,"method":"private/user-balance","code":40101,"message":"UNAUTHORIZED","original":"{\"id\":1}"}"#;
const REJECTED: &str = r#"{"id":17,"method":"private/create-order","code":415,"message":"BELOW_MIN_ORDER_SIZE","result":{"client_oid":"1741","order_id":"6530"}}"#;
const REPLIES: [&str; 12] =
    [INSTRUMENTS, TICKERS, RISK, BALANCE, ACK, FILLED, CANCELED, ACTIVE, OPEN, NO_OPEN, REFUSED, REJECTED];
/// What a byte is replaced by: everything that means something in JSON, or in the tokenizer, or nothing anywhere.
const BYTES: &[u8] = b"\"\\{}[],:.-0e/*u\n \0\x7f\xc3\xff";

/// Runs a test on a thread of its own; fails when it does not end.
fn watched(test: impl FnOnce() + Send + 'static) {
    let (done, end) = mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        let _done = done;
        test();
    });
    if end.recv_timeout(Duration::from_secs(300)) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("the reader does not come to an end");
    }
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// What serde_json reads; nothing where only the size of an exponent keeps it from reading.
fn reference(text: &str) -> Option<Result<Value, String>> {
    let read = serde_json::from_str(text).map_err(|error| error.to_string());
    read.as_ref().err().is_none_or(|why| !why.contains("number out of range")).then_some(read)
}

/// What we accept, serde_json accepts, and it reads the same; a walk that skips everything ends as well.
fn agrees(text: &str) -> bool {
    let accepted = validate(text).is_ok();
    let skipped = Reader::new(text).and_then(|mut reader| reader.skip());
    assert_eq!(accepted, skipped.is_ok(), "{text:?}");
    match (walk::walk(text), reference(text)) {
        (Ok(ours), Some(theirs)) => assert_eq!(Ok(ours), theirs, "{text:?}"),
        (Ok(_), None) => {}
        (Err(_), _) => assert!(!accepted, "validated and then not read: {text:?}"),
    }
    accepted
}

/// Hands out a text in pieces of these sizes, over and over; an empty piece is an interruption.
struct Pieces<'a>(&'a [u8], std::iter::Cycle<std::slice::Iter<'a, usize>>);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.1.next().copied().unwrap_or(1).min(self.0.len()).min(buffer.len()) {
            0 if !self.0.is_empty() => Err(io::ErrorKind::Interrupted.into()),
            count => {
                buffer[..count].copy_from_slice(&self.0[..count]);
                self.0 = &self.0[count..];
                Ok(count)
            }
        }
    }
}

/// The rows, each validated as the contract wants, and the rest; or why not.
fn rows_in(text: &[u8], list: &str, sizes: &[usize]) -> Result<(Vec<String>, String), String> {
    limited(text, list, sizes, 4096, 65_536)
}

fn limited(
    text: &[u8],
    list: &str,
    sizes: &[usize],
    most_row: usize,
    most_rest: usize,
) -> Result<(Vec<String>, String), String> {
    let mut found = Vec::new();
    let rest = rows(&mut Pieces(text, sizes.iter().cycle()), Some(list), most_row, most_rest, &mut |row| {
        validate(row).map_err(|error| error.to_string())?;
        found.push(row.to_string());
        Ok(())
    });
    match rest {
        Ok(rest) => Ok((found, rest)),
        Err(RowsError::Io(error)) => Err(error.to_string()),
        Err(RowsError::Garbled(why)) => Err(why),
    }
}

fn list_of(reply: &str) -> &'static str {
    if reply == RISK { "base_currency_config" } else { "data" }
}

#[test]
fn every_reply_is_read_and_none_of_its_prefixes_is() {
    watched(|| {
        for reply in REPLIES {
            assert!(agrees(reply), "{reply}");
            assert!(rows_in(reply.as_bytes(), list_of(reply), &[4096]).is_ok(), "{reply}");
            for end in 0..reply.len() {
                let prefix = &reply[..end];
                assert!(!agrees(prefix), "{prefix}");
                assert!(rows_in(prefix.as_bytes(), list_of(reply), &[4096]).is_err(), "{prefix}");
            }
        }
    });
}

#[test]
fn every_changed_missing_or_doubled_byte_is_an_error_or_read_as_serde_json_reads_it() {
    watched(|| {
        for reply in REPLIES {
            for at in 0..reply.len() {
                let (before, after) = (&reply.as_bytes()[..at], &reply.as_bytes()[at + 1..]);
                let byte = reply.as_bytes()[at];
                let doubled = [byte, byte];
                let changes = BYTES.iter().map(std::slice::from_ref).chain([&[][..], &doubled]);
                for change in changes {
                    let changed = [before, change, after].concat();
                    let _ = std::str::from_utf8(&changed).map(agrees);
                    let list = list_of(reply);
                    let Ok((found, _)) = rows_in(&changed, list, &[4096]) else { continue };
                    let text = String::from_utf8_lossy(&changed);
                    let Some(document) = reference(&text) else { continue };
                    let document =
                        document.unwrap_or_else(|why| panic!("rows were read from what is not JSON: {why}: {text}"));
                    let lists = document.as_object().into_iter().filter_map(|members| members.get("result"));
                    let rows =
                        lists.filter_map(|member| member[list].as_array()).flatten().filter(|row| row.is_object());
                    let found: Vec<Value> = found.iter().map(|row| serde_json::from_str(row).unwrap()).collect();
                    assert_eq!(found, rows.cloned().collect::<Vec<_>>(), "{text}");
                }
            }
        }
    });
}

#[test]
fn rows_are_the_same_in_pieces_of_any_size() {
    watched(|| {
        for reply in REPLIES {
            let whole = rows_in(reply.as_bytes(), list_of(reply), &[4096]);
            for sizes in [&[1][..], &[2], &[3, 1, 7], &[0, 1], &[4095, 2], &[1021], &[64, 0, 0, 5]] {
                assert_eq!(rows_in(reply.as_bytes(), list_of(reply), sizes), whole, "{sizes:?}");
            }
        }
        assert_eq!(rows_in(INSTRUMENTS.as_bytes(), "data", &[1]).unwrap().0.len(), 2);
        assert_eq!(rows_in(RISK.as_bytes(), "base_currency_config", &[1]).unwrap().0.len(), 2);
    });
}

#[test]
fn only_the_objects_of_the_named_list_are_rows() {
    let text = r#"{ "news":{"data":[{"a":0}],"x":"data"},"result": {"more":[{"a":1}] ,"data" : [ {"a":"]}[{\\\"","b":{"data":[{"c":1}]}} , {} ,null, [{"d":1}],{"e":[[]]}] ,"tail":[{"a":2}],"last":{"data":[{"f":1}]}},"data":[{"g":1}]}"#;
    let (found, rest) = rows_in(text.as_bytes(), "data", &[3]).unwrap();
    assert_eq!(found, [r#"{"a":"]}[{\\\"","b":{"data":[{"c":1}]}}"#, "{}", r#"{"e":[[]]}"#]);
    let rest: Value = serde_json::from_str(&rest).unwrap();
    assert_eq!(rest["result"]["tail"][0]["a"], 2);
    assert_eq!(rest["result"]["data"].as_array().unwrap().len(), 5);
    assert_eq!(rest["data"][0]["g"], 1);
}

#[test]
fn what_stands_between_rows_must_be_a_comma() {
    for text in [
        "[{}{}]",
        "[{}.{}]",
        "[{} {}]",
        "[-{}]",
        "[1{}]",
        "[{}5]",
        "[{}:{}]",
        "[{},]",
        "[,{}]",
        "[\"a\"{}]",
        "[{},{}",
        "[{}}]",
        "[{]]",
    ] {
        let text = format!(r#"{{"result":{{"data":{text}}}}}"#);
        assert!(rows_in(text.as_bytes(), "data", &[1]).is_err(), "{text}");
    }
    assert!(rows_in(br#"{"result":{"data":[{},{}]}}"#, "data", &[1]).is_ok());
    assert!(rows_in(b"{\"result\":{\"data\":[{\"a\":\"\xff\"}]}}", "data", &[1]).is_err());
    assert!(rows_in(b"{\"result\":{\"x\":\"\xff\",\"data\":[]}}", "data", &[1]).is_err());
}

#[test]
fn a_row_or_a_rest_above_its_limit_ends_the_reading_and_so_does_the_rows_owner() {
    let document = |row: usize, rest: usize| {
        format!(r#"{{"x":"{}","result":{{"data":[{{"k":"{}"}}]}}}}"#, "r".repeat(rest), "r".repeat(row)).into_bytes()
    };
    assert!(limited(&document(992, 100), "data", &[4096], 1000, 200).is_ok());
    for (row, rest) in [(994, 100), (5000, 100), (100_000, 100), (10, 201), (10, 100_000)] {
        for size in [1, 999, 4096] {
            let why = limited(&document(row, rest), "data", &[size], 1000, 200).unwrap_err();
            assert_eq!(why, "the document is larger than it can be", "{row} {rest}");
        }
    }
    let refused = rows(&mut &document(1, 1)[..], Some("data"), 100, 100, &mut |_| Err("no".to_string()));
    assert!(matches!(refused, Err(RowsError::Garbled(why)) if why == "no"));
    let broken = rows(&mut io::empty().chain(Broken), Some("data"), 100, 100, &mut |_| Ok(()));
    assert!(matches!(broken, Err(RowsError::Io(error)) if error.to_string() == "gone"));
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("gone"))
    }
}

#[test]
fn what_is_not_json_is_refused_and_what_is_json_is_not() {
    watched(|| {
        for bad in [
            "",
            " ",
            "\n",
            "{}}",
            "{} {}",
            "[] 1",
            "{},",
            "nul",
            "nullx",
            "True",
            "NaN",
            "Infinity",
            "-",
            "-Infinity",
            "+1",
            ".5",
            "1.",
            "-.5",
            "01",
            "-01",
            "00",
            "1e+5",
            "1e",
            "1e-",
            "1e5.5",
            "1ee5",
            "e5",
            "12345678901234567890",
            "12345678901234567890.5",
            "0x10",
            "1_000",
            "1,2",
            "{'a':1}",
            "{a:1}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\" 1}",
            "{\"a\":1,}",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{,}",
            "{1:2}",
            "// x\n1",
            "/* x */1",
            "1 // x",
            "{\"a\":/**/1}",
            "\"a",
            "\"a\nb\"",
            "\"a\tb\"",
            "\"\0\"",
            "\0",
            "1\0",
            "{}\0",
            "\"\\x\"",
            "\"\\0\"",
            "\"\\u12\"",
            "\"\\u12G4\"",
            "\"\\u+123\"",
            "\"\\u0000\"",
            "\"\\ud800\"",
            "\"\\ud800x\"",
            "\"\\ud800\\n\"",
            "\"\\ud800\\ud800\"",
            "\"\\udc00\"",
            "\"\\udc00\\ud800\"",
            "\"\\",
            "\"\\u",
            "\"\\ud83d\\u",
            "\u{feff}1",
            "\u{a0}1",
            "1\u{2028}",
            "-1234567890123456789",
            "[",
            "]",
            "{\"a\":[}",
            "[{]}",
            "\u{c}1",
            "tru",
            "truefalse",
        ] {
            assert!(!agrees(bad), "{bad:?} was accepted");
        }
        for good in [
            "1",
            "-0",
            "1e5",
            "-1.50E-3",
            "1e999",
            "9999999999999999999",
            "0.0",
            "-1.50",
            "123456789012345678",
            "-123456789012345678",
            "0.1234567890123456789012345",
            "true",
            " null\n",
            "\"\"",
            "\"\\ud83d\\ude00\\u00e9\\b\\f\\n\\r\\t\\/\\\\\\\"\"",
            "\"\u{7f}\u{2028}\u{10ffff}/*//\"",
            "[]",
            "{}",
            "[ ]",
            "{ }",
            "\r\n[1 ,\t2]\r\n",
            "{\"a\":1,\"a\":2}",
            "{\"\":{\"\":[]}}",
            "[[],{},[{}],\"\",0,null]",
            "\"\\u0001\"",
        ] {
            assert!(agrees(good), "{good:?} was refused");
        }
    });
}

#[test]
fn a_document_may_be_thirty_two_levels_deep_and_no_deeper() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |levels: usize| format!("{}1{}", open.repeat(levels), close.repeat(levels));
        assert!(agrees(&nested(32)));
        assert!(!agrees(&nested(33)));
        assert!(!agrees(&nested(100_000)));
        assert!(!agrees(&open.repeat(100_000)));
        let row = format!(r#"{{"result":{{"data":[{{"a":{}}}]}}}}"#, nested(1000));
        assert!(limited(row.as_bytes(), "data", &[4096], 100_000, 1000).is_err());
    }
}

#[test]
fn scalars_are_the_text_that_was_written_and_repeated_keys_all_arrive() {
    let text = r#"{"a":-0.500e1,"b":"1e5","c":1234567890123456789,"d":null,"e":true,"f":[1],"a":"x","g":{"a":1}}"#;
    let mut seen = Vec::new();
    let read = Reader::new(text).and_then(|mut reader| {
        reader.object(&mut |reader, key| {
            seen.push((key.to_string(), reader.scalar()?));
            Ok(())
        })
    });
    assert!(read.is_ok());
    let seen: Vec<_> = seen.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
    let (a, b, c) = (("a", Some("-0.500e1")), ("b", Some("1e5")), ("c", Some("1234567890123456789")));
    assert_eq!(seen, [a, b, c, ("d", None), ("e", None), ("f", None), ("a", Some("x")), ("g", None)]);
}

#[test]
fn a_wrong_kind_of_value_is_an_error_and_not_a_guess() {
    let read = |text: &'static str| Reader::new(text).ok().unwrap();
    assert!(read("[1]").object(&mut |reader, _| reader.skip()).is_err());
    assert!(read("{}").array(&mut |reader| reader.skip()).is_err());
    for text in ["1", "null", "true", "[]", "{}"] {
        assert!(read(text).text().is_err(), "{text}");
    }
    for text in ["\"1\"", "null", "true", "[]", "{}"] {
        assert!(read(text).number().is_err(), "{text}");
    }
    for text in ["\"true\"", "1", "null", "[true]", "{}"] {
        assert!(read(text).truth().ok().unwrap().is_none(), "{text}");
    }
}

#[test]
fn errors_and_values_name_their_line() {
    let line = |text: &str| validate(text).err().map(|error| error.line);
    for (text, expected) in [
        ("x", 1),
        ("\nx", 2),
        ("\r\n\r\nx", 3),
        ("{\n\"a\": 1,\n\"b\": tru\n}", 3),
        ("{\n\"a\": 1\n\"b\": 2\n}", 3),
        ("[1,\n2,\n]", 3),
        ("[\n1\n", 3),
        ("[\n1", 2),
        ("{}\n\n x", 3),
        ("[\n\"a\nb\"]", 2),
        ("[1,\n1e+5,\n2]", 2),
        ("[\n\n0123]", 3),
        ("[\"\\n\\n\",\n?]", 2),
    ] {
        assert_eq!(line(text), Some(expected), "{text:?}");
    }
    let text =
        "\n{\n\"one\": 3,\r\n  \"two\":\n 5 ,\"three\":5\n,\n\n\"four\": [\n9,\n\n{\"a\"\n:\n\"13\\n\"}\n,14\n]\n}\n";
    let mut lines = Vec::new();
    fn walk(reader: &mut Reader<'_>, lines: &mut Vec<(usize, String)>) -> Result<(), Error> {
        let line = reader.line();
        match reader.next() {
            Next::Object => reader.object(&mut |reader, _| walk(reader, lines)),
            Next::Array => reader.array(&mut |reader| walk(reader, lines)),
            _ => {
                lines.push((line, reader.scalar()?.unwrap_or_default().trim_end().to_string()));
                Ok(())
            }
        }
    }
    let mut reader = Reader::new(text).ok().unwrap();
    assert_eq!(reader.line(), 2);
    assert!(walk(&mut reader, &mut lines).is_ok());
    assert_eq!(lines.len(), 6);
    assert!(lines.iter().all(|(line, said)| line.to_string() == *said), "{lines:?}");
    assert_eq!(Reader::new("[\n1,\n2]").ok().unwrap().error("so").line, 1);
}

/// JSON as it may be written: any spaces, any spelling of a letter, any order, keys repeated.
fn document() -> impl Strategy<Value = String> {
    let number = prop_oneof!["-?(0|[1-9][0-9]{0,17})(\\.[0-9]{1,20})?", "-?[0-9.eE+-]{1,6}"];
    let letter = prop_oneof![
        "[^\"\\\\\\x00-\\x1f]",
        "\\\\[\"\\\\/bfnrt]",
        "\\\\u[0-9a-fA-F]{4}",
        "\\\\ud8[0-9a-f]{2}\\\\udc[0-9A-F]{2}"
    ];
    let text = prop::collection::vec(letter, 0..6).prop_map(|letters| format!("\"{}\"", letters.concat())).boxed();
    let scalar = prop_oneof![3 => number, 3 => text.clone(), 1 => "true|false|null"].boxed();
    let space = "[ \t\r\n]{0,2}";
    scalar.prop_recursive(5, 40, 5, move |inner| {
        let value = (space, inner, space).prop_map(|(before, value, after)| format!("{before}{value}{after}")).boxed();
        let member = (space, text.clone(), space, value.clone())
            .prop_map(|(before, key, after, value)| format!("{before}{key}{after}:{value}"));
        prop_oneof![
            prop::collection::vec(value, 0..5).prop_map(|values| format!("[{}]", values.join(","))),
            prop::collection::vec(member, 0..5).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_accepted_is_read_as_serde_json_reads_it(text in document()) {
        let accepted = agrees(&text);
        if !accepted && let Ok(value) = serde_json::from_str::<Value>(&text) {
            // Refused on purpose: a plus in an exponent, and the letter zero.
            prop_assert!(has_plus(&text) || text.contains("\\u0000"), "refused: {} {}", text, value);
        }
    }

    #[test]
    fn a_change_anywhere_is_refused_or_read_as_serde_json_reads_it(text in document(), at in any::<prop::sample::Index>(), new in any::<char>(), insert in any::<bool>()) {
        let letters: Vec<char> = text.chars().collect();
        let at = at.index(letters.len() + 1);
        let rest = letters.iter().skip(if insert { at } else { at + 1 });
        agrees(&letters[..at].iter().chain([&new]).chain(rest).collect::<String>());
    }

    #[test]
    fn rows_find_what_serde_json_finds(values in prop::collection::vec(document(), 0..5), sizes in prop::collection::vec(0_usize..9, 1..4)) {
        let text = format!("{{\"code\":0,\"result\":{{\"x\":[{{}}],\"data\":[{}]}}}}", values.join(","));
        let sizes: Vec<usize> = sizes.into_iter().chain([1]).collect();
        match (rows_in(text.as_bytes(), "data", &sizes), reference(&text).unwrap_or(Ok(Value::Null))) {
            (Ok(_), Ok(Value::Null)) => {}
            (Ok((found, _)), Ok(value)) => {
                let found: Vec<Value> = found.iter().map(|row| serde_json::from_str(row).unwrap()).collect();
                let rows: Vec<Value> = value["result"]["data"].as_array().unwrap().iter().filter(|row| row.is_object()).cloned().collect();
                prop_assert_eq!(found, rows);
            }
            (Ok(_), Err(error)) => prop_assert!(false, "rows were read from what is not JSON: {} {}", text, error),
            (Err(why), _) => prop_assert!(validate(&text).is_err(), "{}: {}", why, text),
        }
    }
}

/// Whether a number of the text, outside its strings, has a plus.
fn has_plus(text: &str) -> bool {
    let (mut inside, mut escaped) = (false, false);
    text.chars().any(|letter| {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = inside,
            '"' => inside = !inside,
            _ => {}
        }
        !inside && letter == '+'
    })
}
