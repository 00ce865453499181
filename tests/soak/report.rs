//! What is printed: a line a minute, and the table in the end.

use crate::audit::halves;
use crate::exchange::{Dec, Status};
use crate::process::{Look, own_processor_ms};
use crate::program;
use crate::station::{Life, Station};
use crate::table::{Section, Table, number};
use crate::tools;
use std::time::Instant;

/// The whole run.
pub struct Run {
    pub start: Instant,
    pub stations: Vec<Station>,
}

/// Orders of a station: all, filled at least in part, refused by the exchange.
fn orders(station: &Station) -> [u64; 3] {
    let world = station.exchange.world();
    let filled = world.orders.iter().filter(|order| order.cumulative_quantity > Dec::ZERO).count();
    let rejected = world.orders.iter().filter(|order| order.status == Status::Rejected).count();
    [world.orders.len(), filled, rejected].map(|count| u64::try_from(count).unwrap_or(0))
}

/// A column at the start of a life (after its first seconds), in its middle and at its end.
fn course(life: &Life, column: fn(&Look) -> u64) -> String {
    let looks = &life.looks;
    let at = |index: usize| looks.get(index).map_or("-".to_string(), |look| number(column(look)));
    format!("{} {} {}", at(10.min(looks.len() / 2)), at(looks.len() / 2), at(looks.len().saturating_sub(1)))
}

/// The process of a station that lived longest.
fn longest(station: &Station) -> Option<&Life> {
    station.lives.iter().max_by_key(|life| life.looks.len())
}

impl Run {
    fn sum(&self, part: impl Fn(&Station) -> u64) -> u64 {
        self.stations.iter().map(part).sum()
    }

    pub fn progress(&self) -> String {
        let own = |station: &Station| Some(station.lives.last()?.looks.last()?.own);
        let seconds = self.start.elapsed().as_secs().max(1);
        format!(
            "{} s: {} cycles ended well, {} failed; {} orders, {} filled; journals shortened {} times, logs {}; own memory of \
             a daemon {} KiB at most; harness {} s of processor",
            seconds,
            number(self.sum(|station| station.records.cycles)),
            number(self.sum(|station| station.diary.failed)),
            number(self.sum(|station| orders(station)[0])),
            number(self.sum(|station| orders(station)[1])),
            self.sum(|station| station.journal.shortened.into()),
            self.sum(|station| station.log.shortened.into()),
            self.stations.iter().filter_map(own).max().unwrap_or(0),
            own_processor_ms() / 1000,
        )
    }

    /// Whether so little has happened that nothing is shown by it.
    pub fn idle(&self, minutes: u64) -> Vec<String> {
        let mut wrong = Vec::new();
        for station in &self.stations {
            let (cycles, [_, filled, _]) = (station.records.cycles, orders(station));
            // A cycle of many orders takes half a minute or more, and many are killed before they end: then the orders tell.
            let busy = cycles >= (minutes / 3).max(3) || filled >= minutes * 10;
            if !busy || filled == 0 {
                let name = station.number;
                wrong.push(format!(
                    "daemon {name}: too little has happened: {cycles} good cycles, {filled} filled orders"
                ));
            }
        }
        let preloaded = self.stations.iter().any(|station| station.number % 4 != 3);
        if preloaded && self.sum(|station| station.journal.shortened.into()) == 0 {
            wrong.push("no journal grew long enough to be shortened".to_string());
        }
        wrong
    }

    pub fn table(&self, arguments: &str, seed: u64) -> Table {
        let mut table = Table::default();
        let program = program::program().to_string_lossy().into_owned();
        let size = std::fs::metadata(&program).map_or(0, |info| info.len());
        table.head(&format!("command   cargo bench --bench soak -- {arguments} --seed {seed}"));
        table.head(&format!("program   {program}, {} bytes", number(size)));
        table.head(&format!("machine   {}", tools::machine()));
        table.add(self.each());
        table.add(self.memory());
        table.add(self.all());
        table
    }

    fn each(&self) -> Section {
        let columns = [
            "daemons",
            "good cycles",
            "failed",
            "requests",
            "orders",
            "filled",
            "faults",
            "cycles killed",
            "restarts",
            "journal most",
            "last",
            "cut",
            "log most",
            "last",
            "cut",
        ];
        let mut section = Section::new("what each did", &columns);
        for station in &self.stations {
            let [all, filled, _] = orders(station);
            let tally = &station.tally;
            let counts = [
                station.records.cycles,
                station.diary.failed,
                tally.requests,
                all,
                filled,
                u64::try_from(station.weather.played).unwrap_or(0),
                tally.cycles_killed,
                tally.daemons_killed,
                station.journal.most,
                station.journal.last,
                station.journal.shortened.into(),
                station.log.most,
                station.log.last,
                station.log.shortened.into(),
            ];
            section.row(format!("{:02} {}", station.number, station.plan.describe()), counts.map(number));
        }
        section.note("good cycles: records {\"cycle\"} of the journal; failed: the daemon's lines of failed cycles");
        section.note(
            "three in four begin with a journal of 128 kB and a log of nearly 1 MB; one in three logs every request",
        );
        section
    }

    fn memory(&self) -> Section {
        let columns = [
            "the longest life of each daemon",
            "seconds",
            "resident KiB",
            "own KiB",
            "most",
            "files",
            "most",
            "a cycle's most",
        ];
        let mut section = Section::new("memory and open files at start, middle and end", &columns);
        for station in &self.stations {
            let Some(life) = longest(station) else { continue };
            let most = |column: fn(&Look) -> u64| number(life.looks.iter().map(column).max().unwrap_or(0));
            let (first, last) = (life.looks.first(), life.looks.last());
            let seconds = last.zip(first).map_or(0, |(last, first)| (last.at_ms - first.at_ms) / 1000);
            let cells = [
                number(seconds),
                course(life, |look| look.resident),
                course(life, |look| look.own),
                most(|look| look.own),
                course(life, |look| look.files),
                most(|look| look.files),
                number(station.tally.cycle_mark),
            ];
            section.row(format!("{:02}", station.number), cells);
        }
        section.note("resident: VmRSS, with the pages of the program's file; own: RssAnon; a cycle's: VmHWM, looked at every second");
        section
    }

    fn all(&self) -> Section {
        let mut section = Section::new("in all", &["", "number"]);
        let mut row = |what: &str, count: u64| section.row(what, [number(count)]);
        let grown = |life: &Life| halves(life, |look| look.own).map(|(first, second)| second.saturating_sub(first));
        let lives = self.stations.iter().flat_map(|station| &station.lives);
        row("cycles that ended well", self.sum(|station| station.records.cycles));
        row("cycles that failed", self.sum(|station| station.diary.failed));
        row("  of them with an order's outcome unknown", self.sum(|station| station.diary.unknown));
        row("  of them while another cycle ran", self.sum(|station| station.diary.busy));
        row("  of them for another reason", self.sum(|station| station.diary.other));
        row("  cycles killed", self.sum(|station| station.tally.cycles_killed));
        row("daemons killed and started again", self.sum(|station| station.tally.daemons_killed));
        row("program files replaced", self.sum(|station| station.tally.replaced));
        for code in -1..=3 {
            let name = if code < 0 {
                "runs by hand that were killed".into()
            } else {
                format!("runs by hand that ended with {code}")
            };
            row(&name, self.sum(|station| station.tally.by_hand.get(&code).copied().unwrap_or(0)));
        }
        row("  refused because a cycle ran", self.sum(|station| station.tally.refused_by_hand));
        row("requests", self.sum(|station| station.tally.requests));
        row("faults that happened", self.sum(|station| u64::try_from(station.weather.played).unwrap_or(0)));
        row("storms", self.sum(|station| station.weather.storms));
        for (at, what) in ["orders at the exchange", "  filled", "  rejected"].into_iter().enumerate() {
            row(what, self.sum(|station| orders(station)[at]));
        }
        row("orders written down", self.sum(|station| u64::try_from(station.records.intents.len()).unwrap_or(0)));
        row("deposits", self.sum(|station| station.money.deposits));
        row("withdrawals", self.sum(|station| station.money.withdrawals));
        row("locks", self.sum(|station| station.money.locks));
        row("log lines", self.sum(|station| station.diary.lines));
        row("journals shortened", self.sum(|station| station.journal.shortened.into()));
        row("logs shortened", self.sum(|station| station.log.shortened.into()));
        row("most growth of a daemon's own memory, KiB", lives.filter_map(grown).max().unwrap_or(0));
        row("seconds", self.start.elapsed().as_secs());
        row("the harness's processor, seconds", own_processor_ms() / 1000);
        section
    }
}
