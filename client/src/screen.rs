//! What the screen shows: entities a little in the past, blended between the two snapshots around that moment.
//!
//! In: rows as the replica sets them. Out: for a point on the tick axis the very integers that the server's rewind computes
//! for it. Keeps for each entity the rows of the latest second.

use std::collections::{HashMap, VecDeque};
use tickwire_sync::replica::{Replica, Row, Watcher};
use tickwire_sync::{EntityId, KindId, SentTicks, Tick, ViewTick};

/// Ticks that an entity's rows are remembered: as far back as `SentTicks` reaches.
const MEMORY_TICKS: u32 = 64;
/// How far a moving entity is carried on past its newest row, in ticks, while a stall keeps snapshots back.
const MAX_EXTRAPOLATION: u64 = 4;

/// One entity as the screen shows it.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// Which entity.
    pub id: EntityId,
    /// Public lanes at the shown moment.
    pub lanes: &'a [i32],
    /// Texts of the newest row.
    pub row: &'a Row,
}

/// The latest rows of each entity.
#[derive(Debug, Default)]
pub(crate) struct Tracks {
    tracks: HashMap<EntityId, Track>,
    /// Entities that are out of the replica, and may still have to be shown for a moment.
    gone: Vec<(Tick, EntityId)>,
    /// The record of the cell that an entity was last shown in is not known any more; all cells' together stands in.
    sent: SentTicks,
}

#[derive(Debug, Default)]
struct Track {
    /// Oldest first. A row stands until the next one.
    rows: VecDeque<(Tick, Vec<i32>)>,
    gone_at: Option<Tick>,
    last: Option<Row>,
}

impl Watcher for Tracks {
    fn row(&mut self, row: &Row, tick: Tick) {
        let track = self.tracks.entry(row.id).or_default();
        track.gone_at = None;
        track.last = None;
        let oldest = tick.0.saturating_sub(MEMORY_TICKS);
        let mut spare = Vec::new();
        // One row from before the memory stays, as it may stand until within it.
        while track.rows.get(1).is_some_and(|(next, _)| next.0 <= oldest) {
            if let Some((_, lanes)) = track.rows.pop_front() {
                spare = lanes;
            }
        }
        spare.clear();
        spare.extend_from_slice(&row.lanes);
        match track.rows.back_mut() {
            // An entity that went from cell to cell at once is reported twice.
            Some((newest, lanes)) if *newest >= tick => *lanes = spare,
            _ => track.rows.push_back((tick, spare)),
        }
    }

    fn gone(&mut self, id: EntityId, tick: Tick) {
        if let Some(track) = self.tracks.get_mut(&id) {
            track.gone_at = Some(tick);
            self.gone.push((tick, id));
        }
    }
}

impl Tracks {
    /// Notes that a snapshot of `tick` was applied: forgets who has been gone for long.
    pub fn applied(&mut self, tick: Tick) {
        self.sent.record(tick);
        let tracks = &mut self.tracks;
        self.gone.retain(|(gone, id)| {
            let track = tracks.get(id);
            let is_back = track.is_none_or(|track| track.gone_at != Some(*gone));
            let is_old = tick.since(*gone) > MEMORY_TICKS;
            if is_old && !is_back {
                tracks.remove(id);
            }
            !is_back && !is_old
        });
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Calls `show` for every entity (of one kind, if one is named) that the screen shows at `view`.
    pub fn for_each_shown(
        &self,
        replica: &Replica,
        view: ViewTick,
        kind: Option<KindId>,
        mut show: impl FnMut(Shown<'_>),
    ) {
        let mut lanes = Vec::new();
        let is_wanted = |id: EntityId| kind.is_none_or(|kind| kind == id.kind);
        for (row, _, sent) in replica
            .shown()
            .into_iter()
            .filter(|(row, _, _)| is_wanted(row.id))
        {
            let Some(track) = self.tracks.get(&row.id) else {
                continue;
            };
            if track.at(replica, row.id, view, sent, &mut lanes) {
                show(Shown {
                    id: row.id,
                    lanes: &lanes,
                    row,
                });
            }
        }
        // Who is gone in the newest snapshot is shown until that moment comes.
        for (gone, id) in self
            .gone
            .iter()
            .filter(|(gone, id)| view < ViewTick::new(*gone, 0) && is_wanted(*id))
        {
            let Some(track) = self
                .tracks
                .get(id)
                .filter(|track| track.gone_at == Some(*gone))
            else {
                continue;
            };
            if track.at(replica, *id, view, self.sent, &mut lanes) {
                let row = Row {
                    id: *id,
                    lanes: lanes.clone(),
                    texts: Vec::new(),
                };
                show(Shown {
                    id: *id,
                    lanes: &lanes,
                    row: &row,
                });
            }
        }
    }
}

impl Track {
    /// The lanes at `view`, blended between the received ticks around it, as `Screen::row` of the server does. `false`: not shown.
    fn at(
        &self,
        replica: &Replica,
        id: EntityId,
        view: ViewTick,
        sent: SentTicks,
        lanes: &mut Vec<i32>,
    ) -> bool {
        lanes.clear();
        let Some((older, younger)) = sent.around(view) else {
            return false;
        };
        let Some(kind) = replica.schema().kind(id.kind) else {
            return false;
        };
        let row_at = |tick: Tick| {
            let after = self.rows.partition_point(|(at, _)| *at <= tick);
            let is_gone = self.gone_at.is_some_and(|gone| gone <= tick);
            if is_gone {
                None
            } else {
                after.checked_sub(1).and_then(|index| self.rows.get(index))
            }
        };
        let younger_point = ViewTick::new(younger, 0);
        match (row_at(older), row_at(younger)) {
            (_, Some((_, row))) if view >= younger_point => {
                let ahead = (view.0 - younger_point.0).min(MAX_EXTRAPOLATION * ViewTick::FRACTIONS);
                lanes.extend_from_slice(row);
                self.extrapolate(kind, younger, ahead, lanes);
            }
            (Some((_, old)), Some((_, new))) => {
                let whole = u64::from(younger.since(older)) * ViewTick::FRACTIONS;
                let part = view.0.saturating_sub(ViewTick::new(older, 0).0);
                let pairs = old.iter().zip(new).zip(&kind.lanes);
                lanes.extend(pairs.map(|((old, new), lane)| lane.blend(*old, *new, part, whole)));
            }
            (Some((_, old)), None) if view < younger_point => lanes.extend_from_slice(old),
            _ => return false,
        }
        true
    }

    /// Carries a row on by the last two rows' difference, `ahead` 1/256 ticks past `newest`.
    fn extrapolate(&self, kind: &tickwire_sync::Kind, newest: Tick, ahead: u64, lanes: &mut [i32]) {
        let mut latest = self.rows.iter().rev();
        let (Some((at, now)), Some((before_at, before))) = (latest.next(), latest.next()) else {
            return;
        };
        // Only what was moving in the very last snapshot goes on moving.
        if ahead == 0 || *at != newest || !kind.placed {
            return;
        }
        let span = i64::from(at.since(*before_at).max(1)) * ViewTick::FRACTIONS as i64;
        for axis in 0..2 {
            let step = i64::from(now[axis].wrapping_sub(before[axis])) * ahead as i64 / span;
            lanes[axis] = lanes[axis].wrapping_add(step as i32);
        }
    }
}
