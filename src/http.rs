//! One request, one reply, with every limit that the HTTP client leaves open.
//!
//! minreq follows redirects (a signed body would go to another host), has no timeout, returns success on a short body,
//! has no limit on a body's size and sends no User-Agent. Here: no redirects, a deadline for the whole exchange of
//! messages, the body's length compared with its announcement, a limit per request, a User-Agent, and plain http to
//! loopback only. A chunked body has no length to compare: there only a complete JSON document proves completeness,
//! which every caller checks.

use crate::clock::{Clock, http_date};
use crate::exchange::Millis;
use crate::log::Log;
use crate::text;
use crate::tls;
use std::io::{self, Read};

/// At most three requests a second: far below the exchange's documented limits, and the reason why they never matter.
const PACE_MS: Millis = 334;
const USER_AGENT: &str = concat!("rebalancer/", env!("CARGO_PKG_VERSION"));

/// A request that brought no usable reply.
#[derive(Clone, PartialEq, Eq)]
pub struct Failure {
    /// Whether it is certain that the server did not get the request.
    pub not_sent: bool,
    /// Lower-case sentence without the request's body.
    pub message: String,
}

/// A reply whose body is still to be read.
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The server's clock by its `Date` header, with the moment by our monotonic clock that it belongs to.
    pub date: Option<(Millis, Millis)>,
    /// The body; reading fails when it is short, too long or late.
    pub body: Body,
}

/// Sends requests to one server.
pub struct Http<'a> {
    clock: &'a dyn Clock,
    log: &'a Log<'a>,
    base: String,
    last: Option<Millis>,
}

impl<'a> Http<'a> {
    /// A client for addresses below `base` (checked by [`base_url`]).
    pub fn new(clock: &'a dyn Clock, log: &'a Log<'a>, base: &str) -> Http<'a> {
        tls::install();
        Http { clock, log, base: base.to_string(), last: None }
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
        if let Some(last) = self.last {
            self.clock.sleep((last + PACE_MS - self.clock.elapsed()).max(0));
        }
        let start = self.clock.elapsed();
        self.last = Some(start);
        let url = format!("{}/{path}", self.base);
        let request = match body {
            None => minreq::get(&url),
            Some(body) => minreq::post(&url).with_header("Content-Type", "application/json").with_body(body),
        };
        let sent = request
            .with_header("User-Agent", USER_AGENT)
            .with_header("Accept", "application/json")
            .with_header("Connection", "close")
            .with_timeout(timeout_s)
            .with_follow_redirects(false)
            .send_lazy();
        let end = self.clock.elapsed();
        let reply = sent.map_err(|error| self.failure(path, &error))?;
        let status = reply.status_code;
        self.log.detail(&format!("{path}: http {status} after {} ms", end - start));
        if (300..400).contains(&status) {
            return Err(Failure {
                not_sent: false,
                message: format!("{path}: redirected elsewhere (http {status}), not followed"),
            });
        }
        let date = reply.header("date").and_then(http_date);
        let announced = if reply.header("transfer-encoding").is_some() { None } else { reply.header("content-length") };
        let expected = announced.and_then(|length| length.trim().parse::<i64>().ok());
        // Taken as of the reply's end: at most a second and the way back behind, never ahead.
        let date = date.map(|date| (date, end));
        Ok(Reply { status, date, body: Body { reply, seen: 0, expected, most_bytes } })
    }

    fn failure(&self, path: &str, error: &minreq::Error) -> Failure {
        let (not_sent, why) = match error {
            minreq::Error::IoError(io) => (
                matches!(
                    io.kind(),
                    io::ErrorKind::ConnectionRefused
                        | io::ErrorKind::HostUnreachable
                        | io::ErrorKind::NetworkUnreachable
                ),
                tls::explain(io).unwrap_or_else(|| format!("{io} (is the network up?)")),
            ),
            minreq::Error::AddressNotFound => (true, format!("{error} (is the network up?)")),
            other => (false, other.to_string()),
        };
        self.log.detail(&format!("{path}: {why}"));
        Failure { not_sent, message: format!("{path}: no answer from {}: {why}", self.base) }
    }
}

trait Header {
    fn header(&self, name: &str) -> Option<&str>;
}

impl Header for minreq::ResponseLazy {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// A reply's body as a stream that ends in an error unless it is whole.
pub struct Body {
    reply: minreq::ResponseLazy,
    seen: usize,
    expected: Option<i64>,
    most_bytes: usize,
}

impl Body {
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
        let count = self.reply.read(buffer)?;
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
