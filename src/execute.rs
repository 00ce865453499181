//! A cycle: recover, look, plan, sell, confirm, look again, buy, verify.
//!
//! Every order is in the journal, synced, before it is sent. Its result is what was filled, read by our id, never the answer to
//! sending it. While one is unknown no other is sent. An order that nobody knows counts as never placed only after the exchange
//! can no longer accept it; then it may be sent once more under the same id. Balances lag behind fills, so after trading they
//! are read until they show it. Knows the [`Exchange`] trait, never a venue.

use crate::amount::{Percent, Quantity, Share, Value};
use crate::clock::{Clock, span};
use crate::config::Config;
use crate::exchange::{self, Balance, Exchange, Kind, Millis, OrderState};
use crate::journal::{Fill, Intent, Journal};
use crate::log::Log;
use crate::market::{Coin, Order, Side, Size};
use crate::plan::{self, Plan, Rules};
use crate::portfolio::{self, Portfolio};
use crate::store;
use core::fmt;

/// A clock further than this from the exchange's is wrong: it would also miss the schedule.
pub const MOST_CLOCK_ERROR_MS: Millis = 60_000;
/// Balances were recorded to settle within a second of a fill; this is twice that.
const SETTLE_MS: Millis = 2000;
const SETTLE_READS: u32 = 10;
/// After this long a balance that still shows no trade was changed by someone else.
const SETTLE_WINDOW_MS: Millis = 120_000;
/// A balance shows a fill when it has grown by this much of it: fees are below the rest.
const SHOWN: &str = "98";
/// Longest wait for an order's end; a market order ends at once.
const FOLLOW_MS: Millis = 45_000;
/// A market order that still waits after this long is cancelled.
const OPEN_MS: Millis = 15_000;
/// The `Date` header counts whole seconds, and ours may be read late.
const EXPIRY_MARGIN_MS: Millis = 2000;
/// An order that was just accepted may not be known for a moment.
const LEAST_ASKS: u32 = 3;
/// How often one order is sent under its id while it is certain that it was not accepted.
const SENDS: u32 = 4;

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
    /// Orders were refused; the sentence names them.
    Refused(String),
    /// Balances do not show what was traded.
    Unsettled(String),
    /// An order's outcome is unknown.
    Unknown(String),
}

impl Failure {
    /// The program's exit code for it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Unknown(_) => 3,
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
            Failure::Portfolio(error) => write!(f, "{error}; no order was sent"),
            Failure::Store(error) => write!(f, "{error}"),
            Failure::Clock(why) | Failure::Refused(why) | Failure::Unsettled(why) | Failure::Unknown(why) => {
                f.write_str(why)
            }
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

/// What a cycle did, also when it failed half way.
#[derive(Default)]
pub struct Report {
    /// The portfolio before.
    pub before: Option<Portfolio>,
    /// What was planned.
    pub plan: Option<Plan>,
    /// What was sent.
    pub placed: Vec<Placed>,
    /// The portfolio after, when orders were sent.
    pub after: Option<Portfolio>,
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
        return Err(Failure::Clock(
            "the exchange did not tell its time, so the clock cannot be checked; no order was sent".to_string(),
        ));
    };
    let ahead = clock.now() - time;
    if ahead.abs() <= MOST_CLOCK_ERROR_MS {
        return Ok(());
    }
    let way = if ahead > 0 { "ahead of" } else { "behind" };
    let off = span(ahead.abs());
    Err(Failure::Clock(format!(
        "this machine's clock is {off} {way} the exchange's; set it (NTP) first; no order was sent"
    )))
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
    pub journal: &'a mut Journal,
    /// The owner's decisions.
    pub config: &'a Config,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Where the owner reads what happened.
    pub log: &'a Log<'a>,
    /// `--force`
    pub force: bool,
    /// What happened so far.
    pub report: Report,
}

/// An amount that a balance must show before it is believed.
struct Expected {
    coin: Coin,
    had: Quantity,
    gain: Quantity,
}

impl Cycle<'_> {
    /// Runs the cycle. What it did is in `report`, also after a failure.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn run(&mut self) -> Result<(), Failure> {
        let unfinished = self.journal.state.interrupted();
        if unfinished {
            self.recover()?;
        }
        self.leftovers()?;
        let balances = match unfinished {
            true => self.settled(&self.expected_from_journal())?,
            false => self.exchange.balances()?,
        };
        let portfolio = portfolio_of(self.exchange, self.config, &balances)?;
        check_clock(self.exchange, self.clock)?;
        let rules = Rules::new(self.config, self.exchange.fee(), self.force, unfinished);
        let plan = plan_for(&portfolio, &rules)?;
        self.announce(&portfolio, &plan);
        self.report.before = Some(portfolio.clone());
        self.report.plan = Some(plan.clone());
        if plan.sells.is_empty() && plan.buys.is_empty() {
            return self.finish();
        }
        let look = 1 + self.journal.state.orders.last().map_or(0, |(intent, _)| intent.look);
        self.place_all(&plan.sells, &balances, look)?;
        let (buys, balances) = self.affordable(&plan, &portfolio, balances, look)?;
        self.place_all(&buys, &balances, look + 1)?;
        let balances = self.settled(&self.expected_from_journal())?;
        let after = portfolio_of(self.exchange, self.config, &balances)?;
        let reached = weights(&after);
        self.report.after = Some(after);
        self.log.say(&format!("now: {reached}"));
        let refused: Vec<&str> = self.report.placed.iter().filter_map(|placed| placed.refused.as_deref()).collect();
        match refused.is_empty() {
            true => self.finish(),
            false => {
                Err(Failure::Refused(format!("{}; everything else was done, nothing is open", refused.join("; "))))
            }
        }
    }

    fn finish(&mut self) -> Result<(), Failure> {
        // The later of both clocks: the schedule is kept by ours, which may be ahead, and must not see this run as still due.
        let now = self.exchange.time().unwrap_or(0).max(self.clock.now());
        Ok(self.journal.finish(now)?)
    }

    fn announce(&self, portfolio: &Portfolio, plan: &Plan) {
        let cash = &portfolio.cash.coin;
        for (coin, why) in &portfolio.ignored {
            self.log.say(&format!("{coin} is left alone and not counted: {why}"));
        }
        for skip in &plan.skipped {
            self.log.say(&format!("{}: {}", skip.coin, skip.reason));
        }
        let total = portfolio.total.rounded(2);
        let orders = plan.sells.len() + plan.buys.len();
        self.log.say(&match (plan.balanced, orders) {
            (true, _) => format!("balanced: {total} {cash}, {}; no order", weights(portfolio)),
            (false, 0) => format!("out of balance, but no order is possible: {total} {cash}, {}", weights(portfolio)),
            (false, _) => format!("out of balance: {total} {cash}, {}; {orders} orders", weights(portfolio)),
        });
    }

    /// Finds out what became of orders that an earlier run left without an outcome.
    fn recover(&mut self) -> Result<(), Failure> {
        let unresolved: Vec<Intent> = self.journal.state.unresolved().cloned().collect();
        for intent in unresolved {
            self.log.say(&format!("an earlier run left an order open: {}; asking for it", sentence(&intent.order)));
            let state = match self.follow(&intent.client_id, &intent.order, intent.expires, false)? {
                Some(state) => state,
                None => never_placed(),
            };
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
            self.exchange.cancel(&order.client_id)?;
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

    fn place_all(&mut self, orders: &[Order], balances: &[Balance], look: u32) -> Result<(), Failure> {
        for order in orders {
            let placed = self.fill(order, balances, look)?;
            match &placed.refused {
                Some(why) => {
                    self.log.say(&format!("refused: {}: {why}", sentence(order)));
                    self.exchange.forget_markets();
                }
                None => self.log.say(&outcome(order, &placed.state)),
            }
            self.report.placed.push(placed);
        }
        Ok(())
    }

    /// Sends one order and finds out what was filled.
    fn fill(&mut self, order: &Order, balances: &[Balance], look: u32) -> Result<Placed, Failure> {
        let now = self.exchange.time().unwrap_or_else(|| self.clock.now());
        let client_id = self.journal.next_id(now);
        let held = |coin: &str| {
            balances.iter().find(|balance| balance.coin == coin).map_or(Quantity::ZERO, |balance| balance.total)
        };
        let (had, cash) = (held(&order.coin), held(&self.config.quote));
        let mut refusal = String::new();
        for send in 0..SENDS {
            let at = self.exchange.time().unwrap_or(now);
            let expires = at + self.exchange.order_validity_ms();
            let intent = Intent { client_id: client_id.clone(), order: order.clone(), at, expires, had, cash, look };
            self.journal.intend(&intent)?;
            let sent = self.exchange.place(order, &client_id);
            let state = match &sent {
                Ok(()) => self.follow(&client_id, order, expires, true)?,
                Err(error) => {
                    refusal.clone_from(&error.message);
                    match error.kind {
                        // The exchange has a record of what it refused: look whether the refusal is all there is to it.
                        Kind::Refused { with_id: true } => self
                            .follow(&client_id, order, at - EXPIRY_MARGIN_MS, false)?
                            .or_else(|| Some(never_placed())),
                        Kind::Refused { with_id: false } | Kind::NotAuthorised | Kind::Clock | Kind::NoSuchOrder => {
                            Some(never_placed())
                        }
                        Kind::RateLimited | Kind::Unreachable => None,
                        Kind::Duplicate => self.follow(&client_id, order, expires, true)?,
                        Kind::Unknown | Kind::Garbled => {
                            self.log.say(&format!("{}; asking what became of it", error.message));
                            self.follow(&client_id, order, expires, false)?
                        }
                    }
                }
            };
            if let Some(state) = state {
                self.conclude(&client_id, order, &state)?;
                let refused = sent.is_err() && state.filled_quantity == Quantity::ZERO || state.status == "REJECTED";
                let refused =
                    refused.then(|| if refusal.is_empty() { "the exchange rejected it".to_string() } else { refusal });
                return Ok(Placed { order: order.clone(), client_id, state, refused });
            }
            if send + 1 < SENDS {
                self.log.say(&format!("{} was not accepted; sending it again under the same id", sentence(order)));
                self.clock.sleep(1000 << send);
            }
        }
        let state = never_placed();
        self.conclude(&client_id, order, &state)?;
        Ok(Placed { order: order.clone(), client_id, state, refused: Some(refusal) })
    }

    fn conclude(&mut self, client_id: &str, order: &Order, state: &OrderState) -> Result<(), Failure> {
        self.journal.conclude(client_id, state).map_err(|error| {
            Failure::Unknown(format!("{error}; {} is done at the exchange but not in the journal", sentence(order)))
        })
    }

    /// Asks for an order by our id until it has ended. `None`: it is certain that it was never placed and never will be, because the
    /// exchange does not know it and could not accept it any more. With `received` the exchange has confirmed it, so it exists.
    fn follow(
        &mut self,
        client_id: &str,
        order: &Order,
        expires: Millis,
        received: bool,
    ) -> Result<Option<OrderState>, Failure> {
        let start = self.clock.elapsed();
        let (mut pause, mut asked, mut cancelled) = (500, 0, false);
        let mut trouble;
        loop {
            asked += 1;
            let waited = self.clock.elapsed() - start;
            match self.exchange.order(client_id) {
                Ok(Some(state)) if state.terminal => return Ok(Some(state)),
                Ok(Some(state)) => {
                    trouble = format!("it is {}", state.status);
                    if waited > OPEN_MS && !cancelled {
                        cancelled = true;
                        self.log.say(&format!("{} is still {}; cancelling it", sentence(order), state.status));
                        if let Err(error) = self.exchange.cancel(client_id) {
                            self.log.say(&error.message);
                        }
                    }
                }
                Ok(None) => {
                    trouble = "the exchange does not know it".to_string();
                    let expired = self.exchange.time().is_some_and(|time| time > expires + EXPIRY_MARGIN_MS);
                    if expired && asked >= LEAST_ASKS && !received {
                        return Ok(None);
                    }
                }
                Err(error) => trouble = error.message,
            }
            if waited > FOLLOW_MS {
                let order = sentence(order);
                return Err(Failure::Unknown(format!(
                    "the outcome of {order} (id {client_id}) is unknown: {trouble}; it is in the journal, and the next run asks for it first"
                )));
            }
            self.clock.sleep(pause);
            pause = (pause * 2).min(4000);
        }
    }

    /// What balances must show of the orders of the last look that had any: what was bought, or else what the sells brought.
    fn expected_from_journal(&self) -> Vec<Expected> {
        let orders = &self.journal.state.orders;
        let Some((last, _)) =
            orders.iter().rev().find(|(_, fill)| fill.is_some_and(|fill| fill.quantity > Quantity::ZERO))
        else {
            return Vec::new();
        };
        let now = self.exchange.time().unwrap_or_else(|| self.clock.now());
        if now - last.at > SETTLE_WINDOW_MS {
            return Vec::new();
        }
        let mut expected: Vec<Expected> = Vec::new();
        let of_look =
            orders.iter().filter(|(intent, _)| intent.look == last.look && intent.order.side == last.order.side);
        for (intent, fill) in of_look {
            let Some(Fill { quantity, value }) = *fill else { continue };
            let (coin, had, gain) = match intent.order.side {
                Side::Buy => (&intent.order.coin, intent.had, quantity),
                Side::Sell => (&self.config.quote, intent.cash, value.as_quantity()),
            };
            match expected.iter_mut().find(|expected| expected.coin == *coin) {
                Some(expected) => expected.gain += gain,
                None => expected.push(Expected { coin: coin.clone(), had, gain }),
            }
        }
        expected
    }

    /// Reads balances until they show what was traded.
    fn settled(&mut self, expected: &[Expected]) -> Result<Vec<Balance>, Failure> {
        let shown = Percent::parse(SHOWN).unwrap_or(Percent::HUNDRED);
        if !expected.is_empty() {
            self.clock.sleep(SETTLE_MS);
        }
        let mut reads = 0;
        loop {
            let balances = self.exchange.balances()?;
            reads += 1;
            let held = |coin: &str| {
                balances.iter().find(|balance| balance.coin == coin).map_or(Quantity::ZERO, |balance| balance.total)
            };
            let lags = |expected: &&Expected| {
                expected.gain > Quantity::ZERO
                    && expected.gain.percent(shown).is_none_or(|gain| held(&expected.coin) < expected.had + gain)
            };
            let Some(late) = expected.iter().find(lags) else { return Ok(balances) };
            if reads < SETTLE_READS {
                self.log.detail(&format!("the balance of {} does not show the trade yet", late.coin));
                self.clock.sleep(SETTLE_MS);
                continue;
            }
            if held(&late.coin) == late.had {
                return Err(Failure::Unsettled(format!(
                    "the exchange still shows {} {} as before the last trade; nothing more was sent, every order is in the journal, and \
                     the next run goes on",
                    late.had, late.coin
                )));
            }
            self.log.say(&format!("{} was moved by someone else meanwhile; going on with what is there", late.coin));
            return Ok(balances);
        }
    }

    /// The buys of a plan, cut to the cash that is really there after the sells.
    fn affordable(
        &mut self,
        plan: &Plan,
        portfolio: &Portfolio,
        before: Vec<Balance>,
        look: u32,
    ) -> Result<(Vec<Order>, Vec<Balance>), Failure> {
        if plan.buys.is_empty() || plan.sells.is_empty() {
            return Ok((plan.buys.clone(), before));
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
            return Ok((plan.buys.clone(), balances));
        }
        self.log.detail(&format!(
            "buys are cut from {} to {} {}",
            wanted.rounded(2),
            funds.rounded(2),
            self.config.quote
        ));
        let share = Share::of(funds, wanted);
        let bounds = Rules::new(self.config, self.exchange.fee(), self.force, false).bounds;
        let mut buys = Vec::new();
        for buy in &plan.buys {
            let holding = portfolio.holdings.iter().find(|holding| holding.coin == buy.coin);
            let cut = holding
                .map(|holding| holding.market.buy(buy.value.share(share), holding.quote.ask, bounds))
                .unwrap_or_default();
            if cut.is_empty() {
                self.log.say(&format!(
                    "{}: not bought: what the sells brought is not enough for its smallest order",
                    buy.coin
                ));
            }
            buys.extend(cut);
        }
        Ok((buys, balances))
    }
}

/// The state of an order that never reached the exchange.
fn never_placed() -> OrderState {
    OrderState {
        order_id: String::new(),
        status: "NOT PLACED".to_string(),
        terminal: true,
        filled_quantity: Quantity::ZERO,
        filled_value: Value::ZERO,
    }
}

/// An order in words: `sell 0.1 BTC`, `buy ETH for 25 (ETH_USDT)`.
pub fn sentence(order: &Order) -> String {
    match order.size {
        Size::Quantity(quantity) => format!("sell {quantity} {} ({})", order.coin, order.symbol),
        Size::Notional(value) => format!("buy {} for {value} ({})", order.coin, order.symbol),
    }
}

fn outcome(order: &Order, state: &OrderState) -> String {
    let done = match order.side {
        Side::Sell => "sold",
        Side::Buy => "bought",
    };
    format!("{done} {} {} for {} ({})", state.filled_quantity, order.coin, state.filled_value, order.symbol)
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
