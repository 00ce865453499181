//! One look at the list: its coins matched with the exchange's, who is a member from now on, and whether that can be believed.
//! Nothing is changed here.

use super::members::{Candidate, Seat, choose};
use super::record::{Member, Record};
use super::source::{self, Entry, Source};
use super::{Universe, matching, weights};
use crate::amount::Percent;
use crate::config::universe::{Settings, Weighting};
use crate::config::{Config, Venue};
use crate::exchange::{self, Exchange, Listing, Millis};
use crate::market::Coin;
use crate::portfolio::believe;

/// Pages that are read at the most: without a key, few requests a minute are answered.
const MOST_PAGES: usize = 4;
/// The most that CoinGecko puts on a page, and the least that is worth asking for.
const MOST_PER_PAGE: usize = 250;
const LEAST_PER_PAGE: usize = 50;
/// Why a coin of a list of market caps is none.
const NO_CAP: &str = "the source gives it no market cap or weight";

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
    /// Its place among all coins of the source, from 1; none for a coin that the source does not name.
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
    /// Its coins in their order; then members and included coins that it does not name.
    pub lines: Vec<Line>,
    /// What there is to remember when it is taken; none when it cannot be.
    pub record: Option<Record>,
    /// Why it is not taken. With a record: what it changes is so much, or so odd, that the owner must say yes.
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

impl Line {
    fn new(entry: Entry, rank: Option<usize>, coin: Option<Coin>, standing: Standing) -> Line {
        Line { entry, rank, coin, pair: None, place: None, weight: None, standing }
    }

    /// Its coin as long as nothing stands against its being a member.
    fn candidate(&self) -> Option<&Coin> {
        self.coin.as_ref().filter(|_| self.standing == Standing::Waits)
    }

    /// Whether it is about a member.
    fn is(&self, seat: &Seat) -> bool {
        self.coin.as_ref().is_some_and(|coin| seat.is(coin, &self.entry.id))
    }

    /// What the owner knows it by.
    pub fn name(&self) -> &str {
        self.coin.as_ref().unwrap_or(&self.entry.symbol)
    }
}

impl Universe<'_> {
    /// Reads the list and says what follows from it.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub fn look(&self, exchange: &mut dyn Exchange, config: &Config, now: Millis) -> Result<Look, Trouble> {
        if let Some(until) = self.left_alone_until(now) {
            let until = self.log.show(until);
            let message = format!("the source was asked too often (http 429); it is left alone until {until}");
            return Err(Trouble::List(source::Error { kind: source::Kind::LeftAlone, message }));
        }
        let Settings { rules, include, .. } = self.settings;
        let mut source = Source::new(self.machine, self.log, self.settings, self.key.clone());
        let (mut entries, mut page, mut count) = (Vec::new(), 0, 0);
        let mut lines = loop {
            page += 1;
            let more = source.page(page, self.per_page(), now, &mut entries).map_err(Trouble::List)?;
            if page == 1 {
                count = entries.len();
            }
            if self.settings.is_ranked() {
                largest_first(&mut entries);
            }
            let lines = self.lines(exchange, config, &entries)?;
            let places = lines.iter().filter(|line| line.place.is_some()).count();
            let enough = places >= rules.leave_rank
                && include.iter().all(|name| names(&lines, name))
                && self.record.members.iter().all(|member| lines.iter().any(|line| line.is(&member.seat)));
            if !more || page == MOST_PAGES || enough {
                break lines;
            }
        };
        for name in include {
            if names(&lines, name) {
                continue;
            }
            let entry = Entry { id: String::new(), symbol: name.clone(), size: None };
            let why = "included, but the source does not name it".to_string();
            lines.push(Line::new(entry, None, None, Standing::Skipped(why)));
        }
        Ok(self.choose(lines, config, (count, source.unmeasured), now))
    }

    /// How many coins are asked for at once: all on one page, if the members are where they were, because between two pages a coin may
    /// move from one to the other.
    fn per_page(&self) -> usize {
        let deepest = self.record.members.iter().map(|member| member.rank + member.rank / 4).max().unwrap_or_default();
        (self.settings.rules.leave_rank * 5).max(deepest).clamp(LEAST_PER_PAGE, MOST_PER_PAGE)
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
            lines.push(Line::new(entry.clone(), Some(at + 1), coin, standing));
        }
        // Two unknown coins of one name: which one trades is not guessed, unless one of them is a member by its id.
        let coins: Vec<Coin> = lines.iter().filter_map(|line| line.candidate().cloned()).collect();
        for line in &mut lines {
            let namesakes = coins.iter().filter(|coin| line.candidate() == Some(coin)).count();
            if namesakes > 1 {
                let why = format!("the list has {namesakes} coins of this name; exclude the wrong ones by their ids");
                line.standing = Standing::Skipped(why);
            }
        }
        let listings = exchange.listings(&coins)?;
        let mut place = 0;
        for line in &mut lines {
            let Some(coin) = line.candidate().cloned() else { continue };
            let listing = listings.get(&coin);
            line.pair = listing.map(|listing| listing.market.symbol.clone());
            let is_member = self.record.members.iter().any(|member| line.is(&member.seat));
            match untradable(&coin, listing, is_member, config) {
                Some(why) => line.standing = Standing::Skipped(why),
                None => {
                    place += 1;
                    line.place = Some(place);
                }
            }
        }
        Ok(lines)
    }

    /// The coin of an entry, or why it is none that the list may have; with its name as far as it is known.
    fn matched(&self, config: &Config, entry: &Entry) -> Result<Coin, (Option<Coin>, String)> {
        let coin = matching::coin(entry).map_err(|why| (None, why))?;
        let Settings { include, exclude, .. } = self.settings;
        let mut members = self.record.members.iter().map(|member| &member.seat);
        let why = if matching::named(exclude, &coin, &entry.id) {
            "excluded by the config".to_string()
        } else if coin == config.quote {
            "it is the quote currency".to_string()
        } else if config.allocates(&coin) {
            "it has a weight of its own in the allocation".to_string()
        } else if let Some(why) = matching::double(&coin, entry).filter(|_| !matching::named(include, &coin, &entry.id))
        {
            why
        } else if members.any(|seat| seat.coin == coin && !seat.is(&coin, &entry.id)) {
            format!("another coin than the member {coin}, with the same name")
        } else if entry.size.is_none() && self.needs_size() {
            NO_CAP.to_string()
        } else {
            return Ok(coin);
        };
        Err((Some(coin), why))
    }

    /// Whether a coin without a market cap or weight has no place.
    fn needs_size(&self) -> bool {
        self.settings.is_ranked() || matches!(self.settings.weighting, Some(Weighting::Size | Weighting::Root))
    }

    /// Who is a member from now on, with which weight; so many coins were on the first page, which may have been cut.
    fn choose(&self, mut lines: Vec<Line>, config: &Config, page: (usize, bool), now: Millis) -> Look {
        let held: Vec<Seat> = self.record.members.iter().map(|member| member.seat.clone()).collect();
        let refuse = |lines, why| Look { lines, record: None, refused: Some(why) };
        let lost = |line: &&Line| {
            line.standing == Standing::Skipped(NO_CAP.to_string()) && held.iter().any(|seat| line.is(seat))
        };
        if let Some(why) =
            lines.iter().find(lost).map(|line| format!("the market cap of the member {} is null or zero", line.name()))
        {
            return refuse(lines, why);
        }
        let mut candidates = Vec::new();
        for line in &lines {
            let (Some(coin), Some(place)) = (&line.coin, line.place) else { continue };
            let included = matching::named(&self.settings.include, coin, &line.entry.id);
            candidates.push(Candidate { coin: coin.clone(), id: line.entry.id.clone(), place, included });
        }
        let choice = choose(&held, &candidates, self.settings.rules, now);
        if choice.seats.is_empty() {
            let why = format!(
                "only {} of its coins can be members, and top asks for {}",
                candidates.len(),
                self.settings.rules.top
            );
            return refuse(lines, why);
        }
        leave(&mut lines, &held, &choice.left);
        // The members are in the order of their places.
        let (mut members, mut sizes) = (Vec::new(), Vec::new());
        for seat in choice.seats {
            let Some(line) = lines.iter_mut().find(|line| line.place.is_some() && line.is(&seat)) else { continue };
            let before = self.record.members.iter().find(|member| line.is(&member.seat));
            line.standing = if before.is_some() { Standing::Stays } else { Standing::Enters };
            let (rank, place) = (line.rank.unwrap_or_default(), line.place.unwrap_or_default());
            let taken = before.is_some_and(|before| before.taken);
            members.push(Member { seat, rank, place, weight: Percent::ZERO, taken });
            sizes.push(line.entry.size);
        }
        let weights = match self.weigh(&sizes) {
            Ok(weights) => weights,
            Err(why) => return refuse(lines, why),
        };
        for (member, weight) in members.iter_mut().zip(weights) {
            member.weight = weight;
            if let Some(line) = lines.iter_mut().find(|line| line.is(&member.seat)) {
                line.weight = Some(weight);
            }
        }
        let refused = self.too_much(&members, config, page);
        let (subject, rules, (count, _)) = (self.subject.clone(), self.rules.clone(), page);
        let mut record = Record { subject, rules, read_at: Some(now), count, members, ..Record::default() };
        let taken =
            self.record.members.iter().filter(|member| member.taken).map(|member| (member.seat.coin.clone(), now));
        for (coin, at) in self.record.departed.iter().cloned().chain(taken) {
            // What the owner holds by an own decision now is not the list's any more.
            if !record.has(&coin)
                && !config.allocates(&coin)
                && !record.departed.iter().any(|(known, _)| *known == coin)
            {
                record.departed.push((coin, at));
            }
        }
        Look { lines, record: Some(record), refused }
    }

    /// Why members that were chosen are not believed without the owner. What the owner changed may change everything; a source may not.
    fn too_much(&self, members: &[Member], config: &Config, (count, unmeasured): (usize, bool)) -> Option<String> {
        if !self.has_list() {
            return None;
        }
        let exclude = &self.settings.exclude;
        let accept = "if that is right: rebalancer universe --accept";
        let same = self.record.rules == self.rules;
        // Whoever keeps a list may shorten it; the market does not lose half of its coins.
        if same && self.settings.is_ranked() && count * 2 < self.record.count.min(self.per_page()) {
            return Some(format!("it has {count} coins, and had {}; {accept}", self.record.count));
        }
        if same && unmeasured && count < self.record.count {
            let had = self.record.count;
            return Some(format!("it has {count} coins and had {had}, and without its length it may be cut; {accept}"));
        }
        let (mut left, mut moved) = (0, Percent::ZERO);
        for Member { seat, weight, .. } in &self.record.members {
            let now = members.iter().find(|member| member.seat.coin == seat.coin).map(|member| member.weight);
            moved += weight.minus_or_zero(now.unwrap_or_default());
            let by_owner = matching::named(exclude, &seat.coin, &seat.id) || config.allocates(&seat.coin);
            left += usize::from(now.is_none() && !by_owner);
        }
        let held = self.record.members.len();
        if left * 2 > held {
            return Some(format!("it replaces {left} of {held} members at once; {accept}"));
        }
        // Other rules may well move all weights.
        let much = same && moved > Percent::HUNDRED.half();
        much.then(|| format!("it moves {} percent of the weights at once; {accept}", moved.rounded(1)))
    }

    /// The weights of members in the order of their places, by the sizes that the source gives them.
    fn weigh(&self, sizes: &[Option<u64>]) -> Result<Vec<Percent>, String> {
        let known: Vec<u64> = sizes.iter().copied().flatten().collect();
        let own = if self.settings.is_ranked() || known.is_empty() { Weighting::Equal } else { Weighting::Size };
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
}

/// Says of members that leave why.
fn leave(lines: &mut Vec<Line>, held: &[Seat], left: &[(Coin, String)]) {
    for (coin, why) in left {
        let Some(seat) = held.iter().find(|seat| seat.coin == *coin) else { continue };
        match lines.iter_mut().find(|line| line.is(seat)) {
            Some(line) => {
                let why = if let Standing::Skipped(why) = &line.standing { why } else { why };
                line.standing = Standing::Leaves(why.clone());
            }
            None => {
                let entry = Entry { id: seat.id.clone(), symbol: coin.clone(), size: None };
                lines.push(Line::new(entry, None, Some(coin.clone()), Standing::Leaves(why.clone())));
            }
        }
    }
}

/// Whether a name of the owner's is among the coins and ids of a list.
fn names(lines: &[Line], name: &str) -> bool {
    lines.iter().any(|line| matching::named(&[name.to_string()], line.name(), &line.entry.id))
}

/// By market cap, the largest first; those of one size stay in their order. A list comes almost so, and then this is quick.
fn largest_first(entries: &mut [Entry]) {
    let size = |entries: &[Entry], at: usize| entries.get(at).and_then(|entry| entry.size);
    for last in 1..entries.len() {
        let mut at = last;
        while at > 0 && size(entries, at - 1) < size(entries, at) {
            entries.swap(at - 1, at);
            at -= 1;
        }
    }
}

/// Why a coin cannot be traded now. A halt or a spread that passes is no reason to sell a member.
fn untradable(coin: &str, listing: Option<&Listing>, is_member: bool, config: &Config) -> Option<String> {
    let Some(Listing { market, quote }) = listing else {
        return Some(match config.venue {
            Venue::CryptoCom => format!("{coin} does not trade against {}", config.quote),
            Venue::Paper => {
                "the paper account has no price for it; \"prices\": \"live\" takes those of the exchange".to_string()
            }
        });
    };
    let why = match quote {
        _ if is_member => return None,
        _ if !market.tradable => "it takes no orders now".to_string(),
        None => "the exchange names no bid and ask".to_string(),
        Some(quote) => believe(*quote, config.max_spread).err()?,
    };
    Some(format!("its price is not believed or cannot be had: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_come_first_and_equals_stay_as_they_are() {
        let entry =
            |(at, size): (usize, &Option<u64>)| Entry { id: at.to_string(), symbol: String::new(), size: *size };
        let mut entries: Vec<Entry> =
            [Some(5), None, Some(9), Some(5), Some(1), None, Some(9)].iter().enumerate().map(entry).collect();
        largest_first(&mut entries);
        let ids: Vec<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
        assert_eq!(ids, ["2", "6", "0", "3", "4", "1", "5"]);
    }
}
