//! The parted cells of one client's view: which cells go in parts, and when they are whole again.
//!
//! In: what the cell prioritizer asks for, and what was sent. Out: an entry of the view for each part, with the baseline that the
//! cell had; and what the client must be told. A cell is whole again once all of its parts were sent at the same ticks for as long
//! as anyone remembers, so no row is sent for that either. Views without parted cells never come here.

use super::client_view::{ClientView, ViewCell};
use super::sent_ticks::SentTicks;
use crate::frame::History;
use crate::world::{CellId, CellPart, Grid, RowKey, hash};

/// The most parts of a cell.
const MAX_PARTS: usize = 1 << CellPart::MAX_COUNT_LOG2;

/// A cell of the view that goes in parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct CellSplit {
    cell: CellId,
    /// How many parts there are, as a power of two.
    count_log2: u8,
    /// What the client was told of that; 0: nothing, or that the cell is whole.
    told_log2: u8,
    /// How far apart the numbers of the parts are.
    stride: u32,
}

/// The hashes of the parts of parted cells in the newest frame.
pub(super) struct PartHashes(Vec<(CellId, [u64; MAX_PARTS])>);

impl PartHashes {
    /// The hash of one part; 0 where there is none.
    pub fn of(&self, part: &ViewCell, grid: &Grid) -> u64 {
        let (cell, part) = part.cell_and_part(grid);
        let hashes = self.0.iter().find(|(id, _)| *id == cell);
        hashes.map_or(0, |(_, hashes)| hashes[part.index()])
    }
}

/// The hashes of all parts of these cells in the newest frame.
pub(super) fn part_hashes(splits: &[CellSplit], history: &History) -> PartHashes {
    let of_split = |split: &CellSplit| {
        let mut hashes = [0_u64; MAX_PARTS];
        let members = history
            .newest()
            .map_or(&[][..], |frame| frame.members(split.cell));
        for key in members {
            let hash = &mut hashes[CellPart::of_row(*key, split.count_log2).index()];
            *hash = hash.wrapping_add(history.row_hash(*key));
        }
        (split.cell, hashes)
    };
    let parted = splits.iter().filter(|split| split.count_log2 > 0);
    PartHashes(parted.map(of_split).collect())
}

impl ClientView {
    /// Parts a cell of the view into two to the power of `count_log2`. The parts inherit the cell's baseline, so nothing is sent for
    /// it but a number. Returns whether the cell has so many parts now; not if it has more, if it is not in the view, or if its
    /// baseline has fallen out of the history.
    pub fn split(&mut self, history: &History, cell: CellId, count_log2: u8) -> bool {
        let grid = &history.schema().grid;
        let count_log2 = count_log2.min(CellPart::MAX_COUNT_LOG2);
        let before = self.split_of(cell).map_or(0, |split| split.count_log2);
        let is_of_cell = |one: &ViewCell| grid.whole_cell(one.id).0 == cell;
        let mut parts = self.cells.iter().filter(|one| is_of_cell(one)).peekable();
        let is_in_view = parts.peek().is_some();
        let is_remembered =
            |one: &ViewCell| one.baseline().is_none_or(|tick| history.at(tick).is_some());
        if count_log2 <= before || !is_in_view || !parts.all(is_remembered) {
            return false;
        }
        let old: Vec<ViewCell> = self.cells.extract_if(.., |one| is_of_cell(one)).collect();
        for one in old {
            let (_, index) = grid.whole_cell(one.id);
            // Rows stay in a part of the same number, or in one that is a multiple of the old count further.
            for index in (index..1 << count_log2).step_by(1 << before) {
                let part = CellPart::new(index, count_log2);
                let hash = one.baseline().and_then(|tick| history.at(tick));
                let hash = hash.map_or(0, |frame| {
                    let rows = frame
                        .members(cell)
                        .iter()
                        .filter(|key| part.contains(**key));
                    let ids = rows.filter_map(|key| frame.id(*key));
                    ids.fold(0_u64, |sum, id| {
                        let (lanes, texts) = (frame.lanes(id.key()), frame.texts(id.key()));
                        sum.wrapping_add(hash::row_hash(id, lanes, texts))
                    })
                });
                self.cells.push(ViewCell {
                    id: grid.part_id(cell, part),
                    hash,
                    count_log2,
                    ..one
                });
            }
        }
        self.cells.sort_unstable_by_key(|one| one.id);
        match self.splits.iter_mut().find(|split| split.cell == cell) {
            Some(split) => split.count_log2 = count_log2,
            None => self.splits.push(CellSplit {
                cell,
                count_log2,
                told_log2: 0,
                stride: grid.cell_count() as u32,
            }),
        }
        true
    }

    /// Says whether the client takes cells in parts. Call it on a new connection, after [`Self::request_full_snapshot`].
    pub fn take_parts(&mut self, takes_parts: bool) {
        self.takes_parts = takes_parts;
        if !takes_parts && self.has_parts() {
            // The next update of the interest adds all cells anew.
            let whole = Self::default();
            self.cells = whole.cells;
            self.splits = whole.splits;
            self.cached = whole.cached;
        }
    }

    /// Whether some cell goes in parts, or went in parts until now.
    pub(crate) fn has_parts(&self) -> bool {
        !self.splits.is_empty()
    }

    /// The cells of whose parts the client must be told, and how many they have, as a power of two.
    pub(crate) fn untold_parts(&self) -> impl Iterator<Item = (CellId, u8)> {
        let untold = (self.splits.iter()).filter(|split| split.told_log2 != split.count_log2);
        untold.map(|split| (split.cell, split.count_log2))
    }

    /// The number of a row's part of a cell.
    pub(super) fn id_of_row(&self, cell: CellId, row: RowKey) -> CellId {
        self.split_of(cell).map_or(cell, |split| {
            let part = CellPart::of_row(row, split.count_log2);
            CellId(cell.0 + part.index() as u32 * split.stride)
        })
    }

    /// Forgets the splits of cells that have left the view, and has the client forget them too.
    pub(super) fn end_splits_out_of_sight(&mut self, is_seen: impl Fn(CellId) -> bool) {
        for split in self.splits.extract_if(.., |split| !is_seen(split.cell)) {
            if split.told_log2 > 0 && !self.dropped.contains(&split.cell) {
                self.dropped.push(split.cell);
            }
        }
    }

    /// Notes that the client is assumed to have nothing.
    pub(super) fn forget_told_parts(&mut self) {
        for split in &mut self.splits {
            split.told_log2 = 0;
        }
        self.splits.retain(|split| split.count_log2 > 0);
    }

    /// Notes for parts what [`Self::mark_sent`] notes.
    pub(super) fn mark_parts_sent(&mut self, history: &History) {
        let grid = &history.schema().grid;
        let hashes = part_hashes(&self.splits, history);
        let parts = self.cells.iter_mut().filter(|one| one.count_log2 > 0);
        for part in parts.filter(|one| !one.is_deferred) {
            part.hash = hashes.of(part, grid);
        }
        for split in &mut self.splits {
            split.told_log2 = split.count_log2;
        }
        self.splits.retain(|split| split.count_log2 > 0);
    }

    /// Makes cells whole again all of whose parts were sent at the same ticks. Call it before a snapshot is selected.
    pub fn make_settled_cells_whole(&mut self, grid: &Grid) {
        for index in 0..self.splits.len() {
            let cell = self.splits[index].cell;
            if self.make_whole(grid, cell) {
                self.splits[index].count_log2 = 0;
            }
        }
        self.splits
            .retain(|split| split.count_log2 > 0 || split.told_log2 > 0);
    }

    /// Makes a cell whole if all of its parts were sent at the same ticks.
    fn make_whole(&mut self, grid: &Grid, cell: CellId) -> bool {
        let is_part = |one: &ViewCell| one.count_log2 > 0 && grid.whole_cell(one.id).0 == cell;
        let mut parts = self.cells.iter().filter(|one| is_part(one));
        let Some(first) = parts.next().copied() else {
            return false;
        };
        let is_alike = |sent: SentTicks| sent == first.sent && sent.newest().is_some();
        if !is_alike(first.sent) || !parts.all(|one| is_alike(one.sent)) {
            return false;
        }
        let parts = self.cells.extract_if(.., |one| is_part(one));
        let hash = parts.fold(0_u64, |sum, part| sum.wrapping_add(part.hash));
        let whole = ViewCell {
            id: cell,
            hash,
            count_log2: 0,
            ..first
        };
        let position = self.cells.partition_point(|one| one.id < cell);
        self.cells.insert(position, whole);
        true
    }

    fn split_of(&self, cell: CellId) -> Option<&CellSplit> {
        // Nearly always there is none.
        if self.splits.is_empty() {
            return None;
        }
        self.splits.iter().find(|split| split.cell == cell)
    }
}
