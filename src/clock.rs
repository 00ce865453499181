//! Time: the only file that reads the system clock, and the calendar arithmetic for log lines and schedules.
//!
//! [`Clock`] is passed in wherever time matters, so that a simulation can own it. Seconds are `i64`: nothing of ours
//! ends in 2038, though `SystemTime::now()` of a 32-bit musl libc does.

use crate::exchange::Millis;
use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A clock further than this from the exchange's is wrong: it would also miss the schedule.
pub const MOST_CLOCK_ERROR_MS: Millis = 60_000;

/// What the program needs of time.
pub trait Clock {
    /// The wall clock, which may be wrong and may jump. Zero when it cannot be read.
    fn now(&self) -> Millis;
    /// Milliseconds since some fixed moment; never jumps.
    fn elapsed(&self) -> Millis;
    /// Waits.
    fn sleep(&self, ms: Millis);
}

/// The machine's clocks.
pub struct SystemClock {
    start: Instant,
    /// The last wall clock reading, for machines where reading it fails.
    last: Cell<Millis>,
}

impl SystemClock {
    /// Starts counting elapsed time.
    pub fn new() -> SystemClock {
        SystemClock { start: Instant::now(), last: Cell::new(0) }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Millis {
        if let Ok(since) = SystemTime::now().duration_since(UNIX_EPOCH) {
            self.last.set(millis(since));
        }
        self.last.get()
    }

    fn elapsed(&self) -> Millis {
        millis(self.start.elapsed())
    }

    fn sleep(&self, ms: Millis) {
        std::thread::sleep(Duration::from_millis(u64::try_from(ms).unwrap_or(0)));
    }
}

fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

/// Days since 1970-01-01 of a date of the Gregorian calendar, by Howard Hinnant's `days_from_civil`.
pub fn days_from_date(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a number of days since 1970-01-01, by Howard Hinnant's `civil_from_days`.
pub fn date_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

/// `2026-11-22 17:03:05` of a time, shifted by an offset from UTC in seconds.
pub fn stamp(time: Millis, offset_s: i64) -> String {
    let seconds = time.div_euclid(1000) + offset_s;
    let (year, month, day) = date_from_days(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

/// A span as an owner says it: `45 s`, `12 min`, `5 h 20 min`, `3 d 4 h`.
pub fn span(ms: Millis) -> String {
    let seconds = ms.max(0) / 1000;
    let (minutes, hours, days) = (seconds / 60 % 60, seconds / 3600 % 24, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, 0) => format!("{hours} h"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (_, 0, _) => format!("{days} d"),
        _ => format!("{days} d {hours} h"),
    }
}

/// A number with a fixed place and width in a text.
fn number(text: &str, at: usize, width: usize, low: i64, high: i64) -> Option<i64> {
    let part = text.get(at..at + width)?;
    let digits = part.bytes().all(|byte| byte.is_ascii_digit());
    part.parse().ok().filter(|number: &i64| digits && (low..=high).contains(number))
}

/// Whether the parts of a text stand at their places.
fn framed(text: &str, frame: &[(usize, &str)]) -> bool {
    frame.iter().all(|(at, part)| text.get(*at..).is_some_and(|rest| rest.starts_with(part)))
}

/// The moment of a date that the calendar has and of `HH:MM:SS`, which begins at a place in the text.
fn moment(text: &str, (year, month, day): (i64, i64, i64), at: usize) -> Option<Millis> {
    let (hour, minute, second) =
        (number(text, at, 2, 0, 23)?, number(text, at + 3, 2, 0, 59)?, number(text, at + 6, 2, 0, 60)?);
    let days = days_from_date(year, month, day);
    (date_from_days(days) == (year, month, day)).then(|| (days * 86_400 + hour * 3600 + minute * 60 + second) * 1000)
}

/// Reads an HTTP date in its one current form, `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, IMF-fixdate).
pub fn http_date(text: &str) -> Option<Millis> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = text.trim();
    let frame = [(3, ", "), (7, " "), (11, " "), (16, " "), (19, ":"), (22, ":"), (25, " GMT")];
    if text.len() != 29 || !framed(text, &frame) {
        return None;
    }
    let month = MONTHS.iter().position(|name| Some(*name) == text.get(8..11))?;
    let month = i64::try_from(month).ok()? + 1;
    moment(text, (number(text, 12, 4, 1970, 9999)?, month, number(text, 5, 2, 1, 31)?), 17)
}

/// Reads `2026-08-16T21:46:00.000Z`, with or without a fraction, which is left out, and always in UTC (RFC 3339).
pub fn iso_date(text: &str) -> Option<Millis> {
    let text = text.trim().strip_suffix('Z')?;
    let fraction = text.get(19..)?;
    let digits = fraction.strip_prefix('.').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    if !(fraction.is_empty() || digits) || !framed(text, &[(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")]) {
        return None;
    }
    let date = (number(text, 0, 4, 1970, 9999)?, number(text, 5, 2, 1, 12)?, number(text, 8, 2, 1, 31)?);
    moment(text, date, 11)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_rfc_3339_are_read_in_utc() {
        // date -u -d 2026-08-16T21:46:05 +%s
        let expected = Some(1_786_916_765_000);
        for text in ["2026-08-16T21:46:05Z", "2026-08-16T21:46:05.123Z", " 2026-08-16T21:46:05.000Z\n"] {
            assert_eq!(iso_date(text), expected, "{text}");
        }
        for text in [
            "2026-08-16T21:46:05",
            "2026-08-16 21:46:05Z",
            "2026-02-30T21:46:05Z",
            "2026-08-16T25:46:05Z",
            "",
            "Z",
            "2026-08-16T21:46:05+Z",
        ] {
            assert_eq!(iso_date(text), None, "{text}");
        }
    }
}
