//! A cycle: recover, look, plan, sell, confirm, look again, buy, verify.
//!
//! Every order is in the journal, synced, before it is sent. Its result is what was filled, read by our id, never the answer to
//! sending it. While one is unknown no other is sent. An order that nobody knows counts as never placed only after the exchange
//! can no longer accept it; then it may be sent once more under the same id. Balances lag behind fills, so after trading they
//! are read until they show it. Knows the [`Exchange`] trait, never a venue.

mod order;
mod settle;

use crate::amount::{Quantity, Value};
use crate::clock::{Clock, MOST_CLOCK_ERROR_MS, span};
use crate::config::{Config, Method};
use crate::exchange::{self, Balance, Exchange, Kind, Millis, OrderState};
use crate::journal::{Intent, Journal};
use crate::log::Log;
use crate::market::{Order, Size};
use crate::plan::{self, Plan, Rules};
use crate::portfolio::{self, Portfolio};
use crate::store;
use crate::universe::{self, Purpose, Universe};
use core::fmt;
use order::{FOLLOW_MS, never_placed};
use std::rc::Rc;

/// A cycle trades, looks whether everything is inside its band, and trades what is left over: fees and rounding leave a
/// little, and with narrow bands a little is too much. Each pass trades a small part of the one before.
const PASSES: u32 = 3;

/// After this long a cycle sends no further order, so that it ends by itself before the daemon ends it: hundreds of orders, or an
/// exchange that answers each request at the last moment. The next run goes on from there.
const LONGEST_MS: Millis = 1_500_000;

/// Why a cycle did not end well.
pub enum Failure {
    /// The exchange failed; no order is unknown.
    Exchange(exchange::Error),
    /// What the exchange told makes no portfolio.
    Portfolio(portfolio::Error),
    /// The journal or another file failed.
    Store(store::Error),
    /// The clock, ours or the exchange's, cannot be relied on.
    Clock(String),
    /// There is no list of coins to follow.
    List(String),
    /// Orders were refused; the sentence names them.
    Refused(String),
    /// Balances do not show what was traded.
    Unsettled(String),
    /// It has taken too long.
    Late(String),
    /// An order's outcome is unknown.
    Unknown(String),
}

impl Failure {
    /// The program's exit code for it; `traded` when orders were sent before.
    pub fn exit_code(&self, traded: bool) -> u8 {
        match self {
            Failure::Unknown(_) => 3,
            _ if traded => 1,
            Failure::Portfolio(portfolio::Error::NoMarket(..)) => 2,
            Failure::Exchange(error) if error.kind == Kind::NotAuthorised => 2,
            _ => 1,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Exchange(error) => f.write_str(&error.message),
            Failure::Portfolio(error) => write!(f, "{error}"),
            Failure::Store(error) => write!(f, "{error}"),
            Failure::Clock(why)
            | Failure::List(why)
            | Failure::Refused(why)
            | Failure::Unsettled(why)
            | Failure::Late(why)
            | Failure::Unknown(why) => f.write_str(why),
        }
    }
}

impl From<exchange::Error> for Failure {
    fn from(error: exchange::Error) -> Failure {
        Failure::Exchange(error)
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Failure {
        Failure::Store(error)
    }
}

impl From<universe::Failure> for Failure {
    fn from(failure: universe::Failure) -> Failure {
        match failure {
            universe::Failure::None(why) => Failure::List(why),
            universe::Failure::Exchange(error) => Failure::Exchange(error),
            universe::Failure::Store(error) => Failure::Store(error),
        }
    }
}

/// An order that was sent, and what became of it.
pub struct Placed {
    /// The order.
    pub order: Order,
    /// Our id.
    pub client_id: String,
    /// What the exchange says of it in the end.
    pub state: OrderState,
    /// Why it was refused, if it was.
    pub refused: Option<String>,
}

impl Placed {
    /// Why the next run must look at this order's coin again: refused, or ended with less than half of it filled.
    fn complaint(&self) -> Option<String> {
        let order = sentence(&self.order);
        match &self.refused {
            Some(why) => Some(format!("{order} was refused: {why}")),
            None if self.state.filled_value < self.order.value.half() => {
                Some(format!("{order} ended as {} with {} filled", self.state.status, self.state.filled_value))
            }
            None => None,
        }
    }
}

impl Report {
    /// Whether something was bought or sold.
    pub fn traded(&self) -> bool {
        self.placed.iter().any(|placed| placed.state.filled_quantity > Quantity::ZERO)
    }

    /// What a failed cycle did with money, in a sentence for the end of its error.
    pub fn money(&self) -> String {
        let filled = self.placed.iter().filter(|placed| placed.state.filled_quantity > Quantity::ZERO);
        let done: Vec<String> = filled.map(|placed| order::outcome(&placed.order, &placed.state)).collect();
        let unknown = self.placed.iter().any(|placed| placed.state.status == order::UNKNOWN);
        match (self.placed.is_empty(), done.is_empty()) {
            (true, _) => "no order was sent".to_string(),
            (false, true) if unknown => "nothing else was bought or sold".to_string(),
            (false, true) => "nothing was bought or sold".to_string(),
            (false, false) => format!("done so far: {}; the next run goes on from there", done.join(", ")),
        }
    }
}

/// What a cycle did, also when it failed half way.
#[derive(Default)]
pub struct Report {
    /// The portfolio before.
    pub before: Option<Rc<Portfolio>>,
    /// What was planned.
    pub plan: Option<Rc<Plan>>,
    /// What was sent.
    pub placed: Vec<Placed>,
    /// Buys that were left out because the sells brought too little.
    pub dropped: Vec<String>,
    /// The portfolio after, when orders were sent.
    pub after: Option<Rc<Portfolio>>,
}

/// Balances, rules and prices become a portfolio: the same reading for every command.
///
/// # Errors
/// What the exchange or the portfolio says.
pub fn look(exchange: &mut dyn Exchange, config: &Config) -> Result<Portfolio, Failure> {
    let balances = exchange.balances()?;
    portfolio_of(exchange, config, &balances)
}

fn portfolio_of(exchange: &mut dyn Exchange, config: &Config, balances: &[Balance]) -> Result<Portfolio, Failure> {
    let listings = exchange.listings(&portfolio::coins(config, balances))?;
    Portfolio::new(config, balances, &listings).map_err(Failure::Portfolio)
}

/// Compares our clock with the exchange's.
///
/// # Errors
/// [`Failure::Clock`] when it is off, or the exchange did not tell its time.
pub fn check_clock(exchange: &dyn Exchange, clock: &dyn Clock) -> Result<(), Failure> {
    let Some(time) = exchange.time() else {
        return Err(Failure::Clock("the exchange did not tell its time, so the clock cannot be checked".to_string()));
    };
    let ahead = clock.now() - time;
    if ahead.abs() <= MOST_CLOCK_ERROR_MS {
        return Ok(());
    }
    let way = if ahead > 0 { "ahead of" } else { "behind" };
    let off = span(ahead.abs());
    Err(Failure::Clock(format!("this machine's clock is {off} {way} the exchange's; set it (NTP) first")))
}

/// Plans for a portfolio.
///
/// # Errors
/// When an amount is too large to count.
pub fn plan_for(portfolio: &Portfolio, rules: &Rules) -> Result<Plan, Failure> {
    plan::plan(portfolio, rules)
        .ok_or_else(|| Failure::Portfolio(portfolio::Error::TooLarge(portfolio.cash.coin.clone())))
}

/// Everything a cycle works with.
pub struct Cycle<'a> {
    /// The venue.
    pub exchange: &'a mut dyn Exchange,
    /// The record of orders.
    pub journal: Journal<'a>,
    /// The owner's decisions, with the members of the list once they are known.
    pub config: Config,
    /// The list that the portfolio follows.
    pub universe: Option<Universe<'a>>,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Where the owner reads what happened.
    pub log: &'a Log<'a>,
    /// `--force`
    pub force: bool,
    /// When it began, by the clock that never jumps.
    pub began: Millis,
    /// What happened so far.
    pub report: Report,
}

impl Cycle<'_> {
    /// Runs the cycle. What it did is in `report`, also after a failure.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn run(&mut self) -> Result<(), Failure> {
        let unfinished = self.journal.state.interrupted();
        self.recover()?;
        self.leftovers()?;
        let mut balances = match unfinished {
            true => self.settled(&self.expected_from_journal())?,
            false => self.exchange.balances()?,
        };
        self.add_members()?;
        let resume = self.journal.state.traded();
        for pass in 0..=PASSES {
            let portfolio = Rc::new(self.portfolio(&balances)?);
            check_clock(self.exchange, self.clock)?;
            let mut rules = Rules::new(&self.config, self.exchange.fee(), self.force && pass == 0, resume);
            if pass > 0 && rules.method == Method::Full {
                // Everything was sold and bought back just now.
                rules.method = Method::Target;
            }
            let plan = Rc::new(plan_for(&portfolio, &rules)?);
            self.announce(&portfolio, &plan, pass);
            match pass {
                0 => (self.report.before, self.report.plan) = (Some(portfolio.clone()), Some(plan.clone())),
                _ => self.report.after = Some(portfolio.clone()),
            }
            if plan.is_empty() || pass == PASSES || self.complaint().is_some() {
                break;
            }
            balances = self.trade(&plan, &portfolio, balances)?;
        }
        match self.complaint() {
            None => self.finish(),
            Some(why) => Err(Failure::Refused(why)),
        }
    }

    /// Adds the members of the list to the allocation. What is remembered of it has times, so the clock is looked at before.
    fn add_members(&mut self) -> Result<(), Failure> {
        let now = self.now();
        let Some(universe) = &mut self.universe else { return Ok(()) };
        check_clock(self.exchange, self.clock)?;
        Ok(universe.follow(self.exchange, &mut self.config, now, Purpose::Trade)?)
    }

    /// A portfolio that fails because of a member of the list has the list read again.
    fn portfolio(&mut self, balances: &[Balance]) -> Result<Portfolio, Failure> {
        let outcome = portfolio_of(self.exchange, &self.config, balances);
        if let (Err(Failure::Portfolio(error)), Some(universe)) = (&outcome, &mut self.universe)
            && let Some(why) = universe.blame(error)
        {
            universe.look_again()?;
            return Err(Failure::List(why));
        }
        outcome
    }

    /// Places the orders of a plan and reads the balances that they left.
    fn trade(&mut self, plan: &Plan, portfolio: &Portfolio, balances: Vec<Balance>) -> Result<Vec<Balance>, Failure> {
        if let Some(universe) = &mut self.universe {
            universe.take(plan.buys.iter().map(|buy| &buy.coin))?;
        }
        let look = 1 + self.journal.state.orders.last().map_or(0, |(intent, _)| intent.look);
        self.place_all(&plan.sells, &balances, look)?;
        let (cut, balances) = self.affordable(plan, portfolio, balances, look)?;
        self.place_all(cut.as_ref().unwrap_or(&plan.buys), &balances, look + 1)?;
        self.settled(&self.expected_from_journal())
    }

    /// Whether there is time left for another order.
    fn in_time(&self) -> Result<(), Failure> {
        let taken = self.clock.elapsed() - self.began;
        match taken <= LONGEST_MS {
            true => Ok(()),
            false => Err(Failure::Late(format!(
                "the cycle has taken {}, so it sends no further order; the next run goes on from there",
                span(taken)
            ))),
        }
    }

    /// Why the next run must look at this again although no order is unknown.
    fn complaint(&self) -> Option<String> {
        let mut all: Vec<String> = self.report.placed.iter().filter_map(Placed::complaint).collect();
        all.extend(self.report.dropped.iter().cloned());
        if all.is_empty() { None } else { Some(all.join("; ")) }
    }

    /// The exchange's time, or ours as long as it has not told it.
    fn now(&self) -> Millis {
        self.exchange.time().unwrap_or_else(|| self.clock.now())
    }

    fn finish(&mut self) -> Result<(), Failure> {
        // The later of both clocks: the schedule is kept by ours, which may be ahead, and must not see this run as still due.
        let now = self.exchange.time().unwrap_or(0).max(self.clock.now());
        self.journal.finish(now)?;
        let bounds = Rules::new(&self.config, self.exchange.fee(), self.force, false).bounds;
        if let (Some(universe), Some(portfolio)) =
            (&mut self.universe, self.report.after.as_ref().or(self.report.before.as_ref()))
        {
            universe.settle(portfolio, bounds)?;
        }
        Ok(())
    }

    fn announce(&self, portfolio: &Portfolio, plan: &Plan, pass: u32) {
        let cash = &portfolio.cash.coin;
        if pass == 0 {
            for (coin, why) in &portfolio.ignored {
                self.log.say(&format!("{coin} is left alone and not counted: {why}"));
            }
        }
        for skip in &plan.skipped {
            self.log.say(&format!("{}: {}", skip.coin, skip.reason));
        }
        let state = match (plan.balanced, plan.is_empty(), pass) {
            (true, _, 0) => "balanced, no order".to_string(),
            (true, _, _) => "balanced now".to_string(),
            (false, true, _) => "out of balance, but no order is possible".to_string(),
            (false, false, _) => format!("out of balance, {} orders", plan.sells.len() + plan.buys.len()),
        };
        self.log.say(&format!("{state}: {} {cash}, {}", portfolio.total.rounded(2), weights(portfolio)));
    }

    /// Finds out what became of orders that an earlier run left without an outcome.
    fn recover(&mut self) -> Result<(), Failure> {
        let unresolved: Vec<Intent> = self.journal.state.unresolved().cloned().collect();
        for intent in unresolved {
            self.log.say(&format!("an earlier run left an order open: {}; asking for it", sentence(&intent.order)));
            let state = self.follow(&intent, false)?.unwrap_or_else(never_placed);
            self.conclude(&intent.client_id, &intent.order, &state)?;
        }
        Ok(())
    }

    /// Cancels orders of ours that wait in the book, though the journal knows their outcome or has lost them.
    fn leftovers(&mut self) -> Result<(), Failure> {
        let open = self.exchange.open_orders()?;
        for order in &open {
            if !self.journal.state.is_ours(&order.client_id) {
                self.log
                    .detail(&format!("an order of somebody else waits on {}; what it locks is not sold", order.symbol));
                continue;
            }
            self.log.say(&format!("an order of an earlier run waits on {}; cancelling it", order.symbol));
            if let Err(error) = self.exchange.cancel(&order.client_id) {
                // It may have ended in this moment; what it is now decides.
                self.log.say(&error.message);
            }
            let start = self.clock.elapsed();
            while self.exchange.order(&order.client_id)?.is_some_and(|state| !state.terminal) {
                if self.clock.elapsed() - start > FOLLOW_MS {
                    return Err(Failure::Unknown(format!(
                        "the order {} on {} cannot be cancelled",
                        order.client_id, order.symbol
                    )));
                }
                self.clock.sleep(1000);
            }
        }
        Ok(())
    }

    /// The buys of a plan, cut to the cash that is really there after the sells; nothing when it is enough for all of them.
    fn affordable(
        &mut self,
        plan: &Plan,
        portfolio: &Portfolio,
        before: Vec<Balance>,
        look: i64,
    ) -> Result<(Option<Vec<Order>>, Vec<Balance>), Failure> {
        if plan.buys.is_empty() {
            return Ok((None, before));
        }
        let sold = self
            .journal
            .state
            .orders
            .iter()
            .any(|(intent, fill)| intent.look == look && fill.is_some_and(|fill| fill.quantity > Quantity::ZERO));
        let balances = if sold { self.settled(&self.expected_from_journal())? } else { before };
        let cash = balances.iter().find(|balance| balance.coin == self.config.quote);
        let (total, free) = cash
            .map_or((Value::ZERO, Value::ZERO), |cash| (cash.total.as_value(), (cash.total - cash.locked).as_value()));
        let reserve = self.config.cash_reserve;
        let spendable = total.minus_or_zero(reserve + plan.keep).min(free.minus_or_zero(reserve));
        let funds = spendable.without_cost(self.exchange.fee()).unwrap_or(Value::ZERO);
        let wanted: Value = plan.buys.iter().map(|buy| buy.value).sum();
        if wanted <= funds {
            return Ok((None, balances));
        }
        self.log.detail(&format!(
            "buys are cut from {} to {} {}",
            wanted.rounded(2),
            funds.rounded(2),
            self.config.quote
        ));
        // Pieces of one coin are one amount again, to be cut anew.
        let mut coins: Vec<&str> = Vec::new();
        let mut values: Vec<Value> = Vec::new();
        for buy in &plan.buys {
            match coins.iter().zip(&mut values).find(|(coin, _)| **coin == buy.coin) {
                Some((_, value)) => *value += buy.value,
                None => {
                    coins.push(&buy.coin);
                    values.push(buy.value);
                }
            }
        }
        plan::shrink(&mut values, funds);
        let bounds = Rules::new(&self.config, self.exchange.fee(), self.force, false).bounds;
        let mut buys = Vec::new();
        for (coin, value) in coins.into_iter().zip(values) {
            let holding = portfolio.holdings.iter().find(|holding| holding.coin == coin);
            let cut = holding.map(|holding| holding.market.buy(value, holding.quote.ask, bounds)).unwrap_or_default();
            if cut.is_empty() {
                let why = format!("{coin} was not bought: what the sells brought is not enough for its smallest order");
                self.log.say(&why);
                self.report.dropped.push(why);
            }
            buys.extend(cut);
        }
        Ok((Some(buys), balances))
    }
}

/// What balances say of a coin: nothing is zero.
fn held(balances: &[Balance], coin: &str) -> Quantity {
    balances.iter().find(|balance| balance.coin == coin).map_or(Quantity::ZERO, |balance| balance.total)
}

/// An order in words: `sell 0.1 BTC`, `buy ETH for 25 (ETH_USDT)`.
pub fn sentence(order: &Order) -> String {
    match order.size {
        Size::Quantity(quantity) => format!("sell {quantity} {} ({})", order.coin, order.symbol),
        Size::Notional(value) => format!("buy {} for {value} ({})", order.coin, order.symbol),
    }
}

/// `BTC 50.1 %, ETH 49.9 %`, the first few coins.
fn weights(portfolio: &Portfolio) -> String {
    const SHOWN_COINS: usize = 8;
    let cash = (&portfolio.cash.coin, portfolio.cash.total);
    let coins = portfolio.holdings.iter().map(|holding| (&holding.coin, holding.value)).chain([cash]);
    let words: Vec<String> = coins
        .take(SHOWN_COINS)
        .map(|(coin, value)| format!("{coin} {} %", portfolio.weight(value).rounded(2)))
        .collect();
    let more = (portfolio.holdings.len() + 1).saturating_sub(SHOWN_COINS);
    if more > 0 { format!("{} and {more} more", words.join(", ")) } else { words.join(", ") }
}
