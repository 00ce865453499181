//! One request over the network by minreq: one connection, no redirects, a deadline for all of it.

use crate::clock::{Clock, SystemClock};
use crate::exchange::Millis;
use crate::tls;
use std::io::{self, Cursor, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

const USER_AGENT: &str = concat!("rebalancer/", env!("CARGO_PKG_VERSION"));
/// What is read of a body at once, and handed on when it is full.
const PART_BYTES: usize = 4096;

/// A GET without a body, or a POST of JSON.
pub struct Request {
    /// The whole address.
    pub url: String,
    /// What is posted.
    pub body: Option<String>,
    /// How long the answer may take in all, connection, handshake and body included.
    pub timeout_s: u64,
}

/// The head of an answer, and its body, still to be read.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// What follows. It may end early without an error.
    pub body: Box<dyn Read>,
}

impl Answer {
    /// A header's value; the letters of its name may be of any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// A request that brought no usable answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Failure {
    /// Whether it is certain that the server did not get the request.
    pub not_sent: bool,
    /// Lower-case sentence without the request's body.
    pub message: String,
}

/// What the program needs of the network.
pub trait Wire {
    /// Sends a request, once, and waits for the head of its answer.
    ///
    /// # Errors
    /// When no complete head came in time.
    fn exchange(&self, request: Request) -> Result<Answer, Failure>;
}

/// The machine's own network.
pub struct Internet;

impl Wire for Internet {
    fn exchange(&self, Request { url, body, timeout_s }: Request) -> Result<Answer, Failure> {
        tls::install();
        let clock = SystemClock::new();
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
        let mut answer = sent.map_err(|error| failure(&error))?;
        let (status, headers) = (answer.status_code, core::mem::take(&mut answer.headers));
        let until = Millis::try_from(timeout_s).unwrap_or(Millis::MAX / 1000) * 1000;
        let body = Timed { parts: parts(answer)?, part: Cursor::default(), clock, until };
        Ok(Answer { status, headers, body: Box::new(body) })
    }
}

/// Reads a body in a thread of its own. minreq's deadline holds for each reading from the connection, and the TLS library reads until a
/// record is whole: a record of 16 kB that comes in byte by byte would take hours.
fn parts(mut body: impl Read + Send + 'static) -> Result<Receiver<io::Result<Vec<u8>>>, Failure> {
    let (send, parts) = sync_channel(1);
    let read = move || {
        loop {
            let mut part = Vec::with_capacity(PART_BYTES);
            let read = body.by_ref().take(PART_BYTES as u64).read_to_end(&mut part);
            let more = read.as_ref().is_ok_and(|count| *count == PART_BYTES);
            if send.send(read.map(|_| part).map_err(in_words)).is_err() || !more {
                break;
            }
        }
    };
    let started = thread::Builder::new().spawn(read);
    started.map(|_| parts).map_err(|error| Failure { not_sent: false, message: format!("no thread: {error}") })
}

/// What minreq and the TLS library say to programmers, as others would say it.
fn in_words(error: io::Error) -> io::Error {
    let (kind, words) = match error.kind() {
        io::ErrorKind::Other => (io::ErrorKind::Other, "its parts are not as HTTP has them"),
        io::ErrorKind::UnexpectedEof => (io::ErrorKind::UnexpectedEof, "the connection ended in the middle"),
        _ => return error,
    };
    io::Error::new(kind, words)
}

/// A body that another thread reads, up to the answer's deadline.
struct Timed {
    parts: Receiver<io::Result<Vec<u8>>>,
    part: Cursor<Vec<u8>>,
    clock: SystemClock,
    /// When the time is over by `clock`.
    until: Millis,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.part.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let left = u64::try_from(self.until - self.clock.elapsed()).unwrap_or(0);
            self.part = match self.parts.recv_timeout(Duration::from_millis(left)) {
                Ok(part) if left > 0 => Cursor::new(part?),
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
                _ => return Err(io::Error::new(io::ErrorKind::TimedOut, "it did not end in time")),
            };
        }
    }
}

fn failure(error: &minreq::Error) -> Failure {
    let (not_sent, message) = match error {
        minreq::Error::IoError(io) => (
            matches!(
                io.kind(),
                io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable
            ),
            tls::explain(io).unwrap_or_else(|| format!("{io} (is the network up?)")),
        ),
        minreq::Error::AddressNotFound => (true, "the server has no address (is the network up?)".to_string()),
        // Its words for these are for programmers.
        _ => (false, "the head of the answer is longer than any should be, or not as HTTP has it".to_string()),
    };
    Failure { not_sent, message }
}
