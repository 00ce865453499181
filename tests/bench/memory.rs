//! Memory and requests of whole cycles of the real program.

use crate::account::{self, Drift};
use crate::asleep;
use crate::exchange::{Authority, Exchange, World};
use crate::program::{Home, Programs};
use crate::resident::{Resident, watch};
use crate::table::{Section, Table, number};
use std::fs;
use std::path::PathBuf;
use std::thread;

const MOST_PEAK_KIB: u64 = 2048;

/// How the program talks to the exchange.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    Plain,
    /// The store holds the loopback exchange's authority alone.
    Tls,
    /// And all of the system's.
    TlsSystem,
    /// The shipped program with its built-in authorities, which do not vouch for the loopback exchange: up to there.
    TlsRefused,
}

impl Wire {
    pub fn name(self) -> &'static str {
        match self {
            Wire::Plain => "plain",
            Wire::Tls => "TLS",
            Wire::TlsSystem => "TLS and the system's store",
            Wire::TlsRefused => "TLS, built-in roots, up to their refusal",
        }
    }

    pub fn program(self, programs: &Programs) -> &PathBuf {
        match self {
            Wire::Plain | Wire::TlsRefused => &programs.shipped,
            Wire::Tls | Wire::TlsSystem => &programs.system_roots,
        }
    }

    /// An exchange, and what the client is to trust.
    pub fn serve(self, world: World) -> (Exchange, String) {
        if self == Wire::Plain {
            return (Exchange::start(world), String::new());
        }
        let authority = Authority::new();
        let exchange = Exchange::start_tls_with(world, authority.vouch("localhost"));
        let system = fs::read_to_string("/etc/ssl/certs/ca-certificates.crt").unwrap_or_default();
        let trusted = if self == Wire::TlsSystem { system } else { String::new() };
        (exchange, trusted + authority.pem())
    }
}

/// A line of the table of cycles.
struct Line {
    what: String,
    orders: usize,
    requests: usize,
    asides: usize,
    most: Resident,
}

pub fn measure(table: &mut Table, programs: &Programs) -> Result<(), String> {
    let cases = [
        (10, Wire::Plain, Drift::Few),
        (100, Wire::Plain, Drift::Few),
        (100, Wire::Plain, Drift::All),
        (10, Wire::Tls, Drift::Few),
        (100, Wire::Tls, Drift::Few),
        (10, Wire::TlsSystem, Drift::Few),
        (10, Wire::TlsRefused, Drift::Few),
    ];
    // Side by side: the program waits most of the time, and memory does not depend on it.
    let (lines, idle) = thread::scope(|scope| {
        let run = |(coins, wire, drift)| scope.spawn(move || cycles(programs, coins, wire, drift));
        let running: Vec<_> = cases.into_iter().map(run).collect();
        let idle = scope.spawn(|| asleep::measure(programs));
        let ended = |handle: thread::ScopedJoinHandle<'_, Result<Vec<Line>, String>>| {
            handle.join().unwrap_or_else(|_| Err("a measurement broke off".to_string()))
        };
        let lines: Result<Vec<Vec<Line>>, String> = running.into_iter().map(ended).collect();
        (lines, idle.join().unwrap_or_else(|_| Err("a measurement broke off".to_string())))
    });
    let lines: Vec<Line> = lines?.into_iter().flatten().collect();
    let columns = ["cycle (once)", "orders", "requests", "without orders", "peak KiB", "private", "of the file"];
    let title = format!("peak resident memory and requests of a cycle, {} instruments", account::INSTRUMENTS);
    let mut section = Section::new(&title, &columns);
    for line in &lines {
        let counts = [line.orders, line.requests, line.asides].map(|count| count.to_string());
        let [_, private, file] = line.most.columns();
        section.row(&line.what, counts.into_iter().chain([number(line.most.mark), private, file]));
    }
    section.note(
        "few: one coin at twice its target and two short of it; all: half of the coins above their bands, half below",
    );
    section
        .note("private: the program's own pages; of the file: clean pages of the program, which the kernel may drop");
    section.note("without orders: requests other than sending an order and asking for it");
    table.add(section);
    let peak = lines.iter().map(|line| line.most.mark).max().unwrap_or(0);
    table.aim("peak of a cycle at most 2,048 KiB", format!("{} KiB", number(peak)), peak <= MOST_PEAK_KIB);
    let quiet = |coins: &str| {
        let same = lines.iter().filter(|line| line.what.starts_with(coins) && line.what.contains("quiet, cache"));
        same.map(|line| line.requests).max().unwrap_or(0)
    };
    let (ten, hundred) = (quiet("10 "), quiet("100 "));
    let counted = format!("{ten} with 10, {hundred} with 100");
    table.aim("requests of a quiet cycle do not grow with the coins", counted, ten == hundred);
    asleep::show(table, &idle?);
    Ok(())
}

/// Three cycles of one account: one that trades, and two that have nothing to do, with and without the cache.
fn cycles(programs: &Programs, coins: usize, wire: Wire, drift: Drift) -> Result<Vec<Line>, String> {
    let (exchange, trusted) = wire.serve(account::world(coins, drift));
    let few = if drift == Drift::Few { "few" } else { "all" };
    let name = format!("{coins}-{}-{few}", wire.name().replace([' ', ',', '\''], ""));
    let home = Home::with(&name, &account::config(coins, &exchange.url(), "sunday 00:00"))?;
    home.trust(&trusted, wire == Wire::TlsSystem)?;
    let case = format!("{coins} coins, {}", wire.name());
    let mut lines = Vec::new();
    let mut cycle = |what: String, good: i32| -> Result<(), String> {
        let before = counts(&exchange);
        let (most, code) = watch(&mut home.start(wire.program(programs), &["once"])?)?;
        if code != good {
            return Err(format!("{what} ended with {code}: {}", home.read("log")));
        }
        let [orders, requests, asked] = std::array::from_fn(|at| {
            let after: [usize; 3] = counts(&exchange);
            after.get(at).copied().unwrap_or(0) - before.get(at).copied().unwrap_or(0)
        });
        lines.push(Line { what, orders, requests, asides: requests - orders - asked, most });
        Ok(())
    };
    if wire == Wire::TlsRefused {
        cycle(case, 1)?;
        return Ok(lines);
    }
    cycle(format!("{case}: trades ({few}), no cache"), 0)?;
    cycle(format!("{case}: quiet, cache"), 0)?;
    if drift == Drift::Few {
        home.forget("markets.cache");
        cycle(format!("{case}: quiet, no cache"), 0)?;
    }
    match exchange.world().violations.first() {
        Some(violation) => Err(format!("{case}: the exchange complains: {violation}")),
        None => Ok(lines),
    }
}

/// Orders, all requests, and requests that ask for an order, so far.
pub fn counts(exchange: &Exchange) -> [usize; 3] {
    let world = exchange.world();
    [world.orders.len(), world.requests.len(), world.count("private/get-order-detail")]
}
