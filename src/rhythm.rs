//! When the daemon runs a cycle and how long it sleeps otherwise: pure, the times are passed in.

use crate::exchange::Millis;
use crate::journal::State;
use crate::schedule::Schedule;

/// Longest sleep: how late a clock that was set is noticed. 288 wake-ups a day.
const MOST_SLEEP_MS: Millis = 300_000;
/// First pause after a failed cycle; doubled after each further one, up to the longest.
const FIRST_PAUSE_MS: Millis = 5000;
const MOST_PAUSE_MS: Millis = 900_000;

/// The pause after so many failed cycles in a row.
pub fn pause(failures: u32) -> Millis {
    FIRST_PAUSE_MS.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(MOST_PAUSE_MS)
}

/// What to do now.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Run a cycle.
    Run,
    /// Sleep for so long, then ask again.
    Sleep {
        /// At most some minutes.
        ms: Millis,
        /// When the next cycle is due by the wall clock.
        due: Millis,
    },
}

/// What a daemon remembers between cycles.
pub struct Rhythm {
    /// When it started, by the clock that never jumps.
    start: Millis,
    /// When its last good cycle ended, by the wall clock.
    ran: Option<Millis>,
    /// Failed cycles in a row.
    failures: u32,
    /// No cycle before this moment of the clock that never jumps.
    retry_at: Millis,
}

impl Rhythm {
    /// A daemon that starts at this moment of the clock that never jumps.
    pub fn new(elapsed: Millis) -> Rhythm {
        Rhythm { start: elapsed, ran: None, failures: 0, retry_at: elapsed }
    }

    /// What to do, by the wall clock (`now`), the clock that never jumps and what the journal says.
    pub fn next(&self, schedule: &Schedule, now: Millis, elapsed: Millis, journal: &State) -> Next {
        // By our clock when that is later, so that a good run is never repeated at once.
        let last_run = journal.last_run.max(self.ran);
        let due = match journal.interrupted() {
            // A rebalance that has begun is not left half done until the next date.
            true => now,
            false => schedule.due(last_run, now - (elapsed - self.start), now),
        };
        if due <= now && elapsed >= self.retry_at {
            return Next::Run;
        }
        let wait = if due > now { due - now } else { self.retry_at - elapsed };
        Next::Sleep { ms: wait.clamp(1, MOST_SLEEP_MS), due }
    }

    /// A cycle has ended well.
    pub fn good(&mut self, now: Millis, elapsed: Millis) {
        (self.ran, self.failures, self.retry_at) = (Some(now), 0, elapsed);
    }

    /// A cycle has failed; returns how long the next one waits at least.
    pub fn failed(&mut self, elapsed: Millis) -> Millis {
        self.failures = self.failures.saturating_add(1);
        let pause = pause(self.failures);
        self.retry_at = elapsed + pause;
        pause
    }
}
