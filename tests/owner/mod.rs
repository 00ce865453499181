//! An owner: a folder with a config, a key, and runs of the real program against the loopback exchange.

#![allow(dead_code, unused_imports)]

#[path = "../program/mod.rs"]
mod program;

pub use crate::exchange::two_coins;
use crate::exchange::{Dec, Exchange};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder of its own, removed in the end.
pub struct Owner {
    pub home: PathBuf,
}

static COUNT: AtomicU32 = AtomicU32::new(0);

impl Owner {
    /// A folder with this config.json, in which `URL` stands for the exchange's address.
    pub fn new(exchange: &Exchange, config: &str) -> Owner {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let home = std::env::temp_dir().join(format!("rebalancer-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&home).unwrap();
        std::fs::write(home.join("config.json"), config.replace("URL", &exchange.url())).unwrap();
        Owner { home }
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program::program());
        command
            .args(args)
            .current_dir(&self.home)
            .env("REBALANCER_API_KEY", "test-key")
            .env("REBALANCER_API_SECRET", "test-secret")
            .env_remove("REBALANCER_CREDENTIALS")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn start(&self, args: &[&str]) -> Child {
        self.command(args).spawn().unwrap()
    }

    pub fn run(&self, args: &[&str]) -> Run {
        Run::from(self.command(args).output().unwrap())
    }

    /// Runs `once` until it ends well, a few times at most; gives the exit codes.
    pub fn run_until_good(&self) -> Vec<i32> {
        let mut codes = Vec::new();
        while codes.len() < 4 && codes.last() != Some(&0) {
            codes.push(self.run(&["once"]).code);
        }
        codes
    }

    pub fn journal(&self) -> String {
        std::fs::read_to_string(self.home.join("rebalancer.journal")).unwrap_or_default()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

/// A process that is to be killed from inside the exchange: its number is known only after it was started.
#[derive(Clone, Default)]
pub struct Victim(Arc<AtomicU32>);

impl Victim {
    /// Names the process; what waits in `kill` goes on.
    pub fn is(&self, child: &Child) {
        self.0.store(child.id(), Ordering::SeqCst);
    }

    /// What kills it, like a power cut: for `Act::Call`.
    pub fn kill(&self) -> Arc<dyn Fn() + Send + Sync> {
        let pid = Arc::clone(&self.0);
        Arc::new(move || {
            while pid.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            let number = pid.load(Ordering::SeqCst).to_string();
            Command::new("kill").args(["-KILL", &number]).status().unwrap();
        })
    }
}

/// How a run ended. The secret is nowhere in it, which is checked for every run.
pub struct Run {
    pub code: i32,
    pub out: String,
    pub log: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Run {
        let run = Run {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            log: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(
            !run.out.contains("test-secret") && !run.log.contains("test-secret"),
            "the secret was shown: {}",
            run.log
        );
        run
    }
}

impl Run {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.out, self.log))
    }
}

/// The account's books: what it was worth and what trading cost so far.
pub struct Books {
    value: Dec,
    costs: Dec,
}

impl Books {
    pub fn open(exchange: &Exchange) -> Books {
        let world = exchange.world();
        Books { value: world.value("USDT"), costs: world.fee_cost + world.spread_cost }
    }

    /// What was lost since is what trading cost since, to the last digit, and nothing forbidden was done.
    pub fn check(&self, exchange: &Exchange, what: &str) {
        let (lost, cost, violations) = {
            let world = exchange.world();
            let costs = world.fee_cost + world.spread_cost;
            (self.value - world.value("USDT"), costs - self.costs, world.violations.clone())
        };
        assert!(violations.is_empty(), "{what}: {violations:?}");
        assert_eq!(lost, cost, "{what}: value lost and costs");
    }
}

/// Every weight is within `points` of what was asked.
pub fn assert_weights(exchange: &Exchange, targets: &[(&str, &str)], points: &str, what: &str) {
    let world = exchange.world();
    let weights: Vec<(String, Dec, Dec)> = targets
        .iter()
        .map(|(coin, target)| ((*coin).to_string(), world.weight(coin, "USDT"), crate::exchange::dec(target)))
        .collect();
    drop(world);
    let bound = crate::exchange::dec(points);
    for (coin, weight, target) in weights {
        let off = if weight > target { weight - target } else { target - weight };
        assert!(off <= bound, "{what}: {coin} is at {weight}, not {target}");
    }
}

/// The tutorial's portfolio on the loopback exchange.
pub const HALVES: &str = r#"{"allocation": {"BTC": 50, "ETH": 50}, "base_url": "URL"}"#;

/// Runs jobs side by side: they wait for the program's own pauses most of the time.
pub fn side_by_side<T: Send + Sync>(jobs: &[T], run: impl Fn(&T) + Sync) {
    let next = AtomicU32::new(0);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..48)
            .map(|_| {
                scope.spawn(|| {
                    while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                        run(job);
                    }
                })
            })
            .collect();
        for worker in workers {
            if let Err(panic) = worker.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
}
