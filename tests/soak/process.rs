//! Processes, as the kernel shows them under `/proc`.

use crate::tools::field;
use std::fs;
use std::path::Path;
use std::process::Command;

/// One look at a process.
#[derive(Clone, Copy, Default)]
pub struct Look {
    /// Milliseconds since the run began.
    pub at_ms: u64,
    /// `VmRSS` in KiB: all its pages in memory.
    pub resident: u64,
    /// `RssAnon` in KiB: its own pages.
    pub own: u64,
    /// `VmHWM` in KiB: the most there ever were.
    pub mark: u64,
    /// Open file descriptors.
    pub files: u64,
}

impl Look {
    /// `None` when it has ended.
    pub fn at(id: u32, at_ms: u64) -> Option<Look> {
        let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let files = fs::read_dir(format!("/proc/{id}/fd")).ok()?.count();
        Some(Look {
            at_ms,
            resident: field(&status, "VmRSS")?,
            own: field(&status, "RssAnon")?,
            mark: field(&status, "VmHWM")?,
            files: u64::try_from(files).ok()?,
        })
    }
}

/// The processes that a process of one thread has started and not yet waited for.
pub fn children(id: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

/// Whether a process works in this folder: one of ours, and not another that has got its number since.
pub fn works_in(id: u32, folder: &Path) -> bool {
    fs::read_link(format!("/proc/{id}/cwd")).is_ok_and(|cwd| cwd == folder)
}

/// What a process was started with, its arguments and its name.
pub fn arguments(id: u32) -> String {
    fs::read(format!("/proc/{id}/cmdline")).map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default()
}

/// Ends a process of ours in this folder at once, as a power cut would.
pub fn kill(id: u32, folder: &Path) -> bool {
    works_in(id, folder) && Command::new("kill").args(["-KILL", &id.to_string()]).status().is_ok_and(|s| s.success())
}

/// Milliseconds of processor that this process has used, without its children.
pub fn own_processor_ms() -> u64 {
    /// The kernel's tick for this file, on every architecture of Linux.
    const TICK_MS: u64 = 10;
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name, which ends with the last bracket, the 12th and 13th.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * TICK_MS
}
