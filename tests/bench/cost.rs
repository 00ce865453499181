//! What the program costs in memory and processor, measured, as a table:
//!
//! ```text
//! cargo bench --bench cost                    everything; about five minutes after the first build
//! cargo bench --bench cost -- PART...         memory, instructions, idle, card, tutorial
//! ```
//!
//! What is measured is the static program that is shipped (for this PC), against the loopback exchange with a list of 930
//! instruments. Memory is what the kernel says of the process; processor is counted in instructions, by valgrind, because seconds
//! depend on the machine. Nothing here passes or fails: the table says whether the aims are met, and the exit code is 0 when it
//! could be measured.
//!
//! It needs Linux, valgrind, strace, python3 with venv, and what `cross/build.sh` needs. The first run builds two static programs
//! and makes a Python environment under `target/`.

mod account;
mod asleep;
mod card;
mod idle;
mod instructions;
mod memory;
mod program;
mod resident;
mod table;
mod tools;
mod tutorial;
mod worker;

#[path = "../exchange/mod.rs"]
mod exchange;

use program::Programs;
use rebalancer::clock::{Clock, SystemClock, stamp};
use std::process::ExitCode;
use table::Table;

const PARTS: [&str; 5] = ["memory", "instructions", "idle", "card", "tutorial"];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    if let ["worker", job @ ..] = args.as_slice() {
        return ended(worker::run(job));
    }
    // Cargo says --bench when it measures, and not when `cargo test --all-targets` tries whether benchmarks start.
    if !args.contains(&"--bench") {
        println!("this measures for minutes; say: cargo bench --bench cost");
        return ExitCode::SUCCESS;
    }
    let asked: Vec<&str> = args.into_iter().filter(|arg| *arg != "--bench").collect();
    if let Some(unknown) = asked.iter().find(|part| !PARTS.contains(part)) {
        return ended(Err(format!("there is no part '{unknown}'; there are {}", PARTS.join(", "))));
    }
    let wanted = |part: &&str| asked.is_empty() || asked.contains(part);
    let mut table = Table::default();
    let outcome = measure(&mut table, PARTS.into_iter().filter(wanted));
    println!("{table}");
    ended(outcome)
}

fn measure(table: &mut Table, parts: impl Iterator<Item = &'static str>) -> Result<(), String> {
    let programs = Programs::build()?;
    let line = |table: &mut Table, name: &str, what: String| table.head(&format!("{name:9} {what}"));
    line(table, "command", format!("cargo bench --bench cost {}", tools::arguments()).trim().to_string());
    line(table, "program", format!("rebalancer {}, {}", env!("CARGO_PKG_VERSION"), programs.describe()?));
    line(table, "compiler", programs.compiler.clone());
    line(table, "machine", tools::machine());
    line(table, "date", format!("{} UTC", stamp(SystemClock::new().now(), 0)));
    for part in parts {
        tools::progress(&format!("{part} ..."));
        match part {
            "memory" => memory::measure(table, &programs)?,
            "instructions" => instructions::measure(table, &programs)?,
            "idle" => idle::measure(table)?,
            "card" => card::measure(table, &programs)?,
            _ => tutorial::measure(table, &programs)?,
        }
    }
    Ok(())
}

fn ended(outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("cost: could not measure: {why}");
            ExitCode::FAILURE
        }
    }
}
