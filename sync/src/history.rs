//! The history: the ring of the latest frames, and what changed in the newest.
//!
//! In: a game's publication, once a tick. Out: frames by tick, for each cell the tick at which it last changed, its hash
//! now, and for each row whether the newest frame changed it. Finding the changes is one walk over the columns of two
//! frames. In the steady state nothing is allocated: the oldest frame's memory becomes the newest's.

use crate::event::Events;
use crate::frame::{Frame, Members, Owned, Publisher, Table};
use crate::grid::CellId;
use crate::ids::{KindId, RowKey, Tick};
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
    /// For each kind and slot, whether the newest frame differs from the one before (1) or not (0).
    changed: Vec<Vec<u8>>,
    /// For each cell, the newest tick at which its rows changed or an event touched it.
    changed_at: Vec<Tick>,
    /// For each cell, the sum of the hashes of its rows in the newest frame.
    cell_hashes: Vec<u64>,
    /// Members of frames that are gone, to be used again; each is held by nobody else.
    spare_members: Vec<Arc<Members>>,
}

impl History {
    /// An empty history of `capacity` frames, but at least [`MIN_FRAMES`]. The schema must be valid.
    #[must_use]
    pub fn new(schema: Arc<Schema>, capacity: usize) -> Self {
        let cells = schema.grid.cell_count();
        Self {
            frames: VecDeque::new(),
            capacity: capacity.max(MIN_FRAMES),
            owned: Owned::default(),
            changed: vec![Vec::new(); schema.kinds.len()],
            changed_at: vec![Tick(0); cells],
            cell_hashes: vec![0; cells],
            spare_members: Vec::new(),
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
        let is_full = self.frames.len() >= self.capacity;
        let mut frame = if is_full {
            self.frames.pop_front().unwrap_or_default()
        } else {
            Frame::default()
        };
        frame.begin(tick, &self.schema);
        self.owned.clear();
        rows(&mut Publisher {
            frame: &mut frame,
            owned: &mut self.owned,
            schema: &self.schema,
        });
        self.owned.sort();
        frame.events.take_from(events);
        let empty;
        let before = match self.frames.back() {
            Some(newest) => newest,
            None => {
                empty = Frame::default();
                &empty
            }
        };
        let have_moved = find_changes(before, &frame, &mut self.changed);
        let members = if have_moved || before.tables.is_empty() {
            let mut members = self.spare_members.pop().unwrap_or_default();
            if let Some(members) = Arc::get_mut(&mut members) {
                frame.sort_into_cells(self.schema.grid.cell_count(), members);
            }
            members
        } else {
            Arc::clone(&before.members)
        };
        // Those of the frame that was here before are free if no other frame has them.
        let old = std::mem::replace(&mut frame.members, members);
        if Arc::strong_count(&old) == 1 {
            self.spare_members.push(old);
        }
        mark_changed_cells(
            before,
            &frame,
            &self.changed,
            &mut self.changed_at,
            &mut self.cell_hashes,
        );
        for cell in frame.events.cells() {
            self.changed_at[cell.index()] = tick;
        }
        self.frames.push_back(frame);
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
        self.changed_at
            .get(cell.index())
            .copied()
            .unwrap_or_default()
    }

    /// The sum of the hashes of a cell's rows in the newest frame.
    #[must_use]
    pub fn cell_hash(&self, cell: CellId) -> u64 {
        self.cell_hashes
            .get(cell.index())
            .copied()
            .unwrap_or_default()
    }

    /// Whether the newest frame differs at this place from the one before.
    pub(crate) fn is_changed(&self, key: RowKey) -> bool {
        let slots = self.changed.get(key.kind().index());
        slots
            .and_then(|slots| slots.get(key.slot() as usize))
            .is_some_and(|changed| *changed != 0)
    }
}

/// Writes into `changed` which places of the two frames differ. Returns whether any entity came, went or changed its cell.
fn find_changes(before: &Frame, now: &Frame, changed: &mut [Vec<u8>]) -> bool {
    let nothing = Table::default();
    let mut have_moved = false;
    for (kind, (table, changed)) in now.tables.iter().zip(changed).enumerate() {
        let old = before.tables.get(kind).unwrap_or(&nothing);
        let common = old.generations.len().min(table.generations.len());
        changed.clear();
        changed.resize(table.generations.len().max(old.generations.len()), 0);
        let mut moved = 0_u8;
        let names = old.generations.iter().zip(&table.generations);
        let cells = old.cells.iter().zip(&table.cells);
        for (changed, ((old, new), (from, to))) in changed.iter_mut().zip(names.zip(cells)) {
            *changed = u8::from((old | new) != 0) & (u8::from(old != new) | u8::from(from != to));
            moved |= *changed;
        }
        for (old, new) in old.lanes.iter().zip(&table.lanes) {
            for ((changed, old), new) in changed.iter_mut().zip(old).zip(new) {
                *changed |= u8::from(old != new);
            }
        }
        for (old, new) in old.texts.iter().zip(&table.texts) {
            for ((changed, old), new) in changed.iter_mut().zip(old).zip(new) {
                *changed |= u8::from(!Arc::ptr_eq(old, new) && old != new);
            }
        }
        // Vacant places hold whatever they held; only live ones count.
        for (slot, changed) in changed.iter_mut().enumerate() {
            let generation = |table: &Table| table.generations.get(slot).copied().unwrap_or(0);
            if slot < common {
                *changed &= u8::from(old.generations[slot] | table.generations[slot] != 0);
            } else {
                *changed = u8::from(generation(old) | generation(table) != 0);
                moved |= *changed;
            }
        }
        have_moved |= moved != 0;
    }
    have_moved
}

/// Brings the cells' last changes and hashes up to date by the rows that changed.
fn mark_changed_cells(
    before: &Frame,
    now: &Frame,
    changed: &[Vec<u8>],
    changed_at: &mut [Tick],
    hashes: &mut [u64],
) {
    for (kind, changed) in changed.iter().enumerate() {
        for (block, slots) in changed.chunks(8).enumerate() {
            if slots.iter().all(|changed| *changed == 0) {
                continue;
            }
            for (offset, _) in slots
                .iter()
                .enumerate()
                .filter(|(_, changed)| **changed != 0)
            {
                let key = RowKey::new(KindId(kind as u8), (block * 8 + offset) as u32);
                if let Some(cell) = before.cell_of(key) {
                    changed_at[cell.index()] = now.tick;
                    hashes[cell.index()] = hashes[cell.index()].wrapping_sub(before.row_hash(key));
                }
                if let Some(cell) = now.cell_of(key) {
                    changed_at[cell.index()] = now.tick;
                    hashes[cell.index()] = hashes[cell.index()].wrapping_add(now.row_hash(key));
                }
            }
        }
    }
}
