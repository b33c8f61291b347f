//! The replica: rebuilds the rows of one client's view from snapshots.
//!
//! In: snapshots. Out: for each cell of the view its rows, bit for bit as the server's frame had them; the row to show of an
//! entity while cells are at different ticks; events, each once. A snapshot that cannot be right is an error, never a panic; the
//! replica then waits for a full snapshot.

mod block_sink;
mod cell_parts;
mod cell_replica;
mod error;
mod packed_blocks;
#[cfg(feature = "plain")]
mod plain_blocks;
mod row;
mod seen_events;
mod sorted_map;
mod sorted_rows;
mod visibility;

pub use error::ReplicaError;
pub use row::{Lanes, Row};

use crate::encode::packed::{CodebookError, Codebooks};
use crate::interest::SentTicks;
use crate::world::{CellId, EntityId, RowKey, Schema, Tick, hash};
use block_sink::BlockSink;
use cell_replica::CellReplica;
use seen_events::SeenEvents;
use sorted_map::SortedMap;
use std::sync::Arc;
use tickwire_proto::v1;
use visibility::Visibility;

/// An event, received for the first time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReceivedEvent {
    /// Counts up by one with every event of the room.
    pub number: u32,
    /// The tick at which it happened.
    pub tick: Tick,
    /// Position in the schema's list of event kinds.
    pub kind: u32,
    /// The game's own encoding.
    pub payload: Vec<u8>,
}

/// What applying one snapshot did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ApplyOutcome {
    /// The replica is at the snapshot's tick.
    Applied {
        /// Whether the view hash agreed; `None` if the snapshot carried none.
        view_hash_agreed: Option<bool>,
    },
    /// The snapshot was ignored: the replica waits for a full snapshot.
    AwaitingFullSnapshot,
}

/// Observes every row that a snapshot sets, for instance to fill an interpolation buffer.
pub trait RowObserver {
    /// A row entered or changed; it has these values at `tick`.
    fn row(&mut self, row: &Row, tick: Tick);

    /// An entity left the view at `tick`: it is gone from the world, or out of sight.
    fn gone(&mut self, id: EntityId, tick: Tick);
}

impl RowObserver for () {
    fn row(&mut self, _: &Row, _: Tick) {}
    fn gone(&mut self, _: EntityId, _: Tick) {}
}

/// Collects what the blocks of one snapshot report.
struct SnapshotSink<'a, W> {
    observer: &'a mut W,
    left: Vec<(Row, Option<CellId>)>,
    lost: Vec<EntityId>,
    events: Vec<ReceivedEvent>,
    seen_events: SeenEvents,
    row_updates: u64,
}

impl<W: RowObserver> BlockSink for SnapshotSink<'_, W> {
    fn row(&mut self, row: &Row, tick: Tick) {
        self.row_updates += 1;
        self.observer.row(row, tick);
    }

    fn left(&mut self, row: Row, to_cell_plus_one: u32) {
        self.left
            .push((row, to_cell_plus_one.checked_sub(1).map(CellId)));
    }

    fn lost(&mut self, id: EntityId) {
        self.lost.push(id);
    }

    fn event(&mut self, number: u32, tick: Tick, kind: u32, payload: Vec<u8>) {
        if self.seen_events.insert(number) {
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
    codebooks: Arc<Codebooks>,
    tick: Tick,
    awaits_full_snapshot: bool,
    /// By number; a parted cell has an entry for each part that the client has.
    cells: SortedMap<CellId, CellReplica>,
    /// The cells that come in parts, and in how many, as a power of two.
    parts: SortedMap<CellId, u8>,
    visibility: Visibility,
    events: Vec<ReceivedEvent>,
    seen_events: SeenEvents,
    row_updates: u64,
}

impl Replica {
    /// An empty replica, which waits for a full snapshot.
    #[must_use]
    pub fn new(schema: Arc<Schema>) -> Self {
        Self {
            codebooks: Arc::new(Codebooks::initial(&schema)),
            schema,
            tick: Tick(0),
            awaits_full_snapshot: true,
            cells: SortedMap::default(),
            parts: SortedMap::default(),
            visibility: Visibility::default(),
            events: Vec::new(),
            seen_events: SeenEvents::default(),
            row_updates: 0,
        }
    }

    /// Applies a snapshot, and tells `observer` of each row that it sets.
    ///
    /// # Errors
    /// If the snapshot cannot be right. The replica then waits for a full snapshot, which the caller requests (message
    /// `Resync`).
    pub fn apply(
        &mut self,
        snapshot: &v1::Snapshot,
        observer: &mut impl RowObserver,
    ) -> Result<ApplyOutcome, ReplicaError> {
        if self.awaits_full_snapshot && !snapshot.full_snapshot {
            return Ok(ApplyOutcome::AwaitingFullSnapshot);
        }
        let result = self.try_apply(snapshot, observer);
        self.awaits_full_snapshot = result.is_err();
        result.map(|()| ApplyOutcome::Applied {
            view_hash_agreed: snapshot.view_hash.map(|hash| hash == self.view_hash()),
        })
    }

    /// Changes the codebooks, from the next snapshot on.
    ///
    /// # Errors
    /// If the message does not fit the schema. The codebooks stay as they were then.
    pub fn update_codebooks(&mut self, message: &v1::Codebooks) -> Result<(), CodebookError> {
        self.codebooks = Arc::new(self.codebooks.with_changes(message)?);
        Ok(())
    }

    /// Ignores snapshots until a full one comes.
    pub fn await_full_snapshot(&mut self) {
        self.awaits_full_snapshot = true;
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

    /// The cells of the view and the tick that each is at, ascending, and of a parted cell each part.
    pub fn cells(&self) -> impl Iterator<Item = (CellId, Tick)> {
        self.cells.iter().map(|(id, cell)| (id, cell.tick))
    }

    /// The ticks at which a cell was received.
    #[must_use]
    pub fn received_ticks(&self, cell: CellId) -> SentTicks {
        self.cells
            .get(cell)
            .map_or_else(SentTicks::default, |cell| cell.received)
    }

    /// The rows of a cell as the server's frame had them at the cell's tick, sorted by kind and slot.
    #[must_use]
    pub fn rows(&self, cell: CellId) -> &[Row] {
        self.cells.get(cell).map_or(&[], |cell| &cell.rows)
    }

    /// How many rows snapshots have set so far.
    #[must_use]
    pub fn row_updates(&self) -> u64 {
        self.row_updates
    }

    /// Takes the events received since the last call, oldest first.
    pub fn take_events(&mut self) -> Vec<ReceivedEvent> {
        std::mem::take(&mut self.events)
    }

    /// The hash of the view, as the server computes it.
    #[must_use]
    pub fn view_hash(&self) -> u64 {
        self.cells.iter().fold(0_u64, |sum, (id, cell)| {
            let rows = cell
                .rows
                .iter()
                .fold(0_u64, |sum, row| sum.wrapping_add(row.hash()));
            sum.wrapping_add(hash::cell_hash_in_view(id, rows))
        })
    }

    /// Every visible entity: its row, the row's tick, and the ticks at which its cell was received.
    ///
    /// While cells stand at different ticks, this is the newest row of each entity, without entities that are known to be gone.
    #[must_use]
    pub fn visible_rows(&self) -> Vec<(&Row, Tick, SentTicks)> {
        self.visibility.visible_rows(&self.cells, self.tick)
    }

    /// The visible row of one entity, whatever its generation, and the row's tick.
    #[must_use]
    pub fn find_with_tick(&self, key: RowKey) -> Option<(&Row, Tick)> {
        self.visibility.find(&self.cells, self.tick, key)
    }

    /// The visible row of one entity, whatever its generation.
    #[must_use]
    pub fn find(&self, key: RowKey) -> Option<&Row> {
        self.find_with_tick(key).map(|(row, _)| row)
    }

    fn try_apply(
        &mut self,
        snapshot: &v1::Snapshot,
        observer: &mut impl RowObserver,
    ) -> Result<(), ReplicaError> {
        let tick = Tick(snapshot.tick);
        // Rows that a cell lost without saying where they went. Most of them are visible again at the end.
        let mut lost = Vec::new();
        if snapshot.full_snapshot {
            lost.extend(
                self.cells
                    .values()
                    .flat_map(|cell| cell.rows.iter().map(|row| row.id)),
            );
            lost.extend(self.visibility.in_transit());
            self.cells.clear();
            self.parts.clear();
            self.visibility.clear();
        } else if tick <= self.tick {
            return Err(ReplicaError::Tick(tick));
        }
        self.tick = tick;
        for cell in &snapshot.dropped_cells {
            let dropped = self.forget_cell(CellId(*cell))?;
            lost.extend(dropped.iter().flat_map(|cell| &cell.rows).map(|row| row.id));
        }
        for parts in &snapshot.cell_parts {
            self.set_parts(CellId(parts >> 3), (parts & 7) as u8)?;
        }
        for cell in &snapshot.added_cells {
            let (whole, part) = self.schema.grid.whole_cell(CellId(*cell));
            let count_log2 = self.parts.get(whole).copied().unwrap_or(0);
            if part >> count_log2 != 0
                || self
                    .cells
                    .insert(CellId(*cell), CellReplica::default())
                    .is_some()
            {
                return Err(ReplicaError::Cell(*cell));
            }
        }
        let deferred = self.deferred_cells(snapshot)?;
        let is_deferred = |cell: u32| deferred.binary_search(&cell).is_ok();
        let mut sink = SnapshotSink {
            observer,
            left: Vec::new(),
            lost,
            events: std::mem::take(&mut self.events),
            seen_events: std::mem::take(&mut self.seen_events),
            row_updates: 0,
        };
        let result = self.apply_blocks(snapshot, tick, is_deferred, &mut sink);
        let SnapshotSink {
            left,
            mut lost,
            row_updates,
            observer,
            ..
        } = sink;
        (self.events, self.seen_events) = (sink.events, sink.seen_events);
        self.row_updates += row_updates;
        result?;
        for (_, cell) in self.cells.iter_mut().filter(|(id, _)| !is_deferred(id.0)) {
            cell.previous = cell.received.newest();
            cell.tick = tick;
            cell.received.record(tick);
        }
        let left = left.into_iter().map(|(row, to)| {
            let to = to.map(|cell| self.id_of_row(cell, row.id.key()));
            (row, to)
        });
        let left = left.collect();
        lost.extend(self.visibility.settle(&self.cells, tick, left));
        for id in lost {
            if self.find(id.key()).is_none_or(|row| row.id != id) {
                observer.gone(id, tick);
            }
        }
        Ok(())
    }

    fn apply_blocks(
        &mut self,
        snapshot: &v1::Snapshot,
        tick: Tick,
        is_deferred: impl Fn(u32) -> bool,
        sink: &mut impl BlockSink,
    ) -> Result<(), ReplicaError> {
        #[cfg(not(feature = "plain"))]
        if !snapshot.blocks.is_empty() {
            return Err(ReplicaError::Plain);
        }
        #[cfg(feature = "plain")]
        for block in &snapshot.blocks {
            let cell = self
                .cells
                .get_mut(CellId(block.cell))
                .filter(|_| !is_deferred(block.cell));
            let cell = cell.ok_or(ReplicaError::Cell(block.cell))?;
            plain_blocks::apply_block(&self.schema, cell, block, tick, sink)?;
        }
        if !snapshot.packed.is_empty() {
            let cells = self.cells.iter_mut().filter(|(id, _)| !is_deferred(id.0));
            packed_blocks::apply_all(
                &self.schema,
                &self.codebooks,
                cells,
                &snapshot.packed,
                tick,
                sink,
            )?;
        }
        Ok(())
    }
}
