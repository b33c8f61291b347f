//! Crowded cells that go in parts: what parts there are, and what happens while they are at different ticks.

use super::Verdict;
use super::replica::SentSnapshot;
use tickwire_sync::frame::Frame;
use tickwire_sync::{CellId, CellPart, Grid, Tick};

/// The cells of a view that go in parts, ascending, and how many parts each has, as a power of two.
pub type PartedCells = Vec<(CellId, u8)>;

/// How often cells went in parts, and what happened then.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PartCounts {
    /// Times that an honest client was told that the global cell goes in parts, or in more parts.
    pub parted_global: u64,
    /// Times that it was told so of another cell.
    pub parted_square: u64,
    /// Times that an honest client was told that a parted cell is whole again.
    pub made_whole: u64,
    /// Snapshots that left the parts of a cell at different ticks.
    pub apart: u64,
    /// Rows that came into the world in a cell whose parts were at different ticks.
    pub came: u64,
    /// Rows that went from the world.
    pub went: u64,
    /// Rows that moved to such a cell from another one, or from it to another one.
    pub moved: u64,
}

impl PartCounts {
    /// Adds other counts.
    pub fn add(&mut self, other: &Self) {
        self.parted_global += other.parted_global;
        self.parted_square += other.parted_square;
        self.made_whole += other.made_whole;
        self.apart += other.apart;
        self.came += other.came;
        self.went += other.went;
        self.moved += other.moved;
    }

    /// Counts what a snapshot tells of parts.
    pub fn count_told(&mut self, cell_parts: &[u32]) {
        for told in cell_parts {
            let (cell, count_log2) = (CellId(told >> 3), told & 7);
            let count = match (cell, count_log2) {
                (_, 0) => &mut self.made_whole,
                (CellId::GLOBAL, _) => &mut self.parted_global,
                _ => &mut self.parted_square,
            };
            *count += 1;
        }
    }

    /// Counts what has happened since the snapshot before, in cells whose parts are at different ticks now.
    pub fn count_apart<'f>(
        &mut self,
        grid: &Grid,
        before: Tick,
        now: &SentSnapshot,
        frame_of: impl Fn(Tick) -> Option<&'f Frame>,
    ) {
        let is_apart = |cell: CellId| {
            let mut parts = now.cells.iter();
            parts.any(|(id, at)| grid.whole_cell(*id).0 == cell && *at != now.tick)
        };
        let apart = now.parted.iter().filter(|(cell, _)| is_apart(*cell));
        let apart: Vec<CellId> = apart.map(|(cell, _)| *cell).collect();
        self.apart += u64::from(!apart.is_empty());
        let Some((before, after)) = frame_of(before).zip(frame_of(now.tick)) else {
            return;
        };
        for cell in apart {
            let (old, new) = (before.members(cell), after.members(cell));
            for key in new.iter().filter(|key| old.binary_search(key).is_err()) {
                let is_old = before.id(*key) == after.id(*key);
                *(if is_old {
                    &mut self.moved
                } else {
                    &mut self.came
                }) += 1;
            }
            for key in old.iter().filter(|key| new.binary_search(key).is_err()) {
                let is_there = before.id(*key) == after.id(*key);
                *(if is_there {
                    &mut self.moved
                } else {
                    &mut self.went
                }) += 1;
            }
        }
    }
}

/// The cells of a view, ascending, and those of them that go in parts. Each has all of its parts: two to some power.
pub fn parts_are_complete(
    grid: &Grid,
    view: impl Iterator<Item = CellId>,
) -> Result<(Vec<CellId>, PartedCells), String> {
    let mut parts: Vec<(CellId, u32)> = view.map(|id| grid.whole_cell(id)).collect();
    parts.sort_unstable();
    let (mut cells, mut parted) = (Vec::new(), Vec::new());
    for of_cell in parts.chunk_by(|one, other| one.0 == other.0) {
        let cell = of_cell[0].0;
        let is_complete = of_cell.len().is_power_of_two()
            && of_cell.len() <= 1 << CellPart::MAX_COUNT_LOG2
            && (0..).zip(of_cell).all(|(index, (_, part))| index == *part);
        if !is_complete {
            return Err(format!("{cell:?} has the parts {of_cell:?} in the view"));
        }
        cells.push(cell);
        if of_cell.len() > 1 {
            parted.push((cell, of_cell.len().ilog2() as u8));
        }
    }
    Ok((cells, parted))
}

/// A client that does not take cells in parts is sent whole ones.
pub fn parts_are_for_those_who_take_them(takes_parts: bool, parted: &PartedCells) -> Verdict {
    if takes_parts || parted.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{parted:?} go in parts to a client that does not know parts"
    ))
}
