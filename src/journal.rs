//! The append-only record of orders: written and synced before an order is sent, completed by what was filled.
//!
//! Format, version 1: a text file of sealed lines (see [`crate::store`]), each one JSON object:
//!
//! | record | members |
//! |---|---|
//! | head, first line | `journal` (version), `salt` (8 hex digits in every client id), `next` (order number), `last_run`, `unfinished` |
//! | intent | `order` (client id), `number`, `at`, `expires`, `symbol`, `coin`, `side`, `quantity` or `notional`, `had`, `cash`, `look` |
//! | outcome | `done` (client id), `at`, `status`, `order_id`, `filled_quantity`, `filled_value` |
//! | cycle | `cycle` (time of a cycle that ended well) |
//!
//! Times are milliseconds of the exchange's clock. A last line without its line end was being written when the power went; its
//! order was never sent, so it is cut off. Anything else that does not unseal is damage: the journal is refused and left as
//! it is. When it has grown past [`MOST_BYTES`] and no order in it is open, it is replaced by its head and newest lines, among them the
//! fills that balances may still have to show. A record counts as written when the file and its name in the directory are synced.

use crate::amount::{Quantity, Value};
use crate::disk::Disk;
use crate::exchange::{Millis, OrderState};
use crate::json::{Object, Row};
use crate::market::{Order, Side, Size};
use crate::store::{self, Error};
use std::path::{Path, PathBuf};

/// A journal above this size is shortened when nothing in it is open.
const MOST_BYTES: u64 = 128 * 1024;
/// A larger file is not a journal: one with an open order is not shortened, but grows by some kilobytes a day at most.
const MOST_READ_BYTES: usize = 64 * 1024 * 1024;
/// Lines kept for the owner when the journal is shortened.
const KEPT_LINES: usize = 100;
/// Of a rebalance that has not ended so many orders are kept: their fills are what balances have to show for the next two minutes, in
/// which three orders for each two seconds can be sent at the most.
const KEPT_ORDERS: usize = 180;

/// An order as it was written down before it was sent.
#[derive(Clone)]
pub struct Intent {
    /// Our id, at most 32 letters and digits.
    pub client_id: String,
    /// The order.
    pub order: Order,
    /// When it was written, by the exchange's clock.
    pub at: Millis,
    /// The exchange cannot accept it after this time.
    pub expires: Millis,
    /// What the account held of the coin and of the quote currency, at the last look before it.
    pub had: Quantity,
    /// See `had`.
    pub cash: Quantity,
    /// Number of that look: intents with the same number belong together.
    pub look: i64,
}

/// What was filled of an order whose end is known.
#[derive(Clone, Copy)]
pub struct Fill {
    /// Coins bought or sold.
    pub quantity: Quantity,
    /// Value paid or got, before fees.
    pub value: Value,
    /// When that became known, by the exchange's clock.
    pub at: Millis,
}

/// What a journal says.
#[derive(Default)]
pub struct State {
    salt: String,
    next: i64,
    /// When the last good cycle ended, by the exchange's clock.
    pub last_run: Option<Millis>,
    /// Orders since the last good cycle, oldest first, with their fills where known.
    pub orders: Vec<(Intent, Option<Fill>)>,
    /// The journal was shortened after a cycle that did not end well.
    unfinished: bool,
}

impl State {
    /// Orders whose outcome is unknown.
    pub fn unresolved(&self) -> impl Iterator<Item = &Intent> {
        self.orders.iter().filter(|(_, fill)| fill.is_none()).map(|(intent, _)| intent)
    }

    /// Whether orders were sent since the last cycle that ended well.
    pub fn interrupted(&self) -> bool {
        self.unfinished || !self.orders.is_empty()
    }

    /// Whether something was bought or sold since the last cycle that ended well, as far as is known.
    pub fn traded(&self) -> bool {
        let filled = |fill: &Option<Fill>| fill.is_none_or(|fill| fill.quantity > Quantity::ZERO);
        self.unfinished || self.orders.iter().any(|(_, fill)| filled(fill))
    }

    /// Whether a client id was made by this journal.
    pub fn is_ours(&self, client_id: &str) -> bool {
        client_id.strip_prefix("rb").is_some_and(|rest| !self.salt.is_empty() && rest.starts_with(&self.salt))
    }

    fn apply(&mut self, text: &str, first: bool) -> Option<()> {
        let record = Row::read(text).ok()?;
        if first {
            record.get("journal").filter(|version| *version == "1")?;
            self.salt = record.get("salt")?.to_string();
            self.next = number(&record, "next")?;
            self.last_run = match record.get("last_run") {
                Some(_) => Some(number(&record, "last_run")?),
                None => None,
            };
            self.unfinished = record.get("unfinished").is_some();
        } else if record.get("order").is_some() {
            let intent = Intent::read(&record)?;
            self.next = number(&record, "number")?.checked_add(1)?;
            // The same id again is the same order, sent once more.
            self.orders.retain(|(earlier, _)| earlier.client_id != intent.client_id);
            self.orders.push((intent, None));
        } else if let Some(client_id) = record.get("done") {
            let fill = Fill {
                quantity: Quantity::parse(record.get("filled_quantity")?)?,
                value: Value::parse(record.get("filled_value")?)?,
                at: number(&record, "at")?,
            };
            let (_, known) = self.orders.iter_mut().find(|(intent, _)| intent.client_id == client_id)?;
            *known = Some(fill);
        } else {
            self.last_run = Some(number(&record, "cycle")?);
            // A cycle cannot end well while an order is unknown.
            self.orders.clear();
            self.unfinished = false;
        }
        Some(())
    }
}

impl Intent {
    fn read(record: &Row) -> Option<Intent> {
        let text = |key: &str| record.get(key).map(str::to_string);
        let quantity = |key: &str| Quantity::parse(record.get(key)?);
        let value = |key: &str| Value::parse(record.get(key)?);
        let (side, size) = match record.get("side")? {
            "BUY" => (Side::Buy, Size::Notional(value("notional")?)),
            "SELL" => (Side::Sell, Size::Quantity(quantity("quantity")?)),
            _ => return None,
        };
        let order = Order { symbol: text("symbol")?, coin: text("coin")?, side, size, value: value("value")? };
        Some(Intent {
            client_id: text("order")?,
            order,
            at: number(record, "at")?,
            expires: number(record, "expires")?,
            had: quantity("had")?,
            cash: quantity("cash")?,
            look: number(record, "look")?,
        })
    }
}

/// A time or a count.
fn number(record: &Row, key: &str) -> Option<i64> {
    record.get(key)?.parse().ok().filter(|number| *number >= 0)
}

/// What a file's bytes say: the state, how many bytes of them are whole lines, and how many lines.
fn replay(path: &Path, bytes: &[u8]) -> Result<(State, usize, usize), Error> {
    let mut state = State::default();
    let (mut good, mut lines) = (0, 0);
    while good < bytes.len() {
        let rest = bytes.get(good..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == b'\n');
        let line = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        let text = core::str::from_utf8(line).ok().and_then(store::unseal);
        match (text, end) {
            (Some(text), Some(_)) => {
                if state.apply(text, lines == 0).is_none() {
                    return Err(damaged(path, lines + 1));
                }
            }
            // Torn: the last line has no end, and it is not the head, which was written with the file itself.
            (_, None) if lines > 0 => return Ok((state, good, lines)),
            _ => return Err(damaged(path, lines + 1)),
        }
        good += line.len() + 1;
        lines += 1;
    }
    match lines {
        0 => Err(damaged(path, 1)),
        _ => Ok((state, good, lines)),
    }
}

fn damaged(path: &Path, line: usize) -> Error {
    Error::new(
        "trust",
        path,
        &format!(
            "line {line} is damaged, so an order may be missing from it. Nothing was changed and nothing was sent. Look at \
             your open orders at the exchange, then move this file away and start again"
        ),
    )
}

/// Reads what a journal says without touching it; nothing when there is none.
///
/// # Errors
/// When it cannot be read or is damaged.
pub fn peek(disk: &dyn Disk, path: &Path) -> Result<State, Error> {
    match read(disk, path)? {
        None => Ok(State::default()),
        Some(bytes) => replay(path, &bytes).map(|(state, _, _)| state),
    }
}

fn read(disk: &dyn Disk, path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match disk.read(path, MOST_READ_BYTES) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::new("read", path, &error)),
    }
}

/// A journal open for writing.
pub struct Journal<'a> {
    disk: &'a dyn Disk,
    path: PathBuf,
    length: u64,
    /// Whether this process knows that the file will be found under its name after a power cut: an earlier one may have been killed, or
    /// refused by the disk, after it had replaced the file and before the directory was synced.
    name_synced: bool,
    /// What it says now.
    pub state: State,
    /// Set when a torn last line was cut off while opening.
    pub repaired: bool,
}

impl<'a> Journal<'a> {
    /// Opens a journal, or creates it. The caller holds the lock.
    ///
    /// # Errors
    /// When it is damaged, or the disk refuses.
    pub fn open(disk: &'a dyn Disk, path: &Path) -> Result<Journal<'a>, Error> {
        let bytes = match read(disk, path)? {
            Some(bytes) => bytes,
            None => {
                let fresh = State { salt: salt(disk, path)?, ..State::default() };
                let head = head(&fresh);
                store::replace(disk, path, &head)?;
                head.into_bytes()
            }
        };
        let (state, good, lines) = replay(path, &bytes)?;
        let repaired = good < bytes.len();
        let mut length = u64::try_from(good).unwrap_or(0);
        if length > MOST_BYTES && state.unresolved().next().is_none() {
            length = shorten(disk, path, bytes.get(..good).unwrap_or_default(), &state, lines)?;
        }
        let journal = Journal { disk, path: path.to_path_buf(), length, name_synced: false, state, repaired };
        if repaired {
            journal.cut_back()?;
        }
        Ok(journal)
    }

    /// A client id that no order had before: `rb`, the journal's salt, the order's number in hex, the time in hex.
    pub fn next_id(&self, now: Millis) -> String {
        format!("rb{}{:x}t{:x}", self.state.salt, self.state.next, now.max(0))
    }

    /// Writes an intent and waits until it is on the disk.
    ///
    /// # Errors
    /// When it may not be on the disk: then the order must not be sent.
    pub fn intend(&mut self, intent: &Intent) -> Result<(), Error> {
        if !self.name_synced {
            self.disk.sync_directory(&self.path).map_err(|error| Error::new("sync", &self.path, &error))?;
            self.name_synced = true;
        }
        let order = &intent.order;
        let (size, amount) = match order.size {
            Size::Quantity(quantity) => ("quantity", quantity.to_string()),
            Size::Notional(value) => ("notional", value.to_string()),
        };
        let record = Object::new()
            .text("order", &intent.client_id)
            .raw("number", &self.state.next.to_string())
            .raw("at", &intent.at.to_string())
            .raw("expires", &intent.expires.to_string())
            .text("symbol", &order.symbol)
            .text("coin", &order.coin)
            .text("side", order.side.word())
            .text(size, &amount)
            .text("value", &order.value.to_string())
            .text("had", &intent.had.to_string())
            .text("cash", &intent.cash.to_string())
            .raw("look", &intent.look.to_string());
        self.append(&record.end())
    }

    /// Writes what became of an order.
    ///
    /// # Errors
    /// When it may not be on the disk: the order will be asked for again.
    pub fn conclude(&mut self, client_id: &str, state: &OrderState, now: Millis) -> Result<(), Error> {
        let record = Object::new()
            .text("done", client_id)
            .raw("at", &now.to_string())
            .text("status", &state.status)
            .text("order_id", &state.order_id)
            .text("filled_quantity", &state.filled_quantity.to_string())
            .text("filled_value", &state.filled_value.to_string());
        self.append(&record.end())
    }

    /// Writes that a cycle ended well.
    ///
    /// # Errors
    /// When it may not be on the disk: the cycle will be run again.
    pub fn finish(&mut self, now: Millis) -> Result<(), Error> {
        self.append(&Object::new().raw("cycle", &now.to_string()).end())
    }

    fn append(&mut self, text: &str) -> Result<(), Error> {
        let line = store::seal(text);
        let written = self.disk.append(&self.path, line.as_bytes()).and_then(|()| self.disk.sync(&self.path));
        if let Err(error) = written {
            // Half a line must not stay before the next one.
            self.cut_back()?;
            return Err(Error::new("write", &self.path, &error));
        }
        self.length += u64::try_from(line.len()).unwrap_or(0);
        match self.state.apply(text, false) {
            Some(()) => Ok(()),
            None => Err(Error::new("use", &self.path, &"it does not accept a record of this program")),
        }
    }

    fn cut_back(&self) -> Result<(), Error> {
        let cut = self.disk.cut(&self.path, self.length).and_then(|()| self.disk.sync(&self.path));
        cut.map_err(|error| Error::new("repair", &self.path, &error))
    }
}

fn head(state: &State) -> String {
    let mut head = Object::new().raw("journal", "1").text("salt", &state.salt).raw("next", &state.next.to_string());
    if let Some(time) = state.last_run {
        head = head.raw("last_run", &time.to_string());
    }
    if state.interrupted() {
        head = head.raw("unfinished", "1");
    }
    store::seal(&head.end())
}

/// Replaces a journal in which nothing is open by its head and its newest lines.
fn shorten(disk: &dyn Disk, path: &Path, bytes: &[u8], state: &State, lines: usize) -> Result<u64, Error> {
    let text = String::from_utf8_lossy(bytes);
    let mut short = head(state);
    // An order takes an intent and an outcome, and now and then an intent that was written again.
    let unfinished = state.orders.len().min(KEPT_ORDERS) * 2;
    let kept = text.lines().skip(1.max(lines.saturating_sub(KEPT_LINES.max(unfinished + unfinished / 4))));
    // Not from an outcome on, whose intent would be missing: from the first intent or cycle that follows an ended order.
    let mut ended = false;
    let is_torso = |line: &&str| {
        let text = store::unseal(line).unwrap_or_default();
        let starts = text.starts_with("{\"cycle\"") || ended && text.starts_with("{\"order\"");
        ended = text.starts_with("{\"done\"");
        !starts
    };
    for line in kept.skip_while(is_torso) {
        short.push_str(line);
        short.push('\n');
    }
    store::replace(disk, path, &short)?;
    Ok(u64::try_from(short.len()).unwrap_or(0))
}

/// Eight hex digits that tell this journal's orders from those of any other.
fn salt(disk: &dyn Disk, path: &Path) -> Result<String, Error> {
    let mut bytes = [0_u8; 4];
    disk.random(&mut bytes).map_err(|error| Error::new("find a random number for", path, &error))?;
    Ok(base16ct::lower::encode_string(&bytes))
}
