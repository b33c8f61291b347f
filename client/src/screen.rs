//! What the screen shows: entities a little in the past, blended between the two snapshots around that moment.
//!
//! In: rows as the replica sets them. Out: for a point on the tick axis the very integers that the server's rewind computes
//! for it. Keeps for each entity the rows of the latest second.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use tickwire_sync::replica::{Lanes, Replica, Row, Watcher};
use tickwire_sync::rewind::{Pair, carry_on};
use tickwire_sync::{EntityId, KindId, SentTicks, Tick, ViewTick};

/// Ticks that an entity's rows are remembered: as far back as `SentTicks` reaches.
const MEMORY_TICKS: u32 = 64;

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
///
/// Every changed row of every snapshot comes by here, and with hundreds of sessions in one process hardly any of it is in
/// the cache. So an entity's rows lie in one flat queue, and nothing is allocated in the steady state.
#[derive(Debug, Default)]
pub(crate) struct Tracks {
    tracks: HashMap<EntityId, Track, BuildHasherDefault<IdHasher>>,
    /// Entities that are out of the replica, and may still have to be shown for a moment. By tick, oldest first; one that came
    /// back stays in here until its tick is old.
    gone: VecDeque<(Tick, EntityId)>,
    /// The record of the cell that an entity was last shown in is not known any more; all cells' together stands in.
    sent: SentTicks,
}

#[derive(Debug, Default)]
struct Track {
    /// The rows, oldest first: of each the tick since which it stands, and its lanes. It stands until the next one.
    rows: VecDeque<i32>,
    gone_at: Option<Tick>,
}

/// Mixes the few small numbers of an [`EntityId`]. They come from the server, which has no reason to make them collide.
#[derive(Debug, Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes
            .iter()
            .for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

impl Watcher for Tracks {
    fn row(&mut self, row: &Row, tick: Tick) {
        self.tracks.entry(row.id).or_default().put(row, tick);
    }

    fn gone(&mut self, id: EntityId, tick: Tick) {
        if let Some(track) = self.tracks.get_mut(&id) {
            track.gone_at = Some(tick);
            self.gone.push_back((tick, id));
        }
    }
}

impl Tracks {
    /// Notes that a snapshot of `tick` was applied: forgets who has been gone for long.
    pub fn applied(&mut self, tick: Tick) {
        self.sent.record(tick);
        while let Some((gone, id)) = self
            .gone
            .front()
            .copied()
            .filter(|(gone, _)| tick.since(*gone) > MEMORY_TICKS)
        {
            self.gone.pop_front();
            if self
                .tracks
                .get(&id)
                .is_some_and(|track| track.gone_at == Some(gone))
            {
                self.tracks.remove(&id);
            }
        }
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
                let row = Row::new(*id, Lanes::from_slice(&lanes), Vec::new(), *gone);
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
    fn put(&mut self, row: &Row, tick: Tick) {
        // What was known before it was gone says nothing of how it came back.
        if self.gone_at.take().is_some() {
            self.rows.clear();
        }
        let width = 1 + row.lanes.len();
        // As rows are of different ticks, so many reach back over the memory; the first ticks need not even be looked at.
        if self.rows.len() > MEMORY_TICKS as usize * width {
            self.rows.drain(..width);
        }
        // An entity that went from cell to cell at once is reported twice.
        if self
            .since(width)
            .next()
            .is_some_and(|(_, newest)| newest >= tick)
        {
            self.rows.truncate(self.rows.len() - width);
        }
        self.rows.push_back(tick.0 as i32);
        self.rows.extend(&row.lanes);
    }

    /// Where each row of so many words begins and since when it stands, newest first.
    fn since(&self, width: usize) -> impl Iterator<Item = (usize, Tick)> {
        let starts = (0..self.rows.len()).step_by(width).rev();
        starts.map(|start| (start, Tick(self.rows[start] as u32)))
    }

    /// The lanes that stand at a tick.
    fn lanes_at(&self, tick: Tick, count: usize) -> Option<impl Iterator<Item = i32>> {
        if self.gone_at.is_some_and(|gone| gone <= tick) {
            return None;
        }
        let (start, _) = self.since(1 + count).find(|(_, since)| *since <= tick)?;
        Some(self.rows.range(start + 1..start + 1 + count).copied())
    }

    /// The lanes at `view`, from the received ticks that a screen draws it from, as `Screen::row` of the server does. `false`: not shown.
    fn at(
        &self,
        replica: &Replica,
        id: EntityId,
        view: ViewTick,
        sent: SentTicks,
        lanes: &mut Vec<i32>,
    ) -> bool {
        lanes.clear();
        let (Some(pair), Some(kind)) = (Pair::at(sent, view), replica.schema().kind(id.kind))
        else {
            return false;
        };
        let row_at = |tick: Tick| self.lanes_at(tick, kind.lanes.len());
        match pair {
            Pair::CarryOn(before, newest) => {
                let Some(row) = row_at(newest) else {
                    return false;
                };
                lanes.extend(row);
                if let Some(row) = row_at(before) {
                    carry_on(kind, (before, newest), row, view, lanes);
                }
            }
            Pair::Blend(older, younger) => match (row_at(older), row_at(younger)) {
                (_, Some(row)) if view >= ViewTick::new(younger, 0) => lanes.extend(row),
                (Some(old), Some(new)) => {
                    let whole = u64::from(younger.since(older)) * ViewTick::FRACTIONS;
                    let part = view.0.saturating_sub(ViewTick::new(older, 0).0);
                    let pairs = old.zip(new).zip(&kind.lanes);
                    lanes.extend(pairs.map(|((old, new), lane)| lane.blend(old, new, part, whole)));
                }
                (Some(old), None) if view < ViewTick::new(younger, 0) => lanes.extend(old),
                _ => return false,
            },
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tickwire_game::arena;
    use tickwire_proto::v1;

    const ID: EntityId = EntityId {
        kind: arena::kind::PELLET,
        slot: 3,
        generation: 1,
    };

    fn put(tracks: &mut Tracks, tick: u32, x: i32) {
        let row = Row::new(ID, Lanes::from_slice(&[x, 0, 7]), Vec::new(), Tick(tick));
        tracks.row(&row, Tick(tick));
        tracks.applied(Tick(tick));
    }

    fn x_at(tracks: &Tracks, view: ViewTick) -> Option<i32> {
        let replica = Replica::new(Arc::new(arena::schema().as_ref().clone()));
        let mut lanes = Vec::new();
        let track = tracks.tracks.get(&ID)?;
        track
            .at(&replica, ID, view, tracks.sent, &mut lanes)
            .then(|| {
                assert_eq!((lanes.len(), lanes[2]), (3, 7));
                lanes[0]
            })
    }

    #[test]
    fn rows_are_blended_carried_on_and_kept_for_a_second() {
        let mut tracks = Tracks::default();
        for tick in 1..=300 {
            put(&mut tracks, tick, tick as i32 * 100);
        }
        let middle = ViewTick::new(Tick(299), 128);
        assert_eq!(x_at(&tracks, middle), Some(29_950));
        assert_eq!(x_at(&tracks, ViewTick::new(Tick(302), 0)), Some(30_200));
        let back = ViewTick::new(Tick(300 - MEMORY_TICKS + 1), 0);
        assert_eq!(x_at(&tracks, back), Some(23_700));
        assert!(tracks.tracks[&ID].since(4).count() <= MEMORY_TICKS as usize + 1);
        // Set twice at one tick: the later word counts.
        put(&mut tracks, 300, 5);
        assert_eq!(x_at(&tracks, ViewTick::new(Tick(300), 0)), Some(5));
    }

    /// A client whose view turned away from a ship was shown a ghost when the ship came back: half way from where it had been
    /// seen last. The replica must say that a dropped cell's rows are gone.
    #[test]
    fn who_comes_back_into_view_comes_from_nowhere() {
        let entered = |cell: u32, base_ago: u32, x: i32| v1::Block {
            cell,
            base_ago,
            entered: vec![v1::Row {
                kind: u32::from(ID.kind.0),
                slot: ID.slot,
                generation: ID.generation,
                lanes: vec![x, 0, 7],
                texts: Vec::new(),
            }],
            ..v1::Block::default()
        };
        let snapshots = [
            v1::Snapshot {
                tick: 1,
                start_over: true,
                added_cells: vec![1, 2],
                blocks: vec![entered(1, 0, 100)],
                ..v1::Snapshot::default()
            },
            v1::Snapshot {
                tick: 2,
                dropped_cells: vec![1],
                ..v1::Snapshot::default()
            },
            v1::Snapshot {
                tick: 39,
                ..v1::Snapshot::default()
            },
            v1::Snapshot {
                tick: 40,
                blocks: vec![entered(2, 1, 9_000)],
                ..v1::Snapshot::default()
            },
        ];
        let mut tracks = Tracks::default();
        let mut replica = Replica::new(Arc::new(arena::schema().as_ref().clone()));
        for snapshot in &snapshots {
            replica.apply(snapshot, &mut tracks).unwrap();
            tracks.applied(Tick(snapshot.tick));
        }
        let mut shown = Vec::new();
        tracks.for_each_shown(&replica, ViewTick::new(Tick(39), 128), None, |one| {
            shown.push(one.lanes[0]);
        });
        assert!(shown.is_empty(), "{shown:?}");
    }

    #[test]
    fn who_is_gone_is_shown_until_then_and_forgotten_later_unless_back() {
        let mut tracks = Tracks::default();
        put(&mut tracks, 10, 100);
        tracks.gone(ID, Tick(11));
        tracks.applied(Tick(11));
        assert_eq!(x_at(&tracks, ViewTick::new(Tick(10), 200)), Some(100));
        assert_eq!(x_at(&tracks, ViewTick::new(Tick(11), 0)), None);
        put(&mut tracks, 12, 300);
        assert_eq!(x_at(&tracks, ViewTick::new(Tick(12), 0)), Some(300));
        tracks.applied(Tick(90));
        assert!(tracks.tracks.contains_key(&ID));
        tracks.gone(ID, Tick(91));
        tracks.applied(Tick(200));
        assert!(tracks.tracks.is_empty() && tracks.gone.is_empty());
    }
}
