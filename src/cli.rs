//! Exactly what was typed: commands, options, and the help text.

use std::ffi::OsString;
use std::path::PathBuf;

/// The help text, whole.
pub const HELP: &str = "\
rebalancer - keeps a cryptocurrency portfolio at its target weights

USAGE
  rebalancer [COMMAND] [OPTIONS]

COMMANDS
  run       wait for the schedule, rebalance, wait again (default)
  once      one cycle now: read, plan, trade what is out of tolerance, verify
  plan      show the orders that a cycle would place; place none
  status    holdings, weights and drift; last and next run
  universe  the list of coins that the portfolio follows; who enters and leaves
  check     test config, key, clock, connection and pairs; say what to fix

OPTIONS
  -c, --config FILE   config file (default: config.json in this directory)
      --paper         trade on the built-in paper account: no key, no risk
      --force         with once and plan: rebalance even inside tolerance
      --accept        with universe: take a list that is refused for changing
                      too much at once; with plan: show what would follow
      --json          with plan, status, once, universe, check: one JSON object
  -v, --verbose       log every request (never a secret)
  -h, --help          this text
  -V, --version       name and version

START
  1. Write config.json, coin and percent, 100 in all:
         {\"BTC\": 50, \"ETH\": 50}
  2. Try it without a key:   rebalancer once --paper
  3. Make an API key at the exchange that may read and trade, not withdraw:
         export REBALANCER_API_KEY=... REBALANCER_API_SECRET=...
     or put {\"api_key\": \"...\", \"api_secret\": \"...\"} into credentials.json
     beside config.json and say: chmod 600 credentials.json
  4. Test it:                rebalancer check
  5. See what it would do:   rebalancer plan
  6. Let it run:             nohup rebalancer &

CONFIG
  The full form has these keys; \"allocation\" or \"universe\" must be there:
    allocation          coin and percent; the sum must be 100
    universe            a list of coins to follow: see the README
    exchange            \"crypto.com\" (default) or \"paper\"
    quote               what coins are traded against; \"USDT\" by default
    tolerance           percentage points off target that are fine: 5
    relative_tolerance  percent of the target that are fine; none
    method              \"drifted\" (default), \"target\" or \"full\"
    restore             drifted coins go to \"target\" (default), \"half\", \"edge\"
    min_trade           smallest order in quote currency: 5
    max_trade           largest order; larger ones are split; none
    max_spread          percent of bid-ask spread that is believed: 5
    cash_reserve        quote currency that is left alone: 0
    unlisted            coins not in allocation: \"ignore\" (default), \"sell\"
    schedule            \"sunday 00:00\" (default), \"daily HH:MM\", \"every 6h\"
    utc_offset          local time of the schedule, \"+02:00\"; UTC by default
    state_dir           journal and paper account; the config's directory
    base_url            another address of the exchange

ENVIRONMENT
  REBALANCER_API_KEY, REBALANCER_API_SECRET   the key
  REBALANCER_CREDENTIALS                      a file with the key instead
  REBALANCER_COINGECKO_KEY                    a demo key for the list, if any

EXIT CODES
  0  balanced, rebalanced or printed
  1  the cycle failed; the message says what happened to money
  2  bad usage, config or credentials; nothing was sent
  3  an order's outcome is unknown; the next run resolves it first
";

/// What to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// The daemon.
    Run,
    /// One cycle.
    Once,
    /// Show orders.
    Plan,
    /// Show holdings.
    Status,
    /// Show the list.
    Universe,
    /// The doctor.
    Check,
    /// Print [`HELP`].
    Help,
    /// Print name and version.
    Version,
}

/// What was typed.
pub struct Args {
    /// The command.
    pub command: Command,
    /// The config file.
    pub config: PathBuf,
    /// `--paper`
    pub paper: bool,
    /// `--force`
    pub force: bool,
    /// `--accept`
    pub accept: bool,
    /// `--json`
    pub json: bool,
    /// `--verbose`
    pub verbose: bool,
}

impl Args {
    /// Reads the arguments after the program's name.
    ///
    /// # Errors
    /// A sentence about the argument that is unknown, repeated, left over or out of place.
    pub fn parse(args: Vec<OsString>) -> Result<Args, String> {
        let mut args = pico_args::Arguments::from_vec(args);
        let help = args.contains(["-h", "--help"]);
        let version = args.contains(["-V", "--version"]);
        let config = args.opt_value_from_os_str(["-c", "--config"], config_file).map_err(|error| error.to_string())?;
        let (paper, force) = (args.contains("--paper"), args.contains("--force"));
        let accept = args.contains("--accept");
        let (json, verbose) = (args.contains("--json"), args.contains(["-v", "--verbose"]));
        let mut rest = args.finish();
        let typed = if rest.is_empty() { OsString::from("run") } else { rest.remove(0) };
        let command = match typed.to_str() {
            Some("run") => Command::Run,
            Some("once") => Command::Once,
            Some("plan") => Command::Plan,
            Some("status") => Command::Status,
            Some("universe") => Command::Universe,
            Some("check") => Command::Check,
            _ => return Err(unknown(&typed)),
        };
        if let Some(extra) = rest.first() {
            return Err(match extra.to_string_lossy().starts_with('-') {
                true => unknown(extra),
                false => format!("one command at a time: '{}' is left over", extra.to_string_lossy()),
            });
        }
        let command = match (help, version) {
            (true, _) => Command::Help,
            (_, true) => Command::Version,
            _ => command,
        };
        if force && !matches!(command, Command::Once | Command::Plan | Command::Help | Command::Version) {
            return Err("--force goes with once and plan".to_string());
        }
        if accept && !matches!(command, Command::Universe | Command::Plan | Command::Help | Command::Version) {
            return Err("--accept goes with universe and plan".to_string());
        }
        if json && command == Command::Run {
            return Err("--json goes with plan, status, once, universe and check".to_string());
        }
        Ok(Args {
            command,
            config: config.unwrap_or_else(|| PathBuf::from("config.json")),
            paper,
            force,
            accept,
            json,
            verbose,
        })
    }
}

fn config_file(value: &std::ffi::OsStr) -> Result<PathBuf, String> {
    match value.to_string_lossy() {
        text if text.starts_with('-') || text.is_empty() => Err(format!("'{text}' is not a file name")),
        _ => Ok(PathBuf::from(value)),
    }
}

fn unknown(arg: &OsString) -> String {
    let text = arg.to_string_lossy();
    match text.starts_with('-') {
        true => format!("the option '{text}' is unknown or repeated"),
        false => format!("the command '{text}' is unknown"),
    }
}
