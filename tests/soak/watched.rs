//! A file that a program appends to and now and then shortens, read on line by line.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// So much of what was read last is enough to find its end again in a file that was shortened.
const MARK: usize = 400;
/// A file that is being shortened in place may be looked at in the middle of it.
const PATIENCE: u32 = 8;

/// A file and how far it was read.
pub struct Watched {
    path: PathBuf,
    /// It is replaced as a whole, so there is never a half of it to be seen.
    replaced_whole: bool,
    inode: u64,
    offset: u64,
    mark: Vec<u8>,
    waited: u32,
    /// The longest it was seen.
    pub most: u64,
    /// How long it is.
    pub last: u64,
    /// How often it became shorter.
    pub shortened: u32,
}

impl Watched {
    /// Begins at the file's end, if there is a file.
    pub fn from_end(path: PathBuf, replaced_whole: bool) -> Watched {
        let (bytes, info) = (fs::read(&path).unwrap_or_default(), fs::metadata(&path).ok());
        let mark = bytes[bytes.len().saturating_sub(MARK)..].to_vec();
        let length = u64::try_from(bytes.len()).unwrap_or(0);
        let inode = info.map_or(0, |info| info.ino());
        Watched {
            path,
            replaced_whole,
            inode,
            offset: length,
            mark,
            waited: 0,
            most: length,
            last: length,
            shortened: 0,
        }
    }

    /// The whole lines that came since the last look.
    pub fn lines(&mut self) -> Vec<String> {
        let Ok(mut file) = fs::File::open(&self.path) else { return Vec::new() };
        let Ok(info) = file.metadata() else { return Vec::new() };
        let shorter = info.len() < self.offset || (self.inode != 0 && info.ino() != self.inode);
        let from = if shorter { 0 } else { self.offset };
        let mut fresh = Vec::new();
        if file.seek(SeekFrom::Start(from)).and_then(|_| file.read_to_end(&mut fresh)).is_err() {
            return Vec::new();
        }
        let mut start = 0;
        if shorter {
            let mark = &self.mark;
            let found = fresh.windows(mark.len().max(1)).rposition(|window| window == mark.as_slice());
            match found {
                Some(at) => start = at + mark.len(),
                None if !self.replaced_whole && self.waited < PATIENCE => {
                    self.waited += 1;
                    return Vec::new();
                }
                // All but the first line, which is the new head, was written since.
                None => start = fresh.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1),
            }
            self.shortened += 1;
        }
        (self.waited, self.inode) = (0, info.ino());
        let end = fresh.iter().rposition(|byte| *byte == b'\n').map_or(start, |end| end + 1).max(start);
        let lines = String::from_utf8_lossy(&fresh[start..end]).into_owned();
        let seen = &fresh[..end];
        self.mark.extend_from_slice(seen);
        self.mark.drain(..self.mark.len().saturating_sub(MARK));
        self.offset = from + u64::try_from(end).unwrap_or(0);
        self.last = info.len();
        self.most = self.most.max(info.len());
        lines.lines().map(str::to_string).collect()
    }
}
