//! The replica: the receiving side, which rebuilds the rows of a view from snapshots.
//!
//! In: snapshots. Out: for each cell of the view its rows, bit for bit as the server's frame had them; which row to show of
//! an entity while cells stand at different ticks; events, each once. Never panics on what comes from a network: a snapshot
//! that cannot be right is an error, after which the replica waits for one that starts over.

use crate::grid::CellId;
use crate::hash;
use crate::ids::{EntityId, KindId, RowKey, Tick};
use crate::schema::{Kind, Schema};
use crate::sent_ticks::SentTicks;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use thiserror::Error;
use tickwire_proto::v1;

/// Why a snapshot cannot be applied.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ReplicaError {
    /// Its tick is not later than the replica's.
    #[error("the snapshot of tick {0} is not newer than the replica")]
    Tick(Tick),
    /// A cell that is not in the view, or not in the grid, or twice in a list.
    #[error("cell {0} is not where the snapshot says it is")]
    Cell(u32),
    /// A block that does not start where the replica's cell stands.
    #[error("the block of cell {0} is based on another tick than the replica has")]
    Base(u32),
    /// A row that must be there and is not, or the reverse, or twice.
    #[error("row {1} of kind {0} is not where the snapshot says it is")]
    Row(u32, u32),
    /// A row with other lanes or texts than the schema's, or an unknown kind.
    #[error("row {1} of kind {0} does not fit the schema")]
    Shape(u32, u32),
}

/// One entity as the replica has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// The entity's name.
    pub id: EntityId,
    /// Public lanes, in the schema's order.
    pub lanes: Vec<i32>,
    /// Texts, in the schema's order.
    pub texts: Vec<Arc<str>>,
}

/// An event that came for the first time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReceivedEvent {
    /// Counts up by one with every event of the room.
    pub number: u32,
    /// When it happened.
    pub tick: Tick,
    /// Position in the schema's list of event kinds.
    pub kind: u32,
    /// The game's own encoding.
    pub payload: Vec<u8>,
}

/// What applying one snapshot did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Applied {
    /// The replica is at the snapshot's tick.
    Yes {
        /// Whether the view hash agreed; `None`: the snapshot carried none.
        view_hash_agreed: Option<bool>,
    },
    /// The replica waits for a snapshot that starts over.
    Waiting,
}

/// Hears of every row that a snapshot sets, e.g. to keep what interpolation needs.
pub trait Watcher {
    /// A row entered or changed, and stands so at `tick`.
    fn row(&mut self, row: &Row, tick: Tick);

    /// An entity is not in the view any more as of `tick`: gone from the world, or out of sight.
    fn gone(&mut self, id: EntityId, tick: Tick);
}

impl Watcher for () {
    fn row(&mut self, _: &Row, _: Tick) {}
    fn gone(&mut self, _: EntityId, _: Tick) {}
}

/// The rows of one client's view.
#[derive(Clone, Debug)]
pub struct Replica {
    schema: Arc<Schema>,
    tick: Tick,
    is_waiting: bool,
    cells: BTreeMap<CellId, Cell>,
    /// Rows that left towards a cell of the view which has not caught up yet: they live on until it does.
    limbo: Vec<Limbo>,
    /// Entities known to be gone, while some cell is older than that: they hide its rows.
    gone: BTreeMap<EntityId, Tick>,
    events: Vec<ReceivedEvent>,
    seen_events: SeenEvents,
    row_updates: u64,
}

#[derive(Clone, Debug, Default)]
struct Cell {
    tick: Tick,
    sent: SentTicks,
    /// Sorted by kind and slot.
    rows: Vec<Row>,
}

#[derive(Clone, Debug)]
struct Limbo {
    row: Row,
    tick: Tick,
    to: CellId,
}

impl Replica {
    /// An empty replica, which waits for a first snapshot.
    #[must_use]
    pub fn new(schema: Arc<Schema>) -> Self {
        Self {
            schema,
            tick: Tick(0),
            is_waiting: true,
            cells: BTreeMap::new(),
            limbo: Vec::new(),
            gone: BTreeMap::new(),
            events: Vec::new(),
            seen_events: SeenEvents::default(),
            row_updates: 0,
        }
    }

    /// Applies a snapshot; `watcher` hears of each row it sets.
    ///
    /// # Errors
    /// Where the snapshot's structure cannot be right. The replica then waits for one that starts over: the caller asks for
    /// it (message `Resync`).
    pub fn apply(
        &mut self,
        snapshot: &v1::Snapshot,
        watcher: &mut impl Watcher,
    ) -> Result<Applied, ReplicaError> {
        if self.is_waiting && !snapshot.start_over {
            return Ok(Applied::Waiting);
        }
        let result = self.try_apply(snapshot, watcher);
        self.is_waiting = result.is_err();
        result.map(|()| Applied::Yes {
            view_hash_agreed: snapshot.view_hash.map(|hash| hash == self.view_hash()),
        })
    }

    /// Forgets the state and waits for a snapshot that starts over.
    pub fn wait_for_start(&mut self) {
        self.is_waiting = true;
    }

    /// The tick of the newest snapshot.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// The schema of all rows.
    #[must_use]
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The cells of the view and the tick at which each stands, ascending.
    pub fn cells(&self) -> impl Iterator<Item = (CellId, Tick)> {
        self.cells.iter().map(|(id, cell)| (*id, cell.tick))
    }

    /// Which ticks of a cell were received.
    #[must_use]
    pub fn sent_ticks(&self, cell: CellId) -> SentTicks {
        self.cells
            .get(&cell)
            .map_or_else(SentTicks::default, |cell| cell.sent)
    }

    /// The rows of a cell as the server's frame had them at the cell's tick, sorted by kind and slot.
    #[must_use]
    pub fn rows(&self, cell: CellId) -> &[Row] {
        self.cells.get(&cell).map_or(&[], |cell| &cell.rows)
    }

    /// Rows that snapshots entered or changed so far.
    #[must_use]
    pub fn row_updates(&self) -> u64 {
        self.row_updates
    }

    /// Takes the events that came since the last call, oldest first.
    pub fn take_events(&mut self) -> Vec<ReceivedEvent> {
        std::mem::take(&mut self.events)
    }

    /// Every entity to show: its row, the tick at which that stands, and which ticks of its cell were received.
    ///
    /// While cells stand at different ticks this is the row with the newest tick of its entity; a newer 'gone' hides it, and
    /// one that left towards a cell which has not caught up lives on.
    #[must_use]
    pub fn shown(&self) -> Vec<(&Row, Tick, SentTicks)> {
        let count = self.cells.values().map(|cell| cell.rows.len()).sum();
        let mut shown: Vec<(&Row, Tick, SentTicks)> = Vec::with_capacity(count);
        for cell in self.cells.values() {
            shown.extend(cell.rows.iter().map(|row| (row, cell.tick, cell.sent)));
        }
        if self.is_even() {
            return shown;
        }
        let limbo = self
            .limbo
            .iter()
            .filter_map(|limbo| Some((&limbo.row, limbo.tick, self.cells.get(&limbo.to)?.sent)));
        shown.extend(limbo);
        shown.retain(|(row, tick, _)| self.gone.get(&row.id).is_none_or(|gone| gone <= tick));
        shown.sort_unstable_by_key(|(row, tick, _)| (row.id.key(), row.id.generation, *tick));
        shown.reverse();
        shown.dedup_by_key(|(row, _, _)| row.id.key());
        shown
    }

    /// The row to show of one entity, whatever its generation, and the tick at which it stands.
    #[must_use]
    pub fn find_with_tick(&self, key: RowKey) -> Option<(&Row, Tick)> {
        if self.is_even() {
            return self.find(key).map(|row| (row, self.tick));
        }
        let shown = self
            .shown()
            .into_iter()
            .find(|(row, _, _)| row.id.key() == key);
        shown.map(|(row, tick, _)| (row, tick))
    }

    /// The row to show of one entity, whatever its generation.
    #[must_use]
    pub fn find(&self, key: RowKey) -> Option<&Row> {
        if !self.is_even() {
            return self
                .shown()
                .into_iter()
                .map(|(row, _, _)| row)
                .find(|row| row.id.key() == key);
        }
        self.cells
            .values()
            .find_map(|cell| cell.position(key).ok().map(|position| &cell.rows[position]))
    }

    /// The hash over the view, as the server computes it.
    #[must_use]
    pub fn view_hash(&self) -> u64 {
        self.cells.iter().fold(0_u64, |sum, (id, cell)| {
            let rows = cell
                .rows
                .iter()
                .fold(0_u64, |sum, row| sum.wrapping_add(row.hash()));
            sum.wrapping_add(hash::cell_in_view(*id, rows))
        })
    }

    /// Whether every cell stands at the newest tick.
    fn is_even(&self) -> bool {
        self.cells.values().all(|cell| cell.tick == self.tick)
    }

    fn try_apply(
        &mut self,
        snapshot: &v1::Snapshot,
        watcher: &mut impl Watcher,
    ) -> Result<(), ReplicaError> {
        let tick = Tick(snapshot.tick);
        // Rows that a cell lost without a word of where they went; most of them are in sight again at the end.
        let mut lost = Vec::new();
        if snapshot.start_over {
            lost.extend(
                self.cells
                    .values()
                    .flat_map(|cell| cell.rows.iter().map(|row| row.id)),
            );
            self.cells.clear();
            self.limbo.clear();
            self.gone.clear();
        } else if tick <= self.tick {
            return Err(ReplicaError::Tick(tick));
        }
        self.tick = tick;
        for cell in &snapshot.dropped_cells {
            self.cells
                .remove(&CellId(*cell))
                .ok_or(ReplicaError::Cell(*cell))?;
        }
        for cell in &snapshot.added_cells {
            let is_possible = (*cell as usize) < self.schema.grid.cell_count();
            if !is_possible || self.cells.insert(CellId(*cell), Cell::default()).is_some() {
                return Err(ReplicaError::Cell(*cell));
            }
        }
        let held = |cell: u32| snapshot.held_cells.binary_search(&cell).is_ok();
        let mut left = Vec::new();
        for block in &snapshot.blocks {
            if held(block.cell) {
                return Err(ReplicaError::Cell(block.cell));
            }
            self.apply_block(block, tick, &mut left, &mut lost, watcher)?;
        }
        for (id, cell) in self.cells.iter_mut().filter(|(id, _)| !held(id.0)) {
            debug_assert!(id.index() < self.schema.grid.cell_count());
            cell.tick = tick;
            cell.sent.record(tick);
        }
        lost.extend(self.settle(left));
        for id in lost {
            if self.find(id.key()).is_none_or(|row| row.id != id) {
                watcher.gone(id, tick);
            }
        }
        Ok(())
    }

    fn apply_block(
        &mut self,
        block: &v1::Block,
        tick: Tick,
        left: &mut Vec<(Row, Option<CellId>)>,
        lost: &mut Vec<EntityId>,
        watcher: &mut impl Watcher,
    ) -> Result<(), ReplicaError> {
        let cell = self
            .cells
            .get_mut(&CellId(block.cell))
            .ok_or(ReplicaError::Cell(block.cell))?;
        if block.base_ago == 0 {
            lost.extend(cell.rows.drain(..).map(|row| row.id));
        } else if tick.before(block.base_ago) != Some(cell.tick) {
            return Err(ReplicaError::Base(block.cell));
        }
        for gone in &block.left {
            let position = cell.find(gone.kind, gone.slot)?;
            left.push((
                cell.rows.remove(position),
                gone.to_cell_plus_one.checked_sub(1).map(CellId),
            ));
        }
        for change in &block.changed {
            let position = cell.find(change.kind, change.slot)?;
            let row = &mut cell.rows[position];
            let kind = self
                .schema
                .kind(row.id.kind)
                .ok_or(ReplicaError::Shape(change.kind, change.slot))?;
            row.change(kind, change)?;
            watcher.row(row, tick);
        }
        for entered in &block.entered {
            let row = Row::from_proto(&self.schema, entered)?;
            let position = match cell.position(row.id.key()) {
                Err(position) => position,
                Ok(_) => return Err(ReplicaError::Row(entered.kind, entered.slot)),
            };
            watcher.row(&row, tick);
            cell.rows.insert(position, row);
        }
        self.row_updates += (block.changed.len() + block.entered.len()) as u64;
        for event in &block.events {
            if self.seen_events.is_new(event.number) {
                self.events.push(ReceivedEvent {
                    number: event.number,
                    tick: tick.before(event.ticks_ago).unwrap_or_default(),
                    kind: event.kind,
                    payload: event.payload.clone(),
                });
            }
        }
        Ok(())
    }

    /// Decides what to show of the rows that left, once all cells of the snapshot are in place. Returns who may be out of sight.
    fn settle(&mut self, left: Vec<(Row, Option<CellId>)>) -> Vec<EntityId> {
        let (cells, now) = (&self.cells, self.tick);
        // Nearly all that leave for a cell of the view are there.
        let is_there = |to: Option<CellId>, id: EntityId| {
            let cell = to.and_then(|to| cells.get(&to));
            cell.is_some_and(|cell| {
                cell.position(id.key())
                    .is_ok_and(|position| cell.rows[position].id == id)
            })
        };
        let lost = left
            .iter()
            .filter(|(row, to)| !is_there(*to, row.id))
            .map(|(row, _)| row.id)
            .collect();
        self.limbo.retain(|limbo| {
            cells
                .get(&limbo.to)
                .is_some_and(|cell| cell.tick < limbo.tick)
        });
        if self.is_even() {
            self.limbo.clear();
            self.gone.clear();
            return lost;
        }
        for (row, to) in left {
            match to {
                None => {
                    self.limbo.retain(|limbo| limbo.row.id != row.id);
                    self.gone.insert(row.id, now);
                }
                Some(to) if self.cells.get(&to).is_some_and(|cell| cell.tick < now) => {
                    self.limbo.retain(|limbo| limbo.row.id != row.id);
                    self.limbo.push(Limbo { row, tick: now, to });
                }
                // Into a cell that is up to date, or out of sight.
                Some(_) => {}
            }
        }
        let oldest = self
            .cells
            .values()
            .map(|cell| cell.tick)
            .min()
            .unwrap_or(now);
        self.gone.retain(|_, gone| *gone > oldest);
        lost
    }
}

impl Cell {
    fn position(&self, key: RowKey) -> Result<usize, usize> {
        self.rows.binary_search_by_key(&key, |row| row.id.key())
    }

    fn find(&self, kind: u32, slot: u32) -> Result<usize, ReplicaError> {
        let key = key(kind, slot)?;
        self.position(key)
            .map_err(|_| ReplicaError::Row(kind, slot))
    }
}

fn key(kind: u32, slot: u32) -> Result<RowKey, ReplicaError> {
    match u8::try_from(kind) {
        Ok(kind) if slot < EntityId::MAX_SLOTS => Ok(RowKey::new(KindId(kind), slot)),
        _ => Err(ReplicaError::Shape(kind, slot)),
    }
}

impl Row {
    fn hash(&self) -> u64 {
        hash::row(
            self.id,
            self.lanes.iter().copied(),
            self.texts.iter().map(|text| &**text),
        )
    }

    fn from_proto(schema: &Schema, row: &v1::Row) -> Result<Self, ReplicaError> {
        let shape = ReplicaError::Shape(row.kind, row.slot);
        let key = key(row.kind, row.slot)?;
        let kind = schema.kind(key.kind()).ok_or(shape)?;
        if row.lanes.len() != kind.lanes.len() || row.texts.len() != kind.texts.len() {
            return Err(shape);
        }
        Ok(Self {
            id: EntityId {
                kind: key.kind(),
                slot: row.slot,
                generation: row.generation,
            },
            lanes: row
                .lanes
                .iter()
                .zip(&kind.lanes)
                .map(|(value, lane)| lane.normalise(*value))
                .collect(),
            texts: row
                .texts
                .iter()
                .map(|text| Arc::from(text.as_str()))
                .collect(),
        })
    }

    fn change(&mut self, kind: &Kind, change: &v1::Change) -> Result<(), ReplicaError> {
        let shape = ReplicaError::Shape(change.kind, change.slot);
        let mut mask = change.lane_mask;
        if mask.count_ones() as usize != change.deltas.len() {
            return Err(shape);
        }
        for delta in &change.deltas {
            let index = mask.trailing_zeros() as usize;
            mask &= mask - 1;
            let lane = kind.lanes.get(index).ok_or(shape)?;
            let value = self.lanes.get_mut(index).ok_or(shape)?;
            *value = lane.add(*value, *delta);
        }
        for text in &change.texts {
            *self.texts.get_mut(text.text as usize).ok_or(shape)? = Arc::from(text.value.as_str());
        }
        Ok(())
    }
}

/// The numbers of the latest events, so that one which comes in two cells is shown once.
#[derive(Clone, Debug, Default)]
struct SeenEvents {
    latest: VecDeque<u32>,
}

impl SeenEvents {
    /// How many numbers are remembered: cells can be apart by a second, and a busy view sees a few hundred a second.
    const MEMORY: usize = 1024;

    fn is_new(&mut self, number: u32) -> bool {
        if self.latest.iter().rev().any(|seen| *seen == number) {
            return false;
        }
        if self.latest.len() == Self::MEMORY {
            self.latest.pop_front();
        }
        self.latest.push_back(number);
        true
    }
}
