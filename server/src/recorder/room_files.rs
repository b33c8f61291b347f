//! The files of one room: each has at most so many bytes and lasts at most so long.
//!
//! In: chunks. Out: files with an index at their end, and where the chunks of the newest minute are.

use super::folder::Folder;
use crate::clock::now;
use crate::log_limit;
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tickwire_recording::{ChunkPlace, EncodedChunk, Head, Mark, RecordingFile};

/// How much of a room a clip has.
const RECENT: Duration = Duration::from_secs(60);

/// The files of one room.
pub(super) struct RoomFiles {
    head: Head,
    open: Option<OpenFile>,
    recent: VecDeque<RecentChunk>,
}

struct OpenFile {
    path: Arc<PathBuf>,
    file: RecordingFile<File>,
    opened: Instant,
}

/// A chunk of the newest minute.
pub(super) struct RecentChunk {
    pub path: Arc<PathBuf>,
    pub place: ChunkPlace,
    pub marks: Vec<Mark>,
}

impl RoomFiles {
    pub fn new(head: Head) -> Self {
        Self {
            head,
            open: None,
            recent: VecDeque::new(),
        }
    }

    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The chunks of the newest minute, oldest first.
    pub fn recent(&self) -> &VecDeque<RecentChunk> {
        &self.recent
    }

    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub fn open_bytes(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.file.length())
    }

    /// Appends a chunk to the room's file, or to a new one. Returns how many bytes were written.
    pub fn write(&mut self, chunk: EncodedChunk, folder: &mut Folder) -> io::Result<u64> {
        let written = self.try_write(&chunk, folder);
        match written {
            Ok((path, place, bytes)) => {
                self.recent.push_back(RecentChunk {
                    path,
                    place,
                    marks: chunk.marks,
                });
                let ticks = RECENT.as_secs() as u32 * self.head.tick_rate;
                let is_old = |one: &mut RecentChunk| place.last.since(one.place.last) >= ticks;
                while self.recent.pop_front_if(is_old).is_some() {}
                Ok(bytes)
            }
            Err(error) => {
                if log_limit::admits("recording_failed", now()) {
                    let (room, folder) = (&self.head.room, folder.path().display());
                    tracing::error!(room, "--record {folder}: five seconds are lost: {error}");
                }
                self.give_up(folder);
                Err(error)
            }
        }
    }

    fn try_write(
        &mut self,
        chunk: &EncodedChunk,
        folder: &mut Folder,
    ) -> io::Result<(Arc<PathBuf>, ChunkPlace, u64)> {
        let limits = folder.limits();
        let is_over = |open: &OpenFile| {
            let is_large = open.file.length() + chunk.block.len() as u64 > limits.max_bytes;
            is_large || open.opened.elapsed() >= limits.max_age
        };
        if self.open.as_ref().is_some_and(is_over) {
            self.close(folder);
        }
        let mut begun = 0;
        let open = match &mut self.open {
            Some(open) => open,
            none => {
                self.head.tick = chunk.first;
                self.head.unix_ms = crate::clock::unix_ms();
                let open = none.insert(OpenFile::begin(&self.head, folder)?);
                begun = open.file.length();
                open
            }
        };
        let place = open.file.append(chunk)?;
        folder.set_bytes(&open.path, open.file.length());
        Ok((Arc::clone(&open.path), place, begun + place.bytes))
    }

    /// Leaves the file to which a chunk could not be written. The file ends in a torn block, so the next chunk begins a new one. A file
    /// without a chunk is removed: on a full disk, there would be one more every five seconds.
    fn give_up(&mut self, folder: &mut Folder) {
        let Some(open) = self.open.take() else { return };
        let has_chunks = !open.file.chunks().is_empty();
        drop(open.file);
        match has_chunks {
            true => folder.closed(&open.path),
            false => folder.discard(&open.path),
        }
    }

    /// Ends the file, if there is one.
    pub fn close(&mut self, folder: &mut Folder) {
        let Some(open) = self.open.take() else { return };
        // Without its index a file can be read all the same.
        let _ = open.file.finish();
        folder.closed(&open.path);
    }

    /// Ends a file that is too old.
    pub fn close_if_old(&mut self, folder: &mut Folder) {
        let max_age = folder.limits().max_age;
        if (self.open.as_ref()).is_some_and(|open| open.opened.elapsed() >= max_age) {
            self.close(folder);
        }
    }
}

impl OpenFile {
    /// Begins a file, of which nothing is left if its head cannot be written.
    fn begin(head: &Head, folder: &mut Folder) -> io::Result<Self> {
        let (path, file) = folder.create(&head.room, "")?;
        match RecordingFile::begin(file, head) {
            Ok(file) => Ok(Self {
                path: Arc::new(path),
                file,
                opened: Instant::now(),
            }),
            Err(error) => {
                folder.discard(&path);
                Err(error)
            }
        }
    }
}

impl RecentChunk {
    /// Reads the chunk's block.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        use std::io::{Read as _, Seek as _, SeekFrom};
        let path: &Path = &self.path;
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(self.place.offset))?;
        let mut block = vec![0; self.place.bytes as usize];
        file.read_exact(&mut block)?;
        Ok(block)
    }
}
