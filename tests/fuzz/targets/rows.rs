//! A list as a stream: cut into pieces of any sizes it is the same as in one, and what serde_json finds in it.
//!
//! The first four bytes are the sizes of the pieces.
#![no_main]

#[path = "../../untrusted/mod.rs"]
mod untrusted;

use libfuzzer_sys::fuzz_target;
use rebalancer::json::{RowsError, rows, validate};
use std::io::{self, Read};
use untrusted::oracle;

/// Hands out a text in pieces of these sizes; a size of zero is an interruption.
struct Pieces<'a>(&'a [u8], &'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = usize::from(self.1[self.2 % self.1.len()]);
        self.2 += 1;
        match size.min(self.0.len()).min(buffer.len()) {
            // Not for ever.
            0 if !self.0.is_empty() && self.2 % 5 != 0 => Err(io::ErrorKind::Interrupted.into()),
            0 if !self.0.is_empty() => {
                buffer[0] = self.0[0];
                self.0 = &self.0[1..];
                Ok(1)
            }
            count => {
                buffer[..count].copy_from_slice(&self.0[..count]);
                self.0 = &self.0[count..];
                Ok(count)
            }
        }
    }
}

fn read(source: &mut dyn Read, limit: usize) -> Result<(Vec<String>, String), String> {
    let mut found = Vec::new();
    let rest = rows(source, Some("data"), limit, 4 * limit, &mut |row| {
        assert!(row.len() <= limit);
        validate(row).map_err(|error| error.to_string())?;
        found.push(row.to_string());
        Ok(())
    });
    match rest {
        Ok(rest) => Ok((found, rest)),
        Err(RowsError::Io(error)) => Err(error.to_string()),
        Err(RowsError::Garbled(why)) => Err(why),
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((sizes, text)) = data.split_at_checked(4) else { return };
    for limit in [16, 4096] {
        let whole = read(&mut &text[..], limit);
        assert_eq!(whole, read(&mut Pieces(text, sizes, 0), limit));
        let Ok((found, rest)) = whole else { continue };
        assert!(rest.len() <= 4 * limit);
        let text = std::str::from_utf8(text).expect("accepted what is no UTF-8");
        let all: serde_json::Value = match serde_json::from_str(text) {
            Err(error) if error.to_string().contains("number out of range") => continue,
            all => all.expect("accepted what is no JSON"),
        };
        if oracle::repeats(text) || !all.is_object() {
            continue;
        }
        let listed = all["result"]["data"].as_array().cloned().unwrap_or_default();
        let listed: Vec<_> = listed.into_iter().filter(|row| row.is_object()).collect();
        let found: Vec<serde_json::Value> = found.iter().map(|row| serde_json::from_str(row).unwrap()).collect();
        // A name that is written with escapes is another name to the stream: no list, which is an error for its reader.
        assert!(found == listed || found.is_empty() && text.contains('\\'), "{found:?} {listed:?}");
    }
});
