//! Clips: the newest minute of a room as a file of its own.
//!
//! In: where the chunks of that minute are. Out: a file with copies of them. The room's own files are the ring: nothing is held in memory
//! for clips.

use super::folder::{CLIP, Folder};
use super::room_files::RoomFiles;
use serde::Serialize;
use std::io;
use std::path::PathBuf;
use tickwire_recording::RecordingFile;

/// A clip that was saved.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Clip {
    /// The file.
    pub file: PathBuf,
    /// Its first tick.
    pub from_tick: u32,
    /// Its last tick.
    pub to_tick: u32,
    /// Its length.
    pub bytes: u64,
}

/// Why there is no clip.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    /// There is no such room.
    #[error("there is no such room")]
    NoRoom,
    /// Nothing is recorded.
    #[error(
        "this server records nothing: start it with --record DIR, and clips of the newest minute can be saved there"
    )]
    Off,
    /// Nobody was connected yet, or the files are gone.
    #[error("nothing of this room is recorded yet; nothing is recorded while nobody is connected")]
    Nothing,
    /// The process ends.
    #[error("the server is going away")]
    Ended,
    /// The recorder's thread did not get to it in time.
    #[error(
        "the recorder is more than 10 s behind its rooms, so the clip was given up: the disk or the recorder's CPU is too slow; try again when tickwire_recording_dropped_total stands still"
    )]
    Behind,
    /// The disk does not take it.
    #[error("the clip cannot be written: {0}")]
    Io(#[from] io::Error),
}

/// Writes the newest minute of a room into a file of its own.
pub(super) fn save_clip(files: &RoomFiles, folder: &mut Folder) -> Result<Clip, ClipError> {
    let mut head = files.head().clone();
    let first = files.recent().front().ok_or(ClipError::Nothing)?;
    head.tick = first.place.first;
    let (path, file) = folder.create(&head.room, CLIP)?;
    let written = (|| {
        let mut clip = RecordingFile::begin(file, &head)?;
        for chunk in files.recent() {
            // The file of an older one may have been removed meanwhile.
            let Ok(block) = chunk.read() else { continue };
            let place = chunk.place;
            clip.append_block(&block, place.first, place.last, &chunk.marks)?;
        }
        let range = clip.chunks().first().zip(clip.chunks().last());
        let range = range.map(|(first, last)| (first.first, last.last));
        Ok::<_, io::Error>((range, clip.finish()?.1))
    })();
    match written {
        Ok((Some((first, last)), bytes)) => {
            folder.closed(&path);
            Ok(Clip {
                file: path,
                from_tick: first.0,
                to_tick: last.0,
                bytes,
            })
        }
        Ok((None, _)) => {
            folder.discard(&path);
            Err(ClipError::Nothing)
        }
        Err(error) => {
            folder.discard(&path);
            Err(error.into())
        }
    }
}
