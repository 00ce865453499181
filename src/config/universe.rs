//! The `universe` of the config: where a list of coins comes from, and by which rules the portfolio follows it.

use super::{address, choice, is_coin, number, percentage, shown, text, wrong};
use crate::amount::Percent;
use crate::exchange::Millis;
use crate::http;
use crate::json::{Error as JsonError, Reader};
use crate::schedule;
use crate::universe::members::Rules;
use crate::universe::weights::{self, MOST_TOP};
use std::path::{Path, PathBuf};

/// CoinGecko's address for everybody: without a key, and with a demo key.
pub const COINGECKO_URL: &str = "https://api.coingecko.com/api/v3";
/// What `refresh`, `leave_after` and CoinGecko's `max_age` are, unless the owner says otherwise.
const DAY_MS: Millis = 24 * 3600 * 1000;

/// Where a list lies.
#[derive(Clone)]
pub enum Location {
    /// A file; seen from the config's folder.
    File(PathBuf),
    /// A page: scheme and host, and the rest.
    Address {
        /// Checked by [`http::base_url`].
        base: String,
        /// What follows the host, without its slash.
        path: String,
    },
}

/// Who ranks the coins.
#[derive(Clone)]
pub enum Source {
    /// CoinGecko's list of coins by market cap.
    CoinGecko {
        /// Its id of a category; the whole market without one.
        category: Option<String>,
        /// The root of its interface.
        base_url: String,
    },
    /// A list that somebody keeps.
    List(Location),
}

/// What a member's weight is in proportion to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Weighting {
    /// Nothing: all are the same.
    Equal,
    /// The market cap, or the weight that the list gives.
    Size,
    /// Its square root.
    Root,
}

/// What the owner decided about the list.
#[derive(Clone)]
pub struct Settings {
    /// Who ranks the coins.
    pub source: Source,
    /// When members enter and leave.
    pub rules: Rules,
    /// What weights are in proportion to; `None`: to the weights of the list when it has any, else to nothing.
    pub weighting: Option<Weighting>,
    /// Largest weight of a member, in percent of the list.
    pub max_weight: Percent,
    /// Smallest weight of a member, in percent of the list.
    pub min_weight: Percent,
    /// How much of the portfolio follows the list.
    pub share: Percent,
    /// Coins, or ids of the source, that are never members.
    pub exclude: Vec<String>,
    /// Coins, or ids of the source, that are always members.
    pub include: Vec<String>,
    /// A list that was read longer ago is read again.
    pub refresh_ms: Millis,
    /// What the source says must not be older, if this is given.
    pub max_age_ms: Option<Millis>,
    /// The source as it may be shown: an address without what follows its question mark, which may be a key.
    pub name: String,
    /// Which list it is, and how many coins it has. Members of another one do not count.
    pub subject: String,
    /// The other rules that decide who is chosen and with which weight.
    pub words: String,
}

/// Every key.
pub const KEYS: [&str; 15] = [
    "source",
    "category",
    "list",
    "base_url",
    "top",
    "weighting",
    "max_weight",
    "min_weight",
    "share",
    "exclude",
    "include",
    "leave_rank",
    "leave_after",
    "refresh",
    "max_age",
];

/// What was written, before it is known how it fits together.
#[derive(Default)]
struct Written {
    list: Option<bool>,
    category: Option<String>,
    location: Option<Location>,
    /// The location as it was written.
    name: String,
    base_url: Option<String>,
    top: Option<usize>,
    leave_rank: Option<usize>,
    leave_after_ms: Option<Millis>,
    weighting: Option<Weighting>,
    max_weight: Option<Percent>,
    min_weight: Percent,
    share: Option<Percent>,
    exclude: Vec<String>,
    include: Vec<String>,
    refresh_ms: Option<Millis>,
    max_age_ms: Option<Millis>,
    seen: Vec<String>,
}

/// Reads the object of the key `universe`.
///
/// # Errors
/// The line and what is wrong there.
pub(super) fn read(reader: &mut Reader<'_>, directory: &Path) -> Result<Settings, JsonError> {
    let line = reader.line();
    let mut written = Written::default();
    reader.object(&mut |reader, key| {
        if written.seen.iter().any(|earlier| earlier == key) {
            return Err(wrong(reader.line(), key, "the key is repeated"));
        }
        written.seen.push(key.to_string());
        written.key(reader, key, directory)
    })?;
    written.settle().map_err(|why| JsonError::at(line, format!("universe: {why}")))
}

impl Written {
    fn key(&mut self, reader: &mut Reader<'_>, key: &str, directory: &Path) -> Result<(), JsonError> {
        let line = reader.line();
        match key {
            "source" => self.list = Some(choice(reader, key, &[("coingecko", false), ("list", true)])?),
            "category" => {
                let id = text(reader, key)?;
                let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
                if id.is_empty() || !id.bytes().all(plain) {
                    let why =
                        format!("\"{}\" is no id of CoinGecko's, such as \"decentralized-finance-defi\"", shown(&id));
                    return Err(wrong(line, key, &why));
                }
                self.category = Some(id);
            }
            "list" => {
                let name = text(reader, key)?;
                let location = location(&name, directory);
                self.location =
                    Some(location.map_err(|why| wrong(line, key, &format!("\"{}\": {why}", shown(&name))))?);
                self.name = name;
            }
            "base_url" => self.base_url = Some(address(reader, key)?),
            "top" => self.top = Some(count(reader, key, MOST_TOP)?),
            "leave_rank" => self.leave_rank = Some(count(reader, key, 2 * MOST_TOP)?),
            "weighting" => {
                let ways = [
                    ("equal", Weighting::Equal),
                    ("market-cap", Weighting::Size),
                    ("sqrt-market-cap", Weighting::Root),
                ];
                self.weighting = Some(choice(reader, key, &ways)?);
            }
            "max_weight" => self.max_weight = Some(coarse(reader, key)?),
            "min_weight" => self.min_weight = coarse(reader, key)?,
            "share" => {
                self.share = Some(coarse(reader, key)?).filter(|share| *share > Percent::ZERO);
                if self.share.is_none() {
                    return Err(wrong(line, key, "0 would follow no list; leave universe out"));
                }
            }
            "exclude" => self.exclude = names(reader, key)?,
            "include" => self.include = names(reader, key)?,
            "leave_after" => self.leave_after_ms = Some(span(reader, key)?),
            "refresh" => self.refresh_ms = Some(span(reader, key)?),
            "max_age" => self.max_age_ms = Some(span(reader, key)?),
            _ => {
                let why = format!("universe: {}: the key is unknown; allowed are {}", shown(key), KEYS.join(", "));
                return Err(reader.error(why));
            }
        }
        Ok(())
    }

    /// How it fits together.
    fn settle(self) -> Result<Settings, String> {
        let list = self.list.ok_or("source is missing; write \"source\": \"coingecko\" or \"list\"")?;
        let top = self.top.ok_or("top is missing; write how many coins the list has, such as \"top\": 10")?;
        let source = match (list, self.location) {
            (false, None) => Source::CoinGecko {
                category: self.category.clone(),
                base_url: self.base_url.unwrap_or_else(|| COINGECKO_URL.to_string()),
            },
            (false, Some(_)) => return Err("list goes with \"source\": \"list\"".to_string()),
            (true, None) => return Err("list is missing; write \"list\": a file or https://...".to_string()),
            (true, Some(_)) if self.category.is_some() || self.base_url.is_some() => {
                return Err("category and base_url go with \"source\": \"coingecko\"".to_string());
            }
            (true, Some(location)) => Source::List(location),
        };
        // Three tenths more, rounded up: 13 for a top 10.
        let leave_rank = self.leave_rank.unwrap_or(top + (top * 3).div_ceil(10));
        if leave_rank < top {
            return Err(format!("leave_rank, {leave_rank}, is inside the top {top}"));
        }
        let max_weight = self.max_weight.unwrap_or(Percent::HUNDRED);
        if !weights::feasible(top, Percent::ZERO, max_weight) {
            return Err(format!("{top} coins of at most max_weight, {max_weight} percent, are less than 100 percent"));
        }
        if !weights::feasible(top, self.min_weight, Percent::HUNDRED) {
            return Err(format!(
                "{top} coins of at least min_weight, {} percent, are more than 100 percent",
                self.min_weight
            ));
        }
        if self.include.len() > top {
            return Err(format!("include names {} coins, but the list has {top}", self.include.len()));
        }
        if let Some(both) = self.include.iter().find(|name| self.exclude.contains(name)) {
            return Err(format!("{both} is in include and in exclude"));
        }
        let weighting = match self.weighting {
            None => "own",
            Some(Weighting::Equal) => "equal",
            Some(Weighting::Size) => "size",
            Some(Weighting::Root) => "root",
        };
        let sorted = |names: &[String]| {
            let mut names = names.to_vec();
            names.sort_unstable();
            names.join(" ")
        };
        let name = match &source {
            Source::CoinGecko { category, .. } => {
                format!("coingecko {}", category.as_deref().unwrap_or("(the whole market)"))
            }
            Source::List(_) => self.name,
        };
        let min_weight = self.min_weight;
        let max_age_ms = if list { self.max_age_ms } else { self.max_age_ms.or(Some(DAY_MS)) };
        Ok(Settings {
            subject: format!("{name} top {top}"),
            words: format!(
                "leave {leave_rank} {weighting} {min_weight}-{max_weight} -{} +{}",
                sorted(&self.exclude),
                sorted(&self.include)
            ),
            name: name.split('?').next().unwrap_or_default().to_string(),
            source,
            rules: Rules { top, leave_rank, leave_after_ms: self.leave_after_ms.unwrap_or(DAY_MS) },
            weighting: self.weighting,
            max_weight,
            min_weight,
            share: self.share.unwrap_or(Percent::HUNDRED),
            exclude: self.exclude,
            include: self.include,
            refresh_ms: self.refresh_ms.unwrap_or(DAY_MS),
            max_age_ms,
        })
    }
}

impl Settings {
    /// Whether the order of the source is that of the market caps.
    pub fn is_ranked(&self) -> bool {
        matches!(self.source, Source::CoinGecko { .. })
    }
}

fn location(name: &str, directory: &Path) -> Result<Location, String> {
    if !name.contains("://") {
        return match name.is_empty() {
            true => Err("it is empty; give a file or https://...".to_string()),
            false => Ok(Location::File(directory.join(name))),
        };
    }
    // The third slash is the first of the path.
    let end = name.match_indices('/').nth(2).map_or(name.len(), |(at, _)| at);
    let (base, path) = name.split_at(end);
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) || path.contains(['#', '\\', '"']) {
        return Err("it holds a character that an address does not have; write %20 for a space".to_string());
    }
    let path = path.trim_start_matches('/').to_string();
    Ok(Location::Address { base: http::base_url(base)?, path })
}

/// A whole number from 1 to `most`.
fn count(reader: &mut Reader<'_>, key: &str, most: usize) -> Result<usize, JsonError> {
    let (line, text) = number(reader, key)?;
    match text.parse::<usize>() {
        Ok(count) if (1..=most).contains(&count) => Ok(count),
        _ => Err(wrong(line, key, &format!("{text} is no whole number from 1 to {most}"))),
    }
}

/// A percentage with as many decimals as weights have.
fn coarse(reader: &mut Reader<'_>, key: &str) -> Result<Percent, JsonError> {
    let line = reader.line();
    let percent = percentage(reader, key)?;
    match percent.floor_to_tick(weights::step()) == percent {
        true => Ok(percent),
        false => Err(wrong(line, key, &format!("{percent} has more than {} decimals", weights::PLACES))),
    }
}

fn span(reader: &mut Reader<'_>, key: &str) -> Result<Millis, JsonError> {
    let line = reader.line();
    let words = text(reader, key)?;
    let why = || wrong(line, key, &format!("\"{}\" is no time such as \"24h\" (s, m, h, d)", shown(&words)));
    schedule::span(&words).map(|seconds| seconds * 1000).ok_or_else(why)
}

/// Coins in capital letters, or ids of the source in small ones.
fn names(reader: &mut Reader<'_>, key: &str) -> Result<Vec<String>, JsonError> {
    let mut names = Vec::new();
    reader.array(&mut |reader| {
        let line = reader.line();
        let name = text(reader, key)?;
        let id = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.');
        if !is_coin(&name) && (name.is_empty() || !name.bytes().all(id)) {
            let why = format!("\"{}\" is neither a coin (capital letters) nor an id of the source", shown(&name));
            return Err(wrong(line, key, &why));
        }
        if names.contains(&name) {
            return Err(wrong(line, key, &format!("{name} is repeated")));
        }
        names.push(name);
        Ok(())
    })?;
    Ok(names)
}

/// The percentages of the fixed coins in a portfolio of which `share` follows a list. They sum to what is left of 100, or to 100 and are
/// then parts of what is left; rounded towards zero in the 18th decimal, and the first takes what remains.
pub(super) fn rest(allocation: &mut [(String, Percent)], share: Percent) -> Result<(), String> {
    let (sum, left): (Percent, Percent) = (allocation.iter().map(|(_, part)| *part).sum(), Percent::HUNDRED - share);
    if allocation.is_empty() && left > Percent::ZERO {
        return Err(format!("share is {share}; say in \"allocation\" where the other {left} percent belong"));
    }
    if !allocation.is_empty() && left == Percent::ZERO {
        return Err("share is 100, so nothing is left for \"allocation\"; lower it".to_string());
    }
    if sum == left {
        return Ok(());
    }
    if sum != Percent::HUNDRED {
        return Err(format!(
            "the percentages of \"allocation\" sum to {sum}; beside a share of {share} it must be {left}, or 100 for parts of it"
        ));
    }
    for (_, part) in allocation.iter_mut() {
        *part = left.of(*part);
    }
    let lost = left - allocation.iter().map(|(_, part)| *part).sum();
    if let Some((_, first)) = allocation.first_mut() {
        *first += lost;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::percent;
    use super::*;

    #[test]
    fn fixed_coins_have_what_the_list_leaves_to_the_last_digit() {
        let of = |parts: &[&str], share: &str| {
            let mut allocation: Vec<(String, Percent)> =
                parts.iter().map(|part| ("X".to_string(), percent(part))).collect();
            rest(&mut allocation, percent(share)).map(|()| {
                let parts: Vec<String> = allocation.iter().map(|(_, part)| part.to_string()).collect();
                parts.join(" ")
            })
        };
        assert_eq!(of(&["10", "10"], "80").as_deref(), Ok("10 10"));
        assert_eq!(of(&["50", "50"], "80").as_deref(), Ok("10 10"));
        assert_eq!(
            of(&["33.333333333333333333", "33.333333333333333333", "33.333333333333333334"], "90").as_deref(),
            Ok("3.333333333333333334 3.333333333333333333 3.333333333333333333")
        );
        assert_eq!(of(&[], "100").as_deref(), Ok(""));
        for (parts, share) in [(&["50", "40"][..], "80"), (&["10", "9"], "80"), (&[], "80"), (&["100"], "100")] {
            assert!(of(parts, share).is_err(), "{parts:?} {share}");
        }
    }
}
