//! The rows near the predicted entity, which its rules may read.
//!
//! In: once a snapshot, the replica and the rows before it. Out: the rows near a position at any tick since: as confirmed at the
//! snapshot's tick, and foreseen after it. The server offers its rules the same rows of its own frames, so a tick whose rows are
//! confirmed is predicted to the bit, and later ones as well as the others' motion can be foreseen: by the rules where these explain
//! how others move (`wishes`), because only the rules know that bodies stop each other; else on a straight line.

use super::wishes::Wishes;
use crate::interpolation::InterpolationBuffer;
use glam::{I64Vec2, IVec2};
use tickwire_game::{NearbyCollector, NearbyRows, Rules};
use tickwire_sync::client::Replica;
use tickwire_sync::{EntityId, InputField, Kind, KindId, Schema, Tick};

/// For which part of a second others are expected to go on as they did: about as long as people take to react to what they see. For
/// later ticks standing still is no worse a guess than going on, and it overshoots less.
const EXTRAPOLATED_PART_OF_SECOND: u32 = 4;
/// So many of the nearest rows are foreseen by the rules. Each costs a call of the rules for each tick ahead.
const MAX_FORESEEN: usize = 8;
/// Rows within so many reaches are foreseen by the rules: those that may be met before others' plans change anyway.
const FORESEEN_REACHES: i64 = 4;

/// What the newest snapshots say of all entities in view.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub replica: &'a Replica,
    pub interpolation: &'a InterpolationBuffer,
}

/// The predicted entity as the snapshot confirms it.
#[derive(Clone, Copy)]
pub(super) struct ConfirmedOwn<'a> {
    pub id: EntityId,
    pub tick: Tick,
    pub lanes: &'a [i32],
    /// Its public lanes at the tick before, if they are known.
    pub before: Option<&'a [i32]>,
}

/// The rows that may come near the predicted entity before the next snapshot.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    /// How far the rules look, in lane units; 0: they don't.
    reach: u32,
    /// The newest tick whose state is predicted from confirmed rows only.
    exact_until: Tick,
    max_extrapolation: u32,
    /// The nearest first.
    rows: Vec<Neighbour>,
    /// How many of the rows may be foreseen by the rules.
    foreseen_count: usize,
    /// Lanes of all rows: as confirmed, how they changed over the row's span, and as foreseen for `at`.
    confirmed: Vec<i32>,
    changes: Vec<i32>,
    foreseen: Vec<i32>,
    next: Vec<i32>,
    /// The tick that `foreseen` is for, and the predicted entity then.
    at: Tick,
    own: Option<EntityId>,
    own_lanes: Vec<i32>,
    wishes: Wishes,
    collector: NearbyCollector,
}

#[derive(Clone, Copy, Debug)]
struct Neighbour {
    id: EntityId,
    /// The rules' own number of its kind.
    number: KindId,
    first_lane: usize,
    lane_count: usize,
    distance_squared: i64,
    /// The tick of its row.
    tick: Tick,
    /// The ticks over which the changes were seen; 0: none are known.
    span: u32,
}

impl Neighbour {
    fn of<'a>(&self, lanes: &'a [i32]) -> &'a [i32] {
        &lanes[self.first_lane..][..self.lane_count]
    }

    /// As the rules know it.
    fn in_rules(&self) -> EntityId {
        EntityId {
            kind: self.number,
            ..self.id
        }
    }
}

impl Neighbours {
    pub fn set_tick_rate(&mut self, tick_rate: u32) {
        self.max_extrapolation = (tick_rate / EXTRAPOLATED_PART_OF_SECOND).max(1);
    }

    /// Takes the fields of the game's inputs.
    pub fn set_input(&mut self, fields: &[InputField]) {
        self.wishes.set_input(fields);
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

    /// Takes the rows that may come near an entity which is expected between the positions `low` and `high` until the next snapshot.
    pub fn gather(
        &mut self,
        around: Surroundings<'_>,
        rules: &dyn Rules,
        own: ConfirmedOwn<'_>,
        [low, high]: [IVec2; 2],
    ) {
        self.rows.clear();
        self.reach = rules.nearby_reach(own.id.kind);
        let schema = around.replica.schema();
        let (true, &[x, y, ..]) = (is_placed(schema, own.id.kind), own.lanes) else {
            self.reach = 0;
            return;
        };
        if !self.are_read() {
            return;
        }
        let is_known = around.replica.cells().all(|(_, at)| at == own.tick);
        self.exact_until = if is_known { own.tick.next() } else { own.tick };
        self.confirmed.clear();
        self.changes.clear();
        // A row that is further away than this moves faster than a cell's side in a few ticks.
        let margin = i64::from(self.reach) + i64::from(schema.grid.cell_size);
        let [low, high] = [low.as_i64vec2() - margin, high.as_i64vec2() + margin];
        let middle = IVec2::new(x, y).as_i64vec2();
        for (row, tick, received) in around.replica.visible_rows() {
            let Some((kind, number)) = read_kind(schema, rules, row.id.kind) else {
                continue;
            };
            let &[x, y, ..] = &row.lanes[..] else {
                continue;
            };
            let position = IVec2::new(x, y).as_i64vec2();
            if row.id == own.id || position.cmplt(low).any() || position.cmpgt(high).any() {
                continue;
            }
            let first_lane = self.confirmed.len();
            self.confirmed.extend(&row.lanes);
            let span = received.newest_pair().and_then(|(older, newest)| {
                let earlier = (around.interpolation).lanes_at(row.id, older, kind.lanes.len())?;
                if kind.has_teleported(earlier.clone(), row.lanes.iter().copied()) {
                    return None;
                }
                let lanes = kind.lanes.iter().zip(earlier).zip(&row.lanes);
                let changes = lanes.map(|((lane, earlier), now)| lane.difference(earlier, *now));
                self.changes.extend(changes);
                Some(newest.since(older))
            });
            self.changes.resize(self.confirmed.len(), 0);
            self.rows.push(Neighbour {
                id: row.id,
                number,
                first_lane,
                lane_count: row.lanes.len(),
                distance_squared: distance_squared(position, middle),
                tick,
                span: span.unwrap_or(0),
            });
        }
        self.rows
            .sort_unstable_by_key(|row| (row.distance_squared, row.id.key()));
        let far = i64::from(self.reach).saturating_mul(FORESEEN_REACHES);
        let far_squared = far.saturating_mul(far);
        let near = self
            .rows
            .partition_point(|row| row.distance_squared <= far_squared);
        self.foreseen_count = near.min(MAX_FORESEEN);
        self.foreseen.clone_from(&self.confirmed);
        self.at = own.tick;
        self.own = rules
            .nearby_kind(own.id.kind)
            .map(|kind| EntityId { kind, ..own.id });
        own.lanes.clone_into(&mut self.own_lanes);
        self.explain(schema, rules, own);
    }

    /// Looks for what the nearest others want.
    fn explain(&mut self, schema: &Schema, rules: &dyn Rules, own: ConfirmedOwn<'_>) {
        let rows = &self.rows;
        self.wishes.retain(|id| rows.iter().any(|row| row.id == id));
        // The rows at the tick before.
        self.next.clone_from(&self.confirmed);
        for row in &self.rows {
            let Some(kind) = schema.kind(row.id.kind) else {
                continue;
            };
            let earlier = &mut self.next[row.first_lane..][..row.lane_count];
            let changes = row.of(&self.changes).iter().zip(&kind.lanes);
            for (earlier, (change, lane)) in earlier.iter_mut().zip(changes) {
                *earlier = lane.add(*earlier, change.wrapping_neg());
            }
        }
        for at in 0..self.foreseen_count {
            let row = self.rows[at];
            let Some(kind) = moved_kind(schema, row.id.kind).filter(|_| row.span == 1) else {
                continue;
            };
            let earlier = row.of(&self.next);
            let reach = rules.nearby_reach(row.id.kind);
            self.collector
                .begin(IVec2::new(earlier[0], earlier[1]), reach);
            for (other_at, other) in self.rows.iter().enumerate() {
                if other_at != at {
                    let lanes = other.of(&self.next).iter().copied();
                    self.collector.offer(other.in_rules(), lanes);
                }
            }
            if let Some((id, before)) = self.own.zip(own.before) {
                self.collector.offer(id, before.iter().copied());
            }
            let step = [earlier, row.of(&self.confirmed)];
            let nearby = self.collector.finish();
            (self.wishes).explain(rules, (row.id, kind), step, own.tick, nearby);
        }
    }

    /// The rows near the predicted entity at a tick, when its public lanes are these. Ask for one tick after the other.
    pub fn near(
        &mut self,
        schema: &Schema,
        rules: &dyn Rules,
        lanes: &[i32],
        tick: Tick,
    ) -> NearbyRows<'_> {
        let (true, &[x, y, ..]) = (self.are_read(), lanes) else {
            return NearbyRows::NONE;
        };
        while self.at < tick {
            self.foresee(schema, rules);
        }
        lanes.clone_into(&mut self.own_lanes);
        self.collector.begin(IVec2::new(x, y), self.reach);
        for row in &self.rows {
            let lanes = row.of(&self.foreseen).iter().copied();
            self.collector.offer(row.in_rules(), lanes);
        }
        self.collector.finish()
    }

    /// Moves all rows on by one tick.
    fn foresee(&mut self, schema: &Schema, rules: &dyn Rules) {
        let tick = self.at.next();
        self.next.clone_from(&self.foreseen);
        for at in 0..self.rows.len() {
            let row = self.rows[at];
            let Some(kind) = schema.kind(row.id.kind) else {
                continue;
            };
            let ahead = tick.since(row.tick);
            let is_resting = ahead > self.max_extrapolation;
            let is_foreseen = at < self.foreseen_count && self.wishes.explains(row.id);
            let next = &mut self.next[row.first_lane..][..row.lane_count];
            if is_foreseen {
                let &[x, y, ..] = &*next else { continue };
                self.collector
                    .begin(IVec2::new(x, y), rules.nearby_reach(row.id.kind));
                for (other_at, other) in self.rows.iter().enumerate() {
                    if other_at != at {
                        let lanes = other.of(&self.foreseen).iter().copied();
                        self.collector.offer(other.in_rules(), lanes);
                    }
                }
                if let Some(own) = self.own {
                    self.collector.offer(own, self.own_lanes.iter().copied());
                }
                let nearby = self.collector.finish();
                (self.wishes).advance(rules, (row.id, kind), next, (tick, is_resting), nearby);
            } else if row.span > 0 {
                let ahead = i64::from(ahead.min(self.max_extrapolation));
                let confirmed = row.of(&self.confirmed).iter();
                let steps = confirmed.zip(row.of(&self.changes)).zip(&kind.lanes);
                for (next, ((now, change), lane)) in next.iter_mut().zip(steps) {
                    if lane.continuous {
                        let step = i64::from(*change) * ahead / i64::from(row.span);
                        *next = lane.add(*now, step as i32);
                    }
                }
            }
        }
        std::mem::swap(&mut self.foreseen, &mut self.next);
        self.at = tick;
    }
}

fn distance_squared(one: I64Vec2, other: I64Vec2) -> i64 {
    let away = one - other;
    (away.x.saturating_mul(away.x)).saturating_add(away.y.saturating_mul(away.y))
}

fn is_placed(schema: &Schema, kind: KindId) -> bool {
    schema.kind(kind).is_some_and(|kind| kind.placed)
}

/// A kind whose rows the rules read, with the number by which they know it.
fn read_kind<'a>(schema: &'a Schema, rules: &dyn Rules, id: KindId) -> Option<(&'a Kind, KindId)> {
    let kind = schema.kind(id).filter(|kind| kind.placed)?;
    Some((kind, rules.nearby_kind(id)?))
}

/// A kind whose rows the rules move.
fn moved_kind(schema: &Schema, id: KindId) -> Option<&Kind> {
    schema.kind(id).filter(|kind| kind.placed && kind.predicted)
}
