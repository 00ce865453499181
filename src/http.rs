//! One request, one reply, with every limit that the HTTP client leaves open.
//!
//! minreq follows redirects (a signed body would go to another host), has no timeout, returns success on a short body,
//! has no limit on a body's size and sends no User-Agent. Here: no redirects, a deadline for the whole exchange of
//! messages, the body's length compared with its announcement, a limit per request, a User-Agent, and plain http to
//! loopback only. A chunked body has no length to compare: there only a complete JSON document proves completeness,
//! which every caller checks.

use crate::clock::http_date;
use crate::exchange::Millis;
use crate::log::Log;
use crate::machine::Machine;
use crate::text;
use crate::wire::{Failure, Request, Stream};
use std::io::{self, Read};

/// At most three requests a second: far below the exchange's documented limits, and the reason why they never matter.
const PACE_MS: Millis = 334;

/// A reply whose body is still to be read.
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The server's clock by its `Date` header, with the moment by our monotonic clock that it belongs to.
    pub date: Option<(Millis, Millis)>,
    /// When the answer's content was changed last, as the server says.
    pub modified: Option<Millis>,
    /// The body; reading fails when it is short, too long or late.
    pub body: Body,
}

/// Sends requests to one server.
pub struct Http<'a> {
    machine: Machine<'a>,
    log: &'a Log<'a>,
    base: String,
    /// Sent with every request.
    header: Option<(&'static str, String)>,
    last: Option<Millis>,
}

impl<'a> Http<'a> {
    /// A client for addresses below `base` (checked by [`base_url`]).
    pub fn new(machine: Machine<'a>, log: &'a Log<'a>, base: &str) -> Http<'a> {
        Http { machine, log, base: base.to_string(), header: None, last: None }
    }

    /// With a header for every request, such as a key; it is not logged.
    pub fn with_header(self, header: Option<(&'static str, String)>) -> Http<'a> {
        Http { header, ..self }
    }

    /// Sends a GET (no `body`) or a POST of JSON, after a pause that keeps the pace. The reply may have so many bytes and take so many
    /// seconds in all, connection and handshake included.
    ///
    /// # Errors
    /// When no complete head of a reply came in time, or it was a redirect.
    pub fn send(
        &mut self,
        path: &str,
        body: Option<String>,
        (most_bytes, timeout_s): (usize, u64),
    ) -> Result<Reply, Failure> {
        let clock = self.machine.clock;
        if let Some(last) = self.last {
            clock.sleep((last + PACE_MS - clock.elapsed()).max(0));
        }
        let start = clock.elapsed();
        self.last = Some(start);
        let url = format!("{}/{path}", self.base);
        let answer = self.machine.wire.exchange(Request { url, body, header: self.header.clone(), timeout_s });
        let end = clock.elapsed();
        // What follows a question mark may be a key, and tells an owner little.
        let path = path.split('?').next().unwrap_or_default();
        let answer = answer.map_err(|failure| {
            self.log.detail(&format!("{path}: {}", failure.message));
            Failure { message: format!("{path}: no answer from {}: {}", self.base, failure.message), ..failure }
        })?;
        let status = answer.status;
        self.log.detail(&format!("{path}: http {status} after {} ms", end - start));
        let unusable = |why: &str| Failure { not_sent: false, message: format!("{path}: {why}") };
        if (300..400).contains(&status) {
            return Err(unusable(&format!("redirected elsewhere (http {status}), not followed")));
        }
        let date = answer.header("date").and_then(http_date);
        let announced =
            if answer.header("transfer-encoding").is_some() { None } else { answer.header("content-length") };
        let expected = announced.map(|length| length.trim().parse::<i64>()).transpose();
        let expected = expected.map_err(|_| unusable("the answer's length is announced as what no length is"))?;
        let modified = answer.header("last-modified").and_then(http_date);
        // Taken as of the reply's end: at most a second and the way back behind, never ahead.
        let date = date.map(|date| (date, end));
        Ok(Reply { status, date, modified, body: Body { bytes: answer.body, seen: 0, expected, most_bytes } })
    }
}

/// A reply's body as a stream that ends in an error unless it is whole.
pub struct Body {
    bytes: Box<dyn Stream>,
    seen: usize,
    expected: Option<i64>,
    most_bytes: usize,
}

impl Body {
    /// Whether its length was announced: without it only what it says can show that it is whole.
    pub fn is_measured(&self) -> bool {
        self.expected.is_some()
    }

    /// The whole body as text.
    ///
    /// # Errors
    /// When it is short, too long, late or not UTF-8.
    pub fn text(mut self) -> Result<String, io::Error> {
        let most = self.most_bytes;
        text::of(&mut self, most)
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.next(buffer)?;
        self.seen += count;
        if self.seen > self.most_bytes {
            return Err(io::Error::other(format!("the body is larger than {} bytes", self.most_bytes)));
        }
        match self.expected {
            Some(expected) if count == 0 && !buffer.is_empty() && i64::try_from(self.seen) != Ok(expected) => {
                Err(io::Error::other(format!("the body ended after {} of {expected} bytes", self.seen)))
            }
            _ => Ok(count),
        }
    }
}

/// Checks a server's address: https anywhere, plain http only to this machine, no user name, a port that is a number.
/// Returned without a slash at its end.
///
/// # Errors
/// A sentence about what is allowed.
pub fn base_url(url: &str) -> Result<String, String> {
    let allowed = "use https://HOST/PATH, or http://127.0.0.1:PORT/PATH for a server on this machine";
    let bad = |why: &str| Err(format!("{why}; {allowed}"));
    let (secure, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return bad("it does not begin with https://"),
    };
    if !rest.bytes().all(|byte| byte.is_ascii_graphic()) || rest.contains(['@', '\\', '?', '#', '[', '%']) {
        return bad("it holds a character that an address of an interface does not have");
    }
    let authority = rest.split('/').next().unwrap_or("");
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    if host.is_empty() || !digits || !port.parse::<i64>().is_ok_and(|port| (1..=65535).contains(&port)) {
        return bad("its host or port is missing or wrong");
    }
    let loopback = host == "localhost" || host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
    if !secure && !loopback {
        return bad("plain http would show the account to the network");
    }
    Ok(url.trim_end_matches('/').to_string())
}
