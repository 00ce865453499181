//! One request over the network by minreq: one connection, no redirects, a deadline for all of it.

use crate::clock::{Clock, SystemClock};
use crate::exchange::Millis;
use crate::text;
use crate::tls;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
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
    /// A further header, which may be a secret.
    pub header: Option<(&'static str, String)>,
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
    pub body: Box<dyn Stream>,
}

/// As much of a stream as is needed. A trait object of the standard library's `Read` would bring in the code of all its methods.
pub trait Stream {
    /// Reads what comes next into a buffer: how many bytes, none at the end.
    ///
    /// # Errors
    /// What the stream says.
    fn next(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
}

impl<R: Read> Stream for R {
    fn next(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read(buffer)
    }
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
    fn exchange(&self, Request { url, body, header, timeout_s }: Request) -> Result<Answer, Failure> {
        tls::install();
        let clock = SystemClock::new();
        let request = match body {
            None => minreq::get(&url),
            Some(body) => minreq::post(&url).with_header("Content-Type", "application/json").with_body(body),
        };
        let request = match header {
            Some((name, value)) => request.with_header(name, value),
            None => request,
        };
        let sent = request
            .with_header("User-Agent", USER_AGENT)
            .with_header("Accept", "application/json, text/plain")
            .with_header("Connection", "close")
            .with_timeout(timeout_s)
            .with_follow_redirects(false)
            .send_lazy();
        let mut answer = sent.map_err(|error| failure(&error))?;
        let (status, headers) = (answer.status_code, core::mem::take(&mut answer.headers));
        let until = Millis::try_from(timeout_s).unwrap_or(Millis::MAX / 1000) * 1000;
        let no_thread =
            |error: io::Error| Failure { not_sent: false, message: format!("the answer cannot be read: {error}") };
        let body = Timed::new(answer, clock, until).map_err(no_thread)?;
        Ok(Answer { status, headers, body: Box::new(body) })
    }
}

/// A body that is read in a thread of its own, up to the answer's deadline. minreq's deadline holds for each reading from the
/// connection, and the TLS library reads until a record is whole: a record of 16 kB that comes in byte by byte would take hours.
struct Timed {
    /// What the thread has read. Closed at its end, and when nobody wants the rest; a body that broke off is told by its length or by
    /// being no whole document.
    parts: UnixStream,
    clock: SystemClock,
    /// When the time is over by `clock`.
    until: Millis,
}

impl Timed {
    fn new(mut body: minreq::ResponseLazy, clock: SystemClock, until: Millis) -> io::Result<Timed> {
        let (parts, mut to) = UnixStream::pair()?;
        thread::Builder::new().spawn(move || {
            let mut part = [0_u8; PART_BYTES];
            loop {
                // minreq hands over single bytes.
                let mut count = 0;
                while let Some(rest) = part.get_mut(count..).filter(|rest| !rest.is_empty()) {
                    match text::some(&mut body, rest) {
                        Ok(some) if some > 0 => count += some,
                        _ => break,
                    }
                }
                let whole = part.get(..count).unwrap_or_default();
                if to.write_all(whole).is_err() || count < PART_BYTES {
                    return;
                }
            }
        })?;
        Ok(Timed { parts, clock, until })
    }
}

impl Stream for Timed {
    fn next(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let late = || io::Error::new(io::ErrorKind::TimedOut, "it did not end in time");
        let left = u64::try_from(self.until - self.clock.elapsed()).ok().filter(|left| *left > 0).ok_or_else(late)?;
        self.parts.set_read_timeout(Some(Duration::from_millis(left)))?;
        let read = self.parts.read(buffer);
        read.map_err(|error| if error.kind() == io::ErrorKind::WouldBlock { late() } else { error })
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
        _ => (false, "the head of the answer is too long, or not as HTTP has it".to_string()),
    };
    Failure { not_sent, message }
}
