//! A second reading of what the exchange answered, by serde_json, and what must hold between both.
//!
//! Written from the venue's documentation and not from the adapter: what the adapter takes for a balance, a price or a fill must be
//! what stands in the text. An error is always allowed here; which errors are right is for the tests of single cases.

use super::shapes::{BALANCE, CANCEL, CREATE, DETAIL, INSTRUMENTS, OPEN, RISK, TICKERS};
use super::{Asked, KEY, Outcome, Replies, SECRET, coins};
use rebalancer::amount::{Quantity, Value};
use rebalancer::exchange::{Balance, Kind, Listing, OpenOrder, OrderState};
use rebalancer::json::{Error, Next, Reader};
use rebalancer::named::Named;
use serde_json::Value as Json;
use std::fmt::Display;

pub fn quantity(text: &str) -> Quantity {
    Quantity::parse(text).unwrap()
}

pub fn value(text: &str) -> Value {
    Value::parse(text).unwrap()
}

/// Plain decimal text without needless zeros; nothing for what is no amount: an exponent, more than 18 decimals, above 10^17.
pub fn plain(text: &str) -> Option<String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(part) || part.len() > 18 {
        return None;
    }
    let (whole, part) = (whole.trim_start_matches('0'), part.trim_end_matches('0'));
    if whole.len() > 18 || whole.len() == 18 && (whole != "100000000000000000" || !part.is_empty()) {
        return None;
    }
    let sign = if text.starts_with('-') && !(whole.is_empty() && part.is_empty()) { "-" } else { "" };
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") })
}

/// A text, a number or a truth value as text; nothing for the rest.
fn scalar(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// An amount of ours and what the text says of it.
pub fn same(ours: impl Display, theirs: &Json, what: &str) {
    let ours = ours.to_string();
    match theirs {
        // serde_json keeps a number with a point in binary: as near as that is.
        Json::Number(number) if number.is_f64() => {
            let (ours, theirs) = (ours.parse::<f64>().unwrap(), number.as_f64().unwrap());
            assert!((ours - theirs).abs() <= theirs.abs() * 1e-12, "{what}: {ours}, the text says {theirs}");
        }
        _ => {
            let theirs = scalar(theirs).unwrap_or_else(|| panic!("{what}: {ours}, the text has no amount"));
            assert_eq!(Some(&ours), plain(&theirs).as_ref(), "{what}: the text says {theirs}");
        }
    }
}

/// A name as it may be shown.
fn name(json: &Json) -> String {
    let text = scalar(json).unwrap_or_default();
    text.chars().take(80).map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

/// Whether an object somewhere in it names a member twice.
pub fn repeats(text: &str) -> bool {
    repeated(text, &|_| true)
}

/// Whether one of these is named twice in an object somewhere.
pub fn repeated(text: &str, these: &dyn Fn(&str) -> bool) -> bool {
    fn walk(reader: &mut Reader<'_>, these: &dyn Fn(&str) -> bool) -> Result<bool, Error> {
        let mut found = false;
        match reader.next() {
            Next::Object => {
                let mut keys = Vec::new();
                reader.object(&mut |reader, key| {
                    keys.extend(these(key).then(|| key.to_string()));
                    found |= walk(reader, these)?;
                    Ok(())
                })?;
                let all = keys.len();
                keys.sort();
                keys.dedup();
                found |= keys.len() < all;
            }
            Next::Array => reader.array(&mut |reader| {
                found |= walk(reader, these)?;
                Ok(())
            })?,
            _ => reader.skip()?,
        }
        Ok(found)
    }
    Reader::new(text).and_then(|mut reader| walk(&mut reader, these)).unwrap_or(false)
}

/// Lists and what holds them: named twice, there is no one right reading. Of all else the last one counts, as with serde_json.
const HOLDERS: [&str; 4] = ["result", "data", "position_balances", "base_currency_config"];

/// The code of an answer, when there is a document and it has one.
fn code(body: &[u8]) -> Option<i64> {
    let json: Json = serde_json::from_slice(body).ok()?;
    match json.as_object()?.get("code")? {
        // -0, which serde_json keeps in binary.
        Json::Number(number) if number.as_f64() == Some(0.0) => Some(0),
        code => scalar(code)?.parse().ok(),
    }
}

/// What must hold of any answer to any question.
pub fn agree(method: &str, replies: &Replies, asked: &Asked) {
    // A public list was asked for without the key, and knows none.
    let knows_key = method.starts_with("private/");
    assert!(!asked.log.contains(SECRET) || !knows_key, "{method}: the log shows the secret: {}", asked.log);
    assert!(!asked.log.contains(KEY) || !knows_key, "{method}: the log shows the key: {}", asked.log);
    let told = replies.told(method);
    // Only serde_json minds the size of an exponent, even of a number that nobody asks for.
    let beyond = |body: &[u8]| {
        serde_json::from_slice::<Json>(body).is_err_and(|error| error.to_string().contains("number out of range"))
    };
    match &asked.outcome {
        Ok(_) if beyond(&told.body) => {}
        Err(error) => {
            let message = &error.message;
            let shows = message.contains(SECRET) || message.contains(KEY);
            assert!(!shows || !knows_key, "{method}: an error shows a secret: {message}");
            assert!(!message.chars().any(char::is_control), "{method}: a control character in {message:?}");
            assert!(message.len() <= 2000, "{method}: an error of {} bytes", message.len());
            assert!(message.chars().next().is_some_and(|letter| !letter.is_uppercase()), "{method}: {message}");
            if matches!(method, CREATE | CANCEL) && replies.asked() == 1 && !beyond(&told.body) {
                refused_only_by_its_code(method, &told.body, told.status, error.kind);
            }
        }
        Ok(outcome) => {
            for method in asked_for(method) {
                let told = replies.told(method);
                assert!((200..300).contains(&told.status), "{method}: http {} was accepted", told.status);
                let missing = matches!(outcome, Outcome::Order(None));
                let code = code(&told.body);
                assert!(
                    code == Some(0) || missing && matches!(code, Some(40401 | 212)),
                    "{method}: the code is {code:?} in {}",
                    String::from_utf8_lossy(&told.body)
                );
            }
            read_alike(replies, outcome);
        }
    }
}

/// Endpoints whose answers make up the answer to a question.
fn asked_for(method: &str) -> Vec<&str> {
    match method {
        TICKERS | INSTRUMENTS | RISK => vec![TICKERS, INSTRUMENTS, RISK],
        DETAIL => vec![],
        _ => vec![method],
    }
}

/// An order may be sent again, or given up, only when the exchange itself said that it was not accepted.
fn refused_only_by_its_code(method: &str, body: &[u8], status: u16, kind: Kind) {
    let said = code(body);
    let sure = !matches!(kind, Kind::Unknown | Kind::Garbled);
    assert!(
        !sure || status == 429 || said.is_some_and(|code| code != 0),
        "{method}: sure of the end with code {said:?}"
    );
}

fn read_alike(replies: &Replies, outcome: &Outcome) {
    let document = |method: &str| -> Option<Json> {
        let body = replies.told(method).body;
        let text = std::str::from_utf8(&body).expect("accepted what is no UTF-8");
        let json = serde_json::from_str(text).unwrap_or_else(|error| panic!("{method}: accepted {text:?}: {error}"));
        (!repeated(text, &|key| HOLDERS.contains(&key))).then_some(json)
    };
    match outcome {
        Outcome::Balances(ours) => document(BALANCE).iter().for_each(|json| balances(ours, json)),
        Outcome::Open(ours) => document(OPEN).iter().for_each(|json| open(ours, json)),
        Outcome::Order(Some(ours)) => document(DETAIL).iter().for_each(|json| order(ours, &json["result"])),
        Outcome::Order(None) => assert!(matches!(code(&replies.told(DETAIL).body), Some(40401 | 212))),
        Outcome::Done => {}
        Outcome::Listings(ours) => {
            if let (Some(instruments), Some(risk), Some(tickers)) =
                (document(INSTRUMENTS), document(RISK), document(TICKERS))
            {
                listings(ours, &instruments, &risk, &tickers);
            }
        }
    }
}

fn list<'a>(json: &'a Json, name: &str) -> &'a [Json] {
    json.as_array().map_or_else(|| panic!("{name} is no list"), |list| list.as_slice())
}

fn balances(ours: &[Balance], json: &Json) {
    let accounts = list(&json["result"]["data"], "data");
    assert!(!accounts.is_empty(), "no account");
    let rows: Vec<&Json> =
        accounts.iter().flat_map(|account| list(&account["position_balances"], "position_balances")).collect();
    assert_eq!(ours.len(), rows.len(), "balances");
    for (ours, row) in ours.iter().zip(rows) {
        assert!(scalar(&row["instrument_name"]).is_some(), "a balance without a name");
        assert_eq!(ours.coin, name(&row["instrument_name"]));
        same(ours.total, &row["quantity"], "quantity");
        same(ours.locked, &row["reserved_qty"], "reserved_qty");
    }
}

fn open(ours: &[OpenOrder], json: &Json) {
    let rows = list(&json["result"]["data"], "data");
    assert_eq!(ours.len(), rows.len(), "open orders");
    for (ours, row) in ours.iter().zip(rows) {
        assert_eq!(ours.client_id, name(&row["client_oid"]));
        assert_eq!(ours.symbol, name(&row["instrument_name"]));
    }
}

fn order(ours: &OrderState, row: &Json) {
    assert_eq!(scalar(&row["client_oid"]).as_deref(), Some("rb1"), "another order");
    assert!(scalar(&row["status"]).is_some(), "an order without a status");
    assert_eq!(ours.status, name(&row["status"]));
    assert_eq!(ours.terminal, ["FILLED", "CANCELED", "EXPIRED", "REJECTED"].contains(&ours.status.as_str()));
    assert_eq!(ours.order_id, name(&row["order_id"]));
    same(ours.filled_quantity, &row["cumulative_quantity"], "cumulative_quantity");
    same(ours.filled_value, &row["cumulative_value"], "cumulative_value");
    assert!(ours.filled_quantity >= Quantity::ZERO && ours.filled_value >= Value::ZERO, "filled less than nothing");
}

fn listings(ours: &Named<Listing>, instruments: &Json, risk: &Json, tickers: &Json) {
    let is = |row: &Json, key: &str, wanted: &str| scalar(&row[key]).as_deref() == Some(wanted);
    let objects = |json: &Json, name: &str| -> Vec<Json> {
        list(json, name).iter().filter(|row| row.is_object()).cloned().collect()
    };
    let prices = objects(&tickers["result"]["data"], "tickers");
    // The last price of a symbol that has both sides; a side that is no text and no number is missing.
    let price_of = |symbol: &str| {
        let whole = |row: &&Json| is(row, "i", symbol) && scalar(&row["b"]).is_some() && scalar(&row["k"]).is_some();
        prices.iter().rfind(whole).cloned()
    };
    // Minimums are converted at the bid, maximums at the ask.
    let is_one = |price: &Json| scalar(price).as_deref().and_then(plain).as_deref() == Some("1");
    let at_par = price_of("USDT_USD").is_none_or(|row| is_one(&row["b"]) && is_one(&row["k"]));
    for coin in coins() {
        let symbol = format!("{coin}_USDT");
        let rules = objects(&instruments["result"]["data"], "instruments");
        let rules = rules.iter().rfind(|row| {
            is(row, "symbol", &symbol)
                && is(row, "inst_type", "CCY_PAIR")
                && is(row, "base_ccy", &coin)
                && is(row, "quote_ccy", "USDT")
        });
        let (Some(rules), Some(ours)) = (rules, ours.get(&coin)) else {
            assert!(rules.is_none() && !ours.contains(&coin), "{coin} is listed on one side only");
            continue;
        };
        assert_eq!(ours.market.symbol, symbol);
        same(ours.market.quantity_tick, &rules["qty_tick_size"], "qty_tick_size");
        assert!(
            ours.market.quantity_tick > Quantity::ZERO && ours.market.notional_tick > Value::ZERO,
            "a tick of nothing"
        );
        assert_eq!(ours.market.tradable, is(rules, "tradable", "true"), "tradable");
        match (ours.quote, price_of(&symbol)) {
            (None, None) => {}
            (Some(ours), Some(row)) => {
                same(ours.bid, &row["b"], "bid");
                same(ours.ask, &row["k"], "ask");
            }
            (ours, _) => panic!("{coin} has a price on one side only, ours: {}", ours.is_some()),
        }
        if at_par {
            let limits = objects(&risk["result"]["base_currency_config"], "base_currency_config");
            let limits = limits.iter().rfind(|row| is(row, "instrument_name", &coin));
            let least = limits.and_then(|row| scalar(&row["min_order_notional_usd"]));
            let most = limits.and_then(|row| scalar(&row["max_order_notional_usd"]));
            let least = least.and_then(|text| Value::parse(&text)).unwrap_or(Value::ONE).max(Value::ONE);
            assert_eq!(ours.market.min_value, least, "the smallest order of {coin}");
            assert_eq!(ours.market.max_value, most.and_then(|text| Value::parse(&text)), "the largest order of {coin}");
        }
    }
}
