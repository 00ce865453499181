//! When a run is due, under every way a clock can be wrong, and the calendar beneath it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::use_debug)]
#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod common;

use common::{Chance, Dir, Killed, command, run, until};
use rebalancer::clock::{date_from_days, days_from_date, http_date, span, stamp};
use rebalancer::schedule::{Schedule, When, parse_offset};
use std::process::Stdio;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;

fn schedule(words: &str, offset: &str) -> Schedule {
    let when = When::parse(words).unwrap_or_else(|why| panic!("{why}"));
    Schedule { when, offset_s: parse_offset(offset).unwrap_or_else(|why| panic!("{why}")) }
}

/// Milliseconds of `2026-11-22 17:03:05` in UTC.
fn at(text: &str) -> i64 {
    let number = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap();
    let days = days_from_date(number(0, 4), number(5, 7), number(8, 10));
    days * DAY + number(11, 13) * HOUR + number(14, 16) * MINUTE + number(17, 19) * SECOND
}

#[test]
fn the_next_moment_is_the_one_that_the_words_name() {
    // 2026-11-22 is a Sunday.
    for (words, offset, time, next) in [
        ("sunday 00:00", "+00:00", "2026-11-22 00:00:00", "2026-11-29 00:00:00"),
        ("sunday 00:00", "+00:00", "2026-11-21 23:59:59", "2026-11-22 00:00:00"),
        ("sunday 00:00", "+00:00", "2026-11-22 17:03:05", "2026-11-29 00:00:00"),
        ("sunday 18:30", "+00:00", "2026-11-22 17:03:05", "2026-11-22 18:30:00"),
        ("sunday 18:30", "+00:00", "2026-11-22 18:30:00", "2026-11-29 18:30:00"),
        ("monday 00:00", "+00:00", "2026-11-22 17:03:05", "2026-11-23 00:00:00"),
        ("saturday 23:59", "+00:00", "2026-11-22 00:00:00", "2026-11-28 23:59:00"),
        ("sunday 00:00", "+02:00", "2026-11-21 21:59:59", "2026-11-21 22:00:00"),
        ("sunday 00:00", "+02:00", "2026-11-21 22:00:00", "2026-11-28 22:00:00"),
        ("sunday 00:00", "-05:30", "2026-11-22 00:00:00", "2026-11-22 05:30:00"),
        ("daily 06:30", "+00:00", "2026-11-22 06:29:59", "2026-11-22 06:30:00"),
        ("daily 06:30", "+00:00", "2026-11-22 06:30:00", "2026-11-23 06:30:00"),
        ("daily 06:30", "+14:00", "2026-11-22 16:29:00", "2026-11-22 16:30:00"),
        ("daily 00:00", "-11:59", "2026-12-31 11:59:00", "2027-01-01 11:59:00"),
        ("daily 00:00", "+00:00", "2028-02-28 12:00:00", "2028-02-29 00:00:00"),
        ("every 6h", "+02:00", "2026-11-22 17:03:05", "2026-11-22 23:03:05"),
        ("every 1s", "+00:00", "2026-12-31 23:59:59", "2027-01-01 00:00:00"),
        ("every 366d", "+00:00", "2026-11-22 17:03:05", "2027-11-23 17:03:05"),
        ("thursday 00:00", "+00:00", "1970-01-01 00:00:00", "1970-01-08 00:00:00"),
    ] {
        let found = schedule(words, offset).after(at(time));
        assert_eq!(stamp(found, 0), next, "{words} {offset} after {time}");
    }
}

#[test]
fn a_millisecond_before_the_moment_is_before_it_and_the_moment_is_not_after_itself() {
    for (words, period) in [("wednesday 12:34", WEEK), ("daily 12:34", DAY)] {
        let schedule = schedule(words, "+05:30");
        let moment = schedule.after(at("2026-11-22 17:03:05"));
        assert_eq!(schedule.after(moment - 1), moment);
        assert_eq!(schedule.after(moment), moment + period);
        assert_eq!(schedule.after(moment + 1), moment + period);
        assert_eq!(schedule.after(moment + period - 1), moment + period);
        assert_eq!(schedule.after(-moment) % 1000, 0, "before 1970 as well");
    }
}

#[test]
fn after_is_the_first_named_moment_on_any_day_and_offset() {
    let mut chance = Chance(20_261_122);
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    for _ in 0..20_000 {
        let (weekday, hour, minute) = (chance.below(7) as usize, chance.below(24) as i64, chance.below(60) as i64);
        let offset_s = chance.below(28 * 60) as i64 * 60 - 14 * 3600;
        let time = chance.below(7_258_118_400_000) as i64;
        let daily = chance.below(2) == 0;
        let words = if daily { "daily" } else { days[weekday] };
        let when = When::parse(&format!("{words} {hour:02}:{minute:02}")).unwrap_or_else(|why| panic!("{why}"));
        let schedule = Schedule { when, offset_s };
        let next = schedule.after(time);
        // Nothing but the definition: later than `time` by at most a period, and what it shows is what the words say.
        assert!(next > time && next - time <= if daily { DAY } else { WEEK }, "{words} {time} {next}");
        let shown = schedule.show(next);
        assert!(shown.contains(&format!(" {hour:02}:{minute:02}:00 ")), "{shown}");
        // 1970-01-05 was a Monday.
        let day = ((next + offset_s * SECOND) / DAY - 4).rem_euclid(7) as usize;
        assert!(daily || day == weekday, "{shown}");
        assert!(shown.starts_with(days[day]), "{shown}");
    }
}

#[test]
fn missed_runs_are_due_now_and_once() {
    for (words, period) in [("sunday 00:00", WEEK), ("daily 06:30", DAY), ("every 6h", 6 * HOUR)] {
        let schedule = schedule(words, "+00:00");
        let last = at("2026-11-22 17:03:05");
        let now = last + 10 * period + 12_345;
        assert!(schedule.due(Some(last), now, now) <= now, "{words}: ten were missed");
        // It has run: whatever was missed before is past.
        let next = schedule.due(Some(now), now, now);
        assert!(next > now && next <= now + period, "{words}");
        assert!(schedule.due(Some(next), now, next + 10) > next + 10, "{words}");
    }
}

#[test]
fn without_a_last_run_a_named_moment_is_waited_for_and_an_interval_begins_at_once() {
    let started = at("2026-11-22 17:03:05");
    let weekly = schedule("sunday 18:00", "+00:00");
    for later in [0, MINUTE, 56 * MINUTE] {
        assert_eq!(stamp(weekly.due(None, started, started + later), 0), "2026-11-22 18:00:00");
    }
    // Slept through: due, since it was waited for.
    assert!(weekly.due(None, started, started + 3 * HOUR) <= started + 3 * HOUR);
    let interval = schedule("every 6h", "+00:00");
    assert_eq!(interval.due(None, started, started), started);
    assert_eq!(interval.due(None, started, started + 5), started + 5);
}

#[test]
fn a_machine_that_boots_in_1970_waits_and_then_goes_by_the_right_clock() {
    // The daemon gives the start by the present clock: now less what it has been running for.
    let (boot, right) = (at("1970-01-01 00:00:07"), at("2026-11-25 10:00:00"));
    for words in ["sunday 00:00", "daily 06:30"] {
        let schedule = schedule(words, "+00:00");
        assert!(schedule.due(None, boot, boot + 30 * SECOND) > boot + 30 * SECOND, "{words}");
        let started = right - MINUTE;
        let due = schedule.due(None, started, right);
        assert!(due > right && due <= right + WEEK, "{words}: no run only because the clock was set");
        // With a last run in the future of 1970 nothing happens before the clock is right; then what was missed is due.
        let last = at("2026-11-10 00:00:01");
        assert!(schedule.due(Some(last), boot, boot + MINUTE) > boot + MINUTE, "{words}");
        assert!(schedule.due(Some(last), started, right) <= right, "{words}");
        let last = right - HOUR;
        assert!(schedule.due(Some(last), started, right) > right, "{words}");
    }
}

#[test]
fn a_clock_that_goes_back_does_not_repeat_a_run_and_one_that_goes_forward_does_not_lose_it() {
    for words in ["sunday 00:00", "daily 00:00", "every 12h"] {
        let schedule = schedule(words, "+00:00");
        let ran = schedule.after(at("2026-11-25 00:00:00")) + 3 * SECOND;
        for back in [SECOND, MINUTE, 3 * HOUR, 11 * HOUR] {
            let now = ran - back;
            assert!(schedule.due(Some(ran), now, now) > now, "{words}: {back} ms back");
            assert_eq!(schedule.due(Some(ran), now, now), schedule.after(ran), "{words}: {back} ms back");
        }
        let next = schedule.after(ran);
        for forward in [0, SECOND, HOUR, 3 * DAY, 400 * DAY] {
            let now = next + forward;
            assert!(schedule.due(Some(ran), now, now) <= now, "{words}: {forward} ms forward");
        }
    }
}

#[test]
fn a_last_run_in_the_future_never_postpones_beyond_the_second_moment_from_now() {
    for words in ["sunday 00:00", "daily 06:30", "every 6h", "every 1s"] {
        let schedule = schedule(words, "-05:30");
        let now = at("2026-11-22 17:03:05");
        for ahead in [SECOND, HOUR, DAY, 30 * DAY, 4000 * DAY, 400_000 * DAY] {
            let due = schedule.due(Some(now + ahead), now, now);
            assert!(due > now && due <= schedule.after(schedule.after(now)), "{words}: {ahead}");
        }
        for last in [i64::MIN / 4, -1, 0, 1] {
            assert!(schedule.due(Some(last), now, now) <= now, "{words}: {last}");
        }
    }
}

/// What the daemon does, on a clock that jumps: at each wake-up it runs when `due <= now`, and a cycle that finds the clock more
/// than a minute from the exchange's fails and is tried again later.
struct Daemon {
    schedule: Schedule,
    last_run: Option<i64>,
    /// Real time since the start.
    elapsed: i64,
    retry_at: i64,
    /// Real times of good runs.
    runs: Vec<i64>,
    wakes: u32,
}

impl Daemon {
    fn wake(&mut self, start: i64, clock_error: i64) -> i64 {
        self.wakes += 1;
        assert!(self.wakes < 2_000_000, "it wakes up for nothing");
        let real = start + self.elapsed;
        let now = real + clock_error;
        let due = self.schedule.due(self.last_run, now - self.elapsed, now);
        if due <= now && self.elapsed >= self.retry_at {
            if clock_error.abs() <= MINUTE {
                // The later of both clocks, as the cycle writes it.
                self.last_run = Some(now.max(real));
                self.runs.push(real);
            } else {
                self.retry_at = self.elapsed + 15 * MINUTE;
            }
            return 1;
        }
        let wait = if due > now { due - now } else { self.retry_at - self.elapsed };
        wait.clamp(1, 5 * MINUTE)
    }
}

#[test]
fn over_years_of_jumping_clocks_no_moment_has_two_runs_and_none_is_lost() {
    for seed in 0..60 {
        let mut chance = Chance(seed);
        let words = ["sunday 00:00", "wednesday 13:37", "daily 06:30", "daily 23:59"][chance.below(4) as usize];
        let schedule = schedule(words, ["+00:00", "+02:00", "-05:30", "+14:00"][chance.below(4) as usize]);
        let start = at("2026-11-22 17:03:05") + chance.below(WEEK as u64) as i64;
        let mut daemon = Daemon { schedule, last_run: None, elapsed: 0, retry_at: 0, runs: Vec::new(), wakes: 0 };
        let (mut error, mut error_ends) = (0, 0);
        // Times when the clock was wrong: no run can be asked for then.
        let mut wrong: Vec<(i64, i64)> = Vec::new();
        let end = 2 * 365 * DAY;
        while daemon.elapsed < end {
            if daemon.elapsed >= error_ends {
                let quiet = chance.below(3) > 0;
                let sizes = [20 * SECOND, MINUTE, 3 * HOUR, 2 * DAY, 30 * DAY, 20_000 * DAY];
                let size = sizes[chance.below(6) as usize];
                error = if quiet { 0 } else { chance.below(2 * size as u64 + 1) as i64 - size };
                error_ends = daemon.elapsed + chance.below(3 * DAY as u64) as i64;
                if error.abs() > MINUTE {
                    wrong.push((start + daemon.elapsed, start + error_ends));
                }
            }
            daemon.elapsed += daemon.wake(start, error);
        }
        // By the real calendar: one run for each moment, within a minute before (a clock ahead) and half an hour after,
        // unless the clock was wrong then; after that at the latest half an hour after it was right again.
        let mut moment = schedule.after(start);
        let mut runs = daemon.runs.iter().copied().peekable();
        let mut missed = false;
        while moment < start + end - 40 * DAY {
            let next = schedule.after(moment);
            assert!(next > moment);
            let mut count = 0;
            let mut first = None;
            while let Some(run) = runs.next_if(|run| *run < next - MINUTE) {
                count += 1;
                first = first.or(Some(run));
            }
            // What was missed before may be made up for in the last minute before this moment.
            let late = missed && first.is_some_and(|run| run < moment);
            assert!(count <= 1 + i32::from(late), "seed {seed}, {words}: {count} runs for {}", stamp(moment, 0));
            let mut latest = moment + 30 * MINUTE;
            for (from, to) in &wrong {
                if *from <= latest && *to > moment - MINUTE {
                    latest = latest.max(to + 30 * MINUTE);
                }
            }
            assert!(
                latest >= next - MINUTE || first.is_some_and(|run| (moment - MINUTE..=latest).contains(&run)),
                "seed {seed}, {words}: {} has no run until {}: {:?}",
                stamp(moment, 0),
                stamp(latest, 0),
                first.map(|run| stamp(run, 0))
            );
            (missed, moment) = (count == 0, next);
        }
        assert!(daemon.runs.len() > 50, "seed {seed}: {} runs", daemon.runs.len());
    }
}

#[test]
fn an_interval_is_kept_between_any_two_runs_and_never_stalls() {
    for seed in 0..20 {
        let mut chance = Chance(seed);
        let start = at("2026-11-22 17:03:05");
        let mut daemon = Daemon {
            schedule: schedule("every 6h", "+00:00"),
            last_run: None,
            elapsed: 0,
            retry_at: 0,
            runs: Vec::new(),
            wakes: 0,
        };
        let (mut error, mut error_ends) = (0, 0);
        while daemon.elapsed < 365 * DAY {
            if daemon.elapsed >= error_ends {
                let size = [0, MINUTE, 5 * HOUR, 40 * DAY][chance.below(4) as usize];
                error = chance.below(2 * size as u64 + 1) as i64 - size;
                error_ends = daemon.elapsed + chance.below(DAY as u64) as i64;
            }
            daemon.elapsed += daemon.wake(start, error);
        }
        for pair in daemon.runs.windows(2) {
            let gap = pair[1] - pair[0];
            assert!(gap >= 6 * HOUR - 2 * MINUTE, "seed {seed}: {gap} ms between two runs");
            // A wrong clock lasts a day at most, several may follow one another.
            assert!(gap <= 15 * DAY, "seed {seed}: {gap} ms between two runs");
        }
        assert!(daemon.runs.len() > 300, "seed {seed}: {} runs", daemon.runs.len());
    }
}

#[test]
fn a_clock_that_is_a_little_off_does_not_make_a_short_interval_run_without_a_pause() {
    for (words, interval) in
        [("every 1s", SECOND), ("every 10s", 10 * SECOND), ("every 1m", MINUTE), ("every 2m", 2 * MINUTE)]
    {
        // Within the minute that a cycle allows; behind, the cycle's end is written by the exchange's later clock.
        for error in [-MINUTE, -30 * SECOND, -2 * SECOND, 0, 2 * SECOND, MINUTE] {
            let schedule = schedule(words, "+00:00");
            let mut daemon = Daemon { schedule, last_run: None, elapsed: 0, retry_at: 0, runs: Vec::new(), wakes: 0 };
            while daemon.elapsed < HOUR && daemon.runs.len() < 10_000 {
                daemon.elapsed += daemon.wake(at("2026-11-22 17:03:05"), error);
            }
            let most = HOUR / interval + 1;
            assert!(daemon.runs.len() as i64 <= most, "{words}, {error} ms off: {} runs in an hour", daemon.runs.len());
            assert!(daemon.runs.len() > 10, "{words}, {error} ms off: {} runs in an hour", daemon.runs.len());
        }
    }
}

#[test]
fn dates_agree_with_a_day_counter_from_1970_to_2200() {
    let (mut year, mut month, mut day) = (1970, 1, 1);
    let mut days = 0;
    while year <= 2200 {
        assert_eq!(days_from_date(year, month, day), days, "{year}-{month}-{day}");
        assert_eq!(date_from_days(days), (year, month, day), "day {days}");
        assert_eq!(stamp(days * DAY, 0), format!("{year:04}-{month:02}-{day:02} 00:00:00"));
        assert_eq!(stamp(days * DAY + DAY - 1, 0), format!("{year:04}-{month:02}-{day:02} 23:59:59"));
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = match month {
            2 => 28 + i64::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        (day, days) = (day + 1, days + 1);
        if day > length {
            (day, month) = (1, month + 1);
        }
        if month > 12 {
            (month, year) = (1, year + 1);
        }
    }
    assert_eq!(days, 84_371, "231 years, 56 of them leap years");
    assert_eq!(stamp(-1, 0), "1969-12-31 23:59:59");
    assert_eq!(stamp(0, -5 * 3600 - 1800), "1969-12-31 18:30:00");
    assert_eq!(stamp(i64::from(u32::MAX) * 1000, 0), "2106-02-07 06:28:15", "past 2038");
}

#[test]
fn http_dates_of_the_one_current_form_are_read() {
    for (text, expected) in [
        ("Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06 08:49:37"),
        ("Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01 00:00:00"),
        ("Sun, 22 Nov 2026 17:03:05 GMT", "2026-11-22 17:03:05"),
        ("Tue, 29 Feb 2028 23:59:59 GMT", "2028-02-29 23:59:59"),
        ("  Sun, 22 Nov 2026 17:03:05 GMT\r", "2026-11-22 17:03:05"),
        ("Fri, 31 Dec 2038 23:59:60 GMT", "2039-01-01 00:00:00"),
    ] {
        assert_eq!(http_date(text).map(|time| stamp(time, 0)).as_deref(), Some(expected), "{text}");
    }
    let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    for (at, name) in names.iter().enumerate() {
        let time = http_date(&format!("Xxx, 01 {name} 2026 00:00:00 GMT")).unwrap();
        assert_eq!(time, days_from_date(2026, at as i64 + 1, 1) * DAY);
    }
}

#[test]
fn http_dates_of_any_other_form_are_no_date() {
    let bad = "|x|Sun, 06 Nov 1994 08:49:37|Sun, 06 Nov 1994 08:49:37 UTC|Sun, 06 Nov 1994 08:49:37 +0000|Sun, 06 Nov 94 08:49:37 GMT|\
        Sunday, 06-Nov-94 08:49:37 GMT|Sun Nov  6 08:49:37 1994|06 Nov 1994 08:49:37 GMT|Sun 06 Nov 1994 08:49:37 GMT|\
        Sun, 00 Nov 1994 08:49:37 GMT|Sun, 32 Nov 1994 08:49:37 GMT|Sun, 06 nov 1994 08:49:37 GMT|Sun, 06 11 1994 08:49:37 GMT|\
        Sun, 06 Nov 1969 08:49:37 GMT|Sun, 06 Nov 10000 08:49:37 GMT|Sun, 06 Nov 1994 24:00:00 GMT|Sun, 06 Nov 1994 08:60:00 GMT|\
        Sun, 06 Nov 1994 08:49:61 GMT|Sun, 06 Nov 1994 08:49 GMT|Sun, 06 Nov 1994 08:49:37:00 GMT|Sun, -6 Nov 1994 08:49:37 GMT|\
        Sun, 06 Nov 1994  08:49:37 GMT|Sun, 06 Nov 1994 08:49:37 GMT x|Sun, 6x Nov 1994 08:49:37 GMT|Sun,06 Nov 1994 08:49:37 GMT|\
        Sun, 06 Nov 99999999999999999999 08:49:37 GMT|, , , , ,|2026-11-22T17:03:05Z|1795366985";
    for text in bad.split('|') {
        assert_eq!(http_date(text), None, "{text}");
    }
    let whole = "Sun, 06 Nov 1994 08:49:37 GMT";
    for at in 0..whole.len() {
        assert_eq!(http_date(&whole[..at]), None, "cut at {at}");
    }
}

#[test]
fn a_day_that_its_month_has_not_or_a_number_with_a_sign_is_no_date() {
    let bad = "Wed, 31 Feb 2026 08:49:37 GMT|Mon, 30 Feb 2028 08:49:37 GMT|Sun, 29 Feb 2026 08:49:37 GMT|Sun, 31 Nov 2026 08:49:37 GMT|\
        Sun, +6 Nov 1994 08:49:37 GMT|Sun, 06 Nov +1994 08:49:37 GMT|Sun, 06 Nov 1994 +8:49:37 GMT";
    for text in bad.split('|') {
        assert_eq!(http_date(text), None, "{text}");
    }
}

#[test]
fn spans_are_said_in_the_two_largest_units() {
    for (ms, words) in [
        (-5, "0 s"),
        (0, "0 s"),
        (999, "0 s"),
        (45 * SECOND, "45 s"),
        (59 * SECOND + 999, "59 s"),
        (MINUTE, "1 min"),
        (12 * MINUTE + 59 * SECOND, "12 min"),
        (HOUR, "1 h"),
        (5 * HOUR + 20 * MINUTE, "5 h 20 min"),
        (DAY - 1, "23 h 59 min"),
        (DAY, "1 d"),
        (DAY + 59 * MINUTE, "1 d"),
        (3 * DAY + 4 * HOUR + 5 * MINUTE, "3 d 4 h"),
        (400 * DAY, "400 d"),
    ] {
        assert_eq!(span(ms), words, "{ms}");
    }
    assert!(span(i64::MAX).ends_with(" h") && span(i64::MIN) == "0 s");
}

#[test]
fn a_run_by_hand_while_the_daemon_sleeps_moves_its_next_run() {
    let dir = Dir::with(r#"{"allocation": {"BTC": 50, "ETH": 50}, "exchange": "paper", "schedule": "every 10s"}"#);
    run(&dir, &["once"]).good();
    let log = std::fs::File::create(dir.file("log")).unwrap();
    let mut daemon = command(&dir, &["run"]);
    daemon.stdout(Stdio::null()).stderr(log);
    let _daemon = Killed(daemon.spawn().unwrap());
    until("the next run is told", || dir.read("log").contains("next run"));
    run(&dir, &["once"]).good();
    // Without the run by hand this wake-up would be a cycle of the daemon's own.
    until("the daemon has woken", || dir.read("log").lines().count() > 1);
    let second = dir.read("log").lines().nth(1).unwrap().to_string();
    assert!(second.contains("next run"), "{second}");
}
