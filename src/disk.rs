//! Files, as few operations on whole ones. What was written is on the disk only after a sync, and so is a name only after a sync
//! of its directory: each is a call of its own, so that a test can cut the power between any two.

use crate::exchange::Millis;
use crate::text;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// What the program needs of files. Every error is the system's; nothing is retried.
pub trait Disk {
    /// A file's bytes.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when there is none; when it is longer than `most` bytes.
    fn read(&self, path: &Path, most: usize) -> io::Result<Vec<u8>>;

    /// When a file's content was changed last, in milliseconds since 1970.
    ///
    /// # Errors
    /// What the system says.
    fn modified(&self, path: &Path) -> io::Result<Millis>;

    /// Makes a file with mode 0600, or empties the one that is there, and writes `bytes`. Not synced.
    ///
    /// # Errors
    /// What the system says; some of the bytes may be there.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Adds to the end of a file that is there. Not synced.
    ///
    /// # Errors
    /// What the system says; some of the bytes may be there.
    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Cuts a file to so many bytes. Not synced.
    ///
    /// # Errors
    /// What the system says.
    fn cut(&self, path: &Path, length: u64) -> io::Result<()>;

    /// Waits until a file's content is on the disk.
    ///
    /// # Errors
    /// What the system says; nothing is known of the content then.
    fn sync(&self, path: &Path) -> io::Result<()>;

    /// Waits until the names in a file's directory are on the disk.
    ///
    /// # Errors
    /// What the system says; nothing is known of the names then.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;

    /// Gives a file another name in its directory, in place of the file that had it.
    ///
    /// # Errors
    /// What the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Random bytes.
    ///
    /// # Errors
    /// What the system says.
    fn random(&self, bytes: &mut [u8]) -> io::Result<()>;
}

/// The machine's own disk.
pub struct SystemDisk;

/// What keeps opening a pipe from waiting for its other end (`fcntl.h` of Linux); for files it means nothing.
const O_NONBLOCK: i32 = 0o4000;

/// Options for every file that this program writes: they show what somebody owns.
pub fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600).custom_flags(O_NONBLOCK);
    options
}

/// Opens a file to read it. What is no file, such as a pipe or a device, could keep the reader waiting or never end.
///
/// # Errors
/// What the system says; when it is no regular file.
pub fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no regular file")),
    }
}

fn open_to_write(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).open(path)
}

impl Disk for SystemDisk {
    fn read(&self, path: &Path, most: usize) -> io::Result<Vec<u8>> {
        text::bytes(&mut open(path)?, most)
    }

    fn modified(&self, path: &Path) -> io::Result<Millis> {
        let seconds = fs::metadata(path)?.mtime();
        Ok(seconds.saturating_mul(1000))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        private().create(true).write(true).truncate(true).open(path)?.write_all(bytes)
    }

    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        OpenOptions::new().append(true).open(path)?.write_all(bytes)
    }

    fn cut(&self, path: &Path, length: u64) -> io::Result<()> {
        open_to_write(path)?.set_len(length)
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        open_to_write(path)?.sync_all()
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
            _ => File::open(".")?.sync_all(),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn random(&self, bytes: &mut [u8]) -> io::Result<()> {
        File::open("/dev/urandom")?.read_exact(bytes)
    }
}
