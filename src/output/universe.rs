//! The list of coins, as it was read and as it is remembered.

use super::{WIDTH, broken, wrapped};
use crate::config::Config;
use crate::exchange::Millis;
use crate::json::{Object, list};
use crate::market::Coin;
use crate::universe::Universe;
use crate::universe::look::{Line, Look, Standing};
use crate::universe::record::{Changes, Member};
use crate::universe::source::shown_size;

/// Where the notes of the table begin.
const INDENT: &str = "                  ";

/// The table of a list that was read: members, candidates down to leave_rank, and everything above them that was skipped.
pub fn look_table(look: &Look, config: &Config) -> String {
    let ranked = config.universe.as_ref().is_some_and(|settings| settings.is_ranked());
    let size = if ranked { "market cap" } else { "given" };
    let mut out = format!("{:>4} {:>5} {:<10} {:>20} {:>10} {}\n", "rank", "place", "coin", size, "weight", "pair");
    let last = config.universe.as_ref().map_or(0, |settings| settings.rules.leave_rank);
    // Down to the last place that matters; the whole list when it has not so many.
    let shown = |line: &Line| line.place == Some(last) || line.weight.is_some();
    let whole = look.lines.iter().all(|line| line.place != Some(last));
    let end = look.lines.iter().rposition(shown).filter(|_| !whole).map_or(look.lines.len(), |at| at + 1);
    let dash = || "-".to_string();
    for (at, line) in look.lines.iter().enumerate() {
        if at >= end && !special(line) {
            continue;
        }
        out.push_str(&format!(
            "{:>4} {:>5} {:<10.10} {:>20} {:>10} {}\n",
            line.rank.map_or_else(dash, |rank| rank.to_string()),
            line.place.map_or_else(dash, |place| place.to_string()),
            line.name(),
            line.entry.size.map_or_else(dash, shown_size),
            line.weight.map_or_else(dash, |weight| weight.rounded(4)),
            line.pair.as_deref().unwrap_or("-"),
        ));
        let (word, why) = words(&line.standing);
        if line.standing != Standing::Stays && line.standing != Standing::Waits {
            let note = if why.is_empty() { format!("{INDENT}{word}") } else { format!("{INDENT}{word}: {why}") };
            out.push_str(&indented(&note));
        }
    }
    let more = look.lines.iter().skip(end).filter(|line| !special(line)).count();
    if more > 0 {
        out.push_str(&format!("and {more} coins below\n"));
    }
    out
}

/// Whether a line is shown wherever it is: of a member that leaves, or of a coin that the owner asked for in vain.
fn special(line: &Line) -> bool {
    line.rank.is_none() || matches!(line.standing, Standing::Leaves(_))
}

/// A note under its line, broken at the table's width.
fn indented(note: &str) -> String {
    let text = broken(note.trim_start(), "", WIDTH - INDENT.len());
    text.lines().map(|line| format!("{INDENT}{line}\n")).collect()
}

fn words(standing: &Standing) -> (&'static str, &str) {
    match standing {
        Standing::Stays => ("member", ""),
        Standing::Enters => ("enters", ""),
        Standing::Leaves(why) => ("leaves", why),
        Standing::Waits => ("candidate", ""),
        Standing::Skipped(why) => ("skipped", why),
    }
}

/// The output of `universe --json`.
pub fn look_json(look: &Look, universe: &Universe<'_>) -> String {
    let coins = list(look.lines.iter().map(|line| {
        let (state, why) = words(&line.standing);
        let mut json = Object::new();
        for (key, number) in [("rank", line.rank), ("place", line.place)] {
            json = json.raw(key, &number.map_or("null".to_string(), |number| number.to_string()));
        }
        json = json.text("coin", line.name()).text("id", &line.entry.id);
        let texts = [
            ("market_cap", line.entry.size.map(shown_size)),
            ("weight", line.weight.map(|weight| weight.to_string())),
            ("pair", line.pair.clone()),
        ];
        for (key, text) in texts {
            json = json.raw(key, &text.map_or("null".to_string(), |text| crate::json::text(&text)));
        }
        let json = json.text("state", state);
        if why.is_empty() { json.end() } else { json.text("reason", why).end() }
    }));
    let json = Object::new()
        .text("source", universe.name())
        .raw("good", if look.refused.is_none() { "true" } else { "false" });
    match &look.refused {
        None => json.raw("coins", &coins).end(),
        Some(why) => json.text("error", why).raw("coins", &coins).end(),
    }
}

/// What a list changes, under the table of orders.
pub fn changes_table(changes: &Changes) -> String {
    let line = |coins: &[Coin], what: &str| match coins {
        [] => String::new(),
        _ => wrapped(&format!("{}: {what}", coins.join(", ")), "  "),
    };
    line(&changes.enter, "new on the list") + &line(&changes.leave, "not on the list any more, sold off")
}

/// The list that is remembered, to be shown.
pub struct List<'a> {
    /// The list.
    pub universe: &'a Universe<'a>,
    /// A moment in the owner's local time.
    pub show: &'a dyn Fn(Millis) -> String,
}

impl List<'_> {
    /// Members with places and times, coins that are still to be sold, and what is wrong.
    pub fn table(&self) -> String {
        let record = &self.universe.record;
        let read = record.read_at.map_or("never".to_string(), self.show);
        let mut out = wrapped(&format!("list: {}, read {read}", self.universe.name()), "  ");
        for Member { seat, rank, place, weight, .. } in &record.members {
            let mut line = format!(
                "{place:>4}. {:<10} {:>10} %  rank {rank}, since {}",
                seat.coin,
                weight.rounded(4),
                (self.show)(seat.since)
            );
            if let Some(outside) = seat.outside {
                line.push_str(&format!("\n      outside the top since {}", (self.show)(outside)));
            }
            out.push_str(&format!("{line}\n"));
        }
        for (coin, left) in &record.departed {
            out.push_str(&format!("      {coin:<10} left {}, to be sold\n", (self.show)(*left)));
        }
        if let Some(trouble) = self.universe.trouble() {
            out.push_str(&wrapped(&trouble, "  "));
        }
        out
    }

    /// The same as JSON; times are milliseconds since 1970 in UTC.
    pub fn json(&self) -> String {
        let record = &self.universe.record;
        let time = |time: Option<Millis>| time.map_or("null".to_string(), |time| time.to_string());
        let members = list(record.members.iter().map(|Member { seat, rank, place, weight, .. }| {
            Object::new()
                .text("coin", &seat.coin)
                .text("id", &seat.id)
                .raw("rank", &rank.to_string())
                .raw("place", &place.to_string())
                .text("weight", &weight.to_string())
                .raw("since", &seat.since.to_string())
                .raw("outside_since", &time(seat.outside))
                .end()
        }));
        let departed = list(
            record
                .departed
                .iter()
                .map(|(coin, left)| Object::new().text("coin", coin).raw("left", &left.to_string()).end()),
        );
        let json = Object::new()
            .text("source", self.universe.name())
            .raw("read_at", &time(record.read_at))
            .raw("members", &members)
            .raw("departed", &departed);
        match &record.trouble {
            None => json.end(),
            Some((since, why)) => json.raw("trouble_since", &since.to_string()).text("trouble", why).end(),
        }
    }
}
