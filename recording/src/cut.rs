//! A part of a recording as a file of its own.
//!
//! Whole chunks are copied as they are, so the part begins up to five seconds before the wanted tick, and nothing of it is encoded anew.

use crate::file::RecordingFile;
use crate::recording::{ReadError, Recording};
use std::io::{Read, Seek, Write};
use tickwire_sync::Tick;

/// What a cut has written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// The first tick.
    pub first: Tick,
    /// The last tick.
    pub last: Tick,
    /// Chunks.
    pub chunks: usize,
    /// Chunks that are damaged, and were left out.
    pub left_out: usize,
    /// The file's length.
    pub bytes: u64,
}

/// Writes the chunks that hold the ticks from `first` to `last`. `None`: there are none, and nothing was written.
///
/// # Errors
/// If the recording cannot be read, or the new file cannot be written.
pub fn cut<S: Read + Seek, W: Write>(
    recording: &mut Recording<S>,
    first: Tick,
    last: Tick,
    out: W,
) -> Result<Option<Cut>, ReadError> {
    let chunks = recording.chunks();
    let begin = chunks.partition_point(|chunk| chunk.last < first);
    let end = chunks.partition_point(|chunk| chunk.first <= last);
    if begin >= end {
        return Ok(None);
    }
    let mut head = recording.head().clone();
    head.tick = chunks[begin].first;
    let marks = recording.marks()?.to_vec();
    let places = recording.chunks()[begin..end].to_vec();
    let mut file = RecordingFile::begin(out, &head)?;
    let mut left_out = 0;
    for (chunk, place) in (begin..end).zip(places) {
        let block = match recording.block(chunk) {
            Ok(block) => block,
            Err(ReadError::Damaged(_)) => {
                left_out += 1;
                continue;
            }
            Err(error) => return Err(error),
        };
        let is_within = |tick: Tick| place.first <= tick && tick <= place.last;
        let within: Vec<_> = (marks.iter().copied())
            .filter(|mark| is_within(mark.tick))
            .collect();
        file.append_block(&block, place.first, place.last, &within)?;
    }
    let chunks = file.chunks();
    let cut = Cut {
        first: chunks.first().map_or(first, |chunk| chunk.first),
        last: chunks.last().map_or(last, |chunk| chunk.last),
        chunks: chunks.len(),
        left_out,
        bytes: 0,
    };
    let (_, bytes) = file.finish()?;
    Ok(Some(Cut { bytes, ..cut }))
}
