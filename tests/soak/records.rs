//! What the program writes: its journal's records and its log's lines, counted and kept for the audit.

use crate::exchange::Params;
use crate::exchange::{Dec, Witness};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// What a journal said over its whole life.
#[derive(Default)]
pub struct Records {
    /// Client ids that were written down before they were sent.
    pub intents: BTreeSet<String>,
    /// The last outcome of each: status, quantity, value.
    pub outcomes: BTreeMap<String, (String, Dec, Dec)>,
    /// Cycles that ended well.
    pub cycles: u64,
    /// Lines that are no record.
    pub wrong: Vec<String>,
}

/// The JSON of a sealed line.
fn record(line: &str) -> Option<Value> {
    serde_json::from_str(line.get(line.find('{')?..)?).ok()
}

impl Records {
    pub fn read(&mut self, line: &str) {
        let Some(record) = record(line) else {
            self.wrong.push(format!("the journal has a line that is no record: {line}"));
            return;
        };
        let text = |key: &str| record[key].as_str().map(str::to_string);
        if let Some(id) = text("order") {
            self.intents.insert(id);
        } else if let Some(id) = text("done") {
            let amount = |key: &str| text(key).and_then(|amount| Dec::parse(&amount));
            match (text("status"), amount("filled_quantity"), amount("filled_value")) {
                (Some(status), Some(quantity), Some(value)) => {
                    self.outcomes.insert(id, (status, quantity, value));
                }
                _ => self.wrong.push(format!("the journal has an outcome that cannot be read: {line}")),
            }
        } else if record.get("cycle").is_some() {
            self.cycles += 1;
        } else if record.get("journal").is_none() {
            self.wrong.push(format!("the journal has a record of no kind: {line}"));
        }
    }
}

/// Compares every order with the journal at the moment when the exchange gets it: its record is there, whole, and says the same; and
/// an id that comes again means the same order.
pub fn witness(journal: PathBuf) -> Witness {
    let seen: Mutex<BTreeMap<String, Params>> = Mutex::default();
    Arc::new(move |params| {
        let id = params.get("client_oid")?.as_str()?.to_string();
        let text = fs::read_to_string(&journal).unwrap_or_default();
        let named = format!("\"order\":\"{id}\"");
        let Some(line) = text.lines().rev().find(|line| line.contains(&named)) else {
            return Some(format!("order {id} came before its record was in the journal"));
        };
        let record = record(line).unwrap_or_default();
        let pairs =
            [("instrument_name", "symbol"), ("side", "side"), ("quantity", "quantity"), ("notional", "notional")];
        for (sent, written) in pairs {
            if params.get(sent).unwrap_or(&Value::Null) != &record[written] {
                return Some(format!("order {id} came with another {sent} than its record has: {params:?}, {record}"));
            }
        }
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let first = seen.entry(id.clone()).or_insert_with(|| params.clone());
        (first != params).then(|| format!("id {id} was sent for two different orders: {first:?}, {params:?}"))
    })
}

/// What a log said.
#[derive(Default)]
pub struct Diary {
    pub lines: u64,
    /// Cycles that the daemon saw fail.
    pub failed: u64,
    pub failed_in_a_row: u64,
    /// Errors that ended a cycle, by what they mean.
    pub unknown: u64,
    pub busy: u64,
    pub other: u64,
    /// Lines that must never be.
    pub wrong: Vec<String>,
}

/// What every line begins with, by its length and the signs in it: `2026-11-22 17:03:05 `.
fn is_stamped(line: &str) -> bool {
    let head = line.as_bytes().get(..20).unwrap_or_default();
    let sign = |at: usize| match at {
        4 | 7 => Some(b'-'),
        10 | 19 => Some(b' '),
        13 | 16 => Some(b':'),
        _ => None,
    };
    let fits = |(at, byte): (usize, &u8)| sign(at).map_or(byte.is_ascii_digit(), |sign| sign == *byte);
    head.len() == 20 && head.iter().enumerate().all(fits)
}

impl Diary {
    pub fn read(&mut self, line: &str, key: &str, secret: &str) {
        self.lines += 1;
        if line.contains(secret) || line.contains(key) {
            self.wrong.push(format!("the log shows the key or the secret: {line}"));
        }
        if let Some(error) = line.strip_prefix("rebalancer: ") {
            match error {
                _ if error.contains("the outcome of") => self.unknown += 1,
                _ if error.contains("another cycle is running") => self.busy += 1,
                _ => self.other += 1,
            }
        } else if !is_stamped(line) {
            self.wrong.push(format!("the log has a line that is no sentence of the program: {line}"));
        }
        if line.contains("the cycle failed; the next try") {
            self.failed += 1;
            self.failed_in_a_row += 1;
        }
        let bad = ["panicked", "is damaged", "cannot start", "cannot watch", "has not ended"];
        if bad.iter().any(|bad| line.contains(bad)) {
            self.wrong.push(format!("the log says: {line}"));
        }
    }
}
