//! The log: one line an event on standard error, each a sentence that an owner understands. Never a secret.

use crate::clock::{Clock, stamp};
use crate::exchange::Millis;
use crate::text;
use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};

/// A log file larger than this is shortened.
const MOST_BYTES: u64 = 1024 * 1024;
/// What is kept of it: some hundred cycles.
const KEPT_BYTES: u64 = 64 * 1024;
/// What appends to a file, in the flags of an open file (`fcntl.h` of Linux).
const O_APPEND: i64 = 0o2000;

/// Where log lines go.
pub struct Log<'a> {
    clock: &'a dyn Clock,
    offset_s: i64,
    verbose: bool,
    sink: &'a dyn Fn(&str),
}

impl<'a> Log<'a> {
    /// Lines stamped by `clock`, shifted from UTC by `offset_s`, handed to `sink` without a line end.
    pub fn new(clock: &'a dyn Clock, offset_s: i64, verbose: bool, sink: &'a dyn Fn(&str)) -> Log<'a> {
        Log { clock, offset_s, verbose, sink }
    }

    /// Something the owner should be able to read later.
    pub fn say(&self, line: &str) {
        (self.sink)(&format!("{} {line}", stamp(self.clock.now(), self.offset_s)));
    }

    /// A moment in the log's local time.
    pub fn show(&self, time: Millis) -> String {
        stamp(time, self.offset_s)
    }

    /// Something shown only with `--verbose`.
    pub fn detail(&self, line: &str) {
        if self.verbose {
            self.say(line);
        }
    }
}

/// The sink of the program: standard error, whole lines, errors ignored (a closed terminal must not end a rebalance). A server's words
/// may be in a line; they begin no other line and move no terminal.
pub fn stderr(line: &str) {
    let line = text::shown(line, usize::MAX);
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Keeps the log bounded: when standard error is a file that is appended to, as with `nohup` and `>>`, and has grown too large, its
/// newest lines stay and the rest goes. Whatever stands against it leaves the log as it is.
pub fn shorten() {
    let _ = try_shorten();
}

fn try_shorten() -> Option<()> {
    let info = fs::read_to_string("/proc/self/fdinfo/2").ok()?;
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
    // Without it the next line would be written where the file ended before.
    if i64::from_str_radix(flags.trim(), 8).ok()? & O_APPEND == 0 {
        return None;
    }
    let is = fs::metadata("/proc/self/fd/2").ok()?;
    if !is.is_file() || is.len() <= MOST_BYTES {
        return None;
    }
    // Appended to here as well, so that nothing is overwritten that somebody else wrote in between.
    let mut file = OpenOptions::new().read(true).append(true).open("/proc/self/fd/2").ok()?;
    file.seek(SeekFrom::Start(is.len() - KEPT_BYTES)).ok()?;
    let kept = text::bytes(&mut file, usize::try_from(MOST_BYTES).ok()?).ok()?;
    let whole_lines = kept.iter().position(|byte| *byte == b'\n')? + 1;
    file.set_len(0).ok()?;
    file.write_all(kept.get(whole_lines..)?).ok()
}
