//! What the tests of the whole program share: a directory of its own, the built binary with a deadline, chance from a seed, and the
//! paper account counted again by other arithmetic than the program's.

#![allow(dead_code)] // Each test crate uses its own part of this.

#[path = "../program/mod.rs"]
mod program;

use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Longer than any command takes: beyond it the program hangs.
pub const DEADLINE: Duration = Duration::from_secs(90);

/// A directory that is gone when the test has ended.
pub struct Dir(PathBuf);

impl Dir {
    pub fn new() -> Dir {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("rebalancer-test-{}-{count}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Dir(path)
    }

    /// A directory with a config file.
    pub fn with(config: &str) -> Dir {
        let dir = Dir::new();
        dir.write("config.json", config);
        dir
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.file(name), text).unwrap();
    }

    pub fn chmod(&self, name: &str, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(self.file(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A file's text; empty when there is no such file.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    /// Names of the files in it, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How a command ended and what it said.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Run {
    /// The one JSON object on standard output.
    pub fn json(&self) -> Json {
        let json: Json = serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        assert!(json.is_object(), "{self:?}");
        json
    }

    pub fn good(self) -> Run {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }
}

/// The program in a directory, without the owner's key, not started yet.
pub fn command(dir: &Dir, args: &[&str]) -> Command {
    let mut command = Command::new(program::program());
    command.args(args).current_dir(dir.path()).stdin(Stdio::null());
    for name in ["REBALANCER_API_KEY", "REBALANCER_API_SECRET", "REBALANCER_CREDENTIALS", "REBALANCER_COINGECKO_KEY"] {
        command.env_remove(name);
    }
    command
}

/// Runs the program to its end.
pub fn run(dir: &Dir, args: &[&str]) -> Run {
    finish(command(dir, args))
}

/// Runs a command to its end.
pub fn finish(mut command: Command) -> Run {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let read = move |pipe: &mut dyn Read| {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    let out = std::thread::spawn(move || read(&mut out));
    let err = std::thread::spawn(move || read(&mut err));
    let code = wait(&mut child);
    Run { code, out: out.join().unwrap(), err: err.join().unwrap() }
}

/// Waits for a child; one that hangs is killed and fails the test.
pub fn wait(child: &mut Child) -> Option<i32> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if start.elapsed() > DEADLINE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the program hangs");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Polls until something is true.
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < DEADLINE, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Kills a child when it goes out of scope, so that a failing test leaves none behind.
pub struct Killed(pub Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Chance from a seed (splitmix64): the same numbers on every machine.
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// An exact decimal, by other arithmetic than the program's: a whole number and how many of its digits are decimals.
#[derive(Clone, Copy, Debug)]
pub struct Dec(pub i128, pub u32);

impl Dec {
    /// Plain decimal text, and nothing else.
    pub fn read(text: &str) -> Dec {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        assert!(plain(whole) && plain(part) && (whole == "0" || !whole.starts_with('0')), "no plain decimal: {text}");
        let part = part.trim_end_matches('0');
        let number: i128 = format!("{whole}{part}").parse().unwrap();
        Dec(if text.starts_with('-') { -number } else { number }, part.len() as u32)
    }

    pub fn of(json: &Json) -> Dec {
        Dec::read(json.as_str().unwrap_or_else(|| panic!("no string: {json}")))
    }

    pub fn at(self, places: u32) -> i128 {
        self.0 * 10_i128.pow(places - self.1)
    }

    pub fn plus(self, other: Dec) -> Dec {
        let places = self.1.max(other.1);
        Dec(self.at(places) + other.at(places), places)
    }

    pub fn minus(self, other: Dec) -> Dec {
        self.plus(Dec(-other.0, other.1))
    }

    pub fn times(self, other: Dec) -> Dec {
        let (mut number, mut places) = (self.0 * other.0, self.1 + other.1);
        while places > 0 && number % 10 == 0 {
            (number, places) = (number / 10, places - 1);
        }
        Dec(number, places)
    }

    pub fn compare(self, other: Dec) -> std::cmp::Ordering {
        self.minus(other).0.cmp(&0)
    }

    pub fn below(self, other: &str) -> bool {
        self.compare(Dec::read(other)).is_lt()
    }
}

impl PartialEq for Dec {
    fn eq(&self, other: &Dec) -> bool {
        self.compare(*other).is_eq()
    }
}

pub const HALF: Dec = Dec(5, 1);
pub const ZERO: Dec = Dec(0, 0);

/// What the paper account's file says.
#[derive(Debug)]
pub struct Account {
    pub balances: BTreeMap<String, Dec>,
    pub prices: BTreeMap<String, (Dec, Dec)>,
    pub orders: Vec<Json>,
}

impl Account {
    pub fn read(dir: &Dir) -> Account {
        let json: Json = serde_json::from_str(&dir.read("paper.json")).unwrap();
        let members = |key: &str| json[key].as_object().unwrap().clone();
        Account {
            balances: members("balances").iter().map(|(coin, total)| (coin.clone(), Dec::of(total))).collect(),
            prices: members("prices")
                .iter()
                .map(|(coin, price)| (coin.clone(), (Dec::of(&price["bid"]), Dec::of(&price["ask"]))))
                .collect(),
            orders: json.get("orders").map_or(Vec::new(), |orders| orders.as_array().unwrap().clone()),
        }
    }

    pub fn middle(&self, coin: &str) -> Dec {
        let (bid, ask) = self.prices[coin];
        bid.plus(ask).times(HALF)
    }

    /// All of it at the middle of bid and ask.
    pub fn worth(&self) -> Dec {
        let value =
            |(coin, total): (&String, &Dec)| if coin == "USDT" { *total } else { total.times(self.middle(coin)) };
        self.balances.iter().map(value).fold(ZERO, Dec::plus)
    }

    /// What one order costs: the fee of 0.5 percent and half the spread. Of a buy the fee is taken in the coin.
    pub fn cost(&self, side: &str, coin: &str, order: &Json) -> Dec {
        let (bid, ask) = self.prices[coin];
        let (quantity, value) = (Dec::of(&order["filled_quantity"]), Dec::of(&order["filled_value"]));
        let fee = Dec(5, 3);
        match side {
            "SELL" => {
                assert_eq!(value, quantity.times(bid), "sold at the bid");
                value.times(fee).plus(quantity.times(self.middle(coin).minus(bid)))
            }
            _ => {
                assert_eq!(value, quantity.times(ask), "bought at the ask");
                quantity.times(fee).times(self.middle(coin)).plus(quantity.times(ask.minus(self.middle(coin))))
            }
        }
    }
}
