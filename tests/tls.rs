//! The real program over real TLS: it trades with a server that the system's store vouches for, and with no other.
//!
//! Only the build with the system's store can be pointed at an authority of the test's own:
//! `cargo test --no-default-features --features system-roots --test tls`
#![cfg(all(feature = "system-roots", not(feature = "builtin-roots")))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "exchange/mod.rs"]
mod exchange;
#[path = "hostile/mod.rs"]
mod hostile;
mod program;

use exchange::{Authority, Exchange, Identity, World, self_signed, tls_server};
use hostile::{Link, Say, Server};
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

fn world() -> World {
    let mut world = World::new();
    world.list("BTC_USDT", "0.00001", "0.01", "50000.00", "50000.01");
    world.list("ETH_USDT", "0.0001", "0.01", "2500.00", "2500.01");
    world.hold("BTC", "0.1");
    world.hold("ETH", "1");
    world.hold("USDT", "100");
    world
}

/// An owner's directory: a config for this server, and the store of authorities that the system trusts.
fn directory(name: &str, url: &str, trusted: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tls-{name}"));
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    let config = format!(r#"{{"allocation":{{"BTC":50,"ETH":50}},"quote":"USDT","base_url":"{url}"}}"#);
    fs::write(directory.join("config.json"), config).unwrap();
    fs::write(directory.join("trusted.pem"), trusted).unwrap();
    directory
}

fn rebalancer(directory: &Path, command: &str) -> Output {
    Command::new(program::program())
        .current_dir(directory)
        .args([command, "--json"])
        .env("SSL_CERT_FILE", directory.join("trusted.pem"))
        .env("REBALANCER_API_KEY", "test-key")
        .env("REBALANCER_API_SECRET", "test-secret")
        .output()
        .unwrap()
}

/// Standard output, after checking the exit code.
fn said(output: &Output, code: i32) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(output.status.code(), Some(code), "{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn a_server_that_the_system_vouches_for_is_asked_and_traded_with() {
    let (exchange, authority) = Exchange::start_tls(world());
    assert!(exchange.url().starts_with("https://localhost:"));
    let directory = directory("good", &exchange.url(), &authority);
    let status: serde_json::Value = serde_json::from_str(&said(&rebalancer(&directory, "status"), 0)).unwrap();
    assert_eq!(status["coins"].as_array().map(Vec::len), Some(3), "{status}");
    assert!(exchange.world().orders.is_empty());
    said(&rebalancer(&directory, "once"), 0);
    let world = exchange.world();
    assert_eq!(world.violations, Vec::<String>::new());
    let sides: Vec<_> = world.orders.iter().map(|order| (order.symbol.as_str(), order.side)).collect();
    assert_eq!(sides, [("BTC_USDT", exchange::Side::Sell), ("ETH_USDT", exchange::Side::Buy)]);
    let off = |coin: &str| world.weight(coin, "USDT") - exchange::dec("50");
    assert!(["BTC", "ETH"].iter().all(|coin| off(coin) < exchange::dec("2") && exchange::dec("-2") < off(coin)));
}

#[test]
fn a_server_that_nobody_vouches_for_gets_no_request() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    // Why not, what the owner is told, and what the server shows.
    let servers: [(&str, &str, Identity); 5] = [
        ("expired", "it has expired, or this machine's clock is wrong", authority.vouch_expired("localhost")),
        ("too-early", "it is not valid yet, or this machine's clock is wrong", authority.vouch_too_early("localhost")),
        ("another-name", "it is for another name", authority.vouch("api.crypto.com")),
        ("self-signed", "no authority that is trusted here has signed it", self_signed("localhost")),
        ("unknown-authority", "no authority that is trusted here has signed it", stranger.vouch("localhost")),
    ];
    std::thread::scope(|scope| {
        for (name, why, identity) in servers {
            let authority = &authority;
            scope.spawn(move || {
                let exchange = Exchange::start_tls_with(world(), identity);
                let directory = directory(name, &exchange.url(), authority.pem());
                for command in ["status", "once"] {
                    let output = rebalancer(&directory, command);
                    said(&output, 1);
                    let log = String::from_utf8_lossy(&output.stderr).into_owned();
                    let told = format!("the server's certificate is not accepted: {why}");
                    assert!(log.contains(&told), "{name} {command}: {log}");
                    assert!(!log.contains("test-secret"), "{name} {command}: {log}");
                }
                let world = exchange.world();
                assert!(world.connections > 0, "{name}: nothing was tried");
                assert!(world.requests.is_empty(), "{name}: {:?}", world.requests);
            });
        }
    });
}

#[test]
fn a_store_without_authorities_trusts_nobody() {
    let (exchange, _) = Exchange::start_tls(world());
    let directory = directory("empty", &exchange.url(), "");
    said(&rebalancer(&directory, "status"), 1);
    assert!(exchange.world().requests.is_empty());
}

/// Answers over TLS with a head and a body, each a record of its own; the body's bytes one by one when it is `slow`.
fn answer(
    config: &std::sync::Arc<rustls::ServerConfig>,
    link: &mut Link,
    body: &str,
    slow: bool,
) -> std::io::Result<()> {
    let mut tls = rustls::ServerConnection::new(std::sync::Arc::clone(config)).unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"}") {
        let mut part = [0; 4096];
        let count = rustls::Stream::new(&mut tls, &mut link.stream).read(&mut part)?;
        request.extend(&part[..count]);
    }
    let mut sealed = |text: &str, last: bool| {
        let mut bytes = Vec::new();
        tls.writer().write_all(text.as_bytes()).unwrap();
        if last {
            tls.send_close_notify();
        }
        while tls.wants_write() {
            tls.write_tls(&mut bytes).unwrap();
        }
        bytes
    };
    let head = sealed("HTTP/1.1 200 OK\r\n\r\n", false);
    link.send(&head);
    let body = sealed(body, true);
    match slow {
        true => Say::Drip(Vec::new(), body, 500).on(link),
        false => Say::Bytes(body).on(link),
    }
    Ok(())
}

#[test]
fn an_encrypted_record_that_comes_byte_by_byte_is_left_in_time() {
    let authority = Authority::new();
    let config = tls_server(authority.vouch("localhost"));
    let filler = " ".repeat(16_000);
    let server = Server::talking(move |link, before| {
        let refused = r#"{"id":1,"code":40004,"message":"INVALID_REQUEST"}"#;
        let _ = match before {
            0 => answer(&config, link, &filler, true),
            _ => answer(&config, link, refused, false),
        };
    });
    let directory = directory("slow", &server.url("https"), authority.pem());
    let start = Instant::now();
    let output = rebalancer(&directory, "once");
    said(&output, 1);
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(log.contains("it did not end in time") && log.contains("the exchange answered 40004"), "{log}");
    assert!(start.elapsed().as_secs() < 30, "{} s", start.elapsed().as_secs());
    assert!(!server.seen().contains("test-key"));
}
