//! The hand-written JSON mapping over nanoserde's tokens, and the writer.
//!
//! nanoserde's tokenizer may loop or panic on cut documents and accepts more than JSON, so a text reaches it only after
//! [`validate`] has read the whole of it by the grammar of RFC 8259, with a bounded depth and plain numbers. Numbers are
//! handed on as the text that was written. [`rows`] reads a long list as a stream, one row in memory at a time.

mod grammar;
mod row;
mod rows;
mod write;

pub use grammar::validate;
pub use row::{Row, quote_numbers};
pub use rows::{RowsError, rows};
pub use write::{Object, list, text};

use core::fmt;
use core::str::Chars;
use nanoserde::{DeJsonState, DeJsonTok};

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
