//! The config file and the environment become a [`Config`]; every rule about them is checked here.
//!
//! Two forms: the flat one, coin to percent, and the full one with an `allocation`, a `universe` or both. Nothing is guessed: an unknown or repeated
//! key, a wrong type or a value outside its range is an error that names file, line and key and says what is allowed.

pub mod universe;

use crate::amount::{Percent, Value};
use crate::disk;
use crate::exchange::signer::Credentials;
use crate::http;
use crate::json::{Error as JsonError, Next, Reader};
use crate::market::Coin;
use crate::named::Named;
use crate::schedule::{self, Schedule};
use crate::text;
use core::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Where orders go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Venue {
    /// The Crypto.com Exchange.
    CryptoCom,
    /// The local paper account.
    Paper,
}

/// Which coins trade once something is out of tolerance.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Coins out of tolerance, and just enough of the others to pay for it.
    Drifted,
    /// Every coin, by its difference.
    Target,
    /// Everything is sold and bought back.
    Full,
}

/// Where a drifted coin is brought.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Restore {
    /// To its target.
    Target,
    /// Half way between the edge of its band and its target.
    Half,
    /// To the edge of its band.
    Edge,
}

/// Everything the owner decided.
#[derive(Clone)]
pub struct Config {
    /// Coins and their percentages in the order of the file; the sum is exactly 100, or what a list leaves of it until its members
    /// are added.
    pub allocation: Vec<(Coin, Percent)>,
    /// The list of coins that the portfolio follows.
    pub universe: Option<Rc<universe::Settings>>,
    /// Coins that have left the list: to be sold off.
    pub departed: Vec<Coin>,
    /// Where orders go.
    pub venue: Venue,
    /// The currency of prices and trades.
    pub quote: Coin,
    /// Percentage points that a weight may be off.
    pub tolerance: Percent,
    /// Percent of its target that a weight may be off.
    pub relative_tolerance: Option<Percent>,
    /// Which coins trade.
    pub method: Method,
    /// Where drifted coins are brought.
    pub restore: Restore,
    /// Smallest order.
    pub min_trade: Value,
    /// Largest order.
    pub max_trade: Option<Value>,
    /// Spread between bid and ask, in percent of the middle, above which a price is not believed.
    pub max_spread: Percent,
    /// Quote currency outside the portfolio.
    pub cash_reserve: Value,
    /// Whether all coins outside the allocation are sold.
    pub sell_unlisted: bool,
    /// When to run.
    pub schedule: Schedule,
    /// The exchange's address.
    pub base_url: String,
    /// Where the journal and the paper account live.
    pub state_dir: PathBuf,
    /// Where `credentials.json` is looked for.
    pub directory: PathBuf,
}

/// Why there is no usable config or no usable key. All of them are exit code 2.
pub struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The address of the exchange that `check`'s facts were collected for.
pub const BASE_URL: &str = "https://api.crypto.com/exchange/v1";
const MOST_BYTES: usize = 1024 * 1024;
/// The default beside a list: its targets are small, and with an absolute band alone a new member would never be bought.
const LIST_RELATIVE_TOLERANCE: &str = "20";
const MOST_COINS: usize = 1000;

impl Config {
    /// Reads and checks a config file; `paper` overrides its exchange.
    ///
    /// # Errors
    /// The first thing that is wrong, with file, line, key and what is allowed.
    pub fn load(path: &Path, paper: bool) -> Result<Config, Error> {
        let read = disk::open(path).and_then(|mut file| text::of(&mut file, MOST_BYTES));
        let text = read.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error(format!(
                "{}: there is no such file; write one with coin and percent, for example {{\"BTC\": 50, \"ETH\": 50}}",
                path.display()
            )),
            _ => Error(format!("{}: cannot read the file: {error}", path.display())),
        })?;
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        let mut config = parse(&text, &directory)
            .map_err(|error| Error(format!("{}:{}: {}", path.display(), error.line, error.message)))?;
        if paper {
            config.venue = Venue::Paper;
        }
        Ok(config)
    }

    /// Whether a coin is in the allocation. Before the members of a list are added these are the owner's fixed coins.
    pub fn allocates(&self, coin: &str) -> bool {
        self.allocation.iter().any(|(other, _)| other == coin)
    }

    /// Whether a held coin outside the allocation is to be sold off.
    pub fn sells(&self, coin: &str) -> bool {
        self.sell_unlisted || self.departed.iter().any(|departed| departed == coin)
    }

    /// The source's key for the list, if there is one: `REBALANCER_COINGECKO_KEY`.
    ///
    /// # Errors
    /// When it holds a letter that no key has.
    pub fn coingecko_key() -> Result<Option<String>, Error> {
        match variable("REBALANCER_COINGECKO_KEY") {
            Some(key) if !is_key(&key) => Err(Error(
                "REBALANCER_COINGECKO_KEY holds a space or a letter that no key has; copy it again".to_string(),
            )),
            key => Ok(key),
        }
    }

    /// The key and secret for the exchange, from the environment or a private file.
    ///
    /// # Errors
    /// When there are none, only half of them, or others could read the file.
    pub fn credentials(&self) -> Result<Credentials, Error> {
        let (key, secret) = match (variable("REBALANCER_API_KEY"), variable("REBALANCER_API_SECRET")) {
            (Some(key), Some(secret)) => (key, secret),
            (None, None) => self.credentials_file()?,
            (Some(_), None) => {
                return Err(Error("REBALANCER_API_KEY is set but REBALANCER_API_SECRET is not".to_string()));
            }
            (None, Some(_)) => {
                return Err(Error("REBALANCER_API_SECRET is set but REBALANCER_API_KEY is not".to_string()));
            }
        };
        for (name, part) in [("api key", &key), ("api secret", &secret)] {
            if !is_key(part) {
                return Err(Error(format!(
                    "the {name} is empty or holds a space or a letter that no key has; copy it again"
                )));
            }
        }
        Ok(Credentials::new(key, secret))
    }

    fn credentials_file(&self) -> Result<(String, String), Error> {
        use std::os::unix::fs::MetadataExt;
        let path = match std::env::var_os("REBALANCER_CREDENTIALS") {
            Some(path) if !path.is_empty() => PathBuf::from(path),
            _ => self.directory.join("credentials.json"),
        };
        let name = path.display();
        let unreadable = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => Error(format!(
                "no API key: set REBALANCER_API_KEY and REBALANCER_API_SECRET, or write {name} ({error}); \
                 --paper needs no key"
            )),
            _ => Error(format!("{name}: cannot read the file: {error}")),
        };
        // The file that is looked at is the one that is read, whatever happens to its name meanwhile.
        let read =
            disk::open(&path).and_then(|mut file| Ok((file.metadata()?.mode(), text::of(&mut file, MOST_BYTES)?)));
        let (mode, text) = read.map_err(unreadable)?;
        if mode & 0o077 != 0 {
            return Err(Error(format!(
                "{name}: group or others may read it (mode {:o}); say: chmod 600 {name}",
                mode & 0o777
            )));
        }
        let (mut key, mut secret) = (None, None);
        // The grammar's own words name what seems to be a key, and a secret in the wrong place seems to be one.
        let reader =
            Reader::new(&text).map_err(|error| JsonError::at(error.line, "a quote, colon or comma is wrong here"));
        let read = reader.and_then(|mut reader| {
            reader.object(&mut |reader, name| {
                let part = match name {
                    "api_key" => &mut key,
                    "api_secret" => &mut secret,
                    _ => return Err(reader.error("a key is unknown; only api_key and api_secret are allowed")),
                };
                match part.replace(reader.text()?) {
                    None => Ok(()),
                    Some(_) => Err(reader.error("a key is repeated")),
                }
            })
        });
        read.map_err(|error| Error(format!("{name}:{}: {}", error.line, error.message)))?;
        match (key, secret) {
            (Some(key), Some(secret)) => Ok((key, secret)),
            _ => Err(Error(format!("{name}: it must hold {{\"api_key\": \"...\", \"api_secret\": \"...\"}}"))),
        }
    }
}

/// A variable of the environment that is not empty. What is not UTF-8 becomes letters that no key has, and is refused as such.
fn variable(name: &str) -> Option<String> {
    let value = std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    value.filter(|value| !value.is_empty())
}

/// Whether a text can be a key. Also keeps it out of the way of JSON escapes and header lines.
fn is_key(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

/// Reads a config's text; `directory` is where the file lies.
///
/// # Errors
/// The line and what is wrong there.
pub fn parse(text: &str, directory: &Path) -> Result<Config, JsonError> {
    if text.starts_with('\u{feff}') {
        return Err(JsonError::at(1, "the file begins with a byte order mark; save it as plain UTF-8 without one"));
    }
    let full = has_key(text, "allocation")? || has_key(text, "universe")? || !is_flat(text)?;
    let mut config = Config {
        allocation: Vec::new(),
        universe: None,
        departed: Vec::new(),
        venue: Venue::CryptoCom,
        quote: "USDT".to_string(),
        tolerance: percent("5"),
        relative_tolerance: None,
        method: Method::Drifted,
        restore: Restore::Target,
        min_trade: Value::parse("5").unwrap_or_default(),
        max_trade: None,
        max_spread: percent("5"),
        cash_reserve: Value::ZERO,
        sell_unlisted: false,
        schedule: Schedule::default(),
        base_url: BASE_URL.to_string(),
        state_dir: directory.to_path_buf(),
        directory: directory.to_path_buf(),
    };
    let mut reader = Reader::new(text)?;
    if full {
        read_full(&mut reader, &mut config, directory)?;
    } else {
        let line = reader.line();
        config.allocation = read_allocation(&mut reader)?;
        sums_to_100(&config.allocation).map_err(|why| JsonError::at(line, why))?;
    }
    Ok(config)
}

fn percent(text: &str) -> Percent {
    Percent::parse(text).unwrap_or_default()
}

fn has_key(text: &str, wanted: &str) -> Result<bool, JsonError> {
    let mut found = false;
    Reader::new(text)?.object(&mut |reader, key| {
        found |= key == wanted;
        reader.skip()
    })?;
    Ok(found)
}

/// Whether a document is meant as coin to percent: no key of the full form, and numbers or coins everywhere.
fn is_flat(text: &str) -> Result<bool, JsonError> {
    let (mut flat, mut members) = (true, 0);
    Reader::new(text)?.object(&mut |reader, key| {
        members += 1;
        let like_a_coin = !key.contains(|letter: char| letter.is_ascii_lowercase());
        flat &= !KEYS.contains(&key) && (reader.next() == Next::Number || like_a_coin);
        reader.skip()
    })?;
    Ok(flat && members > 0)
}

const KEYS: [&str; 17] = [
    "allocation",
    "universe",
    "exchange",
    "quote",
    "tolerance",
    "relative_tolerance",
    "method",
    "restore",
    "min_trade",
    "max_trade",
    "max_spread",
    "cash_reserve",
    "unlisted",
    "schedule",
    "utc_offset",
    "base_url",
    "state_dir",
];

fn read_full(reader: &mut Reader<'_>, config: &mut Config, directory: &Path) -> Result<(), JsonError> {
    let mut seen: Vec<String> = Vec::new();
    let (mut max_line, mut allocation_line, mut universe_line) = (1, None, 1);
    let mut relative = false;
    reader.object(&mut |reader, key| {
        match key {
            "max_trade" => max_line = reader.line(),
            "allocation" => allocation_line = Some(reader.line()),
            "universe" => universe_line = reader.line(),
            "relative_tolerance" => relative = true,
            _ => {}
        }
        if seen.iter().any(|earlier| earlier == key) {
            return Err(wrong(reader.line(), key, "the key is repeated"));
        }
        seen.push(key.to_string());
        read_key(reader, config, directory, key)
    })?;
    if let Some(max) = config.max_trade.filter(|max| *max < config.min_trade) {
        let message = format!("max_trade: {max} is below min_trade, which is {}", config.min_trade);
        return Err(JsonError::at(max_line, message));
    }
    match (&config.universe, allocation_line) {
        (None, None) => {
            Err(reader.error("allocation: the key is missing; write \"allocation\": {\"BTC\": 50, \"ETH\": 50}"))
        }
        (None, Some(line)) => sums_to_100(&config.allocation).map_err(|why| JsonError::at(line, why)),
        (Some(universe), line) => {
            if !relative {
                config.relative_tolerance = Some(percent(LIST_RELATIVE_TOLERANCE));
            }
            universe::rest(&mut config.allocation, universe.share)
                .map_err(|why| JsonError::at(line.unwrap_or(universe_line), format!("universe: {why}")))
        }
    }
}

fn read_key(reader: &mut Reader<'_>, config: &mut Config, directory: &Path, key: &str) -> Result<(), JsonError> {
    let line = reader.line();
    match key {
        "allocation" => config.allocation = read_allocation(reader)?,
        "universe" => config.universe = Some(Rc::new(universe::read(reader, directory)?)),
        "exchange" => {
            config.venue = choice(reader, key, &[("crypto.com", Venue::CryptoCom), ("paper", Venue::Paper)])?;
        }
        "quote" => {
            let name = text(reader, key)?;
            config.quote = coin(line, key, &name)?;
        }
        "tolerance" => config.tolerance = percentage(reader, key)?,
        "relative_tolerance" => config.relative_tolerance = Some(percentage(reader, key)?),
        "method" => {
            let methods = [("drifted", Method::Drifted), ("target", Method::Target), ("full", Method::Full)];
            config.method = choice(reader, key, &methods)?;
        }
        "restore" => {
            let points = [("target", Restore::Target), ("half", Restore::Half), ("edge", Restore::Edge)];
            config.restore = choice(reader, key, &points)?;
        }
        "min_trade" => config.min_trade = value(reader, key)?,
        "max_trade" => {
            config.max_trade = Some(value(reader, key)?).filter(|max| *max > Value::ZERO);
            if config.max_trade.is_none() {
                return Err(wrong(line, key, "0 would allow no order; give an amount, or leave the key out"));
            }
        }
        "max_spread" => config.max_spread = percentage(reader, key)?,
        "cash_reserve" => config.cash_reserve = value(reader, key)?,
        "unlisted" => config.sell_unlisted = choice(reader, key, &[("ignore", false), ("sell", true)])?,
        "schedule" => {
            let words = text(reader, key)?;
            config.schedule.when = schedule::When::parse(&words).map_err(|why| wrong(line, key, &why))?;
        }
        "utc_offset" => {
            let words = text(reader, key)?;
            config.schedule.offset_s = schedule::parse_offset(&words).map_err(|why| wrong(line, key, &why))?;
        }
        "base_url" => config.base_url = address(reader, key)?,
        "state_dir" => {
            let path = text(reader, key)?;
            if path.is_empty() {
                return Err(wrong(line, key, "it is empty; give a directory, \".\" for the config's own"));
            }
            config.state_dir = directory.join(path);
            if !config.state_dir.is_dir() {
                let dir = shown(&config.state_dir.to_string_lossy());
                return Err(wrong(line, key, &format!("{dir} is not a directory; make it first: mkdir -p {dir}")));
            }
        }
        _ => return Err(reader.error(unknown_key(key))),
    }
    Ok(())
}

/// An error about a key's value.
fn wrong(line: usize, key: &str, why: &str) -> JsonError {
    JsonError::at(line, format!("{key}: {why}"))
}

fn unknown_key(key: &str) -> String {
    let hint = match is_coin(key) {
        true => "coins go inside \"allocation\"".to_string(),
        false => format!("allowed are {}", KEYS.join(", ")),
    };
    format!("{}: the key is unknown; {hint}", shown(key))
}

/// A text from the file as it may be shown.
fn shown(text: &str) -> String {
    text::shown(text, 80)
}

/// Whether a name can be a coin's: capital letters and digits.
pub fn is_coin(name: &str) -> bool {
    (1..=20).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// Whether a word is a key but for a letter or two: the same beginning and about the same length.
fn near(known: &str, word: &str) -> bool {
    word.len() > 3 && word.get(..3) == known.get(..3) && word.len().abs_diff(known.len()) <= 2
}

fn coin(line: usize, key: &str, name: &str) -> Result<Coin, JsonError> {
    if is_coin(name) {
        return Ok(name.to_string());
    }
    let upper = name.to_ascii_uppercase();
    let hint = match (is_coin(&upper), KEYS.iter().find(|known| near(known, name))) {
        (_, Some(known)) => format!("; did you mean the key \"{known}\" of the full form, beside \"allocation\"?"),
        (true, None) => format!("; did you mean \"{upper}\"?"),
        (false, None) => String::new(),
    };
    let name = shown(name);
    Err(JsonError::at(line, format!("{key}: \"{name}\" is no coin: capital letters and digits only{hint}")))
}

fn read_allocation(reader: &mut Reader<'_>) -> Result<Vec<(Coin, Percent)>, JsonError> {
    let (mut allocation, mut seen) = (Vec::new(), Named::new());
    if reader.next() != Next::Object {
        return Err(reader.error("allocation: it must be coins and percentages, such as {\"BTC\": 50, \"ETH\": 50}"));
    }
    reader.object(&mut |reader, key| {
        let coin = coin(reader.line(), "allocation", key)?;
        if seen.insert(&coin, ()).is_some() {
            return Err(reader.error(format!("{coin}: the coin is repeated")));
        }
        if allocation.len() >= MOST_COINS {
            return Err(reader.error(format!("allocation: more than {MOST_COINS} coins")));
        }
        allocation.push((coin, percentage(reader, key)?));
        Ok(())
    })?;
    Ok(allocation)
}

fn sums_to_100(allocation: &[(Coin, Percent)]) -> Result<(), String> {
    let sum: Percent = allocation.iter().map(|(_, percent)| *percent).sum();
    let (off, side) = match sum < Percent::HUNDRED {
        true => (Percent::HUNDRED - sum, "missing"),
        false => (sum - Percent::HUNDRED, "too much"),
    };
    match off == Percent::ZERO {
        true => Ok(()),
        false => Err(format!("allocation: the percentages sum to {sum}, not to 100; {off} is {side}")),
    }
}

fn text(reader: &mut Reader<'_>, key: &str) -> Result<String, JsonError> {
    match reader.next() {
        Next::Text => reader.text(),
        _ => Err(wrong(reader.line(), key, "it must be a text in double quotes")),
    }
}

fn number(reader: &mut Reader<'_>, key: &str) -> Result<(usize, String), JsonError> {
    let line = reader.line();
    match reader.next() {
        Next::Number => Ok((line, reader.number()?)),
        Next::Text => Err(wrong(line, key, "it must be a number, written without quotes")),
        _ => Err(wrong(line, key, "it must be a number")),
    }
}

fn percentage(reader: &mut Reader<'_>, key: &str) -> Result<Percent, JsonError> {
    let (line, text) = number(reader, key)?;
    match Percent::parse(&text).filter(|percent| (Percent::ZERO..=Percent::HUNDRED).contains(percent)) {
        Some(percent) => Ok(percent),
        None => Err(JsonError::at(
            line,
            format!("{key}: {text} is not a percentage from 0 to 100 with at most 18 decimals"),
        )),
    }
}

fn value(reader: &mut Reader<'_>, key: &str) -> Result<Value, JsonError> {
    let (line, text) = number(reader, key)?;
    match Value::parse(&text).filter(|value| *value >= Value::ZERO) {
        Some(value) => Ok(value),
        None => Err(JsonError::at(line, format!("{key}: {text} is not an amount from 0 up with at most 18 decimals"))),
    }
}

/// A server's address.
fn address(reader: &mut Reader<'_>, key: &str) -> Result<String, JsonError> {
    let line = reader.line();
    let url = text(reader, key)?;
    http::base_url(&url).map_err(|why| wrong(line, key, &format!("\"{}\": {why}", shown(&url))))
}

fn choice<T: Copy>(reader: &mut Reader<'_>, key: &str, choices: &[(&str, T)]) -> Result<T, JsonError> {
    let line = reader.line();
    let text = text(reader, key)?;
    if let Some((_, chosen)) = choices.iter().find(|(word, _)| *word == text) {
        return Ok(*chosen);
    }
    let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
    let text = shown(&text);
    Err(JsonError::at(line, format!("{key}: \"{text}\" is not one of {}", words.join(", "))))
}
