//! The sleep loop, and nothing else: when the schedule is due it starts its own executable with `once`, gives it a deadline, reads
//! its exit code, and sleeps again.
//!
//! A hang, a panic, a leaked thread or a grown heap ends with the cycle's process; a program file that was replaced is used from the
//! next cycle on; and every cycle is a start after a crash, so recovery is the ordinary path.

use crate::clock::span;
use crate::command::{Context, Problem};
use crate::disk::Disk;
use crate::exchange::Millis;
use crate::journal::{self, State};
use crate::log::{self, Log};
use crate::machine::Machine;
use crate::rhythm::{Next, Rhythm};
use crate::store;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::SystemTime;

/// Held by the daemon as long as it lives.
const LOCK: &str = "daemon.lock";
/// A cycle that takes longer hangs: it is ended, and the next one goes on from its journal.
const DEADLINE_MS: Millis = 1_800_000;

/// Runs until the process is ended.
///
/// # Errors
/// Only before the first sleep: a second copy, no key, a damaged journal.
pub fn run(context: &Context<'_>) -> Result<(), Problem> {
    let Context { config, machine: Machine { clock, disk, .. }, log, .. } = *context;
    let busy = format!("another rebalancer is running on {}; this one ends", config.state_dir.display());
    let _lock = store::lock(&config.state_dir.join(LOCK), &busy)?;
    // Found now: after an update the running file has no name any more, but its path has the new program.
    let program = std::env::current_exe()
        .map_err(|error| Problem::new(1, format!("cannot find this program's file: {error}")))?;
    drop((context.exchange()?, context.universe()?));
    log::shorten();
    let mut rhythm = Rhythm::new(clock.elapsed());
    let mut watched = Watched::read(disk, context.journal_path())?;
    let mut told = None;
    loop {
        let now = clock.now();
        match rhythm.next(&config.schedule, now, clock.elapsed(), &watched.state) {
            Next::Run => {
                if run_once(context, &program) {
                    rhythm.good(clock.now(), clock.elapsed());
                } else {
                    let pause = rhythm.failed(clock.elapsed());
                    log.say(&format!("the cycle failed; the next try is in {}", span(pause)));
                }
                told = None;
                log::shorten();
            }
            Next::Sleep { ms, due } => {
                if told != Some(due) && due > now {
                    log.say(&format!("next run {}, in {}", config.schedule.show(due), span(due - now)));
                    told = Some(due);
                }
                clock.sleep(ms);
            }
        }
        watched.reread(log);
    }
}

/// A journal that cycles of ours, or one run by hand, write to.
struct Watched<'a> {
    disk: &'a dyn Disk,
    path: PathBuf,
    /// Length and time of the file when it was read; one that has not changed is not read again.
    mark: Option<(u64, SystemTime)>,
    state: State,
}

impl<'a> Watched<'a> {
    fn read(disk: &'a dyn Disk, path: PathBuf) -> Result<Watched<'a>, store::Error> {
        // Taken before reading: what is written in between is seen the next time.
        let mark = mark(&path);
        let state = journal::peek(disk, &path)?;
        Ok(Watched { disk, path, mark, state })
    }

    fn reread(&mut self, log: &Log<'_>) {
        if self.mark.is_some() && self.mark == mark(&self.path) {
            return;
        }
        match Watched::read(self.disk, self.path.clone()) {
            Ok(read) => *self = read,
            Err(error) => log.say(&error.to_string()),
        }
    }
}

fn mark(path: &Path) -> Option<(u64, SystemTime)> {
    let file = std::fs::metadata(path).ok()?;
    Some((file.len(), file.modified().ok()?))
}

/// Runs a cycle as a process of its own; true when it ended well.
fn run_once(context: &Context<'_>, program: &Path) -> bool {
    let args = context.args;
    let mut command = Command::new(program);
    command.arg("once").arg("--config").arg(&args.config).stdin(Stdio::null()).stdout(Stdio::null());
    for (flag, given) in [("--paper", args.paper), ("--verbose", args.verbose)] {
        if given {
            command.arg(flag);
        }
    }
    match command.spawn() {
        Ok(child) => wait(context, child),
        Err(error) => {
            context.log.say(&format!("cannot start {}: {error}", program.display()));
            false
        }
    }
}

fn wait(context: &Context<'_>, mut child: Child) -> bool {
    let Context { machine: Machine { clock, .. }, log, .. } = *context;
    let start = clock.elapsed();
    let mut pause = 20;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if clock.elapsed() - start < DEADLINE_MS => {
                clock.sleep(pause);
                pause = (pause * 2).min(1000);
            }
            Ok(None) => {
                log.say(&format!(
                    "the cycle has not ended after {}; ending it, its journal tells the next one",
                    span(DEADLINE_MS)
                ));
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
            Err(error) => {
                log.say(&format!("cannot watch the cycle: {error}"));
                return false;
            }
        }
    }
}
