//! A loopback source of lists: speaks CoinGecko's `coins/markets` on 127.0.0.1, serves a list of one's own as a page,
//! keeps what it was asked, and goes wrong where a test asks.
//!
//! A test starts a [`Source`] with some coins, lets the program read it, and changes its [`Desk`]: other coins, other
//! caps, something that goes wrong. No request is answered while a test holds the desk, so it is held for one
//! expression at a time.
//!
//! What is not modelled: other currencies and orders, sparklines, the limit of requests a minute.

// Each test crate uses a part of this.
#![allow(dead_code, unused_imports)]

mod answer;
mod rows;

use std::collections::BTreeMap;
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use answer::Wrong;
pub use rows::{Coin, iso_date, now_s};

/// The category that the tests follow unless they say otherwise.
pub const DEFI: &str = "decentralized-finance-defi";

/// One request as it came.
#[derive(Clone)]
pub struct Asked {
    /// `/api/v3/coins/markets` or another.
    pub path: String,
    /// By name, in the order of the names.
    pub query: BTreeMap<String, String>,
    /// The first line and the headers.
    pub head: String,
}

impl Asked {
    /// A header's value, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// A list of one's own.
pub struct Page {
    pub text: Vec<u8>,
    /// Seconds since 1970 for the `Last-Modified` header.
    pub modified_s: Option<i64>,
}

/// What the source has and how it behaves.
#[derive(Default)]
pub struct Desk {
    /// The coins of each category, largest first; those of the whole market under an empty name.
    pub shelves: BTreeMap<String, Vec<Coin>>,
    /// What lies at `/mine`.
    pub page: Option<Page>,
    /// What goes wrong with so many of the next requests.
    pub wrong: Option<(Wrong, u32)>,
    /// After so many more that are answered well.
    pub wrong_from: u32,
    pub asked: Vec<Asked>,
    /// What no correct client asks for.
    pub violations: Vec<String>,
}

/// A running source. Dropping it stops it.
pub struct Source {
    desk: Arc<Mutex<Desk>>,
    stop: Arc<AtomicBool>,
    address: SocketAddr,
    acceptor: Option<JoinHandle<()>>,
}

impl Source {
    /// Serves these coins as the category [`DEFI`], see [`Source::rank`].
    pub fn start(coins: &str) -> Source {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let desk = Arc::new(Mutex::new(Desk::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let (shared, stopped) = (Arc::clone(&desk), Arc::clone(&stop));
        let acceptor = thread::spawn(move || {
            for connection in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(tcp) = connection else { continue };
                let (desk, stop) = (Arc::clone(&shared), Arc::clone(&stopped));
                thread::spawn(move || converse(&desk, &stop, tcp));
            }
        });
        let source = Source { desk, stop, address, acceptor: Some(acceptor) };
        source.rank(coins);
        source
    }

    /// The root of CoinGecko's interface.
    pub fn url(&self) -> String {
        format!("http://{}/api/v3", self.address)
    }

    /// Where the list of one's own is.
    pub fn page_url(&self) -> String {
        format!("http://{}/mine", self.address)
    }

    pub fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The category has these coins now, in this order and with caps that say so: see [`Coin::all`].
    pub fn rank(&self, coins: &str) {
        self.rank_in(DEFI, coins);
    }

    /// As [`Source::rank`], of another category.
    pub fn rank_in(&self, category: &str, coins: &str) {
        self.desk().shelves.insert(category.to_string(), Coin::all(coins));
    }

    /// Changes one coin of [`DEFI`], by its symbol in capital letters.
    pub fn change(&self, symbol: &str, change: impl Fn(&mut Coin)) {
        let mut desk = self.desk();
        let coin = desk.shelves.get_mut(DEFI).unwrap().iter_mut().find(|coin| coin.symbol.eq_ignore_ascii_case(symbol));
        change(coin.unwrap());
    }

    /// Changes all coins of [`DEFI`].
    pub fn change_all(&self, change: impl Fn(&mut Coin)) {
        self.desk().shelves.get_mut(DEFI).unwrap().iter_mut().for_each(change);
    }

    /// Every request goes wrong from now on.
    pub fn fails(&self, wrong: Wrong) {
        self.desk().wrong = Some((wrong, u32::MAX));
    }

    /// Nothing goes wrong any more.
    pub fn mend(&self) {
        self.desk().wrong = None;
    }

    /// How many requests there were.
    pub fn count(&self) -> usize {
        self.desk().asked.len()
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // The acceptor sees the flag when its next connection comes: this one.
        let woken = TcpStream::connect(self.address).is_ok();
        if let Some(acceptor) = self.acceptor.take().filter(|_| woken) {
            let _ = acceptor.join();
        }
    }
}

/// One connection: one request, one answer.
fn converse(desk: &Mutex<Desk>, stop: &AtomicBool, mut tcp: TcpStream) {
    let patience = Some(Duration::from_secs(40));
    let _ = tcp.set_read_timeout(patience).and(tcp.set_write_timeout(patience));
    let _ = tcp.set_nodelay(true);
    let Some(asked) = read(&mut tcp) else { return };
    let (answer, wrong) = {
        let mut desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
        let desk = &mut *desk;
        let answer = desk.answer(&asked);
        desk.asked.push(asked);
        let wrong = match &mut desk.wrong {
            Some(_) if desk.wrong_from > 0 => {
                desk.wrong_from -= 1;
                None
            }
            Some((wrong, times)) if *times > 0 => {
                *times = times.saturating_sub(u32::from(*times != u32::MAX));
                Some(wrong.clone())
            }
            _ => None,
        };
        (answer, wrong)
    };
    // A client that hangs up in the middle is none of the source's business.
    let _ = answer.send(&mut tcp, wrong, &|| stop.load(Ordering::Relaxed));
}

/// Reads a request without a body.
fn read(tcp: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 1024];
    while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = tcp.read(&mut buffer).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&buffer[..count]);
    }
    let head = String::from_utf8(bytes).ok()?;
    let target = head.lines().next()?.split(' ').nth(1)?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = query.split('&').filter_map(|pair| pair.split_once('='));
    let query = query.map(|(name, value)| (name.to_string(), value.to_string())).collect();
    Some(Asked { path: path.to_string(), query, head: head.clone() })
}
