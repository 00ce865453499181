//! The grammar of RFC 8259, strictly, before any other code sees a text.

use super::Error;

const MOST_DEPTH: usize = 32;

/// Reads a whole text by the grammar: one value, nothing after it, no depth above 32, numbers that fit a token.
///
/// # Errors
/// The line of the first thing that is not JSON.
pub fn validate(text: &str) -> Result<(), Error> {
    let mut grammar = Grammar { bytes: text.as_bytes(), at: 0, key: (0, 0) };
    grammar.value(0)?;
    grammar.space();
    match grammar.peek() {
        None => Ok(()),
        Some(_) => Err(grammar.error("there is more after the end of the document")),
    }
}

struct Grammar<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the last key stands, with its quotes.
    key: (usize, usize),
}

impl Grammar<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn error(&self, message: &str) -> Error {
        let seen = self.bytes.get(..self.at).unwrap_or(self.bytes);
        let line = 1 + seen.iter().filter(|byte| **byte == b'\n').count();
        let message = if self.peek().is_none() { "the document ends too early" } else { message };
        let key = self.bytes.get(self.key.0..self.key.1).filter(|key| (3..=42).contains(&key.len()));
        // A terminal would act on a control character.
        let key = key.and_then(|key| core::str::from_utf8(key).ok()).filter(|key| !key.contains(char::is_control));
        match key {
            Some(key) => Error::at(line, format!("after {key}: {message}")),
            None => Error::at(line, message),
        }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        self.at += usize::from(here);
        here
    }

    fn value(&mut self, depth: usize) -> Result<(), Error> {
        if depth > MOST_DEPTH {
            return Err(self.error("the document is nested too deeply"));
        }
        self.space();
        match self.peek() {
            Some(b'{') => self.members(depth, b'}', true),
            Some(b'[') => self.members(depth, b']', false),
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.literal(),
        }
    }

    fn members(&mut self, depth: usize, close: u8, keys: bool) -> Result<(), Error> {
        self.at += 1;
        self.space();
        if self.eat(close) {
            return Ok(());
        }
        loop {
            if keys {
                self.space();
                let start = self.at;
                self.string()?;
                self.key = (start, self.at);
                self.space();
                if !self.eat(b':') {
                    return Err(self.error("a colon is missing after a key"));
                }
            }
            self.value(depth + 1)?;
            self.space();
            if self.eat(close) {
                return Ok(());
            }
            if !self.eat(b',') {
                return Err(self.error("a comma or a closing bracket is missing"));
            }
        }
    }

    fn string(&mut self) -> Result<(), Error> {
        if !self.eat(b'"') {
            return Err(self.error("a name in double quotes is missing"));
        }
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.escape()?;
                }
                Some(byte) if byte >= 0x20 => self.at += 1,
                _ => return Err(self.error("a string holds a control character or does not end on its line")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Error> {
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                let code = self.hex()?;
                // Half a character: its other half must follow.
                let lone = (0xDC00..0xE000).contains(&code)
                    || (0xD800..0xDC00).contains(&code)
                        && !(self.eat(b'\\') && self.eat(b'u') && (0xDC00..0xE000).contains(&self.hex()?));
                if lone || code == 0 {
                    return Err(self.error("a string holds an escape that is no character"));
                }
            }
            _ => return Err(self.error("a string holds an unknown escape")),
        }
        Ok(())
    }

    fn hex(&mut self) -> Result<u32, Error> {
        let digits = self.bytes.get(self.at..self.at + 4).and_then(|digits| core::str::from_utf8(digits).ok());
        let code = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let Some(code) = code.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else {
            return Err(self.error("a string holds an unknown escape"));
        };
        self.at += 4;
        Ok(code)
    }

    fn digits(&mut self) -> Result<usize, Error> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        match self.at - start {
            0 => Err(self.error("a number has no digit where one belongs")),
            count => Ok(count),
        }
    }

    fn number(&mut self) -> Result<(), Error> {
        let negative = self.eat(b'-');
        let zero = self.peek() == Some(b'0');
        let whole = self.digits()?;
        if zero && whole > 1 {
            return Err(self.error("a number begins with a needless zero"));
        }
        // nanoserde reads whole numbers into 64 bits.
        if whole > 19 - usize::from(negative) {
            return Err(self.error("a number has more than 19 digits before its point"));
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.eat(b'-');
            self.digits()?;
        }
        Ok(())
    }

    fn literal(&mut self) -> Result<(), Error> {
        for word in ["true", "false", "null"] {
            if self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
                self.at += word.len();
                return Ok(());
            }
        }
        Err(self.error("a value is missing or is not JSON"))
    }
}
