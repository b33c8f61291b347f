//! A frame: the whole replicated world at one tick, as columns of integers.
//!
//! In: rows that a game publishes through a [`Publisher`]. Out: an immutable table, column-wise per kind in slot order, so
//! that comparing two frames is a straight walk through memory; and the members of every cell, sorted by kind and slot.
//! A frame never changes once it is published; its memory is used again when it falls out of the history.

use crate::event::Events;
use crate::grid::{CellId, Grid, Layer};
use crate::ids::{EntityId, KindId, PlayerId, RowKey, Tick};
use crate::schema::Schema;
use glam::IVec2;
use std::sync::Arc;

/// Where an entity is to be found in the interest grid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// In the square of its position on this layer. For placed kinds.
    Layer(Layer),
    /// In the global cell: for kinds without a position, and for what is larger than a cell.
    Everywhere,
}

/// The replicated world at one tick.
#[derive(Clone, Default, Debug)]
pub struct Frame {
    pub(crate) tick: Tick,
    pub(crate) tables: Vec<Table>,
    /// Shared with the frame before, as long as nothing comes, goes or changes its cell.
    pub(crate) members: Arc<Members>,
    pub(crate) events: Events,
}

/// The rows of one kind. Every column has one entry a slot; those of vacant slots mean nothing.
#[derive(Clone, Default, Debug)]
pub(crate) struct Table {
    /// 0: vacant.
    pub generations: Vec<u32>,
    pub cells: Vec<CellId>,
    pub lanes: Vec<Vec<i32>>,
    pub texts: Vec<Vec<Arc<str>>>,
}

/// The entities of each cell, sorted by kind and slot.
#[derive(Clone, Default, Debug)]
pub(crate) struct Members {
    /// Where each cell's members start; one entry more than there are cells.
    starts: Vec<u32>,
    keys: Vec<RowKey>,
}

/// The private lanes of the newest frame, by owner.
#[derive(Clone, Default, Debug)]
pub struct Owned {
    rows: Vec<OwnedRow>,
    lanes: Vec<i32>,
}

#[derive(Clone, Copy, Debug)]
struct OwnedRow {
    owner: PlayerId,
    id: EntityId,
    first_lane: u32,
}

impl Frame {
    /// The frame's tick.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// How many entities there are.
    #[must_use]
    pub fn entity_count(&self) -> usize {
        self.members.keys.len()
    }

    /// The entities of a cell, sorted by kind and slot.
    #[must_use]
    pub fn members(&self, cell: CellId) -> &[RowKey] {
        self.members.of(cell)
    }

    /// The full name of what stands at a place of the table; `None` where it is vacant.
    #[must_use]
    pub fn id(&self, key: RowKey) -> Option<EntityId> {
        let generation = self.generation(key);
        (generation != 0).then_some(EntityId {
            kind: key.kind(),
            slot: key.slot(),
            generation,
        })
    }

    /// The cell of an entity; `None` where the place is vacant.
    #[must_use]
    pub fn cell_of(&self, key: RowKey) -> Option<CellId> {
        if self.generation(key) == 0 {
            return None;
        }
        self.tables
            .get(key.kind().index())?
            .cells
            .get(key.slot() as usize)
            .copied()
    }

    /// The public lanes at a place of the table, in the schema's order. Nothing where there is no such place; without meaning where it is vacant.
    pub fn lanes(&self, key: RowKey) -> impl Iterator<Item = i32> {
        let columns = self
            .tables
            .get(key.kind().index())
            .map_or(&[][..], |table| &table.lanes);
        columns
            .iter()
            .filter_map(move |column| column.get(key.slot() as usize).copied())
    }

    /// One public lane at a place of the table; 0 where there is no such place.
    pub(crate) fn lane(&self, key: RowKey, lane: usize) -> i32 {
        let column = self
            .tables
            .get(key.kind().index())
            .and_then(|table| table.lanes.get(lane));
        column
            .and_then(|column| column.get(key.slot() as usize))
            .copied()
            .unwrap_or(0)
    }

    /// The texts at a place of the table, in the schema's order.
    pub fn texts(&self, key: RowKey) -> impl Iterator<Item = &str> {
        let columns = self
            .tables
            .get(key.kind().index())
            .map_or(&[][..], |table| &table.texts);
        columns
            .iter()
            .filter_map(move |column| column.get(key.slot() as usize).map(|text| &**text))
    }

    /// The live slots of one kind, ascending.
    pub fn entities(&self, kind: KindId) -> impl Iterator<Item = EntityId> {
        let generations = self
            .tables
            .get(kind.index())
            .map_or(&[][..], |table| &table.generations);
        generations
            .iter()
            .enumerate()
            .filter(|(_, generation)| **generation != 0)
            .map(move |(slot, generation)| EntityId {
                kind,
                slot: slot as u32,
                generation: *generation,
            })
    }

    /// The generation of the entity in a slot; 0: there is none.
    #[must_use]
    pub fn generation(&self, key: RowKey) -> u32 {
        let table = self.tables.get(key.kind().index());
        table
            .and_then(|table| table.generations.get(key.slot() as usize))
            .copied()
            .unwrap_or(0)
    }

    pub(crate) fn row_hash(&self, key: RowKey) -> u64 {
        match self.id(key) {
            Some(id) => crate::hash::row(id, self.lanes(key), self.texts(key)),
            None => 0,
        }
    }

    /// Makes the frame ready for the rows of a new tick, keeping its memory.
    pub(crate) fn begin(&mut self, tick: Tick, schema: &Schema) {
        self.tick = tick;
        self.events.clear();
        self.tables.resize_with(schema.kinds.len(), Table::default);
        for (table, kind) in self.tables.iter_mut().zip(&schema.kinds) {
            table.generations.fill(0);
            table.lanes.resize_with(kind.lanes.len(), Vec::new);
            table.texts.resize_with(kind.texts.len(), Vec::new);
        }
    }

    /// Sorts the entities into the cells by counting.
    /// Makes `members` those of this frame.
    pub(crate) fn sort_into_cells(&self, cell_count: usize, members: &mut Members) {
        let Members { starts, keys } = members;
        starts.clear();
        starts.resize(cell_count + 1, 0);
        for table in &self.tables {
            for (generation, cell) in table.generations.iter().zip(&table.cells) {
                starts[cell.index() + 1] += u32::from(*generation != 0);
            }
        }
        let mut total = 0;
        for start in starts.iter_mut() {
            total += *start;
            *start = total;
        }
        keys.clear();
        keys.resize(total as usize, RowKey::new(KindId(0), 0));
        // Fill each cell from its start, which moves along; then every start stands where the next cell's did.
        for (kind, table) in self.tables.iter().enumerate() {
            for (slot, (generation, cell)) in table.generations.iter().zip(&table.cells).enumerate()
            {
                if *generation != 0 {
                    let next = &mut starts[cell.index()];
                    keys[*next as usize] = RowKey::new(KindId(kind as u8), slot as u32);
                    *next += 1;
                }
            }
        }
        starts.rotate_right(1);
        starts[0] = 0;
    }
}

impl Members {
    fn of(&self, cell: CellId) -> &[RowKey] {
        let bounds = self
            .starts
            .get(cell.index())
            .zip(self.starts.get(cell.index() + 1));
        bounds
            .and_then(|(start, end)| self.keys.get(*start as usize..*end as usize))
            .unwrap_or_default()
    }
}

impl Owned {
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.lanes.clear();
    }

    pub(crate) fn sort(&mut self) {
        self.rows
            .sort_unstable_by_key(|row| (row.owner, row.id.key()));
    }

    /// The entities of one player with their private lanes, sorted by kind and slot.
    pub fn of<'a>(
        &'a self,
        owner: PlayerId,
        schema: &'a Schema,
    ) -> impl Iterator<Item = (EntityId, &'a [i32])> {
        let start = self.rows.partition_point(|row| row.owner < owner);
        let rest = self.rows.get(start..).unwrap_or_default();
        rest.iter()
            .take_while(move |row| row.owner == owner)
            .map(move |row| {
                let count = schema
                    .kind(row.id.kind)
                    .map_or(0, |kind| kind.private_lanes.len());
                let first = row.first_lane as usize;
                (
                    row.id,
                    self.lanes.get(first..first + count).unwrap_or_default(),
                )
            })
    }
}

/// Takes the rows of one tick from a game.
///
/// Panics tell the game's author of a mistake in the game (a wrong number of lanes, a slot put twice); nothing that comes
/// from a network reaches them.
#[derive(Debug)]
pub struct Publisher<'a> {
    pub(crate) frame: &'a mut Frame,
    pub(crate) owned: &'a mut Owned,
    pub(crate) schema: &'a Schema,
}

impl Publisher<'_> {
    /// The grid that places refer to.
    #[must_use]
    pub fn grid(&self) -> &Grid {
        &self.schema.grid
    }

    /// Publishes one entity: its public lanes and texts in the schema's order. Lanes with a modulus are brought into range.
    ///
    /// # Panics
    /// If the kind is unknown, the number of lanes or texts is not the schema's, a kind without a position is put on a
    /// layer, the generation is 0, the slot is too large, or the slot was put before in this tick.
    pub fn put(&mut self, id: EntityId, place: Place, lanes: &[i32], texts: &[Arc<str>]) {
        let kind = &self.schema.kinds[id.kind.index()];
        let table = &mut self.frame.tables[id.kind.index()];
        assert_eq!(
            lanes.len(),
            kind.lanes.len(),
            "{} has other lanes",
            kind.name
        );
        assert_eq!(
            texts.len(),
            kind.texts.len(),
            "{} has other texts",
            kind.name
        );
        assert!(
            id.generation != 0 && id.slot < EntityId::MAX_SLOTS,
            "{id:?} cannot be an entity"
        );
        let slot = id.slot as usize;
        if slot >= table.generations.len() {
            table.grow(slot + 1);
        }
        assert_eq!(table.generations[slot], 0, "{id:?} was published twice");
        table.generations[slot] = id.generation;
        table.cells[slot] = match place {
            Place::Layer(layer) => {
                assert!(kind.placed, "{} has no position", kind.name);
                self.schema
                    .grid
                    .cell_at(IVec2::new(lanes[0], lanes[1]), layer)
            }
            Place::Everywhere => CellId::GLOBAL,
        };
        for ((column, value), lane) in table.lanes.iter_mut().zip(lanes).zip(&kind.lanes) {
            column[slot] = lane.normalise(*value);
        }
        for (column, text) in table.texts.iter_mut().zip(texts) {
            if !Arc::ptr_eq(&column[slot], text) {
                column[slot] = Arc::clone(text);
            }
        }
    }

    /// Says who owns an entity of this tick, and gives its private lanes in the schema's order.
    ///
    /// # Panics
    /// If the number of lanes is not the schema's.
    pub fn own(&mut self, owner: PlayerId, id: EntityId, private_lanes: &[i32]) {
        let kind = &self.schema.kinds[id.kind.index()];
        assert_eq!(
            private_lanes.len(),
            kind.private_lanes.len(),
            "{} has other private lanes",
            kind.name
        );
        let first_lane = self.owned.lanes.len() as u32;
        self.owned.rows.push(OwnedRow {
            owner,
            id,
            first_lane,
        });
        let normal = private_lanes
            .iter()
            .zip(&kind.private_lanes)
            .map(|(value, lane)| lane.normalise(*value));
        self.owned.lanes.extend(normal);
    }
}

impl Table {
    fn grow(&mut self, slots: usize) {
        self.generations.resize(slots, 0);
        self.cells.resize(slots, CellId::GLOBAL);
        for column in &mut self.lanes {
            column.resize(slots, 0);
        }
        let empty: Arc<str> = Arc::from("");
        for column in &mut self.texts {
            column.resize(slots, Arc::clone(&empty));
        }
    }
}
