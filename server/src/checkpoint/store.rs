//! The newest checkpoint of each room, in one file of `--data-dir`.
//!
//! The file is a redb database. A transaction is on the disk as a whole or not at all, whenever the process or the machine ends.
//! Checkpoints that cannot be used are kept beside the others, for whoever wants to know why.

use super::format::{seal_into, sealed_len};
use redb::{
    Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, StorageError,
    TableDefinition,
};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// The file's name in `--data-dir`.
const NAME: &str = "rooms.redb";
/// By the room's name: its newest checkpoint.
const ROOMS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("rooms");
/// `processes`: how many processes have had the store open.
const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");
/// By the room's name and a time: a checkpoint that could not be used.
const SET_ASIDE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("set_aside");
/// Further unusable checkpoints take the place of the oldest ones.
const MAX_SET_ASIDE: u64 = 100;
/// Memory for the pages of the file. All is written, and hardly anything is read.
const CACHE_BYTES: usize = 8 << 20;

/// Why checkpoints cannot be kept.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another process has the file open.
    #[error("{path} is in use by another server", path = .0.display())]
    InUse(PathBuf),
    /// The file was written by another version of the database.
    #[error("{path} cannot be read by this version: {problem}", path = .0.display(), problem = .1)]
    Version(PathBuf, String),
    /// The file cannot be opened or written.
    #[error("{path}: {problem}", path = .0.display(), problem = .1)]
    System(PathBuf, String),
}

/// A change of what is kept.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// The room's newest checkpoint, as head and state.
    Put(Arc<Vec<u8>>),
    /// The room has ended.
    Remove,
    /// A checkpoint cannot be used.
    SetAside(Vec<u8>),
}

/// The store of all rooms' newest checkpoints.
pub(crate) struct CheckpointStore {
    database: Database,
    process: u64,
    path: PathBuf,
}

impl CheckpointStore {
    /// Opens the store in a folder, or makes it. A damaged file is renamed, and a new one begun.
    ///
    /// # Errors
    /// If the file is in use, of another version, or cannot be opened.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(NAME);
        let database = match create(&path) {
            Err(error) if is_damage(&error) => {
                let aside = path.with_extension(format!("damaged-{}", crate::clock::unix_ms()));
                std::fs::rename(&path, &aside).map_err(|error| system(&path, error))?;
                tracing::error!(
                    "{} is damaged, and all rooms begin anew; it is kept as {}: {error}",
                    path.display(),
                    aside.display()
                );
                create(&path)
            }
            opened => opened,
        };
        match database {
            Ok(database) => {
                let process = count_process(&database).map_err(|error| system(&path, error))?;
                Ok(Self {
                    database,
                    process,
                    path,
                })
            }
            Err(DatabaseError::DatabaseAlreadyOpen) => Err(StoreError::InUse(path)),
            Err(error @ DatabaseError::UpgradeRequired(_)) => {
                Err(StoreError::Version(path, error.to_string()))
            }
            Err(error) => Err(system(&path, error)),
        }
    }

    /// The number of this process among those that have had the store open, from 1.
    pub fn process(&self) -> u64 {
        self.process
    }

    /// All rooms with their checkpoints.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn rooms(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.read_rooms().map_err(|error| system(&self.path, error))
    }

    fn read_rooms(&self) -> Result<Vec<(String, Vec<u8>)>, redb::Error> {
        let reading = self.database.begin_read()?;
        let rooms = match reading.open_table(ROOMS) {
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            rooms => rooms?,
        };
        let mut all = Vec::new();
        for entry in rooms.iter()? {
            let (room, checkpoint) = entry?;
            all.push((room.value().to_owned(), checkpoint.value().to_vec()));
        }
        Ok(all)
    }

    /// Makes all these changes, or none. Returns how many bytes of checkpoints were written, once they are on the disk.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn apply<'a>(
        &self,
        changes: impl Iterator<Item = (&'a String, &'a Change)>,
    ) -> Result<u64, StoreError> {
        self.write(changes)
            .map_err(|error| system(&self.path, error))
    }

    fn write<'a>(
        &self,
        changes: impl Iterator<Item = (&'a String, &'a Change)>,
    ) -> Result<u64, redb::Error> {
        let mut bytes = 0;
        let writing = self.database.begin_write()?;
        {
            let mut rooms = writing.open_table(ROOMS)?;
            let mut set_aside = writing.open_table(SET_ASIDE)?;
            for (room, change) in changes {
                match change {
                    Change::Put(body) => {
                        let length = sealed_len(body.len());
                        let mut place = rooms.insert_reserve(&**room, length)?;
                        seal_into(body, place.as_mut());
                        bytes += length as u64;
                    }
                    Change::Remove => {
                        rooms.remove(&**room)?;
                    }
                    Change::SetAside(checkpoint) => {
                        rooms.remove(&**room)?;
                        let name = format!("{:016} {room}", crate::clock::unix_ms());
                        set_aside.insert(&*name, &**checkpoint)?;
                    }
                }
            }
            while redb::ReadableTableMetadata::len(&set_aside)? > MAX_SET_ASIDE {
                set_aside.pop_first()?;
            }
        }
        writing.commit()?;
        Ok(bytes)
    }

    /// How many unusable checkpoints are kept.
    #[cfg(test)]
    pub fn set_aside_count(&self) -> u64 {
        let reading = self.database.begin_read().unwrap();
        let table = reading.open_table(SET_ASIDE).unwrap();
        redb::ReadableTableMetadata::len(&table).unwrap()
    }
}

/// Counts one more process that opens the store.
fn count_process(database: &Database) -> Result<u64, redb::Error> {
    let writing = database.begin_write()?;
    let number = {
        let mut numbers = writing.open_table(NUMBERS)?;
        let before = numbers.get("processes")?.map_or(0, |number| number.value());
        numbers.insert("processes", before + 1)?;
        before + 1
    };
    writing.commit()?;
    Ok(number)
}

fn is_damage(error: &DatabaseError) -> bool {
    match error {
        DatabaseError::Storage(StorageError::Corrupted(_)) => true,
        DatabaseError::Storage(StorageError::Io(error)) => {
            matches!(
                error.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
            )
        }
        _ => false,
    }
}

fn create(path: &Path) -> Result<Database, DatabaseError> {
    Database::builder().set_cache_size(CACHE_BYTES).create(path)
}

fn system(path: &Path, error: impl std::fmt::Display) -> StoreError {
    StoreError::System(path.to_owned(), error.to_string())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::format::open;
    use super::super::format::tests::head;
    use super::*;

    /// A folder that goes with the test.
    pub(crate) struct Folder(pub PathBuf);

    impl Folder {
        pub fn new() -> Self {
            let name = format!("tickwire-checkpoints-{:016x}", rand::random::<u64>());
            let folder = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    pub(crate) fn body(tick: u32) -> Arc<Vec<u8>> {
        Arc::new(postcard::to_extend(&head(tick), Vec::new()).unwrap())
    }

    fn apply(store: &CheckpointStore, room: &str, change: Change) {
        let room = room.to_owned();
        store.apply([(&room, &change)].into_iter()).unwrap();
    }

    #[test]
    fn the_newest_checkpoint_of_each_room_is_kept() {
        let folder = Folder::new();
        let store = CheckpointStore::open(&folder.0).unwrap();
        assert!(store.rooms().unwrap().is_empty());
        for (room, tick) in [("a", 1), ("b", 2), ("a", 3), ("c", 4)] {
            apply(&store, room, Change::Put(body(tick)));
        }
        apply(&store, "b", Change::Remove);
        apply(&store, "c", Change::SetAside(b"bad".to_vec()));
        assert!(matches!(
            CheckpointStore::open(&folder.0),
            Err(StoreError::InUse(_))
        ));
        drop(store);
        let store = CheckpointStore::open(&folder.0).unwrap();
        assert_eq!(store.process(), 2);
        let rooms = store.rooms().unwrap();
        let ticks: Vec<_> = (rooms.iter())
            .map(|(room, bytes)| (&**room, open(bytes).unwrap().0.tick.0))
            .collect();
        assert_eq!(ticks, [("a", 3)]);
        assert_eq!(store.set_aside_count(), 1);
    }

    #[test]
    fn a_damaged_file_is_kept_and_a_new_one_begun() {
        let folder = Folder::new();
        let store = CheckpointStore::open(&folder.0).unwrap();
        apply(&store, "a", Change::Put(body(1)));
        drop(store);
        let path = folder.0.join(NAME);
        let length = std::fs::metadata(&path).unwrap().len() as usize;
        std::fs::write(&path, vec![0x5A; length]).unwrap();
        let store = CheckpointStore::open(&folder.0).unwrap();
        assert!(store.rooms().unwrap().is_empty());
        let files = std::fs::read_dir(&folder.0).unwrap().count();
        assert_eq!(files, 2, "the damaged file is gone");
    }
}
