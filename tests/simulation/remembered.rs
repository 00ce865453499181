//! What the program remembers of a list, read from its file by other means than its own.

use super::setup::HOME;
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The file.
pub fn path() -> PathBuf {
    Path::new(HOME).join("rebalancer.universe")
}

/// What a file of the program's says.
#[derive(Default, PartialEq)]
pub struct Remembered {
    pub read_at: Option<i64>,
    pub trouble: bool,
    /// Coin, id and weight in millionths of a percent.
    pub members: Vec<(String, String, u64)>,
    pub departed: Vec<String>,
    /// Members that the list has bought, or that a cycle has ended well with.
    pub taken: BTreeSet<String>,
}

impl Remembered {
    /// Nothing unless it is whole; an empty file is one that is not there.
    pub fn read(bytes: &[u8]) -> Option<Remembered> {
        let mut remembered = Remembered::default();
        if bytes.is_empty() {
            return Some(remembered);
        }
        let text = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
        let mut rows = text.split('\n').map(|line| serde_json::from_str::<Json>(line.splitn(3, ' ').nth(2)?).ok());
        let head = rows.next()??;
        let count = head["lines"].as_u64()?;
        remembered.read_at = head["read_at"].as_i64();
        remembered.trouble = !head["since"].is_null();
        for row in rows {
            let row = row?;
            let text = |key: &str| row[key].as_str().map(str::to_string);
            match text("departed") {
                Some(coin) => remembered.departed.push(coin),
                None => {
                    remembered.members.push((text("member")?, text("id")?, millionths(&text("weight")?)?));
                    remembered.taken.extend(text("member").filter(|_| !row["taken"].is_null()));
                }
            }
        }
        (count as usize == remembered.members.len() + remembered.departed.len()).then_some(remembered)
    }

    pub fn has(&self, coin: &str) -> bool {
        self.members.iter().any(|(member, ..)| member == coin)
    }
}

/// A decimal of at most six places.
fn millionths(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    (part.len() <= 6).then_some(())?;
    Some(whole.parse::<u64>().ok()? * 1_000_000 + format!("{part:0<6}").parse::<u64>().ok()?)
}
