//! The cell prioritizer: which cells of a view a snapshot brings up to date, where the path does not carry them all.
//!
//! In: a view, the player's focus, and a byte budget. Out: the cells to defer, and which cells go in parts, because they are
//! larger than what the path carries in some ticks. The cell that the focus is in always goes, unless it goes
//! in parts: then the part with the player's own rows comes first. The others go by a priority that accumulates with age and grows with nearness, so near cells are fresh and far ones come less
//! often, but come. Sizes are those of blocks in the cache, where the snapshot finds them again.

use super::client_view::ClientView;
use crate::encode::{BlockCache, BlockKey, Encoding};
use crate::frame::{Frame, History};
use crate::world::{CellId, CellPart, Grid, PlayerId, Priority, Schema};
use glam::IVec2;

/// What a snapshot's header takes of the budget, roughly, in bytes.
const HEADER_BYTES: usize = 24;
/// A cell older than this many ticks (0.9 s at 60 Hz) goes next, however far it is: a part of the world that is frozen looks
/// broken.
const MAX_AGE_TICKS: u32 = 54;
/// What the age of a cell that the client does not have at all counts for in its priority.
const MISSING_AGE_TICKS: u32 = 20;
/// In every such snapshot a cell that the client does not have goes next, as if it had the largest age.
const MISSING_DUE_EVERY: u32 = 4;
/// A cell goes in parts once its block is larger than so many budgets.
const SPLIT_ABOVE_BUDGETS: usize = 2;
/// By how much the part of a cell with the player's own rows comes before the others.
const OWN_PART_FACTOR: u32 = 4;
/// Rows of a cell for each part that it can have.
const MIN_ROWS_PER_PART: usize = 4;
/// Cells that are parted for one snapshot. Each makes the selection start anew.
const MAX_SPLITS: usize = 8;

/// The cells that one snapshot defers. Reused for the next client.
#[derive(Debug, Default)]
pub struct CellPrioritizer {
    /// Priority and index in the view of the cells that may be deferred.
    candidates: Vec<(u32, usize)>,
    deferred: Vec<CellId>,
}

impl CellPrioritizer {
    /// Defers nothing: the path carries everything.
    pub fn defer_nothing(&mut self, view: &mut ClientView, grid: &Grid) {
        view.make_settled_cells_whole(grid);
        self.deferred.clear();
    }

    /// Selects the cells that go within `budget` bytes, and defers the others. The last block may exceed the budget, as its size
    /// is known only once it is encoded. A cell whose block is much larger than the budget goes in parts from now on; `owner` is
    /// the player whose own rows come first.
    #[allow(
        clippy::too_many_arguments,
        reason = "a view, the world that it is of, and the path to its client"
    )]
    pub fn select(
        &mut self,
        view: &mut ClientView,
        history: &History,
        cache: &mut BlockCache,
        encoding: Encoding,
        focus: IVec2,
        owner: PlayerId,
        budget: usize,
    ) {
        view.make_settled_cells_whole(&history.schema().grid);
        view.selections = view.selections.wrapping_add(1);
        let splits = if view.takes_parts { MAX_SPLITS } else { 0 };
        for _ in 0..splits {
            let request = Request {
                view,
                history,
                encoding,
                focus,
                owner,
                budget,
            };
            let Some((cell, count_log2)) = self.try_select(&request, cache, true) else {
                return;
            };
            if !view.split(history, cell, count_log2) {
                break;
            }
        }
        let request = Request {
            view,
            history,
            encoding,
            focus,
            owner,
            budget,
        };
        self.try_select(&request, cache, false);
    }

    /// Selects. Returns the cell that should be parted first, and into how many parts, as a power of two.
    fn try_select(
        &mut self,
        request: &Request<'_>,
        cache: &mut BlockCache,
        may_split: bool,
    ) -> Option<(CellId, u8)> {
        let Request {
            view,
            history,
            encoding,
            focus,
            ..
        } = *request;
        self.deferred.clear();
        self.candidates.clear();
        let now = history.newest()?;
        let schema = history.schema();
        let grid = &schema.grid;
        let has_priorities = (schema.kinds.iter()).any(|kind| kind.priority != Priority::default());
        let budget = request.budget;
        let mut used = HEADER_BYTES;
        if view.has_parts() {
            used += view.cells.len() / 8;
        }
        // What is missing at the client can wait for what is there and has grown old, but not for ever.
        let missing_is_due = view.selections.is_multiple_of(MISSING_DUE_EVERY);
        let mut oldest: Option<(u32, u64, std::cmp::Reverse<usize>)> = None;
        for (index, cell) in view.cells.iter().enumerate() {
            // Unchanged cells cost nothing.
            let Some(key) = cell.pending_block(history, encoding) else {
                continue;
            };
            let nearness = grid.nearness(cell.id, focus);
            if nearness == Grid::NEARNESS_INSIDE && key.part.is_whole() {
                let length = cache.block(history, key).len();
                if may_split && let Some(split) = request.split(key, length) {
                    return Some(split);
                }
                used += length;
                continue;
            }
            let is_own = !key.part.is_whole() && request.has_own_row(key);
            let nearness = nearness.max(1) * if is_own { OWN_PART_FACTOR } else { 1 };
            let age = cell.baseline().map(|base| now.tick().since(base));
            let mut priority = u64::from(age.unwrap_or(MISSING_AGE_TICKS)) * u64::from(nearness);
            if has_priorities {
                priority = priority * u64::from(cell_priority(schema, now, key.cell).0) / 100;
            }
            let due_age = age.unwrap_or(if missing_is_due { u32::MAX } else { 0 });
            if due_age >= MAX_AGE_TICKS {
                oldest = oldest.max(Some((due_age, priority, std::cmp::Reverse(index))));
            }
            self.candidates
                .push((u32::try_from(priority).unwrap_or(u32::MAX), index));
        }
        // By descending priority; equal ones in the order of the view.
        self.candidates
            .sort_unstable_by_key(|(priority, index)| (std::cmp::Reverse(*priority), *index));
        let due = oldest.map(|(_, _, index)| index.0);
        // One cell besides the focus's own goes in any case, so that none waits for ever.
        let first = due.or(self.candidates.first().map(|(_, index)| *index));
        let others =
            (self.candidates.iter().map(|(_, index)| *index)).filter(|index| Some(*index) != first);
        for index in first.into_iter().chain(others) {
            let cell = &view.cells[index];
            if used >= budget && Some(index) != first {
                self.deferred.push(cell.id);
            } else if let Some(key) = cell.pending_block(history, encoding) {
                let length = cache.block(history, key).len();
                if may_split && let Some(split) = request.split(key, length) {
                    return Some(split);
                }
                used += length;
            }
        }
        self.deferred.sort_unstable();
        None
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

/// What to select from.
struct Request<'a> {
    view: &'a ClientView,
    history: &'a History,
    encoding: Encoding,
    focus: IVec2,
    owner: PlayerId,
    budget: usize,
}

impl Request<'_> {
    /// Whether a row of the player's own is in this part.
    fn has_own_row(&self, key: BlockKey) -> bool {
        let mut own = (self.history.owned()).of(self.owner, self.history.schema());
        own.any(|(id, _)| key.part.contains(id.key()))
    }

    /// Into how many parts a cell should be parted whose block, or that of one of its parts, has this length, as a power of two;
    /// `None` if it stays as it is.
    fn split(&self, key: BlockKey, length: usize) -> Option<(CellId, u8)> {
        let budget = self.budget.max(1);
        if length <= SPLIT_ABOVE_BUDGETS * budget {
            return None;
        }
        let rows = self.history.newest()?.members(key.cell).len();
        let wanted = (length.div_ceil(budget) * key.part.count()).next_power_of_two();
        let most = (rows / MIN_ROWS_PER_PART).max(1);
        let count_log2 = wanted.min(most).ilog2() as u8;
        let count_log2 = count_log2.min(CellPart::MAX_COUNT_LOG2);
        (1 << count_log2 > key.part.count()).then_some((key.cell, count_log2))
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
