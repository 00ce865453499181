//! Members come and go, from outside: no churn at the edge, a sale below it, nothing else touched, and the owner has
//! the last word where a source would replace most of them.

use crate::exchange::{Act, Fault};
use crate::follower::{Follower, market, names};
use crate::owner::side_by_side;
use crate::source::Wrong;
use serde_json::Value as Json;

/// Three members, which leave below the fifth place.
const RULES: &str = r#""top": 3, "leave_rank": 5, "refresh": "1s""#;
const FIRST: &str = "UNI AAVE LINK LDO CRV SOL";
/// LINK is the fourth, then the fifth, then the sixth.
const FOURTH: &str = "UNI AAVE LDO LINK CRV SOL";
const FIFTH: &str = "UNI AAVE LDO CRV LINK SOL";
const SIXTH: &str = "UNI AAVE LDO CRV SOL LINK";

fn follower(leave_after: &str) -> Follower {
    let follower = Follower::new(FIRST, &format!(r#"{RULES}, "leave_after": "{leave_after}""#));
    follower.good();
    assert_eq!(follower.orders(), 3);
    follower
}

/// The next list is read and taken; afterwards the exchange has seen so many orders in all.
fn next(follower: &Follower, coins: &str, members: &str, orders: usize) -> Json {
    follower.later();
    follower.source.rank(coins);
    let run = follower.good();
    let list = follower.list();
    assert_eq!((names(&list["members"]).as_str(), follower.orders()), (members, orders), "{coins}: {}", run.log);
    follower.check_orders(coins);
    list
}

/// A coin was sold off: less is left than its tick.
fn assert_sold(follower: &Follower, coin: &str) {
    let left = crate::exchange::dec(&follower.held(coin));
    assert!(left < crate::exchange::dec("0.0001"), "{coin}: {left}");
}

#[test]
fn a_coin_over_the_edge_stays_and_below_leave_rank_it_is_sold() {
    let follower = follower("365d");
    let list = next(&follower, FOURTH, "UNI AAVE LINK", 3);
    let outside = list["members"][2]["outside_since"].clone();
    assert_eq!(outside, list["read_at"]);
    assert_eq!(list["members"][2]["place"], 4);
    // Still outside, though further: it is known since when.
    let list = next(&follower, FIFTH, "UNI AAVE LINK", 3);
    assert_eq!(list["members"][2]["outside_since"], outside);
    // Inside again, and outside once more: the time begins anew.
    let list = next(&follower, FIRST, "UNI AAVE LINK", 3);
    assert!(list["members"][2]["outside_since"].is_null());
    let list = next(&follower, FIFTH, "UNI AAVE LINK", 3);
    assert_eq!(list["members"][2]["outside_since"], list["read_at"]);
    // One sale, one purchase.
    let list = next(&follower, SIXTH, "UNI AAVE LDO", 5);
    follower.assert_weights("UNI 33.3 AAVE 33.3 LDO 33.3", "LDO in the place of LINK");
    assert_sold(&follower, "LINK");
    assert_eq!(list["departed"], Json::Array(Vec::new()), "sold, and so forgotten");
    // The owner buys it: it is his.
    follower.exchange.world().hold("LINK", "7.123456789");
    follower.count_anew();
    let run = follower.good();
    assert!(run.log.contains("LINK is left alone"), "{}", run.log);
    next(&follower, SIXTH, "UNI AAVE LDO", 5);
    assert_eq!(follower.held("LINK"), "7.123456789");
}

#[test]
fn a_coin_that_stays_outside_for_leave_after_is_sold() {
    let follower = follower("1s");
    next(&follower, FOURTH, "UNI AAVE LINK", 3);
    // Inside in between: nothing has happened.
    next(&follower, FIRST, "UNI AAVE LINK", 3);
    next(&follower, FOURTH, "UNI AAVE LINK", 3);
    let list = next(&follower, FOURTH, "UNI AAVE LDO", 5);
    assert_sold(&follower, "LINK");
    assert_eq!(list["members"][2]["since"], list["read_at"]);
    assert_eq!(list["members"][0]["since"], list["members"][1]["since"]);
    assert!(list["members"][0]["since"].as_i64() < list["read_at"].as_i64());
}

#[test]
fn a_coin_that_is_gone_from_the_list_or_from_the_exchange_leaves() {
    let cases: [(&str, bool); 2] = [("UNI AAVE LDO CRV SOL", true), (FIRST, false)];
    side_by_side(&cases, |(coins, trades)| {
        let follower = follower("365d");
        if *trades {
            let list = next(&follower, coins, "UNI AAVE LDO", 5);
            assert_sold(&follower, "LINK");
            assert_eq!(list["departed"], Json::Array(Vec::new()));
            return;
        }
        // It cannot be sold where it does not trade; it is not forgotten either.
        let pair = follower.delist("LINK_USDT");
        // What pays for the new one are the two others.
        let list = next(&follower, coins, "UNI AAVE LDO", 6);
        assert_eq!(names(&list["departed"]), "LINK");
        assert_eq!(list["departed"][0]["left"], list["read_at"]);
        follower.relist(pair);
        // Back at the exchange it is a candidate at the third place, and no member leaves for it: it is sold, and the
        // three are bought.
        let list = next(&follower, coins, "UNI AAVE LDO", 10);
        assert_sold(&follower, "LINK");
        assert_eq!(list["departed"], Json::Array(Vec::new()));
        follower.assert_weights("UNI 33.3 AAVE 33.3 LDO 33.3", "LINK is sold");
    });
}

#[test]
fn a_member_that_vanishes_from_the_exchange_between_two_lists_has_the_list_read_at_once() {
    let follower = Follower::new(FIRST, r#""top": 3, "refresh": "365d""#);
    follower.good();
    follower.delist("LINK_USDT");
    let run = follower.once();
    assert_eq!((run.code, follower.orders(), follower.source.count()), (1, 3, 1), "{}", run.log);
    assert!(
        run.log.contains("LINK does not trade against USDT any more; it is on the list, which the next run reads anew"),
        "{}",
        run.log
    );
    follower.good();
    assert_eq!((follower.members().as_str(), follower.source.count()), ("UNI AAVE LDO", 2));
}

#[test]
fn a_sale_that_is_refused_is_not_forgotten() {
    let follower = follower("365d");
    follower.later();
    follower.source.rank(SIXTH);
    let refused = Act::Code { status: 500, code: 213, message: "INVALID_ORDERQTY".into() };
    follower.exchange.world().faults.push(Fault::once("private/create-order", refused));
    assert_eq!(follower.once().code, 1);
    let list = follower.list();
    assert_eq!((names(&list["members"]).as_str(), names(&list["departed"]).as_str()), ("UNI AAVE LDO", "LINK"));
    let text = follower.owner.run(&["status"]).out;
    assert!(text.contains("LINK") && text.contains("to be sold"), "{text}");
    follower.good();
    assert_sold(&follower, "LINK");
    assert_eq!(follower.list()["departed"], Json::Array(Vec::new()));
}

#[test]
fn a_departed_coin_that_comes_back_is_a_member_and_not_sold() {
    let follower = follower("365d");
    follower.later();
    follower.source.rank(SIXTH);
    let away = Act::Code { status: 500, code: 213, message: "INVALID_ORDERQTY".into() };
    follower.exchange.world().faults.push(Fault::once("private/create-order", away));
    assert_eq!(follower.once().code, 1);
    assert_eq!((names(&follower.list()["departed"]).as_str(), follower.sales("LINK")), ("LINK", 0));
    // LDO, which took its place, falls below the fifth.
    follower.later();
    follower.source.rank("UNI AAVE LINK CRV SOL LDO");
    follower.good();
    assert_eq!((follower.members().as_str(), follower.sales("LINK")), ("UNI AAVE LINK", 0));
    assert_eq!(follower.list()["departed"], Json::Array(Vec::new()));
}

#[test]
fn a_departed_coin_that_the_owner_gives_a_weight_of_its_own_is_his() {
    let follower = Follower::new(FIRST, RULES);
    follower.good();
    // From the list to the allocation, and out of it.
    follower.later();
    follower.follow(&format!(r#"{RULES}, "share": 70"#), r#""allocation": {"LINK": 30},"#);
    follower.good();
    let list = follower.list();
    assert_eq!((names(&list["members"]).as_str(), names(&list["departed"]).as_str()), ("UNI AAVE LDO", ""));
    follower.assert_weights("LINK 30 UNI 23.3 AAVE 23.3 LDO 23.3", "LINK is fixed");
    follower.later();
    let held = follower.held("LINK");
    follower.follow(&format!(r#"{RULES}, "share": 70, "exclude": ["LINK"]"#), r#""allocation": {"USDT": 30},"#);
    follower.good();
    assert_eq!(follower.held("LINK"), held, "the owner's, as any coin that was in the allocation");
}

/// What a list that replaces too many leaves behind.
fn assert_refused(follower: &Follower, code: i32) {
    let run = follower.once();
    assert_eq!(run.code, code, "{}", run.log);
    let why = "it replaces 3 of 4 members at once; if that is right: rebalancer universe --accept";
    assert!(
        run.log.contains("the list of ") && run.log.contains(" stays: since ") && run.log.contains(why),
        "{}",
        run.log
    );
    let list = follower.list();
    assert_eq!((names(&list["members"]).as_str(), follower.orders()), ("UNI AAVE LINK LDO", 4));
    assert!(list["trouble"].as_str().unwrap().contains(why), "{list}");
}

#[test]
fn more_than_half_of_the_members_are_replaced_at_once_only_when_the_owner_says_so() {
    let follower = Follower::new("UNI AAVE LINK LDO", r#""top": 4, "refresh": "1s""#);
    follower.good();
    // Three of four; then all of them.
    for coins in ["UNI CRV SOL ALFA", "UNI CRV SOL BRAVO"] {
        follower.later();
        follower.source.rank(coins);
        assert_refused(&follower, 0);
    }
    let since = follower.list()["trouble_since"].clone();
    let run = follower.owner.run(&["universe"]);
    assert_eq!(run.code, 1, "{}", run.log);
    assert!(run.log.contains("the list would not be taken") && run.out.contains("enters"), "{}\n{}", run.out, run.log);
    let run = follower.owner.run(&["universe", "--json"]);
    let json = run.json();
    assert_eq!((run.code, &json["good"]), (1, &Json::Bool(false)));
    assert!(json["error"].as_str().unwrap().contains("3 of 4"), "{json}");
    // To look changes nothing.
    assert_eq!(follower.list()["trouble_since"], since);

    let run = follower.owner.run(&["universe", "--accept"]);
    assert_eq!((run.code, follower.orders()), (0, 4), "{}", run.log);
    let list = follower.list();
    assert_eq!(names(&list["members"]), "UNI CRV SOL BRAVO");
    assert_eq!(names(&list["departed"]), "AAVE LINK LDO");
    assert!(list["trouble"].is_null(), "{list}");
    follower.good();
    follower.assert_weights("UNI 25 CRV 25 SOL 25 BRAVO 25", "accepted");
    for coin in ["AAVE", "LINK", "LDO"] {
        assert_sold(&follower, coin);
    }
    assert_eq!(names(&follower.list()["departed"]), "");
}

#[test]
fn half_of_the_members_may_be_replaced_at_once() {
    let follower = Follower::new("UNI AAVE LINK LDO", r#""top": 4, "refresh": "1s""#);
    follower.good();
    follower.later();
    follower.source.rank("UNI AAVE ALFA CARGO");
    follower.good();
    assert_eq!((follower.members().as_str(), follower.orders()), ("UNI AAVE ALFA CARGO", 8));
    follower.assert_weights("UNI 25 AAVE 25 ALFA 25 CARGO 25", "two of four");
}

#[test]
fn accept_takes_no_list_that_cannot_be_believed() {
    let follower = Follower::new("UNI AAVE LINK LDO", r#""top": 4, "refresh": "1s""#);
    follower.good();
    let state = follower.state();
    type Change = fn(&Follower);
    let bad: [(&str, Change); 3] = [
        ("only 3 of its coins", |follower| follower.source.rank("UNI AAVE LINK")),
        ("the source failed (http 503)", |follower| follower.source.fails(Wrong::html(503))),
        ("market cap of aave is null or zero", |follower| {
            follower.source.change("AAVE", |coin| coin.cap = "null".into())
        }),
    ];
    for (why, change) in bad {
        change(&follower);
        let run = follower.owner.run(&["universe", "--accept"]);
        assert!(run.code == 1 && run.log.contains(why), "{why}: {}", run.log);
        assert_eq!(follower.state(), state, "{why}");
        follower.source.mend();
        follower.source.rank("UNI AAVE LINK LDO");
    }
}

#[test]
fn accept_goes_only_with_universe_and_universe_only_with_a_list() {
    let follower = Follower::new("UNI AAVE", r#""top": 2"#);
    for args in [&["once", "--accept"][..], &["status", "--accept"], &["check", "--accept"], &["--accept"]] {
        let run = follower.owner.run(args);
        assert_eq!(run.code, 2, "{args:?}: {}", run.log);
    }
    follower.write("config.json", r#"{"BTC": 50, "ETH": 50}"#);
    for args in [&["universe"][..], &["universe", "--json"], &["universe", "--accept"]] {
        let run = follower.owner.run(args);
        assert_eq!(run.code, 2, "{args:?}: {}", run.log);
        assert!(run.log.contains("config.json: the config follows no list: it has no \"universe\""), "{}", run.log);
    }
    assert_eq!((follower.source.count(), follower.exchange.world().requests.len()), (0, 0));
}

#[test]
fn other_settings_trade_nothing_while_the_source_is_away_and_may_replace_everything_when_it_is_back() {
    let rules = r#""top": 4, "refresh": "365d""#;
    let fewer = r#""top": 2, "refresh": "365d""#;
    let other = r#""source": "coingecko", "category": "meme-token", "base_url": "SOURCE""#;
    type Change = fn(&Follower, &str, &str);
    let cases: [(&str, Change, &str); 3] = [
        ("top", |follower, fewer, _| follower.follow(fewer, ""), "UNI AAVE"),
        ("category", |follower, _, other| follower.configure(other, r#""top": 4"#, ""), "ALFA BRAVO CARGO DELTA"),
        (
            "exclude",
            |follower, _, _| follower.follow(r#""top": 4, "exclude": ["UNI", "AAVE", "LINK"]"#, ""),
            "LDO CRV SOL ALFA",
        ),
    ];
    side_by_side(&cases, |(name, change, members)| {
        let follower = Follower::new("UNI AAVE LINK LDO CRV SOL ALFA", rules);
        follower.source.rank_in("meme-token", "ALFA BRAVO CARGO DELTA");
        follower.good();
        change(&follower, fewer, other);
        follower.source.fails(Wrong::html(503));
        let (orders, asked) = (follower.orders(), follower.source.count());
        let run = follower.once();
        assert_eq!((run.code, follower.orders()), (1, orders), "{name}: {}", run.log);
        let why = match *name {
            "exclude" => "the config has changed what UNI is, and the list cannot be read anew: ",
            _ => "no list of coins yet: ",
        };
        assert!(run.log.contains(&format!("{why}the source failed (http 503)")), "{name}: {}", run.log);
        assert!(follower.source.count() > asked, "{name}: the source was not asked");
        let run = follower.owner.run(&["status"]);
        let words = run.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(run.code == 0 && words.contains(&format!("nothing is traded: {why}")), "{name}: {words}");
        follower.source.mend();
        let run = follower.good();
        assert_eq!(follower.members(), *members, "{name}: {}", run.log);
        let left = ["UNI", "AAVE", "LINK", "LDO"].into_iter().filter(|coin| !members.contains(coin));
        left.for_each(|coin| assert_sold(&follower, coin));
        assert!(follower.list()["trouble"].is_null(), "{name}");
        follower.check_orders(name);
    });
}

#[test]
fn going_back_to_the_old_settings_while_the_source_is_away_finds_the_old_members() {
    let rules = r#""top": 4, "refresh": "365d""#;
    let follower = Follower::new("UNI AAVE LINK LDO CRV", rules);
    follower.good();
    follower.follow(r#""top": 5"#, "");
    follower.source.fails(Wrong::html(503));
    assert_eq!(follower.once().code, 1);
    follower.follow(rules, "");
    follower.good();
    assert_eq!((follower.members().as_str(), follower.orders()), ("UNI AAVE LINK LDO", 4));
}

#[test]
fn the_paper_account_remembers_its_own_list() {
    let follower = Follower::new("UNI AAVE LINK LDO", r#""top": 2, "refresh": "365d""#);
    let run = follower.owner.run(&["once", "--paper"]);
    assert_eq!((run.code, follower.state().as_str()), (0, ""), "{}", run.log);
    let paper = follower.read("paper.universe");
    assert!(paper.contains("UNI") && paper.contains("AAVE"), "{paper}");
    assert_eq!(follower.orders(), 0);
    follower.source.rank("LINK LDO UNI AAVE");
    follower.good();
    assert_eq!((follower.members().as_str(), follower.read("paper.universe")), ("LINK LDO", paper));
    let run = follower.owner.run(&["status", "--json", "--paper"]);
    assert_eq!(names(&run.json()["universe"]["members"]), "UNI AAVE");
}

#[test]
fn coins_of_a_list_that_the_owner_has_already_are_bought_up_to_their_targets() {
    let mut world = market();
    world.hold("UNI", "50");
    let follower = Follower::with(world, "UNI AAVE LINK", r#""top": 2"#, "");
    follower.good();
    follower.assert_weights("UNI 50 AAVE 50", "5,000 of 15,000 USDT were there");
    let bought = follower.exchange.world().orders.iter().map(|order| order.symbol.clone()).collect::<Vec<_>>();
    assert_eq!(bought.len(), 2, "{bought:?}");
}
