//! The view of one client: the cells that it sees now, each with its baseline.
//!
//! In: the player's area of interest, and which snapshots were sent. Out: for each cell the baseline of its next block. Over
//! an ordered, reliable transport the baseline is what was sent last, so no ack is needed.

use super::cell_splits::{CellSplit, part_hashes};
use super::sent_ticks::SentTicks;
use crate::encode::{BlockKey, Encoding, HeaderBaseline, packed};
use crate::frame::History;
use crate::world::{CellId, CellPart, Grid, Layer, LayerSet, RowKey, Tick, hash};
use glam::IVec2;

/// A cell is dropped once the area has left it by more than its side divided by this.
const HYSTERESIS_DIVISOR: u32 = 4;

/// The part of the world that a player is interested in. Positions and lengths are in the unit of the x and y lanes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InterestArea {
    /// The middle of the area, usually of the screen.
    pub focus: IVec2,
    /// Half the width and height of the area around the focus, at least 0.
    pub half_extent: IVec2,
    /// The layers that the player sees.
    pub layers: LayerSet,
}

/// The cells that one client sees, with their baselines.
#[derive(Clone, Debug)]
pub struct ClientView {
    /// Ascending by number. A parted cell has an entry for each part.
    pub(crate) cells: Vec<ViewCell>,
    /// The cells that this client gets in parts: none on nearly all paths.
    pub(super) splits: Vec<CellSplit>,
    /// Whether the client takes cells in parts.
    pub(super) takes_parts: bool,
    /// Snapshots selected so far within a budget. The cell prioritizer takes turns by it.
    pub(super) selections: u32,
    /// Cells that the client has and no longer sees; the next snapshot tells it to drop them.
    pub(crate) dropped: Vec<CellId>,
    /// Cells that left the view lately, the latest last. A late input may still refer to them.
    left: Vec<LeftCell>,
    /// The tick at which to prune `left` next.
    next_prune: Option<Tick>,
    /// Whether the next snapshot must be a full one: on a new connection, and after [`Self::request_full_snapshot`].
    pub(crate) needs_full_snapshot: bool,
    /// The header of the snapshot sent last, against which the next packed header is encoded.
    pub(crate) sent_header: HeaderBaseline,
    /// The header of the snapshot built last, which becomes `sent_header` once it is sent.
    pub(crate) pending_header: HeaderBaseline,
    pub(super) cached: Option<CachedSquares>,
}

/// One cell of a view, or one part of a cell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ViewCell {
    /// The number on the wire.
    pub id: CellId,
    /// The cell's hash at the baseline.
    pub hash: u64,
    /// The ticks at which the client was sent the cell; the newest is the baseline of its next block.
    pub sent: SentTicks,
    /// Whether the snapshot built last defers this cell, leaving it at its baseline.
    pub is_deferred: bool,
    /// How many parts the cell has here, as a power of two; 0 for a whole cell.
    pub count_log2: u8,
}

/// A cell that has left the view.
#[derive(Clone, Copy, Debug)]
struct LeftCell {
    cell: CellId,
    part: CellPart,
    sent: SentTicks,
    /// The tick of the snapshot that dropped the cell at the client; `None` while none was sent.
    dropped_at: Option<Tick>,
}

/// An area of interest whose squares were looked up, and how far its focus may move before it touches other squares.
#[derive(Clone, Copy, Debug)]
pub(super) struct CachedSquares {
    half_extent: IVec2,
    layers: LayerSet,
    /// The smallest and the largest such focus.
    focus_range: (IVec2, IVec2),
}

impl CachedSquares {
    /// Whether an area touches the same squares. Nearly always it does, which saves the divisions.
    #[inline]
    fn covers(&self, area: &InterestArea) -> bool {
        let (min, max) = self.focus_range;
        self.half_extent == area.half_extent
            && self.layers == area.layers
            && area.focus.cmpge(min).all()
            && area.focus.cmple(max).all()
    }
}

impl Default for ClientView {
    /// The view of a client that has nothing yet.
    fn default() -> Self {
        Self {
            cells: Vec::new(),
            splits: Vec::new(),
            takes_parts: false,
            selections: 0,
            dropped: Vec::new(),
            left: Vec::new(),
            next_prune: None,
            needs_full_snapshot: true,
            sent_header: HeaderBaseline::default(),
            pending_header: HeaderBaseline::default(),
            cached: None,
        }
    }
}

impl ClientView {
    /// Updates the view to an area of interest. Cells that the area touches join. Cells that it has left by more than a quarter
    /// of a cell's side are dropped; this hysteresis keeps a walk along a border from flapping.
    pub fn update_interest(&mut self, grid: &Grid, area: InterestArea) {
        if self.cached.is_some_and(|cached| cached.covers(&area)) {
            return;
        }
        let half = area.half_extent.max(IVec2::ZERO);
        let margin = IVec2::splat((grid.cell_size / HYSTERESIS_DIVISOR) as i32);
        let wide = half.saturating_add(margin);
        let squares = |extent: IVec2| {
            grid.squares_within(
                area.focus.saturating_sub(extent),
                area.focus.saturating_add(extent),
            )
        };
        let (inner, outer) = (squares(half), squares(wide));
        // The squares stay the same as long as each corner stays in its square.
        let anywhere = (IVec2::MIN, IVec2::MAX);
        let corners = [-half, half, -wide, wide];
        let focus_range = corners.into_iter().fold(anywhere, |(min, max), corner| {
            let (first, last) = grid.square_bounds(area.focus.saturating_add(corner));
            (
                min.max(first.saturating_sub(corner)),
                max.min(last.saturating_sub(corner)),
            )
        });
        self.cached = Some(CachedSquares {
            half_extent: area.half_extent,
            layers: area.layers,
            focus_range,
        });
        self.reserve(grid, wide, area.layers);
        let is_seen = |cell: CellId| match grid.square_of(cell) {
            Some(square) => outer.contains(square) && area.layers.contains(grid.layer_of(cell)),
            None => true,
        };
        for cell in self.cells.extract_if(.., |cell| !is_seen(cell.id)) {
            if cell.baseline().is_some() {
                let (whole, part) = cell.cell_and_part(grid);
                // The client forgets all parts of a cell at once.
                if part.is_whole() || !self.dropped.contains(&whole) {
                    self.dropped.push(whole);
                }
                // Capacity is one view. If a whole view is replaced twice before pruning, the oldest entries are lost.
                if self.left.len() == self.left.capacity() {
                    self.left.remove(0);
                }
                self.left.push(LeftCell {
                    cell: whole,
                    part,
                    sent: cell.sent,
                    dropped_at: None,
                });
                self.next_prune = Some(Tick(0));
            }
        }
        self.end_splits_out_of_sight(is_seen);
        self.add(CellId::GLOBAL);
        for layer in (0..grid.layers)
            .map(Layer)
            .filter(|layer| area.layers.contains(*layer))
        {
            for square in grid.squares_in(inner) {
                self.add(grid.cell_of(square, layer));
            }
        }
    }

    /// Prefetches the first cell, which is the global one.
    pub fn prefetch_global_cell(&self) {
        if let Some(first) = self.cells.first() {
            tickwire_prefetch::value(first);
        }
    }

    /// Prefetches all cells.
    pub fn prefetch_cells(&self) {
        tickwire_prefetch::value(&self.cells[..]);
    }

    /// Makes the next snapshot a full one: the client is assumed to have nothing.
    pub fn request_full_snapshot(&mut self) {
        self.needs_full_snapshot = true;
        self.dropped.clear();
        self.left.clear();
        self.next_prune = None;
        for cell in &mut self.cells {
            *cell = ViewCell {
                count_log2: cell.count_log2,
                ..ViewCell::new(cell.id)
            };
        }
        self.forget_told_parts();
    }

    /// Notes that the snapshot built last for this view was sent: every cell that it did not defer has the newest frame as its
    /// baseline now.
    pub fn mark_sent(&mut self, history: &History) {
        let Some(tick) = history.newest().map(|frame| frame.tick()) else {
            return;
        };
        self.needs_full_snapshot = false;
        self.sent_header = self.pending_header;
        self.dropped.clear();
        if self.next_prune.is_some_and(|due| due <= tick) {
            self.prune_left(tick);
        }
        for cell in self.cells.iter_mut().filter(|cell| !cell.is_deferred) {
            // Those of parts follow.
            cell.hash = history.cell_hash(cell.id);
            cell.sent.record(tick);
        }
        if self.has_parts() {
            self.mark_parts_sent(history);
        }
    }

    /// Notes that the client was told to drop all cells that left, and forgets those too old to matter.
    fn prune_left(&mut self, now: Tick) {
        self.left.retain_mut(|cell| {
            let dropped_at = *cell.dropped_at.get_or_insert(now);
            now.since(dropped_at) <= SentTicks::REACH
        });
        let oldest = self.left.iter().filter_map(|cell| cell.dropped_at).min();
        self.next_prune = oldest.map(|tick| Tick(tick.0 + SentTicks::REACH + 1));
    }

    /// The cells of the view and their baselines, ascending by number, and of a parted cell each part. `None`: the client does not
    /// have the cell yet.
    pub fn baselines(&self) -> impl Iterator<Item = (CellId, Option<Tick>)> {
        self.cells.iter().map(|cell| (cell.id, cell.baseline()))
    }

    /// The cells that the client has within `reach` of a position along each axis, and the global cell.
    pub fn cells_near(
        &self,
        grid: &Grid,
        position: IVec2,
        reach: u32,
    ) -> impl Iterator<Item = CellId> {
        let squares = grid.squares_around(position, reach);
        let grid = *grid;
        let is_near = move |cell: &&ViewCell| {
            let square = grid.square_of(cell.id);
            let is_first = cell.id.index() < grid.cell_count();
            is_first
                && cell.baseline().is_some()
                && square.is_none_or(|square| squares.contains(square))
        };
        self.cells.iter().filter(is_near).map(|cell| cell.id)
    }

    /// The ticks at which the client was sent a cell, or the first part of a parted one; `None` if the view does not have the
    /// cell.
    #[must_use]
    pub fn sent_ticks(&self, cell: CellId) -> Option<SentTicks> {
        let index = match cell {
            // The lowest cell of all, and in every view.
            CellId::GLOBAL => 0,
            _ => self
                .cells
                .binary_search_by_key(&cell, |cell| cell.id)
                .ok()?,
        };
        self.cells.get(index).map(|cell| cell.sent)
    }

    /// The ticks at which the client was sent this row's part of a cell, as of when `received` was its newest snapshot. The cell
    /// may have left the view since, or left it and come back.
    pub(crate) fn sent_ticks_at(
        &self,
        cell: CellId,
        row: RowKey,
        received: Tick,
    ) -> Option<SentTicks> {
        self.left
            .iter()
            .find(|left| left.has(cell, row) && left.dropped_at.is_none_or(|tick| received < tick))
            .map(|left| left.sent)
            .or_else(|| self.sent_ticks(self.id_of_row(cell, row)))
    }

    /// Whether the client was sent this row's part of a cell at this tick, even if the cell has left the view since.
    pub(crate) fn was_sent(&self, cell: CellId, row: RowKey, tick: Tick) -> bool {
        let is_seen = self
            .sent_ticks(self.id_of_row(cell, row))
            .is_some_and(|sent| sent.contains(tick));
        let mut left = self.left.iter().filter(|it| it.has(cell, row));
        is_seen || left.any(|it| it.sent.contains(tick))
    }

    /// The hash of the view once the client has applied the snapshot built last.
    #[must_use]
    pub fn hash_when_sent(&self, history: &History) -> u64 {
        let hashes = part_hashes(&self.splits, history);
        let newest = |cell: &ViewCell| match cell.count_log2 {
            0 => history.cell_hash(cell.id),
            _ => hashes.of(cell, &history.schema().grid),
        };
        self.cells
            .iter()
            .fold(0, |sum, cell| match (cell.is_deferred, cell.baseline()) {
                (false, _) => sum.wrapping_add(hash::cell_hash_in_view(cell.id, newest(cell))),
                (true, Some(_)) => sum.wrapping_add(hash::cell_hash_in_view(cell.id, cell.hash)),
                (true, None) => sum,
            })
    }

    /// Reserves memory for the most cells that such an area can touch, so that moving it allocates nothing.
    fn reserve(&mut self, grid: &Grid, wide: IVec2, layers: LayerSet) {
        let along = |extent: i32, count: u32| {
            // A stretch of so many squares begins and ends within another one each.
            let squares = 2 * u64::from(extent.unsigned_abs()) / u64::from(grid.cell_size) + 2;
            squares.min(u64::from(count)) as usize
        };
        let max_cells = 1 + along(wide.x, grid.columns) * along(wide.y, grid.rows) * layers.count();
        self.cells
            .reserve(max_cells.saturating_sub(self.cells.len()));
        self.dropped
            .reserve(max_cells.saturating_sub(self.dropped.len()));
        self.left.reserve(max_cells.saturating_sub(self.left.len()));
    }

    /// Adds a cell that the view may have already.
    fn add(&mut self, id: CellId) {
        if let Err(position) = self.cells.binary_search_by_key(&id, |cell| cell.id) {
            self.cells.insert(position, ViewCell::new(id));
        }
    }
}

impl ViewCell {
    /// The tick at which the client has the cell; `None` if it does not have it yet.
    pub fn baseline(&self) -> Option<Tick> {
        self.sent.newest()
    }

    /// The block that brings the cell to the newest frame; `None` if nothing has changed since the baseline.
    #[inline]
    pub fn pending_block(&self, history: &History, encoding: Encoding) -> Option<BlockKey> {
        let now = history.newest()?;
        let baseline = self.baseline();
        let (cell, part) = self.cell_and_part(&history.schema().grid);
        let is_needed = match baseline {
            Some(baseline) => history.changed_at(cell) > baseline,
            None => !now.members(cell).is_empty(),
        };
        let previous = match encoding {
            Encoding::Plain => None,
            Encoding::Packed => {
                packed::previous_for_prediction(baseline, self.sent.before_newest(), now.tick())
            }
        };
        is_needed.then_some(BlockKey {
            cell,
            part,
            baseline,
            previous,
            encoding,
        })
    }

    fn new(id: CellId) -> Self {
        Self {
            id,
            hash: 0,
            sent: SentTicks::default(),
            is_deferred: false,
            count_log2: 0,
        }
    }

    /// The cell, and the part of it.
    #[inline]
    pub fn cell_and_part(&self, grid: &Grid) -> (CellId, CellPart) {
        if self.count_log2 == 0 {
            return (self.id, CellPart::WHOLE);
        }
        let (cell, index) = grid.whole_cell(self.id);
        (cell, CellPart::new(index, self.count_log2))
    }
}

impl LeftCell {
    fn has(&self, cell: CellId, row: RowKey) -> bool {
        self.cell == cell && self.part.contains(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cells(view: &ClientView) -> Vec<CellId> {
        view.cells.iter().map(|cell| cell.id).collect()
    }

    proptest! {
        #[test]
        fn a_cached_area_gives_the_same_cells_as_a_fresh_one(
            cell in 1_u32..200,
            half in 0..300_i32,
            steps in prop::collection::vec((-150..150_i32, -150..150_i32, prop::option::of(prop::bool::ANY)), 1..60),
        ) {
            let mut grid = Grid::covering(IVec2::splat(-500), IVec2::splat(500), cell);
            grid.layers = 2;
            let (mut cached, mut fresh) = (ClientView::default(), ClientView::default());
            let mut area = InterestArea { focus: IVec2::ZERO, half_extent: IVec2::splat(half), layers: LayerSet::default() };
            for (x, y, far) in steps {
                area.focus = match far {
                    None => area.focus.saturating_add(IVec2::new(x, y) / 8),
                    Some(true) => area.focus.saturating_add(IVec2::new(x, y)),
                    Some(false) => IVec2::new(x, y).saturating_mul(IVec2::splat(i32::MAX / 100)),
                };
                cached.update_interest(&grid, area);
                fresh.cached = None;
                fresh.update_interest(&grid, area);
                prop_assert_eq!(cells(&cached), cells(&fresh));
            }
        }
    }
}
