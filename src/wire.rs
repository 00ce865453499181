//! One request over the network by minreq: one connection, no redirects, a deadline for all of it.

use crate::tls;
use std::io::{self, Read};

const USER_AGENT: &str = concat!("rebalancer/", env!("CARGO_PKG_VERSION"));

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
        let headers = core::mem::take(&mut answer.headers).into_iter().collect();
        Ok(Answer { status: answer.status_code, headers, body: Box::new(answer) })
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
        minreq::Error::AddressNotFound => (true, format!("{error} (is the network up?)")),
        other => (false, other.to_string()),
    };
    Failure { not_sent, message }
}
