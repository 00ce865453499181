//! A list of coins that the portfolio follows: read, matched, chosen, weighed, remembered.
//!
//! ```text
//! source -> matching -> (pairs and prices of the exchange) -> members -> weights -> record -> Config::allocation
//! ```
//!
//! The result is a plain allocation: whatever plans and trades afterwards does not know of lists. A list that cannot be read or believed
//! changes nothing: the last good one stays, and the record says since when and why. Without any there is no allocation, and so no
//! trade. What leaves the list is remembered until it is sold, because the list has bought it; no other coin is touched.

pub mod look;
pub mod matching;
pub mod members;
pub mod record;
pub mod source;
pub mod weights;

use crate::clock::MOST_CLOCK_ERROR_MS;
use crate::config::Config;
use crate::config::universe::{Location, Settings, Source as Place};
use crate::disk::Disk;
use crate::exchange::{self, Exchange, Millis};
use crate::log::Log;
use crate::machine::Machine;
use crate::market::{Bounds, Coin};
use crate::portfolio::{self, Portfolio};
use crate::store;
use look::{Line, Look, Standing, Trouble};
use record::Record;
use source::Kind;
use std::path::{Path, PathBuf};

/// A source that says it was asked too often is left alone for so long, which is what CoinGecko asks for; and with a list that was no
/// good it is tried again no sooner.
const PAUSE_MS: Millis = 60_000;

/// Why no allocation comes from the list.
pub enum Failure {
    /// There is no list, and why.
    None(String),
    /// The exchange failed.
    Exchange(exchange::Error),
    /// The record cannot be written.
    Store(store::Error),
}

/// What is to be done about a list that is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It is for trading: what is new is remembered before it is used, and said in the log.
    Trade,
    /// It is for showing what a cycle would do; nothing is written.
    Show,
    /// The same, as if the owner had accepted a list that is refused.
    ShowAccepted,
}

/// The list that a portfolio follows.
pub struct Universe<'a> {
    settings: &'a Settings,
    machine: Machine<'a>,
    log: &'a Log<'a>,
    path: PathBuf,
    key: Option<String>,
    /// Which list it is, in which quote currency.
    subject: String,
    /// The other rules, and the fixed coins.
    rules: String,
    /// What is remembered.
    pub record: Record,
}

impl<'a> Universe<'a> {
    /// Opens what is remembered at `path`; `key` is the source's. Nothing when the config names no list.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn open(
        config: &'a Config,
        machine: Machine<'a>,
        log: &'a Log<'a>,
        path: PathBuf,
        key: Option<String>,
    ) -> Result<Option<Universe<'a>>, store::Error> {
        let Some(settings) = &config.universe else { return Ok(None) };
        let mut fixed: Vec<&str> = config.allocation.iter().map(|(coin, _)| coin.as_str()).collect();
        fixed.sort_unstable();
        let subject = format!("{} in {}", settings.subject, config.quote);
        let rules = format!("{} beside {}", settings.words, fixed.join(" "));
        let record = Record::load(machine.disk, &path)?;
        Ok(Some(Universe { settings, machine, log, path, key, subject, rules, record }))
    }

    /// The source's name for the owner.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Whether there is a list of this source.
    pub fn has_list(&self) -> bool {
        self.record.read_at.is_some() && self.record.subject == self.subject
    }

    /// Whether a moment is at most so far back. Cycles go by the exchange's clock and other commands by this machine's, which may differ by
    /// a minute; what is further ahead was written with a wrong clock.
    fn recent(time: Option<Millis>, now: Millis, most: Millis) -> bool {
        time.is_some_and(|time| (-MOST_CLOCK_ERROR_MS..most).contains(&now.saturating_sub(time)))
    }

    /// Whether the list is to be read again.
    pub fn is_due(&self, now: Millis) -> bool {
        let (record, refresh) = (&self.record, self.settings.refresh_ms);
        if !self.has_list() || record.rules != self.rules || record.again {
            return true;
        }
        let tried = record.trouble.is_some() && Self::recent(record.tried_at, now, refresh.min(PAUSE_MS));
        // Runs of a daily schedule are now and then a second less than a day apart.
        !tried && !Self::recent(record.read_at, now, refresh - refresh / 24)
    }

    /// Until when the source is to be left alone.
    fn left_alone_until(&self, now: Millis) -> Option<Millis> {
        // A file is never asked too often.
        let is_file = matches!(self.settings.source, Place::List(Location::File(_)));
        let until = self.record.not_before.filter(|until| *until >= now && !is_file)?;
        (until <= now + PAUSE_MS + MOST_CLOCK_ERROR_MS).then_some(until)
    }

    /// Follows the list: reads it when that is due, takes it when it is good, and makes an allocation of the one that counts.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn follow(
        &mut self,
        exchange: &mut dyn Exchange,
        config: &mut Config,
        now: Millis,
        purpose: Purpose,
    ) -> Result<(), Failure> {
        let keep = purpose == Purpose::Trade;
        if self.is_due(now) || purpose == Purpose::ShowAccepted {
            let looked = self.look(exchange, config, now);
            self.conclude(looked, now, purpose)?;
            if keep {
                self.save().map_err(Failure::Store)?;
            }
        }
        if let Some(trouble) = self.trouble() {
            self.log.say(&trouble);
        }
        self.allocate(config)
    }

    /// Takes a list or notes why not.
    fn conclude(&mut self, looked: Result<Look, Trouble>, now: Millis, purpose: Purpose) -> Result<(), Failure> {
        let why = match looked {
            Ok(Look { refused, record: Some(record), lines })
                if refused.is_none() || purpose == Purpose::ShowAccepted =>
            {
                if purpose == Purpose::Trade {
                    self.announce(&lines, &record);
                }
                self.record = record;
                return Ok(());
            }
            Ok(Look { refused, .. }) => refused.unwrap_or_default(),
            Err(Trouble::List(error)) => {
                match error.kind {
                    Kind::TooMany => self.record.not_before = Some(now + PAUSE_MS),
                    // What was wrong is known already.
                    Kind::LeftAlone if self.record.trouble.is_some() => return Ok(()),
                    _ => {}
                }
                error.message
            }
            Err(Trouble::Exchange(error)) if self.has_list() => error.message,
            Err(Trouble::Exchange(error)) => return Err(Failure::Exchange(error)),
        };
        let since = self.record.trouble.as_ref().map_or(now, |(since, _)| *since);
        self.record.trouble = Some((since, why));
        self.record.tried_at = Some(now);
        Ok(())
    }

    /// Makes an allocation of the members that count, beside the fixed coins.
    ///
    /// # Errors
    /// [`Failure::None`] when there are none for these settings.
    pub fn allocate(&self, config: &mut Config) -> Result<(), Failure> {
        let why = self.record.trouble.as_ref().map_or("it has not been read yet", |(_, why)| why);
        if !self.has_list() {
            return Err(Failure::None(format!("no list of coins yet: {why}")));
        }
        for member in &self.record.members {
            let coin = &member.seat.coin;
            if config.allocates(coin) || matching::named(&self.settings.exclude, coin, &member.seat.id) {
                let why = format!("the config has changed what {coin} is, and the list cannot be read anew: {why}");
                return Err(Failure::None(why));
            }
        }
        for member in &self.record.members {
            // Exact: six decimals of each.
            config.allocation.push((member.seat.coin.clone(), self.settings.share.of(member.weight)));
        }
        config.departed = self.record.departed.iter().map(|(coin, _)| coin.clone()).collect();
        Ok(())
    }

    /// What the owner is told about a list that could not be replaced.
    pub fn trouble(&self) -> Option<String> {
        let (since, why) = self.record.trouble.as_ref()?;
        let at = |time| self.log.show(time);
        Some(match self.record.read_at.filter(|_| self.has_list()) {
            Some(read) => format!("the list of {} stays: since {} there is no good one: {why}", at(read), at(*since)),
            None => format!("since {} there is no good list: {why}", at(*since)),
        })
    }

    /// What the owner is told about a portfolio that fails because of a member.
    pub fn blame(&self, error: &portfolio::Error) -> Option<String> {
        let (coin, what) = match error {
            portfolio::Error::NoMarket(coin, quote) => {
                (coin, format!("{coin} does not trade against {quote} any more"))
            }
            portfolio::Error::Price(coin, _) => (coin, error.to_string()),
            _ => return None,
        };
        let advice = "it is on the list, which the next run reads anew; exclude it to go on without it";
        self.record.has(coin).then(|| format!("{what}; {advice}"))
    }

    fn announce(&self, lines: &[Line], record: &Record) {
        let entering: Vec<&str> =
            lines.iter().filter(|line| line.standing == Standing::Enters).map(Line::name).collect();
        if !entering.is_empty() {
            self.log.say(&format!("{}: {} enter the list", self.name(), entering.join(", ")));
        }
        for line in lines {
            if let Standing::Leaves(why) = &line.standing {
                let sold = record.departed.iter().any(|(coin, _)| coin == line.name());
                let sold = if sold { " and is sold" } else { "; what the account holds of it is left alone" };
                self.log.say(&format!("{} leaves the list{sold}: {why}", line.name()));
            }
        }
    }

    /// Writes what is remembered.
    ///
    /// # Errors
    /// When the disk refuses; what was remembered before is still there.
    pub fn save(&self) -> Result<(), store::Error> {
        self.record.save(self.machine.disk, &self.path)
    }

    /// Has the list read again in the next cycle, because a member cannot be traded any more.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn look_again(&mut self) -> Result<(), store::Error> {
        self.record.again = true;
        self.save()
    }

    /// Before these coins are bought: those that are members are the list's from now on, to be sold when they leave it.
    ///
    /// # Errors
    /// When it cannot be written; nothing may be bought then.
    pub fn take<'c>(&mut self, coins: impl Iterator<Item = &'c Coin>) -> Result<(), store::Error> {
        let mut news = false;
        for coin in coins {
            for member in self.record.members.iter_mut().filter(|member| member.seat.coin == *coin && !member.taken) {
                (member.taken, news) = (true, true);
            }
        }
        if news { self.save() } else { Ok(()) }
    }

    /// After a cycle that ended well: what is held of its members is the list's, and coins that left it are forgotten when no order's worth
    /// of them is left.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn settle(&mut self, portfolio: &Portfolio, bounds: Bounds) -> Result<(), store::Error> {
        let before = self.record.departed.len();
        self.record.departed.retain(|(coin, _)| {
            let held = portfolio.holdings.iter().find(|holding| holding.coin == *coin);
            let worth = held.is_some_and(|held| held.worth_on_tick(held.value) >= held.minimum(bounds));
            worth || portfolio.ignored.iter().any(|(ignored, _)| ignored == coin)
        });
        if self.record.departed.len() < before {
            self.save()?;
        }
        let held = portfolio.holdings.iter().filter(|holding| holding.value >= holding.minimum(bounds));
        self.take(held.map(|holding| &holding.coin))
    }
}

/// Forgets what is remembered of a list, when the portfolio follows none any more; true when there was something.
pub fn forget(disk: &dyn Disk, path: &Path) -> bool {
    disk.remove(path).is_ok()
}
