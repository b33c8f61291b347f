//! A recording that is read: by its index, or by searching it for chunks.
//!
//! In: anything that can be read from any position. Out: where its chunks are, what is damaged, and its ticks from any of them on. A damaged
//! chunk costs its own ticks and no others.

use crate::block::{
    BlockKind, Damage, FoundBlock, HEADER_BYTES, block_at, next_block, payload_of, read_at,
};
use crate::column::{ColumnReader, Layout, Named, PackedColumns, Part, unpack};
use crate::decode::{Playing, check_roster, open_chunk, read_head, read_notes};
use crate::encode::ChunkHead;
use crate::file::{ChunkPlace, FOOTER, FOOTER_BYTES, Index};
use crate::head::{Head, Mark};
use crate::tick::{Note, Roster};
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use thiserror::Error;
use tickwire_sync::{Schema, Tick};

/// The largest index that is read.
const MAX_INDEX_BYTES: usize = 64 << 20;

/// Why a recording, or a part of it, cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The file is no recording, or its head is damaged everywhere.
    #[error("this is no recording: no head of one was found")]
    NoHead,
    /// The file is of another version, or its head is impossible.
    #[error("the recording cannot be read: {0}")]
    Head(String),
    /// A chunk is damaged. Those behind it can be read.
    #[error("{0}")]
    Damaged(Damage),
}

/// A recording that can be read.
#[derive(Debug)]
pub struct Recording<S> {
    source: S,
    head: Head,
    schema: Arc<Schema>,
    layout: Arc<Layout>,
    chunks: Vec<ChunkPlace>,
    damages: Vec<Damage>,
    marks: Option<Vec<Mark>>,
}

/// What a chunk holds, without its ticks.
#[derive(Clone, Debug)]
pub(crate) struct ChunkSummary {
    pub head: ChunkHead,
    pub parts: Vec<(Part, usize)>,
    pub participants: Roster,
}

impl<S: Read + Seek> Recording<S> {
    /// Opens a recording by its index. One that has none, or a damaged one, is searched as by [`Self::scan`].
    ///
    /// # Errors
    /// If the file cannot be read, or is no recording of this version.
    pub fn open(mut source: S) -> Result<Self, ReadError> {
        let size = source.seek(SeekFrom::End(0))?;
        let Some(index) = read_index(&mut source, size)? else {
            return Self::scan(source);
        };
        let mut head = head_at(&mut source, 0)?;
        if head.is_none() {
            head = head_at(&mut source, index.head)?;
        }
        let is_ascending = |pair: &[ChunkPlace]| pair[0].last < pair[1].first;
        let is_possible = |chunk: &ChunkPlace| {
            chunk.first <= chunk.last
                && (chunk.offset.checked_add(chunk.bytes)).is_some_and(|end| end <= size)
        };
        let are_possible =
            index.chunks.windows(2).all(is_ascending) && index.chunks.iter().all(is_possible);
        match head {
            Some(head) if are_possible => {
                Self::new(source, &head, index.chunks, Vec::new(), Some(index.marks))
            }
            _ => Self::scan(source),
        }
    }

    /// Opens a recording by reading all of it, and checks every block.
    ///
    /// # Errors
    /// If the file cannot be read, or is no recording of this version.
    pub fn scan(mut source: S) -> Result<Self, ReadError> {
        let size = source.seek(SeekFrom::End(0))?;
        let (mut chunks, mut damages, mut head) = (Vec::<ChunkPlace>::new(), Vec::new(), None);
        let (mut offset, mut index_offset) = (0, None);
        while let Some(block) = next_block(&mut source, offset)? {
            if block.offset > offset {
                let what = format!("{} bytes are no block", block.offset - offset);
                damages.push(Damage::new(offset, what));
            }
            offset = block.end();
            if block.kind == BlockKind::Index {
                index_offset = Some(block.offset);
            }
            if let Some(missing @ 1..) = block.end().checked_sub(size) {
                // The length itself was checked, so the file was torn; there may still be something behind a hole. The rest of the file is not
                // read for each block that says so.
                damages.push(Damage::ends_early(block.offset, missing));
                offset = block.offset + HEADER_BYTES as u64;
                continue;
            }
            let payload = match payload_of(&mut source, &block)? {
                Ok(payload) => payload,
                Err(damage) => {
                    damages.push(damage);
                    continue;
                }
            };
            match block.kind {
                BlockKind::Head if head.is_none() => head = Some(payload),
                BlockKind::Head | BlockKind::Index => {}
                BlockKind::Chunk => match place_of(&block, payload) {
                    Some(place) if chunks.last().is_none_or(|last| last.last < place.first) => {
                        chunks.push(place);
                    }
                    _ => damages.push(Damage::new(
                        block.offset,
                        "a chunk whose ticks are not later than those before it",
                    )),
                },
            }
        }
        let rest = size.saturating_sub(offset);
        let footer = read_at(&mut source, offset, FOOTER_BYTES + 1)?;
        let is_whole = index_offset
            .is_some_and(|index| footer == [&index.to_le_bytes()[..], &FOOTER].concat());
        let is_torn_already = damages
            .last()
            .is_some_and(|damage| offset == damage.offset + HEADER_BYTES as u64);
        if !is_whole && !is_torn_already {
            let what = match (index_offset, rest) {
                (None, 0) => "the file ends without an index: it was not closed".to_owned(),
                _ => format!("the last {rest} bytes are no whole end of a file"),
            };
            damages.push(Damage::new(offset, what));
        }
        let head = head.ok_or(ReadError::NoHead)?;
        Self::new(source, &head, chunks, damages, None)
    }

    fn new(
        source: S,
        head: &[u8],
        chunks: Vec<ChunkPlace>,
        damages: Vec<Damage>,
        marks: Option<Vec<Mark>>,
    ) -> Result<Self, ReadError> {
        let (head, schema) = Head::from_payload(head).map_err(ReadError::Head)?;
        Ok(Self {
            source,
            layout: Arc::new(Layout::new(&schema)),
            head,
            schema,
            chunks,
            damages,
            marks,
        })
    }

    /// What the recording is about.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The schema of its world.
    #[must_use]
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Its chunks, in the order of their ticks.
    #[must_use]
    pub fn chunks(&self) -> &[ChunkPlace] {
        &self.chunks
    }

    /// What was found damaged when it was opened. A recording that was opened by its index was not searched.
    #[must_use]
    pub fn damages(&self) -> &[Damage] {
        &self.damages
    }

    /// The first and the last tick; `None` if there are none.
    #[must_use]
    pub fn ticks(&self) -> Option<(Tick, Tick)> {
        Some((self.chunks.first()?.first, self.chunks.last()?.last))
    }

    /// What people look for: joins, shots, mismatches. Without an index all ticks are decoded for it, and damaged chunks have none.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn marks(&mut self) -> Result<&[Mark], ReadError> {
        if self.marks.is_none() {
            let mut marks = Vec::new();
            let mut playback = self.play();
            loop {
                match playback.advance() {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(ReadError::Damaged(_)) => continue,
                    Err(error) => return Err(error),
                }
                if let Some(now) = playback.now() {
                    marks.extend(crate::encode::marks_of(now.tick(), now.facts()));
                }
            }
            self.marks = Some(marks);
        }
        Ok(self.marks.as_deref().unwrap_or_default())
    }

    /// The ticks, from the first on.
    pub fn play(&mut self) -> Playback<'_, S> {
        Playback {
            recording: self,
            next_chunk: 0,
            now: None,
        }
    }

    /// The payload of a chunk.
    fn payload(&mut self, chunk: usize) -> Result<Vec<u8>, ReadError> {
        let offset = self.chunks[chunk].offset;
        let block = block_at(&mut self.source, offset)?;
        let Some(block) = block.filter(|block| block.kind == BlockKind::Chunk) else {
            let damage = Damage::new(offset, "there is no chunk where one should be");
            return Err(ReadError::Damaged(damage));
        };
        payload_of(&mut self.source, &block)?.map_err(ReadError::Damaged)
    }

    /// The whole block of a chunk, which is checked.
    ///
    /// # Errors
    /// If it is damaged.
    pub(crate) fn block(&mut self, chunk: usize) -> Result<Vec<u8>, ReadError> {
        let payload = self.payload(chunk)?;
        Ok(crate::block::seal(BlockKind::Chunk, &payload))
    }

    /// Reads what a chunk says of itself.
    pub(crate) fn summary(&mut self, chunk: usize) -> Result<ChunkSummary, ReadError> {
        let offset = self.chunks[chunk].offset;
        let payload = self.payload(chunk)?;
        let damaged = |malformed: crate::Malformed| {
            ReadError::Damaged(Damage::new(offset, malformed.to_string()))
        };
        let (head, columns) = open_chunk(payload, &self.layout).map_err(damaged)?;
        let parts = columns.sizes().collect();
        let participants = participants_of(columns, head.tick_count).map_err(damaged)?;
        Ok(ChunkSummary {
            head,
            parts,
            participants,
        })
    }
}

/// Everybody who was there in a chunk.
fn participants_of(columns: PackedColumns, ticks: u32) -> Result<Roster, crate::Malformed> {
    let mut columns = columns.unpack(|column| column == Named::Notes as usize)?;
    let column = &mut columns[Named::Notes as usize];
    let mut participants = Roster::new();
    for _ in 0..ticks {
        read_notes(column, |note| {
            // Nobody leaves this list.
            if let Note::Present(_) | Note::Joined(_) = note {
                note.apply(&mut participants);
            }
            check_roster(&participants)
        })?;
    }
    Ok(participants)
}

/// Where the ticks of a chunk are.
fn place_of(block: &FoundBlock, payload: Vec<u8>) -> Option<ChunkPlace> {
    let head = read_head(&mut ColumnReader::new(payload)).ok()?;
    Some(ChunkPlace {
        offset: block.offset,
        bytes: block.end() - block.offset,
        first: head.first,
        last: head.last,
    })
}

fn read_index(source: &mut (impl Read + Seek), size: u64) -> io::Result<Option<Index>> {
    let Some(footer_offset) = size.checked_sub(FOOTER_BYTES as u64) else {
        return Ok(None);
    };
    let footer = read_at(source, footer_offset, FOOTER_BYTES)?;
    let Some((offset, FOOTER)) = footer.split_first_chunk::<8>().and_then(|(offset, rest)| {
        Some((u64::from_le_bytes(*offset), <[u8; 8]>::try_from(rest).ok()?))
    }) else {
        return Ok(None);
    };
    // Beyond the largest offset of a file, a seek would fail.
    if offset >= footer_offset {
        return Ok(None);
    }
    let block = block_at(source, offset)?.filter(|block| block.kind == BlockKind::Index);
    let Some(block) = block else { return Ok(None) };
    let Ok(payload) = payload_of(source, &block)? else {
        return Ok(None);
    };
    let index = unpack(&payload, MAX_INDEX_BYTES);
    let index: Option<Index> = index.and_then(|index| postcard::from_bytes(&index).ok());
    Ok(index.filter(|index| index.head < size))
}

/// The head at this offset; `None`: there is none, or it is damaged.
fn head_at(source: &mut (impl Read + Seek), offset: u64) -> io::Result<Option<Vec<u8>>> {
    let block = block_at(source, offset)?.filter(|block| block.kind == BlockKind::Head);
    match block {
        Some(block) => Ok(payload_of(source, &block)?.ok()),
        None => Ok(None),
    }
}

/// The ticks of a recording, one after the other.
#[derive(Debug)]
pub struct Playback<'a, S> {
    recording: &'a mut Recording<S>,
    next_chunk: usize,
    now: Option<Playing>,
}

impl<S: Read + Seek> Playback<'_, S> {
    /// The recording at the tick that was reached; `None` before the first one, and behind damage.
    #[must_use]
    pub fn now(&self) -> Option<&Playing> {
        self.now.as_ref()
    }

    /// Where the chunk of this tick begins in the file, in bytes.
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        let chunk = self.next_chunk.checked_sub(1)?;
        Some(self.recording.chunks[chunk].offset)
    }

    /// Goes to the next tick. `false`: there is none.
    ///
    /// # Errors
    /// If the file cannot be read, or the next chunk is damaged: the next call goes on behind that.
    pub fn advance(&mut self) -> Result<bool, ReadError> {
        loop {
            if let Some(now) = &mut self.now {
                let last = self.recording.chunks[self.next_chunk - 1].last;
                match now.advance() {
                    Ok(true) if now.tick() <= last => return Ok(true),
                    Ok(false) => self.now = None,
                    Ok(true) | Err(_) => {
                        self.now = None;
                        return Err(self.damaged());
                    }
                }
            }
            if self.next_chunk >= self.recording.chunks.len() {
                return Ok(false);
            }
            self.enter(self.next_chunk)?;
        }
    }

    /// Goes to a tick, or to the first one after it where it is missing. `false`: there is none. At most the ticks of one chunk are
    /// decoded for that, unless it ends before this tick.
    ///
    /// # Errors
    /// If the file cannot be read, or the chunk is damaged: then [`Self::advance`] goes on behind it.
    pub fn seek(&mut self, tick: Tick) -> Result<bool, ReadError> {
        let chunk = (self.recording.chunks).partition_point(|chunk| chunk.last < tick);
        let is_ahead = self.next_chunk == chunk + 1
            && (self.now.as_ref()).is_some_and(|now| now.tick() <= tick);
        if is_ahead && self.now.as_ref().is_some_and(|now| now.tick() == tick) {
            return Ok(true);
        }
        if !is_ahead {
            self.now = None;
            self.next_chunk = chunk;
        }
        while self.advance()? {
            if self.now.as_ref().is_some_and(|now| now.tick() >= tick) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn enter(&mut self, chunk: usize) -> Result<(), ReadError> {
        self.next_chunk = chunk + 1;
        let payload = self.recording.payload(chunk)?;
        let (schema, layout) = (&self.recording.schema, &self.recording.layout);
        match Playing::begin(payload, schema, layout) {
            Ok(playing) => {
                self.now = Some(playing);
                Ok(())
            }
            Err(_) => Err(self.damaged()),
        }
    }

    fn damaged(&self) -> ReadError {
        let offset = self.offset().unwrap_or_default();
        let what = "the contents of this chunk are impossible, although its checksum is right";
        ReadError::Damaged(Damage::new(offset, what))
    }
}

#[cfg(test)]
#[path = "recording_tests.rs"]
mod tests;
