//! Client-side prediction: advances the player's own entity ahead of the server, by the rules that the server runs.
//!
//! In: the player's inputs, one a tick, and the entity's state in snapshots. Out: its state at the newest input's tick.
//! Reconciliation: when a snapshot differs from the prediction for its tick, the state is corrected and the later inputs are
//! replayed at once, while the screen moves to the corrected position smoothly. Never predicts other entities.

use std::collections::VecDeque;
use tickwire_game::{RuleContext, RuleInput, Rules};
use tickwire_sync::input_buffer::max_repeats;
use tickwire_sync::{EntityId, Kind, Micros, Schema, Tick};

/// Inputs and states kept: enough for the largest input lead that the server accepts plus the longest round trip.
const MAX_HISTORY_TICKS: usize = 192;
/// Time constant of smoothing: after this time 1/e of a correction is left on the screen.
const SMOOTHING_US: f64 = 80_000.0;
/// Corrections larger than this, in lane units, are not smoothed: the entity was teleported.
const TELEPORT_DISTANCE: i32 = 200 * 16;

/// The state of the predicted entity at one tick.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PredictedState {
    /// The entity.
    pub id: EntityId,
    /// The tick of the state.
    pub tick: Tick,
    /// Public lanes.
    pub lanes: Vec<i32>,
    /// Private lanes.
    pub private_lanes: Vec<i32>,
}

/// How accurate prediction is.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct PredictionStats {
    /// Inputs predicted.
    pub inputs: u64,
    /// Snapshots that differed from the prediction in the position or in a private lane.
    pub corrections: u64,
    /// The largest error of a predicted position, in lane units.
    pub max_error: f64,
}

/// The predicted entity of one player.
pub(crate) struct Prediction {
    rules: Option<Box<dyn Rules>>,
    /// For how many ticks the server repeats the latest input before it uses the neutral one.
    max_repeats: u32,
    /// The inputs made, in ascending order of their ticks.
    inputs: VecDeque<(Tick, Vec<u8>)>,
    /// The newest confirmed state, at most one before it, and the states predicted since, one for each tick.
    states: VecDeque<PredictedState>,
    /// The tick of the newest confirmed state.
    confirmed: Tick,
    /// Why the rules cannot be used any more.
    failure: Option<String>,
    stats: PredictionStats,
    /// How far the screen was from the corrected position at `offset_at`, in lane units.
    offset: [f64; 2],
    offset_at: Micros,
}

impl Prediction {
    /// No rules yet: the entity is shown as in the newest snapshot.
    pub fn new() -> Self {
        Self {
            rules: None,
            max_repeats: 0,
            inputs: VecDeque::new(),
            states: VecDeque::new(),
            confirmed: Tick(0),
            failure: None,
            stats: PredictionStats::default(),
            offset: [0.0; 2],
            offset_at: Micros(0),
        }
    }

    /// Takes over the rules of a room with this tick rate, and forgets inputs and states.
    pub fn set_rules(&mut self, rules: Option<Box<dyn Rules>>, tick_rate: u32) {
        self.rules = rules;
        self.failure = None;
        self.max_repeats = max_repeats(tick_rate);
        self.reset();
    }

    /// Keeps the rules for a room with this tick rate, and forgets inputs and states.
    pub fn keep_rules(&mut self, tick_rate: u32) {
        self.max_repeats = max_repeats(tick_rate);
        self.reset();
    }

    /// Begins to predict in the middle of a session, by the inputs made since the newest confirmed state.
    pub fn begin(&mut self, rules: Box<dyn Rules>) {
        self.rules = Some(rules);
        if let Some((target, _)) = self.inputs.back() {
            self.predict_up_to(*target);
        }
    }

    /// Drops the rules, and all states but the newest confirmed one.
    pub fn end(&mut self) {
        self.rules = None;
        let predicted = self
            .states
            .partition_point(|state| state.tick <= self.confirmed);
        self.states.truncate(predicted);
        self.states.drain(..predicted.saturating_sub(1));
    }

    /// Whether there are rules to predict by.
    pub fn has_rules(&self) -> bool {
        self.rules.is_some() && self.failure.is_none()
    }

    /// Why the rules cannot be used any more; once.
    pub fn take_failure(&mut self) -> Option<String> {
        self.failure.take()
    }

    /// Forgets inputs and states: the connection or the clock has changed.
    pub fn reset(&mut self) {
        self.inputs.clear();
        self.states.clear();
        self.offset = [0.0; 2];
    }

    /// The newest predicted state.
    pub fn newest(&self) -> Option<&PredictedState> {
        self.states.back()
    }

    /// The predicted state of a tick, if it is kept.
    pub fn at(&self, tick: Tick) -> Option<&PredictedState> {
        let first = self.states.front()?.tick;
        self.states.get(tick.0.checked_sub(first.0)? as usize)
    }

    pub fn stats(&self) -> PredictionStats {
        self.stats
    }

    /// How far the screen is from the corrected position at `now`, in lane units along x and y.
    pub fn smoothing_offset(&self, now: Micros) -> [f64; 2] {
        let remaining = (-(now.since(self.offset_at).0 as f64) / SMOOTHING_US).exp();
        self.offset.map(|offset| offset * remaining)
    }

    /// Records the input for `tick`, and predicts up to that tick. Ignores ticks that are not newer than the latest.
    pub fn input(&mut self, tick: Tick, payload: &[u8]) {
        if self
            .inputs
            .back()
            .is_some_and(|(newest, _)| *newest >= tick)
        {
            return;
        }
        if self.inputs.len() == MAX_HISTORY_TICKS {
            self.inputs.pop_front();
        }
        self.inputs.push_back((tick, payload.to_vec()));
        if self.rules.is_some() && !self.states.is_empty() {
            self.stats.inputs += 1;
            self.predict_up_to(tick);
        }
    }

    /// Compares the prediction for `confirmed.tick` with the snapshot's state, and corrects it.
    pub fn reconcile(&mut self, schema: &Schema, confirmed: PredictedState, now: Micros) {
        self.confirmed = confirmed.tick;
        let is_same_entity = self
            .states
            .back()
            .is_some_and(|state| state.id == confirmed.id);
        let newest_before = self.states.back().cloned();
        let target = self.inputs.back().map(|(tick, _)| *tick);
        if self.rules.is_none() {
            self.states.clear();
            self.states.push_back(confirmed);
            return;
        }
        let predicted = if is_same_entity {
            self.at(confirmed.tick)
        } else {
            None
        };
        if predicted == Some(&confirmed) {
            // One older state stays: the screen interpolates between the two newest, and over a short path the newest is confirmed
            // at once.
            while self
                .states
                .front()
                .is_some_and(|state| state.tick.next() < confirmed.tick)
            {
                self.states.pop_front();
            }
            return;
        }
        if let Some(predicted) = predicted {
            let error = distance(schema, predicted, &confirmed);
            // Other public lanes (health) can change by what other players do, which is not predicted.
            let is_wrong = error > 0.0 || predicted.private_lanes != confirmed.private_lanes;
            self.stats.corrections += u64::from(is_wrong);
            self.stats.max_error = self.stats.max_error.max(error);
        }
        let before = confirmed.tick.minus(1).filter(|_| is_same_entity);
        let before = before.and_then(|tick| self.at(tick)).cloned();
        self.states.clear();
        self.states.extend(before);
        self.states.push_back(confirmed);
        if let Some(target) = target {
            self.predict_up_to(target);
        }
        let newest_after = self.states.back().cloned();
        if let Some((before, after)) = newest_before.zip(newest_after)
            && is_same_entity
            && before.tick == after.tick
        {
            self.smooth(schema, &before, &after, now);
        }
    }

    /// Forgets the states: the player has no predicted entity now.
    pub fn clear_state(&mut self) {
        self.states.clear();
        self.offset = [0.0; 2];
    }

    fn predict_up_to(&mut self, target: Tick) {
        let Some(rules) = &self.rules else { return };
        while let Some(state) = self.states.back().filter(|state| state.tick < target) {
            let mut next = state.clone();
            next.tick = state.tick.next();
            let input = input_for(&self.inputs, next.tick, self.max_repeats);
            rules.advance(
                next.id.kind,
                &mut next.lanes,
                &mut next.private_lanes,
                &RuleContext::alone(next.tick, input),
            );
            if self.states.len() == MAX_HISTORY_TICKS {
                self.states.pop_front();
            }
            self.states.push_back(next);
        }
        self.failure = rules.failure();
    }

    /// Lets the screen move from `before` to `after` smoothly, both of them as shown at `now`.
    pub fn keep_on_screen(&mut self, kind: &Kind, before: &[i32], after: &[i32], now: Micros) {
        let is_teleport = || kind.has_teleported(before.iter().copied(), after.iter().copied());
        if let (&[x, y, ..], &[after_x, after_y, ..]) = (before, after)
            && kind.placed
            && !is_teleport()
        {
            let offset = self.smoothing_offset(now);
            let moved = |axis: usize, before: i32, after: i32| {
                offset[axis] + f64::from(before) - f64::from(after)
            };
            self.offset = [moved(0, x, after_x), moved(1, y, after_y)];
            self.offset_at = now;
        }
    }

    fn smooth(
        &mut self,
        schema: &Schema,
        before: &PredictedState,
        after: &PredictedState,
        now: Micros,
    ) {
        if !schema.kind(after.id.kind).is_some_and(|kind| kind.placed) {
            return;
        }
        let offset = self.smoothing_offset(now);
        let is_teleport = distance(schema, before, after) > f64::from(TELEPORT_DISTANCE);
        let moved = |axis: usize| {
            offset[axis] + f64::from(before.lanes[axis]) - f64::from(after.lanes[axis])
        };
        self.offset = if is_teleport {
            [0.0; 2]
        } else {
            [moved(0), moved(1)]
        };
        self.offset_at = now;
    }
}

/// The input that the server uses for a tick: the one made for it, else the latest one before it for up to `max_repeats` ticks.
fn input_for(inputs: &VecDeque<(Tick, Vec<u8>)>, tick: Tick, max_repeats: u32) -> RuleInput<'_> {
    let after = inputs.partition_point(|(input_tick, _)| *input_tick <= tick);
    match after.checked_sub(1).and_then(|index| inputs.get(index)) {
        Some((input_tick, payload)) if *input_tick == tick => RuleInput::Fresh(payload),
        Some((input_tick, payload)) if tick.since(*input_tick) <= max_repeats => {
            RuleInput::Repeated(payload)
        }
        _ => RuleInput::Neutral,
    }
}

/// Distance between two states, in lane units; for kinds without a position 1 if they differ.
fn distance(schema: &Schema, a: &PredictedState, b: &PredictedState) -> f64 {
    if !schema.kind(a.id.kind).is_some_and(|kind| kind.placed) {
        return f64::from(u8::from(a != b));
    }
    let along = |axis: usize| f64::from(a.lanes[axis]) - f64::from(b.lanes[axis]);
    along(0).hypot(along(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickwire_game::arena;

    fn own(tick: u32, lanes: [i32; 5], private: [i32; 3]) -> PredictedState {
        let id = EntityId {
            kind: arena::kind::SHIP,
            slot: 1,
            generation: 1,
        };
        PredictedState {
            id,
            tick: Tick(tick),
            lanes: lanes.to_vec(),
            private_lanes: private.to_vec(),
        }
    }

    fn rules() -> Box<dyn Rules> {
        tickwire_game::rules_for(arena::NAME, &[], arena::RULES_HASH).unwrap()
    }

    #[test]
    fn one_state_before_the_newest_is_kept_for_the_screen() {
        let schema = arena::schema();
        let mut prediction = Prediction::new();
        prediction.set_rules(Some(rules()), 60);
        let start = own(10, [16_000, 16_000, 0, 100, 0], [0; 3]);
        prediction.reconcile(&schema, start.clone(), Micros(0));
        prediction.input(Tick(11), &[]);
        // Each newest tick is confirmed at once, the second one after a hit.
        let confirmed = own(11, [16_000, 16_000, 0, 100, 0], [0; 3]);
        prediction.reconcile(&schema, confirmed, Micros(0));
        assert_eq!(prediction.at(Tick(10)), Some(&start));
        prediction.input(Tick(12), &[]);
        let hit = own(12, [16_000, 16_000, 0, 75, 0], [0; 3]);
        prediction.reconcile(&schema, hit, Micros(0));
        assert!(prediction.at(Tick(11)).is_some());
        assert_eq!(prediction.stats().corrections, 0);
    }

    #[test]
    fn a_repeated_input_never_fires() {
        let schema = arena::schema();
        let mut prediction = Prediction::new();
        prediction.set_rules(Some(rules()), 60);
        let fire = arena::ArenaInput {
            fire: true,
            heading: Some(7),
            ..arena::ArenaInput::default()
        }
        .encode();
        // The beam is not ready at the input's tick, but would be at one of the repeats.
        prediction.reconcile(
            &schema,
            own(10, [16_000, 16_000, 0, 100, 0], [0, 0, 5]),
            Micros(0),
        );
        prediction.input(Tick(11), &fire);
        prediction.input(Tick(25), &[]);
        assert_eq!(prediction.newest().unwrap().private_lanes[2], 0);
        prediction.input(Tick(26), &fire);
        assert_eq!(prediction.newest().unwrap().private_lanes[2], 20);
    }

    #[test]
    fn only_what_the_rules_do_not_predict_is_a_correction() {
        let schema = arena::schema();
        let mut prediction = Prediction::new();
        prediction.set_rules(Some(rules()), 60);
        let start = own(10, [16_000, 16_000, 0, 100, 0], [0; 3]);
        prediction.reconcile(&schema, start.clone(), Micros(0));
        let right = arena::ArenaInput {
            right: true,
            heading: Some(7),
            ..arena::ArenaInput::default()
        }
        .encode();
        for tick in 11..40 {
            prediction.input(Tick(tick), &right);
        }
        let mut server = start;
        for tick in 11..30 {
            rules().advance(
                server.id.kind,
                &mut server.lanes,
                &mut server.private_lanes,
                &RuleContext::alone(server.tick, RuleInput::Fresh(&right)),
            );
            server.tick = Tick(tick);
            prediction.reconcile(&schema, server.clone(), Micros(0));
        }
        assert_eq!(prediction.stats().corrections, 0);
        // A hit is not a misprediction.
        server.tick = Tick(30);
        rules().advance(
            server.id.kind,
            &mut server.lanes,
            &mut server.private_lanes,
            &RuleContext::alone(server.tick, RuleInput::Fresh(&right)),
        );
        server.lanes[arena::ship_lane::HEALTH] -= 25;
        prediction.reconcile(&schema, server.clone(), Micros(0));
        assert_eq!(prediction.stats().corrections, 0);
        let before = prediction.newest().unwrap().clone();
        assert_eq!(before.tick, Tick(39));
        assert_eq!(before.lanes[arena::ship_lane::HEALTH], 75);
        server.tick = Tick(31);
        server.lanes[0] += 160;
        prediction.reconcile(&schema, server, Micros(0));
        assert_eq!(prediction.stats().corrections, 1);
        let after = prediction.newest().unwrap();
        assert_eq!(after.tick, Tick(39));
        // The screen does not jump, and soon shows the corrected position.
        let shown = f64::from(after.lanes[0]) + prediction.smoothing_offset(Micros(0))[0];
        assert!((shown - f64::from(before.lanes[0])).abs() < 1.0);
        assert!(prediction.smoothing_offset(Micros(1_000_000))[0].abs() < 1.0);
    }
}
