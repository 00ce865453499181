//! Balances lag behind fills: they are read until they show what was traded, before anything is decided on them.

use super::{Cycle, Failure, held};
use crate::amount::{Quantity, Value};
use crate::exchange::{Balance, Millis};
use crate::journal::{Fill, Intent};
use crate::market::{Coin, Side};

/// Balances were recorded to settle within a second of a fill; this is twice that.
const SETTLE_MS: Millis = 2000;
const SETTLE_READS: u32 = 10;
/// After this long a balance that still shows no trade was changed by someone else.
const SETTLE_WINDOW_MS: Millis = 120_000;

/// What a balance must show before it is believed.
pub(super) struct Expected {
    coin: Coin,
    had: Quantity,
    at_least: Quantity,
    at_most: Option<Quantity>,
}

/// The fills of one coin, or of the cash, within one look.
struct Moved {
    coin: Coin,
    had: Quantity,
    sum: Quantity,
    smallest: Quantity,
    gained: bool,
}

impl Cycle<'_> {
    /// What balances must show of the fills since the last look that had any, in every coin and in cash.
    ///
    /// A fee may be taken of what is gained, so a gain shows when all but the fee of it is there. Of the smallest fill a quarter may be
    /// missing: enough for the exchange's rounding, and too little for a whole fill to be overlooked.
    pub(super) fn expected_from_journal(&self) -> Vec<Expected> {
        let orders = &self.journal.state.orders;
        let filled = |fill: &Option<Fill>| fill.filter(|fill| fill.quantity > Quantity::ZERO);
        let Some((look, at)) = orders.iter().rev().find_map(|(intent, fill)| Some((intent.look, filled(fill)?.at)))
        else {
            return Vec::new();
        };
        if self.now() - at > SETTLE_WINDOW_MS {
            return Vec::new();
        }
        let mut moved: Vec<Moved> = Vec::new();
        for (intent, fill) in orders.iter().filter(|(intent, _)| intent.look == look) {
            let Some(fill) = filled(fill) else { continue };
            let Intent { order, had, cash, .. } = intent;
            let buys = order.side == Side::Buy;
            note(&mut moved, &order.coin, *had, fill.quantity, buys);
            note(&mut moved, &self.config.quote, *cash, fill.value.as_quantity(), !buys);
        }
        let fee = self.exchange.fee();
        let expect = |moved: Moved| {
            let slack = moved.smallest.as_value().half().half();
            let sum = moved.sum.as_value();
            let least = match moved.gained {
                true => moved.had.as_value() + sum.minus_or_zero(slack + sum.percent_up(fee).unwrap_or(Value::ZERO)),
                false => Value::ZERO,
            };
            let most = (moved.had.as_value() + slack).minus_or_zero(sum).as_quantity();
            let at_most = if moved.gained { None } else { Some(most) };
            Expected { coin: moved.coin, had: moved.had, at_least: least.as_quantity(), at_most }
        };
        moved.into_iter().map(expect).collect()
    }

    /// Reads balances until they show what was traded.
    pub(super) fn settled(&mut self, expected: &[Expected]) -> Result<Vec<Balance>, Failure> {
        if !expected.is_empty() {
            self.clock.sleep(SETTLE_MS);
        }
        let mut reads = 0;
        loop {
            let balances = self.exchange.balances()?;
            reads += 1;
            let lags = |expected: &&Expected| {
                let now = held(&balances, &expected.coin);
                now < expected.at_least || expected.at_most.is_some_and(|most| now > most)
            };
            let Some(late) = expected.iter().find(lags) else { return Ok(balances) };
            if reads < SETTLE_READS {
                self.log.detail(&format!("the balance of {} does not show the trade yet", late.coin));
                self.clock.sleep(SETTLE_MS);
                continue;
            }
            if held(&balances, &late.coin) == late.had {
                return Err(Failure::Unsettled(format!(
                    "the exchange still shows {} {} as before the last trade, so nothing more was sent",
                    late.had, late.coin
                )));
            }
            self.log.say(&format!("{} was moved by someone else meanwhile; going on with what is there", late.coin));
            return Ok(balances);
        }
    }
}

fn note(moved: &mut Vec<Moved>, coin: &str, had: Quantity, amount: Quantity, gained: bool) {
    match moved.iter_mut().find(|moved| moved.coin == coin) {
        Some(moved) => {
            moved.sum += amount;
            moved.smallest = moved.smallest.min(amount);
        }
        None => moved.push(Moved { coin: coin.to_string(), had, sum: amount, smallest: amount, gained }),
    }
}
