//! One life of the program from one seed: the daemon's loop around real cycles, power cuts, and an end in fair weather.

use super::around::{Around, DAY_MS, HOUR_MS, MINUTE_MS, Stop};
use super::balanced::unbalanced;
use super::chance::Chance;
use super::exchange::{Dec, FeeIn, Side, Status, dec};
use super::list_auditor::ListAuditor;
use super::remembered;
use super::setup::{HOME, Setup};
use rebalancer::amount::Percent;
use rebalancer::cli::{Args, Command};
use rebalancer::clock::Clock;
use rebalancer::command::{self, Context};
use rebalancer::config::{Config, Method};
use rebalancer::exchange::crypto_com::CryptoCom;
use rebalancer::exchange::signer::Credentials;
use rebalancer::execute::{Report, check_clock};
use rebalancer::journal::{self, State};
use rebalancer::log::Log;
use rebalancer::machine::Machine;
use rebalancer::rhythm::{Next, Rhythm};
use rebalancer::universe::look::Look;
use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;

/// In fair weather it is balanced and quiet after so many cycles at the most.
const CALM_CYCLES: u32 = 8;

/// What a life was.
pub struct Life {
    pub seed: u64,
    pub weeks: i64,
    pub digest: u64,
    pub counts: BTreeMap<&'static str, u64>,
    /// Why it was not a good one.
    pub failure: Option<String>,
}

fn journal_path() -> PathBuf {
    PathBuf::from(HOME).join("rebalancer.journal")
}

/// How a cycle ended.
struct Ended {
    /// The exit code; none when it was killed.
    code: Option<u8>,
    /// Orders that reached the exchange.
    orders: usize,
}

struct Owner<'a> {
    around: &'a Around,
    config: &'a Config,
    lines: RefCell<Vec<String>>,
}

/// Lives one life; with `tracing` everything that happens is printed.
pub fn live(seed: u64, tracing: bool) -> Life {
    let chance = Chance::new(seed);
    let setup = Setup::new(&chance);
    let (config, weeks) = (setup.config.clone(), setup.weeks);
    let text = setup.config_text.clone();
    let around = Around::new(chance, setup, tracing);
    around.trace(&text);
    let owner = Owner { around: &around, config: &config, lines: RefCell::default() };
    let lived = catch_unwind(AssertUnwindSafe(|| owner.live(around.time() + weeks * 7 * DAY_MS)));
    let failure = match lived {
        Ok(outcome) => outcome.err(),
        Err(panic) => Some(format!("it panicked: {}", said(&*panic))),
    };
    let digest = around.digest.get();
    let counts = around.counts.take();
    Life { seed, weeks, digest, counts, failure }
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_string())).unwrap_or_default()
}

impl Owner<'_> {
    /// Weeks of any weather, then calm until it is quiet.
    fn live(&self, end: i64) -> Result<(), String> {
        let around = self.around;
        while around.time() < end {
            self.boot(&|| around.time() >= end)?;
        }
        around.clear();
        // What is known of the markets is at most a day old.
        around.advance(25 * HOUR_MS);
        let calm_ms = around.time();
        if let Some(source) = &around.source {
            // Whoever is outside the top is seen there, and has left after a while; then once more, if the owner was asked.
            for _ in 0..3 {
                self.cycle(false)?;
                around.advance(source.follow.patience_ms());
            }
        }
        let (mut cycles, mut quiet) = (0, 0);
        while quiet < 2 {
            cycles += 1;
            if cycles > CALM_CYCLES {
                return Err(format!("not quiet after {CALM_CYCLES} cycles in fair weather"));
            }
            // As the daemon would, at the latest: everything that was under way has ended by then.
            around.advance(HOUR_MS);
            let ended = self.cycle(false)?;
            quiet = if ended.code == Some(0) && ended.orders == 0 { quiet + 1 } else { 0 };
        }
        let world = around.world.borrow();
        let mut auditor = around.auditor.borrow_mut();
        auditor.close(around, &world, calm_ms);
        if let Some(violation) = auditor.violations.first() {
            return Err(violation.clone());
        }
        let (allocation, departed) = match &auditor.list {
            Some(list) => list.allocation(around.files.borrow().seen(&remembered::path())),
            None => {
                let percent = |(coin, percent): &(String, Percent)| (coin.clone(), dec(&percent.to_string()));
                (self.config.allocation.iter().map(percent).collect(), Vec::new())
            }
        };
        match unbalanced(&world, self.config, &allocation, &departed) {
            None => Ok(()),
            Some(why) => Err(format!("quiet, but not balanced: {why}")),
        }
    }

    /// From power-up to the next power cut, or until it is over.
    fn boot(&self, over: &dyn Fn() -> bool) -> Result<(), String> {
        match catch_unwind(AssertUnwindSafe(|| self.daemon(over))) {
            Ok(outcome) => outcome,
            Err(panic) if panic.downcast_ref() == Some(&Stop::Power) => {
                self.around.cycle_ms.set(None);
                self.accepting(false);
                self.around.power_back();
                self.audit()
            }
            Err(panic) => resume_unwind(panic),
        }
    }

    /// The daemon's loop, as in the program; a cycle is a process of its own there.
    fn daemon(&self, over: &dyn Fn() -> bool) -> Result<(), String> {
        let around = self.around;
        let Ok(mut state) = self.peek() else {
            // It does not start: the owner's crontab or service starts it again.
            around.sleep(5 * MINUTE_MS);
            return Ok(());
        };
        let mut rhythm = Rhythm::new(around.elapsed());
        let mut length = around.files.borrow().seen(&journal_path()).len();
        while !over() {
            match rhythm.next(&self.config.schedule, around.now(), around.elapsed(), &state) {
                Next::Run => match self.cycle(false)?.code {
                    Some(0) => rhythm.good(around.now(), around.elapsed()),
                    _ => drop(rhythm.failed(around.elapsed())),
                },
                Next::Sleep { ms, .. } => {
                    around.sleep(ms);
                    if around.chance.ppm(200) {
                        around.count("cycles by hand");
                        self.cycle(around.chance.percent(50))?;
                    } else {
                        continue;
                    }
                }
            }
            // As in the daemon: a journal that has not changed is not read again.
            let seen = around.files.borrow().seen(&journal_path()).len();
            if seen != length {
                length = seen;
                if let Ok(read) = self.peek() {
                    state = read;
                }
            }
        }
        Ok(())
    }

    fn peek(&self) -> Result<State, String> {
        journal::peek(self.around, &journal_path()).map_err(|error| error.to_string())
    }

    /// One cycle as a process: `once`.
    fn cycle(&self, force: bool) -> Result<Ended, String> {
        let around = self.around;
        around.count("cycles");
        around.trace(if force { "once --force" } else { "once" });
        let first = around.world.borrow().orders.len();
        let changes = around.auditor.borrow().changes();
        let before = self.books();
        self.lines.borrow_mut().clear();
        let code = self.process(&|| self.once(force));
        around.trace(&format!("exit {code:?}"));
        let orders = around.world.borrow().orders.len() - first;
        *around.counts.borrow_mut().entry("orders").or_default() += orders as u64;
        around.count(match code {
            None => "exits by a kill",
            Some(0) => "exits with 0",
            Some(1) => "exits with 1",
            Some(2) => "exits with 2",
            Some(3) => "exits with 3",
            _ => return Err(format!("exit code {code:?}")),
        });
        self.audit()?;
        self.read_log(code)?;
        if let (Some(before), Some(after)) = (before, self.books())
            && before.changes == after.changes
        {
            let lost = before.value - after.value;
            let off = lost - (after.costs - before.costs);
            let off = off.max(-off);
            if off > dec("0.000000001") {
                return Err(format!("{lost} were lost, but fees and spread were {}", after.costs - before.costs));
            }
        }
        if self.changes_since(changes) == 0 && self.config.method != Method::Full {
            self.no_regret(first)?;
        }
        // That is said to be the owner's to mend.
        if self.lines.borrow().iter().any(|line| line.contains("but the whole account is worth")) {
            around.pay_in(dec(&self.config.cash_reserve.to_string()).times(2));
        }
        let asked = self.lines.borrow().iter().any(|line| line.contains("rebalancer universe --accept"));
        if asked && (around.calm.get() || around.chance.percent(25)) {
            self.accept()?;
        }
        Ok(Ended { code, orders })
    }

    /// Runs a process of the program; nothing when it is killed.
    fn process<T>(&self, work: &dyn Fn() -> T) -> Option<T> {
        self.around.cycle_begins();
        let ran = catch_unwind(AssertUnwindSafe(work));
        self.around.cycle_ms.set(None);
        match ran {
            Ok(outcome) => Some(outcome),
            Err(panic) if panic.downcast_ref() == Some(&Stop::Kill) => None,
            Err(panic) => resume_unwind(panic),
        }
    }

    fn accepting(&self, accepting: bool) {
        if let Some(list) = &mut self.around.auditor.borrow_mut().list {
            list.accepting = accepting;
        }
    }

    /// The owner takes a list that replaces most members: `universe --accept`.
    fn accept(&self) -> Result<(), String> {
        self.around.count("lists accepted by the owner");
        self.around.trace("universe --accept");
        self.accepting(true);
        self.process(&|| {
            self.with_context(Command::Universe, false, &|context, exchange| {
                let Ok(Some(mut list)) = context.universe() else { return };
                let look = list.look(exchange, self.config, self.around.now());
                let Ok(Look { record: Some(record), .. }) = look else { return };
                if check_clock(exchange, self.around).is_ok() {
                    list.record = record;
                    let _ = list.save();
                }
            })
        });
        self.accepting(false);
        self.audit()
    }

    fn changes_since(&self, changes: u64) -> u64 {
        self.around.auditor.borrow().changes() - changes
    }

    /// While nothing moved, no coin was sold and bought back, but for what a second pass corrects: a small part of the first, or of
    /// the account, where the tick is coarse.
    fn no_regret(&self, first: usize) -> Result<(), String> {
        let world = self.around.world.borrow();
        let orders = &world.orders[first..];
        let value = |side: Side, coin: &str| -> Dec {
            let filled = orders.iter().filter(|order| order.side == side && order.base == coin);
            filled.map(|order| order.cumulative_value).sum()
        };
        for coin in orders.iter().map(|order| &order.base) {
            let (sold, bought) = (value(Side::Sell, coin), value(Side::Buy, coin));
            let less = sold.min(bought);
            if less.times(4) > sold.max(bought) && less.times(50) > world.value(&self.config.quote) {
                return Err(format!("{coin} was sold for {sold} and bought for {bought} in one cycle"));
            }
        }
        Ok(())
    }

    /// What everything is worth and what trading has cost, while no order is open and fees are in coins that have a price.
    fn books(&self) -> Option<Books> {
        let world = self.around.world.borrow();
        if let FeeIn::Coin(coin) = world.fee_in {
            world.markets.get(&format!("{coin}_{}", self.config.quote))?;
        }
        let open = world.orders.iter().rev().take(8).any(|order| order.status == Status::Active);
        let costs = world.fee_cost + world.spread_cost;
        let changes = self.around.auditor.borrow().changes();
        (!open).then(|| Books { value: world.value(&self.config.quote), costs, changes })
    }

    fn audit(&self) -> Result<(), String> {
        let world = self.around.world.borrow();
        let mut auditor = self.around.auditor.borrow_mut();
        auditor.settle(self.around, &world);
        match auditor.violations.first() {
            None => Ok(()),
            Some(violation) => Err(violation.clone()),
        }
    }

    /// A cycle; its exit code.
    fn once(&self, force: bool) -> u8 {
        self.with_context(Command::Once, force, &|context, exchange| match command::trade(
            context,
            exchange,
            &mut Report::default(),
        ) {
            Ok(()) => 0,
            Err(problem) => {
                context.log.say(&format!("rebalancer: {}", problem.message));
                problem.code
            }
        })
    }

    /// Does something in a process of the program, with its log and its exchange.
    fn with_context<T>(
        &self,
        command: Command,
        force: bool,
        work: &dyn Fn(&Context<'_>, &mut CryptoCom<'_>) -> T,
    ) -> T {
        let around = self.around;
        let args = Args {
            command,
            config: PathBuf::from(HOME).join("config.json"),
            paper: false,
            force,
            accept: false,
            json: false,
            verbose: around.tracing,
        };
        let say = |line: &str| {
            around.trace(line);
            self.lines.borrow_mut().push(line.to_string());
        };
        let log = Log::new(around, self.config.schedule.offset_s, around.tracing, &say);
        let machine = Machine { clock: around, disk: around, wire: around };
        let context = Context { args: &args, config: self.config, machine, log: &log };
        let key = Credentials::new("test-key".to_string(), "test-secret".to_string());
        let mut exchange = context.crypto_com(Some(key));
        work(&context, &mut exchange)
    }

    /// Every cycle says what it did, in words, and never the secret.
    fn read_log(&self, code: Option<u8>) -> Result<(), String> {
        let lines = self.lines.borrow();
        if lines.is_empty() && code.is_some() {
            return Err("a cycle without a line in the log".to_string());
        }
        let in_vain = self.around.auditor.borrow().list.as_ref().is_some_and(ListAuditor::in_vain);
        if in_vain && code == Some(0) && !lines.iter().any(|line| line.contains("there is no good one: ")) {
            return Err("the list was not read, and the owner is not told".to_string());
        }
        if lines.iter().any(|line| line.contains("so it sends no further order")) {
            self.around.count("cycles too long");
        }
        for line in lines.iter() {
            let raw = ["Some(", "None", "Err(", "Ok(", "panicked", "{\"", "unwrap"];
            if line.contains("test-secret") || line.contains("test-key") {
                return Err(format!("the key is in the log: {line}"));
            }
            if raw.iter().any(|raw| line.contains(raw)) || line.len() < 10 || line.contains('\n') {
                return Err(format!("a line that an owner does not understand: {line}"));
            }
        }
        match code {
            Some(3)
                if !lines.iter().any(|line| {
                    line.contains("unknown")
                        || line.contains("cannot be cancelled")
                        || line.contains("not in the journal")
                }) =>
            {
                Err(format!("exit code 3 without saying so: {lines:?}"))
            }
            _ => Ok(()),
        }
    }
}

struct Books {
    value: Dec,
    costs: Dec,
    changes: u64,
}
