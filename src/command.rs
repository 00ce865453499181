//! What each command does: reads the config, opens the venue, calls the layer that does the work, prints, gives the exit code.

use crate::check;
use crate::cli::{Args, Command, HELP};
use crate::clock::{SystemClock, span};
use crate::config::{Config, Venue};
use crate::daemon;
use crate::disk::SystemDisk;
use crate::exchange::crypto_com::CryptoCom;
use crate::exchange::paper::Paper;
use crate::exchange::signer::Credentials;
use crate::exchange::{Exchange, Millis};
use crate::execute::{self, Cycle, Failure, Report};
use crate::journal::{self, Journal, State};
use crate::log::{self, Log};
use crate::machine::Machine;
use crate::output;
use crate::plan::{Plan, Rules};
use crate::portfolio::Portfolio;
use crate::store;
use crate::universe::look::Trouble;
use crate::universe::record::Record;
use crate::universe::{self, Purpose, Universe};
use std::ffi::OsString;
use std::fs::File;
use std::panic::{self, PanicHookInfo};
use std::path::PathBuf;
use std::{fs, process};

/// Rules kept between runs.
const CACHE: &str = "markets.cache";
/// Held while a cycle runs.
const CYCLE_LOCK: &str = "cycle.lock";

/// A command that did not end well: its exit code and a sentence.
pub struct Problem {
    /// 1, 2 or 3.
    pub code: u8,
    /// What happened, and what to do.
    pub message: String,
    /// Whether standard output has it already.
    pub printed: bool,
}

impl Problem {
    /// A problem from its parts.
    pub fn new(code: u8, message: impl ToString) -> Problem {
        Problem { code, message: message.to_string(), printed: false }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Problem {
        Problem::new(failure.exit_code(false), failure)
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Problem {
        Problem::new(1, error)
    }
}

/// Everything that the commands share.
pub struct Context<'a> {
    /// What was typed.
    pub args: &'a Args,
    /// What the owner decided.
    pub config: &'a Config,
    /// Clock, disk and wire.
    pub machine: Machine<'a>,
    /// The log.
    pub log: &'a Log<'a>,
}

/// Runs the program; the arguments are those after its name. Returns the exit code.
pub fn run(args: Vec<OsString>) -> u8 {
    let args = match Args::parse(args) {
        Ok(args) => args,
        Err(why) => {
            log::stderr(&format!("rebalancer: {why}; see rebalancer --help"));
            return 2;
        }
    };
    match args.command {
        Command::Help => print(HELP),
        Command::Version => print(concat!("rebalancer ", env!("CARGO_PKG_VERSION"), "\n")),
        _ => return dispatch(&args),
    }
    0
}

/// Ends the process in words after a fault of the program or of a library, before it would be aborted: no core file is written, and
/// what it was working on is not shown.
fn end_in_words(journal: PathBuf) {
    panic::set_hook(Box::new(move |fault: &PanicHookInfo<'_>| {
        let unknown = journal::peek(&SystemDisk, &journal).is_ok_and(|state| state.unresolved().next().is_some());
        let place = fault.location().map_or(String::new(), |at| format!(" ({}:{})", at.file(), at.line()));
        log::stderr(&format!(
            "rebalancer: a fault of the program{place} ended it; the next run goes on from the journal"
        ));
        process::exit(if unknown { 3 } else { 1 });
    }));
}

fn dispatch(args: &Args) -> u8 {
    // Without memory in it a core file holds no key. Inherited by the daemon's cycles; a system that has no such file is no reason to stop.
    let _ = fs::write("/proc/self/coredump_filter", "0");
    let clock = SystemClock::new();
    let outcome = Config::load(&args.config, args.paper).map_err(|error| Problem::new(2, error)).and_then(|config| {
        let log = Log::new(&clock, config.schedule.offset_s, args.verbose, &log::stderr);
        let context = Context { args, config: &config, machine: Machine::this(&clock), log: &log };
        end_in_words(context.journal_path());
        match args.command {
            Command::Once => once(&context),
            Command::Plan => plan(&context),
            Command::Status => status(&context),
            Command::Universe => list(&context),
            Command::Check => check::run(&context),
            _ => daemon::run(&context),
        }
    });
    match outcome {
        Ok(()) => 0,
        Err(problem) => {
            // `once` has printed its report, with the error in it, and `check` its findings.
            if args.json && !problem.printed {
                print(&format!("{}\n", output::error_json(&problem.message)));
            }
            log::stderr(&format!("rebalancer: {}", problem.message));
            problem.code
        }
    }
}

/// Writes to standard output. A closed pipe is no reason to stop.
pub fn print(text: &str) {
    use std::io::Write;
    let _ = std::io::stdout().write_all(text.as_bytes());
}

impl<'a> Context<'a> {
    /// The journal of the venue: the paper account's orders and the real ones never share a file.
    pub fn journal_path(&self) -> PathBuf {
        let name = match self.config.venue {
            Venue::CryptoCom => "rebalancer.journal",
            Venue::Paper => "paper.journal",
        };
        self.config.state_dir.join(name)
    }

    fn universe_path(&self) -> PathBuf {
        let name = match self.config.venue {
            Venue::CryptoCom => "rebalancer.universe",
            Venue::Paper => "paper.universe",
        };
        self.config.state_dir.join(name)
    }

    /// The list that the portfolio follows, with what is remembered of it; the paper account has a file of its own.
    ///
    /// # Errors
    /// Code 2 for a key that is none, 1 for a damaged file.
    pub fn universe(&self) -> Result<Option<Universe<'a>>, Problem> {
        let key = Config::coingecko_key().map_err(|error| Problem::new(2, error))?;
        Ok(Universe::open(self.config, self.machine, self.log, self.universe_path(), key)?)
    }

    /// Held by whoever trades or changes what is remembered.
    fn cycle_lock(&self) -> Result<File, Problem> {
        let state_dir = &self.config.state_dir;
        let busy = format!("another cycle is running on {}; wait until it has ended", state_dir.display());
        Ok(store::lock(&state_dir.join(CYCLE_LOCK), &busy)?)
    }

    /// The real exchange.
    pub fn crypto_com(&self, credentials: Option<Credentials>) -> CryptoCom<'a> {
        let Config { base_url, quote, state_dir, .. } = self.config;
        CryptoCom::new(self.machine, self.log, base_url, quote, state_dir.join(CACHE), credentials)
    }

    /// The venue that the config names, ready for use.
    ///
    /// # Errors
    /// Code 2 when there is no key or the paper account cannot be read.
    pub fn exchange(&self) -> Result<Box<dyn Exchange + 'a>, Problem> {
        match self.config.venue {
            Venue::CryptoCom => {
                let credentials = self.config.credentials().map_err(|error| Problem::new(2, error))?;
                Ok(Box::new(self.crypto_com(Some(credentials))))
            }
            Venue::Paper => {
                let live = || Box::new(self.crypto_com(None)) as Box<dyn Exchange + 'a>;
                let (paper, created) =
                    Paper::open(self.config, self.machine, live).map_err(|why| Problem::new(2, why))?;
                if let Some(created) = created {
                    self.log.say(&created);
                }
                Ok(Box::new(paper))
            }
        }
    }

    /// The same reading and planning as a cycle's, without a cycle. With a purpose a list is read when the next cycle would read it, and
    /// returned as it would be then; without one it is what is remembered, and when that is nothing the plan is about the fixed
    /// coins alone.
    fn read(&self, state: &State, purpose: Option<Purpose>) -> Result<Read<'a>, Problem> {
        let (mut exchange, mut config) = (self.exchange()?, self.config.clone());
        let (mut universe, mut listless) = (self.universe()?, None);
        let known = universe.as_ref().map(|universe| universe.record.clone());
        if let Some(universe) = &mut universe {
            let now = self.machine.clock.now();
            let followed = match purpose {
                Some(purpose) => universe.follow(&mut *exchange, &mut config, now, purpose),
                None => universe.allocate(&mut config),
            };
            match followed {
                Err(universe::Failure::None(why)) if purpose.is_none() => listless = Some(why),
                followed => followed.map_err(Failure::from)?,
            }
        }
        let portfolio = execute::look(&mut *exchange, &config).map_err(|failure| match (failure, &universe) {
            (Failure::Portfolio(error), Some(universe)) => {
                universe.blame(&error).map_or(Failure::Portfolio(error), Failure::List)
            }
            (failure, _) => failure,
        })?;
        if let Err(failure) = execute::check_clock(&*exchange, self.machine.clock) {
            self.log.say(&failure.to_string());
        }
        if state.unresolved().next().is_some() {
            self.log.say("an order of an earlier run has no outcome yet; the next cycle asks for it first");
        }
        let rules = Rules::new(&config, exchange.fee(), self.args.force, state.traded());
        let mut plan = execute::plan_for(&portfolio, &rules)?;
        plan.balanced &= listless.is_none();
        Ok(Read { portfolio, plan, universe, known, listless })
    }
}

/// What a command without a cycle shows.
struct Read<'a> {
    portfolio: Portfolio,
    plan: Plan,
    universe: Option<Universe<'a>>,
    /// What was remembered of the list before.
    known: Option<Record>,
    /// Why there is no list, so that nothing would be traded.
    listless: Option<String>,
}

fn once(context: &Context<'_>) -> Result<(), Problem> {
    let mut report = Report::default();
    let outcome = cycle(context, &mut report);
    if context.args.json {
        let error = outcome.as_ref().err().map(|problem| problem.message.as_str());
        print(&format!("{}\n", output::report_json(&report, error)));
    } else if let (Some(before), Some(plan)) = (&report.before, &report.plan) {
        print(&output::table(before));
        print(&format!("\n{}", output::orders_table(before, plan)));
        if !report.placed.is_empty() {
            print(&format!("\n{}", output::placed_table(before, &report.placed)));
        }
        if let Some(after) = &report.after {
            print(&format!("\n{}", output::table(after)));
        }
    }
    outcome.map_err(|problem| Problem { printed: true, ..problem })
}

fn cycle(context: &Context<'_>, report: &mut Report) -> Result<(), Problem> {
    let _lock = context.cycle_lock()?;
    trade(context, &mut *context.exchange()?, report)
}

/// One cycle on a venue; the caller holds the lock.
///
/// # Errors
/// With the code that the program ends with; `report` says what was done before.
pub fn trade(context: &Context<'_>, exchange: &mut dyn Exchange, report: &mut Report) -> Result<(), Problem> {
    let Context { config, machine: Machine { clock, disk, .. }, log, .. } = *context;
    let journal = Journal::open(disk, &context.journal_path())?;
    if config.universe.is_none() && universe::forget(disk, &context.universe_path()) {
        log.say("the config follows no list any more, so what was remembered of one is forgotten: its coins are yours");
    }
    if journal.repaired {
        log.say("the journal's last line was cut by a power failure before its order was sent; the line was removed");
    }
    let force = context.args.force;
    let began = clock.elapsed();
    let (config, universe) = (config.clone(), context.universe()?);
    let mut cycle = Cycle { exchange, journal, config, universe, clock, log, force, began, report: Report::default() };
    let outcome = cycle.run();
    *report = cycle.report;
    outcome.map_err(|failure| {
        let code = failure.exit_code(report.traded());
        Problem::new(code, format!("{failure}; {}", report.money()))
    })
}

fn plan(context: &Context<'_>) -> Result<(), Problem> {
    let state = journal::peek(context.machine.disk, &context.journal_path())?;
    let purpose = if context.args.accept { Purpose::ShowAccepted } else { Purpose::Show };
    let Read { portfolio, plan, universe, known, .. } = context.read(&state, Some(purpose))?;
    let changes = known.zip(universe).map(|(known, universe)| known.changes(&universe.record));
    match context.args.json {
        true => print(&format!("{}\n", output::plan_json(&portfolio, &plan, changes.as_ref()))),
        false => {
            print(&format!("{}\n{}", output::table(&portfolio), output::orders_table(&portfolio, &plan)));
            print(&changes.as_ref().map_or(String::new(), output::changes_table));
        }
    }
    Ok(())
}

fn status(context: &Context<'_>) -> Result<(), Problem> {
    let state = journal::peek(context.machine.disk, &context.journal_path())?;
    let Read { portfolio, plan, universe, listless, .. } = context.read(&state, None)?;
    let (last, next) = runs(context, state.last_run);
    let schedule = &context.config.schedule;
    let show = |time| schedule.show(time);
    let list = universe.as_ref().map(|universe| output::List { universe, show: &show });
    if context.args.json {
        print(&format!("{}\n", output::status_json(&portfolio, &plan, &last, &next, list.as_ref())));
        return Ok(());
    }
    print(&output::table(&portfolio));
    if let Some(list) = &list {
        print(&format!("\n{}", list.table()));
    }
    let balance = match (plan.balanced, listless) {
        (_, Some(why)) => output::wrapped(&format!("nothing is traded: {why}"), "  "),
        (true, None) => "balanced\n".to_string(),
        (false, None) => "out of balance; see rebalancer plan\n".to_string(),
    };
    print(&format!("\n{balance}last run: {last}\nnext run: {next}\n"));
    Ok(())
}

/// Prints the list as it is now; with `--accept` it is taken even when it replaces most members at once.
fn list(context: &Context<'_>) -> Result<(), Problem> {
    // From before it is known what is remembered: a cycle would write the same file.
    let _lock = if context.args.accept { Some(context.cycle_lock()?) } else { None };
    let Some(mut universe) = context.universe()? else {
        let why = "the config follows no list: it has no \"universe\"";
        return Err(Problem::new(2, format!("{}: {why}", context.args.config.display())));
    };
    let mut exchange: Box<dyn Exchange + '_> = match context.config.venue {
        Venue::CryptoCom => Box::new(context.crypto_com(None)),
        Venue::Paper => context.exchange()?,
    };
    let (clock, json) = (context.machine.clock, context.args.json);
    let look = match universe.look(&mut *exchange, context.config, clock.now()) {
        Ok(look) => look,
        Err(Trouble::Exchange(error)) => return Err(Failure::Exchange(error).into()),
        Err(Trouble::List(error)) => {
            let stays = match universe.has_list() {
                true => "the list that is there stays, see rebalancer status",
                false => "there is no list yet, so nothing is traded",
            };
            return Err(Problem::new(1, format!("{}; {stays}", error.message)));
        }
    };
    match json {
        true => print(&format!("{}\n", output::look_json(&look, &universe))),
        false => print(&output::look_table(&look, context.config)),
    }
    match (look.refused, look.record) {
        (_, Some(record)) if context.args.accept => {
            execute::check_clock(&*exchange, clock)?;
            universe.record = record;
            universe.save()?;
            context.log.say("the list is taken; the next cycle trades what follows from it");
            Ok(())
        }
        (Some(why), _) => {
            Err(Problem { printed: true, ..Problem::new(1, format!("the list would not be taken: {why}")) })
        }
        (None, _) => Ok(()),
    }
}

/// When the last run was and when the next one is due, in words.
fn runs(context: &Context<'_>, last_run: Option<Millis>) -> (String, String) {
    let schedule = &context.config.schedule;
    let now = context.machine.clock.now();
    let last = last_run.map_or("never".to_string(), |last| schedule.show(last));
    let due = schedule.due(last_run, now, now);
    let next = match due <= now {
        true => "now, when rebalancer runs".to_string(),
        false => format!("{}, in {}", schedule.show(due), span(due - now)),
    };
    (last, next)
}
