//! The rows near the predicted entity, which its rules may read.
//!
//! In: once a snapshot, the replica and the rows before it. Out: the rows near a position at any tick since: as confirmed at the
//! snapshot's tick, extrapolated after it. The server offers its rules the same rows of its own frames, so a tick whose rows are
//! confirmed is predicted to the bit, and later ones as well as the others' motion can be foreseen.

use crate::interpolation::InterpolationBuffer;
use glam::IVec2;
use tickwire_game::{NearbyCollector, NearbyRows, Rules};
use tickwire_sync::client::Replica;
use tickwire_sync::{EntityId, Kind, KindId, Schema, Tick};

/// For which part of a second others are expected to go on as they did: about as long as people take to react to what they see. For
/// later ticks standing still is no worse a guess than going on, and it overshoots less.
const EXTRAPOLATED_PART_OF_SECOND: u32 = 4;

/// What the newest snapshots say of all entities in view.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub replica: &'a Replica,
    pub interpolation: &'a InterpolationBuffer,
}

/// The rows that may come near the predicted entity before the next snapshot.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    /// How far the rules look, in lane units; 0: they don't.
    reach: u32,
    /// The newest tick whose state is predicted from confirmed rows only.
    exact_until: Tick,
    max_extrapolation: u32,
    rows: Vec<Neighbour>,
    /// For each row its public lanes, and by how much each of them changed over `span`.
    lanes: Vec<i32>,
    collector: NearbyCollector,
}

#[derive(Debug)]
struct Neighbour {
    /// The entity, its kind by the rules' own number.
    id: EntityId,
    /// The kind by the schema's number.
    kind: KindId,
    first_lane: usize,
    lane_count: usize,
    /// The tick of its row.
    tick: Tick,
    /// The ticks over which the changes were seen; 0: none are known.
    span: u32,
}

impl Neighbours {
    pub fn set_tick_rate(&mut self, tick_rate: u32) {
        self.max_extrapolation = (tick_rate / EXTRAPOLATED_PART_OF_SECOND).max(1);
    }

    /// Whether the rules look at other rows.
    pub fn are_read(&self) -> bool {
        self.reach > 0
    }

    /// The newest tick whose state is predicted from confirmed rows only.
    pub fn exact_until(&self) -> Tick {
        if self.are_read() {
            self.exact_until
        } else {
            Tick(u32::MAX)
        }
    }

    /// Takes the rows that may come near an entity which is confirmed at `tick`, and is expected between the positions `low` and `high`
    /// until the next snapshot.
    pub fn gather(
        &mut self,
        around: Surroundings<'_>,
        rules: &dyn Rules,
        (own, tick): (EntityId, Tick),
        [low, high]: [IVec2; 2],
    ) {
        self.rows.clear();
        self.lanes.clear();
        self.reach = rules.nearby_reach(own.kind);
        let schema = around.replica.schema();
        if !schema.kind(own.kind).is_some_and(|kind| kind.placed) {
            self.reach = 0;
        }
        if !self.are_read() {
            return;
        }
        let is_known = around.replica.cells().all(|(_, at)| at == tick);
        self.exact_until = if is_known { tick.next() } else { tick };
        // A row that is further away than this moves faster than a cell's side in a few ticks.
        let margin = i64::from(self.reach) + i64::from(schema.grid.cell_size);
        let [low, high] = [low.as_i64vec2() - margin, high.as_i64vec2() + margin];
        for (row, row_tick, received) in around.replica.visible_rows() {
            let Some((kind, number)) = read_kind(schema, rules, row.id.kind) else {
                continue;
            };
            let &[x, y, ..] = &row.lanes[..] else {
                continue;
            };
            let position = IVec2::new(x, y).as_i64vec2();
            if row.id == own || position.cmplt(low).any() || position.cmpgt(high).any() {
                continue;
            }
            let first_lane = self.lanes.len();
            self.lanes.extend(&row.lanes);
            let span = received.newest_pair().and_then(|(older, newest)| {
                let earlier = (around.interpolation).lanes_at(row.id, older, kind.lanes.len())?;
                if kind.has_teleported(earlier.clone(), row.lanes.iter().copied()) {
                    return None;
                }
                let lanes = kind.lanes.iter().zip(earlier).zip(&row.lanes);
                (self.lanes).extend(lanes.map(|((lane, earlier), now)| {
                    if lane.continuous {
                        lane.difference(earlier, *now)
                    } else {
                        0
                    }
                }));
                Some(newest.since(older))
            });
            self.rows.push(Neighbour {
                id: EntityId {
                    kind: number,
                    ..row.id
                },
                kind: row.id.kind,
                first_lane,
                lane_count: row.lanes.len(),
                tick: row_tick,
                span: span.unwrap_or(0),
            });
        }
    }

    /// The rows near a position at a tick.
    pub fn near(&mut self, schema: &Schema, lanes: &[i32], tick: Tick) -> NearbyRows<'_> {
        let (true, &[x, y, ..]) = (self.are_read(), lanes) else {
            return NearbyRows::NONE;
        };
        self.collector.begin(IVec2::new(x, y), self.reach);
        for row in &self.rows {
            let ahead = tick.since(row.tick).min(self.max_extrapolation);
            let Some(kind) = schema.kind(row.kind) else {
                continue;
            };
            let (now, changes) = self.lanes[row.first_lane..].split_at(row.lane_count);
            if row.span == 0 || ahead == 0 {
                self.collector.offer(row.id, now.iter().copied());
                continue;
            }
            let moved = kind.lanes.iter().zip(now).zip(changes);
            let moved = moved.map(|((lane, now), change)| {
                let step = i64::from(*change) * i64::from(ahead) / i64::from(row.span);
                lane.add(*now, step as i32)
            });
            self.collector.offer(row.id, moved);
        }
        self.collector.finish()
    }
}

/// A kind whose rows the rules read, with the number by which they know it.
fn read_kind<'a>(schema: &'a Schema, rules: &dyn Rules, id: KindId) -> Option<(&'a Kind, KindId)> {
    let kind = schema.kind(id).filter(|kind| kind.placed)?;
    Some((kind, rules.nearby_kind(id)?))
}
