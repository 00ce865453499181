//! The tutorial's own way beside ours: `tutorial.py` with requests and schedule, and the program, on equal accounts.

use crate::account::{self, Drift};
use crate::asleep::nap;
use crate::exchange::{Authority, Dec, Exchange};
use crate::idle;
use crate::memory::counts;
use crate::program::{Home, Programs, Running};
use crate::resident::{Resident, wake_ups, watch};
use crate::table::{Section, Table, number, ratio};
use crate::tools;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// Everything that pip brings for the first two, pinned, so that the sizes can be compared between runs.
const PACKAGES: [&str; 6] = [
    "requests==2.32.5",
    "schedule==1.2.2",
    "certifi==2025.8.3",
    "charset-normalizer==3.4.3",
    "idna==3.10",
    "urllib3==2.5.0",
];
const DEADLINE: Duration = Duration::from_secs(300);

/// One cycle of either.
struct Cycle {
    who: &'static str,
    case: String,
    most: Resident,
    asleep: Resident,
    wakes: Option<u64>,
    orders: usize,
    requests: usize,
    time: Duration,
    turnover: Dec,
    costs: Dec,
}

pub fn measure(table: &mut Table, programs: &Programs) -> Result<(), String> {
    let (python, size) = environment()?;
    let ours = std::fs::metadata(&programs.shipped).map_err(|error| error.to_string())?.len();
    let columns = [
        "",
        "peak KiB",
        "asleep KiB",
        "wake-ups/day",
        "orders",
        "requests",
        "seconds",
        "turnover USDT",
        "fees and spread",
    ];
    let mut section = Section::new("the tutorial's way beside it, on equal accounts", &columns);
    let mut cycles = Vec::new();
    for (coins, tls) in [(10, false), (10, true), (100, false)] {
        cycles.extend(tutorial(&python, coins, tls)?);
        cycles.extend(program(programs, coins, tls)?);
    }
    for cycle in &cycles {
        let asleep = number(cycle.asleep.all);
        let wakes = cycle.wakes.map_or("-".to_string(), number);
        let figures = [
            cycle.orders.to_string(),
            cycle.requests.to_string(),
            format!("{}.{}", cycle.time.as_secs(), cycle.time.subsec_millis() / 100),
        ];
        let money = [cycle.turnover.floor_places(2).fixed(2), cycle.costs.floor_places(2).fixed(2)];
        let memory = [number(cycle.most.mark), asleep, wakes];
        section.row(format!("{}, {}", cycle.who, cycle.case), memory.into_iter().chain(figures).chain(money));
    }
    section.note("seconds: the tutorial has no pace of its own; the program sends at most three requests a second, waits for each order's");
    section
        .note("end and for balances to show it. On a real line each request takes some tenths of a second in addition");
    section.note("turnover, fees and spread: by the exchange's books, at its 0.5 % taker fee");
    let megabytes = |bytes: u64| ratio(bytes, 1024 * 1024);
    section.note(&format!(
        "on disk: {} MiB of virtual environment (Python itself and its library not counted); the program is {} MiB",
        megabytes(size),
        megabytes(ours)
    ));
    section.note(&format!("{}, {}", version(&python), PACKAGES.join(", ")));
    table.add(section);
    Ok(())
}

/// A Python environment with the packages, made once; and its size on disk.
fn environment() -> Result<(PathBuf, u64), String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tutorial-venv");
    let (python, complete) = (folder.join("bin/python"), folder.join(PACKAGES.join("-")));
    if !complete.exists() {
        tools::need("python3", "python3-venv")?;
        tools::progress(&format!("installing {} into {}", PACKAGES.join(", "), folder.display()));
        tools::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        tools::run(Command::new(&python).args(["-m", "pip", "install", "-q", "--no-deps"]).args(PACKAGES))?;
        std::fs::write(&complete, "").map_err(|error| error.to_string())?;
    }
    let size = size_of(&folder).map_err(|error| format!("cannot measure {}: {error}", folder.display()))?;
    Ok((python, size))
}

fn version(python: &Path) -> String {
    let said = tools::run(Command::new(python).arg("--version")).map(|output| tools::text(&output.stdout));
    said.unwrap_or_default().trim().to_string()
}

/// Bytes of the blocks that a folder's files occupy.
fn size_of(folder: &Path) -> std::io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut size = 0;
    for entry in std::fs::read_dir(folder)? {
        let (entry, path) = entry.map(|entry| (entry.file_type(), entry.path()))?;
        size += match entry? {
            kind if kind.is_dir() => size_of(&path)?,
            _ => std::fs::symlink_metadata(&path)?.blocks() * 512,
        };
    }
    Ok(size)
}

/// An exchange of one case, and a folder for its client.
fn stage(who: &str, coins: usize, tls: bool) -> Result<(Exchange, Home), String> {
    let authority = Authority::new();
    let world = account::world(coins, Drift::Few);
    let exchange = match tls {
        true => Exchange::start_tls_with(world, authority.vouch("localhost")),
        false => Exchange::start(world),
    };
    let config = account::config(coins, &exchange.url(), "sunday 00:00");
    let home = Home::with(&format!("{who}-{coins}-{}", if tls { "tls" } else { "plain" }), &config)?;
    home.trust(authority.pem(), false)?;
    Ok((exchange, home))
}

/// What the exchange's books say, later less a value before.
fn books(exchange: &Exchange) -> (Dec, Dec) {
    let world = exchange.world();
    (world.orders.iter().map(|order| order.cumulative_value).sum(), world.fee_cost + world.spread_cost)
}

/// A cycle that trades and a quiet one, by `run`, which gives memory, memory asleep and wake-ups a day.
fn two(
    who: &'static str,
    coins: usize,
    tls: bool,
    run: impl Fn(&Exchange, &Home) -> Result<(Resident, Resident, Option<u64>, Duration), String>,
) -> Result<Vec<Cycle>, String> {
    let (exchange, home) = stage(who, coins, tls)?;
    let mut cycles = Vec::new();
    for what in ["trades", "quiet"] {
        let ([orders, requests, _], (turnover, costs)) = (counts(&exchange), books(&exchange));
        let (most, asleep, wakes, time) = run(&exchange, &home)?;
        let ([orders_now, requests_now, _], (turnover_now, costs_now)) = (counts(&exchange), books(&exchange));
        cycles.push(Cycle {
            who,
            case: format!("{coins} coins, {}, {what}", if tls { "TLS" } else { "plain" }),
            most,
            asleep,
            wakes,
            orders: orders_now - orders,
            requests: requests_now - requests,
            time,
            turnover: turnover_now - turnover,
            costs: costs_now - costs,
        });
    }
    Ok(cycles)
}

fn program(programs: &Programs, coins: usize, tls: bool) -> Result<Vec<Cycle>, String> {
    let program = if tls { &programs.system_roots } else { &programs.shipped };
    let day = idle::wake_ups()?;
    two("rebalancer", coins, tls, |_, home| {
        let start = Instant::now();
        match watch(&mut home.start(program, &["once"])?)? {
            (most, 0) => {
                let time = start.elapsed();
                Ok((most, nap(home, program)?.0, Some(day), time))
            }
            (_, code) => Err(format!("the program ended with {code}: {}", home.read("log"))),
        }
    })
}

fn tutorial(python: &Path, coins: usize, tls: bool) -> Result<Vec<Cycle>, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/tutorial.py");
    let percent = (100 / coins).to_string();
    two("tutorial", coins, tls, |exchange, home| {
        let out = std::fs::File::create(home.file("out")).map_err(|error| error.to_string())?;
        let mut command = home.command(python)?;
        command.arg(&script).args([exchange.url(), percent.clone()]).args((0..coins).map(account::coin)).stdout(out);
        command.env("REQUESTS_CA_BUNDLE", home.file("trusted.pem")).env_remove("LD_LIBRARY_PATH");
        let start = Instant::now();
        let mut running = Running::spawn(&mut command)?;
        while !home.read("out").contains("done") {
            if let Some(code) = running.ended()? {
                return Err(format!("tutorial.py ended with {code}: {}", home.read("log")));
            }
            if start.elapsed() > DEADLINE {
                return Err("tutorial.py hangs".to_string());
            }
            thread::sleep(Duration::from_millis(1));
        }
        let time = start.elapsed();
        thread::sleep(Duration::from_secs(2));
        let wakes = wake_ups(running.id());
        let asleep = Resident::of(running.id()).ok_or("tutorial.py has ended")?;
        Ok((asleep, asleep, wakes, time))
    })
}
