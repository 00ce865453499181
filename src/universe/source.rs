//! Where a list comes from: CoinGecko's markets, or any page or file with one coin a line or JSON.
//!
//! Nothing is believed in part: a reply that is cut, has an entry that cannot be read, or is older than it may be, is no list.

use super::weights::{MOST_SIZE, PLACES};
use crate::clock::iso_date;
use crate::config::universe::{Location, Settings, Source as Place};
use crate::exchange::Millis;
use crate::http::Http;
use crate::json::{self, Next, Reader, Row, RowsError};
use crate::log::Log;
use crate::machine::Machine;
use crate::text;
use std::io;

/// The longest answer: 250 rows of CoinGecko's have about 230 kB.
const MOST_BYTES: usize = 2 * 1024 * 1024;
/// A longer row is none.
const MOST_ROW_BYTES: usize = 16 * 1024;
/// What an answer may hold beside its rows.
const MOST_REST_BYTES: usize = 64 * 1024;
/// A list of one's own: a thousand coins take a tenth of it.
const MOST_LIST_BYTES: usize = 256 * 1024;
/// More entries are no list that a portfolio follows.
const MOST_ENTRIES: usize = 1000;
/// How long an answer may take, in seconds.
const TIMEOUT_S: u64 = 20;
/// Pauses before a source that did not answer is asked again.
const PAUSES_MS: [Millis; 2] = [1000, 2000];

/// One coin of a list.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The source's own id of the coin; empty when it has none and names coins as the exchange does.
    pub id: String,
    /// Its symbol in capital letters, or whatever stands in its place.
    pub symbol: String,
    /// Market cap in dollars, or the weight that a list gives, in millionths.
    pub size: Option<u128>,
}

/// Why there is no list.
pub enum Error {
    /// The source cannot be read, or what it says cannot be believed.
    Unusable(String),
    /// The source was asked too often.
    TooMany(String),
}

/// A source that is being read.
pub struct Source<'a> {
    machine: Machine<'a>,
    log: &'a Log<'a>,
    settings: &'a Settings,
    http: Option<Http<'a>>,
}

impl<'a> Source<'a> {
    /// The source of a list; `key` is CoinGecko's.
    pub fn new(machine: Machine<'a>, log: &'a Log<'a>, settings: &'a Settings, key: Option<String>) -> Source<'a> {
        let http = match &settings.source {
            Place::CoinGecko { base_url, .. } => {
                // The root of paid keys has a header of its own (CoinGecko's documentation, "Authentication").
                let pro = base_url.starts_with("https://pro-api.");
                let header = if pro { "x-cg-pro-api-key" } else { "x-cg-demo-api-key" };
                Some(Http::new(machine, log, base_url).with_header(key.map(|key| (header, key))))
            }
            Place::List(Location::Address { base, .. }) => Some(Http::new(machine, log, base)),
            Place::List(Location::File(_)) => None,
        };
        Source { machine, log, settings, http }
    }

    /// Adds what the source has on a page (from 1) of so many coins; whether there may be more. What lies back longer than
    /// the settings allow at `now` is no list.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn page(&mut self, page: usize, per_page: usize, now: Millis, entries: &mut Vec<Entry>) -> Result<bool, Error> {
        let mut attempt = 0;
        loop {
            let mut read = Vec::new();
            match self.once(page, per_page, now, &mut read) {
                Ok(full) => {
                    // A coin that moves between two pages is told on both.
                    read.retain(|entry| entry.id.is_empty() || !entries.iter().any(|other| other.id == entry.id));
                    entries.append(&mut read);
                    if let Place::CoinGecko { .. } = self.settings.source {
                        whole(entries).map_err(Error::Unusable)?;
                    }
                    return match entries.len() {
                        0 => Err(Error::Unusable("the list is empty".to_string())),
                        count if count > MOST_ENTRIES => {
                            Err(Error::Unusable(format!("the list has more than {MOST_ENTRIES} coins")))
                        }
                        _ => Ok(full),
                    };
                }
                Err((error, passing)) => {
                    let pause = PAUSES_MS.get(attempt).filter(|_| passing).copied();
                    let Some(pause) = pause else { return Err(error) };
                    self.log.detail(&format!("the list cannot be read; asking again in {} s", pause / 1000));
                    self.machine.clock.sleep(pause);
                    attempt += 1;
                }
            }
        }
    }

    /// One attempt; an error comes with whether another one may be answered.
    fn once(
        &mut self,
        page: usize,
        per_page: usize,
        now: Millis,
        entries: &mut Vec<Entry>,
    ) -> Result<bool, (Error, bool)> {
        let settings = self.settings;
        match (&settings.source, &mut self.http) {
            (Place::CoinGecko { category, .. }, Some(http)) => {
                let category = category.as_ref().map_or(String::new(), |category| format!("&category={category}"));
                let path = format!(
                    "coins/markets?vs_currency=usd{category}&order=market_cap_desc&per_page={per_page}&page={page}&sparkline=false"
                );
                let newest = coingecko(http, &path, entries)?;
                if !entries.is_empty() {
                    fresh(newest, settings.max_age_ms, now)?;
                }
                Ok(entries.len() >= per_page)
            }
            (Place::List(Location::Address { path, .. }), Some(http)) => {
                let reply = http.send(path, None, (MOST_LIST_BYTES, TIMEOUT_S));
                let reply = reply.map_err(|failure| passing(failure.message))?;
                status(reply.status)?;
                let modified = reply.modified;
                let text = reply.body.text().map_err(|error| passing(format!("the list broke off: {error}")))?;
                list(&text, modified, settings, now, entries)
            }
            (Place::List(Location::File(path)), _) => {
                let unreadable = |error: io::Error| unusable(format!("cannot read {}: {error}", path.display()));
                let text = self.machine.disk.read(path, MOST_LIST_BYTES).and_then(text::utf8).map_err(unreadable)?;
                let modified = self.machine.disk.modified(path).ok();
                list(&text, modified, settings, now, entries)
            }
            _ => Err(unusable("the source has no address")),
        }
    }
}

fn unusable(why: impl Into<String>) -> (Error, bool) {
    (Error::Unusable(text::shown(&why.into(), 300)), false)
}

fn passing(why: String) -> (Error, bool) {
    (unusable(why).0, true)
}

/// What an HTTP status says before the body is read. A server's words are not shown: they may repeat the key.
fn status(status: u16) -> Result<(), (Error, bool)> {
    match status {
        200 => Ok(()),
        429 => {
            let why = "the source was asked too often (http 429); it is left alone for a minute";
            Err((Error::TooMany(why.to_string()), false))
        }
        401 | 403 => Err(unusable(format!("the source refused (http {status}); is REBALANCER_COINGECKO_KEY right?"))),
        400..=499 => Err(unusable(format!("the source knows no such list (http {status}); look at category or list"))),
        _ => Err(passing(format!("the source failed (http {status})"))),
    }
}

/// Whether data of a time is young enough.
fn fresh(time: Option<Millis>, max_age_ms: Option<Millis>, now: Millis) -> Result<(), (Error, bool)> {
    let Some(most) = max_age_ms else { return Ok(()) };
    let Some(time) = time else {
        return Err(unusable("the list does not say how old it is, so max_age cannot be kept"));
    };
    let age = now.saturating_sub(time);
    let off = crate::clock::span(age.saturating_abs());
    match (age <= most, age >= -crate::clock::MOST_CLOCK_ERROR_MS) {
        (true, true) => Ok(()),
        (false, _) => Err(unusable(format!("the list is stale: {off} old, more than max_age allows"))),
        (_, false) => Err(unusable(format!("the list is said to be from {off} ahead"))),
    }
}

/// Reads one page of CoinGecko's markets, row by row; returns the time of its newest row.
fn coingecko(http: &mut Http<'_>, path: &str, entries: &mut Vec<Entry>) -> Result<Option<Millis>, (Error, bool)> {
    let mut reply = http.send(path, None, (MOST_BYTES, TIMEOUT_S)).map_err(|failure| passing(failure.message))?;
    status(reply.status)?;
    let mut newest = None;
    let mut row = |text: &str| {
        // Supplies of 24 digits and exponents with a plus sign are numbers here, and the tokenizer takes neither.
        let row = Row::read(&json::quote_numbers(text))?;
        let (Some(id), Some(symbol)) = (row.get("id"), row.get("symbol")) else {
            return Err("a coin has no id or no symbol".to_string());
        };
        let size = match row.get("market_cap") {
            None => None,
            Some(cap) => Some(size(cap).ok_or_else(|| format!("the market cap of {id} cannot be read"))?),
        };
        newest = newest.max(row.get("last_updated").and_then(iso_date));
        entries.push(Entry { id: id.to_string(), symbol: symbol.to_uppercase(), size: size.filter(|size| *size > 0) });
        Ok(())
    };
    let rest = json::rows(&mut reply.body, None, MOST_ROW_BYTES, MOST_REST_BYTES, &mut row);
    let rest = rest.map_err(|error| match error {
        RowsError::Io(error) => passing(format!("the list broke off: {error}")),
        RowsError::Garbled(why) => passing(format!("the list cannot be read: {why}")),
    })?;
    match Reader::new(&rest).map(|reader| reader.next()) {
        Ok(Next::Array) => {}
        _ => return Err(unusable("the source answered something that is no list")),
    }
    Ok(newest)
}

/// Ordered by market cap, coins without one come last. One in between, on whatever page, means that caps are missing.
fn whole(entries: &[Entry]) -> Result<(), String> {
    let first = entries.iter().position(|entry| entry.size.is_none()).unwrap_or(entries.len());
    let mut later = entries.iter().skip(first);
    match (later.next(), later.any(|entry| entry.size.is_some())) {
        (Some(entry), true) => Err(format!("the market cap of {} is null or zero", entry.id)),
        _ => Ok(()),
    }
}

/// Reads a list of one's own; there is never more than one page of it.
fn list(
    text: &str,
    modified: Option<Millis>,
    settings: &Settings,
    now: Millis,
    entries: &mut Vec<Entry>,
) -> Result<bool, (Error, bool)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut updated = modified;
    let read = match text.trim_start().starts_with(['[', '{']) {
        true => json_list(text, entries, &mut updated),
        false => lines(text, entries),
    };
    read.map_err(|why| unusable(format!("the list cannot be read: {why}")))?;
    for (at, entry) in entries.iter().enumerate() {
        if entries.iter().take(at).any(|other| other.symbol == entry.symbol && other.id == entry.id) {
            return Err(unusable(format!("the list names {} twice", entry.symbol)));
        }
    }
    fresh(updated, settings.max_age_ms, now)?;
    Ok(false)
}

/// Adds a coin of a list by its name, and its weight.
fn push(entries: &mut Vec<Entry>, id: &str, name: &str, weight: Option<&str>) -> Result<(), String> {
    let symbol = name.trim().to_uppercase();
    if !crate::config::is_coin(&symbol) {
        return Err(format!("\"{}\" is no coin", text::shown(name, 40)));
    }
    let size =
        match weight {
            None => None,
            Some(weight) => {
                let known = size(weight).filter(|size| *size > 0);
                Some(known.ok_or_else(|| {
                    format!("the weight of {symbol}, {}, is no number above 0", text::shown(weight, 40))
                })?)
            }
        };
    entries.push(Entry { id: id.to_string(), symbol, size });
    Ok(())
}

/// One coin a line, with a weight behind it or none; `#` begins a remark. The last line has an end too, or it may be cut.
fn lines(text: &str, entries: &mut Vec<Entry>) -> Result<(), String> {
    if !text.ends_with('\n') {
        return Err("its last line has no end, so it may be cut".to_string());
    }
    for (at, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split([' ', '\t', ',', ';', '\r']).filter(|word| !word.is_empty());
        let Some(coin) = words.next() else { continue };
        let weight = words.next().map(|weight| weight.trim_end_matches('%'));
        let read = match words.next() {
            None => push(entries, "", coin, weight),
            Some(_) => Err("there is more than a coin and its weight".to_string()),
        };
        read.map_err(|why| format!("line {}: {why}", at + 1))?;
    }
    Ok(())
}

/// `["BTC", "ETH"]`, `[{"coin": "BTC", "weight": 50}, ...]`, `{"BTC": 50, "ETH": 30}`, or `{"updated": TIME, "coins": ...}`.
fn json_list(text: &str, entries: &mut Vec<Entry>, updated: &mut Option<Millis>) -> Result<(), String> {
    let text = json::quote_numbers(text);
    let mut reader = Reader::new(&text).map_err(|error| error.to_string())?;
    coins(&mut reader, entries, updated).map_err(|error| error.to_string())
}

fn coins(reader: &mut Reader<'_>, entries: &mut Vec<Entry>, updated: &mut Option<Millis>) -> Result<(), json::Error> {
    if reader.next() == Next::Object {
        return reader.object(&mut |reader, key| match key {
            "coins" if reader.next() != Next::Text => coins(reader, entries, updated),
            "updated" => {
                let time = reader.scalar()?.as_deref().and_then(iso_date);
                *updated = Some(time.ok_or_else(|| reader.error("updated is no time such as 2026-11-25T10:00:00Z"))?);
                Ok(())
            }
            _ => {
                let weight = reader.scalar()?;
                push(entries, "", key, weight.as_deref()).map_err(|why| reader.error(why))
            }
        });
    }
    reader.array(&mut |reader| {
        let pushed = match reader.next() {
            Next::Text => push(entries, "", &reader.text()?, None),
            _ => {
                let row = Row::from(reader)?;
                let name = row.get("coin").or(row.get("symbol")).unwrap_or_default();
                let weight = row.get("weight").or(row.get("market_cap"));
                push(entries, row.get("id").unwrap_or_default(), name, weight)
            }
        };
        pushed.map_err(|why| reader.error(why))
    })
}

/// A number from 0 to 10^15 in millionths, towards zero; JSON's exponents are allowed. `None` for anything else.
pub fn size(text: &str) -> Option<u128> {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || !(-60..=60).contains(&exponent) {
        return None;
    }
    let mut steps: u128 = 0;
    for digit in whole.bytes().chain(part.bytes()) {
        let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
        steps = steps.checked_mul(10)?.checked_add(u128::from(digit))?;
    }
    let mut shift = exponent + i32::try_from(PLACES).ok()? - i32::try_from(part.len()).ok()?;
    while shift > 0 && steps > 0 {
        (steps, shift) = (steps.checked_mul(10)?, shift - 1);
    }
    while shift < 0 && steps > 0 {
        (steps, shift) = (crate::amount::div_rem(steps, 10).0, shift + 1);
    }
    (steps <= MOST_SIZE).then_some(steps)
}

/// A size as text: without the millionths that nobody reads.
pub fn shown_size(size: u128) -> String {
    let (whole, part) = crate::amount::div_rem(size, 1_000_000);
    match part {
        0 => whole.to_string(),
        _ => format!("{whole}.{part:06}").trim_end_matches('0').to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_whole_millionths() {
        for (text, millionths) in [
            ("0", 0),
            ("1", 1_000_000),
            ("2060000000", 2_060_000_000_000_000),
            ("33.333333", 33_333_333),
            ("0.0000019", 1),
            ("1.5e3", 1_500_000_000),
            ("1.5E+3", 1_500_000_000),
            ("25e-1", 2_500_000),
            ("1e-60", 0),
            ("1.0e+15", MOST_SIZE),
        ] {
            assert_eq!(size(text), Some(millionths), "{text}");
        }
        for text in ["", "-1", "1e16", "1e", "1e999", "e5", "1.2.3", "0x5", "NaN", "1 000", "1,5", "1000000000000001"] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    fn read(text: &str) -> Result<Vec<(String, Option<u128>)>, String> {
        let (mut entries, mut updated) = (Vec::new(), None);
        match text.trim_start().starts_with(['[', '{']) {
            true => json_list(text, &mut entries, &mut updated)?,
            false => lines(text, &mut entries)?,
        }
        Ok(entries.into_iter().map(|entry| (entry.symbol, entry.size.map(|size| size / 1_000_000))).collect())
    }

    #[test]
    fn every_form_of_a_list_says_the_same() {
        let expected =
            Ok(vec![("BTC".to_string(), Some(50)), ("ETH".to_string(), Some(30)), ("1INCH".to_string(), Some(20))]);
        for text in [
            "BTC 50\nETH 30\n1INCH 20\n",
            "# mine\r\n\r\nbtc,50%\r\nETH;30\r\n1inch\t20 # a remark\r\n",
            "{\"BTC\": 50, \"ETH\": 30.0, \"1INCH\": 2e+1}",
            "[{\"coin\": \"BTC\", \"weight\": 50}, {\"symbol\": \"eth\", \"market_cap\": \"30\"}, {\"coin\": \"1INCH\", \"weight\": 20}]",
            "{\"updated\": \"2026-11-25T10:00:00Z\", \"coins\": {\"BTC\": 50, \"ETH\": 30, \"1INCH\": 20}}",
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        let bare = Ok(vec![("BTC".to_string(), None), ("ETH".to_string(), None)]);
        for text in [
            "BTC\nETH\n",
            "[\"BTC\", \"ETH\"]",
            "{\"coins\": [\"BTC\", \"eth\"]}",
            "[{\"coin\": \"BTC\"}, {\"coin\": \"ETH\"}]",
        ] {
            assert_eq!(read(text), bare, "{text}");
        }
    }

    #[test]
    fn a_size_that_is_missing_before_another_is_told_whatever_page_it_is_on() {
        let of = |sizes: &[u128]| {
            let entry = |(at, size): (usize, &u128)| Entry {
                id: format!("coin-{at}"),
                symbol: String::new(),
                size: Some(*size).filter(|size| *size > 0),
            };
            whole(&sizes.iter().enumerate().map(entry).collect::<Vec<_>>())
        };
        for sizes in [&[][..], &[0], &[5, 3], &[5, 3, 0, 0], &[3, 5, 0]] {
            assert_eq!(of(sizes), Ok(()), "{sizes:?}");
        }
        for (sizes, id) in [(&[0, 5][..], "coin-0"), (&[5, 0, 3], "coin-1"), (&[5, 3, 0, 0, 1, 0], "coin-2")] {
            assert!(of(sizes).is_err_and(|why| why.contains(id)), "{sizes:?}");
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in [
            "BTC\nETH",
            "BTC 50 60\n",
            "BTC zero\n",
            "BTC 0\n",
            "BTC -5\n",
            "<html><body>\n",
            "[\"BTC\", \"ETH\"",
            "[[\"BTC\"]]",
            "{\"BTC\": \"half\"}",
            "{\"error\": \"no such list\"}",
            "[{\"coin\": \"BTC\", \"weight\": 0}]",
            "[{\"weight\": 5}]",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
