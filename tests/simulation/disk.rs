//! A disk with a cache: what was written is seen at once, and is there after a power cut only when it was synced. What was not may be
//! there as a whole, in part, with zeros in its place, or not at all; names may lag behind as well, in the order of their changes.

use super::around::{Around, Stop};
use super::chance::Chance;
use rebalancer::disk::Disk;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Default)]
struct Inode {
    /// What programs see.
    cache: Vec<u8>,
    /// What is certain to survive.
    synced: Vec<u8>,
    modified_ms: i64,
}

enum Change {
    Link(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Unlink(PathBuf),
}

/// All files of one machine.
#[derive(Default)]
pub struct Files {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    synced_names: BTreeMap<PathBuf, usize>,
    /// Since the directory was synced.
    changes: Vec<Change>,
}

fn change(names: &mut BTreeMap<PathBuf, usize>, change: &Change) {
    match change {
        Change::Link(path, inode) => {
            names.insert(path.clone(), *inode);
        }
        Change::Rename(from, to) => {
            if let Some(inode) = names.remove(from) {
                names.insert(to.clone(), inode);
            }
        }
        Change::Unlink(path) => {
            names.remove(path);
        }
    }
}

impl Files {
    fn inode(&mut self, path: &Path) -> io::Result<&mut Inode> {
        let number = *self.names.get(path).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(&mut self.inodes[number])
    }

    fn rename_or_link(&mut self, next: Change) {
        change(&mut self.names, &next);
        self.changes.push(next);
    }

    /// What a program would read now.
    pub fn seen(&self, path: &Path) -> &[u8] {
        self.names.get(path).map_or(&[], |inode| &self.inodes[*inode].cache)
    }

    /// Whether a text is in some file that has a name.
    pub fn hold(&self, text: &str) -> bool {
        let holds = |inode: &usize| self.inodes[*inode].cache.windows(text.len()).any(|part| part == text.as_bytes());
        self.names.values().any(holds)
    }

    /// What would be read after a power cut that loses all that it may lose.
    pub fn certain(&self, path: &Path) -> &[u8] {
        self.synced_names.get(path).map_or(&[], |inode| &self.inodes[*inode].synced)
    }

    /// Somebody else has put a file there, for good.
    pub fn appear(&mut self, path: &Path, bytes: &[u8], modified_ms: i64) {
        self.inodes.push(Inode { cache: bytes.to_vec(), synced: bytes.to_vec(), modified_ms });
        let number = self.inodes.len() - 1;
        self.names.insert(path.to_path_buf(), number);
        self.synced_names.insert(path.to_path_buf(), number);
    }

    /// Somebody else has removed a file, for good.
    pub fn vanish(&mut self, path: &Path) {
        self.names.remove(path);
        self.synced_names.remove(path);
    }

    /// The power goes.
    pub fn lose_power(&mut self, chance: &Chance) {
        let kept = chance.below(self.changes.len() as u64 + 1) as usize;
        let changes = std::mem::take(&mut self.changes);
        for next in &changes[..kept] {
            change(&mut self.synced_names, next);
        }
        self.names = self.synced_names.clone();
        for inode in &mut self.inodes {
            if inode.cache != inode.synced {
                inode.synced = survivor(inode, chance);
                inode.cache = inode.synced.clone();
            }
        }
    }
}

fn survivor(inode: &Inode, chance: &Chance) -> Vec<u8> {
    let Inode { cache, synced, .. } = inode;
    // What was added to, or cut, keeps what both have; what was written anew keeps nothing.
    let kept = match cache.starts_with(synced) || synced.starts_with(cache) {
        true => cache.len().min(synced.len()),
        false => 0,
    };
    let prefix = kept + chance.below((cache.len() - kept) as u64 + 1) as usize;
    match chance.below(4) {
        0 => synced.clone(),
        1 => cache.clone(),
        // The length arrived before the content.
        2 => [&cache[..prefix], &vec![0; cache.len() - prefix]].concat(),
        _ => cache[..prefix].to_vec(),
    }
}

impl Around {
    /// Before and after an operation the power may go, and the disk may refuse.
    fn disk_step(&self, what: &str, refuses_ppm: u64) -> io::Result<()> {
        self.trace(what);
        self.power_may_go();
        if self.chance.ppm(refuses_ppm) {
            self.trace("the disk refuses");
            self.count("disk errors");
            return Err(io::Error::other("input/output error (os error 5)"));
        }
        Ok(())
    }

    /// Writes some bytes at the end of a file's cache: all of them, unless the disk is full or the power goes in the middle.
    fn put(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let full = self.disk_full.get();
        let cut = self.chance.ppm(self.weather.borrow().power_ppm);
        let count = if full || cut { self.chance.below(bytes.len() as u64) as usize } else { bytes.len() };
        self.files.borrow_mut().inode(path)?.cache.extend_from_slice(&bytes[..count]);
        if cut {
            self.stop(Stop::Power);
        }
        if full {
            self.trace("the disk is full");
            self.count("disk full");
            return Err(io::Error::other("no space left on device (os error 28)"));
        }
        self.power_may_go();
        Ok(())
    }
}

impl Disk for Around {
    fn read(&self, path: &Path, most: usize) -> io::Result<Vec<u8>> {
        self.disk_step("read", self.weather.borrow().disk_ppm)?;
        let bytes = self.files.borrow_mut().inode(path)?.cache.clone();
        if bytes.len() > most {
            return Err(io::Error::other("too long"));
        }
        self.list_file_is_read(path);
        Ok(bytes)
    }

    fn modified(&self, path: &Path) -> io::Result<i64> {
        self.files.borrow_mut().inode(path).map(|inode| inode.modified_ms)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.disk_step("write", self.weather.borrow().disk_ppm)?;
        {
            let mut files = self.files.borrow_mut();
            if files.inode(path).is_err() {
                files.inodes.push(Inode::default());
                let link = Change::Link(path.to_path_buf(), files.inodes.len() - 1);
                files.rename_or_link(link);
            }
            let inode = files.inode(path)?;
            inode.cache.clear();
            inode.modified_ms = self.time();
        }
        self.put(path, bytes)
    }

    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.disk_step("append", self.weather.borrow().disk_ppm)?;
        self.put(path, bytes)
    }

    fn cut(&self, path: &Path, length: u64) -> io::Result<()> {
        self.disk_step("cut", self.weather.borrow().disk_ppm)?;
        self.files.borrow_mut().inode(path)?.cache.truncate(length as usize);
        self.power_may_go();
        Ok(())
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        self.disk_step("sync", self.weather.borrow().disk_ppm)?;
        self.count("syncs");
        {
            let mut files = self.files.borrow_mut();
            let inode = files.inode(path)?;
            inode.synced = inode.cache.clone();
        }
        self.power_may_go();
        Ok(())
    }

    fn sync_directory(&self, _: &Path) -> io::Result<()> {
        self.disk_step("sync the directory", self.weather.borrow().disk_ppm)?;
        {
            let mut files = self.files.borrow_mut();
            files.synced_names = files.names.clone();
            files.changes.clear();
        }
        self.auditor.borrow_mut().names_are_certain(self);
        self.power_may_go();
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk_step("rename", self.weather.borrow().disk_ppm)?;
        self.files.borrow_mut().inode(from)?;
        let before = self.files.borrow().seen(to).to_vec();
        self.files.borrow_mut().rename_or_link(Change::Rename(from.to_path_buf(), to.to_path_buf()));
        self.auditor.borrow_mut().replaced(self, to, &before);
        self.power_may_go();
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk_step("remove", self.weather.borrow().disk_ppm)?;
        self.files.borrow_mut().inode(path)?;
        self.files.borrow_mut().rename_or_link(Change::Unlink(path.to_path_buf()));
        self.power_may_go();
        Ok(())
    }

    fn random(&self, bytes: &mut [u8]) -> io::Result<()> {
        bytes.fill_with(|| self.chance.next() as u8);
        Ok(())
    }
}
