//! The newest checkpoint of each room: what a store does, and the one in a file of `--data-dir`.
//!
//! The file is a redb database. A transaction is on the disk as a whole or not at all, whenever the process or the machine ends.
//! Checkpoints that cannot be used are kept beside the others, for whoever wants to know why.

use super::format::{seal_into, sealed_len};
use redb::{Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use std::collections::BTreeMap;
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
    /// Redis does not take them.
    #[error("--redis: {0}")]
    Redis(String),
}

/// A change of what is kept.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// The epoch of the room.
    pub epoch: u64,
    pub kind: ChangeKind,
}

/// What changes.
#[derive(Clone, Debug)]
pub(crate) enum ChangeKind {
    /// The room's newest checkpoint, as head and state.
    Put {
        body: Arc<Vec<u8>>,
        /// Nothing comes after it from this process: another may go on.
        is_last: bool,
    },
    /// The room has ended.
    Remove,
}

impl Change {
    /// Whether it is a checkpoint.
    pub fn is_put(&self) -> bool {
        matches!(self.kind, ChangeKind::Put { .. })
    }
}

/// What came of a batch of changes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Applied {
    /// Bytes of checkpoints that were written.
    pub bytes: u64,
    /// Rooms whose checkpoints were refused, because another node owns them with a later epoch than these.
    pub fenced: Vec<(String, u64)>,
}

/// Where checkpoints are kept. Used by the writer's thread, which may block.
pub(crate) trait StateStore: Send + 'static {
    /// Makes all these changes, in any order, after what is set aside. A batch that has failed may be made again as a whole.
    ///
    /// # Errors
    /// If they cannot be made now. It may be possible the next time.
    fn apply(
        &mut self,
        changes: &BTreeMap<String, Change>,
        set_aside: &[SetAside],
    ) -> Result<Applied, StoreError>;
}

/// A checkpoint that cannot be used.
#[derive(Clone, Debug)]
pub(crate) struct SetAside {
    pub room: String,
    /// The epoch of the room to which it would belong.
    pub epoch: u64,
    pub checkpoint: Vec<u8>,
}

/// Opens the database, once more after an error too.
type OpenDatabase = Box<dyn Fn() -> Result<Database, DatabaseError> + Send>;

/// The store of all rooms' newest checkpoints.
pub(crate) struct CheckpointStore {
    open: OpenDatabase,
    /// `None` after an error: a database that has met one refuses everything from then on.
    database: Option<Database>,
    process: u64,
    path: PathBuf,
}

/// What a store has when it is opened: the rooms with their checkpoints.
pub(crate) type StoredRooms = Vec<(String, Vec<u8>)>;

impl CheckpointStore {
    /// Opens the store in a folder, or makes it. A damaged file is renamed, and a new one begun.
    ///
    /// # Errors
    /// If the file is in use, of another version, or cannot be opened.
    pub fn open(folder: &Path) -> Result<(Self, StoredRooms), StoreError> {
        let path = folder.join(NAME);
        let file = path.clone();
        let open = move || {
            Database::builder()
                .set_cache_size(CACHE_BYTES)
                .create(&file)
        };
        let opened = match Self::open_with(Box::new(open.clone()), path.clone()) {
            Err(error) if is_damage(&error) => {
                let aside = path.with_extension(format!("damaged-{}", crate::clock::unix_ms()));
                std::fs::rename(&path, &aside).map_err(|error| system(&path, error))?;
                tracing::error!(
                    "{} is damaged, and all rooms begin anew; it is kept as {}: {error}",
                    path.display(),
                    aside.display()
                );
                Self::open_with(Box::new(open), path.clone())
            }
            opened => opened,
        };
        opened.map_err(|error| match error {
            redb::Error::DatabaseAlreadyOpen => StoreError::InUse(path),
            redb::Error::UpgradeRequired(_) => StoreError::Version(path, error.to_string()),
            error => system(&path, error),
        })
    }

    fn open_with(open: OpenDatabase, path: PathBuf) -> Result<(Self, StoredRooms), redb::Error> {
        let database = open()?;
        let process = count_process(&database)?;
        let rooms = read_rooms(&database)?;
        let store = Self {
            open,
            database: Some(database),
            process,
            path,
        };
        Ok((store, rooms))
    }

    /// The number of this process among those that have had the store open, from 1.
    pub fn process(&self) -> u64 {
        self.process
    }

    /// The rooms whose checkpoints were set aside, oldest first.
    #[cfg(test)]
    pub fn set_aside(&self) -> Vec<String> {
        let database = self.database.as_ref().unwrap();
        let reading = database.begin_read().unwrap();
        let table = reading.open_table(SET_ASIDE).unwrap();
        let names = table.iter().unwrap().map(|entry| {
            let name = entry.unwrap().0.value().to_owned();
            name.split(' ').next_back().unwrap().to_owned()
        });
        names.collect()
    }
}

impl StateStore for CheckpointStore {
    /// Makes all changes or none. They are on the disk when this returns.
    fn apply(
        &mut self,
        changes: &BTreeMap<String, Change>,
        set_aside: &[SetAside],
    ) -> Result<Applied, StoreError> {
        let written = match self.database.take() {
            Some(database) => Ok(database),
            None => (self.open)().map_err(redb::Error::from),
        }
        .and_then(|database| {
            let bytes = write(&database, changes, set_aside)?;
            Ok((database, bytes))
        });
        match written {
            Ok((database, bytes)) => {
                self.database = Some(database);
                Ok(Applied {
                    bytes,
                    fenced: Vec::new(),
                })
            }
            Err(error) => Err(system(&self.path, error)),
        }
    }
}

fn read_rooms(database: &Database) -> Result<StoredRooms, redb::Error> {
    let reading = database.begin_read()?;
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

fn write(
    database: &Database,
    changes: &BTreeMap<String, Change>,
    set_aside: &[SetAside],
) -> Result<u64, redb::Error> {
    let mut bytes = 0;
    let writing = database.begin_write()?;
    {
        let mut rooms = writing.open_table(ROOMS)?;
        let mut aside = writing.open_table(SET_ASIDE)?;
        for (
            number,
            SetAside {
                room, checkpoint, ..
            },
        ) in set_aside.iter().enumerate()
        {
            // What comes after it may be a checkpoint of the room that begins anew.
            rooms.remove(&**room)?;
            let name = format!("{:016} {number:06} {room}", crate::clock::unix_ms());
            aside.insert(&*name, &**checkpoint)?;
        }
        for (room, change) in changes {
            match &change.kind {
                ChangeKind::Put { body, .. } => {
                    let length = sealed_len(body.len());
                    let mut place = rooms.insert_reserve(&**room, length)?;
                    seal_into(body, place.as_mut());
                    bytes += length as u64;
                }
                ChangeKind::Remove => {
                    rooms.remove(&**room)?;
                }
            }
        }
        while redb::ReadableTableMetadata::len(&aside)? > MAX_SET_ASIDE {
            aside.pop_first()?;
        }
    }
    writing.commit()?;
    Ok(bytes)
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

fn is_damage(error: &redb::Error) -> bool {
    match error {
        redb::Error::Corrupted(_) => true,
        redb::Error::Io(error) => matches!(
            error.kind(),
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
        ),
        _ => false,
    }
}

fn system(path: &Path, error: impl std::fmt::Display) -> StoreError {
    StoreError::System(path.to_owned(), error.to_string())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::format::open;
    use super::super::format::tests::head;
    use super::*;
    use redb::StorageBackend;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

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

    fn put(tick: u32) -> ChangeKind {
        ChangeKind::Put {
            body: body(tick),
            is_last: false,
        }
    }

    fn changes(room: &str, kind: ChangeKind) -> BTreeMap<String, Change> {
        BTreeMap::from([(room.to_owned(), Change { epoch: 3, kind })])
    }

    fn apply(store: &mut CheckpointStore, room: &str, kind: ChangeKind) {
        store.apply(&changes(room, kind), &[]).unwrap();
    }

    #[test]
    fn the_newest_checkpoint_of_each_room_is_kept() {
        let folder = Folder::new();
        let (mut store, rooms) = CheckpointStore::open(&folder.0).unwrap();
        assert!(rooms.is_empty());
        for (room, tick) in [("a", 1), ("b", 2), ("a", 3), ("c", 4)] {
            apply(&mut store, room, put(tick));
        }
        apply(&mut store, "b", ChangeKind::Remove);
        let bad = SetAside {
            room: "c".to_owned(),
            epoch: 3,
            checkpoint: b"bad".to_vec(),
        };
        store.apply(&BTreeMap::new(), &[bad]).unwrap();
        assert!(matches!(
            CheckpointStore::open(&folder.0),
            Err(StoreError::InUse(_))
        ));
        drop(store);
        let (store, rooms) = CheckpointStore::open(&folder.0).unwrap();
        assert_eq!(store.process(), 2);
        let ticks: Vec<_> = (rooms.iter())
            .map(|(room, bytes)| (&**room, open(bytes).unwrap().0.tick.0))
            .collect();
        assert_eq!(ticks, [("a", 3)]);
        assert_eq!(store.set_aside(), ["c"]);
    }

    #[test]
    fn a_damaged_file_is_kept_and_a_new_one_begun() {
        let folder = Folder::new();
        let (mut store, _) = CheckpointStore::open(&folder.0).unwrap();
        apply(&mut store, "a", put(1));
        drop(store);
        let path = folder.0.join(NAME);
        let length = std::fs::metadata(&path).unwrap().len() as usize;
        std::fs::write(&path, vec![0x5A; length]).unwrap();
        let (_, rooms) = CheckpointStore::open(&folder.0).unwrap();
        assert!(rooms.is_empty());
        let files = std::fs::read_dir(&folder.0).unwrap().count();
        assert_eq!(files, 2, "the damaged file is gone");
    }

    /// A file in memory, on a disk that fails when it is told to.
    #[derive(Clone, Debug, Default)]
    struct Disk {
        bytes: Arc<Mutex<Vec<u8>>>,
        is_full: Arc<AtomicBool>,
    }

    impl Disk {
        fn check(&self) -> io::Result<()> {
            match self.is_full.load(Ordering::Relaxed) {
                true => Err(io::ErrorKind::StorageFull.into()),
                false => Ok(()),
            }
        }
    }

    impl StorageBackend for Disk {
        fn len(&self) -> io::Result<u64> {
            Ok(self.bytes.lock().unwrap().len() as u64)
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            let offset = offset as usize;
            out.copy_from_slice(&self.bytes.lock().unwrap()[offset..offset + out.len()]);
            Ok(())
        }

        fn set_len(&self, len: u64) -> io::Result<()> {
            self.check()?;
            self.bytes.lock().unwrap().resize(len as usize, 0);
            Ok(())
        }

        fn sync_data(&self) -> io::Result<()> {
            self.check()
        }

        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            self.check()?;
            let offset = offset as usize;
            self.bytes.lock().unwrap()[offset..offset + data.len()].copy_from_slice(data);
            Ok(())
        }
    }

    #[test]
    fn a_disk_that_was_full_for_a_while_is_written_again() {
        let disk = Disk::default();
        let backend = disk.clone();
        let open_disk: OpenDatabase =
            Box::new(move || Database::builder().create_with_backend(backend.clone()));
        let (mut store, _) = CheckpointStore::open_with(open_disk, PathBuf::from("disk")).unwrap();
        apply(&mut store, "a", put(1));
        disk.is_full.store(true, Ordering::Relaxed);
        for _ in 0..3 {
            let applied = store.apply(&changes("a", put(2)), &[]);
            assert!(matches!(applied, Err(StoreError::System(..))));
        }
        disk.is_full.store(false, Ordering::Relaxed);
        apply(&mut store, "a", put(2));
        let rooms = read_rooms(store.database.as_ref().unwrap()).unwrap();
        assert_eq!(open(&rooms[0].1).unwrap().0.tick.0, 2);
        assert_eq!(store.process(), 1);
    }
}
