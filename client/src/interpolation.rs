//! The interpolation buffer: entities a little in the past, interpolated between the two snapshots around the view tick.
//!
//! In: rows as the replica sets them. Out: for any view tick of the latest second, exactly the integers that the server's
//! rewind computes for it. Never predicts: beyond the newest snapshot it extrapolates as the server does.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use tickwire_sync::client::{Lanes, Replica, Row, RowObserver};
use tickwire_sync::playout::DrawnTicks;
use tickwire_sync::{EntityId, SentTicks, Tick, ViewTick};

/// For how many ticks an entity's rows are kept: as far back as `SentTicks` reaches.
const HISTORY_TICKS: u32 = 64;

/// One entity as the screen shows it.
#[derive(Clone, Copy, Debug)]
pub struct ShownEntity<'a> {
    /// The entity.
    pub id: EntityId,
    /// Public lanes at the view tick.
    pub lanes: &'a [i32],
    /// How far the position, the first two lanes, is beyond these integers, in 1/256 of a step: where the player's own entity is
    /// predicted, it moves evenly at any rate of the display. 0 for all others.
    pub fraction: [i8; 2],
    /// The newest row, for its texts.
    pub row: &'a Row,
}

/// The latest rows of each entity.
///
/// Every changed row of every snapshot is stored here, and with hundreds of sessions in one process hardly any of it is in the
/// CPU's cache. So each entity's rows lie in one flat queue, and the steady state allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct InterpolationBuffer {
    histories: HashMap<EntityId, RowHistory, BuildHasherDefault<IdHasher>>,
    /// Entities that left the replica and may still be on the screen, oldest first. An entity that came back stays listed until
    /// its tick is old.
    gone: VecDeque<(Tick, EntityId)>,
    /// Received ticks, for entities that are gone. Their cell's own record is no longer known, so this one covers all cells.
    sent: SentTicks,
}

/// The latest rows of one entity.
#[derive(Debug, Default)]
struct RowHistory {
    /// Of each row, oldest first: the tick from which it holds, then its lanes. A row holds until the next one.
    rows: VecDeque<i32>,
    gone_at: Option<Tick>,
}

/// Hashes the small numbers of an [`EntityId`]. They come from the server, which has no reason to make them collide.
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

impl RowObserver for InterpolationBuffer {
    fn row(&mut self, row: &Row, tick: Tick) {
        self.histories.entry(row.id).or_default().push(row, tick);
    }

    fn gone(&mut self, id: EntityId, tick: Tick) {
        if let Some(history) = self.histories.get_mut(&id) {
            history.gone_at = Some(tick);
            self.gone.push_back((tick, id));
        }
    }
}

impl InterpolationBuffer {
    /// Records that a snapshot of `tick` was applied, and forgets entities that have been gone for long.
    pub fn applied(&mut self, tick: Tick) {
        self.sent.record(tick);
        while let Some((gone, id)) = self
            .gone
            .front()
            .copied()
            .filter(|(gone, _)| tick.since(*gone) > HISTORY_TICKS)
        {
            self.gone.pop_front();
            if self
                .histories
                .get(&id)
                .is_some_and(|history| history.gone_at == Some(gone))
            {
                self.histories.remove(&id);
            }
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The lanes of an entity of a kind with `count` lanes at a tick that was received; `None` if it was not in view then.
    pub fn lanes_at(
        &self,
        id: EntityId,
        tick: Tick,
        count: usize,
    ) -> Option<impl Iterator<Item = i32> + Clone> {
        self.histories.get(&id)?.lanes_at(tick, count)
    }

    /// Calls `show` for every wanted entity that the screen shows at `view`.
    pub fn for_each_shown(
        &self,
        replica: &Replica,
        view: ViewTick,
        is_wanted: &dyn Fn(EntityId) -> bool,
        mut show: impl FnMut(ShownEntity<'_>),
    ) {
        let mut lanes = Vec::new();
        for (row, _, sent) in replica
            .visible_rows()
            .into_iter()
            .filter(|(row, _, _)| is_wanted(row.id))
        {
            let Some(history) = self.histories.get(&row.id) else {
                continue;
            };
            if history.sample(replica, row.id, view, sent, &mut lanes) {
                show(ShownEntity {
                    id: row.id,
                    lanes: &lanes,
                    fraction: [0; 2],
                    row,
                });
            }
        }
        // An entity that the newest snapshot does not have is shown until the view tick reaches the tick at which it left.
        for (gone, id) in self
            .gone
            .iter()
            .filter(|(gone, id)| view < ViewTick::new(*gone, 0) && is_wanted(*id))
        {
            let Some(history) = self
                .histories
                .get(id)
                .filter(|history| history.gone_at == Some(*gone))
            else {
                continue;
            };
            if history.sample(replica, *id, view, self.sent, &mut lanes) {
                let row = Row::new(*id, Lanes::from_slice(&lanes), Vec::new(), *gone);
                show(ShownEntity {
                    id: *id,
                    lanes: &lanes,
                    fraction: [0; 2],
                    row: &row,
                });
            }
        }
    }
}

impl RowHistory {
    fn push(&mut self, row: &Row, tick: Tick) {
        // Rows from before the entity left must not be interpolated with those after its return.
        if self.gone_at.take().is_some() {
            self.rows.clear();
        }
        let width = 1 + row.lanes.len();
        // Rows are of different ticks, so this many always cover the kept time, whatever their ticks.
        if self.rows.len() > HISTORY_TICKS as usize * width {
            self.rows.drain(..width);
        }
        // An entity that moved from one cell to another is reported twice for the same tick.
        if self
            .newest_first(width)
            .next()
            .is_some_and(|(_, newest)| newest >= tick)
        {
            self.rows.truncate(self.rows.len() - width);
        }
        self.rows.push_back(tick.0 as i32);
        self.rows.extend(&row.lanes);
    }

    /// Where each row of `width` words begins, and from which tick it holds; newest first.
    fn newest_first(&self, width: usize) -> impl Iterator<Item = (usize, Tick)> {
        let starts = (0..self.rows.len()).step_by(width).rev();
        starts.map(|start| (start, Tick(self.rows[start] as u32)))
    }

    /// The lanes that hold at a tick.
    fn lanes_at(&self, tick: Tick, count: usize) -> Option<impl Iterator<Item = i32> + Clone> {
        if self.gone_at.is_some_and(|gone| gone <= tick) {
            return None;
        }
        let (start, _) = self
            .newest_first(1 + count)
            .find(|(_, since)| *since <= tick)?;
        Some(self.rows.range(start + 1..start + 1 + count).copied())
    }

    /// Computes the lanes at `view` from the received ticks around it, as the server's rewind does. `false`: not shown.
    fn sample(
        &self,
        replica: &Replica,
        id: EntityId,
        view: ViewTick,
        sent: SentTicks,
        lanes: &mut Vec<i32>,
    ) -> bool {
        lanes.clear();
        let (Some(pair), Some(kind)) = (DrawnTicks::at(sent, view), replica.schema().kind(id.kind))
        else {
            return false;
        };
        let (older, newer) = pair.ticks();
        let row_at = |tick: Tick| self.lanes_at(tick, kind.lanes.len());
        pair.draw(kind, row_at(older), row_at(newer), view, lanes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_game;
    use std::sync::Arc;
    use tickwire_proto::v1;

    const ID: EntityId = EntityId {
        kind: test_game::STONE,
        slot: 3,
        generation: 1,
    };

    fn push(buffer: &mut InterpolationBuffer, tick: u32, x: i32) {
        let row = Row::new(ID, Lanes::from_slice(&[x, 0, 7]), Vec::new(), Tick(tick));
        buffer.row(&row, Tick(tick));
        buffer.applied(Tick(tick));
    }

    fn x_at(buffer: &InterpolationBuffer, view: ViewTick) -> Option<i32> {
        let replica = Replica::new(Arc::new(test_game::schema().as_ref().clone()));
        let mut lanes = Vec::new();
        let history = buffer.histories.get(&ID)?;
        history
            .sample(&replica, ID, view, buffer.sent, &mut lanes)
            .then(|| {
                assert_eq!((lanes.len(), lanes[2]), (3, 7));
                lanes[0]
            })
    }

    #[test]
    fn rows_are_interpolated_extrapolated_and_kept_for_a_second() {
        let mut buffer = InterpolationBuffer::default();
        for tick in 1..=300 {
            push(&mut buffer, tick, tick as i32 * 100);
        }
        let middle = ViewTick::new(Tick(299), 128);
        assert_eq!(x_at(&buffer, middle), Some(29_950));
        assert_eq!(x_at(&buffer, ViewTick::new(Tick(302), 0)), Some(30_200));
        let back = ViewTick::new(Tick(300 - HISTORY_TICKS + 1), 0);
        assert_eq!(x_at(&buffer, back), Some(23_700));
        assert!(buffer.histories[&ID].newest_first(4).count() <= HISTORY_TICKS as usize + 1);
        // Pushed twice for one tick: the later row counts.
        push(&mut buffer, 300, 5);
        assert_eq!(x_at(&buffer, ViewTick::new(Tick(300), 0)), Some(5));
    }

    #[test]
    fn a_teleport_is_shown_at_its_tick_and_not_on_the_way() {
        let mut schema = test_game::schema().as_ref().clone();
        // The weight of a stone stands in for a count of teleports.
        schema.kinds[ID.kind.index()].teleport_lane = Some(2);
        let replica = Replica::new(Arc::new(schema));
        let mut buffer = InterpolationBuffer::default();
        let shown_at = |buffer: &InterpolationBuffer, tick: u32, fraction: u32| {
            let mut lanes = Vec::new();
            let view = ViewTick::new(Tick(tick), fraction);
            assert!(buffer.histories[&ID].sample(&replica, ID, view, buffer.sent, &mut lanes));
            lanes[0]
        };
        for (tick, x, teleports) in [(1, 100, 0), (2, 200, 0), (3, 9_000, 1)] {
            let row = Row::new(
                ID,
                Lanes::from_slice(&[x, 0, teleports]),
                Vec::new(),
                Tick(tick),
            );
            buffer.row(&row, Tick(tick));
            buffer.applied(Tick(tick));
        }
        assert_eq!(shown_at(&buffer, 1, 128), 150);
        assert_eq!(shown_at(&buffer, 2, 200), 200);
        assert_eq!(shown_at(&buffer, 3, 0), 9_000);
        assert_eq!(shown_at(&buffer, 4, 128), 9_000);
    }

    /// Regression: when an entity came back into view, the client showed a ghost half way from where the entity had been seen last. The
    /// replica must report the rows of a dropped cell as gone.
    #[test]
    fn an_entity_back_in_view_is_not_interpolated_from_afar() {
        let entered = |cell: u32, baseline_ago: u32, x: i32| v1::Block {
            cell,
            baseline_ago,
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
                full_snapshot: true,
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
        let mut buffer = InterpolationBuffer::default();
        let mut replica = Replica::new(Arc::new(test_game::schema().as_ref().clone()));
        for snapshot in &snapshots {
            replica.apply(snapshot, &mut buffer).unwrap();
            buffer.applied(Tick(snapshot.tick));
        }
        let mut shown = Vec::new();
        buffer.for_each_shown(&replica, ViewTick::new(Tick(39), 128), &|_| true, |one| {
            shown.push(one.lanes[0]);
        });
        assert!(shown.is_empty(), "{shown:?}");
    }

    #[test]
    fn a_gone_entity_is_shown_until_its_tick_then_forgotten() {
        let mut buffer = InterpolationBuffer::default();
        push(&mut buffer, 10, 100);
        buffer.gone(ID, Tick(11));
        buffer.applied(Tick(11));
        assert_eq!(x_at(&buffer, ViewTick::new(Tick(10), 200)), Some(100));
        assert_eq!(x_at(&buffer, ViewTick::new(Tick(11), 0)), None);
        push(&mut buffer, 12, 300);
        assert_eq!(x_at(&buffer, ViewTick::new(Tick(12), 0)), Some(300));
        buffer.applied(Tick(90));
        assert!(buffer.histories.contains_key(&ID));
        buffer.gone(ID, Tick(91));
        buffer.applied(Tick(200));
        assert!(buffer.histories.is_empty() && buffer.gone.is_empty());
    }
}
