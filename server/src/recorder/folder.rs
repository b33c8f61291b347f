//! The folder of recordings: names of files, and a bound of all of them together.
//!
//! In: files that are made, grow and end. Out: the oldest are removed while there are too many bytes; clips, which somebody asked for, go
//! last. Files of earlier processes count too. Nothing else in the folder is touched.

use crate::clock::unix_ms;
use crate::config::RecordConfig;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const EXTENSION: &str = "tickwire";
/// Before the extension of a clip.
pub(super) const CLIP: &str = "-clip";

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
    /// The number of the next file.
    next_file: u64,
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
    /// Looks at what is in the folder.
    pub fn open(config: &RecordConfig) -> io::Result<Self> {
        let mut folder = Self {
            path: config.folder.clone(),
            limits: FileLimits {
                max_bytes: config.max_bytes,
                max_age: config.max_age,
            },
            keep_bytes: config.keep_bytes,
            files: BTreeMap::new(),
            next_file: 1,
            #[cfg(test)]
            is_full: false,
        };
        for entry in fs::read_dir(&config.folder)? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == EXTENSION)
            {
                // It may have been removed meanwhile.
                if let Ok(found) =
                    fs::metadata(&path).and_then(|file| Ok((file.len(), file.modified()?)))
                {
                    folder.know(path, found.0, found.1, false);
                }
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
        let order = (is_clip, at, self.files.len() as u64);
        self.files.insert(
            path,
            KnownFile {
                bytes,
                order,
                is_open,
            },
        );
    }

    /// A file that is being written has so many bytes now.
    pub fn grown(&mut self, path: &Path, bytes: u64) {
        if let Some(file) = self.files.get_mut(path) {
            file.bytes = bytes;
        }
    }

    /// A file that was written has ended. Its length is asked of the system, because a write that failed may have left a part.
    pub fn closed(&mut self, path: &Path) {
        if let Some(file) = self.files.get_mut(path) {
            file.is_open = false;
            file.bytes = fs::metadata(path).map_or(file.bytes, |found| found.len());
        }
    }

    /// Removes a file that has nothing to read.
    pub fn discard(&mut self, path: &Path) {
        self.files.remove(path);
        remove(path);
    }

    /// Removes the oldest files while there are too many bytes. `false`: all that are left are being written.
    pub fn make_place(&mut self) -> bool {
        let mut total: u64 = self.files.values().map(|file| file.bytes).sum();
        while total > self.keep_bytes {
            let ended = self.files.iter().filter(|(_, file)| !file.is_open);
            let Some((path, file)) = ended.min_by_key(|(_, file)| file.order) else {
                return false;
            };
            total -= file.bytes;
            let path = path.clone();
            self.discard(&path);
        }
        true
    }
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::error!("--record: {} cannot be removed: {error}", path.display());
    }
}
