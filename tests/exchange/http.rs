//! Just enough HTTP/1.1 for one request and one answer per connection, over TCP or TLS.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use rustls::{ServerConnection, StreamOwned};

const HEAD_MAX: usize = 64 * 1024;
const BODY_MAX: usize = 1024 * 1024;
const ENDLESS_MAX: usize = 64 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(60);
/// Odd on purpose: chunk borders then fall inside names and numbers.
const CHUNK: usize = 1021;

/// A connection, encrypted or not.
pub enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    /// Ends the connection in good order. A stream that is merely dropped says no TLS farewell.
    fn finish(&mut self) -> io::Result<()> {
        self.flush()?;
        if let Stream::Tls(tls) = self {
            tls.conn.send_close_notify();
            tls.flush()?;
        }
        match self {
            Stream::Plain(tcp) => tcp.shutdown(Shutdown::Write),
            Stream::Tls(tls) => tls.sock.shutdown(Shutdown::Write),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(tcp) => tcp.read(buffer),
            Stream::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(tcp) => tcp.write(bytes),
            Stream::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(tcp) => tcp.flush(),
            Stream::Tls(tls) => tls.flush(),
        }
    }
}

/// One request as it came.
pub struct Incoming {
    pub verb: String,
    pub path: String,
    pub query: String,
    pub head: String,
    pub body: Vec<u8>,
}

impl Incoming {
    /// Reads one request; `None` when there is none, or it is not HTTP.
    pub fn read(stream: &mut Stream) -> Option<Incoming> {
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        let end = loop {
            let fresh = bytes.len().saturating_sub(3);
            let count = stream.read(&mut buffer).ok().filter(|&n| n > 0)?;
            bytes.extend_from_slice(&buffer[..count]);
            if let Some(at) = bytes[fresh..].windows(4).position(|w| w == b"\r\n\r\n") {
                break fresh + at;
            }
            if bytes.len() > HEAD_MAX {
                return None;
            }
        };
        let mut body = bytes.split_off(end + 4);
        let head = String::from_utf8(bytes).ok()?;
        let mut first = head.lines().next()?.split(' ');
        let (verb, target) = (first.next()?.to_string(), first.next()?.to_string());
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let (path, query) = (path.to_string(), query.to_string());
        let incoming = Incoming { verb, path, query, head, body: Vec::new() };
        let length = incoming.header("content-length").unwrap_or("0").parse::<usize>().ok()?;
        if length > BODY_MAX {
            return None;
        }
        while body.len() < length {
            let count = stream.read(&mut buffer).ok().filter(|&n| n > 0)?;
            body.extend_from_slice(&buffer[..count]);
        }
        Some(Incoming { body, ..incoming })
    }

    /// A header's value, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// The size of the request on the wire, before encryption.
    pub fn bytes(&self) -> usize {
        self.head.len() + self.body.len()
    }
}

/// How an answer is put on the wire.
pub enum Frame {
    Whole,
    Cut(usize),
    Chunked,
    CutChunked(usize),
    Endless,
    Drip(u64),
}

/// One answer.
#[derive(Clone)]
pub struct Reply {
    pub status: u16,
    pub kind: &'static str,
    pub body: String,
    pub location: Option<String>,
    /// Seconds since 1970 for the `Date` header.
    pub date_s: Option<i64>,
}

impl Reply {
    pub fn json(status: u16, body: String) -> Reply {
        Reply { status, kind: "application/json", body, location: None, date_s: None }
    }

    /// The page a gateway puts up in front of the exchange.
    pub fn html(status: u16) -> Reply {
        let name = reason(status);
        let body = format!(
            "<html>\r\n<head><title>{status} {name}</title></head>\r\n<body>\r\n\
             <center><h1>{status} {name}</h1></center>\r\n<hr><center>cloudflare</center>\r\n\
             </body>\r\n</html>\r\n"
        );
        Reply { kind: "text/html", ..Reply::json(status, body) }
    }

    fn head(&self, length: &str) -> String {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        if let Some(seconds) = self.date_s {
            head += &format!("Date: {}\r\n", http_date(seconds));
        }
        if let Some(to) = &self.location {
            head += &format!("Location: {to}\r\n");
        }
        head + &format!("Content-Type: {}\r\n{length}Connection: close\r\n\r\n", self.kind)
    }

    /// Writes the answer in this frame, then ends the connection: in good order if it is whole.
    pub fn send(&self, out: &mut Stream, frame: Frame, stop: &dyn Fn() -> bool) -> io::Result<()> {
        let body = self.body.as_bytes();
        let measured = self.head(&format!("Content-Length: {}\r\n", body.len()));
        let chunked = self.head("Transfer-Encoding: chunked\r\n");
        let until = Instant::now() + PATIENCE;
        match frame {
            Frame::Whole => out.write_all(&[measured.as_bytes(), body].concat())?,
            Frame::Cut(bytes) => {
                let part = &body[..bytes.min(body.len())];
                out.write_all(&[measured.as_bytes(), part].concat())?;
                return out.flush();
            }
            Frame::Chunked => {
                out.write_all(&[chunked.as_bytes(), &chunks(body), b"0\r\n\r\n"].concat())?;
            }
            Frame::CutChunked(bytes) => {
                let part = chunks(&body[..bytes.min(body.len())]);
                out.write_all(&[chunked.as_bytes(), &part].concat())?;
                return out.flush();
            }
            Frame::Endless => {
                let open = self.body.strip_suffix('}').unwrap_or(&self.body);
                out.write_all(format!("{}{open},\"filler\":\"", self.head("")).as_bytes())?;
                let filler = [b'x'; 64 * 1024];
                for _ in 0..ENDLESS_MAX / filler.len() {
                    out.write_all(&filler)?;
                    if stop() || Instant::now() > until {
                        break;
                    }
                }
                return Ok(());
            }
            Frame::Drip(ms) => {
                for byte in measured.as_bytes().iter().chain(body) {
                    out.write_all(std::slice::from_ref(byte))?;
                    out.flush()?;
                    thread::sleep(Duration::from_millis(ms));
                    if stop() || Instant::now() > until {
                        return Ok(());
                    }
                }
            }
        }
        out.finish()
    }
}

fn chunks(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in body.chunks(CHUNK) {
        out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        302 => "Found",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unknown",
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` from seconds since 1970.
fn http_date(seconds: i64) -> String {
    let (days, clock) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Years are counted from March, so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12;
    let year = year + era * 400 + i64::from(month < 2);
    let name = |names: &'static str, index: i64| &names[index as usize * 3..][..3];
    format!(
        "{}, {of_month:02} {} {year} {:02}:{:02}:{:02} GMT",
        name("ThuFriSatSunMonTueWed", days.rem_euclid(7)),
        name("JanFebMarAprMayJunJulAugSepOctNovDec", month),
        clock / 3600,
        clock / 60 % 60,
        clock % 60
    )
}
