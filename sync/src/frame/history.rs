//! The history: a ring of the latest frames, and what changed in the newest.
//!
//! In: what a game publishes, once a tick. Out: frames by tick; for each cell the tick of its last change and its hash; for
//! each row whether the newest frame changed it. The oldest frame's memory becomes the newest's, and frames share the chunks of
//! rows that do not change, so nothing is allocated in the steady state.

use super::events::Events;
use super::immutable_frame::{Frame, FramePool};
use super::owned_rows::OwnedRows;
use super::publisher::Publisher;
use super::working_frame::WorkingFrame;
use crate::world::{CellId, RowKey, Schema, Tick};
use std::collections::VecDeque;
use std::sync::Arc;

/// The fewest frames that a history keeps: two seconds at 60 Hz, enough for the slowest client and the longest rewind.
pub const MIN_HISTORY_FRAMES: usize = 128;

/// The latest frames of one room.
#[derive(Debug)]
pub struct History {
    schema: Arc<Schema>,
    /// Oldest first; the ticks ascend, with gaps where ticks were skipped.
    frames: VecDeque<Frame>,
    capacity: usize,
    owned: OwnedRows,
    /// The rows of the newest frame, and how they differ from those of the one before.
    working: WorkingFrame,
    pool: FramePool,
}

impl History {
    /// An empty history of `capacity` frames, but at least [`MIN_HISTORY_FRAMES`]. The schema must be valid.
    #[must_use]
    pub fn new(schema: Arc<Schema>, capacity: usize) -> Self {
        Self {
            frames: VecDeque::new(),
            capacity: capacity.max(MIN_HISTORY_FRAMES),
            owned: OwnedRows::default(),
            working: WorkingFrame::new(&schema),
            pool: FramePool::default(),
            schema,
        }
    }

    /// The schema of all frames.
    #[must_use]
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Publishes the frame of `tick`: `rows` puts every entity that exists, and the events that the step emitted are taken
    /// out of `events`.
    ///
    /// # Panics
    /// If `tick` is not later than the newest frame's. The caller owns the tick counter, so that is its mistake.
    pub fn publish(
        &mut self,
        tick: Tick,
        events: &mut Events,
        rows: impl FnOnce(&mut Publisher<'_>),
    ) {
        assert!(
            self.frames.back().is_none_or(|newest| newest.tick < tick),
            "tick {tick} was published before"
        );
        self.working.begin_tick(tick);
        self.owned.clear();
        rows(&mut Publisher {
            working: &mut self.working,
            owned: &mut self.owned,
            schema: &self.schema,
        });
        self.working.end_tick();
        self.owned.sort();
        let is_full = self.frames.len() >= self.capacity;
        let oldest = self.frames.pop_front_if(|_| is_full);
        let mut frame = oldest.unwrap_or_else(|| Frame::empty(&self.schema));
        let empty;
        let before = match self.frames.back() {
            Some(newest) => newest,
            None => {
                empty = Frame::empty(&self.schema);
                &empty
            }
        };
        frame.rebuild(tick, &self.working, before, &mut self.pool);
        frame.events.take_from(events);
        frame.events.assert_valid(&self.schema);
        for cell in frame.events.cells() {
            self.working.cells[cell.index()].changed_at = tick;
        }
        self.frames.push_back(frame);
    }

    /// The newest frame; `None` before the first publication.
    #[must_use]
    pub fn newest(&self) -> Option<&Frame> {
        self.frames.back()
    }

    /// The frame of a tick; `None` if the tick was skipped or has fallen out of the history.
    #[must_use]
    pub fn at(&self, tick: Tick) -> Option<&Frame> {
        let newest = self.frames.back()?;
        // Without skipped ticks the frame is exactly that far from the end. Otherwise it is searched for.
        let ago = newest.tick.0.checked_sub(tick.0)? as usize;
        let guess = self
            .frames
            .len()
            .checked_sub(1 + ago)
            .and_then(|index| self.frames.get(index));
        match guess {
            Some(frame) if frame.tick == tick => Some(frame),
            _ => self
                .frames
                .binary_search_by_key(&tick, |frame| frame.tick)
                .ok()
                .and_then(|index| self.frames.get(index)),
        }
    }

    /// The frames after `tick`, oldest first.
    pub fn after(&self, tick: Tick) -> impl Iterator<Item = &Frame> {
        let start = match self.frames.back() {
            Some(newest) if newest.tick.since(tick) == 1 => self.frames.len() - 1,
            _ => self.frames.partition_point(|frame| frame.tick <= tick),
        };
        self.frames.range(start..)
    }

    /// The tick of the frame before the newest.
    #[must_use]
    pub fn previous_tick(&self) -> Option<Tick> {
        self.frames
            .len()
            .checked_sub(2)
            .and_then(|index| self.frames.get(index))
            .map(Frame::tick)
    }

    /// The private lanes of the newest frame.
    #[must_use]
    pub fn owned(&self) -> &OwnedRows {
        &self.owned
    }

    /// The newest tick at which a cell's rows changed or an event touched it.
    #[must_use]
    pub fn changed_at(&self, cell: CellId) -> Tick {
        self.working
            .cells
            .get(cell.index())
            .map_or(Tick(0), |cell| cell.changed_at)
    }

    /// The wrapping sum of the hashes of a cell's rows in the newest frame.
    #[must_use]
    pub fn cell_hash(&self, cell: CellId) -> u64 {
        self.working
            .cells
            .get(cell.index())
            .map_or(0, |cell| cell.hash)
    }

    /// The hash of a row of the newest frame.
    pub(crate) fn row_hash(&self, key: RowKey) -> u64 {
        self.working.row_hash(key)
    }

    /// Whether the newest frame changed the row of this key.
    pub(crate) fn is_changed(&self, key: RowKey) -> bool {
        self.working.is_changed(key)
    }
}
