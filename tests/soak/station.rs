//! One daemon with its folder, its exchange, its market and its weather.

use crate::account;
use crate::exchange::{Act, Exchange, Fault};
use crate::market::{Market, Money};
use crate::process::{self, Look};
use crate::program;
use crate::random::Random;
use crate::records::{Diary, Records, witness};
use crate::watched::Watched;
use crate::weather::Weather;
use crate::worlds::Plan;
use rebalancer::clock::{Clock, SystemClock};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// So often in a second every station is looked at.
pub const LOOKS: u32 = 4;
/// So many failures in a row, and the weather clears up: each doubles the daemon's pause.
const ENOUGH_FAILURES: u64 = 3;
/// The log is shortened when it has grown above this.
const LOG_BYTES: usize = 1024 * 1024;
/// A run by hand that takes longer hangs.
const HAND_LIMIT: Duration = Duration::from_secs(400);

/// A daemon's process from its start to its end.
pub struct Life {
    pub looks: Vec<Look>,
}

/// What was done to the program here.
#[derive(Default)]
pub struct Tally {
    pub requests: u64,
    pub daemons_killed: u64,
    pub cycles_killed: u64,
    pub replaced: u64,
    /// Runs by hand, by their exit code; -1: killed.
    pub by_hand: BTreeMap<i32, u64>,
    pub refused_by_hand: u64,
    /// The most memory that a cycle was seen to have had.
    pub cycle_mark: u64,
}

/// An order waits here until the process that sent it is dead.
#[derive(Default)]
struct Gate {
    waiting: AtomicBool,
}

impl Gate {
    fn wait(&self) {
        self.waiting.store(true, Ordering::SeqCst);
        let start = Instant::now();
        while self.waiting.load(Ordering::SeqCst) && start.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

pub struct Station {
    pub number: usize,
    pub plan: Plan,
    pub home: PathBuf,
    pub exchange: Exchange,
    pub journal: Watched,
    pub log: Watched,
    pub records: Records,
    pub diary: Diary,
    pub money: Money,
    pub weather: Weather,
    pub tally: Tally,
    pub lives: Vec<Life>,
    /// What the harness itself found wrong.
    pub wrong: Vec<String>,
    /// The account at the beginning.
    pub began: BTreeMap<String, crate::exchange::Balance>,
    market: Market,
    random: Random,
    gate: Arc<Gate>,
    daemon: Option<Child>,
    /// Seconds until a daemon that was killed is started again.
    down_s: i64,
    hand: Option<(Child, Instant)>,
    /// Cycles whose daemon was killed.
    orphans: Vec<u32>,
    /// Orders and failures so far, and how many good cycles there were at their last change.
    quiet: (usize, u64, u64),
}

fn said(what: &str) -> impl FnOnce(io::Error) -> String + '_ {
    move |error| format!("cannot {what}: {error}")
}

impl Station {
    pub fn new(number: usize, seed: u64, folder: &std::path::Path) -> Result<Station, String> {
        let mut random = Random::new(seed ^ u64::try_from(number).unwrap_or(0).wrapping_mul(0x5851_F42D_4C95_7F2D));
        let plan = Plan::new(number, &mut random);
        let home = folder.join(format!("{number:02}"));
        fs::create_dir_all(&home).map_err(said("make a folder"))?;
        let journal = home.join("rebalancer.journal");
        let mut world = plan.world(&mut random);
        world.witness = Some(witness(journal.clone()));
        let began = world.balances.clone();
        let exchange = Exchange::start(world);
        fs::write(home.join("config.json"), plan.config(&exchange.url())).map_err(said("write a config"))?;
        let log = home.join("rebalancer.log");
        if number % 4 != 3 {
            // As after a long life: both are about to be shortened.
            account::full_journal(&journal, SystemClock::new().now())?;
            let line = "2026-01-01 00:00:00 balanced, no order: 10000 USDT, BTC 50 %, ETH 50 %\n";
            let room = usize::try_from(random.between(5000, 100_000)).unwrap_or(0);
            fs::write(&log, line.repeat((LOG_BYTES - room) / line.len())).map_err(said("write a log"))?;
        }
        if number.is_multiple_of(2) {
            let text = format!("{{\"api_key\": \"{}\", \"api_secret\": \"{}\"}}", plan.key, plan.secret);
            let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(home.join("credentials.json"));
            file.and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes())).map_err(said("write a key"))?;
        }
        let mut station = Station {
            number,
            market: Market::new(&plan),
            weather: Weather::new(&mut random),
            journal: Watched::from_end(journal, true),
            log: Watched::from_end(log, false),
            plan,
            home,
            exchange,
            records: Records::default(),
            diary: Diary::default(),
            money: Money::default(),
            tally: Tally::default(),
            lives: Vec::new(),
            wrong: Vec::new(),
            began,
            random,
            gate: Arc::default(),
            daemon: None,
            down_s: 0,
            hand: None,
            orphans: Vec::new(),
            quiet: (0, 0, 0),
        };
        station.install()?;
        station.start()?;
        Ok(station)
    }

    /// Puts the program's file in place, by the way that the README names.
    fn install(&self) -> Result<(), String> {
        let fresh = self.home.join("rebalancer.new");
        fs::copy(program::program(), &fresh).map_err(said("copy the program"))?;
        fs::rename(&fresh, self.home.join("rebalancer")).map_err(said("rename the program"))
    }

    /// The program in its folder, with its key. A daemon does not outlive this process, however this one ends.
    fn command(&self, args: &[&str]) -> Command {
        let program = self.home.join("rebalancer");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program).args(args).current_dir(&self.home).stdin(Stdio::null());
        command.env_remove("REBALANCER_CREDENTIALS");
        for (name, value) in [("REBALANCER_API_KEY", &self.plan.key), ("REBALANCER_API_SECRET", &self.plan.secret)] {
            match self.number % 2 {
                0 => command.env_remove(name),
                _ => command.env(name, value),
            };
        }
        command
    }

    /// Starts the daemon as `nohup ./rebalancer >> rebalancer.log 2>&1 &` does.
    pub fn start(&mut self) -> Result<(), String> {
        let log = OpenOptions::new().create(true).append(true).open(self.home.join("rebalancer.log"));
        let log = log.map_err(said("open a log"))?;
        let both = log.try_clone().map_err(said("open a log"))?;
        let args: &[&str] = if self.number % 3 == 1 { &["run", "--verbose"] } else { &["run"] };
        let child = self.command(args).stdout(both).stderr(log).spawn().map_err(said("start a daemon"))?;
        self.lives.push(Life { looks: Vec::new() });
        self.daemon = Some(child);
        Ok(())
    }

    /// A quarter of a second passes; every fourth is a second of the market. Without an `elsewhere`, where
    /// redirects lead, all is calm and still.
    pub fn tick(&mut self, count: u32, at_ms: u64, elsewhere: Option<&str>) -> Result<(), String> {
        if let Some(status) = self.daemon.as_mut().and_then(|daemon| daemon.try_wait().ok()?) {
            self.wrong.push(format!("the daemon has ended by itself: {status}"));
            self.daemon = None;
        }
        if self.gate.waiting.load(Ordering::SeqCst) {
            self.kill_cycles();
            self.gate.waiting.store(false, Ordering::SeqCst);
        }
        self.watch_hand();
        // Each has its own quarter, so that the work is spread.
        if usize::try_from(count % LOOKS) != Ok(self.number % LOOKS as usize) {
            return Ok(());
        }
        self.down_s -= 1;
        if self.daemon.is_none() && (self.down_s <= 0 || elsewhere.is_none()) {
            self.start()?;
        }
        self.read();
        self.look(at_ms);
        match elsewhere {
            Some(elsewhere) => {
                self.change(elsewhere);
                self.accidents()?;
            }
            None => self.note_quiet(),
        }
        let requests = std::mem::take(&mut self.exchange.world().requests);
        self.tally.requests += u64::try_from(requests.len()).unwrap_or(0);
        Ok(())
    }

    /// Market, money and weather go on by a second.
    fn change(&mut self, elsewhere: &str) {
        let Station { plan, random, market, money, weather, .. } = self;
        let mut world = self.exchange.world();
        market.step(plan, random);
        market.show(plan, &mut world);
        money.step(plan, &mut world, random);
        let too_long = self.diary.failed_in_a_row >= ENOUGH_FAILURES;
        weather.step(&mut world, random, elsewhere, too_long);
        if weather.is_storm() && random.one_in(15) {
            Market::show_nonsense(plan, &mut world, random);
        }
    }

    /// Kills, runs by hand, updates.
    fn accidents(&mut self) -> Result<(), String> {
        if self.random.one_in(150) {
            let (gate, before) = (Arc::clone(&self.gate), self.random.one_in(3));
            let act = Act::Call { before, f: Arc::new(move || gate.wait()) };
            let skip = self.random.pick(&[0, 0, 1, 3]);
            self.exchange.world().faults.push(Fault::once("private/create-order", act).after(skip));
        }
        if self.random.one_in(300) {
            self.kill_cycles();
        }
        if self.number.is_multiple_of(3) && self.random.one_in(200) {
            self.kill_daemon();
        }
        if self.random.one_in(120) && self.hand.is_none() {
            let args: &[&str] = if self.random.one_in(4) { &["once", "--force"] } else { &["once", "--json"] };
            let output = |name| fs::File::create(self.home.join(name)).map_err(said("write a file"));
            let (out, err) = (output("hand.out")?, output("hand.log")?);
            let child = self.command(args).stdout(out).stderr(err).spawn().map_err(said("start a run by hand"))?;
            self.hand = Some((child, Instant::now()));
        }
        if self.random.one_in(120) {
            self.install()?;
            self.tally.replaced += 1;
        }
        Ok(())
    }

    fn cycles(&self) -> Vec<u32> {
        let of_daemon = self.daemon.as_ref().map(|daemon| process::children(daemon.id())).unwrap_or_default();
        let by_hand = self.hand.as_ref().map(|(child, _)| child.id());
        of_daemon.into_iter().chain(by_hand).chain(self.orphans.iter().copied()).collect()
    }

    fn kill_cycles(&mut self) {
        for id in self.cycles() {
            if process::kill(id, &self.home) {
                self.tally.cycles_killed += 1;
            }
        }
    }

    /// Kills the daemon, with its cycle or without, as a power cut or a careless hand would.
    fn kill_daemon(&mut self) {
        if self.random.one_in(2) {
            self.kill_cycles();
        }
        let Some(mut daemon) = self.daemon.take() else { return };
        self.orphans.retain(|id| process::works_in(*id, &self.home));
        self.orphans.extend(process::children(daemon.id()));
        let _ = daemon.kill();
        let _ = daemon.wait();
        self.tally.daemons_killed += 1;
        self.down_s = self.random.between(0, 5);
    }

    /// Takes note of how a run by hand has ended.
    fn watch_hand(&mut self) {
        let Some((child, start)) = &mut self.hand else { return };
        let code = match child.try_wait() {
            Ok(Some(status)) => status.code().unwrap_or(-1),
            _ if start.elapsed() > HAND_LIMIT => {
                self.wrong.push("a run by hand hangs".to_string());
                let _ = child.kill();
                let _ = child.wait();
                -1
            }
            _ => return,
        };
        self.hand = None;
        let text = |name| fs::read_to_string(self.home.join(name)).unwrap_or_default();
        let (out, err) = (text("hand.out"), text("hand.log"));
        if (out + &err).contains(&self.plan.secret) {
            self.wrong.push("a run by hand has shown the secret".to_string());
        }
        let refused = err.contains("another cycle is running");
        self.tally.refused_by_hand += u64::from(refused);
        if !matches!(code, -1..=3) || (refused && code != 1) {
            self.wrong.push(format!("a run by hand has ended with {code}: {err}"));
        }
        *self.tally.by_hand.entry(code).or_default() += 1;
    }

    /// Reads what the program has written.
    pub fn read(&mut self) {
        let before = self.records.cycles;
        self.journal.lines().iter().for_each(|line| self.records.read(line));
        if self.records.cycles > before {
            self.diary.failed_in_a_row = 0;
        }
        let Plan { key, secret, .. } = &self.plan;
        self.log.lines().iter().for_each(|line| self.diary.read(line, key, secret));
    }

    fn look(&mut self, at_ms: u64) {
        if let (Some(life), Some(daemon)) = (self.lives.last_mut(), &self.daemon) {
            // Until it has become the program it is the one that starts it.
            let begun = process::arguments(daemon.id()).contains("rebalancer\0run");
            life.looks.extend(Look::at(daemon.id(), at_ms).filter(|_| begun));
        }
        for id in self.cycles() {
            if process::works_in(id, &self.home) && process::arguments(id).contains("rebalancer\0once") {
                let mark = Look::at(id, at_ms).map_or(0, |look| look.mark);
                self.tally.cycle_mark = self.tally.cycle_mark.max(mark);
            }
            if process::arguments(id).contains(&self.plan.secret) {
                self.wrong.push("the secret is in the arguments of a process".to_string());
            }
        }
    }

    /// Everything is as it should be at the exchange from now on, and prices are still.
    pub fn calm(&mut self) {
        self.quiet = (usize::MAX, 0, 0);
        let mut world = self.exchange.world();
        self.weather.clear(&mut world);
        self.money.release(&mut world);
        self.market.show(&self.plan, &mut world);
    }

    fn note_quiet(&mut self) {
        let (orders, failed) = (self.exchange.world().orders.len(), self.diary.failed);
        if (orders, failed) != (self.quiet.0, self.quiet.1) {
            self.quiet = (orders, failed, self.records.cycles);
        }
    }

    /// Whether the last three cycles ended well and sent nothing.
    pub fn is_quiet(&self) -> bool {
        self.hand.is_none() && self.quiet.0 != usize::MAX && self.records.cycles >= self.quiet.2 + 3
    }

    /// Runs a command by hand to its end: exit code and standard output.
    pub fn ask(&self, args: &[&str]) -> Result<(Option<i32>, String), String> {
        let output = self.command(args).output().map_err(said("run a command"))?;
        Ok((output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned()))
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        let cycles = self.cycles();
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        for id in cycles {
            process::kill(id, &self.home);
        }
        if let Some((mut child, _)) = self.hand.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
