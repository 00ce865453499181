//! What is answered, and what can go wrong with it on the wire.

use super::rows::http_date;
use super::{Asked, Coin, Desk};
use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// More than any client takes; a body without end stops there.
const ENDLESS_MAX: usize = 16 * 1024 * 1024;
/// How long a source is silent that does not end its answer.
const SILENCE: Duration = Duration::from_secs(30);

/// What goes wrong with a request.
#[derive(Clone)]
pub enum Wrong {
    /// The connection is closed without an answer.
    Drop,
    /// The whole length is announced, this part of it in percent is sent.
    Cut(usize),
    /// The same part in whole chunks, without the last one.
    CutChunked(usize),
    /// Another answer.
    Says { status: u16, kind: &'static str, body: Vec<u8> },
    /// Somebody else has the list.
    Redirect(String),
    /// So many made-up rows, with so many letters more in each, however many were asked for.
    Rows { count: usize, padding: usize },
    /// The right answer's beginning, and then blanks without length and end.
    Endless,
    /// The right answer, so many bytes at a time, with a pause of so many milliseconds.
    Drip { bytes: usize, ms: u64 },
    /// Half of the right answer, and then nothing for longer than anybody waits.
    Silent,
    /// The right answer in chunks: nothing is wrong.
    Chunked,
    /// Call `f`, then close; or answer whole, then call `f` (`after`).
    Call { after: bool, f: Arc<dyn Fn() + Send + Sync> },
}

impl Wrong {
    /// An answer in JSON.
    pub fn json(status: u16, body: &str) -> Wrong {
        Wrong::Says { status, kind: "application/json; charset=utf-8", body: body.as_bytes().to_vec() }
    }

    /// The page of a gateway.
    pub fn html(status: u16) -> Wrong {
        let body =
            format!("<!DOCTYPE html>\n<html><head><title>{status}</title></head><body>cloudflare</body></html>\n");
        Wrong::Says { status, kind: "text/html", body: body.into_bytes() }
    }
}

/// An answer.
pub struct Answer {
    status: u16,
    kind: &'static str,
    headers: String,
    body: Vec<u8>,
}

impl Answer {
    fn json(status: u16, body: String) -> Answer {
        let kind = "application/json; charset=utf-8";
        Answer { status, kind, headers: String::new(), body: body.into_bytes() }
    }

    fn head(&self, length: &str) -> Vec<u8> {
        let Answer { status, kind, headers, .. } = self;
        let head =
            format!("HTTP/1.1 {status} Whatever\r\nContent-Type: {kind}\r\n{headers}{length}Connection: close\r\n\r\n");
        head.into_bytes()
    }

    fn whole(&self) -> Vec<u8> {
        [self.head(&format!("Content-Length: {}\r\n", self.body.len())), self.body.clone()].concat()
    }

    fn chunked(&self, part: &[u8], end: &[u8]) -> Vec<u8> {
        let mut out = self.head("Transfer-Encoding: chunked\r\n");
        // Odd on purpose: chunk borders then fall inside names, numbers and letters of several bytes.
        for chunk in part.chunks(997) {
            out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            out.extend_from_slice(chunk);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(end);
        out
    }

    fn part(&self, percent: usize) -> &[u8] {
        &self.body[..self.body.len() * percent / 100]
    }

    /// Puts it on the wire, with what goes wrong.
    pub fn send(mut self, tcp: &mut TcpStream, wrong: Option<Wrong>, stop: &dyn Fn() -> bool) -> io::Result<()> {
        match wrong {
            None => tcp.write_all(&self.whole())?,
            Some(Wrong::Chunked) => tcp.write_all(&self.chunked(&self.body, b"0\r\n\r\n"))?,
            Some(Wrong::Drop) => {}
            Some(Wrong::Cut(percent)) => {
                let head = self.head(&format!("Content-Length: {}\r\n", self.body.len()));
                tcp.write_all(&[&head, self.part(percent)].concat())?;
            }
            Some(Wrong::CutChunked(percent)) => tcp.write_all(&self.chunked(self.part(percent), b""))?,
            Some(Wrong::Says { status, kind, body }) => {
                (self.status, self.kind, self.body) = (status, kind, body);
                tcp.write_all(&self.whole())?;
            }
            Some(Wrong::Redirect(to)) => {
                (self.status, self.headers) = (307, format!("Location: {to}\r\n"));
                self.body.clear();
                tcp.write_all(&self.whole())?;
            }
            Some(Wrong::Rows { count, padding }) => {
                let names: Vec<String> = (1..=count).map(|number| format!("MADEUP{number}=1000")).collect();
                let mut coins = Coin::all(&names.join(" "));
                coins.iter_mut().for_each(|coin| coin.padding = padding);
                self.body = rows(coins.iter().enumerate()).into_bytes();
                tcp.write_all(&self.whole())?;
            }
            Some(Wrong::Endless) => {
                tcp.write_all(&[self.head(""), self.part(50).to_vec()].concat())?;
                let mut sent = 0;
                while sent < ENDLESS_MAX && !stop() {
                    sent += tcp.write(&[b' '; 16 * 1024])?;
                }
            }
            Some(Wrong::Drip { bytes, ms }) => {
                for part in self.whole().chunks(bytes) {
                    tcp.write_all(part)?;
                    thread::sleep(Duration::from_millis(ms));
                    if stop() {
                        return Ok(());
                    }
                }
            }
            Some(Wrong::Silent) => {
                let head = self.head(&format!("Content-Length: {}\r\n", self.body.len()));
                tcp.write_all(&[&head, self.part(50)].concat())?;
                let until = Instant::now() + SILENCE;
                while Instant::now() < until && !stop() {
                    thread::sleep(Duration::from_millis(50));
                }
            }
            Some(Wrong::Call { after, f }) => {
                if after {
                    tcp.write_all(&self.whole())?;
                    tcp.shutdown(Shutdown::Write)?;
                }
                f();
            }
        }
        tcp.flush()?;
        tcp.shutdown(Shutdown::Write)
    }
}

/// A list of rows, each with its place from 0.
fn rows<'a>(coins: impl Iterator<Item = (usize, &'a Coin)>) -> String {
    let rows: Vec<String> = coins.map(|(at, coin)| coin.row(at + 1)).collect();
    format!("[{}]", rows.join(","))
}

impl Desk {
    /// The right answer.
    pub(super) fn answer(&mut self, asked: &Asked) -> Answer {
        if asked.header("user-agent").is_none_or(str::is_empty) || asked.header("host").is_none() {
            self.violations.push(format!("no User-Agent or no Host: {}", asked.head));
        }
        match asked.path.as_str() {
            "/api/v3/coins/markets" => self.markets(asked),
            "/mine" => match &self.page {
                None => Answer::json(404, r#"{"error":"nothing here"}"#.to_string()),
                Some(page) => {
                    let modified = page.modified_s.map(|time| format!("Last-Modified: {}\r\n", http_date(time)));
                    Answer {
                        status: 200,
                        kind: "text/plain",
                        headers: modified.unwrap_or_default(),
                        body: page.text.clone(),
                    }
                }
            },
            path => {
                self.violations.push(format!("a request for {path}"));
                Answer::json(404, r#"{"error":"Incorrect path"}"#.to_string())
            }
        }
    }

    fn markets(&mut self, asked: &Asked) -> Answer {
        let named = |name: &str| asked.query.get(name).map_or("", String::as_str);
        let number = |name: &str| named(name).parse::<usize>().unwrap_or(0);
        let (per_page, page) = (number("per_page"), number("page"));
        let known = ["vs_currency", "category", "order", "per_page", "page", "sparkline"];
        let strange = asked.query.keys().find(|name| !known.contains(&name.as_str()));
        if named("vs_currency") != "usd"
            || named("order") != "market_cap_desc"
            || !(1..=250).contains(&per_page)
            || page == 0
            || strange.is_some()
        {
            self.violations.push(format!("a wrong question: {}", asked.head));
            return Answer::json(400, r#"{"error":"invalid parameter"}"#.to_string());
        }
        match self.shelves.get(named("category")) {
            None => Answer::json(404, r#"{"error":"category not found"}"#.to_string()),
            Some(coins) => {
                let page = coins.iter().enumerate().skip((page - 1) * per_page).take(per_page);
                Answer::json(200, rows(page))
            }
        }
    }
}
