//! The planner from tables and properties: holdings, targets and rules go in through the real config and portfolio,
//! orders and skips come out. A case is one line of text; the tables are in `tests/planner/`, their expected values are
//! worked out by hand. `minimal.rs` compares with a search over all plans.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "planner/minimal.rs"]
mod minimal;
#[path = "planner/properties.rs"]
mod properties;

use rebalancer::amount::{Percent, Price, Quantity, Value};
use rebalancer::config::{self, Config};
use rebalancer::exchange::{Balance, Listing};
use rebalancer::market::{Market, Quote, Size};
use rebalancer::named::Named;
use rebalancer::plan::{self, Plan, Rules};
use rebalancer::portfolio::{self, Portfolio};
use std::path::Path;

/// One account with its rules.
struct Case {
    config: Config,
    rules: Rules,
    balances: Vec<Balance>,
    listings: Named<Listing>,
}

impl Case {
    /// `A 50 560 tick=0.1, B 50 440, USDT - 20` and `fee=0.5 method=full force`. A coin has its target in percent, "-"
    /// when it is outside the allocation, what is held, and options: `price`, or `bid` and `ask`; `tick` of the
    /// quantity, `spend` tick of the money; `min` and `max` of an order; `locked`; `off` when its market is closed.
    fn read(coins: &str, rules: &str) -> Case {
        let (mut allocation, mut balances, mut listings) = (Vec::new(), Vec::new(), Named::new());
        for line in coins.split(',') {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (coin, target, held) = (words[0], words[1], words[2]);
            let option = |name: &str| {
                words[3..].iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('=')).map(str::to_string)
            };
            if target != "-" {
                allocation.push(format!("\"{coin}\": {target}"));
            }
            if held != "0" {
                let locked = amount(&option("locked").unwrap_or("0".into()), Quantity::parse);
                balances.push(Balance { coin: coin.to_string(), total: amount(held, Quantity::parse), locked });
            }
            let price = option("price").unwrap_or("1".into());
            let side = |name: &str| amount(&option(name).unwrap_or(price.clone()), Price::parse);
            let market = Market {
                symbol: format!("{coin}_USDT"),
                base: coin.to_string(),
                quantity_tick: amount(&option("tick").unwrap_or("0.01".into()), Quantity::parse),
                notional_tick: amount(&option("spend").unwrap_or("0.01".into()), Value::parse),
                min_value: amount(&option("min").unwrap_or("0".into()), Value::parse),
                max_value: option("max").map(|max| amount(&max, Value::parse)),
                tradable: !words.contains(&"off"),
            };
            if coin != "USDT" {
                let quote = Some(Quote { bid: side("bid"), ask: side("ask") });
                listings.insert(coin, Listing { market, quote });
            }
        }
        let mut text = format!("{{\"allocation\": {{{}}}", allocation.join(", "));
        let (mut fee, mut force, mut resume) = (Percent::ZERO, false, false);
        for rule in rules.split_whitespace() {
            match rule.split_once('=').unwrap_or((rule, "")) {
                ("force", _) => force = true,
                ("resume", _) => resume = true,
                ("fee", percent) => fee = amount(percent, Percent::parse),
                (key @ ("method" | "restore" | "unlisted"), word) => text.push_str(&format!(", \"{key}\": \"{word}\"")),
                (key, number) => text.push_str(&format!(", \"{key}\": {number}")),
            }
        }
        text.push('}');
        let config = config::parse(&text, Path::new(".")).unwrap_or_else(|error| panic!("{}: {text}", error.message));
        let rules = Rules::new(&config, fee, force, resume);
        Case { config, rules, balances, listings }
    }

    fn try_portfolio(&self) -> Result<Portfolio, portfolio::Error> {
        Portfolio::new(&self.config, &self.balances, &self.listings)
    }

    fn portfolio(&self) -> Portfolio {
        self.try_portfolio().unwrap_or_else(|error| panic!("{error}"))
    }

    fn plan(&self) -> Plan {
        plan::plan(&self.portfolio(), &self.rules).unwrap()
    }
}

fn amount<T>(text: &str, parse: fn(&str) -> Option<T>) -> T {
    parse(text).unwrap_or_else(|| panic!("{text:?} is no amount"))
}

/// The orders of a plan as a table writes them.
fn orders(plan: &Plan) -> Vec<String> {
    let sells = plan.sells.iter().map(|order| match order.size {
        Size::Quantity(quantity) => format!("sell {} {quantity}", order.coin),
        Size::Notional(_) => panic!("a sell of {} has no quantity", order.coin),
    });
    let buys = plan.buys.iter().map(|order| match order.size {
        Size::Notional(value) => format!("buy {} {value}", order.coin),
        Size::Quantity(_) => panic!("a buy of {} has no notional", order.coin),
    });
    sells.chain(buys).collect()
}

/// Orders, or `balanced` or `stuck` when there are none; and what is skipped, with the reason.
fn outcome(plan: &Plan) -> (Vec<String>, Vec<String>) {
    let mut orders = orders(plan);
    match (orders.is_empty(), plan.balanced) {
        (true, true) => orders.push("balanced".to_string()),
        (true, false) => orders.push("stuck".to_string()),
        (false, true) => orders.insert(0, "balanced, but".to_string()),
        (false, false) => {}
    }
    (orders, plan.skipped.iter().map(|skip| format!("skip {} {}", skip.coin, skip.reason)).collect())
}

/// What is wrong with one line of a table.
fn verdict(line: &str) -> Option<String> {
    let columns: Vec<&str> = line.split('|').map(str::trim).collect();
    let [name, coins, rules, expected] = columns[..] else { panic!("not four columns: {line}") };
    let (skips, wanted): (Vec<&str>, Vec<&str>) = expected.split(", ").partition(|word| word.starts_with("skip "));
    let (orders, skipped) = outcome(&Case::read(coins, rules).plan());
    // A skip is given as its coin and a part of the reason.
    let named = |skip: &&str| {
        let (coin, part) = skip["skip ".len()..].split_once(' ').unwrap();
        skipped.iter().any(|skip| skip.strip_prefix(&format!("skip {coin} ")).is_some_and(|why| why.contains(part)))
    };
    let right = orders == wanted && skips.len() == skipped.len() && skips.iter().all(named);
    let shown = [orders, skipped].concat().join(", ");
    (!right).then(|| format!("{name}: {coins} | {rules}\n    expected {expected}\n    planned  {shown}"))
}

fn check_table(table: &str) {
    let cases: Vec<&str> = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(!cases.is_empty());
    let wrong: Vec<String> = cases.iter().filter_map(|line| verdict(line)).collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn coins_fire_outside_their_band_and_only_there() {
    check_table(include_str!("planner/bands.txt"));
}

#[test]
fn money_comes_from_above_and_goes_below() {
    check_table(include_str!("planner/money.txt"));
}

#[test]
fn orders_obey_the_limits_of_their_market() {
    check_table(include_str!("planner/limits.txt"));
}

#[test]
fn a_plan_spends_only_what_its_orders_bring_and_always_says_why_not() {
    check_table(include_str!("planner/open.txt"));
}

#[test]
fn a_reserve_larger_than_the_account_makes_no_portfolio() {
    let account = "A 50 400, B 50 300, USDT - 300";
    assert_eq!(Case::read(account, "cash_reserve=1000").portfolio().total, Value::ZERO);
    let error = Case::read(account, "cash_reserve=1000.01").try_portfolio().err().unwrap();
    assert!(matches!(error, portfolio::Error::Reserve(..)), "{error}");
}

/// The runner itself: a wrong order, a missing skip and a wrong reason are all noticed.
#[test]
fn a_table_line_that_is_wrong_is_noticed() {
    let line = "| A 50 560, B 50 440 off | |";
    assert!(verdict(&format!("right {line} stuck, skip B takes no orders, skip A x")).is_some());
    for wrong in ["sell A 60, skip B takes no orders", "sell A 60.01, skip B takes", "sell A 60", "balanced", "stuck"] {
        let skips = if wrong.contains("skip") { "" } else { ", skip B no such reason" };
        assert!(verdict(&format!("wrong | A 50 561, B 50 440 off | | {wrong}{skips}")).is_some(), "{wrong}");
    }
}

#[test]
fn a_thousand_coins_trade_no_more_than_they_must() {
    // C0 has 11 instead of 1, C1 to C10 have nothing, the others are at their target of 1, a tenth of a percent.
    let held = |at: usize| if at == 0 { 11 } else { usize::from(at > 10) };
    let coins: Vec<String> = (0..1000).map(|at| format!("C{at} 0.1 {}", held(at))).collect();
    let plan = Case::read(&coins.join(","), "tolerance=0.5 min_trade=1").plan();
    let mut wanted = vec!["sell C0 10".to_string()];
    wanted.extend((1..=10).map(|at| format!("buy C{at} 1")));
    assert_eq!(outcome(&plan), (wanted, Vec::new()));
    let quiet: Vec<String> = (0..1000).map(|at| format!("C{at} 0.1 1")).collect();
    assert_eq!(outcome(&Case::read(&quiet.join(","), "tolerance=0 min_trade=0").plan()).0, ["balanced"]);
    // Sold and bought back, all of them.
    let full = Case::read(&quiet.join(","), "method=full force min_trade=1").plan();
    assert!(full.balanced);
    let full = Case::read(&coins.join(","), "method=full tolerance=0.5 min_trade=1").plan();
    assert_eq!((full.sells.len(), full.buys.len()), (990, 1000));
}

#[test]
fn an_order_is_split_into_a_hundred_pieces_at_most() {
    let plan = Case::read("A 50 200, B 50 0", "min_trade=1 max_trade=1").plan();
    assert_eq!(orders(&plan), [vec!["sell A 1"; 100], vec!["buy B 1"; 100]].concat());
    let plan = Case::read("A 50 202, B 50 0", "min_trade=1 max_trade=1").plan();
    assert!(orders(&plan).is_empty());
    assert_eq!(plan.skipped.iter().map(|skip| skip.coin.as_str()).collect::<Vec<_>>(), ["A", "B"]);
}

#[test]
fn an_amount_that_is_too_large_to_count_makes_no_plan() {
    let case = Case::read("A 50 50000000000000000, B 50 50000000000000000", "");
    assert!(plan::plan(&case.portfolio(), &case.rules).is_none());
    let case = Case::read("A 50 500000000000000, B 50 100000000000000", "");
    assert_eq!(orders(&case.plan()), ["sell A 200000000000000", "buy B 200000000000000"]);
}
