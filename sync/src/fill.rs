//! The fill: which cells of a view a snapshot brings up to date where the path does not carry them all.
//!
//! In: a view, where the player looks, and how many bytes the path carries now. Out: the cells that are held back, for
//! [`Snapshot::build`](crate::snapshot::Snapshot::build). Own cells go always; the others by a priority that grows with age
//! and nearness, so that what is near is fresh and what is far comes less often, but comes. Blocks are taken from the memo,
//! where the snapshot finds them again. Nothing is allocated in the steady state.

use crate::grid::{CellId, Grid};
use crate::history::History;
use crate::memo::{BlockMemo, Encoding};
use crate::view::View;
use glam::IVec2;

/// What a header takes of the bytes, about.
const HEADER: usize = 24;
/// How old a cell counts that the client does not have at all, in ticks.
const MISSING_AGE: u32 = MOST_AGE;
/// A cell that is older than this goes next, however far it is: a world that stands still would look dead.
const MOST_AGE: u32 = 54;

/// The cells of one snapshot that are held back. Used again for the next client.
#[derive(Debug, Default)]
pub struct Fill {
    /// Priority and place in the view of what may wait.
    waiting: Vec<(u32, usize)>,
    held: Vec<CellId>,
}

impl Fill {
    /// Nothing is held: the path carries everything.
    pub fn everything(&mut self) {
        self.held.clear();
    }

    /// Chooses what goes within `bytes` (and a part of a block more: what a block takes is known when it is made).
    pub fn choose(
        &mut self,
        view: &View,
        history: &History,
        memo: &mut BlockMemo,
        encoding: Encoding,
        focus: IVec2,
        bytes: usize,
    ) {
        self.held.clear();
        self.waiting.clear();
        let Some(now) = history.newest() else { return };
        let grid = &history.schema().grid;
        let mut used = HEADER;
        let mut oldest = (0, 0);
        for (place, cell) in view.cells.iter().enumerate() {
            // What has not changed costs nothing.
            let Some(key) = cell.block_due(history, encoding) else {
                continue;
            };
            let nearness = grid.nearness(cell.id, focus);
            if nearness == Grid::INSIDE {
                used += memo.block(history, key).len();
                continue;
            }
            let age = cell
                .base()
                .map_or(MISSING_AGE, |base| now.tick().since(base));
            oldest = oldest.max((age, place));
            self.waiting
                .push((age.saturating_mul(nearness.max(1)), place));
        }
        // The most urgent first; of equals the one that comes first in the view.
        self.waiting
            .sort_unstable_by_key(|(priority, place)| (std::cmp::Reverse(*priority), *place));
        let due = (oldest.0 >= MOST_AGE).then_some(oldest.1);
        let due = due.or(self.waiting.first().map(|(_, place)| *place));
        // One more than the own cells goes in any case: nothing waits for ever.
        let block_of = |place: usize, memo: &mut BlockMemo| {
            let key = view.cells[place].block_due(history, encoding);
            key.map_or(0, |key| memo.block(history, key).len())
        };
        used += due.map_or(0, |place| block_of(place, memo));
        for (_, place) in self.waiting.iter().filter(|(_, place)| Some(*place) != due) {
            if used >= bytes {
                self.held.push(view.cells[*place].id);
            } else {
                used += block_of(*place, memo);
            }
        }
        self.held.sort_unstable();
    }

    /// Whether a cell stays at its base.
    #[must_use]
    pub fn holds(&self, cell: CellId) -> bool {
        self.held.binary_search(&cell).is_ok()
    }

    /// How many cells are held.
    #[must_use]
    pub fn held_count(&self) -> usize {
        self.held.len()
    }
}
