//! What a list may change by itself, and whose coins are whose: the owner's settings, what the list has bought, what is odd about it.

use crate::exchange::{Act, Fault, dec};
use crate::follower::{Follower, market, names};
use crate::owner::side_by_side;
use crate::source::Wrong;

const RULES: &str = r#""top": 3, "refresh": "1s", "leave_after": "365d""#;
const COINS: &str = "UNI AAVE LINK LDO CRV SOL";

fn followed(rules: &str) -> Follower {
    let follower = Follower::new(COINS, rules);
    follower.good();
    assert_eq!((follower.members().as_str(), follower.orders()), ("UNI AAVE LINK", 3));
    follower
}

/// The next cycle trades nothing and keeps its members.
fn assert_still(follower: &Follower, what: &str) {
    follower.later();
    let run = follower.good();
    assert_eq!((follower.members().as_str(), follower.orders()), ("UNI AAVE LINK", 3), "{what}: {}", run.log);
}

/// The same, and it says why.
fn assert_refused(follower: &Follower, why: &str) {
    assert_still(follower, why);
    let list = follower.list();
    assert!(list["trouble"].as_str().is_some_and(|said| said.contains(why)), "{why}: {list}");
}

#[test]
fn a_source_with_ids_and_one_without_name_the_same_coins() {
    let follower = Follower::new(COINS, RULES);
    let file = r#""source": "list", "list": "mine.txt""#;
    follower.configure(file, RULES, "");
    follower.write("mine.txt", "UNI\nAAVE\nLINK\nLDO\n");
    follower.good();
    assert_eq!(follower.orders(), 3);
    let with_ids =
        r#"[{"coin": "UNI", "id": "uniswap"}, {"coin": "AAVE", "id": "aave"}, {"coin": "LINK", "id": "chainlink"}]"#;
    follower.write("mine.txt", with_ids);
    assert_still(&follower, "a file with ids");
    follower.follow(RULES, "");
    assert_still(&follower, "from a file to CoinGecko");
    assert_eq!(follower.list()["members"][0]["id"], "uniswap");
    follower.configure(file, RULES, "");
    follower.write("mine.txt", "UNI\nAAVE\nLINK\n");
    assert_still(&follower, "and back");
}

#[test]
fn a_member_without_a_cap_is_found_wherever_it_has_sunk() {
    let many: Vec<String> = (0..90).map(|at| format!("NOBODY{at}")).collect();
    let follower = Follower::new(&format!("UNI AAVE LINK LDO CRV SOL {}", many.join(" ")), RULES);
    follower.good();
    // To the end of the second page.
    let asked = follower.source.count();
    follower.source.rank(&format!("UNI AAVE LDO CRV SOL {} LINK", many.join(" ")));
    follower.source.change("LINK", |coin| coin.cap = "null".into());
    assert_refused(&follower, "the market cap of the member LINK is null or zero");
    assert_eq!(follower.source.count() - asked, 2, "two pages");
}

#[test]
fn a_list_that_has_lost_half_of_its_coins_is_not_believed() {
    let many: Vec<String> = (0..20).map(|at| format!("NOBODY{at}")).collect();
    let follower = Follower::new(&format!("{COINS} {}", many.join(" ")), RULES);
    follower.good();
    follower.source.rank("UNI AAVE LDO CRV SOL");
    assert_refused(&follower, "it has 5 coins, and had 26; if that is right: rebalancer universe --accept");
    // Whoever keeps a list may shorten it.
    let follower = Follower::new(COINS, RULES);
    follower.configure(r#""source": "list", "list": "mine.txt""#, RULES, "");
    follower.write("mine.txt", "UNI\nAAVE\nLINK\nLDO\nCRV\nSOL\nALFA\nBRAVO\n");
    follower.good();
    follower.write("mine.txt", "UNI\nAAVE\nLDO\n");
    follower.later();
    follower.good();
    assert_eq!(follower.members(), "UNI AAVE LDO");
}

#[test]
fn weights_that_move_by_more_than_half_at_once_are_not_believed() {
    let rules = format!(r#"{RULES}, "weighting": "market-cap""#);
    let follower = Follower::new(COINS, &rules);
    follower.source.change_all(|coin| coin.cap = "1000000".into());
    follower.good();
    // From a third to 98 percent.
    follower.source.change("LINK", |coin| coin.cap = "100000000".into());
    assert_refused(
        &follower,
        "it moves 64.7 percent of the weights at once; if that is right: rebalancer universe --accept",
    );
    // To four fifths: 46.7 points.
    follower.source.change("LINK", |coin| coin.cap = "8000000".into());
    follower.later();
    follower.good();
    assert!(follower.list()["trouble"].is_null());
    follower.assert_weights("LINK 80 UNI 10 AAVE 10", "believed");
}

#[test]
fn other_rules_of_the_owner_do_not_open_the_door_to_the_source() {
    type Change = (&'static str, &'static str, &'static str);
    let cases: [Change; 3] = [
        ("max_weight", r#""max_weight": 41"#, ""),
        ("exclude", r#""exclude": ["SOL"]"#, ""),
        ("leave_rank", r#""leave_rank": 5"#, ""),
    ];
    side_by_side(&cases, |(name, rules, _)| {
        let follower = followed(RULES);
        follower.follow(&format!("{RULES}, {rules}"), "");
        follower.source.rank("CRV ALFA BRAVO LDO CARGO DELTA");
        assert_refused(&follower, "it replaces 3 of 3 members at once");
        // With the source away the old list is followed by any rules that it can be followed by.
        follower.source.fails(Wrong::html(503));
        assert_still(&follower, name);
    });
}

#[test]
fn where_the_config_lies_is_no_setting() {
    let follower = Follower::new(COINS, RULES);
    follower.configure(r#""source": "list", "list": "mine.txt""#, r#""top": 3, "refresh": "365d""#, "");
    follower.write("mine.txt", "UNI\nAAVE\nLINK\n");
    follower.good();
    follower.write("mine.txt", "LDO\nCRV\nSOL\n");
    let path = follower.owner.home.join("config.json");
    let run = follower.owner.run(&["once", "--config", path.to_str().unwrap()]);
    assert_eq!((run.code, follower.orders()), (0, 3), "{}", run.log);
    assert_eq!(follower.members(), "UNI AAVE LINK");
}

#[test]
fn an_excluded_member_is_no_reason_to_stop_for_its_cap() {
    let follower = followed(RULES);
    follower.source.change("LINK", |coin| coin.cap = "null".into());
    assert_refused(&follower, "the market cap of chainlink is null or zero");
    for name in ["chainlink", "LINK", "link"] {
        follower.follow(
            &format!(r#"{RULES}, "exclude": ["chainlink", "{name}"]"#)
                .replace(r#""chainlink", "chainlink""#, r#""chainlink""#),
            "",
        );
        follower.later();
        follower.good();
        assert_eq!((follower.members().as_str(), follower.sales("LINK")), ("UNI AAVE LDO", 1), "{name}");
    }
}

#[test]
fn a_coin_in_small_letters_is_excluded_as_well() {
    let follower = Follower::new(COINS, &format!(r#"{RULES}, "exclude": ["aave"], "include": ["sol", "nowhere"]"#));
    let run = follower.owner.run(&["universe"]);
    let words = run.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("included, but the source does not name it"), "{}", run.out);
    follower.good();
    assert_eq!(follower.members(), "UNI LINK SOL");
}

#[test]
fn what_the_list_has_not_bought_is_not_sold_when_it_leaves() {
    let mut world = market();
    world.hold("LINK", "5");
    let follower = Follower::with(world, COINS, RULES, "");
    // The list is taken, and then the exchange does not tell its prices: nothing is traded.
    let away = Act::Code { status: 500, code: 50001, message: "ERR_INTERNAL".into() };
    follower.exchange.world().faults.push(Fault::always("public/get-tickers", away).after(1));
    let run = follower.once();
    assert_eq!((run.code, follower.orders()), (1, 0), "{}", run.log);
    follower.exchange.world().faults.clear();
    assert_eq!(follower.members(), "UNI AAVE LINK");
    // The owner sees that it would have counted a coin of theirs.
    follower.later();
    follower.follow(&format!(r#"{RULES}, "exclude": ["LINK"]"#), "");
    let run = follower.good();
    assert!(run.log.contains("LINK leaves the list; what the account holds of it is left alone"), "{}", run.log);
    assert_eq!((follower.held("LINK").as_str(), follower.members().as_str()), ("5", "UNI AAVE LDO"));
    assert_eq!(names(&follower.list()["departed"]), "");
}

#[test]
fn a_member_without_a_believed_price_is_named_with_the_way_out() {
    let follower = followed(RULES);
    follower.exchange.world().market("UNI_USDT").ask = Some(dec("200"));
    follower.count_anew();
    follower.later();
    let run = follower.once();
    assert_eq!((run.code, follower.orders()), (1, 3), "{}", run.log);
    assert!(run.log.contains("it is on the list, which the next run reads anew; exclude it to go on"), "{}", run.log);
    assert!(follower.state().contains(r#""member":"UNI""#), "{}", follower.state());
}

#[test]
fn what_was_bought_in_a_cycle_that_failed_is_the_lists() {
    let follower = Follower::new(COINS, RULES);
    // The third of three orders is refused.
    let away = Act::Code { status: 500, code: 213, message: "INVALID_ORDERQTY".into() };
    follower.exchange.world().faults.push(Fault::once("private/create-order", away).after(2));
    let run = follower.once();
    assert_eq!(run.code, 1, "{}", run.log);
    let bought: Vec<&str> = ["UNI", "AAVE", "LINK"].into_iter().filter(|coin| follower.held(coin) != "0").collect();
    assert_eq!(bought.len(), 2);
    follower.later();
    follower.source.rank(&COINS.replace(bought[0], "ALFA"));
    follower.good();
    assert!(dec(&follower.held(bought[0])) < dec("0.0001"), "{}", follower.held(bought[0]));
}

#[test]
fn without_a_list_in_the_config_its_coins_are_the_owners_again() {
    let follower = followed(RULES);
    let config = follower.read("config.json");
    follower.write(
        "config.json",
        &format!(r#"{{"allocation": {{"USDT": 100}}, "base_url": "{}"}}"#, follower.exchange.url()),
    );
    let run = follower.good();
    assert!(run.log.contains("the config follows no list any more"), "{}", run.log);
    assert_eq!((follower.state().as_str(), follower.orders()), ("", 3));
    // Months later it is followed again: what it once bought is not its own any more.
    follower.later();
    follower.write("config.json", &config);
    follower.source.rank("ALFA BRAVO CARGO DELTA");
    let held = ["UNI", "AAVE", "LINK"].map(|coin| follower.held(coin));
    follower.once();
    assert_eq!(["UNI", "AAVE", "LINK"].map(|coin| follower.held(coin)), held);
}

#[test]
fn what_an_accepted_list_would_trade_is_shown_before() {
    let follower = followed(RULES);
    follower.later();
    follower.source.rank("CRV ALFA BRAVO LDO CARGO DELTA");
    assert_eq!(names(&follower.json("plan")["universe"]["enter"]), "");
    let (state, run) = (follower.state(), follower.owner.run(&["plan", "--accept", "--json"]));
    let plan = run.json();
    assert_eq!(run.code, 0, "{}", run.log);
    let changes = &plan["universe"];
    assert_eq!(
        (names(&changes["enter"]).as_str(), names(&changes["leave"]).as_str()),
        ("CRV ALFA BRAVO", "UNI AAVE LINK")
    );
    assert_eq!(plan["orders"].as_array().unwrap().len(), 6);
    assert_eq!((follower.state(), follower.orders()), (state, 3), "only shown");
}

#[test]
fn a_list_is_not_accepted_while_a_cycle_runs() {
    let follower = followed(RULES);
    let asked = follower.source.count();
    let lock = std::fs::File::open(follower.owner.home.join("cycle.lock")).unwrap();
    lock.lock().unwrap();
    let run = follower.owner.run(&["universe", "--accept"]);
    assert_eq!((run.code, follower.source.count()), (1, asked), "{}", run.log);
    assert!(run.log.contains("another cycle is running"), "{}", run.log);
}

#[test]
fn when_the_exchange_cannot_tell_the_candidates_the_last_good_list_is_followed() {
    let follower = followed(RULES);
    // The list of instruments is read for a new candidate alone: the others' rules are known.
    follower.source.rank(&format!("{COINS} ALFA"));
    let away = Act::Code { status: 500, code: 50001, message: "ERR_INTERNAL".into() };
    follower.exchange.world().faults.push(Fault::always("public/get-instruments", away));
    assert_refused(&follower, "public/get-instruments");
}
