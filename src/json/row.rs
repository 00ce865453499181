//! One object of plain members, such as a row of a list.

use super::{Error, Next, Reader};

/// Recorded objects have 40 at most; each costs more memory than its text.
const MOST_MEMBERS: usize = 200;

/// The members of one object that are texts, numbers or truth values, by name.
#[derive(Default)]
pub struct Row(Vec<(String, Option<String>)>);

impl Row {
    /// Reads a text that is one object; members of other kinds are passed over.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn read(text: &str) -> Result<Row, String> {
        Reader::new(text).and_then(|mut reader| Row::from(&mut reader)).map_err(|error| error.message)
    }

    /// Reads the object that comes next.
    ///
    /// # Errors
    /// When it is no object.
    pub fn from(reader: &mut Reader<'_>) -> Result<Row, Error> {
        let mut row = Row::default();
        reader.object(&mut |reader, key| {
            if row.0.len() >= MOST_MEMBERS {
                return Err(reader.error("an object has too many members"));
            }
            let value = match reader.next() {
                Next::Word => reader.truth()?.map(|truth| truth.to_string()),
                _ => reader.scalar()?,
            };
            row.0.push((key.to_string(), value));
            Ok(())
        })?;
        Ok(row)
    }

    /// A member's text; the last one when it is repeated, as with the venue's own libraries. Null is absent.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().rev().find(|(name, _)| name == key).and_then(|(_, value)| value.as_deref())
    }
}

/// The text with every number in quotes, so that numbers are read that the tokenizer does not take: more than 19 digits, or an exponent
/// with a plus sign. What is no number stays no number when it is read as one.
pub fn quote_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let (mut in_string, mut escaped, mut in_number) = (false, false, false);
    for letter in text.chars() {
        let number = match in_number {
            true => letter.is_ascii_digit() || matches!(letter, '.' | '-' | '+' | 'e' | 'E'),
            false => !in_string && (letter.is_ascii_digit() || letter == '-'),
        };
        if number != in_number {
            out.push('"');
            in_number = number;
        }
        if letter == '"' && !escaped {
            in_string = !in_string;
        }
        escaped = in_string && letter == '\\' && !escaped;
        out.push(letter);
    }
    if in_number {
        out.push('"');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_quoted_and_nothing_else() {
        for (text, quoted) in [
            ("5", "\"5\""),
            ("{\"a1\":-1.5e+24,\"b\":[1,2],\"c\":null}", "{\"a1\":\"-1.5e+24\",\"b\":[\"1\",\"2\"],\"c\":null}"),
            ("{\"a\\\" 5 \":true , \"b\\\\\": 7 }", "{\"a\\\" 5 \":true , \"b\\\\\": \"7\" }"),
        ] {
            assert_eq!(quote_numbers(text), quoted);
            assert!(crate::json::validate(&quote_numbers(text)).is_ok(), "{text}");
        }
    }
}
