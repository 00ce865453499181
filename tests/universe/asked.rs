//! How a source is asked, from outside: not more often than it likes, with the key or without, and for as many pages as
//! it takes.

use crate::follower::{Follower, market, names};
use crate::owner::{Run, side_by_side};
use crate::source::{Source, Wrong};
use std::time::{Duration, Instant};

const COINS: &str = "UNI AAVE LINK LDO CRV SOL";
const RULES: &str = r#""top": 4, "refresh": "1s""#;
const KEY: &str = "CG-aVeryOwnKeyOf27Letters";

/// An answer to somebody who asks too often.
fn too_many() -> Vec<Wrong> {
    let body = r#"{"status":{"error_code":429,"error_message":"You've exceeded the Rate Limit."}}"#;
    vec![Wrong::json(429, body), Wrong::json(429, ""), Wrong::html(429)]
}

#[test]
fn a_source_that_was_asked_too_often_is_left_alone_for_a_minute() {
    side_by_side(&too_many(), |wrong| {
        let follower = Follower::new(COINS, RULES);
        follower.good();
        follower.later();
        follower.source.fails(wrong.clone());
        let run = follower.good();
        assert_eq!(follower.source.count(), 2, "once, and not again: {}", run.log);
        assert!(run.log.contains("the source was asked too often (http 429)"), "{}", run.log);
        let since = follower.list()["trouble_since"].clone();
        // It would answer now, and is not asked by any command.
        follower.source.mend();
        follower.later();
        let run = follower.good();
        assert!(run.log.contains("asked too often (http 429); it is left alone "), "{}", run.log);
        follower.json("plan");
        let run = follower.owner.run(&["universe"]);
        assert_eq!(run.code, 1);
        assert!(run.log.contains("asked too often (http 429); it is left alone "), "{}", run.log);
        let run = follower.owner.run(&["universe", "--accept"]);
        assert_eq!((run.code, follower.source.count()), (1, 2), "{}", run.log);
        let list = follower.list();
        assert_eq!((names(&list["members"]).as_str(), &list["trouble_since"]), ("UNI AAVE LINK LDO", &since));
        // More than a minute after the answer.
        follower.later_by(60);
        follower.good();
        assert_eq!(follower.source.count(), 3);
        assert!(follower.list()["trouble"].is_null());
        follower.later();
        follower.good();
        assert_eq!(follower.source.count(), 4, "asked as before");
    });
}

#[test]
fn without_a_list_too_it_is_left_alone_for_a_minute() {
    let follower = Follower::new(COINS, RULES);
    follower.source.fails(Wrong::json(429, ""));
    for asked in [1, 1] {
        let run = follower.once();
        assert_eq!((run.code, follower.source.count()), (1, asked), "{}", run.log);
        assert!(
            run.log.contains("rebalancer: no list of coins yet: the source was asked too often (http 429)"),
            "{}",
            run.log
        );
        follower.source.mend();
        follower.later();
    }
    for (args, code) in [(["status"], 0), (["plan"], 1), (["universe"], 1)] {
        let run = follower.owner.run(&args);
        assert_eq!((run.code, follower.source.count()), (code, 1), "{args:?}: {}", run.log);
    }
    follower.later_by(60);
    follower.good();
    assert_eq!((follower.source.count(), follower.orders()), (2, 4));
}

#[test]
fn a_clock_that_is_half_a_minute_behind_the_exchange_s_makes_no_command_ask_too_early() {
    let mut world = market();
    world.clock_skew_s = 30;
    let follower = Follower::with(world, COINS, r#""top": 4, "refresh": "1h""#, "");
    follower.good();
    // The list seems to be from the future by as much as the clocks may differ.
    follower.json("plan");
    assert_eq!(follower.source.count(), 1, "a list of an hour was read again at once");
    follower.follow(r#""top": 3, "refresh": "1h""#, "");
    follower.source.fails(Wrong::json(429, ""));
    assert_eq!((follower.once().code, follower.source.count()), (1, 2));
    for (args, code) in [(["plan"], 1), (["universe"], 1), (["status"], 0)] {
        let run = follower.owner.run(&args);
        assert_eq!((run.code, follower.source.count()), (code, 2), "{args:?}: {}", run.log);
        let words = format!("{} {}", run.log, run.out).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("it is left alone "), "{args:?}: {words}");
    }
}

/// The key is in nothing that was said or written.
fn assert_unseen(follower: &Follower, run: &Run, what: &str) {
    assert!(!run.out.contains(KEY) && !run.log.contains(KEY), "{what}: {}\n{}", run.out, run.log);
    for entry in std::fs::read_dir(&follower.owner.home).unwrap() {
        let path = entry.unwrap().path();
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        assert!(!text.contains(KEY), "{what}: {}", path.display());
    }
}

#[test]
fn the_key_is_sent_when_there_is_one_and_shown_nowhere() {
    let echo = format!(r#"{{"status":{{"error_code":10002,"error_message":"API Key {KEY} is invalid {KEY}"}}}}"#);
    let bodies = [
        Wrong::Chunked,
        Wrong::json(401, &echo),
        Wrong::json(403, &echo),
        Wrong::json(404, &echo),
        Wrong::json(429, &echo),
        Wrong::json(500, &echo),
        Wrong::json(200, &echo),
        Wrong::json(200, &format!("[{{\"id\":\"{KEY}\",\"{KEY}\":1}}]")),
        Wrong::json(200, &format!("[\"{KEY}\" {KEY}]")),
        Wrong::json(200, KEY),
        Wrong::json(200, &format!("{{\"{KEY}\": nothing}}")),
        Wrong::json(200, &format!("[{{\"id\": \"x\", \"{KEY}\": nothing}}]")),
        Wrong::json(200, &format!("[{{\"id\": \"{KEY}\", \"symbol\": \"x\", \"market_cap\": \"{KEY}\"}}]")),
    ];
    let commands = [
        &["once", "-v"][..],
        &["once", "--json", "-v"],
        &["plan", "-v"],
        &["status", "-v"],
        &["status", "--json", "-v"],
        &["universe", "-v"],
        &["universe", "--json", "-v"],
        &["universe", "--accept", "-v"],
        &["check", "-v"],
    ];
    side_by_side(&bodies, |wrong| {
        let follower = Follower::new(COINS, RULES);
        follower.source.fails(wrong.clone());
        for args in commands {
            let count = follower.source.count();
            let run = Run::from(follower.keyed(args, KEY).output().unwrap());
            assert_unseen(&follower, &run, &format!("{args:?}"));
            let asked = follower.source.desk().asked[count..].to_vec();
            for asked in asked {
                assert_eq!(asked.header("x-cg-demo-api-key"), Some(KEY));
                assert_eq!((asked.header("x-cg-pro-api-key"), asked.head.matches(KEY).count()), (None, 1));
            }
        }
        assert!(follower.source.count() > 0);
    });
}

#[test]
fn a_cycle_of_the_daemon_follows_the_list_and_has_the_key_too() {
    let follower = Follower::with(market(), COINS, RULES, r#""schedule": "every 1h","#);
    let mut daemon = follower.keyed(&["run", "-v"], KEY).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(90);
    while !follower.owner.journal().contains("{\"cycle\"") && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    daemon.kill().unwrap();
    let run = Run::from(daemon.wait_with_output().unwrap());
    follower.check(&run.log);
    follower.assert_weights("UNI 25 AAVE 25 LINK 25 LDO 25", &run.log);
    assert_eq!(follower.source.desk().asked[0].header("x-cg-demo-api-key"), Some(KEY));
    assert_unseen(&follower, &run, "run");
}

#[test]
fn no_other_server_gets_the_key() {
    let follower = Follower::new(COINS, RULES);
    let other = Source::start(COINS);
    follower.source.fails(Wrong::Redirect(format!("{}/coins/markets", other.url())));
    let run = Run::from(follower.keyed(&["once", "-v"], KEY).output().unwrap());
    assert_eq!((run.code, other.count()), (1, 0), "{}", run.log);
    assert_unseen(&follower, &run, "redirected");
    // A list of one's own is nobody's business.
    follower.source.mend();
    follower.source.desk().page = Some(crate::source::Page { text: b"UNI\nAAVE\n".to_vec(), modified_s: None });
    follower.configure(r#""source": "list", "list": "PAGE""#, r#""top": 2"#, "");
    let run = Run::from(follower.keyed(&["plan", "-v"], KEY).output().unwrap());
    assert_eq!(run.code, 0, "{}", run.log);
    let last = follower.source.desk().asked.last().unwrap().clone();
    assert!(last.path == "/mine" && !last.head.contains(KEY), "{}", last.head);
}

#[test]
fn a_key_that_is_none_is_refused_before_anything_is_asked_and_not_shown() {
    let follower = Follower::new(COINS, RULES);
    for key in ["two words", "line\r\nx-evil: 1", "quo\"te", "back\\slash", "ümlaut", "tab\t"] {
        for args in [&["once"][..], &["universe"], &["plan", "--paper"], &["status"]] {
            let run = Run::from(follower.keyed(args, key).output().unwrap());
            assert_eq!(run.code, 2, "{key:?} {args:?}: {}", run.log);
            assert!(
                run.log.contains("REBALANCER_COINGECKO_KEY") && !run.log.contains(key.trim()),
                "{key:?}: {}",
                run.log
            );
        }
    }
    assert_eq!(follower.source.count(), 0);
    // Nothing is nothing.
    let run = Run::from(follower.keyed(&["universe"], "").output().unwrap());
    assert_eq!(run.code, 0, "{}", run.log);
    assert!(!follower.source.desk().asked[0].head.contains("x-cg"));
}

/// Coins that trade nowhere, from one number to another.
fn strangers(from: usize, to: usize) -> String {
    (from..=to).map(|number| format!("STRANGER{number} ")).collect()
}

/// The pages that were asked for, with the size of each.
fn pages(follower: &Follower) -> String {
    let page = |asked: &crate::source::Asked| format!("{}x{}", asked.query["page"], asked.query["per_page"]);
    follower.source.desk().asked.iter().map(page).collect::<Vec<_>>().join(" ")
}

#[test]
fn as_many_pages_are_read_as_it_takes_and_four_at_the_most() {
    let cases = [
        // Two of the first page and three behind it: ten places are known after the second page.
        (
            format!("UNI AAVE {} LINK LDO CRV SOL ALFA BRAVO CARGO DELTA ECHO", strangers(1, 48)),
            r#""top": 5"#,
            "1x50 2x50",
            "UNI AAVE LINK LDO CRV",
        ),
        // The list ends with a page that is not full.
        (format!("UNI AAVE {}", strangers(1, 20)), r#""top": 2, "leave_rank": 9"#, "1x50", "UNI AAVE"),
        // What the owner includes is looked for.
        (
            format!("UNI AAVE LINK LDO {} SOL {}", strangers(1, 110), strangers(111, 180)),
            r#""top": 3, "include": ["SOL"]"#,
            "1x50 2x50 3x50",
            "UNI AAVE SOL",
        ),
        (
            format!("UNI AAVE LINK LDO {}", strangers(1, 300)),
            r#""top": 3, "include": ["SOL"]"#,
            "1x50 2x50 3x50 4x50",
            "UNI AAVE LINK",
        ),
        // Five times as many as may matter.
        (
            format!("UNI AAVE LINK LDO CRV SOL {}", strangers(1, 100)),
            r#""top": 3, "leave_rank": 20"#,
            "1x100 2x100",
            "UNI AAVE LINK",
        ),
        // The first coin of the second page was the last of the first one a moment ago.
        (format!("UNI {} AAVE AAVE LINK LDO CRV SOL", strangers(1, 48)), r#""top": 3"#, "1x50 2x50", "UNI AAVE LINK"),
    ];
    side_by_side(&cases, |(coins, rules, expected, members)| {
        let follower = Follower::new(coins, rules);
        follower.good();
        assert_eq!((pages(&follower).as_str(), follower.members().as_str()), (*expected, *members), "{rules}");
        let rank = coins.split_whitespace().position(|coin| members.ends_with(coin)).unwrap() + 1;
        let last = follower.list()["members"].as_array().unwrap().last().unwrap()["rank"].clone();
        assert_eq!(last, rank - usize::from(coins.contains("AAVE AAVE")), "{rules}");
    });
}

#[test]
fn a_page_that_fails_makes_no_list_of_the_pages_before() {
    let coins = format!("UNI AAVE {} LINK LDO CRV SOL ALFA BRAVO CARGO DELTA ECHO", strangers(1, 48));
    let follower = Follower::new(&coins, r#""top": 2, "leave_rank": 5"#);
    // The first page is good.
    follower.source.desk().wrong_from = 1;
    follower.source.fails(Wrong::html(503));
    let run = follower.once();
    assert_eq!((run.code, follower.orders(), pages(&follower).as_str()), (1, 0, "1x50 2x50 2x50 2x50"), "{}", run.log);
}

#[test]
fn the_whole_market_is_asked_for_without_a_category() {
    let follower = Follower::new(COINS, RULES);
    follower.source.rank_in("", "BTC ETH USDT SOL UNI");
    follower.configure(r#""source": "coingecko", "base_url": "SOURCE""#, r#""top": 3"#, "");
    follower.good();
    assert_eq!(follower.members(), "BTC ETH SOL");
    let asked = follower.source.desk().asked[0].clone();
    assert!(!asked.query.contains_key("category") && asked.query["vs_currency"] == "usd", "{}", asked.head);
    assert_eq!(follower.list()["source"], "coingecko (the whole market)");
}
