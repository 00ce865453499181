//! The account's history on disk, so that an exchange that loses its power comes back with the same account.
//!
//! Everything that can change the account is one line of JSON, synced before it is done and answered. Nothing else is kept: to load
//! is to do it all again, in the same order, at the same times, on the world that the exchange began with.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Instant;

use serde_json::{Map, Value, json};

use super::orders::text;
use super::venue;
use super::world::World;

/// A change of price, by hand; the others are methods of the venue.
const PRICE: &str = "price";
/// Asking for an order can fill it.
const WRITTEN: [&str; 4] = [PRICE, "create-order", "get-order-detail", "cancel-order"];

impl World {
    /// Goes on from the history in this file, or begins one there.
    pub fn remember_in(&mut self, path: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut lines = String::new();
        file.read_to_string(&mut lines)?;
        // A last line without its end was being written when the power went: it was not answered, and never happened.
        let whole = lines.rfind('\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64)?;
        file.sync_all()?;
        File::open(path.parent().expect("a file in a folder"))?.sync_all()?;
        let clock = self.own_clock;
        for line in lines[..whole].lines() {
            let past: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            let number = |name: &str| past[name].as_i64().expect("a number");
            let (method, params) = (past["method"].as_str().expect("a method"), past["params"].as_object());
            self.own_clock = Some((number("at"), Instant::now()));
            apply(self, method, params.expect("parameters"), number("nonce"));
        }
        self.own_clock = clock;
        self.ledger = Some(file);
        Ok(())
    }

    /// Moves a market, and remembers it.
    pub fn move_price(&mut self, symbol: &str, bid: &str, ask: &str) {
        let params = json!({"instrument_name": symbol, "bid": bid, "ask": ask});
        let params = params.as_object().expect("an object");
        write(self, PRICE, params, 0);
        apply(self, PRICE, params, 0);
    }
}

/// Writes down what is about to happen, and waits until it is on the disk.
pub fn write(world: &mut World, method: &str, params: &Map<String, Value>, nonce: i64) {
    let at = world.now_ms();
    let Some(file) = world.ledger.as_mut().filter(|_| WRITTEN.contains(&method)) else { return };
    let line = json!({"at": at, "method": method, "nonce": nonce, "params": params});
    file.write_all(format!("{line}\n").as_bytes()).and_then(|()| file.sync_data()).expect("the ledger is written");
}

fn apply(world: &mut World, method: &str, params: &Map<String, Value>, nonce: i64) {
    let named = |name: &str| text(params, name).expect("a text");
    match method {
        PRICE => world.market(named("instrument_name")).set(named("bid"), named("ask")),
        // It was answered then.
        _ => drop(venue::private(world, method, params, nonce, None)),
    }
}
