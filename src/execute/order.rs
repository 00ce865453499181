//! One order from its record to its fills: written down, sent, asked for by our id until it has ended.

use super::{Cycle, Failure, Placed, held, sentence};
use crate::amount::{Quantity, Value};
use crate::exchange::{Balance, Error, Kind, Millis, OrderState};
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
/// The status of an order in a report whose outcome is unknown.
pub(super) const UNKNOWN: &str = "UNKNOWN";
/// Pauses before an order is sent again that certainly was not accepted.
const PAUSES_MS: [Millis; 2] = [1000, 3000];
/// An order that the exchange confirmed and then does not know is given this long to be known again.
const RECEIVED_MS: Millis = 600_000;

impl Cycle<'_> {
    pub(super) fn place_all(&mut self, orders: &[Order], balances: &[Balance], look: i64) -> Result<(), Failure> {
        for order in orders {
            self.in_time()?;
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
    ///
    /// An order that the exchange cannot be brought to take ends the cycle: the next one would fare no better.
    fn fill(&mut self, order: &Order, balances: &[Balance], look: i64) -> Result<Placed, Failure> {
        let client_id = self.journal.next_id(self.now());
        let (had, cash) = (held(balances, &order.coin), held(balances, &self.config.quote));
        let mut pauses = PAUSES_MS.iter();
        loop {
            let at = self.now();
            let expires = self.exchange.order_expiry();
            let intent = Intent { client_id: client_id.clone(), order: order.clone(), at, expires, had, cash, look };
            self.journal.intend(&intent)?;
            let error = match self.exchange.place(order, &client_id, expires) {
                Ok(()) => return self.ended(&intent, true, None),
                Err(error) => error,
            };
            match error.kind {
                Kind::Duplicate => return self.ended(&intent, true, None),
                // Refused for good, unless the exchange has it after all.
                Kind::Refused | Kind::NoSuchOrder => {
                    let looked = Intent { expires: at - EXPIRY_MARGIN_MS, ..intent };
                    return self.ended(&looked, false, Some(&error));
                }
                Kind::RateLimited | Kind::Unreachable | Kind::Clock | Kind::NotAuthorised => {}
                Kind::Unknown | Kind::Garbled => {
                    self.log.say(&format!("{}; asking what became of it", error.message));
                    if let Some(state) = self.follow(&intent, false)? {
                        return self.placed(&intent, state, None);
                    }
                }
            }
            let pause = pauses.next().filter(|_| error.kind != Kind::NotAuthorised);
            let Some(pause) = pause else {
                let placed = self.placed(&intent, never_placed(), Some(&error))?;
                self.report.placed.push(placed);
                return Err(Failure::Exchange(error));
            };
            self.log.say(&format!(
                "{} was not accepted ({}); sending it again under the same id",
                sentence(order),
                error.message
            ));
            self.clock.sleep(*pause);
        }
    }

    /// Waits for the end of an order and writes it down.
    fn ended(&mut self, intent: &Intent, received: bool, refusal: Option<&Error>) -> Result<Placed, Failure> {
        let state = self.follow(intent, received)?.unwrap_or_else(never_placed);
        self.placed(intent, state, refusal)
    }

    fn placed(&mut self, intent: &Intent, state: OrderState, refusal: Option<&Error>) -> Result<Placed, Failure> {
        self.conclude(&intent.client_id, &intent.order, &state)?;
        let refused = match refusal {
            Some(error) if state.filled_quantity == Quantity::ZERO => Some(error.message.clone()),
            _ if state.status == "REJECTED" => Some("the exchange rejected it".to_string()),
            _ => None,
        };
        Ok(Placed { order: intent.order.clone(), client_id: intent.client_id.clone(), state, refused })
    }

    pub(super) fn conclude(&mut self, client_id: &str, order: &Order, state: &OrderState) -> Result<(), Failure> {
        self.journal.conclude(client_id, state, self.now()).map_err(|error| {
            Failure::Unknown(format!("{error}; {} is done at the exchange but not in the journal", sentence(order)))
        })
    }

    /// Asks for an order by our id until it has ended. `None`: it is certain that it was never placed and never will be, because the
    /// exchange does not know it and could not accept it any more. With `received` the exchange has confirmed it, so it exists.
    pub(super) fn follow(&mut self, intent: &Intent, received: bool) -> Result<Option<OrderState>, Failure> {
        let Intent { client_id, order, expires, .. } = intent;
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
                    let expired = self.exchange.time().is_some_and(|time| time > *expires + EXPIRY_MARGIN_MS);
                    if expired && asked >= LEAST_ASKS && !received {
                        return Ok(None);
                    }
                }
                Err(error) => trouble = error.message,
            }
            if waited > FOLLOW_MS {
                return Err(self.unknown(intent, received, &trouble));
            }
            self.clock.sleep(pause);
            pause = (pause * 2).min(4000);
        }
    }

    /// Gives up waiting for an order: the journal keeps it for the next run.
    fn unknown(&mut self, intent: &Intent, received: bool, trouble: &str) -> Failure {
        let Intent { client_id, order, .. } = intent;
        if received {
            // It exists: not to be taken for lost as soon as another order would be.
            let expires = self.now() + RECEIVED_MS;
            if let Err(error) = self.journal.intend(&Intent { expires, ..intent.clone() }) {
                self.log.say(&error.to_string());
            }
        }
        let state = OrderState { status: UNKNOWN.to_string(), ..never_placed() };
        self.report.placed.push(Placed { order: order.clone(), client_id: client_id.clone(), state, refused: None });
        Failure::Unknown(format!(
            "the outcome of {} (id {client_id}) is unknown: {trouble}; it is in the journal, and the next run asks for it first",
            sentence(order)
        ))
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

/// What became of an order, in words.
pub(super) fn outcome(order: &Order, state: &OrderState) -> String {
    let done = match order.side {
        Side::Sell => "sold",
        Side::Buy => "bought",
    };
    format!("{done} {} {} for {} ({})", state.filled_quantity, order.coin, state.filled_value, order.symbol)
}
