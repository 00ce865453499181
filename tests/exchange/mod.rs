//! A loopback exchange: speaks Crypto.com Exchange v1 on 127.0.0.1, keeps a small exact world of
//! markets, balances and orders, checks what a client sends, and goes wrong where a test asks.
//!
//! A test makes a [`World`], starts an [`Exchange`] with it, lets the program run against
//! [`Exchange::url`], and reads the world again: balances, orders, requests, costs, and above all
//! [`World::violations`], which stays empty with a correct client whatever the exchange does. No
//! request is answered while a test holds the world, so it is held for one expression at a time.
//!
//! A simulation calls [`process`] itself, with a world whose clock it moves by hand.
//!
//! What is not modelled: limit orders, rate limits, order history.

// Each test crate uses a part of this, and a stand-in that cannot go on says so by panicking.
#![allow(dead_code, unused_imports)]
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::use_debug)]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_possible_wrap)]

mod catalogue;
mod decimal;
mod faults;
mod http;
mod ledger;
mod orders;
mod tls;
mod told;
mod venue;
mod world;

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

pub use decimal::{Dec, dec};
pub use faults::{Act, Fault};
pub use http::{Incoming, Reply};
pub use orders::{Order, Params, Side, Status};
pub use tls::{Authority, Identity, self_signed, server as tls_server};
pub use venue::{Refusal, envelope, param_string, process, sign};
pub use world::{Balance, FeeIn, Market, Request, Witness, World, two_coins};

/// A running exchange. Dropping it stops it.
pub struct Exchange {
    shared: Arc<Shared>,
    address: SocketAddr,
    tls: bool,
    acceptor: Option<JoinHandle<()>>,
}

/// What the connections share.
struct Shared {
    world: Mutex<World>,
    stop: AtomicBool,
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Exchange {
    /// Serves plain HTTP on a free port.
    pub fn start(world: World) -> Exchange {
        Exchange::start_at(world, 0, None).expect("a free port")
    }

    /// Serves TLS as `localhost`, vouched for by a fresh authority; returns its certificate as PEM.
    pub fn start_tls(world: World) -> (Exchange, String) {
        let authority = Authority::new();
        let exchange = Exchange::start_tls_with(world, authority.vouch("localhost"));
        (exchange, authority.pem().to_string())
    }

    /// Serves TLS with any certificate, good or bad.
    pub fn start_tls_with(world: World, identity: Identity) -> Exchange {
        Exchange::start_at(world, 0, Some(identity)).expect("a free port")
    }

    /// Serves on this port (0: any), over TLS if there is an identity to show.
    pub fn start_at(world: World, port: u16, identity: Option<Identity>) -> io::Result<Exchange> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { world: Mutex::new(world), stop: AtomicBool::new(false) });
        let config = identity.map(tls::server);
        let tls = config.is_some();
        let served = Arc::clone(&shared);
        let acceptor = thread::spawn(move || accept(&listener, &served, config.as_ref()));
        Ok(Exchange { shared, address, tls, acceptor: Some(acceptor) })
    }

    /// The base URL a client is configured with.
    pub fn url(&self) -> String {
        match self.tls {
            true => format!("https://localhost:{}/exchange/v1", self.address.port()),
            false => format!("http://{}/exchange/v1", self.address),
        }
    }

    /// The world, to look at and to change. No request is answered while it is held.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // The acceptor sees the flag when its next connection comes: this one.
        let woken = TcpStream::connect(self.address).is_ok();
        if let Some(acceptor) = self.acceptor.take().filter(|_| woken) {
            let _ = acceptor.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>, config: Option<&Arc<ServerConfig>>) {
    for connection in listener.incoming() {
        if shared.stopped() {
            return;
        }
        let Ok(tcp) = connection else { continue };
        let (shared, config) = (Arc::clone(shared), config.cloned());
        thread::spawn(move || converse(&shared, tcp, config));
    }
}

/// One connection: one request, one answer.
fn converse(shared: &Shared, tcp: TcpStream, config: Option<Arc<ServerConfig>>) {
    let patience = Some(Duration::from_secs(30));
    let _ = tcp.set_read_timeout(patience).and(tcp.set_write_timeout(patience));
    let _ = tcp.set_nodelay(true);
    let mut stream = match config.map(ServerConnection::new) {
        None => http::Stream::Plain(tcp),
        Some(Ok(tls)) => http::Stream::Tls(Box::new(StreamOwned::new(tls, tcp))),
        Some(Err(_)) => return,
    };
    shared.world().connections += 1;
    let Some(incoming) = http::Incoming::read(&mut stream) else {
        return;
    };
    let act = shared.world().admit(&incoming);
    faults::play(shared, &incoming, act, stream);
}
