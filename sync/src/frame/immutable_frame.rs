//! A frame: the whole replicated world at one tick, as a table of integers.
//!
//! In: the working frame, once a tick. Out: an immutable table per kind, made of chunks that frames share where nothing
//! changed, and the members of every cell, sorted by kind and slot. It does not change after
//! publication; its memory is reused once it falls out of the history.

use super::cell_members::CellMembers;
use super::chunk::{Chunk, Table};
use super::events::Events;
use super::working_frame::{CHUNK_ROWS, WorkingFrame};
use crate::world::{CellId, EntityId, KindId, RowKey, Schema, Tick};
use std::ops::Range;
use std::sync::{Arc, LazyLock};

/// The members of a frame that holds no memory of a history.
static NO_MEMBERS: LazyLock<Arc<CellMembers>> = LazyLock::new(|| Arc::new(CellMembers::empty(0)));

/// The replicated world at one tick.
#[derive(Clone, Debug)]
pub struct Frame {
    pub(crate) tick: Tick,
    tables: Vec<Table>,
    /// Shared with the frame before while no entity comes, goes or changes its cell.
    members: Arc<CellMembers>,
    pub(crate) events: Events,
}

/// Memory of frames that fell out of the history, for reuse. Nothing else refers to it.
#[derive(Default, Debug)]
pub(super) struct FramePool {
    /// Chunks by kind.
    chunks: Vec<Vec<Arc<Chunk>>>,
    members: Vec<Arc<CellMembers>>,
}

impl Frame {
    /// The frame's tick.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// The events of this tick.
    #[must_use]
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// How many entities there are.
    #[must_use]
    pub fn entity_count(&self) -> usize {
        self.members.count()
    }

    /// The entities of a cell, sorted by kind and slot.
    #[must_use]
    pub fn members(&self, cell: CellId) -> &[RowKey] {
        self.members.in_cell(cell)
    }

    /// The full identifier of the entity with this key; `None` where the slot is vacant.
    #[must_use]
    pub fn id(&self, key: RowKey) -> Option<EntityId> {
        let generation = self.generation(key);
        (generation != 0).then_some(EntityId {
            kind: key.kind(),
            slot: key.slot(),
            generation,
        })
    }

    /// The cell of an entity; `None` where the slot is vacant.
    #[must_use]
    pub fn cell_of(&self, key: RowKey) -> Option<CellId> {
        let head = self.table(key)?.head(key.slot())?;
        (head.generation != 0).then_some(head.cell)
    }

    /// The public lanes of an entity, in the schema's order. Empty beyond the table; meaningless where the slot is vacant.
    pub fn lanes(&self, key: RowKey) -> impl Iterator<Item = i32> + Clone {
        self.row(key).iter().copied()
    }

    /// [`Self::lanes`] as a slice.
    #[must_use]
    pub fn row(&self, key: RowKey) -> &[i32] {
        self.table(key)
            .map_or(&[][..], |table| table.lanes(key.slot()))
    }

    /// The texts of an entity, in the schema's order.
    pub fn texts(&self, key: RowKey) -> impl Iterator<Item = &str> {
        let texts = self
            .table(key)
            .map_or(&[][..], |table| table.texts(key.slot()));
        texts.iter().map(|text| &**text)
    }

    /// The entities of one kind, by ascending slot.
    pub fn entities(&self, kind: KindId) -> impl Iterator<Item = EntityId> {
        let table = self.tables.get(kind.index());
        let heads = table.into_iter().flat_map(Table::heads);
        heads
            .filter(|(_, head)| head.generation != 0)
            .map(move |(slot, head)| EntityId {
                kind,
                slot,
                generation: head.generation,
            })
    }

    /// The generation of the entity in a slot; 0 where it is vacant.
    #[must_use]
    pub fn generation(&self, key: RowKey) -> u32 {
        self.table(key)
            .and_then(|table| table.head(key.slot()))
            .map_or(0, |head| head.generation)
    }

    fn table(&self, key: RowKey) -> Option<&Table> {
        self.tables.get(key.kind().index())
    }

    /// Makes this the same frame as `other`. The rows are shared, and only pointers to them are copied. Nothing is allocated
    /// once this has held a frame of that size.
    pub fn share(&mut self, other: &Self) {
        self.tick = other.tick;
        self.tables.resize_with(other.tables.len(), Table::default);
        for (table, other) in self.tables.iter_mut().zip(&other.tables) {
            table.lane_count = other.lane_count;
            table.text_count = other.text_count;
            table.chunks.clear();
            table.chunks.extend(other.chunks.iter().map(Arc::clone));
        }
        self.members = Arc::clone(&other.members);
        self.events.copy_from(&other.events);
    }

    /// Gives up the rows of a frame that was shared, so that its history can use their memory again. This frame has no rows
    /// then, and keeps the memory that is its own.
    pub fn release(&mut self) {
        for table in &mut self.tables {
            table.chunks.clear();
        }
        self.members = Arc::clone(&NO_MEMBERS);
        self.events.clear();
    }

    /// The ranges of slots of a kind in which rows may differ from those of `before`, ascending: the two frames share the
    /// memory of all others. Each range begins at a multiple of 64, and the last may end beyond the rows of this frame.
    pub fn slots_unlike<'a>(
        &'a self,
        before: &'a Self,
        kind: KindId,
    ) -> impl Iterator<Item = Range<u32>> + 'a {
        let chunks = |frame: &'a Self| {
            (frame.tables.get(kind.index())).map_or(&[][..], |table| &table.chunks[..])
        };
        let (own, other) = (chunks(self), chunks(before));
        let count = own.len().max(other.len());
        let is_shared = move |index: usize| match (own.get(index), other.get(index)) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            _ => false,
        };
        (0..count)
            .filter(move |index| !is_shared(*index))
            .map(|index| (index * CHUNK_ROWS) as u32..((index + 1) * CHUNK_ROWS) as u32)
    }

    /// A frame without rows, at tick 0.
    #[must_use]
    pub fn empty(schema: &Schema) -> Self {
        Self {
            tick: Tick(0),
            tables: vec![Table::default(); schema.kinds.len()],
            members: Arc::new(CellMembers::empty(schema.grid.cell_count())),
            events: Events::default(),
        }
    }

    /// Rebuilds this as the frame of `tick` from the working frame, sharing what did not change since the frame `before`.
    pub(super) fn rebuild(
        &mut self,
        tick: Tick,
        working: &WorkingFrame,
        before: &Self,
        spare: &mut FramePool,
    ) {
        self.tick = tick;
        spare.chunks.resize_with(working.tables.len(), Vec::new);
        let tables = self.tables.iter_mut().zip(&before.tables);
        for ((table, before), (working, spare)) in
            tables.zip(working.tables.iter().zip(&mut spare.chunks))
        {
            table.copy(working, before, spare);
        }
        let members = if working.moves.is_empty() {
            Arc::clone(&before.members)
        } else {
            let mut members = spare
                .members
                .pop()
                .unwrap_or_else(|| Arc::new(CellMembers::empty(0)));
            if let Some(members) = Arc::get_mut(&mut members) {
                members.apply_moves(&before.members, &working.moves);
            }
            members
        };
        let mut old = std::mem::replace(&mut self.members, members);
        if Arc::get_mut(&mut old).is_some() {
            spare.members.push(old);
        }
    }
}
