//! Orders: what is accepted, how it fills, what it costs, and how it is told afterwards.

use std::time::Instant;

use serde_json::{Map, Value, json};

use super::decimal::Dec;
use super::told;
use super::venue::Refusal;
use super::world::{FeeIn, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Buy,
    Sell,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Active,
    Filled,
    Canceled,
    Rejected,
    Expired,
}

/// One order the exchange took note of.
#[derive(Clone, Debug)]
pub struct Order {
    pub client_oid: String,
    pub order_id: String,
    pub symbol: String,
    pub base: String,
    pub quote: String,
    pub side: Side,
    pub quantity: Option<Dec>,
    pub notional: Option<Dec>,
    pub status: Status,
    pub cumulative_quantity: Dec,
    pub cumulative_value: Dec,
    pub fee: Dec,
    pub fee_coin: String,
    /// Bid or ask when the order was accepted; the whole order fills there.
    pub price: Option<Dec>,
    pub when: Instant,
    pub created_ms: i64,
    /// Why it was rejected; 0 otherwise.
    pub code: i64,
    /// How often get-order-detail was asked for it.
    pub asks: u32,
    /// get-order-detail does not find it before this moment.
    hidden_until_ms: i64,
    /// What will fill in the end, if nobody cancels.
    pub(super) due: Dec,
    pub(super) tick: Dec,
    mid: Dec,
    pub(super) price_places: usize,
    /// Still reserved, in the coin that is given.
    held: Dec,
    /// What the fee comes to in base units, whatever it was paid in.
    pub(super) fee_base: Dec,
}

impl Order {
    fn given(&self) -> &str {
        match self.side {
            Side::Buy => &self.quote,
            Side::Sell => &self.base,
        }
    }

    /// What is given at most: `None` when that needs a price and there is none.
    fn cost(&self) -> Option<Dec> {
        match (self.side, self.quantity) {
            (Side::Sell, quantity) => quantity,
            (Side::Buy, Some(quantity)) => self.price.map(|price| quantity.mul_floor(price)),
            (Side::Buy, None) => self.notional,
        }
    }

    fn ack(&self) -> String {
        json!({"client_oid": self.client_oid, "order_id": self.order_id}).to_string()
    }
}

pub type Params = Map<String, Value>;

/// A parameter's text.
pub(super) fn text<'a>(params: &'a Params, name: &str) -> Option<&'a str> {
    params.get(name).and_then(Value::as_str)
}

/// `private/create-order`. With `forced`, a well-formed order is recorded as rejected for it.
pub fn create(world: &mut World, params: &Params, nonce: i64, forced: Option<&Refusal>) -> Result<String, Refusal> {
    if let Some(complaint) = world.witness.clone().and_then(|witness| witness(params)) {
        world.violate(complaint);
    }
    let mut order = draft(world, params, nonce)?;
    let ack = order.ack();
    if let Some(refusal) = forced.cloned().or_else(|| limits(world, &order)) {
        order.status = Status::Rejected;
        order.code = refusal.code;
        world.orders.push(order);
        return Err(Refusal { result: Some(ack), ..refusal });
    }
    let wants_quote_fee = order.side == Side::Buy
        && (world.fee_in == FeeIn::Quote || text(params, "fee_instrument_name") == Some(&order.quote));
    accept(world, order, wants_quote_fee);
    Ok(ack)
}

/// The order as it was asked for, if its form is right.
fn draft(world: &mut World, params: &Params, nonce: i64) -> Result<Order, Refusal> {
    let oid = client_oid(world, params, nonce)?;
    if text(params, "spot_margin") != Some("SPOT") {
        world.violate(format!("order {oid} without spot_margin SPOT"));
    }
    let side = match text(params, "side") {
        Some("BUY") => Side::Buy,
        Some("SELL") => Side::Sell,
        _ => return Err(Refusal::of(220)),
    };
    if text(params, "type") != Some("MARKET") {
        world.violate(format!("order {oid} is not a MARKET order; others are not modelled"));
        return Err(Refusal::of(218));
    }
    let symbol = text(params, "instrument_name").ok_or_else(|| Refusal::of(40004))?;
    let market = world.markets.get(symbol).cloned().ok_or_else(|| Refusal::of(209))?;
    if !market.tradable {
        return Err(Refusal::of(208));
    }
    let (quantity, notional) = (text(params, "quantity"), text(params, "notional"));
    match (side, quantity, notional) {
        (Side::Sell, Some(_), None) | (Side::Buy, Some(_), None) | (Side::Buy, None, Some(_)) => {}
        _ => {
            world.violate(format!("{side:?} order {oid} with quantity {quantity:?} and notional {notional:?}"));
            return Err(Refusal::of(40004));
        }
    }
    let mut sized = |name: &str, text: Option<&str>, fits: &dyn Fn(Dec) -> bool| match text {
        None => Ok(None),
        Some(text) => match Dec::parse(text).filter(|&size| size > Dec::ZERO && fits(size)) {
            Some(size) => Ok(Some(size)),
            None => {
                if world.strict_ticks {
                    world.violate(format!("order {oid} of {symbol} with {name} {text:?}"));
                }
                Err(Refusal { message: "Invalid quantity format".into(), ..Refusal::of(213) })
            }
        },
    };
    let quantity = sized("quantity", quantity, &|q| q.floor_to(market.qty_tick) == q)?;
    let notional = sized("notional", notional, &|n| n.places() <= market.quote_decimals)?;
    let price = if side == Side::Buy { market.ask } else { market.bid };
    let price = price.filter(|price| *price > Dec::ZERO);
    let due = match (price, notional, quantity) {
        (Some(price), Some(notional), _) => notional.div_floor(price).floor_to(market.qty_tick),
        (Some(_), None, Some(quantity)) => quantity,
        _ => Dec::ZERO,
    };
    let due = world.partial.map_or(due, |part| due.mul_floor(part).floor_to(market.qty_tick));
    Ok(Order {
        order_id: (6_530_219_466_236_720_401_u64 + world.orders.len() as u64 * 17).to_string(),
        client_oid: oid,
        symbol: symbol.into(),
        side,
        quantity,
        notional,
        status: Status::Active,
        cumulative_quantity: Dec::ZERO,
        cumulative_value: Dec::ZERO,
        fee: Dec::ZERO,
        fee_coin: market.quote.clone(),
        price,
        when: Instant::now(),
        created_ms: world.now_ms(),
        code: 0,
        asks: 0,
        hidden_until_ms: world.now_ms() + world.hidden_ms,
        due,
        tick: market.qty_tick,
        mid: market.mid().unwrap_or_default(),
        price_places: market.quote_decimals,
        held: Dec::ZERO,
        fee_base: Dec::ZERO,
        base: market.base,
        quote: market.quote,
    })
}

fn client_oid(world: &mut World, params: &Params, nonce: i64) -> Result<String, Refusal> {
    let Some(oid) = text(params, "client_oid") else {
        world.violate("an order without client_oid".into());
        return Ok(nonce.to_string());
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if oid.is_empty() || oid.len() > 36 || !oid.bytes().all(plain) {
        world.violate(format!("client_oid {oid:?}"));
        return Err(Refusal::of(40004));
    }
    if !world.forgets_ids && world.orders.iter().any(|order| order.client_oid == oid) {
        return Err(Refusal::of(204));
    }
    Ok(oid.into())
}

/// What is refused although its form is right: the size in USD, then the money.
fn limits(world: &mut World, order: &Order) -> Option<Refusal> {
    let market = &world.markets[&order.symbol];
    let value = match order.side {
        Side::Sell => order.price.zip(order.quantity).map(|(price, q)| q.mul_floor(price)),
        Side::Buy => order.cost(),
    };
    let usd = value.map(|value| value.mul_floor(world.usd_price(&order.quote)));
    if usd.zip(market.min_usd).is_some_and(|(usd, min)| usd < min) {
        return Some(Refusal::of(415));
    }
    if usd.zip(market.max_usd).is_some_and(|(usd, max)| usd > max) {
        return Some(Refusal::of(314));
    }
    let free = world.free(order.given());
    let cost = order.cost().filter(|&cost| cost > free)?;
    // What a buy by quantity costs cannot be known beforehand; the other two can.
    if world.strict_funds && (order.side == Side::Sell || order.notional.is_some()) {
        let (oid, coin) = (&order.client_oid, order.given());
        world.violate(format!("order {oid} gives {cost} {coin} where {free} are free"));
    }
    Some(Refusal::of(306))
}

/// Takes the order into the book: reserves its money, and fills it at once unless fills are slow.
fn accept(world: &mut World, mut order: Order, wants_quote_fee: bool) {
    world.remember_balances();
    order.held = order.cost().unwrap_or_default();
    world.balances.entry(order.given().into()).or_default().reserved += order.held;
    if order.side == Side::Buy {
        let fee = order.held.mul_floor(world.fee);
        let on_top = wants_quote_fee && world.free(&order.quote) >= fee;
        order.fee_coin = if on_top { order.quote.clone() } else { order.base.clone() };
    }
    if let FeeIn::Coin(coin) = world.fee_in
        && coin != order.base
        && world.free(coin) > third_coin(world, &order, coin).0
    {
        order.fee_coin = coin.into();
    }
    let due = order.due;
    world.orders.push(order);
    if world.slow_fill_asks == 0 || due == Dec::ZERO {
        let newest = world.orders.len() - 1;
        fill(world, newest, due);
        finish(world, newest);
    }
}

/// The fee of the whole order in a coin that is neither base nor quote, and what one such coin is worth in the quote.
fn third_coin(world: &World, order: &Order, coin: &str) -> (Dec, Dec) {
    let direct = world.markets.get(&format!("{coin}_{}", order.quote)).and_then(|market| market.mid());
    let rate = direct.unwrap_or_else(|| world.usd_price(coin).div_floor(world.usd_price(&order.quote)));
    let value = order.due.mul_floor(order.price.unwrap_or_default());
    let fee = if rate > Dec::ZERO { value.mul_floor(world.fee).div_floor(rate) } else { Dec::ZERO };
    (fee, rate)
}

/// Fills so much of the order at its price, and books the costs.
fn fill(world: &mut World, index: usize, quantity: Dec) {
    let third = {
        let order = &world.orders[index];
        let third = order.fee_coin != order.base && order.fee_coin != order.quote;
        third.then(|| (third_coin(world, order, &order.fee_coin).1, world.free(&order.fee_coin)))
    };
    let order = &mut world.orders[index];
    let price = order.price.unwrap_or_default();
    let value = quantity.mul_floor(price);
    let in_base = order.fee_coin == order.base;
    let fee = if in_base { quantity } else { value }.mul_floor(world.fee);
    let (fee, fee_value) = match third {
        // Never more than there is: what is missing is waived.
        Some((rate, free)) => {
            let fee = if rate > Dec::ZERO { fee.div_floor(rate).min(free) } else { Dec::ZERO };
            (fee, fee.mul_floor(rate))
        }
        None => (fee, if in_base { fee.mul_floor(order.mid) } else { fee }),
    };
    order.cumulative_quantity += quantity;
    order.cumulative_value += value;
    order.fee += fee;
    order.fee_base += quantity.mul_floor(world.fee);
    let (given, taken, gap) = match order.side {
        Side::Sell => (quantity, value, order.mid - price),
        Side::Buy => (value, quantity, price - order.mid),
    };
    order.held -= given;
    let giver = world.balances.entry(order.given().into()).or_default();
    giver.quantity -= given;
    giver.reserved -= given;
    let taker = if order.side == Side::Sell { &order.quote } else { &order.base };
    world.balances.entry(taker.clone()).or_default().quantity += taken;
    world.balances.entry(order.fee_coin.clone()).or_default().quantity -= fee;
    world.spread_cost += quantity.mul_floor(gap);
    world.fee_cost += fee_value;
}

/// Ends the order: frees what is still reserved. A buy by notional is never called FILLED.
fn finish(world: &mut World, index: usize) {
    let order = &mut world.orders[index];
    let all = order.quantity == Some(order.cumulative_quantity);
    order.status = if all { Status::Filled } else { Status::Canceled };
    world.balances.entry(order.given().into()).or_default().reserved -= order.held;
    order.held = Dec::ZERO;
}

fn find(world: &World, params: &Params) -> Result<Option<usize>, Refusal> {
    let (oid, id) = (text(params, "client_oid"), text(params, "order_id"));
    if oid.is_none() && id.is_none() {
        return Err(Refusal::of(40004));
    }
    let same = |asked: Option<&str>, own: &str| asked.is_none_or(|asked| asked == own);
    Ok(world.orders.iter().position(|o| same(oid, &o.client_oid) && same(id, &o.order_id)))
}

/// `private/get-order-detail`. Being asked is what moves a hidden or slow order on.
pub fn detail(world: &mut World, params: &Params) -> Result<String, Refusal> {
    let index = find(world, params)?.ok_or_else(|| Refusal::of(40401))?;
    let now_ms = world.now_ms();
    let order = &mut world.orders[index];
    order.asks = order.asks.saturating_add(1);
    if order.asks <= world.hidden_details || now_ms < order.hidden_until_ms {
        return Err(Refusal::of(40401));
    }
    let (asked, slow) = (order.asks - world.hidden_details, world.slow_fill_asks);
    let open = order.due - order.cumulative_quantity;
    let half = order.due.half().floor_to(order.tick);
    if order.status == Status::Active && asked > slow {
        world.remember_balances();
        fill(world, index, open);
        finish(world, index);
    } else if order.status == Status::Active
        && world.slow_fill_half
        && asked >= slow.min(2)
        && order.cumulative_quantity == Dec::ZERO
    {
        world.remember_balances();
        fill(world, index, half);
    }
    Ok(told::order(&world.orders[index]).to_string())
}

/// `private/cancel-order`.
pub fn cancel(world: &mut World, params: &Params) -> Result<String, Refusal> {
    let index = find(world, params)?.ok_or_else(|| Refusal::of(212))?;
    if world.orders[index].status != Status::Active {
        return Err(Refusal::of(316));
    }
    world.remember_balances();
    finish(world, index);
    Ok(world.orders[index].ack())
}
