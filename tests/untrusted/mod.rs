//! A machine that is all in memory, what the exchange answers there, and a second reading of it: for the tests and the fuzzing of
//! everything that reads what others wrote. Nothing here waits, and everything ends.

#![allow(dead_code)] // Each test crate and each fuzz target uses its own part of this.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::float_arithmetic
)]

pub mod changes;
pub mod files;
pub mod lists;
pub mod oracle;
pub mod seeds;
pub mod shapes;
pub mod walk;

use rebalancer::clock::Clock;
use rebalancer::disk::Disk;
use rebalancer::exchange::crypto_com::CryptoCom;
use rebalancer::exchange::signer::Credentials;
use rebalancer::exchange::{Balance, Error, Exchange, Listing, Millis, OpenOrder, OrderState};
use rebalancer::log::Log;
use rebalancer::machine::Machine;
use rebalancer::market::{Order, Side, Size};
use rebalancer::named::Named;
use rebalancer::wire::{Answer, Failure, Request, Wire};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};

/// A moment near the recorded replies' own.
pub const NOW: Millis = 1_786_916_800_000;
pub const KEY: &str = "test-key";
pub const SECRET: &str = "test-secret-0123456789";
/// No question needs more: the two lists, the tickers, each asked four times, twice when the time was refused.
const MOST_REQUESTS: usize = 24;
/// No question waits longer, pauses and pace together.
const MOST_WAIT_MS: Millis = 120_000;

/// A clock that only sleeping moves, at once.
pub struct Still(Cell<Millis>);

impl Still {
    pub fn new() -> Still {
        Still(Cell::new(0))
    }
}

impl Clock for Still {
    fn now(&self) -> Millis {
        NOW + self.0.get()
    }
    fn elapsed(&self) -> Millis {
        self.0.get()
    }
    fn sleep(&self, ms: Millis) {
        assert!(ms >= 0, "a sleep of {ms} ms");
        self.0.set(self.0.get() + ms);
        assert!(self.0.get() <= MOST_WAIT_MS, "waits without end");
    }
}

/// Files in memory.
#[derive(Default)]
pub struct Memory(RefCell<BTreeMap<PathBuf, Vec<u8>>>);

impl Memory {
    pub fn with(path: &Path, bytes: &[u8]) -> Memory {
        let memory = Memory::default();
        memory.put(path, bytes);
        memory
    }

    pub fn put(&self, path: &Path, bytes: &[u8]) {
        self.0.borrow_mut().insert(path.to_path_buf(), bytes.to_vec());
    }

    /// A file's bytes; empty when there is none.
    pub fn get(&self, path: &Path) -> Vec<u8> {
        self.0.borrow().get(path).cloned().unwrap_or_default()
    }

    pub fn files(&self) -> usize {
        self.0.borrow().len()
    }

    fn change(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        self.0.borrow_mut().get_mut(path).map(change).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Disk for Memory {
    fn read(&self, path: &Path, most: usize) -> io::Result<Vec<u8>> {
        let files = self.0.borrow();
        let bytes = files.get(path).ok_or(io::ErrorKind::NotFound)?;
        if bytes.len() > most { Err(io::ErrorKind::Other.into()) } else { Ok(bytes.clone()) }
    }
    fn modified(&self, path: &Path) -> io::Result<Millis> {
        self.change(path, |_| ()).map(|()| 0)
    }
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.put(path, bytes);
        Ok(())
    }
    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.change(path, |file| file.extend_from_slice(bytes))
    }
    fn cut(&self, path: &Path, length: u64) -> io::Result<()> {
        self.change(path, |file| file.resize(usize::try_from(length).unwrap(), 0))
    }
    fn sync(&self, path: &Path) -> io::Result<()> {
        self.change(path, |_| ())
    }
    fn sync_directory(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let bytes = self.0.borrow_mut().remove(from).ok_or(io::ErrorKind::NotFound)?;
        self.put(to, &bytes);
        Ok(())
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.borrow_mut().remove(path).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
    fn random(&self, bytes: &mut [u8]) -> io::Result<()> {
        bytes.fill(0xA5);
        Ok(())
    }
}

/// One answer: status, header lines, body.
#[derive(Clone)]
pub struct Told {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Told {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Told {
        Told { status, headers: Vec::new(), body: body.into() }
    }

    pub fn header(mut self, name: &str, value: &str) -> Told {
        self.headers.push((name.to_string(), value.to_string()));
        self
    }
}

/// The exchange: the right answer of every endpoint but for those that are set.
#[derive(Default)]
pub struct Replies {
    pub set: BTreeMap<&'static str, Told>,
    /// Whether an endpoint that is asked again refuses for good, which saves time where its first answer is what matters.
    pub impatient: bool,
    asked: Cell<usize>,
    heard: RefCell<Vec<String>>,
}

impl Replies {
    pub fn of(method: &'static str, told: Told) -> Replies {
        Replies { set: BTreeMap::from([(method, told)]), ..Replies::default() }
    }

    /// What an endpoint answers.
    pub fn told(&self, method: &str) -> Told {
        self.set.get(method).cloned().unwrap_or_else(|| {
            let right = shapes::right(method);
            Told::new(right.status, right.body)
        })
    }

    /// How many requests there were.
    pub fn asked(&self) -> usize {
        self.asked.get()
    }
}

impl Wire for Replies {
    fn exchange(&self, request: Request) -> Result<Answer, Failure> {
        self.asked.set(self.asked.get() + 1);
        assert!(self.asked.get() <= MOST_REQUESTS, "asks without end");
        let method = request.url.strip_prefix("https://exchange.test/v1/").expect("another address");
        let again = self.heard.borrow().iter().any(|earlier| earlier == method);
        self.heard.borrow_mut().push(method.to_string());
        let refusal = Told::new(400, r#"{"code":40001,"message":"BAD_REQUEST"}"#);
        let Told { status, headers, body } = if again && self.impatient { refusal } else { self.told(method) };
        Ok(Answer { status, headers, body: Box::new(Cursor::new(body)) })
    }
}

/// What came of a question.
pub enum Outcome {
    Balances(Vec<Balance>),
    Open(Vec<OpenOrder>),
    Order(Option<OrderState>),
    Listings(Named<Listing>),
    /// Placed or cancelled.
    Done,
}

/// What was answered, and what the adapter then took for the exchange's time.
pub struct Asked {
    pub outcome: Result<Outcome, Error>,
    pub time: Option<Millis>,
    pub slept: Millis,
    pub log: String,
}

pub fn coins() -> Vec<String> {
    vec!["BTC".to_string(), "ETH".to_string()]
}

/// The order that is placed.
pub fn sell() -> Order {
    let size = Size::Quantity(oracle::quantity("0.01"));
    Order { symbol: "BTC_USDT".into(), coin: "BTC".into(), side: Side::Sell, size, value: oracle::value("628") }
}

/// Asks the real adapter the question that an endpoint answers: with nothing in any cache, and with a clock that is right.
pub fn ask(method: &str, wire: &dyn Wire) -> Asked {
    let (clock, disk, log) = (Still::new(), Memory::default(), RefCell::new(String::new()));
    let sink = |line: &str| log.borrow_mut().push_str(&format!("{line}\n"));
    let logger = Log::new(&clock, 0, true, &sink);
    let machine = Machine { clock: &clock, disk: &disk, wire };
    let key = Credentials::new(KEY.to_string(), SECRET.to_string());
    let base = "https://exchange.test/v1";
    let mut venue = CryptoCom::new(machine, &logger, base, "USDT", PathBuf::from("markets.cache"), Some(key));
    let outcome = match method {
        shapes::BALANCE => venue.balances().map(Outcome::Balances),
        shapes::OPEN => venue.open_orders().map(Outcome::Open),
        shapes::DETAIL => venue.order("rb1").map(Outcome::Order),
        shapes::CREATE => venue.place(&sell(), "rb1", venue.order_expiry()).map(|()| Outcome::Done),
        shapes::CANCEL => venue.cancel("rb1").map(|()| Outcome::Done),
        _ => venue.listings(&coins()).map(Outcome::Listings),
    };
    // What the next order would be sent with: whatever time was told, it can be counted.
    let _ = venue.order_expiry();
    let time = venue.time();
    drop(venue);
    Asked { outcome, time, slept: clock.elapsed(), log: log.into_inner() }
}
