//! The rules of membership in other words, held against every choice; and how often they can make a coin leave at the most, counted from
//! the places alone.

use super::market::Day;
use rebalancer::universe::members::{Candidate, Rules, Seat, choose};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of a member.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Known {
    since: i64,
    outside: Option<i64>,
}

/// The members from look to look, and what they cost.
pub struct Audit {
    rules: Rules,
    seats: Vec<Seat>,
    known: BTreeMap<String, Known>,
    pub entries: usize,
    pub exits: usize,
    /// Members that were outside the top, summed over all looks.
    pub outside: usize,
}

pub fn candidates(order: &[String]) -> Vec<Candidate> {
    let coins = order.iter().enumerate();
    coins
        .map(|(at, coin)| Candidate { coin: coin.clone(), id: coin.to_lowercase(), place: at + 1, included: false })
        .collect()
}

impl Audit {
    pub fn new(rules: Rules) -> Audit {
        Audit { rules, seats: Vec::new(), known: BTreeMap::new(), entries: 0, exits: 0, outside: 0 }
    }

    /// The members of today: from the program, and only when they are what the rules say.
    pub fn look(&mut self, day: &Day) -> Vec<String> {
        let Rules { top, leave_rank, leave_after_ms } = self.rules;
        let now = day.at;
        let choice = choose(&self.seats, &candidates(&day.order), self.rules, now);
        let place = |coin: &str| day.order.iter().position(|other| other == coin).map_or(usize::MAX, |at| at + 1);
        let names: Vec<String> = choice.seats.iter().map(|seat| seat.coin.clone()).collect();
        let members: BTreeSet<&String> = names.iter().collect();
        assert_eq!((names.len(), members.len()), (top, top), "always so many members, and different ones");
        assert!(names.iter().is_sorted_by_key(|coin| place(coin)), "by their places");

        // Who leaves: exactly those that must.
        let mut left: Vec<&String> = choice.left.iter().map(|(coin, _)| coin).collect();
        left.sort();
        let must = |(coin, known): &(&String, &Known)| {
            let since = known.outside.unwrap_or(now);
            place(coin) > leave_rank || place(coin) > top && now - since >= leave_after_ms
        };
        let leave: Vec<&String> = self.known.iter().filter(must).map(|(coin, _)| coin).collect();
        assert_eq!(left, leave);
        assert!(left.iter().all(|coin| place(coin) > top && !members.contains(coin)), "left from inside the top");

        // Who enters: the best of those inside the top that are no members, one for each that left.
        let entered: Vec<&String> = names.iter().filter(|coin| !self.known.contains_key(*coin)).collect();
        let free = day.order.iter().take(top).filter(|coin| !self.known.contains_key(*coin));
        let first = self.known.is_empty();
        let best: Vec<&String> = free.take(if first { top } else { left.len() }).collect();
        assert_eq!(entered, best);
        assert!(self.known.keys().all(|coin| members.contains(coin) || left.contains(&coin)), "neither here nor gone");

        // What is remembered of each.
        let mut known = BTreeMap::new();
        for seat in &choice.seats {
            let before = self.known.get(&seat.coin);
            let since = before.map_or(now, |known| known.since);
            let seen = before.and_then(|known| known.outside).unwrap_or(now);
            let expected = Known { since, outside: (place(&seat.coin) > top).then_some(seen) };
            assert_eq!(Known { since: seat.since, outside: seat.outside }, expected, "{}", seat.coin);
            assert_eq!(seat.id, seat.coin.to_lowercase());
            known.insert(seat.coin.clone(), expected);
        }
        let outside = known.values().filter(|known| known.outside.is_some()).count();
        // Places top + 1 to leave_rank, one each.
        assert!(outside <= leave_rank - top);
        self.outside += outside;
        if !first {
            (self.entries, self.exits) = (self.entries + entered.len(), self.exits + left.len());
        }
        (self.known, self.seats) = (known, choice.seats);
        names
    }

    /// What leaves is sold and what enters is bought, each of an equal weight, in percent of the portfolio.
    pub fn turnover(&self) -> usize {
        (self.entries + self.exits) * 100 / self.rules.top
    }
}

/// How often coins can leave at the most. A coin that left comes back from inside the top only. So between two exits of the same coin it
/// was inside, and then either below `leave_rank` or, look after look, outside for `leave_after`. Whoever counts these passages for every
/// coin of the list, member or not, counts each exit.
pub fn most_exits(days: &[Day], rules: Rules) -> usize {
    let coins: BTreeSet<&String> = days.iter().flat_map(|day| &day.order).collect();
    let passages = |coin: &String| {
        let (mut count, mut inside, mut outside) = (0, false, None);
        for day in days {
            let place = day.order.iter().position(|other| other == coin).map_or(usize::MAX, |at| at + 1);
            if place <= rules.top {
                (inside, outside) = (true, None);
            } else if inside {
                let since = *outside.get_or_insert(day.at);
                if place > rules.leave_rank || day.at - since >= rules.leave_after_ms {
                    (count, inside, outside) = (count + 1, false, None);
                }
            }
        }
        count
    };
    coins.into_iter().map(passages).sum()
}
