//! The journal as a file: what it says after a restart, a cut at any byte, a flipped bit, and when it has grown.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::use_debug)]
#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod common;

use common::{Chance, Dir};
use rebalancer::amount::{Quantity, Value};
use rebalancer::disk::SystemDisk;
use rebalancer::exchange::OrderState;
use rebalancer::journal::{Intent, Journal, State, peek};
use rebalancer::market::{Order, Side, Size};
use rebalancer::store;
use std::path::Path;

const NOW: i64 = 1_795_366_985_000;

fn open(path: &Path) -> Journal<'static> {
    Journal::open(&SystemDisk, path).unwrap_or_else(|error| panic!("{error}"))
}

fn look_at(path: &Path) -> State {
    peek(&SystemDisk, path).unwrap_or_else(|error| panic!("{error}"))
}

fn quantity(text: &str) -> Quantity {
    Quantity::parse(text).unwrap()
}

fn value(text: &str) -> Value {
    Value::parse(text).unwrap()
}

/// An intent whose every member follows from its id and a number.
fn intent(client_id: &str, number: i64) -> Intent {
    let (side, size) = match number % 2 {
        0 => (Side::Sell, Size::Quantity(quantity(&format!("{number}.000000000000000001")))),
        _ => (Side::Buy, Size::Notional(value(&format!("{number}.01")))),
    };
    let (coin, symbol) = (format!("C{number}"), format!("C{number}_USDT"));
    Intent {
        client_id: client_id.to_string(),
        order: Order { symbol, coin, side, size, value: value(&format!("{number}.5")) },
        at: NOW + number,
        expires: NOW + number + 5000,
        had: quantity("99999999999.12345678901234"),
        cash: quantity("0"),
        look: 7,
    }
}

fn filled(number: i64) -> OrderState {
    OrderState {
        order_id: format!("{number}\"\\ \n\u{7f}ß{{\"cycle\":1}}"),
        status: "FILLED".to_string(),
        terminal: true,
        filled_quantity: quantity(&format!("{number}.25")),
        filled_value: value("0.000000000000000001"),
    }
}

/// Writes an order and returns its id.
fn intend(journal: &mut Journal, number: i64) -> String {
    let id = journal.next_id(NOW);
    journal.intend(&intent(&id, number)).unwrap_or_else(|error| panic!("{error}"));
    id
}

fn conclude(journal: &mut Journal, id: &str, number: i64) {
    journal.conclude(id, &filled(number), 1000).unwrap_or_else(|error| panic!("{error}"));
}

fn finish(journal: &mut Journal, time: i64) {
    journal.finish(time).unwrap_or_else(|error| panic!("{error}"));
}

/// Everything that a state tells, as text.
fn told(state: &State) -> String {
    let mut told = format!("last run {:?}, interrupted {}\n", state.last_run, state.interrupted());
    for (intent, fill) in &state.orders {
        let Intent { client_id, order, at, expires, had, cash, look } = intent;
        let Order { symbol, coin, side, size, value } = order;
        let size = match size {
            Size::Quantity(quantity) => format!("quantity {quantity}"),
            Size::Notional(value) => format!("notional {value}"),
        };
        let fill = fill.map(|fill| format!("{} for {}", fill.quantity, fill.value));
        let side = side.word();
        told +=
            &format!("{client_id} {symbol} {coin} {side} {size} {value} {at} {expires} {had} {cash} {look} {fill:?}\n");
    }
    let unresolved: Vec<&str> = state.unresolved().map(|intent| intent.client_id.as_str()).collect();
    format!("{told}unresolved {unresolved:?}\n")
}

/// A journal with every kind of record: a cycle that ended well and one that was interrupted. Its bytes.
fn sample(path: &Path) -> Vec<u8> {
    let mut journal = open(path);
    let id = intend(&mut journal, 0);
    conclude(&mut journal, &id, 0);
    finish(&mut journal, NOW + 1000);
    let id = intend(&mut journal, 1);
    conclude(&mut journal, &id, 1);
    intend(&mut journal, 2);
    std::fs::read(path).unwrap()
}

/// Where each line ends.
fn ends(bytes: &[u8]) -> Vec<usize> {
    bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect()
}

#[test]
fn what_is_written_is_there_after_a_restart() {
    let dir = Dir::new();
    let path = dir.file("j");
    assert_eq!(told(&look_at(&path)), told(&State::default()), "no file, no orders");
    assert!(dir.names().is_empty(), "looking creates nothing");
    let mut journal = open(&path);
    assert_eq!(told(&journal.state), told(&State::default()));
    let mut before = told(&journal.state);
    for number in 0..6 {
        let id = intend(&mut journal, number);
        let after_intent = told(&journal.state);
        assert_eq!(told(&look_at(&path)), after_intent);
        conclude(&mut journal, &id, number);
        let after_outcome = told(&journal.state);
        assert!(before != after_intent && after_intent != after_outcome);
        assert!(after_outcome.contains(&format!("{number}.25 for 0.000000000000000001")), "{after_outcome}");
        journal = open(&path);
        assert!(!journal.repaired);
        before = told(&journal.state);
        assert_eq!(before, after_outcome);
        assert_eq!(told(&look_at(&path)), after_outcome);
    }
    finish(&mut journal, NOW + 9);
    assert_eq!(told(&open(&path).state), format!("last run Some({}), interrupted false\nunresolved []\n", NOW + 9));
    assert_eq!(dir.names(), ["j"]);
}

#[test]
fn unresolved_interrupted_and_ours_mean_what_they_say() {
    let dir = Dir::new();
    let (path, other) = (dir.file("j"), dir.file("other"));
    let mut journal = open(&path);
    assert!(!journal.state.interrupted() && journal.state.unresolved().next().is_none());
    let first = intend(&mut journal, 0);
    let second = intend(&mut journal, 1);
    let unresolved =
        |journal: &Journal| journal.state.unresolved().map(|intent| intent.client_id.clone()).collect::<Vec<_>>();
    assert_eq!(unresolved(&journal), [first.clone(), second.clone()]);
    conclude(&mut journal, &first, 0);
    assert_eq!(unresolved(&journal), std::slice::from_ref(&second));
    // Sent once more under its id: one order, its outcome unknown again.
    journal.intend(&intent(&first, 4)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(journal.state.orders.len(), 2);
    assert_eq!(unresolved(&journal), [second.clone(), first.clone()]);
    conclude(&mut journal, &second, 1);
    conclude(&mut journal, &first, 4);
    assert!(
        unresolved(&journal).is_empty() && journal.state.interrupted(),
        "all known, but the cycle has not ended well"
    );
    assert_eq!(told(&open(&path).state), told(&journal.state));
    finish(&mut journal, NOW);
    assert!(!journal.state.interrupted());

    let stranger = intend(&mut open(&other), 0);
    for ours in [&first, &second, &journal.next_id(0), &journal.next_id(i64::MAX)] {
        assert!(journal.state.is_ours(ours) && look_at(&path).is_ours(ours), "{ours}");
        assert!(!look_at(&other).is_ours(ours), "{ours}");
        assert!(!State::default().is_ours(ours), "a journal without a salt owns nothing: {ours}");
    }
    let salt = &first[2..10];
    for foreign in [
        "",
        "r",
        "rb",
        &stranger,
        salt,
        &first[1..],
        &first.to_uppercase(),
        &format!("x{first}"),
        &first[..9],
        "1234567890",
    ] {
        assert!(!journal.state.is_ours(foreign), "{foreign}");
    }
}

#[test]
fn ids_are_short_plain_and_never_repeated_over_restarts() {
    let dir = Dir::new();
    let path = dir.file("j");
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..12 {
        let mut journal = open(&path);
        for number in 0..5 {
            // The clock stands still, or fails.
            let now = [NOW, 0, -5][round % 3];
            let id = journal.next_id(now);
            assert_eq!(id, journal.next_id(now), "asking does not use it up");
            assert!(id.len() <= 32 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
            journal.intend(&intent(&id, number)).unwrap_or_else(|error| panic!("{error}"));
            assert!(seen.insert(id));
        }
        if round % 4 == 3 {
            for id in &seen {
                if journal.state.unresolved().any(|intent| intent.client_id == *id) {
                    conclude(&mut journal, id, 1);
                }
            }
            finish(&mut journal, NOW);
        }
    }
    assert_eq!(seen.len(), 60);
    assert!(open(&path).next_id(i64::MAX / 1_000_000).len() <= 32, "in the year 2262");
}

#[test]
fn a_journal_cut_at_any_byte_says_what_its_whole_lines_say_or_is_refused() {
    let dir = Dir::new();
    let bytes = sample(&dir.file("whole"));
    let ends = ends(&bytes);
    assert_eq!(ends.len(), 7);
    let path = dir.file("cut");
    for at in 0..=bytes.len() {
        std::fs::write(&path, &bytes[..at]).unwrap();
        let whole = ends.iter().copied().filter(|end| *end <= at).max();
        let Some(whole) = whole else {
            assert!(
                peek(&SystemDisk, &path).is_err() && Journal::open(&SystemDisk, &path).is_err(),
                "cut in the head at {at}"
            );
            assert_eq!(std::fs::read(&path).unwrap(), bytes[..at], "a refused journal is left as it is");
            continue;
        };
        let seen = told(&look_at(&path));
        assert_eq!(std::fs::read(&path).unwrap(), bytes[..at], "looking changes nothing");
        let mut journal = open(&path);
        assert_eq!(journal.repaired, whole < at, "cut at {at}");
        assert_eq!(told(&journal.state), seen);
        assert_eq!(std::fs::read(&path).unwrap(), bytes[..whole], "cut at {at}");
        let clean = dir.file("clean");
        std::fs::write(&clean, &bytes[..whole]).unwrap();
        assert_eq!(told(&look_at(&clean)), seen, "cut at {at}");
        assert_eq!(open(&clean).next_id(NOW), journal.next_id(NOW), "cut at {at}");
        // What is written after a repair is whole; not tried after every cut, because syncing takes its time.
        if at % 7 != 0 {
            continue;
        }
        let id = intend(&mut journal, 4);
        conclude(&mut journal, &id, 4);
        let after = told(&journal.state);
        let again = open(&path);
        assert!(
            !again.repaired
                && told(&again.state) == after
                && again.state.orders.iter().any(|(intent, _)| intent.client_id == id)
        );
    }
}

/// Flips every bit of a journal; each copy must be refused and left alone, or count as cut in its last line.
fn flip_every_bit(bytes: &[u8], range: std::ops::Range<usize>) {
    let dir = Dir::new();
    let (path, without_last) = (dir.file("flipped"), dir.file("without"));
    let ends = ends(bytes);
    let last = ends[ends.len() - 2];
    std::fs::write(&without_last, &bytes[..last]).unwrap();
    let without_last = told(&look_at(&without_last));
    for at in range {
        for bit in 0..8 {
            let mut flipped = bytes.to_vec();
            flipped[at] ^= 1 << bit;
            std::fs::write(&path, &flipped).unwrap();
            let peeked = peek(&SystemDisk, &path).as_ref().map_or("refused".to_string(), told);
            if peeked != "refused" && bit != at % 8 {
                assert!(at >= last && peeked == without_last, "byte {at}, bit {bit}: read as\n{peeked}");
                continue; // Repairing is tried for one bit of a byte, because syncing takes its time.
            }
            let opened = Journal::open(&SystemDisk, &path);
            let said = opened.as_ref().map_or("refused".to_string(), |journal| told(&journal.state));
            assert_eq!(peeked, said, "both readings agree: byte {at}, bit {bit}");
            match opened {
                Err(error) => {
                    assert!(error.to_string().contains("damaged"), "{error}");
                    assert_eq!(std::fs::read(&path).unwrap(), flipped, "left as it is: byte {at}, bit {bit}");
                }
                Ok(journal) => {
                    assert!(at >= last, "byte {at} of {last} and the last line, bit {bit}: accepted as\n{said}");
                    assert!(journal.repaired, "byte {at}, bit {bit}: accepted unseen");
                    assert_eq!(said, without_last, "byte {at}, bit {bit}");
                    assert_eq!(std::fs::read(&path).unwrap(), bytes[..last]);
                }
            }
        }
    }
}

#[test]
fn a_flipped_bit_is_damage_or_a_cut_last_line_and_never_another_record() {
    let dir = Dir::new();
    let bytes = sample(&dir.file("j"));
    let ends = ends(&bytes);
    // The line end before the last line has a test of its own.
    let newline = ends[ends.len() - 2] - 1;
    flip_every_bit(&bytes, 0..newline);
    flip_every_bit(&bytes, newline + 1..bytes.len());
}

#[test]
fn a_flipped_line_end_before_the_last_line_does_not_lose_two_records() {
    let dir = Dir::new();
    let bytes = sample(&dir.file("j"));
    let newline = ends(&bytes)[5] - 1;
    flip_every_bit(&bytes, newline..newline + 1);
}

#[test]
fn a_line_that_is_missing_doubled_swapped_or_foreign_is_never_accepted_as_something_else() {
    let dir = Dir::new();
    let bytes = sample(&dir.file("j"));
    let text = String::from_utf8(bytes).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let path = dir.file("changed");
    let refused = |text: &str, why: &str| {
        std::fs::write(&path, text).unwrap();
        assert!(peek(&SystemDisk, &path).is_err() && Journal::open(&SystemDisk, &path).is_err(), "{why}: {text}");
        assert_eq!(dir.read("changed"), text, "{why}");
    };
    refused("", "empty");
    refused("\n", "an empty line");
    refused(&lines[1..].concat(), "without its head");
    refused(&format!("{}{}", lines[0], text), "two heads");
    refused(&format!("{}\n{}", lines[0], lines[1..].concat()), "an empty line in it");
    refused(&format!("{}{}{}", lines[0], "not sealed\n", lines[1..].concat()), "a line of somebody else");
    refused(&text.replace('\n', "\r\n"), "other line ends");
    // An outcome without its intent.
    refused(&[lines[0], lines[2], lines[1]].concat(), "an outcome before its intent");
    for record in [
        "{}",
        "[]",
        "5",
        "{\"orders\":1}",
        "{\"cycle\":\"x\"}",
        "{\"cycle\":1.5}",
        "{\"done\":\"x\"}",
        "{\"order\":\"x\",\"number\":1}",
        "{",
    ] {
        refused(&format!("{}{}", lines[0], store::seal(record)), record);
    }
    for head in [
        "{\"journal\":2,\"salt\":\"00000000\",\"next\":0}",
        "{\"journal\":1,\"next\":0}",
        "{\"journal\":1,\"salt\":\"00000000\"}",
        "{\"journal\":1,\"salt\":\"00000000\",\"next\":-1}",
        "{\"journal\":1,\"salt\":\"00000000\",\"next\":0,\"last_run\":\"x\"}",
        "{}",
    ] {
        refused(&store::seal(head), head);
    }
}

/// Ends cycles of two orders each until the file is larger than `bytes`.
fn grow(path: &Path, bytes: u64) {
    let mut journal = open(path);
    let mut text = String::new();
    let mut number = 0;
    let length = std::fs::metadata(path).unwrap().len();
    // One real cycle is the pattern; the rest is written at once, because syncing a thousand lines takes its time.
    let id = intend(&mut journal, 1);
    conclude(&mut journal, &id, 1);
    finish(&mut journal, NOW);
    let cycle: String =
        String::from_utf8(std::fs::read(path).unwrap()).unwrap().split_at(usize::try_from(length).unwrap()).1.into();
    while length + text.len() as u64 <= bytes {
        number += 1;
        for line in cycle.lines() {
            let record = store::unseal(line).unwrap();
            let record =
                record.replace(&id, &format!("{id}x{number}")).replace("\"number\":0", &format!("\"number\":{number}"));
            text += &store::seal(&record.replace(&format!("\"cycle\":{NOW}"), &format!("\"cycle\":{}", NOW + number)));
        }
    }
    use std::io::Write;
    std::fs::File::options().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

const LIMIT: u64 = 128 * 1024;

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().len()
}

#[test]
fn a_grown_journal_is_shortened_and_keeps_salt_number_and_last_run() {
    // With 150 quiet cycles at its end, no order is among the lines that are kept.
    for (torn, quiet) in [(false, 0), (true, 0), (false, 150), (true, 150)] {
        let dir = Dir::new();
        let path = dir.file("j");
        let first = open(&path).next_id(NOW);
        grow(&path, LIMIT + 1);
        let number = (dir.read("j").lines().count() - 1) / 3;
        let cycles: String = (0..quiet).map(|time| store::seal(&format!("{{\"cycle\":{time}}}"))).collect();
        let tail = if torn { "120 00000000 {\"order\":" } else { "" };
        std::fs::write(&path, dir.read("j") + &cycles + tail).unwrap();
        let last_run = look_at(&path).last_run;
        let mut journal = open(&path);
        assert_eq!(journal.repaired, torn);
        let shortened = dir.read("j");
        assert!(length(&path) < LIMIT / 2 && shortened.lines().count() <= 101, "{} bytes", length(&path));
        assert!(shortened.lines().count() > 50, "the newest lines stay for the owner");
        assert!(!journal.state.interrupted() && journal.state.is_ours(&first));
        for journal in [&journal, &open(&path)] {
            assert_eq!(journal.next_id(NOW), format!("{}{number:x}t{NOW:x}", &first[..10]), "the number goes on");
            assert_eq!(journal.state.last_run, last_run);
        }
        let id = intend(&mut journal, 1);
        let again = open(&path);
        assert!(!again.repaired);
        assert_eq!(told(&again.state), told(&journal.state));
        assert!(again.state.unresolved().any(|intent| intent.client_id == id));
        assert_eq!(dir.names(), ["j"]);
    }
}

#[test]
fn a_journal_below_the_limit_or_with_an_unknown_order_is_left_whole() {
    let dir = Dir::new();
    let path = dir.file("j");
    grow(&path, LIMIT - 1000);
    let before = dir.read("j");
    assert!(length(&path) <= LIMIT);
    let mut journal = open(&path);
    assert_eq!(dir.read("j"), before, "below the limit");
    let unknown = intend(&mut journal, 5);
    while length(&path) <= LIMIT {
        let id = intend(&mut journal, 6);
        conclude(&mut journal, &id, 6);
    }
    let (whole, state) = (dir.read("j"), told(&journal.state));
    let journal = open(&path);
    assert_eq!(dir.read("j"), whole);
    assert_eq!(told(&journal.state), state);
    assert!(journal.state.unresolved().map(|intent| &intent.client_id).eq([&unknown]));
}

#[test]
fn a_journal_that_is_shortened_in_the_middle_of_a_run_still_says_so() {
    // Orders since the last good cycle are kept, as many as balances may still have to show; of more, the newest.
    for orders in [5, 60, 400] {
        let dir = Dir::new();
        let path = dir.file("j");
        grow(&path, LIMIT - 1000);
        let mut journal = open(&path);
        for number in 0..orders {
            let id = intend(&mut journal, number);
            conclude(&mut journal, &id, number);
        }
        let (state, next) = (told(&journal.state), journal.next_id(NOW));
        let last_run = journal.state.last_run;
        for _ in 0..2 {
            let journal = open(&path);
            assert!(length(&path) < LIMIT && journal.state.interrupted(), "{orders} orders");
            assert_eq!((journal.next_id(NOW), journal.state.last_run), (next.clone(), last_run), "{orders} orders");
            let kept: Vec<String> = told(&journal.state).lines().map(str::to_string).collect();
            let all: Vec<&str> = state.lines().collect();
            assert!(kept.len() == all.len() || orders == 400 && kept.len() > 150, "{orders} orders: {}", kept.len());
            assert_eq!(kept[1..], all[all.len() - kept.len() + 1..], "{orders} orders: the newest, whole");
            assert!(look_at(&path).interrupted());
        }
        let mut journal = open(&path);
        finish(&mut journal, NOW + 1_000_000);
        assert!(!journal.state.interrupted() && !look_at(&path).interrupted());
    }
}

#[test]
fn the_file_belongs_to_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = Dir::new();
    let path = dir.file("j");
    let private = || assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let mut journal = open(&path);
    private();
    let id = intend(&mut journal, 0);
    conclude(&mut journal, &id, 0);
    finish(&mut journal, NOW);
    private();
    grow(&path, LIMIT + 1);
    open(&path);
    assert!(length(&path) < LIMIT);
    private();
}

#[test]
fn what_cannot_be_a_journal_file_is_an_error_that_names_it() {
    let dir = Dir::new();
    std::fs::create_dir(dir.file("directory")).unwrap();
    for name in ["directory", "no/where"] {
        let Err(error) = Journal::open(&SystemDisk, &dir.file(name)) else { panic!("{name} was opened") };
        assert!(error.to_string().contains(name), "{error}");
    }
    dir.write("binary", [0_u8, 255, 10, 13, 0, 0]);
    assert!(peek(&SystemDisk, &dir.file("binary")).is_err());
    let mut journal = open(&dir.file("j"));
    assert!(journal.conclude("rb00000000", &filled(1), 1000).is_err(), "an outcome without its intent");
}

#[test]
fn any_sequence_of_orders_restarts_and_power_cuts_agrees_with_a_simple_model() {
    for seed in 0..15 {
        let mut chance = Chance(seed);
        let dir = Dir::new();
        let path = dir.file("j");
        let mut journal = open(&path);
        // The model: orders since the last good cycle as (id, number, concluded), and the last run.
        let mut model: Vec<(String, i64, bool)> = Vec::new();
        let mut last_run = None;
        for step in 0..40 {
            let open_order = model.iter().position(|(_, _, concluded)| !concluded);
            match (chance.below(6), open_order) {
                (0 | 1, None) => {
                    let number = chance.below(1000) as i64;
                    model.push((intend(&mut journal, number), number, false));
                }
                (0, Some(at)) => {
                    let (id, number, _) = model.remove(at);
                    journal.intend(&intent(&id, number)).unwrap_or_else(|error| panic!("{error}"));
                    model.push((id, number, false));
                }
                (1..=3, Some(at)) => {
                    conclude(&mut journal, &model[at].0, model[at].1);
                    model[at].2 = true;
                }
                (2 | 3, None) => {
                    last_run = Some(NOW + step);
                    finish(&mut journal, NOW + step);
                    model.clear();
                }
                (4, _) => journal = open(&path),
                _ => {
                    // The next record was being written when the power went.
                    let whole = std::fs::read(&path).unwrap();
                    finish(&mut journal, NOW + 77);
                    let length = std::fs::metadata(&path).unwrap().len();
                    let cut = whole.len() as u64 + chance.below(length - whole.len() as u64);
                    std::fs::File::options().write(true).open(&path).unwrap().set_len(cut).unwrap();
                    journal = open(&path);
                    assert_eq!(std::fs::read(&path).unwrap(), whole);
                }
            }
            let ids: Vec<(&str, bool)> = model.iter().map(|(id, _, concluded)| (id.as_str(), *concluded)).collect();
            let state: Vec<(&str, bool)> =
                journal.state.orders.iter().map(|(intent, fill)| (intent.client_id.as_str(), fill.is_some())).collect();
            assert_eq!((state, journal.state.last_run), (ids, last_run), "seed {seed}, step {step}");
            assert_eq!(told(&look_at(&path)), told(&journal.state), "seed {seed}, step {step}");
        }
    }
}
