//! Balances lag behind fills: they are read until they show what was traded, before anything is decided on them.

use super::{Cycle, Failure};
use crate::amount::{Percent, Quantity};
use crate::exchange::{Balance, Millis};
use crate::journal::Fill;
use crate::market::{Coin, Side};

/// Balances were recorded to settle within a second of a fill; this is twice that.
const SETTLE_MS: Millis = 2000;
const SETTLE_READS: u32 = 10;
/// After this long a balance that still shows no trade was changed by someone else.
const SETTLE_WINDOW_MS: Millis = 120_000;
/// A balance shows a fill when it has grown by this much of it: fees are below the rest.
const SHOWN: &str = "98";

/// An amount that a balance must show before it is believed.
pub(super) struct Expected {
    coin: Coin,
    had: Quantity,
    gain: Quantity,
}

impl Cycle<'_> {
    /// What balances must show of the orders of the last look that had any: what was bought, or else what the sells brought.
    pub(super) fn expected_from_journal(&self) -> Vec<Expected> {
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
    pub(super) fn settled(&mut self, expected: &[Expected]) -> Result<Vec<Balance>, Failure> {
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
}
