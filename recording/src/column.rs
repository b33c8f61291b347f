//! Columns: the values of one meaning, of all ticks of a chunk, one after the other. Each is compressed for itself, because values of
//! one meaning are like each other.
//!
//! In: numbers and bytes. Out: the same again, or [`Malformed`]. Numbers are varints of 7 bits a byte, the lowest first; signed
//! ones are folded (0, -1, 1, -2 become 0, 1, 2, 3), so that small ones of either sign are short.

use crate::decode::Malformed;
use flate2::Compression;
use flate2::read::{DeflateDecoder, DeflateEncoder};
use std::io::Read as _;
use tickwire_sync::Schema;

/// A column shorter than this is not compressed: that would save nothing.
const MIN_COMPRESSED_BYTES: usize = 48;
/// All columns of a chunk together, unpacked, at most.
pub(crate) const MAX_CHUNK_BYTES: usize = 64 << 20;
/// The level of compression: docs/decisions/2026-11-30-recordings.md has the sizes and times of others.
const LEVEL: u32 = 6;

/// What a column is part of, for the sizes that `--info` shows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Part {
    /// Ticks, rows, private lanes and hashes.
    Frames,
    /// Events, shots, traces, chat, joins and leaves.
    Events,
    /// What players pressed, and what their screens showed.
    Inputs,
    /// What each session was sent.
    Views,
}

macro_rules! columns {
    ($($name:ident: $part:ident, $doc:literal;)+) => {
        /// The columns of every chunk, in their order; those of the schema's lanes follow.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Named {
            $(#[doc = $doc] $name,)+
        }

        const PARTS: &[Part] = &[$(Part::$part,)+];
    };
}

columns! {
    Ticks: Frames, "Of each tick the number and the hash of the world.";
    OwnedList: Frames, "Who owns which rows.";
    Events: Events, "Numbers, kinds, lengths and cells of events.";
    EventPayloads: Events, "The payloads of events.";
    Notes: Events, "What happened beside the world.";
    Shots: Events, "Shots.";
    Traces: Events, "Traces of rewound tests.";
    Sessions: Inputs, "Which sessions there are.";
    InputFlags: Inputs, "Where each session's input came from.";
    Seqs: Inputs, "Numbers of inputs that do not follow the one before.";
    Payloads: Inputs, "Inputs that differ from the one before.";
    Views: Inputs, "The moments at which inputs are judged.";
    Claims: Inputs, "Claims that were clamped.";
    Received: Inputs, "The newest snapshots that screens were drawn from.";
    Dropped: Inputs, "Inputs that came too late, or were refused.";
    SendFlags: Views, "What became of each session's snapshot.";
    Bytes: Views, "The sizes of snapshots.";
    Acks: Views, "The newest snapshots that clients had.";
    Margins: Views, "How early inputs came.";
    Starved: Views, "How many ticks had no input of their own.";
    Hashes: Views, "View hashes.";
    Cells: Views, "The cells that a session was sent, where they are others than before.";
}

/// The columns of the rows of one kind before those of its lanes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OfRows {
    /// Which rows changed.
    Slots,
    /// How.
    Operations,
    /// Layers of rows.
    Scopes,
    /// Generations of rows that came.
    Generations,
    /// Texts.
    Texts,
}

const OF_ROWS: usize = 5;

/// Where the columns of each kind are.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// By kind: the first column of its rows, and the first of its private lanes.
    kinds: Vec<(usize, usize)>,
    pub count: usize,
}

impl Layout {
    pub fn new(schema: &Schema) -> Self {
        let mut count = PARTS.len();
        let kinds = schema.kinds.iter().map(|kind| {
            let rows = count;
            let private = rows + OF_ROWS + kind.lanes.len();
            count = private + kind.private_lanes.len();
            (rows, private)
        });
        Self {
            kinds: kinds.collect(),
            count,
        }
    }

    pub fn of_rows(&self, kind: usize, column: OfRows) -> usize {
        self.kinds[kind].0 + column as usize
    }

    pub fn lane(&self, kind: usize, lane: usize) -> usize {
        self.kinds[kind].0 + OF_ROWS + lane
    }

    pub fn private_lane(&self, kind: usize, lane: usize) -> usize {
        self.kinds[kind].1 + lane
    }

    /// What a column is part of.
    pub fn part(column: usize) -> Part {
        PARTS.get(column).copied().unwrap_or(Part::Frames)
    }
}

/// Appends a number.
pub(crate) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a signed number.
pub(crate) fn put_signed(out: &mut Vec<u8>, number: i64) {
    put(out, (number << 1 ^ number >> 63) as u64);
}

/// A column that is read from its beginning to its end.
#[derive(Clone, Default, Debug)]
pub(crate) struct ColumnReader {
    bytes: Vec<u8>,
    at: usize,
}

impl ColumnReader {
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, at: 0 }
    }

    pub fn byte(&mut self) -> Result<u8, Malformed> {
        let byte = self.bytes.get(self.at).ok_or(Malformed)?;
        self.at += 1;
        Ok(*byte)
    }

    pub fn number(&mut self) -> Result<u64, Malformed> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Malformed)
    }

    pub fn word(&mut self) -> Result<u32, Malformed> {
        self.number()?.try_into().map_err(|_| Malformed)
    }

    pub fn signed(&mut self) -> Result<i64, Malformed> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// A number of things of which each takes a byte of this column at least.
    pub fn count(&mut self) -> Result<usize, Malformed> {
        let count = self.number()? as usize;
        self.check_count(count)
    }

    /// The same, one more than there are; `None` for 0.
    pub fn count_plus_one(&mut self) -> Result<Option<usize>, Malformed> {
        let Some(count) = (self.number()? as usize).checked_sub(1) else {
            return Ok(None);
        };
        self.check_count(count).map(Some)
    }

    fn check_count(&self, count: usize) -> Result<usize, Malformed> {
        match count <= self.bytes.len() - self.at {
            true => Ok(count),
            false => Err(Malformed),
        }
    }

    pub fn bytes(&mut self, length: usize) -> Result<&[u8], Malformed> {
        let end = self.at.checked_add(length).ok_or(Malformed)?;
        let bytes = self.bytes.get(self.at..end).ok_or(Malformed)?;
        self.at = end;
        Ok(bytes)
    }

    /// A value in postcard's format.
    pub fn value<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, Malformed> {
        let rest = self.bytes.get(self.at..).ok_or(Malformed)?;
        let (value, left) = postcard::take_from_bytes(rest).map_err(|_| Malformed)?;
        self.at = self.bytes.len() - left.len();
        Ok(value)
    }
}

/// Appends a value in postcard's format.
pub(crate) fn put_value(out: &mut Vec<u8>, value: &impl serde::Serialize) {
    // Serializing into memory cannot fail.
    if let Ok(longer) = postcard::to_extend(value, std::mem::take(out)) {
        *out = longer;
    }
}

/// Bytes, compressed if that makes them shorter.
pub(crate) struct Packed {
    raw_bytes: usize,
    bytes: Vec<u8>,
}

impl Packed {
    pub fn new(raw: &[u8]) -> Self {
        let mut bytes = Vec::new();
        if raw.len() >= MIN_COMPRESSED_BYTES {
            // Reading from memory cannot fail.
            let _ = DeflateEncoder::new(raw, Compression::new(LEVEL)).read_to_end(&mut bytes);
        }
        if bytes.is_empty() || bytes.len() >= raw.len() {
            bytes = raw.to_vec();
        }
        Self {
            raw_bytes: raw.len(),
            bytes,
        }
    }

    /// Appends both lengths, and the bytes.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        self.append_lengths(out);
        out.extend_from_slice(&self.bytes);
    }

    fn append_lengths(&self, out: &mut Vec<u8>) {
        put(out, self.raw_bytes as u64);
        put(out, self.bytes.len() as u64);
    }
}

/// The lengths of a packed column.
#[derive(Clone, Copy, Debug)]
struct Lengths {
    raw: usize,
    packed: usize,
}

impl Lengths {
    fn read(reader: &mut ColumnReader) -> Option<Self> {
        let raw = usize::try_from(reader.number().ok()?).ok()?;
        let packed = usize::try_from(reader.number().ok()?).ok()?;
        (packed <= raw).then_some(Self { raw, packed })
    }

    fn unpack(self, packed: &[u8]) -> Option<Vec<u8>> {
        if self.packed == self.raw {
            return Some(packed.to_vec());
        }
        let mut raw = Vec::new();
        let limit = self.raw as u64 + 1;
        let mut decoder = DeflateDecoder::new(packed).take(limit);
        decoder.read_to_end(&mut raw).ok()?;
        (raw.len() == self.raw).then_some(raw)
    }
}

/// What [`Packed::append_to`] has appended, unless it is longer than `max_bytes`.
pub(crate) fn unpack(bytes: &[u8], max_bytes: usize) -> Option<Vec<u8>> {
    let mut reader = ColumnReader::new(bytes.to_vec());
    let lengths = Lengths::read(&mut reader).filter(|lengths| lengths.raw <= max_bytes)?;
    lengths.unpack(reader.bytes(lengths.packed).ok()?)
}

/// Appends all columns: the lengths of each, and then each.
pub(crate) fn pack_columns(columns: &[Vec<u8>], out: &mut Vec<u8>) {
    let packed: Vec<Packed> = columns.iter().map(|raw| Packed::new(raw)).collect();
    for column in &packed {
        column.append_lengths(out);
    }
    for column in &packed {
        out.extend_from_slice(&column.bytes);
    }
}

/// The packed columns of a chunk.
pub(crate) struct PackedColumns {
    lengths: Vec<Lengths>,
    reader: ColumnReader,
}

impl PackedColumns {
    /// Reads the lengths of `count` columns.
    pub fn read(mut reader: ColumnReader, count: usize) -> Result<Self, Malformed> {
        let lengths: Option<Vec<_>> = (0..count).map(|_| Lengths::read(&mut reader)).collect();
        let lengths = lengths.ok_or(Malformed)?;
        let raw = (lengths.iter()).fold(0_usize, |sum, one| sum.saturating_add(one.raw));
        match raw <= MAX_CHUNK_BYTES {
            true => Ok(Self { lengths, reader }),
            false => Err(Malformed),
        }
    }

    /// The packed bytes of each part.
    pub fn sizes(&self) -> impl Iterator<Item = (Part, usize)> {
        let sizes = self.lengths.iter().enumerate();
        sizes.map(|(column, lengths)| (Layout::part(column), lengths.packed))
    }

    /// Unpacks the columns that are wanted, and leaves the others empty.
    pub fn unpack(
        mut self,
        is_wanted: impl Fn(usize) -> bool,
    ) -> Result<Vec<ColumnReader>, Malformed> {
        let mut columns = Vec::with_capacity(self.lengths.len());
        for (index, lengths) in self.lengths.iter().enumerate() {
            let packed = self.reader.bytes(lengths.packed)?;
            let raw = match is_wanted(index) {
                true => lengths.unpack(packed).ok_or(Malformed)?,
                false => Vec::new(),
            };
            columns.push(ColumnReader::new(raw));
        }
        Ok(columns)
    }
}
