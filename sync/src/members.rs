//! Who stands in which cell, and how that follows from the frame before.
//!
//! In: the members of the frame before, and who joined or left a cell. Out: the members now. Cells that nobody joined or
//! left are copied as they are, so that a step of one entity does not sort the whole world anew.

use crate::grid::CellId;
use crate::ids::RowKey;

/// The entities of each cell, sorted by kind and slot.
#[derive(Clone, Debug)]
pub(crate) struct Members {
    /// Where each cell's members start; one entry more than there are cells.
    starts: Vec<u32>,
    keys: Vec<RowKey>,
}

/// One entity that joined or left a cell. Ordered by cell, then by kind and slot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Move {
    pub cell: CellId,
    pub key: RowKey,
    pub joins: bool,
}

impl Members {
    /// So many cells, and nobody in them.
    pub fn empty(cell_count: usize) -> Self {
        Self {
            starts: vec![0; cell_count + 1],
            keys: Vec::new(),
        }
    }

    /// Asks for its lists; see `tickwire_prefetch`.
    pub fn prefetch(&self) {
        tickwire_prefetch::start(&self.starts);
        tickwire_prefetch::start(&self.keys);
    }

    /// The members of a cell, sorted by kind and slot.
    pub fn of(&self, cell: CellId) -> &[RowKey] {
        let bounds = self
            .starts
            .get(cell.index())
            .zip(self.starts.get(cell.index() + 1));
        bounds
            .and_then(|(start, end)| self.keys.get(*start as usize..*end as usize))
            .unwrap_or_default()
    }

    /// The members of all cells together.
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// Makes these the members that `before` becomes by `moves`, which are sorted. Who leaves must be there; who joins must not.
    pub fn follow(&mut self, before: &Self, moves: &[Move]) {
        self.starts.clear();
        self.keys.clear();
        let mut rest = &before.keys[..];
        // By how much the starts of the cells from here on have moved; wrapping where more left than joined.
        let mut shift = 0_u32;
        for group in moves.chunk_by(|a, b| a.cell == b.cell) {
            let cell = group[0].cell.index();
            self.copy_starts(before, cell + 1, shift);
            let untouched = before.starts[cell] as usize - (before.keys.len() - rest.len());
            self.keys.extend_from_slice(&rest[..untouched]);
            rest = &rest[untouched..];
            let (mut members, others) = rest.split_at(before.of(group[0].cell).len());
            for it in group {
                let smaller = members.partition_point(|key| *key < it.key);
                self.keys.extend_from_slice(&members[..smaller]);
                members = &members[smaller..];
                if it.joins {
                    self.keys.push(it.key);
                    shift = shift.wrapping_add(1);
                } else {
                    debug_assert_eq!(members.first(), Some(&it.key), "was no member");
                    members = &members[1..];
                    shift = shift.wrapping_sub(1);
                }
            }
            self.keys.extend_from_slice(members);
            rest = others;
        }
        self.copy_starts(before, before.starts.len(), shift);
        self.keys.extend_from_slice(rest);
    }

    /// Copies the starts up to `end`, moved by `shift`.
    fn copy_starts(&mut self, before: &Self, end: usize, shift: u32) {
        let moved = before.starts[self.starts.len()..end]
            .iter()
            .map(|start| start.wrapping_add(shift));
        self.starts.extend(moved);
    }
}
