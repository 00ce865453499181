//! Everything that can be wrong with a source: with a good list before it nothing changes but what the owner is told,
//! without one nothing is bought, and in both cases it goes on when the source is good again.

use crate::follower::{Follower, names};
use crate::owner::side_by_side;
use crate::source::{Coin, Wrong};

const COINS: &str = "UNI AAVE LINK LDO CRV SOL";
const RULES: &str = r#""top": 4, "refresh": "1s""#;

/// One way in which a source goes wrong.
struct Case {
    name: &'static str,
    go: fn(&Follower),
    /// How often it is asked in one cycle: what may pass is tried three times.
    asked: usize,
    /// What the owner is told.
    why: &'static str,
}

/// A source that answers something else.
fn says(name: &'static str, asked: usize, why: &'static str, go: fn(&Follower)) -> Case {
    Case { name, go, asked, why }
}

/// The right answer's rows, with something done to the text.
fn rows(change: impl Fn(&str) -> Vec<u8>) -> Wrong {
    let rows: Vec<String> = Coin::all(COINS).iter().enumerate().map(|(at, coin)| coin.row(at + 1)).collect();
    Wrong::Says { status: 200, kind: "application/json", body: change(&format!("[{}]", rows.join(","))) }
}

fn on_the_wire() -> Vec<Case> {
    vec![
        says("port closed", 0, "no answer from http://127.0.0.1:1/api/v3", |follower| {
            let category = r#""source": "coingecko", "category": "decentralized-finance-defi""#;
            follower.configure(&format!(r#"{category}, "base_url": "http://127.0.0.1:1/api/v3""#), RULES, "");
        }),
        says("dropped", 3, "the source failed (http 503)", |follower| follower.source.fails(Wrong::Drop)),
        says("cut", 3, "the list broke off: the body ended after", |follower| follower.source.fails(Wrong::Cut(50))),
        says("cut by a little", 3, "the list broke off: the body ended after", |follower| {
            follower.source.fails(Wrong::Cut(99));
        }),
        says("cut at once", 3, "the list broke off: the body ended after 0 of", |follower| {
            follower.source.fails(Wrong::Cut(0));
        }),
        says("cut in chunks", 3, "the list ", |follower| follower.source.fails(Wrong::CutChunked(50))),
        says("without end", 3, "the list cannot be read: the document is larger than it can be", |follower| {
            follower.source.fails(Wrong::Endless);
        }),
        says("too large", 3, "the body is larger than 2097152 bytes", |follower| {
            follower.source.fails(Wrong::Rows { count: 250, padding: 12_000 });
        }),
        says("too many coins", 3, "it has more than 1000 coins", |follower| {
            follower.source.fails(Wrong::Rows { count: 1001, padding: 0 });
        }),
        says("redirected", 3, "redirected elsewhere (http 307), not followed", |follower| {
            let to = follower.source.page_url();
            follower.source.fails(Wrong::Redirect(to));
        }),
    ]
}

fn other_answers() -> Vec<Case> {
    vec![
        says("an empty list", 1, "the list is empty", |follower| follower.source.fails(Wrong::json(200, "[]"))),
        says("an empty body", 3, "the list cannot be read", |follower| follower.source.fails(Wrong::json(200, ""))),
        says("html 200", 3, "the list cannot be read", |follower| follower.source.fails(Wrong::html(200))),
        says("html 502", 3, "the source failed (http 502)", |follower| follower.source.fails(Wrong::html(502))),
        says("html 503", 3, "the source failed (http 503)", |follower| follower.source.fails(Wrong::html(503))),
        says("401", 1, "the source refused (http 401); look at its address and its key", |follower| {
            let body = r#"{"status":{"error_code":10002,"error_message":"API Key Missing"}}"#;
            follower.source.fails(Wrong::json(401, body));
        }),
        says("403", 1, "the source refused (http 403)", |follower| follower.source.fails(Wrong::html(403))),
        says("404", 1, "the source refused (http 404)", |follower| {
            follower.source.fails(Wrong::json(404, r#"{"error":"category not found"}"#));
        }),
        says("400", 1, "the source refused (http 400)", |follower| {
            follower.source.fails(Wrong::json(400, r#"{"error":"invalid parameter"}"#));
        }),
        says("an error with 200", 1, "the source answered something that is no list", |follower| {
            let body = r#"{"status":{"error_code":1008,"error_message":"You've exceeded the Rate Limit."}}"#;
            follower.source.fails(Wrong::json(200, body));
        }),
        says("a list inside an object", 3, "the list cannot be read", |follower| {
            follower.source.fails(rows(|rows| format!("{{\"data\":{rows}}}").into_bytes()));
        }),
        says("no content", 3, "the source failed (http 204)", |follower| follower.source.fails(Wrong::json(204, ""))),
        says("something behind it", 3, "the list cannot be read", |follower| {
            follower.source.fails(rows(|rows| format!("{rows}{rows}").into_bytes()));
        }),
        says("null in the place of a coin", 1, "the list holds something that is no coin", |follower| {
            follower.source.fails(rows(|rows| rows.replacen(",{", ",null,{", 1).into_bytes()));
        }),
        says("a list in the place of a coin", 1, "the list holds something that is no coin", |follower| {
            follower.source.fails(rows(|rows| rows.replacen(",{", ",[1],{", 1).into_bytes()));
        }),
        says("a coin twice", 1, "the list cannot be read: it names LINK twice", |follower| {
            follower.source.rank("UNI AAVE LINK LINK LDO CRV");
        }),
        says("not utf-8", 3, "the document is not UTF-8", |follower| {
            follower.source.fails(rows(|rows| {
                let mut bytes = rows.as_bytes().to_vec();
                let at = rows.find("币").unwrap();
                bytes[at] = 0xff;
                bytes
            }));
        }),
        says("no id", 3, "a coin has no id or no symbol", |follower| {
            follower.source.change("LINK", |coin| coin.without = Some("id"));
        }),
        says("no symbol", 3, "a coin has no id or no symbol", |follower| {
            follower.source.change("SOL", |coin| coin.without = Some("symbol"));
        }),
        says("a row of 20 kB", 3, "the document is larger than it can be", |follower| {
            follower.source.change("LINK", |coin| coin.padding = 20_000);
        }),
    ]
}

fn other_data() -> Vec<Case> {
    vec![
        says("short", 1, "only 3 of its coins can be members, and top asks for 4", |follower| {
            follower.source.rank("UNI AAVE LINK");
        }),
        says("short but for stablecoins", 1, "only 3 of its coins can be members, and top asks for 4", |follower| {
            follower.source.rank("USDT UNI USDC AAVE DAI LINK WBTC STETH");
        }),
        says("stale", 1, "the list is stale: 1 d 1 h old, more than max_age allows", |follower| {
            follower.source.change_all(|coin| coin.age_s = 25 * 3600 + 1800);
        }),
        says("from tomorrow", 1, "the list is said to be from 1 d ahead", |follower| {
            follower.source.change_all(|coin| coin.age_s = -24 * 3600 - 300);
        }),
        says("no dates", 1, "the list does not say how old it is", |follower| {
            follower.source.change_all(|coin| coin.without = Some("last_updated"));
        }),
        says("a cap of null between others", 1, "the market cap of aave is null or zero", |follower| {
            follower.source.change("AAVE", |coin| coin.cap = "null".into());
        }),
        says("a cap of zero between others", 1, "the market cap of aave is null or zero", |follower| {
            follower.source.change("AAVE", |coin| coin.cap = "0".into());
        }),
        says("a cap of 0.0 between others", 1, "the market cap of aave is null or zero", |follower| {
            follower.source.change("AAVE", |coin| coin.cap = "0.0".into());
        }),
        says("no cap between others", 1, "the market cap of aave is null or zero", |follower| {
            follower.source.change("AAVE", |coin| coin.without = Some("market_cap"));
        }),
        says("a member without a cap at the end", 1, "the market cap of the member LDO is null or zero", |follower| {
            ["LDO", "CRV", "SOL"].iter().for_each(|coin| follower.source.change(coin, |coin| coin.cap = "null".into()));
        }),
        says("no caps at all", 1, "the market cap of the member UNI is null or zero", |follower| {
            follower.source.change_all(|coin| coin.cap = "null".into());
        }),
        says("a negative cap between others", 3, "the market cap of aave cannot be read", |follower| {
            follower.source.change("AAVE", |coin| coin.cap = "-5".into());
        }),
        says("a negative cap at the end", 3, "the market cap of solana cannot be read", |follower| {
            follower.source.change("SOL", |coin| coin.cap = "-5".into());
        }),
        says("a text as cap between others", 3, "the market cap of aave cannot be read", |follower| {
            follower.source.change("AAVE", |coin| coin.cap = "\"much\"".into());
        }),
        says("a text as cap at the end", 3, "the market cap of solana cannot be read", |follower| {
            follower.source.change("SOL", |coin| coin.cap = "\"\"".into());
        }),
        says("a cap beyond all caps", 3, "the market cap of aave cannot be read", |follower| {
            follower.source.change("AAVE", |coin| coin.cap = "1e+40".into());
        }),
        says("all other coins", 1, "it replaces 4 of 4 members at once", |follower| {
            follower.source.rank("ALFA BRAVO CARGO DELTA ECHO");
        }),
    ]
}

/// The source is good again.
fn mend(follower: &Follower) {
    follower.source.mend();
    follower.source.rank(COINS);
    follower.follow(RULES, "");
}

/// A good list, then a bad one twice, then a good one.
fn keeps_the_last_good_list(case: &Case) {
    let Case { name, go, asked, why } = case;
    let follower = Follower::new(COINS, RULES);
    follower.good();
    let (before, bought) = (follower.list(), follower.orders());
    assert_eq!(bought, 4, "{name}");
    go(&follower);
    let mut since = None;
    for again in [false, true] {
        follower.later();
        let count = follower.source.count();
        let run = follower.good();
        assert_eq!((follower.source.count() - count, follower.orders()), (*asked, bought), "{name}: {}", run.log);
        let told = run.log.lines().find(|line| line.contains(" the list of ") && line.contains(" stays: since "));
        assert!(told.is_some_and(|line| line.contains(why)), "{name}: no {why}: {}", run.log);
        assert!(run.log.contains("balanced, no order"), "{name}: {}", run.log);

        let count = follower.source.count();
        let list = follower.list();
        let text = follower.owner.run(&["status"]).out;
        assert_eq!(follower.source.count(), count, "{name}: status asked the source");
        assert_eq!((&list["members"], &list["read_at"]), (&before["members"], &before["read_at"]), "{name}");
        assert!(list["trouble"].as_str().is_some_and(|said| said.contains(why)), "{name}: {list}");
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("stays: since ") && words.contains(why), "{name}: {text}");
        // Since when: after the good list, and the second failure does not move it.
        assert!(list["trouble_since"].as_i64() > before["read_at"].as_i64(), "{name}: {list}");
        let since = since.get_or_insert(list["trouble_since"].clone());
        assert_eq!(list["trouble_since"], *since, "{name}: again: {again}");
    }
    mend(&follower);
    follower.later();
    let run = follower.good();
    let list = follower.list();
    assert!(list["trouble"].is_null() && list["trouble_since"].is_null(), "{name}: {list}");
    assert!(!run.log.contains("stays") && !run.log.contains(why), "{name}: {}", run.log);
    assert_eq!((names(&list["members"]).as_str(), follower.orders()), ("UNI AAVE LINK LDO", bought), "{name}");
    assert!(list["read_at"].as_i64() > before["read_at"].as_i64(), "{name}: {list}");
}

#[test]
fn whatever_happens_on_the_wire_the_last_good_list_stays() {
    side_by_side(&on_the_wire(), keeps_the_last_good_list);
}

#[test]
fn whatever_is_answered_the_last_good_list_stays() {
    side_by_side(&other_answers(), keeps_the_last_good_list);
}

#[test]
fn whatever_the_data_are_the_last_good_list_stays() {
    side_by_side(&other_data(), keeps_the_last_good_list);
}

#[test]
fn without_a_good_list_nothing_is_bought_until_there_is_one() {
    // Without members no coin is another one, and none is a member without a cap.
    let known =
        |case: &Case| !matches!(case.name, "all other coins" | "a member without a cap at the end" | "no caps at all");
    let mut cases: Vec<Case> =
        on_the_wire().into_iter().chain(other_answers()).chain(other_data()).filter(known).collect();
    cases.push(says("no caps at all", 1, "only 0 of its coins can be members, and top asks for 4", |follower| {
        follower.source.change_all(|coin| coin.cap = "null".into());
    }));
    cases.push(says("few caps", 1, "only 3 of its coins can be members, and top asks for 4", |follower| {
        ["LDO", "CRV", "SOL"].iter().for_each(|coin| follower.source.change(coin, |coin| coin.cap = "null".into()));
    }));
    side_by_side(&cases, |Case { name, go, asked, why }| {
        let follower = Follower::new(COINS, RULES);
        go(&follower);
        for args in [&["once"][..], &["plan"]] {
            let count = follower.source.count();
            let run = follower.owner.run(args);
            assert_eq!((run.code, follower.source.count() - count), (1, *asked), "{name}: {args:?}: {}", run.log);
            let last = run.log.lines().last().unwrap_or_default();
            assert!(last.starts_with("rebalancer: no list of coins yet: "), "{name}: {args:?}: {}", run.log);
            assert!(last.contains(why), "{name}: {args:?}: no {why}: {}", run.log);
            // The owner's words: one sentence, not a page.
            assert!(last.len() < 500, "{name}: {}", run.log);
        }
        let count = follower.source.count();
        let status = follower.owner.run(&["status"]);
        let words = status.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!((status.code, follower.source.count()), (0, count), "{name}: {}", status.log);
        assert!(words.contains("nothing is traded: no list of coins yet: ") && words.contains(why), "{name}: {words}");
        let run = follower.owner.run(&["universe"]);
        assert_eq!(run.code, 1, "{name}: {}", run.log);
        assert!(run.log.contains(why), "{name}: universe: no {why}: {}", run.log);
        assert_eq!(follower.exchange.world().count("private/create-order"), 0, "{name}");
        mend(&follower);
        follower.later();
        follower.good();
        assert_eq!((follower.members().as_str(), follower.orders()), ("UNI AAVE LINK LDO", 4), "{name}");
        assert!(follower.list()["trouble"].is_null(), "{name}");
    });
}

#[test]
fn what_passes_by_itself_within_a_cycle_is_no_trouble() {
    let cases = [
        ("dropped twice", Wrong::Drop, 2, 3),
        ("html 503 once", Wrong::html(503), 1, 2),
        ("cut once", Wrong::Cut(70), 1, 2),
        // Twenty seconds of silence.
        ("silent once", Wrong::Silent, 1, 2),
        // A line from the last century: seven seconds in all.
        ("slow", Wrong::Drip { bytes: 64, ms: 100 }, u32::MAX, 1),
        ("in chunks", Wrong::Chunked, u32::MAX, 1),
    ];
    side_by_side(&cases, |(name, wrong, times, asked)| {
        let follower = Follower::new(COINS, RULES);
        follower.source.desk().wrong = Some((wrong.clone(), *times));
        let run = follower.good();
        assert_eq!((follower.source.count(), follower.orders()), (*asked, 4), "{name}: {}", run.log);
        assert!(follower.list()["trouble"].is_null(), "{name}");
        follower.assert_weights("UNI 25 AAVE 25 LINK 25 LDO 25", name);
    });
}

#[test]
fn a_coin_without_a_cap_at_the_end_of_the_list_is_skipped_as_long_as_it_is_no_member() {
    let follower = Follower::new(COINS, RULES);
    ["CRV", "SOL"].iter().for_each(|coin| follower.source.change(coin, |coin| coin.cap = "null".into()));
    follower.good();
    assert_eq!(follower.members(), "UNI AAVE LINK LDO");
    let line = follower.line("solana");
    assert_eq!(
        (&line["state"], &line["reason"]),
        (&"skipped".into(), &"the source gives it no market cap or weight".into())
    );
}
