//! Properties of every plan over random portfolios. A portfolio is generated as a line of a table, so that a failing
//! one can be put there as it is printed. What fires is computed a second time here, in whole numbers.

use super::{Case, orders, outcome};
use core::fmt::Display;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rebalancer::amount::{Percent, Price, Quantity, Value};
use rebalancer::exchange::Balance;
use rebalancer::market::{Order, Size};
use rebalancer::plan::Plan;
use rebalancer::portfolio::Portfolio;

type Checked = Result<(), TestCaseError>;

/// 100 percent in millionths of a percent.
const HUNDRED: i128 = 100_000_000;

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, rng_seed: RngSeed::Fixed(7), ..ProptestConfig::default() }
}

/// An exact amount in millionths, which all generated cases keep to.
fn micro(amount: impl Display) -> i128 {
    let text = amount.to_string();
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    assert!(part.len() <= 6, "{text} has more than six decimals");
    format!("{whole}{part:0<6}").parse().unwrap()
}

/// A decimal of `number` units in the given place.
fn decimal(number: i128, places: usize) -> String {
    let unit = 10_i128.pow(u32::try_from(places).unwrap());
    format!("{}.{:0places$}", number / unit, number % unit)
}

/// One coin as it is generated: raw numbers that every shrinking step keeps valid.
#[derive(Clone, Debug)]
struct Raw {
    weight: i128,
    /// Value held, in percent of the value at target.
    held: i128,
    /// In cents.
    price: i128,
    /// Half of the spread, in thousandths of the price.
    spread: i128,
    limits: &'static str,
    /// Percent of what is held.
    locked: i128,
    off: bool,
}

fn raw(ideal: bool) -> impl Strategy<Value = Raw> {
    let held = prop_oneof![2 => 0_i128..300, 4 => 80_i128..120, 1 => Just(0), 1 => Just(100)];
    let price = prop::sample::select(vec![1_i128, 50, 100, 307, 9731, 2_500_050]);
    let limits =
        vec!["", "tick=0.0001", "tick=1 spend=1", "min=10", "min=60 tick=0.1", "max=150", "tick=10 max=70", "tick=0.5"];
    let limits = prop::sample::select(if ideal { vec!["tick=0.0001 spend=0.000001"] } else { limits });
    let locked = prop_oneof![4 => Just(0_i128), 1 => 0_i128..=100, 1 => Just(100)];
    let rest = (0_i128..20, limits, locked, prop::bool::weighted(0.1));
    (prop_oneof![1 => Just(0_i128), 6 => 1_i128..100], held, price, rest).prop_map(
        move |(weight, held, price, (spread, limits, locked, off))| {
            let (price, locked) = if ideal { (price.min(9731), 0) } else { (price, locked) };
            Raw { weight, held, price, spread, limits, locked, off: off && !ideal }
        },
    )
}

/// Up to twelve coins and the cash; `unlisted` is held outside the allocation.
fn coins(ideal: bool) -> impl Strategy<Value = String> {
    let cash = (prop_oneof![1 => Just(0_i128), 1 => 1_i128..60], 0_i128..250, 0_i128..40);
    let unlisted = prop::option::weighted(0.2, raw(ideal));
    (prop::collection::vec(raw(ideal), 1..=12), cash, unlisted, 50_i128..100_000).prop_map(
        |(mut coins, (cash, cash_held, idle), unlisted, total)| {
            coins[0].weight += 1;
            let weights: i128 = coins.iter().map(|coin| coin.weight).sum::<i128>() + cash;
            let of = |weight: i128| 10_000 * weight / weights;
            let rest = 10_000 - coins.iter().map(|coin| of(coin.weight)).sum::<i128>() - of(cash);
            let unlisted = unlisted.map(|coin| (coin, "X".to_string(), "-".to_string()));
            let listed = coins.into_iter().enumerate().map(|(at, coin)| {
                let target = of(coin.weight) + if at == 0 { rest } else { 0 };
                (coin, format!("C{at}"), decimal(target, 2))
            });
            let mut lines = Vec::new();
            for (coin, name, target) in listed.chain(unlisted) {
                // In ten-thousandths of a coin; a coin without a weight, or outside the allocation, has some percents.
                let share = if coin.weight == 0 || target == "-" { weights / 12 + 1 } else { coin.weight };
                let quantity = total * share * coin.held * 10_000 / weights / coin.price;
                let half = coin.price * coin.spread / 1000;
                lines.push(format!(
                    "{name} {target} {} bid={} ask={} locked={} {}{}",
                    if quantity == 0 { "0".to_string() } else { decimal(quantity, 4) },
                    decimal(coin.price - half, 2),
                    decimal(coin.price + half, 2),
                    decimal(quantity * coin.locked / 100, 4),
                    coin.limits,
                    if coin.off { " off" } else { "" },
                ));
            }
            let held = total * cash * cash_held / weights + total * idle / 100;
            let target = if cash == 0 { "-".to_string() } else { decimal(of(cash), 2) };
            lines.push(format!("USDT {target} {}", decimal(held, 2)));
            lines.join(", ")
        },
    )
}

fn words(choices: &[&'static str]) -> impl Strategy<Value = &'static str> + use<> {
    prop::sample::select(choices.to_vec())
}

fn rules() -> impl Strategy<Value = String> {
    let band = (0_u32..10, words(&["", "relative_tolerance=5", "relative_tolerance=20", "relative_tolerance=100"]));
    let ways = (words(&["drifted", "drifted", "target", "full"]), words(&["target", "half", "edge"]));
    let size = (words(&["0", "1", "5", "25"]), words(&["", "", "max_trade=200", "max_trade=5000"]));
    let money = (words(&["0", "0", "0.5", "0.075"]), words(&["0", "0", "100", "2000"]));
    let flags = words(&["", "", "", "", "force", "resume", "unlisted=sell", "unlisted=sell", "resume unlisted=sell"]);
    (band, ways, size, money, flags).prop_map(|(band, (method, restore), (min, max), (fee, reserve), flags)| {
        let (tolerance, relative) = band;
        format!(
            "tolerance={tolerance} {relative} method={method} restore={restore} min_trade={min} {max} fee={fee} \
             cash_reserve={reserve} {flags}"
        )
    })
}

/// Where a coin or the cash stands, in millionths of the quote currency; products with a percentage in 10^-14.
struct Model {
    coin: String,
    value: i128,
    /// Value at the target, and at the restore point on this side of it.
    target: i128,
    restore: i128,
    /// Value at the upper edge of its band.
    upper: i128,
    out: bool,
    fires: bool,
}

impl Model {
    fn above(&self) -> bool {
        self.value * HUNDRED > self.target
    }

    /// The coins in the order of the portfolio, then the cash.
    fn all(case: &Case, portfolio: &Portfolio) -> Vec<Model> {
        let total = micro(portfolio.total);
        // A sell is worth what whole ticks bring: `tick` is one at the middle, and at the bid.
        let place = |coin: &str, value: Value, target: Percent, listed: bool, tick: (i128, i128), min: i128| {
            let (value, target) = (micro(value), micro(target));
            let tolerance = micro(case.config.tolerance);
            let relative =
                case.config.relative_tolerance.filter(|_| target > 0).map(|part| target * micro(part) / HUNDRED);
            let band = relative.map_or(tolerance, |relative| relative.min(tolerance));
            let band = if listed { band } else { 0 };
            let stay = match case.config.restore {
                _ if case.rules.force => 0,
                rebalancer::config::Restore::Target => 0,
                rebalancer::config::Restore::Half => band / 2,
                rebalancer::config::Restore::Edge => band,
            };
            let high = value * HUNDRED > total * target;
            let restore = total * if high { target + stay } else { target - stay };
            let (upper, lower) = (total * (target + band), total * (target - band));
            let forced = case.rules.force && value * HUNDRED != total * target;
            let out = value * HUNDRED > upper || value * HUNDRED < lower || forced;
            let mut wanted = (value * HUNDRED - restore).abs();
            if high && tick.0 > 0 {
                wanted = wanted / (tick.0 * HUNDRED) * tick.1 * HUNDRED;
            }
            let fires = out && wanted >= min * HUNDRED && wanted > 0;
            Model { coin: coin.to_string(), value, target: total * target, restore, upper, out, fires }
        };
        let min = micro(case.config.min_trade);
        let coins = portfolio.holdings.iter().map(|holding| {
            let tick = |price: Price| micro(price.value_of(holding.market.quantity_tick).unwrap());
            let least = min.max(micro(holding.market.min_value)).max(tick(holding.quote.ask));
            let ticks = (tick(holding.price), tick(holding.quote.bid));
            place(&holding.coin, holding.value, holding.target, holding.listed, ticks, least)
        });
        let mut cash = place("USDT", portfolio.cash.total, portfolio.cash.target, true, (0, 0), min);
        let idle = cash.value * HUNDRED - cash.target;
        // A percent of the portfolio is what fees may leave over.
        if case.rules.resume && idle > total * HUNDRED / 100 {
            (cash.restore, cash.fires) = (cash.target, cash.fires || idle >= min * HUNDRED);
        }
        coins.chain([cash]).collect()
    }
}

fn sum<'a>(orders: impl IntoIterator<Item = &'a Order>) -> Value {
    orders.into_iter().map(|order| order.value).sum()
}

/// What is true of every plan.
fn sound(case: &Case, portfolio: &Portfolio, plan: &Plan) -> Checked {
    let models = Model::all(case, portfolio);
    let fires = models.iter().any(|model| model.fires);
    // An edge is aimed at with the costs in mind, which may move an order over its minimum.
    if case.config.restore != rebalancer::config::Restore::Edge || case.rules.fee == Percent::ZERO {
        prop_assert_eq!(plan.balanced, !fires);
    }
    prop_assert!(!plan.balanced || orders(plan).is_empty());
    if !models.iter().any(|model| model.out) && !case.rules.resume {
        prop_assert_eq!(outcome(plan), (vec!["balanced".to_string()], Vec::new()));
    }
    let full = case.config.method == rebalancer::config::Method::Full && !case.rules.resume;
    for (holding, model) in portfolio.holdings.iter().zip(&models) {
        let market = &holding.market;
        let of = |orders: &[Order]| -> Vec<Order> {
            orders.iter().filter(|order| order.coin == holding.coin).cloned().collect()
        };
        let (sells, buys) = (of(&plan.sells), of(&plan.buys));
        prop_assert!(full || sells.is_empty() || buys.is_empty(), "{} is sold and bought", holding.coin);
        prop_assert!(market.tradable || sells.is_empty() && buys.is_empty());
        let mut sold = Quantity::ZERO;
        for order in sells.iter().chain(&buys) {
            let worth = match order.size {
                Size::Quantity(quantity) => {
                    prop_assert_eq!(quantity.floor_to_tick(market.quantity_tick), quantity);
                    sold += quantity;
                    holding.price.value_of(quantity).unwrap()
                }
                Size::Notional(value) => {
                    prop_assert_eq!(value.floor_to_tick(market.notional_tick), value);
                    value
                }
            };
            prop_assert_eq!(worth, order.value);
            let tick = holding.price.value_of(market.quantity_tick).unwrap();
            prop_assert!(worth > Value::ZERO && worth >= market.min_value.max(case.config.min_trade).max(tick));
            prop_assert!(market.max_value.is_none_or(|max| worth <= max));
            prop_assert!(case.config.max_trade.is_none_or(|max| worth <= max));
        }
        prop_assert!(sold <= holding.free);
        let (sold, bought) = (micro(sum(&sells)), micro(sum(&buys)));
        // Only method full sells what it lacks and buys it back; what its tick leaves unsold comes on top.
        let kept = if full { 0 } else { model.value };
        prop_assert!(full || sold == 0 || (kept - sold) * HUNDRED >= model.target, "{}", holding.coin);
        prop_assert!(bought == 0 || (kept + bought) * HUNDRED <= model.target, "{}", holding.coin);
        let named = plan.skipped.iter().any(|skip| skip.coin == holding.coin && !skip.reason.is_empty());
        let silent = !named && sells.is_empty() && buys.is_empty();
        prop_assert!(
            !silent || !model.fires && (!model.out || case.rules.force),
            "{}: no order and no reason",
            model.coin
        );
    }
    Ok(())
}

/// Whether the buys can be paid from the cash and from what the sells bring, fees included.
fn funded(case: &Case, portfolio: &Portfolio, plan: &Plan) -> bool {
    let fee = micro(case.rules.fee);
    let cost = micro(sum(&plan.buys)) * (HUNDRED + fee);
    // A reserve that is not all there and free pays for nothing, and without a buy nothing needs paying.
    cost == 0 || cost <= micro(portfolio.cash.spendable) * HUNDRED + micro(sum(&plan.sells)) * (HUNDRED - fee)
}

/// The account after every order was filled at bid and ask; what the cash is short of, by rounding, is forgiven.
fn filled(mut case: Case, portfolio: &Portfolio, plan: &Plan) -> Case {
    let fee = case.rules.fee;
    let cost = |value: Value| value.percent_up(fee).unwrap();
    let mut cash = Value::ZERO;
    for order in plan.sells.iter().chain(&plan.buys) {
        let holding = portfolio.holdings.iter().find(|holding| holding.coin == order.coin).unwrap();
        let change = match order.size {
            Size::Quantity(quantity) => {
                let gained = holding.quote.bid.value_of(quantity).unwrap();
                cash += gained - cost(gained);
                Quantity::ZERO - quantity
            }
            Size::Notional(value) => {
                cash -= value + cost(value);
                holding.quote.ask.quantity_for(value).unwrap()
            }
        };
        change_balance(&mut case.balances, &order.coin, change);
    }
    change_balance(&mut case.balances, "USDT", cash.as_quantity());
    (case.rules.force, case.rules.resume) = (false, false);
    case
}

fn value_of(portfolio: &Portfolio, coin: &str) -> Value {
    let holding = portfolio.holdings.iter().find(|holding| holding.coin == coin);
    // A coin outside the allocation that was sold is no longer there.
    let gone = if coin == "USDT" { portfolio.cash.total } else { Value::ZERO };
    holding.map_or(gone, |holding| holding.value)
}

fn change_balance(balances: &mut Vec<Balance>, coin: &str, change: Quantity) {
    match balances.iter_mut().find(|balance| balance.coin == coin) {
        Some(balance) => balance.total = (balance.total + change).minus_or_zero(Quantity::ZERO),
        None => balances.push(Balance { coin: coin.to_string(), total: change, locked: Quantity::ZERO }),
    }
}

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn what_is_worth_a_value_is_the_largest_quantity_on_the_tick(
        price in 1_i128..1_000_000_000_000_000_000_000, ticks in 0_i128..1_000_000_000, off in -1_i128..=1,
    ) {
        // Prices of all 18 decimals: the value of a quantity on the tick is rounded, and must still lead back to it.
        let price = Price::parse(&decimal(price + 1_000_000_000_000, 18)).unwrap();
        let case = Case::read("A 100 0 tick=0.01", "");
        let market = &case.listings.get("A").unwrap().market;
        let worth = |ticks: i128| price.value_of(Quantity::parse(&decimal(ticks, 2)).unwrap()).unwrap();
        let value = match off {
            -1 => worth(ticks).minus_or_zero(Value::parse("0.000000000000000001").unwrap()),
            off => worth(ticks) + Value::parse(&decimal(off, 18)).unwrap(),
        };
        let quantity = market.quantity_worth(value, price);
        prop_assert_eq!(quantity.floor_to_tick(market.quantity_tick), quantity);
        prop_assert!(price.value_of(quantity).unwrap() <= value);
        prop_assert!(price.value_of(quantity + market.quantity_tick).unwrap() > value);
    }

    #[test]
    fn every_plan_obeys_the_rules(coins in coins(false), rules in rules()) {
        let case = Case::read(&coins, &rules);
        // A reserve above everything there is.
        let Ok(portfolio) = case.try_portfolio() else { return Ok(()) };
        let plan = case.plan();
        sound(&case, &portfolio, &plan)?;
        prop_assert_eq!(outcome(&plan), outcome(&case.plan()));
        let largest_first = |orders: &[Order]| orders.is_sorted_by(|a, b| a.value >= b.value);
        prop_assert!(largest_first(&plan.sells) && largest_first(&plan.buys));
    }

    #[test]
    fn buys_never_cost_more_than_the_cash_and_what_the_sells_bring(coins in coins(false), rules in rules()) {
        let case = Case::read(&coins, &rules);
        // A reserve above everything there is.
        let Ok(portfolio) = case.try_portfolio() else { return Ok(()) };
        let plan = case.plan();
        prop_assert!(funded(&case, &portfolio, &plan), "{}", orders(&plan).join(", "));
    }

    #[test]
    fn a_portfolio_out_of_balance_gets_an_order_or_a_reason(coins in coins(false), rules in rules()) {
        let case = Case::read(&coins, &rules);
        if case.try_portfolio().is_err() {
            return Ok(());
        }
        let plan = case.plan();
        prop_assert!(plan.balanced || !orders(&plan).is_empty() || !plan.skipped.is_empty());
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn every_coin_that_fired_is_restored_and_a_second_plan_is_quiet(
        coins in coins(true), tolerance in 1_u32..10, method in words(&["drifted", "target", "full"]),
        restore in words(&["target", "half", "edge"]), flag in words(&["", "", "resume", "force", "unlisted=sell"]),
    ) {
        let rules = format!("tolerance={tolerance} method={method} restore={restore} min_trade=0.1 {flag}");
        let case = Case::read(&without_spread(&coins), &rules);
        let (portfolio, plan) = (case.portfolio(), case.plan());
        sound(&case, &portfolio, &plan)?;
        let before = Model::all(&case, &portfolio);
        let after = filled(case, &portfolio, &plan);
        let portfolio = after.portfolio();
        // Coins that are off by less than an order can pay nothing: that much may be missing, for each of them.
        let little = 100_000 * HUNDRED * i128::try_from(before.len()).unwrap();
        for model in before.iter().filter(|model| model.fires) {
            // Bought quantities have more decimals than six.
            let value = value_of(&portfolio, &model.coin).floor_to_tick(Value::parse("0.000001").unwrap());
            let value = micro(value) * HUNDRED;
            let (low, high) = if model.above() { (model.target, model.restore) } else { (model.restore, model.target) };
            let restored = (low - little..=high + little).contains(&value);
            prop_assert!(restored, "{} is not restored: {}", model.coin, orders(&plan).join(", "));
        }
        let second = after.plan();
        let quiet = second.balanced && orders(&second).is_empty();
        prop_assert!(quiet, "{} then {}", orders(&plan).join(", "), orders(&second).join(", "));
    }

    #[test]
    fn a_second_plan_is_quiet_after_fees_and_spread(coins in coins(true), rules in quiet_rules(&["target", "half"])) {
        quiet_again(&coins, &rules)?;
    }

    #[test]
    fn a_second_plan_is_quiet_after_an_edge_was_reached_at_a_fee(
        coins in coins(true), rules in quiet_rules(&["edge"]),
    ) {
        quiet_again(&without_spread(&coins), &rules)?;
    }

    #[test]
    fn the_passes_of_one_cycle_are_enough_to_be_quiet_at_an_edge_across_a_spread(
        coins in coins(true), rules in quiet_rules(&["edge"]),
    ) {
        // What costs leave undone is a small part of what was done, and a cycle makes up to three passes.
        let mut case = Case::read(&coins, &rules);
        let (portfolio, plan) = (case.portfolio(), case.plan());
        let at_edge = |model: &Model| !model.fires && model.value * HUNDRED * 103 / 100 > model.upper;
        if funded(&case, &portfolio, &plan) && !Model::all(&case, &portfolio).iter().any(at_edge) {
            let turnover = |plan: &Plan| plan.sells.iter().chain(&plan.buys).map(|order| order.value).sum::<Value>();
            let mut before = turnover(&plan);
            for _ in 0..3 {
                let (portfolio, plan) = (case.portfolio(), case.plan());
                case = filled(case, &portfolio, &plan);
                let now = turnover(&plan);
                prop_assert!(now <= before, "{}", orders(&plan).join(", "));
                before = now;
            }
            let last = case.plan();
            prop_assert!(orders(&last).is_empty(), "{}", orders(&last).join(", "));
        }
    }
}

fn quiet_rules(restores: &[&'static str]) -> impl Strategy<Value = String> + use<> {
    (2_u32..10, words(&["drifted", "target"]), words(restores), words(&["0.5", "0.075"])).prop_map(
        |(tolerance, method, restore, fee)| {
            format!("tolerance={tolerance} method={method} restore={restore} fee={fee}")
        },
    )
}

/// The same coins with an ask that is the bid.
fn without_spread(coins: &str) -> String {
    let bid = |word: &str| word.strip_prefix("bid=").map(|price| format!("price={price}"));
    let words = coins.split(' ').filter(|word| !word.starts_with("ask="));
    words.map(|word| bid(word).unwrap_or(word.to_string())).collect::<Vec<_>>().join(" ")
}

/// Nothing is left to do after a plan, unless its costs alone push something out that was hardly inside its band.
fn quiet_again(coins: &str, rules: &str) -> Checked {
    let case = Case::read(coins, rules);
    let (portfolio, plan) = (case.portfolio(), case.plan());
    let at_edge = |model: &Model| !model.fires && model.value * HUNDRED * 103 / 100 > model.upper;
    if funded(&case, &portfolio, &plan) && !Model::all(&case, &portfolio).iter().any(at_edge) {
        let second = filled(case, &portfolio, &plan).plan();
        prop_assert!(orders(&second).is_empty(), "{} then {}", orders(&plan).join(", "), orders(&second).join(", "));
    }
    Ok(())
}
