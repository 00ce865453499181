//! The members of a year traded by the real planner, beside the program's own default rules: every order is filled at bid and ask with a
//! fee, and counted.

use super::audit::Audit;
use super::market::{COINS, Day, name};
use rebalancer::amount::{Percent, Price, Quantity, Value};
use rebalancer::config::{Config, parse};
use rebalancer::exchange::{Balance, Listing};
use rebalancer::market::{Market, Order, Quote, Size};
use rebalancer::named::Named;
use rebalancer::plan::{Plan, Rules, plan};
use rebalancer::portfolio::Portfolio;
use rebalancer::universe::members;
use std::path::Path;

/// All amounts are in millionths.
const ONE: i128 = 1_000_000;
/// Half of the spread and the fee, of a thousand.
const HALF_SPREAD: i128 = 1;
const FEE: i128 = 5;
/// The account begins with ten thousand.
const BEGIN: i128 = 10_000 * ONE;
/// After an order or two there is nothing more to do: what fees and rounding leave is no order's worth.
const MOST_ROUNDS: usize = 3;

fn decimal(millionths: i128) -> String {
    format!("{}.{:06}", millionths / ONE, millionths % ONE)
}

fn millionths(amount: impl std::fmt::Display) -> i128 {
    let text = amount.to_string();
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    assert!(part.len() <= 6, "{text} has more than six decimals");
    format!("{whole}{part:0<6}").parse().unwrap()
}

/// An account at an exchange that fills everything.
pub struct Account {
    quantities: Vec<i128>,
    cash: i128,
    /// Bought and sold, and the fees, in the quote currency.
    pub traded: i128,
    pub fees: i128,
    /// What was traded in each cycle, in millionths of the portfolio, summed.
    pub turnover: i128,
    /// The same of coins that had left, alone.
    pub forced: i128,
    pub orders: usize,
}

struct Prices<'a>(&'a [i128]);

impl Prices<'_> {
    fn bid(&self, coin: usize) -> i128 {
        self.0[coin] * (1000 - HALF_SPREAD) / 1000
    }
    fn ask(&self, coin: usize) -> i128 {
        up(self.0[coin] * (1000 + HALF_SPREAD), 1000)
    }
}

/// Divided and rounded up.
fn up(amount: i128, by: i128) -> i128 {
    (amount + by - 1) / by
}

fn number(coin: &str) -> usize {
    coin[1..].parse().unwrap()
}

impl Account {
    pub fn new() -> Account {
        Account { quantities: vec![0; COINS], cash: BEGIN, traded: 0, fees: 0, turnover: 0, forced: 0, orders: 0 }
    }

    fn worth(&self, prices: &Prices<'_>) -> i128 {
        let coins = self.quantities.iter().enumerate().map(|(coin, held)| held * prices.0[coin] / ONE);
        self.cash + coins.sum::<i128>()
    }

    fn portfolio(&self, config: &Config, prices: &Prices<'_>) -> Portfolio {
        let balance = |coin: String, held: i128| Balance {
            coin,
            total: Quantity::parse(&decimal(held)).unwrap(),
            locked: Quantity::ZERO,
        };
        let mut balances = vec![balance("USDT".to_string(), self.cash)];
        let mut listings = Named::new();
        for (coin, held) in self.quantities.iter().enumerate() {
            if *held > 0 {
                balances.push(balance(name(coin), *held));
            }
            let market = Market {
                symbol: format!("{}_USDT", name(coin)),
                base: name(coin),
                quantity_tick: Quantity::parse("0.000001").unwrap(),
                notional_tick: Value::parse("0.01").unwrap(),
                min_value: Value::parse("1").unwrap(),
                max_value: None,
                tradable: true,
            };
            let price = |amount: i128| Price::parse(&decimal(amount)).unwrap();
            let quote = Some(Quote { bid: price(prices.bid(coin)), ask: price(prices.ask(coin)) });
            listings.insert(&name(coin), Listing { market, quote });
        }
        Portfolio::new(config, &balances, &listings).unwrap_or_else(|error| panic!("{error}"))
    }

    fn fill(&mut self, order: &Order, prices: &Prices<'_>) -> i128 {
        let coin = number(&order.coin);
        let (value, fee) = match order.size {
            Size::Quantity(quantity) => {
                let quantity = millionths(quantity);
                self.quantities[coin] -= quantity;
                assert!(self.quantities[coin] >= 0, "sold more of {} than there is", order.coin);
                let value = quantity * prices.bid(coin) / ONE;
                let fee = up(value * FEE, 1000);
                self.cash += value - fee;
                (value, fee)
            }
            Size::Notional(value) => {
                let value = millionths(value);
                self.cash -= value;
                assert!(self.cash >= 0, "spent more than there is on {}", order.coin);
                // The fee is taken in the coin.
                let bought = value * ONE / prices.ask(coin);
                self.quantities[coin] += bought - up(bought * FEE, 1000);
                (value, up(value * FEE, 1000))
            }
        };
        (self.traded, self.fees, self.orders) = (self.traded + value, self.fees + fee, self.orders + 1);
        value
    }

    /// One cycle of the program: plans and trades until nothing is left to do.
    fn cycle(&mut self, members: &[String], prices: &Prices<'_>) {
        // What `Universe::allocate` does with members and with coins that left.
        let mut config = parse(r#"{"universe": {"source": "coingecko", "top": 10}}"#, Path::new("."))
            .map_err(|error| error.message)
            .unwrap();
        let equal = Percent::parse("10").unwrap();
        config.allocation = members.iter().map(|coin| (coin.clone(), equal)).collect();
        let is_member = |coin: usize| members.contains(&name(coin));
        config.departed = (0..COINS).filter(|coin| !is_member(*coin) && self.quantities[*coin] > 0).map(name).collect();
        let total = self.worth(prices);
        let mut rounds = 0;
        let last = loop {
            let rules = Rules::new(&config, Percent::parse("0.5").unwrap(), false, rounds > 0);
            let next: Plan = plan(&self.portfolio(&config, prices), &rules).unwrap();
            if next.is_empty() {
                break next;
            }
            rounds += 1;
            assert!(rounds <= MOST_ROUNDS, "it trades again and again");
            for order in next.sells.iter().chain(&next.buys) {
                let value = self.fill(order, prices);
                self.turnover += value * ONE / total;
                self.forced += if is_member(number(&order.coin)) { 0 } else { value * ONE / total };
            }
        };
        let stuck: Vec<&str> = last.skipped.iter().map(|skip| skip.reason.as_str()).collect();
        assert!(last.balanced && stuck.is_empty(), "{}", stuck.join("; "));
        let total = self.worth(prices);
        for (coin, held) in self.quantities.iter().enumerate() {
            let value = held * prices.0[coin] / ONE;
            match is_member(coin) {
                // A fifth of its target of a tenth, and the minimum of an order.
                true => {
                    let off = (value - total / 10).abs();
                    assert!(off <= total / 50 + 6 * ONE, "{}: {value} of {total}", name(coin));
                }
                false => assert!(value < 5 * ONE, "{value} of {} is left", name(coin)),
            }
        }
    }
}

/// A year with a cycle every so many days; the list is read in each of them, as with its own default of a day. What the first cycle buys
/// belongs to no year. Also what the account is worth at the end.
pub fn trade(days: &[Day], rules: members::Rules, every: usize) -> (Account, Audit, i128) {
    let (mut account, mut audit) = (Account::new(), Audit::new(rules));
    let (mut due, mut worth) = (0, 0);
    for day in days {
        // The first look at or after the day that is due.
        if day.number < due {
            continue;
        }
        if due == every {
            account = Account { quantities: account.quantities, cash: account.cash, ..Account::new() };
        }
        due = (day.number / every + 1) * every;
        let members = audit.look(day);
        let prices = Prices(&day.prices);
        account.cycle(&members, &prices);
        worth = account.worth(&prices);
    }
    (account, audit, worth)
}
