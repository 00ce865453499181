//! How much of the machine's memory an answer can take: one as large as its limit, and one without end. A test crate of its own, because
//! it looks at the whole process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::use_debug)]
#![allow(clippy::float_arithmetic, missing_docs)]

#[path = "untrusted/mod.rs"]
mod untrusted;

use rebalancer::config::parse;
use rebalancer::log::Log;
use rebalancer::machine::Machine;
use rebalancer::universe::source::Source;
use rebalancer::wire::{Answer, Failure, Request, Wire};
use std::cell::Cell;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;
use untrusted::shapes::{BALANCE, CANCEL, CREATE, DETAIL, INSTRUMENTS, OPEN, RISK, TICKERS, right};
use untrusted::{Memory, NOW, Still, Told, ask};

/// Any address of a list.
const MARKETS: &str = "list";
/// What reads ahead, and no more, may be taken beyond a limit.
const BUFFER: usize = 4096;
/// What the process may grow by while it reads an answer of a megabyte: the text, twice while it grows, and what is made of it.
const MOST_GROWTH_KB: u64 = 8 * 1024;

/// An endpoint that answers with `open`, then `filler` again and again, up to so many bytes, then `close`; the others are right.
struct Large {
    method: &'static str,
    open: &'static str,
    filler: &'static str,
    close: &'static str,
    most: usize,
    taken: Rc<Cell<usize>>,
}

impl Wire for Large {
    fn exchange(&self, request: Request) -> Result<Answer, Failure> {
        let exchange = "https://exchange.test/v1/";
        let method = request.url.strip_prefix(exchange).unwrap_or(MARKETS);
        if method != self.method {
            let Told { status, headers, body } = Told::new(200, right(method).body);
            return Ok(Answer { status, headers, body: Box::new(io::Cursor::new(body)) });
        }
        if self.taken.get() > 0 {
            return Err(Failure { not_sent: false, message: "asked again".to_string() });
        }
        let room = self.most.saturating_sub(self.open.len() + self.close.len());
        let fill = Fill { filler: self.filler.as_bytes(), at: 0, left: room - room % self.filler.len() };
        let body = self.open.as_bytes().chain(fill).chain(self.close.as_bytes());
        Ok(Answer { status: 200, headers: Vec::new(), body: Box::new(Counted(body, Rc::clone(&self.taken))) })
    }
}

/// A text again and again.
struct Fill {
    filler: &'static [u8],
    at: usize,
    left: usize,
}

impl Read for Fill {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(self.left);
        for byte in &mut buffer[..count] {
            *byte = self.filler[self.at];
            self.at = (self.at + 1) % self.filler.len();
        }
        self.left -= count;
        Ok(count)
    }
}

struct Counted<R>(R, Rc<Cell<usize>>);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buffer)?;
        self.1.set(self.1.get() + count);
        Ok(count)
    }
}

/// Resident memory now, or its peak since it was last reset.
fn resident_kb(what: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// What the real source makes of a list: CoinGecko's, or a page of lines or JSON.
fn follow(source: &str, wire: &dyn Wire) {
    let config = format!(r#"{{"universe": {{"source": {source}, "top": 10}}}}"#);
    let config = parse(&config, Path::new("/")).map_err(|error| error.message).unwrap();
    let (clock, disk) = (Still::new(), Memory::default());
    let log = Log::new(&clock, 0, false, &|_| ());
    let machine = Machine { clock: &clock, disk: &disk, wire };
    let mut entries = Vec::new();
    let read = Source::new(machine, &log, config.universe.as_ref().unwrap(), None).page(1, 250, NOW, &mut entries);
    assert!(read.is_err() && entries.is_empty(), "a list of {} coins", entries.len());
}

#[test]
fn an_answer_as_large_as_its_limit_or_without_end_takes_bounded_memory() {
    const KB: usize = 1024;
    const ACCOUNT: &str = r#"{"code":0,"result":{"data":[{"position_balances":["#;
    const LIST: &str = r#"{"code":0,"result":{"data":["#;
    // Endpoint, what it answers, its limit (the documented one of the adapter).
    let cases = [
        (CREATE, r#"{"code":0,"result":{"x":0"#, r#","":0"#, "}}", 64 * KB),
        (CANCEL, r#"{"code":0,"result":{"x":0"#, r#","":0"#, "}}", 64 * KB),
        (DETAIL, r#"{"code":0,"result":{"x":0"#, r#","":0"#, "}}", 64 * KB),
        (BALANCE, ACCOUNT, r#"{"instrument_name":"A","quantity":"0","reserved_qty":"0"},"#, "{}]}]}}", KB * KB),
        (BALANCE, r#"{"code":0,"result":{"data":[{"position_balances":[{"x":0"#, r#","":0"#, "}]}]}}", KB * KB),
        (BALANCE, r#"{"code":0,"message":""#, "x", "\"}", KB * KB),
        (OPEN, LIST, "{},", "{}]}}", KB * KB),
        (OPEN, LIST, r#"{"client_oid":""},"#, "{}]}}", KB * KB),
        (OPEN, r#"{"code":0,"result":{"data":[{"x":0"#, r#","":0"#, "}]}}", KB * KB),
        (TICKERS, LIST, r#"{"i":"BTC_USDT","b":"1","k":"2"},"#, "{}]}}", 2 * KB * KB),
        (TICKERS, r#"{"code":0,"result":{"data":[{"x":0"#, r#","":0"#, "}]}}", 2 * KB * KB),
        (RISK, r#"{"code":0,"x":["#, "0,", "0]}", 2 * KB * KB),
        (INSTRUMENTS, LIST, "{},", "{}]}}", 4 * KB * KB),
    ];
    // Rows that have no end, and more of them than a list has; what is beside rows; a list that is one word.
    const GECKO: &str = r#""coingecko", "base_url": "https://list.test""#;
    const OWN: &str = r#""list", "list": "https://list.test/list""#;
    let lists = [
        (GECKO, "[", r#"{"id":"a","symbol":""},"#, "{}]", 2 * KB * KB),
        (GECKO, "[", r#"{"id":"","symbol":""},"#, "{}]", 2 * KB * KB),
        (GECKO, r#"[{"x":0"#, r#","":0"#, "}]", 2 * KB * KB),
        (GECKO, r#"[{"id":""#, "x", "\"}]", 2 * KB * KB),
        (GECKO, "[", "0,", "0]", 2 * KB * KB),
        (GECKO, "", "[", "", 2 * KB * KB),
        (OWN, "", "A\n", "", 256 * KB),
        (OWN, "", "A", "\n", 256 * KB),
        (OWN, "", "#", "\n", 256 * KB),
        (OWN, "[", "\"A\",", "\"A\"]", 256 * KB),
        (OWN, "[", "0,", "0]", 256 * KB),
        (OWN, r#"{"coins":["#, "{},", "{}]}", 256 * KB),
        (OWN, r#"[{"x":0"#, r#","":0"#, "}]", 256 * KB),
        (OWN, "", "[", "", 256 * KB),
    ];
    // The peak begins anew; what an earlier answer left behind counts for the later ones.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = resident_kb("VmRSS:");
    let asks = cases.map(|(method, open, filler, close, limit)| (method, None, open, filler, close, limit));
    let follows = lists.map(|(source, open, filler, close, limit)| (MARKETS, Some(source), open, filler, close, limit));
    for (method, source, open, filler, close, limit) in asks.into_iter().chain(follows) {
        for most in [limit, 1 << 40] {
            let taken = Rc::new(Cell::new(0));
            let large = Large { method, open, filler, close, most, taken: Rc::clone(&taken) };
            match source {
                None => drop(ask(method, &large)),
                Some(source) => follow(source, &large),
            }
            let grown = resident_kb("VmHWM:").saturating_sub(before);
            let first = taken.get();
            println!("{method} {filler:10.10} up to {most}: {first} bytes taken, {grown} kB");
            assert!(first <= limit + BUFFER, "{method}: {first} bytes of an answer were taken, its limit is {limit}");
            assert!(grown <= MOST_GROWTH_KB, "{method}: {grown} kB for an answer of {filler} up to {most} bytes");
        }
    }
}
