//! A file of a recording, as it is written: a head, chunks, and at the end the head again and an index.
//!
//! In: chunks, in the order of their ticks. Out: bytes to any writer. Without its end a file can be read all the same, by searching it
//! for chunks.

use crate::block::{BlockKind, seal};
use crate::column::Packed;
use crate::encode::EncodedChunk;
use crate::head::{Head, Mark};
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use tickwire_sync::Tick;

/// The last bytes of a whole file, behind the place of its index.
pub(crate) const FOOTER: [u8; 8] = *b"TWRECEND";
/// Bytes of the end: where the index is, and [`FOOTER`].
pub(crate) const FOOTER_BYTES: usize = 16;

/// Where a chunk is in its file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChunkPlace {
    /// Where its block begins, in bytes.
    pub offset: u64,
    /// How long the block is, in bytes.
    pub bytes: u64,
    /// Its first tick.
    pub first: Tick,
    /// Its last tick.
    pub last: Tick,
}

/// The index of a file.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Index {
    pub chunks: Vec<ChunkPlace>,
    /// Where the copy of the head is.
    pub head: u64,
    pub marks: Vec<Mark>,
}

/// A file that is being written.
#[derive(Debug)]
pub struct RecordingFile<W> {
    out: W,
    head: Vec<u8>,
    length: u64,
    index: Index,
}

/// A file of a head and one chunk of any payload, whose checksums are right: for fuzz targets.
#[doc(hidden)]
#[must_use]
pub fn sealed_chunk(head: &Head, payload: &[u8]) -> Vec<u8> {
    let mut file = seal(BlockKind::Head, &head.to_payload());
    file.extend_from_slice(&seal(BlockKind::Chunk, payload));
    file
}

impl<W: Write> RecordingFile<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// If the head cannot be written.
    pub fn begin(mut out: W, head: &Head) -> io::Result<Self> {
        let head = seal(BlockKind::Head, &head.to_payload());
        out.write_all(&head)?;
        Ok(Self {
            out,
            length: head.len() as u64,
            head,
            index: Index::default(),
        })
    }

    /// Appends a chunk, and returns where it is. After an error the file ends in a torn block; nothing more should be written.
    ///
    /// # Errors
    /// If the chunk cannot be written.
    pub fn append(&mut self, chunk: &EncodedChunk) -> io::Result<ChunkPlace> {
        self.append_block(&chunk.block, chunk.first, chunk.last, &chunk.marks)
    }

    /// Appends the block of a chunk, as it is in another file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn append_block(
        &mut self,
        block: &[u8],
        first: Tick,
        last: Tick,
        marks: &[Mark],
    ) -> io::Result<ChunkPlace> {
        self.out.write_all(block)?;
        let place = ChunkPlace {
            offset: self.length,
            bytes: block.len() as u64,
            first,
            last,
        };
        self.length += block.len() as u64;
        self.index.chunks.push(place);
        self.index.marks.extend_from_slice(marks);
        Ok(place)
    }

    /// The bytes that were written.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The chunks that were written.
    #[must_use]
    pub fn chunks(&self) -> &[ChunkPlace] {
        &self.index.chunks
    }

    /// Ends the file with a copy of its head and its index. Returns the writer, and how long the file is.
    ///
    /// # Errors
    /// If that cannot be written; the chunks can be read all the same.
    pub fn finish(mut self) -> io::Result<(W, u64)> {
        self.index.head = self.length;
        // Serializing into memory cannot fail.
        let index = postcard::to_stdvec(&self.index).unwrap_or_default();
        let mut payload = Vec::new();
        Packed::new(&index).append_to(&mut payload);
        let mut end = self.head;
        let index_offset = self.length + end.len() as u64;
        end.extend_from_slice(&seal(BlockKind::Index, &payload));
        end.extend_from_slice(&index_offset.to_le_bytes());
        end.extend_from_slice(&FOOTER);
        self.out.write_all(&end)?;
        self.out.flush()?;
        Ok((self.out, self.length + end.len() as u64))
    }
}
