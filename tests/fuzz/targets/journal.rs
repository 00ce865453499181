//! Any journal: refused and left as it is, or it reads the same after opening, after opening again, and after every record.
//!
//! The first byte says what the rest is: raw bytes, or lines that are sealed first; and what is done then.
#![no_main]

#[path = "../../untrusted/mod.rs"]
mod untrusted;

use libfuzzer_sys::fuzz_target;
use rebalancer::exchange::OrderState;
use rebalancer::journal::{Intent, Journal, State, peek};
use rebalancer::store::seal;
use std::fmt::Write;
use std::path::Path;
use std::sync::LazyLock;
use untrusted::oracle::{quantity, value};
use untrusted::{Memory, NOW, sell};

fn told(state: &State) -> String {
    let mut told = format!("{:?} {} {}", state.last_run, state.interrupted(), state.traded());
    for (intent, fill) in &state.orders {
        let fill = fill.map(|fill| (fill.quantity, fill.value, fill.at));
        let Intent { client_id, order, at, expires, had, cash, look } = intent;
        let _ = write!(
            told,
            "\n{client_id} {at} {expires} {had} {cash} {look} {} {} {} {fill:?}",
            order.symbol,
            order.coin,
            order.side.word()
        );
    }
    told
}

/// A line that makes a journal so long that it is shortened.
static CYCLES: LazyLock<String> =
    LazyLock::new(|| seal(&format!("{{\"cycle\":1786916700000,\"x\":\"{}\"}}", "x".repeat(130 * 1024))));

fn look(disk: &Memory, path: &Path) -> Result<String, String> {
    peek(disk, path).map(|state| told(&state)).map_err(|error| error.to_string())
}

fuzz_target!(|data: &[u8]| {
    let [choice, rest @ ..] = data else { return };
    let path = Path::new("/state/journal");
    let mut file = Vec::new();
    let grown = choice & 8 != 0;
    if choice & 1 == 0 {
        file.extend_from_slice(rest);
    } else {
        for (at, line) in rest.split(|byte| *byte == b'\n').enumerate() {
            let Ok(text) = std::str::from_utf8(line) else { return };
            if at == 1 && grown {
                file.extend_from_slice(CYCLES.as_bytes());
            }
            // A file of this program never counts that far.
            if text.contains("922337203685477580") {
                return;
            }
            file.extend_from_slice(seal(text).as_bytes());
        }
        // Torn.
        file.truncate(file.len().saturating_sub(usize::from(choice >> 4)));
    }
    let disk = Memory::with(path, &file);
    let before = look(&disk, path);
    assert_eq!(disk.get(path), file, "a look changed the file");
    let mut journal = match Journal::open(&disk, path) {
        Ok(journal) => journal,
        Err(_) => {
            assert!(before.is_err() && disk.get(path) == file && disk.files() == 1, "refused, and not left as it is");
            return;
        }
    };
    let before = before.expect("opened what could not be looked at");
    assert_eq!(told(&journal.state), before);
    let kept = disk.get(path);
    if file.len() <= 128 * 1024 {
        assert_eq!(look(&disk, path).as_ref(), Ok(&before), "reads otherwise after opening");
        assert!(file.starts_with(&kept) && (kept.len() < file.len()) == journal.repaired, "opening wrote something");
    } else if !file.starts_with(&kept) {
        // Shortened, and not only freed of a torn end: which orders there were since the last good cycle may be gone, but not that there were some.
        let again =
            peek(&disk, path).map_err(|error| error.to_string()).expect("cannot be read after it was shortened");
        assert_eq!((again.last_run, again.interrupted()), (journal.state.last_run, journal.state.interrupted()));
        assert!(
            again.unresolved().next().is_none() && journal.state.unresolved().next().is_none(),
            "an open order is gone"
        );
        return;
    }

    let id = journal.next_id(NOW);
    let look_number = 1;
    let intent = Intent {
        client_id: id.clone(),
        order: sell(),
        at: NOW,
        expires: NOW + 1,
        had: quantity("1.5"),
        cash: quantity("0"),
        look: look_number,
    };
    assert!(journal.state.orders.iter().all(|(earlier, _)| earlier.client_id != id) || choice & 1 == 1);
    assert!(journal.intend(&intent).is_ok());
    assert!(journal.state.unresolved().any(|open| open.client_id == id));
    assert_eq!(look(&disk, path), Ok(told(&journal.state)));
    if choice & 2 != 0 {
        let state = OrderState {
            order_id: "65".to_string(),
            status: "FILLED".to_string(),
            terminal: true,
            filled_quantity: quantity("0.01"),
            filled_value: value("628.5"),
        };
        assert!(journal.conclude(&id, &state, NOW + 2).is_ok());
        assert_eq!(look(&disk, path), Ok(told(&journal.state)));
    }
    if choice & 4 != 0 {
        assert!(journal.finish(NOW + 3).is_ok());
        assert!(!journal.state.interrupted());
    }
    let last = told(&journal.state);
    drop(journal);
    assert_eq!(Journal::open(&disk, path).map(|journal| told(&journal.state)).ok(), Some(last));
});
