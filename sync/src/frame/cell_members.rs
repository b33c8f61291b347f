//! Cell members: which entities are in which cell at one tick.
//!
//! In: the members at the tick before, and who joined or left a cell. Out: the members now. Cells without a move are copied
//! as they are, so a single move does not re-sort all cells.

use crate::world::{CellId, RowKey};

/// The entities of each cell, sorted by kind and slot.
#[derive(Clone, Debug)]
pub(super) struct CellMembers {
    /// Where each cell's members start in `keys`; one entry more than there are cells.
    starts: Vec<u32>,
    keys: Vec<RowKey>,
}

/// One entity that joined or left a cell. Ordered by cell, then by kind and slot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct CellMove {
    pub cell: CellId,
    pub key: RowKey,
    pub joins: bool,
}

impl CellMembers {
    /// `cell_count` cells without members.
    pub fn empty(cell_count: usize) -> Self {
        Self {
            starts: vec![0; cell_count + 1],
            keys: Vec::new(),
        }
    }

    /// The members of a cell, sorted by kind and slot.
    pub fn in_cell(&self, cell: CellId) -> &[RowKey] {
        let bounds = self
            .starts
            .get(cell.index())
            .zip(self.starts.get(cell.index() + 1));
        bounds
            .and_then(|(start, end)| self.keys.get(*start as usize..*end as usize))
            .unwrap_or_default()
    }

    /// How many members all cells have together.
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// Rebuilds the members from those at the tick before and the moves since, which must be sorted. A leaving entity must be
    /// a member, a joining one must not.
    pub fn apply_moves(&mut self, before: &Self, moves: &[CellMove]) {
        self.starts.clear();
        self.keys.clear();
        let mut rest = &before.keys[..];
        // How far the starts of the following cells have shifted; wraps where more entities left than joined.
        let mut shift = 0_u32;
        for group in moves.chunk_by(|a, b| a.cell == b.cell) {
            let cell = group[0].cell.index();
            self.copy_starts(before, cell + 1, shift);
            let untouched = before.starts[cell] as usize - (before.keys.len() - rest.len());
            self.keys.extend_from_slice(&rest[..untouched]);
            rest = &rest[untouched..];
            let (mut members, others) = rest.split_at(before.in_cell(group[0].cell).len());
            for moved in group {
                let smaller = members.partition_point(|key| *key < moved.key);
                self.keys.extend_from_slice(&members[..smaller]);
                members = &members[smaller..];
                if moved.joins {
                    self.keys.push(moved.key);
                    shift = shift.wrapping_add(1);
                } else {
                    debug_assert_eq!(
                        members.first(),
                        Some(&moved.key),
                        "a leaving entity must be a member"
                    );
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

    /// Copies the starts up to `end`, shifted by `shift`.
    fn copy_starts(&mut self, before: &Self, end: usize, shift: u32) {
        let moved = before.starts[self.starts.len()..end]
            .iter()
            .map(|start| start.wrapping_add(shift));
        self.starts.extend(moved);
    }
}
