//! The real venue's client against a loopback exchange and against servers that misbehave byte by byte.
//!
//! Every test drives [`CryptoCom`] through the [`Exchange`] trait with a clock whose sleep takes no time, and says which
//! kind of error a hazard is, how often it was asked for, and that an order was never sent a second time. Only the test
//! of deadlines waits for real: the HTTP client's ten seconds are not the clock's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::use_debug)]
#![allow(missing_docs)]

#[path = "exchange/mod.rs"]
mod exchange;

use exchange::{Act, Fault, World};
use rebalancer::amount::{Quantity, Value};
use rebalancer::clock::{Clock, SystemClock, stamp};
use rebalancer::disk::SystemDisk;
use rebalancer::exchange::catalogue::Cache;
use rebalancer::exchange::crypto_com::CryptoCom;
use rebalancer::exchange::signer::Credentials;
use rebalancer::exchange::{Balance, Error, Exchange, Kind, Listing, Millis, OrderState};
use rebalancer::http::base_url;
use rebalancer::log::Log;
use rebalancer::machine::Machine;
use rebalancer::market::{Order, Side, Size};
use rebalancer::named::Named;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const DAY_MS: Millis = 24 * 3600 * 1000;
const CREATE: &str = "private/create-order";
const BALANCE: &str = "private/user-balance";
const DETAIL: &str = "private/get-order-detail";
const TICKERS: &str = "public/get-tickers";
const INSTRUMENTS: &str = "public/get-instruments";
const RISK: &str = "public/get-risk-parameters";
const METHODS: [&str; 8] =
    [INSTRUMENTS, RISK, TICKERS, BALANCE, "private/get-open-orders", DETAIL, CREATE, "private/cancel-order"];

/// A clock that only sleeping moves, and that sleeping moves at once.
struct Fake {
    start: Millis,
    slept: AtomicI64,
}

impl Clock for Fake {
    fn now(&self) -> Millis {
        self.start + self.elapsed()
    }
    fn elapsed(&self) -> Millis {
        self.slept.load(SeqCst)
    }
    fn sleep(&self, ms: Millis) {
        assert!(ms >= 0, "a sleep of {ms} ms");
        self.slept.fetch_add(ms, SeqCst);
    }
}

type Venue = CryptoCom<'static>;

/// A client at this address with the loopback exchange's key, its clock so far ahead of the real one.
fn open(url: &str, quote: &str, cache: &Path, ahead_ms: Millis) -> (Venue, &'static Fake) {
    let clock: &Fake =
        Box::leak(Box::new(Fake { start: SystemClock::new().now() + ahead_ms, slept: AtomicI64::new(0) }));
    let log: &Log<'_> = Box::leak(Box::new(Log::new(clock, 0, true, &|_| ())));
    let key = Credentials::new("test-key".into(), "test-secret".into());
    (CryptoCom::new(Machine::this(clock), log, url, quote, cache.to_path_buf(), Some(key)), clock)
}

fn client(url: &str) -> Venue {
    open(url, "USDT", &fresh_file(), 0).0
}

/// A path where nothing is yet.
fn fresh_file() -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("wire-{}.cache", NEXT.fetch_add(1, SeqCst));
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_file(&path);
    path
}

fn world() -> World {
    let mut world = World::new();
    world.list("BTC_USDT", "0.00001", "0.01", "62845.65", "62845.66");
    world.list("ETH_USDT", "0.0001", "0.01", "2500.10", "2500.20");
    world.hold("BTC", "1");
    world.hold("ETH", "10");
    world.hold("USDT", "5000");
    world
}

/// A loopback exchange, its world changed first.
fn start_with(change: impl FnOnce(&mut World)) -> exchange::Exchange {
    let mut world = world();
    change(&mut world);
    exchange::Exchange::start(world)
}

fn start(fault: Fault) -> exchange::Exchange {
    start_with(|world| world.faults.push(fault))
}

fn says(status: u16, body: &str) -> Act {
    Act::Reply { status, body: body.into() }
}

fn sell() -> Order {
    let size = Size::Quantity(Quantity::parse("0.01").unwrap());
    Order { symbol: "BTC_USDT".into(), coin: "BTC".into(), side: Side::Sell, size, value: Value::parse("628").unwrap() }
}

/// Sends an order that may be accepted for as long as the venue wants.
fn place(venue: &mut Venue, order: &Order, client_id: &str) -> Result<(), Error> {
    venue.place(order, client_id, venue.order_expiry())
}

/// What the trait offers, by the method that it ends with.
fn perform(venue: &mut Venue, method: &str) -> Result<(), Error> {
    match method {
        INSTRUMENTS | RISK | TICKERS => venue.listings(&["BTC".to_string()]).map(drop),
        BALANCE => venue.balances().map(drop),
        "private/get-open-orders" => venue.open_orders().map(drop),
        DETAIL => venue.order("rb1").map(drop),
        CREATE => place(venue, &sell(), "rb1"),
        _ => venue.cancel("rb1"),
    }
}

fn fine<T>(outcome: Result<T, Error>) -> T {
    outcome.unwrap_or_else(|error| panic!("{}: {}", name(error.kind), error.message))
}

/// The failure's kind in words, and its sentence.
fn failure<T>(outcome: Result<T, Error>) -> (&'static str, String) {
    outcome.err().map_or(("none", String::new()), |error| (name(error.kind), error.message))
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Refused => "refused",
        Kind::Duplicate => "duplicate",
        Kind::NoSuchOrder => "no such order",
        Kind::RateLimited => "rate-limited",
        Kind::Unreachable => "unreachable",
        Kind::Unknown => "unknown",
        Kind::Garbled => "garbled",
        Kind::NotAuthorised => "not authorised",
        Kind::Clock => "clock",
    }
}

/// A server that writes what a test wants, for as long as the tests run. Returns its base URL.
fn serve(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/exchange/v1", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || {
                let (mut request, mut byte) = (Vec::new(), [0]);
                while !request.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                    request.push(byte[0]);
                }
                let head = String::from_utf8_lossy(&request).to_ascii_lowercase();
                let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
                let mut body = vec![0; length.unwrap_or(0)];
                if stream.read_exact(&mut body).is_ok() {
                    request.extend(body);
                    answer(&String::from_utf8_lossy(&request), &mut stream);
                }
            });
        }
    });
    url
}

fn method_of(request: &str) -> &str {
    request.split(' ').nth(1).and_then(|path| path.strip_prefix("/exchange/v1/")).unwrap_or("")
}

/// A right answer to every question, as small as it gets.
fn right_answer(method: &str) -> &'static str {
    match method {
        INSTRUMENTS => {
            r#"{"id":-1,"code":0,"result":{"data":[{"symbol":"BTC_USDT","inst_type":"CCY_PAIR","base_ccy":"BTC","quote_ccy":"USDT","price_tick_size":"0.01","qty_tick_size":"0.00001","tradable":true},{"symbol":"X","new":[]}]}}"#
        }
        RISK => {
            r#"{"id":-1,"code":0,"result":{"base_currency_config":[{"instrument_name":"BTC","min_order_notional_usd":"2.0"}]}}"#
        }
        TICKERS => r#"{"id":1,"code":0,"result":{"data":[{"i":"BTC_USDT","b":"62845.65","k":"62845.66","oi":null}]}}"#,
        BALANCE => {
            r#"{"id":1,"code":0,"result":{"data":[{"position_balances":[{"instrument_name":"BTC","quantity":"1.5","reserved_qty":"0"}]}]}}"#
        }
        "private/get-open-orders" => {
            r#"{"id":1,"code":0,"result":{"data":[{"client_oid":"a","instrument_name":"BTC_USDT"}]}}"#
        }
        DETAIL => {
            r#"{"id":1,"code":0,"result":{"order_id":"65","client_oid":"rb1","status":"CANCELED","cumulative_quantity":"18","cumulative_value":"0.9882"}}"#
        }
        _ => r#"{"id":1,"code":0,"result":{"client_oid":"rb1","order_id":"6530219466236720401"}}"#,
    }
}

fn respond(out: &mut TcpStream, headers: &str, body: &str) {
    let _ = out.write_all(format!("HTTP/1.1 200 OK\r\n{headers}\r\n{body}").as_bytes());
}

#[test]
fn every_prefix_of_every_answer_is_a_failure_when_no_length_was_announced() {
    static CUT: Mutex<(&str, usize)> = Mutex::new(("", 0));
    let url = serve(|request, out| {
        let (method, (cut, length)) = (method_of(request), *CUT.lock().unwrap());
        let body = right_answer(method);
        respond(out, "Connection: close\r\n", if method == cut { &body[..length] } else { body });
    });
    for method in METHODS {
        let mut venue = client(&url);
        for length in 0..right_answer(method).len() {
            *CUT.lock().unwrap() = (method, length);
            let (kind, why) = failure(perform(&mut venue, method));
            assert_eq!(kind, "garbled", "{method} cut after {length} bytes: {why}");
        }
        *CUT.lock().unwrap() = ("", 0);
        fine(perform(&mut venue, method));
    }
}

#[test]
fn a_body_shorter_than_announced_is_a_failure_even_when_it_is_a_whole_document() {
    let url = serve(|request, out| {
        let body = right_answer(method_of(request));
        respond(out, &format!("Content-Length: {}\r\n", body.len().max(100) + 1), body);
    });
    for method in METHODS {
        let (kind, why) = failure(perform(&mut client(&url), method));
        assert_eq!(kind, "unknown", "{method}: {why}");
        assert!(why.contains("the body ended after"), "{why}");
    }
}

#[test]
fn a_body_cut_by_its_length_or_in_its_chunks_is_a_failure_at_every_endpoint() {
    for method in METHODS {
        for bytes in [0, 1, 22, 60] {
            for act in [Act::Cut(bytes), Act::CutChunked(bytes)] {
                let exchange = start(Fault::always(method, act));
                let (kind, why) = failure(perform(&mut client(&exchange.url()), method));
                assert!(matches!(kind, "unknown" | "garbled"), "{method} cut at {bytes}: {kind} {why}");
                let times = if method == CREATE { 1 } else { 4 };
                assert_eq!(exchange.world().count(method), times, "{method} cut at {bytes}");
            }
        }
    }
}

#[test]
fn a_whole_body_in_chunks_is_read() {
    let exchange = start(Fault::always("*", Act::Chunked));
    let mut venue = client(&exchange.url());
    METHODS[..7].iter().for_each(|method| drop(perform(&mut venue, method)));
    assert_eq!(fine(venue.balances()).len(), 3);
    assert!(fine(venue.order("rb1")).is_some_and(|order| order.terminal));
    assert_eq!(exchange.world().orders.len(), 1);
}

#[test]
fn no_redirect_is_followed_with_either_verb() {
    let elsewhere = start_with(|_| ());
    for status in [301, 302, 303, 307, 308] {
        for method in [INSTRUMENTS, BALANCE, CREATE] {
            let to = format!("{}/{method}", elsewhere.url());
            let exchange = start(Fault::always(method, Act::Redirect { status, to }));
            let (kind, why) = failure(perform(&mut client(&exchange.url()), method));
            assert_eq!(kind, "unknown", "{status} {method}: {why}");
            assert!(why.contains("redirected elsewhere"), "{why}");
        }
    }
    assert_eq!(elsewhere.world().connections, 0);
}

#[test]
fn a_server_that_says_nothing_or_drips_is_left_after_ten_seconds_once() {
    let silent = |_: &str, _: &mut TcpStream| std::thread::sleep(Duration::from_secs(60));
    let head_only = move |request: &str, out: &mut TcpStream| {
        respond(out, "Content-Length: 100\r\n", "");
        silent(request, out);
    };
    let drip = |bytes: &'static [u8]| {
        move |_: &str, out: &mut TcpStream| {
            for byte in bytes.iter().cycle() {
                if out.write_all(&[*byte]).is_err() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    };
    let dripped_body = move |request: &str, out: &mut TcpStream| {
        respond(out, "Content-Length: 100000\r\n", "");
        drip(b" ")(request, out);
    };
    let drips = start(Fault::always(CREATE, Act::Drip { ms: 60 }));
    let urls = [serve(silent), serve(head_only), serve(drip(b"HTTP/1.1 200 OK\r\n")), serve(dripped_body), drips.url()];
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for url in &urls {
            scope.spawn(move || {
                let (kind, why) = failure(perform(&mut client(url), CREATE));
                assert_eq!(kind, "unknown", "{why}");
            });
        }
    });
    let waited = begun.elapsed().as_secs();
    assert!((9..15).contains(&waited), "{waited} s");
    assert_eq!(drips.world().count(CREATE), 1);
}

#[test]
fn a_body_without_end_is_left_at_its_limit() {
    const MOST: usize = 64 * 1024 * 1024;
    // Method, what repeats without end, the most bytes that may be taken: the limit, and what sockets buffer.
    let cases = [
        (CREATE, r#"{"code":0,"result":{"#, r#""k":"vvvvvvvvvvvvvvvv","#, 1),
        (TICKERS, r#"{"code":0,"result":{"data":[{"i":""#, "xxxxxxxxxxxxxxxx", 0),
        (TICKERS, r#"{"code":0,"x":""#, "xxxxxxxxxxxxxxxx", 1),
        (TICKERS, r#"{"code":0,"result":{"data":["#, r#"{"i":"BTC_USDT","b":"1","k":"2"},"#, 8),
    ];
    for (method, open, filler, limit_mb) in cases {
        let sent = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&sent);
        let url = serve(move |request, out| {
            if method_of(request) != method {
                return respond(out, "", right_answer(method_of(request)));
            }
            respond(out, "", open);
            let block = filler.repeat(1000);
            while count.load(SeqCst) < MOST && out.write_all(block.as_bytes()).is_ok() {
                count.fetch_add(block.len(), SeqCst);
            }
        });
        let (kind, why) = failure(perform(&mut client(&url), method));
        assert!(why.contains("larger than"), "{method}: {kind} {why}");
        let attempts = if method == CREATE { 1 } else { 4 };
        let (sent, most) = (sent.load(SeqCst), attempts * (limit_mb * 1024 * 1024 + 6 * 1024 * 1024));
        assert!(sent < most.min(MOST), "{method}: {sent} bytes were taken, {most} may be");
    }
}

#[test]
fn every_request_names_its_program_and_asks_for_json_and_a_closed_connection() {
    static HEADS: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let url = serve(|request, out| {
        HEADS.lock().unwrap().push(request.split("\r\n\r\n").next().unwrap_or("").to_string());
        respond(out, "", right_answer(method_of(request)));
    });
    METHODS.iter().for_each(|method| fine(perform(&mut client(&url), method)));
    let heads = HEADS.lock().unwrap();
    for head in heads.iter() {
        for line in ["User-Agent: rebalancer/", "Accept: application/json", "Connection: close", "Host: 127.0.0.1:"] {
            assert!(head.contains(line), "{line} is missing in {head}");
        }
        assert_eq!(head.starts_with("POST"), head.contains("Content-Type: application/json"), "{head}");
    }
}

#[test]
fn an_answer_means_what_its_code_says_on_every_http_status_and_an_order_is_sent_once() {
    let html = "<html><h1>busy</h1></html>";
    // HTTP status, body, the kind of failure of a question and of an order, how often a question is asked.
    let cases = [
        (502, html, "unknown", 4),
        (500, html, "unknown", 4),
        (403, html, "unknown", 4),
        (200, html, "garbled", 4),
        (200, "", "garbled", 4),
        (429, html, "rate-limited", 4),
        (429, r#"{"id":1,"code":42901,"message":"TOO_MANY_REQUESTS"}"#, "rate-limited", 4),
        (200, r#"{"id":1,"code":"42901"}"#, "rate-limited", 4),
        (400, r#"{"id":1,"code":50001,"message":"ERR_INTERNAL"}"#, "unknown", 4),
        (408, r#"{"id":1,"code":40801,"message":"REQUEST_TIMEOUT"}"#, "unknown", 4),
        (503, r#"{"code":9010001,"message":"SYSTEM_MAINTENANCE","details":"..."}"#, "unknown", 4),
        (401, r#"{"id":1,"code":40101,"message":"UNAUTHORIZED"}"#, "not authorised", 1),
        (401, r#"{"id":1,"code":40103,"message":"IP_ILLEGAL"}"#, "not authorised", 1),
        (500, r#"{"id":1,"code":306,"message":"INSUFFICIENT_AVAILABLE_BALANCE"}"#, "refused", 1),
        (500, r#"{"id":1,"code":415,"result":{"client_oid":"1741","order_id":"6530"}}"#, "refused", 1),
        (200, r#"{"id":1,"code":325,"result":{"order_id":"6530"}}"#, "refused", 1),
        (400, r#"{"id":1,"code":40004,"message":{"new":[1]}}"#, "refused", 1),
        (400, r#"{"id":1,"code":77777,"message":"NEW"}"#, "unknown", 4),
        (500, right_answer(CREATE), "unknown", 4),
        (404, right_answer(CREATE), "unknown", 4),
        (200, r#"{"id":1,"result":{"order_id":"1"}}"#, "garbled", 4),
        (200, r#"{"id":1,"code":null,"result":{"order_id":"1"}}"#, "garbled", 4),
        (200, r#"{"id":1,"code":"","result":{"order_id":"1"}}"#, "garbled", 4),
        (200, r#"{"id":1,"code":0,"result":{"order_id":"1"}}}"#, "garbled", 4),
        (200, r#"{"id":1,"code":0,"code":306}"#, "refused", 1),
        (200, r#"[{"code":0}]"#, "garbled", 4),
    ];
    for (status, body, expected, times) in cases {
        for method in [CREATE, "private/cancel-order", INSTRUMENTS] {
            let exchange = start(Fault::always(method, says(status, body)));
            let (kind, why) = failure(perform(&mut client(&exchange.url()), method));
            assert_eq!(kind, expected, "{method} {status} {body}: {why}");
            let times = if method == CREATE { 1 } else { times };
            assert_eq!(exchange.world().count(method), times, "{method} {status} {body}");
            assert!(!why.contains('<') && !why.contains("test-key") && !why.contains("test-secret"), "{why}");
        }
    }
}

#[test]
fn a_code_written_as_text_is_a_code() {
    let exchange = start(Fault::once(CREATE, says(200, r#"{"id":"1","code":"0","result":{"order_id":"1"}}"#)));
    fine(perform(&mut client(&exchange.url()), CREATE));
}

#[test]
fn a_question_is_answered_at_its_fourth_attempt_and_a_closed_port_is_unreachable() {
    let exchange = start(Fault { times: 3, ..Fault::once(BALANCE, Act::Html(502)) });
    let (mut venue, clock) = open(&exchange.url(), "USDT", &fresh_file(), 0);
    assert_eq!(fine(venue.balances()).len(), 3);
    assert!(clock.elapsed() >= 7000, "{} ms", clock.elapsed());
    let url = exchange.url();
    drop(exchange);
    assert_eq!(failure(perform(&mut client(&url), CREATE)).0, "unreachable");
}

#[test]
fn an_order_whose_answer_was_lost_is_unknown_and_is_not_sent_again() {
    for act in [Act::CloseBefore, Act::CloseAfter, Act::Cut(10), Act::HtmlAfter(504)] {
        let exchange = start(Fault::once(CREATE, act));
        assert_eq!(failure(perform(&mut client(&exchange.url()), CREATE)).0, "unknown");
        assert_eq!(exchange.world().count(CREATE), 1);
    }
}

#[test]
fn an_order_that_is_there_already_is_told_apart_from_a_refusal() {
    let exchange = start_with(|_| ());
    let mut venue = client(&exchange.url());
    fine(place(&mut venue, &sell(), "rb1"));
    assert_eq!(failure(place(&mut venue, &sell(), "rb1")).0, "duplicate");
    let world = exchange.world();
    assert_eq!((world.count(CREATE), world.orders.len()), (2, 1));
}

#[test]
fn a_clock_two_hours_off_is_set_by_the_date_header_and_a_question_is_asked_once_more() {
    for skew_s in [7200, -7200] {
        let exchange = start_with(|world| world.clock_skew_s = skew_s);
        let mut venue = client(&exchange.url());
        assert!(venue.time().is_none());
        fine(venue.balances());
        let off = venue.time().unwrap() - exchange.world().now_ms();
        assert!(off.abs() < 2500, "{off} ms");
        fine(venue.open_orders());
        fine(place(&mut venue, &sell(), "rb1"));
        let world = exchange.world();
        let counts = [BALANCE, "private/get-open-orders", CREATE].map(|method| world.count(method));
        assert_eq!((counts, world.orders.len(), &world.violations), ([2, 1, 1], 1, &Vec::new()));
    }
}

#[test]
fn an_exchange_whose_clock_jumps_is_followed_either_way() {
    let exchange = start_with(|_| ());
    let mut venue = client(&exchange.url());
    for (skew_s, count) in [(0, 1), (7200, 3), (-7200, 5)] {
        exchange.world().clock_skew_s = skew_s;
        fine(venue.balances());
        assert_eq!(exchange.world().count(BALANCE), count, "{skew_s} s");
    }
}

#[test]
fn an_order_refused_for_its_time_is_for_the_caller_to_send_again() {
    for skew_s in [7200, -7200] {
        let exchange = start_with(|world| world.clock_skew_s = skew_s);
        let mut venue = client(&exchange.url());
        assert_eq!(failure(place(&mut venue, &sell(), "rb1")).0, "clock");
        assert!(exchange.world().orders.is_empty());
        fine(place(&mut venue, &sell(), "rb1"));
        let world = exchange.world();
        assert_eq!((world.count(CREATE), world.orders.len()), (2, 1));
    }
}

#[test]
fn a_clock_that_stays_refused_or_is_not_told_is_an_error() {
    let refusal = || says(400, r#"{"id":1,"code":40102,"message":"INVALID_NONCE"}"#);
    for (method, send_date, times) in [(BALANCE, true, 2), (BALANCE, false, 1), (CREATE, true, 1), (CREATE, false, 1)] {
        let exchange = start(Fault::always(method, refusal()));
        exchange.world().send_date = send_date;
        let mut venue = client(&exchange.url());
        assert_eq!(failure(perform(&mut venue, method)).0, "clock");
        assert_eq!(exchange.world().count(method), times);
        assert_eq!(venue.time().is_some(), send_date);
    }
}

#[test]
fn a_server_without_a_date_tells_its_time_by_its_tickers_or_not_at_all() {
    let exchange = start_with(|world| (world.send_date, world.clock_skew_s) = (false, 3600));
    let mut venue = client(&exchange.url());
    assert!(failure(venue.balances()).0 == "clock" && venue.time().is_none());
    fine(perform(&mut venue, TICKERS));
    let off = venue.time().unwrap() - exchange.world().now_ms();
    assert!(off.abs() < 2500, "{off} ms");
}

#[test]
fn an_order_carries_the_moment_after_which_it_cannot_be_accepted() {
    // How far our clock is ahead, and whether something private was asked before the exchange had told its time.
    for (ahead_ms, asked) in [(0, false), (0, true), (20_000, false), (20_000, true), (-20_000, true)] {
        let exchange = start_with(|_| ());
        let (mut venue, _) = open(&exchange.url(), "USDT", &fresh_file(), ahead_ms);
        fine(perform(&mut venue, if asked { BALANCE } else { TICKERS }));
        let expires = venue.order_expiry();
        fine(venue.place(&sell(), "rb1", expires));
        let nonce = exchange.world().requests.last().unwrap().nonce.unwrap();
        let late = nonce + 60_000 - expires;
        assert!(late < 1000, "{ahead_ms} ms ahead, {asked}: acceptable for {late} ms longer than it should");
    }
}

fn balances_of(rows: &str) -> Result<Vec<Balance>, Error> {
    let body = format!(r#"{{"code":0,"result":{{"data":[{{"new":[{{}}],"position_balances":[{rows}]}}]}}}}"#);
    let exchange = start(Fault::always(BALANCE, says(200, &body)));
    client(&exchange.url()).balances()
}

#[test]
fn a_balance_that_cannot_be_read_is_an_error_that_names_the_coin() {
    let good = r#"{"instrument_name":"ETH","quantity":"1","reserved_qty":"0"}"#;
    let no_amounts = r#""1e5"|"0.1234567890123456789"|""|" 1"|"+1"|".5"|"1."|"NaN"|"1,5"|null|true|[]|{}"#;
    let pairs = no_amounts.split('|').flat_map(|no| [(no, r#""0""#), (r#""1""#, no)]);
    let mut rows: Vec<_> =
        pairs.map(|(quantity, reserved)| format!(r#""quantity":{quantity},"reserved_qty":{reserved}"#)).collect();
    rows.extend([r#""quantity":"1""#.to_string(), r#""reserved_qty":"0""#.to_string()]);
    for row in rows {
        let (kind, why) = failure(balances_of(&format!(r#"{good},{{"instrument_name":"BTC",{row}}}"#)));
        assert!(kind == "garbled" && why.contains("BTC"), "{row}: {kind} {why}");
    }
    for row in [
        r#"{"quantity":"1","reserved_qty":"0"}"#,
        "null",
        "[]",
        r#"{"instrument_name":"A","quantity":1e5,"reserved_qty":0}"#,
    ] {
        assert_eq!(failure(balances_of(row)).0, "garbled", "{row}");
    }
    for result in
        r#""result":{}|"result":{"data":[]}|"result":{"data":[{}]}|"result":null|"data":[{"position_balances":[]}]"#
            .split('|')
    {
        let exchange = start(Fault::always(BALANCE, says(200, &format!(r#"{{"code":0,{result}}}"#))));
        assert_eq!(failure(client(&exchange.url()).balances()).0, "garbled", "{result}");
    }
}

#[test]
fn balances_keep_every_decimal_and_their_sign() {
    let told = "29.01316839415396 -0.00000000000001 0.0002119875 25803570000.5 -1 0.123456789012345678";
    let row = |amount| {
        format!(r#"{{"x":{{"quantity":"9"}},"reserved_qty":"{amount}","quantity":"{amount}","instrument_name":"C"}}"#)
    };
    let rows: Vec<_> = told.split(' ').map(row).collect();
    for (balance, amount) in fine(balances_of(&rows.join(","))).iter().zip(told.split(' ')) {
        assert_eq!((balance.total.to_string().as_str(), balance.locked.to_string().as_str()), (amount, amount));
    }
    let number = fine(balances_of(r#"{"instrument_name":"BTC","quantity":1.50,"reserved_qty":0}"#));
    assert_eq!(number[0].total.to_string(), "1.5");
}

#[test]
fn the_balances_of_all_accounts_are_read() {
    let account = |coin: &str| {
        format!(r#"{{"position_balances":[{{"instrument_name":"{coin}","quantity":"1","reserved_qty":"0"}}]}}"#)
    };
    let body = format!(r#"{{"code":0,"result":{{"data":[{},{}]}}}}"#, account("BTC"), account("ETH"));
    let exchange = start(Fault::always(BALANCE, says(200, &body)));
    let balances = fine(client(&exchange.url()).balances());
    assert_eq!(balances.iter().map(|balance| balance.coin.as_str()).collect::<Vec<_>>(), ["BTC", "ETH"]);
}

fn detail_of(members: &str) -> Result<Option<OrderState>, Error> {
    let body = format!(
        r#"{{"code":0,"result":{{"order_id":"6142909983412425183","extra":{{"status":"FILLED"}},{members}}}}}"#
    );
    let exchange = start(Fault::always(DETAIL, says(200, &body)));
    client(&exchange.url()).order("rb1")
}

#[test]
fn an_order_is_what_was_filled_and_is_over_in_four_states() {
    let fills = r#""quantity":"17","cumulative_quantity":"18","cumulative_value":"0.9882""#;
    for status in "FILLED CANCELED EXPIRED REJECTED ACTIVE NEW PENDING WAT".split(' ') {
        let order = fine(detail_of(&format!(r#""client_oid":"rb1","status":"{status}",{fills}"#))).unwrap();
        assert_eq!((order.status.as_str(), order.order_id.as_str()), (status, "6142909983412425183"));
        assert_eq!(order.terminal, ["FILLED", "CANCELED", "EXPIRED", "REJECTED"].contains(&status), "{status}");
        assert_eq!((order.filled_quantity.to_string(), order.filled_value.to_string()), ("18".into(), "0.9882".into()));
    }
    let exchange = start_with(|_| ());
    assert!(fine(client(&exchange.url()).order("rb1")).is_none());
    assert_eq!(exchange.world().count(DETAIL), 1);
}

#[test]
fn an_order_of_another_id_or_without_its_fills_is_an_error() {
    for members in [
        r#""client_oid":"rb2","status":"FILLED","cumulative_quantity":"1","cumulative_value":"1""#,
        r#""status":"FILLED","cumulative_quantity":"1","cumulative_value":"1""#,
        r#""client_oid":"rb1","cumulative_quantity":"1","cumulative_value":"1""#,
        r#""client_oid":"rb1","status":"FILLED","cumulative_value":"1""#,
        r#""client_oid":"rb1","status":"FILLED","cumulative_quantity":"1""#,
        r#""client_oid":"rb1","status":"FILLED","cumulative_quantity":"1","cumulative_value":null"#,
        r#""client_oid":"rb1","status":"FILLED","cumulative_quantity":"-1","cumulative_value":"1""#,
        r#""client_oid":"rb1","status":"FILLED","cumulative_quantity":"1","cumulative_value":"1e1""#,
        r#""client_oid":"rb1","client_oid":"rb2","status":"FILLED","cumulative_quantity":"1","cumulative_value":"1""#,
    ] {
        assert_eq!(failure(detail_of(members)).0, "garbled", "{members}");
    }
}

fn listings(url: &str, coins: &[&str]) -> Result<Named<Listing>, Error> {
    client(url).listings(&coins.iter().map(ToString::to_string).collect::<Vec<_>>())
}

#[test]
fn a_price_that_is_missing_is_no_quote_and_never_zero() {
    let mut world = world();
    world.market("BTC_USDT").bid = None;
    world.market("ETH_USDT").ask = None;
    world.catalogue = 930;
    let exchange = exchange::Exchange::start(world);
    let listings = fine(listings(&exchange.url(), &["BTC", "ETH", "NOPE"]));
    assert!(
        listings.get("BTC").unwrap().quote.is_none()
            && listings.get("ETH").unwrap().quote.is_none()
            && listings.len() == 2
    );
    for row in [
        r#"{"i":"BTC_USDT","b":"abc","k":"1"}"#,
        r#"{"i":"BTC_USDT","b":"1","k":"1e3"}"#,
        r#"{"i":"BTC_USDT","b":"1","k":}"#,
    ] {
        let exchange =
            start(Fault::always(TICKERS, says(200, &format!(r#"{{"code":0,"result":{{"data":[{row}]}}}}"#))));
        let outcome = self::listings(&exchange.url(), &["BTC"]);
        assert_eq!(failure(outcome).0, "garbled", "{row}");
    }
}

#[test]
fn odd_symbols_are_other_markets_and_the_tick_is_not_the_number_of_decimals() {
    let mut world = world();
    world.list("BTC_USDT@OEX_HK", "1", "1", "5", "6").quote = "USDT".into();
    world.list("XYZ_USDT@OEX_HK", "1", "1", "5", "6").quote = "USDT".into();
    world.list("SHIB_USDT", "10000", "0.000000001", "0.00001", "0.000011").quantity_decimals = 0;
    world.market("BTC_USDT").quantity_decimals = 2;
    world.market("ETH_USDT").tradable = false;
    let exchange = exchange::Exchange::start(world);
    let listings = fine(listings(&exchange.url(), &["BTC", "ETH", "SHIB", "XYZ", "USDT"]));
    let told: Vec<_> = listings
        .iter()
        .map(|(_, listing)| (listing.market.symbol.as_str(), listing.market.quantity_tick.to_string()))
        .collect();
    assert_eq!(
        told,
        [("BTC_USDT", "0.00001".into()), ("ETH_USDT", "0.0001".into()), ("SHIB_USDT", "10000".to_string())]
    );
    assert_eq!(listings.get("BTC").unwrap().quote.unwrap().bid.to_string(), "62845.65");
    assert!(listings.get("BTC").unwrap().market.tradable && !listings.get("ETH").unwrap().market.tradable);
}

#[test]
fn a_public_list_that_is_not_there_is_an_error_and_not_an_empty_exchange() {
    for method in [INSTRUMENTS, RISK, TICKERS] {
        // The risk parameters may be an empty list; no list at all is an error there as well.
        let empty = if method == RISK { r#"{"data":[]}"# } else { r#"{"data":[],"base_currency_config":[]}"# };
        for result in [r#"{"news":[{}]}"#, empty, r#"{"data":null}"#, "[]", "null"] {
            let exchange = start(Fault::always(method, says(200, &format!(r#"{{"code":0,"result":{result}}}"#))));
            assert_eq!(failure(listings(&exchange.url(), &["BTC"])).0, "garbled", "{method} {result}");
        }
    }
}

#[test]
fn the_number_of_requests_does_not_depend_on_the_number_of_coins() {
    let requests = |count: usize| {
        let coins: Vec<_> = (0..count).map(|number| format!("C{number}")).collect();
        let mut world = world();
        for coin in &coins {
            world.list(&format!("{coin}_USDT"), "0.01", "0.01", "1", "1.01");
            world.hold(coin, "5");
        }
        let exchange = exchange::Exchange::start(world);
        let mut venue = client(&exchange.url());
        assert_eq!(fine(venue.listings(&coins)).len(), count);
        assert_eq!(fine(venue.balances()).len(), count + 3);
        exchange.world().requests.len()
    };
    assert_eq!((requests(2), requests(200)), (4, 4));
}

#[test]
fn trading_rules_are_read_again_when_the_file_of_them_is_old_early_or_about_something_else() {
    let (exchange, other, cache) = (start_with(|_| ()), start_with(|_| ()), fresh_file());
    // Address, quote, how far ahead the clock is, coins, how often the first exchange's list has been read after that.
    let (here, there) = (exchange.url(), other.url());
    for (url, quote, ahead_ms, coin, reads) in [
        (&here, "USDT", 0, "BTC", 1),
        (&here, "USDT", 10_000, "BTC", 1),
        (&here, "USDT", DAY_MS - 60_000, "BTC", 1),
        (&here, "USDT", 10_000, "ETH", 2),
        (&here, "USDT", DAY_MS + 60_000, "ETH", 3),
        (&here, "USDT", -DAY_MS, "ETH", 4),
        (&there, "USDT", 10_000, "ETH", 4),
        (&here, "USDT", 10_000, "ETH", 5),
        (&here, "USD", 10_000, "ETH", 6),
        (&here, "USDT", 10_000, "NOPE", 7),
        (&here, "USDT", 10_000, "NOPE", 8),
        (&here, "USDT", 10_000, "ETH", 8),
    ] {
        let (mut venue, _) = open(url, quote, &cache, ahead_ms);
        let listed = fine(venue.listings(&[coin.to_string()])).len();
        assert_eq!(listed, usize::from(coin != "NOPE" && quote == "USDT"));
        assert_eq!(exchange.world().count(INSTRUMENTS), reads, "{quote} {ahead_ms} {coin}");
    }
    let (mut venue, _) = open(&here, "USDT", &cache, 10_000);
    venue.forget_markets();
    fine(venue.listings(&["ETH".to_string()]));
    assert_eq!(exchange.world().count(INSTRUMENTS), 9);
}

#[test]
fn a_file_of_trading_rules_that_is_damaged_anywhere_is_not_believed() {
    let (exchange, path) = (start_with(|_| ()), fresh_file());
    let coins = ["BTC".to_string(), "ETH".to_string()];
    let (mut venue, clock) = open(&exchange.url(), "USDT", &path, 0);
    let whole = fine(venue.listings(&coins));
    let text = std::fs::read(&path).unwrap();
    let cache = Cache::new(&SystemDisk, path.clone(), format!("{} USDT", exchange.url()));
    let now = clock.now() + 10_000;
    assert!(cache.load(now).is_some());
    let believed = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        cache.load(now).is_some()
    };
    for at in 0..text.len() {
        for value in [text[at] ^ 1, text[at] ^ 32, b'0', b'"', b'\n', 0xff] {
            let mut damaged = text.clone();
            damaged[at] = value;
            assert!(value == text[at] || !believed(&damaged), "byte {at} became {value}");
        }
        // Only the last line's end may be missing.
        assert_eq!(believed(&text[..at]), at == text.len() - 1, "cut after {at}");
        assert!(!believed(&[&text[..at], &text[at + 1..]].concat()) || at == text.len() - 1, "without byte {at}");
    }
    std::fs::write(&path, &text[..text.len() / 2]).unwrap();
    assert!(fine(open(&exchange.url(), "USDT", &path, 10_000).0.listings(&coins)) == whole);
    assert_eq!(exchange.world().count(INSTRUMENTS), 2);
}

#[test]
fn requests_keep_their_pace_and_their_nonces_rise_and_stay_in_the_window() {
    static SEEN: Mutex<Vec<(Millis, Millis, Option<i64>)>> = Mutex::new(Vec::new());
    static CLOCK: Mutex<Option<&Fake>> = Mutex::new(None);
    let url = serve(|request, out| {
        let clock = CLOCK.lock().unwrap().unwrap();
        let body =
            request.split("\r\n\r\n").nth(1).and_then(|body| serde_json::from_str::<serde_json::Value>(body).ok());
        let mut seen = SEEN.lock().unwrap();
        seen.push((clock.elapsed(), clock.now(), body.and_then(|body| body["nonce"].as_i64())));
        let broken = seen.len().is_multiple_of(7);
        let at = stamp(clock.now(), 0);
        let month: usize = at[5..7].parse().unwrap();
        let month = &"JanFebMarAprMayJunJulAugSepOctNovDec"[month * 3 - 3..month * 3];
        let date = format!("Date: Sun, {} {month} {} {} GMT\r\n", &at[8..10], &at[..4], &at[11..]);
        respond(out, &date, if broken { "<html>" } else { right_answer(method_of(request)) });
    });
    let (mut venue, clock) = open(&url, "USDT", &fresh_file(), 0);
    *CLOCK.lock().unwrap() = Some(clock);
    for method in METHODS.iter().cycle().take(40) {
        let _ = perform(&mut venue, method);
    }
    let seen = SEEN.lock().unwrap();
    let gaps = seen.windows(2).map(|pair| pair[1].0 - pair[0].0);
    assert!(gaps.clone().all(|gap| gap >= 334), "{:?}", gaps.collect::<Vec<_>>());
    let nonces: Vec<(i64, Millis)> = seen.iter().filter_map(|(_, now, nonce)| Some(((*nonce)?, *now))).collect();
    assert!(nonces.len() > 20 && nonces.iter().all(|(nonce, now)| (now - 60_000..*now).contains(nonce)), "{nonces:?}");
    let falls: Vec<_> =
        nonces.windows(2).filter(|pair| pair[1].0 <= pair[0].0).map(|pair| (pair[0].0, pair[1].0)).collect();
    assert!(falls.is_empty(), "nonces that are not above the one before: {falls:?}");
}

#[test]
fn the_exchange_accepts_every_signature_and_finds_nothing_wrong() {
    let exchange = start_with(|world| world.catalogue = 930);
    let mut venue = client(&exchange.url());
    METHODS[..6].iter().for_each(|method| fine(perform(&mut venue, method)));
    fine(place(&mut venue, &sell(), "rb1"));
    let size = Size::Notional(Value::parse("100.5").unwrap());
    fine(place(&mut venue, &Order { side: Side::Buy, size, ..sell() }, "rb2"));
    for oid in ["rb1", "rb2"] {
        let order = fine(venue.order(oid)).unwrap();
        assert!(order.terminal && order.filled_quantity > Quantity::ZERO, "{oid} {}", order.status);
    }
    assert_eq!(failure(venue.cancel("rb1")).0, "refused");
    assert_eq!(failure(venue.cancel("rb3")).0, "no such order");
    assert!(fine(venue.may_trade()) == Some(true));
    let world = exchange.world();
    assert_eq!(world.violations, Vec::<String>::new());
    assert_eq!(world.orders.iter().map(|order| order.client_oid.as_str()).collect::<Vec<_>>(), ["rb1", "rb2"]);
}

/// Several to a line: none of them holds a space.
const GOOD_ADDRESSES: &str = "https://api.crypto.com/exchange/v1 https://uat-api.3ona.co:8443/exchange/v1
    http://127.0.0.1:8080/exchange/v1 http://127.1.2.3:1 http://localhost:65535/x http://127.0.0.1 https://192.168.1.1/x
    https://localhost:1";
const BAD_ADDRESSES: &str = "api.crypto.com ftp://api.crypto.com HTTPS://api.crypto.com https:/api.crypto.com https://
    https:///v1 https://:443/v1 https://api.crypto.com:/v1 https://api.crypto.com:0 https://api.crypto.com:99999
    https://api.crypto.com:x https://api.crypto.com:-1 https://api.crypto.com:+443 https://api.crypto.com:443:443
    https://api.crypto.com@evil.com https://api.crypto.com:443@evil.com/v1 http://127.0.0.1@evil.com
    http://127.0.0.1:80@evil.com http://127.0.0.1.evil.com http://localhost.evil.com http://evil.com/127.0.0.1
    http://evil.com\\@127.0.0.1 http://127.0.0.1\\.evil.com http://evil.com#127.0.0.1 http://evil.com?127.0.0.1
    http://evil.com/http://localhost http://192.168.1.1 http://10.0.0.1:80 http://0.0.0.0:80 http://128.0.0.1
    http://api.crypto.com/exchange/v1 http://[::1] http://[::1]:80/v1 https://[::1]:443 https://\u{430}pi.crypto.com
    https://%61pi.crypto.com http://127.0.0.1:80:80 http://2130706433 http://127.1 http://localhost%00.evil.com
    https://api.crypto.com/v1?a=b https://api.crypto.com/v1#x";
const SPACED_ADDRESSES: &str = "| https://api.crypto.com|https://api.crypto.com |https://api crypto.com|https://api.crypto.com/v 1|\
    https://api.crypto.com/v1\n|https://api.crypto.com\r\nHost: evil.com|https://api.crypto.com\t|https://api.crypto.com\0";

#[test]
fn an_address_is_https_or_this_machine_and_nothing_clever() {
    for good in GOOD_ADDRESSES.split_whitespace() {
        assert_eq!(base_url(good).as_deref(), Ok(good));
        assert_eq!(base_url(&format!("{good}/")).as_deref(), Ok(good));
    }
    for bad in BAD_ADDRESSES.split_whitespace().chain(SPACED_ADDRESSES.split('|')) {
        let why = base_url(bad).expect_err(bad);
        assert!(why.contains("use https://HOST/PATH, or http://127.0.0.1:PORT/PATH"), "{bad:?}: {why}");
    }
}

#[cfg(feature = "builtin-roots")]
#[test]
fn the_built_in_roots_refuse_an_authority_of_this_machine() {
    let (exchange, _) = exchange::Exchange::start_tls(world());
    for method in [CREATE, TICKERS] {
        let (kind, why) = failure(perform(&mut client(&exchange.url()), method));
        assert!(kind == "unknown" && why.contains("certificate"), "{kind} {why}");
    }
    let world = exchange.world();
    assert!(world.connections > 0 && world.requests.is_empty());
}
