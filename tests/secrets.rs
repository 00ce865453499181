//! Where a key could be seen from outside the program: arguments, environments, core files, files and what is printed. And which files it
//! takes a key from, or anything else.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::use_debug, missing_docs)]
#![allow(clippy::cast_possible_truncation)] // What the tests share counts decimals.

mod common;
#[path = "exchange/mod.rs"]
mod exchange;
#[path = "hostile/mod.rs"]
mod hostile;

use common::{Dir, Killed, Run, command, finish, until};
use exchange::{Act, Exchange, Fault, World, two_coins};
use hostile::{Server, forward, ok};
use serde_json::{Value as Json, json};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

const KEY: &str = "k3yPUBLICpart7";
/// Too long for a register, of which a core file always holds some.
const SECRET: &str = "s3cretPRIVATEpart-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ-9876543210";
const OPEN_ORDERS: &str = "private/get-open-orders";

fn key_file() -> String {
    format!("{{\"api_key\": \"{KEY}\", \"api_secret\": \"{SECRET}\"}}\n")
}

fn world() -> World {
    let mut world = two_coins();
    (world.key, world.secret) = (KEY.into(), SECRET.into());
    world
}

/// An exchange where nothing is to be done.
fn quiet() -> Exchange {
    let mut world = world();
    world.hold("ETH", "3");
    world.hold("USDT", "0");
    Exchange::start(world)
}

/// An exchange that keeps the first request of a cycle waiting, so that the cycle can be looked at.
fn slow() -> Exchange {
    let mut world = world();
    world.faults.push(Fault::always(OPEN_ORDERS, Act::Delay { ms: 5000 }));
    Exchange::start(world)
}

/// An owner's folder for this address, with the key in a file.
fn home(url: &str) -> Dir {
    let dir = Dir::with(&format!(
        r#"{{"allocation": {{"BTC": 50, "ETH": 50}}, "schedule": "every 1s", "base_url": "{url}"}}"#
    ));
    dir.write("credentials.json", key_file());
    dir.chmod("credentials.json", 0o600);
    dir
}

/// A command with the key in its environment.
fn with_key(dir: &Dir, args: &[&str]) -> Command {
    fs::remove_file(dir.file("credentials.json")).unwrap();
    let mut command = command(dir, args);
    command.env("REBALANCER_API_KEY", KEY).env("REBALANCER_API_SECRET", SECRET);
    command
}

/// Nothing of the key in what was printed, nor in the files beside it. Of the secret not even a part.
fn hidden(what: &str, run: &Run, dir: &Dir) {
    let mut all = format!("{}{}", run.out, run.err);
    dir.names().iter().filter(|name| *name != "credentials.json").for_each(|name| all.push_str(&dir.read(name)));
    let parts = (0..SECRET.len() - 8).map(|at| &SECRET[at..at + 8]).chain([KEY]);
    parts.for_each(|part| assert!(!all.contains(part), "{what}: {part} is shown\n{all}"));
}

fn holds(path: &Path, text: &str) -> bool {
    fs::read(path).unwrap().windows(text.len()).any(|part| part == text.as_bytes())
}

/// The process that this one has started.
fn child_of(parent: u32) -> Option<u32> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.find(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent_of = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok());
        parent_of == Some(parent)
    })
}

#[test]
fn arguments_and_core_filters_of_the_daemon_and_its_cycle_show_nothing() {
    let exchange = slow();
    for from_file in [true, false] {
        let dir = home(&exchange.url());
        let args = ["run", "--verbose"];
        let mut daemon = if from_file { command(&dir, &args) } else { with_key(&dir, &args) };
        let daemon = Killed(daemon.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let mut cycle = None;
        until("a cycle asks the exchange", || {
            cycle = child_of(daemon.0.id());
            // Between fork and exec it is still the daemon.
            cycle.is_some_and(|pid| {
                fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.windows(4).any(|part| part == b"once"))
            })
        });
        for pid in [daemon.0.id(), cycle.unwrap()] {
            let proc = |name: &str| Path::new("/proc").join(pid.to_string()).join(name);
            for part in [KEY, SECRET, "REBALANCER_API"] {
                assert!(!holds(&proc("cmdline"), part), "{part} in the arguments of {pid}");
            }
            // Whoever may read this may read the process's memory as well.
            let environment = fs::metadata(proc("environ")).unwrap();
            assert_eq!(environment.permissions().mode() & 0o777, 0o400);
            assert_eq!(environment.uid(), fs::metadata("/proc/self").unwrap().uid());
            assert_eq!(holds(&proc("environ"), SECRET), !from_file);
            until("no memory is to be in its core file", || {
                fs::read_to_string(proc("coredump_filter")).unwrap().trim() == "00000000"
            });
        }
    }
}

/// The core file that a signal leaves of a run that waits for an answer; `filter` is set from outside first.
fn core(exchange: &Exchange, filter: Option<&str>) -> Vec<u8> {
    let dir = home(&exchange.url());
    let program = command(&dir, &[]).get_program().to_owned();
    let asked = exchange.world().count(OPEN_ORDERS);
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -c unlimited && exec \"$0\" once"]).arg(program).current_dir(dir.path());
    for name in ["REBALANCER_API_KEY", "REBALANCER_API_SECRET", "REBALANCER_CREDENTIALS"] {
        shell.env_remove(name);
    }
    let mut run = Killed(shell.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    until("it waits for an answer", || exchange.world().count(OPEN_ORDERS) > asked);
    let pid = run.0.id().to_string();
    if let Some(filter) = filter {
        fs::write(format!("/proc/{pid}/coredump_filter"), filter).unwrap();
    }
    assert!(Command::new("kill").args(["-ABRT", &pid]).status().unwrap().success());
    run.0.wait().unwrap();
    let name = dir.names().into_iter().find(|name| name.starts_with("core"));
    fs::read(dir.file(&name.unwrap())).unwrap()
}

#[test]
fn a_core_file_does_not_hold_the_secret() {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    let may = Command::new("sh").args(["-c", "ulimit -c unlimited"]).stderr(Stdio::null()).status().unwrap().success();
    if !pattern.starts_with("core") || !may {
        // Core files go elsewhere on this system, or nowhere; the test above has seen the filter.
        return;
    }
    let exchange = slow();
    let holds = |core: &[u8]| core.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
    assert!(holds(&core(&exchange, Some("0x33"))), "with the system's own filter it does");
    let core = core(&exchange, None);
    assert!(!holds(&core) && core.len() < 1024 * 1024, "{} bytes", core.len());
}

#[test]
fn an_exchange_that_repeats_the_request_in_its_answers_does_not_make_it_known() {
    let exchange = Exchange::start(world());
    let port = exchange.url().split(':').nth(2).unwrap().split('/').next().unwrap().parse().unwrap();
    let server = Server::talking(move |link, _| {
        let Some((method, request)) = link.request() else { return };
        let answer = String::from_utf8(forward(port, &request)).unwrap();
        // The key first: of a name that an exchange tells, only the beginning is shown.
        let said = format!("{KEY} {}", String::from_utf8_lossy(&request));
        let mut json: Json = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        let result = &mut json["result"];
        match method.as_str() {
            "private/get-order-detail" => result["order_id"] = json!(said),
            "private/user-balance" => result["data"][0]["position_balances"]
                .as_array_mut()
                .unwrap()
                .push(json!({"instrument_name": said, "quantity": "1", "reserved_qty": "0"})),
            OPEN_ORDERS => result["data"] = json!([{"client_oid": said, "instrument_name": said}]),
            _ => {}
        }
        // The tickers are the last that is asked before trading: the key is told back where it was never sent.
        if method == "public/get-tickers" && link.first_of(&method) {
            json = json!({"code": 40801, "message": format!("{KEY} {SECRET}")});
        }
        link.send(&ok(&json.to_string()));
    });
    let dir = home(&server.url("http"));
    let run = finish(command(&dir, &["once", "--json", "--verbose"]));
    assert_eq!((run.code, exchange.world().orders.len()), (Some(0), 2), "{run:?}");
    assert!(run.out.contains("***") && run.err.contains("***"), "nothing was repeated: {run:?}");
    assert!(dir.read("rebalancer.journal").contains("***"), "nothing was kept: {run:?}");
    hidden("echo", &run, &dir);
}

#[test]
fn a_fault_of_the_program_shows_where_and_not_what() {
    let server =
        Server::saying(hostile::Say::text(format!("HTTP/1.1 200 OK\r\n{KEY}{}\n", "a".repeat(8191 - KEY.len()))));
    for args in [&["once"][..], &["once", "--json"], &["status"], &["check"]] {
        let dir = home(&server.url("http"));
        let mut command = with_key(&dir, args);
        let run = finish({
            command.env("RUST_BACKTRACE", "full");
            command
        });
        assert_eq!((run.code, run.err.lines().count()), (Some(1), 1), "{run:?}");
        assert!(run.err.contains("fault of the program") && !run.err.contains("overflow"), "{run:?}");
        hidden("fault", &run, &dir);
    }
}

#[test]
fn a_key_file_that_was_cut_or_damaged_is_refused_without_a_part_of_it() {
    let whole = key_file();
    let whole = whole.trim_end();
    let cut = (0..whole.len()).map(|length| whole[..length].to_string());
    // No control character is allowed in JSON, nor in a key.
    let damaged = (0..=whole.len()).map(|at| format!("{}\u{1}{}", &whole[..at], &whole[at..]));
    let dir = home("http://127.0.0.1:1");
    for text in cut.chain(damaged) {
        dir.write("credentials.json", &text);
        let run = finish(command(&dir, &["once", "--json"]));
        assert_eq!(run.code, Some(2), "{text}: {run:?}");
        assert!(run.err.starts_with("rebalancer: ./credentials.json:1: ") || run.err.contains("must hold"), "{run:?}");
        hidden(&text, &run, &dir);
    }
}

/// The file's mode is that of the file that is read, also while another one gets its name.
#[test]
fn a_key_file_that_is_swapped_while_it_is_looked_at_is_not_believed() {
    let server = Server::saying(hostile::Say::Bytes(ok(r#"{"code":40101,"message":"UNAUTHORIZED"}"#)));
    let dir = home(&server.url("http"));
    let (mine, open) = (dir.file("mine"), dir.file("open"));
    let swapped = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !swapped.load(std::sync::atomic::Ordering::Relaxed) {
                for (path, key, mode) in [(&mine, KEY, 0o600), (&open, "k3yOFsomebodyELSE", 0o644)] {
                    fs::write(path, key_file().replace(KEY, key)).unwrap();
                    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
                }
                for _ in 0..1000 {
                    // Each name in turn is a link to the same file, and to the other one.
                    for path in [&mine, &open] {
                        let _ = fs::remove_file(dir.file("link"));
                        fs::hard_link(path, dir.file("link")).unwrap();
                        fs::rename(dir.file("link"), dir.file("credentials.json")).unwrap();
                    }
                }
            }
        });
        let codes: Vec<_> = (0..150).map(|_| finish(command(&dir, &["once"])).code).collect();
        swapped.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(codes.iter().all(|code| *code == Some(2)), "{codes:?}");
    });
    let seen = server.seen();
    assert!(seen.contains(KEY) && !seen.contains("k3yOFsomebodyELSE"));
}

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").args(["-m", "600"]).arg(path).status().unwrap().success());
}

#[test]
fn a_key_that_is_in_no_file_is_refused_at_once() {
    let other = Dir::new();
    other.write("key.json", key_file());
    other.write("huge", "x".repeat(1024 * 1024 + 1));
    type Make<'m> = &'m dyn Fn(&Path);
    let ways: [(&str, Make<'_>); 9] = [
        ("no regular file", &|path| pipe(path)),
        ("no regular file", &|path| fs::create_dir(path).unwrap()),
        ("no regular file", &|path| symlink("/dev/zero", path).unwrap()),
        ("no regular file", &|path| symlink("/dev/random", path).unwrap()),
        ("no API key", &|path| symlink("nowhere", path).unwrap()),
        ("cannot read the file", &|path| symlink(path, path).unwrap()),
        ("group or others may read it", &|path| {
            fs::set_permissions(other.file("key.json"), PermissionsExt::from_mode(0o640)).unwrap();
            symlink(other.file("key.json"), path).unwrap();
        }),
        ("larger than 1048576 bytes", &|path| {
            fs::set_permissions(other.file("huge"), PermissionsExt::from_mode(0o600)).unwrap();
            symlink(other.file("huge"), path).unwrap();
        }),
        ("no regular file", &|path| drop(std::os::unix::net::UnixListener::bind(path).unwrap())),
    ];
    for (words, make) in ways {
        let dir = home("http://127.0.0.1:1");
        fs::remove_file(dir.file("credentials.json")).unwrap();
        make(&dir.file("credentials.json"));
        let run = finish(command(&dir, &["once"]));
        // A socket is refused by the system before it is looked at.
        assert!(run.code == Some(2) && (run.err.contains(words) || run.err.contains("os error 6")), "{words}: {run:?}");
        hidden(words, &run, &dir);
    }
    // A link to a private file is as good as the file.
    let exchange = Exchange::start(world());
    let dir = home(&exchange.url());
    fs::rename(dir.file("credentials.json"), dir.file("key")).unwrap();
    symlink("key", dir.file("credentials.json")).unwrap();
    finish(command(&dir, &["status"])).good();
}

#[test]
fn what_is_no_file_never_keeps_the_program_waiting() {
    let config = r#"{"allocation": {"BTC": 50, "ETH": 50}, "exchange": "paper"}"#;
    for (name, code) in [
        ("config.json", 2),
        ("paper.json", 2),
        ("paper.journal", 1),
        ("cycle.lock", 1),
        ("paper.json.new", 2),
        ("paper.journal.new", 1),
    ] {
        for device in [false, true] {
            let dir = Dir::with(config);
            let _ = fs::remove_file(dir.file(name));
            match device {
                false => pipe(&dir.file(name)),
                // What is written to it is gone, and what is read never ends.
                true if !name.ends_with(".new") && name != "cycle.lock" => {
                    symlink("/dev/zero", dir.file(name)).unwrap()
                }
                true => continue,
            }
            let run = finish(command(&dir, &["once"]));
            assert_eq!(run.code, Some(code), "{name}: {run:?}");
            assert!(run.err.contains(name.trim_end_matches(".new")), "{name}: {run:?}");
        }
    }
    // The daemon's own lock, and the cache, which nobody needs.
    let exchange = quiet();
    let dir = home(&exchange.url());
    pipe(&dir.file("daemon.lock"));
    let run = finish(command(&dir, &["run"]));
    assert!(run.code == Some(1) && run.err.contains("daemon.lock"), "{run:?}");
    pipe(&dir.file("markets.cache"));
    finish(command(&dir, &["once"])).good();
    assert!(fs::metadata(dir.file("markets.cache")).unwrap().is_file());
}

#[test]
fn every_file_belongs_to_its_owner_alone_whatever_the_umask() {
    let run = |umask: &str| {
        let exchange = quiet();
        let dir = home(&exchange.url());
        let shell = |args: &[&str]| {
            let program = command(&dir, &[]);
            let mut shell = Command::new("sh");
            shell.args(["-c", "umask $1 && program=$2 && shift 2 && exec \"$program\" \"$@\"", "sh", umask]);
            shell.arg(program.get_program()).args(args).current_dir(dir.path()).stdin(Stdio::null());
            shell
        };
        for args in [&["once"][..], &["once", "--paper"]] {
            finish(shell(args)).good();
        }
        let daemon = Killed(shell(&["run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        until("the daemon has its lock", || dir.file("daemon.lock").exists());
        drop(daemon);
        let names = dir.names();
        for made in "cycle.lock daemon.lock markets.cache paper.json paper.journal rebalancer.journal".split(' ') {
            assert!(names.iter().any(|name| name == made), "no {made} in {names:?}");
        }
        for name in names.iter().filter(|name| *name != "config.json") {
            assert_eq!(fs::metadata(dir.file(name)).unwrap().mode() & 0o777, 0o600, "{name} with umask {umask}");
        }
    };
    std::thread::scope(|scope| {
        for umask in ["000", "022", "002", "077"] {
            scope.spawn(move || run(umask));
        }
    });
}

#[test]
fn check_notes_what_others_may_write_to() {
    let exchange = quiet();
    let exchange = &exchange;
    let notes = |(config, folder, notes): (u32, u32, usize)| {
        let dir = home(&exchange.url());
        dir.chmod("config.json", config);
        dir.chmod("", folder);
        let run = finish(command(&dir, &["check"])).good();
        assert_eq!(run.out.matches("others may write to").count(), notes, "{config:o} {folder:o}: {run:?}");
    };
    std::thread::scope(|scope| {
        for case in [(0o644, 0o755, 0), (0o620, 0o700, 1), (0o646, 0o700, 1), (0o600, 0o1777, 1), (0o666, 0o770, 2)] {
            scope.spawn(move || notes(case));
        }
    });
}
