//! Whether a recording is whole: every block is checked, and the hash of every tick is computed anew.

use crate::block::Damage;
use crate::recording::{ReadError, Recording};
use std::io::{Read, Seek};
use tickwire_sync::Tick;

/// What a check has found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verdict {
    /// Ticks whose hash is right.
    pub ticks: u64,
    /// Chunks that were read to their end.
    pub chunks: usize,
    /// Ranges of ticks, both ends included, that are missing between the first and the last: skipped by the server, dropped by its recorder, or
    /// damaged.
    pub missing: Vec<(Tick, Tick)>,
    /// Parts of the file that cannot be read.
    pub damages: Vec<Damage>,
    /// The first tick whose rows have another hash than the room's had, and the offset of its chunk in bytes.
    pub mismatch: Option<(Tick, u64)>,
    /// Ticks whose rows have another hash than the room's had.
    pub mismatches: u64,
}

impl Verdict {
    /// Whether all that is in the file is as it was written. Missing ticks are no fault of the file.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.damages.is_empty() && self.mismatch.is_none()
    }
}

/// Checks a recording. One that was opened by [`Recording::scan`] was searched as a whole.
///
/// # Errors
/// If the file cannot be read. Damage is no error.
pub fn verify<S: Read + Seek>(recording: &mut Recording<S>) -> Result<Verdict, ReadError> {
    let mut verdict = Verdict {
        damages: recording.damages().to_vec(),
        ..Verdict::default()
    };
    let mut before: Option<Tick> = None;
    let mut bad_chunks = 0;
    let chunk_count = recording.chunks().len();
    let mut playback = recording.play();
    loop {
        match playback.advance() {
            Ok(true) => {}
            Ok(false) => break,
            Err(ReadError::Damaged(damage)) => {
                bad_chunks += 1;
                verdict.damages.push(damage);
                continue;
            }
            Err(error) => return Err(error),
        }
        let Some(now) = playback.now() else { continue };
        if let Some(before) = before.filter(|before| now.tick().since(*before) > 1) {
            let last = now.tick().minus(1).unwrap_or_default();
            verdict.missing.push((before.next(), last));
        }
        before = Some(now.tick());
        if now.is_hash_right() {
            verdict.ticks += 1;
        } else {
            verdict.mismatches += 1;
            if verdict.mismatch.is_none() {
                verdict.mismatch = Some((now.tick(), playback.offset().unwrap_or_default()));
            }
        }
    }
    verdict.chunks = chunk_count - bad_chunks;
    verdict.damages.sort_by_key(|damage| damage.offset);
    Ok(verdict)
}
