//! Parted cells at the client: one entry of the replica for each part, with ticks of its own.
//!
//! In: what snapshots say of parts. Out: the rows moved to their parts, or back. What cannot be right is an error.

use super::Replica;
use super::cell_replica::CellReplica;
use super::error::ReplicaError;
use crate::world::{CellId, CellPart, RowKey};
use tickwire_proto::v1;

impl Replica {
    /// How many parts a cell has, as a power of two; 0 for a whole cell.
    #[must_use]
    pub fn part_count_log2(&self, cell: CellId) -> u8 {
        self.parts.get(cell).copied().unwrap_or(0)
    }

    /// Parts a cell into two to the power of `count_log2`, or makes it whole again. Its rows stay, each with the ticks of its part.
    pub(super) fn set_parts(&mut self, cell: CellId, count_log2: u8) -> Result<(), ReplicaError> {
        let grid = &self.schema.grid;
        if cell.index() >= grid.cell_count() || count_log2 > CellPart::MAX_COUNT_LOG2 {
            return Err(ReplicaError::Cell(cell.0));
        }
        let before = self.parts.get(cell).copied().unwrap_or(0);
        let part_id = |index, count_log2| grid.part_id(cell, CellPart::new(index, count_log2));
        let old: Vec<(u32, CellReplica)> = (0..1 << before)
            .filter_map(|index| Some((index, self.cells.remove(part_id(index, before))?)))
            .collect();
        for (index, old) in old {
            // With more parts than before the rows of each go to several; with fewer, those of several go to one.
            let (first, step) = (index & ((1 << count_log2) - 1), 1 << before);
            for index in (first..1 << count_log2).step_by(step) {
                let id = part_id(index, count_log2);
                if self.cells.get(id).is_none() {
                    self.cells.insert(id, old.without_rows());
                }
            }
            for row in old.rows {
                let id = grid.part_id(cell, CellPart::of_row(row.id.key(), count_log2));
                if let Some(part) = self.cells.get_mut(id)
                    && let Err(position) = part.position(row.id.key())
                {
                    part.rows.insert(position, row);
                }
            }
        }
        match count_log2 {
            0 => self.parts.remove(cell),
            _ => self.parts.insert(cell, count_log2),
        };
        // A row on its way to the cell waits for its part of it, which other parts may overtake.
        self.visibility
            .redirect(|row, to| match grid.whole_cell(to) {
                (whole, _) if whole == cell => {
                    grid.part_id(cell, CellPart::of_row(row, count_log2))
                }
                _ => to,
            });
        Ok(())
    }

    /// Forgets a cell with all of its parts.
    pub(super) fn forget_cell(&mut self, cell: CellId) -> Result<Vec<CellReplica>, ReplicaError> {
        let grid = &self.schema.grid;
        let count_log2 = self.parts.remove(cell);
        let ids = (0..1 << count_log2.unwrap_or(0))
            .map(|index| grid.part_id(cell, CellPart::new(index, CellPart::MAX_COUNT_LOG2)));
        let parts: Vec<CellReplica> = ids.filter_map(|id| self.cells.remove(id)).collect();
        if parts.is_empty() && count_log2.is_none() {
            return Err(ReplicaError::Cell(cell.0));
        }
        Ok(parts)
    }

    /// The number of a row's part of a cell.
    pub(super) fn id_of_row(&self, cell: CellId, row: RowKey) -> CellId {
        self.parts.get(cell).map_or(cell, |count_log2| {
            (self.schema.grid).part_id(cell, CellPart::of_row(row, *count_log2))
        })
    }

    /// The cells that a snapshot defers, ascending.
    pub(super) fn deferred_cells(&self, snapshot: &v1::Snapshot) -> Result<Vec<u32>, ReplicaError> {
        let bits = &snapshot.deferred_bits;
        if bits.is_empty() {
            return Ok(snapshot.deferred_cells.clone());
        }
        if bits.len() != self.cells.len().div_ceil(8) {
            return Err(ReplicaError::Trailing);
        }
        let is_deferred = |index: usize| bits[index / 8] >> (index % 8) & 1 == 1;
        let ids = self.cells.keys().enumerate();
        Ok(ids
            .filter(|(index, _)| is_deferred(*index))
            .map(|(_, id)| id.0)
            .collect())
    }
}

#[cfg(all(test, feature = "plain"))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that unwraps nothing has failed")]

    use super::*;
    use crate::world::{Grid, Kind, KindId, Schema};
    use glam::IVec2;
    use std::sync::Arc;

    /// Regression: an entity on its way to a deferred cell was gone from the screen once the cell went in parts and another part than
    /// the entity's own came first.
    #[test]
    fn a_row_on_its_way_waits_for_its_part() {
        let schema = Schema {
            kinds: vec![Kind::default()],
            grid: Grid::covering(IVec2::ZERO, IVec2::splat(400), 100),
            ..Schema::default()
        };
        let mut replica = Replica::new(Arc::new(schema));
        let (one, two) = (CellId(1), CellId(2));
        // Slot 16 is in the second of two parts.
        let key = RowKey::new(KindId(0), 16);
        let second = replica.schema().grid.part_id(two, CellPart::new(1, 1));
        let enters = v1::Block {
            cell: one.0,
            entered: vec![v1::Row {
                slot: key.slot(),
                generation: 1,
                ..v1::Row::default()
            }],
            ..v1::Block::default()
        };
        let leaves = v1::Block {
            cell: one.0,
            baseline_ago: 1,
            left: vec![v1::Left {
                slot: key.slot(),
                to_cell_plus_one: two.0 + 1,
                ..v1::Left::default()
            }],
            ..v1::Block::default()
        };
        let snapshots = [
            v1::Snapshot {
                tick: 1,
                full_snapshot: true,
                added_cells: vec![one.0, two.0],
                blocks: vec![enters],
                ..v1::Snapshot::default()
            },
            v1::Snapshot {
                tick: 2,
                deferred_cells: vec![two.0],
                blocks: vec![leaves],
                ..v1::Snapshot::default()
            },
            v1::Snapshot {
                tick: 3,
                cell_parts: vec![two.0 << 3 | 1],
                deferred_cells: vec![second.0],
                ..v1::Snapshot::default()
            },
        ];
        for snapshot in &snapshots {
            replica.apply(snapshot, &mut ()).unwrap();
            assert!(replica.find(key).is_some(), "tick {}", snapshot.tick);
        }
        let arrived_nowhere = v1::Snapshot {
            tick: 4,
            ..v1::Snapshot::default()
        };
        replica.apply(&arrived_nowhere, &mut ()).unwrap();
        assert!(replica.find(key).is_none());
    }
}
