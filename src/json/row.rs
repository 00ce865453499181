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
/// with a plus sign. What is no number, or stands where a name belongs, is left as it is, and with it the text is no JSON.
pub fn quote_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let (mut in_string, mut escaped) = (false, false);
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let is_part = |letter: char| letter.is_ascii_digit() || matches!(letter, '.' | '-' | '+' | 'e' | 'E');
        let starts = !in_string && (letter.is_ascii_digit() || letter == '-');
        let end = match starts {
            true => rest.find(|letter| !is_part(letter)).unwrap_or(rest.len()),
            false => letter.len_utf8(),
        };
        let (word, behind) = rest.split_at(end);
        if starts && is_number(word) && !behind.trim_start().starts_with(':') {
            out.push('"');
            out.push_str(word);
            out.push('"');
        } else {
            out.push_str(word);
        }
        if letter == '"' && !escaped {
            in_string = !in_string;
        }
        escaped = in_string && letter == '\\' && !escaped;
        rest = behind;
    }
    out
}

/// Whether a text is a number of JSON's.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    digits(whole) && (whole == "0" || !whole.starts_with('0')) && digits(part) && digits(exponent)
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
        for text in ["05", "[1-2]", "5.", "[1.2.3]", "-", "1e+", "[+5]", "{5:1}", "{5 : 1}", "[5 5]", "\"a\"5", "tr5ue"]
        {
            assert!(crate::json::validate(&quote_numbers(text)).is_err(), "{text}");
        }
    }
}
