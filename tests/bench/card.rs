//! What a cycle writes to the card: the kernel's calls of the real program, seen by strace.

use crate::account::{self, Drift};
use crate::exchange::Exchange;
use crate::memory::counts;
use crate::program::{Home, Programs};
use crate::table::{Section, Table, number};
use crate::tools;

/// What was written below one folder.
#[derive(Default)]
struct Written {
    writes: u64,
    bytes: u64,
    syncs: u64,
    renames: u64,
}

pub fn measure(table: &mut Table, programs: &Programs) -> Result<(), String> {
    tools::need("strace", "strace")?;
    let columns = ["cycle (once), 10 coins", "orders", "writes", "bytes", "syncs", "files replaced"];
    let mut section = Section::new("what a cycle writes to the card", &columns);
    let exchange = Exchange::start(account::world(10, Drift::All));
    let home = Home::with("card", &account::config(10, &exchange.url(), "sunday 00:00"))?;
    let cases = [
        ("the very first, with orders", ""),
        ("quiet, cache", ""),
        ("quiet, cache a day old", "markets.cache"),
        ("with orders, cache", "drift"),
    ];
    let mut quiet = 0;
    for (what, change) in cases {
        match change {
            "drift" => drift(&exchange),
            file => home.forget(file),
        }
        let [before, ..] = counts(&exchange);
        let written = traced(&home, programs)?;
        let [after, ..] = counts(&exchange);
        let Written { writes, bytes, syncs, renames } = written;
        let orders = u64::try_from(after - before).unwrap_or(0);
        section.row(what, [orders, writes, bytes, syncs, renames].map(number));
        if what == "quiet, cache" {
            quiet = bytes;
        }
    }
    section.note("an order is two lines of the journal, each synced: before it is sent, and when it has ended");
    section.note(
        "a sync writes at least a block of data, 4 kB, and as a rule two to four blocks of the file system's own",
    );
    table.add(section);
    table.aim("a quiet cycle writes one line", format!("{quiet} bytes"), quiet < 100);
    Ok(())
}

/// Brings the account out of balance again.
fn drift(exchange: &Exchange) {
    let fresh = account::world(10, Drift::All).balances;
    exchange.world().balances = fresh;
}

fn traced(home: &Home, programs: &Programs) -> Result<Written, String> {
    let trace = "?write,?writev,?pwrite64,?pwritev,?fsync,?fdatasync,?rename,?renameat,?renameat2";
    let mut command = home.command("strace")?;
    command
        .args(["-f", "-y", "-s", "0", "-e", &format!("trace={trace}"), "-o", "strace"])
        .arg(&programs.shipped)
        .arg("once");
    tools::run(&mut command).map_err(|error| format!("{error}: {}", home.read("log")))?;
    let mut written = Written::default();
    let folder = home.path().to_string_lossy().into_owned();
    for line in home.read("strace").lines() {
        // `4321 write(5</folder/rebalancer.journal>, ""..., 312) = 312`
        let call = line.split_once(' ').map_or(line, |(_, call)| call.trim_start());
        let (name, result) = (call.split('(').next().unwrap_or(""), call.rsplit_once("= ").map(|(_, result)| result));
        if !call.contains(&folder) && !name.starts_with("rename") || call.contains("/log>") {
            continue;
        }
        match name {
            "fsync" | "fdatasync" => written.syncs += 1,
            name if name.starts_with("rename") => written.renames += 1,
            _ => {
                written.writes += 1;
                let bytes = result.and_then(|result| result.split_whitespace().next()?.parse::<u64>().ok());
                written.bytes += bytes.ok_or_else(|| format!("a line of strace cannot be read: {line}"))?;
            }
        }
    }
    Ok(written)
}
