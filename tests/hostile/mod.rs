//! A server on 127.0.0.1 that says what no server should, and remembers what it was told.

#![allow(dead_code)] // Each test crate uses its own part of this.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// A flood ends here, if the client takes so much.
const FLOOD_MAX: usize = 64 * 1024 * 1024;
/// Silence and drips end here, if the client waits so long.
const PATIENCE: Duration = Duration::from_secs(80);

/// What was seen of the client.
#[derive(Default)]
pub struct Seen {
    pub connections: usize,
    /// Every byte that came, of all connections.
    pub received: Vec<u8>,
    /// The methods that were asked for, in order.
    pub methods: Vec<String>,
    /// How many bytes were sent, or lie in the sockets' buffers.
    pub sent: usize,
}

impl Seen {
    pub fn contains(&self, text: &str) -> bool {
        self.received.windows(text.len()).any(|part| part == text.as_bytes())
    }

    pub fn count(&self, method: &str) -> usize {
        self.methods.iter().filter(|seen| *seen == method).count()
    }
}

/// What a server does with a connection.
#[derive(Clone)]
pub enum Say {
    /// These bytes, then the connection's end.
    Bytes(Vec<u8>),
    /// The first part once, the second without end.
    Flood(Vec<u8>, Vec<u8>),
    /// The first part at once, then the second again and again, a byte every so many milliseconds.
    Drip(Vec<u8>, Vec<u8>, u64),
    /// The first part, then nothing.
    Stall(Vec<u8>),
}

impl Say {
    pub fn text(text: impl AsRef<[u8]>) -> Say {
        Say::Bytes(text.as_ref().to_vec())
    }

    /// Says it on a connection, and returns when the client has hung up or everything is said.
    pub fn on(&self, link: &mut Link) {
        match self {
            Say::Bytes(bytes) => link.send(bytes).then(|| link.stream.shutdown(Shutdown::Write)).map_or((), drop),
            Say::Flood(first, rest) => {
                let block = rest.repeat(16 * 1024 / rest.len() + 1);
                let mut open = link.send(first);
                while open && link.sent < FLOOD_MAX {
                    open = link.send(&block);
                }
            }
            Say::Drip(first, rest, ms) => {
                let (until, mut bytes) = (Instant::now() + PATIENCE, rest.iter().cycle());
                let mut open = link.send(first);
                while open && Instant::now() < until {
                    open = link.send(&[*bytes.next().unwrap()]);
                    thread::sleep(Duration::from_millis(*ms));
                }
            }
            Say::Stall(first) => {
                link.send(first);
                link.drain();
            }
        }
    }
}

/// One connection of a client.
pub struct Link {
    pub stream: TcpStream,
    seen: Arc<Mutex<Seen>>,
    sent: usize,
}

impl Link {
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        let sent = self.stream.write_all(bytes).is_ok();
        self.sent += bytes.len();
        self.seen.lock().unwrap().sent += bytes.len();
        sent
    }

    /// Takes what the client sends until it hangs up.
    pub fn drain(&mut self) {
        let _ = self.stream.set_read_timeout(Some(PATIENCE));
        while self.receive().is_some() {}
    }

    /// Some bytes of the client; nothing at its end.
    pub fn receive(&mut self) -> Option<Vec<u8>> {
        let mut buffer = [0; 4096];
        let count = self.stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        self.seen.lock().unwrap().received.extend(&buffer[..count]);
        Some(buffer[..count].to_vec())
    }

    /// Whether this method was asked for once, now.
    pub fn first_of(&self, method: &str) -> bool {
        self.seen.lock().unwrap().count(method) == 1
    }

    /// One whole request, and the method it asks for.
    pub fn request(&mut self) -> Option<(String, Vec<u8>)> {
        let mut bytes = Vec::new();
        loop {
            bytes.extend(self.receive()?);
            let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
            let Some(head) = text.find("\r\n\r\n") else { continue };
            let length = text.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
            if bytes.len() >= head + 4 + length.unwrap_or(0) {
                let path = text.split(' ').nth(1)?.to_string();
                let method = path.strip_prefix("/exchange/v1/").unwrap_or(&path).to_string();
                self.seen.lock().unwrap().methods.push(method.clone());
                return Some((method, bytes));
            }
        }
    }
}

/// A running server; it lasts as long as the tests.
pub struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

impl Server {
    /// Leaves each connection to `talk`, which is told how many there were before.
    pub fn talking(talk: impl Fn(&mut Link, usize) + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (talk, ours) = (Arc::new(talk), Arc::clone(&seen));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let before = ours.lock().unwrap().connections;
                ours.lock().unwrap().connections += 1;
                let (talk, mut link) = (Arc::clone(&talk), Link { stream, seen: Arc::clone(&ours), sent: 0 });
                thread::spawn(move || talk(&mut link, before));
            }
        });
        Server { address, seen }
    }

    /// Reads each request, then says this.
    pub fn saying(say: Say) -> Server {
        Server::talking(move |link, _| {
            if link.request().is_some() {
                say.on(link);
            }
        })
    }

    pub fn url(&self, scheme: &str) -> String {
        // A name, because certificates are for names.
        let host = if scheme == "https" { "localhost" } else { "127.0.0.1" };
        format!("{scheme}://{host}:{}/exchange/v1", self.address.port())
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }
}

/// Hands a request on to another server; returns its whole answer.
pub fn forward(port: u16, request: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(request).unwrap();
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// An answer with this body.
pub fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
