//! The real program against servers that say what no server should: it ends in time, with a documented exit code and a sentence,
//! trades nothing, and shows its key to nobody.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::use_debug, missing_docs)]
#![allow(clippy::cast_possible_truncation)] // What the tests share counts decimals.

mod common;
#[path = "exchange/mod.rs"]
mod exchange;
#[path = "hostile/mod.rs"]
mod hostile;

use common::{Dir, Run, command, finish};
use exchange::{Act, Exchange, Fault, two_coins};
use hostile::{Say, Seen, Server, forward, ok};
use rebalancer::wire::{Internet, Request, Wire};
use std::time::Instant;

/// As the loopback exchange knows them.
const KEY: &str = "test-key";
const SECRET: &str = "test-secret";
const OPEN_ORDERS: &str = "private/get-open-orders";
const CREATE: &str = "private/create-order";
/// Ends a cycle at once, and is no network error.
const REFUSED: &str = r#"{"id":1,"code":40004,"message":"INVALID_REQUEST"}"#;

/// Runs a command of an owner who trusts this address.
fn run(url: &str, args: &[&str]) -> (Dir, Run) {
    let dir = Dir::with(&format!(r#"{{"allocation": {{"BTC": 50, "ETH": 50}}, "base_url": "{url}"}}"#));
    let run = again(&dir, args);
    (dir, run)
}

fn again(dir: &Dir, args: &[&str]) -> Run {
    let mut command = command(dir, args);
    command.env("REBALANCER_API_KEY", KEY).env("REBALANCER_API_SECRET", SECRET);
    let run = finish(command);
    let mut all = format!("{}{}", run.out, run.err);
    dir.names().iter().for_each(|name| all.push_str(&dir.read(name)));
    assert!(!all.contains(SECRET) && !all.contains(KEY), "the key is shown: {run:?}");
    run
}

/// It failed as documented, and says why in one line of words that holds one of these.
fn told(what: &str, run: &Run, words: &[&str]) {
    assert_eq!(run.code, Some(1), "{what}: {run:?}");
    let last = run.err.lines().last().unwrap_or("");
    assert!(last.starts_with("rebalancer: ") && last.len() < 400, "{what}: {run:?}");
    assert!(words.iter().any(|words| last.contains(words)), "{what}, none of {words:?}: {run:?}");
    let foreign = |letter: char| letter.is_control() && letter != '\n';
    assert!(!run.err.contains("panicked") && !run.err.contains(foreign), "{what}: {run:?}");
}

fn head(lines: &str, body: &str) -> Say {
    Say::Bytes(format!("HTTP/1.1 200 OK\r\n{lines}\r\n{body}").into_bytes())
}

const BODY: &str = r#"{"id":1,"code":0,"result":{"data":[]}}"#;

/// Answers that are over at once.
fn answers() -> Vec<(&'static str, Say)> {
    let fill = |count: usize| "a".repeat(count);
    let chunked = |body: &str| head("Transfer-Encoding: chunked\r\n", body);
    vec![
        ("nothing", Say::text("")),
        ("http 0.9", Say::text(BODY)),
        ("words", Say::text("SSH-2.0-OpenSSH_9.2p1\r\n")),
        ("no code", Say::text(format!("HTTP/1.1\r\n\r\n{BODY}"))),
        ("code of letters", Say::text(format!("HTTP/1.1 abc OK\r\n\r\n{BODY}"))),
        ("negative code", Say::text(format!("HTTP/1.1 -200 OK\r\n\r\n{BODY}"))),
        ("huge code", Say::text(format!("HTTP/1.1 99999999999999999999 OK\r\n\r\n{BODY}"))),
        ("code 0", Say::text(format!("HTTP/1.1 0 OK\r\n\r\n{BODY}"))),
        ("http 1xx", Say::text("HTTP/1.1 100 Continue\r\n\r\n".repeat(1000))),
        ("http 101", Say::text(format!("HTTP/1.1 101 Switching Protocols\r\n\r\n{BODY}"))),
        ("nul bytes", Say::text("\0".repeat(5000))),
        ("nul in the head", Say::text(format!("HTTP/1.1 500 \0\r\nX\0: \0\r\n\r\n{BODY}\0"))),
        ("escapes", Say::text("HTTP/1.1 \u{1b}[2J \u{1b}]0;x\u{7}\r\n\u{1b}: \u{1b}\r\n\r\n\u{1b}[31m")),
        ("no utf-8", Say::Bytes([b"HTTP/1.1 200 OK\r\nX: ".as_slice(), &[0xff, 0xfe], b"\r\n\r\n"].concat())),
        ("head of carriage returns", Say::text("HTTP/1.1 200 OK\r\r\r\r")),
        ("head that ends early", Say::text("HTTP/1.1 200 OK\r\nContent-Le")),
        ("long status line", Say::text(format!("HTTP/1.1 200 {}\r\n\r\n{BODY}", fill(9000)))),
        ("long header", head(&format!("X: {}\r\n", fill(9000)), BODY)),
        // The limit is 8192, and counts two bytes for a line end that may be one.
        ("header that just fills the limit", Say::text(format!("HTTP/1.1 200 OK\r\n{}\n\r\n{BODY}", fill(8191)))),
        ("headers that just fill the limit", head(&"a: b\n".repeat(1366), BODY)),
        ("head cut at the limit", Say::text(format!("HTTP/1.1 200 OK\r\n{}", fill(8192)))),
        ("trailers without room", {
            let lines = format!("Transfer-Encoding: chunked\r\nX: {}\r\n", fill(8192 - 28 - 5 - 1));
            Say::text(format!("HTTP/1.1 200 OK\r\n{lines}\n0\r\n"))
        }),
        ("thousands of headers", head(&"A: b\r\n".repeat(5000), BODY)),
        ("shorter than announced", head("Content-Length: 1000\r\n", BODY)),
        ("longer than announced", head("Content-Length: 10\r\n", BODY)),
        ("length below zero", head("Content-Length: -1\r\n", BODY)),
        ("length of 2^64", head("Content-Length: 18446744073709551616\r\n", BODY)),
        ("length of 2^64 - 1", head("Content-Length: 18446744073709551615\r\n", BODY)),
        ("length of 2^63", head("Content-Length: 9223372036854775808\r\n", BODY)),
        ("length of letters", head("Content-Length: many\r\n", BODY)),
        ("no length in a length", head("Content-Length: \r\n", BODY)),
        ("two lengths", head(&format!("Content-Length: {}\r\nContent-Length: 10\r\n", BODY.len()), BODY)),
        (
            "two lengths, the other way",
            head(&format!("Content-Length: 10\r\nContent-Length: {}\r\n", BODY.len()), BODY),
        ),
        ("two lengths in one", head(&format!("Content-Length: {0}, {0}\r\n", BODY.len()), BODY)),
        ("chunk of letters", chunked(&format!("xyz\r\n{BODY}\r\n0\r\n\r\n"))),
        ("negative chunk", chunked(&format!("-26\r\n{BODY}\r\n0\r\n\r\n"))),
        ("huge chunk", chunked(&format!("ffffffffffffffff\r\n{}", &BODY[..20]))),
        ("chunk above 2^64", chunked(&format!("10000000000000026\r\n{BODY}\r\n0\r\n\r\n"))),
        ("chunk without its end", chunked(&format!("26\r\n{BODY}xx0\r\n\r\n"))),
        ("chunk that ends early", chunked(&format!("30\r\n{}", &BODY[..20]))),
        ("long chunk extension", chunked(&format!("26;{}\r\n{BODY}\r\n0\r\n\r\n", fill(2000)))),
        ("chunks and a length", head("Content-Length: 38\r\nTransfer-Encoding: chunked\r\n", BODY)),
        ("chunks that are none", head("Transfer-Encoding: gzip, chunked\r\n", &format!("26\r\n{BODY}\r\n0\r\n\r\n"))),
        ("a body after 204", Say::text("HTTP/1.1 204 No Content\r\n\r\n")),
        ("304", Say::text(format!("HTTP/1.1 304 Not Modified\r\n\r\n{BODY}"))),
        ("gzip", {
            let head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n".to_vec();
            Say::Bytes(
                [head, b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\x56\x4a\xce\x4f\x49\x55\xb2\x32\xa8\x05\0".to_vec()].concat(),
            )
        }),
        ("deflate", head("Content-Encoding: deflate\r\n", "\u{78}\u{1}\u{3}\0")),
        ("brotli", head("Content-Encoding: br\r\n", "\u{b}\u{2}\u{3}")),
        ("endless status line", Say::Flood(b"HTTP/1.1 200 ".to_vec(), b"x".to_vec())),
        ("endless header", Say::Flood(b"HTTP/1.1 200 OK\r\nX: ".to_vec(), b"x".to_vec())),
        ("endless headers", Say::Flood(b"HTTP/1.1 200 OK\r\n".to_vec(), b"X: y\r\n".to_vec())),
        ("endless headers of two bytes", Say::Flood(b"HTTP/1.1 200 OK\r\n".to_vec(), b":\n".to_vec())),
        ("endless body", Say::Flood(b"HTTP/1.1 200 OK\r\n\r\n{\"".to_vec(), b"x".to_vec())),
        ("endless spaces", Say::Flood(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), b" ".to_vec())),
        (
            "endless chunks of a byte",
            Say::Flood(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(), b"1\r\n \r\n".to_vec()),
        ),
        (
            "endless chunk line",
            Say::Flood(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;".to_vec(), b"x".to_vec()),
        ),
        (
            "endless trailers",
            Say::Flood(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n".to_vec(), b"X: y\r\n".to_vec()),
        ),
    ]
}

#[test]
fn an_answer_that_is_none_ends_a_command_with_a_sentence_and_no_order() {
    let answers = answers();
    std::thread::scope(|scope| {
        for (what, say) in &answers {
            // Floods cost time, and are the same for all.
            let commands = if matches!(say, Say::Flood(..)) { 1 } else { 3 };
            for args in [&["once"][..], &["plan", "--json"], &["check"]].into_iter().take(commands) {
                scope.spawn(move || {
                    let server = Server::saying(say.clone());
                    let (dir, run) = run(&server.url("http"), args);
                    let what = format!("{what}, {args:?}");
                    told(&what, &run, &["private/", "public/", "fault"]);
                    if args.contains(&"--json") && !run.out.is_empty() {
                        assert!(run.json()["error"].is_string(), "{what}: {run:?}");
                    }
                    let seen = server.seen();
                    assert!(seen.connections <= 4 && seen.count(CREATE) == 0, "{what}: {:?}", seen.methods);
                    let first = seen.methods.first().unwrap();
                    assert_eq!(seen.count(first), seen.connections, "{what} was accepted: {:?}", seen.methods);
                    // The longest body, in chunks of a byte, and what sockets buffer.
                    let most = seen.connections * (6 * 4 + 8) * 1024 * 1024;
                    assert!(seen.sent < most, "{what}: {} bytes were taken", seen.sent);
                    assert!(!dir.read("rebalancer.journal").contains("order"), "{what}");
                });
            }
        }
    });
}

#[test]
fn a_server_that_takes_its_time_is_left_in_time() {
    let drip = |first: &str, rest: &str, ms| Say::Drip(first.as_bytes().to_vec(), rest.as_bytes().to_vec(), ms);
    let good = "HTTP/1.1 200 OK\r\n";
    let ways = [
        ("silence", Say::Stall(Vec::new())),
        ("half a head", Say::Stall(b"HTTP/1.1 200 OK\r\nX".to_vec())),
        ("half a body", Say::Stall(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{".to_vec())),
        ("half a chunk", Say::Stall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{".to_vec())),
        ("no trailers", Say::Stall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n".to_vec())),
        ("a head of a byte a second", drip("", "HTTP/1.1 200 OK\r\nX: ", 1000)),
        ("headers, a byte each 50 ms", drip(good, "X: y\r\n", 50)),
        ("a body of a byte a second", drip(&format!("{good}\r\n"), " ", 1000)),
        ("a chunk line of a byte a second", drip(&format!("{good}Transfer-Encoding: chunked\r\n\r\n"), "0", 1000)),
        (
            "trailers of a byte a second",
            drip(&format!("{good}Transfer-Encoding: chunked\r\n\r\n0\r\n"), "X: y\r\n", 1000),
        ),
    ];
    std::thread::scope(|scope| {
        for (what, say) in ways {
            scope.spawn(move || {
                let server = Server::talking(move |link, before| {
                    if link.request().is_some() {
                        let refused = Say::Bytes(ok(REFUSED));
                        if before == 0 { say.on(link) } else { refused.on(link) }
                    }
                });
                let start = Instant::now();
                let (_, run) = run(&server.url("http"), &["once"]);
                told(what, &run, &["the exchange answered 40004"]);
                assert!(start.elapsed().as_secs() < 40, "{what}: {} s", start.elapsed().as_secs());
                assert_eq!(server.seen().methods, [OPEN_ORDERS, OPEN_ORDERS], "{what}");
            });
        }
        scope.spawn(|| {
            // Not even the request is taken.
            let server = Server::talking(|link, before| match before {
                0 => std::thread::sleep(std::time::Duration::from_secs(30)),
                _ if link.request().is_some() => Say::Bytes(ok(REFUSED)).on(link),
                _ => {}
            });
            let (_, run) = run(&server.url("http"), &["once"]);
            told("deaf", &run, &["the exchange answered 40004"]);
        });
    });
}

fn record(kind: u8, version: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap();
    [&[kind], version.to_be_bytes().as_slice(), &length.to_be_bytes(), payload].concat()
}

/// A server's hello of an old version, or with a cipher suite that was not offered.
fn server_hello(version: u16, suite: u16) -> Vec<u8> {
    let body = [&version.to_be_bytes()[..], &[7; 32], &[0], &suite.to_be_bytes(), &[0]].concat();
    record(22, version, &[&[2, 0, 0, u8::try_from(body.len()).unwrap()][..], &body].concat())
}

/// Says this to whoever says hello.
fn over_tls(say: Say) -> Server {
    Server::talking(move |link, _| {
        link.receive();
        say.on(link);
        link.drain();
    })
}

fn not_in_clear(what: &str, seen: &Seen) {
    for clear in [KEY, SECRET, "POST", "api_key", "HTTP/1.1", OPEN_ORDERS] {
        assert!(!seen.contains(clear), "{what}: {clear} in clear");
    }
}

/// Not by the program, which asks four times: the same request with a shorter time.
#[test]
fn a_handshake_that_does_not_end_is_left_in_time() {
    let hello = server_hello(0x0303, 0xc02f);
    // A certificate of 64 kB, a byte each 10 ms, each in a record of its own.
    let slow = (0..255).map(|_| record(22, 0x0303, &[11])).collect::<Vec<_>>().concat();
    let ways = [
        ("silence", Say::Stall(Vec::new())),
        ("half a hello", Say::Stall(hello[..20].to_vec())),
        ("nothing after the hello", Say::Stall(hello.clone())),
        ("a hello of a byte a second", Say::Drip(Vec::new(), hello.clone(), 1000)),
        ("a byte each 10 ms", Say::Drip([hello, record(22, 0x0303, &[11, 0, 255, 255])].concat(), slow, 10)),
    ];
    std::thread::scope(|scope| {
        for (what, say) in ways {
            scope.spawn(move || {
                let server = over_tls(say);
                let (url, body) =
                    (format!("{}/{CREATE}", server.url("https")), Some(format!("{{\"api_key\":\"{KEY}\"}}")));
                let start = Instant::now();
                let failure = Internet.exchange(Request { url, body, header: None, timeout_s: 2 }).err();
                let failure = failure.unwrap_or_else(|| panic!("{what}: it is answered"));
                assert!(!failure.not_sent && failure.message.contains("timeout"), "{what}: {}", failure.message);
                assert!(start.elapsed().as_secs() < 30, "{what}: {} s", start.elapsed().as_secs());
                assert_eq!(server.seen().connections, 1, "{what}");
                not_in_clear(what, &server.seen());
            });
        }
    });
}

#[test]
fn a_server_that_does_not_speak_tls_as_it_should_gets_no_request() {
    let html = "HTTP/1.1 400 Bad Request\r\n\r\n<html>this is plain http on the wrong port</html>";
    let ways = [
        ("plain http", Say::text(html)),
        ("hangs up", Say::text("")),
        ("random bytes", Say::text("\u{1}\u{2}\u{3}".repeat(500))),
        ("SSL 3", Say::Bytes(server_hello(0x0300, 0x002f))),
        ("TLS 1.0", Say::Bytes(server_hello(0x0301, 0x002f))),
        ("TLS 1.1", Say::Bytes(server_hello(0x0302, 0x002f))),
        ("TLS 1.2 with RSA and CBC", Say::Bytes(server_hello(0x0303, 0x002f))),
        ("TLS 1.2 without encryption", Say::Bytes(server_hello(0x0303, 0x0000))),
        ("TLS 1.2 that hides behind 1.3's suite", Say::Bytes(server_hello(0x0303, 0x1301))),
        ("an alert: handshake failure", Say::Bytes(record(21, 0x0303, &[2, 40]))),
        ("an alert: protocol version", Say::Bytes(record(21, 0x0301, &[2, 70]))),
        ("an alert: close", Say::Bytes(record(21, 0x0303, &[1, 0]))),
        ("warnings without end", Say::Flood(Vec::new(), record(21, 0x0303, &[1, 112]))),
        ("empty records without end", Say::Flood(Vec::new(), record(22, 0x0303, &[]))),
        ("requests to say hello without end", Say::Flood(Vec::new(), record(22, 0x0303, &[0, 0, 0, 0]))),
        (
            "a handshake message of 16 MB",
            Say::Flood(record(22, 0x0303, &[2, 255, 255, 255]), record(22, 0x0303, &[0; 999])),
        ),
        ("changes of cipher without end", Say::Flood(Vec::new(), record(20, 0x0303, &[1]))),
        ("data before the handshake", Say::Bytes(record(23, 0x0303, BODY.as_bytes()))),
    ];
    std::thread::scope(|scope| {
        for (what, say) in ways {
            scope.spawn(move || {
                let server = over_tls(say);
                let (dir, run) = run(&server.url("https"), &["once"]);
                told(what, &run, &["private/get-open-orders: no answer from https://localhost"]);
                let words = match what {
                    "SSL 3" | "TLS 1.0" | "TLS 1.1" => "the server speaks no TLS that is accepted here (1.2 or 1.3)",
                    "hangs up" | "an alert: close" => "is the network up?",
                    "an alert: handshake failure" => "TLS alert 40",
                    "an alert: protocol version" => "TLS alert 70",
                    _ => "the server does not speak TLS as it should; is it an https server?",
                };
                told(what, &run, &[words]);
                let seen = server.seen();
                assert!(seen.connections >= 2, "{what}: {} connections", seen.connections);
                not_in_clear(what, &seen);
                assert!(seen.sent < seen.connections * 8 * 1024 * 1024, "{what}: {} bytes were taken", seen.sent);
                assert!(!dir.read("rebalancer.journal").contains("order"), "{what}");
            });
        }
    });
}

#[test]
fn a_certificate_that_no_browser_would_take_gets_no_request() {
    let authority = exchange::Authority::new();
    let (unknown, own) = (authority.vouch("localhost"), exchange::self_signed("localhost"));
    std::thread::scope(|scope| {
        for (what, identity) in [("unknown authority", unknown), ("self-signed", own)] {
            for args in [&["once"][..], &["check"], &["plan"]] {
                let identity = exchange::Identity { chain: identity.chain.clone(), key: identity.key.clone_key() };
                scope.spawn(move || {
                    let exchange = Exchange::start_tls_with(two_coins(), identity);
                    let (_, run) = run(&exchange.url(), args);
                    told(what, &run, &["the server's certificate is not accepted"]);
                    let world = exchange.world();
                    assert!(world.connections > 0 && world.requests.is_empty(), "{what}: {:?}", world.requests);
                });
            }
        }
    });
}

#[test]
fn a_redirect_never_takes_a_request_elsewhere() {
    let elsewhere = Server::saying(Say::Bytes(ok(BODY)));
    let port = elsewhere.port();
    std::thread::scope(|scope| {
        for status in [300, 301, 302, 303, 305, 307, 308, 399] {
            for to in [
                format!("http://127.0.0.1:{port}/exchange/v1/{OPEN_ORDERS}"),
                format!("https://localhost:{port}/exchange/v1/{OPEN_ORDERS}"),
                format!("//127.0.0.1:{port}/"),
                "/elsewhere".to_string(),
                "elsewhere?a=b".to_string(),
                String::new(),
            ] {
                scope.spawn(move || {
                    let lines = format!("Location: {to}\r\nRefresh: 0; url={to}\r\nAlt-Svc: h2=\":{port}\"\r\n");
                    let answer =
                        format!("HTTP/1.1 {status} Moved\r\n{lines}Content-Length: {}\r\n\r\n{BODY}", BODY.len());
                    let server = Server::saying(Say::text(answer));
                    let what = format!("{status} to {to}");
                    let (_, run) = run(&server.url("http"), &["once"]);
                    told(&what, &run, &[&format!("redirected elsewhere (http {status}), not followed")]);
                    assert_eq!(server.seen().methods, [OPEN_ORDERS; 4], "{what}");
                });
            }
        }
    });
    assert_eq!(elsewhere.seen().connections, 0);
}

/// An exchange behind a server that passes everything on, but answers the first `method` with something else once the exchange
/// has done what it asks.
fn between(exchange: &Exchange, method: &'static str, say: Say) -> Server {
    let port = exchange.url().split(':').nth(2).unwrap().split('/').next().unwrap().parse().unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    Server::talking(move |link, _| {
        let Some((asked, request)) = link.request() else { return };
        let answer = forward(port, &request);
        if asked == method && !done.swap(true, std::sync::atomic::Ordering::SeqCst) {
            return say.on(link);
        }
        link.send(&answer);
    })
}

#[test]
fn an_order_whose_answer_is_nonsense_is_asked_for_and_never_sent_twice() {
    let chosen = [
        "nothing",
        "http 0.9",
        "http 1xx",
        "no utf-8",
        "long header",
        "header that just fills the limit",
        "trailers without room",
        "shorter than announced",
        "length of 2^64 - 1",
        "huge chunk",
        "gzip",
        "endless headers",
        "endless body",
    ];
    let answers: Vec<_> = answers().into_iter().filter(|(what, _)| chosen.contains(what)).collect();
    assert_eq!(answers.len(), chosen.len());
    std::thread::scope(|scope| {
        for (what, say) in answers {
            scope.spawn(move || {
                let exchange = Exchange::start(two_coins());
                let server = between(&exchange, CREATE, say);
                let (dir, mut run) = run(&server.url("http"), &["once"]);
                if run.code != Some(0) {
                    // Only a fault of the HTTP client ends the run; the order's outcome is open then.
                    assert!(run.code == Some(3) && run.err.contains("fault"), "{what}: {run:?}");
                    run = again(&dir, &["once"]);
                }
                assert_eq!(run.code, Some(0), "{what}: {run:?}");
                let world = exchange.world();
                assert!(world.violations.is_empty(), "{what}: {:?}", world.violations);
                assert_eq!((world.orders.len(), world.count(CREATE)), (2, 2), "{what}: a sell and a buy");
            });
        }
    });
}

/// A server that answers just before it would be given up.
fn slow(faults: Vec<Fault>) {
    let mut balanced = two_coins();
    balanced.hold("ETH", "3");
    balanced.hold("USDT", "0");
    balanced.faults = faults;
    let exchange = Exchange::start(balanced);
    let (_, run) = run(&exchange.url(), &["once"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(exchange.world().orders.is_empty() && exchange.world().count(OPEN_ORDERS) == 1);
}

#[test]
fn a_server_that_answers_one_question_at_the_last_moment_is_waited_for() {
    slow(vec![Fault::once(OPEN_ORDERS, Act::Delay { ms: 9000 })]);
}

/// `cargo test --test hostile -- --ignored`: a minute and a half.
#[test]
#[ignore = "takes a minute and a half of waiting"]
fn a_server_that_answers_every_question_at_the_last_moment_is_waited_for() {
    slow(vec![
        Fault::always("private/*", Act::Delay { ms: 9000 }),
        Fault::always("public/*", Act::Delay { ms: 14_000 }),
    ]);
}
