//! The log: one line an event on standard error, each a sentence that an owner understands. Never a secret.

use crate::clock::{Clock, stamp};

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

    /// Something shown only with `--verbose`.
    pub fn detail(&self, line: &str) {
        if self.verbose {
            self.say(line);
        }
    }
}

/// The sink of the program: standard error, whole lines, errors ignored (a closed terminal must not end a rebalance).
pub fn stderr(line: &str) {
    use std::io::Write;
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}
