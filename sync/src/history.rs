//! The history: the ring of the latest frames, and what changed in the newest.
//!
//! In: a game's publication, once a tick. Out: frames by tick, for each cell the tick at which it last changed, its hash
//! now, and for each row whether the newest frame changed it. In the steady state nothing is allocated: the oldest frame's
//! memory becomes the newest's, and rows that rest are in all frames the same memory.

use crate::draft::{Draft, Publisher};
use crate::event::Events;
use crate::frame::{Frame, Owned, Spare};
use crate::grid::CellId;
use crate::ids::{RowKey, Tick};
use crate::schema::Schema;
use std::collections::VecDeque;
use std::sync::Arc;

/// Frames that a history keeps at least: two seconds at 60 Hz, so that the slowest window and the longest rewind fit.
pub const MIN_FRAMES: usize = 128;

/// The latest frames of one room.
#[derive(Debug)]
pub struct History {
    schema: Arc<Schema>,
    /// Oldest first; the ticks ascend, with gaps where ticks were skipped.
    frames: VecDeque<Frame>,
    capacity: usize,
    owned: Owned,
    /// The rows of the newest frame, and how they differ from those of the one before.
    draft: Draft,
    spare: Spare,
}

impl History {
    /// An empty history of `capacity` frames, but at least [`MIN_FRAMES`]. The schema must be valid.
    #[must_use]
    pub fn new(schema: Arc<Schema>, capacity: usize) -> Self {
        Self {
            frames: VecDeque::new(),
            capacity: capacity.max(MIN_FRAMES),
            owned: Owned::default(),
            draft: Draft::new(&schema),
            spare: Spare::default(),
            schema,
        }
    }

    /// The schema of all frames.
    #[must_use]
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Publishes the frame of `tick`, which must be later than the newest: `rows` puts every entity that exists, and the
    /// events that the step emitted are taken out of `events`.
    ///
    /// # Panics
    /// If `tick` is not later than the newest frame's (a mistake of the caller, which owns the tick counter).
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
        self.draft.begin(tick);
        self.owned.clear();
        rows(&mut Publisher {
            draft: &mut self.draft,
            owned: &mut self.owned,
            schema: &self.schema,
        });
        self.draft.end();
        self.owned.sort();
        let is_full = self.frames.len() >= self.capacity;
        let oldest = self.frames.pop_front_if(|_| is_full);
        let mut frame = oldest.unwrap_or_else(|| Frame::empty(&self.schema));
        let nothing;
        let before = match self.frames.back() {
            Some(newest) => newest,
            None => {
                nothing = Frame::empty(&self.schema);
                &nothing
            }
        };
        frame.become_copy(tick, &self.draft, before, &mut self.spare);
        frame.events.take_from(events);
        frame.events.assert_known(&self.schema);
        for cell in frame.events.cells() {
            self.draft.cells[cell.index()].changed_at = tick;
        }
        self.frames.push_back(frame);
    }

    /// Asks for what the next publication and the encoding after it will touch, as far as it lies so many pointers away: the draft,
    /// the two newest frames, and the oldest, whose memory the next one takes. See `tickwire_prefetch`.
    pub fn prefetch(&self, hops: u8) {
        self.draft.prefetch(hops);
        let newest = self.frames.iter().rev().take(2);
        if let Some(hops) = hops.checked_sub(1) {
            let frames = newest.chain(self.frames.front());
            frames.for_each(|frame| frame.prefetch(hops));
        }
    }

    /// The newest frame; `None` before the first publication.
    #[must_use]
    pub fn newest(&self) -> Option<&Frame> {
        self.frames.back()
    }

    /// The frame of a tick, if it is still held and was not skipped.
    #[must_use]
    pub fn at(&self, tick: Tick) -> Option<&Frame> {
        let newest = self.frames.back()?;
        // Without skipped ticks the frame is exactly that far from the end; else search.
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

    /// The frames after `base`, oldest first.
    pub fn after(&self, base: Tick) -> impl Iterator<Item = &Frame> {
        let start = match self.frames.back() {
            Some(newest) if newest.tick.since(base) == 1 => self.frames.len() - 1,
            _ => self.frames.partition_point(|frame| frame.tick <= base),
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
    pub fn owned(&self) -> &Owned {
        &self.owned
    }

    /// The newest tick at which a cell's rows changed or an event touched it.
    #[must_use]
    pub fn changed_at(&self, cell: CellId) -> Tick {
        self.draft
            .cells
            .get(cell.index())
            .map_or(Tick(0), |cell| cell.changed_at)
    }

    /// The sum of the hashes of a cell's rows in the newest frame.
    #[must_use]
    pub fn cell_hash(&self, cell: CellId) -> u64 {
        self.draft
            .cells
            .get(cell.index())
            .map_or(0, |cell| cell.hash)
    }

    /// Whether the newest frame differs at this place from the one before.
    pub(crate) fn is_changed(&self, key: RowKey) -> bool {
        self.draft.is_changed(key)
    }
}
