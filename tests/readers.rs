//! Everything that reads what others wrote, against every cut and many changes of every recorded shape.
//!
//! The real adapter, config, paper account, journal and trading rules read from a machine in memory (tests/untrusted). What must hold:
//! it ends, it does not panic, it is an error or what serde_json reads in the same bytes, it holds no more than its limit.
//! The same holds under coverage-guided fuzzing: tests/fuzz/run.sh.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::use_debug)]
#![allow(clippy::float_arithmetic, missing_docs)]

#[path = "untrusted/mod.rs"]
mod untrusted;

use rebalancer::config::parse;
use rebalancer::disk::private;
use rebalancer::exchange::Kind;
use rebalancer::exchange::catalogue::Cache;
use rebalancer::exchange::signer::Credentials;
use rebalancer::journal::Journal;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;
use untrusted::shapes::{CONFIG, FLAT, PAPER, PAPER_LIVE, SHAPES, Shape};
use untrusted::{Asked, KEY, Memory, NOW, Outcome, Replies, SECRET, Told, ask, files, oracle, seeds};

#[test]
fn the_fuzzing_begins_with_the_shapes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds");
    let write = std::env::var_os("REBALANCER_WRITE_SEEDS").is_some();
    for (target, name, bytes) in untrusted::seeds::all() {
        let path = folder.join(target).join(&name);
        if write {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &bytes).unwrap();
        }
        let said = "REBALANCER_WRITE_SEEDS=1 cargo test --test readers fuzzing writes them anew";
        assert!(std::fs::read(&path).is_ok_and(|there| there == bytes), "{} is another: {said}", path.display());
    }
}

/// What a byte is replaced by: everything that means something to a reader, and nothing anywhere.
const NASTY: &[u8] = b"\"\\{}[],.-09\n\0\xff";

/// Every single-byte change: each byte deleted, doubled, replaced, each of its bits flipped, and each nasty byte put before it.
fn changes(bytes: &[u8], insert: bool, see: &mut dyn FnMut(&[u8], &str)) {
    let mut changed = Vec::with_capacity(bytes.len() + 1);
    let mut with = |at: usize, new: &[u8], kept: usize, what: &str| {
        changed.clear();
        changed.extend_from_slice(&bytes[..at]);
        changed.extend_from_slice(new);
        changed.extend_from_slice(&bytes[kept..]);
        see(&changed, what);
    };
    for (at, byte) in bytes.iter().enumerate() {
        with(at, &[], at + 1, "deleted");
        with(at, &[*byte, *byte], at + 1, "doubled");
        for new in NASTY.iter().filter(|new| *new != byte) {
            with(at, &[*new], at + 1, "replaced");
            if insert {
                with(at, &[*new], at, "inserted");
            }
        }
        for bit in 0..8 {
            with(at, &[byte ^ (1 << bit)], at + 1, "flipped");
        }
    }
}

/// Runs a test on a thread of its own; fails when it does not end.
fn watched(test: impl FnOnce() + Send + 'static) {
    let (done, end) = mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        let _done = done;
        test();
    });
    let end = end.recv_timeout(Duration::from_secs(300));
    assert!(end != Err(mpsc::RecvTimeoutError::Timeout), "a reader does not come to an end");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Asks with one answer in the place of the right one, and looks at what came of it with the second reading.
fn told(shape: &Shape, body: &[u8], impatient: bool) -> Asked {
    let mut replies = Replies::of(shape.method, Told::new(shape.status, body));
    replies.impatient = impatient;
    let asked = ask(shape.method, &replies);
    oracle::agree(shape.method, &replies, &asked);
    asked
}

#[test]
fn every_shape_is_read_as_it_was_recorded() {
    for shape in SHAPES {
        let asked = told(shape, shape.body.as_bytes(), false);
        let good = matches!(&asked.outcome, Ok(outcome) if !matches!(outcome, Outcome::Order(None)));
        let why = asked.outcome.err().map(|error| error.message).unwrap_or_default();
        assert_eq!(good, shape.good, "{}: {why}", shape.name);
    }
}

#[test]
fn no_prefix_of_any_answer_is_accepted() {
    watched(|| {
        for shape in SHAPES.iter().filter(|shape| shape.body.starts_with('{')) {
            for length in 0..shape.body.len() {
                let outcome = told(shape, &shape.body.as_bytes()[..length], false).outcome;
                let kind = outcome.err().unwrap_or_else(|| panic!("{}: {length} bytes accepted", shape.name)).kind;
                let unclear = matches!(kind, Kind::Garbled | Kind::Unknown);
                assert!(unclear || shape.status == 429, "{}: cut after {length} bytes, and sure of it", shape.name);
            }
        }
    });
}

#[test]
fn every_single_byte_change_of_any_answer_is_an_error_or_read_as_serde_json_reads_it() {
    watched(|| {
        for shape in SHAPES {
            let (mut accepted, mut refused) = (0, 0);
            changes(shape.body.as_bytes(), false, &mut |body, _| match told(shape, body, true).outcome {
                Ok(_) => accepted += 1,
                Err(_) => refused += 1,
            });
            assert!(
                refused > 0 && (accepted > 0 || !shape.good),
                "{}: {accepted} accepted, {refused} refused",
                shape.name
            );
        }
    });
}

#[test]
fn every_change_of_the_config_is_refused_or_read_as_serde_json_reads_it() {
    watched(|| {
        for whole in [CONFIG, FLAT] {
            let read = |text: &str| {
                let read = parse(text, Path::new("/"));
                files::config(text, &read);
                read.is_ok()
            };
            assert!(read(whole));
            for length in 0..whole.trim_end().len() {
                assert!(!read(&whole[..length]), "cut after {length} bytes");
            }
            let mut accepted = 0;
            changes(whole.as_bytes(), true, &mut |bytes, _| {
                accepted += usize::from(std::str::from_utf8(bytes).is_ok_and(read));
            });
            assert!(accepted > 0);
        }
    });
}

#[test]
fn every_change_of_the_paper_account_is_refused_and_left_alone_or_read_as_serde_json_reads_it() {
    watched(|| {
        for whole in [PAPER, PAPER_LIVE] {
            assert!(files::paper(whole.as_bytes()));
            for length in 0..whole.trim_end().len() {
                assert!(!files::paper(&whole.as_bytes()[..length]), "cut after {length} bytes");
            }
            let mut accepted = 0;
            changes(whole.as_bytes(), false, &mut |bytes, _| accepted += usize::from(files::paper(bytes)));
            assert!(accepted > 0);
        }
    });
}

#[test]
fn every_change_of_the_key_file_is_refused_without_showing_it_or_read_as_serde_json_reads_it() {
    // The file is read from the disk of this machine: a folder of its own for this test.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readers-key");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("credentials.json");
    let whole = format!("{{\"api_key\": \"{KEY}\",\n \"api_secret\": \"{SECRET}\"}}");
    let config = parse(FLAT, &folder).map_err(|error| error.message).unwrap();
    let _ = std::fs::remove_file(&path);
    private().create(true).write(true).open(&path).unwrap();
    let mut read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        match config.credentials() {
            Err(error) => {
                let message = error.to_string();
                // Not even the better part of it.
                assert!(!message.contains(&SECRET[..12]) && !message.contains(&KEY[..6]), "{message}");
                assert!(!message.chars().any(char::is_control), "{message:?}");
                false
            }
            Ok(credentials) => {
                let json: serde_json::Value = serde_json::from_slice(bytes).unwrap();
                assert_eq!(json.as_object().unwrap().len(), 2);
                assert_eq!(json["api_key"], credentials.key.as_str());
                let theirs = Credentials::new(String::new(), json["api_secret"].as_str().unwrap().to_string());
                assert_eq!(credentials.sign("message"), theirs.sign("message"));
                true
            }
        }
    };
    assert!(read(whole.as_bytes()));
    for length in 0..whole.len() {
        assert!(!read(&whole.as_bytes()[..length]), "cut after {length} bytes");
    }
    let mut accepted = 0;
    changes(whole.as_bytes(), false, &mut |bytes, _| accepted += usize::from(read(bytes)));
    assert!(accepted > 0);
}

#[test]
fn no_change_of_a_journal_or_of_trading_rules_is_read_as_something_else() {
    let path = Path::new("state");
    let journal = seeds::journal();
    let said = |bytes: &[u8]| {
        let disk = Memory::with(path, bytes);
        let opened = Journal::open(&disk, path)
            .map(|journal| (journal.repaired, journal.state.orders.len(), journal.state.last_run));
        assert!(opened.is_ok() || disk.get(path) == bytes, "refused, and not left as it is");
        opened.ok()
    };
    assert_eq!(said(&journal), Some((false, 1, Some(NOW + 3))));
    let last_line = 1 + journal[..journal.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
    let end = journal.len();
    changes(&journal, true, &mut |bytes, what| {
        // What is left when the power went while the last line was written: its order was never sent.
        let torn = bytes.starts_with(&journal[..last_line]) && bytes[last_line..].iter().all(|byte| *byte != b'\n');
        match said(bytes) {
            None => {}
            Some((repaired, orders, last_run)) => {
                assert!(torn && repaired && orders == 0, "{what}: {orders} orders");
                assert_eq!(last_run, Some(NOW + 3));
            }
        }
        assert!(bytes.len().abs_diff(end) <= 1);
    });
    let rules = seeds::cache();
    let load = |bytes: &[u8]| {
        let disk = Memory::with(path, bytes);
        Cache::new(&disk, path.to_path_buf(), seeds::SUBJECT.to_string()).load(NOW)
    };
    let whole = load(&rules).unwrap();
    assert_eq!(whole.len(), 3);
    changes(&rules, true, &mut |bytes, what| {
        // A line may end as on another system, or the file without one.
        assert!(load(bytes).is_none_or(|again| again == whole), "{what}: other rules");
    });
}
