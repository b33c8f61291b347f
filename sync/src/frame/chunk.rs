//! Chunks: 64 rows of one kind in slot order, shared by all frames in which none of them changed.
//!
//! In: the working frame's rows, and the chunks of the frame before. Out: chunks, copied only where a row changed. A world
//! at rest costs its history one pointer per 64 rows. The last chunk of a kind is shorter than 64 rows, so that many small
//! rooms share a processor's cache.

use super::working_frame::{CHUNK_ROWS, RowHead, WorkingTable};
use std::sync::Arc;

/// Up to 64 rows of one kind.
#[derive(Clone, Default, Debug)]
pub(super) struct Chunk {
    pub heads: Vec<RowHead>,
    /// Stored row by row, since a row is compared, copied and encoded as a whole.
    pub lanes: Vec<i32>,
    /// Stored row by row. Texts change seldom, so most chunks share theirs with the chunk before.
    pub texts: Arc<[Arc<str>]>,
}

/// The rows of one kind in one frame.
#[derive(Clone, Default, Debug)]
pub(super) struct Table {
    pub chunks: Vec<Arc<Chunk>>,
    pub lane_count: usize,
    pub text_count: usize,
}

impl Table {
    /// The head of a row; `None` where the table has no such slot.
    pub fn head(&self, slot: u32) -> Option<&RowHead> {
        let (chunk, row) = chunk_and_row(slot);
        self.chunks.get(chunk)?.heads.get(row)
    }

    /// Slots and heads of all rows, those of vacant ones included.
    pub fn heads(&self) -> impl Iterator<Item = (u32, &RowHead)> {
        let starts = (0_u32..).step_by(CHUNK_ROWS);
        let chunks = starts.zip(&self.chunks);
        chunks.flat_map(|(start, chunk)| (start..).zip(&chunk.heads))
    }

    /// The public lanes of a row; empty where the table has no such slot.
    pub fn lanes(&self, slot: u32) -> &[i32] {
        let (chunk, row) = chunk_and_row(slot);
        self.chunks
            .get(chunk)
            .and_then(|chunk| {
                chunk
                    .lanes
                    .get(row * self.lane_count..(row + 1) * self.lane_count)
            })
            .unwrap_or_default()
    }

    /// The texts of a row; empty where the table has no such slot.
    pub fn texts(&self, slot: u32) -> &[Arc<str>] {
        let (chunk, row) = chunk_and_row(slot);
        self.chunks
            .get(chunk)
            .and_then(|chunk| {
                chunk
                    .texts
                    .get(row * self.text_count..(row + 1) * self.text_count)
            })
            .unwrap_or_default()
    }

    /// Makes this a copy of the working table, sharing the unchanged chunks of `before`, the table of the tick before. Reuses
    /// its own memory and that in `spare`.
    pub fn copy(&mut self, working: &WorkingTable, before: &Self, spare: &mut Vec<Arc<Chunk>>) {
        self.lane_count = working.lane_count;
        self.text_count = working.text_count;
        for (index, now) in working.chunks.iter().enumerate() {
            let old = before.chunks.get(index);
            match old {
                Some(old) if now.changed == 0 => self.share(index, old, spare),
                _ => {
                    let has_same_texts = |old: &&Arc<Chunk>| {
                        now.texts_changed == 0 && old.texts.len() == working.texts_of(index).len()
                    };
                    let texts = old.filter(has_same_texts).map(|old| &old.texts);
                    self.write(index, working, texts, spare);
                }
            }
        }
    }

    /// Shares the chunk of the frame before.
    fn share(&mut self, index: usize, old: &Arc<Chunk>, spare: &mut Vec<Arc<Chunk>>) {
        match self.chunks.get_mut(index) {
            Some(own) if Arc::ptr_eq(own, old) => {}
            Some(own) => {
                let mut replaced = std::mem::replace(own, Arc::clone(old));
                if Arc::get_mut(&mut replaced).is_some() {
                    spare.push(replaced);
                }
            }
            None => self.chunks.push(Arc::clone(old)),
        }
    }

    /// Copies the working rows into a chunk. `texts`: those of the chunk before, where they are the same.
    fn write(
        &mut self,
        index: usize,
        working: &WorkingTable,
        texts: Option<&Arc<[Arc<str>]>>,
        spare: &mut Vec<Arc<Chunk>>,
    ) {
        let texts = || match texts {
            Some(texts) => Arc::clone(texts),
            None => Arc::from(working.texts_of(index)),
        };
        let unshared = self.chunks.get_mut(index).and_then(Arc::get_mut);
        if unshared.is_none() {
            let free = spare.pop().unwrap_or_default();
            match self.chunks.get_mut(index) {
                Some(shared) => *shared = free,
                None => self.chunks.push(free),
            }
        }
        if let Some(chunk) = Arc::get_mut(&mut self.chunks[index]) {
            chunk.heads.clear();
            chunk.heads.extend_from_slice(working.heads_of(index));
            chunk.lanes.clear();
            chunk.lanes.extend_from_slice(working.lanes_of(index));
            chunk.texts = texts();
        }
    }
}

fn chunk_and_row(slot: u32) -> (usize, usize) {
    (slot as usize / CHUNK_ROWS, slot as usize % CHUNK_ROWS)
}
