//! Memory of a process, as the kernel counts it.
//!
//! The most there ever was is the kernel's own mark of the process (`VmHWM`), looked at every millisecond until it ends;
//! `ru_maxrss` would begin with the size of the process that started it. How it divides is from the largest of the looks at its
//! pages (`smaps_rollup`): private pages are its own; pages of its file are clean, and the kernel may share or drop them.

use crate::program::Running;
use crate::table::number;
use crate::tools::field;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// A cycle that takes longer hangs.
pub const DEADLINE: Duration = Duration::from_secs(400);

/// Pages of a process that are in memory, in KiB.
#[derive(Clone, Copy, Default)]
pub struct Resident {
    /// All of them.
    pub all: u64,
    /// Its own: heap, stack, changed data.
    pub private: u64,
    /// The kernel's mark of the most there ever were.
    pub mark: u64,
}

impl Resident {
    /// Of a process now; `None` when it has ended.
    pub fn of(id: u32) -> Option<Resident> {
        let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let pages = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).ok()?;
        Some(Resident {
            all: field(&pages, "Rss")?,
            private: field(&pages, "Anonymous")?,
            mark: field(&status, "VmHWM")?,
        })
    }

    /// Its columns: all, private, the rest.
    pub fn columns(self) -> [String; 3] {
        [number(self.all), number(self.private), number(self.all - self.private)]
    }

    /// The most there ever was, with the division of the larger look.
    pub fn or_larger(self, other: Resident) -> Resident {
        let larger = if other.all > self.all { other } else { self };
        Resident { mark: self.mark.max(other.mark), ..larger }
    }
}

/// Looks at a process every millisecond until it has ended; gives the most there was and the exit code.
pub fn watch(process: &mut Running) -> Result<(Resident, i32), String> {
    let (start, mut most) = (Instant::now(), Resident::default());
    loop {
        if let Some(seen) = Resident::of(process.id()) {
            most = most.or_larger(seen);
        }
        match process.ended()? {
            Some(code) if most.all == 0 => return Err(format!("it ended with {code} before it was looked at")),
            Some(code) => return Ok((most, code)),
            None if start.elapsed() > DEADLINE => return Err("the program hangs".to_string()),
            None => thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// How often a process was given the processor and gave it back.
pub fn switches(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    field(&status, "voluntary_ctxt_switches").unwrap_or(0)
}

/// How often a day a sleeping process wakes up, by six times in a row; `None` when that takes more than half a minute.
pub fn wake_ups(id: u32) -> Option<u64> {
    let (start, mut seen) = (Instant::now(), Vec::new());
    let mut last = switches(id);
    while start.elapsed() < Duration::from_secs(30) {
        thread::sleep(Duration::from_millis(5));
        let now = switches(id);
        if now != last {
            last = now;
            seen.push(start.elapsed().as_millis());
        }
        if let [first, _, _, _, _, sixth, ..] = seen.as_slice() {
            return u64::try_from(5 * 86_400_000 / (sixth - first).max(1)).ok();
        }
    }
    None
}
