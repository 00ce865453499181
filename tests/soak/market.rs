//! What moves without the program: prices every second, and now and then somebody's money.

use crate::exchange::{Dec, Status, World};
use crate::random::Random;
use crate::worlds::{Plan, STRANGER, millionths};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A price wanders between a quarter and four times what it was.
const WANDERS: (&str, &str) = ("0.25", "4");
/// So long after somebody took money an order may come too late for it.
const TOO_LATE: Duration = Duration::from_secs(180);

/// Prices as they are meant, whatever is shown of them.
pub struct Market {
    middles: Vec<Dec>,
}

impl Market {
    pub fn new(plan: &Plan) -> Market {
        Market { middles: plan.coins.iter().map(|coin| coin.anchor).collect() }
    }

    /// A second passes.
    pub fn step(&mut self, plan: &Plan, random: &mut Random) {
        let (low, high) = (Dec::parse(WANDERS.0), Dec::parse(WANDERS.1));
        let rare = plan.jumps_every_s() * u64::try_from(plan.coins.len()).unwrap_or(1);
        for (coin, middle) in plan.coins.iter().zip(&mut self.middles) {
            let mut step = random.between(-plan.restless(), plan.restless());
            if random.one_in(rare) {
                // Something has happened to this coin.
                step = random.pick(&[-400_000, -150_000, -80_000, 90_000, 180_000, 600_000]);
            }
            let next = *middle + middle.mul_floor(millionths(step));
            let (low, high) = (low.unwrap_or_default(), high.unwrap_or_default());
            *middle = next.max(coin.anchor.mul_floor(low)).min(coin.anchor.mul_floor(high));
        }
    }

    /// Shows bid and ask around the middle of every coin.
    pub fn show(&self, plan: &Plan, world: &mut World) {
        for (coin, middle) in plan.coins.iter().zip(&self.middles) {
            let half = middle.mul_floor(millionths(400));
            let bid = (*middle - half).floor_to(coin.price_tick).max(coin.price_tick);
            let ask = bid + (half + half).floor_to(coin.price_tick).max(coin.price_tick);
            let market = world.market(&plan.symbol(&coin.name));
            (market.bid, market.ask, market.last) = (Some(bid), Some(ask), Some(bid));
        }
    }

    /// Shows one price that nobody should believe, for this second.
    pub fn show_nonsense(plan: &Plan, world: &mut World, random: &mut Random) {
        let names: Vec<&str> = plan.coins.iter().map(|coin| coin.name.as_str()).collect();
        let market = world.market(&plan.symbol(random.pick(&names)));
        let (Some(bid), Some(ask)) = (market.bid, market.ask) else { return };
        match random.between(0, 4) {
            0 => market.bid = None,
            1 => market.ask = None,
            2 => market.bid = Some(Dec::ZERO),
            3 => market.bid = Some(bid.mul_floor(millionths(800_000))),
            _ => market.bid = Some(ask + market.price_tick),
        }
    }
}

/// What others did to the account.
#[derive(Default)]
pub struct Money {
    /// Deposits less withdrawals.
    pub moved: BTreeMap<String, Dec>,
    locked: BTreeMap<String, Dec>,
    /// When what was free of a coin became less.
    taken: Vec<(String, Instant)>,
    pub deposits: u64,
    pub withdrawals: u64,
    pub locks: u64,
}

impl Money {
    /// A second passes, in most of which nothing happens.
    pub fn step(&mut self, plan: &Plan, world: &mut World, random: &mut Random) {
        // An order that fills in a moment takes its fee of what is there.
        if world.orders.iter().rev().any(|order| order.status == Status::Active) {
            return;
        }
        if world.value(plan.quote()) < plan.worth.half() {
            self.deposit(world, plan.quote(), plan.worth.half());
        }
        if !random.one_in(60) {
            return;
        }
        let held: Vec<String> = world.balances.keys().cloned().collect();
        let coin = random.pick(&held);
        let (free, share) = (world.free(&coin), millionths(random.between(1000, 60_000)));
        let part = free.mul_floor(share).floor_places(12);
        match random.between(0, 3) {
            0 | 1 if coin == STRANGER || random.one_in(2) => {
                self.deposit(world, plan.quote(), plan.worth.mul_floor(share).floor_places(8));
            }
            0 => self.deposit(world, &coin, part),
            1 => self.release(world),
            _ if !plan.others_take || part <= Dec::ZERO => {}
            2 => {
                self.withdrawals += 1;
                self.change(world, &coin, -part);
                self.taken.push((coin, Instant::now()));
            }
            _ => {
                self.locks += 1;
                world.balances.entry(coin.clone()).or_default().reserved += part;
                *self.locked.entry(coin.clone()).or_default() += part;
                self.taken.push((coin, Instant::now()));
            }
        }
    }

    fn deposit(&mut self, world: &mut World, coin: &str, amount: Dec) {
        self.deposits += 1;
        self.change(world, coin, amount);
    }

    fn change(&mut self, world: &mut World, coin: &str, amount: Dec) {
        world.balances.entry(coin.to_string()).or_default().quantity += amount;
        *self.moved.entry(coin.to_string()).or_default() += amount;
    }

    /// Frees everything that was locked.
    pub fn release(&mut self, world: &mut World) {
        for (coin, amount) in std::mem::take(&mut self.locked) {
            world.balances.entry(coin).or_default().reserved += -amount;
        }
    }

    /// Whether somebody else can have taken what an order of this moment wanted to give.
    pub fn explains(&self, coin: &str, when: Instant) -> bool {
        let before = |taken: &Instant| *taken <= when && when.duration_since(*taken) < TOO_LATE;
        self.taken.iter().any(|(of, taken)| of == coin && before(taken))
    }
}
