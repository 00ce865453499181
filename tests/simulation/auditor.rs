//! A second, simpler account of everything: what the owner put in and took out, what the exchange told, what was sent, what was filled.
//! It knows nothing of the program but its journal file, and every rule here is one that a person would check by hand.

use super::around::{Around, HOUR_MS};
use super::balanced::minimum;
use super::exchange::{Dec, FeeIn, Incoming, Order, Reply, Side, Status, World, dec};
use super::follow::Follow;
use super::list_auditor::ListAuditor;
use super::remembered;
use super::setup::HOME;
use super::source::Page;
use rebalancer::config::Config;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The exchange takes a signed request for so long after its nonce.
const NONCE_WINDOW_MS: i64 = 60_000;

/// A clock that is off by more, and a second for what both tell only in seconds, is not traded with.
const CLOCK_ERROR_MS: i64 = 61_500;

/// An order as the client sent it.
struct Sent {
    symbol: String,
    side: String,
    nonce: i64,
    /// Its fills as the journal says, once it says so.
    settled: Option<(Dec, Dec)>,
}

/// What was told, and the number of changes of the world at that moment; no number when it was an old answer.
#[derive(Default)]
struct Told {
    /// Total and free.
    balances: BTreeMap<String, (Dec, Dec)>,
    balances_at: Option<u64>,
    prices: BTreeMap<String, (Dec, Dec)>,
    prices_at: Option<u64>,
}

pub struct Auditor {
    quote: String,
    coins: BTreeSet<String>,
    sells_unlisted: bool,
    min_trade: Dec,
    max_trade: Option<Dec>,
    reserve: Dec,
    /// The account of the list that is followed.
    pub list: Option<ListAuditor>,
    /// What there was in the beginning, and what the owner moved since; then every ended order that was looked at.
    expected: BTreeMap<String, Dec>,
    booked: usize,
    owners_locks: BTreeMap<String, Dec>,
    changes: u64,
    rules_changed_ms: i64,
    told: Told,
    /// How far the clock was off when prices were read: then it is looked at. It may be set while orders go on.
    clock_error_ms: i64,
    /// What was sent since balances were told: by id, coin and amount that it gives.
    since_told: BTreeMap<String, (String, Dec)>,
    sent: BTreeMap<String, Sent>,
    open: BTreeSet<String>,
    /// Sent, and nobody has told yet what became of it.
    unknown: BTreeSet<String>,
    accepted: BTreeSet<String>,
    /// What a correct program never does.
    pub violations: Vec<String>,
}

fn exact(amount: impl ToString) -> Dec {
    dec(&amount.to_string())
}

fn journal() -> PathBuf {
    Path::new(HOME).join("rebalancer.journal")
}

/// The JSON of a line of the journal.
fn record(line: &str) -> Option<Json> {
    serde_json::from_str(line.splitn(3, ' ').nth(2)?).ok()
}

/// The last whole line.
fn last_line(bytes: &[u8]) -> Option<&str> {
    let bytes = bytes.strip_suffix(b"\n")?;
    let start = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    std::str::from_utf8(&bytes[start..]).ok()
}

fn text<'a>(json: &'a Json, key: &str) -> &'a str {
    json[key].as_str().unwrap_or("")
}

fn amount(json: &Json, key: &str) -> Option<Dec> {
    json[key].as_str().and_then(Dec::parse)
}

impl Auditor {
    pub fn new(world: &World, config: &Config, follow: Option<Follow>) -> Auditor {
        Auditor {
            quote: config.quote.clone(),
            coins: config.allocation.iter().map(|(coin, _)| coin.clone()).collect(),
            sells_unlisted: config.sell_unlisted,
            min_trade: exact(config.min_trade),
            max_trade: config.max_trade.map(exact),
            reserve: exact(config.cash_reserve),
            list: follow.map(ListAuditor::new),
            expected: world.balances.iter().map(|(coin, balance)| (coin.clone(), balance.quantity)).collect(),
            booked: 0,
            owners_locks: BTreeMap::new(),
            changes: 0,
            rules_changed_ms: 0,
            told: Told::default(),
            clock_error_ms: 0,
            since_told: BTreeMap::new(),
            sent: BTreeMap::new(),
            open: BTreeSet::new(),
            unknown: BTreeSet::new(),
            accepted: BTreeSet::new(),
            violations: Vec::new(),
        }
    }

    fn demand(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.violations.push(what());
        }
    }

    /// A question has been answered.
    pub fn answered(&mut self, method: &str, clock_error_ms: i64) {
        if method == "public/get-tickers" {
            self.clock_error_ms = clock_error_ms;
        }
    }

    /// The world has changed by itself.
    pub fn changed(&mut self) {
        self.changes += 1;
    }

    /// Ticks, limits or what is listed have changed: the program may know the old ones for a day.
    pub fn rules_changed(&mut self, at_ms: i64) {
        self.rules_changed_ms = at_ms;
    }

    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// The owner put something in, or took it out.
    pub fn moved(&mut self, coin: &str, amount: Dec) {
        *self.expected.entry(coin.to_string()).or_default() += amount;
    }

    pub fn locked(&mut self, coin: &str, amount: Dec) {
        *self.owners_locks.entry(coin.to_string()).or_default() += amount;
    }

    /// What the owner has locked of a coin, free again from now on.
    pub fn unlocked(&mut self, coin: &str) -> Dec {
        self.owners_locks.remove(coin).unwrap_or_default()
    }

    /// The program sends something: an order must be on the disk for good, alone, allowed, and covered by what was told.
    pub fn sending(&mut self, around: &Around, method: &str, body: Option<&str>) {
        if method != "private/create-order" {
            return;
        }
        let off_ms = self.clock_error_ms;
        self.demand(off_ms <= CLOCK_ERROR_MS, || format!("an order was sent with a clock that is {off_ms} ms off"));
        let body: Json = serde_json::from_str(body.unwrap_or("")).unwrap_or_default();
        let (params, nonce) = (&body["params"], body["nonce"].as_i64().unwrap_or(0));
        let id = text(params, "client_oid").to_string();
        let (symbol, side) = (text(params, "instrument_name").to_string(), text(params, "side").to_string());
        let size = if side == "SELL" { "quantity" } else { "notional" };
        let files = around.files.borrow();
        let written = last_line(files.certain(&journal())).and_then(record).unwrap_or_default();
        let same = [("order", id.as_str()), ("symbol", &symbol), ("side", &side), (size, text(params, size))];
        let recorded = same.iter().all(|(key, sent)| !sent.is_empty() && text(&written, key) == *sent);
        self.demand(recorded, || format!("order {id} was sent without its record on the disk, which says {written}"));
        let others: Vec<&String> = self.unknown.iter().filter(|other| **other != id).collect();
        let alone = others.is_empty();
        let why = format!("order {id} was sent while {others:?} is unknown");
        self.demand(alone, || why);
        let given = amount(params, size).unwrap_or_default();
        if let Some(earlier) = self.sent.get(&id) {
            let again = earlier.symbol == symbol && earlier.side == side && earlier.settled.is_none();
            self.demand(again, || format!("id {id} was used again for another order"));
        } else {
            let coin = symbol.split('_').next().unwrap_or("").to_string();
            let may = match &mut self.list {
                Some(list) => {
                    list.allows(&coin, &side, files.certain(&remembered::path()), files.seen(&remembered::path()))
                }
                None => self.coins.contains(&coin),
            };
            let may = may || self.sells_unlisted && side == "SELL";
            self.demand(may && coin != self.quote, || format!("{id}: {side} {coin}, which the config does not allow"));
            self.allowed(&id, &symbol, &side, given);
        }
        self.unknown.insert(id.clone());
        self.open.insert(id.clone());
        self.sent.insert(id, Sent { symbol, side, nonce, settled: None });
    }

    /// The limits of the config, and what was told to be there.
    fn allowed(&mut self, id: &str, symbol: &str, side: &str, given: Dec) {
        let coin = symbol.split('_').next().unwrap_or("").to_string();
        let (bid, ask) = self.told.prices.get(symbol).copied().unwrap_or_default();
        self.demand(bid > Dec::ZERO, || format!("{id}: {symbol} was traded without a price"));
        let (low, high) = if side == "SELL" { (given.mul_floor(bid), given.mul_floor(ask)) } else { (given, given) };
        let (min, max) = (self.min_trade, self.max_trade);
        self.demand(high >= min, || format!("{id}: worth {high}, below min_trade {min}"));
        self.demand(max.is_none_or(|max| low <= max), || format!("{id}: worth {low}, above max_trade"));
        let source = if side == "SELL" { coin } else { self.quote.clone() };
        let (total, free) = self.told.balances.get(&source).copied().unwrap_or_default();
        self.since_told.insert(id.to_string(), (source.clone(), given));
        let sum: Dec = self.since_told.values().filter(|(coin, _)| *coin == source).map(|(_, given)| *given).sum();
        let reserve = if source == self.quote { self.reserve } else { Dec::ZERO };
        let covered = sum <= free.min(total) - reserve;
        self.demand(covered, || {
            format!("{id}: {sum} {source} are given, but {free} were free of {total}, {reserve} reserved")
        });
    }

    /// The exchange has decided on an order, whenever it arrived.
    pub fn judged(&mut self, world: &World, before: usize, incoming: &Incoming, reply: &Reply, forced: bool) {
        let body: Json = serde_json::from_slice(&incoming.body).unwrap_or_default();
        let id = text(&body["params"], "client_oid").to_string();
        let accepted = world.orders[before..].iter().any(|order| order.status != Status::Rejected);
        if accepted {
            let first = self.accepted.insert(id.clone());
            self.demand(first, || format!("order {id} was doubled"));
            let settled = self.sent.get(&id).is_none_or(|sent| sent.settled.is_some());
            self.demand(!settled, || format!("order {id} was taken by the exchange after the journal had closed it"));
            return;
        }
        let now = Some(self.changes);
        let as_told = self.told.balances_at == now && self.told.prices_at == now && world.lag_ms == 0 && !forced;
        let as_told = as_told && world.now_ms() > self.rules_changed_ms + 25 * HOUR_MS;
        let code = reply.body.split("\"code\":").nth(1).and_then(|rest| rest.split([',', '}']).next()).unwrap_or("");
        // A time that is refused, or an id that is known, is no fault of the order; nor is a fee that was taken of the coin meanwhile.
        let symbol = text(&body["params"], "instrument_name");
        let fee = matches!(world.fee_in, FeeIn::Coin(coin) if symbol.starts_with(&format!("{coin}_"))) && code == "306";
        if as_told && !fee && !matches!(code, "40102" | "204") {
            self.violations.push(format!("order {id} was refused with {code} though everything was as told"));
        }
    }

    /// An answer of the exchange reaches the program whole.
    pub fn told(&mut self, world: &World, incoming: &Incoming, reply: &Reply, fresh: bool) {
        if !fresh {
            // To the program the world goes back and forth.
            self.changed();
            if let Some(list) = &mut self.list {
                list.unsure(world.now_ms());
            }
        }
        let at = fresh.then_some(self.changes);
        let method = incoming.path.trim_start_matches("/exchange/v1/");
        let json: Json = serde_json::from_str(&reply.body).unwrap_or_default();
        match method {
            "private/user-balance" => {
                let rows = json["result"]["data"][0]["position_balances"].as_array();
                let row = |row: &Json| {
                    let (total, locked) = (amount(row, "quantity")?, amount(row, "reserved_qty")?);
                    Some((text(row, "instrument_name").to_string(), (total, total - locked)))
                };
                self.told.balances = rows.into_iter().flatten().filter_map(row).collect();
                self.told.balances_at = at;
                self.since_told.clear();
            }
            "public/get-tickers" => {
                let row = |row: &Json| Some((text(row, "i").to_string(), (amount(row, "b")?, amount(row, "k")?)));
                self.told.prices = json["result"]["data"].as_array().into_iter().flatten().filter_map(row).collect();
                self.told.prices_at = at;
            }
            // Old rules are kept for a day like new ones.
            "public/get-instruments" | "public/get-risk-parameters" if !fresh => self.rules_changed_ms = world.now_ms(),
            "private/create-order" if fresh => {
                let body: Json = serde_json::from_slice(&incoming.body).unwrap_or_default();
                self.unknown.remove(text(&body["params"], "client_oid"));
            }
            "private/get-order-detail" => {
                let body: Json = serde_json::from_slice(&incoming.body).unwrap_or_default();
                let id = text(&body["params"], "client_oid");
                let lapsed = self.sent.get(id).is_some_and(|sent| world.now_ms() > sent.nonce + NONCE_WINDOW_MS);
                // An old answer about this very order is an answer, too.
                if json["result"]["client_oid"] == id || fresh && lapsed {
                    self.unknown.remove(id);
                }
            }
            _ => {}
        }
    }

    /// It is certain that what was sent last did not arrive, and the program knows it.
    pub fn not_taken(&mut self, incoming: &Incoming) {
        let body: Json = serde_json::from_slice(&incoming.body).unwrap_or_default();
        self.unknown.remove(text(&body["params"], "client_oid"));
    }

    /// A process of the program begins.
    pub fn process_begins(&mut self, around: &Around) {
        if let Some(list) = &mut self.list {
            list.begins(around.time());
        }
    }

    /// What trades has changed.
    pub fn look_at_markets(&mut self, world: &World, quote: &str, now: i64) {
        if let Some(list) = &mut self.list {
            list.look_at_markets(world, quote, now);
        }
    }

    /// The source of the list is asked, answers that this is too often, or gives a page or something that is none.
    pub fn list_asked(&mut self, around: &Around) {
        if let Some(list) = &mut self.list {
            list.asked(around.time());
        }
    }

    pub fn list_too_often(&mut self) {
        if let Some(list) = &mut self.list {
            list.too_often();
        }
    }

    pub fn list_told(&mut self, page: Option<&Page>) {
        if let Some(list) = &mut self.list {
            list.told(page);
        }
    }

    /// A file has been replaced. What is forgotten of the list is not worth an order.
    pub fn replaced(&mut self, around: &Around, path: &Path, before: &[u8]) {
        let Some(list) = self.list.as_mut().filter(|_| path == remembered::path()) else { return };
        let taken = list.lists_taken();
        let forgotten = list.replaced(before, around.files.borrow().seen(path), around.time());
        if list.lists_taken() > taken {
            around.count("lists taken");
        }
        let changes = std::mem::take(&mut list.changes);
        *around.counts.borrow_mut().entry("members replaced").or_default() += changes;
        for coin in forgotten {
            self.forgotten(&around.world.borrow(), &coin);
        }
    }

    fn forgotten(&mut self, world: &World, coin: &str) {
        let symbol = format!("{coin}_{}", self.quote);
        let (total, _) = self.told.balances.get(coin).copied().unwrap_or_default();
        if total == Dec::ZERO || world.now_ms() < self.rules_changed_ms + 25 * HOUR_MS {
            return;
        }
        let (Some(market), Some((bid, ask))) = (world.markets.get(&symbol), self.told.prices.get(&symbol)) else {
            return self.demand(false, || format!("{total} {coin} are forgotten, and have no price"));
        };
        let minimum = minimum(world, market, self.min_trade);
        // What a tick and dollars that move make of it.
        let most = minimum + minimum.mul_floor(dec("0.02")) + market.qty_tick.mul_floor(*ask);
        let worth = total.mul_floor(*bid);
        self.demand(worth <= most, || format!("{total} {coin} are forgotten, worth {worth}"));
    }

    pub fn names_are_certain(&mut self, around: &Around) {
        if let Some(list) = &mut self.list {
            list.names_are_certain(around.files.borrow().seen(&remembered::path()));
        }
    }

    pub fn power_is_back(&mut self, around: &Around) {
        if let Some(list) = &mut self.list {
            list.power_is_back(around.files.borrow().seen(&remembered::path()));
        }
    }

    /// After a cycle, and after a power cut: no record is lost, every outcome is the exchange's, and no coin came from nowhere.
    pub fn settle(&mut self, around: &Around, world: &World) {
        let files = around.files.borrow();
        let journal = String::from_utf8_lossy(files.seen(&journal()));
        for id in self.open.clone() {
            let known = journal.contains(&format!("\"order\":\"{id}\""));
            self.demand(known, || format!("the record of order {id} is lost"));
            let Some(at) = journal.rfind(&format!("\"done\":\"{id}\"")) else { continue };
            let start = journal[..at].rfind('\n').map_or(0, |at| at + 1);
            let whole = journal[start..].find('\n').map(|end| &journal[start..start + end]);
            let Some(record) = whole.and_then(record) else { continue };
            let fill = (
                amount(&record, "filled_quantity").unwrap_or_default(),
                amount(&record, "filled_value").unwrap_or_default(),
            );
            if let Some(sent) = self.sent.get_mut(&id) {
                sent.settled = Some(fill);
            }
            self.open.remove(&id);
        }
        self.book(world);
        let of_the_list = self.list.as_mut().map(|list| std::mem::take(&mut list.violations));
        self.violations.extend(of_the_list.unwrap_or_default());
    }

    /// Every ended order moves what it was filled, and its fee; then balances are what is expected.
    fn book(&mut self, world: &World) {
        while let Some(order) = world.orders.get(self.booked).filter(|order| order.status != Status::Active) {
            book(&mut self.expected, order);
            self.check_fill(order);
            self.booked += 1;
        }
        let mut expected = self.expected.clone();
        world.orders[self.booked..].iter().for_each(|order| book(&mut expected, order));
        for (coin, balance) in &world.balances {
            let due = expected.get(coin).copied().unwrap_or_default();
            let same = due == balance.quantity && balance.reserved >= Dec::ZERO;
            self.demand(same, || format!("{coin}: {} where the books say {due}", balance.quantity));
        }
    }

    /// What the journal says of an order is what the exchange says.
    fn check_fill(&mut self, order: &Order) {
        let id = &order.client_oid;
        let fill = (order.cumulative_quantity, order.cumulative_value);
        let settled = self.sent.get(id).and_then(|sent| sent.settled);
        let good = settled.is_none_or(|settled| settled == fill);
        self.demand(good, || format!("order {id} was filled by {fill:?}, but the journal says {settled:?}"));
    }

    /// In the end, every order's outcome is in the journal.
    pub fn close(&mut self, around: &Around, world: &World, calm_ms: i64) {
        if let Some(list) = &mut self.list {
            list.close(around.files.borrow().seen(&remembered::path()), calm_ms);
        }
        self.settle(around, world);
        let open = std::mem::take(&mut self.open);
        self.demand(open.is_empty(), || format!("{open:?} have no outcome in the end"));
        for order in &world.orders {
            self.check_fill(order);
            let known = self.sent.contains_key(&order.client_oid);
            self.demand(known, || format!("order {} was never sent", order.client_oid));
        }
        for part in ["test-secret", "test-key"] {
            let shown = around.files.borrow().hold(part);
            self.demand(!shown, || format!("{part} is in a file"));
        }
        let violations = world.violations.clone();
        self.violations.extend(violations);
    }
}

fn book(balances: &mut BTreeMap<String, Dec>, order: &Order) {
    let mut add = |coin: &str, amount: Dec| *balances.entry(coin.to_string()).or_default() += amount;
    let (quantity, value) = (order.cumulative_quantity, order.cumulative_value);
    match order.side {
        Side::Sell => (add(&order.base, -quantity), add(&order.quote, value)),
        Side::Buy => (add(&order.base, quantity), add(&order.quote, -value)),
    };
    add(&order.fee_coin, -order.fee);
}
