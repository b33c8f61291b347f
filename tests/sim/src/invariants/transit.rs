//! Entities on their way to a cell, or a part of one, that a snapshot defers: they stay visible until it comes.

use super::Verdict;
use super::replica::SentSnapshot;
use std::collections::BTreeMap;
use tickwire_sync::client::Replica;
use tickwire_sync::frame::{Frame, MIN_HISTORY_FRAMES};
use tickwire_sync::{CellId, CellPart, EntityId, Grid, RowKey, Tick};

/// Who is on the way at one client: the cell, and the snapshot that said so.
#[derive(Debug, Default)]
pub struct InTransit(BTreeMap<RowKey, (EntityId, CellId, Tick)>);

/// An entity that has left a cell towards one that the client has, and has not come to it by that one's tick, stays visible.
pub fn entities_in_transit_stay_visible<'f>(
    transit: &mut InTransit,
    replica: &Replica,
    before: Option<&SentSnapshot>,
    now: &SentSnapshot,
    frame_of: impl Fn(Tick) -> Option<&'f Frame>,
) -> Verdict {
    let grid = &replica.schema().grid;
    let is_current = now.cells.iter().all(|(_, at)| *at == now.tick);
    let (Some(before), Some(frame)) = (before.filter(|_| !now.is_full), frame_of(now.tick)) else {
        transit.0.clear();
        return Ok(());
    };
    if is_current {
        transit.0.clear();
        return Ok(());
    }
    // The tick of an entity's part of a cell, if the client had it before.
    let tick_of = |cell: CellId, key: RowKey| {
        let id = part_of(grid, now, cell, key);
        let at = now.cells.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        (!now.added.contains(&id)).then_some(now.cells[at].1)
    };
    (transit.0).retain(|key, (_, to, since)| tick_of(*to, *key).is_some_and(|at| at < *since));
    for (id, old) in &before.cells {
        // Against a baseline that the history has lost, a cell does not say who left it.
        let is_near = now.tick.since(*old) < MIN_HISTORY_FRAMES as u32;
        let Some(old) = frame_of(*old).filter(|_| is_near) else {
            continue;
        };
        let (cell, _) = grid.whole_cell(*id);
        let members = old.members(cell).iter().copied();
        for key in members.filter(|key| part_of(grid, before, cell, *key) == *id) {
            let to = frame.cell_of(key).filter(|to| *to != cell);
            if let Some(to) = to
                && let Some(entity) = old.id(key).filter(|one| frame.id(key) == Some(*one))
                && tick_of(cell, key) == Some(now.tick)
                && tick_of(to, key).is_some_and(|at| at < now.tick)
            {
                transit.0.insert(key, (entity, to, now.tick));
            }
        }
    }
    for (key, (entity, to, since)) in &transit.0 {
        let is_there = frame.id(*key) == Some(*entity) && frame.cell_of(*key) == Some(*to);
        if is_there && replica.find(*key).is_none_or(|row| row.id != *entity) {
            return Err(format!(
                "{entity:?} left for {to:?} by tick {since}, has not come there by tick {:?}, and is not visible",
                tick_of(*to, *key)
            ));
        }
    }
    Ok(())
}

/// The number of an entity's part of a cell.
fn part_of(grid: &Grid, sent: &SentSnapshot, cell: CellId, key: RowKey) -> CellId {
    let parted = sent.parted.iter().find(|(parted, _)| *parted == cell);
    let count_log2 = parted.map_or(0, |(_, count_log2)| *count_log2);
    grid.part_id(cell, CellPart::of_row(key, count_log2))
}
