//! The command line of the real program: every option, every misuse, exit codes, and tables that fit 80 columns.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::use_debug)]
#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod common;

use common::{Dir, Killed, command, finish, run, until};
use std::io::{Seek, SeekFrom};
use std::process::Stdio;

const CONFIG: &str = r#"{"allocation": {"BTC": 60, "ETH": 30, "USDT": 10}, "tolerance": 15}"#;

/// Bad usage: exit code 2, one sentence on standard error with all of `words`, nothing on standard output, no file.
fn misuse(args: &[&str], words: &[&str]) {
    let dir = Dir::with(CONFIG);
    let run = run(&dir, args);
    assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{args:?} {run:?}");
    assert!(run.err.starts_with("rebalancer: ") && run.err.lines().count() == 1, "{args:?} {run:?}");
    for word in words.iter().chain(&["--help"]) {
        assert!(run.err.contains(word), "no {word:?}: {args:?} {run:?}");
    }
    assert_eq!(dir.names(), ["config.json"], "{args:?}");
}

#[test]
fn the_help_fits_80_columns_and_names_everything() {
    let dir = Dir::new();
    for args in [&["--help"][..], &["-h"], &["plan", "-h"], &["-h", "--json", "run"], &["--help", "--version"]] {
        let run = run(&dir, args).good();
        assert!(run.err.is_empty(), "{run:?}");
        for line in run.out.lines() {
            assert!(line.chars().count() <= 80, "{line}");
            assert_eq!(line, line.trim_end());
        }
        let commands = "run once plan status universe check";
        let options = "-c, --config FILE|--paper|--force|--accept|--json|-v, --verbose|-h, --help|-V, --version";
        let keys = "allocation universe exchange quote tolerance relative_tolerance method restore min_trade max_trade max_spread \
            cash_reserve unlisted schedule utc_offset state_dir base_url";
        let environment =
            "REBALANCER_API_KEY REBALANCER_API_SECRET REBALANCER_CREDENTIALS REBALANCER_COINGECKO_KEY credentials.json";
        let lines: Vec<&str> = run.out.lines().map(str::trim_start).collect();
        for name in commands.split(' ').chain(options.split('|')).chain(keys.split(' ')) {
            assert!(lines.iter().any(|line| line.starts_with(name)), "no line about {name}");
        }
        for name in environment.split(' ') {
            assert!(run.out.contains(name), "{name}");
        }
        let codes = run.out.split("EXIT CODES\n").nth(1).unwrap();
        let codes: Vec<&str> = codes.lines().map(|line| &line[..4]).collect();
        assert_eq!(codes, ["  0 ", "  1 ", "  2 ", "  3 "]);
    }
    assert!(dir.names().is_empty());
}

#[test]
fn the_version_is_the_package_s() {
    let dir = Dir::new();
    for args in [&["--version"][..], &["-V"], &["once", "-V"], &["-V", "--paper"]] {
        assert_eq!(run(&dir, args).good().out, format!("rebalancer {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn what_is_unknown_repeated_or_left_over_is_refused() {
    for option in "--bogus|--papers|--Paper|-p|-j|-f|--verbos|--conf|-vv|-vh|--json=true|--paper=1|---|--|-".split('|')
    {
        misuse(&["plan", option], &[option]);
        misuse(&[option, "plan"], &[option]);
        misuse(&[option], &[option]);
    }
    for word in ["trade", "Plan", "PLAN", "plans", "help", "", " ", "config.json"] {
        misuse(&[word], &[&format!("'{word}'")]);
        misuse(&[word, "--paper"], &[&format!("'{word}'")]);
    }
    misuse(&["plan", "once"], &["'once'", "left over"]);
    misuse(&["plan", "plan"], &["'plan'", "left over"]);
    misuse(&["run", "config.json"], &["'config.json'", "left over"]);
    misuse(&["--help", "extra"], &["extra"]);
    for option in "--json|--paper|--force|--accept|--verbose|-v|--help|-h|--version|-V".split('|') {
        misuse(&["plan", option, option], &[option]);
        misuse(&[option, "plan", option], &[option]);
    }
    misuse(&["plan", "-v", "--verbose"], &["repeated"]);
    misuse(&["plan", "-h", "--help"], &["repeated"]);
    misuse(&["plan", "-c", "config.json", "-c", "config.json"], &["-c", "repeated"]);
    misuse(&["plan", "-c", "config.json", "--config", "config.json"], &["--config", "repeated"]);
    misuse(&["--config", "a", "--config", "b"], &["--config", "repeated"]);
    misuse(&["run", "--json"], &["--json goes with plan, status, once, universe and check"]);
    misuse(&["--json"], &["--json goes with"]);
    for command in ["run", "status", "check"] {
        misuse(&[command, "--force"], &["--force goes with once and plan"]);
    }
    misuse(&["--force"], &["--force goes with once and plan"]);
    for command in ["run", "once", "status", "check"] {
        misuse(&[command, "--accept"], &["--accept goes with universe and plan"]);
    }
}

#[test]
fn the_config_option_takes_a_file_name_and_nothing_else() {
    for option in ["-c", "--config"] {
        misuse(&["plan", option], &[option, "value"]);
        misuse(&["plan", "--paper", option], &[option, "value"]);
        misuse(&["plan", option, "--help"], &[option, "value"]);
        for other in ["--paper", "-v", "--json", "-"] {
            misuse(&["plan", option, other], &[other, "not a file name"]);
            misuse(&[option, other, "plan"], &[other, "not a file name"]);
        }
        misuse(&["plan", option, ""], &["not a file name"]);
        // Not taken for the default file with something ignored.
        misuse(&["plan", "--paper", &format!("{option}=config.json")], &[&format!("{option}=config.json")]);
    }
    misuse(&["plan", "--paper", "-cconfig.json"], &["-cconfig.json"]);
    let dir = Dir::new();
    dir.write("-x.json", CONFIG);
    run(&dir, &["plan", "--paper", "-c", "./-x.json"]).good();
}

#[test]
fn options_may_stand_before_and_after_the_command_in_any_order() {
    let options = ["--paper", "--json", "--force", "-v", "-c", "other.json"];
    let dir = Dir::new();
    dir.write("other.json", CONFIG);
    let expected = run(&dir, &["plan", "--paper", "--json", "--force", "-v", "-c", "other.json"]).good();
    run(&dir, &["plan", "--paper", "--json", "--force", "-v", "-c", "other.json"]).json();
    for at in 0..=options.len() {
        if at == 5 {
            continue; // Between -c and its file.
        }
        for command in ["plan", "once"] {
            let dir = Dir::new();
            dir.write("other.json", CONFIG);
            let mut args = options.to_vec();
            args.insert(at, command);
            let found = run(&dir, &args).good();
            if command == "plan" {
                assert_eq!(found.out, expected.out, "{args:?}");
            }
            assert!(found.json().get("orders").is_some());
        }
    }
    // A file that is named like a command, and names that are no UTF-8.
    use std::os::unix::ffi::OsStrExt;
    dir.write("plan", CONFIG);
    run(&dir, &["--config", "plan", "status", "--paper"]).good();
    let odd = std::ffi::OsStr::from_bytes(b"\xff\xfe.json");
    std::fs::write(dir.path().join(odd), CONFIG).unwrap();
    let mut command = command(&dir, &["plan", "--paper", "-c"]);
    command.arg(odd);
    finish(command).good();
}

#[test]
fn an_argument_that_is_no_utf_8_is_refused_without_a_panic() {
    use std::os::unix::ffi::OsStrExt;
    let dir = Dir::with(CONFIG);
    for bytes in [&b"\xff\xfe"[..], b"--\xff", b"-\xff", b"plan\xff"] {
        for before in [&[][..], &["plan"], &["plan", "--paper"]] {
            let mut command = command(&dir, before);
            command.arg(std::ffi::OsStr::from_bytes(bytes));
            let run = finish(command);
            assert!(run.code == Some(2) && run.out.is_empty() && run.err.contains("--help"), "{run:?}");
        }
    }
}

#[test]
fn without_a_command_the_daemon_runs() {
    let dir = Dir::with(CONFIG);
    let mut daemon = command(&dir, &["--paper"]);
    let daemon = common::Killed(daemon.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    common::until("the daemon holds its lock", || {
        std::fs::File::open(dir.file("daemon.lock")).is_ok_and(|file| file.try_lock().is_err())
    });
    drop(daemon);
}

#[test]
fn a_closed_output_is_no_panic_and_no_other_exit_code() {
    let dir = Dir::with(CONFIG);
    for args in [
        &["--help"][..],
        &["--version"],
        &["plan", "--paper"],
        &["plan", "--paper", "--json"],
        &["status", "--paper"],
        &["check", "--paper"],
        &["once", "--paper"],
        &["once", "--paper", "--json"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut closed = command(&dir, args);
        closed.stdout(writer.try_clone().unwrap()).stderr(writer);
        let code = common::wait(&mut closed.spawn().unwrap());
        assert_eq!(code, Some(0), "{args:?}");
    }
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = command(&dir, &["plan", "--paper"]);
    command.stdout(full);
    assert_eq!(common::wait(&mut command.spawn().unwrap()), Some(0));
}

/// A paper account with coins that are given as (name, quantity, price, tick).
fn account(coins: &[(String, &str, &str, &str)], cash: &str) -> Dir {
    let dir = Dir::new();
    let share = 100_u64 * 1_000_000 / coins.len() as u64;
    let rest = 100 * 1_000_000 - share * (coins.len() as u64 - 1);
    let percent = |at: usize| if at == 0 { rest } else { share };
    let percents: Vec<String> = coins
        .iter()
        .enumerate()
        .map(|(at, (coin, ..))| format!("\"{coin}\": {}.{:06}", percent(at) / 1_000_000, percent(at) % 1_000_000))
        .collect();
    dir.write("config.json", format!("{{{}}}", percents.join(", ")));
    let balances: Vec<String> =
        coins.iter().map(|(coin, quantity, ..)| format!("\"{coin}\": \"{quantity}\"")).collect();
    let prices: Vec<String> = coins
        .iter()
        .map(|(coin, _, price, tick)| {
            format!("\"{coin}\": {{\"bid\": \"{price}\", \"ask\": \"{price}\", \"tick\": \"{tick}\"}}")
        })
        .collect();
    dir.write(
        "paper.json",
        format!(
            "{{\"balances\": {{{}, \"USDT\": \"{cash}\"}}, \"prices\": {{{}}}}}",
            balances.join(", "),
            prices.join(", ")
        ),
    );
    dir
}

/// Every line fits 80 columns, and the columns of the coin table end where their headings end.
fn aligned(out: &str, coins: usize) {
    for line in out.lines() {
        assert!(line.chars().count() <= 80, "{} columns: {line}\n{out}", line.chars().count());
    }
    let lines: Vec<&str> = out.lines().collect();
    let heading = lines[0];
    let names: Vec<&str> = heading.split_whitespace().collect();
    assert_eq!(names, ["coin", "quantity", "price", "value", "weight", "target", "drift"]);
    let ends: Vec<usize> = names[1..].iter().map(|name| heading.find(name).unwrap() + name.len()).collect();
    for line in &lines[1..=coins + 1] {
        assert_eq!(line.split_whitespace().count(), 7, "{line}");
        for end in &ends {
            let bytes = line.as_bytes();
            assert_ne!(bytes[end - 1], b' ', "a column does not end at {end}: {line}\n{out}");
            assert!(bytes.get(*end).is_none_or(|byte| *byte == b' '), "a column goes past {end}: {line}\n{out}");
        }
        assert!(line.chars().rev().take_while(|letter| *letter != ' ').any(|letter| "+-".contains(letter)), "{line}");
    }
    assert!(lines[coins + 2].starts_with("total "), "{out}");
    assert!(lines[coins + 2].find('.').unwrap() == lines[1][..ends[2]].rfind('.').unwrap(), "{out}");
}

fn tables(coins: &[(String, &str, &str, &str)], cash: &str, commands: &[&str]) {
    let dir = account(coins, cash);
    for command in commands {
        let run = run(&dir, &[command, "--paper"]).good();
        aligned(&run.out, coins.len());
    }
}

const ALL: [&str; 3] = ["plan", "status", "once"];

#[test]
fn the_tables_of_one_two_and_thirty_coins_are_aligned() {
    tables(&[("BTC".to_string(), "0.01", "62902.76", "0.00001")], "1000", &ALL);
    tables(
        &[("BTC".to_string(), "0.01", "62902.76", "0.00001"), ("ETH".to_string(), "0", "1872.81", "0.0001")],
        "0",
        &ALL,
    );
    let prices = ["62902.76", "1872.81", "0.9946", "0.069329", "1", "0.000004480"];
    let ticks = ["0.00001", "0.0001", "0.1", "1", "0.01", "10000"];
    let amounts = ["0.123456", "3.00012345678901", "1508", "100000", "77.77", "345678901.5"];
    let thirty: Vec<_> =
        (0..30).map(|at| (format!("COIN{at}"), amounts[at % 6], prices[at % 6], ticks[at % 6])).collect();
    tables(&thirty, "12345.678901", &ALL);
}

#[test]
fn the_tables_of_huge_and_tiny_amounts_are_aligned() {
    let coins = [
        ("ABCDEFGHIJ", "12345678901234", "0.000000000000000012", "1"),
        ("BIG", "0.000000000000000001", "123456789012", "0.000000000000000001"),
        ("TINY", "0.00000000000001", "0.000000000000000001", "0.00000000000001"),
        ("PEPE", "98765432109.12345678", "0.000002714", "1"),
        ("WBTC", "21.123456789012345678", "99999.99", "0.00000001"),
    ];
    let coins: Vec<_> =
        coins.iter().map(|(coin, quantity, price, tick)| (coin.to_string(), *quantity, *price, *tick)).collect();
    // Without `once`: a price this small would buy more than can be counted.
    tables(&coins, "99999999.123456789", &["plan", "status"]);
    tables(&coins[1..2], "5", &["plan", "status"]);
    tables(&coins[3..], "99999999.123456789", &ALL);
    // Nothing at all: every weight is zero.
    tables(&[("BTC".to_string(), "0", "62902.76", "0.00001")], "0", &ALL);
}

#[test]
fn the_longest_coin_name_that_is_accepted_keeps_to_80_columns() {
    let name = "ABCDEFGHIJKLMNOPQRST".to_string();
    let dir = account(&[(name.clone(), "100", "1.5", "1"), ("ETH".to_string(), "1", "1872.81", "0.0001")], "1000");
    for command in ALL {
        let run = run(&dir, &[command, "--paper"]).good();
        assert!(run.out.contains(&name[..10]));
        for line in run.out.lines() {
            assert!(line.chars().count() <= 80, "{} columns: {line}\n{}", line.chars().count(), run.out);
        }
    }
}

/// What a daemon's log says after its first cycle; the file held two million bytes of older lines before.
fn log_after_a_cycle(append: bool) -> String {
    let dir = Dir::with(r#"{"allocation": {"BTC": 50, "ETH": 50}, "schedule": "every 1h"}"#);
    dir.write("log", "an older line\n".repeat(150_000));
    let mut options = std::fs::OpenOptions::new();
    let mut log = options.write(true).append(append).open(dir.file("log")).unwrap();
    log.seek(SeekFrom::End(0)).unwrap();
    let mut daemon = command(&dir, &["run", "--paper"]);
    daemon.stdout(Stdio::null()).stderr(log);
    let _daemon = Killed(daemon.spawn().unwrap());
    until("the next run is told", || dir.read("log").contains("next run"));
    dir.read("log")
}

#[test]
fn a_log_that_is_appended_to_keeps_its_newest_lines() {
    let log = log_after_a_cycle(true);
    assert!(log.len() < 70_000, "{} bytes", log.len());
    let older = log.lines().take_while(|line| *line == "an older line").count();
    assert!(older > 4000, "{older} older lines");
    assert!(log.lines().skip(older).all(|line| line.starts_with("20")), "a cut line: {log}");
    assert!(log.contains("created a demo") && log.ends_with('\n'), "{log}");
}

#[test]
fn a_log_that_is_not_appended_to_is_left_alone() {
    let log = log_after_a_cycle(false);
    assert!(log.starts_with(&"an older line\n".repeat(150_000)) && log.contains("created a demo"));
}
