//! The program's own files, which an owner edits and a disk may damage: config and paper account, each beside serde_json's reading.

use super::oracle::{plain, quantity, repeats, same, value};
use super::{Memory, NOW, Replies, Still, coins};
use rebalancer::amount::Percent;
use rebalancer::config::universe::{KEYS, Location, Settings, Source, Weighting};
use rebalancer::config::{Config, Method, Restore, Venue, parse};
use rebalancer::exchange::Exchange;
use rebalancer::exchange::crypto_com::CryptoCom;
use rebalancer::exchange::paper::Paper;
use rebalancer::json::Error;
use rebalancer::log::Log;
use rebalancer::machine::Machine;
use rebalancer::market::{Order, Side, Size};
use rebalancer::store::seal;
use serde_json::Value as Json;
use std::path::{Path, PathBuf};

/// In 10^-18.
const ONE: i128 = 1_000_000_000_000_000_000;

fn sentence(text: &str, line: usize, message: &str) {
    assert!((1..=1 + text.matches('\n').count()).contains(&line), "line {line} of a shorter file: {message}");
    assert!(!message.chars().any(char::is_control), "a control character in {message:?}");
    assert!(message.len() <= 2000, "a sentence of {} bytes: {message}", message.len());
}

/// What came of reading a text as a config: a sentence that can be shown, or what serde_json reads.
pub fn config(text: &str, read: &Result<Config, Error>) {
    let ours = match read {
        Err(error) => return sentence(text, error.line, &error.message),
        Ok(config) => config,
    };
    let json: Json = serde_json::from_str(text).unwrap_or_else(|error| panic!("accepted {text:?}: {error}"));
    assert!(!repeats(text), "accepted a repeated key: {text}");
    let flat = Json::Null;
    let list = json.get("universe");
    assert_eq!(ours.universe.is_some(), list.is_some());
    let full = if json.get("allocation").is_some() || list.is_some() { &json } else { &flat };
    let none = Json::Object(serde_json::Map::new());
    let written =
        if list.is_some() { json.get("allocation").unwrap_or(&none) } else { json.get("allocation").unwrap_or(&json) };
    let allocation = written.as_object().expect("accepted an allocation that is no object");
    assert_eq!(ours.allocation.len(), allocation.len());
    let share = ours.universe.as_ref().map_or(Percent::ZERO, |list| list.share);
    if let (Some(list), Some(ours)) = (list, &ours.universe) {
        settings(list, ours);
    }
    let left = atto(Percent::HUNDRED - share);
    // Percentages of the whole, or parts of what the list leaves.
    let given: f64 = allocation.values().filter_map(Json::as_f64).sum();
    let parts = left < 100 * ONE && (given - 100.0).abs() < 1e-6;
    let mut sum = 0_i128;
    for (coin, percent) in &ours.allocation {
        assert!(
            !coin.is_empty() && coin.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()),
            "{coin}"
        );
        if parts {
            let part = allocation[coin].as_f64().unwrap() * left as f64 / ONE as f64 / 100.0;
            assert!((percent.to_string().parse::<f64>().unwrap() - part).abs() < 1e-9, "{coin}: {percent}, not {part}");
        } else {
            same(percent, &allocation[coin], coin);
        }
        let text = percent.to_string();
        assert!(!text.starts_with('-'), "{coin}: {text}");
        sum += atto(*percent);
    }
    assert_eq!(sum, left, "the sum of {text}");
    let or = |key: &str, default: &str| full.get(key).cloned().unwrap_or_else(|| default.into());
    same(ours.tolerance, &or("tolerance", "5"), "tolerance");
    same(ours.min_trade, &or("min_trade", "5"), "min_trade");
    same(ours.max_spread, &or("max_spread", "5"), "max_spread");
    same(ours.cash_reserve, &or("cash_reserve", "0"), "cash_reserve");
    // Beside a list it has a default.
    let relative = full.get("relative_tolerance").cloned().or(list.map(|_| "20".into()));
    for (key, ours, theirs) in [
        ("relative_tolerance", ours.relative_tolerance.map(|percent| percent.to_string()), relative),
        ("max_trade", ours.max_trade.map(|value| value.to_string()), full.get("max_trade").cloned()),
    ] {
        assert_eq!(ours.is_some(), theirs.is_some(), "{key}");
        ours.iter().for_each(|ours| same(ours, theirs.as_ref().unwrap(), key));
    }
    let venue = if ours.venue == Venue::Paper { "paper" } else { "crypto.com" };
    let method = match ours.method {
        Method::Drifted => "drifted",
        Method::Target => "target",
        Method::Full => "full",
    };
    let restore = match ours.restore {
        Restore::Target => "target",
        Restore::Half => "half",
        Restore::Edge => "edge",
    };
    let unlisted = if ours.sell_unlisted { "sell" } else { "ignore" };
    for (key, ours, default) in [
        ("exchange", venue, "crypto.com"),
        ("method", method, "drifted"),
        ("restore", restore, "target"),
        ("unlisted", unlisted, "ignore"),
        ("quote", ours.quote.as_str(), "USDT"),
    ] {
        assert_eq!(or(key, default), ours, "{key}");
    }
    let url = or("base_url", "https://api.crypto.com/exchange/v1");
    assert_eq!(url.as_str().map(|url| url.trim_end_matches('/')), Some(ours.base_url.as_str()));
}

/// 10^-18.
fn atto(percent: Percent) -> i128 {
    let text = percent.to_string();
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    format!("{whole}{part:0<18}").parse().unwrap()
}

/// The settings of a list, and what serde_json reads of them.
fn settings(json: &Json, ours: &Settings) {
    let known = |key: &String| KEYS.contains(&key.as_str());
    assert!(json.as_object().expect("accepted settings that are no object").keys().all(known));
    let text = |key: &str| json.get(key).map(|value| value.as_str().expect("accepted what is no text").to_string());
    // Whole numbers may be written with a point or an exponent nowhere.
    let count = |key: &str| json.get(key).map(|value| value.as_u64().expect("accepted what is no count") as usize);
    let span = |key: &str| {
        text(key).map(|span| {
            let (number, unit) = span.split_at(span.len() - 1);
            let unit =
                [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)].iter().find(|(name, _)| *name == unit).unwrap().1;
            number.parse::<i64>().unwrap() * unit * 1000
        })
    };
    let names = |key: &str| -> Vec<String> {
        let names = json.get(key).map_or(Vec::new(), |names| names.as_array().unwrap().clone());
        names.iter().map(|name| name.as_str().unwrap().to_string()).collect()
    };
    let day = 86_400_000;
    let top = count("top").expect("accepted a list without a length");
    assert_eq!(ours.rules.top, top);
    assert_eq!(ours.rules.leave_rank, count("leave_rank").unwrap_or(top + (3 * top).div_ceil(10)));
    assert!((1..=100).contains(&top) && (top..=200).contains(&ours.rules.leave_rank));
    assert_eq!(ours.rules.leave_after_ms, span("leave_after").unwrap_or(day));
    assert_eq!(ours.refresh_ms, span("refresh").unwrap_or(day));
    let own = text("source").as_deref() == Some("list");
    assert_eq!(ours.max_age_ms, span("max_age").or((!own).then_some(day)));
    for (key, ours, default) in
        [("share", ours.share, 100), ("max_weight", ours.max_weight, 100), ("min_weight", ours.min_weight, 0)]
    {
        same(ours, &json.get(key).cloned().unwrap_or_else(|| default.into()), key);
        assert!(ours >= Percent::ZERO && ours <= Percent::HUNDRED);
    }
    assert!(ours.share > Percent::ZERO);
    let count = top as i128;
    assert!(atto(ours.max_weight) * count >= 100 * ONE && atto(ours.min_weight) * count <= 100 * ONE);
    assert_eq!((&ours.include, &ours.exclude), (&names("include"), &names("exclude")));
    let weighting = ours.weighting.map(|weighting| match weighting {
        Weighting::Equal => "equal",
        Weighting::Size => "market-cap",
        Weighting::Root => "sqrt-market-cap",
    });
    assert_eq!(weighting, text("weighting").as_deref());
    let bare = |url: &str| url.replace('/', "");
    match &ours.source {
        Source::CoinGecko { category, base_url } => {
            assert_eq!(text("source").as_deref(), Some("coingecko"));
            assert!(*category == text("category") && text("list").is_none());
            let url = text("base_url").unwrap_or_else(|| "https://api.coingecko.com/api/v3".to_string());
            assert_eq!(*base_url, url.trim_end_matches('/'));
        }
        Source::List(place) => {
            assert!(own && text("category").is_none() && text("base_url").is_none());
            let list = text("list").expect("accepted a list that is nowhere");
            match place {
                Location::File(path) => assert_eq!(*path, Path::new("/").join(&list)),
                Location::Address { base, path } => assert_eq!(bare(&format!("{base}{path}")), bare(&list)),
            }
        }
    }
}

fn sell(quantity: &str) -> Order {
    let size = Size::Quantity(self::quantity(quantity));
    Order { symbol: "BTC_USDT".into(), coin: "BTC".into(), side: Side::Sell, size, value: value("1") }
}

fn buy(notional: &str) -> Order {
    let size = Size::Notional(value(notional));
    Order { symbol: "ETH_USDT".into(), coin: "ETH".into(), side: Side::Buy, size, value: value(notional) }
}

/// What comes of opening bytes as a paper account and trading on it. Whether it was accepted.
pub fn paper(bytes: &[u8]) -> bool {
    let path = Path::new("/paper.json");
    let (disk, clock, wire) = (Memory::with(path, bytes), Still::new(), Replies::default());
    let machine = Machine { clock: &clock, disk: &disk, wire: &wire };
    let config = parse(r#"{"BTC":50,"ETH":50}"#, Path::new("/")).map_err(|error| error.message).unwrap();
    let log = Log::new(&clock, 0, false, &|_| ());
    let base = "https://exchange.test/v1";
    let live = || -> Box<dyn Exchange> {
        Box::new(CryptoCom::new(machine, &log, base, "USDT", PathBuf::from("markets.cache"), None))
    };
    let mut account = match Paper::open(&config, machine, live) {
        Ok((account, created)) => {
            assert!(created.is_none(), "a demo in place of a file that is there");
            account
        }
        Err(message) => {
            assert!(disk.get(path) == bytes && disk.files() == 1, "refused, and not left as it is");
            return {
                sentence(std::str::from_utf8(bytes).unwrap_or_default(), 1, &message);
                false
            };
        }
    };
    let text = std::str::from_utf8(bytes).expect("accepted what is no UTF-8");
    let json: Json = serde_json::from_str(text).unwrap_or_else(|error| panic!("accepted {text:?}: {error}"));
    let listings = account.listings(&coins());
    if !repeats(text) {
        let balances = account.balances().map_err(|error| error.message).unwrap();
        assert_eq!(balances.len(), json["balances"].as_object().unwrap().len());
        for balance in balances {
            same(balance.total, &json["balances"][&balance.coin], &balance.coin);
        }
        for (coin, listing) in listings.iter().flat_map(|listings| listings.iter()) {
            let (quote, price) = (listing.quote, &json["prices"][coin]);
            if json["prices"] == "live" {
                continue;
            }
            let quote = quote.expect("a coin without a price");
            let side = |key: &str| if price.is_object() { price[key].clone() } else { price.clone() };
            same(quote.bid, &side("bid"), "bid");
            same(quote.ask, &side("ask"), "ask");
            let tick = price.get("tick").cloned().unwrap_or_else(|| "0.00000001".into());
            same(listing.market.quantity_tick, &tick, "tick");
        }
    }
    let amount = json["balances"]["BTC"].as_str().and_then(plain).unwrap_or_else(|| "0.01".to_string());
    for (id, order) in [("rbx1", sell("0.01")), ("rbx2", buy("12.5")), ("rbx3", sell(&amount)), ("rbx1", sell("0.01"))]
    {
        let before = disk.get(path);
        match account.place(&order, id, NOW) {
            Err(error) => {
                assert!(disk.get(path) == before, "refused, and not left as it is: {}", error.message);
                continue;
            }
            Ok(()) => assert!(account.order(id).is_ok_and(|order| order.is_some()), "placed and not known"),
        }
        let again = Paper::open(&config, machine, live).map_err(|why| panic!("it cannot be read any more: {why}"));
        let (mut again, _) = again.unwrap();
        assert!(again.balances() == account.balances(), "it reads otherwise after an order");
        assert!(again.order(id).is_ok_and(|order| order.is_some()), "the order {id} was lost");
    }
    true
}

/// What a fuzzer's bytes are as a file of sealed lines: themselves, or their lines sealed, as the choice says. Nothing when a line is no text.
pub fn sealed_or_raw(choice: u8, rest: &[u8]) -> Option<Vec<u8>> {
    if choice & 1 == 0 {
        return Some(rest.to_vec());
    }
    let mut file = Vec::new();
    for line in rest.split(|byte| *byte == b'\n') {
        file.extend_from_slice(seal(std::str::from_utf8(line).ok()?).as_bytes());
    }
    Some(file)
}
