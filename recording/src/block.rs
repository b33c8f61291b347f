//! Blocks: what a file is made of. Each is found, checked and skipped without the others.
//!
//! A block is a marker (8 bytes), its kind (1), the length of its payload (4), the payload's CRC-32C (4), the CRC-32C of these 17 bytes
//! (4), and the payload; numbers are little-endian. The marker begins as that of PNG does, so that a file that was copied as text is told
//! apart. Where a block is damaged, the next one is found by its marker, and its header's own checksum says that it is one.

use crate::checksum::crc32c;
use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};

const MARKER: [u8; 8] = [0x89, b'T', b'W', b'R', b'E', b'C', b'\r', b'\n'];
/// Bytes of a block before its payload.
pub(crate) const HEADER_BYTES: usize = 21;
/// The longest payload that is written or read.
pub(crate) const MAX_PAYLOAD_BYTES: usize = 64 << 20;
/// How much of a file is searched at a time.
const SEARCH_BYTES: usize = 64 << 10;

/// What a block holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BlockKind {
    /// What the file is about. The first block, and once more near the end.
    Head = 1,
    /// Some seconds of ticks.
    Chunk = 2,
    /// Where the chunks are.
    Index = 3,
}

/// A block that was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FoundBlock {
    pub kind: BlockKind,
    /// Where the block begins in the file.
    pub offset: u64,
    pub payload_bytes: usize,
    checksum: u32,
}

impl FoundBlock {
    /// Where the block ends in the file.
    pub fn end(&self) -> u64 {
        self.offset + (HEADER_BYTES + self.payload_bytes) as u64
    }
}

/// A part of a file that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.offset, self.what)
    }
}

impl Damage {
    pub(crate) fn new(offset: u64, what: impl Into<String>) -> Self {
        Self {
            offset,
            what: what.into(),
        }
    }

    /// A block that begins at `offset` goes on for `missing` bytes behind the end of its file.
    pub(crate) fn ends_early(offset: u64, missing: u64) -> Self {
        let what = format!("the file ends {missing} bytes before the end of this block");
        Self::new(offset, what)
    }
}

/// A whole block.
pub(crate) fn seal(kind: BlockKind, payload: &[u8]) -> Vec<u8> {
    let mut block = Vec::with_capacity(HEADER_BYTES + payload.len());
    block.extend_from_slice(&MARKER);
    block.push(kind as u8);
    block.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    block.extend_from_slice(&crc32c(payload).to_le_bytes());
    let checksum = crc32c(&block);
    block.extend_from_slice(&checksum.to_le_bytes());
    block.extend_from_slice(payload);
    block
}

/// Reads the header of a block. `None`: there is none here.
fn open(header: &[u8], offset: u64) -> Option<FoundBlock> {
    let (head, rest) = header.split_at_checked(HEADER_BYTES - 4)?;
    let word = |bytes: &[u8]| Some(u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?));
    if head[..8] != MARKER || word(rest)? != crc32c(head) {
        return None;
    }
    let kind = match head[8] {
        1 => BlockKind::Head,
        2 => BlockKind::Chunk,
        3 => BlockKind::Index,
        _ => return None,
    };
    let payload_bytes = word(&head[9..])? as usize;
    (payload_bytes <= MAX_PAYLOAD_BYTES).then_some(FoundBlock {
        kind,
        offset,
        payload_bytes,
        checksum: word(&head[13..])?,
    })
}

/// Reads up to `length` bytes at `offset`.
pub(crate) fn read_at(
    source: &mut (impl Read + Seek),
    offset: u64,
    length: usize,
) -> io::Result<Vec<u8>> {
    source.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::with_capacity(length.min(1 << 20));
    source.take(length as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The block that begins at `offset`. `None`: none begins there.
pub(crate) fn block_at(
    source: &mut (impl Read + Seek),
    offset: u64,
) -> io::Result<Option<FoundBlock>> {
    Ok(open(&read_at(source, offset, HEADER_BYTES)?, offset))
}

/// The payload of a block, or what is wrong with it.
pub(crate) fn payload_of(
    source: &mut (impl Read + Seek),
    block: &FoundBlock,
) -> io::Result<Result<Vec<u8>, Damage>> {
    let start = block.offset + HEADER_BYTES as u64;
    let payload = read_at(source, start, block.payload_bytes)?;
    Ok(if payload.len() < block.payload_bytes {
        let missing = block.payload_bytes - payload.len();
        Err(Damage::ends_early(block.offset, missing as u64))
    } else if crc32c(&payload) != block.checksum {
        let what = format!(
            "the checksum of this block of {} bytes is wrong",
            HEADER_BYTES + payload.len()
        );
        Err(Damage::new(block.offset, what))
    } else {
        Ok(payload)
    })
}

/// The first block that begins at `offset` or later.
pub(crate) fn next_block(
    source: &mut (impl Read + Seek),
    mut offset: u64,
) -> io::Result<Option<FoundBlock>> {
    // Mostly it is here, and nothing has to be searched.
    if let Some(found) = block_at(source, offset)? {
        return Ok(Some(found));
    }
    loop {
        let bytes = read_at(source, offset, SEARCH_BYTES)?;
        let is_last = bytes.len() < SEARCH_BYTES;
        let mut candidates = bytes.windows(MARKER.len()).enumerate();
        while let Some((at, _)) = candidates.find(|(_, window)| *window == MARKER) {
            if let Some(found) = block_at(source, offset + at as u64)? {
                return Ok(Some(found));
            }
        }
        if is_last {
            return Ok(None);
        }
        // A marker may begin in this part and end in the next.
        offset += (SEARCH_BYTES - MARKER.len() + 1) as u64;
    }
}
