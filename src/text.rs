//! Whole files and streams, never more than a limit.

use std::io::{self, Read};

/// What a stream has next, at most a buffer of it: how many bytes, none at its end. A signal is no error.
///
/// # Errors
/// What the stream says.
pub fn some(source: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// The rest of a stream.
///
/// # Errors
/// What the stream says; when it is longer than `most` bytes.
pub fn bytes(source: &mut dyn Read, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = [0_u8; 4096];
    loop {
        let count = some(source, &mut buffer)?;
        if count == 0 {
            return Ok(bytes);
        }
        bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
        if bytes.len() > most {
            return Err(io::Error::other(format!("it is larger than {most} bytes")));
        }
    }
}

/// The rest of a stream as text.
///
/// # Errors
/// As [`bytes`], and when it is not UTF-8.
pub fn of(source: &mut dyn Read, most: usize) -> io::Result<String> {
    utf8(bytes(source, most)?)
}

/// Bytes as text.
///
/// # Errors
/// When they are not UTF-8.
pub fn utf8(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))
}

/// A text of somebody else as it may be shown: at most `most` letters, and nothing that a terminal acts on or that ends a line.
pub fn shown(text: &str, most: usize) -> String {
    text.chars().take(most).map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}
