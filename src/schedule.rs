//! When the next run is due: a pure function of the last run, the clock and the owner's words.
//!
//! Recomputed at every wake-up, so a clock that is set (NTP after power-up, hours forward or back) needs no special case: a run
//! that became due in the past is due now, once; a run that was done is not repeated when the clock goes back.

use crate::clock::{MOST_CLOCK_ERROR_MS, stamp};
use crate::exchange::Millis;

const DAY_S: i64 = 86_400;
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
/// The longest `every`.
const MOST_S: i64 = 366 * DAY_S;

/// The owner's words.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Day of the week (0 is Monday) and second of the local day.
    Weekly(i64, i64),
    /// Second of the local day.
    Daily(i64),
    /// Seconds after the last run.
    Every(i64),
}

/// The owner's words and what local time means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// When.
    pub when: When,
    /// Local time minus UTC, in seconds.
    pub offset_s: i64,
}

impl Default for Schedule {
    fn default() -> Self {
        Schedule { when: When::Weekly(6, 0), offset_s: 0 }
    }
}

impl When {
    /// Reads `sunday 00:00`, `daily HH:MM` or `every N` with s, m, h or d.
    ///
    /// # Errors
    /// What is allowed.
    pub fn parse(text: &str) -> Result<When, String> {
        let wrong = || {
            let text: String = text.chars().take(40).filter(|letter| !letter.is_control()).collect();
            format!(
                "\"{text}\" is not understood; write \"sunday 00:00\" (any weekday), \"daily 06:30\" or \"every 6h\" (s, m, h, d)"
            )
        };
        let (word, rest) = text.split_once(' ').ok_or_else(wrong)?;
        let when = match word {
            "every" => span(rest).map(When::Every),
            "daily" => time_of_day(rest).map(When::Daily),
            _ => WEEKDAYS
                .iter()
                .position(|day| word.eq_ignore_ascii_case(day))
                .and_then(|day| i64::try_from(day).ok())
                .zip(time_of_day(rest))
                .map(|(day, second)| When::Weekly(day, second)),
        };
        when.ok_or_else(wrong)
    }
}

/// Exactly two digits, at most `most`.
fn two_digits(text: &str, most: i64) -> Option<i64> {
    let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number <= most)
}

fn time_of_day(text: &str) -> Option<i64> {
    let (hour, minute) = text.split_once(':')?;
    Some(two_digits(hour, 23)? * 3600 + two_digits(minute, 59)? * 60)
}

/// Seconds of a span such as `90s`, `15m`, `6h` or `2d`, at most a year.
pub fn span(text: &str) -> Option<i64> {
    let unit = match text.bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3600,
        b'd' => DAY_S,
        _ => return None,
    };
    let digits = text.get(..text.len() - 1)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = digits.parse::<i64>().ok()?.checked_mul(unit)?;
    (1..=MOST_S).contains(&seconds).then_some(seconds)
}

/// Reads `+02:00` or `-05:30` as seconds.
///
/// # Errors
/// What is allowed.
pub fn parse_offset(text: &str) -> Result<i64, String> {
    let sign = match text.get(..1) {
        Some("+") => 1,
        Some("-") => -1,
        _ => 0,
    };
    let seconds = text.get(1..).and_then(|rest| rest.split_once(':'));
    match seconds.and_then(|(hour, minute)| Some(two_digits(hour, 14)? * 3600 + two_digits(minute, 59)? * 60)) {
        Some(seconds) if sign != 0 && seconds <= 14 * 3600 => Ok(sign * seconds),
        _ => Err("write it as \"+02:00\" or \"-05:30\", at most 14 hours".to_string()),
    }
}

impl Schedule {
    /// The first moment after `time` that the words name.
    pub fn after(&self, time: Millis) -> Millis {
        let local = time.div_euclid(1000) + self.offset_s;
        let (day, second) = (local.div_euclid(DAY_S), local.rem_euclid(DAY_S));
        let due = match self.when {
            When::Every(seconds) => return time.saturating_add(seconds * 1000),
            When::Daily(at) => (day + i64::from(second >= at)) * DAY_S + at,
            When::Weekly(weekday, at) => {
                // 1970-01-01 was a Thursday, day 3 of the week.
                let ahead = (weekday - (day + 3)).rem_euclid(7);
                let ahead = if ahead == 0 && second >= at { 7 } else { ahead };
                (day + ahead) * DAY_S + at
            }
        };
        (due - self.offset_s) * 1000
    }

    /// When the next run is due: the first named moment after the last run. A moment in the past means now. Without a last run,
    /// `started` counts as one, except for `every`, which begins at once. A last run that lies in the future is believed as far as a
    /// clock may be set back (a day, or one interval); further ahead a wrong clock has left it, and `started` counts instead.
    pub fn due(&self, last_run: Option<Millis>, started: Millis, now: Millis) -> Millis {
        let ahead_ms = match self.when {
            // At least what both clocks may differ by: a run is written down by the later one.
            When::Every(seconds) => (seconds * 1000).max(MOST_CLOCK_ERROR_MS),
            When::Daily(_) | When::Weekly(..) => DAY_S * 1000,
        };
        match (last_run, self.when) {
            (None, When::Every(_)) => now,
            (Some(last), _) if last <= now.saturating_add(ahead_ms) => self.after(last),
            _ => self.after(started.min(now)),
        }
    }

    /// A moment in the owner's local time, with its weekday.
    pub fn show(&self, time: Millis) -> String {
        let day = (time.div_euclid(1000) + self.offset_s).div_euclid(DAY_S);
        let weekday = usize::try_from((day + 3).rem_euclid(7)).ok().and_then(|day| WEEKDAYS.get(day));
        let zone = match self.offset_s {
            0 => "UTC".to_string(),
            offset => format!(
                "UTC{}{:02}:{:02}",
                if offset < 0 { '-' } else { '+' },
                offset.abs() / 3600,
                offset.abs() / 60 % 60
            ),
        };
        format!("{} {} {zone}", weekday.unwrap_or(&""), stamp(time, self.offset_s))
    }
}
