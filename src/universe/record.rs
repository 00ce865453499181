//! What is remembered of a list: its members with their weights, coins that left it and are still to be sold, and what is wrong with it.
//!
//! A small file of sealed lines (see [`crate::store`]), replaced as a whole before any order that follows from it: a head, then one line
//! for each member and each coin that left. Damage is not repaired: without its members nobody knows what the list has bought.

use super::members::Seat;
use crate::amount::Percent;
use crate::disk::Disk;
use crate::exchange::Millis;
use crate::json::{Object, Row};
use crate::market::Coin;
use crate::store::{self, Error};
use crate::text;
use std::path::Path;

/// A larger file is not ours: a hundred members take a tenth of it.
const MOST_BYTES: usize = 256 * 1024;

/// A member of the list.
#[derive(Clone, PartialEq, Eq)]
pub struct Member {
    /// Coin, id and times.
    pub seat: Seat,
    /// Where the source had it, among all of its coins, when the list was read.
    pub rank: usize,
    /// Where it was among the coins that may be members.
    pub place: usize,
    /// Its weight in percent of the list.
    pub weight: Percent,
    /// Whether the list has bought it, or a cycle has ended well with it: only then it is sold when it leaves.
    pub taken: bool,
}

/// What is remembered.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Which list the members are from: source, how many, quote currency. Those of another one do not count.
    pub subject: String,
    /// By which other rules they were chosen. When these change, the list is read again.
    pub rules: String,
    /// When the list was read that they are from; none when there has not been one.
    pub read_at: Option<Millis>,
    /// How many coins the source had on its first page then.
    pub count: usize,
    /// Whether it is to be read again as soon as possible.
    pub again: bool,
    /// Since when there has been no good list, and why.
    pub trouble: Option<(Millis, String)>,
    /// When that was found last.
    pub tried_at: Option<Millis>,
    /// The source is left alone until then.
    pub not_before: Option<Millis>,
    /// Members by their places; the weights sum to 100.
    pub members: Vec<Member>,
    /// Coins that left the list and are to be sold off, with the moment when they left.
    pub departed: Vec<(Coin, Millis)>,
}

/// How the members of two records differ.
pub struct Changes {
    /// Coins that become members.
    pub enter: Vec<Coin>,
    /// Coins that left and are to be sold off.
    pub leave: Vec<Coin>,
}

impl Record {
    /// Whether a coin is a member.
    pub fn has(&self, coin: &str) -> bool {
        self.members.iter().any(|member| member.seat.coin == coin)
    }

    /// What a later record changes, coins that left before and are not sold yet included.
    pub fn changes(&self, later: &Record) -> Changes {
        let is_new = |member: &&Member| !self.has(&member.seat.coin);
        let enter = later.members.iter().filter(is_new).map(|member| member.seat.coin.clone()).collect();
        Changes { enter, leave: later.departed.iter().map(|(coin, _)| coin.clone()).collect() }
    }

    /// What a file says; nothing is remembered when there is none.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn load(disk: &dyn Disk, path: &Path) -> Result<Record, Error> {
        let bytes = match disk.read(path, MOST_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Record::default()),
            Err(error) => return Err(Error::new("read", path, &error)),
        };
        let text = text::utf8(bytes).ok();
        text.as_deref().and_then(Record::parse).ok_or_else(|| {
            let why = "it is damaged, so it is not known which coins the list has bought. Nothing was changed and nothing was \
                       sent. Move the file away to begin with a new list; coins that are not on it will be left alone";
            Error::new("trust", path, &why)
        })
    }

    /// Writes it so that after a power cut either the old or the new one is there.
    ///
    /// # Errors
    /// When the disk refuses; the old one is still there.
    pub fn save(&self, disk: &dyn Disk, path: &Path) -> Result<(), Error> {
        store::replace(disk, path, &self.text())
    }

    fn text(&self) -> String {
        let time = |object: Object, key: &str, time: Option<Millis>| match time {
            Some(time) => object.raw(key, &time.to_string()),
            None => object,
        };
        let mut head = Object::new().raw("universe", "1").text("subject", &self.subject).text("rules", &self.rules);
        head = time(head, "read_at", self.read_at);
        head = time(head, "tried_at", self.tried_at);
        head = time(head, "not_before", self.not_before);
        head = head.raw("count", &self.count.to_string());
        if self.again {
            head = head.raw("again", "1");
        }
        if let Some((since, why)) = &self.trouble {
            head = head.raw("since", &since.to_string()).text("why", why);
        }
        let count = (self.members.len() + self.departed.len()).to_string();
        let mut out = store::seal(&head.raw("lines", &count).end());
        for Member { seat, rank, place, weight, taken } in &self.members {
            let mut line = Object::new()
                .text("member", &seat.coin)
                .text("id", &seat.id)
                .raw("rank", &rank.to_string())
                .raw("place", &place.to_string())
                .text("weight", &weight.to_string())
                .raw("since", &seat.since.to_string());
            if *taken {
                line = line.raw("taken", "1");
            }
            out.push_str(&store::seal(&time(line, "outside", seat.outside).end()));
        }
        for (coin, left) in &self.departed {
            out.push_str(&store::seal(&Object::new().text("departed", coin).raw("at", &left.to_string()).end()));
        }
        out
    }

    fn parse(text: &str) -> Option<Record> {
        let mut lines = text.lines();
        let head = Row::read(store::unseal(lines.next()?)?).ok()?;
        head.get("universe").filter(|version| *version == "1")?;
        let mut record = Record {
            subject: head.get("subject")?.to_string(),
            read_at: number(&head, "read_at"),
            count: number(&head, "count")?,
            again: head.get("again").is_some(),
            trouble: number(&head, "since").zip(head.get("why").map(str::to_string)),
            rules: head.get("rules")?.to_string(),
            tried_at: number(&head, "tried_at"),
            not_before: number(&head, "not_before"),
            ..Record::default()
        };
        for line in lines {
            let row = Row::read(store::unseal(line)?).ok()?;
            if let Some(coin) = row.get("departed") {
                record.departed.push((coin.to_string(), number(&row, "at")?));
                continue;
            }
            let seat = Seat {
                coin: row.get("member")?.to_string(),
                id: row.get("id")?.to_string(),
                since: number(&row, "since")?,
                outside: number(&row, "outside"),
            };
            let (rank, place) = (number(&row, "rank")?, number(&row, "place")?);
            let (weight, taken) = (Percent::parse(row.get("weight")?)?, row.get("taken").is_some());
            record.members.push(Member { seat, rank, place, weight, taken });
        }
        let whole = number::<usize>(&head, "lines")? == record.members.len() + record.departed.len();
        let sum: Percent = record.members.iter().map(|member| member.weight).sum();
        let sums = record.members.is_empty() || sum == Percent::HUNDRED;
        (whole && sums && text.ends_with('\n')).then_some(record)
    }
}

fn number<N: core::str::FromStr>(row: &Row, key: &str) -> Option<N> {
    row.get(key)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let member = |coin: &str, place, weight: &str, outside: Option<Millis>| Member {
            seat: Seat { coin: coin.to_string(), id: format!("{coin}-id"), since: 5, outside },
            rank: place + 3,
            place,
            weight: Percent::parse(weight).unwrap(),
            taken: outside.is_some(),
        };
        Record {
            subject: "a \"source\"".to_string(),
            read_at: Some(7),
            count: 50,
            again: true,
            trouble: Some((8, "it is\ngone".to_string())),
            rules: "no rules".to_string(),
            tried_at: Some(10),
            not_before: Some(9),
            members: vec![member("BTC", 1, "66.666667", None), member("ETH", 2, "33.333333", Some(6))],
            departed: vec![("SOL".to_string(), 4)],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for record in [record(), Record::default(), Record { members: Vec::new(), trouble: None, ..record() }] {
            assert!(Record::parse(&record.text()).is_some_and(|read| read == record), "{}", record.text());
        }
    }

    #[test]
    fn a_file_that_was_cut_or_changed_is_none() {
        let text = record().text();
        for at in 0..text.len() {
            assert!(Record::parse(&text[..at]).is_none(), "cut at {at}");
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            assert!(
                String::from_utf8(bytes).ok().is_none_or(|text| Record::parse(&text).is_none()),
                "byte {at} changed"
            );
        }
        let lines: Vec<&str> = text.lines().collect();
        for gone in 0..lines.len() {
            let less: String =
                lines.iter().enumerate().filter(|(at, _)| *at != gone).map(|(_, line)| format!("{line}\n")).collect();
            assert!(Record::parse(&less).is_none(), "without line {gone}");
        }
    }
}
