//! Memory of the real daemon while it sleeps.

use crate::account::{self, Drift};
use crate::memory::Wire;
use crate::program::{Home, Programs};
use crate::resident::{DEADLINE, Resident, switches};
use crate::table::{Section, Table, number};
use rebalancer::clock::{Clock, SystemClock};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

const MOST_IDLE_KIB: u64 = 512;
/// How long it is watched.
const WATCHED: Duration = Duration::from_secs(5);

/// A daemon asleep.
pub struct Asleep {
    what: String,
    resident: Resident,
    /// How often it was awake while it was watched.
    awake: u64,
}

pub fn measure(programs: &Programs) -> Result<Vec<Asleep>, String> {
    let cases = [
        (10, "sunday 00:00", false, Wire::Plain),
        (100, "sunday 00:00", false, Wire::Plain),
        (10, "every 1h", false, Wire::Plain),
        (100, "every 1h", false, Wire::Plain),
        (100, "every 1h", false, Wire::Tls),
        (100, "sunday 00:00", true, Wire::Plain),
    ];
    let mut found = Vec::new();
    for (at, (coins, schedule, journal, wire)) in cases.into_iter().enumerate() {
        let (exchange, trusted) = wire.serve(account::world(coins, Drift::Few));
        let home = Home::with(&format!("asleep-{at}"), &account::config(coins, &exchange.url(), schedule))?;
        home.trust(&trusted, false)?;
        if journal {
            account::full_journal(&home.file("rebalancer.journal"), SystemClock::new().now())?;
        }
        let (resident, awake) = nap(&home, wire.program(programs))?;
        let when = match (schedule, journal) {
            ("every 1h", _) => "after a cycle",
            (_, true) => "a journal of 128 kB read",
            _ => "before the first cycle",
        };
        found.push(Asleep { what: format!("{coins} coins, {}, {when}", wire.name()), resident, awake });
    }
    Ok(found)
}

/// Starts the daemon in a folder, waits until it sleeps and watches it.
pub fn nap(home: &Home, program: &Path) -> Result<(Resident, u64), String> {
    let mut daemon = home.start(program, &["run"])?;
    let start = Instant::now();
    while !home.read("log").contains("next run") {
        if let Some(code) = daemon.ended()? {
            return Err(format!("the daemon ended with {code}: {}", home.read("log")));
        }
        if start.elapsed() > DEADLINE {
            return Err(format!("the daemon does not fall asleep: {}", home.read("log")));
        }
        thread::sleep(Duration::from_millis(20));
    }
    // It has said when the next run is, and goes to sleep.
    thread::sleep(Duration::from_millis(500));
    let before = switches(daemon.id());
    thread::sleep(WATCHED);
    let awake = switches(daemon.id()).saturating_sub(before);
    Ok((Resident::of(daemon.id()).ok_or("the daemon has ended")?, awake))
}

pub fn show(table: &mut Table, found: &[Asleep]) {
    let columns = ["", "KiB", "private", "of the file", "peak", "awake in 5 s"];
    let mut section = Section::new("resident memory of the daemon (run) asleep", &columns);
    for Asleep { what, resident, awake } in found {
        section.row(what, resident.columns().into_iter().chain([resident.mark, *awake].map(number)));
    }
    section.note("the cycle is a process of its own, so what it used is gone when the daemon sleeps");
    section.note("of the file: the kernel maps 64 KiB around each page of the program that was used once");
    table.add(section);
    let most = |part: fn(&Resident) -> u64| found.iter().map(|asleep| part(&asleep.resident)).max().unwrap_or(0);
    let (all, private) = (most(|resident| resident.all), most(|resident| resident.private));
    table.aim("asleep at most 512 KiB", format!("{} KiB", number(all)), all <= MOST_IDLE_KIB);
    let private_met = private <= MOST_IDLE_KIB;
    table.aim("the same without clean pages of its file", format!("{} KiB", number(private)), private_met);
}
