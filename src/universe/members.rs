//! Who belongs to the list: entries, exits and the delay between them. Pure.
//!
//! A coin enters only from inside the top. A member leaves at once when it is below the wider rank or gone from the list, and when it
//! has been outside the top for long enough; until then it keeps its place, so that a coin that goes back and forth over the edge is
//! not sold and bought. There are always `top` members: a coin inside the top waits while nobody leaves. There are enough that may
//! enter: with `k` members outside the top, at least as many places inside it belong to no member.

use crate::exchange::Millis;
use crate::market::Coin;

/// The owner's rules.
#[derive(Clone, Copy)]
pub struct Rules {
    /// How many members there are.
    pub top: usize,
    /// A member below this place leaves at once.
    pub leave_rank: usize,
    /// A member that has been outside the top for so long leaves.
    pub leave_after_ms: Millis,
}

/// A coin that may be a member, by its place among those that may.
#[derive(Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The coin.
    pub coin: Coin,
    /// The source's id of it; empty when the source has none.
    pub id: String,
    /// From 1, without gaps.
    pub place: usize,
    /// Whether the owner wants it whatever its place.
    pub included: bool,
}

/// A member, as far as its membership goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Seat {
    /// The coin.
    pub coin: Coin,
    /// The source's id of it.
    pub id: String,
    /// When it entered.
    pub since: Millis,
    /// Since when it has been seen outside the top only.
    pub outside: Option<Millis>,
}

impl Seat {
    /// Whether it is a coin's. Where a source has no ids, the name is all there is.
    pub fn is(&self, coin: &str, id: &str) -> bool {
        self.coin == coin && (self.id == id || self.id.is_empty() || id.is_empty())
    }
}

/// What becomes of the members.
pub struct Choice {
    /// The members from now on, by their places; empty when there are not enough coins.
    pub seats: Vec<Seat>,
    /// Members that leave, with the reason.
    pub left: Vec<(Coin, String)>,
}

/// Chooses the members from `candidates`, which are in the order of their places. Few candidates make no members.
pub fn choose(held: &[Seat], candidates: &[Candidate], rules: Rules, now: Millis) -> Choice {
    let Rules { top, leave_rank, leave_after_ms } = rules;
    let mut choice = Choice { seats: Vec::new(), left: Vec::new() };
    let held_by = |candidate: &Candidate| held.iter().find(|seat| seat.is(&candidate.coin, &candidate.id));
    let seat = |candidate: &Candidate, outside| {
        let Candidate { coin, id, .. } = candidate;
        let before = held_by(candidate);
        let id = before.map_or(id, |before| if id.is_empty() { &before.id } else { id });
        let since = before.map_or(now, |before| before.since);
        Some(Seat { coin: coin.clone(), id: id.clone(), since, outside })
    };
    for gone in held {
        if !candidates.iter().any(|candidate| gone.is(&candidate.coin, &candidate.id)) {
            choice.left.push((gone.coin.clone(), "it is not on the list any more".to_string()));
        }
    }
    // Those that the owner wants come first, then members while there is room, then coins from inside the top.
    let mut room = top;
    let mut seats: Vec<Option<Seat>> = Vec::new();
    for candidate in candidates {
        let taken = seat(candidate, None).filter(|_| candidate.included && room > 0);
        room -= usize::from(taken.is_some());
        seats.push(taken);
    }
    for (candidate, taken) in candidates.iter().zip(&mut seats).filter(|(_, taken)| taken.is_none()) {
        let Some(before) = held_by(candidate) else { continue };
        let place = candidate.place;
        let outside = before.outside.or(Some(now)).filter(|_| place > top);
        let late = outside.is_some_and(|outside| now.saturating_sub(outside) >= leave_after_ms);
        let why = if place > top && place > leave_rank {
            format!("place {place} is below leave_rank, {leave_rank}")
        } else if late {
            format!("it has been outside the top {top} for leave_after, at place {place} now")
        } else if room == 0 {
            format!("there are no more than {top} places, and its is {place}")
        } else {
            room -= 1;
            *taken = seat(candidate, outside);
            continue;
        };
        choice.left.push((before.coin.clone(), why));
    }
    for (candidate, taken) in candidates.iter().zip(&mut seats).take(top).filter(|(_, taken)| taken.is_none()) {
        if room > 0 {
            room -= 1;
            *taken = seat(candidate, None);
        }
    }
    if room == 0 {
        choice.seats = seats.into_iter().flatten().collect();
    }
    choice
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { top: 3, leave_rank: 5, leave_after_ms: 100 };

    fn candidates(names: &str) -> Vec<Candidate> {
        let names = names.split(' ').enumerate();
        names
            .map(|(at, name)| Candidate {
                coin: name.trim_end_matches('!').to_string(),
                id: name.to_lowercase().trim_end_matches('!').to_string(),
                place: at + 1,
                included: name.ends_with('!'),
            })
            .collect()
    }

    fn coins(choice: &Choice) -> String {
        choice.seats.iter().map(|seat| seat.coin.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn left(choice: &Choice) -> String {
        choice.left.iter().map(|(coin, _)| coin.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// Looks at one list after the other; each has its time.
    fn looks(lists: &[(Millis, &str)], rules: Rules) -> Vec<(String, String)> {
        let mut seats = Vec::new();
        let mut seen = Vec::new();
        for (now, names) in lists {
            let choice = choose(&seats, &candidates(names), rules, *now);
            seen.push((coins(&choice), left(&choice)));
            seats = choice.seats;
        }
        seen
    }

    fn are(lists: &[(Millis, &str)], expected: &[(&str, &str)]) {
        let expected: Vec<(String, String)> =
            expected.iter().map(|(coins, left)| (coins.to_string(), left.to_string())).collect();
        assert_eq!(looks(lists, RULES), expected);
    }

    #[test]
    fn the_first_list_is_its_top() {
        are(&[(0, "A B C D E F")], &[("A B C", "")]);
        are(&[(0, "A B")], &[("", "")]);
    }

    #[test]
    fn a_member_over_the_edge_for_a_while_stays_and_one_that_stays_out_leaves() {
        let (inside, outside) = ("A B C D E F", "A B D C E F");
        are(&[(0, inside), (10, outside), (109, outside), (110, inside)], &[("A B C", ""); 4]);
        are(&[(0, inside), (10, outside), (110, outside)], &[("A B C", ""), ("A B C", ""), ("A B D", "C")]);
        // Inside once, and the time counts anew.
        are(&[(0, inside), (10, outside), (60, inside), (120, outside), (210, outside)], &[("A B C", ""); 5]);
    }

    #[test]
    fn a_member_below_the_wider_rank_or_gone_leaves_at_once() {
        are(&[(0, "A B C D E F"), (1, "A B D E C F")], &[("A B C", ""); 2]);
        are(&[(0, "A B C D E F"), (1, "A B D E F C")], &[("A B C", ""), ("A B D", "C")]);
        are(&[(0, "A B C D E F"), (1, "A B D E F")], &[("A B C", ""), ("A B D", "C")]);
    }

    #[test]
    fn a_coin_with_another_id_is_another_coin() {
        let first = choose(&[], &candidates("A B C D"), RULES, 0);
        let mut second = candidates("A B C D");
        second[2].id = "c-2".to_string();
        let choice = choose(&first.seats, &second, RULES, 1);
        assert_eq!((coins(&choice).as_str(), left(&choice).as_str()), ("A B C", "C"));
        assert_eq!(choice.seats[2].since, 1);
    }

    #[test]
    fn included_coins_are_members_wherever_they_are_and_keep_their_place() {
        are(&[(0, "A B C D E F!"), (500, "A B C D E F G!")], &[("A B F", ""), ("A B G", "F")]);
        are(&[(0, "A B C"), (1, "A B C D E F! G!")], &[("A B C", ""), ("A F G", "B C")]);
        are(&[(0, "A B C D E F G!"), (500, "A B C D E F G!")], &[("A B G", ""); 2]);
    }

    #[test]
    fn fewer_places_keep_the_best_members_and_more_places_are_filled_from_the_top() {
        let first = choose(&[], &candidates("A B C D E F"), RULES, 0);
        let fewer = choose(&first.seats, &candidates("C A B D E F"), Rules { top: 2, ..RULES }, 1);
        assert_eq!((coins(&fewer).as_str(), left(&fewer).as_str()), ("C A", "B"));
        let more = choose(&fewer.seats, &candidates("A B C D E F"), Rules { top: 4, ..RULES }, 2);
        assert_eq!((coins(&more).as_str(), left(&more).as_str()), ("A B C D", ""));
    }
}
