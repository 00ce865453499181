//! A list of one's own, from a file and from a page: every form of it says the same, and what may be cut, old or wrong
//! is no list.

use crate::follower::{Follower, market, names};
use crate::owner::side_by_side;
use crate::source::{Page, Wrong, now_s};
use std::time::{Duration, SystemTime};

const FILE: &str = r#""source": "list", "list": "mine.txt""#;
const PAGE: &str = r#""source": "list", "list": "PAGE""#;

/// An owner with such a list.
fn follower(place: &str, text: &[u8], rules: &str) -> Follower {
    let follower = Follower::new("", rules);
    follower.configure(place, rules, "");
    lay(&follower, text);
    follower
}

/// The list says something else, in both places, and is of this moment.
fn lay(follower: &Follower, text: &[u8]) {
    std::fs::write(follower.owner.home.join("mine.txt"), text).unwrap();
    follower.source.desk().page = Some(Page { text: text.to_vec(), modified_s: Some(now_s() - 60) });
}

/// The targets as `UNI 50 AAVE 50`, without zeros at the end, in the order of the names.
fn targets(follower: &Follower) -> String {
    let short = |number: &String| number.trim_end_matches('0').trim_end_matches('.').to_string();
    let words = follower.targets().iter().map(|(coin, target)| format!("{coin} {}", short(target))).collect::<Vec<_>>();
    words.join(" ")
}

#[test]
fn every_form_of_a_list_says_the_same() {
    let weighted: [&[u8]; 8] = [
        b"UNI 50\nAAVE 30\nLINK 20\n",
        b"UNI 5\nAAVE 3\nLINK 2\n",
        b"# mine\r\n\r\nuni,50%\r\n  Aave ; 30.0\r\nLINK\t20 # the third\r\n",
        b"\xef\xbb\xbfUNI 0.05\nAAVE 0.03\nLINK 0.02\n# the end\n",
        br#"{"UNI": 50, "AAVE": 3e+1, "LINK": "20"}"#,
        b"[{\"coin\": \"UNI\", \"weight\": 50},\n {\"symbol\": \"aave\", \"market_cap\": 30},\n\
          {\"coin\": \"LINK\", \"weight\": 20, \"name\": null}]\n",
        br#"{"updated": "2026-11-25T10:00:00Z", "coins": {"UNI": 50, "AAVE": 30, "LINK": 20}}"#,
        br#"  {"coins": [{"coin": "UNI", "weight": 50.0}, {"coin": "AAVE", "weight": 30},
            {"coin": "LINK", "weight": 2e1}]}"#,
    ];
    let bare: [&[u8]; 5] = [
        b"UNI\nAAVE\nLINK\n",
        b"\n\nuni\r\naave # second\r\n# DOGE\r\nlink\r\n",
        br#"["UNI", "aave", "LINK"]"#,
        br#"[{"coin": "UNI"}, {"symbol": "AAVE"}, {"coin": "link", "id": "chainlink"}]"#,
        br#"{"coins": ["UNI", "AAVE", "LINK"], "updated": "2026-11-25T10:00:00.000Z"}"#,
    ];
    let even = "AAVE 33.333333 LINK 33.333333 UNI 33.333334";
    let mut cases: Vec<(&str, &[u8], &str, &str)> = Vec::new();
    for place in [FILE, PAGE] {
        cases.extend(weighted.map(|text| (place, text, r#""top": 3"#, "AAVE 30 LINK 20 UNI 50")));
        cases.extend(bare.map(|text| (place, text, r#""top": 3"#, even)));
    }
    cases.extend([
        // The first two of three, and their weights are scaled to 100.
        (FILE, weighted[0], r#""top": 2"#, "AAVE 37.5 UNI 62.5"),
        (FILE, weighted[0], r#""top": 3, "weighting": "equal""#, even),
        (FILE, weighted[0], r#""top": 3, "weighting": "market-cap""#, "AAVE 30 LINK 20 UNI 50"),
        (FILE, weighted[0], r#""top": 3, "max_weight": 40"#, "AAVE 36 LINK 24 UNI 40"),
        (
            FILE,
            b"LINK 1\nUNI 16\nAAVE 9\nLDO 4\n",
            r#""top": 4, "weighting": "sqrt-market-cap""#,
            "AAVE 30 LDO 20 LINK 10 UNI 40",
        ),
        // Its order is that of the ranks, whatever the weights.
        (FILE, b"LINK 1\nUNI 3\nAAVE 96\n", r#""top": 2"#, "LINK 25 UNI 75"),
    ]);
    side_by_side(&cases, |(place, text, rules, expected)| {
        let follower = follower(place, text, rules);
        assert_eq!(targets(&follower), *expected, "{place} {rules} {}", String::from_utf8_lossy(text));
    });
}

#[test]
fn a_list_of_one_s_own_is_bought_and_followed() {
    side_by_side(&[FILE, PAGE], |place| {
        let follower = follower(place, b"UNI 50\nAAVE 30\nLINK 20\nLDO 10\n", r#""top": 3, "refresh": "1s""#);
        follower.good();
        follower.assert_weights("UNI 50 AAVE 30 LINK 20", place);
        let orders = follower.orders();
        follower.later();
        follower.good();
        assert_eq!(follower.orders(), orders, "{place}: the same list");
        // Gone from it is gone.
        lay(&follower, b"UNI 50\nAAVE 30\nLDO 20\n");
        follower.later();
        follower.good();
        assert_eq!((follower.members().as_str(), follower.sales("LINK")), ("UNI AAVE LDO", 1), "{place}");
        follower.assert_weights("UNI 50 AAVE 30 LDO 20", place);
        // The order of the list does not matter to its members, their weights do.
        lay(&follower, b"LDO 50\nUNI 30\nAAVE 20\n");
        follower.later();
        follower.good();
        follower.assert_weights("UNI 30 AAVE 20 LDO 50", place);
        follower.check_orders(place);
    });
}

#[test]
fn a_file_may_lie_elsewhere() {
    let follower = follower(FILE, b"UNI\nAAVE\n", r#""top": 2"#);
    std::fs::create_dir(follower.owner.home.join("lists")).unwrap();
    let elsewhere = follower.owner.home.join("lists/other.json");
    std::fs::write(&elsewhere, r#"["LINK", "LDO"]"#).unwrap();
    for name in ["lists/other.json", "./lists/../lists/other.json", elsewhere.to_str().unwrap()] {
        follower.configure(&format!(r#""source": "list", "list": "{name}""#), r#""top": 2"#, "");
        assert_eq!(targets(&follower), "LDO 50 LINK 50", "{name}");
    }
}

#[test]
fn ids_and_the_same_rules_hold_for_a_list_of_one_s_own() {
    let text = br#"[{"coin": "LUNA", "id": "terra-luna-2"}, {"coin": "USDC"}, {"coin": "UNI", "id": "unicorn-token"},
        "USDT", "UNI", "NOPAIR", "AAVE"]"#;
    let mut world = market();
    world.list("LUNA2_USDT", "0.001", "0.0001", "0.9995", "1.0005");
    let follower = Follower::with(world, "", r#""top": 3"#, "");
    follower.configure(FILE, r#""top": 3"#, "");
    lay(&follower, text);
    assert_eq!(targets(&follower), "AAVE 33.333333 LUNA2 33.333334 UNI 33.333333");
    let run = follower.owner.run(&["universe"]);
    let words = run.out.split_whitespace().collect::<Vec<_>>().join(" ");
    for why in [
        "skipped: a stablecoin; include it by name to have it",
        "skipped: it is not the coin that trades as UNI, which is uniswap",
        "skipped: it is the quote currency",
        "skipped: NOPAIR does not trade against USDT",
    ] {
        assert!(words.contains(why), "{why}: {}", run.out);
    }
}

/// What a list can be that is none, with the reason.
fn wrong_texts() -> Vec<(Vec<u8>, &'static str)> {
    let texts: Vec<(&[u8], &str)> = vec![
        (b"UNI\nAAVE\nLINK\nLDO", "its last line has no end, so it may be cut"),
        (b"UNI\nAAVE\nLINK\nLD", "its last line has no end, so it may be cut"),
        (b"", "the list is empty"),
        (b"\n\n# nothing\n", "the list is empty"),
        (b"[]", "the list is empty"),
        (b"{}", "the list is empty"),
        (b"UNI\nAAVE\nLINK\nUNI\n", "it names UNI twice"),
        (b"UNI\nAAVE\nLINK\nuni\n", "it names UNI twice"),
        (br#"["UNI", "AAVE", "LINK", "UNI"]"#, "it names UNI twice"),
        (br#"{"UNI": 1, "AAVE": 1, "UNI": 1}"#, "it names UNI twice"),
        (b"UNI\nAAVE\n", "only 2 of its coins can be members, and top asks for 3"),
        (b"UNI 50\nAAVE 30\nLINK\n", "some of its coins have a weight and others have none"),
        (b"UNI 50\nAAVE 30\nLINK 0\n", "line 3: the weight of LINK, 0, is no number above 0"),
        (b"UNI 50\nAAVE -30\nLINK 20\n", "line 2: the weight of AAVE, -30, is no number above 0"),
        (b"UNI 50\nAAVE much\nLINK 20\n", "line 2: the weight of AAVE, much, is no number above 0"),
        (b"UNI 50\nAAVE 30 20\nLINK 20\n", "line 2: there is more than a coin and its weight"),
        (b"UNI 50\nA-AVE 30\nLINK 20\n", "line 2: \"A-AVE\" is no coin"),
        (b"UNI\nAAVE\nLINK\n\xff\xfe\n", "it is not UTF-8"),
        ("UNI\nAAVE\nLINK\nÜNI\n".as_bytes(), "is no coin"),
        (b"<!DOCTYPE html>\n<html><body>503</body></html>\n", "the list cannot be read: line 1:"),
        (br#"["UNI", "AAVE", "LINK""#, "the list cannot be read: line 1:"),
        (br#"["UNI", "AAVE", "LINK"] x"#, "the list cannot be read: line 1:"),
        (br#"["UNI", "AAVE", null, "LINK"]"#, "the list cannot be read: line 1:"),
        (br#"["UNI", ["AAVE", "LINK", "LDO"]]"#, "the list cannot be read: line 1:"),
        (br#"{"error": "no such list"}"#, "the list cannot be read: line 1: the weight of ERROR"),
        (br#"{"UNI": 50, "AAVE": null, "LINK": 1}"#, "AAVE has no weight"),
        (br#"{"updated": "yesterday", "coins": ["UNI", "AAVE", "LINK"]}"#, "updated is no time such as"),
        (br#"{"updated": 5, "coins": ["UNI", "AAVE", "LINK"]}"#, "updated is no time such as"),
    ];
    let mut texts: Vec<(Vec<u8>, &str)> = texts.into_iter().map(|(text, why)| (text.to_vec(), why)).collect();
    let many: String = (0..1001).map(|number| format!("MADEUP{number}\n")).collect();
    texts.push((many.into_bytes(), "it has more than 1000 coins"));
    texts.push(("# padding\n".repeat(30_000).into_bytes(), "larger than 262144 bytes"));
    texts
}

/// A good list is bought, then something happens to it: nothing changes, and the owner is told why.
fn keeps_the_last_good_list(follower: &Follower, why: &str, what: &str) {
    let run = follower.good();
    assert_eq!(follower.orders(), 3, "{what}: {}", run.log);
    assert!(run.log.contains(" stays: since ") && run.log.contains(why), "{what}: no {why}: {}", run.log);
    let list = follower.list();
    assert_eq!(names(&list["members"]), "UNI AAVE LINK", "{what}");
    assert!(list["trouble"].as_str().unwrap().contains(why), "{what}: {list}");
}

const GOOD: &[u8] = b"UNI\nAAVE\nLINK\n";

#[test]
fn a_text_that_is_no_list_changes_nothing_and_buys_nothing() {
    let cases: Vec<(&str, Vec<u8>, &str)> = [FILE, PAGE]
        .into_iter()
        .flat_map(|place| wrong_texts().into_iter().map(move |(text, why)| (place, text, why)))
        .collect();
    side_by_side(&cases, |(place, text, why)| {
        let what = format!("{place} {}", String::from_utf8_lossy(&text[..text.len().min(80)]));
        let follower = follower(place, text, r#""top": 3, "refresh": "1s""#);
        let run = follower.once();
        assert_eq!((run.code, follower.orders()), (1, 0), "{what}: {}", run.log);
        let last = run.log.lines().last().unwrap_or_default();
        assert!(last.contains("no list of coins yet: ") && last.contains(why), "{what}: no {why}: {}", run.log);
        lay(&follower, GOOD);
        follower.later();
        follower.good();
        lay(&follower, text);
        follower.later();
        keeps_the_last_good_list(&follower, why, &what);
        lay(&follower, GOOD);
        follower.later();
        follower.good();
        assert!(follower.list()["trouble"].is_null(), "{what}");
        assert_eq!(follower.orders(), 3, "{what}");
    });
}

#[test]
fn a_place_that_is_none_changes_nothing() {
    type Change = fn(&Follower);
    let cases: [(&str, &str, Change, &str); 10] = [
        (
            "no file",
            FILE,
            |follower| std::fs::remove_file(follower.owner.home.join("mine.txt")).unwrap(),
            "mine.txt: No such file",
        ),
        (
            "a folder",
            FILE,
            |follower| {
                std::fs::remove_file(follower.owner.home.join("mine.txt")).unwrap();
                std::fs::create_dir(follower.owner.home.join("mine.txt")).unwrap();
            },
            "mine.txt: it is no regular file",
        ),
        ("no page", PAGE, |follower| follower.source.desk().page = None, "the source refused (http 404)"),
        ("503", PAGE, |follower| follower.source.fails(Wrong::html(503)), "the source failed (http 503)"),
        ("dropped", PAGE, |follower| follower.source.fails(Wrong::Drop), "the source failed (http 503)"),
        ("cut", PAGE, |follower| follower.source.fails(Wrong::Cut(60)), "the list broke off: the body ended after"),
        // At the end of a line, where nothing but the length tells.
        (
            "cut at a line",
            PAGE,
            |follower| {
                lay(follower, b"UNI\nAAVE\nLINK\nLDO\nCRVS\n");
                follower.source.fails(Wrong::Cut(50));
            },
            "the list broke off: the body ended after",
        ),
        ("cut in chunks", PAGE, |follower| follower.source.fails(Wrong::CutChunked(60)), "its last line has no end"),
        ("without end", PAGE, |follower| follower.source.fails(Wrong::Endless), "larger than 262144 bytes"),
        (
            "redirected",
            PAGE,
            |follower| {
                let to = follower.source.url();
                follower.source.fails(Wrong::Redirect(to));
            },
            "redirected elsewhere (http 307), not followed",
        ),
    ];
    side_by_side(&cases, |(name, place, change, why)| {
        let follower = follower(place, GOOD, r#""top": 3, "refresh": "1s""#);
        follower.good();
        change(&follower);
        follower.later();
        keeps_the_last_good_list(&follower, why, name);
    });
}

#[test]
fn lines_without_a_length_are_a_list_as_long_as_they_are_not_fewer() {
    let follower = follower(PAGE, b"UNI\nAAVE\nLINK\nLDO\n", r#""top": 3, "refresh": "1s""#);
    follower.source.fails(Wrong::Chunked);
    follower.good();
    lay(&follower, b"UNI\nAAVE\nLDO\nCRV\n");
    follower.later();
    follower.good();
    assert_eq!(follower.members(), "UNI AAVE LDO");
    // Fewer of them: nobody can tell that from a list that was cut.
    lay(&follower, b"UNI\nCRV\nLDO\n");
    follower.later();
    follower.good();
    assert_eq!(follower.members(), "UNI AAVE LDO");
    let why = "it has 3 coins and had 4, and without its length it may be cut";
    assert!(follower.list()["trouble"].as_str().unwrap().contains(why), "{}", follower.list());
    // With a length whoever keeps the list may shorten it.
    follower.source.mend();
    follower.later_by(60);
    follower.good();
    assert_eq!(follower.members(), "UNI CRV LDO");
}

#[test]
fn json_needs_no_length() {
    let follower = follower(PAGE, br#"["UNI", "AAVE", "LINK"]"#, r#""top": 3, "refresh": "1s""#);
    follower.source.fails(Wrong::Chunked);
    follower.good();
    assert_eq!(follower.members(), "UNI AAVE LINK");
    follower.source.fails(Wrong::CutChunked(90));
    follower.later();
    keeps_the_last_good_list(&follower, "the list cannot be read: line 1:", "cut in chunks");
}

/// A list in JSON that says when it was made.
fn dated(age_s: i64) -> Vec<u8> {
    format!(r#"{{"coins": ["UNI", "AAVE", "LINK"], "updated": "{}"}}"#, crate::source::iso_date(now_s() - age_s))
        .into_bytes()
}

#[test]
fn max_age_is_kept_by_the_file_the_page_or_the_list_itself() {
    const HOUR: i64 = 3600;
    let stale = Err("the list is stale: 2 h");
    let ahead = Err("the list is said to be from");
    let undated = Err("the list does not say how old it is, so max_age cannot be kept");
    // The age of the file or page, the text, and what becomes of it.
    type Case = (&'static str, Option<i64>, Vec<u8>, Result<(), &'static str>);
    let cases: Vec<Case> = vec![
        (FILE, Some(HOUR / 2), GOOD.to_vec(), Ok(())),
        (FILE, Some(2 * HOUR + 300), GOOD.to_vec(), stale),
        (FILE, Some(-HOUR), GOOD.to_vec(), ahead),
        (PAGE, Some(HOUR / 2), GOOD.to_vec(), Ok(())),
        (PAGE, Some(2 * HOUR + 300), GOOD.to_vec(), stale),
        (PAGE, Some(-HOUR), GOOD.to_vec(), ahead),
        (PAGE, None, GOOD.to_vec(), undated),
        // What the list says itself counts, in both directions.
        (FILE, Some(2 * HOUR + 300), dated(HOUR / 2), Ok(())),
        (FILE, Some(0), dated(2 * HOUR + 300), stale),
        (PAGE, Some(0), dated(2 * HOUR + 300), stale),
        (PAGE, None, dated(HOUR / 2), Ok(())),
        (PAGE, None, dated(-HOUR), ahead),
    ];
    let date = |follower: &Follower, age_s: Option<i64>| {
        let at = |age_s: i64| SystemTime::UNIX_EPOCH + Duration::from_secs((now_s() - age_s) as u64);
        let file = std::fs::File::options().write(true).open(follower.owner.home.join("mine.txt")).unwrap();
        file.set_modified(at(age_s.unwrap_or(0))).unwrap();
        follower.source.desk().page.as_mut().unwrap().modified_s = age_s.map(|age_s| now_s() - age_s);
    };
    side_by_side(&cases, |(place, age_s, text, outcome)| {
        let what = format!("{place} {age_s:?} {}", String::from_utf8_lossy(text));
        let rules = r#""top": 3, "refresh": "1s", "max_age": "1h""#;
        // Without a list before it.
        let first = follower(place, text, rules);
        date(&first, *age_s);
        let run = first.once();
        assert_eq!((run.code, first.orders()), outcome.map_or((1, 0), |()| (0, 3)), "{what}: {}", run.log);
        assert!(outcome.err().is_none_or(|why| run.log.contains(why)), "{what}: {}", run.log);
        // And with one.
        let follower = follower(place, GOOD, rules);
        follower.good();
        lay(&follower, text);
        date(&follower, *age_s);
        follower.later();
        match outcome {
            Err(why) => keeps_the_last_good_list(&follower, why, &what),
            Ok(()) => {
                follower.good();
                assert!(follower.list()["trouble"].is_null(), "{what}");
            }
        }
    });
}

#[test]
fn without_max_age_an_old_list_is_as_good_as_a_new_one() {
    let years = 3 * 365 * 86_400;
    side_by_side(&[(FILE, GOOD.to_vec()), (PAGE, GOOD.to_vec()), (FILE, dated(years))], |(place, text)| {
        let follower = follower(place, text, r#""top": 3"#);
        let file = std::fs::File::options().write(true).open(follower.owner.home.join("mine.txt")).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs((now_s() - years) as u64)).unwrap();
        follower.source.desk().page.as_mut().unwrap().modified_s = Some(now_s() - years);
        follower.good();
        assert_eq!(follower.members(), "UNI AAVE LINK", "{place}");
    });
}
