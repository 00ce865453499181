//! Lists of coins and what is remembered of them, each beside a second reading: serde_json's, or a plain one of lines.

use super::oracle::repeats;
use super::{Memory, NOW, Still, Told};
use rebalancer::clock::iso_date;
use rebalancer::config::parse;
use rebalancer::exchange::Millis;
use rebalancer::json::quote_numbers;
use rebalancer::log::Log;
use rebalancer::machine::Machine;
use rebalancer::universe::record::Record;
use rebalancer::universe::source::{Entry, Error, Source, own};
use rebalancer::wire::{Answer, Failure, Request, Wire};
use serde_json::Value as Json;
use std::cell::Cell;
use std::io::Cursor;
use std::path::Path;

/// Coins of a list: id, symbol, and what was written of the size.
type Theirs = Vec<(String, String, Option<Json>)>;

/// A number from 0 to 10^15 in ten-thousandths, by moving its point as text; an exponent of sixty at the most.
pub fn steps(text: &str) -> Option<u128> {
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let sign = if exponent.starts_with('-') { -1 } else { 1 };
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || exponent.is_empty() || !digits(whole) || !digits(part) || !digits(exponent) {
        return None;
    }
    let exponent = sign * exponent.parse::<i64>().ok().filter(|exponent| *exponent <= 60)?;
    // All digits, with so many zeros on both sides that the point is always among them.
    let zeros = "0".repeat(70);
    let all = format!("{zeros}{whole}{part}{zeros}");
    let point = 70 + whole.len() as i64 + exponent + 4;
    let kept = all[..point as usize].trim_start_matches('0');
    let number = if kept.is_empty() { Some(0) } else { kept.parse::<u128>().ok().filter(|_| kept.len() < 30) };
    number.filter(|number| *number <= 10_u128.pow(19))
}

/// A size of ours and what the text says of it.
fn same_size(ours: Option<u64>, theirs: &Option<Json>, what: &str) {
    let text = match theirs {
        None | Some(Json::Null) => return assert_eq!(ours, None, "{what}"),
        Some(Json::String(text)) => text.clone(),
        Some(Json::Number(number)) => number.to_string(),
        Some(other) => panic!("{what}: {ours:?}, the text says {other}"),
    };
    // serde_json keeps a number with a point in binary: as near as that is.
    let binary = matches!(theirs, Some(Json::Number(number)) if number.is_f64());
    let (ours, theirs) = (ours.map(u128::from), steps(&text));
    match (ours, theirs) {
        (Some(ours), Some(theirs)) if binary => {
            assert!(ours.abs_diff(theirs) <= 1 + theirs / 1_000_000_000_000, "{what}: {ours}, the text says {text}");
        }
        // Nothing of a ten-thousandth is nothing.
        _ => assert_eq!(ours, theirs.filter(|size| *size > 0), "{what}: the text says {text}"),
    }
}

/// Reads a text as a list of one's own. Whether it is one; when it is, it is what the text says.
pub fn list(text: &str) -> bool {
    let (ours, updated) = match own(text) {
        Ok(read) => read,
        Err(why) => {
            assert!(why.chars().count() <= 300 && !why.chars().any(char::is_control), "{why:?}");
            return false;
        }
    };
    coins(&ours);
    if ours.is_empty() {
        // The source refuses it.
        return false;
    }
    let plain = text.strip_prefix('\u{feff}').unwrap_or(text);
    if !plain.trim_start().starts_with(['[', '{']) {
        assert_eq!(updated, None);
        same(&ours, &lines(plain), true);
        return true;
    }
    let json: Json = match serde_json::from_str(plain) {
        Err(error) if error.to_string().contains("number out of range") => return true,
        json => json.unwrap_or_else(|error| panic!("accepted {text:?}: {error}")),
    };
    if repeats(&quote_numbers(plain)) {
        return true;
    }
    let (mut theirs, mut time) = (Vec::new(), None);
    walk(&json, &mut theirs, &mut time);
    assert_eq!(updated, time);
    same(&ours, &theirs, json.is_array());
    true
}

/// What must hold of any list that was read.
fn coins(ours: &[Entry]) {
    assert!(ours.len() <= 1000);
    for (at, entry) in ours.iter().enumerate() {
        let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        assert!((1..=20).contains(&entry.symbol.len()) && entry.symbol.bytes().all(plain), "{}", entry.symbol);
        assert!(!entry.symbol.bytes().all(|byte| byte.is_ascii_digit()), "{} is a number", entry.symbol);
        assert!(entry.size.is_none_or(|size| (1..=10_u64.pow(19)).contains(&size)));
        assert!(ours[..at].iter().all(|other| (&other.id, &other.symbol) != (&entry.id, &entry.symbol)));
    }
}

fn same(ours: &[Entry], theirs: &Theirs, ordered: bool) {
    let key = |id: &str, symbol: &str| (symbol.trim().to_ascii_uppercase(), id.to_string());
    let mut ours: Vec<_> = ours.iter().map(|entry| (key(&entry.id, &entry.symbol), entry.size)).collect();
    let mut theirs: Vec<_> = theirs.iter().map(|(id, symbol, size)| (key(id, symbol), size)).collect();
    if !ordered {
        // serde_json has the members of an object by their names.
        ours.sort();
        theirs.sort_by(|one, other| one.0.cmp(&other.0));
    }
    assert_eq!(ours.len(), theirs.len());
    for ((our, size), (their, written)) in ours.into_iter().zip(theirs) {
        assert_eq!(our, their);
        same_size(size, written, &our.0);
    }
}

/// A coin a line, a weight behind it.
fn lines(text: &str) -> Theirs {
    let mut theirs = Vec::new();
    for line in text.split('\n') {
        let (mut words, mut word) = (Vec::new(), String::new());
        for letter in line.chars().take_while(|letter| *letter != '#').chain([' ']) {
            match letter {
                ' ' | '\t' | '\r' | ',' | ';' if word.is_empty() => {}
                ' ' | '\t' | '\r' | ',' | ';' => words.push(std::mem::take(&mut word)),
                letter => word.push(letter),
            }
        }
        match &words[..] {
            [] => {}
            [coin] => theirs.push((String::new(), coin.clone(), None)),
            [coin, weight] => {
                let weight = weight.trim_end_matches('%').to_string();
                theirs.push((String::new(), coin.clone(), Some(Json::String(weight))));
            }
            _ => panic!("accepted a line with {} words", words.len()),
        }
    }
    theirs
}

fn walk(json: &Json, theirs: &mut Theirs, time: &mut Option<Millis>) {
    match json {
        Json::Array(elements) => {
            for element in elements {
                let member = |key: &str| element.get(key).filter(|value| !value.is_null() && !nested(value));
                let text = |key: &str| member(key).and_then(Json::as_str).unwrap_or_default().to_string();
                match element {
                    Json::String(coin) => theirs.push((String::new(), coin.clone(), None)),
                    Json::Object(_) => {
                        let coin = if member("coin").is_some() { text("coin") } else { text("symbol") };
                        let weight = member("weight").or(member("market_cap"));
                        let id = member("id").map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_string));
                        theirs.push((id.unwrap_or_default(), coin, weight.cloned()));
                    }
                    other => panic!("accepted {other} as a coin"),
                }
            }
        }
        Json::Object(members) => {
            for (key, value) in members {
                match key.as_str() {
                    "coins" if !value.is_string() && !value.is_number() => walk(value, theirs, time),
                    "updated" => *time = value.as_str().and_then(iso_date),
                    _ if nested(value) || value.is_null() || value.is_boolean() => {
                        panic!("accepted {value} as a weight")
                    }
                    _ => theirs.push((String::new(), key.clone(), Some(value.clone()))),
                }
            }
        }
        other => panic!("accepted {other} as a list"),
    }
}

fn nested(json: &Json) -> bool {
    json.is_array() || json.is_object()
}

/// A source that answers so, and fails when it is asked again: a broken answer is read once.
struct Once<'a>(&'a Told, Cell<bool>);

impl Wire for Once<'_> {
    fn exchange(&self, request: Request) -> Result<Answer, Failure> {
        assert!(request.url.starts_with("https://list.test/coins/markets?vs_currency=usd&"), "{}", request.url);
        let Told { status, headers, body } = if self.1.replace(true) { Told::new(500, "") } else { self.0.clone() };
        Ok(Answer { status, headers, body: Box::new(Cursor::new(body)) })
    }
}

/// Why there is no list.
pub fn why(error: Error) -> String {
    error.message
}

/// One page of CoinGecko's, read by the real source from any wire.
pub fn page(wire: &dyn Wire, entries: &mut Vec<Entry>) -> Result<bool, Error> {
    let config = r#"{"universe": {"source": "coingecko", "top": 10, "base_url": "https://list.test"}}"#;
    let config = parse(config, Path::new("/")).map_err(|error| error.message).unwrap();
    let (clock, disk) = (Still::new(), Memory::default());
    let log = Log::new(&clock, 0, false, &|_| ());
    let machine = Machine { clock: &clock, disk: &disk, wire };
    Source::new(machine, &log, config.universe.as_ref().unwrap(), None).page(1, 50, NOW, entries)
}

/// Reads bytes as an answer of CoinGecko's. Whether it is one; when it is, it is what serde_json reads.
pub fn coingecko(body: &[u8]) -> bool {
    let mut ours = Vec::new();
    if let Err(error) = page(&Once(&Told::new(200, body), Cell::new(false)), &mut ours) {
        let why = why(error);
        assert!(ours.is_empty(), "half a list: {why}");
        assert!(why.chars().count() <= 300 && !why.chars().any(char::is_control), "{why:?}");
        return false;
    }
    let text = std::str::from_utf8(body).expect("accepted what is no UTF-8");
    let json: Json = match serde_json::from_str(text) {
        Err(error) if error.to_string().contains("number out of range") => return true,
        json => json.unwrap_or_else(|error| panic!("accepted {text:?}: {error}")),
    };
    let rows: Vec<&Json> =
        json.as_array().expect("accepted what is no list").iter().filter(|row| row.is_object()).collect();
    assert_eq!(ours.len(), rows.len());
    assert!((1..=1000).contains(&rows.len()));
    let mut newest = None;
    for (ours, row) in ours.iter().zip(rows) {
        let member = |key: &str| row.get(key).filter(|value| !nested(value));
        if let Some(id) = member("id").and_then(Json::as_str) {
            assert_eq!(ours.id, id);
        }
        assert!(!ours.id.is_empty() && ours.id.len() <= 200);
        let symbol = member("symbol").and_then(Json::as_str).unwrap_or(&ours.symbol);
        let symbol = symbol.chars().take(40).map(|letter| if letter.is_control() { '?' } else { letter });
        assert_eq!(ours.symbol, symbol.collect::<String>().to_ascii_uppercase());
        same_size(ours.size, &member("market_cap").cloned(), &ours.id);
        newest = newest.max(member("last_updated").and_then(Json::as_str).and_then(iso_date));
    }
    assert!(newest.is_some_and(|newest| (NOW - 86_400_000..=NOW + 3_600_000).contains(&newest)), "stale: {newest:?}");
    let missing = ours.iter().position(|entry| entry.size.is_none()).unwrap_or(ours.len());
    assert!(ours[missing..].iter().all(|entry| entry.size.is_none()), "a cap is missing");
    true
}

/// Opens bytes as what is remembered of a list: nothing, and the file is left as it is; or it is written again as it was read.
pub fn record(bytes: &[u8]) -> Option<Record> {
    let path = Path::new("rebalancer.universe");
    let disk = Memory::with(path, bytes);
    let read = Record::load(&disk, path);
    assert!(disk.get(path) == bytes && disk.files() == 1, "reading changed it");
    let record = match read {
        Ok(record) => record,
        Err(error) => {
            assert!(error.to_string().contains("it is damaged"), "{error}");
            return None;
        }
    };
    let total: u128 = record
        .members
        .iter()
        .map(|member| {
            let text = member.weight.to_string();
            let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
            format!("{whole}{part:0<18}").parse::<u128>().expect("a weight below zero")
        })
        .sum();
    assert!(record.members.is_empty() || total == 100 * 10_u128.pow(18), "weights that do not sum to 100");
    assert!(record.save(&disk, path).is_ok());
    assert!(Record::load(&disk, path).is_ok_and(|again| again == record), "it reads otherwise after it was kept");
    Some(record)
}
