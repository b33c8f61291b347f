//! Which row to show of an entity while the cells of a view stand at different ticks.
//!
//! An entity that moved from one cell to another can be in the rows of both cells, or of neither. In: the rows of all cells,
//! and which rows left which cell towards where. Out: one row per entity; no entity that is known to be gone; none missing
//! that only changed its cell.

use super::cell_replica::CellReplica;
use super::row::Row;
use super::sorted_map::SortedMap;
use crate::interest::SentTicks;
use crate::world::{CellId, EntityId, RowKey, Tick};

type Cells = SortedMap<CellId, CellReplica>;

/// What is known of entities beyond the rows of the cells.
#[derive(Clone, Debug, Default)]
pub(super) struct Visibility {
    /// Rows that left towards a cell of the view which has not caught up yet. They stay visible until it does.
    in_transit: SortedMap<EntityId, InTransit>,
    /// Entities that are gone, and since when. They hide rows in cells that stand at an older tick.
    gone: SortedMap<EntityId, Tick>,
}

#[derive(Clone, Debug)]
struct InTransit {
    row: Row,
    tick: Tick,
    to: CellId,
}

impl Visibility {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.in_transit.clear();
        self.gone.clear();
    }

    /// The entities that are on their way between two cells.
    pub fn in_transit(&self) -> impl Iterator<Item = EntityId> {
        self.in_transit.keys()
    }

    /// Has rows that are on their way go to other numbers, as cells have other parts now.
    pub fn redirect(&mut self, target: impl Fn(RowKey, CellId) -> CellId) {
        for (id, transit) in self.in_transit.iter_mut() {
            transit.to = target(id.key(), transit.to);
        }
    }

    /// Every visible entity: its row, the row's tick, and the ticks at which its cell was received. `now` is the newest tick.
    pub fn visible_rows<'a>(
        &'a self,
        cells: &'a Cells,
        now: Tick,
    ) -> Vec<(&'a Row, Tick, SentTicks)> {
        let count = cells.values().map(|cell| cell.rows.len()).sum();
        let mut rows: Vec<(&Row, Tick, SentTicks)> = Vec::with_capacity(count);
        for cell in cells.values() {
            rows.extend(cell.rows.iter().map(|row| (row, cell.tick, cell.received)));
        }
        if are_all_at(cells, now) {
            return rows;
        }
        let in_transit = self.in_transit.values().filter_map(|transit| {
            Some((&transit.row, transit.tick, cells.get(transit.to)?.received))
        });
        rows.extend(in_transit);
        rows.retain(|(row, tick, _)| !self.is_gone(row.id, *tick));
        rows.sort_unstable_by_key(|(row, tick, _)| (row.id.key(), row.id.generation, *tick));
        rows.reverse();
        rows.dedup_by_key(|(row, _, _)| row.id.key());
        rows
    }

    /// The visible row of one entity, whatever its generation, and the row's tick. `now` is the newest tick.
    pub fn find<'a>(&'a self, cells: &'a Cells, now: Tick, key: RowKey) -> Option<(&'a Row, Tick)> {
        let mut in_cells = cells.values().filter_map(|cell| {
            let position = cell.position(key).ok()?;
            Some((&cell.rows[position], cell.tick))
        });
        if are_all_at(cells, now) {
            return in_cells.next();
        }
        let first = EntityId {
            kind: key.kind(),
            slot: key.slot(),
            generation: 0,
        };
        let in_transit = self
            .in_transit
            .from(first)
            .take_while(|(id, _)| id.key() == key)
            .map(|(_, transit)| (&transit.row, transit.tick));
        in_cells
            .chain(in_transit)
            .filter(|(row, tick)| !self.is_gone(row.id, *tick))
            .max_by_key(|(row, tick)| (row.id.generation, *tick))
    }

    /// Notes which rows left their cells, once all cells of the snapshot of tick `now` are up to date. Returns the entities
    /// that may be out of sight.
    pub fn settle(
        &mut self,
        cells: &Cells,
        now: Tick,
        left: Vec<(Row, Option<CellId>)>,
    ) -> Vec<EntityId> {
        // Nearly all rows that leave towards a cell of the view are there already.
        let has_arrived = |to: Option<CellId>, id: EntityId| {
            let cell = to.and_then(|to| cells.get(to));
            cell.is_some_and(|cell| {
                cell.position(id.key())
                    .is_ok_and(|position| cell.rows[position].id == id)
            })
        };
        let mut lost: Vec<EntityId> = left
            .iter()
            .filter(|(row, to)| !has_arrived(*to, row.id))
            .map(|(row, _)| row.id)
            .collect();
        // Once the cell has caught up, or has left the view, an entity that is not in it is nowhere.
        self.in_transit.retain(|id, transit| {
            let is_settled = cells
                .get(transit.to)
                .is_none_or(|cell| cell.tick >= transit.tick);
            if is_settled {
                lost.push(id);
            }
            !is_settled
        });
        if are_all_at(cells, now) {
            self.gone.clear();
            return lost;
        }
        for (row, to) in left {
            match to {
                None => {
                    self.in_transit.remove(row.id);
                    self.gone.insert(row.id, now);
                }
                Some(to) if cells.get(to).is_some_and(|cell| cell.tick < now) => {
                    let transit = InTransit { row, tick: now, to };
                    self.in_transit.insert(transit.row.id, transit);
                }
                // Towards a cell that is up to date, or out of sight.
                Some(_) => {}
            }
        }
        let oldest = cells.values().map(|cell| cell.tick).min().unwrap_or(now);
        self.gone.retain(|_, gone| *gone > oldest);
        lost
    }

    /// Whether an entity is known to be gone since after `tick`.
    fn is_gone(&self, id: EntityId, tick: Tick) -> bool {
        self.gone.get(id).is_some_and(|gone| *gone > tick)
    }
}

/// Whether every cell is at this tick.
fn are_all_at(cells: &Cells, tick: Tick) -> bool {
    cells.values().all(|cell| cell.tick == tick)
}
