//! A client's replica against what the server published for its session.

use super::{PartedCells, Verdict};
use crate::game::ALL_COINS;
use std::collections::BTreeMap;
use tickwire_proto::v1;
use tickwire_sync::client::Replica;
use tickwire_sync::frame::Frame;
use tickwire_sync::{CellId, CellPart, KindId, RowKey, Tick};

/// What the server sent to one session with one snapshot, as its room says at that moment.
#[derive(Clone, Debug)]
pub struct SentSnapshot {
    /// The snapshot's tick.
    pub tick: Tick,
    /// The cells that the client has once it has applied the snapshot, and the tick of each; of a parted cell the parts.
    pub cells: Vec<(CellId, Tick)>,
    /// The cells that go in parts.
    pub parted: PartedCells,
    /// The private lanes that the game has for this player: kind, slot, lanes.
    pub owned: Vec<(u8, u32, Vec<i32>)>,
    /// Whether it was a full one: the client begins anew with it.
    pub is_full: bool,
    /// The cells that the client begins anew with it.
    pub added: Vec<CellId>,
}

/// The replica has the cells of the view and nothing else, each at the tick that was sent last, row for row as that tick's frame.
pub fn replica_equals_view<'f>(
    replica: &Replica,
    sent: &SentSnapshot,
    checks_all_rows: bool,
    frame_of: impl Fn(Tick) -> Option<&'f Frame>,
) -> Verdict {
    let cells: Vec<(CellId, Tick)> = replica.cells().collect();
    if cells != sent.cells {
        return Err(format!(
            "after the snapshot of tick {} the replica has the cells {cells:?}, and the view {:?}",
            sent.tick, sent.cells
        ));
    }
    for (cell, count_log2) in &sent.parted {
        let client_has = replica.part_count_log2(*cell);
        if client_has != *count_log2 {
            return Err(format!(
                "{cell:?} has 2^{count_log2} parts, and 2^{client_has} in the replica"
            ));
        }
    }
    for (cell, at) in cells {
        if !checks_all_rows && at != sent.tick {
            continue;
        }
        // A cell that was deferred for longer than frames are kept cannot be compared.
        if let Some(frame) = frame_of(at) {
            cell_equals_frame(replica, cell, sent, frame)?;
        }
    }
    Ok(())
}

/// The members of a cell, or of a part of one, in a frame.
fn members(replica: &Replica, cell: CellId, sent: &SentSnapshot, frame: &Frame) -> Vec<RowKey> {
    let (whole, index) = replica.schema().grid.whole_cell(cell);
    let parted = sent.parted.iter().find(|(parted, _)| *parted == whole);
    let part = CellPart::new(index, parted.map_or(0, |(_, count_log2)| *count_log2));
    let all = frame.members(whole).iter().copied();
    all.filter(|key| part.contains(*key)).collect()
}

fn cell_equals_frame(
    replica: &Replica,
    cell: CellId,
    sent: &SentSnapshot,
    frame: &Frame,
) -> Verdict {
    let rows = replica.rows(cell);
    let members = members(replica, cell, sent, frame);
    let wrong = |what: &str| {
        Err(format!(
            "{cell:?} at tick {}: {what}: the replica has {rows:?}, the frame has the members {:?}",
            frame.tick(),
            members
                .iter()
                .map(|key| (frame.id(*key), frame.lanes(*key).collect::<Vec<_>>()))
                .collect::<Vec<_>>()
        ))
    };
    if !rows
        .iter()
        .map(|row| row.id.key())
        .eq(members.iter().copied())
    {
        return wrong("other members");
    }
    for row in rows {
        let key = row.id.key();
        let equals = Some(row.id) == frame.id(key)
            && row.lanes.iter().copied().eq(frame.lanes(key))
            && row.texts.iter().map(|text| &**text).eq(frame.texts(key));
        if !equals {
            return wrong("another row");
        }
    }
    Ok(())
}

/// While cells and parts are at different ticks, each entity is visible once, and all of those that are up to date with their newest
/// rows.
pub fn visible_rows_are_the_newest(
    replica: &Replica,
    sent: &SentSnapshot,
    frame: &Frame,
) -> Verdict {
    let shown = replica.visible_rows();
    let by_key: BTreeMap<RowKey, _> = (shown.iter())
        .map(|(row, at, _)| (row.id.key(), (row.id, *at)))
        .collect();
    if by_key.len() != shown.len() {
        return Err(format!("an entity is visible twice: {shown:?}"));
    }
    let is_current = sent.cells.iter().all(|(_, at)| *at == sent.tick);
    let mut count = 0;
    for (cell, _) in sent.cells.iter().filter(|(_, at)| *at == sent.tick) {
        for key in members(replica, *cell, sent, frame) {
            let visible = by_key.get(&key);
            count += 1;
            if visible.is_none_or(|(id, at)| Some(*id) != frame.id(key) || *at != sent.tick) {
                return Err(format!(
                    "{key:?} of {cell:?} at tick {} is {:?}, and visible is {visible:?}",
                    sent.tick,
                    frame.id(key)
                ));
            }
        }
    }
    if is_current && count != shown.len() {
        return Err(format!(
            "{count} rows are in the view, and {} are visible",
            shown.len()
        ));
    }
    Ok(())
}

/// A snapshot carries the private lanes of its receiver and of nobody else.
pub fn private_lanes_are_the_owners(snapshot: &v1::Snapshot, sent: &SentSnapshot) -> Verdict {
    let carried = snapshot.owned.iter();
    let carried = carried.map(|own| (own.kind, own.slot, &own.lanes[..]));
    let wanted = sent.owned.iter();
    let wanted = wanted.map(|(kind, slot, lanes)| (u32::from(*kind), *slot, &lanes[..]));
    if carried.eq(wanted) {
        return Ok(());
    }
    Err(format!(
        "the snapshot of tick {} carries the private lanes {:?}, and the player owns {:?}",
        sent.tick, snapshot.owned, sent.owned
    ))
}

/// The coins that a client sees in the global cell are all coins, where all parts of it are at the same tick.
pub fn global_coins_conserve(replica: &Replica, sent: &SentSnapshot) -> Verdict {
    const ACCOUNT: KindId = KindId(1);
    const BANK: KindId = KindId(3);
    let grid = &replica.schema().grid;
    let is_global = |id: CellId| grid.whole_cell(id).0 == CellId::GLOBAL;
    let parts = (sent.cells.iter()).filter(|(id, _)| is_global(*id));
    let parts: Vec<(CellId, Tick)> = parts.copied().collect();
    let (count, at) = (
        1 << replica.part_count_log2(CellId::GLOBAL),
        parts.first().map(|(_, at)| *at),
    );
    if parts.len() != count || parts.iter().any(|(_, one)| Some(*one) != at) {
        return Ok(());
    }
    let rows = parts.iter().flat_map(|(id, _)| replica.rows(*id));
    let counted = rows.filter(|row| row.id.kind == ACCOUNT || row.id.kind == BANK);
    let coins: i64 = counted.map(|row| i64::from(row.lanes[0])).sum();
    if coins == ALL_COINS {
        Ok(())
    } else {
        Err(format!("a client sees {coins} coins of {ALL_COINS}"))
    }
}
