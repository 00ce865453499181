//! The hand-written JSON mapping over nanoserde's tokens, and the writer.
//!
//! nanoserde's tokenizer may loop or panic on cut documents and accepts more than JSON, so a text reaches it only after
//! [`validate`] has read the whole of it by the grammar of RFC 8259, with a bounded depth and plain numbers. Numbers are
//! handed on as the text that was written. [`rows`] reads a long list as a stream, one row in memory at a time.

use core::fmt;
use core::str::Chars;
use nanoserde::{DeJsonState, DeJsonTok};
use std::io::{self, Read};

const MOST_DEPTH: usize = 32;

/// Where and why a text is not the JSON that was expected.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    /// Line in the text, from 1.
    pub line: usize,
    /// Lower-case sentence.
    pub message: String,
}

impl Error {
    /// An error at a line.
    pub fn at(line: usize, message: impl Into<String>) -> Error {
        Error { line, message: message.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

/// Reads a whole text by the grammar: one value, nothing after it, no depth above 32, numbers that fit a token.
///
/// # Errors
/// The line of the first thing that is not JSON.
pub fn validate(text: &str) -> Result<(), Error> {
    let mut grammar = Grammar { bytes: text.as_bytes(), at: 0 };
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
}

impl Grammar<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn error(&self, message: &str) -> Error {
        let seen = self.bytes.get(..self.at).unwrap_or(self.bytes);
        let line = 1 + seen.iter().filter(|byte| **byte == b'\n').count();
        match self.peek() {
            None => Error::at(line, "the document ends too early"),
            Some(_) => Error::at(line, message),
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
                self.string()?;
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
        self.eat(b'-');
        let zero = self.peek() == Some(b'0');
        let whole = self.digits()?;
        if zero && whole > 1 {
            return Err(self.error("a number begins with a needless zero"));
        }
        // nanoserde reads whole numbers into 64 bits.
        if whole > 18 {
            return Err(self.error("a number has more than 18 digits before its point"));
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            return Err(self.error("a number is written with an exponent; write it as a plain decimal"));
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

/// What kind of value comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// `{`
    Object,
    /// `[`
    Array,
    /// A string.
    Text,
    /// A number.
    Number,
    /// `true`, `false` or `null`.
    Word,
}

/// Walks through a validated document.
pub struct Reader<'a> {
    state: DeJsonState,
    chars: Chars<'a>,
    line: usize,
}

impl<'a> Reader<'a> {
    /// Validates the whole text, then stands before its first value.
    ///
    /// # Errors
    /// What [`validate`] says.
    pub fn new(text: &'a str) -> Result<Reader<'a>, Error> {
        validate(text)?;
        let mut reader = Reader { state: DeJsonState::default(), chars: text.chars(), line: 1 };
        reader.state.next(&mut reader.chars);
        reader.advance()?;
        Ok(reader)
    }

    /// Line of the value that comes next, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// An error at the value that comes next.
    pub fn error(&self, message: impl Into<String>) -> Error {
        Error::at(self.line, message)
    }

    /// What kind of value comes next.
    pub fn next(&self) -> Next {
        match self.state.tok {
            DeJsonTok::CurlyOpen => Next::Object,
            DeJsonTok::BlockOpen => Next::Array,
            DeJsonTok::Str => Next::Text,
            DeJsonTok::U64(_) | DeJsonTok::I64(_) | DeJsonTok::F64(_) => Next::Number,
            _ => Next::Word,
        }
    }

    fn advance(&mut self) -> Result<(), Error> {
        let done = self.state.next_tok(&mut self.chars);
        // The tokenizer has already looked at the character after the token.
        self.line = 1 + self.state.line - usize::from(self.state.cur == '\n');
        done.map_err(|_| self.error("a value cannot be read"))
    }

    /// Reads an object; `member` must read or skip the value of each key. Keys may repeat.
    ///
    /// # Errors
    /// When it is no object, or what `member` returns.
    pub fn object(&mut self, member: &mut dyn FnMut(&mut Reader<'a>, &str) -> Result<(), Error>) -> Result<(), Error> {
        if self.state.tok != DeJsonTok::CurlyOpen {
            return Err(self.error("an object in curly brackets is missing"));
        }
        self.advance()?;
        while self.state.tok != DeJsonTok::CurlyClose {
            let key = core::mem::take(&mut self.state.strbuf);
            self.advance()?; // the key
            self.advance()?; // the colon
            member(self, &key)?;
            if self.state.tok == DeJsonTok::Comma {
                self.advance()?;
            }
        }
        self.advance()
    }

    /// Reads an array; `element` must read or skip each element.
    ///
    /// # Errors
    /// When it is no array, or what `element` returns.
    pub fn array(&mut self, element: &mut dyn FnMut(&mut Reader<'a>) -> Result<(), Error>) -> Result<(), Error> {
        if self.state.tok != DeJsonTok::BlockOpen {
            return Err(self.error("a list in square brackets is missing"));
        }
        self.advance()?;
        while self.state.tok != DeJsonTok::BlockClose {
            element(self)?;
            if self.state.tok == DeJsonTok::Comma {
                self.advance()?;
            }
        }
        self.advance()
    }

    /// Reads a string.
    ///
    /// # Errors
    /// When it is no string.
    pub fn text(&mut self) -> Result<String, Error> {
        if self.next() != Next::Text {
            return Err(self.error("a text in double quotes is missing"));
        }
        let text = core::mem::take(&mut self.state.strbuf);
        self.advance()?;
        Ok(text)
    }

    /// Reads a number as the text that was written.
    ///
    /// # Errors
    /// When it is no number.
    pub fn number(&mut self) -> Result<String, Error> {
        if self.next() != Next::Number {
            return Err(self.error("a number is missing"));
        }
        let text = core::mem::take(&mut self.state.numbuf);
        self.advance()?;
        Ok(text)
    }

    /// Reads a string or a number as text; `None` for anything else, which is skipped.
    ///
    /// # Errors
    /// When the value cannot be read.
    pub fn scalar(&mut self) -> Result<Option<String>, Error> {
        match self.next() {
            Next::Text => self.text().map(Some),
            Next::Number => self.number().map(Some),
            _ => self.skip().map(|()| None),
        }
    }

    /// Reads `true` or `false`; `None` for anything else, which is skipped.
    ///
    /// # Errors
    /// When the value cannot be read.
    pub fn truth(&mut self) -> Result<Option<bool>, Error> {
        let truth = match self.state.tok {
            DeJsonTok::Bool(truth) => Some(truth),
            _ => None,
        };
        self.skip().map(|()| truth)
    }

    /// Passes over one value of any kind.
    ///
    /// # Errors
    /// When the value cannot be read.
    pub fn skip(&mut self) -> Result<(), Error> {
        match self.next() {
            Next::Object => self.object(&mut |reader, _| reader.skip()),
            Next::Array => self.array(&mut |reader| reader.skip()),
            _ => self.advance(),
        }
    }
}

/// Why a list could not be read.
pub enum RowsError {
    /// The stream broke off, or the source refused to go on.
    Io(io::Error),
    /// It is not the JSON that was expected.
    Garbled(String),
}

/// Reads `{"...": {"LIST": [row, row, ...]}}` as a stream: each object of the list named `list` in the second level goes to
/// `row` as text, one at a time; the rest of the document, with `0` in place of every row, is returned after it was
/// validated. A cut document, a row above `most_row` bytes or a rest above `most_rest` bytes is an error.
///
/// # Errors
/// See [`RowsError`]; what `row` returns ends the reading as garbled.
pub fn rows(
    source: &mut dyn Read,
    list: &str,
    most_row: usize,
    most_rest: usize,
    row: &mut dyn FnMut(&str) -> Result<(), String>,
) -> Result<String, RowsError> {
    let mut cutter = Cutter { list: list.as_bytes(), ..Cutter::default() };
    let mut buffer = [0_u8; 4096];
    loop {
        let count = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(RowsError::Io(error)),
        };
        for byte in buffer.iter().take(count) {
            if cutter.push(*byte) {
                row(&text(&mut cutter.row)?).map_err(RowsError::Garbled)?;
            }
            if cutter.row.len() > most_row || cutter.rest.len() > most_rest {
                return Err(RowsError::Garbled("the document is larger than it can be".to_string()));
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
    list: &'a [u8],
    row: Vec<u8>,
    rest: Vec<u8>,
    last_string: Vec<u8>,
    depth: usize,
    in_list: bool,
    in_row: bool,
    in_string: bool,
    escaped: bool,
}

impl Cutter<'_> {
    /// Takes the next byte; true when a row is complete.
    fn push(&mut self, byte: u8) -> bool {
        if !self.in_string && self.in_list && self.depth == 3 && byte == b'{' {
            self.in_row = true;
        }
        if self.in_row {
            self.row.push(byte)
        } else {
            self.rest.push(byte)
        }
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ if self.last_string.len() <= self.list.len() => self.last_string.push(byte),
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => {
                self.in_string = true;
                self.last_string.clear();
            }
            b'{' | b'[' => {
                self.in_list |= byte == b'[' && self.depth == 2 && self.last_string == self.list;
                self.depth += 1;
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                self.in_list &= self.depth > 2;
                if self.in_row && self.depth == 3 {
                    self.in_row = false;
                    self.rest.push(b'0');
                    return true;
                }
            }
            _ => {}
        }
        false
    }
}

/// Writes one JSON object, member by member.
#[derive(Default)]
pub struct Object {
    out: String,
}

impl Object {
    /// An empty object.
    pub fn new() -> Object {
        Object::default()
    }

    /// A member whose value is JSON already.
    pub fn raw(mut self, key: &str, value: &str) -> Object {
        self.out.push(if self.out.is_empty() { '{' } else { ',' });
        push_string(&mut self.out, key);
        self.out.push(':');
        self.out.push_str(value);
        self
    }

    /// A member whose value is a string.
    pub fn text(self, key: &str, value: &str) -> Object {
        let mut quoted = String::new();
        push_string(&mut quoted, value);
        self.raw(key, &quoted)
    }

    /// The object's text.
    pub fn end(mut self) -> String {
        self.out.push_str(if self.out.is_empty() { "{}" } else { "}" });
        self.out
    }
}

/// Writes a list of values that are JSON already.
pub fn list(values: impl Iterator<Item = String>) -> String {
    let mut out = String::from("[");
    for value in values {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&value);
    }
    out.push(']');
    out
}

fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            letter if letter < ' ' || letter == '\u{7f}' => out.push_str(&format!("\\u{:04x}", u32::from(letter))),
            letter => out.push(letter),
        }
    }
    out.push('"');
}
