//! A long list as a stream: one row in memory at a time.

use super::validate;
use std::io::{self, Read};

/// Longer names are no list that is looked for.
const MOST_NAME_BYTES: usize = 40;

/// Why a list could not be read.
pub enum RowsError {
    /// The stream broke off, or the source refused to go on.
    Io(io::Error),
    /// It is not the JSON that was expected.
    Garbled(String),
}

/// Reads `{"result": {"LIST": [row, row, ...]}}`, or `[row, row, ...]` when no name is given, as a stream: each object of the list named
/// `list` in `result`, or of the list that is the document, goes to `row` as text, one at a time; the rest of the document, with
/// `null` in place of every row, is returned after it was validated. A cut document, a row above `most_row` bytes or a rest above
/// `most_rest` bytes is an error.
///
/// # Errors
/// See [`RowsError`]; what `row` returns ends the reading as garbled.
pub fn rows(
    source: &mut dyn Read,
    list: Option<&str>,
    most_row: usize,
    most_rest: usize,
    row: &mut dyn FnMut(&str) -> Result<(), String>,
) -> Result<String, RowsError> {
    let mut cutter = Cutter { list: list.map(str::as_bytes), ..Cutter::default() };
    let mut buffer = [0_u8; 4096];
    loop {
        let count = crate::text::some(source, &mut buffer).map_err(RowsError::Io)?;
        if count == 0 {
            break;
        }
        for byte in buffer.iter().take(count) {
            let complete = cutter.push(*byte);
            if cutter.row.len() > most_row || cutter.rest.len() > most_rest {
                return Err(RowsError::Garbled("the document is larger than it can be".to_string()));
            }
            if complete {
                row(&text(&mut cutter.row)?).map_err(RowsError::Garbled)?;
            }
        }
    }
    let rest = text(&mut cutter.rest)?;
    validate(&rest).map_err(|error| RowsError::Garbled(error.to_string()))?;
    Ok(rest)
}

fn text(bytes: &mut Vec<u8>) -> Result<String, RowsError> {
    String::from_utf8(core::mem::take(bytes)).map_err(|_| RowsError::Garbled("the document is not UTF-8".to_string()))
}

/// Knows strings and depth, and nothing else of JSON: each row and the rest are validated as texts of their own.
#[derive(Default)]
struct Cutter<'a> {
    /// The name of the list; none when the document is it.
    list: Option<&'a [u8]>,
    row: Vec<u8>,
    rest: Vec<u8>,
    last_string: Vec<u8>,
    depth: usize,
    in_result: bool,
    in_list: bool,
    in_row: bool,
    in_string: bool,
    escaped: bool,
}

impl Cutter<'_> {
    /// Takes the next byte; true when a row is complete.
    fn push(&mut self, byte: u8) -> bool {
        let depth = if self.list.is_some() { 3 } else { 1 };
        if !self.in_string && self.in_list && self.depth == depth && byte == b'{' {
            self.in_row = true;
        }
        if self.in_row {
            self.row.push(byte)
        } else {
            self.rest.push(byte)
        }
        if self.in_string {
            self.in_string = byte != b'"' || self.escaped;
            self.escaped = byte == b'\\' && !self.escaped;
            if self.in_string && self.last_string.len() <= MOST_NAME_BYTES {
                self.last_string.push(byte);
            }
            return false;
        }
        match byte {
            b'"' => {
                self.in_string = true;
                self.last_string.clear();
            }
            b'{' | b'[' => {
                self.in_result |= byte == b'{' && self.depth == 1 && self.last_string == b"result";
                let named = |list| self.in_result && self.last_string == list;
                self.in_list |= byte == b'[' && self.depth == depth - 1 && self.list.is_none_or(named);
                self.depth += 1;
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                self.in_list &= self.depth >= depth;
                self.in_result &= self.depth > 1;
                if self.in_row && self.depth == depth {
                    self.in_row = false;
                    self.rest.extend_from_slice(b"null");
                    return true;
                }
            }
            _ => {}
        }
        false
    }
}
