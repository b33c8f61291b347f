//! A frame: the whole replicated world at one tick, as a table of integers.
//!
//! In: the draft, once a tick. Out: an immutable table for each kind, made of strips that the frames share where nothing
//! changed; and the members of every cell, sorted by kind and slot. A frame never changes once it is published; its memory
//! is used again when it falls out of the history.

use crate::draft::Draft;
pub use crate::draft::{Place, Publisher};
use crate::event::Events;
use crate::grid::CellId;
use crate::ids::{EntityId, KindId, PlayerId, RowKey, Tick};
use crate::members::Members;
use crate::schema::Schema;
use crate::strip::{Strip, Table};
use std::sync::Arc;

/// The replicated world at one tick.
#[derive(Clone, Debug)]
pub struct Frame {
    pub(crate) tick: Tick,
    tables: Vec<Table>,
    /// Shared with the frame before, as long as nothing comes, goes or changes its cell.
    members: Arc<Members>,
    pub(crate) events: Events,
}

/// Memory of frames that are gone, to be used again; each piece is held by nobody else.
#[derive(Default, Debug)]
pub(crate) struct Spare {
    /// By kind.
    strips: Vec<Vec<Arc<Strip>>>,
    members: Vec<Arc<Members>>,
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
    /// Asks for what lies so many pointers away; see `tickwire_prefetch`.
    pub(crate) fn prefetch(&self, hops: u8) {
        match hops {
            0 => tickwire_prefetch::near(self),
            1 => {
                tickwire_prefetch::start(&self.tables);
                tickwire_prefetch::near(&*self.members);
            }
            _ => {
                if hops == 2 {
                    self.members.prefetch();
                }
                self.tables
                    .iter()
                    .for_each(|table| table.prefetch(hops - 1));
            }
        }
    }

    /// The frame's tick.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// How many entities there are.
    #[must_use]
    pub fn entity_count(&self) -> usize {
        self.members.count()
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
        let head = self.table(key)?.head(key.slot())?;
        (head.generation != 0).then_some(head.cell)
    }

    /// The public lanes at a place of the table, in the schema's order. Nothing where there is no such place; without meaning where it is vacant.
    pub fn lanes(&self, key: RowKey) -> impl Iterator<Item = i32> {
        self.row(key).iter().copied()
    }

    /// [`Self::lanes`] as a slice.
    pub(crate) fn row(&self, key: RowKey) -> &[i32] {
        self.table(key)
            .map_or(&[][..], |table| table.lanes(key.slot()))
    }

    /// The texts at a place of the table, in the schema's order.
    pub fn texts(&self, key: RowKey) -> impl Iterator<Item = &str> {
        let texts = self
            .table(key)
            .map_or(&[][..], |table| table.texts(key.slot()));
        texts.iter().map(|text| &**text)
    }

    /// The live slots of one kind, ascending.
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

    /// The generation of the entity in a slot; 0: there is none.
    #[must_use]
    pub fn generation(&self, key: RowKey) -> u32 {
        self.table(key)
            .and_then(|table| table.head(key.slot()))
            .map_or(0, |head| head.generation)
    }

    fn table(&self, key: RowKey) -> Option<&Table> {
        self.tables.get(key.kind().index())
    }

    /// A frame of no tick in particular, without rows.
    pub(crate) fn empty(schema: &Schema) -> Self {
        Self {
            tick: Tick(0),
            tables: vec![Table::default(); schema.kinds.len()],
            members: Arc::new(Members::empty(schema.grid.cell_count())),
            events: Events::default(),
        }
    }

    /// Makes this the frame of `tick`, where `before` is the one before it.
    pub(crate) fn become_copy(
        &mut self,
        tick: Tick,
        draft: &Draft,
        before: &Self,
        spare: &mut Spare,
    ) {
        self.tick = tick;
        spare.strips.resize_with(draft.tables.len(), Vec::new);
        let tables = self.tables.iter_mut().zip(&before.tables);
        for ((table, before), (draft, spare)) in
            tables.zip(draft.tables.iter().zip(&mut spare.strips))
        {
            table.copy(draft, before, spare);
        }
        let members = if draft.moves.is_empty() {
            Arc::clone(&before.members)
        } else {
            let mut members = spare
                .members
                .pop()
                .unwrap_or_else(|| Arc::new(Members::empty(0)));
            if let Some(members) = Arc::get_mut(&mut members) {
                members.follow(&before.members, &draft.moves);
            }
            members
        };
        let mut old = std::mem::replace(&mut self.members, members);
        if Arc::get_mut(&mut old).is_some() {
            spare.members.push(old);
        }
    }
}

impl Owned {
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.lanes.clear();
    }

    pub(crate) fn add(&mut self, owner: PlayerId, id: EntityId, lanes: impl Iterator<Item = i32>) {
        let first_lane = self.lanes.len() as u32;
        self.rows.push(OwnedRow {
            owner,
            id,
            first_lane,
        });
        self.lanes.extend(lanes);
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
