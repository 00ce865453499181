//! Files in the state directory: sealed lines, atomic replacement, the lock.
//!
//! A sealed line is `LENGTH CHECK TEXT\n`: the length of TEXT in bytes, then the first 8 hex digits of its SHA-256. A line that
//! was cut or changed does not unseal. Files are created with mode 0600; they show what somebody owns.

use crate::disk::{Disk, private};
use core::fmt;
use sha2::{Digest, Sha256};
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// A file that could not be used.
pub struct Error {
    /// Lower-case sentence with operation, path and reason.
    message: String,
}

impl Error {
    /// An error from its parts: `cannot OPERATION PATH: REASON`.
    pub fn new(operation: &str, path: &Path, reason: &dyn fmt::Display) -> Error {
        Error { message: format!("cannot {operation} {}: {reason}", path.display()) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// A line for a file, with its length and check before it and a line end behind it.
pub fn seal(text: &str) -> String {
    format!("{} {} {text}\n", text.len(), check(text))
}

/// The text of a sealed line (without its line end), or nothing when it was cut or changed.
pub fn unseal(line: &str) -> Option<&str> {
    let (length, rest) = line.split_once(' ')?;
    let (mark, text) = rest.split_once(' ')?;
    (length == text.len().to_string() && mark == check(text)).then_some(text)
}

fn check(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    base16ct::lower::encode_string(digest.get(..4).unwrap_or_default())
}

/// Replaces a file by `text` so that after a power cut either the old or the new one is there, whole.
///
/// # Errors
/// When writing, syncing or renaming fails; the old file is then still there.
pub fn replace(disk: &dyn Disk, path: &Path, text: &str) -> Result<(), Error> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let write = || -> io::Result<()> {
        disk.write(&beside, text.as_bytes())?;
        disk.sync(&beside)?;
        disk.rename(&beside, path)?;
        disk.sync_directory(path)
    };
    write().map_err(|error| Error::new("write", path, &error))
}

/// Takes a lock that ends with this process, however it ends.
///
/// # Errors
/// When another process holds it, or the file cannot be made.
pub fn lock(path: &Path, what: &str) -> Result<File, Error> {
    let open = private().create(true).write(true).truncate(false).open(path);
    let file = open.map_err(|error| Error::new("open", path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error { message: what.to_string() }),
        Err(TryLockError::Error(error)) => Err(Error::new("lock", path, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_line_does_not_unseal() {
        let line = seal("{\"a\":1}");
        let line = line.trim_end_matches('\n');
        assert_eq!(unseal(line), Some("{\"a\":1}"));
        for at in 0..line.len() {
            let mut bytes = line.as_bytes().to_vec();
            bytes[at] ^= 1;
            assert_eq!(unseal(&String::from_utf8(bytes).unwrap()), None, "byte {at} changed");
            assert_eq!(unseal(&line[..at]), None, "cut at {at}");
        }
    }
}
