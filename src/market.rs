//! One instrument's trading rules; the only place where an order is rounded.
//!
//! A sell is given as a quantity, rounded down to the quantity tick. A buy is given as an amount of the quote currency
//! to spend (a notional), rounded down to the notional tick. An order below the minimum is never made.

use crate::amount::{Price, Quantity, Value, div_rem};

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

    /// Orders that sell `quantity` (rounded down to the tick), valued at the middle price. Larger orders than the maximum are split
    /// into pieces that differ by a tick at most; none is below the minimum at the bid, where the exchange counts it. Empty when not
    /// even one order is possible.
    pub fn sell(&self, quantity: Quantity, quote: Quote, bounds: Bounds) -> Vec<Order> {
        let (tick, price, min) = (self.quantity_tick, quote.middle(), self.minimum(quote.bid, bounds));
        let least = quote.bid.quantity_for(min).map(|least| {
            // The division rounds down, and a quantity just below the minimum's is below the minimum.
            let enough = quote.bid.value_of(least).is_some_and(|value| value >= min);
            least.ticks(tick) + u128::from(!(enough && least.floor_to_tick(tick) == least))
        });
        let most = match self.maximum(bounds) {
            None => Some(u128::MAX),
            Some(max) => Some(self.quantity_worth(max, price).ticks(tick)),
        };
        let (Some(least), Some(most)) = (least, most) else { return Vec::new() };
        pieces(quantity.ticks(tick), least, most, &mut |count| {
            let quantity = Quantity::of_ticks(count, tick)?;
            Some(self.order(Side::Sell, Size::Quantity(quantity), price.value_of(quantity)?))
        })
    }

    /// Orders that spend `value` of the quote currency (rounded down to its tick) at about `price`. Larger orders than the
    /// maximum are split into pieces that differ by a tick at most. Empty when not even one order is possible.
    pub fn buy(&self, value: Value, price: Price, bounds: Bounds) -> Vec<Order> {
        let tick = self.notional_tick;
        let least = self.minimum(price, bounds).ceil_to_tick(tick).ticks(tick);
        let most = self.maximum(bounds).map_or(u128::MAX, |max| max.ticks(tick));
        pieces(value.ticks(tick), least, most, &mut |count| {
            let value = Value::of_ticks(count, tick)?;
            Some(self.order(Side::Buy, Size::Notional(value), value))
        })
    }

    fn order(&self, side: Side, size: Size, value: Value) -> Order {
        Order { symbol: self.symbol.clone(), coin: self.base.clone(), side, size, value }
    }
}

/// Splits so many ticks into as few equal pieces as `most` allows, none below `least`. When equal pieces would be too small, as many
/// as possible have `most`, and the rest, which is too small for an order, is left out. Empty above [`MOST_PARTS`] pieces. `order`
/// makes an order of a number of ticks.
fn pieces(ticks: u128, least: u128, most: u128, order: &mut dyn FnMut(u128) -> Option<Order>) -> Vec<Order> {
    if ticks == 0 || ticks < least || most == 0 || most < least {
        return Vec::new();
    }
    let (full, rest) = div_rem(ticks, most);
    let count = full + u128::from(rest > 0);
    if count > u128::from(MOST_PARTS) {
        return Vec::new();
    }
    let (size, larger) = div_rem(ticks, count);
    let mut orders = Vec::new();
    if size < least {
        for _ in 1..count {
            orders.extend(order(most));
        }
    } else {
        for at in 0..count {
            orders.extend(order(size + u128::from(at < larger)));
        }
    }
    orders
}
