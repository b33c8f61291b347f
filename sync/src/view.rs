//! A view: the cells that one client sees now, each with the tick at which that client has it.
//!
//! In: where the player looks, and which snapshots were sent. Out: for each cell the base of its next block. Over an ordered,
//! reliable transport the base is simply what was last sent; no acknowledgement is needed.

use crate::grid::{CellId, Grid, Layer, LayerSet};
use crate::hash;
use crate::history::History;
use crate::ids::{Seq, Tick};
use crate::memo::{BlockKey, Encoding};
use crate::packed;
use crate::sent_ticks::SentTicks;
use glam::IVec2;

/// What a player looks at. Positions and lengths are in the unit of the x and y lanes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sight {
    /// The middle of the screen.
    pub focus: IVec2,
    /// Half the width and height of what shall be replicated around the focus, at least 0.
    pub half_extent: IVec2,
    /// The layers that the player sees.
    pub layers: LayerSet,
}

/// The cells that one client sees, ascending.
#[derive(Clone, Debug, Default)]
pub struct View {
    pub(crate) cells: Vec<ViewCell>,
    /// Cells that the client has and that are no longer seen.
    pub(crate) dropped: Vec<CellId>,
    /// Cells that the client had until lately: its claims may be of before. The latest last.
    departed: Vec<Departed>,
    /// When to look through them again: some have not been told, or will be too old.
    departed_due: Option<Tick>,
    /// Whether the client has had a first snapshot since the connection or the last [`View::start_over`].
    pub(crate) started: bool,
    /// What the header of the snapshot built last says, and of the one sent last: packed headers tell the difference.
    pub(crate) built: Told,
    pub(crate) told: Told,
    aimed: Option<Aim>,
}

/// What a client has been told in headers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Told {
    pub tick: Tick,
    pub applied_seq: Seq,
    pub starved_inputs: u32,
}

/// One cell of a view.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ViewCell {
    pub id: CellId,
    /// The cell's hash at the base.
    pub hash: u64,
    /// Which ticks of the cell the client was sent; the newest is the base of its next block.
    pub sent: SentTicks,
    /// Whether the snapshot that was built last leaves this cell at its base.
    pub is_held: bool,
}

/// A cell that has left the view.
#[derive(Clone, Copy, Debug)]
struct Departed {
    id: CellId,
    sent: SentTicks,
    /// The snapshot that told the client; `None`: it has not been told yet.
    told: Option<Tick>,
}

/// A sight that the view was turned to, and how far its focus may go before other squares are seen.
#[derive(Clone, Copy, Debug)]
struct Aim {
    half_extent: IVec2,
    layers: LayerSet,
    /// The least and the greatest such focus.
    focus: (IVec2, IVec2),
}

impl Aim {
    /// Whether this sight sees the same squares. (Nearly always, and then nothing need be divided.)
    #[inline]
    fn still_holds(&self, sight: &Sight) -> bool {
        let (least, greatest) = self.focus;
        self.half_extent == sight.half_extent
            && self.layers == sight.layers
            && sight.focus.cmpge(least).all()
            && sight.focus.cmple(greatest).all()
    }
}

impl View {
    /// Turns the view to a sight: cells that the sight touches join, and cells that it has left by more than a quarter of a
    /// cell's side are dropped, so that walking along a border does not flap.
    pub fn aim(&mut self, grid: &Grid, sight: Sight) {
        if self.aimed.is_some_and(|aim| aim.still_holds(&sight)) {
            return;
        }
        let half = sight.half_extent.max(IVec2::ZERO);
        let margin = IVec2::splat((grid.cell_size / 4) as i32);
        let wide = half.saturating_add(margin);
        let squares = |extent: IVec2| {
            grid.squares_within(
                sight.focus.saturating_sub(extent),
                sight.focus.saturating_add(extent),
            )
        };
        let (inner, outer) = (squares(half), squares(wide));
        // As long as each corner stays in its square.
        let everywhere = (IVec2::MIN, IVec2::MAX);
        let corners = [-half, half, -wide, wide];
        let focus = corners
            .into_iter()
            .fold(everywhere, |(least, greatest), corner| {
                let (first, last) = grid.around(sight.focus.saturating_add(corner));
                (
                    least.max(first.saturating_sub(corner)),
                    greatest.min(last.saturating_sub(corner)),
                )
            });
        self.aimed = Some(Aim {
            half_extent: sight.half_extent,
            layers: sight.layers,
            focus,
        });
        self.make_room(grid, wide, sight.layers);
        let is_seen = |cell: CellId| match grid.square_of(cell) {
            Some(square) => outer.contains(square) && sight.layers.contains(grid.layer_of(cell)),
            None => true,
        };
        for cell in self.cells.extract_if(.., |cell| !is_seen(cell.id)) {
            if cell.base().is_some() {
                self.dropped.push(cell.id);
                // There is room for a whole view; who turns about faster than that loses the oldest.
                if self.departed.len() == self.departed.capacity() {
                    self.departed.remove(0);
                }
                self.departed.push(Departed {
                    id: cell.id,
                    sent: cell.sent,
                    told: None,
                });
                self.departed_due = Some(Tick(0));
            }
        }
        self.add(CellId::GLOBAL);
        for layer in (0..grid.layers)
            .map(Layer)
            .filter(|layer| sight.layers.contains(*layer))
        {
            for square in grid.each(inner) {
                self.add(grid.cell_of(square, layer));
            }
        }
    }

    /// Asks for the first cell, which is the global one; see `tickwire_prefetch`.
    pub fn prefetch_first(&self) {
        if let Some(first) = self.cells.first() {
            tickwire_prefetch::near(first);
        }
    }

    /// Asks for the cells.
    pub fn prefetch(&self) {
        tickwire_prefetch::near(&self.cells[..]);
    }

    /// Makes the next snapshot start over: the client is assumed to have nothing.
    pub fn start_over(&mut self) {
        self.started = false;
        self.dropped.clear();
        self.departed.clear();
        self.departed_due = None;
        for cell in &mut self.cells {
            *cell = ViewCell::new(cell.id);
        }
    }

    /// Notes that the snapshot built last for this view was sent: every cell it did not hold now stands at the newest frame.
    pub fn sent(&mut self, history: &History) {
        let Some(tick) = history.newest().map(|frame| frame.tick()) else {
            return;
        };
        self.started = true;
        self.told = self.built;
        self.dropped.clear();
        if self.departed_due.is_some_and(|due| due <= tick) {
            self.look_at_departed(tick);
        }
        for cell in self.cells.iter_mut().filter(|cell| !cell.is_held) {
            cell.hash = history.cell_hash(cell.id);
            cell.sent.record(tick);
        }
    }

    /// A snapshot has told the client of all that have left; those that it was told of long ago are forgotten.
    fn look_at_departed(&mut self, now: Tick) {
        self.departed.retain_mut(|cell| {
            let told = *cell.told.get_or_insert(now);
            now.since(told) <= SentTicks::REACH
        });
        let oldest = self.departed.iter().filter_map(|cell| cell.told).min();
        self.departed_due = oldest.map(|told| Tick(told.0 + SentTicks::REACH + 1));
    }

    /// The cells of the view and the tick at which the client has each, ascending.
    pub fn bases(&self) -> impl Iterator<Item = (CellId, Option<Tick>)> {
        self.cells.iter().map(|cell| (cell.id, cell.base()))
    }

    /// Which ticks of a cell the client was sent.
    #[must_use]
    pub fn sent_ticks(&self, cell: CellId) -> Option<SentTicks> {
        let index = match cell {
            // The least of all, and in every view that was aimed.
            CellId::GLOBAL => 0,
            _ => self
                .cells
                .binary_search_by_key(&cell, |cell| cell.id)
                .ok()?,
        };
        self.cells.get(index).map(|cell| cell.sent)
    }

    /// The same as it stood when `received` was the client's newest snapshot: a cell may have left the view since, and come back.
    pub(crate) fn sent_ticks_at(&self, cell: CellId, received: Tick) -> Option<SentTicks> {
        self.departed
            .iter()
            .find(|it| it.id == cell && it.told.is_none_or(|told| received < told))
            .map(|it| it.sent)
            .or_else(|| self.sent_ticks(cell))
    }

    /// Whether the client was sent this cell at this tick, even if it has left the view since.
    pub(crate) fn was_sent(&self, cell: CellId, tick: Tick) -> bool {
        let is_seen = self
            .sent_ticks(cell)
            .is_some_and(|sent| sent.contains(tick));
        let mut departed = self.departed.iter().filter(|it| it.id == cell);
        is_seen || departed.any(|it| it.sent.contains(tick))
    }

    /// The hash of the view as it will stand once the snapshot built last is applied.
    pub(crate) fn hash_when_sent(&self, history: &History) -> u64 {
        self.cells
            .iter()
            .fold(0, |sum, cell| match (cell.is_held, cell.base()) {
                (false, _) => {
                    sum.wrapping_add(hash::cell_in_view(cell.id, history.cell_hash(cell.id)))
                }
                (true, Some(_)) => sum.wrapping_add(hash::cell_in_view(cell.id, cell.hash)),
                (true, None) => sum,
            })
    }

    /// Room for as many cells as such a sight can have anywhere, so that moving and turning allocates nothing.
    fn make_room(&mut self, grid: &Grid, wide: IVec2, layers: LayerSet) {
        let along = |extent: i32, count: u32| {
            // A stretch of so many squares begins and ends within one.
            let squares = 2 * u64::from(extent.unsigned_abs()) / u64::from(grid.cell_size) + 2;
            squares.min(u64::from(count)) as usize
        };
        let most = 1 + along(wide.x, grid.columns) * along(wide.y, grid.rows) * layers.count();
        self.cells.reserve(most.saturating_sub(self.cells.len()));
        self.dropped
            .reserve(most.saturating_sub(self.dropped.len()));
        self.departed
            .reserve(most.saturating_sub(self.departed.len()));
    }

    fn add(&mut self, id: CellId) {
        if let Err(position) = self.cells.binary_search_by_key(&id, |cell| cell.id) {
            self.cells.insert(position, ViewCell::new(id));
        }
    }
}

impl ViewCell {
    /// The tick at which the client has the cell; `None`: not at all yet.
    pub fn base(&self) -> Option<Tick> {
        self.sent.newest()
    }

    /// The block that brings the cell to the newest frame; `None`: nothing has changed since its base.
    #[inline]
    pub fn block_due(&self, history: &History, encoding: Encoding) -> Option<BlockKey> {
        let now = history.newest()?;
        let base = self.base();
        let is_needed = match base {
            Some(base) => history.changed_at(self.id) > base,
            None => !now.members(self.id).is_empty(),
        };
        let previous = match encoding {
            Encoding::Plain => None,
            Encoding::Packed => {
                packed::previous_for_prediction(base, self.sent.before_newest(), now.tick())
            }
        };
        is_needed.then_some(BlockKey {
            cell: self.id,
            base,
            previous,
            encoding,
        })
    }

    fn new(id: CellId) -> Self {
        Self {
            id,
            hash: 0,
            sent: SentTicks::default(),
            is_held: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cells(view: &View) -> Vec<CellId> {
        view.cells.iter().map(|cell| cell.id).collect()
    }

    proptest! {
        #[test]
        fn what_a_view_does_not_look_up_again_has_not_changed(
            cell in 1_u32..200,
            half in 0..300_i32,
            steps in prop::collection::vec((-150..150_i32, -150..150_i32, prop::option::of(prop::bool::ANY)), 1..60),
        ) {
            let mut grid = Grid::covering(IVec2::splat(-500), IVec2::splat(500), cell);
            grid.layers = 2;
            let (mut lazy, mut eager) = (View::default(), View::default());
            let mut sight = Sight { focus: IVec2::ZERO, half_extent: IVec2::splat(half), layers: LayerSet::default() };
            for (x, y, far) in steps {
                sight.focus = match far {
                    None => sight.focus.saturating_add(IVec2::new(x, y) / 8),
                    Some(true) => sight.focus.saturating_add(IVec2::new(x, y)),
                    Some(false) => IVec2::new(x, y).saturating_mul(IVec2::splat(i32::MAX / 100)),
                };
                lazy.aim(&grid, sight);
                eager.aimed = None;
                eager.aim(&grid, sight);
                prop_assert_eq!(cells(&lazy), cells(&eager));
            }
        }
    }
}
