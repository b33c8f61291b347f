//! The working frame: the rows as they are now, which a game publishes anew once a tick.
//!
//! In: every entity that exists, through a [`Publisher`](super::Publisher). Out: which rows differ from the tick before, who
//! joined and left which cell, and for each cell its last change and its hash. Most rows do not change in a
//! tick. An unchanged row costs one comparison. It is copied into the frame only if another row of its chunk changed.

use super::cell_members::CellMove;
use crate::world::{CellId, EntityId, Grid, KindId, RowKey, Schema, Scope, Tick, hash};
use glam::IVec2;
use std::ops::Range;
use std::sync::Arc;

/// Rows in a chunk: one machine word has a bit for each.
pub(super) const CHUNK_ROWS: usize = 64;

/// What every row has, whatever its kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowHead {
    /// 0 for a vacant slot; nothing else of the row means anything then.
    pub generation: u32,
    pub cell: CellId,
}

impl Default for RowHead {
    fn default() -> Self {
        Self {
            generation: 0,
            cell: CellId::GLOBAL,
        }
    }
}

/// The rows of all kinds as they are now.
#[derive(Debug)]
pub(super) struct WorkingFrame {
    pub tables: Vec<WorkingTable>,
    /// Which entities joined or left a cell in this tick; sorted by [`WorkingFrame::end_tick`].
    pub moves: Vec<CellMove>,
    pub cells: Vec<CellState>,
    tick: Tick,
}

/// One cell's last change and hash.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct CellState {
    /// The newest tick at which one of its rows changed or an event touched it.
    pub changed_at: Tick,
    /// The wrapping sum of the hashes of its rows.
    pub hash: u64,
}

/// The rows of one kind by slot.
#[derive(Debug)]
pub(super) struct WorkingTable {
    pub lane_count: usize,
    pub text_count: usize,
    pub heads: Vec<RowHead>,
    pub lanes: Vec<i32>,
    pub texts: Vec<Arc<str>>,
    pub chunks: Vec<ChunkChanges>,
    hashes: Vec<u64>,
    placed: bool,
}

/// Tables grow by this many rows at a time.
const ROW_CAPACITY_STEP: usize = 8;

/// What happened to one chunk of rows in this tick, one bit per row.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct ChunkChanges {
    /// Rows that differ from the tick before.
    pub changed: u64,
    /// Rows whose texts differ from the tick before.
    pub texts_changed: u64,
    put: u64,
    put_last_tick: u64,
}

impl WorkingFrame {
    /// A world without rows.
    pub fn new(schema: &Schema) -> Self {
        let tables = schema.kinds.iter().map(|kind| WorkingTable {
            lane_count: kind.lanes.len(),
            text_count: kind.texts.len(),
            heads: Vec::new(),
            lanes: Vec::new(),
            texts: Vec::new(),
            chunks: Vec::new(),
            hashes: Vec::new(),
            placed: kind.placed,
        });
        Self {
            tables: tables.collect(),
            moves: Vec::new(),
            cells: vec![CellState::default(); schema.grid.cell_count()],
            tick: Tick(0),
        }
    }

    /// Starts a tick: no row of it is put yet.
    pub fn begin_tick(&mut self, tick: Tick) {
        self.tick = tick;
        self.moves.clear();
        for table in &mut self.tables {
            for chunk in &mut table.chunks {
                *chunk = ChunkChanges {
                    put_last_tick: chunk.put,
                    ..ChunkChanges::default()
                };
            }
        }
    }

    /// Sets a row that may differ from the tick before. The caller has checked it against the schema.
    #[track_caller]
    pub fn put_changed(
        &mut self,
        schema: &Schema,
        id: EntityId,
        scope: Scope,
        lanes: &[i32],
        texts: &[Arc<str>],
    ) {
        let kind = &schema.kinds[id.kind.index()];
        let WorkingFrame {
            tables,
            moves,
            cells,
            tick,
        } = self;
        let table = &mut tables[id.kind.index()];
        table.grow_to(id.slot as usize + 1);
        table.mark_put(id);
        let slot = id.slot as usize;
        let (chunk, bit) = (slot / CHUNK_ROWS, 1 << (slot % CHUNK_ROWS));
        let row = &mut table.lanes[slot * table.lane_count..][..table.lane_count];
        let mut is_changed = table.heads[slot].generation != id.generation;
        for ((old, value), lane) in row.iter_mut().zip(lanes).zip(&kind.lanes) {
            let value = lane.normalise(*value);
            is_changed |= *old != value;
            *old = value;
        }
        let row_texts = &mut table.texts[slot * table.text_count..][..table.text_count];
        for (old, text) in row_texts.iter_mut().zip(texts) {
            if *old != *text {
                is_changed = true;
                table.chunks[chunk].texts_changed |= bit;
            }
            if !Arc::ptr_eq(old, text) {
                *old = Arc::clone(text);
            }
        }
        let before = table.heads[slot];
        let now = RowHead {
            generation: id.generation,
            cell: match scope {
                Scope::Layer(layer) => schema.grid.cell_at(IVec2::new(row[0], row[1]), layer),
                Scope::Global => CellId::GLOBAL,
            },
        };
        if !is_changed && before.cell == now.cell {
            return;
        }
        table.heads[slot] = now;
        table.chunks[chunk].changed |= bit;
        let old_hash = table.hashes[slot];
        let new_hash = hash::row_hash(
            id,
            row.iter().copied(),
            row_texts.iter().map(|text| &**text),
        );
        table.hashes[slot] = new_hash;
        if before.generation != 0 {
            cells[before.cell.index()].change(*tick, old_hash.wrapping_neg());
        }
        cells[now.cell.index()].change(*tick, new_hash);
        if before.generation == 0 || before.cell != now.cell {
            if before.generation != 0 {
                moves.push(CellMove {
                    cell: before.cell,
                    key: id.key(),
                    joins: false,
                });
            }
            moves.push(CellMove {
                cell: now.cell,
                key: id.key(),
                joins: true,
            });
        }
    }

    /// Ends a tick: rows that were not put again are gone.
    pub fn end_tick(&mut self) {
        for (kind, table) in self.tables.iter_mut().enumerate() {
            for (index, chunk) in table.chunks.iter_mut().enumerate() {
                let gone = chunk.put_last_tick & !chunk.put;
                chunk.changed |= gone;
                for row in set_bits(gone) {
                    let slot = index * CHUNK_ROWS + row;
                    let head = std::mem::take(&mut table.heads[slot]);
                    self.cells[head.cell.index()]
                        .change(self.tick, table.hashes[slot].wrapping_neg());
                    self.moves.push(CellMove {
                        cell: head.cell,
                        key: RowKey::new(KindId(kind as u8), slot as u32),
                        joins: false,
                    });
                }
            }
        }
        self.moves.sort_unstable();
    }

    /// The hash of the row of this key; meaningless where the slot is vacant.
    pub fn row_hash(&self, key: RowKey) -> u64 {
        self.tables
            .get(key.kind().index())
            .and_then(|table| table.hashes.get(key.slot() as usize).copied())
            .unwrap_or_default()
    }

    /// Whether the row of this key differs from the tick before.
    pub fn is_changed(&self, key: RowKey) -> bool {
        let (chunk, row) = (
            key.slot() as usize / CHUNK_ROWS,
            key.slot() as usize % CHUNK_ROWS,
        );
        self.tables
            .get(key.kind().index())
            .and_then(|table| table.chunks.get(chunk))
            .is_some_and(|chunk| chunk.changed >> row & 1 == 1)
    }
}

impl CellState {
    fn change(&mut self, tick: Tick, hash: u64) {
        self.changed_at = tick;
        self.hash = self.hash.wrapping_add(hash);
    }
}

impl WorkingTable {
    /// Whether a row equals that of the tick before, lane by lane as published. May say no for equal rows whose lanes were
    /// published differently (an angle of a whole turn instead of 0); `put_changed` then finds that nothing changed.
    #[inline]
    pub fn is_unchanged(
        &self,
        grid: &Grid,
        id: EntityId,
        scope: Scope,
        lanes: &[i32],
        texts: &[Arc<str>],
    ) -> bool {
        let slot = id.slot as usize;
        let (Some(head), Some(row), Some(old_texts)) = (
            self.heads.get(slot),
            self.lanes.get(slot * self.lane_count..),
            self.texts.get(slot * self.text_count..),
        ) else {
            return false;
        };
        // Without a branch per lane: in most worlds nearly all rows are unchanged, or nearly none.
        let differences = row
            .iter()
            .zip(lanes)
            .fold(0, |all, (old, new)| all | (old ^ new));
        // An equal position is in the same square, so only the layer is left to compare.
        let is_in_same_cell = match scope {
            Scope::Layer(layer) => self.placed && grid.is_on_layer(head.cell, layer),
            Scope::Global => head.cell == CellId::GLOBAL,
        };
        head.generation == id.generation
            && head.generation != 0
            && differences == 0
            && is_in_same_cell
            && old_texts
                .iter()
                .zip(texts)
                .all(|(old, new)| Arc::ptr_eq(old, new))
    }

    /// The heads of a chunk's rows.
    pub fn heads_of(&self, chunk: usize) -> &[RowHead] {
        &self.heads[self.rows_of(chunk, 1)]
    }

    /// The lanes of a chunk's rows, row by row.
    pub fn lanes_of(&self, chunk: usize) -> &[i32] {
        &self.lanes[self.rows_of(chunk, self.lane_count)]
    }

    /// The texts of a chunk's rows, row by row.
    pub fn texts_of(&self, chunk: usize) -> &[Arc<str>] {
        &self.texts[self.rows_of(chunk, self.text_count)]
    }

    /// The range of a chunk's rows in a list with `entries` entries per row.
    fn rows_of(&self, chunk: usize, entries: usize) -> Range<usize> {
        let end = ((chunk + 1) * CHUNK_ROWS).min(self.heads.len());
        chunk * CHUNK_ROWS * entries..end * entries
    }

    #[inline]
    #[track_caller]
    pub fn mark_put(&mut self, id: EntityId) {
        let slot = id.slot as usize;
        let (chunk, bit) = (
            &mut self.chunks[slot / CHUNK_ROWS],
            1 << (slot % CHUNK_ROWS),
        );
        assert!(chunk.put & bit == 0, "{id:?} was published twice");
        chunk.put |= bit;
    }

    fn grow_to(&mut self, slots: usize) {
        if slots <= self.heads.len() {
            return;
        }
        let slots = slots.next_multiple_of(ROW_CAPACITY_STEP);
        let chunks = slots.div_ceil(CHUNK_ROWS);
        self.chunks.resize(chunks, ChunkChanges::default());
        self.heads.resize(slots, RowHead::default());
        self.hashes.resize(slots, 0);
        self.lanes.resize(slots * self.lane_count, 0);
        self.texts.resize(slots * self.text_count, Arc::from(""));
    }
}

/// The positions of the bits that are set, ascending.
fn set_bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros() as usize)?;
        word &= word - 1;
        Some(bit)
    })
}
