//! A local account behind the same trait: for a first try, a dry run and tests. It needs no key and no network.
//!
//! The file is the owner's to edit:
//!
//! ```json
//! {
//!   "balances": {"BTC": "0.1", "USDT": "1000"},
//!   "prices": {"BTC": {"bid": "62902.76", "ask": "62902.77", "tick": "0.00001"}, "ETH": "1850.5"},
//!   "fee": "0.5"
//! }
//! ```
//!
//! A price is a bid and an ask with the quantity tick, or one text for both with a tick of eight decimals. `"prices": "live"` takes
//! prices and ticks from the real exchange. Orders are kept in the file as well, so a run that was killed finds them again.
//! Fees are taken as on the exchange: of a buy in the coin, of a sell in the quote currency.

use crate::amount::{Percent, Price, Quantity, Value};
use crate::config::Config;
use crate::config::universe::{Location, Source};
use crate::exchange::{Balance, Error, Exchange, Kind, Listing, Millis, OpenOrder, OrderState};
use crate::json::{Error as JsonError, Next, Object, Reader};
use crate::machine::Machine;
use crate::market::{Coin, Market, Order, Quote, Size};
use crate::named::Named;
use crate::store;
use crate::text;
use std::path::{Path, PathBuf};

/// The account's file in the state directory.
pub const FILE: &str = "paper.json";
/// Orders kept for the owner and for a run that was killed.
const KEPT_ORDERS: usize = 50;
/// A larger file is not an account.
const MOST_BYTES: usize = 1024 * 1024;
/// As on the exchange: orders below one unit of the quote currency are refused.
const MIN_VALUE: Value = Value::ONE;

/// Prices and ticks recorded on 2026-08-16 for the demo; other coins get a price of 1.
const DEMO: [(&str, &str, &str, &str); 12] = [
    ("BTC", "62902.76", "62902.77", "0.00001"),
    ("ETH", "1872.81", "1872.82", "0.0001"),
    ("SOL", "74.34", "74.35", "0.001"),
    ("XRP", "0.9946", "0.9947", "0.1"),
    ("ADA", "0.17559", "0.17569", "0.1"),
    ("DOGE", "0.069329", "0.069345", "1"),
    ("DOT", "0.7556", "0.7562", "0.01"),
    ("LINK", "9.371", "9.374", "0.01"),
    ("LTC", "44.092", "44.098", "0.001"),
    ("CRO", "0.04712", "0.04713", "1"),
    ("UNI", "3.2695", "3.2715", "0.01"),
    ("AAVE", "85.565", "85.584", "0.001"),
];

#[derive(Clone)]
struct Priced {
    quote: Quote,
    tick: Quantity,
}

#[derive(Clone, Default)]
struct Account {
    balances: Named<Quantity>,
    /// `None`: live.
    prices: Option<Named<Priced>>,
    fee: Percent,
    orders: Vec<(String, OrderState)>,
}

/// The paper account.
pub struct Paper<'a> {
    machine: Machine<'a>,
    path: PathBuf,
    quote: Coin,
    /// Coins that must have a price.
    allocation: Vec<Coin>,
    account: Account,
    /// The real exchange, for live prices.
    live: Option<Box<dyn Exchange + 'a>>,
    listings: Named<Listing>,
}

impl<'a> Paper<'a> {
    /// Opens the account in `config.state_dir`, or creates a demo that is out of balance; the sentence returned with it tells the
    /// owner. `live` is asked for prices when the file says so.
    ///
    /// # Errors
    /// When the file cannot be read, written or understood, with its line.
    pub fn open(
        config: &Config,
        machine: Machine<'a>,
        live: impl FnOnce() -> Box<dyn Exchange + 'a>,
    ) -> Result<(Paper<'a>, Option<String>), String> {
        let path = config.state_dir.join(FILE);
        let mut created = None;
        let text = match machine.disk.read(&path, MOST_BYTES).and_then(text::utf8) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let (account, made_up) = demo(config);
                let text = write(&account);
                store::replace(machine.disk, &path, &text).map_err(|error| error.to_string())?;
                created = Some(welcome(&path, &config.quote, &made_up));
                text
            }
            Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
        };
        let account = read(&text).map_err(|error| {
            format!(
                "{}:{}: {}; correct it, or remove the file to begin with a new demo",
                path.display(),
                error.line,
                text::shown(&error.message, 200)
            )
        })?;
        let live = account.prices.is_none().then(live);
        let allocation = config.allocation.iter().map(|(coin, _)| coin).filter(|coin| **coin != config.quote).cloned();
        let (quote, allocation) = (config.quote.clone(), allocation.collect());
        let paper = Paper { machine, path, quote, allocation, account, live, listings: Named::new() };
        Ok((paper, created))
    }

    fn listing(&self, coin: &str) -> Option<Listing> {
        let priced = self.account.prices.as_ref()?.get(coin)?;
        Some(Listing {
            market: Market {
                symbol: format!("{coin}_{}", self.quote),
                base: coin.to_string(),
                quantity_tick: priced.tick,
                notional_tick: Value::parse("0.01").unwrap_or(Value::ONE),
                min_value: MIN_VALUE,
                max_value: None,
                tradable: true,
            },
            quote: Some(priced.quote),
        })
    }

    /// What an order does to the account at the present prices, or why it is refused.
    fn fill(&self, order: &Order) -> Result<(Account, OrderState), String> {
        let too_large = || format!("{}: the order is too large to count", order.symbol);
        let quote = self.listings.get(&order.coin).and_then(|listing| listing.quote);
        let quote = quote.ok_or_else(|| format!("{}: there is no price", order.symbol))?;
        let tick = self.listings.get(&order.coin).map_or(Quantity::ONE, |listing| listing.market.quantity_tick);
        let mut account = self.account.clone();
        let coins = account.balances.get(&order.coin).copied().unwrap_or_default();
        let cash = account.balances.get(&self.quote).copied().unwrap_or_default();
        let fee = account.fee;
        let (quantity, value, coins, cash) = match order.size {
            Size::Quantity(quantity) => {
                if quantity > coins || quantity.floor_to_tick(tick) != quantity {
                    return Err(format!("{}: cannot sell {quantity} of {coins} at a tick of {tick}", order.symbol));
                }
                let value = quote.bid.value_of(quantity).ok_or_else(too_large)?;
                let proceeds = value - value.percent_up(fee).ok_or_else(too_large)?;
                (quantity, value, coins - quantity, cash + proceeds.as_quantity())
            }
            Size::Notional(notional) => {
                let quantity = quote.ask.quantity_for(notional).ok_or_else(too_large)?.floor_to_tick(tick);
                let value = quote.ask.value_of_up(quantity).ok_or_else(too_large)?;
                if value.as_quantity() > cash {
                    return Err(format!("{}: cannot pay {value} with {cash}", order.symbol));
                }
                let bought = quantity - quantity.percent(fee).ok_or_else(too_large)?;
                (quantity, value, coins + bought, cash - value.as_quantity())
            }
        };
        account.balances.insert(&order.coin, coins);
        account.balances.insert(&self.quote, cash);
        let number = account.orders.len() + 1;
        let state = OrderState {
            order_id: format!("paper-{}-{number}", self.machine.clock.now()),
            status: "FILLED".to_string(),
            terminal: true,
            filled_quantity: quantity,
            filled_value: value,
        };
        Ok((account, state))
    }
}

impl Exchange for Paper<'_> {
    fn listings(&mut self, coins: &[Coin]) -> Result<Named<Listing>, Error> {
        self.listings = match &mut self.live {
            Some(live) => live.listings(coins)?,
            None => {
                let mut listings = Named::new();
                for coin in coins {
                    if let Some(listing) = self.listing(coin) {
                        listings.insert(coin, listing);
                    }
                }
                listings
            }
        };
        let unpriced = |coin: &&Coin| self.account.prices.as_ref().is_some_and(|prices| !prices.contains(coin));
        if let Some(coin) = self.allocation.iter().find(unpriced) {
            let why = format!("{}: there is no price for {coin}; add one under \"prices\"", self.path.display());
            return Err(Error::new(Kind::Refused, why));
        }
        Ok(self.listings.clone())
    }

    fn quotes_of(&mut self, coins: &[Coin]) -> Result<Vec<(Coin, Coin)>, Error> {
        let quote = self.quote.clone();
        let found = self.listings(coins)?;
        Ok(found.iter().map(|(coin, _)| (coin.clone(), quote.clone())).collect())
    }

    fn balances(&mut self) -> Result<Vec<Balance>, Error> {
        let held = self.account.balances.iter();
        Ok(held.map(|(coin, total)| Balance { coin: coin.clone(), total: *total, locked: Quantity::ZERO }).collect())
    }

    fn open_orders(&mut self) -> Result<Vec<OpenOrder>, Error> {
        Ok(Vec::new())
    }

    fn place(&mut self, order: &Order, client_id: &str, _expires: Millis) -> Result<(), Error> {
        if self.account.orders.iter().any(|(id, _)| id == client_id) {
            return Ok(());
        }
        let (mut account, state) = self.fill(order).map_err(|why| Error::new(Kind::Refused, why))?;
        account.orders.push((client_id.to_string(), state));
        let surplus = account.orders.len().saturating_sub(KEPT_ORDERS);
        account.orders.drain(..surplus);
        // The account's file is the exchange: an order is accepted when it is on the disk.
        store::replace(self.machine.disk, &self.path, &write(&account))
            .map_err(|error| Error::new(Kind::Unknown, error.to_string()))?;
        self.account = account;
        Ok(())
    }

    fn order(&mut self, client_id: &str) -> Result<Option<OrderState>, Error> {
        Ok(self.account.orders.iter().find(|(id, _)| id == client_id).map(|(_, state)| state.clone()))
    }

    fn cancel(&mut self, client_id: &str) -> Result<(), Error> {
        Err(Error::new(Kind::NoSuchOrder, format!("paper account: the order {client_id} does not wait")))
    }

    fn time(&self) -> Option<Millis> {
        Some(self.machine.clock.now())
    }

    fn order_expiry(&self) -> Millis {
        self.machine.clock.now()
    }

    fn fee(&self) -> Percent {
        self.account.fee
    }

    fn forget_markets(&mut self) {
        if let Some(live) = &mut self.live {
            live.forget_markets();
        }
    }

    fn may_trade(&mut self) -> Result<Option<bool>, Error> {
        Ok(Some(true))
    }
}

/// An account worth 10,000 that is out of balance: a tenth in cash, more of the first coins than of the last. Also the coins whose
/// price is made up. Beside a list all of it is cash; the coins of a list in a file have the demo's prices, those of any other, which
/// needs the network anyway, live ones.
fn demo(config: &Config) -> (Account, Vec<Coin>) {
    let mut coins: Vec<&str> = config.allocation.iter().map(|(coin, _)| coin.as_str()).collect();
    coins.retain(|coin| *coin != config.quote);
    let follows = config.universe.as_ref();
    let is_file = follows.is_none_or(|list| matches!(list.source, Source::List(Location::File(_))));
    if follows.is_some() {
        coins.extend(
            DEMO.iter().map(|(name, ..)| *name).filter(|name| **name != config.quote && !config.allocates(name)),
        );
    }
    let mut account = Account { fee: Percent::parse("0.5").unwrap_or_default(), ..Account::default() };
    let (mut prices, mut made_up) = (Named::new(), Vec::new());
    let shares = coins.len() * (coins.len() + 1) / 2;
    for (at, coin) in coins.iter().enumerate() {
        let known = DEMO.iter().find(|(name, ..)| name == coin);
        let (_, bid, ask, tick) = *known.unwrap_or(&("", "1", "1", "0.01"));
        if known.is_none() {
            made_up.push(coin.to_string());
        }
        let quote = Quote { bid: Price::parse(bid).unwrap_or_default(), ask: Price::parse(ask).unwrap_or_default() };
        let tick = Quantity::parse(tick).unwrap_or_default();
        // n parts for the first coin, one for the last.
        let parts = u32::try_from(shares).unwrap_or(1);
        let value: Value = (at..coins.len()).map(|_| Value::parse("9000").unwrap_or_default().split(parts)).sum();
        let quantity = quote.middle().quantity_for(value).unwrap_or_default().floor_to_tick(tick);
        if follows.is_none() {
            account.balances.insert(coin, quantity);
        }
        prices.insert(coin, Priced { quote, tick });
    }
    let cash = if follows.is_some() { "10000" } else { "1000" };
    account.balances.insert(&config.quote, Quantity::parse(cash).unwrap_or_default());
    account.prices = is_file.then_some(prices);
    (account, if is_file { made_up } else { Vec::new() })
}

fn welcome(path: &Path, quote: &str, made_up: &[Coin]) -> String {
    let warning = match made_up {
        [] => String::new(),
        coins => format!(" No demo price is known for {}: 1 {quote} was taken.", coins.join(", ")),
    };
    format!(
        "created a demo paper account worth about 10000 {quote} in {}; edit its balances and prices as you like, or set \
         \"prices\": \"live\".{warning}",
        path.display()
    )
}

fn read(text: &str) -> Result<Account, JsonError> {
    let mut account = Account { fee: Percent::parse("0.5").unwrap_or_default(), ..Account::default() };
    let (mut balances, mut prices) = (false, false);
    let mut seen: Vec<String> = Vec::new();
    Reader::new(text)?.object(&mut |reader, key| {
        if seen.iter().any(|earlier| earlier == key) {
            return Err(reader.error(format!("{key}: the key is repeated")));
        }
        seen.push(key.to_string());
        match key {
            "balances" => {
                balances = true;
                reader.object(&mut |reader, coin| {
                    let amount = amount(reader, coin, Quantity::parse)?;
                    match account.balances.insert(coin, amount) {
                        None => Ok(()),
                        Some(_) => Err(reader.error(format!("balances: {coin} is repeated"))),
                    }
                })
            }
            "prices" if reader.next() == Next::Text => {
                prices = true;
                let line = reader.line();
                match reader.text()?.as_str() {
                    "live" => Ok(()),
                    _ => Err(JsonError::at(line, "prices: it must be \"live\" or an object of coins")),
                }
            }
            "prices" => {
                prices = true;
                let mut all = Named::new();
                reader.object(&mut |reader, coin| match all.insert(coin, read_price(reader, coin)?) {
                    None => Ok(()),
                    Some(_) => Err(reader.error(format!("prices: {coin} is repeated"))),
                })?;
                account.prices = Some(all);
                Ok(())
            }
            "fee" => {
                let line = reader.line();
                account.fee = amount(reader, "fee", Percent::parse)?;
                match account.fee < Percent::parse("50").unwrap_or_default() {
                    true => Ok(()),
                    false => Err(JsonError::at(line, "fee: it is in percent and below 50")),
                }
            }
            "orders" => reader.array(&mut |reader| {
                account.orders.push(read_order(reader)?);
                Ok(())
            }),
            _ => Err(reader.error(format!("{key}: the key is unknown; allowed are balances, prices, fee, orders"))),
        }
    })?;
    match (balances, prices) {
        (true, true) => Ok(account),
        _ => Err(JsonError::at(1, "it must hold \"balances\" and \"prices\"")),
    }
}

/// A text or a number that is an amount from zero up.
fn amount<T: PartialOrd + Default>(
    reader: &mut Reader<'_>,
    name: &str,
    parse: fn(&str) -> Option<T>,
) -> Result<T, JsonError> {
    let line = reader.line();
    let text = reader.scalar()?;
    let amount = text.as_deref().and_then(parse).filter(|amount| *amount >= T::default());
    amount.ok_or_else(|| JsonError::at(line, format!("{name}: it must be a plain decimal from 0 up")))
}

fn read_price(reader: &mut Reader<'_>, coin: &str) -> Result<Priced, JsonError> {
    let line = reader.line();
    let mut tick = Quantity::parse("0.00000001").unwrap_or_default();
    if reader.next() != Next::Object {
        let price = amount(reader, coin, Price::parse)?;
        return Ok(Priced { quote: Quote { bid: price, ask: price }, tick });
    }
    let (mut bid, mut ask, mut given) = (None, None, None);
    reader.object(&mut |reader, key| {
        match key {
            "bid" if bid.is_some() => return Err(reader.error("bid: the key is repeated")),
            "ask" if ask.is_some() => return Err(reader.error("ask: the key is repeated")),
            "tick" if given.is_some() => return Err(reader.error("tick: the key is repeated")),
            "bid" => bid = Some(amount(reader, "bid", Price::parse)?),
            "ask" => ask = Some(amount(reader, "ask", Price::parse)?),
            "tick" => given = Some(amount(reader, "tick", Quantity::parse)?),
            _ => return Err(reader.error(format!("{key}: the key is unknown; allowed are bid, ask, tick"))),
        }
        Ok(())
    })?;
    tick = given.unwrap_or(tick);
    match (bid, ask) {
        (Some(bid), Some(ask)) if tick > Quantity::ZERO => Ok(Priced { quote: Quote { bid, ask }, tick }),
        _ => Err(JsonError::at(line, format!("{coin}: a price has a bid, an ask and a tick above 0"))),
    }
}

fn read_order(reader: &mut Reader<'_>) -> Result<(String, OrderState), JsonError> {
    let (mut client_id, mut order_id) = (String::new(), String::new());
    let (mut quantity, mut value) = (Quantity::ZERO, Value::ZERO);
    reader.object(&mut |reader, key| {
        match key {
            "client_oid" => client_id = reader.text()?,
            "order_id" => order_id = reader.text()?,
            "filled_quantity" => quantity = amount(reader, key, Quantity::parse)?,
            "filled_value" => value = amount(reader, key, Value::parse)?,
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    let status = "FILLED".to_string();
    Ok((client_id, OrderState { order_id, status, terminal: true, filled_quantity: quantity, filled_value: value }))
}

fn write(account: &Account) -> String {
    let balances = account.balances.iter().fold(Object::new(), |all, (coin, total)| all.text(coin, &total.to_string()));
    // A line a member, and a line a price or an order: an owner edits this.
    let lines = |parts: Vec<String>| parts.join(",\n    ");
    let prices = match &account.prices {
        None => "\"live\"".to_string(),
        Some(prices) => {
            let line = |(coin, priced): &(Coin, Priced)| {
                let price = Object::new()
                    .text("bid", &priced.quote.bid.to_string())
                    .text("ask", &priced.quote.ask.to_string())
                    .text("tick", &priced.tick.to_string());
                let member = Object::new().raw(coin, &price.end()).end();
                // Without its brackets.
                member.get(1..member.len() - 1).unwrap_or_default().to_string()
            };
            format!("{{{}}}", lines(prices.iter().map(line).collect()))
        }
    };
    let line = |(client_id, state): &(String, OrderState)| {
        Object::new()
            .text("client_oid", client_id)
            .text("order_id", &state.order_id)
            .text("filled_quantity", &state.filled_quantity.to_string())
            .text("filled_value", &state.filled_value.to_string())
            .end()
    };
    let orders = lines(account.orders.iter().map(line).collect());
    format!(
        "{{\n  \"balances\": {},\n  \"prices\": {},\n  \"fee\": \"{}\",\n  \"orders\": [{orders}]\n}}\n",
        balances.end(),
        prices,
        account.fee
    )
}
