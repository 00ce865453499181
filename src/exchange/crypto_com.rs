//! The Crypto.com Exchange, API v1: endpoints, shapes, codes and the rules for retrying. All of it is private to this file.
//!
//! Source: the venue's documentation "Exchange API v1" and recorded replies. What matters most: a reply is judged by its `code` on
//! every HTTP status (500 mostly means refused); a non-zero code may come with an order id; a market buy by notional ends as
//! CANCELED with the coins bought; balances lag behind fills; numbers are strings; unknown members appear at any time.

mod shapes;

use crate::amount::{Percent, Price, Quantity, Value};
use crate::clock::Clock;
use crate::exchange::catalogue::{Cache, Instrument, Instruments};
use crate::exchange::signer::Credentials;
use crate::exchange::{Balance, Error, Exchange, Kind, Listing, Millis, OpenOrder, OrderState};
use crate::http::{Http, Reply};
use crate::json::{self, Next, Object, Row, RowsError};
use crate::log::Log;
use crate::machine::Machine;
use crate::market::{Coin, Order, Quote, Size};
use crate::named::Named;
use crate::wire::Failure;
use shapes::{DOLLARS, MIN_USD, judge, name, on_result, read_account, read_instrument, spot_base, unreadable};
use std::path::PathBuf;

/// The exchange refuses a nonce further than this from its clock (documented, code 40102).
const NONCE_WINDOW_MS: Millis = 60_000;
/// Nonces are this far in the past, so that a request that is lost on the way can be accepted for 35 s and not for 60: the sooner is
/// it certain that an order that nobody knows will never be placed.
const NONCE_AGE_MS: Millis = 25_000;
/// Our clock and the exchange's `Date` header, which counts seconds, agree when they differ by no more than this.
const AGREE_MS: Millis = 2000;
/// The year 10000: a ticker that is later is no ticker, and its time could not be counted on from.
const END_OF_TIME_MS: Millis = 253_402_300_800_000;
/// Taker fee of the venue's default tier (50 basis points recorded in 2026; accounts may have less).
const FEE: &str = "0.5";
/// Pauses before a question is asked again.
const PAUSES_MS: [Millis; 3] = [1000, 2000, 4000];
/// The list of the risk parameters that holds minimums and maximums.
const RISK_LIST: &str = "base_currency_config";
/// What a dollar costs.
const ONE_DOLLAR: Quote = Quote { bid: Price::ONE, ask: Price::ONE };
/// A longer row of a list is no row; the longest recorded one had 500 bytes.
const MOST_ROW_BYTES: usize = 16 * 1024;
/// What a list's reply may hold beside its rows; the risk parameters have two more lists.
const MOST_REST_BYTES: usize = 512 * 1024;

/// Longest reply of each endpoint in bytes, about ten times what was recorded; and how long it may take, in seconds.
fn limits(path: &str) -> (usize, u64) {
    match path {
        "public/get-instruments" => (4 * 1024 * 1024, 15),
        "public/get-tickers" | "public/get-risk-parameters" => (2 * 1024 * 1024, 15),
        "private/user-balance" | "private/get-open-orders" => (1024 * 1024, 10),
        _ => (64 * 1024, 10),
    }
}

/// One account at the venue.
pub struct CryptoCom<'a> {
    clock: &'a dyn Clock,
    log: &'a Log<'a>,
    http: Http<'a>,
    credentials: Option<Credentials>,
    quote: Coin,
    cache: Cache<'a>,
    instruments: Instruments,
    /// The exchange's time, and our monotonic clock at that moment. Chosen once, so that nonces rise.
    anchor: Option<(Millis, Millis)>,
    last_nonce: Millis,
}

impl<'a> CryptoCom<'a> {
    /// An account; without credentials only public questions are answered.
    pub fn new(
        machine: Machine<'a>,
        log: &'a Log<'a>,
        base_url: &str,
        quote: &str,
        cache: PathBuf,
        credentials: Option<Credentials>,
    ) -> CryptoCom<'a> {
        CryptoCom {
            clock: machine.clock,
            log,
            http: Http::new(machine, log, base_url),
            credentials,
            quote: quote.to_string(),
            cache: Cache::new(machine.disk, cache, format!("{base_url} {quote}")),
            instruments: Instruments::new(),
            anchor: None,
            last_nonce: 0,
        }
    }

    /// The exchange's clock as far as it is known, else ours.
    fn now(&self) -> Millis {
        self.time().unwrap_or_else(|| self.clock.now())
    }

    fn request(&mut self, path: &str, body: Option<String>) -> Result<Reply, Error> {
        let reply = self.http.send(path, body, limits(path)).map_err(|failure: Failure| {
            let kind = if failure.not_sent { Kind::Unreachable } else { Kind::Unknown };
            Error::new(kind, failure.message)
        })?;
        if self.anchor.is_none() {
            self.anchor = reply.date.map(|date| self.anchor_at(date));
        }
        Ok(reply)
    }

    /// The exchange's time by a `Date` header that was read at a moment of our monotonic clock: our own clock when both agree, because
    /// it is finer and goes on between runs; else the header's second, which is never ahead.
    fn anchor_at(&self, (date, moment): (Millis, Millis)) -> (Millis, Millis) {
        let elapsed = self.clock.elapsed();
        let ours = self.clock.now() - (elapsed - moment);
        let agree = (-AGREE_MS..=AGREE_MS).contains(&(ours - date));
        if agree { (ours, moment) } else { (date, moment) }
    }

    /// Sends a signed question once, or twice when the first was refused because of the time. Returns the text of a reply whose
    /// code is 0.
    fn private(&mut self, method: &str, params: &[(&str, &str)]) -> Result<String, Error> {
        match self.signed(method, params, self.now() - NONCE_AGE_MS) {
            Err(error) if error.kind == Kind::Clock && self.anchor.is_some() => {
                self.log.detail(&format!("{method}: the time was refused; asking once more with the exchange's"));
                self.signed(method, params, self.now() - NONCE_AGE_MS)
            }
            outcome => outcome,
        }
    }

    /// Sends a signed request once, with a nonce of about `time`, above every earlier one.
    fn signed(&mut self, method: &str, params: &[(&str, &str)], time: Millis) -> Result<String, Error> {
        let credentials = self.credentials.clone();
        let credentials =
            credentials.ok_or_else(|| Error::new(Kind::NotAuthorised, format!("{method}: there is no API key")))?;
        self.last_nonce = time.max(self.last_nonce + 1);
        let nonce = self.last_nonce.to_string();
        let sig = credentials.sign_crypto_com(method, &nonce, params, &nonce);
        let body = Object::new()
            .raw("id", &nonce)
            .text("method", method)
            .text("api_key", &credentials.key)
            .raw("params", &params.iter().fold(Object::new(), |all, (key, value)| all.text(key, value)).end())
            .raw("nonce", &nonce)
            .text("sig", &sig)
            .end();
        let reply = self.request(method, Some(body))?;
        let (status, date) = (reply.status, reply.date);
        let broken = |error| Error::new(Kind::Unknown, format!("{method}: the answer broke off: {error}"));
        // Its parts are shown and kept, and an exchange may repeat the request in any of them.
        let text = credentials.redact(&reply.body.text().map_err(broken)?);
        let outcome = judge(method, status, &text, Some(self.last_nonce));
        if outcome.as_ref().is_err_and(|error| error.kind == Kind::Clock) {
            // Nonces may have to go back now: all earlier ones were refused or are in the past.
            (self.anchor, self.last_nonce) = (date, 0);
        }
        outcome.map_err(|error| Error::new(error.kind, credentials.redact(&error.message)))?;
        Ok(text)
    }

    /// A server's words in which the key cannot be read.
    fn redacted(&self, text: &str) -> String {
        self.credentials.as_ref().map_or_else(|| text.to_string(), |credentials| credentials.redact(text))
    }

    /// Sends a private question until it is answered, a few times. Never used to send an order.
    fn ask(&mut self, method: &str, params: &[(&str, &str)]) -> Result<String, Error> {
        let mut attempt = 0;
        loop {
            match self.private(method, params) {
                Ok(text) => return Ok(text),
                Err(error) => self.pause(error, &mut attempt)?,
            }
        }
    }

    /// Waits before another attempt, or gives the error back when it is final or there were enough attempts.
    fn pause(&self, error: Error, attempt: &mut usize) -> Result<(), Error> {
        let error = Error::new(error.kind, self.redacted(&error.message));
        let pause = PAUSES_MS.get(*attempt).filter(|_| error.passing()).copied();
        let Some(pause) = pause else { return Err(error) };
        self.log.say(&format!("{}; asking again in {} s", error.message, pause / 1000));
        self.clock.sleep(pause);
        *attempt += 1;
        Ok(())
    }

    /// Reads a public list as a stream, row by row, once.
    fn list(&mut self, path: &str, name: &str, row: &mut dyn FnMut(&str) -> Result<(), String>) -> Result<(), Error> {
        let mut reply = self.request(path, None)?;
        let mut rows = 0;
        let mut count = |text: &str| {
            rows += 1;
            row(text)
        };
        let rest = json::rows(&mut reply.body, Some(name), MOST_ROW_BYTES, MOST_REST_BYTES, &mut count);
        let rest = rest.map_err(|error| match error {
            RowsError::Io(error) => Error::new(Kind::Unknown, format!("{path}: the answer broke off: {error}")),
            RowsError::Garbled(why) => unreadable(path, reply.status, &why),
        })?;
        // Before its message is cut to a line: half a key would not be found any more.
        judge(path, reply.status, &self.redacted(&rest), None)?;
        let mut there = false;
        let read = on_result(&rest, &mut |reader| {
            reader.object(&mut |reader, key| {
                there |= key == name && reader.next() == Next::Array;
                reader.skip()
            })
        });
        // No instrument and no ticker cannot be; no special minimum can, as long as the list is there.
        match read {
            Ok(()) if there && (rows > 0 || name == RISK_LIST) => Ok(()),
            _ => Err(unreadable(path, reply.status, "its list is missing or empty")),
        }
    }

    /// Reads the rules of `coins` from the two lists that hold them.
    fn read_instruments(&mut self, coins: &[Coin]) -> Result<Instruments, Error> {
        let mut rules = Instruments::new();
        for coin in coins {
            rules.insert(coin, None);
        }
        let quote = self.quote.clone();
        self.list("public/get-instruments", "data", &mut |row| {
            let row = Row::read(row)?;
            let Some(coin) = spot_base(&row, &quote).filter(|coin| rules.contains(coin)) else { return Ok(()) };
            let instrument = read_instrument(&row).ok_or_else(|| format!("the rules of {coin} cannot be read"))?;
            rules.insert(coin, Some(instrument));
            Ok(())
        })?;
        self.list("public/get-risk-parameters", RISK_LIST, &mut |row| {
            let row = Row::read(row)?;
            let Some(Some(rules)) = row.get("instrument_name").and_then(|coin| rules.get_mut(coin)) else {
                return Ok(());
            };
            let value = |key: &str| match row.get(key) {
                None => Ok(None),
                Some(text) => Value::parse(text)
                    .map(Some)
                    .ok_or_else(|| format!("{key} {text} of {} cannot be read", rules.symbol)),
            };
            let (min, max) = (value("min_order_notional_usd")?, value("max_order_notional_usd")?);
            rules.min_usd = min.unwrap_or(MIN_USD).max(MIN_USD);
            rules.max_usd = max;
            Ok(())
        })?;
        Ok(rules)
    }

    /// Makes sure that the rules of all `coins` are known: from memory, the cache file or the exchange.
    fn know(&mut self, coins: &[Coin]) -> Result<(), Error> {
        let unknown = |rules: &Instruments| coins.iter().any(|coin| !rules.contains(coin));
        if unknown(&self.instruments) {
            self.instruments = self.cache.load(self.now()).unwrap_or_default();
        }
        let mut attempt = 0;
        while unknown(&self.instruments) {
            match self.read_instruments(coins) {
                Ok(rules) => {
                    // What is missing or halted may be back tomorrow: only what is there is kept.
                    let mut there = Instruments::new();
                    for (coin, rules) in rules.iter() {
                        if rules.as_ref().is_some_and(|rules| rules.tradable) {
                            there.insert(coin, rules.clone());
                        }
                    }
                    // Rules of other coins, which are good for their time, are not thrown away for nothing.
                    if !there.is_empty() {
                        self.cache.save(self.now(), &there);
                    }
                    self.instruments = rules;
                }
                Err(error) => self.pause(error, &mut attempt)?,
            }
        }
        Ok(())
    }

    /// Best bid and ask of every symbol in `wanted`, with one request for all.
    fn read_quotes(&mut self, wanted: &[&str]) -> Result<Named<Quote>, Error> {
        let mut quotes = Named::new();
        let mut newest = None;
        self.list("public/get-tickers", "data", &mut |row| {
            let row = Row::read(row)?;
            let time = row.get("t").and_then(|time| time.parse().ok());
            newest = newest.max(time.filter(|time| (0..END_OF_TIME_MS).contains(time)));
            let Some(symbol) = row.get("i").filter(|symbol| wanted.contains(symbol)) else { return Ok(()) };
            let price = |key: &str| match row.get(key) {
                None => Ok(None),
                Some(text) => Price::parse(text).map(Some).ok_or_else(|| format!("a price of {symbol} cannot be read")),
            };
            if let (Some(bid), Some(ask)) = (price("b")?, price("k")?) {
                quotes.insert(symbol, Quote { bid, ask });
            }
            Ok(())
        })?;
        // A server without a `Date` header tells its time by its newest ticker.
        self.anchor = self.anchor.or(newest.map(|time| (time, self.clock.elapsed())));
        Ok(quotes)
    }
}

impl Exchange for CryptoCom<'_> {
    fn listings(&mut self, coins: &[Coin]) -> Result<Named<Listing>, Error> {
        self.know(coins)?;
        let dollar_symbol = format!("{}_USD", self.quote);
        let rules: Vec<(Coin, Instrument)> =
            coins.iter().filter_map(|coin| Some((coin.clone(), self.instruments.get(coin)?.clone()?))).collect();
        let mut wanted: Vec<&str> = rules.iter().map(|(_, rules)| rules.symbol.as_str()).collect();
        wanted.push(&dollar_symbol);
        wanted.sort_unstable();
        let mut attempt = 0;
        let quotes = loop {
            match self.read_quotes(&wanted) {
                Ok(quotes) => break quotes,
                Err(error) => self.pause(error, &mut attempt)?,
            }
        };
        let usd = match quotes.get(&dollar_symbol) {
            _ if self.quote == "USD" => ONE_DOLLAR,
            Some(quote) if quote.bid > Price::ZERO && quote.ask >= quote.bid => *quote,
            _ if DOLLARS.contains(&self.quote.as_str()) => ONE_DOLLAR,
            _ => {
                let why = format!(
                    "there is no price {dollar_symbol}, so the exchange's minimum cannot be told in {}",
                    self.quote
                );
                return Err(Error::new(Kind::Garbled, why));
            }
        };
        let mut listings = Named::new();
        for (coin, rules) in rules {
            let market = rules.market(&coin, usd);
            let market = market
                .ok_or_else(|| Error::new(Kind::Garbled, format!("the rules of {coin} are too large to count")))?;
            let quote = quotes.get(&rules.symbol).copied();
            listings.insert(&coin, Listing { market, quote });
        }
        Ok(listings)
    }

    fn quotes_of(&mut self, coins: &[Coin]) -> Result<Vec<(Coin, Coin)>, Error> {
        let mut attempt = 0;
        loop {
            let mut found = Vec::new();
            let read = self.list("public/get-instruments", "data", &mut |row| {
                let row = Row::read(row)?;
                if let (Some(base), Some(quote)) = (row.get("base_ccy"), row.get("quote_ccy"))
                    && spot_base(&row, quote).is_some_and(|coin| coins.iter().any(|wanted| wanted == coin))
                {
                    found.push((base.to_string(), quote.to_string()));
                }
                Ok(())
            });
            match read {
                Ok(()) => return Ok(found),
                Err(error) => self.pause(error, &mut attempt)?,
            }
        }
    }

    fn balances(&mut self) -> Result<Vec<Balance>, Error> {
        let method = "private/user-balance";
        let text = self.ask(method, &[])?;
        let mut balances = Vec::new();
        let mut accounts = 0;
        let read = on_result(&text, &mut |reader| {
            reader.object(&mut |reader, key| match key {
                "data" => reader.array(&mut |reader| {
                    accounts += 1;
                    read_account(reader, &mut balances)
                }),
                _ => reader.skip(),
            })
        });
        match read {
            Ok(()) if accounts > 0 => Ok(balances),
            Ok(()) => Err(Error::new(Kind::Garbled, format!("{method}: the answer holds no account"))),
            Err(error) => Err(Error::new(Kind::Garbled, format!("{method}: {}", error.message))),
        }
    }

    fn open_orders(&mut self) -> Result<Vec<OpenOrder>, Error> {
        let method = "private/get-open-orders";
        let text = self.ask(method, &[])?;
        let mut orders = Vec::new();
        let mut complete = false;
        let read = on_result(&text, &mut |reader| {
            reader.object(&mut |reader, key| match key {
                "data" => {
                    complete = true;
                    reader.array(&mut |reader| {
                        let row = Row::from(reader)?;
                        if row.get("client_oid").or(row.get("instrument_name")).is_none() {
                            return Err(reader.error("an order has neither an id nor an instrument"));
                        }
                        let member = |key: &str| name(row.get(key).unwrap_or_default());
                        orders.push(OpenOrder { client_id: member("client_oid"), symbol: member("instrument_name") });
                        Ok(())
                    })
                }
                _ => reader.skip(),
            })
        });
        match read {
            Ok(()) if complete => Ok(orders),
            Ok(()) => Err(Error::new(Kind::Garbled, format!("{method}: the answer holds no list"))),
            Err(error) => Err(Error::new(Kind::Garbled, format!("{method}: {}", error.message))),
        }
    }

    fn place(&mut self, order: &Order, client_id: &str, expires: Millis) -> Result<(), Error> {
        let (name, amount) = match order.size {
            Size::Quantity(quantity) => ("quantity", quantity.to_string()),
            Size::Notional(value) => ("notional", value.to_string()),
        };
        // In ascending order of their names, as the signature wants them.
        let params = [
            ("client_oid", client_id),
            ("instrument_name", order.symbol.as_str()),
            (name, amount.as_str()),
            ("side", order.side.word()),
            ("spot_margin", "SPOT"),
            ("type", "MARKET"),
        ];
        // Sent once, whatever is answered: sending again is for the caller, who has it in the journal. The nonce is what expires.
        self.signed("private/create-order", &params, expires - NONCE_WINDOW_MS).map(|_| ())
    }

    fn order(&mut self, client_id: &str) -> Result<Option<OrderState>, Error> {
        let method = "private/get-order-detail";
        let text = match self.ask(method, &[("client_oid", client_id)]) {
            Ok(text) => text,
            Err(error) if error.kind == Kind::NoSuchOrder => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut row = Row::default();
        let read = on_result(&text, &mut |reader| {
            row = Row::from(reader)?;
            Ok(())
        });
        let garbled = |why: &str| Error::new(Kind::Garbled, format!("{method} {client_id}: {why}"));
        read.map_err(|error| garbled(&error.message))?;
        if row.get("client_oid") != Some(client_id) {
            return Err(garbled("the answer is about another order"));
        }
        let status = row.get("status").ok_or_else(|| garbled("the answer has no status"))?;
        let quantity =
            row.get("cumulative_quantity").and_then(Quantity::parse).filter(|filled| *filled >= Quantity::ZERO);
        let value = row.get("cumulative_value").and_then(Value::parse).filter(|filled| *filled >= Value::ZERO);
        Ok(Some(OrderState {
            order_id: name(row.get("order_id").unwrap_or_default()),
            status: name(status),
            terminal: matches!(status, "FILLED" | "CANCELED" | "EXPIRED" | "REJECTED"),
            filled_quantity: quantity.ok_or_else(|| garbled("cumulative_quantity is missing or no amount"))?,
            filled_value: value.ok_or_else(|| garbled("cumulative_value is missing or no amount"))?,
        }))
    }

    fn cancel(&mut self, client_id: &str) -> Result<(), Error> {
        self.ask("private/cancel-order", &[("client_oid", client_id)]).map(|_| ())
    }

    fn time(&self) -> Option<Millis> {
        self.anchor.map(|(time, moment)| time + (self.clock.elapsed() - moment))
    }

    fn order_expiry(&self) -> Millis {
        // The nonce that the order will have.
        (self.now() - NONCE_AGE_MS).max(self.last_nonce + 1) + NONCE_WINDOW_MS
    }

    fn fee(&self) -> Percent {
        Percent::parse(FEE).unwrap_or_default()
    }

    fn forget_markets(&mut self) {
        self.cache.forget();
        self.instruments = Instruments::new();
    }

    fn may_trade(&mut self) -> Result<Option<bool>, Error> {
        // Cancelling an order that never was needs the permission to trade, and changes nothing.
        match self.ask("private/cancel-order", &[("client_oid", "rbcheck")]) {
            Err(error) if error.kind == Kind::NotAuthorised => Ok(Some(false)),
            Err(error) if error.kind == Kind::NoSuchOrder => Ok(Some(true)),
            Err(error) if error.kind == Kind::Refused => Ok(None),
            Err(error) => Err(error),
            Ok(_) => Ok(Some(true)),
        }
    }
}
