//! Rows to columns: what changed of each kind since the tick before.
//!
//! In: a frame. Out: for each kind the slots that changed, how they changed, and a residual for every public lane of each. A
//! continuous lane is expected to move as it did in the tick before, as in the packed encoding of the wire, and a discrete one to stay.
//! Also the hash of the world, from the rows as they are in the frame.

use crate::column::{Layout, OfRows, put, put_signed};
use crate::world_hash;
use std::ops::Range;
use std::sync::Arc;
use tickwire_sync::frame::Frame;
use tickwire_sync::{CellId, EntityId, Kind, KindId, RowKey, Schema};

/// Rows of a range that [`Frame::slots_unlike`] gives.
const RANGE_ROWS: u32 = 64;

/// The row is there before and after, with other lanes, texts or layer.
pub(crate) const CHANGED: u8 = 0;
/// The row has come, or another entity uses its slot now.
pub(crate) const CAME: u8 = 1;
/// The row is gone.
pub(crate) const GONE: u8 = 2;
/// Added to [`CHANGED`]: the row is on another layer.
pub(crate) const WITH_SCOPE: u8 = 4;
/// Added to [`CHANGED`]: its texts are others.
pub(crate) const WITH_TEXTS: u8 = 8;

/// Encodes frames, each against the one before.
#[derive(Debug)]
pub(crate) struct RowEncoder {
    schema: Arc<Schema>,
    before: Frame,
    kinds: Vec<KindState>,
    /// Counts the ticks of the chunk, from 1.
    ordinal: u32,
    changes: Vec<(u32, u8)>,
}

/// What is remembered of the rows of one kind.
#[derive(Default, Debug)]
struct KindState {
    /// By slot and lane: how far the lane moved in the tick of `moved`.
    steps: Vec<i32>,
    /// By slot: the ordinal of the tick that changed the row last.
    moved: Vec<u32>,
    /// The hash of each range of rows.
    hashes: Vec<u64>,
    row_count: usize,
}

/// What a frame came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EncodedRows {
    /// The sum over all rows.
    pub hash: u64,
    /// All public lanes of all rows.
    pub lane_count: usize,
}

impl RowEncoder {
    pub fn new(schema: Arc<Schema>) -> Self {
        Self {
            before: Frame::empty(&schema),
            kinds: schema.kinds.iter().map(|_| KindState::default()).collect(),
            schema,
            ordinal: 0,
            changes: Vec::new(),
        }
    }

    /// The next frame is encoded against nothing.
    pub fn begin_chunk(&mut self) {
        self.before.release();
        self.ordinal = 0;
        for kind in &mut self.kinds {
            kind.moved.fill(0);
            kind.hashes.fill(0);
            kind.row_count = 0;
        }
    }

    #[cfg(test)]
    pub fn spoil(&mut self) {
        self.kinds[0].steps.fill(12_345);
    }

    /// Encodes a frame, and keeps it in exchange for the one before.
    pub fn encode(
        &mut self,
        frame: &mut Frame,
        layout: &Layout,
        columns: &mut [Vec<u8>],
    ) -> EncodedRows {
        self.ordinal += 1;
        let mut rows = EncodedRows {
            hash: 0,
            lane_count: 0,
        };
        let schema = Arc::clone(&self.schema);
        for (index, kind) in schema.kinds.iter().enumerate() {
            self.encode_kind(frame, index, kind, layout, columns);
            let state = &self.kinds[index];
            rows.lane_count += state.row_count * kind.lanes.len();
            rows.hash = (state.hashes.iter()).fold(rows.hash, |sum, hash| sum.wrapping_add(*hash));
        }
        std::mem::swap(&mut self.before, frame);
        rows
    }

    fn encode_kind(
        &mut self,
        frame: &Frame,
        index: usize,
        kind: &Kind,
        layout: &Layout,
        columns: &mut [Vec<u8>],
    ) {
        let id = KindId(index as u8);
        let state = &mut self.kinds[index];
        self.changes.clear();
        for slots in frame.slots_unlike(&self.before, id) {
            let range = (slots.start / RANGE_ROWS) as usize;
            state.grow_to(slots.end as usize, kind.lanes.len());
            state.hashes[range] = hash_of(frame, id, slots.clone());
            for slot in slots {
                let key = RowKey::new(id, slot);
                if let Some(operation) = operation(&self.schema, &self.before, frame, key) {
                    self.changes.push((slot, operation));
                }
            }
        }
        let slots = &mut columns[layout.of_rows(index, OfRows::Slots)];
        put(slots, self.changes.len() as u64);
        let mut next = 0;
        for (slot, _) in &self.changes {
            put(slots, u64::from(slot - next));
            next = slot + 1;
        }
        let operations = self.changes.iter().map(|(_, operation)| *operation);
        columns[layout.of_rows(index, OfRows::Operations)].extend(operations);
        for (slot, operation) in &self.changes {
            let key = RowKey::new(id, *slot);
            match operation & 3 {
                GONE => state.row_count -= 1,
                CAME => {
                    state.row_count += usize::from(self.before.generation(key) == 0);
                    let generation = frame.generation(key).into();
                    put(
                        &mut columns[layout.of_rows(index, OfRows::Generations)],
                        generation,
                    );
                }
                _ => {}
            }
            let has = |flag: u8| *operation == CAME || operation & flag != 0;
            if has(WITH_SCOPE) && *operation != GONE {
                let scope = scope(&self.schema, frame, key);
                columns[layout.of_rows(index, OfRows::Scopes)].push(scope);
            }
            if has(WITH_TEXTS) && *operation != GONE {
                let texts = &mut columns[layout.of_rows(index, OfRows::Texts)];
                for text in frame.texts(key) {
                    put(texts, text.len() as u64);
                    texts.extend_from_slice(text.as_bytes());
                }
            }
        }
        let (ordinal, changes) = (self.ordinal, &self.changes);
        for (lane_index, lane) in kind.lanes.iter().enumerate() {
            let column = &mut columns[layout.lane(index, lane_index)];
            for (slot, operation) in changes.iter().filter(|(_, operation)| *operation != GONE) {
                let (key, slot) = (RowKey::new(id, *slot), *slot as usize);
                let now = frame.row(key)[lane_index];
                let step = &mut state.steps[slot * kind.lanes.len() + lane_index];
                if *operation == CAME {
                    *step = 0;
                    put_signed(column, now.into());
                    continue;
                }
                let old = self.before.row(key)[lane_index];
                let expected = match lane.continuous && state.moved[slot] + 1 == ordinal {
                    true => lane.add(old, *step),
                    false => old,
                };
                *step = lane.difference(old, now);
                put_signed(column, lane.difference(expected, now).into());
            }
        }
        for (slot, _) in changes {
            state.moved[*slot as usize] = ordinal;
        }
    }
}

impl KindState {
    fn grow_to(&mut self, slots: usize, lanes: usize) {
        if self.moved.len() < slots {
            self.moved.resize(slots, 0);
            self.steps.resize(slots * lanes, 0);
            self.hashes.resize(slots.div_ceil(RANGE_ROWS as usize), 0);
        }
    }
}

fn hash_of(frame: &Frame, kind: KindId, slots: Range<u32>) -> u64 {
    slots.fold(0_u64, |sum, slot| {
        let key = RowKey::new(kind, slot);
        let (Some(id), Some(cell)) = (frame.id(key), frame.cell_of(key)) else {
            return sum;
        };
        sum.wrapping_add(world_hash::of_row(
            cell,
            id,
            frame.lanes(key),
            frame.texts(key),
        ))
    })
}

/// How a row changed; `None` if it did not.
fn operation(schema: &Schema, before: &Frame, now: &Frame, key: RowKey) -> Option<u8> {
    match (before.generation(key), now.generation(key)) {
        (0, 0) => None,
        (_, 0) => Some(GONE),
        (old, new) if old != new => Some(CAME),
        _ => {
            let mut operation = CHANGED;
            // The cell follows from the layer and the position.
            let is_elsewhere = before.cell_of(key) != now.cell_of(key);
            if is_elsewhere && scope(schema, before, key) != scope(schema, now, key) {
                operation |= WITH_SCOPE;
            }
            if before.texts(key).ne(now.texts(key)) {
                operation |= WITH_TEXTS;
            }
            (operation != CHANGED || before.row(key) != now.row(key)).then_some(operation)
        }
    }
}

/// Where a row is published: 0 in the global cell, else one more than its layer.
fn scope(schema: &Schema, frame: &Frame, key: RowKey) -> u8 {
    match frame.cell_of(key) {
        None | Some(CellId::GLOBAL) => 0,
        Some(cell) => schema.grid.layer_of(cell).0 + 1,
    }
}

/// Who owns which rows, and their private lanes: encodes them against the tick before.
#[derive(Default, Debug)]
pub(crate) struct OwnedEncoder {
    rows: Vec<(tickwire_sync::PlayerId, EntityId)>,
    lanes: Vec<i32>,
    new_rows: Vec<(tickwire_sync::PlayerId, EntityId)>,
    new_lanes: Vec<i32>,
    has_any: bool,
}

/// The owned rows are those of the tick before, with the same private lanes.
pub(crate) const SAME: u8 = 0;
/// The owned rows are those of the tick before.
pub(crate) const SAME_ROWS: u8 = 1;
/// The list of owned rows follows.
pub(crate) const OTHER_ROWS: u8 = 2;

impl OwnedEncoder {
    pub fn begin_chunk(&mut self) {
        self.has_any = false;
    }

    /// Encodes the owned rows, and returns what they add to the hash of the world.
    pub fn encode(
        &mut self,
        owned: &tickwire_sync::frame::OwnedRows,
        schema: &Schema,
        layout: &Layout,
        columns: &mut [Vec<u8>],
        list_column: usize,
    ) -> u64 {
        self.new_rows.clear();
        self.new_lanes.clear();
        let mut hash = 0_u64;
        for (owner, id, lanes) in owned.all(schema) {
            self.new_rows.push((owner, id));
            self.new_lanes.extend_from_slice(lanes);
            hash = hash.wrapping_add(world_hash::of_owned(owner, id, lanes));
        }
        let is_same_list = self.has_any && self.rows == self.new_rows;
        let list = &mut columns[list_column];
        if is_same_list && self.lanes == self.new_lanes {
            list.push(SAME);
            return hash;
        }
        list.push(if is_same_list { SAME_ROWS } else { OTHER_ROWS });
        if !is_same_list {
            put(list, self.new_rows.len() as u64);
            let mut owner_before = 0;
            for (owner, id) in &self.new_rows {
                put(list, u64::from(owner.0 - owner_before));
                owner_before = owner.0;
                list.push(id.kind.0);
                put(list, id.slot.into());
                put(list, id.generation.into());
            }
        }
        let mut first = 0;
        for (_, id) in &self.new_rows {
            let kind = id.kind.index();
            for (index, lane) in schema.kinds[kind].private_lanes.iter().enumerate() {
                let now = self.new_lanes[first + index];
                let residual = match is_same_list {
                    true => lane.difference(self.lanes[first + index], now),
                    false => now,
                };
                put_signed(
                    &mut columns[layout.private_lane(kind, index)],
                    residual.into(),
                );
            }
            first += schema.kinds[kind].private_lanes.len();
        }
        std::mem::swap(&mut self.rows, &mut self.new_rows);
        std::mem::swap(&mut self.lanes, &mut self.new_lanes);
        self.has_any = true;
        hash
    }
}
