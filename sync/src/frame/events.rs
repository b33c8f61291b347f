//! Events: what happened at one tick and leaves no state behind (a shot, an explosion, a kill).
//!
//! In: what a game emits during its step, each event with the cells that it touches. Out: a list per frame, sorted by cell,
//! that blocks draw from. A cell keeps at most [`MAX_EVENTS_PER_CELL`] events per tick; the oldest beyond that are dropped
//! and counted.

use crate::world::{CellId, Schema};

/// The most events that one cell keeps of one tick.
pub const MAX_EVENTS_PER_CELL: usize = 64;
/// The age in ticks from which on an event is not sent any more; one that old is not worth showing.
pub const MAX_EVENT_AGE_TICKS: u32 = 64;

/// One event of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event<'a> {
    /// Counts up by one with every event of the room.
    pub number: u32,
    /// Position in the schema's list of event kinds.
    pub kind: u32,
    /// The game's own encoding.
    pub payload: &'a [u8],
}

#[derive(Clone, Debug)]
struct Record {
    number: u32,
    kind: u32,
    payload: std::ops::Range<usize>,
}

/// The events of one tick. Filled by [`Self::emit`] during the step, sorted when the frame is published.
#[derive(Clone, Default, Debug)]
pub struct Events {
    records: Vec<Record>,
    payloads: Vec<u8>,
    /// (cell, position in `records`), sorted once the frame is published.
    touched: Vec<(CellId, u32)>,
    next_number: u32,
    dropped: u64,
}

impl Events {
    /// Adds an event that touches these cells. Events keep the order of the calls. `kind` is the position in the schema's list
    /// of event kinds. Publishing the tick panics if the schema has no such kind, or the grid no such cell.
    pub fn emit(&mut self, kind: u32, payload: &[u8], cells: impl IntoIterator<Item = CellId>) {
        let start = self.payloads.len();
        self.payloads.extend_from_slice(payload);
        let index = self.records.len() as u32;
        self.records.push(Record {
            number: self.next_number,
            kind,
            payload: start..self.payloads.len(),
        });
        self.next_number = self.next_number.wrapping_add(1);
        self.touched
            .extend(cells.into_iter().map(|cell| (cell, index)));
    }

    /// The number of the next event.
    #[must_use]
    pub fn next_number(&self) -> u32 {
        self.next_number
    }

    /// Gives the next event this number: those before it belong to an earlier process that ran the same room.
    pub fn count_from(&mut self, number: u32) {
        self.next_number = number;
    }

    /// Takes the emitted events out of `queue` and sorts them by cell. The two exchange their buffers.
    pub(crate) fn take_from(&mut self, queue: &mut Self) {
        std::mem::swap(self, queue);
        queue.clear();
        queue.next_number = self.next_number;
        self.touched.sort_unstable();
        self.touched.dedup();
        self.drop_oldest_beyond_limit();
        queue.dropped = self.dropped;
    }

    /// Checks that the schema knows every kind and cell.
    ///
    /// # Panics
    /// If it does not, which is a mistake of the game. Nothing that comes from a network reaches this.
    pub(crate) fn assert_valid(&self, schema: &Schema) {
        if let Some(unknown) =
            (self.records.iter()).find(|one| one.kind as usize >= schema.events.len())
        {
            panic!(
                "an event of kind {} was emitted, which the schema does not have",
                unknown.kind
            );
        }
        // Sorted by cell, so the last one is the largest.
        if let Some((cell, _)) = self.touched.last() {
            assert!(
                cell.index() < schema.grid.cell_count(),
                "an event was emitted in {cell:?}, which the grid does not have"
            );
        }
    }

    /// Makes this the same as `other`. Nothing is allocated once this has held as many events.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        self.records.clear();
        self.records.extend_from_slice(&other.records);
        self.payloads.clear();
        self.payloads.extend_from_slice(&other.payloads);
        self.touched.clear();
        self.touched.extend_from_slice(&other.touched);
        self.next_number = other.next_number;
        self.dropped = other.dropped;
    }

    /// Each cell with the position of an event that touches it, in the order of [`Self::all`]; sorted by both.
    pub fn touched(&self) -> impl Iterator<Item = (CellId, usize)> {
        (self.touched.iter()).map(|(cell, index)| (*cell, *index as usize))
    }

    pub(crate) fn clear(&mut self) {
        self.records.clear();
        self.payloads.clear();
        self.touched.clear();
    }

    fn drop_oldest_beyond_limit(&mut self) {
        let touched = &self.touched;
        // Sorted by cell and age: an entry is too old exactly if the entry MAX_EVENTS_PER_CELL further on is of the same cell.
        let is_crowded = |at: usize| {
            touched
                .get(at + MAX_EVENTS_PER_CELL)
                .is_some_and(|(cell, _)| *cell == touched[at].0)
        };
        let crowded: usize = (0..touched.len()).filter(|at| is_crowded(*at)).count();
        if crowded > 0 {
            let keep: Vec<_> = (0..touched.len())
                .filter(|at| !is_crowded(*at))
                .map(|at| touched[at])
                .collect();
            self.touched = keep;
            self.dropped += crowded as u64;
        }
    }

    /// How many events were dropped from crowded cells so far.
    #[must_use]
    pub fn dropped_count(&self) -> u64 {
        self.dropped
    }

    /// The cells that events of this tick touch, ascending, each once or more.
    pub(crate) fn cells(&self) -> impl Iterator<Item = CellId> {
        self.touched.iter().map(|(cell, _)| *cell)
    }

    /// All events, oldest first.
    pub fn all(&self) -> impl Iterator<Item = Event<'_>> {
        self.records.iter().filter_map(|record| self.event(record))
    }

    /// The events that touch a cell, oldest first.
    pub fn in_cell(&self, cell: CellId) -> impl Iterator<Item = Event<'_>> {
        let start = self.touched.partition_point(|(other, _)| *other < cell);
        let rest = self.touched.get(start..).unwrap_or_default();
        rest.iter()
            .take_while(move |(other, _)| *other == cell)
            .filter_map(|(_, index)| self.event(self.records.get(*index as usize)?))
    }

    fn event(&self, record: &Record) -> Option<Event<'_>> {
        Some(Event {
            number: record.number,
            kind: record.kind,
            payload: self.payloads.get(record.payload.clone())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowded_cell_keeps_its_newest_events() {
        let (mut queue, mut frame) = (Events::default(), Events::default());
        for number in 0..100 {
            queue.emit(0, &[number], [CellId(3)]);
        }
        queue.emit(1, b"x", [CellId(4), CellId(2), CellId(4)]);
        frame.take_from(&mut queue);
        let numbers: Vec<u32> = frame.in_cell(CellId(3)).map(|event| event.number).collect();
        assert_eq!(numbers, (36..100).collect::<Vec<_>>());
        assert_eq!(frame.in_cell(CellId(4)).count(), 1);
        assert_eq!(queue.dropped_count(), 36);
        queue.emit(0, b"", [CellId(0)]);
        frame.take_from(&mut queue);
        assert_eq!(
            frame.in_cell(CellId(0)).next().map(|event| event.number),
            Some(101)
        );
    }
}
