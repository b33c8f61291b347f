//! Whom operators do not want: bans and mutes, how long each holds, and where they are kept over restarts.
//!
//! In: orders of the operations port, and the file in `--data-dir`. Out: a [`Snapshot`] for whoever lets players in or passes their
//! chat on, and the list for operators. A reader takes the newest snapshot and waits for nothing; the file is written by threads
//! that may block. This module never ends a session: the operations port asks the rooms for that.

mod entry;
mod file;
mod order;
mod snapshot;

pub use entry::{Entry, Kind, Target};
pub use order::{ActedOn, SessionAction, SessionIdentity, Whom};
pub use snapshot::Snapshot;

use crate::clock;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::SystemTime;
use thiserror::Error;

/// Bans and mutes at a time.
pub const MAX_ENTRIES: usize = 10_000;
/// How the sentence for a banned player begins.
pub const BANNED: &str = "you are banned";

/// Why bans and mutes cannot be kept in their file.
#[derive(Debug, Error)]
pub enum ModerationError {
    /// The system does not read or write it.
    #[error("{path}: {error}", path = path.display())]
    System {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        error: std::io::Error,
    },
    /// The file is not what this server writes.
    #[error("{path}: {problem}; mend the file, or move it away to begin without bans", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

/// There is no place for another ban or mute.
#[derive(Debug, Error)]
#[error(
    "there are {MAX_ENTRIES} bans and mutes, the most there can be; lift some, or ban a network"
)]
pub struct Full;

/// The bans and mutes of a server.
#[derive(Debug, Default)]
pub struct Moderation {
    /// `None`: in memory only.
    file: Option<PathBuf>,
    entries: Mutex<Entries>,
    snapshot: RwLock<Arc<Snapshot>>,
    /// Whether other nodes give ids as well.
    has_other_nodes: AtomicBool,
    /// Held while the file is written, so that an older state never replaces a newer one.
    writing: Mutex<()>,
}

#[derive(Debug, Default)]
struct Entries {
    newest_id: u64,
    by_id: BTreeMap<u64, Entry>,
}

impl Entries {
    fn forget_expired(&mut self, now: SystemTime) {
        self.by_id.retain(|_, entry| entry.holds_at(now));
    }
}

impl Moderation {
    /// The bans and mutes that are kept in a folder.
    ///
    /// # Errors
    /// If the folder cannot be written to, or its file cannot be read.
    pub fn open(folder: &Path) -> Result<Self, ModerationError> {
        file::check_folder(folder)?;
        let file = folder.join(file::NAME);
        let (newest_id, entries) = file::read(&file)?;
        let by_id = entries.into_iter().map(|entry| (entry.id, entry)).collect();
        let moderation = Self {
            file: Some(file),
            entries: Mutex::new(Entries { newest_id, by_id }),
            ..Self::default()
        };
        moderation.publish(&mut moderation.lock());
        Ok(moderation)
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What holds now. Cheap: a count goes up.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        let snapshot = self.snapshot.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&snapshot)
    }

    /// The sentence for a player who is banned by this subject or address, if one is.
    pub fn ban_of(&self, subject: Option<&str>, address: Option<IpAddr>) -> Option<String> {
        let snapshot = self.snapshot();
        let held = snapshot.bans.find(subject, address, clock::now())?;
        Some(held.sentence(BANNED))
    }

    /// Adds an entry, or replaces the one of the same kind and target, whose id stays.
    ///
    /// # Errors
    /// If there are [`MAX_ENTRIES`] others.
    pub fn add(
        &self,
        kind: Kind,
        target: Target,
        reason: String,
        until: Option<SystemTime>,
    ) -> Result<Entry, Full> {
        let now = SystemTime::now();
        let mut entries = self.lock();
        entries.forget_expired(now);
        let is_same = |entry: &&Entry| entry.kind == kind && entry.target == target;
        let id = match entries.by_id.values().find(is_same) {
            Some(same) => same.id,
            None if entries.by_id.len() >= MAX_ENTRIES => return Err(Full),
            None => {
                let next = entries.newest_id + 1;
                entries.newest_id = match self.has_other_nodes.load(Ordering::Relaxed) {
                    true => next.max(id_among_nodes()),
                    false => next,
                };
                entries.newest_id
            }
        };
        let entry = Entry {
            id,
            kind,
            target,
            reason,
            since: now,
            until,
        };
        entries.by_id.insert(id, entry.clone());
        self.publish(&mut entries);
        Ok(entry)
    }

    /// Takes over an entry of another node, with its id.
    pub fn put(&self, entry: Entry) {
        let mut entries = self.lock();
        let is_same = |old: &Entry| old.kind == entry.kind && old.target == entry.target;
        entries.by_id.retain(|_, old| !is_same(old));
        if entries.by_id.len() < MAX_ENTRIES {
            entries.newest_id = entries.newest_id.max(entry.id);
            entries.by_id.insert(entry.id, entry);
        }
        self.publish(&mut entries);
    }

    /// Other nodes give ids as well, from now on.
    pub fn share_ids(&self) {
        self.has_other_nodes.store(true, Ordering::Relaxed);
    }

    /// Removes an entry. `None`: there is none of this id.
    pub fn lift(&self, id: u64) -> Option<Entry> {
        let mut entries = self.lock();
        entries.forget_expired(SystemTime::now());
        let lifted = entries.by_id.remove(&id);
        self.publish(&mut entries);
        lifted
    }

    /// The entries that hold, oldest first.
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries = self.lock();
        entries.forget_expired(SystemTime::now());
        entries.by_id.values().cloned().collect()
    }

    /// Shows readers the entries. Called under the lock, so that an older state never replaces a newer one.
    fn publish(&self, entries: &mut Entries) {
        entries.forget_expired(SystemTime::now());
        let new = Arc::new(Snapshot::new(entries.by_id.values()));
        let mut snapshot = (self.snapshot.write()).unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *snapshot, new);
        drop(snapshot);
        // Not under the lock that readers take.
        drop(old);
    }

    /// Writes the entries to their file, on a thread that may block. Without a file this does nothing.
    ///
    /// # Errors
    /// If the file cannot be written; the entries hold all the same.
    pub async fn save(self: &Arc<Self>) -> Result<(), ModerationError> {
        let this = Arc::clone(self);
        let saved = tokio::task::spawn_blocking(move || this.save_now());
        saved.await.unwrap_or_else(|panic| {
            let path = self.file.clone().unwrap_or_default();
            let error = std::io::Error::other(panic);
            Err(ModerationError::System { path, error })
        })
    }

    fn save_now(&self) -> Result<(), ModerationError> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let text = {
            let entries = self.lock();
            file::text(entries.newest_id, entries.by_id.values())
        };
        file::write(file, &text)
    }
}

/// An id that no other node gives, as good as surely: by the time, and by chance. Programs that read JSON hold it exactly.
fn id_among_nodes() -> u64 {
    clock::unix_ms() * 1_000 + u64::from(rand::random::<u16>()) % 1_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("tickwire-moderation-{name}-{}", std::process::id());
            Self(std::env::temp_dir().join(name))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn subject(name: &str) -> Target {
        Target::Subject(name.to_owned())
    }

    fn in_an_hour() -> Option<SystemTime> {
        Some(SystemTime::now() + Duration::from_secs(3600))
    }

    #[test]
    fn bans_and_mutes_survive_a_restart() {
        let folder = Folder::new("restart");
        let before = Moderation::open(&folder.0).unwrap();
        let network = Target::parse_address("10.0.0.0/8").unwrap();
        let add = |kind, target, until| before.add(kind, target, "why".to_owned(), until);
        add(Kind::Ban, subject("eve"), in_an_hour()).unwrap();
        add(Kind::Mute, network, None).unwrap();
        let expired = SystemTime::now() - Duration::from_secs(1);
        add(Kind::Ban, subject("ada"), Some(expired)).unwrap();
        before
            .lift(add(Kind::Ban, subject("bob"), None).unwrap().id)
            .unwrap();
        before.save_now().unwrap();
        let after = Moderation::open(&folder.0).unwrap();
        let shown = |all: &Moderation| all.entries().iter().map(Entry::to_json).collect::<Vec<_>>();
        assert_eq!(shown(&after), shown(&before));
        assert_eq!(after.entries().len(), 2);
        let banned = after.ban_of(Some("eve"), None).unwrap();
        assert!(
            banned.starts_with("you are banned until 20") && banned.ends_with("why"),
            "{banned}"
        );
        assert_eq!(after.ban_of(Some("ada"), Some([10, 1, 2, 3].into())), None);
        let now = clock::now();
        let snapshot = after.snapshot();
        assert!(
            snapshot
                .mutes
                .find(None, Some([10, 1, 2, 3].into()), now)
                .is_some()
        );
        // An id is never used again.
        assert_eq!(
            after
                .add(Kind::Ban, subject("dan"), String::new(), None)
                .unwrap()
                .id,
            5
        );
        let files: Vec<_> = std::fs::read_dir(&folder.0).unwrap().collect();
        assert_eq!(files.len(), 1, "a temporary file is left: {files:?}");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let folder = Folder::new("unreadable");
        std::fs::create_dir_all(&folder.0).unwrap();
        for text in ["", "{", "[]", r#"{"newest_id": 1, "entries": [{"id": 1}]}"#] {
            std::fs::write(folder.0.join(file::NAME), text).unwrap();
            let problem = Moderation::open(&folder.0).unwrap_err().to_string();
            assert!(
                problem.contains(file::NAME) && problem.lines().count() == 1,
                "{problem}"
            );
        }
        let file = folder.0.join(file::NAME);
        let problem = Moderation::open(&file).unwrap_err().to_string();
        assert!(problem.contains(file::NAME), "{problem}");
    }

    #[test]
    fn the_same_target_keeps_its_id_and_there_is_a_limit() {
        let moderation = Moderation::default();
        let ban = |name: &str, reason: &str| {
            moderation.add(Kind::Ban, subject(name), reason.to_owned(), None)
        };
        assert_eq!(ban("0", "one").unwrap().id, ban("0", "two").unwrap().id);
        assert_eq!(
            moderation.ban_of(Some("0"), None).unwrap(),
            "you are banned: two"
        );
        {
            let mut entries = moderation.lock();
            let one = entries.by_id[&1].clone();
            for id in 2..=MAX_ENTRIES as u64 {
                let target = subject(&id.to_string());
                entries.by_id.insert(
                    id,
                    Entry {
                        id,
                        target,
                        ..one.clone()
                    },
                );
            }
        }
        assert!(ban("one more", "").is_err());
        assert!(ban("0", "three").is_ok());
        moderation.lift(2).unwrap();
        assert!(ban("one more", "").is_ok());
    }

    #[test]
    fn an_entry_vanishes_when_its_time_is_over() {
        let moderation = Moderation::default();
        let until = SystemTime::now() + Duration::from_millis(30);
        moderation
            .add(Kind::Ban, subject("eve"), String::new(), Some(until))
            .unwrap();
        assert!(moderation.ban_of(Some("eve"), None).is_some());
        let later = clock::now().plus(tickwire_sync::Micros::from_millis(60));
        assert!(
            moderation
                .snapshot()
                .bans
                .find(Some("eve"), None, later)
                .is_none()
        );
        while SystemTime::now() < until {
            std::thread::yield_now();
        }
        assert!(moderation.entries().is_empty());
    }
}
