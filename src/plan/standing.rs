//! Where a coin or the cash stands against its band, and where it would be brought.

use super::Rules;
use crate::amount::{Percent, Value};
use crate::config::Restore;
use crate::portfolio::{Cash, Holding};

/// Where one coin or the cash stands against its band.
pub(super) struct Standing {
    /// Its value now.
    pub(super) value: Value,
    /// Its value at its target.
    pub(super) target: Value,
    /// Its value at its restore point on its side of the target.
    pub(super) restore: Value,
    /// Whether it is out of its band.
    pub(super) out: bool,
}

impl Standing {
    /// Of a coin, or of the cash for `None`. `costs` is what the rebalance may lose of `total`: an edge is aimed at so that it still
    /// holds afterwards.
    pub(super) fn new(
        whose: Option<&Holding>,
        cash: &Cash,
        total: Value,
        costs: Value,
        rules: &Rules,
    ) -> Option<Standing> {
        let (value, target, band) = match whose {
            // A coin that is to be sold off has no band: all of it goes.
            Some(coin) if !coin.listed => (coin.value, coin.target, Percent::ZERO),
            Some(coin) => (coin.value, coin.target, rules.band(coin.target)),
            None => (cash.total, cash.target, rules.band(cash.target)),
        };
        let upper = total.percent(target + band)?;
        let lower = total.percent_up(target - band)?;
        let at_target = total.percent(target)?;
        let high = value > at_target;
        let restore = match (rules.restore, high) {
            (Restore::Target, _) => at_target,
            (Restore::Half, true) => total.percent(target + band.half())?,
            (Restore::Half, false) => total.percent_up(target - band.half())?,
            (Restore::Edge, true) => (total - costs).percent(target + band)?.max(at_target),
            (Restore::Edge, false) => {
                // What a buy brings is less by its costs; twice as much again is bought.
                let short = lower.minus_or_zero(value);
                let cost = whose.map_or(Some(Value::ZERO), |coin| coin.cost(short, rules.fee))?;
                let cost = cost + cost;
                (lower + cost).min(at_target)
            }
        };
        let out = value > upper || value < lower || (rules.force && value != at_target);
        // Past its restore point already, though not past its edge: nothing to do.
        let restore = if high { restore.min(value) } else { restore.max(value) };
        Some(Standing { value, target: at_target, restore, out })
    }

    pub(super) fn above(&self) -> Value {
        self.value.minus_or_zero(self.restore)
    }

    pub(super) fn below(&self) -> Value {
        self.restore.minus_or_zero(self.value)
    }
}
