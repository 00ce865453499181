//! One instrument's trading rules; the only place where an order is rounded.
//!
//! A sell is given as a quantity, rounded down to the quantity tick. A buy is given as an amount of the quote currency
//! to spend (a notional), rounded down to the notional tick. An order below the minimum is never made.

use crate::amount::{Price, Quantity, Value};

/// A coin's or currency's name as the exchange writes it, such as `BTC`.
pub type Coin = String;

/// What the exchange wants of an order on one instrument. Values are in the quote currency.
#[derive(Clone, PartialEq, Eq)]
pub struct Market {
    /// The exchange's name of the instrument, such as `BTC_USDT`.
    pub symbol: String,
    /// The coin that is bought and sold.
    pub base: Coin,
    /// Quantities are multiples of this.
    pub quantity_tick: Quantity,
    /// Amounts to spend are multiples of this.
    pub notional_tick: Value,
    /// Smallest order value.
    pub min_value: Value,
    /// Largest order value, if the exchange has one.
    pub max_value: Option<Value>,
    /// Whether the exchange takes orders on it now.
    pub tradable: bool,
}

/// Best bid and best ask of one instrument, in the quote currency.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Quote {
    /// What a seller gets now.
    pub bid: Price,
    /// What a buyer pays now.
    pub ask: Price,
}

impl Quote {
    /// What a coin is valued at: half way between bid and ask.
    pub fn middle(self) -> Price {
        Price::middle(self.bid, self.ask)
    }
}

/// Which way an order goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Quote into base.
    Buy,
    /// Base into quote.
    Sell,
}

impl Side {
    /// The word used on the wire, in the journal and in JSON output.
    pub fn word(self) -> &'static str {
        match self {
            Side::Buy => "BUY",
            Side::Sell => "SELL",
        }
    }
}

/// How large an order is: what is sold, or what is spent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Of the base coin: every sell.
    Quantity(Quantity),
    /// Of the quote currency: every buy.
    Notional(Value),
}

/// An order that needs more pieces than this is refused: its maximum is a mistake, or the market is too small for it.
pub const MOST_PARTS: u32 = 100;

/// A market order that obeys its instrument's rules.
#[derive(Clone, PartialEq, Eq)]
pub struct Order {
    /// The exchange's name of the instrument.
    pub symbol: String,
    /// The base coin.
    pub coin: Coin,
    /// Which way.
    pub side: Side,
    /// How much.
    pub size: Size,
    /// What that is worth at the middle price, in the quote currency.
    pub value: Value,
}

/// Bounds on the value of one order, the exchange's and the owner's together.
#[derive(Clone, Copy)]
pub struct Bounds {
    /// The owner's smallest order.
    pub min: Value,
    /// The owner's largest order.
    pub max: Option<Value>,
}

impl Market {
    /// Smallest order value at `price`: the exchange's and the owner's rule, and one quantity tick.
    pub fn minimum(&self, price: Price, bounds: Bounds) -> Value {
        let tick = price.value_of_up(self.quantity_tick).unwrap_or(self.min_value);
        self.min_value.max(bounds.min).max(tick)
    }

    fn maximum(&self, bounds: Bounds) -> Option<Value> {
        match (self.max_value, bounds.max) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// The largest quantity on the tick that is worth no more than `value`.
    pub fn quantity_worth(&self, value: Value, price: Price) -> Quantity {
        let Some(quantity) = price.quantity_for(value) else { return Quantity::ZERO };
        let quantity = quantity.floor_to_tick(self.quantity_tick);
        // The division may have lost the 18th decimal of a quantity that lies on the tick exactly.
        let next = quantity + self.quantity_tick;
        match price.value_of(next) {
            Some(worth) if worth <= value => next,
            _ => quantity,
        }
    }

    /// Orders that sell `quantity` (rounded down to the tick) at about `price`. Larger orders than the maximum are split
    /// into equal ones. Empty when the value is below the minimum.
    pub fn sell(&self, quantity: Quantity, price: Price, bounds: Bounds) -> Vec<Order> {
        let quantity = quantity.floor_to_tick(self.quantity_tick);
        let Some(value) = price.value_of(quantity) else { return Vec::new() };
        let Some(parts) = self.parts(value, price, bounds) else { return Vec::new() };
        let mut rest = quantity;
        let mut orders = Vec::new();
        for left in (1..=parts).rev() {
            // Rounded up, so that the last piece is the smallest: pieces differ by a tick at most.
            let piece = match price.quantity_for(value.split(parts)) {
                Some(piece) if left > 1 => piece.ceil_to_tick(self.quantity_tick).min(rest),
                _ => rest,
            };
            let piece = match self.maximum(bounds).and_then(|max| price.quantity_for(max)) {
                Some(most) => piece.min(most.floor_to_tick(self.quantity_tick)),
                None => piece,
            };
            let Some(value) = price.value_of(piece) else { continue };
            if piece == Quantity::ZERO || value < self.minimum(price, bounds) {
                continue;
            }
            rest -= piece;
            orders.push(self.order(Side::Sell, Size::Quantity(piece), value));
        }
        orders
    }

    /// Orders that spend `value` of the quote currency (rounded down to its tick) at about `price`. Larger orders than the maximum are
    /// split into equal ones. Empty when the value is below the minimum.
    pub fn buy(&self, value: Value, price: Price, bounds: Bounds) -> Vec<Order> {
        let value = value.floor_to_tick(self.notional_tick);
        let Some(parts) = self.parts(value, price, bounds) else { return Vec::new() };
        let mut rest = value;
        let mut orders = Vec::new();
        for left in (1..=parts).rev() {
            let piece = if left > 1 { value.split(parts).ceil_to_tick(self.notional_tick).min(rest) } else { rest };
            let piece = match self.maximum(bounds) {
                Some(max) => piece.min(max.floor_to_tick(self.notional_tick)),
                None => piece,
            };
            if piece < self.minimum(price, bounds) || piece == Value::ZERO {
                continue;
            }
            rest -= piece;
            orders.push(self.order(Side::Buy, Size::Notional(piece), piece));
        }
        orders
    }

    /// How many orders a value is split into: as few as the maximum allows, but none below the minimum. `None` when not
    /// even one order is possible.
    fn parts(&self, value: Value, price: Price, bounds: Bounds) -> Option<u32> {
        let min = self.minimum(price, bounds);
        if value <= Value::ZERO || value < min {
            return None;
        }
        let Some(max) = self.maximum(bounds) else { return Some(1) };
        let parts = value.count_up(max).filter(|parts| *parts <= MOST_PARTS)?;
        match value.split(parts) >= min {
            true => Some(parts),
            // Orders at the maximum, and what remains is too small to be one.
            false => Some(parts.saturating_sub(1)).filter(|parts| *parts > 0),
        }
    }

    fn order(&self, side: Side, size: Size, value: Value) -> Order {
        Order { symbol: self.symbol.clone(), coin: self.base.clone(), side, size, value }
    }
}
