//! The list that a portfolio follows, from outside: it is bought and then left alone, in the weights that were asked
//! for, and what is no coin of the list is not on it.

use crate::exchange::{Dec, World, dec};
use crate::follower::{Follower, market, names, text};
use crate::owner::side_by_side;
use crate::source::Wrong;
use std::collections::BTreeSet;

#[test]
fn the_first_list_is_bought_and_the_second_run_is_quiet() {
    let follower = Follower::new("UNI AAVE LINK LDO CRV SOL", r#""top": 4"#);
    let run = follower.good();
    assert!(run.log.contains("UNI, AAVE, LINK, LDO enter the list"), "{}", run.log);
    assert_eq!(follower.orders(), 4);
    follower.assert_weights("UNI 25 AAVE 25 LINK 25 LDO 25", "bought");
    follower.check_orders("bought");
    let asked = follower.source.desk().asked.clone();
    assert_eq!(asked.len(), 1);
    let question = "/api/v3/coins/markets?vs_currency=usd&category=decentralized-finance-defi\
                    &order=market_cap_desc&per_page=50&page=1&sparkline=false";
    assert!(asked[0].head.starts_with(&format!("GET {question} HTTP/1.1\r\n")), "{}", asked[0].head);
    assert!(!asked[0].head.to_lowercase().contains("x-cg-"), "no key was given: {}", asked[0].head);

    let state = follower.state();
    let run = follower.good();
    assert_eq!((follower.orders(), follower.source.count()), (4, 1), "{}", run.log);
    assert_eq!(follower.state(), state);
    assert_eq!(follower.members(), "UNI AAVE LINK LDO");
    assert_eq!(follower.source.count(), 1, "status asked the source");
}

#[test]
fn a_list_that_is_due_is_read_again_and_the_same_list_trades_nothing() {
    let follower = Follower::new("UNI AAVE LINK LDO CRV SOL", r#""top": 4, "refresh": "1s""#);
    follower.good();
    let before = follower.list();
    follower.later();
    // The order inside the top says nothing; an answer in chunks says the same.
    follower.source.rank("LDO UNI LINK AAVE SOL CRV");
    follower.source.fails(Wrong::Chunked);
    follower.good();
    assert_eq!((follower.orders(), follower.source.count()), (4, 2));
    let after = follower.list();
    assert_eq!(
        (names(&before["members"]), names(&after["members"])),
        ("UNI AAVE LINK LDO".into(), "LDO UNI LINK AAVE".into())
    );
    for member in after["members"].as_array().unwrap() {
        assert_eq!(member["since"], before["read_at"], "a member since the first list: {member}");
    }
    assert!(after["read_at"].as_i64().unwrap() > before["read_at"].as_i64().unwrap());
}

#[test]
fn every_weighting_gives_the_targets_that_were_computed_by_hand() {
    let sizes = "UNI=600000 AAVE=300000 LINK=100000 LDO=5000";
    let cases = [
        (sizes, "market-cap", r#""top": 3"#, "", "UNI 60 AAVE 30 LINK 10"),
        // As CoinGecko writes large numbers.
        ("UNI=6e+11 AAVE=3.0e11 LINK=100000000000.0", "market-cap", r#""top": 3"#, "", "UNI 60 AAVE 30 LINK 10"),
        (sizes, "equal", r#""top": 3"#, "", "UNI 33.333334 AAVE 33.333333 LINK 33.333333"),
        // Nothing is said, and CoinGecko's list has no weights of its own.
        (sizes, "", r#""top": 4"#, "", "UNI 25 AAVE 25 LINK 25 LDO 25"),
        // What the first has above 50 is shared by the others as 3 to 1.
        (sizes, "market-cap", r#""top": 3, "max_weight": 50"#, "", "UNI 50 AAVE 37.5 LINK 12.5"),
        // 60 as 3 to 1 would be 45 and 15, and 45 is above 40 as well.
        (sizes, "market-cap", r#""top": 3, "max_weight": 40"#, "", "UNI 40 AAVE 40 LINK 20"),
        // 80 as 2 to 1: the millionth that is left goes to the first.
        (sizes, "market-cap", r#""top": 3, "min_weight": 20"#, "", "UNI 53.333334 AAVE 26.666666 LINK 20"),
        (
            "UNI=98 AAVE=1 LINK=1",
            "market-cap",
            r#""top": 3, "min_weight": 2, "max_weight": 50"#,
            "",
            "UNI 50 AAVE 25 LINK 25",
        ),
        // Roots of 4, 3, 2 and 1.
        ("UNI=16 AAVE=9 LINK=4 LDO=1", "sqrt-market-cap", r#""top": 4"#, "", "UNI 40 AAVE 30 LINK 20 LDO 10"),
        // 1.41421356 of 2.41421356 is 58.57864376 percent.
        ("UNI=2 AAVE=1", "sqrt-market-cap", r#""top": 2"#, "", "UNI 58.578644 AAVE 41.421356"),
        // The root of 10^12 is 10^6: a millionth of the other's cap, a thousandth of its weight.
        ("UNI=1e12 AAVE=1000000", "sqrt-market-cap", r#""top": 2"#, "", "UNI 99.900100 AAVE 0.099900"),
        // 80 percent of the portfolio; the rest is written as such, or in parts of it.
        (
            sizes,
            "market-cap",
            r#""top": 3, "share": 80"#,
            r#"{"BTC": 15, "ETH": 5}"#,
            "BTC 15 ETH 5 UNI 48 AAVE 24 LINK 8",
        ),
        (
            sizes,
            "market-cap",
            r#""top": 3, "share": 80"#,
            r#"{"BTC": 75, "ETH": 25}"#,
            "BTC 15 ETH 5 UNI 48 AAVE 24 LINK 8",
        ),
        (sizes, "market-cap", r#""top": 3, "share": 12.5"#, r#"{"BTC": 100}"#, "BTC 87.5 UNI 7.5 AAVE 3.75 LINK 1.25"),
        // Cash has a weight as any other coin has.
        (sizes, "market-cap", r#""top": 3, "share": 80"#, r#"{"USDT": 20}"#, "USDT 20 UNI 48 AAVE 24 LINK 8"),
        // A coin with a weight of its own is passed over in the list, and the next takes its place.
        (sizes, "market-cap", r#""top": 2, "share": 80"#, r#"{"UNI": 20}"#, "UNI 20 AAVE 60 LINK 20"),
    ];
    side_by_side(&cases, |(coins, weighting, rules, allocation, expected)| {
        let weighting = if weighting.is_empty() { String::new() } else { format!(r#", "weighting": "{weighting}""#) };
        let keys = if allocation.is_empty() { String::new() } else { format!(r#""allocation": {allocation},"#) };
        let follower = Follower::with(market(), coins, &format!("{rules}{weighting}"), &keys);
        let targets = follower.targets();
        let what = format!("{coins} {weighting} {rules} {allocation}: {targets:?}");
        let words: Vec<&str> = expected.split(' ').collect();
        assert_eq!(targets.len() * 2, words.len(), "{what}");
        for pair in words.chunks(2) {
            // Caps are halved together until they have thirty bits: the last of the six decimals may be off by one.
            let off = dec(&targets[pair[0]]) - dec(pair[1]);
            let millionth = dec("0.000001");
            assert!(off <= millionth && -off <= millionth, "{} {}: {what}", pair[0], pair[1]);
        }
        let sum: Dec = targets.values().map(|target| dec(target)).sum();
        assert_eq!(sum, dec("100"), "{what}");
    });
}

#[test]
fn a_share_of_the_portfolio_is_bought_beside_the_fixed_coins() {
    let cases = [r#""allocation": {"BTC": 30, "USDT": 10},"#, r#""allocation": {"BTC": 75, "USDT": 25},"#];
    side_by_side(&cases, |keys| {
        // The fixed coin is the first of the list.
        let follower =
            Follower::with(market(), "BTC UNI AAVE LINK", r#""top": 2, "share": 60, "weighting": "equal""#, keys);
        follower.good();
        follower.assert_weights("BTC 30 USDT 10 UNI 30 AAVE 30", keys);
        let orders = follower.orders();
        follower.good();
        assert_eq!(follower.orders(), orders, "{keys}");
    });
}

/// The reason why a coin of the list is skipped, by the source's id.
fn assert_skipped(follower: &Follower, id: &str, reason: &str) {
    let line = follower.line(id);
    assert_eq!(line["state"], "skipped", "{line}");
    assert!(text(&line["reason"]).contains(reason), "{reason}: {line}");
    assert_eq!((line["place"].is_null(), line["weight"].is_null()), (true, true), "{line}");
}

#[test]
fn what_is_no_coin_of_its_own_is_skipped_and_named() {
    let coins = "USDT USDC BTC DAI STETH WBTC RETH/rocket-pool-eth UNI AAVE LINK LDO CRV SOL";
    let rules = r#""top": 2, "share": 90, "exclude": ["UNI", "chainlink"]"#;
    let follower = Follower::with(market(), coins, rules, r#""allocation": {"BTC": 10},"#);
    let reasons = [
        ("tether", "quote currency"),
        ("usd-coin", "stablecoin"),
        ("bitcoin", "weight of its own in the allocation"),
        ("dai", "stablecoin"),
        ("staked-ether", "wrapped or staked"),
        ("wrapped-bitcoin", "wrapped or staked"),
        // Its id does not say so.
        ("rocket-pool-eth", "wrapped or staked"),
        ("uniswap", "excluded by the config"),
        ("chainlink", "excluded by the config"),
    ];
    side_by_side(&reasons, |(id, reason)| assert_skipped(&follower, id, reason));
    let lines = ["aave", "lido-dao", "curve-dao-token"].map(|id| follower.line(id));
    let seen = lines.map(|line| format!("{} {} {} {}", line["state"], line["rank"], line["place"], line["pair"]));
    assert_eq!(seen, [r#""enters" 9 1 "AAVE_USDT""#, r#""enters" 11 2 "LDO_USDT""#, r#""candidate" 12 3 "CRV_USDT""#]);
    follower.good();
    follower.assert_weights("BTC 10 AAVE 45 LDO 45", "bought");
}

#[test]
fn what_the_owner_includes_is_a_member_whatever_it_is_and_wherever() {
    let coins = "UNI AAVE LINK LDO CRV USDC WBTC SOL";
    let cases = [
        (r#"["USDC"]"#, "UNI AAVE USDC"),
        (r#"["usd-coin"]"#, "UNI AAVE USDC"),
        (r#"["wrapped-bitcoin"]"#, "UNI AAVE WBTC"),
        (r#"["SOL"]"#, "UNI AAVE SOL"),
        (r#"["solana", "curve-dao-token"]"#, "UNI CRV SOL"),
        (r#"["UNI"]"#, "UNI AAVE LINK"),
        // Not on the list: a wish, not a place that stays empty.
        (r#"["DOGE"]"#, "UNI AAVE LINK"),
    ];
    side_by_side(&cases, |(include, members)| {
        let mut world = market();
        world.list("WBTC_USDT", "0.00001", "0.01", "59990", "60010");
        let follower = Follower::with(world, coins, &format!(r#""top": 3, "include": {include}"#), "");
        follower.good();
        assert_eq!(follower.members(), *members, "{include}");
        follower.check_orders(include);
    });
}

#[test]
fn coins_that_share_a_symbol_are_told_apart_by_their_ids() {
    let coins = "LUNA/terra-luna-2 LUNC/terra-luna VELO/velodrome-finance VELO/velo UNI/unicorn-token \
                 FOXTROT/foxtrot-a UNI FOXTROT/foxtrot-b AAVE LINK";
    let cases = [
        (r#""top": 6"#, "LUNA2 LUNC VELODROME VELO UNI AAVE"),
        // With one of the two out of the way the other is the coin.
        (r#""top": 6, "exclude": ["foxtrot-a"]"#, "LUNA2 LUNC VELODROME VELO UNI FOXTROT"),
    ];
    side_by_side(&cases, |(rules, members)| {
        let mut world = market();
        for coin in ["LUNA", "LUNA2", "LUNC", "VELO", "VELODROME"] {
            world.list(&format!("{coin}_USDT"), "0.001", "0.0001", "0.9995", "1.0005");
        }
        let follower = Follower::with(world, coins, rules, "");
        assert_skipped(&follower, "unicorn-token", "not the coin that trades as UNI, which is uniswap");
        let why = if rules.contains("exclude") { "excluded" } else { "2 coins of this name" };
        assert_skipped(&follower, "foxtrot-a", why);
        follower.good();
        assert_eq!(follower.members(), *members);
        let bought: BTreeSet<String> =
            follower.exchange.world().orders.iter().map(|order| order.symbol.clone()).collect();
        let expected: BTreeSet<String> = members.split(' ').map(|coin| format!("{coin}_USDT")).collect();
        assert_eq!(bought, expected);
    });
}

#[test]
fn a_namesake_of_a_member_is_another_coin() {
    let follower = Follower::new("UNI FOXTROT/foxtrot-a AAVE LINK", r#""top": 2, "refresh": "1s", "leave_rank": 4"#);
    follower.good();
    follower.later();
    // A new coin takes the symbol, and is larger.
    follower.source.rank("FOXTROT/foxtrot-b UNI FOXTROT/foxtrot-a AAVE LINK");
    assert_skipped(&follower, "foxtrot-b", "another coin than the member FOXTROT, with the same name");
    follower.good();
    assert_eq!((follower.members().as_str(), follower.orders()), ("UNI FOXTROT", 2));
    assert_eq!(follower.list()["members"][1]["id"], "foxtrot-a");
}

/// Six coins that cannot be traded in six ways, before two that can.
fn odd_market() -> World {
    let mut world = market();
    world.markets.remove("UNI_USDT");
    world.market("AAVE_USDT").tradable = false;
    world.market("LINK_USDT").set("90", "110");
    world.market("LDO_USDT").bid = None;
    world.market("CRV_USDT").set("101", "100");
    world.market("SOL_USDT").ask = Some(Dec::ZERO);
    world
}

#[test]
fn a_coin_that_cannot_be_traded_is_skipped_and_the_next_in_rank_takes_its_place() {
    let coins = "UNI AAVE LINK LDO CRV SOL ALFA BRAVO CARGO";
    let follower = Follower::with(odd_market(), coins, r#""top": 2, "refresh": "1s""#, "");
    let reasons = [
        ("uniswap", "UNI does not trade against USDT"),
        ("aave", "it takes no orders now"),
        ("chainlink", "more than max_spread, 5 percent, apart"),
        ("lido-dao", "no bid and ask"),
        ("curve-dao-token", "the bid 101 is above the ask 100"),
        ("solana", "ask 0"),
    ];
    side_by_side(&reasons, |(id, reason)| assert_skipped(&follower, id, reason));
    follower.good();
    follower.assert_weights("ALFA 50 BRAVO 50", "bought");
    let list = follower.list();
    let places =
        [&list["members"][0], &list["members"][1]].map(|member| (member["rank"].clone(), member["place"].clone()));
    assert_eq!(places, [(7.into(), 1.into()), (8.into(), 2.into())]);
}

#[test]
fn a_member_without_trading_or_a_believable_price_for_a_while_is_not_replaced() {
    type Change = fn(&mut crate::exchange::Market);
    let cases: [(&str, Change, i32); 5] = [
        ("halted", |market| market.tradable = false, 0),
        ("a wide spread", |market| market.set("90", "110"), 1),
        ("no bid", |market| market.bid = None, 1),
        ("crossed", |market| market.set("101", "100"), 1),
        ("a price of zero", |market| market.ask = Some(Dec::ZERO), 1),
    ];
    side_by_side(&cases, |(name, change, code)| {
        let follower = Follower::new("UNI AAVE LINK LDO CRV", r#""top": 3, "refresh": "1s""#);
        follower.good();
        let orders = follower.orders();
        follower.later();
        change(follower.exchange.world().market("AAVE_USDT"));
        let run = follower.owner.run(&["once"]);
        assert_eq!(run.code, *code, "{name}: {}", run.log);
        assert!(*code == 0 || run.log.contains("the price of AAVE is not believed"), "{name}: {}", run.log);
        assert_eq!((follower.orders(), follower.source.count()), (orders, 2), "{name}");
        follower.exchange.world().market("AAVE_USDT").set("99.95", "100.05");
        follower.exchange.world().market("AAVE_USDT").tradable = true;
        follower.good();
        assert_eq!((follower.members().as_str(), follower.orders()), ("UNI AAVE LINK", orders), "{name}");
    });
}
