//! Parts of a cell: behind a thin line a crowded cell comes in parts, each with a baseline of its own.
//!
//! In: a row's slot. Out: the part that the row is in, and the number of a part on the wire. Server and client share the rule, so
//! a cell is parted or whole again without any row being sent. The server decides which cell is parted for whom.

use super::grid::{CellId, Grid};
use super::ids::RowKey;

/// Rows of 16 neighbouring slots are in the same part, so that a part's rows are found by binary search.
const RUN_BITS: u32 = 4;

/// One part of a cell, or the whole cell, which is the default.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CellPart {
    index: u8,
    count_log2: u8,
}

impl CellPart {
    /// The whole cell.
    pub const WHOLE: Self = Self {
        index: 0,
        count_log2: 0,
    };

    /// The most parts of a cell are two to this power.
    pub const MAX_COUNT_LOG2: u8 = 7;

    /// The part with this number, of two to the power of `count_log2`. Higher bits of both are cut off.
    #[must_use]
    pub const fn new(index: u32, count_log2: u8) -> Self {
        let count_log2 = count_log2 & Self::MAX_COUNT_LOG2;
        Self {
            index: (index & ((1 << count_log2) - 1)) as u8,
            count_log2,
        }
    }

    /// The part in which a row is.
    #[must_use]
    pub const fn of_row(key: RowKey, count_log2: u8) -> Self {
        Self::new(key.slot() >> RUN_BITS, count_log2)
    }

    /// Whether the cell is not parted.
    #[must_use]
    pub const fn is_whole(self) -> bool {
        self.count_log2 == 0
    }

    /// How many parts the cell has; 1 for a whole cell.
    #[must_use]
    pub const fn count(self) -> usize {
        1 << self.count_log2
    }

    /// The part's number.
    #[must_use]
    pub const fn index(self) -> usize {
        self.index as usize
    }

    /// Whether a row of the cell is in this part.
    #[must_use]
    pub const fn contains(self, key: RowKey) -> bool {
        key.slot() >> RUN_BITS & ((1 << self.count_log2) - 1) == self.index as u32
    }

    /// Appends the members of this part to `out`; `members` are the cell's, sorted.
    pub(crate) fn select(self, members: &[RowKey], out: &mut Vec<RowKey>) {
        let mut rest = members;
        while let Some(first) = rest.first().copied() {
            let count = if self.contains(first) {
                let run = first.slot() >> RUN_BITS;
                let is_in_run =
                    |key: &RowKey| key.kind() == first.kind() && key.slot() >> RUN_BITS == run;
                let count = rest.iter().take_while(|key| is_in_run(key)).count();
                out.extend_from_slice(&rest[..count]);
                count
            } else {
                let next = self.next_slot(first.slot());
                rest.partition_point(|key| {
                    key.kind() == first.kind() && u64::from(key.slot()) < next
                })
            };
            rest = &rest[count..];
        }
    }

    /// The first slot of this part after `slot`, which is in another part.
    fn next_slot(self, slot: u32) -> u64 {
        let (run, count) = (u64::from(slot >> RUN_BITS), 1 << self.count_log2);
        let ahead = (u64::from(self.index) + count - run % count) % count;
        (run + ahead) << RUN_BITS
    }
}

impl Grid {
    /// The number of a part on the wire: the cell's number, and so many times the number of cells more.
    #[must_use]
    pub fn part_id(&self, cell: CellId, part: CellPart) -> CellId {
        CellId(cell.0 + u32::from(part.index) * self.cell_count() as u32)
    }

    /// The cell that a number on the wire is a part of, and the number of the part.
    #[must_use]
    pub fn whole_cell(&self, id: CellId) -> (CellId, u32) {
        let cells = self.cell_count() as u32;
        if id.0 < cells {
            return (id, 0);
        }
        (CellId(id.0 % cells), id.0 / cells)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::KindId;
    use glam::IVec2;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_hold_each_row_of_their_cell_once(
            rows in prop::collection::btree_set((0..3_u8, 0..3000_u32), 0..300),
            count_log2 in 0..=CellPart::MAX_COUNT_LOG2,
        ) {
            let members: Vec<RowKey> = rows.iter().map(|(kind, slot)| RowKey::new(KindId(*kind), *slot)).collect();
            let mut all = Vec::new();
            for index in 0..1 << count_log2 {
                let part = CellPart::new(index, count_log2);
                let mut found = Vec::new();
                part.select(&members, &mut found);
                let expected: Vec<RowKey> = members.iter().copied().filter(|key| part.contains(*key)).collect();
                prop_assert_eq!(&found, &expected);
                prop_assert!(found.iter().all(|key| CellPart::of_row(*key, count_log2) == part));
                all.extend(found);
            }
            all.sort_unstable();
            prop_assert_eq!(all, members);
        }
    }

    #[test]
    fn a_parts_number_names_its_cell() {
        let grid = Grid::covering(IVec2::ZERO, IVec2::splat(400), 100);
        for (cell, index) in [(0, 0), (0, 5), (16, 127), (3, 1)] {
            let id = grid.part_id(CellId(cell), CellPart::new(index, 7));
            assert_eq!(grid.whole_cell(id), (CellId(cell), index));
            assert_eq!(
                grid.square_of(id),
                grid.square_of(CellId(cell)),
                "{cell} {index}"
            );
            assert_eq!(grid.layer_of(id), grid.layer_of(CellId(cell)));
        }
    }
}
