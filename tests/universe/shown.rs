//! What the owner sees of a list: the table and the JSON of `universe`, what `plan` says before anything happens, what
//! `status` says without asking anybody, and what `check` finds.

use crate::follower::{Follower, market, names};
use crate::source::Wrong;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

const COINS: &str =
    "USDT=9e+11 UNI=600000000 AAVE=300000000 NOPAIR=200000000 LINK=100000000.5 LDO=50000000 CRV=40000000";
const RULES: &str = r#""top": 3, "leave_rank": 4, "weighting": "market-cap", "refresh": "1s""#;

/// Every file of the owner's with its text.
fn files(follower: &Follower) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(&follower.owner.home).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap())).collect()
}

fn assert_narrow(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
    }
}

#[test]
fn universe_prints_rank_cap_weight_pair_and_why_each_was_skipped() {
    let follower = Follower::new(COINS, RULES);
    let run = follower.owner.run(&["universe"]);
    assert_eq!((run.code, run.log.as_str()), (0, ""), "{}", run.out);
    let lines: Vec<Vec<&str>> = run.out.lines().map(|line| line.split_whitespace().collect()).collect();
    let expected = [
        "rank place coin market cap weight pair",
        "1 - USDT 900000000000 - -",
        "skipped: it is the quote currency",
        // 60 : 30 : 10, but for half a dollar.
        "2 1 UNI 600000000 60.0000 UNI_USDT",
        "enters",
        "3 2 AAVE 300000000 30.0000 AAVE_USDT",
        "enters",
        "4 - NOPAIR 200000000 - -",
        "skipped: NOPAIR does not trade against USDT",
        "5 3 LINK 100000000.5 10.0000 LINK_USDT",
        "enters",
        "6 4 LDO 50000000 - LDO_USDT",
        "and 1 coins below",
    ];
    assert_eq!(lines.iter().map(|words| words.join(" ")).collect::<Vec<_>>(), expected, "{}", run.out);
    assert_narrow(&run.out);
}

#[test]
fn universe_as_json_says_the_same() {
    let follower = Follower::new(COINS, RULES);
    let json = follower.json("universe");
    assert_eq!((&json["source"], &json["good"]), (&json!("coingecko decentralized-finance-defi"), &json!(true)));
    let lines: Vec<Json> = json["coins"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            json!([
                line["rank"],
                line["place"],
                line["coin"],
                line["id"],
                line["market_cap"],
                line["pair"],
                line["state"],
                line["reason"]
            ])
        })
        .collect();
    let no = Json::Null;
    let expected = [
        json!([1, no, "USDT", "tether", "900000000000", no, "skipped", "it is the quote currency"]),
        json!([2, 1, "UNI", "uniswap", "600000000", "UNI_USDT", "enters", no]),
        json!([3, 2, "AAVE", "aave", "300000000", "AAVE_USDT", "enters", no]),
        json!([4, no, "NOPAIR", "nopair-coin", "200000000", no, "skipped", "NOPAIR does not trade against USDT"]),
        json!([5, 3, "LINK", "chainlink", "100000000.5", "LINK_USDT", "enters", no]),
        json!([6, 4, "LDO", "lido-dao", "50000000", "LDO_USDT", "candidate", no]),
        json!([7, 5, "CRV", "curve-dao-token", "40000000", "CRV_USDT", "candidate", no]),
    ];
    assert_eq!(lines, expected);
    let weights: Vec<&Json> = json["coins"].as_array().unwrap().iter().map(|line| &line["weight"]).collect();
    let sum: crate::exchange::Dec = weights.iter().filter_map(|weight| weight.as_str()).map(crate::exchange::dec).sum();
    assert_eq!((sum, weights.iter().filter(|weight| weight.is_null()).count()), (crate::exchange::dec("100"), 4));
    // Nothing but what was asked for is on the two streams.
    let run = follower.owner.run(&["universe", "--json"]);
    assert_eq!((run.out.lines().count(), run.log.as_str()), (1, ""));
}

#[test]
fn universe_needs_no_key_and_writes_nothing() {
    let follower = Follower::new("UNI AAVE LINK LDO", RULES);
    follower.good();
    let before = files(&follower);
    let asked = follower.exchange.world().requests.len();
    for args in [&["universe"][..], &["universe", "--json"]] {
        let mut command = follower.owner.command(args);
        command.env_remove("REBALANCER_API_KEY").env_remove("REBALANCER_API_SECRET");
        let run = crate::owner::Run::from(command.output().unwrap());
        assert_eq!(run.code, 0, "{args:?}: {}", run.log);
    }
    assert_eq!(files(&follower), before);
    let world = follower.exchange.world();
    assert!(
        world.requests[asked..].iter().all(|request| request.method.starts_with("public/")),
        "the account was asked"
    );
}

#[test]
fn long_reasons_and_names_stay_within_the_width() {
    let coins = "UNI/unicorn-token-with-a-very-long-name-that-somebody-made-up=5 FOXTROT/foxtrot-a FOXTROT/foxtrot-b \
                 LINK AAVE ABCDEFGHIJKLMNOPQRST/long NOT-A-COIN/strange UNI LDO";
    let mut world = market();
    world.market("LINK_USDT").set("0.000000000000000001", "123456789.123456789");
    world.market("AAVE_USDT").tradable = false;
    let follower = Follower::with(world, coins, r#""top": 2"#, "");
    let run = follower.owner.run(&["universe"]);
    assert_eq!(run.code, 0, "{}", run.log);
    assert_narrow(&run.out);
    assert!(run.out.contains("ABCDEFGHIJ "), "{}", run.out);
    let words = run.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("exclude the wrong ones by their ids"), "{}", run.out);
    follower.good();
    assert_narrow(&follower.owner.run(&["status"]).out);
    assert_narrow(&follower.owner.run(&["plan"]).out);
    assert_narrow(&follower.owner.run(&["check"]).out);
}

#[test]
fn what_leaves_and_what_is_gone_is_shown_with_its_reason() {
    let follower = Follower::new("UNI AAVE LINK LDO CRV SOL", r#""top": 4, "leave_rank": 5, "refresh": "1s""#);
    follower.good();
    follower.source.rank("UNI AAVE CRV SOL ALFA LINK");
    let run = follower.owner.run(&["universe"]);
    let words = run.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("6 6 LINK 59049000000 - LINK_USDT leaves: place 6 is below leave_rank, 5"), "{}", run.out);
    assert!(words.contains("- - LDO - - - leaves: it is not on the list any more"), "{}", run.out);
    assert_eq!(run.out.matches("enters").count(), 2, "{}", run.out);
    assert_narrow(&run.out);
    let line = follower.line("lido-dao");
    assert_eq!(
        (&line["state"], &line["rank"], &line["reason"]),
        (&json!("leaves"), &Json::Null, &json!("it is not on the list any more"))
    );
    assert_eq!(follower.line("uniswap")["state"], "member");
}

#[test]
fn plan_names_who_enters_and_leaves_and_the_orders_and_writes_nothing() {
    let follower = Follower::new("UNI AAVE LINK LDO CRV SOL", r#""top": 4, "leave_rank": 5, "refresh": "1s""#);
    // Before the first list: all of them enter.
    let before = files(&follower);
    let plan = follower.json("plan");
    assert_eq!(plan["universe"], json!({"enter": ["UNI", "AAVE", "LINK", "LDO"], "leave": []}));
    let written: Vec<String> = files(&follower).into_keys().filter(|name| !before.contains_key(name)).collect();
    assert!(written.iter().all(|name| name.ends_with("/markets.cache")), "{written:?}");
    follower.good();
    assert_eq!(follower.json("plan")["universe"], json!({"enter": [], "leave": []}));

    follower.source.rank("UNI AAVE CRV LDO SOL LINK");
    let before = files(&follower);
    let orders = follower.orders();
    let plan = follower.json("plan");
    assert_eq!(plan["universe"], json!({"enter": ["CRV"], "leave": ["LINK"]}));
    let planned: Vec<Json> =
        plan["orders"].as_array().unwrap().iter().map(|order| json!([order["side"], order["instrument"]])).collect();
    assert_eq!(planned, [json!(["SELL", "LINK_USDT"]), json!(["BUY", "CRV_USDT"])]);
    assert_eq!(plan["orders"][0]["quantity"], follower.held("LINK")[..7], "all of it, to the tick");
    let run = follower.owner.run(&["plan"]);
    assert!(run.out.contains("new on the list") && run.out.contains("CRV"), "{}", run.out);
    assert!(run.out.contains("LINK: not on the list any more, sold off"), "{}", run.out);
    assert!(run.out.contains("sell 24.7387 LINK"), "{}", run.out);
    assert_narrow(&run.out);
    assert_eq!((files(&follower), follower.orders()), (before, orders), "plan wrote something");
    assert_eq!(follower.members(), "UNI AAVE LINK LDO", "only looked at");
    // The cycle does what was planned.
    follower.later();
    follower.good();
    assert_eq!((follower.members().as_str(), follower.orders()), ("UNI AAVE CRV LDO", orders + 2));
}

#[test]
fn plan_with_a_bad_list_plans_with_the_last_good_one_and_says_so() {
    let follower = Follower::new("UNI AAVE LINK LDO", r#""top": 4, "refresh": "1s""#);
    follower.good();
    follower.source.fails(Wrong::json(200, "[]"));
    let before = files(&follower);
    let run = follower.owner.run(&["plan", "--json"]);
    assert_eq!(run.code, 0, "{}", run.log);
    assert!(run.log.contains(" stays: since ") && run.log.contains("the list is empty"), "{}", run.log);
    let plan = run.json();
    assert_eq!((&plan["universe"], &plan["balanced"]), (&json!({"enter": [], "leave": []}), &json!(true)));
    assert_eq!(files(&follower), before, "a look is no trouble of the cycle's");
    assert!(follower.list()["trouble"].is_null());
}

#[test]
fn status_asks_the_source_nothing_when_there_is_a_list_and_shows_it_whole() {
    let follower = Follower::new(
        "UNI=60 AAVE=30 LINK=10 LDO=5 CRV=4 SOL=3",
        r#""top": 3, "leave_rank": 5, "weighting": "market-cap", "refresh": "1s""#,
    );
    follower.good();
    follower.later();
    follower.source.rank("UNI=60 AAVE=30 LDO=20 LINK=10 CRV=5 SOL=4");
    follower.good();
    let asked = follower.source.count();
    follower.source.fails(Wrong::Drop);
    let list = follower.list();
    let members: Vec<Json> = list["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| {
            json!([
                member["coin"],
                member["id"],
                member["rank"],
                member["place"],
                member["weight"],
                member["outside_since"] == list["read_at"]
            ])
        })
        .collect();
    let expected = [
        json!(["UNI", "uniswap", 1, 1, "60", false]),
        json!(["AAVE", "aave", 2, 2, "30", false]),
        json!(["LINK", "chainlink", 4, 4, "10", true]),
    ];
    assert_eq!(members, expected);
    assert_eq!(list["source"], "coingecko decentralized-finance-defi");
    let run = follower.owner.run(&["status"]);
    let words = run.out.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "list: coingecko decentralized-finance-defi, read ",
        "1. UNI 60.0000 % rank 1, since ",
        "2. AAVE 30.0000 % rank 2, since ",
        "4. LINK 10.0000 % rank 4, since ",
        "outside the top since ",
    ] {
        assert!(words.contains(part), "{part}: {}", run.out);
    }
    assert_narrow(&run.out);
    assert_eq!(follower.source.count(), asked);
    // The source is not asked, so it does not matter that it is away.
    assert_eq!((run.code, run.log.as_str()), (0, ""));
}

#[test]
fn commands_of_an_owner_without_a_list_say_nothing_of_one() {
    let follower = Follower::new("UNI", RULES);
    follower.write(
        "config.json",
        &format!(r#"{{"allocation": {{"BTC": 50, "ETH": 50}}, "base_url": "{}"}}"#, follower.exchange.url()),
    );
    follower.good();
    for command in ["plan", "status"] {
        assert!(follower.json(command).get("universe").is_none(), "{command}");
    }
    let run = follower.owner.run(&["status"]);
    assert!(!run.out.contains("list"), "{}", run.out);
    assert_eq!((follower.source.count(), follower.state().as_str()), (0, ""));
}

#[test]
fn check_says_whether_the_list_can_be_followed() {
    let follower = Follower::new(COINS, RULES);
    let before = files(&follower).into_keys().collect::<Vec<_>>();
    let finding = |follower: &Follower| {
        let run = follower.owner.run(&["check", "--json"]);
        let json = run.json();
        let list = json["checks"].as_array().unwrap().iter().find(|check| check["name"] == "list").cloned();
        (run.code, list.unwrap_or_else(|| panic!("no finding: {json}")))
    };
    let (code, good) = finding(&follower);
    assert_eq!((code, &good["ok"]), (0, &json!(true)), "{good}");
    assert!(good["message"].as_str().unwrap().contains("UNI, AAVE, LINK"), "{good}");
    follower.source.fails(Wrong::json(401, "{}"));
    let (code, bad) = finding(&follower);
    assert_eq!((code, &bad["ok"]), (1, &json!(false)), "{bad}");
    assert!(bad["message"].as_str().unwrap().contains("the source refused (http 401)"), "{bad}");
    let after: Vec<String> = files(&follower).into_keys().filter(|name| !name.ends_with("markets.cache")).collect();
    assert_eq!(after, before, "check remembers nothing");
    assert_eq!(follower.orders(), 0);
}

#[test]
fn once_as_json_is_one_object_with_and_without_a_list() {
    let follower = Follower::new(COINS, RULES);
    let run = follower.owner.run(&["once", "--json"]);
    assert_eq!(run.code, 0, "{}", run.log);
    let coins = &run.json()["coins"];
    assert_eq!(names(coins), "UNI AAVE LINK USDT");
    let follower = Follower::new("", RULES);
    let run = follower.owner.run(&["once", "--json"]);
    assert_eq!(run.code, 1);
    assert!(run.json()["error"].as_str().unwrap().contains("no list of coins yet: the list is empty"), "{}", run.out);
}
