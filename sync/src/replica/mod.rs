//! The replica: the receiving side, which rebuilds the rows of a view from snapshots.
//!
//! In: snapshots. Out: for each cell of the view its rows, bit for bit as the server's frame had them; which row to show of
//! an entity while cells stand at different ticks; events, each once. Never panics on what comes from a network: a snapshot
//! that cannot be right is an error, after which the replica waits for one that starts over.

mod row;
pub(crate) mod rows;
mod shown;

pub use row::{Lanes, Row};

use crate::grid::CellId;
use crate::hash;
use crate::ids::{EntityId, RowKey, Tick};
use crate::packed::{self, Tables, TablesError};
use crate::schema::Schema;
use crate::sent_ticks::SentTicks;
use row::key;
use shown::Limbo;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use thiserror::Error;
use tickwire_prefetch as prefetch;
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
    /// A packed block that cannot be read.
    #[error("the packed block of cell {0} cannot be right")]
    Packed(u32),
    /// Bytes after the last packed block.
    #[error("there are bytes after the last packed block")]
    Trailing,
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

/// What reading a block of either encoding tells: rows set, rows that left or were lost sight of, events.
pub(crate) trait BlockSink {
    /// A row entered or changed.
    fn row(&mut self, row: &Row, tick: Tick);
    /// A row left for a cell (its number plus 1; 0: gone).
    fn left(&mut self, row: Row, to_cell_plus_one: u32);
    /// A keyframe does not say where the row went.
    fn lost(&mut self, id: EntityId);
    /// An event.
    fn event(&mut self, number: u32, tick: Tick, kind: u32, payload: Vec<u8>);
}

/// The sink of one snapshot.
struct Sink<'a, W> {
    watcher: &'a mut W,
    left: Vec<(Row, Option<CellId>)>,
    lost: Vec<EntityId>,
    events: Vec<ReceivedEvent>,
    seen_events: SeenEvents,
    row_updates: u64,
}

impl<W: Watcher> BlockSink for Sink<'_, W> {
    fn row(&mut self, row: &Row, tick: Tick) {
        self.row_updates += 1;
        self.watcher.row(row, tick);
    }

    fn left(&mut self, row: Row, to_cell_plus_one: u32) {
        self.left
            .push((row, to_cell_plus_one.checked_sub(1).map(CellId)));
    }

    fn lost(&mut self, id: EntityId) {
        self.lost.push(id);
    }

    fn event(&mut self, number: u32, tick: Tick, kind: u32, payload: Vec<u8>) {
        if self.seen_events.is_new(number) {
            self.events.push(ReceivedEvent {
                number,
                tick,
                kind,
                payload,
            });
        }
    }
}

/// The rows of one client's view.
#[derive(Clone, Debug)]
pub struct Replica {
    schema: Arc<Schema>,
    tables: Arc<Tables>,
    tick: Tick,
    is_waiting: bool,
    cells: BTreeMap<CellId, Cell>,
    /// Rows that left towards a cell of the view which has not caught up yet: they live on until it does.
    limbo: BTreeMap<EntityId, Limbo>,
    /// Entities known to be gone, while some cell is older than that: they hide its rows.
    gone: BTreeMap<EntityId, Tick>,
    events: Vec<ReceivedEvent>,
    seen_events: SeenEvents,
    row_updates: u64,
}

#[derive(Clone, Debug, Default)]
struct Cell {
    tick: Tick,
    /// The tick at which it stood before.
    previous: Option<Tick>,
    sent: SentTicks,
    /// Sorted by kind and slot.
    rows: Vec<Row>,
}

impl Replica {
    /// An empty replica, which waits for a first snapshot.
    #[must_use]
    pub fn new(schema: Arc<Schema>) -> Self {
        Self {
            tables: Arc::new(Tables::initial(&schema)),
            schema,
            tick: Tick(0),
            is_waiting: true,
            cells: BTreeMap::new(),
            limbo: BTreeMap::new(),
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

    /// Takes other coding tables, which hold from the next snapshot on.
    ///
    /// # Errors
    /// If they do not fit the schema; those before stay.
    pub fn change_tables(&mut self, message: &v1::Tables) -> Result<(), TablesError> {
        self.tables = Arc::new(self.tables.changed_by(message)?);
        Ok(())
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
            lost.extend(self.limbo.keys());
            self.cells.clear();
            self.limbo.clear();
            self.gone.clear();
        } else if tick <= self.tick {
            return Err(ReplicaError::Tick(tick));
        }
        self.tick = tick;
        for cell in &snapshot.dropped_cells {
            let dropped = self
                .cells
                .remove(&CellId(*cell))
                .ok_or(ReplicaError::Cell(*cell))?;
            lost.extend(dropped.rows.iter().map(|row| row.id));
        }
        for cell in &snapshot.added_cells {
            let is_possible = (*cell as usize) < self.schema.grid.cell_count();
            if !is_possible || self.cells.insert(CellId(*cell), Cell::default()).is_some() {
                return Err(ReplicaError::Cell(*cell));
            }
        }
        let held = |cell: u32| snapshot.held_cells.binary_search(&cell).is_ok();
        let mut sink = Sink {
            watcher,
            left: Vec::new(),
            lost,
            events: std::mem::take(&mut self.events),
            seen_events: std::mem::take(&mut self.seen_events),
            row_updates: 0,
        };
        let result = self.apply_blocks(snapshot, tick, held, &mut sink);
        let Sink {
            left,
            mut lost,
            row_updates,
            watcher,
            ..
        } = sink;
        (self.events, self.seen_events) = (sink.events, sink.seen_events);
        self.row_updates += row_updates;
        result?;
        for (_, cell) in self.cells.iter_mut().filter(|(id, _)| !held(id.0)) {
            cell.previous = cell.sent.newest();
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

    fn apply_blocks(
        &mut self,
        snapshot: &v1::Snapshot,
        tick: Tick,
        held: impl Fn(u32) -> bool,
        sink: &mut impl BlockSink,
    ) -> Result<(), ReplicaError> {
        for block in &snapshot.blocks {
            let cell = self
                .cells
                .get_mut(&CellId(block.cell))
                .filter(|_| !held(block.cell));
            let cell = cell.ok_or(ReplicaError::Cell(block.cell))?;
            apply_block(&self.schema, cell, block, tick, sink)?;
        }
        if !snapshot.packed.is_empty() {
            let cells = self.cells.iter_mut().filter(|(id, _)| !held(id.0));
            apply_packed(
                &self.schema,
                &self.tables,
                cells,
                &snapshot.packed,
                tick,
                sink,
            )?;
        }
        Ok(())
    }
}

/// Applies a plain block.
fn apply_block(
    schema: &Schema,
    cell: &mut Cell,
    block: &v1::Block,
    tick: Tick,
    sink: &mut impl BlockSink,
) -> Result<(), ReplicaError> {
    if block.base_ago == 0 {
        cell.rows.drain(..).for_each(|row| sink.lost(row.id));
    } else if tick.before(block.base_ago) != Some(cell.tick) {
        return Err(ReplicaError::Base(block.cell));
    }
    let left = block.left.iter().map(|gone| {
        let position = cell.find(gone.kind, gone.slot)?;
        Ok((position, gone))
    });
    let mut left = left.collect::<Result<Vec<_>, _>>()?;
    left.sort_by_key(|(position, _)| *position);
    if let Some(pair) = left.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(ReplicaError::Row(pair[1].1.kind, pair[1].1.slot));
    }
    let positions: Vec<usize> = left.iter().map(|(position, _)| *position).collect();
    for (row, (_, gone)) in rows::take_out(&mut cell.rows, &positions).zip(&left) {
        sink.left(row, gone.to_cell_plus_one);
    }
    for change in &block.changed {
        let position = cell.find(change.kind, change.slot)?;
        let row = &mut cell.rows[position];
        let kind = schema
            .kind(row.id.kind)
            .ok_or(ReplicaError::Shape(change.kind, change.slot))?;
        row.begin_change(None, tick);
        row.change(kind, change)?;
        sink.row(row, tick);
    }
    let entered = block.entered.iter();
    let entered = entered.map(|row| Row::from_proto(schema, row, tick));
    let entered = entered.collect::<Result<Vec<_>, _>>()?;
    entered.iter().for_each(|row| sink.row(row, tick));
    rows::put_in(&mut cell.rows, entered)
        .map_err(|row| ReplicaError::Row(u32::from(row.kind().0), row.slot()))?;
    for event in &block.events {
        let at = tick.before(event.ticks_ago).unwrap_or_default();
        sink.event(event.number, at, event.kind, event.payload.clone());
    }
    Ok(())
}

/// Applies packed blocks: first a bit for each of these cells, then the blocks of those whose bit is set.
fn apply_packed<'a>(
    schema: &Schema,
    tables: &Tables,
    cells: impl Iterator<Item = (&'a CellId, &'a mut Cell)>,
    packed: &[u8],
    tick: Tick,
    sink: &mut impl BlockSink,
) -> Result<(), ReplicaError> {
    let cells: Vec<(&CellId, &mut Cell)> = cells.collect();
    let (present, mut blocks) = packed
        .split_at_checked(cells.len().div_ceil(8))
        .ok_or(ReplicaError::Trailing)?;
    let is_present = |index: usize| present[index / 8] >> (index % 8) & 1 == 1;
    for (index, (_, cell)) in cells.iter().enumerate() {
        if is_present(index) {
            prefetch::start(&cell.rows);
        }
    }
    for (index, (id, cell)) in cells.into_iter().enumerate() {
        if !is_present(index) {
            continue;
        }
        let previous = packed::previous_for_prediction(cell.sent.newest(), cell.previous, tick);
        let length =
            packed::apply_block(blocks, schema, tables, previous, tick, &mut cell.rows, sink);
        blocks = &blocks[length.map_err(|_| ReplicaError::Packed(id.0))?..];
    }
    if blocks.is_empty() {
        Ok(())
    } else {
        Err(ReplicaError::Trailing)
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

/// The numbers of the latest events, so that one which comes in two cells is shown once.
#[derive(Clone, Debug, Default)]
struct SeenEvents {
    latest: VecDeque<u32>,
    /// The greatest number of all: whatever is beyond it is new.
    greatest: u32,
}

impl SeenEvents {
    /// How many numbers are remembered: cells can be apart by a second, and a busy view sees a few hundred a second.
    const MEMORY: usize = 1024;

    fn is_new(&mut self, number: u32) -> bool {
        if number <= self.greatest && self.latest.contains(&number) {
            return false;
        }
        self.greatest = self.greatest.max(number);
        if self.latest.len() == Self::MEMORY {
            self.latest.pop_front();
        }
        self.latest.push_back(number);
        true
    }
}
