//! The draft: the rows as they are now, which a game goes over once a tick.
//!
//! In: every entity that exists, through a [`Publisher`]. Out: which rows differ from the tick before, who joined and left
//! which cell, and for each cell its last change and its hash. Most rows of most worlds rest: such a row costs a comparison
//! with itself and nothing else, here or in the frame that is made of the draft. Nothing is allocated in the steady state.

use crate::frame::Owned;
use crate::grid::{CellId, Grid, Layer};
use crate::hash;
use crate::ids::{EntityId, KindId, PlayerId, RowKey, Tick};
use crate::members::Move;
use crate::schema::Schema;
use crate::strip::{Head, STRIP_ROWS};
use glam::IVec2;
use std::ops::Range;
use std::sync::Arc;

/// Where an entity is to be found in the interest grid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// In the square of its position on this layer. For placed kinds.
    Layer(Layer),
    /// In the global cell: for kinds without a position, and for what is larger than a cell.
    Everywhere,
}

/// The rows of all kinds as they are now.
#[derive(Debug)]
pub(crate) struct Draft {
    pub tables: Vec<DraftTable>,
    /// Who joined or left a cell in this tick.
    pub moves: Vec<Move>,
    pub cells: Vec<CellNow>,
    tick: Tick,
}

/// What is known of one cell.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct CellNow {
    /// The newest tick at which a row of it changed or an event touched it.
    pub changed_at: Tick,
    /// The wrapping sum of the hashes of its rows.
    pub hash: u64,
}

/// The rows of one kind: one after the other by slot, with places for [`ROWS_AT_ONCE`] at a time.
#[derive(Debug)]
pub(crate) struct DraftTable {
    pub lane_count: usize,
    pub text_count: usize,
    pub heads: Vec<Head>,
    pub lanes: Vec<i32>,
    pub texts: Vec<Arc<str>>,
    pub strips: Vec<StripNow>,
    hashes: Vec<u64>,
    placed: bool,
}

/// Rows that room is made for at once, so that it is seldom made.
const ROWS_AT_ONCE: usize = 8;

/// What happened to one strip of rows in this tick; a bit a row.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct StripNow {
    /// Rows that differ from the tick before.
    pub changed: u64,
    /// Rows whose texts do.
    pub retold: u64,
    put: u64,
    put_before: u64,
}

/// Takes the rows of one tick from a game.
///
/// Panics tell the game's author of a mistake in the game (a wrong number of lanes, a slot put twice); nothing that comes
/// from a network reaches them.
#[derive(Debug)]
pub struct Publisher<'a> {
    pub(crate) draft: &'a mut Draft,
    pub(crate) owned: &'a mut Owned,
    pub(crate) schema: &'a Schema,
}

/// By value: what a message borrows has to lie in memory, for each row that is put.
#[cold]
#[inline(never)]
fn unknown_kind(kind: KindId) -> ! {
    panic!("the schema has no kind {}", kind.0);
}

impl Draft {
    /// Asks for what lies so many pointers away; see `tickwire_prefetch`.
    pub fn prefetch(&self, hops: u8) {
        match hops {
            1 => {
                tickwire_prefetch::start(&self.tables);
                tickwire_prefetch::start(&self.cells);
            }
            2 => {
                for table in &self.tables {
                    tickwire_prefetch::start(&table.heads);
                    tickwire_prefetch::start(&table.lanes);
                    tickwire_prefetch::start(&table.strips);
                    tickwire_prefetch::start(&table.hashes);
                }
            }
            _ => {}
        }
    }
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
    /// layer, or a placed one on a layer that the grid has not, the generation is 0, the slot is too large, or the slot was put before in this tick.
    #[inline]
    pub fn put(&mut self, id: EntityId, place: Place, lanes: &[i32], texts: &[Arc<str>]) {
        let Some(table) = self.draft.tables.get_mut(id.kind.index()) else {
            unknown_kind(id.kind);
        };
        let has_its_numbers = lanes.len() == table.lane_count && texts.len() == table.text_count;
        if has_its_numbers && table.is_as_before(&self.schema.grid, id, place, lanes, texts) {
            table.mark_put(id);
        } else {
            self.put_changed(id, place, lanes, texts);
        }
    }

    fn put_changed(&mut self, id: EntityId, place: Place, lanes: &[i32], texts: &[Arc<str>]) {
        let kind = &self.schema.kinds[id.kind.index()];
        let name = &kind.name;
        assert_eq!(lanes.len(), kind.lanes.len(), "{name} has other lanes");
        assert_eq!(texts.len(), kind.texts.len(), "{name} has other texts");
        assert!(
            id.generation != 0 && id.slot < EntityId::MAX_SLOTS,
            "{id:?} cannot be an entity"
        );
        assert!(
            kind.placed || place == Place::Everywhere,
            "{name} has no position"
        );
        let Draft {
            tables,
            moves,
            cells,
            tick,
        } = &mut *self.draft;
        let table = &mut tables[id.kind.index()];
        table.make_room(id.slot as usize + 1);
        table.mark_put(id);
        let slot = id.slot as usize;
        let (strip, bit) = (slot / STRIP_ROWS, 1 << (slot % STRIP_ROWS));
        let row = &mut table.lanes[slot * table.lane_count..][..table.lane_count];
        let mut has_changed = table.heads[slot].generation != id.generation;
        for ((old, value), lane) in row.iter_mut().zip(lanes).zip(&kind.lanes) {
            let value = lane.normalise(*value);
            has_changed |= *old != value;
            *old = value;
        }
        let told = &mut table.texts[slot * table.text_count..][..table.text_count];
        for (old, text) in told.iter_mut().zip(texts) {
            if *old != *text {
                has_changed = true;
                table.strips[strip].retold |= bit;
            }
            if !Arc::ptr_eq(old, text) {
                *old = Arc::clone(text);
            }
        }
        let before = table.heads[slot];
        let now = Head {
            generation: id.generation,
            cell: match place {
                Place::Layer(layer) => self.schema.grid.cell_at(IVec2::new(row[0], row[1]), layer),
                Place::Everywhere => CellId::GLOBAL,
            },
        };
        if !has_changed && before.cell == now.cell {
            return;
        }
        table.heads[slot] = now;
        table.strips[strip].changed |= bit;
        let old_hash = table.hashes[slot];
        let new_hash = hash::row(id, row.iter().copied(), told.iter().map(|text| &**text));
        table.hashes[slot] = new_hash;
        if before.generation != 0 {
            cells[before.cell.index()].change(*tick, old_hash.wrapping_neg());
        }
        cells[now.cell.index()].change(*tick, new_hash);
        if before.generation == 0 || before.cell != now.cell {
            if before.generation != 0 {
                moves.push(Move {
                    cell: before.cell,
                    key: id.key(),
                    joins: false,
                });
            }
            moves.push(Move {
                cell: now.cell,
                key: id.key(),
                joins: true,
            });
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
        let normal = private_lanes
            .iter()
            .zip(&kind.private_lanes)
            .map(|(value, lane)| lane.normalise(*value));
        self.owned.add(owner, id, normal);
    }
}

impl Draft {
    /// A world without rows.
    pub fn new(schema: &Schema) -> Self {
        let tables = schema.kinds.iter().map(|kind| DraftTable {
            lane_count: kind.lanes.len(),
            text_count: kind.texts.len(),
            heads: Vec::new(),
            lanes: Vec::new(),
            texts: Vec::new(),
            strips: Vec::new(),
            hashes: Vec::new(),
            placed: kind.placed,
        });
        Self {
            tables: tables.collect(),
            moves: Vec::new(),
            cells: vec![CellNow::default(); schema.grid.cell_count()],
            tick: Tick(0),
        }
    }

    /// Before the rows of a tick are put.
    pub fn begin(&mut self, tick: Tick) {
        self.tick = tick;
        self.moves.clear();
        for table in &mut self.tables {
            for strip in &mut table.strips {
                *strip = StripNow {
                    put_before: strip.put,
                    ..StripNow::default()
                };
            }
        }
    }

    /// After the rows of a tick were put: who was not is gone.
    pub fn end(&mut self) {
        for (kind, table) in self.tables.iter_mut().enumerate() {
            for (index, strip) in table.strips.iter_mut().enumerate() {
                let gone = strip.put_before & !strip.put;
                strip.changed |= gone;
                for row in bits(gone) {
                    let slot = index * STRIP_ROWS + row;
                    let head = std::mem::take(&mut table.heads[slot]);
                    self.cells[head.cell.index()]
                        .change(self.tick, table.hashes[slot].wrapping_neg());
                    self.moves.push(Move {
                        cell: head.cell,
                        key: RowKey::new(KindId(kind as u8), slot as u32),
                        joins: false,
                    });
                }
            }
        }
        self.moves.sort_unstable();
    }

    /// Whether the row at this place differs from the tick before.
    pub fn is_changed(&self, key: RowKey) -> bool {
        let (strip, row) = (
            key.slot() as usize / STRIP_ROWS,
            key.slot() as usize % STRIP_ROWS,
        );
        self.tables
            .get(key.kind().index())
            .and_then(|table| table.strips.get(strip))
            .is_some_and(|strip| strip.changed >> row & 1 == 1)
    }
}

impl CellNow {
    fn change(&mut self, tick: Tick, hash: u64) {
        self.changed_at = tick;
        self.hash = self.hash.wrapping_add(hash);
    }
}

impl DraftTable {
    /// Whether this is the row of the tick before, by the same words. (Where only the words differ, a heading of a whole turn
    /// for none, it is not here that it shows.)
    #[inline]
    fn is_as_before(
        &self,
        grid: &Grid,
        id: EntityId,
        place: Place,
        lanes: &[i32],
        texts: &[Arc<str>],
    ) -> bool {
        let slot = id.slot as usize;
        let (Some(head), Some(row), Some(told)) = (
            self.heads.get(slot),
            self.lanes.get(slot * self.lane_count..),
            self.texts.get(slot * self.text_count..),
        ) else {
            return false;
        };
        // No branch a lane: nearly all rows are as before, or nearly none.
        let differences = row
            .iter()
            .zip(lanes)
            .fold(0, |all, (old, new)| all | (old ^ new));
        // The same position, so the same square; whether on the same sheet is to be seen.
        let is_in_place = match place {
            Place::Layer(layer) => self.placed && grid.is_on(head.cell, layer),
            Place::Everywhere => head.cell == CellId::GLOBAL,
        };
        head.generation == id.generation
            && head.generation != 0
            && differences == 0
            && is_in_place
            && told
                .iter()
                .zip(texts)
                .all(|(old, new)| Arc::ptr_eq(old, new))
    }

    /// The heads of a strip's rows.
    pub fn heads_of(&self, strip: usize) -> &[Head] {
        &self.heads[self.rows_of(strip, 1)]
    }

    /// Their lanes, row after row.
    pub fn lanes_of(&self, strip: usize) -> &[i32] {
        &self.lanes[self.rows_of(strip, self.lane_count)]
    }

    /// Their texts, row after row.
    pub fn texts_of(&self, strip: usize) -> &[Arc<str>] {
        &self.texts[self.rows_of(strip, self.text_count)]
    }

    /// Where a strip's rows lie in a list that has so many entries a row.
    fn rows_of(&self, strip: usize, entries: usize) -> Range<usize> {
        let end = ((strip + 1) * STRIP_ROWS).min(self.heads.len());
        strip * STRIP_ROWS * entries..end * entries
    }

    #[inline]
    fn mark_put(&mut self, id: EntityId) {
        let slot = id.slot as usize;
        let (strip, bit) = (
            &mut self.strips[slot / STRIP_ROWS],
            1 << (slot % STRIP_ROWS),
        );
        assert!(strip.put & bit == 0, "{id:?} was published twice");
        strip.put |= bit;
    }

    fn make_room(&mut self, slots: usize) {
        if slots <= self.heads.len() {
            return;
        }
        let slots = slots.next_multiple_of(ROWS_AT_ONCE);
        let strips = slots.div_ceil(STRIP_ROWS);
        self.strips.resize(strips, StripNow::default());
        self.heads.resize(slots, Head::default());
        self.hashes.resize(slots, 0);
        self.lanes.resize(slots * self.lane_count, 0);
        self.texts.resize(slots * self.text_count, Arc::from(""));
    }
}

/// The positions of the bits that are set, ascending.
fn bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros() as usize)?;
        word &= word - 1;
        Some(bit)
    })
}
