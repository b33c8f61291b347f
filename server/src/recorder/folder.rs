//! The folder of recordings: names of files, and a bound of all of them together.
//!
//! In: files that are made, grow and end. Out: the oldest are removed while there are too many bytes; clips, which somebody asked for, go
//! last. Files of earlier processes count too, if their names are of the form that a server gives. Nothing else in the folder is touched, and
//! a lock keeps a second process out.

use crate::clock::unix_ms;
use crate::config::RecordConfig;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const EXTENSION: &str = "tickwire";
/// Before the extension of a clip.
pub(super) const CLIP: &str = "-clip";
/// The file that a process holds locked while it records here.
const LOCK: &str = ".lock";
/// Seconds since 1970 in the name of a recording are more than this, which ticks in the name of a cut hardly are.
const MIN_UNIX_S: u64 = 1_500_000_000;

/// A file counts as this long at least: a small one takes a block and an entry of the folder, and its room in memory here.
const MIN_FILE_COST: u64 = 64 << 10;
/// A file has at most this part of what is kept: one that is removed, because there is too much, takes no more of the newest ticks with it.
const MAX_FILE_PART: u64 = 4;

/// The bounds of one file.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileLimits {
    pub max_bytes: u64,
    pub max_age: Duration,
}

/// The folder, and the recordings in it.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    limits: FileLimits,
    keep_bytes: u64,
    files: BTreeMap<PathBuf, KnownFile>,
    /// What all files cost together.
    cost: u64,
    /// The number of the next file.
    next_file: u64,
    /// Unlocked when it is closed.
    _lock: File,
    /// Files that are made cannot be written, as on a full disk.
    #[cfg(test)]
    pub is_full: bool,
}

#[derive(Clone, Copy, Debug)]
struct KnownFile {
    bytes: u64,
    /// Clips come after all others, and older files before newer ones.
    order: (bool, SystemTime, u64),
    is_open: bool,
}

/// Makes the folder if there is none, and tries to write in it.
///
/// # Errors
/// If that does not work.
pub(crate) fn check_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    let probe = path.join(format!(".tickwire-{}-{}", std::process::id(), unix_ms()));
    drop(File::create(&probe)?);
    fs::remove_file(probe)
}

impl Folder {
    /// Locks the folder, and looks at what is in it.
    ///
    /// # Errors
    /// If the folder cannot be read, or another process records there.
    pub fn open(config: &RecordConfig) -> io::Result<Self> {
        let lock = lock(&config.folder)?;
        let mut folder = Self {
            path: config.folder.clone(),
            limits: FileLimits {
                max_bytes: config.max_bytes.min(config.keep_bytes / MAX_FILE_PART),
                max_age: config.max_age,
            },
            keep_bytes: config.keep_bytes,
            files: BTreeMap::new(),
            cost: 0,
            next_file: 1,
            _lock: lock,
            #[cfg(test)]
            is_full: false,
        };
        for entry in fs::read_dir(&config.folder)? {
            let entry = entry?;
            if !is_own_name(&entry.file_name().to_string_lossy()) {
                continue;
            }
            // It may have been removed meanwhile. The metadata of an entry are those of a link, not of what it leads to.
            if let Ok(file) = entry.metadata()
                && let Ok(modified) = file.modified()
                && file.is_file()
            {
                folder.know(entry.path(), file.len(), modified, false);
            }
        }
        Ok(folder)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn limits(&self) -> FileLimits {
        self.limits
    }

    /// Makes a file for a room. `kind` is what stands before its extension.
    pub fn create(&mut self, room: &str, kind: &str) -> io::Result<(PathBuf, File)> {
        let unix_s = unix_ms() / 1_000;
        loop {
            let number = self.next_file;
            self.next_file += 1;
            let path = self
                .path
                .join(format!("{room}-{unix_s}-{number}{kind}.{EXTENSION}"));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    #[cfg(test)]
                    let file = match self.is_full {
                        true => File::open(&path)?,
                        false => file,
                    };
                    self.know(path.clone(), 0, SystemTime::now(), true);
                    return Ok((path, file));
                }
                // Of an earlier process.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn know(&mut self, path: PathBuf, bytes: u64, at: SystemTime, is_open: bool) {
        let name = path.file_stem().map(|name| name.to_string_lossy());
        let is_clip = name.is_some_and(|name| name.ends_with(CLIP));
        let file = KnownFile {
            bytes,
            order: (is_clip, at, self.files.len() as u64),
            is_open,
        };
        self.cost += file.cost();
        self.files.insert(path, file);
    }

    /// A file has so many bytes now.
    pub fn set_bytes(&mut self, path: &Path, bytes: u64) {
        if let Some(file) = self.files.get_mut(path) {
            self.cost -= file.cost();
            file.bytes = bytes;
            self.cost += file.cost();
        }
    }

    /// A file that was written has ended. Its length is asked of the system, because a write that failed may have left a part.
    pub fn closed(&mut self, path: &Path) {
        if let Some(file) = self.files.get_mut(path) {
            file.is_open = false;
        }
        if let Ok(found) = fs::metadata(path) {
            self.set_bytes(path, found.len());
        }
    }

    /// Removes a file that has nothing to read.
    pub fn discard(&mut self, path: &Path) {
        if let Some(file) = self.files.remove(path) {
            self.cost -= file.cost();
        }
        remove(path);
    }

    /// Whether there are too many bytes.
    pub fn is_over(&self) -> bool {
        self.cost > self.keep_bytes
    }

    /// Whether the files that are being written take more than half of what is kept.
    pub fn is_mostly_open(&self) -> bool {
        let open = self.files.values().filter(|file| file.is_open);
        open.map(KnownFile::cost).sum::<u64>() > self.keep_bytes / 2
    }

    /// Removes the oldest clip, or the oldest file that is none, unless it is being written. `false`: there is none.
    pub fn remove_oldest(&mut self, is_clip: bool) -> bool {
        let files = self.files.iter();
        let ended = files.filter(|(_, file)| !file.is_open && file.order.0 == is_clip);
        let Some((path, _)) = ended.min_by_key(|(_, file)| file.order) else {
            return false;
        };
        let path = path.clone();
        self.discard(&path);
        true
    }
}

impl KnownFile {
    fn cost(&self) -> u64 {
        self.bytes.max(MIN_FILE_COST)
    }
}

/// Takes the lock of a folder.
fn lock(folder: &Path) -> io::Result<File> {
    let path = folder.join(LOCK);
    let file = (OpenOptions::new().write(true).create(true).truncate(false)).open(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(io::Error::other(format!(
            "another process records in {}; give each process a folder of its own",
            folder.display()
        ))),
        Err(TryLockError::Error(error)) => {
            let problem = format!("{} cannot be locked: {error}", path.display());
            Err(io::Error::new(error.kind(), problem))
        }
    }
}

/// Whether a server gives names of this form: `ROOM-UNIXTIME-N.tickwire`, or `ROOM-UNIXTIME-N-clip.tickwire`. A cut, which somebody made
/// beside a recording, has ticks where these have the time.
fn is_own_name(name: &str) -> bool {
    let number = |digits: Option<&str>| {
        let digits = digits.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        digits.and_then(|digits| digits.parse::<u64>().ok())
    };
    let stem = (name.strip_suffix(EXTENSION)).and_then(|name| name.strip_suffix('.'));
    let stem = stem.map(|stem| stem.strip_suffix(CLIP).unwrap_or(stem));
    let mut parts = stem.unwrap_or_default().rsplitn(3, '-');
    let (count, unix_s) = (number(parts.next()), number(parts.next()));
    let has_room = parts.next().is_some_and(|room| !room.is_empty());
    has_room && count.is_some() && unix_s.is_some_and(|unix_s| unix_s > MIN_UNIX_S)
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::error!("--record: {} cannot be removed: {error}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::TestFolder;

    fn config(folder: &TestFolder) -> RecordConfig {
        RecordConfig {
            folder: folder.0.clone(),
            max_bytes: 1 << 20,
            max_age: Duration::from_secs(3_600),
            keep_bytes: 1 << 20,
        }
    }

    #[test]
    fn only_files_of_its_own_names_are_adopted() {
        let folder = TestFolder::new();
        let own = [
            "main-1790000000-1.tickwire",
            "a-b-1790000000-12-clip.tickwire",
        ];
        let others = [
            "main-1790000000-1-1200-1800.tickwire",
            "main-1790000000-1-clip-1200-1800.tickwire",
            "main.tickwire",
            "-1790000000-1.tickwire",
            "main-1790000000-+1.tickwire",
            "main-1790000000-1.tickwire.bak",
            "main-1790000000-1tickwire",
        ];
        for name in own.iter().chain(&others) {
            std::fs::write(folder.0.join(name), "x").unwrap();
        }
        std::fs::create_dir(folder.0.join("main-1790000000-2.tickwire")).unwrap();
        let adopted = Folder::open(&config(&folder)).unwrap();
        let mut adopted: Vec<_> = adopted.files.into_keys().collect();
        adopted.sort_unstable();
        let mut expected = own.map(|name| folder.0.join(name));
        expected.sort_unstable();
        assert_eq!(adopted, expected);
    }

    #[test]
    fn a_second_recorder_is_kept_out() {
        let folder = TestFolder::new();
        let first = Folder::open(&config(&folder)).unwrap();
        let error = Folder::open(&config(&folder)).unwrap_err().to_string();
        assert!(error.starts_with("another process records in"), "{error}");
        drop(first);
        assert!(Folder::open(&config(&folder)).is_ok());
    }

    #[test]
    fn tiny_files_have_a_cost() {
        let folder = TestFolder::new();
        let mut opened = Folder::open(&config(&folder)).unwrap();
        let paths: Vec<_> = (0..17)
            .map(|_| {
                let path = opened.create("main", "").unwrap().0;
                opened.closed(&path);
                path
            })
            .collect();
        // A MiB has room for 16.
        assert!(opened.is_over() && opened.remove_oldest(false));
        assert!(!opened.is_over() && !paths[0].exists());
        paths[1..].iter().for_each(|path| opened.discard(path));
        assert_eq!((opened.cost, opened.files.len()), (0, 0));
    }
}
