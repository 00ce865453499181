//! A day on which nothing is due: the daemon's own loop on a simulated clock.

use crate::account;
use crate::instructions::{PI_CYCLES, job, pi_ms};
use crate::program::Home;
use crate::table::{Section, Table, number};
use crate::tools::{self, field};
use crate::worker::SimulatedClock;
use rebalancer::cli::Args;
use rebalancer::clock::Clock;
use rebalancer::command::Context;
use rebalancer::config::Config;
use rebalancer::daemon;
use rebalancer::disk::SystemDisk;
use rebalancer::exchange::Millis;
use rebalancer::journal::Journal;
use rebalancer::log::Log;
use rebalancer::machine::Machine;
use std::cell::Cell;
use std::path::Path;
use std::process::Command;

/// Monday, 2026-11-23, 00:00 UTC: the next run is on Sunday.
const MONDAY: Millis = 1_795_392_000_000;
const HOUR_MS: Millis = 3_600_000;
/// The kernel counts a process's time in ticks of so many milliseconds.
const TICK_MS: u64 = 10;

/// A clock that ends the process after so many hours, and tells what happened.
struct LastDay {
    time: SimulatedClock,
    until: Millis,
    sleeps: Cell<u64>,
}

impl Clock for LastDay {
    fn now(&self) -> Millis {
        self.time.now()
    }

    fn elapsed(&self) -> Millis {
        self.time.elapsed()
    }

    fn sleep(&self, ms: Millis) {
        if self.time.now() >= self.until {
            let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
            println!("sleeps: {}\n{io}", self.sleeps.get());
            std::process::exit(0);
        }
        self.sleeps.set(self.sleeps.get() + 1);
        self.time.sleep(ms);
    }
}

/// Runs the daemon in a folder for so many hours from Monday on; does not come back.
pub fn day(folder: &Path, hours: usize) -> Result<(), String> {
    let hours = Millis::try_from(hours).map_err(|error| error.to_string())?;
    let args = vec!["run".into(), "--config".into(), folder.join("config.json").into()];
    let args = Args::parse(args)?;
    let config = Config::load(&args.config, false).map_err(|error| error.to_string())?;
    let time = SimulatedClock { now: Cell::new(MONDAY) };
    let clock = LastDay { time, until: MONDAY + hours * HOUR_MS, sleeps: Cell::new(0) };
    let log = Log::new(&clock, 0, false, &rebalancer::log::stderr);
    let context = Context { args: &args, config: &config, machine: Machine::this(&clock), log: &log };
    daemon::run(&context).map_err(|problem| problem.message)
}

/// What the second of two days counts up: sleeps, or one of the kernel's counters of reading and writing.
fn second_day(home: &Home, name: &str) -> Result<u64, String> {
    let program = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let until = |hours| -> Result<u64, String> {
        let mut command = Command::new(&program);
        command.args(["worker", "day"]).arg(home.path()).arg(hours);
        command.env("REBALANCER_API_KEY", "k").env("REBALANCER_API_SECRET", "s");
        let said = tools::text(&tools::run(&mut command)?.stdout);
        field(&said, name).ok_or_else(|| format!("there is no {name} in: {said}"))
    };
    Ok(until("48")?.saturating_sub(until("24")?))
}

/// A folder with a journal whose last cycle ended just before Monday, of one line or as long as it gets.
fn folder(full: bool) -> Result<Home, String> {
    let home = Home::with("day", &account::config(10, "http://127.0.0.1:1", "sunday 00:00"))?;
    let path = home.file("rebalancer.journal");
    if full {
        account::full_journal(&path, MONDAY - 1)?;
    } else {
        let journal = Journal::open(&SystemDisk, &path).and_then(|mut journal| journal.finish(MONDAY - 1));
        journal.map_err(|error| error.to_string())?;
    }
    Ok(home)
}

/// How often the daemon wakes up on an idle day.
pub fn wake_ups() -> Result<u64, String> {
    second_day(&folder(false)?, "sleeps")
}

pub fn measure(table: &mut Table) -> Result<(), String> {
    tools::need("valgrind", "valgrind")?;
    let columns = ["", "wake-ups", "instructions", "ms at 1 GHz", "bytes read", "writes", "bytes written"];
    let mut section = Section::new("an idle day: the daemon's loop on a simulated clock", &columns);
    let (mut wake_ms, mut written) = (Vec::new(), 0);
    for (what, full) in [("journal of one line", false), ("journal of 128 kB", true)] {
        let home = folder(full)?;
        let path = home.path().to_string_lossy().into_owned();
        // By the hour, because valgrind is slow: all hours of an idle day are the same.
        let instructions = 24 * job(&["day", &path, "2"])?.saturating_sub(job(&["day", &path, "1"])?);
        let count = |name| second_day(&home, name);
        let (sleeps, read, writes, bytes) = (count("sleeps")?, count("rchar")?, count("syscw")?, count("wchar")?);
        section.row(what, [sleeps, instructions, pi_ms(instructions), read, writes, bytes].map(number));
        wake_ms.push(pi_ms(instructions) / sleeps.max(1));
        written += writes + bytes;
    }
    section
        .note(&format!("1 GHz: a Pi Zero, at an assumed {PI_CYCLES} of its cycles for each instruction counted here"));
    section.note("each wake-up asks whether the journal has changed, because a cycle may have been run by hand");
    table.add(section);
    let measured = wake_ms.iter().map(|ms| format!("{ms} ms")).collect::<Vec<_>>().join(", ");
    let met = wake_ms.iter().all(|ms| *ms < TICK_MS);
    table.aim(&format!("nothing measurable: a wake-up of a Pi Zero below a tick of {TICK_MS} ms"), measured, met);
    table.aim("an idle day writes nothing", format!("{} bytes", number(written)), written == 0);
    Ok(())
}
