//! (portfolio, rules) to orders, or the reason for none. Pure: no clock, no exchange, no log.
//!
//! # What `drifted` minimises, and how that is known
//!
//! Let a coin *fire* when its weight is outside its band and the order to its restore point is not below the minimum. With
//! fees aside, let B be the sum of buys that lift fired coins from below to their restore point, S the sum of sells that
//! lower the others, and x the cash that the plan spends on balance. The quote currency is a coin like any other: x lies in an
//! interval [x_lo, x_hi] that brings cash to its restore point when it fired, and never moves it away from its target
//! when it did not. Any admissible plan has buys b >= B, sells s >= S and b - s = x. So its turnover b + s is
//!
//! - B + S when B - S lies in the interval, and less is impossible;
//! - at least 2B - x_hi when B - S > x_hi, because then s = b - x >= B - x_hi: the plan sells B - x_hi;
//! - at least 2S + x_lo when B - S < x_lo, because then b = s + x >= S + x_lo: the plan buys S + x_lo.
//!
//! The plan attains the bound in each case; what it adds comes from coins above their target (or goes to coins below it), down
//! to the target at most. There is always enough of that: over all coins and cash the deviations from target sum to zero.
//! Which of them pay does not change the turnover, so the largest pay first: fewest orders. One sort, O(n log n).
//! `tests/planner.rs` compares with a search over all plans on a grid. Fees are taken into account on top: a buy costs
//! its value and the fee, a sell brings its value without it, and coins that pay sell enough to cover both.

mod spread;
mod standing;

pub use spread::shrink;

use crate::amount::{Percent, Share, Value};
use crate::config::{Config, Method, Restore};
use crate::market::{Bounds, Coin, Order};
use crate::portfolio::{Holding, Portfolio};
use spread::{Candidate, spread};
use standing::Standing;

/// The owner's rules as the planner needs them.
#[derive(Clone, Copy)]
pub struct Rules {
    /// Percentage points that a weight may be off.
    pub tolerance: Percent,
    /// Percent of its target that a weight may be off.
    pub relative_tolerance: Option<Percent>,
    /// Which coins trade.
    pub method: Method,
    /// Where drifted coins are brought.
    pub restore: Restore,
    /// Smallest and largest order.
    pub bounds: Bounds,
    /// What the exchange takes of an order's value, at most.
    pub fee: Percent,
    /// Every coin fires, and goes to its target.
    pub force: bool,
    /// This goes on with a rebalance that has begun: cash above its target fires inside its band when it is more than fees leave over,
    /// and nothing is sold that could have been bought just now, so `full` works as `target` and idle cash alone only buys.
    pub resume: bool,
}

impl Rules {
    /// The config's rules at an exchange that takes `fee`.
    pub fn new(config: &Config, fee: Percent, force: bool, resume: bool) -> Rules {
        Rules {
            tolerance: config.tolerance,
            relative_tolerance: config.relative_tolerance,
            method: config.method,
            restore: if force { Restore::Target } else { config.restore },
            bounds: Bounds { min: config.min_trade, max: config.max_trade },
            fee,
            force,
            resume,
        }
    }

    /// How far a coin's weight may be off its target: the narrower of both tolerances. A target of zero has no relative one.
    fn band(&self, target: Percent) -> Percent {
        match self.relative_tolerance {
            Some(relative) if target > Percent::ZERO => self.tolerance.min(target.of(relative)),
            _ => self.tolerance,
        }
    }
}

/// An order that a cycle will not place, and why.
#[derive(PartialEq, Eq)]
pub struct Skip {
    /// The coin.
    pub coin: Coin,
    /// Lower-case sentence.
    pub reason: String,
}

/// What to do.
pub struct Plan {
    /// Whether everything is inside its band.
    pub balanced: bool,
    /// Sells, largest first.
    pub sells: Vec<Order>,
    /// Buys, largest first.
    pub buys: Vec<Order>,
    /// What is not done, and why.
    pub skipped: Vec<Skip>,
    /// Cash of the portfolio that the buys leave untouched.
    pub keep: Value,
}

impl Plan {
    /// Whether it has no order.
    pub fn is_empty(&self) -> bool {
        self.sells.is_empty() && self.buys.is_empty()
    }
}

/// Amounts to trade, one per holding, in quote currency.
struct Draft<'a> {
    portfolio: &'a Portfolio,
    rules: &'a Rules,
    standings: Vec<Standing>,
    cash: Standing,
    sells: Vec<Value>,
    buys: Vec<Value>,
    /// Net cash that may be spent at most; negative when cash must grow.
    most_cash: Value,
    skipped: Vec<Skip>,
    /// Whether a coin is out of its band by an order's worth.
    coins_fired: bool,
    /// Whether a coin or the cash is.
    fired: bool,
    /// Whether a coin is that no order can bring back now.
    blocked: bool,
    /// What coins are worth above their restore points that are too small to be sold at all.
    stuck: Value,
}

/// Plans one rebalance. `None` when an amount is too large to count.
pub fn plan(portfolio: &Portfolio, rules: &Rules) -> Option<Plan> {
    let mut draft = Draft::new(portfolio, rules)?;
    draft.fire();
    if draft.fired {
        match rules.method {
            Method::Full if draft.sells_all() => draft.sell_all(),
            Method::Full | Method::Target if draft.coins_fired || !rules.resume => draft.all_to_target(),
            _ => draft.drifted()?,
        }
    }
    let (sells, brought) = draft.sell_orders()?;
    if draft.fired {
        draft.fit_buys(brought)?;
    }
    draft.finish(sells)
}

impl<'a> Draft<'a> {
    fn new(portfolio: &'a Portfolio, rules: &'a Rules) -> Option<Draft<'a>> {
        let stand = |costs: Value| -> Option<(Vec<Standing>, Standing)> {
            let standing = |whose| Standing::new(whose, &portfolio.cash, portfolio.total, costs, rules);
            let coins = portfolio.holdings.iter().map(|holding| standing(Some(holding)));
            Some((coins.collect::<Option<Vec<_>>>()?, standing(None)?))
        };
        let (mut standings, mut cash) = stand(Value::ZERO)?;
        if rules.restore == Restore::Edge {
            // What fired coins and cash may cost on their way to their targets, both ways, in the dearest coin.
            let fired = standings.iter().chain([&cash]).filter(|standing| standing.out);
            let moved: Value = fired.map(|standing| (standing.value - standing.target).distance()).sum();
            let dearest = |amount| {
                let costs = portfolio.holdings.iter().map(|holding| holding.cost(amount, rules.fee));
                Some(costs.collect::<Option<Vec<_>>>()?.into_iter().max().unwrap_or_default())
            };
            let costs = dearest(moved)?;
            (standings, cash) = stand(costs + costs)?;
            // What sells bring is less by their costs, too.
            cash.restore = if cash.restore < cash.target {
                (cash.restore + dearest(cash.below())?).min(cash.target)
            } else {
                cash.restore
            };
        }
        let nothing = vec![Value::ZERO; portfolio.holdings.len()];
        let spendable = portfolio.cash.spendable;
        Some(Draft {
            portfolio,
            rules,
            standings,
            most_cash: (cash.value - cash.target).min(spendable.max(Value::ZERO)),
            cash,
            sells: nothing.clone(),
            buys: nothing,
            skipped: Vec::new(),
            coins_fired: false,
            fired: false,
            blocked: false,
            stuck: Value::ZERO,
        })
    }

    fn skip(&mut self, coin: &str, reason: String) {
        self.skipped.push(Skip { coin: coin.to_string(), reason });
    }

    /// Which coins are out of their band by an order's worth; sets the orders that bring them to their restore point.
    fn fire(&mut self) {
        let portfolio = self.portfolio;
        for (at, holding) in portfolio.holdings.iter().enumerate() {
            let Some(standing) = self.standings.get(at).filter(|standing| standing.out) else { continue };
            let (above, below) = (standing.above(), standing.below());
            let min = holding.minimum(self.rules.bounds);
            // What a sell is worth on the tick decides whether it is worth an order.
            let wanted = if above > Value::ZERO { holding.worth_on_tick(above) } else { below };
            let amount = if above > Value::ZERO { above.min(holding.free_value) } else { below };
            let quote = &portfolio.cash.coin;
            // Off by an order's worth, but by less than the tick allows.
            let coarse = above.max(below) >= holding.market.min_value.max(self.rules.bounds.min);
            let obstacle = if wanted < min || wanted == Value::ZERO {
                let way = if above > Value::ZERO { "sell" } else { "buy" };
                let worth = wanted.rounded(2);
                let reason =
                    format!("out of its band, but the order to {way} is worth {worth} {quote}, less than {min}");
                if !self.rules.force {
                    self.skip(&holding.coin, reason);
                }
                self.blocked |= coarse;
                if !self.sells_whole(holding, min) {
                    self.stuck += above;
                }
                continue;
            } else if !holding.market.tradable {
                Some(format!("out of its band, but {} takes no orders now", holding.market.symbol))
            } else if amount < min || above > Value::ZERO && !self.sells_whole(holding, min) {
                Some(format!("out of its band, but only {} of {} is free to sell", holding.free, holding.total))
            } else if !self.possible(holding, amount, above > Value::ZERO) {
                Some(no_size(holding, amount, self.rules))
            } else {
                None
            };
            self.fired = true;
            if let Some(reason) = obstacle {
                self.blocked = true;
                self.skip(&holding.coin, reason);
                continue;
            }
            if amount < wanted {
                let reason = format!("sold in part: only {} of {} is free", holding.free, holding.total);
                self.skip(&holding.coin, reason);
            }
            let side = if above > Value::ZERO { &mut self.sells } else { &mut self.buys };
            if let Some(slot) = side.get_mut(at) {
                *slot = amount;
            }
        }
        self.coins_fired = self.fired;
        self.fired |= self.cash_fires();
    }

    /// Whether `full` sells everything. Not to spend idle cash; not for less than its fees; not with a coin that is too large to be sold
    /// as a whole; and not when something stays out of its band whatever is done, because then everything would be sold and bought
    /// back in every cycle: a coin that cannot be traded, crumbs of coins, or cash beyond its target that is locked.
    fn sells_all(&self) -> bool {
        let too_large = |holding: &Holding| {
            self.sells_whole(holding, holding.minimum(self.rules.bounds))
                && !self.possible(holding, holding.free_value, true)
        };
        let needs = self.coins_fired || self.cash.value < self.cash.target;
        let locked = self.cash.value - self.portfolio.cash.spendable;
        let stuck = self.stuck + locked.minus_or_zero(self.cash.target);
        let mut off = (self.cash.value - self.cash.target).distance();
        for standing in &self.standings {
            off += (standing.value - standing.target).distance();
        }
        let fees = self.portfolio.total.percent(self.rules.fee).unwrap_or_default();
        let little = !self.rules.force && off < fees + fees;
        let hindered = little
            || stuck > Value::ZERO && stuck >= self.rules.bounds.min
            || self.blocked
            || self.portfolio.holdings.iter().any(too_large);
        !self.rules.resume && needs && !hindered
    }

    /// Whether all that is free of a coin is worth an order.
    fn sells_whole(&self, holding: &Holding, min: Value) -> bool {
        holding.market.tradable && holding.worth_on_tick(holding.free_value) >= min
    }

    /// Whether an amount makes orders at all: within the limits, and not in too many pieces.
    fn possible(&self, holding: &Holding, amount: Value, selling: bool) -> bool {
        let (market, bounds) = (&holding.market, self.rules.bounds);
        let orders = match selling {
            true => market.sell(market.quantity_worth(amount, holding.price), holding.quote, bounds),
            false => market.buy(amount, holding.quote.ask, bounds),
        };
        !orders.is_empty()
    }

    fn cash_fires(&self) -> bool {
        let worth = |amount: Value| amount >= self.rules.bounds.min && amount > Value::ZERO;
        self.cash.out && worth(self.cash.above().max(self.cash.below())) || worth(self.idle())
    }

    /// Cash that an unfinished rebalance left unspent; up to a percent of the portfolio is what fees may leave.
    fn idle(&self) -> Value {
        let idle = self.cash.value.minus_or_zero(self.cash.target);
        let fees = self.portfolio.total.percent(Percent::ONE).unwrap_or(idle);
        if self.rules.resume && idle > fees { idle } else { Value::ZERO }
    }

    /// The least and the most cash that a `drifted` plan may spend on balance.
    fn cash_range(&self) -> (Value, Value) {
        let cash = &self.cash;
        let restore = if self.idle() > Value::ZERO { cash.target } else { cash.restore };
        let (to_restore, to_target) = (cash.value - restore, cash.value - cash.target);
        match (self.cash_fires(), cash.value > cash.target) {
            (true, true) => (to_restore, to_target),
            (true, false) => (to_target, to_restore),
            (false, true) => (Value::ZERO, to_target),
            (false, false) => (to_target, Value::ZERO),
        }
    }

    fn drifted(&mut self) -> Option<()> {
        let (least, most) = self.cash_range();
        let spendable = self.portfolio.cash.spendable;
        // Cash that is locked or missing from the reserve is not made up for by selling coins.
        self.most_cash = most.min(spendable.max(Value::ZERO));
        let fee = self.rules.fee;
        let bought: Value = self.buys.iter().copied().sum();
        let sold: Value = self.sells.iter().copied().sum();
        let sells = self.portfolio.holdings.iter().zip(&self.sells);
        let brought: Value = sells.map(|(holding, sell)| holding.proceeds(*sell, fee)).sum::<Option<Value>>()?;
        // Cash that the buys take, less what the sells bring.
        let spent = bought + bought.percent_up(fee)? - brought;
        // A gap that is nothing but fees and spread is left to smaller buys: it is not worth an order of another coin.
        let fees = bought.percent_up(fee)? + (sold - brought);
        let locked = spendable < self.cash.value.min(Value::ZERO);
        if spent - fees > self.most_cash && !locked {
            let missing = (spent - self.most_cash).with_cost(fee)?;
            self.draw(missing);
        } else if spent < least.min(spendable) {
            let idle = (least.min(spendable) - spent).without_cost(fee)?;
            self.place(idle);
        }
        Some(())
    }

    /// Sells `missing` more, from coins above their target.
    fn draw(&mut self, missing: Value) {
        for (at, amount) in spread(missing, &self.candidates(true), true) {
            if let Some(slot) = self.sells.get_mut(at) {
                *slot += amount;
            }
        }
    }

    /// Buys for `idle` more, into coins below their target.
    fn place(&mut self, idle: Value) {
        for (at, amount) in spread(idle, &self.candidates(false), false) {
            if let Some(slot) = self.buys.get_mut(at) {
                *slot += amount;
            }
        }
    }

    /// Coins that can pay (`selling`) or be bought with what is left, those first that trade anyway, then the largest.
    fn candidates(&self, selling: bool) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for (at, (holding, standing)) in self.portfolio.holdings.iter().zip(&self.standings).enumerate() {
            let (whole, side) = match selling {
                true => (standing.value.minus_or_zero(standing.target).min(holding.free_value), &self.sells),
                false => (standing.target.minus_or_zero(standing.value), &self.buys),
            };
            let taken = side.get(at).copied().unwrap_or_default();
            let trades = taken > Value::ZERO;
            let min = if trades { Value::ZERO } else { holding.minimum(self.rules.bounds) };
            let room = whole.minus_or_zero(taken);
            let worth = if selling && !trades { holding.worth_on_tick(room) } else { room };
            let possible = room > Value::ZERO && self.possible(holding, whole, selling);
            if holding.market.tradable && possible && worth >= min {
                candidates.push(Candidate { at, room, min, trades });
            }
        }
        candidates.sort_by(|a, b| b.trades.cmp(&a.trades).then(b.room.cmp(&a.room)).then(a.at.cmp(&b.at)));
        candidates
    }

    /// Method `target`: every coin by its difference.
    fn all_to_target(&mut self) {
        for (at, (holding, standing)) in self.portfolio.holdings.iter().zip(&self.standings).enumerate() {
            let min = holding.minimum(self.rules.bounds);
            let sell = standing.value.minus_or_zero(standing.target).min(holding.free_value);
            let worth = holding.worth_on_tick(sell);
            let buy = standing.target.minus_or_zero(standing.value);
            let fits = |amount: Value, worth: Value| {
                if holding.market.tradable && worth >= min { amount } else { Value::ZERO }
            };
            if let (Some(sells), Some(buys)) = (self.sells.get_mut(at), self.buys.get_mut(at)) {
                (*sells, *buys) = (fits(sell, worth), fits(buy, buy));
            }
        }
    }

    /// Method `full`: everything free is sold, and every target bought.
    fn sell_all(&mut self) {
        for (at, (holding, standing)) in self.portfolio.holdings.iter().zip(&self.standings).enumerate() {
            let min = holding.minimum(self.rules.bounds);
            let sells = self.sells_whole(holding, min);
            let sell = if sells { holding.free_value } else { Value::ZERO };
            let buy = standing.target.minus_or_zero(holding.value - sell);
            let buy = if holding.market.tradable && buy >= min { buy } else { Value::ZERO };
            if let (Some(sells), Some(buys)) = (self.sells.get_mut(at), self.buys.get_mut(at)) {
                (*sells, *buys) = (sell, buy);
            }
        }
    }

    /// The sells as orders, on their ticks, and what they bring.
    fn sell_orders(&mut self) -> Option<(Vec<Order>, Value)> {
        let portfolio = self.portfolio;
        let (mut orders, mut brought) = (Vec::new(), Value::ZERO);
        for (holding, sell) in portfolio.holdings.iter().zip(&self.sells).filter(|(_, sell)| **sell > Value::ZERO) {
            let all = *sell >= holding.free_value;
            let worth = holding.market.quantity_worth(*sell, holding.price);
            let quantity = if all { holding.free } else { worth.min(holding.free) };
            let pieces = holding.market.sell(quantity, holding.quote, self.rules.bounds);
            if pieces.is_empty() {
                let reason = no_size(holding, *sell, self.rules);
                self.skipped.push(Skip { coin: holding.coin.clone(), reason });
            }
            for piece in pieces {
                brought += holding.proceeds(piece.value, self.rules.fee)?;
                orders.push(piece);
            }
        }
        Some((orders, brought))
    }

    /// Makes the buys fit the money that the sells bring and the cash that may be spent: all by the same share, the smallest
    /// left out while a share would be below its minimum. When that leaves out all of them, the largest that can be paid stays.
    fn fit_buys(&mut self, brought: Value) -> Option<()> {
        let portfolio = self.portfolio;
        let fee = self.rules.fee;
        let cash = self.most_cash.min(portfolio.cash.spendable) + brought;
        let funds = cash.max(Value::ZERO).without_cost(fee)?;
        for (buy, holding) in self.buys.iter_mut().zip(&portfolio.holdings) {
            *buy = buy.floor_to_tick(holding.market.notional_tick);
        }
        let mut order: Vec<usize> = (0..self.buys.len()).collect();
        order.sort_by_key(|at| self.buys.get(*at).copied().unwrap_or_default());
        let mut sum: Value = self.buys.iter().copied().sum();
        let wanted = self.buys.clone();
        let mut paid = None; // The largest that is left out and could be paid.
        for at in &order {
            let (Some(buy), Some(holding)) = (self.buys.get_mut(*at), portfolio.holdings.get(*at)) else { continue };
            if *buy == Value::ZERO || sum <= funds {
                continue;
            }
            let min = holding.minimum(self.rules.bounds);
            let fits = if *buy == sum { funds } else { buy.share(Share::of(funds, sum)) };
            if fits < min {
                sum -= *buy;
                *buy = Value::ZERO;
                paid = if min <= funds { Some(*at) } else { paid };
            }
        }
        if let Some(at) = paid.filter(|_| sum == Value::ZERO)
            && let (Some(buy), Some(whole)) = (self.buys.get_mut(at), wanted.get(at))
        {
            *buy = *whole;
        }
        for at in order {
            let left_out = self.buys.get(at) == Some(&Value::ZERO) && wanted.get(at) != Some(&Value::ZERO);
            let Some(holding) = portfolio.holdings.get(at).filter(|_| left_out) else { continue };
            let (quote, funds, min) = (&portfolio.cash.coin, funds.rounded(2), holding.minimum(self.rules.bounds));
            let reason =
                format!("no order: what can pay for it, {funds} {quote} for all buys, leaves less than {min} {quote}");
            self.skip(&holding.coin, reason);
        }
        shrink(&mut self.buys, funds);
        Some(())
    }

    fn finish(self, mut sells: Vec<Order>) -> Option<Plan> {
        let Draft { portfolio, rules, mut skipped, .. } = self;
        let mut buys = Vec::new();
        for (holding, buy) in portfolio.holdings.iter().zip(&self.buys).filter(|(_, buy)| **buy > Value::ZERO) {
            let pieces = holding.market.buy(*buy, holding.quote.ask, rules.bounds);
            if pieces.is_empty() {
                skipped.push(Skip { coin: holding.coin.clone(), reason: no_size(holding, *buy, rules) });
            }
            buys.extend(pieces);
        }
        if self.fired && sells.is_empty() && buys.is_empty() && skipped.is_empty() {
            let reason = "no order: it is off its target, but no coin can take or give an order's worth".to_string();
            skipped.push(Skip { coin: portfolio.cash.coin.clone(), reason });
        }
        sells.sort_by_key(|order| core::cmp::Reverse(order.value));
        buys.sort_by_key(|order| core::cmp::Reverse(order.value));
        Some(Plan { balanced: !self.fired, sells, buys, skipped, keep: self.cash.value - self.most_cash })
    }
}

fn no_size(holding: &Holding, value: Value, rules: &Rules) -> String {
    let market = &holding.market;
    format!(
        "an order for {} fits neither its tick of {} {} nor its limits (minimum {})",
        value.rounded(2),
        market.quantity_tick,
        holding.coin,
        holding.minimum(rules.bounds)
    )
}
