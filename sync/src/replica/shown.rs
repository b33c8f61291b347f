//! Which row to show of an entity while the cells of a view stand at different ticks.
//!
//! An entity that moved from one cell to another can stand in both lists or in neither. In: the rows of all cells, and who
//! left which of them and where to. Out: one row an entity, nothing that is known to be gone, and nothing missing that
//! only changed its cell.

use super::{Replica, Row};
use crate::grid::CellId;
use crate::ids::{EntityId, RowKey, Tick};
use crate::sent_ticks::SentTicks;

/// A row that left a cell for another one of the view, which has not caught up yet.
#[derive(Clone, Debug)]
pub(super) struct Limbo {
    pub(super) row: Row,
    tick: Tick,
    to: CellId,
}

impl Replica {
    /// Every entity to show: its row, the tick at which that stands, and which ticks of its cell were received.
    ///
    /// While cells stand at different ticks this is the row with the newest tick of its entity; a newer 'gone' hides it, and
    /// one that left towards a cell which has not caught up lives on.
    #[must_use]
    pub fn shown(&self) -> Vec<(&Row, Tick, SentTicks)> {
        let count = self.cells.values().map(|cell| cell.rows.len()).sum();
        let mut shown: Vec<(&Row, Tick, SentTicks)> = Vec::with_capacity(count);
        for cell in self.cells.values() {
            shown.extend(cell.rows.iter().map(|row| (row, cell.tick, cell.sent)));
        }
        if self.is_even() {
            return shown;
        }
        let limbo = self
            .limbo
            .values()
            .filter_map(|limbo| Some((&limbo.row, limbo.tick, self.cells.get(&limbo.to)?.sent)));
        shown.extend(limbo);
        shown.retain(|(row, tick, _)| self.gone.get(&row.id).is_none_or(|gone| gone <= tick));
        shown.sort_unstable_by_key(|(row, tick, _)| (row.id.key(), row.id.generation, *tick));
        shown.reverse();
        shown.dedup_by_key(|(row, _, _)| row.id.key());
        shown
    }

    /// The row to show of one entity, whatever its generation, and the tick at which it stands.
    #[must_use]
    pub fn find_with_tick(&self, key: RowKey) -> Option<(&Row, Tick)> {
        let mut in_cells = self.cells.values().filter_map(|cell| {
            let position = cell.position(key).ok()?;
            Some((&cell.rows[position], cell.tick))
        });
        if self.is_even() {
            return in_cells.next();
        }
        let first = EntityId {
            kind: key.kind(),
            slot: key.slot(),
            generation: 0,
        };
        let in_limbo = self.limbo.range(first..);
        let in_limbo = in_limbo.take_while(|(id, _)| id.key() == key);
        let in_limbo = in_limbo.map(|(_, limbo)| (&limbo.row, limbo.tick));
        in_cells
            .chain(in_limbo)
            .filter(|(row, tick)| self.gone.get(&row.id).is_none_or(|gone| gone <= tick))
            .max_by_key(|(row, tick)| (row.id.generation, *tick))
    }

    /// The row to show of one entity, whatever its generation.
    #[must_use]
    pub fn find(&self, key: RowKey) -> Option<&Row> {
        self.find_with_tick(key).map(|(row, _)| row)
    }

    /// Whether every cell stands at the newest tick.
    pub(super) fn is_even(&self) -> bool {
        self.cells.values().all(|cell| cell.tick == self.tick)
    }

    /// Decides what to show of the rows that left, once all cells of the snapshot are in place. Returns who may be out of sight.
    pub(super) fn settle(&mut self, left: Vec<(Row, Option<CellId>)>) -> Vec<EntityId> {
        let (cells, now) = (&self.cells, self.tick);
        // Nearly all that leave for a cell of the view are there.
        let is_there = |to: Option<CellId>, id: EntityId| {
            let cell = to.and_then(|to| cells.get(&to));
            cell.is_some_and(|cell| {
                cell.position(id.key())
                    .is_ok_and(|position| cell.rows[position].id == id)
            })
        };
        let mut lost: Vec<EntityId> = left
            .iter()
            .filter(|(row, to)| !is_there(*to, row.id))
            .map(|(row, _)| row.id)
            .collect();
        // The cell has caught up, or is out of sight: who is not in it by now is nowhere.
        let settled = self.limbo.extract_if(.., |_, limbo| {
            cells
                .get(&limbo.to)
                .is_none_or(|cell| cell.tick >= limbo.tick)
        });
        lost.extend(settled.map(|(id, _)| id));
        if self.is_even() {
            self.gone.clear();
            return lost;
        }
        for (row, to) in left {
            match to {
                None => {
                    self.limbo.remove(&row.id);
                    self.gone.insert(row.id, now);
                }
                Some(to) if self.cells.get(&to).is_some_and(|cell| cell.tick < now) => {
                    let id = row.id;
                    self.limbo.insert(id, Limbo { row, tick: now, to });
                }
                // Into a cell that is up to date, or out of sight.
                Some(_) => {}
            }
        }
        let oldest = self
            .cells
            .values()
            .map(|cell| cell.tick)
            .min()
            .unwrap_or(now);
        self.gone.retain(|_, gone| *gone > oldest);
        lost
    }
}
