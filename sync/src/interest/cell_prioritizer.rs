//! The cell prioritizer: which cells of a view a snapshot brings up to date, where the path does not carry them all.
//!
//! In: a view, the player's focus, and a byte budget. Out: the cells to defer. The cell that the focus is in always goes. The
//! others go by a priority that accumulates with age and grows with nearness, so near cells are fresh and far ones come less
//! often, but come. Sizes are those of blocks in the cache, where the snapshot finds them again.

use super::client_view::ClientView;
use crate::encode::{BlockCache, Encoding};
use crate::frame::{Frame, History};
use crate::world::{CellId, Grid, Priority, Schema};
use glam::IVec2;

/// What a snapshot's header takes of the budget, roughly, in bytes.
const HEADER_BYTES: usize = 24;
/// A cell older than this many ticks (0.9 s at 60 Hz) goes next, however far it is: a part of the world that is frozen looks
/// broken.
const MAX_AGE_TICKS: u32 = 54;
/// The age of a cell that the client does not have at all.
const MISSING_AGE_TICKS: u32 = MAX_AGE_TICKS;

/// The cells that one snapshot defers. Reused for the next client.
#[derive(Debug, Default)]
pub struct CellPrioritizer {
    /// Priority and index in the view of the cells that may be deferred.
    candidates: Vec<(u32, usize)>,
    deferred: Vec<CellId>,
}

impl CellPrioritizer {
    /// Defers nothing: the path carries everything.
    pub fn defer_nothing(&mut self) {
        self.deferred.clear();
    }

    /// Selects the cells that go within `budget` bytes, and defers the others. The last block may exceed the budget, as its size
    /// is known only once it is encoded.
    pub fn select(
        &mut self,
        view: &ClientView,
        history: &History,
        cache: &mut BlockCache,
        encoding: Encoding,
        focus: IVec2,
        budget: usize,
    ) {
        self.deferred.clear();
        self.candidates.clear();
        let Some(now) = history.newest() else { return };
        let schema = history.schema();
        let grid = &schema.grid;
        let has_priorities = (schema.kinds.iter()).any(|kind| kind.priority != Priority::default());
        let mut used = HEADER_BYTES;
        let mut oldest = (0, 0);
        for (index, cell) in view.cells.iter().enumerate() {
            // Unchanged cells cost nothing.
            let Some(key) = cell.pending_block(history, encoding) else {
                continue;
            };
            let nearness = grid.nearness(cell.id, focus);
            if nearness == Grid::NEARNESS_INSIDE {
                used += cache.block(history, key).len();
                continue;
            }
            let age = cell
                .baseline()
                .map_or(MISSING_AGE_TICKS, |base| now.tick().since(base));
            oldest = oldest.max((age, index));
            let mut priority = u64::from(age) * u64::from(nearness.max(1));
            if has_priorities {
                priority = priority * u64::from(cell_priority(schema, now, cell.id).0) / 100;
            }
            self.candidates
                .push((u32::try_from(priority).unwrap_or(u32::MAX), index));
        }
        // By descending priority; equal ones in the order of the view.
        self.candidates
            .sort_unstable_by_key(|(priority, index)| (std::cmp::Reverse(*priority), *index));
        let due = (oldest.0 >= MAX_AGE_TICKS).then_some(oldest.1);
        let due = due.or(self.candidates.first().map(|(_, index)| *index));
        // One cell besides the focus's own goes in any case, so that none waits for ever.
        let block_bytes = |index: usize, cache: &mut BlockCache| {
            let key = view.cells[index].pending_block(history, encoding);
            key.map_or(0, |key| cache.block(history, key).len())
        };
        used += due.map_or(0, |index| block_bytes(index, cache));
        for (_, index) in self
            .candidates
            .iter()
            .filter(|(_, index)| Some(*index) != due)
        {
            if used >= budget {
                self.deferred.push(view.cells[*index].id);
            } else {
                used += block_bytes(*index, cache);
            }
        }
        self.deferred.sort_unstable();
    }

    /// Whether a cell stays at its baseline.
    #[must_use]
    pub fn defers(&self, cell: CellId) -> bool {
        self.deferred.binary_search(&cell).is_ok()
    }

    /// How many cells are deferred.
    #[must_use]
    pub fn deferred_count(&self) -> usize {
        self.deferred.len()
    }
}

/// The largest priority of the kinds in a cell; the usual one for a cell that has become empty.
fn cell_priority(schema: &Schema, frame: &Frame, cell: CellId) -> Priority {
    let mut members = frame.members(cell);
    let mut largest = None;
    while let Some(first) = members.first() {
        let kind = first.kind();
        let priority = schema.kind(kind).map(|kind| kind.priority);
        largest = largest.max(priority);
        // Members are sorted by kind.
        members = &members[members.partition_point(|key| key.kind() <= kind)..];
    }
    largest.unwrap_or_default()
}
