//! The doctor: config, key, clock, connection and pairs, each with what to do about it.

use crate::amount::Percent;
use crate::clock::span;
use crate::command::{Context, Problem, print};
use crate::config::universe::{Location, Source};
use crate::config::{Config, Venue};
use crate::exchange::{Exchange, Kind};
use crate::execute;
use crate::journal;
use crate::json::{Object, list};
use crate::market::Coin;
use crate::output;
use crate::portfolio::Portfolio;
use crate::store;
use crate::universe::look::{Look, Trouble};
use std::fs;
use std::os::unix::fs::MetadataExt;

const OPEN_CONFIG: &str = "note: others may write to the config, and so decide what is traded; say: chmod go-w on it";
const OPEN_LIST: &str =
    "note: others may write to the list of coins, and so decide what is traded; say: chmod go-w on it";
const OPEN_STATE: &str = "note: others may write to state_dir, and so to the journal; say: chmod go-w on it";

/// One thing that was looked at.
struct Finding {
    name: &'static str,
    /// Exit code when it is bad; 0 when it is good.
    code: u8,
    message: String,
}

/// Looks at everything, prints it, and fails with the code of the first thing that is bad.
///
/// # Errors
/// A summary; the findings are printed.
pub fn run(context: &Context<'_>) -> Result<(), Problem> {
    let mut findings = Vec::new();
    look(context, &mut |name, code, message| findings.push(Finding { name, code, message }));
    if context.args.json {
        print(&format!("{}\n", json(&findings)));
    } else {
        for finding in &findings {
            let mark = if finding.code == 0 { "ok   " } else { "BAD  " };
            print(&output::wrapped(&format!("{mark}{:<12} {}", finding.name, finding.message), "                  "));
        }
    }
    match findings.iter().find(|finding| finding.code != 0) {
        None => Ok(()),
        Some(bad) => {
            let summary = format!("check: {}: {}", bad.name, bad.message);
            Err(Problem { printed: true, ..Problem::new(bad.code, summary) })
        }
    }
}

fn json(findings: &[Finding]) -> String {
    let checks = list(findings.iter().map(|finding| {
        Object::new()
            .text("name", finding.name)
            .raw("ok", if finding.code == 0 { "true" } else { "false" })
            .text("message", &finding.message)
            .end()
    }));
    let good = findings.iter().all(|finding| finding.code == 0);
    Object::new().raw("ok", if good { "true" } else { "false" }).raw("checks", &checks).end()
}

type Tell<'t> = &'t mut dyn FnMut(&'static str, u8, String);

fn look(context: &Context<'_>, tell: Tell<'_>) {
    let config = context.config;
    let coins = match (&config.universe, config.allocation.len()) {
        (None, count) => format!("{count} coins"),
        (Some(list), 0) => format!("a list of {} coins", list.rules.top),
        (Some(list), count) => format!("{count} coins and a list of {}", list.rules.top),
    };
    tell("config", 0, format!("{coins}, quote {}, {}", config.quote, context.args.config.display()));
    for (coin, target) in &config.allocation {
        if config.relative_tolerance.is_none()
            && *target <= config.tolerance
            && *target > Percent::ZERO
            && *coin != config.quote
        {
            let message = format!(
                "note: {coin} has a target of {target} and a tolerance of {}: it never fires for being too small; set relative_tolerance",
                config.tolerance
            );
            tell("tolerance", 0, message);
        }
    }
    files(context, tell);
    let mut exchange: Box<dyn Exchange + '_> = match context.exchange() {
        Ok(exchange) => {
            tell("key", 0, "found".to_string());
            exchange
        }
        Err(problem) => {
            tell("key", problem.code, problem.message);
            // What can be seen without a key is still worth seeing.
            if config.venue == Venue::Paper {
                return;
            }
            Box::new(context.crypto_com(None))
        }
    };
    let coins: Vec<Coin> =
        config.allocation.iter().map(|(coin, _)| coin).filter(|coin| **coin != config.quote).cloned().collect();
    exchange.forget_markets();
    let listings = match exchange.listings(&coins) {
        Ok(listings) => listings,
        Err(error) => {
            return tell("connection", 1, format!("{}; is base_url right?", error.message));
        }
    };
    let place = if config.venue == Venue::Paper { "the paper account, no network" } else { &config.base_url };
    tell("connection", 0, place.to_string());
    match (execute::check_clock(&*exchange, context.machine.clock), exchange.time()) {
        (Ok(()), time) => {
            let off = time.map_or(0, |time| (context.machine.clock.now() - time).abs());
            tell("clock", 0, format!("within {} of the exchange's", span(off.max(1000))));
        }
        (Err(failure), _) => tell("clock", 1, failure.to_string()),
    }
    let missing: Vec<Coin> = coins.iter().filter(|coin| !listings.contains(coin)).cloned().collect();
    pairs(context, &mut *exchange, &missing, tell);
    for market in listings.iter().map(|(_, listing)| &listing.market).filter(|market| !market.tradable) {
        tell("pair", 1, format!("{} takes no orders now", market.symbol));
    }
    let config = list_of_coins(context, &mut *exchange, tell);
    account(config.filter(|_| missing.is_empty()).as_ref(), &mut *exchange, tell);
}

/// The list that the portfolio follows, as the next cycle would read it; returns the config with its members, if there are any.
fn list_of_coins(context: &Context<'_>, exchange: &mut dyn Exchange, tell: Tell<'_>) -> Option<Config> {
    let mut config = context.config.clone();
    let universe = match context.universe() {
        Ok(universe) => universe,
        Err(problem) => {
            tell("list", problem.code, problem.message);
            return None;
        }
    };
    let Some(mut universe) = universe else { return Some(config) };
    match universe.look(exchange, &config, context.machine.clock.now()) {
        Ok(Look { refused: None, record: Some(record), .. }) => {
            let coins: Vec<&str> = record.members.iter().map(|member| member.seat.coin.as_str()).collect();
            tell("list", 0, format!("{}: {}; see rebalancer universe", universe.name(), coins.join(", ")));
            universe.record = record;
        }
        Ok(look) => tell("list", 1, look.refused.unwrap_or_default()),
        Err(Trouble::List(error)) => tell("list", 1, error.message),
        Err(Trouble::Exchange(error)) => tell("list", 1, error.message),
    }
    if let Some(trouble) = universe.trouble() {
        tell("list", 0, format!("note: {trouble}"));
    }
    universe.allocate(&mut config).ok().map(|()| config)
}

/// The state directory and the journal in it.
fn files(context: &Context<'_>, tell: Tell<'_>) {
    let probe = context.config.state_dir.join("check.tmp");
    let disk = context.machine.disk;
    match store::replace(disk, &probe, "").map(|()| disk.remove(&probe)) {
        Ok(_) => tell("state_dir", 0, format!("{} can be written", context.config.state_dir.display())),
        Err(error) => tell("state_dir", 1, format!("{error}; give the program a directory of its own")),
    }
    let list = context.config.universe.as_ref().and_then(|settings| match &settings.source {
        Source::List(Location::File(path)) => Some((path, OPEN_LIST)),
        _ => None,
    });
    let paths = [(&context.args.config, OPEN_CONFIG), (&context.config.state_dir, OPEN_STATE)];
    for (path, message) in paths.into_iter().chain(list) {
        if fs::metadata(path).is_ok_and(|file| file.mode() & 0o022 != 0) {
            tell("files", 0, message.to_string());
        }
    }
    match journal::peek(disk, &context.journal_path()) {
        Ok(state) => match state.unresolved().count() {
            0 => tell("journal", 0, "no order is open".to_string()),
            count => tell(
                "journal",
                0,
                format!("note: {count} orders have no outcome yet; the next cycle asks for them first"),
            ),
        },
        Err(error) => tell("journal", 1, error.to_string()),
    }
}

/// Names each coin that does not trade against the quote currency, and against what it does.
fn pairs(context: &Context<'_>, exchange: &mut dyn Exchange, missing: &[Coin], tell: Tell<'_>) {
    let quote = &context.config.quote;
    if missing.is_empty() {
        return tell("pairs", 0, format!("every coin trades against {quote}"));
    }
    let others = match exchange.quotes_of(missing) {
        Ok(others) => others,
        Err(error) => {
            return tell("pair", 2, format!("{} do not trade against {quote}; {}", missing.join(", "), error.message));
        }
    };
    for coin in missing {
        let quotes: Vec<&str> =
            others.iter().filter(|(base, _)| base == coin).map(|(_, quote)| quote.as_str()).collect();
        let other = quotes.join(", ");
        let advice = match other.is_empty() {
            true => format!(
                "{coin}_{quote} does not exist, nor {coin} against anything else; take {coin} out of the allocation"
            ),
            false => format!(
                "{coin}_{quote} does not exist; {coin} trades against {other}: change \"quote\", or take {coin} out"
            ),
        };
        tell("pair", 2, advice);
    }
}

/// The account and what the key may do; with a config that is complete also prices and values.
fn account(config: Option<&Config>, exchange: &mut dyn Exchange, tell: Tell<'_>) {
    let balances = match exchange.balances() {
        Ok(balances) => balances,
        Err(error) => {
            let code = if error.kind == Kind::NotAuthorised { 2 } else { 1 };
            return tell("account", code, error.message);
        }
    };
    let held = balances.iter().filter(|balance| balance.total > crate::amount::Quantity::ZERO).count();
    tell("account", 0, format!("can be read, {held} coins"));
    match exchange.may_trade() {
        Ok(Some(true)) => {
            tell("permission", 0, "the key may trade; make sure at the exchange that it may not withdraw".to_string())
        }
        Ok(Some(false)) => {
            tell("permission", 2, "the key may not trade; allow trading for it at the exchange".to_string())
        }
        Ok(None) => {
            tell("permission", 0, "note: whether the key may trade cannot be told without an order".to_string())
        }
        Err(error) => tell("permission", 1, error.message),
    }
    let Some(config) = config else { return };
    let listings = exchange.listings(&crate::portfolio::coins(config, &balances));
    match listings.map(|listings| Portfolio::new(config, &balances, &listings)) {
        Ok(Ok(portfolio)) => tell("prices", 0, format!("worth {} {}", portfolio.total.rounded(2), config.quote)),
        Ok(Err(error)) => tell("prices", 1, format!("{error}; no order would be sent")),
        Err(error) => tell("prices", 1, error.message),
    }
}
