//! A list of coins that the portfolio follows: read, matched, chosen, weighed, remembered.
//!
//! ```text
//! source -> matching -> (pairs and prices of the exchange) -> members -> weights -> record -> Config::allocation
//! ```
//!
//! The result is a plain allocation: whatever plans and trades afterwards does not know of lists. A list that cannot be read or believed
//! changes nothing: the last good one stays, and the record says since when and why. Without any there is no allocation, and so no
//! trade. What leaves the list is remembered until it is sold, because the list has bought it; no other coin is touched.

pub mod matching;
pub mod members;
pub mod record;
pub mod source;
pub mod weights;

use crate::amount::Percent;
use crate::clock::MOST_CLOCK_ERROR_MS;
use crate::config::universe::{Settings, Weighting};
use crate::config::{self, Config};
use crate::exchange::{self, Exchange, Millis};
use crate::log::Log;
use crate::machine::Machine;
use crate::market::{Bounds, Coin};
use crate::portfolio::{Portfolio, believe};
use crate::store;
use core::cmp::Reverse;
use members::{Candidate, Seat, choose};
use record::{Member, Record};
use source::{Entry, Source};
use std::path::PathBuf;

/// A source that says it was asked too often is left alone for so long; what CoinGecko asks for.
const LEFT_ALONE_MS: Millis = 60_000;
/// Pages that are read at the most: without a key, few requests a minute are answered.
const MOST_PAGES: usize = 4;
/// The most that CoinGecko puts on a page, and the least that is worth asking for.
const MOST_PER_PAGE: usize = 250;
const LEAST_PER_PAGE: usize = 50;

/// What the list means for one coin.
#[derive(Clone, PartialEq, Eq)]
pub enum Standing {
    /// A member that stays.
    Stays,
    /// It becomes a member.
    Enters,
    /// A member that leaves, and why.
    Leaves(String),
    /// It may be a member, and is none.
    Waits,
    /// It cannot be one, and why.
    Skipped(String),
}

/// One coin of a list that was read.
pub struct Line {
    /// What the source says.
    pub entry: Entry,
    /// Its place among all coins of the source, from 1; none for a member that the source does not name any more.
    pub rank: Option<usize>,
    /// Its name at the exchange, where it has one.
    pub coin: Option<Coin>,
    /// The exchange's name of its market.
    pub pair: Option<String>,
    /// Its place among the coins that may be members.
    pub place: Option<usize>,
    /// Its weight in percent of the list, as a member.
    pub weight: Option<Percent>,
    /// What the list means for it.
    pub standing: Standing,
}

/// A list that was read and matched, and what follows from it.
pub struct Look {
    /// Its coins in their order; then members that it does not name any more.
    pub lines: Vec<Line>,
    /// What there is to remember when it is taken; none when it cannot be.
    pub record: Option<Record>,
    /// Why it is not taken. With a record: only because it replaces so many members at once that the owner must say yes.
    pub refused: Option<String>,
}

/// Why there is no look.
pub enum Trouble {
    /// The list cannot be read or believed.
    List(source::Error),
    /// The exchange cannot say what trades.
    Exchange(exchange::Error),
}

impl From<exchange::Error> for Trouble {
    fn from(error: exchange::Error) -> Trouble {
        Trouble::Exchange(error)
    }
}

/// Why no allocation comes from the list.
pub enum Failure {
    /// There is no list, and why.
    None(String),
    /// The exchange failed.
    Exchange(exchange::Error),
    /// The record cannot be written.
    Store(store::Error),
}

/// The list that a portfolio follows.
pub struct Universe<'a> {
    settings: &'a Settings,
    machine: Machine<'a>,
    log: &'a Log<'a>,
    path: PathBuf,
    key: Option<String>,
    /// The settings, the quote currency and the fixed coins: what the members were chosen by.
    subject: String,
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
        let fixed: Vec<&str> = config.allocation.iter().map(|(coin, _)| coin.as_str()).collect();
        let subject = format!("{} in {} beside {}", settings.subject, config.quote, fixed.join(" "));
        let record = Record::load(machine.disk, &path)?;
        Ok(Some(Universe { settings, machine, log, path, key, subject, record }))
    }

    /// The source's name for the owner.
    pub fn name(&self) -> String {
        self.settings.name()
    }

    /// Whether there is a list that was chosen by these settings.
    pub fn has_list(&self) -> bool {
        self.record.read_at.is_some() && self.record.subject == self.subject
    }

    /// Whether the list is to be read again. One from the future was read with a wrong clock, if from further ahead than clocks may
    /// differ: a cycle goes by the exchange's, other commands by this machine's.
    pub fn is_due(&self, now: Millis) -> bool {
        let age = self.record.read_at.map(|read| now.saturating_sub(read));
        let young = age.is_some_and(|age| (-MOST_CLOCK_ERROR_MS..self.settings.refresh_ms).contains(&age));
        self.record.again || !young || !self.has_list()
    }

    /// Follows the list: reads it when that is due, takes it when it is good, and makes an allocation of the one that counts. With
    /// `keep` what is new is remembered before it is used, and said in the log; else it is for showing only.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn follow(
        &mut self,
        exchange: &mut dyn Exchange,
        config: &mut Config,
        now: Millis,
        keep: bool,
    ) -> Result<(), Failure> {
        if self.is_due(now) {
            let why = match self.look(exchange, config, now) {
                Ok(Look { refused: None, record: Some(record), lines }) => {
                    if keep {
                        self.announce(&lines);
                    }
                    self.record = record;
                    None
                }
                Ok(Look { refused, .. }) => refused,
                Err(Trouble::List(error)) => {
                    if error.kind == source::Kind::TooMany && self.left_alone_until(now).is_none() {
                        self.record.not_before = Some(now + LEFT_ALONE_MS);
                    }
                    Some(error.message)
                }
                Err(Trouble::Exchange(error)) => return Err(Failure::Exchange(error)),
            };
            if let Some(why) = why {
                let since = self.record.trouble.as_ref().map_or(now, |(since, _)| *since);
                self.record.trouble = Some((since, why));
            }
            if keep {
                self.record.save(self.machine.disk, &self.path).map_err(Failure::Store)?;
            }
        }
        if let Some(trouble) = self.trouble() {
            self.log.say(&trouble);
        }
        self.allocate(config)
    }

    /// Makes an allocation of the members that count, beside the fixed coins.
    ///
    /// # Errors
    /// [`Failure::None`] when there are none for these settings.
    pub fn allocate(&self, config: &mut Config) -> Result<(), Failure> {
        if !self.has_list() {
            let why = self.record.trouble.as_ref().map_or("it has not been read yet", |(_, why)| why);
            return Err(Failure::None(format!("no list of coins yet: {why}")));
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

    /// Until when the source is to be left alone. A moment that is further ahead was written with a wrong clock.
    fn left_alone_until(&self, now: Millis) -> Option<Millis> {
        let most = now + LEFT_ALONE_MS + MOST_CLOCK_ERROR_MS;
        self.record.not_before.filter(|until| (now..=most).contains(until))
    }

    /// Reads the list and says what follows from it; nothing is changed.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub fn look(&self, exchange: &mut dyn Exchange, config: &Config, now: Millis) -> Result<Look, Trouble> {
        if let Some(until) = self.left_alone_until(now) {
            let until = self.log.show(until);
            let message = format!("the source was asked too often (http 429); it is left alone until {until}");
            return Err(Trouble::List(source::Error { kind: source::Kind::TooMany, message }));
        }
        let rules = self.settings.rules;
        let per_page = (rules.leave_rank * 5).clamp(LEAST_PER_PAGE, MOST_PER_PAGE);
        let mut source = Source::new(self.machine, self.log, self.settings, self.key.clone());
        let (mut entries, mut page) = (Vec::new(), 0);
        let lines = loop {
            page += 1;
            let more = source.page(page, per_page, now, &mut entries).map_err(Trouble::List)?;
            if self.is_ranked() {
                entries.sort_by_key(|entry| Reverse(entry.size));
            }
            let lines = self.lines(exchange, config, &entries)?;
            let there = |name: &String| entries.iter().any(|entry| *name == entry.symbol || *name == entry.id);
            let places = lines.iter().filter(|line| line.place.is_some()).count();
            let enough = places >= rules.leave_rank && self.settings.include.iter().all(there);
            if !more || page == MOST_PAGES || enough {
                break lines;
            }
        };
        Ok(self.choose(lines, config, now))
    }

    /// Matches entries with coins, and these with markets; gives places.
    fn lines(
        &self,
        exchange: &mut dyn Exchange,
        config: &Config,
        entries: &[Entry],
    ) -> Result<Vec<Line>, exchange::Error> {
        let mut lines: Vec<Line> = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            let (coin, standing) = match self.matched(config, entry) {
                Ok(coin) => (Some(coin), Standing::Waits),
                Err((coin, why)) => (coin, Standing::Skipped(why)),
            };
            let entry = entry.clone();
            lines.push(Line { entry, rank: Some(at + 1), coin, pair: None, place: None, weight: None, standing });
        }
        // Two coins of one name, neither of them known or a member: which one trades is not guessed.
        let names: Vec<Coin> = lines.iter().filter_map(|line| line.candidate().cloned()).collect();
        for line in &mut lines {
            let namesakes = names.iter().filter(|name| line.candidate() == Some(name)).count();
            if namesakes > 1 {
                let why = format!("the list has {namesakes} coins of this name; exclude the wrong ones by their ids");
                line.standing = Standing::Skipped(why);
            }
        }
        let coins: Vec<Coin> = lines.iter().filter_map(|line| line.candidate().cloned()).collect();
        let listings = exchange.listings(&coins)?;
        let mut place = 0;
        for line in &mut lines {
            let Some(coin) = line.candidate().cloned() else { continue };
            let skip = match listings.get(&coin) {
                None => Some(format!("{coin} does not trade against {}", config.quote)),
                Some(listing) => {
                    line.pair = Some(listing.market.symbol.clone());
                    // A halt or a spread that passes is no reason to sell a member.
                    let why = match listing.quote {
                        _ if self.is_member(&coin, &line.entry.id) => None,
                        _ if !listing.market.tradable => Some("it takes no orders now".to_string()),
                        None => Some("the exchange names no bid and ask".to_string()),
                        Some(quote) => believe(quote, config.max_spread).err(),
                    };
                    why.map(|why| format!("its price is not believed or cannot be had: {why}"))
                }
            };
            match skip {
                Some(why) => line.standing = Standing::Skipped(why),
                None => {
                    place += 1;
                    line.place = Some(place);
                }
            }
        }
        Ok(lines)
    }

    /// Whether a coin is a member.
    pub fn has(&self, coin: &str) -> bool {
        self.record.members.iter().any(|member| member.seat.coin == coin)
    }

    fn is_member(&self, coin: &str, id: &str) -> bool {
        self.record.members.iter().any(|member| member.seat.coin == coin && member.seat.id == id)
    }

    /// The coin of an entry, or why it is none that the list may have; with its name as far as it is known.
    fn matched(&self, config: &Config, entry: &Entry) -> Result<Coin, (Option<Coin>, String)> {
        let coin = matching::coin(entry).map_err(|why| (None, why))?;
        let included = matching::named(&self.settings.include, &coin, entry);
        let why = if matching::named(&self.settings.exclude, &coin, entry) {
            "excluded by the config".to_string()
        } else if coin == config.quote {
            "it is the quote currency".to_string()
        } else if config.allocation.iter().any(|(fixed, _)| *fixed == coin) {
            "it has a weight of its own in the allocation".to_string()
        } else if let Some(why) = matching::double(&coin, entry).filter(|_| !included) {
            why
        } else if self.record.members.iter().any(|member| member.seat.coin == coin && member.seat.id != entry.id) {
            format!("another coin than the member {coin}, with the same name")
        } else if entry.size.is_none() && self.needs_size() {
            "the source gives it no market cap".to_string()
        } else {
            return Ok(coin);
        };
        Err((Some(coin), why))
    }

    /// Whether the order of the source is that of the market caps.
    fn is_ranked(&self) -> bool {
        matches!(self.settings.source, config::universe::Source::CoinGecko { .. })
    }

    /// Whether a coin without a market cap or weight has no place.
    fn needs_size(&self) -> bool {
        self.is_ranked() || matches!(self.settings.weighting, Some(Weighting::Size | Weighting::Root))
    }

    /// Who is a member from now on, with which weight.
    fn choose(&self, mut lines: Vec<Line>, config: &Config, now: Millis) -> Look {
        let held: Vec<Seat> = self.record.members.iter().map(|member| member.seat.clone()).collect();
        let lost = |line: &&Line| {
            line.entry.size.is_none() && held.iter().any(|seat| line.is(&seat.coin, &seat.id)) && self.needs_size()
        };
        if let Some(line) = lines.iter().find(lost) {
            let refused = Some(format!("the market cap of the member {} is null or zero", line.name()));
            return Look { lines, record: None, refused };
        }
        let mut candidates = Vec::new();
        for line in &lines {
            let (Some(coin), Some(place)) = (&line.coin, line.place) else { continue };
            let included = matching::named(&self.settings.include, coin, &line.entry);
            candidates.push(Candidate { coin: coin.clone(), id: line.entry.id.clone(), place, included });
        }
        let choice = choose(&held, &candidates, self.settings.rules, now);
        if choice.seats.is_empty() {
            let (few, top) = (candidates.len(), self.settings.rules.top);
            let refused = Some(format!("only {few} of its coins can be members, and top asks for {top}"));
            return Look { lines, record: None, refused };
        }
        for (coin, why) in &choice.left {
            let id = held.iter().find(|seat| seat.coin == *coin).map_or("", |seat| seat.id.as_str());
            match lines.iter_mut().find(|line| line.is(coin, id)) {
                Some(line) => {
                    let why = if let Standing::Skipped(why) = &line.standing { why } else { why };
                    line.standing = Standing::Leaves(why.clone());
                }
                None => lines.push(Line::gone(coin, id, why)),
            }
        }
        // The lines that have a place are in the order of the places, as the seats are.
        let (mut members, mut sizes) = (Vec::new(), Vec::new());
        for seat in &choice.seats {
            let Some(line) = lines.iter_mut().find(|line| line.is(&seat.coin, &seat.id)) else { continue };
            line.standing = if held.iter().any(|held| held.since == seat.since && line.is(&held.coin, &held.id)) {
                Standing::Stays
            } else {
                Standing::Enters
            };
            let (rank, place) = (line.rank.unwrap_or_default(), line.place.unwrap_or_default());
            members.push(Member { seat: seat.clone(), rank, place, weight: Percent::ZERO });
            sizes.push(line.entry.size);
        }
        let weights = match self.weigh(&sizes) {
            Ok(weights) => weights,
            Err(why) => return Look { lines, record: None, refused: Some(why) },
        };
        for (member, weight) in members.iter_mut().zip(weights) {
            member.weight = weight;
            if let Some(line) = lines.iter_mut().find(|line| line.is(&member.seat.coin, &member.seat.id)) {
                line.weight = Some(weight);
            }
        }
        // What the owner changed may change everything; a source may not.
        let left = choice.left.len();
        let refused = (self.has_list() && left * 2 > held.len()).then(|| {
            format!(
                "it replaces {left} of {} members at once; if that is right: rebalancer universe --accept",
                held.len()
            )
        });
        let mut record = Record { subject: self.subject.clone(), read_at: Some(now), members, ..Record::default() };
        let left = choice.left.into_iter().map(|(coin, _)| (coin, now));
        for (coin, at) in self.record.departed.iter().cloned().chain(left) {
            let is_back = record.members.iter().any(|member| member.seat.coin == coin);
            // What the owner holds by an own decision now is not the list's any more.
            let is_fixed = config.allocation.iter().any(|(fixed, _)| *fixed == coin);
            if !is_back && !is_fixed && !record.departed.iter().any(|(known, _)| *known == coin) {
                record.departed.push((coin, at));
            }
        }
        Look { lines, record: Some(record), refused }
    }

    /// The weights of members in the order of their places, by the sizes that the source gives them.
    fn weigh(&self, sizes: &[Option<u64>]) -> Result<Vec<Percent>, String> {
        let known: Vec<u64> = sizes.iter().copied().flatten().collect();
        let own = if self.is_ranked() || known.is_empty() { Weighting::Equal } else { Weighting::Size };
        let weighting = self.settings.weighting.unwrap_or(own);
        let sizes: Vec<u64> = match weighting {
            Weighting::Equal => sizes.iter().map(|_| 1).collect(),
            _ if known.len() < sizes.len() => {
                return Err("some of its coins have a weight and others have none".to_string());
            }
            Weighting::Size => known,
            Weighting::Root => weights::roots(&known),
        };
        let Settings { min_weight, max_weight, .. } = self.settings;
        weights::weights(&sizes, *min_weight, *max_weight)
            .ok_or_else(|| format!("no weights between {min_weight} and {max_weight} percent sum to 100"))
    }

    fn announce(&self, lines: &[Line]) {
        let entering: Vec<&str> =
            lines.iter().filter(|line| line.standing == Standing::Enters).map(Line::name).collect();
        if !entering.is_empty() {
            self.log.say(&format!("{}: {} enter the list", self.settings.name(), entering.join(", ")));
        }
        for line in lines {
            if let Standing::Leaves(why) = &line.standing {
                self.log.say(&format!("{} leaves the list and is sold: {why}", line.name()));
            }
        }
    }

    /// Takes a list that the owner accepts.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn accept(&mut self, record: Record) -> Result<(), store::Error> {
        self.record = record;
        self.record.save(self.machine.disk, &self.path)
    }

    /// Has the list read again in the next cycle, because a member cannot be traded any more.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn look_again(&mut self) -> Result<(), store::Error> {
        self.record.again = true;
        self.record.save(self.machine.disk, &self.path)
    }

    /// After a cycle that ended well: forgets coins that left the list and of which no order's worth is left.
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
        match self.record.departed.len() == before {
            true => Ok(()),
            false => self.record.save(self.machine.disk, &self.path),
        }
    }
}

impl Line {
    /// Its coin as long as nothing stands against its being a member.
    fn candidate(&self) -> Option<&Coin> {
        self.coin.as_ref().filter(|_| self.standing == Standing::Waits)
    }

    fn is(&self, coin: &str, id: &str) -> bool {
        self.coin.as_deref() == Some(coin) && self.entry.id == id
    }

    /// A member that the source does not name any more.
    fn gone(coin: &str, id: &str, why: &str) -> Line {
        Line {
            entry: Entry { id: id.to_string(), symbol: coin.to_string(), size: None },
            rank: None,
            coin: Some(coin.to_string()),
            pair: None,
            place: None,
            weight: None,
            standing: Standing::Leaves(why.to_string()),
        }
    }

    /// What the owner knows it by.
    pub fn name(&self) -> &str {
        self.coin.as_ref().unwrap_or(&self.entry.symbol)
    }
}
