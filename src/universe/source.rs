//! Where a list comes from: CoinGecko's markets, or any page or file with one coin a line or JSON.
//!
//! Nothing is believed in part: a reply that is cut, has an entry that cannot be read, or is older than it may be, is no list.

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
/// Decimals of a size.
const PLACES: i32 = 4;
/// The largest size, in ten-thousandths: a hundred times what all there is is worth.
const MOST_SIZE: u64 = 10_000_000_000_000_000_000;
/// A longer message is cut.
const MOST_LETTERS: usize = 300;
/// A longer id is none, and the record of a hundred members must not outgrow its file.
const MOST_ID_BYTES: usize = 200;
/// As much of a symbol as is kept: no coin has half of it.
const MOST_SYMBOL: usize = 40;
/// How long an answer may take, in seconds.
const TIMEOUT_S: u64 = 20;
/// Pauses before a source that did not answer is asked again.
const PAUSES_MS: [Millis; 2] = [1000, 2000];

/// One coin of a list.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The source's own id of the coin; empty when it has none and names coins as the exchange does.
    pub id: String,
    /// Its symbol in capital letters, or whatever stands in its place, as it may be shown.
    pub symbol: String,
    /// Market cap in dollars, or the weight that a list gives, in ten-thousandths.
    pub size: Option<u64>,
}

/// What may be done about a list that is none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is to be looked at by the owner, or to be read another day.
    Unusable,
    /// Asking again at once may help.
    Passing,
    /// The source was asked too often.
    TooMany,
    /// It was not asked, because it was asked too often before.
    LeftAlone,
}

/// Why there is no list: it cannot be read, or what it says cannot be believed.
pub struct Error {
    /// What may be done.
    pub kind: Kind,
    /// Lower-case sentence. Never holds a key.
    pub message: String,
}

impl Error {
    fn new(kind: Kind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into() }
    }
}

fn unusable(why: impl Into<String>) -> Error {
    Error::new(Kind::Unusable, why)
}

fn passing(why: impl Into<String>) -> Error {
    Error::new(Kind::Passing, why)
}

/// A source that is being read.
pub struct Source<'a> {
    machine: Machine<'a>,
    log: &'a Log<'a>,
    settings: &'a Settings,
    http: Option<Http<'a>>,
    key: Option<String>,
    /// The list came one coin a line and without its length: it may have been cut after any line.
    pub unmeasured: bool,
}

impl<'a> Source<'a> {
    /// The source of a list; `key` is CoinGecko's.
    pub fn new(machine: Machine<'a>, log: &'a Log<'a>, settings: &'a Settings, key: Option<String>) -> Source<'a> {
        let http = match &settings.source {
            Place::CoinGecko { base_url, .. } => {
                // The root of paid keys has a header of its own (CoinGecko's documentation, "Authentication").
                let pro = base_url.starts_with("https://pro-api.");
                let header = if pro { "x-cg-pro-api-key" } else { "x-cg-demo-api-key" };
                Some(Http::new(machine, log, base_url).with_header(key.clone().map(|key| (header, key))))
            }
            Place::List(Location::Address { base, .. }) => Some(Http::new(machine, log, base)),
            Place::List(Location::File(_)) => None,
        };
        Source { machine, log, settings, http, key, unmeasured: false }
    }

    /// An error as it may be shown: a source may repeat the key in anything, also where its message is cut.
    fn shown(&self, Error { kind, message }: Error) -> Error {
        let message = match &self.key {
            Some(key) => message.replace(key, "***"),
            None => message,
        };
        Error { kind, message: text::shown(&message, MOST_LETTERS) }
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
                    let before = entries.len();
                    entries.append(&mut read);
                    let checked = match entries.len() {
                        0 => Err("the list is empty".to_string()),
                        count if count > MOST_ENTRIES => Err(format!("the list: {}", too_many())),
                        _ if self.settings.is_ranked() => whole(entries, &self.settings.exclude),
                        _ => Ok(()),
                    };
                    if checked.is_err() {
                        entries.truncate(before);
                    }
                    return checked.map(|()| full).map_err(|why| self.shown(unusable(why)));
                }
                Err(error) => {
                    let pause = PAUSES_MS.get(attempt).filter(|_| error.kind == Kind::Passing).copied();
                    let Some(pause) = pause else { return Err(self.shown(error)) };
                    self.log.detail(&format!("the list cannot be read; asking again in {} s", pause / 1000));
                    self.machine.clock.sleep(pause);
                    attempt += 1;
                }
            }
        }
    }

    /// One attempt.
    fn once(&mut self, page: usize, per_page: usize, now: Millis, entries: &mut Vec<Entry>) -> Result<bool, Error> {
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
                self.unmeasured = !reply.body.is_measured();
                let text = reply.body.text().map_err(|error| passing(format!("the list broke off: {error}")))?;
                self.unmeasured &= !is_json(&text);
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

/// What an HTTP status says before the body is read. A server's words are not shown: they may repeat the key.
fn status(status: u16) -> Result<(), Error> {
    match status {
        200 => Ok(()),
        429 => {
            Err(Error::new(Kind::TooMany, "the source was asked too often (http 429); it is left alone for a minute"))
        }
        400..=499 => Err(unusable(format!("the source refused (http {status}); look at its address and its key"))),
        _ => Err(passing(format!("the source failed (http {status})"))),
    }
}

/// Whether data of a time is young enough.
fn fresh(time: Option<Millis>, max_age_ms: Option<Millis>, now: Millis) -> Result<(), Error> {
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
fn coingecko(http: &mut Http<'_>, path: &str, entries: &mut Vec<Entry>) -> Result<Option<Millis>, Error> {
    let mut reply = http.send(path, None, (MOST_BYTES, TIMEOUT_S)).map_err(|failure| passing(failure.message))?;
    status(reply.status)?;
    let mut newest = None;
    let mut row = |text: &str| {
        // Supplies of 24 digits and exponents with a plus sign are numbers here, and the tokenizer takes neither.
        let row = Row::read(&json::quote_numbers(text))?;
        let (Some(id), Some(symbol)) = (row.get("id").filter(|id| !id.is_empty()), row.get("symbol")) else {
            return Err("a coin has no id or no symbol".to_string());
        };
        let size = match row.get("market_cap") {
            None => None,
            Some(cap) => Some(size(cap).ok_or_else(|| format!("the market cap of {id} cannot be read"))?),
        };
        newest = newest.max(row.get("last_updated").and_then(iso_date));
        add(entries, Entry { id: id.to_string(), symbol: capital(symbol), size: size.filter(|size| *size > 0) })
    };
    let rest = json::rows(&mut reply.body, None, MOST_ROW_BYTES, MOST_REST_BYTES, &mut row);
    let rest = rest.map_err(|error| match error {
        RowsError::Io(error) => passing(format!("the list broke off: {error}")),
        RowsError::Garbled(why) => passing(format!("the list cannot be read: {why}")),
    })?;
    let mut count = 0;
    let mut element = |reader: &mut Reader<'_>| {
        count += 1;
        reader.skip()
    };
    if Reader::new(&rest).and_then(|mut reader| reader.array(&mut element)).is_err() {
        return Err(unusable("the source answered something that is no list"));
    }
    // A coin whose place is taken by null would be missing, and a member that is missing is sold.
    if count != entries.len() {
        return Err(unusable("the list holds something that is no coin"));
    }
    no_coin_twice(entries).map_err(|why| unusable(format!("the list cannot be read: {why}")))?;
    Ok(newest)
}

/// Ordered by market cap, coins without one come last. One in between, on whatever page, means that caps are missing; of coins whose ids are
/// in `exclude` none is asked for.
fn whole(entries: &[Entry], exclude: &[String]) -> Result<(), String> {
    let mut later =
        entries.iter().filter(|entry| !exclude.contains(&entry.id)).skip_while(|entry| entry.size.is_some());
    match (later.next(), later.any(|entry| entry.size.is_some())) {
        (Some(entry), true) => Err(format!("the market cap of {} is null or zero", entry.id)),
        _ => Ok(()),
    }
}

/// A text without the byte order mark that some editors put before it.
fn unmarked(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Whether a list is JSON, and not one coin a line.
fn is_json(text: &str) -> bool {
    unmarked(text).trim_start().starts_with(['[', '{'])
}

/// Reads a list of one's own; there is never more than one page of it.
fn list(
    text: &str,
    modified: Option<Millis>,
    settings: &Settings,
    now: Millis,
    entries: &mut Vec<Entry>,
) -> Result<bool, Error> {
    let (read, updated) = own(text).map_err(|why| unusable(format!("the list cannot be read: {why}")))?;
    *entries = read;
    fresh(updated.or(modified), settings.max_age_ms, now)?;
    Ok(false)
}

/// What the text of a list says: its coins, and the time that it names, if it names one.
///
/// # Errors
/// Why it is no list.
pub fn own(text: &str) -> Result<(Vec<Entry>, Option<Millis>), String> {
    let (mut entries, mut updated) = (Vec::new(), None);
    match is_json(text) {
        true => json_list(unmarked(text), &mut entries, &mut updated)?,
        false => lines(unmarked(text), &mut entries)?,
    }
    no_coin_twice(&entries)?;
    Ok((entries, updated))
}

fn too_many() -> String {
    format!("it has more than {MOST_ENTRIES} coins")
}

/// A symbol in capital letters. Of the plain ones alone: there are letters elsewhere whose capital is a plain one.
fn capital(symbol: &str) -> String {
    text::shown(symbol, MOST_SYMBOL).to_ascii_uppercase()
}

fn add(entries: &mut Vec<Entry>, entry: Entry) -> Result<(), String> {
    if entry.id.len() > MOST_ID_BYTES {
        return Err(format!("the id of {} is longer than {MOST_ID_BYTES} bytes", entry.symbol));
    }
    if entries.len() >= MOST_ENTRIES {
        return Err(too_many());
    }
    entries.push(entry);
    Ok(())
}

/// Which of two is right is not guessed. Where a source has ids, coins may share a symbol.
fn no_coin_twice(entries: &[Entry]) -> Result<(), String> {
    for (at, entry) in entries.iter().enumerate() {
        let same = |other: &Entry| other.id == entry.id && (!entry.id.is_empty() || other.symbol == entry.symbol);
        if entries.iter().take(at).any(same) {
            return Err(format!("it names {} twice", entry.symbol));
        }
    }
    Ok(())
}

/// Adds a coin of a list by its name, and its weight.
fn push(entries: &mut Vec<Entry>, id: &str, name: &str, weight: Option<&str>) -> Result<(), String> {
    let symbol = capital(name.trim());
    // A number in the place of a name is a weight that is not where it belongs.
    let number = symbol.starts_with(|first: char| first.is_ascii_digit())
        && symbol.bytes().all(|byte| byte.is_ascii_digit() || byte == b'E');
    if !crate::config::is_coin(&symbol) || number {
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
    add(entries, Entry { id: id.to_string(), symbol, size })
}

/// One coin a line, with a weight behind it or none; `#` begins a remark. The last line has an end too, or it may be cut.
fn lines(text: &str, entries: &mut Vec<Entry>) -> Result<(), String> {
    if !text.is_empty() && !text.ends_with('\n') {
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
                // Whatever else stands there is an answer of another kind.
                let weight = weight.ok_or_else(|| reader.error(format!("{} has no weight", text::shown(key, 40))))?;
                push(entries, "", key, Some(&weight)).map_err(|why| reader.error(why))
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

/// A number from 0 to 10^15 in ten-thousandths, towards zero; JSON's exponents are allowed. `None` for anything else.
pub fn size(text: &str) -> Option<u64> {
    scaled(text, PLACES).filter(|size| *size <= MOST_SIZE)
}

/// A number that is not negative in units of its decimal `places`, towards zero; `None` for anything else, and for what is too large.
pub fn scaled(text: &str, places: i32) -> Option<u64> {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = || whole.bytes().chain(part.bytes());
    if whole.is_empty() || !digits().all(|digit| digit.is_ascii_digit()) || !(-60..=60).contains(&exponent) {
        return None;
    }
    let kept = i32::try_from(whole.len()).ok()? + exponent + places;
    let mut steps: u64 = 0;
    for digit in digits().chain(core::iter::repeat(b'0')).take(usize::try_from(kept).unwrap_or(0)) {
        steps = steps.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
    }
    Some(steps)
}

/// A size as plain decimal text.
pub fn shown_size(size: u64) -> String {
    let (whole, part) = (size / 10_000, size % 10_000);
    match part {
        0 => whole.to_string(),
        _ => format!("{whole}.{part:04}").trim_end_matches('0').to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_whole_ten_thousandths() {
        for (text, steps) in [
            ("0", 0),
            ("1", 10_000),
            ("2060000000", 20_600_000_000_000),
            ("2060000000.98765432109876543210", 20_600_000_009_876),
            ("33.3333", 333_333),
            ("0.00019", 1),
            ("1.5e3", 15_000_000),
            ("1.5E+3", 15_000_000),
            ("25e-1", 25_000),
            ("1e-60", 0),
            ("0.00000000000000000000000000012", 0),
            ("0e60", 0),
            // More digits than 128 bits have.
            ("33.33333333333333333333333333333333333333333", 333_333),
            ("100000000000000000000000000000000000000000000e-30", 1_000_000_000_000_000_000),
            ("0000000000000000000000000000000000000000000001", 10_000),
            ("1.0e+15", MOST_SIZE),
            ("1000000000000000000000000e-9", MOST_SIZE),
        ] {
            assert_eq!(size(text), Some(steps), "{text}");
        }
        for text in [
            "",
            "-1",
            "1e16",
            "1e",
            "1e999",
            "e5",
            "1.2.3",
            "0x5",
            "NaN",
            "1 000",
            "1,5",
            "1000000000000001",
            "99999999999999999999999999999999",
            "1844674407370955.1616",
            "1.000000x",
        ] {
            assert_eq!(size(text), None, "{text}");
        }
        assert_eq!(shown_size(20_600_000_009_876), "2060000000.9876");
        assert_eq!(shown_size(15_000), "1.5");
        assert_eq!(shown_size(50_000), "5");
    }

    fn read(text: &str) -> Result<Vec<(String, Option<u64>)>, String> {
        let (entries, _) = own(text)?;
        Ok(entries.into_iter().map(|entry| (entry.symbol, entry.size.map(|size| size / 10_000))).collect())
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
        let of = |sizes: &[u64]| {
            let entry = |(at, size): (usize, &u64)| Entry {
                id: format!("coin-{at}"),
                symbol: String::new(),
                size: Some(*size).filter(|size| *size > 0),
            };
            whole(&sizes.iter().enumerate().map(entry).collect::<Vec<_>>(), &["coin-9".to_string()])
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
            // Weights in the places of names; an answer of another kind; a letter whose capital is an S.
            "[\"BTC\", 50, \"ETH\", 30]",
            "BTC\n50\n",
            "{5: 50}",
            "{\"status\": null, \"data\": []}",
            "{\"error\": {\"code\": 1}}",
            "\u{17f}OL\n",
            "BTC\nETH\nBTC\n",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
