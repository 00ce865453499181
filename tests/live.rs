//! The real program against the loopback exchange: cycles that should go well, and cycles that must not begin.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "exchange/mod.rs"]
mod exchange;
mod owner;

use exchange::{Act, Exchange, Fault, FeeIn, World, dec};
use owner::{Books, HALVES, Owner, Victim, assert_weights, side_by_side, two_coins};

const HALF: [(&str, &str); 2] = [("BTC", "50"), ("ETH", "50")];

/// One run that ends balanced, then one that does nothing; money is conserved to the digit.
fn balances_once(world: World, config: &str, targets: &[(&str, &str)], points: &str) -> (Exchange, Owner) {
    let exchange = Exchange::start(world);
    let owner = Owner::new(&exchange, config);
    let books = Books::open(&exchange);
    let run = owner.run(&["once"]);
    assert_eq!(run.code, 0, "{}", run.log);
    books.check(&exchange, &run.log);
    assert_weights(&exchange, targets, points, &run.log);
    let orders = exchange.world().count("private/create-order");
    assert!(orders > 0, "{}", run.log);
    let again = owner.run(&["once"]);
    assert_eq!((again.code, exchange.world().count("private/create-order")), (0, orders), "{}", again.log);
    (exchange, owner)
}

#[test]
fn an_account_out_of_balance_is_at_its_targets_after_one_cycle() {
    balances_once(two_coins(), HALVES, &HALF, "0.3");
}

#[test]
fn cash_alone_is_spread_over_the_coins_by_buying_only() {
    let mut world = two_coins();
    world.hold("BTC", "0");
    world.hold("ETH", "0");
    let (exchange, _owner) = balances_once(world, HALVES, &HALF, "0.6");
    let sells = exchange.world().orders.iter().filter(|order| order.side == exchange::Side::Sell).count();
    assert_eq!(sells, 0);
}

#[test]
fn a_fee_on_top_of_a_buy_is_paid_from_what_was_left_for_it() {
    let mut world = two_coins();
    world.fee_in = FeeIn::Quote;
    balances_once(world, HALVES, &HALF, "0.3");
}

#[test]
fn balances_that_lag_by_time_or_by_reads_do_not_lead_to_a_wrong_order() {
    for (ms, reads) in [(3500, 0), (0, 4)] {
        let mut world = two_coins();
        (world.lag_ms, world.lag_reads) = (ms, reads);
        balances_once(world, HALVES, &HALF, "0.3");
    }
}

#[test]
fn orders_that_fill_slowly_are_waited_for() {
    let mut world = two_coins();
    (world.slow_fill_asks, world.hidden_details) = (3, 2);
    balances_once(world, HALVES, &HALF, "0.3");
}

#[test]
fn an_order_that_stays_open_is_cancelled_and_reported() {
    let mut world = two_coins();
    (world.slow_fill_asks, world.slow_fill_half) = (u32::MAX, false);
    let exchange = Exchange::start(world);
    let owner = Owner::new(&exchange, HALVES);
    let books = Books::open(&exchange);
    let run = owner.run(&["once"]);
    assert_eq!(run.code, 1, "{}", run.log);
    assert!(run.log.contains("ended as CANCELED with 0 filled"), "{}", run.log);
    books.check(&exchange, &run.log);
    assert!(exchange.world().count("private/cancel-order") > 0, "{}", run.log);
    assert!(exchange.world().orders.iter().all(|order| order.status != exchange::Status::Active));
}

#[test]
fn locked_coins_count_and_are_never_sold() {
    let mut world = two_coins();
    world.hold_locked("BTC", "0.1", "0.095");
    let exchange = Exchange::start(world);
    let owner = Owner::new(&exchange, HALVES);
    let books = Books::open(&exchange);
    let run = owner.run(&["once"]);
    assert_eq!(run.code, 0, "{}", run.log);
    books.check(&exchange, &run.log);
    assert!(run.out.contains("0.005 of 0.1"), "{}", run.out);
    let btc = exchange.world().balances["BTC"].quantity;
    assert!(btc >= dec("0.095"), "{btc}");
}

#[test]
fn coins_outside_the_allocation_are_named_and_left_alone() {
    let mut world = two_coins();
    world.hold("CRPT", "12.5");
    world.list("DOGE_USDT", "1", "0.00001", "0.0700", "0.0701");
    world.hold("DOGE", "100000");
    let (exchange, _owner) = balances_once(world, HALVES, &[], "0");
    assert_eq!(exchange.world().balances["DOGE"].quantity, dec("100000"));
}

#[test]
fn unlisted_coins_are_sold_when_the_owner_says_so() {
    let mut world = two_coins();
    world.hold("CRPT", "12.5");
    world.list("DOGE_USDT", "1", "0.00001", "0.0700", "0.0701");
    world.hold("DOGE", "100000");
    let config = r#"{"allocation": {"BTC": 50, "ETH": 50}, "base_url": "URL", "unlisted": "sell"}"#;
    let (exchange, _owner) = balances_once(world, config, &HALF, "0.6");
    assert_eq!(exchange.world().balances["DOGE"].quantity, dec("0"));
    assert_eq!(exchange.world().balances["CRPT"].quantity, dec("12.5"));
}

#[test]
fn every_method_and_restore_point_ends_balanced_and_quiet() {
    let cases = [
        r#""method": "target""#,
        r#""method": "full""#,
        r#""restore": "half""#,
        r#""restore": "edge""#,
        r#""max_trade": 300"#,
        r#""tolerance": 1, "relative_tolerance": 1"#,
    ];
    side_by_side(&cases, |extra| {
        let config = format!(r#"{{"allocation": {{"BTC": 50, "ETH": 50}}, "base_url": "URL", {extra}}}"#);
        balances_once(two_coins(), &config, &HALF, "5");
    });
}

#[test]
fn what_cannot_be_believed_ends_the_cycle_before_any_order() {
    type Change = fn(&mut World);
    let cases: [(&str, Change); 10] = [
        ("no bid", |world| world.market("ETH_USDT").bid = None),
        ("no ask", |world| world.market("ETH_USDT").ask = None),
        ("zero", |world| world.market("ETH_USDT").bid = Some(dec("0"))),
        ("crossed", |world| world.market("ETH_USDT").set("2002", "2001")),
        ("wide", |world| world.market("ETH_USDT").set("1900", "2001")),
        ("borrowed", |world| world.hold("DOGE", "-3")),
        ("more locked than held", |world| world.hold_locked("BTC", "0.1", "0.2")),
        ("clock ahead", |world| world.clock_skew_s = -7200),
        ("clock behind", |world| world.clock_skew_s = 7200),
        ("no date, and the tickers' clock is off", |world| (world.send_date, world.clock_skew_s) = (false, 7200)),
    ];
    side_by_side(&cases, |(what, change)| {
        let mut world = two_coins();
        change(&mut world);
        let exchange = Exchange::start(world);
        let owner = Owner::new(&exchange, HALVES);
        let run = owner.run(&["once", "--json"]);
        let orders = exchange.world().count("private/create-order");
        assert_eq!((run.code, orders), (1, 0), "{what}: {}", run.log);
        let error = run.json()["error"].as_str().unwrap().to_string();
        assert!(!error.is_empty() && run.log.contains(&error), "{what}: {}", run.log);
        assert_eq!(owner.journal().lines().count(), 1, "{what}: only the head is written");
    });
}

#[test]
fn a_clock_that_is_off_by_less_than_a_minute_is_corrected() {
    for skew in [-50, 50] {
        let mut world = two_coins();
        world.clock_skew_s = skew;
        balances_once(world, HALVES, &HALF, "0.3");
    }
}

#[test]
fn without_a_date_the_tickers_tell_the_time() {
    let mut world = two_coins();
    world.send_date = false;
    balances_once(world, HALVES, &HALF, "0.3");
}

#[test]
fn a_wrong_key_is_exit_code_2_and_nothing_is_traded() {
    let exchange = Exchange::start(two_coins());
    let owner = Owner::new(&exchange, HALVES);
    let run = owner.command(&["once"]).env("REBALANCER_API_KEY", "wrong").output().unwrap();
    assert_eq!(run.status.code(), Some(2));
    assert_eq!(exchange.world().count("private/create-order"), 0);
}

#[test]
fn a_coin_without_a_pair_is_exit_code_2_and_check_says_where_it_trades() {
    let mut world = two_coins();
    world.list("YFI_USD", "0.00001", "0.01", "5000", "5001");
    let exchange = Exchange::start(world);
    let owner = Owner::new(&exchange, r#"{"allocation": {"BTC": 50, "YFI": 50}, "base_url": "URL"}"#);
    let run = owner.run(&["once"]);
    assert_eq!(run.code, 2, "{}", run.log);
    let check = owner.run(&["check"]);
    assert_eq!(check.code, 2, "{}", check.out);
    let told = check.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("YFI_USDT does not exist; YFI trades against USD"), "{told}");
    assert_eq!(exchange.world().count("private/create-order"), 0);
}

#[test]
fn check_is_content_with_a_good_account_and_places_nothing() {
    let exchange = Exchange::start(two_coins());
    let owner = Owner::new(&exchange, HALVES);
    let run = owner.run(&["check"]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.log);
    let orders = exchange.world().orders.len();
    let violations = exchange.world().violations.clone();
    assert_eq!((orders, violations), (0, Vec::<String>::new()));
}

#[test]
fn plan_and_status_place_nothing_and_agree_with_the_account() {
    let exchange = Exchange::start(two_coins());
    let owner = Owner::new(&exchange, HALVES);
    let plan = owner.run(&["plan", "--json"]);
    assert_eq!(plan.code, 0, "{}", plan.log);
    let plan = plan.json();
    assert_eq!(plan["balanced"], false);
    assert_eq!(plan["total"], "10000");
    assert_eq!(plan["coins"][0]["weight"], "60.000000");
    assert_eq!(plan["coins"][2]["drift"], "10.000000");
    // 1000 above target at 60000 are 0.01666 on the tick.
    assert_eq!(plan["orders"][0]["quantity"], "0.01666");
    assert_eq!(plan["orders"][0]["side"], "SELL");
    assert_eq!(plan["orders"][1]["instrument"], "ETH_USDT");
    let status = owner.run(&["status", "--json"]);
    assert_eq!(status.json()["last_run"], "never");
    assert_eq!(exchange.world().count("private/create-order"), 0);
}

#[test]
fn the_number_of_requests_does_not_grow_with_the_number_of_coins() {
    let mut counts = Vec::new();
    for coins in [2_u32, 100] {
        let mut world = World::new();
        world.catalogue = 930;
        let mut allocation = Vec::new();
        for number in 0..coins {
            world.list(&format!("C{number}_USDT"), "0.001", "0.01", "10.00", "10.01");
            world.hold(&format!("C{number}"), "100");
            allocation.push(format!("\"C{number}\": {}", 100 / coins));
        }
        let exchange = Exchange::start(world);
        let config = format!(r#"{{"allocation": {{{}}}, "base_url": "URL"}}"#, allocation.join(","));
        let owner = Owner::new(&exchange, &config);
        for _ in 0..2 {
            let before = exchange.world().requests.len();
            let run = owner.run(&["once"]);
            assert_eq!(run.code, 0, "{}", run.log);
            let after = exchange.world().requests.len();
            counts.push(after - before);
        }
    }
    // First run: open orders, balances, instruments, risk parameters, tickers; then without the two lists.
    assert_eq!(counts, [5, 3, 5, 3]);
}

#[test]
fn a_refused_order_is_reported_and_the_rest_is_done() {
    let reject = Act::RejectWithId { status: 500, code: 415, message: "BELOW_MIN_ORDER_SIZE".into() };
    let mut world = two_coins();
    world.faults.push(Fault::once("private/create-order", reject));
    let exchange = Exchange::start(world);
    let owner = Owner::new(&exchange, HALVES);
    let books = Books::open(&exchange);
    let run = owner.run(&["once"]);
    assert_eq!(run.code, 1, "{}", run.log);
    assert!(run.log.contains("415 BELOW_MIN_ORDER_SIZE"), "{}", run.log);
    books.check(&exchange, &run.log);
    assert_eq!(owner.run_until_good(), [0]);
    books.check(&exchange, "the next run");
    assert_weights(&exchange, &HALF, "1", "after the next run");
}

#[test]
fn a_small_sell_that_the_balances_hide_after_a_kill_is_not_repeated() {
    let mut world = World::new();
    world.list("BTC_USDT", "0.00001", "0.01", "49999", "50001");
    world.list("ETH_USDT", "0.0001", "0.01", "1999", "2001");
    world.list("DOGE_USDT", "1", "0.00001", "0.09999", "0.10001");
    // BTC is 4000 above its target and DOGE 60: the second sell is a small part of what both bring.
    world.hold("BTC", "0.16");
    world.hold("ETH", "0.97");
    world.hold("DOGE", "1600");
    world.lag_reads = 2;
    let victim = Victim::default();
    world.faults.push(Fault::once("private/create-order", Act::Call { before: false, f: victim.kill() }).after(1));
    let exchange = Exchange::start(world);
    let config = r#"{"allocation": {"BTC": 40, "ETH": 59, "DOGE": 1}, "relative_tolerance": 20, "base_url": "URL"}"#;
    let owner = Owner::new(&exchange, config);
    let books = Books::open(&exchange);
    let child = owner.start(&["once"]);
    victim.is(&child);
    assert_eq!(child.wait_with_output().unwrap().status.code(), None);
    let run = owner.run(&["once"]);
    assert_eq!(run.code, 0, "{}", run.log);
    books.check(&exchange, &run.log);
    let sells = exchange.world().orders.iter().filter(|order| order.base == "DOGE").count();
    assert_eq!(sells, 1, "{}", run.log);
    assert_weights(&exchange, &[("BTC", "40"), ("ETH", "59"), ("DOGE", "1")], "0.8", &run.log);
}

#[test]
fn nonces_rise_from_request_to_request_and_from_run_to_run() {
    let exchange = Exchange::start(two_coins());
    let owner = Owner::new(&exchange, HALVES);
    for _ in 0..2 {
        assert_eq!(owner.run(&["once"]).code, 0);
    }
    let nonces: Vec<i64> = exchange.world().requests.iter().filter_map(|request| request.nonce).collect();
    assert!(nonces.len() > 8 && nonces.windows(2).all(|pair| pair[0] < pair[1]), "{nonces:?}");
}

#[test]
fn a_failure_after_a_trade_says_what_was_done_and_is_never_exit_code_2() {
    let mut world = two_coins();
    let refusal = Act::Code { status: 401, code: 40101, message: "UNAUTHORIZED".into() };
    world.faults.push(Fault { method: "private/user-balance".into(), skip: 1, times: 1, act: refusal });
    let exchange = Exchange::start(world);
    let owner = Owner::new(&exchange, HALVES);
    let run = owner.run(&["once"]);
    assert_eq!(run.code, 1, "{}", run.log);
    assert!(run.log.contains("done so far: sold 0.01666 BTC"), "{}", run.log);
    assert_eq!(owner.run_until_good(), [0]);
    assert_weights(&exchange, &HALF, "0.6", "the next run");
}

#[test]
fn a_full_rebalance_that_was_refused_in_part_does_not_sell_everything_again() {
    let mut world = two_coins();
    let refusal = Act::Code { status: 400, code: 208, message: "INSTRUMENT_NOT_TRADABLE".into() };
    world.faults.push(Fault { method: "private/create-order".into(), skip: 3, times: 1, act: refusal });
    let exchange = Exchange::start(world);
    let config = r#"{"allocation": {"BTC": 50, "ETH": 50}, "base_url": "URL", "method": "full"}"#;
    let owner = Owner::new(&exchange, config);
    assert_eq!(owner.run(&["once"]).code, 1);
    let sells =
        |exchange: &Exchange| exchange.world().orders.iter().filter(|order| order.side == exchange::Side::Sell).count();
    let before = sells(&exchange);
    assert_eq!(owner.run_until_good(), [0]);
    assert_eq!((before, sells(&exchange)), (2, 2));
    assert_weights(&exchange, &HALF, "0.6", "the next run");
}

#[test]
fn cash_inside_its_band_is_not_spent_by_a_second_pass() {
    let mut world = World::new();
    for coin in ["AAA", "BBB", "CCC"] {
        world.list(&format!("{coin}_USDT"), "0.01", "0.01", "1.00", "1.00");
    }
    world.hold("AAA", "3600");
    world.hold("BBB", "2400");
    world.hold("CCC", "1600");
    world.hold("USDT", "2400");
    let exchange = Exchange::start(world);
    let config = r#"{"allocation": {"AAA": 30, "BBB": 30, "CCC": 20, "USDT": 20}, "base_url": "URL"}"#;
    let owner = Owner::new(&exchange, config);
    let run = owner.run(&["once"]);
    assert_eq!((run.code, exchange.world().count("private/create-order")), (0, 2), "{}", run.log);
}

#[test]
fn a_daemon_goes_on_at_once_with_what_a_killed_run_began() {
    let mut world = two_coins();
    world.faults.push(Fault::always("private/create-order", Act::CloseBefore).after(1));
    world.faults.push(Fault::always("private/get-order-detail", Act::Html(502)).after(1));
    let exchange = Exchange::start(world);
    // The schedule is days away whenever this runs.
    let soon = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let days = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() / 86_400;
    let far = soon[usize::try_from((days + 3 + 3) % 7).unwrap()];
    let config = format!(r#"{{"allocation": {{"BTC": 50, "ETH": 50}}, "base_url": "URL", "schedule": "{far} 12:00"}}"#);
    let owner = Owner::new(&exchange, &config);
    assert_eq!(owner.run(&["once"]).code, 3);
    exchange.world().faults.clear();
    let mut daemon = owner.start(&["run"]);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(120);
    while !owner.journal().contains("{\"cycle\"") && std::time::Instant::now() < deadline {
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    daemon.kill().unwrap();
    let run = owner::Run::from(daemon.wait_with_output().unwrap());
    assert_weights(&exchange, &HALF, "0.6", &run.log);
    let violations = exchange.world().violations.clone();
    assert!(violations.is_empty(), "{violations:?}\n{}", run.log);
}
