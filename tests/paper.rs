//! The real program on the paper account: whole cycles whose money is counted again here, the JSON output, the locks, the daemon,
//! and a cycle that is killed at any moment.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::use_debug)]
#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod common;

use common::{Account, Chance, Dec, Dir, Killed, ZERO, command, run};
use serde_json::Value as Json;
use std::fs::File;
use std::process::Stdio;
use std::time::{Duration, Instant};

fn once(dir: &Dir) -> Json {
    run(dir, &["once", "--paper", "--json"]).good().json()
}

fn plan(dir: &Dir) -> Json {
    run(dir, &["plan", "--paper", "--json"]).good().json()
}

/// A directory with a config of these members and a paper account with a spread of a hundredth around simple prices.
fn account(members: &str, balances: &str) -> Dir {
    let dir = Dir::with(&format!("{{{members}}}"));
    let prices = r#"{"BTC": {"bid": "49999.99", "ask": "50000.01", "tick": "0.00001"}, "ETH": {"bid": "1999.99", "ask": "2000.01",
        "tick": "0.0001"}, "SOL": {"bid": "99.99", "ask": "100.01", "tick": "0.001"}, "DOGE": {"bid": "0.0999", "ask": "0.1001", "tick": "1"}}"#;
    dir.write("paper.json", format!("{{\"balances\": {{{balances}}},\n \"prices\": {prices}}}"));
    dir
}

fn words<'a>(json: &'a Json, list: &str, key: &str) -> Vec<&'a str> {
    json[list].as_array().unwrap().iter().map(|entry| entry[key].as_str().unwrap()).collect()
}

/// Every weight is within `points` of its target.
fn near_target(coins: &Json, points: &str) {
    for coin in coins.as_array().unwrap() {
        let drift = Dec::of(&coin["drift"]);
        assert!(Dec(drift.0.abs(), drift.1).below(points), "{coins}");
    }
}

#[test]
fn the_first_run_makes_a_demo_says_so_and_balances_it_and_the_second_places_nothing() {
    let dir = Dir::with(r#"{"BTC": 50, "ETH": 30, "XRP": 20}"#);
    let first = run(&dir, &["once", "--paper"]).good();
    assert!(first.err.contains("created a demo paper account worth about 10000 USDT in ./paper.json"), "{first:?}");
    assert!(first.out.contains("sold ") || first.out.contains("bought "), "{first:?}");
    assert_eq!(dir.names(), ["config.json", "cycle.lock", "paper.journal", "paper.json"]);
    let before = dir.read("paper.json");
    let second = run(&dir, &["once", "--paper"]).good();
    assert!(!second.err.contains("created") && second.err.contains("no order"), "{second:?}");
    assert_eq!(dir.read("paper.json"), before);
    let plan = plan(&dir);
    assert!(plan["balanced"] == true && plan["orders"] == serde_json::json!([]), "{plan}");
    near_target(&plan["coins"], "0.5");
    use std::os::unix::fs::PermissionsExt;
    for name in ["paper.json", "paper.journal", "cycle.lock"] {
        assert_eq!(std::fs::metadata(dir.file(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_coin_without_a_demo_price_is_named() {
    let dir = Dir::with(r#"{"BTC": 50, "ZZZ": 50}"#);
    let run = run(&dir, &["plan", "--paper"]).good();
    assert!(run.err.contains("No demo price is known for ZZZ") && !run.err.contains("BTC,"), "{run:?}");
    assert!(Account::read(&dir).prices["ZZZ"] == (Dec(1, 0), Dec(1, 0)));
}

#[test]
fn value_before_less_value_after_is_fees_and_spread_to_the_last_digit() {
    let demo = [
        "\"BTC\": 50, \"ETH\": 30, \"XRP\": 20",
        "\"DOGE\": 33.3333, \"CRO\": 33.3333, \"LTC\": 33.3334",
        "\"BTC\": 20, \"USDT\": 80",
    ];
    let methods = ["drifted", "target", "full"];
    std::thread::scope(|scope| {
        for (coins, method) in demo.iter().flat_map(|coins| methods.map(|method| (coins, method))) {
            scope.spawn(move || {
                let dir = Dir::with(&format!("{{\"allocation\": {{{coins}}}, \"method\": \"{method}\"}}"));
                run(&dir, &["plan", "--paper"]).good();
                let before = Account::read(&dir);
                let report = once(&dir);
                let after = Account::read(&dir);
                let orders = report["orders"].as_array().unwrap();
                assert!(!orders.is_empty() && orders.len() == after.orders.len(), "{report}");
                let mut costs = ZERO;
                for (order, kept) in orders.iter().zip(&after.orders) {
                    let coin = order["instrument"].as_str().unwrap().strip_suffix("_USDT").unwrap();
                    costs = costs.plus(after.cost(order["side"].as_str().unwrap(), coin, order));
                    for key in ["client_oid", "order_id", "filled_quantity", "filled_value"] {
                        assert_eq!(order[key], kept[key], "what is reported is what the account did");
                    }
                }
                assert_eq!(before.worth().minus(after.worth()), costs, "{coins} {method}: {before:?} {after:?}");
                assert!(costs.0 > 0 && costs.below("200"), "{costs:?}");
                assert_eq!(Dec::of(&report["total"]), before.worth());
                assert_eq!(Dec::of(&report["after"]["total"]), after.worth());
                near_target(&report["after"]["coins"], "1.5");
            });
        }
    });
}

#[test]
fn plan_status_and_check_place_nothing() {
    let dir = account(r#""BTC": 50, "ETH": 50"#, r#""BTC": "1", "USDT": "100""#);
    let before = dir.read("paper.json");
    for args in [
        &["plan"][..],
        &["plan", "--json"],
        &["plan", "--force"],
        &["status"],
        &["status", "--json"],
        &["check"],
        &["check", "--json"],
    ] {
        let args = [args, &["--paper"]].concat();
        run(&dir, &args).good();
        assert_eq!(dir.read("paper.json"), before, "{args:?}");
        assert_eq!(dir.names(), ["config.json", "paper.json"], "{args:?}");
    }
    let orders = plan(&dir)["orders"].as_array().unwrap().len();
    assert!(orders >= 2);
}

fn keys(json: &Json) -> Vec<&str> {
    let mut keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// The `coins` of any JSON output, counted again.
fn coins_add_up(coins: &Json, total: &Json) {
    let mut sum = ZERO;
    for coin in coins.as_array().unwrap() {
        assert_eq!(keys(coin), ["coin", "drift", "price", "quantity", "target", "value", "weight"]);
        let member = |key: &str| Dec::of(&coin[key]);
        assert_eq!(member("value"), member("quantity").times(member("price")), "{coin}");
        assert_eq!(member("drift"), member("weight").minus(member("target")), "{coin}");
        // The weight has 6 decimals: total * weight is within half of its last one of the value.
        let off = member("value").times(Dec(100, 0)).minus(member("weight").times(Dec::of(total)));
        let half = Dec::of(total).times(Dec(5, 7));
        assert!(!Dec(off.0.abs(), off.1).compare(half).is_gt(), "{coin} of {total}");
        sum = sum.plus(member("value"));
    }
    assert_eq!(sum, Dec::of(total));
}

#[test]
fn the_json_output_has_the_members_that_were_promised_all_money_as_text() {
    let members = r#""allocation": {"BTC": 50, "ETH": 40, "SOL": 10}"#;
    let dir = account(members, r#""BTC": "0.1", "DOGE": "5", "USDT": "1000.123456789""#);
    let plan = plan(&dir);
    assert_eq!(keys(&plan), ["balanced", "coins", "orders", "quote", "skipped", "total"]);
    assert!(plan["balanced"] == false && plan["quote"] == "USDT");
    assert_eq!(words(&plan, "coins", "coin"), ["BTC", "ETH", "SOL", "USDT"]);
    coins_add_up(&plan["coins"], &plan["total"]);
    assert_eq!(words(&plan, "skipped", "coin"), ["DOGE"]);
    assert_eq!(keys(&plan["skipped"][0]), ["coin", "reason"]);
    for order in plan["orders"].as_array().unwrap() {
        let (size, side) = if order["side"] == "SELL" { ("quantity", "SELL") } else { ("notional", "BUY") };
        assert_eq!(keys(order).len(), 4);
        assert!(order["side"] == side && order["instrument"].as_str().unwrap().ends_with("_USDT"));
        assert!(Dec::of(&order[size]).0 > 0 && Dec::of(&order["value"]).0 > 0, "{order}");
    }
    let status = run(&dir, &["status", "--paper", "--json"]).good().json();
    assert_eq!(keys(&status), ["balanced", "coins", "last_run", "next_run", "quote", "skipped", "total"]);
    coins_add_up(&status["coins"], &status["total"]);
    let check = run(&dir, &["check", "--paper", "--json"]).good().json();
    assert_eq!((keys(&check), &check["ok"]), (vec!["checks", "ok"], &Json::Bool(true)));

    let report = once(&dir);
    assert_eq!(keys(&report), ["after", "balanced", "coins", "orders", "quote", "skipped", "total"]);
    assert_eq!(report["coins"], plan["coins"], "a cycle plans from what plan shows");
    coins_add_up(&report["coins"], &report["total"]);
    coins_add_up(&report["after"]["coins"], &report["after"]["total"]);
    assert_eq!(
        words(&report, "orders", "instrument"),
        words(&plan, "orders", "instrument"),
        "and does what plan shows"
    );
    for order in report["orders"].as_array().unwrap() {
        let size = if order["side"] == "SELL" { "quantity" } else { "notional" };
        let mut expected = [
            "client_oid",
            "filled_quantity",
            "filled_value",
            "instrument",
            "order_id",
            "side",
            "status",
            "value",
            size,
        ];
        expected.sort_unstable();
        assert_eq!(keys(order), expected);
        assert!(
            Dec::of(&order["filled_quantity"]).0 > 0
                && Dec::of(&order["filled_value"]).0 > 0
                && order["status"] == "FILLED"
        );
        let id = order["client_oid"].as_str().unwrap();
        assert!(
            id.len() <= 32
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
                && dir.read("paper.journal").contains(id)
        );
    }
    let quiet = once(&dir);
    assert!(
        quiet["balanced"] == true && quiet["orders"] == serde_json::json!([]) && quiet.get("after").is_none(),
        "{quiet}"
    );
}

#[test]
fn a_price_that_is_not_believed_ends_the_cycle_before_any_order_and_json_says_why() {
    for (price, why) in [
        (r#""0""#, "not believed"),
        (r#"{"bid": "0", "ask": "5"}"#, "not believed"),
        (r#"{"bid": "2001", "ask": "2000"}"#, "above the ask"),
        (r#"{"bid": "1800", "ask": "2000"}"#, "max_spread"),
    ] {
        let dir = Dir::with(r#"{"BTC": 50, "ETH": 50}"#);
        dir.write(
            "paper.json",
            format!(r#"{{"balances": {{"BTC": 1, "ETH": 1}}, "prices": {{"BTC": "50000", "ETH": {price}}}}}"#),
        );
        let before = dir.read("paper.json");
        for args in [["once", "--paper", "--json"], ["plan", "--paper", "--json"], ["status", "--paper", "--json"]] {
            let run = run(&dir, &args);
            assert_eq!(run.code, Some(1), "{run:?}");
            assert!(run.json()["error"].as_str().unwrap().contains(why), "{run:?}");
            assert!(run.err.contains("ETH") && run.err.contains(why), "{run:?}");
            assert!(args[0] != "once" || run.err.contains("no order was sent"), "{run:?}");
        }
        assert_eq!(dir.read("paper.json"), before);
    }
}

#[test]
fn each_method_trades_the_coins_that_it_promises() {
    // BTC is 8 points above, ETH 8 below, SOL 1 above and DOGE 1 below its target: only the first two are out of tolerance.
    let balances = r#""BTC": "0.095764", "ETH": "1.11", "SOL": "21", "DOGE": "8918", "USDT": "0""#;
    let case = |method: &str, members: &str| {
        let members = format!(
            r#""allocation": {{"BTC": 40, "ETH": 30, "SOL": 20, "DOGE": 10}}, "method": "{method}", {members}"#
        );
        account(&format!("{members} \"min_trade\": 5"), balances)
    };
    let instruments = |dir: &Dir| {
        let plan = plan(dir);
        let sides = words(&plan, "orders", "side").into_iter().zip(words(&plan, "orders", "instrument"));
        sides.map(|(side, instrument)| format!("{side} {instrument}")).collect::<Vec<_>>()
    };
    assert_eq!(instruments(&case("drifted", "")), ["SELL BTC_USDT", "BUY ETH_USDT"].map(String::from));
    let all = ["SELL BTC_USDT", "SELL SOL_USDT", "BUY ETH_USDT", "BUY DOGE_USDT"];
    assert_eq!(instruments(&case("target", "")), all.map(String::from));
    let mut full = instruments(&case("full", ""));
    full.sort_unstable();
    let both = |side: &str| ["BTC", "DOGE", "ETH", "SOL"].map(|coin| format!("{side} {coin}_USDT"));
    assert_eq!(full, [both("BUY"), both("SELL")].concat());
    assert!(instruments(&case("target", "\"tolerance\": 11,")).is_empty(), "inside tolerance nothing trades");
    let forced = run(&case("target", "\"tolerance\": 11,"), &["plan", "--paper", "--json", "--force"]).good().json();
    assert!(forced["orders"].as_array().unwrap().len() >= 3, "{forced}");
    let relative = instruments(&case("drifted", "\"relative_tolerance\": 8,"));
    assert!(relative.contains(&"BUY DOGE_USDT".to_string()), "1 point is more than 8 percent of 10: {relative:?}");

    std::thread::scope(|scope| {
        for (method, points) in [("drifted", "1.2"), ("target", "0.5"), ("full", "1")] {
            scope.spawn(move || {
                let dir = case(method, "");
                near_target(&once(&dir)["after"]["coins"], points);
                let again = plan(&dir);
                assert!(again["balanced"] == true, "{method}: {again}");
            });
        }
    });
}

#[test]
fn the_cash_reserve_is_outside_and_left_alone() {
    let dir =
        account(r#""allocation": {"BTC": 50, "ETH": 50}, "cash_reserve": 2500.5"#, r#""BTC": "0.1", "USDT": "5000""#);
    let report = once(&dir);
    assert_eq!(Dec::of(&report["total"]), Dec::read("7499.5"), "the reserve is not in the total");
    let cash = Account::read(&dir).balances["USDT"];
    assert!(!cash.below("2500.5") && cash.below("2550"), "{cash:?}");
    near_target(&report["after"]["coins"], "0.8");
    // A reserve above the cash is filled up by sales; one above everything is refused before any order.
    let balances = r#""BTC": "0.05", "ETH": "1.25", "USDT": "5000""#;
    let dir = account(r#""allocation": {"BTC": 50, "ETH": 50}, "cash_reserve": 9000"#, balances);
    assert_eq!(Dec::of(&once(&dir)["total"]), Dec::read("1000"));
    let cash = Account::read(&dir).balances["USDT"];
    assert!(!cash.below("8950") && cash.below("9050"), "{cash:?}");
    near_target(&plan(&dir)["coins"], "5");
    let dir = account(r#""allocation": {"BTC": 50, "ETH": 50}, "cash_reserve": 10001"#, balances);
    let refused = run(&dir, &["once", "--paper"]);
    assert!(matches!(refused.code, Some(1 | 2)) && refused.err.contains("cash_reserve is 10001"), "{refused:?}");
    assert!(Account::read(&dir).orders.is_empty());
}

#[test]
fn coins_outside_the_allocation_are_left_alone_or_sold() {
    let balances = r#""BTC": "0.1", "ETH": "2.5", "SOL": "10", "NOPE": "3", "USDT": "0""#;
    let dir = account(r#""allocation": {"BTC": 50, "ETH": 50}"#, balances);
    let quiet = run(&dir, &["once", "--paper", "--json"]).good();
    let json = quiet.json();
    assert!(json["balanced"] == true && Dec::of(&json["total"]) == Dec::read("10000"), "not counted: {json}");
    assert!(
        quiet.err.contains("SOL is left alone") && quiet.err.contains("NOPE is left alone"),
        "named in the log: {quiet:?}"
    );

    let dir = account(r#""allocation": {"BTC": 50, "ETH": 50}, "unlisted": "sell", "tolerance": 3"#, balances);
    let plan = plan(&dir);
    assert_eq!(Dec::of(&plan["total"]), Dec::read("11000"));
    assert_eq!(words(&plan, "skipped", "coin"), ["NOPE"], "what does not trade cannot be sold: {plan}");
    let report = once(&dir);
    assert!(words(&report, "orders", "instrument").contains(&"SOL_USDT"));
    let after = Account::read(&dir);
    assert!(
        after.balances["SOL"] == ZERO && after.balances["NOPE"] == Dec(3, 0) && after.balances["USDT"].below("60"),
        "{after:?}"
    );
}

#[test]
fn orders_above_max_trade_are_split_into_orders_below_it() {
    let dir = account(r#""allocation": {"BTC": 50, "ETH": 50}, "max_trade": 900"#, r#""BTC": "0.2", "USDT": "0""#);
    let report = once(&dir);
    let orders = report["orders"].as_array().unwrap();
    assert!(
        words(&report, "orders", "side").iter().filter(|side| **side == "SELL").count() == 6,
        "5000 in pieces of 900: {report}"
    );
    for order in orders {
        assert!(!Dec::read("900").compare(Dec::of(&order["value"])).is_lt(), "{order}");
        assert!(!Dec::of(&order["value"]).below("5"), "{order}");
    }
    let ids: std::collections::BTreeSet<&str> = words(&report, "orders", "client_oid").into_iter().collect();
    assert_eq!(ids.len(), orders.len());
    near_target(&report["after"]["coins"], "1");
}

#[test]
fn an_account_that_was_mistyped_is_refused_with_file_and_line() {
    let good = r#"{"balances": {"BTC": "0.1", "USDT": 5}, "prices": {"BTC": "50000"}, "fee": "0.5", "orders": []}"#;
    let dir = Dir::with(r#"{"BTC": 100}"#);
    dir.write("paper.json", good);
    run(&dir, &["plan", "--paper"]).good();
    let changes = r#"
        "0.1" -> "0,1" -> BTC
        "0.1" -> "" -> BTC
        "0.1" -> -0.1 -> BTC
        "0.1" -> "1e2" -> BTC
        "0.1" -> null -> BTC
        "0.1" -> {} -> BTC
        "0.1" -> " 1" -> BTC
        "50000" -> "fifty" -> BTC
        "50000" -> {"bid": 1} -> BTC
        "50000" -> {"bid": 1, "asks": 2} -> allowed are bid, ask, tick
        "50000" -> {"bid": 1, "ask": 2, "tick": 0} -> tick
        {"BTC": "50000"} -> "alive" -> live
        {"BTC": "50000"} -> 5 -> missing
        "balances" -> "balance" -> allowed are balances, prices, fee, orders
        "prices" -> "Prices" -> allowed are balances, prices, fee, orders
        "0.5" -> "half" -> fee
        "0.5" -> -1 -> fee
        "0.5" -> 50 -> fee
        [] -> {} -> missing
        [] -> [{"filled_value": "x"}] -> filled_value
        "USDT": 5} -> "USDT": 5 -> too early
        []} -> []} x -> more
        "USDT": 5 -> "USDT": 05 -> zero"#;
    for change in changes.trim().lines() {
        let [from, to, words] = change.trim().split(" -> ").collect::<Vec<_>>()[..] else { panic!("{change}") };
        // The change is on line 2, and the error is named there or at the first line's missing member.
        let text = good.replacen(from, &format!("\n{to}"), 1);
        assert_ne!(text, good);
        dir.write("paper.json", &text);
        for args in [["once", "--paper"], ["plan", "--paper"]] {
            let run = run(&dir, &args);
            assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{text} {run:?}");
            let place = run.err.starts_with("rebalancer: ./paper.json:2: ");
            assert!(place && run.err.contains(words) && run.err.contains("correct it"), "{text} {run:?}");
            assert_eq!(dir.read("paper.json"), text, "the owner's file is left as it is");
        }
    }
    for text in ["", "{}", "{\"balances\": {}}", "{\"prices\": {}}", "[]"] {
        dir.write("paper.json", text);
        let run = run(&dir, &["plan", "--paper"]);
        assert!(run.code == Some(2) && run.err.starts_with("rebalancer: ./paper.json:1: "), "{text} {run:?}");
    }
}

#[test]
fn a_repeated_coin_or_key_in_the_account_is_refused() {
    let dir = Dir::with(r#"{"BTC": 100}"#);
    for text in [
        r#"{"balances": {"BTC": "1", "BTC": "2"}, "prices": {"BTC": "50000"}}"#,
        r#"{"balances": {"BTC": "1"}, "prices": {"BTC": "50000", "BTC": "40000"}}"#,
        r#"{"balances": {"BTC": "1"}, "balances": {"USDT": "1"}, "prices": {"BTC": "50000"}}"#,
        r#"{"balances": {"BTC": "1"}, "prices": {"BTC": {"bid": 1, "ask": 2, "bid": 2}}}"#,
    ] {
        dir.write("paper.json", text);
        let run = run(&dir, &["plan", "--paper"]);
        assert!(run.code == Some(2) && run.err.contains("paper.json:1: "), "{text} {run:?}");
    }
}

#[test]
fn the_config_may_name_the_paper_account_and_its_journal_is_not_the_real_one() {
    let members = r#""allocation": {"BTC": 100}, "exchange": "paper""#;
    let dir = account(members, r#""BTC": "0.1", "USDT": "5""#);
    for args in [["once", "--json"], ["plan", "--json"], ["status", "--json"], ["check", "--json"]] {
        run(&dir, &args).good().json();
    }
    let (paper, names) = (dir.read("paper.journal"), ["config.json", "cycle.lock", "paper.journal", "paper.json"]);
    assert_eq!(dir.names(), names);
    // The same directory with a real exchange, which nobody answers for.
    dir.write("config.json", r#"{"allocation": {"BTC": 100}, "base_url": "http://127.0.0.1:1"}"#);
    let mut real = command(&dir, &["once"]);
    let real = common::finish({
        real.env("REBALANCER_API_KEY", "k").env("REBALANCER_API_SECRET", "s");
        real
    });
    assert_eq!(real.code, Some(1), "{real:?}");
    assert!(dir.names().contains(&"rebalancer.journal".to_string()));
    assert_eq!(dir.read("paper.journal"), paper);
    // The option wins over the config.
    run(&dir, &["plan", "--paper"]).good();
}

/// The lock file of this name, held by this process.
fn hold(dir: &Dir, name: &str) -> File {
    let file = File::options().create(true).truncate(false).write(true).open(dir.file(name)).unwrap();
    file.try_lock().unwrap();
    file
}

#[test]
fn a_second_cycle_or_daemon_on_the_same_directory_is_refused() {
    let dir = account(r#""BTC": 50, "ETH": 50"#, r#""BTC": "1", "USDT": "0""#);
    let before = dir.read("paper.json");
    let lock = hold(&dir, "cycle.lock");
    let refused = run(&dir, &["once", "--paper"]);
    assert!(refused.code == Some(1) && refused.err.contains("another cycle is running"), "{refused:?}");
    let refused = run(&dir, &["once", "--paper", "--json"]);
    assert!(
        refused.code == Some(1) && refused.json()["error"].as_str().unwrap().contains("another cycle"),
        "{refused:?}"
    );
    assert_eq!((dir.read("paper.json"), dir.read("paper.journal")), (before.clone(), String::new()));
    for looking in ["plan", "status", "check"] {
        run(&dir, &[looking, "--paper"]).good();
    }
    drop(lock);
    let lock = hold(&dir, "daemon.lock");
    for args in [&["run", "--paper"][..], &["--paper"]] {
        let refused = run(&dir, args);
        assert!(refused.code == Some(1) && refused.err.contains("another rebalancer is running"), "{refused:?}");
    }
    assert_eq!(dir.read("paper.json"), before);
    // By hand while the daemon sleeps: allowed.
    run(&dir, &["once", "--paper"]).good();
    assert_ne!(dir.read("paper.json"), before);
    drop(lock);
}

fn cycles(dir: &Dir) -> usize {
    dir.read("paper.journal").matches("{\"cycle\":").count()
}

fn daemon(dir: &Dir) -> Killed {
    let mut daemon = command(dir, &["run", "--paper"]);
    Killed(daemon.stdout(Stdio::null()).stderr(File::create(dir.file("log")).unwrap()).spawn().unwrap())
}

#[test]
fn the_daemon_runs_cycle_after_cycle_and_ends_when_it_is_told() {
    let dir =
        account(r#""allocation": {"BTC": 50, "ETH": 50}, "schedule": "every 1s""#, r#""BTC": "0.1", "USDT": "1000""#);
    let mut first = daemon(&dir);
    common::until("three cycles", || cycles(&dir) >= 3);
    assert!(!Account::read(&dir).orders.is_empty());
    assert_eq!(run(&dir, &["run", "--paper"]).code, Some(1), "a second one is refused");
    let told = std::process::Command::new("kill").arg(first.0.id().to_string()).status().unwrap();
    assert!(told.success());
    assert_eq!(common::wait(&mut first.0), None, "ended by the signal");
    assert!(dir.read("log").contains("next run "), "{}", dir.read("log"));
    // The next one takes over: its lock is free, and it goes on from the journal.
    let (done, orders) = (cycles(&dir), Account::read(&dir).orders.len());
    let _second = daemon(&dir);
    common::until("two more cycles", || cycles(&dir) >= done + 2);
    assert_eq!(Account::read(&dir).orders.len(), orders, "balanced is quiet");
}

#[test]
fn a_last_run_that_a_wrong_clock_left_in_the_future_does_not_stop_the_daemon() {
    let dir =
        account(r#""allocation": {"BTC": 50, "ETH": 50}, "schedule": "every 1s""#, r#""BTC": "0.1", "ETH": "2.5""#);
    run(&dir, &["once", "--paper"]).good();
    // 2100-01-01.
    let future = rebalancer::store::seal("{\"cycle\":4102444800000}");
    dir.write("paper.journal", dir.read("paper.journal") + &future);
    let done = cycles(&dir);
    let _daemon = daemon(&dir);
    let start = Instant::now();
    while cycles(&dir) == done {
        assert!(
            start.elapsed() < Duration::from_secs(15),
            "an interval of 1 s has not run for 15 s: {}",
            dir.read("log")
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Starts a cycle and kills it at a moment that chance picks: after some time, or when so many lines are in the journal or orders
/// in the account, or a moment later.
fn killed_cycle(dir: &Dir, chance: &mut Chance) {
    let child = command(dir, &["once", "--paper"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut child = Killed(child);
    let (lines, orders) =
        (dir.read("paper.journal").lines().count(), dir.read("paper.json").matches("client_oid").count());
    let kind = chance.below(5);
    let count = 1 + chance.below(12) as usize;
    let later = Duration::from_micros(chance.below(4000));
    let deadline = Duration::from_millis(if kind == 0 { chance.below(4500) } else { 8000 });
    let start = Instant::now();
    while child.0.try_wait().unwrap().is_none() && start.elapsed() < deadline {
        let reached = match kind {
            0 => false,
            1 | 2 => dir.read("paper.journal").lines().count() >= lines + count,
            _ => dir.read("paper.json").matches("client_oid").count() >= orders + count.div_ceil(2),
        };
        if reached {
            std::thread::sleep(later);
            break;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    child.0.kill().unwrap();
    child.0.wait().unwrap();
}

#[test]
fn a_cycle_killed_at_any_moment_and_run_again_loses_nothing_and_ends_balanced() {
    let config =
        r#"{"allocation": {"BTC": 40, "ETH": 30, "SOL": 20, "XRP": 10}, "max_trade": 900, "method": "target"}"#;
    let clean = Dir::with(config);
    run(&clean, &["plan", "--paper"]).good();
    let before = Account::read(&clean).worth();
    once(&clean);
    let turnover =
        |account: &Account| account.orders.iter().map(|order| Dec::of(&order["filled_value"])).fold(ZERO, Dec::plus);
    let clean = Account::read(&clean);
    let (clean_loss, clean_turnover) = (before.minus(clean.worth()), turnover(&clean));
    std::thread::scope(|scope| {
        for seed in 0..24 {
            scope.spawn(move || {
                let mut chance = Chance(seed);
                let dir = Dir::with(config);
                run(&dir, &["plan", "--paper"]).good();
                for _ in 0..1 + seed % 3 {
                    killed_cycle(&dir, &mut chance);
                }
                let last = run(&dir, &["once", "--paper"]);
                assert_eq!(last.code, Some(0), "seed {seed}: {last:?}");
                let after = Account::read(&dir);
                let journal = dir.read("paper.journal");
                let mut costs = ZERO;
                for order in &after.orders {
                    let id = order["client_oid"].as_str().unwrap();
                    let intent = journal.lines().find(|line| line.contains(&format!("{{\"order\":\"{id}\"")));
                    let intent = intent.unwrap_or_else(|| panic!("seed {seed}: {id} is not in the journal: {journal}"));
                    assert!(journal.contains(&format!("{{\"done\":\"{id}\"")), "seed {seed}: {id} has no outcome");
                    let intent: Json = serde_json::from_str(rebalancer::store::unseal(intent).unwrap()).unwrap();
                    costs = costs.plus(after.cost(
                        intent["side"].as_str().unwrap(),
                        intent["coin"].as_str().unwrap(),
                        order,
                    ));
                }
                let ids: std::collections::BTreeSet<&str> =
                    after.orders.iter().map(|order| order["client_oid"].as_str().unwrap()).collect();
                assert_eq!(ids.len(), after.orders.len(), "seed {seed}");
                let loss = before.minus(after.worth());
                assert_eq!(loss, costs, "seed {seed}: what is gone is fees and spread");
                // An order that was doubled, or sold and bought back, would show here.
                let more = Dec(103, 2);
                assert!(
                    loss.compare(clean_loss.times(more)).is_lt(),
                    "seed {seed}: {loss:?}, without a kill {clean_loss:?}"
                );
                assert!(
                    turnover(&after).compare(clean_turnover.times(more)).is_lt(),
                    "seed {seed}: {:?}",
                    turnover(&after)
                );
                let plan = plan(&dir);
                assert!(plan["balanced"] == true && plan["orders"] == serde_json::json!([]), "seed {seed}: {plan}");
                near_target(&plan["coins"], "1.5");
            });
        }
    });
}

#[test]
fn texts_that_look_like_the_account_s_own_form_stay_as_they_are() {
    let dir = Dir::with(r#"{"BTC": 50, "ETH": 50}"#);
    let odd = r#"p},{"a":"b"}, q"#.replace('"', "\\\"");
    dir.write(
        "paper.json",
        format!(
            r#"{{"balances": {{"BTC": "0.1", "USDT": "1000"}}, "prices": {{"BTC": "60000", "ETH": "2000"}}, "orders":
            [{{"client_oid": "{odd}", "order_id": "{odd}", "filled_quantity": "1", "filled_value": "2"}}]}}"#
        ),
    );
    assert!(!run(&dir, &["once", "--paper", "--json"]).good().json()["orders"].as_array().unwrap().is_empty());
    let first = Account::read(&dir).orders[0].clone();
    assert_eq!(
        (&first["client_oid"], &first["order_id"]),
        (&r#"p},{"a":"b"}, q"#.into(), &r#"p},{"a":"b"}, q"#.into())
    );
    run(&dir, &["once", "--paper"]).good();
}
