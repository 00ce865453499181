//! What fuzzing begins with: the shapes and the program's own files, in the form that each target of tests/fuzz reads.

use super::shapes::{CONFIG, CONFIG_GECKO, CONFIG_LIST, FLAT, GECKO, LISTS, METHODS, PAPER, PAPER_LIVE, SHAPES};
use super::{Memory, NOW, oracle, sell};
use rebalancer::amount::Percent;
use rebalancer::exchange::OrderState;
use rebalancer::exchange::catalogue::{Cache, Instrument, Instruments};
use rebalancer::journal::{Intent, Journal};
use rebalancer::store::unseal;
use rebalancer::universe::members::Seat;
use rebalancer::universe::record::{Member, Record};
use std::path::{Path, PathBuf};

/// Target, name and bytes.
pub type Seed = (&'static str, String, Vec<u8>);

/// A journal with a sell that is over, a buy that is open, and a cycle between them.
pub fn journal() -> Vec<u8> {
    let (disk, path) = (Memory::default(), Path::new("journal"));
    let mut journal = Journal::open(&disk, path).map_err(|error| error.to_string()).unwrap();
    for number in 0..2 {
        let intent = Intent {
            client_id: journal.next_id(NOW + number),
            order: sell(),
            at: NOW + number,
            expires: NOW + 35_000,
            had: oracle::quantity("1.5"),
            cash: oracle::quantity("250.25"),
            look: number,
        };
        assert!(journal.intend(&intent).is_ok());
        if number == 0 {
            let state = OrderState {
                order_id: "65".to_string(),
                status: "CANCELED".to_string(),
                terminal: true,
                filled_quantity: oracle::quantity("0.005"),
                filled_value: oracle::value("314.25"),
            };
            assert!(journal.conclude(&intent.client_id, &state, NOW + 2).is_ok() && journal.finish(NOW + 3).is_ok());
        }
    }
    drop(journal);
    disk.get(path)
}

/// The subject of the trading rules below.
pub const SUBJECT: &str = "test USDT";

/// The trading rules of three coins, one without an instrument.
pub fn cache() -> Vec<u8> {
    let (disk, path) = (Memory::default(), PathBuf::from("markets.cache"));
    let mut rules = Instruments::new();
    for (coin, max_usd) in [("BTC", Some("1000000")), ("ETH", None)] {
        let instrument = Instrument {
            symbol: format!("{coin}_USDT"),
            quantity_tick: oracle::quantity("0.00001"),
            notional_tick: oracle::value("0.01"),
            min_usd: oracle::value("2"),
            max_usd: max_usd.map(oracle::value),
            tradable: max_usd.is_some(),
        };
        rules.insert(coin, Some(instrument));
    }
    rules.insert("MCO", None);
    Cache::new(&disk, path.clone(), SUBJECT.to_string()).save(NOW - 3_600_000, &rules);
    disk.get(&path)
}

/// What is remembered of a list: two members, one of them outside the top, a coin that left, and trouble.
pub fn universe() -> Vec<u8> {
    let (disk, path) = (Memory::default(), Path::new("rebalancer.universe"));
    let member = |coin: &str, place: usize, weight: &str, outside: Option<i64>| Member {
        taken: outside.is_some(),
        seat: Seat { coin: coin.to_string(), id: format!("{}-id", coin.to_lowercase()), since: NOW - 9, outside },
        rank: place + 3,
        place,
        weight: Percent::parse(weight).unwrap(),
    };
    let record = Record {
        rules: "leave 3 equal".to_string(),
        tried_at: Some(9),
        count: 20,
        subject: "coingecko \"defi\" top 2".to_string(),
        read_at: Some(NOW),
        again: true,
        trouble: Some((NOW + 1, "the list broke off: \u{e9}".to_string())),
        not_before: Some(NOW + 2),
        members: vec![member("BTC", 1, "66.666667", None), member("ETH", 2, "33.333333", Some(NOW - 3))],
        departed: vec![("SOL".to_string(), NOW - 1)],
    };
    assert!(record.save(&disk, path).is_ok());
    disk.get(path)
}

/// The texts of a file of sealed lines.
fn unsealed(file: &[u8]) -> Vec<u8> {
    let texts: Vec<&str> = std::str::from_utf8(file).unwrap().lines().map(|line| unseal(line).unwrap()).collect();
    texts.join("\n").into_bytes()
}

const HEADS: [(&str, &str); 8] = [
    ("length", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{\"a\":12}"),
    ("close", "HTTP/1.1 200 OK\r\nDate: Sun, 16 Aug 2026 21:46:40 GMT\r\nConnection: close\r\n\r\n{\"a\":12}"),
    (
        "chunks",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"a\"\r\n4;x=y\r\n:12}\r\n0\r\nDate: x\r\n\r\n",
    ),
    ("short", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":12}"),
    ("both", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\ntransfer-encoding: CHUNKED\r\n\r\n8\r\n{\"a\":12}\r\n0\r\n\r\n"),
    ("moved", "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
    ("line feeds", "HTTP/1.0 429 Too Many Requests\nContent-Length:  8 \nContent-Encoding: gzip\n\n{\"a\":12}"),
    (
        "odd",
        "HTTP/1.1 200\r\n: x\r\nNo colon\r\nContent-Length: -1\r\nContent-Length: 99999999999999999999\r\n\r\n{\"a\":12}",
    ),
];

const WORDS: [&str; 20] = [
    "sunday 00:00",
    "Wednesday 23:59",
    "daily 06:30",
    "every 6h",
    "every 366d",
    "every 90s",
    "+02:00",
    "-05:30",
    "+14:00",
    "0.00001 62845.65",
    "100000000000000000 0.000000000000000001",
    "29.01316839415396 0.1",
    "-5 0.3",
    "007",
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Thu, 29 Feb 2024 23:59:60 GMT",
    "https://api.crypto.com/exchange/v1/",
    "http://127.0.0.1:8080/exchange/v1",
    "http://localhost/x",
    "https://a@b:0/?#[%",
];

const ODD_JSON: [&str; 4] = [
    r#"[0,-0,0.0,1e5,1E-5,-1.50,18446744073709551615,9999999999999999999,{"a":{},"b":[[]]}]"#,
    "{\"\\u00e9\\ud83d\\ude00\\\"\\\\\\/\\b\\f\\n\\r\\t\":\"\u{e9}\u{1f600}\u{7f}\",\n\t\"a\" : null , \"a\":true}",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
    " false\r\n",
];

/// Everything that fuzzing begins with.
pub fn all() -> Vec<Seed> {
    let mut seeds: Vec<Seed> = Vec::new();
    let mut add = |target, name: &str, bytes: Vec<u8>| seeds.push((target, name.replace([' ', ','], "-"), bytes));
    for shape in SHAPES {
        add("json", shape.name, shape.body.into());
        let method = METHODS.iter().position(|method| *method == shape.method).unwrap();
        let status = match shape.status {
            200 => 0,
            400 => 3,
            401 => 4,
            429 => 5,
            _ => 6,
        };
        let choice = u8::try_from(method | status << 4).unwrap();
        add("venue", shape.name, [&[choice, 1][..], shape.body.as_bytes()].concat());
        if shape.method.starts_with("public/") {
            let body = shape.body.replace("base_currency_config", "data");
            add("rows", shape.name, [&[1, 7, 0, 60][..], body.as_bytes()].concat());
        }
    }
    for (at, text) in ODD_JSON.iter().enumerate() {
        add("json", &format!("odd {at}"), (*text).into());
        let list =
            format!("[3\0\u{1}\u{2}{{\"code\":0,\"result\":{{\"x\":{text},\"data\":[{{\"a\":{text}}},{text},{{}}]}}}}");
        add("rows", &format!("odd {at}"), list.into());
    }
    let lists = [("list", CONFIG_LIST), ("coingecko", CONFIG_GECKO)];
    for (name, text) in [("full", CONFIG), ("flat", FLAT), ("paper", PAPER), ("empty", "{}")].into_iter().chain(lists) {
        add("config", name, text.into());
        add("json", &format!("config {name}"), text.into());
    }
    add("config", "another", r#"{"allocation":{"A":100},"exchange":"paper","schedule":"every 6h","method":"full","restore":"edge","base_url":"http://localhost:80/"}"#.into());
    for (name, text) in [("given", PAPER), ("live", PAPER_LIVE), ("flat", FLAT)] {
        add("paper", name, text.into());
    }
    add("list", "coingecko", [b"\x01", GECKO.as_bytes()].concat());
    for (at, text) in LISTS.iter().enumerate() {
        add("list", &format!("form {at}"), [b"\0", text.as_bytes()].concat());
    }
    for (target, file) in [("journal", journal()), ("cache", cache()), ("universe", universe())] {
        let choice = |choice: u8, bytes: &[u8]| [&[choice][..], bytes].concat();
        add(target, "raw", choice(6, &file));
        add(target, "sealed", choice(7, &unsealed(&file)));
        add(target, "torn", choice(0x51, &unsealed(&file)));
    }
    add(
        "journal",
        "head",
        b"\x07{\"journal\":1,\"salt\":\"a5a5a5a5\",\"next\":7,\"last_run\":1786916800000,\"unfinished\":1}".to_vec(),
    );
    for (name, text) in HEADS {
        add("head", name, text.into());
    }
    for (at, text) in WORDS.iter().enumerate() {
        add("words", &format!("{at}"), (*text).into());
    }
    seeds
}
