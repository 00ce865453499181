//! Shapes and codes of the venue's replies.

use crate::amount::{Quantity, Value};
use crate::exchange::catalogue::Instrument;
use crate::exchange::{Balance, Error, Kind};
use crate::json::{Error as JsonError, Reader, Row};
use crate::text;

/// The venue's help page: one dollar for every spot pair where the risk parameters name no minimum.
pub(super) const MIN_USD: Value = Value::ONE;
/// Currencies that the venue counts as a dollar where it names no price for them.
pub(super) const DOLLARS: [&str; 4] = ["USD", "USDT", "USDC", "PYUSD"];

/// The coin of a spot instrument against `quote` that has the usual name; others (`SHIB_BTC@OEX_HK`) are other markets.
pub(super) fn spot_base<'a>(row: &'a Row, quote: &str) -> Option<&'a str> {
    let base = row.get("base_ccy").filter(|_| row.get("inst_type") == Some("CCY_PAIR"))?;
    let (symbol_base, symbol_quote) = row.get("symbol")?.split_once('_')?;
    (row.get("quote_ccy") == Some(quote) && symbol_quote == quote && symbol_base == base).then_some(base)
}

/// A row of the list of instruments; its minimum and maximum are in another list.
pub(super) fn read_instrument(row: &Row) -> Option<Instrument> {
    let quantity_tick = Quantity::parse(row.get("qty_tick_size")?).filter(|tick| *tick > Quantity::ZERO)?;
    let price_tick = Value::parse(row.get("price_tick_size")?).filter(|tick| *tick > Value::ZERO)?;
    Some(Instrument {
        symbol: row.get("symbol")?.to_string(),
        quantity_tick,
        notional_tick: notional_tick(row.get("quote_ccy")?, price_tick),
        min_usd: MIN_USD,
        max_usd: None,
        tradable: row.get("tradable") == Some("true"),
    })
}

/// The venue names no tick for notionals. Recorded ones had the price's decimals; cents (for a dollar) are never finer than that
/// on its instruments, and eight decimals are the finest it keeps of any currency.
pub(super) fn notional_tick(quote: &str, price_tick: Value) -> Value {
    let coarse = if DOLLARS.contains(&quote) || quote == "EUR" { "0.01" } else { "0.00000001" };
    Value::parse(coarse).unwrap_or(price_tick).max(price_tick)
}

/// Our ids are nonces, in milliseconds since 1970: far above this.
const LEAST_ID: i64 = 1_000_000;

/// Hands the value of `result` to `read`.
pub(super) fn on_result(
    text: &str,
    read: &mut dyn FnMut(&mut Reader<'_>) -> Result<(), JsonError>,
) -> Result<(), JsonError> {
    let mut found = false;
    Reader::new(text)?.object(&mut |reader, key| match key {
        "result" => {
            found = true;
            read(reader)
        }
        _ => reader.skip(),
    })?;
    if found { Ok(()) } else { Err(JsonError::at(1, "the answer has no result")) }
}

/// A name or a word of the venue, which goes to the log and the journal.
pub(super) fn name(text: &str) -> String {
    text::shown(text, 80)
}

pub(super) fn read_account(reader: &mut Reader<'_>, balances: &mut Vec<Balance>) -> Result<(), JsonError> {
    let mut complete = false;
    reader.object(&mut |reader, key| match key {
        "position_balances" => {
            complete = true;
            reader.array(&mut |reader| {
                let row = Row::from(reader)?;
                let coin = row.get("instrument_name").ok_or_else(|| reader.error("a balance has no name"))?;
                let amount = |key: &str| {
                    row.get(key)
                        .and_then(Quantity::parse)
                        .ok_or_else(|| reader.error(format!("{key} of {coin} is missing or no amount")))
                };
                balances.push(Balance {
                    coin: name(coin),
                    total: amount("quantity")?,
                    locked: amount("reserved_qty")?,
                });
                Ok(())
            })
        }
        _ => reader.skip(),
    })?;
    if complete { Ok(()) } else { Err(JsonError::at(1, "the account has no list of balances")) }
}

/// A reply that is not the JSON it should be: what it means depends on the HTTP status alone.
pub(super) fn unreadable(what: &str, status: u16, why: &str) -> Error {
    match status {
        429 => Error::new(Kind::RateLimited, format!("{what}: too many requests (http 429)")),
        200..300 => Error::new(Kind::Garbled, format!("{what}: the answer cannot be read: {why}")),
        _ => Error::new(Kind::Unknown, format!("{what}: http {status} without an answer from the exchange")),
    }
}

/// Whether the venue documents a code as a refusal, or was seen to refuse with it (325). A code that nobody knows says nothing.
fn refuses(code: i64) -> bool {
    matches!(code, 201..=330 | 401..=420 | 501 | 604..=620 | 1110 | 30024 | 40001..=40007 | 40107)
        || matches!(code, 43003..=43012 | 120_009 | 130_008)
}

/// Judges a reply by its `code`, on every HTTP status (the venue's table of response and reason codes). With `asked`, a reply that
/// names another request's `id` says nothing about this one; small ids are no request's (recorded: -1 and 1).
pub(super) fn judge(what: &str, status: u16, text: &str, asked: Option<i64>) -> Result<(), Error> {
    let (mut code, mut message, mut id) = (None, String::new(), None);
    let read = Reader::new(text).and_then(|mut reader| {
        reader.object(&mut |reader, key| match key {
            "code" => {
                code = reader.scalar()?.and_then(|code| code.parse::<i64>().ok());
                Ok(())
            }
            "id" => {
                id = reader.scalar()?.and_then(|id| id.parse::<i64>().ok()).filter(|id| *id > LEAST_ID);
                Ok(())
            }
            "message" => {
                message = reader
                    .scalar()?
                    .unwrap_or_default()
                    .chars()
                    .filter(|letter| !letter.is_control())
                    .take(80)
                    .collect();
                Ok(())
            }
            _ => reader.skip(),
        })
    });
    if let Err(error) = read {
        return Err(unreadable(what, status, &error.to_string()));
    }
    if let (Some(asked), Some(id)) = (asked, id)
        && asked != id
    {
        return Err(Error::new(Kind::Unknown, format!("{what}: the answer is to another request")));
    }
    let Some(code) = code else { return Err(unreadable(what, status, "it has no code")) };
    let kind = match code {
        0 if (200..300).contains(&status) => return Ok(()),
        0 => return Err(unreadable(what, status, "its code is 0")),
        42901 => Kind::RateLimited,
        40801 | 50001 | 50002 | 9_010_001 => Kind::Unknown,
        40102 => Kind::Clock,
        40101 | 40103 | 40104 | 202 | 401 => Kind::NotAuthorised,
        204 => Kind::Duplicate,
        40401 | 212 => Kind::NoSuchOrder,
        _ if refuses(code) => Kind::Refused,
        _ => Kind::Unknown,
    };
    let advice = match code {
        40101 => "; is the key right, and may it trade?",
        40103 => "; this machine's address is not on the key's list",
        306 => "; the account does not hold enough",
        9_010_001 => "; the exchange is being maintained",
        _ => "",
    };
    Err(Error::new(kind, format!("{what}: the exchange answered {code} {message} (http {status}){advice}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_to_another_request_says_nothing_about_this_one() {
        let judged = |id: &str, code: i64| {
            let text = format!("{{\"id\":{id},\"code\":{code}}}");
            judge("m", 200, &text, Some(1_800_000_000_000)).map_err(|error| error.kind == Kind::Unknown)
        };
        for id in ["1800000000000", "\"1800000000000\"", "1", "-1", "null"] {
            assert_eq!(judged(id, 0), Ok(()), "{id}");
        }
        for id in ["1800000000001", "\"1799999999999\""] {
            assert_eq!(judged(id, 0), Err(true), "{id}");
            // A refusal of another order is none of this one.
            assert_eq!(judged(id, 306), Err(true), "{id}");
        }
        assert_eq!(judged("1800000000000", 306), Err(false));
    }
}
