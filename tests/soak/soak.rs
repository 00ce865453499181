//! The real daemon for a long time: many of them, each with a market that moves and an exchange that goes wrong, then an audit.
//!
//! ```text
//! cargo bench --bench soak -- --minutes 30 --daemons 30 [--seed N]
//! ```
//!
//! A cycle keeps the pace of three requests a second, so one daemon makes a cycle in two to ten seconds: thirty of them side by side make
//! more than 10,000 in half an hour. The processor is hardly needed for it.
//!
//! Each daemon (`run`, schedule `every 1s`) has its own folder, config, key and loopback exchange. Prices move every second; there are
//! deposits, in half of the worlds also withdrawals and locks; storms of faults come and go; cycles and daemons are killed, one runs
//! `once` by hand beside them, and the program's file is replaced. Then everything is calm, every daemon has to come to rest, and
//! the books are checked: see `audit.rs`. Prints a table, and ends with 1 and a sentence for each thing that is wrong; then the folders
//! stay for a look. The program is the one that cargo has built, or the one named by REBALANCER_PROGRAM.
//!
//! Worlds, markets, weather and accidents come from the seed; what meets what depends on the machine's pace.
//!
//! What the exchange calls a violation is one here, with this exception: where others withdraw and lock, an order may ask for
//! what has just been taken. There such an order has to be explained by somebody taking of the coin shortly before.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[allow(dead_code)]
#[path = "../bench/account.rs"]
mod account;
mod audit;
#[path = "../exchange/mod.rs"]
mod exchange;
mod market;
mod process;
#[path = "../program/mod.rs"]
mod program;
mod random;
mod records;
mod report;
mod station;
#[allow(dead_code)]
#[path = "../bench/table.rs"]
mod table;
#[allow(dead_code)]
#[path = "../bench/tools.rs"]
mod tools;
mod watched;
mod weather;
mod worlds;

use rebalancer::clock::{Clock, SystemClock};
use report::Run;
use station::{LOOKS, Station};
use std::net::TcpListener;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long daemons may take to come to rest. A pause after failures is 40 seconds long, or 80; an order that was lost takes as long.
const REST: Duration = Duration::from_secs(480);

/// What was asked for.
struct Wanted {
    minutes: u64,
    daemons: usize,
    seed: u64,
}

impl Wanted {
    fn read(args: &[String]) -> Result<Wanted, String> {
        let now = SystemClock::new().now();
        let mut wanted = Wanted { minutes: 30, daemons: 30, seed: u64::try_from(now).unwrap_or(0) };
        for pair in args.chunks(2) {
            let [name, value] = pair else { return Err(format!("{} needs a number", pair[0])) };
            let number: u64 = value.parse().map_err(|_| format!("{name} needs a number, not {value}"))?;
            match name.as_str() {
                "--minutes" if number > 0 => wanted.minutes = number,
                "--daemons" if (1..=100).contains(&number) => wanted.daemons = usize::try_from(number).unwrap_or(1),
                "--seed" => wanted.seed = number,
                _ => return Err(format!("{name} {value} is not understood; there are --minutes, --daemons, --seed")),
            }
        }
        Ok(wanted)
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // Cargo says --bench when it measures, and not when `cargo test --all-targets` tries whether benchmarks start.
    if !args.iter().any(|arg| arg == "--bench") {
        println!("this runs for half an hour; say: cargo bench --bench soak");
        return ExitCode::SUCCESS;
    }
    let args: Vec<String> = args.into_iter().filter(|arg| arg != "--bench").collect();
    match Wanted::read(&args).and_then(|wanted| soak(&wanted)) {
        Ok(wrong) if wrong.is_empty() => ExitCode::SUCCESS,
        Ok(wrong) => {
            wrong.iter().for_each(|what| eprintln!("soak: WRONG: {what}"));
            ExitCode::FAILURE
        }
        Err(why) => {
            eprintln!("soak: could not run: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Runs everything; returns what is wrong.
fn soak(wanted: &Wanted) -> Result<Vec<String>, String> {
    tools::need("setpriv", "util-linux")?;
    let panics = Arc::new(AtomicU64::new(0));
    let (count, usual) = (Arc::clone(&panics), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |info| {
        count.fetch_add(1, Ordering::SeqCst);
        usual(info);
    }));
    // Where redirects lead: nobody may ever come.
    let elsewhere = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
    let elsewhere = elsewhere.map_err(|error| format!("cannot listen: {error}"))?;
    let address = elsewhere.local_addr().map_err(|error| error.to_string())?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("soak-{}", std::process::id()));
    eprintln!("soak: seed {}, {} daemons, {} minutes", wanted.seed, wanted.daemons, wanted.minutes);
    let mut run = Run { start: Instant::now(), stations: Vec::new() };
    for number in 0..wanted.daemons {
        run.stations.push(Station::new(number, wanted.seed, &folder)?);
    }
    let storms = Duration::from_secs(wanted.minutes * 60);
    run.go_on(&format!("http://{address}/"), storms)?;
    let mut wrong = run.come_to_rest()?;
    run.stations.iter().for_each(|station| wrong.extend(audit::station(station)));
    if elsewhere.accept().is_ok() {
        wrong.push("a request followed a redirect".to_string());
    }
    if panics.load(Ordering::SeqCst) > 0 {
        wrong.push("the loopback exchange has panicked; see above".to_string());
    }
    wrong.extend(run.idle(wanted.minutes));
    println!("{}", run.table(&format!("--minutes {} --daemons {}", wanted.minutes, wanted.daemons), wanted.seed));
    drop(run);
    match wrong.is_empty() {
        true => drop(std::fs::remove_dir_all(&folder)),
        false => eprintln!("soak: the folders stay in {}", folder.display()),
    }
    Ok(wrong)
}

impl Run {
    fn at_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// One look at every station, then the rest of a quarter of a second.
    fn tick(&mut self, count: u32, elsewhere: Option<&str>) -> Result<(), String> {
        let (next, at_ms) = (Instant::now() + Duration::from_secs(1) / LOOKS, self.at_ms());
        for station in &mut self.stations {
            station.tick(count, at_ms, elsewhere)?;
        }
        thread::sleep(next.saturating_duration_since(Instant::now()));
        Ok(())
    }

    fn go_on(&mut self, elsewhere: &str, duration: Duration) -> Result<(), String> {
        let (mut count, mut told) = (0, 0);
        while self.start.elapsed() < duration {
            self.tick(count, Some(elsewhere))?;
            count += 1;
            let minute = self.at_ms() / 60_000;
            if minute > told {
                told = minute;
                eprintln!("soak: {}", self.progress());
            }
        }
        Ok(())
    }

    /// The sun shines until every daemon is at rest; says which do not come to it.
    fn come_to_rest(&mut self) -> Result<Vec<String>, String> {
        eprintln!("soak: calm from now on");
        self.stations.iter_mut().for_each(Station::calm);
        let (start, mut count) = (Instant::now(), 0);
        while start.elapsed() < REST && !self.stations.iter().all(Station::is_quiet) {
            self.tick(count, None)?;
            count += 1;
        }
        eprintln!("soak: {}; at rest after {} s", self.progress(), start.elapsed().as_secs());
        let restless = self.stations.iter().filter(|station| !station.is_quiet());
        let restless: Vec<_> =
            restless.map(|station| format!("daemon {}: it does not come to rest", station.number)).collect();
        self.stations.iter_mut().for_each(Station::read);
        Ok(restless)
    }
}
