//! The accounts that are measured: coins at equal targets, out of balance in a way that needs a known number of orders; and the
//! longest journal that one has.

use crate::exchange::{World, dec};
use rebalancer::amount::{Quantity, Value};
use rebalancer::disk::SystemDisk;
use rebalancer::exchange::{Millis, OrderState};
use rebalancer::journal::{Intent, Journal};
use rebalancer::market::{Order, Side, Size};
use rebalancer::store;
use std::fs;
use std::path::Path;

/// Rows of the exchange's list, as on the recorded day.
pub const INSTRUMENTS: usize = 930;

/// How an account is out of balance.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Drift {
    /// One coin is at twice its target, two are short of it: one sell and two buys.
    Few,
    /// Half of the coins are above their bands, half below: an order for each.
    All,
}

/// The worth of coin `number` in quote currency, where 1000 is its target.
pub fn worth(number: usize, drift: Drift) -> u32 {
    match (drift, number) {
        (Drift::Few, 0) => 2000,
        (Drift::Few, 1) => 400,
        (Drift::Few, 2) => 600,
        (Drift::Few, _) => 1000,
        (Drift::All, _) if number.is_multiple_of(2) => 1500,
        (Drift::All, _) => 500,
    }
}

/// The name of a coin.
pub fn coin(number: usize) -> String {
    format!("COIN{number}")
}

/// Best bid of a coin; the ask is a cent above it.
pub fn bid(number: usize) -> usize {
    20 + number * 37 % 400
}

/// An exchange with the full list, on which somebody holds these coins.
pub fn world(coins: usize, drift: Drift) -> World {
    let mut world = World::new();
    world.catalogue = INSTRUMENTS;
    for number in 0..coins {
        let (name, bid) = (coin(number), bid(number));
        world.list(&format!("{name}_USDT"), "0.0001", "0.01", &format!("{bid}.00"), &format!("{bid}.01"));
        let quantity = dec(&worth(number, drift).to_string()).div_floor(dec(&bid.to_string())).floor_places(8);
        world.hold(&name, &quantity.to_string());
    }
    world.hold("USDT", "50");
    world
}

/// The allocation's members: every coin has the same weight.
pub fn allocation(coins: usize) -> String {
    let percent = match coins {
        1000 => "0.1",
        100 => "1",
        _ => "10",
    };
    let members: Vec<String> = (0..coins).map(|number| format!("\"{}\": {percent}", coin(number))).collect();
    members.join(", ")
}

/// A config for these coins at the exchange with this address.
pub fn config(coins: usize, url: &str, schedule: &str) -> String {
    format!(
        "{{\"allocation\": {{{}}}, \"relative_tolerance\": 20, \"schedule\": \"{schedule}\", \"base_url\": \"{url}\"}}",
        allocation(coins)
    )
}

/// Writes a journal that is as long as it gets, ended by a good cycle at this time.
pub fn full_journal(path: &Path, now: Millis) -> Result<(), String> {
    let said = |error: store::Error| error.to_string();
    let mut journal = Journal::open(&SystemDisk, path).map_err(said)?;
    // One good cycle of ten orders, with the program's own records; the others are copies of it under numbers of their own.
    for _ in 0..10 {
        let intent = sample_intent(journal.next_id(now), now);
        journal.intend(&intent).map_err(said)?;
        journal.conclude(&intent.client_id, &sample_state(), now).map_err(said)?;
    }
    journal.finish(now).map_err(said)?;
    drop(journal);
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let (head, cycle) = text.split_once('\n').ok_or("the journal has one line")?;
    let times = (128 * 1024 - head.len()) / cycle.len();
    fs::write(path, format!("{head}\n{}", cycle.repeat(times))).map_err(|error| error.to_string())
}

fn sample_intent(client_id: String, now: Millis) -> Intent {
    let amount = |text| Quantity::parse(text).unwrap_or(Quantity::ZERO);
    let value = Value::parse("1399.9847").unwrap_or(Value::ZERO);
    let size = Size::Quantity(amount("12.3456"));
    let order = Order { symbol: "COIN7_USDT".to_string(), coin: "COIN7".to_string(), side: Side::Sell, size, value };
    let (had, cash) = (amount("98.76543210"), amount("1234.567890123456"));
    Intent { client_id, order, at: now, expires: now + 60_000, had, cash, look: 1 }
}

fn sample_state() -> OrderState {
    OrderState {
        order_id: "6530219466236720401".to_string(),
        status: "FILLED".to_string(),
        terminal: true,
        filled_quantity: Quantity::parse("12.3456").unwrap_or(Quantity::ZERO),
        filled_value: Value::parse("1399.9847").unwrap_or(Value::ZERO),
    }
}
