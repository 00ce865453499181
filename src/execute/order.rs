//! One order from its record to its fills: written down, sent, asked for by our id until it has ended.

use super::{Cycle, Failure, Placed, sentence};
use crate::amount::{Quantity, Value};
use crate::exchange::{Balance, Kind, Millis, OrderState};
use crate::journal::Intent;
use crate::market::{Order, Side};

/// Longest wait for an order's end; a market order ends at once.
pub(super) const FOLLOW_MS: Millis = 45_000;
/// A market order that still waits after this long is cancelled.
const OPEN_MS: Millis = 15_000;
/// The `Date` header counts whole seconds, and ours may be read late.
const EXPIRY_MARGIN_MS: Millis = 2000;
/// An order that was just accepted may not be known for a moment.
const LEAST_ASKS: u32 = 3;
/// How often one order is sent under its id while it is certain that it was not accepted.
const SENDS: u32 = 4;

impl Cycle<'_> {
    pub(super) fn place_all(&mut self, orders: &[Order], balances: &[Balance], look: u32) -> Result<(), Failure> {
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

    pub(super) fn conclude(&mut self, client_id: &str, order: &Order, state: &OrderState) -> Result<(), Failure> {
        self.journal.conclude(client_id, state).map_err(|error| {
            Failure::Unknown(format!("{error}; {} is done at the exchange but not in the journal", sentence(order)))
        })
    }

    /// Asks for an order by our id until it has ended. `None`: it is certain that it was never placed and never will be, because the
    /// exchange does not know it and could not accept it any more. With `received` the exchange has confirmed it, so it exists.
    pub(super) fn follow(
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
}

/// The state of an order that never reached the exchange.
pub(super) fn never_placed() -> OrderState {
    OrderState {
        order_id: String::new(),
        status: "NOT PLACED".to_string(),
        terminal: true,
        filled_quantity: Quantity::ZERO,
        filled_value: Value::ZERO,
    }
}

fn outcome(order: &Order, state: &OrderState) -> String {
    let done = match order.side {
        Side::Sell => "sold",
        Side::Buy => "bought",
    };
    format!("{done} {} {} for {} ({})", state.filled_quantity, order.coin, state.filled_value, order.symbol)
}
