//! Everything that can go wrong on the wire, and death at every call of a cycle: nothing is doubled, nothing is lost, and in the end
//! the account is balanced.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "exchange/mod.rs"]
mod exchange;
mod owner;

use exchange::{Act, Exchange, Fault};
use owner::{Books, HALVES, Owner, Run, Victim, assert_weights, side_by_side, two_coins};
use std::collections::BTreeSet;
use std::sync::Mutex;

const HALF: [(&str, &str); 2] = [("BTC", "50"), ("ETH", "50")];

/// Afterwards no client id was executed twice, and every order that the exchange has is in the journal.
fn check_orders(exchange: &Exchange, owner: &Owner, what: &str) {
    let ids: Vec<String> = exchange.world().orders.iter().map(|order| order.client_oid.clone()).collect();
    let unique: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(ids.len(), unique.len(), "{what}: an order was doubled");
    let journal = owner.journal();
    for id in &ids {
        assert!(journal.contains(&format!("\"order\":\"{id}\"")), "{what}: {id} was sent without a record\n{journal}");
        assert!(journal.contains(&format!("\"done\":\"{id}\"")), "{what}: {id} has no outcome\n{journal}");
    }
}

#[test]
fn killed_at_any_call_of_a_cycle_it_ends_balanced_with_nothing_doubled() {
    // A cycle without a kill tells how many calls there are.
    let calls = {
        let exchange = Exchange::start(two_coins());
        let owner = Owner::new(&exchange, HALVES);
        assert_eq!(owner.run(&["once"]).code, 0);
        let calls = exchange.world().requests.len();
        u32::try_from(calls).unwrap()
    };
    assert!(calls >= 12, "{calls}");
    let jobs: Vec<(u32, bool)> = (0..calls).flat_map(|call| [(call, true), (call, false)]).collect();
    side_by_side(&jobs, |(call, before)| {
        let what = format!("killed {} call {call}", if *before { "before" } else { "after" });
        let victim = Victim::default();
        let mut world = two_coins();
        world.faults.push(Fault::once("*", Act::Call { before: *before, f: victim.kill() }).after(*call));
        let exchange = Exchange::start(world);
        let owner = Owner::new(&exchange, HALVES);
        let books = Books::open(&exchange);
        let child = owner.start(&["once"]);
        victim.is(&child);
        let run = child.wait_with_output().unwrap();
        assert_eq!(run.status.code(), None, "{what}: it was not killed");
        let codes = owner.run_until_good();
        assert_eq!(codes.last(), Some(&0), "{what}: {codes:?}");
        books.check(&exchange, &what);
        assert_weights(&exchange, &HALF, "0.6", &what);
        check_orders(&exchange, &owner, &what);
    });
}

/// The ways in which an answer can be missing, wrong or late.
fn acts() -> Vec<(&'static str, Act)> {
    vec![
        ("close before", Act::CloseBefore),
        ("close after", Act::CloseAfter),
        ("cut", Act::Cut(40)),
        ("cut at nothing", Act::Cut(0)),
        ("cut chunked", Act::CutChunked(60)),
        ("html 502", Act::Html(502)),
        ("html 502 after", Act::HtmlAfter(502)),
        ("html 403", Act::Html(403)),
        ("429", Act::Code { status: 429, code: 42901, message: "TOO_MANY_REQUESTS".into() }),
        ("html 429", Act::Html(429)),
        ("internal", Act::Code { status: 400, code: 50001, message: "ERR_INTERNAL".into() }),
        ("timeout", Act::Code { status: 408, code: 40801, message: "REQUEST_TIMEOUT".into() }),
        ("nonce", Act::Code { status: 400, code: 40102, message: "INVALID_NONCE".into() }),
        ("maintenance", Act::Reply { status: 500, body: r#"{"code":9010001,"message":"SYSTEM_MAINTENANCE"}"#.into() }),
        ("empty object", Act::ReplyAfter { status: 200, body: "{}".into() }),
        ("other json", Act::ReplyAfter { status: 200, body: "[1, 2".into() }),
        ("redirect", Act::Redirect { status: 307, to: "http://127.0.0.1:1/".into() }),
        ("chunked", Act::Chunked),
        ("late answer", Act::Delay { ms: 3000 }),
        ("late arrival", Act::Late { ms: 6000 }),
    ]
}

#[test]
fn every_fault_at_every_endpoint_ends_balanced_with_nothing_doubled() {
    let methods = [
        "public/get-instruments",
        "public/get-risk-parameters",
        "public/get-tickers",
        "private/user-balance",
        "private/get-open-orders",
        "private/create-order",
        "private/get-order-detail",
    ];
    let mut jobs = Vec::new();
    for method in methods {
        for (name, act) in acts() {
            // The first call of its kind, and the second, which for an order is the buy.
            for skip in [0, 1] {
                jobs.push((method, name, skip, Mutex::new(Some(act.clone()))));
            }
        }
    }
    side_by_side(&jobs, |(method, name, skip, act)| {
        let what = format!("{name} at {method} number {skip}");
        let mut world = two_coins();
        world.faults.push(Fault::once(method, act.lock().unwrap().take().unwrap()).after(*skip));
        let exchange = Exchange::start(world);
        let owner = Owner::new(&exchange, HALVES);
        let books = Books::open(&exchange);
        let codes = owner.run_until_good();
        assert_eq!(codes.last(), Some(&0), "{what}: {codes:?}");
        books.check(&exchange, &what);
        assert_weights(&exchange, &HALF, "0.8", &what);
        check_orders(&exchange, &owner, &what);
    });
}

#[test]
fn an_order_whose_fate_cannot_be_learned_is_exit_code_3_and_the_next_run_asks_first() {
    let mut world = two_coins();
    world.faults.push(Fault::once("private/create-order", Act::CloseAfter));
    world.faults.push(Fault::always("private/get-order-detail", Act::Html(502)));
    let exchange = Exchange::start(world);
    let owner = Owner::new(&exchange, HALVES);
    let books = Books::open(&exchange);
    let run = owner.run(&["once"]);
    assert_eq!(run.code, 3, "{}", run.log);
    assert!(run.log.contains("is unknown"), "{}", run.log);
    assert_eq!(exchange.world().count("private/create-order"), 1);
    exchange.world().faults.clear();
    let from = exchange.world().requests.len();
    let next: Run = owner.run(&["once"]);
    assert_eq!(next.code, 0, "{}", next.log);
    let first = exchange.world().requests[from].method.clone();
    assert_eq!(first, "private/get-order-detail");
    books.check(&exchange, &next.log);
    assert_weights(&exchange, &HALF, "0.6", &next.log);
    check_orders(&exchange, &owner, &next.log);
}

#[test]
fn an_exchange_that_is_away_is_exit_code_1_and_nothing_was_sent() {
    let exchange = Exchange::start(two_coins());
    let owner = Owner::new(&exchange, HALVES);
    let away = r#"{"allocation": {"BTC": 50, "ETH": 50}, "base_url": "http://127.0.0.1:1"}"#;
    std::fs::write(owner.home.join("config.json"), away).unwrap();
    let run = owner.run(&["once"]);
    assert_eq!(run.code, 1, "{}", run.log);
}
