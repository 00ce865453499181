//! A second account of the list: what the source has told, which coins may therefore be members, and whether what the
//! program remembers follows from it. Ranks are not always certain, because what trades goes back and forth: each coin
//! has a best and a worst place.

use super::around::HOUR_MS;
use super::exchange::{Dec, World, dec};
use super::follow::{Follow, Form, Weighting};
use super::remembered::Remembered;
use super::source::{Page, Row};
use std::collections::{BTreeMap, BTreeSet};

/// For so long the program may know what traded before, and a little more.
const RULES_MS: i64 = 25 * HOUR_MS;
/// Clocks that agree do so to a minute and some seconds.
const CLOCK_MS: i64 = 62_000;
/// After "too many requests" a source is left alone for a minute.
const LEFT_ALONE_MS: i64 = 60_000;

/// A coin that may be a member.
struct Candidate {
    coin: String,
    id: String,
    size: Option<u64>,
    included: bool,
    /// Whether it is certain that it has a place.
    sure: bool,
    /// Its place when only what is sure stands before it, and when everything does.
    best: usize,
    worst: usize,
}

/// What has been told since the program asked.
#[derive(Default)]
struct Told {
    rows: Vec<Row>,
    newest_ms: i64,
    /// The last page was no list.
    bad: bool,
}

type Places = BTreeMap<(String, String), (usize, usize)>;

pub struct ListAuditor {
    follow: Follow,
    told: Option<Told>,
    /// In this process: when it began, whether the source was asked, was asked too often, and whether a list was taken.
    began_ms: i64,
    asked: bool,
    too_often: bool,
    /// By what it remembers the source is left alone until then.
    alone_until_ms: i64,
    taken: bool,
    /// The owner takes whatever there is.
    pub accepting: bool,
    /// Members that have left, to be counted.
    pub changes: u64,
    /// Coins that may ever have been members.
    named: BTreeSet<String>,
    /// Lists that were taken: when, and the places.
    history: Vec<(i64, Places)>,
    /// Since when each coin is listed, and has a price that is believed; `i64::MAX` while it is not.
    listed_since: BTreeMap<String, i64>,
    fine_since: BTreeMap<String, i64>,
    /// An old answer has been told.
    unsure_ms: i64,
    /// What may be in the program's file after a power cut.
    versions: Vec<Vec<u8>>,
    pub violations: Vec<String>,
}

impl ListAuditor {
    pub fn new(follow: Follow) -> ListAuditor {
        ListAuditor {
            follow,
            told: None,
            began_ms: 0,
            asked: false,
            too_often: false,
            alone_until_ms: 0,
            taken: false,
            accepting: false,
            changes: 0,
            named: BTreeSet::new(),
            history: Vec::new(),
            listed_since: BTreeMap::new(),
            fine_since: BTreeMap::new(),
            unsure_ms: 0,
            versions: vec![Vec::new()],
            violations: Vec::new(),
        }
    }

    fn demand(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.violations.push(format!("list: {}", what()));
        }
    }

    /// A process begins, and knows nothing but what is on the disk.
    pub fn begins(&mut self, now: i64) {
        self.began_ms = now;
        (self.told, self.asked, self.too_often, self.taken) = (None, false, false, false);
    }

    /// Whether the source was asked in this process and nothing came of it.
    pub fn in_vain(&self) -> bool {
        self.asked && !self.taken
    }

    pub fn lists_taken(&self) -> usize {
        self.history.len()
    }

    /// What trades now, and at which prices.
    pub fn look_at_markets(&mut self, world: &World, quote: &str, now: i64) {
        for market in world.markets.values().filter(|market| market.quote == quote) {
            self.listed_since.entry(market.base.clone()).or_insert(0);
            self.fine_since.entry(market.base.clone()).or_insert(0);
        }
        let since = |holds: bool, since: i64| match (holds, since) {
            (false, _) => i64::MAX,
            (true, i64::MAX) => now,
            (true, since) => since,
        };
        for (coin, at) in &mut self.listed_since {
            *at = since(world.markets.contains_key(&format!("{coin}_{quote}")), *at);
        }
        for (coin, at) in &mut self.fine_since {
            let fine = world.markets.get(&format!("{coin}_{quote}")).is_some_and(|market| {
                let (bid, ask) = (market.bid.unwrap_or_default(), market.ask.unwrap_or_default());
                market.tradable && bid > Dec::ZERO && bid <= ask && (ask - bid).times(50) <= bid
            });
            *at = since(fine, *at);
        }
    }

    /// To the program what traded goes back and forth.
    pub fn unsure(&mut self, now: i64) {
        self.unsure_ms = now;
    }

    fn settled(&self, since: &BTreeMap<String, i64>, coin: &str, now: i64) -> bool {
        let since = since.get(coin).copied().unwrap_or(i64::MAX).max(self.unsure_ms);
        now.saturating_sub(since) > RULES_MS
    }

    /// The source is asked.
    pub fn asked(&mut self, now: i64) {
        self.asked = true;
        let too_often = self.too_often;
        self.demand(!too_often, || "the source was asked again after it said that this is too often".to_string());
        let early_ms = self.alone_until_ms - now;
        self.demand(early_ms <= 0, || format!("the source was asked {early_ms} ms too early"));
    }

    pub fn too_often(&mut self) {
        self.too_often = true;
    }

    /// A page has arrived whole, or something that is none.
    pub fn told(&mut self, page: Option<&Page>) {
        let told = self.told.get_or_insert_default();
        let Some(page) = page else {
            told.bad = true;
            return;
        };
        if page.number == 1 {
            *told = Told::default();
        }
        told.bad = false;
        for row in &page.rows {
            if row.id.is_empty() || !told.rows.iter().any(|other| other.id == row.id) {
                told.rows.push(row.clone());
            }
        }
        told.newest_ms = page.newest_ms;
    }

    /// Those of a list that can be members, in their order.
    fn candidates(&self, rows: &[Row], before: &Remembered, now: i64) -> Vec<Candidate> {
        let follow = &self.follow;
        let size = |row: &Row| row.size.filter(|size| *size > 0);
        let mut rows: Vec<&Row> = rows.iter().collect();
        if follow.form == Form::Markets {
            rows.sort_by_key(|row| std::cmp::Reverse(size(row)));
        }
        let may = |coin: &String, row: &Row| {
            let fixed = follow.fixed.iter().any(|(fixed, _)| fixed == coin);
            let other = before.members.iter().any(|(member, id, _)| member == coin && *id != row.id);
            !fixed && !other && !follow.exclude.contains(coin) && (size(row).is_some() || !follow.needs_sizes())
        };
        let known: Vec<(&String, &Row)> = rows
            .into_iter()
            .filter_map(|row| Some((row.coin.as_ref()?, row)))
            .filter(|(coin, row)| may(coin, row))
            .collect();
        let mut candidates: Vec<Candidate> = Vec::new();
        let mut sures = 0;
        for (coin, row) in &known {
            if known.iter().filter(|(other, _)| other == coin).count() > 1 {
                continue;
            }
            let since = if before.has(coin) { &self.listed_since } else { &self.fine_since };
            let sure = self.settled(since, coin, now);
            let (best, worst) = (sures + 1, candidates.len() + 1);
            sures += usize::from(sure);
            let (coin, id, included) = (coin.to_string(), row.id.clone(), follow.include.contains(coin));
            candidates.push(Candidate { coin, id, size: size(row), included, sure, best, worst });
        }
        candidates
    }

    /// Since when a coin has stood beyond a place on all lists that were taken, this one included.
    fn run(&self, candidate: &Candidate, now: i64, beyond: impl Fn((usize, usize)) -> bool) -> Option<i64> {
        if !beyond((candidate.best, candidate.worst)) {
            return None;
        }
        let key = (candidate.coin.clone(), candidate.id.clone());
        let earlier =
            self.history.iter().rev().take_while(|(_, places)| places.get(&key).is_some_and(|at| beyond(*at)));
        Some(earlier.last().map_or(now, |(read_at, _)| *read_at))
    }

    /// The program's file is replaced as a whole. Returns coins that it forgets.
    pub fn replaced(&mut self, old: &[u8], new: &[u8], now: i64) -> Vec<String> {
        self.versions.push(new.to_vec());
        if self.too_often {
            self.alone_until_ms = self.began_ms + LEFT_ALONE_MS - 5000;
        }
        let (Some(old), Some(new)) = (Remembered::read(old), Remembered::read(new)) else {
            self.demand(false, || "what is remembered is not whole".to_string());
            return Vec::new();
        };
        if old.read_at != new.read_at {
            self.taken = true;
            self.take(&old, &new, now);
            return Vec::new();
        }
        self.demand(old.members == new.members, || "members or weights have changed without a list".to_string());
        self.demand(old.taken.is_subset(&new.taken), || "what was bought is not the list's any more".to_string());
        let grown = new.departed.iter().any(|coin| !old.departed.contains(coin));
        self.demand(!grown, || "a coin departed without a list".to_string());
        old.departed.into_iter().filter(|coin| !new.departed.contains(coin)).collect()
    }

    /// A list was taken: members, exits, entries and weights follow from what was told.
    fn take(&mut self, old: &Remembered, new: &Remembered, now: i64) {
        let Some(Told { rows, newest_ms, bad }) = self.told.take() else {
            return self.demand(false, || "a list was taken that was never told".to_string());
        };
        let read_at = new.read_at.unwrap_or(0);
        let in_time = (self.began_ms - CLOCK_MS..=now + CLOCK_MS).contains(&read_at);
        self.demand(in_time, || format!("a list that is read at {now} is said to be of {read_at}"));
        let list = self.candidates(&rows, old, now);
        let Follow { form, top, leave_rank, leave_after_ms, max_age_ms, .. } = self.follow.clone();
        if let Some(why) = self.refusable(&rows, bad, old, list.len(), max_age_ms.map(|most| newest_ms + most), now) {
            self.demand(false, || format!("a list was taken although {why}"));
        }
        self.demand(form != Form::Markets || now > newest_ms - 2 * CLOCK_MS, || {
            "a list of the future was taken".to_string()
        });
        let count = new.members.len();
        self.demand(count == top, || format!("{count} members instead of {top}"));
        let of = |coin: &str, id: &str| list.iter().find(|candidate| candidate.coin == coin && candidate.id == id);
        let mut wrong = Vec::new();
        let mut included_enter = 0;
        for (coin, id, _) in &new.members {
            let Some(candidate) = of(coin, id) else {
                wrong.push(format!("{coin} ({id}) is a member and was not told"));
                continue;
            };
            let place = candidate.best;
            if candidate.included {
                included_enter += usize::from(!old.has(coin));
            } else if old.has(coin) {
                let outside = self.run(candidate, read_at, |(best, _)| best > top);
                let late = outside.is_some_and(|since| read_at - since >= leave_after_ms);
                if place > leave_rank || late {
                    wrong.push(format!("{coin} stays at place {place}, outside since {outside:?}"));
                }
            } else {
                let waits = |other: &&Candidate| !old.has(&other.coin) && !new.has(&other.coin) && !other.included;
                let passed = list.iter().filter(waits).find(|other| other.sure && other.worst < place);
                if place > top || passed.is_some() {
                    wrong.push(format!("{coin} enters at place {place}, before {:?}", passed.map(|other| &other.coin)));
                }
            }
        }
        let missing = list.iter().find(|other| other.included && other.sure && !new.has(&other.coin));
        wrong.extend(missing.map(|other| format!("{} is included and no member", other.coin)));
        let left: Vec<&(String, String, u64)> = old.members.iter().filter(|(coin, ..)| !new.has(coin)).collect();
        self.changes += left.len() as u64;
        let mut pushed = 0;
        for (coin, id, _) in &left {
            let Some(candidate) = of(coin, id) else { continue };
            let outside = self.run(candidate, read_at, |(_, worst)| worst > top);
            let late = outside.is_some_and(|since| read_at - since >= leave_after_ms);
            if !candidate.included && (candidate.worst > leave_rank || late)
                || !self.settled(&self.listed_since, coin, now)
            {
                continue;
            }
            pushed += 1;
            if pushed > included_enter {
                wrong.push(format!("{coin} leaves at place {}, outside since {outside:?}", candidate.worst));
            }
        }
        let most = if self.accepting || old.read_at.is_none() { old.members.len() } else { old.members.len() / 2 };
        if left.len() > most {
            wrong.push(format!("{} of {} members were replaced at once", left.len(), old.members.len()));
        }
        // What the list has not bought is not its to sell.
        let left = left.iter().map(|(coin, ..)| coin).filter(|coin| old.taken.contains(*coin));
        let mut departed: BTreeSet<&String> = old.departed.iter().chain(left).collect();
        departed.retain(|coin| !new.has(coin));
        if departed != new.departed.iter().collect() || departed.len() != new.departed.len() {
            wrong.push(format!("{departed:?} have left, and {:?} are remembered", new.departed));
        }
        wrong.extend(self.weighed(new, &list));
        let violations = wrong.into_iter().map(|what| format!("list: {what}"));
        self.violations.extend(violations);
        let named = list.iter().filter(|candidate| candidate.included || candidate.best <= top);
        self.named.extend(named.map(|candidate| candidate.coin.clone()));
        let places =
            list.into_iter().map(|candidate| ((candidate.coin, candidate.id), (candidate.best, candidate.worst)));
        self.history.push((read_at, places.collect()));
    }

    /// Why a list is none to be taken.
    fn refusable(
        &self,
        rows: &[Row],
        bad: bool,
        old: &Remembered,
        count: usize,
        until: Option<i64>,
        now: i64,
    ) -> Option<String> {
        let form = self.follow.form;
        let none = |row: &Row| row.size.unwrap_or(0) == 0;
        if bad || rows.is_empty() {
            return Some("it was none".to_string());
        }
        if count < self.follow.top {
            return Some(format!("it has {count} coins that may be members"));
        }
        if until.is_some_and(|until| until + 3 * CLOCK_MS < now) {
            return Some("it is stale".to_string());
        }
        // A coin that the owner excludes by its id needs none.
        let excluded = |row: &&Row| row.coin.as_ref().is_some_and(|coin| self.follow.exclude.contains(coin));
        let mut later = rows.iter().filter(|row| !excluded(row)).skip_while(|row| !none(row));
        let gap = later.any(|row| !none(row));
        if form == Form::Markets && gap {
            return Some("sizes are missing".to_string());
        }
        if form != Form::Markets && form.has_sizes() && rows.iter().any(|row| row.size == Some(0)) {
            return Some("a size is zero".to_string());
        }
        let lost = |row: &&Row| {
            none(row) && old.members.iter().any(|(coin, id, _)| row.coin.as_ref() == Some(coin) && row.id == *id)
        };
        let lost = rows.iter().find(lost).filter(|_| self.follow.needs_sizes());
        lost.map(|row| format!("the member {} has no size", row.symbol))
    }

    /// Whether weights are in proportion as far as the bounds allow: whoever could have more has no less for its size
    /// than any who could have less.
    fn weighed(&self, new: &Remembered, list: &[Candidate]) -> Option<String> {
        let sizes: Vec<Option<u64>> = new
            .members
            .iter()
            .map(|(coin, id, _)| list.iter().find(|other| other.coin == *coin && other.id == *id)?.size)
            .collect();
        let weighting = match self.follow.explicit {
            false if sizes.iter().all(Option::is_none) => Weighting::Equal,
            _ => self.follow.weighting,
        };
        let weights: Vec<u64> = new.members.iter().map(|(.., weight)| *weight).collect();
        let (least, most) = self.follow.bounds;
        if weights.iter().sum::<u64>() != 100_000_000 || weights.iter().any(|weight| !(least..=most).contains(weight)) {
            return Some(format!("the weights {weights:?} do not sum to 100 percent or keep no bounds {least} {most}"));
        }
        let power = |weight: u64| match weighting {
            Weighting::Root => u128::from(weight) * u128::from(weight),
            _ => u128::from(weight),
        };
        for (weight, size) in weights.iter().zip(&sizes) {
            for (other, bigger) in weights.iter().zip(&sizes) {
                let (size, bigger) = match weighting {
                    Weighting::Equal => (1, 1),
                    _ => (u128::from((*size)?), u128::from((*bigger)?)),
                };
                // Two millionths are what rounding and sizes of thirty bits may give or take.
                let (could_have, could_give) = (*weight < most, *other > least);
                if could_have && could_give && power(weight + 2) * bigger < power(other.saturating_sub(2)) * size {
                    return Some(format!("the weights {weights:?} are not in proportion to {sizes:?}"));
                }
            }
        }
        match weighting != Weighting::Equal && sizes.contains(&None) {
            true => Some("a member has no size".to_string()),
            false => None,
        }
    }

    /// Whether an order may be: by what is on the disk for good, which is also what the program reads.
    pub fn allows(&mut self, coin: &str, side: &str, certain: &[u8], seen: &[u8]) -> bool {
        let record = Remembered::read(certain).unwrap_or_default();
        let first = record.read_at.is_some();
        self.demand(first, || format!("{side} {coin} before the first list"));
        self.demand(certain == seen, || format!("{side} {coin} by a list that a power cut may take away"));
        if self.follow.fixed.iter().any(|(fixed, _)| fixed == coin) {
            return true;
        }
        let member = record.has(coin);
        let named = self.named.contains(coin);
        self.demand(named || !member, || format!("{side} {coin}, which no list has named"));
        let noted = side == "SELL" || !member || record.taken.contains(coin);
        self.demand(noted, || format!("{coin} is bought and not noted as the list's"));
        member || side == "SELL" && record.departed.iter().any(|departed| departed == coin)
    }

    /// Names on the disk are those that programs see.
    pub fn names_are_certain(&mut self, seen: &[u8]) {
        self.versions = vec![seen.to_vec()];
    }

    /// After a power cut the file is one that was there, whole; what was taken after it, was not.
    pub fn power_is_back(&mut self, seen: &[u8]) {
        let known = self.versions.iter().any(|version| version == seen);
        self.demand(known, || "what is remembered is neither the old nor the new after a power cut".to_string());
        let read_at = Remembered::read(seen).and_then(|record| record.read_at).unwrap_or(0);
        self.history.retain(|(at, _)| *at <= read_at);
        self.versions = vec![seen.to_vec()];
        self.alone_until_ms = 0;
    }

    /// In the end, after fair weather since a moment: the members are those that the list has at its top.
    pub fn close(&mut self, seen: &[u8], calm_ms: i64) {
        let Some(record) = Remembered::read(seen) else {
            return self.demand(false, || "what is remembered is not whole in the end".to_string());
        };
        self.demand(!record.trouble, || "there is trouble with the list in the end".to_string());
        let fresh = record.read_at.is_some_and(|read_at| read_at > calm_ms - CLOCK_MS);
        self.demand(fresh, || "the list was not read in fair weather".to_string());
        let Some((_, places)) = self.history.last() else { return };
        let Follow { top, include, .. } = &self.follow;
        let mut wrong = Vec::new();
        for (coin, id, _) in &record.members {
            let (best, worst) = places.get(&(coin.clone(), id.clone())).copied().unwrap_or_default();
            if best != worst || best > *top && !include.contains(coin) {
                wrong.push(format!("list: {coin} is a member at place {best} to {worst} in the end, with a top {top}"));
            }
        }
        let missing = include.iter().find(|coin| !record.has(coin));
        wrong.extend(missing.map(|coin| format!("list: {coin} is included and no member in the end")));
        self.violations.extend(wrong);
    }

    /// Coins and percentages of the portfolio by what is remembered, and coins that are to be sold off.
    pub fn allocation(&self, seen: &[u8]) -> (Vec<(String, Dec)>, Vec<String>) {
        let record = Remembered::read(seen).unwrap_or_default();
        let mut allocation = self.follow.fixed.clone();
        for (coin, _, weight) in record.members {
            let weight = dec("0.00000001").times(weight);
            allocation.push((coin, self.follow.share.mul_floor(weight)));
        }
        (allocation, record.departed)
    }
}
