//! One machine, one exchange and everything around them: time passes only here, and with it markets move, money comes and goes, the
//! weather changes, late requests arrive, clocks are set and the power goes.

use super::auditor::Auditor;
use super::chance::Chance;
use super::disk::Files;
use super::exchange::{Dec, Incoming, Market, Reply, World, dec};
use super::setup::Setup;
use super::source::Source;
use super::weather::Weather;
use rebalancer::clock::Clock;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// When it all begins: Sunday, 2026-11-22, 00:00 UTC, and then a chance of some days.
pub const BEGIN_MS: i64 = 1_795_305_600_000;
pub const SECOND_MS: i64 = 1000;
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
pub const DAY_MS: i64 = 24 * HOUR_MS;
/// As the daemon does it with a cycle that hangs.
const DEADLINE_MS: i64 = 30 * MINUTE_MS;

/// How a process ends that does not end by itself: carried by unwinding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// The whole machine.
    Power,
    /// The cycle alone.
    Kill,
}

/// What happens by itself, each at its own times.
const EVENTS: usize = 6;
const MARKET: usize = 0;
const ACCOUNT: usize = 1;
const WEATHER: usize = 2;
const ACCIDENT: usize = 3;
const REPAIR: usize = 4;
const LIST: usize = 5;

pub struct Around {
    pub chance: Chance,
    pub quote: String,
    pub world: RefCell<World>,
    pub weather: RefCell<Weather>,
    pub auditor: RefCell<Auditor>,
    pub files: RefCell<Files>,
    /// Where a list of coins comes from.
    pub source: Option<Source>,
    pub disk_full: Cell<bool>,
    /// Nothing happens by itself any more.
    pub calm: Cell<bool>,
    pub network_gone: Cell<bool>,
    /// True time, the exchange's: milliseconds since 1970.
    time: Arc<AtomicI64>,
    /// How far this machine's clock is ahead.
    skew_ms: Cell<i64>,
    /// While a cycle runs, its beginning.
    pub cycle_ms: Cell<Option<i64>>,
    next: RefCell<[i64; EVENTS]>,
    soonest: Cell<i64>,
    /// Requests that arrive late.
    pub underway: RefCell<Vec<(i64, Incoming)>>,
    /// The answer before, of each path.
    pub answered: RefCell<BTreeMap<String, Reply>>,
    /// Markets that are not listed now.
    delisted: RefCell<Vec<Market>>,
    /// Prices move within a cycle, too.
    lively: bool,
    /// Some market is halted, delisted or not believed.
    odd: Cell<bool>,
    /// A request that was given up arrives now.
    pub late: Cell<bool>,
    pub tracing: bool,
    /// A sum over everything that was said, asked and written: equal for equal lives.
    pub digest: Cell<u64>,
    pub counts: RefCell<BTreeMap<&'static str, u64>>,
}

impl Around {
    pub fn new(chance: Chance, setup: Setup, tracing: bool) -> Around {
        let time = Arc::new(AtomicI64::new(BEGIN_MS + chance.between(0, 6 * DAY_MS)));
        let mut world = setup.world;
        world.hand = Some(Arc::clone(&time));
        let lively = chance.percent(50);
        let auditor = Auditor::new(&world, &setup.config, setup.follow.clone());
        let source = setup.follow.map(|follow| Source::new(&chance, follow, &setup.coins));
        let weather = Weather::new(&chance);
        let now = time.load(Ordering::Relaxed);
        let around = Around {
            quote: setup.config.quote.clone(),
            world: RefCell::new(world),
            weather: RefCell::new(weather),
            auditor: RefCell::new(auditor),
            files: RefCell::default(),
            source,
            disk_full: Cell::new(false),
            calm: Cell::new(false),
            network_gone: Cell::new(false),
            time,
            skew_ms: Cell::new(chance.between(-2000, 2000)),
            cycle_ms: Cell::new(None),
            next: RefCell::new([now; EVENTS]),
            soonest: Cell::new(now),
            underway: RefCell::default(),
            answered: RefCell::default(),
            delisted: RefCell::default(),
            lively,
            odd: Cell::new(false),
            late: Cell::new(false),
            tracing,
            digest: Cell::new(0xCBF2_9CE4_8422_2325),
            counts: RefCell::default(),
            chance,
        };
        for event in 0..EVENTS {
            around.again(event);
        }
        around.look_at_markets();
        around.write_list();
        around
    }

    pub fn time(&self) -> i64 {
        self.time.load(Ordering::Relaxed)
    }

    /// How far this machine's clock is off.
    pub fn clock_error_ms(&self) -> i64 {
        self.skew_ms.get().abs()
    }

    pub fn count(&self, what: &'static str) {
        *self.counts.borrow_mut().entry(what).or_default() += 1;
    }

    /// Takes note of something for the digest, and shows it when somebody looks.
    pub fn trace(&self, what: &str) {
        let mut digest = self.digest.get();
        for byte in what.bytes() {
            digest = (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
        self.digest.set(digest);
        if self.tracing {
            println!("{:>12} {what}", self.time() - BEGIN_MS);
        }
    }

    pub fn stop(&self, how: Stop) -> ! {
        self.trace(if how == Stop::Power { "THE POWER GOES" } else { "KILLED" });
        self.count(if how == Stop::Power { "power cuts" } else { "kills" });
        std::panic::resume_unwind(Box::new(how))
    }

    pub fn power_may_go(&self) {
        let (power, kill) = {
            let weather = self.weather.borrow();
            (weather.power_ppm, weather.kill_ppm)
        };
        if self.chance.ppm(power) {
            self.stop(Stop::Power);
        }
        if self.cycle_ms.get().is_some() && self.chance.ppm(kill) {
            self.stop(Stop::Kill);
        }
    }

    /// The machine comes back: what was not on the disk is gone, and a Pi has no battery clock.
    pub fn power_back(&self) {
        self.files.borrow_mut().lose_power(&self.chance);
        self.auditor.borrow_mut().power_is_back(self);
        self.advance(self.chance.pick(&[20 * SECOND_MS, 5 * MINUTE_MS, 3 * HOUR_MS, 2 * DAY_MS]));
        // Saved before, or 1970; network time comes later.
        let behind = if self.chance.percent(50) { self.chance.between(0, 3 * DAY_MS) } else { self.time() };
        self.skew_ms.set(if self.calm.get() { 0 } else { -behind });
        self.set_next(REPAIR, self.time() + self.chance.between(5 * SECOND_MS, 20 * MINUTE_MS));
    }

    pub fn advance(&self, ms: i64) {
        let end = self.time() + ms.max(0);
        while self.soonest.get() <= end {
            self.time.store(self.soonest.get().max(self.time()), Ordering::Relaxed);
            self.happen();
        }
        self.time.store(end, Ordering::Relaxed);
        if self.cycle_ms.get().is_some_and(|begun| end - begun > DEADLINE_MS) {
            self.auditor.borrow_mut().violations.push("a cycle did not end by itself within half an hour".to_string());
            self.stop(Stop::Kill);
        }
    }

    fn set_next(&self, event: usize, at: i64) {
        self.next.borrow_mut()[event] = at;
        self.find_soonest();
    }

    fn find_soonest(&self) {
        let late = self.underway.borrow().iter().map(|(at, _)| *at).min();
        let soonest = self.next.borrow().iter().copied().chain(late).min();
        self.soonest.set(soonest.unwrap_or(i64::MAX));
    }

    /// A request that will arrive later.
    pub fn arrive_later(&self, at: i64, incoming: Incoming) {
        self.underway.borrow_mut().push((at, incoming));
        self.find_soonest();
    }

    fn again(&self, event: usize) {
        let chance = &self.chance;
        let in_cycle = self.cycle_ms.get().is_some() && self.lively;
        let after = match event {
            _ if self.calm.get() => i64::MAX / 4,
            MARKET if in_cycle => chance.between(SECOND_MS, 20 * SECOND_MS),
            // What is odd does not stay for long: a failed cycle is tried again every quarter of an hour.
            MARKET if self.odd.get() => chance.between(5 * MINUTE_MS, 40 * MINUTE_MS),
            MARKET => chance.between(HOUR_MS, 30 * HOUR_MS),
            ACCOUNT => chance.between(HOUR_MS, 20 * DAY_MS),
            WEATHER => self.weather.borrow_mut().change(chance) * MINUTE_MS,
            ACCIDENT => chance.between(HOUR_MS, 10 * DAY_MS),
            LIST if self.source.is_some() => chance.between(HOUR_MS, 30 * HOUR_MS),
            _ => i64::MAX / 4,
        };
        self.set_next(event, self.time() + after);
    }

    /// A cycle begins: markets may move while it runs.
    pub fn cycle_begins(&self) {
        self.cycle_ms.set(Some(self.time()));
        self.auditor.borrow_mut().process_begins(self);
        if self.calm.get() {
            // Whoever writes a list does so every day.
            self.write_list();
        }
        if self.lively {
            self.again(MARKET);
        }
    }

    fn happen(&self) {
        let now = self.time();
        let due = self.underway.borrow().iter().position(|(at, _)| *at <= now);
        if let Some(at) = due {
            let (_, incoming) = self.underway.borrow_mut().remove(at);
            self.trace("a late request arrives");
            self.late.set(true);
            self.process(&incoming, None);
            self.late.set(false);
            return self.find_soonest();
        }
        let due = self.next.borrow().iter().position(|at| *at <= now);
        match due {
            Some(MARKET) => self.market_moves(),
            Some(ACCOUNT) => self.account_changes(),
            // What follows is chosen together with its length.
            Some(WEATHER) => {}
            Some(ACCIDENT) => self.accident(),
            Some(LIST) => self.list_moves(),
            Some(_) => {
                self.disk_full.set(false);
                self.network_gone.set(false);
                self.skew_ms.set(self.chance.between(-900, 900));
                self.trace("repaired: clock, disk and network");
            }
            None => {}
        }
        if let Some(event) = due {
            self.again(event);
        }
    }

    fn accident(&self) {
        if !self.weather.borrow().accidents {
            return;
        }
        let chance = &self.chance;
        match chance.below(4) {
            0 => self.disk_full.set(true),
            1 => self.network_gone.set(true),
            2 => self.skew_ms.set(chance.between(-2 * MINUTE_MS, 2 * MINUTE_MS)),
            _ => self.skew_ms.set(chance.pick(&[-HOUR_MS, HOUR_MS, -5 * DAY_MS, 400 * DAY_MS, -self.time()])),
        }
        self.trace("an accident");
        self.count("accidents");
        self.set_next(REPAIR, self.time() + chance.pick(&[MINUTE_MS, 20 * MINUTE_MS, HOUR_MS, 3 * HOUR_MS]));
    }

    /// Every price moves; now and then something is halted, delisted, crashes, has no believable price, or has other rules.
    fn market_moves(&self) {
        let chance = &self.chance;
        let mut world = self.world.borrow_mut();
        let mut delisted = self.delisted.borrow_mut();
        if !delisted.is_empty() && chance.percent(80) {
            for market in delisted.drain(..) {
                world.markets.insert(market.symbol.clone(), market);
            }
        }
        let symbols: Vec<String> = world.markets.keys().cloned().collect();
        let mut rules_changed = false;
        self.odd.set(!delisted.is_empty());
        for symbol in symbols {
            let odd = chance.percent(3);
            let pegged = symbol == "USDT_USD" || symbol == "EUR_USD";
            let market = world.market(&symbol);
            market.tradable = true;
            let change = match pegged {
                true => chance.between(9990, 10_010),
                false if odd => chance.pick(&[10, 50_000, 1_000_000]),
                false => chance.between(9500, 10_520),
            };
            wander(chance, market, change as u64);
            let oddity = chance.below(250);
            if matches!(oddity, 0 | 5..=8) {
                rules_changed = true;
            }
            match oddity {
                0 => market.tradable = false,
                1..=4 if pegged => continue,
                // The exchange tells limits by coin, and this one has two markets.
                6 | 7 if symbol.starts_with("CRO_") => continue,
                1 => market.bid = None,
                2 => market.ask = Some(Dec::ZERO),
                3 => (market.bid, market.ask) = (market.ask, market.bid.map(|bid| bid - market.price_tick)),
                4 => market.ask = market.ask.map(|ask| ask.times(2)),
                5 => market.qty_tick = retick(chance, market.qty_tick),
                6 => market.min_usd = Some(Dec::ONE.times(chance.below(30))),
                7 => market.max_usd = Some(Dec::ONE.times(chance.pick(&[5000, 50_000, 1_000_000]))),
                8 if !symbol.starts_with("USDT_") && !symbol.starts_with("EUR_") => {
                    delisted.extend(world.markets.remove(&symbol));
                }
                _ => continue,
            }
            self.count("market oddities");
            self.odd.set(true);
        }
        drop(delisted);
        self.spend_a_fortune(&mut world);
        drop(world);
        self.look_at_markets();
        let mut auditor = self.auditor.borrow_mut();
        auditor.changed();
        if rules_changed {
            auditor.rules_changed(self.time());
        }
    }

    fn look_at_markets(&self) {
        self.auditor.borrow_mut().look_at_markets(&self.world.borrow(), &self.quote, self.time());
    }

    /// Nobody leaves millions at an exchange, and prices that jump a hundredfold and back make them.
    fn spend_a_fortune(&self, world: &mut World) {
        let quote = self.quote.clone();
        if world.value(&quote) < dec("5000000") {
            return;
        }
        self.trace("the owner takes out most of it");
        let coins: Vec<String> = world.balances.keys().cloned().collect();
        for coin in coins {
            world.balances.entry(coin.clone()).or_default().reserved -= self.auditor.borrow_mut().unlocked(&coin);
            let amount = world.free(&coin).mul_floor(dec("0.97")).floor_places(8).max(Dec::ZERO);
            world.balances.entry(coin.clone()).or_default().quantity -= amount;
            self.auditor.borrow_mut().moved(&coin, -amount);
        }
    }

    /// The owner reads that the account is worth less than its reserve, and pays in.
    pub fn pay_in(&self, amount: Dec) {
        let mut auditor = self.auditor.borrow_mut();
        self.world.borrow_mut().balances.entry(self.quote.clone()).or_default().quantity += amount;
        auditor.moved(&self.quote, amount);
        auditor.changed();
    }

    /// Deposits, withdrawals, and the owner's own orders, which lock something.
    fn account_changes(&self) {
        let chance = &self.chance;
        let coins: Vec<String> = self.world.borrow().balances.keys().cloned().collect();
        let coin = coins[chance.below(coins.len() as u64) as usize].clone();
        let percent = dec("0.01").times(1 + chance.below(60));
        let mut world = self.world.borrow_mut();
        let free = world.free(&coin);
        let amount = match free > Dec::ZERO {
            true => free.mul_floor(percent).floor_places(8),
            false => Dec::ONE.times(chance.below(40)),
        };
        let mut auditor = self.auditor.borrow_mut();
        let balance = world.balances.entry(coin.clone()).or_default();
        match chance.below(4) {
            0 => {
                balance.quantity += amount;
                auditor.moved(&coin, amount);
            }
            1 if free > amount => {
                balance.quantity -= amount;
                auditor.moved(&coin, -amount);
            }
            2 if free > amount => {
                balance.reserved += amount;
                auditor.locked(&coin, amount);
            }
            _ => balance.reserved -= auditor.unlocked(&coin),
        }
        auditor.changed();
        self.trace("the account is changed by its owner");
        self.count("account changes");
    }

    /// The weather clears for good: every market is there, tradable and believable, and nothing moves any more.
    pub fn clear(&self) {
        self.trace("the weather clears");
        self.weather.borrow_mut().clear();
        self.calm.set(true);
        self.disk_full.set(false);
        self.network_gone.set(false);
        self.skew_ms.set(0);
        for event in 0..EVENTS {
            self.again(event);
        }
        let mut world = self.world.borrow_mut();
        for market in self.delisted.borrow_mut().drain(..) {
            world.markets.insert(market.symbol.clone(), market);
        }
        let symbols: Vec<String> = world.markets.keys().cloned().collect();
        for symbol in symbols {
            let market = world.market(&symbol);
            market.tradable = true;
            wander(&self.chance, market, 10_000);
        }
        drop(world);
        self.look_at_markets();
        self.auditor.borrow_mut().changed();
    }
}

/// A new price, so many ten-thousandths of the old one, on its tick, never zero, with a spread that is believed.
fn wander(chance: &Chance, market: &mut Market, ten_thousandths: u64) {
    let old = market.last.unwrap_or(market.price_tick);
    let tick = market.price_tick;
    let most = dec("10000000");
    let bid = old.mul_floor(dec("0.0001").times(ten_thousandths)).floor_to(tick).max(tick.times(60)).min(most);
    let room = bid.mul_floor(dec("0.015")).floor_to(tick);
    let spread = bid.mul_floor(dec("0.0001").times(chance.below(20))).floor_to(tick).max(tick);
    market.set(&bid.to_string(), &(bid + spread.min(room.max(tick))).to_string());
}

/// Ten times as coarse or as fine.
fn retick(chance: &Chance, tick: Dec) -> Dec {
    let coarser = chance.percent(50) && tick < Dec::ONE.times(1000);
    if coarser || tick.places() >= 9 { tick.times(10) } else { tick.mul_floor(dec("0.1")) }
}

impl Clock for Around {
    fn now(&self) -> i64 {
        (self.time() + self.skew_ms.get()).max(0)
    }

    fn elapsed(&self) -> i64 {
        self.time() - BEGIN_MS
    }

    fn sleep(&self, ms: i64) {
        self.power_may_go();
        self.advance(ms);
    }
}
