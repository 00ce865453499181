//! Instructions, counted by valgrind: of one plan, of reading the exchange's list, and of whole cycles of the static program.
//!
//! One of something is the difference between two runs that do it a different number of times, so start-up is not in it. These runs
//! are this benchmark itself, built like the program for the host. Whole cycles are the program as it is shipped, start-up included.

use crate::account::{self, Drift};
use crate::exchange::{Authority, Exchange};
use crate::program::{Home, Programs};
use crate::table::{Section, Table, number, ratio};
use crate::tools;
use crate::worker;
use std::path::Path;
use std::process::Command;

/// 100 log 100 against 1000 log 1000.
const MOST_GROWTH: u64 = 15;

/// Assumed of the oldest board, a Pi Zero at 1 GHz: so many of its cycles for each instruction counted here. It takes two
/// instructions or more for one of these (32-bit registers, 128-bit amounts), and about two cycles for each of them.
pub const PI_CYCLES: u64 = 4;

/// Milliseconds of a Pi Zero.
pub fn pi_ms(instructions: u64) -> u64 {
    instructions * PI_CYCLES / 1_000_000
}

/// A command under valgrind: `command` with `program` and its arguments to follow.
pub fn callgrind(command: &mut Command) -> Result<u64, String> {
    let output = tools::run(command)?;
    let said = tools::text(&output.stderr);
    let line = said.lines().find_map(|line| line.split_once("Collected : "));
    let counted = line.and_then(|(_, count)| count.trim().parse().ok());
    counted.ok_or_else(|| format!("valgrind counted nothing: {said}"))
}

pub fn valgrind() -> Command {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command
}

/// Instructions of a job of the worker in one run.
pub fn job(args: &[&str]) -> Result<u64, String> {
    let program = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let mut command = valgrind();
    // Signed questions are asked by none of the jobs, but the daemon wants a key.
    command.arg(program).arg("worker").args(args).env("REBALANCER_API_KEY", "k").env("REBALANCER_API_SECRET", "s");
    callgrind(&mut command)
}

/// Instructions of doing it once more.
pub fn once_more(args: &[&str]) -> Result<u64, String> {
    let run = |times| job(&[args, &[times]].concat());
    Ok(run("3")?.saturating_sub(run("2")?))
}

pub fn measure(table: &mut Table, programs: &Programs) -> Result<(), String> {
    tools::need("valgrind", "valgrind")?;
    growth(table)?;
    lists(table)?;
    whole(table, programs)
}

fn growth(table: &mut Table) -> Result<(), String> {
    let columns = ["", "10 coins", "100 coins", "1,000 coins", "10 to 100", "100 to 1,000"];
    let mut section = Section::new("instructions, by the number of coins", &columns);
    let jobs: [(&str, &[&str]); 5] = [
        ("plan: one coin drifted, two pay or take", &["plan", "few"]),
        ("plan: half of the coins drifted", &["plan", "half"]),
        ("plan: the same with method full", &["plan", "full"]),
        ("portfolio: balances, rules and prices put together", &["portfolio"]),
        ("config.json read", &["config"]),
    ];
    let (mut worst, mut worst_beside) = (0, 0);
    for (what, job) in jobs {
        let mut counts = Vec::new();
        for coins in ["10", "100", "1000"] {
            counts.push(once_more(&[job, &[coins]].concat())?);
        }
        let [ten, hundred, thousand] = counts.as_slice() else { continue };
        let growths = [format!("x {}", ratio(*hundred, *ten)), format!("x {}", ratio(*thousand, *hundred))];
        section.row(what, counts.iter().map(|count| number(*count)).chain(growths));
        let worst = if job.contains(&"plan") { &mut worst } else { &mut worst_beside };
        *worst = thousand.div_ceil(*hundred).max(*worst);
    }
    section.note("ten times the coins are 10 times the instructions when it is linear, up to 15 (100 to 1,000) when it is n log n");
    table.add(section);
    for (what, worst) in [("a plan grows", worst), ("portfolio and config.json grow", worst_beside)] {
        let aim = format!("{what} as n or n log n: at most x {MOST_GROWTH}");
        table.aim(&aim, format!("x {worst} or less"), worst <= MOST_GROWTH);
    }
    Ok(())
}

fn lists(table: &mut Table) -> Result<(), String> {
    let exchange = Exchange::start(account::world(100, Drift::Few));
    let home = Home::new("lists")?;
    let url = exchange.url();
    let body = worker::fetch(&url, "public/get-instruments")?;
    home.write("list", &body)?;
    let (file, cache) = (home.file("list"), home.file("cache"));
    let (file, cache) = (file.to_string_lossy(), cache.to_string_lossy());
    let mut section = Section::new("instructions, reading", &["", "instructions", "for each byte"]);
    let bytes = u64::try_from(body.len()).unwrap_or(0);
    let title = format!("the instrument list, {} rows of {} bytes in all", account::INSTRUMENTS, number(bytes));
    for (what, job) in [
        (format!("{title}: as JSON, from memory"), vec!["json", &file]),
        (format!("{title}: request, HTTP and JSON"), vec!["pairs", &url]),
    ] {
        let count = once_more(&job)?;
        section.row(what, [number(count), ratio(count, bytes)]);
    }
    // A folder that is not there: nothing is kept.
    for (what, coins, file) in [
        ("all three lists, 10 coins, cache not written", "10", "/nowhere/cache"),
        ("all three lists, 100 coins, cache not written", "100", "/nowhere/cache"),
        ("cache and prices, 10 coins", "10", &*cache),
        ("cache and prices, 100 coins", "100", &*cache),
    ] {
        if file == cache {
            // Once before, so that there is one.
            home.forget("cache");
            worker::run(&["list", &url, coins, file, "1"])?;
        }
        section.row(what, [number(once_more(&["list", &url, coins, file])?), String::new()]);
    }
    for (what, job) in [("cache written, 100 coins", "save"), ("cache read, 100 coins", "load")] {
        section.row(what, [number(once_more(&["cache", job, &cache, "100"])?), String::new()]);
    }
    section.note("built like the program, for the host: opt-level z with overflow checks, the host's C library");
    table.add(section);
    Ok(())
}

/// Whole quiet cycles of the static program.
fn whole(table: &mut Table, programs: &Programs) -> Result<(), String> {
    let mut section = Section::new(
        "instructions of a whole quiet cycle of the static program, start-up included",
        &["", "instructions", "ms at 1 GHz"],
    );
    for (coins, tls) in [(10, false), (100, false), (10, true), (100, true)] {
        let mut world = account::world(coins, Drift::Few);
        // Nothing to do: what is too much of one coin is what two others lack.
        for number in 0..3 {
            let bid = account::bid(number);
            let quantity = crate::exchange::dec("1000").div_floor(crate::exchange::dec(&bid.to_string()));
            world.hold(&account::coin(number), &quantity.floor_places(8).to_string());
        }
        let authority = Authority::new();
        let (exchange, program) = match tls {
            true => (Exchange::start_tls_with(world, authority.vouch("localhost")), &programs.system_roots),
            false => (Exchange::start(world), &programs.shipped),
        };
        let home = Home::with("whole", &account::config(coins, &exchange.url(), "sunday 00:00"))?;
        home.trust(authority.pem(), false)?;
        for cache in ["no cache", "cache"] {
            let count = cycle(&home, program)?;
            section.row(
                format!("{coins} coins, {}, {cache}", if tls { "TLS" } else { "plain" }),
                [number(count), number(pi_ms(count))],
            );
        }
        if !exchange.world().orders.is_empty() {
            return Err("a cycle that should be quiet has traded".to_string());
        }
    }
    section
        .note(&format!("ms: of a Pi Zero, at an assumed {PI_CYCLES} of its cycles for each instruction counted here"));
    section.note("TLS is under valgrind's processor, which has AES and AVX2 instructions; a Pi Zero has neither");
    table.add(section);
    Ok(())
}

fn cycle(home: &Home, program: &Path) -> Result<u64, String> {
    let mut command = home.command("valgrind")?;
    command.args(valgrind().get_args()).arg(program).arg("once").stderr(std::process::Stdio::piped());
    callgrind(&mut command)
}
