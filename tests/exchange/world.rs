//! The world behind the loopback exchange: markets, balances, orders, clock, and what was noticed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::decimal::{Dec, dec};
use super::faults::{self, Act, Fault};
use super::http::Incoming;
use super::orders::{Order, Params};
use super::venue;

/// One instrument.
#[derive(Clone, Debug)]
pub struct Market {
    pub symbol: String,
    pub base: String,
    pub quote: String,
    pub qty_tick: Dec,
    pub price_tick: Dec,
    pub quote_decimals: usize,
    pub quantity_decimals: usize,
    pub tradable: bool,
    pub bid: Option<Dec>,
    pub ask: Option<Dec>,
    pub last: Option<Dec>,
    /// Smallest and largest order, in USD. The public list tells those of the base's first market.
    pub min_usd: Option<Dec>,
    pub max_usd: Option<Dec>,
}

impl Market {
    /// The middle of bid and ask, or else the last price.
    pub fn mid(&self) -> Option<Dec> {
        self.bid.zip(self.ask).map(|(bid, ask)| (bid + ask).half()).or(self.last)
    }

    /// Moves the market.
    pub fn set(&mut self, bid: &str, ask: &str) {
        (self.bid, self.ask, self.last) = (Some(dec(bid)), Some(dec(ask)), Some(dec(bid)));
    }
}

/// What the account has of one coin; `reserved` is part of `quantity`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    pub quantity: Dec,
    pub reserved: Dec,
}

/// What a buy's fee is paid in; a sell's is paid in the quote, but for a third coin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeeIn {
    /// In the base: less arrives than was filled.
    Default,
    /// In the quote, on top of what was spent; in the base when the free quote is too little.
    Quote,
    /// In this coin, of a sell too; as by default while there is too little of it.
    Coin(&'static str),
}

/// One request as it was seen, whatever became of it.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET` or `POST`.
    pub verb: String,
    /// Such as `private/create-order`; the whole path when it is outside the API.
    pub method: String,
    pub params: serde_json::Value,
    pub nonce: Option<i64>,
    /// Its size on the wire, before encryption.
    pub bytes: usize,
}

/// The balances as they were before the newest order.
struct Stale {
    balances: BTreeMap<String, Balance>,
    /// By [`World::moment_ms`].
    since_ms: i64,
    reads: u32,
}

/// Is told a new order's parameters; answers with what is wrong about its arrival.
pub type Witness = Arc<dyn Fn(&Params) -> Option<String> + Send + Sync>;

/// Everything there is, and how it behaves.
pub struct World {
    pub key: String,
    pub secret: String,
    pub markets: BTreeMap<String, Market>,
    pub balances: BTreeMap<String, Balance>,
    /// The taker's fee, as a fraction.
    pub fee: Dec,
    pub fee_in: FeeIn,
    /// The exchange's clock is the system's plus this.
    pub clock_skew_s: i64,
    /// A clock of its own instead: it showed so many milliseconds at that moment.
    pub own_clock: Option<(i64, Instant)>,
    /// A clock that the test moves by hand instead: what it shows in milliseconds.
    pub hand: Option<Arc<AtomicI64>>,
    pub send_date: bool,
    /// After an order (or a fill) user-balance stays old until both have been used up: so much
    /// time, and so many old answers.
    pub lag_ms: u64,
    pub lag_reads: u32,
    /// get-order-detail does not find an order the first so many times it is asked.
    pub hidden_details: u32,
    /// get-order-detail does not find the next orders for so long.
    pub hidden_ms: i64,
    /// get-order-detail finds an order still open so many times more; `u32::MAX`: until cancelled.
    pub slow_fill_asks: u32,
    /// An open order is half filled from the second such answer on (or the only one).
    pub slow_fill_half: bool,
    /// Only this part of the next orders fills before they end.
    pub partial: Option<Dec>,
    /// A client id is taken a second time, as an exchange might that remembers them for a while only.
    pub forgets_ids: bool,
    /// The public lists are padded with made-up rows to this length.
    pub catalogue: usize,
    pub faults: Vec<Fault>,
    /// Sees every well-signed new order before it is judged; what it complains of is a violation.
    pub witness: Option<Witness>,
    /// Trying to spend what is not free is a violation.
    pub strict_funds: bool,
    /// Sending an order while another's outcome is unknown is a violation.
    pub strict_unknown: bool,
    /// A size off the tick is a violation.
    pub strict_ticks: bool,
    /// Connections taken, with or without a request.
    pub connections: usize,
    pub requests: Vec<Request>,
    pub orders: Vec<Order>,
    /// Client ids of the orders whose answer was lost, and which were not asked for since.
    pub unknown: BTreeSet<String>,
    /// What no correct client ever does.
    pub violations: Vec<String>,
    /// What crossing the spread and the fees have cost so far, in the quote, at mid.
    pub spread_cost: Dec,
    pub fee_cost: Dec,
    stale: Option<Stale>,
    began: Instant,
    /// See [`World::remember_in`].
    pub(super) ledger: Option<File>,
}

impl Default for World {
    fn default() -> World {
        World::new()
    }
}

impl World {
    /// Nothing listed, nothing held, nothing wrong.
    pub fn new() -> World {
        World {
            key: "test-key".into(),
            secret: "test-secret".into(),
            markets: BTreeMap::new(),
            balances: BTreeMap::new(),
            fee: dec("0.005"),
            fee_in: FeeIn::Default,
            clock_skew_s: 0,
            own_clock: None,
            hand: None,
            send_date: true,
            lag_ms: 0,
            lag_reads: 0,
            hidden_details: 0,
            hidden_ms: 0,
            slow_fill_asks: 0,
            slow_fill_half: true,
            partial: None,
            forgets_ids: false,
            catalogue: 0,
            faults: Vec::new(),
            witness: None,
            strict_funds: true,
            strict_unknown: true,
            strict_ticks: true,
            connections: 0,
            requests: Vec::new(),
            orders: Vec::new(),
            unknown: BTreeSet::new(),
            violations: Vec::new(),
            spread_cost: Dec::ZERO,
            fee_cost: Dec::ZERO,
            stale: None,
            began: Instant::now(),
            ledger: None,
        }
    }

    /// Lists a spot pair, such as `BTC_USDT`, for orders of 1 to 1,000,000 USD.
    pub fn list(&mut self, symbol: &str, qty_tick: &str, price_tick: &str, bid: &str, ask: &str) -> &mut Market {
        let (base, quote) = symbol.split_once('_').expect("a symbol such as BTC_USDT");
        let market = Market {
            symbol: symbol.into(),
            base: base.into(),
            quote: quote.into(),
            qty_tick: dec(qty_tick),
            price_tick: dec(price_tick),
            quote_decimals: dec(price_tick).places(),
            quantity_decimals: dec(qty_tick).places(),
            tradable: true,
            bid: Some(dec(bid)),
            ask: Some(dec(ask)),
            last: Some(dec(bid)),
            min_usd: Some(Dec::ONE),
            max_usd: Some(dec("1000000")),
        };
        self.markets.insert(symbol.into(), market);
        self.market(symbol)
    }

    /// A listed market, to change it.
    pub fn market(&mut self, symbol: &str) -> &mut Market {
        self.markets.get_mut(symbol).expect("a listed market")
    }

    /// Sets a balance, none of it reserved.
    pub fn hold(&mut self, coin: &str, quantity: &str) {
        self.hold_locked(coin, quantity, "0");
    }

    /// Sets a balance, part of it reserved.
    pub fn hold_locked(&mut self, coin: &str, quantity: &str, reserved: &str) {
        let balance = Balance { quantity: dec(quantity), reserved: dec(reserved) };
        self.balances.insert(coin.into(), balance);
    }

    /// What could be sold or spent of this coin.
    pub fn free(&self, coin: &str) -> Dec {
        self.balances.get(coin).map_or(Dec::ZERO, |balance| balance.quantity - balance.reserved)
    }

    /// What is held of this coin is worth so much at mid; 0 without a pair in this quote.
    pub fn coin_value(&self, coin: &str, quote: &str) -> Dec {
        let quantity = self.balances.get(coin).map_or(Dec::ZERO, |balance| balance.quantity);
        if coin == quote {
            return quantity;
        }
        let market = self.markets.get(&format!("{coin}_{quote}"));
        market.and_then(Market::mid).map_or(Dec::ZERO, |mid| quantity.mul_floor(mid))
    }

    /// The whole account at mid: all coins with a pair in this quote, and the quote itself.
    pub fn value(&self, quote: &str) -> Dec {
        self.balances.keys().map(|coin| self.coin_value(coin, quote)).sum()
    }

    /// The coin's share of the whole account, in percent, rounded down at the 18th place.
    pub fn weight(&self, coin: &str, quote: &str) -> Dec {
        let total = self.value(quote);
        match total > Dec::ZERO {
            true => self.coin_value(coin, quote).mul_floor(dec("100")).div_floor(total),
            false => Dec::ZERO,
        }
    }

    /// How many requests named this method.
    pub fn count(&self, method: &str) -> usize {
        self.requests.iter().filter(|request| request.method == method).count()
    }

    /// The exchange's clock.
    pub fn now_ms(&self) -> i64 {
        if let Some(hand) = &self.hand {
            return hand.load(Ordering::Relaxed);
        }
        if let Some((shown, at)) = self.own_clock {
            return shown + at.elapsed().as_millis() as i64;
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
        since.as_millis() as i64 + self.clock_skew_s * 1000
    }

    /// Milliseconds since some moment: a clock that never jumps.
    fn moment_ms(&self) -> i64 {
        match &self.hand {
            Some(hand) => hand.load(Ordering::Relaxed),
            None => self.began.elapsed().as_millis() as i64,
        }
    }

    /// One coin in USD: by its own pair, else through another quote, else 1 for a quote, else 0.
    pub fn usd_price(&self, coin: &str) -> Dec {
        let direct = |coin: &str| match coin {
            "USD" => Some(Dec::ONE),
            _ => self.markets.get(&format!("{coin}_USD")).and_then(Market::mid),
        };
        let through = |market: &Market| {
            let rate = direct(&market.quote).unwrap_or(Dec::ONE);
            market.mid().map(|mid| mid.mul_floor(rate))
        };
        let is_quote = self.markets.values().any(|market| market.quote == coin);
        direct(coin)
            .or_else(|| is_quote.then_some(Dec::ONE))
            .or_else(|| self.markets.values().filter(|m| m.base == coin).find_map(through))
            .unwrap_or(Dec::ZERO)
    }

    /// What one of a currency is worth in USD, as the exchange counts its limits.
    pub(super) fn violate(&mut self, what: String) {
        self.violations.push(what);
    }

    /// Notes a request, and decides what will go wrong with it.
    pub(super) fn admit(&mut self, incoming: &Incoming) -> Option<Act> {
        let method = venue::method_of(incoming).unwrap_or(&incoming.path).to_string();
        let params = venue::params_of(incoming);
        let named = |name: &str| params.get(name).and_then(|value| value.as_str());
        let by_id = || self.orders.iter().find(|o| Some(o.order_id.as_str()) == named("order_id"));
        let oid = named("client_oid").or_else(|| by_id().map(|order| order.client_oid.as_str()));
        let oid = oid.map(str::to_string);
        self.requests.push(Request {
            verb: incoming.verb.clone(),
            method: method.clone(),
            params: params.into(),
            nonce: venue::integer(&venue::body_of(incoming)["nonce"]),
            bytes: incoming.bytes(),
        });
        let act = faults::choose(self, &method);
        faults::watch(self, &method, oid.as_deref(), act.as_ref());
        act
    }

    /// Called before an order moves money, for the lag.
    pub(super) fn remember_balances(&mut self) {
        self.stale = (self.lag_ms > 0 || self.lag_reads > 0).then(|| Stale {
            balances: self.balances.clone(),
            since_ms: self.moment_ms(),
            reads: 0,
        });
    }

    /// The balances user-balance shows now.
    pub(super) fn balances_shown(&mut self) -> BTreeMap<String, Balance> {
        let moment_ms = self.moment_ms();
        if let Some(stale) = &mut self.stale
            && (moment_ms - stale.since_ms < self.lag_ms as i64 || stale.reads < self.lag_reads)
        {
            stale.reads += 1;
            return stale.balances.clone();
        }
        self.stale = None;
        self.balances.clone()
    }
}

/// BTC and ETH against USDT at round prices, 60 : 30 : 10.
pub fn two_coins() -> World {
    let mut world = World::new();
    world.list("BTC_USDT", "0.00001", "0.01", "59990", "60010");
    world.list("ETH_USDT", "0.0001", "0.01", "1999", "2001");
    world.list("USDT_USD", "0.1", "0.00001", "0.99912", "0.99916");
    world.hold("BTC", "0.1");
    world.hold("ETH", "1.5");
    world.hold("USDT", "1000");
    world
}
