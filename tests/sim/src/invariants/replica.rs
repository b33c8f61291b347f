//! A client's replica against what the server published for its session.

use super::Verdict;
use crate::game::ALL_COINS;
use tickwire_proto::v1;
use tickwire_sync::client::Replica;
use tickwire_sync::frame::Frame;
use tickwire_sync::{CellId, KindId, Tick};

/// What the server sent to one session with one snapshot, as its room says at that moment.
#[derive(Clone, Debug)]
pub struct SentSnapshot {
    /// The snapshot's tick.
    pub tick: Tick,
    /// The cells that the client has once it has applied the snapshot, and the tick of each.
    pub cells: Vec<(CellId, Tick)>,
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
    for (cell, at) in cells {
        if !checks_all_rows && at != sent.tick {
            continue;
        }
        // A cell that was deferred for longer than frames are kept cannot be compared.
        if let Some(frame) = frame_of(at) {
            cell_equals_frame(replica, cell, frame)?;
        }
    }
    Ok(())
}

fn cell_equals_frame(replica: &Replica, cell: CellId, frame: &Frame) -> Verdict {
    let rows = replica.rows(cell);
    let members = frame.members(cell);
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

/// The coins that a client sees in the global cell are all coins.
pub fn global_coins_conserve(replica: &Replica) -> Verdict {
    const ACCOUNT: KindId = KindId(1);
    const BANK: KindId = KindId(3);
    let rows = replica.rows(CellId::GLOBAL).iter();
    let counted = rows.filter(|row| row.id.kind == ACCOUNT || row.id.kind == BANK);
    let coins: i64 = counted.map(|row| i64::from(row.lanes[0])).sum();
    if coins == ALL_COINS {
        Ok(())
    } else {
        Err(format!("a client sees {coins} coins of {ALL_COINS}"))
    }
}
