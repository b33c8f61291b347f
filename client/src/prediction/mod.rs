//! Client-side prediction: advances the player's own entity ahead of the server, by the rules that the server runs.
//!
//! In: the player's inputs, one a tick, and the entity's state in snapshots. Out: its state at the newest input's tick.
//! Reconciliation: when a snapshot differs from the prediction for its tick, the state is corrected and the later inputs are
//! replayed at once, while the screen moves to the corrected position smoothly. Rules that look at other rows are replayed with
//! every snapshot, because each one tells more of the others (`neighbours`). Never predicts other entities.

mod correction_log;
mod neighbours;
#[cfg(test)]
mod prediction_tests;
mod smoothing;
mod stats;
mod wishes;

use correction_log::CorrectionLog;
pub use correction_log::{Correction, CorrectionCause};
use glam::IVec2;
pub(crate) use neighbours::Surroundings;
use neighbours::{ConfirmedOwn, Neighbours};
use smoothing::Smoothing;
pub use stats::{ErrorHistogram, PredictionStats};
use std::collections::VecDeque;
use std::sync::Arc;
use tickwire_game::{RuleContext, RuleInput, Rules};
use tickwire_sync::input_buffer::max_repeats;
use tickwire_sync::{EntityId, Kind, Micros, Schema, Tick};

/// Inputs and states kept: enough for the largest input lead that the server accepts plus the longest round trip.
const MAX_HISTORY_TICKS: usize = 192;

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
    /// The schema of the confirmed states.
    schema: Arc<Schema>,
    neighbours: Neighbours,
    /// The positions that were first predicted for the latest inputs' ticks.
    first_predictions: VecDeque<(Tick, [i32; 2])>,
    /// The entity of the latest states; stays when they are cleared.
    own: Option<EntityId>,
    smoothing: Smoothing,
    stats: PredictionStats,
    corrections: CorrectionLog,
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
            schema: Arc::default(),
            neighbours: Neighbours::default(),
            first_predictions: VecDeque::new(),
            own: None,
            smoothing: Smoothing::default(),
            stats: PredictionStats::default(),
            corrections: CorrectionLog::default(),
        }
    }

    /// Takes over the rules of a room with this tick rate, and forgets inputs and states.
    pub fn set_rules(&mut self, rules: Option<Box<dyn Rules>>, tick_rate: u32) {
        self.rules = rules;
        self.failure = None;
        self.keep_rules(tick_rate);
    }

    /// Keeps the rules for a room with this tick rate, and forgets inputs and states.
    pub fn keep_rules(&mut self, tick_rate: u32) {
        self.max_repeats = max_repeats(tick_rate);
        self.neighbours.set_tick_rate(tick_rate);
        self.reset();
    }

    /// Begins to predict in the middle of a session, by the inputs made since the newest confirmed state.
    pub fn begin(&mut self, rules: Box<dyn Rules>, around: Surroundings<'_>) {
        self.rules = Some(rules);
        if let Some(confirmed) = self.states.pop_back() {
            self.states.clear();
            self.replay(around, None, confirmed);
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
        self.clear_state();
    }

    /// The entity that is predicted, or was until it was gone.
    pub fn own(&self) -> Option<EntityId> {
        self.own
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

    /// Begins or ends to keep corrections for [`Self::take_correction`].
    pub fn record_corrections(&mut self, is_on: bool) {
        self.corrections.switch(is_on);
    }

    /// Whether the snapshot that comes reports ticks for which the server had no input.
    pub fn report_inputs(&mut self, had_none: bool) {
        self.corrections.is_input_missing = had_none;
    }

    /// The oldest correction that nobody has taken.
    pub fn take_correction(&mut self) -> Option<Correction> {
        self.corrections.take()
    }

    /// How far the screen is from the corrected position at `now`, in lane units along x and y.
    pub fn smoothing_offset(&self, now: Micros) -> [f64; 2] {
        self.smoothing.offset(now)
    }

    /// Lets the screen move from `before` to `after` smoothly, the lanes of both as shown at `now`.
    pub fn keep_on_screen(&mut self, kind: &Kind, before: &[i32], after: &[i32], now: Micros) {
        self.smoothing.move_on(kind, before, after, now);
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
            self.record_first_prediction(tick);
        }
    }

    /// Compares the prediction for `confirmed.tick` with the snapshot's state, and corrects it.
    pub fn reconcile(&mut self, around: Surroundings<'_>, confirmed: PredictedState, now: Micros) {
        self.take_schema(around);
        self.confirmed = confirmed.tick;
        self.own = Some(confirmed.id);
        if self.rules.is_none() {
            self.states.clear();
            self.states.push_back(confirmed);
            return;
        }
        if self.newest().is_none_or(|state| state.id != confirmed.id) {
            self.states.clear();
            self.first_predictions.clear();
        }
        self.compare_first_prediction(&confirmed);
        self.compare(&confirmed);
        let is_right = self.at(confirmed.tick) == Some(&confirmed);
        let is_recorded = !is_right && self.record_correction(&confirmed);
        // One older state stays: the screen interpolates between the two newest, and over a short path the newest is confirmed at once.
        if is_right && !self.neighbours.are_read() {
            while self
                .states
                .front()
                .is_some_and(|state| state.tick.next() < confirmed.tick)
            {
                self.states.pop_front();
            }
            return;
        }
        let newest_before = self.states.back().cloned();
        let before = confirmed.tick.minus(1).and_then(|tick| self.at(tick));
        let before = before.cloned();
        self.replay(around, before, confirmed);
        if let Some((before, after)) = newest_before.zip(self.states.back())
            && before.tick == after.tick
        {
            self.record_replay(is_recorded, &before);
            self.smooth(&before, now);
        }
    }

    fn take_schema(&mut self, around: Surroundings<'_>) {
        let schema = around.replica.schema();
        if !Arc::ptr_eq(schema, &self.schema) {
            self.schema = Arc::clone(schema);
            self.neighbours.set_input(&schema.input);
        }
    }

    /// Forgets the states: the player has no predicted entity now.
    pub fn clear_state(&mut self) {
        self.states.clear();
        self.first_predictions.clear();
        self.smoothing = Smoothing::default();
    }

    /// Predicts all later inputs from a confirmed state anew.
    fn replay(
        &mut self,
        around: Surroundings<'_>,
        before: Option<PredictedState>,
        confirmed: PredictedState,
    ) {
        self.take_schema(around);
        let path = self.states.iter().chain([&confirmed]);
        let positions = path.filter_map(|state| {
            let position: [i32; 2] = state.lanes.get(..2)?.try_into().ok()?;
            Some(IVec2::from(position))
        });
        let range = positions.fold([IVec2::MAX, IVec2::MIN], |[low, high], at| {
            [low.min(at), high.max(at)]
        });
        if let Some(rules) = &self.rules {
            let own = ConfirmedOwn {
                id: confirmed.id,
                tick: confirmed.tick,
                lanes: &confirmed.lanes,
                before: before.as_ref().map(|before| &before.lanes[..]),
            };
            self.neighbours.gather(around, &**rules, own, range);
        }
        self.states.clear();
        self.states.extend(before);
        self.states.push_back(confirmed);
        if let Some((target, _)) = self.inputs.back() {
            self.predict_up_to(*target);
        }
    }

    fn predict_up_to(&mut self, target: Tick) {
        let Some(rules) = &self.rules else { return };
        // No server takes an input so far ahead. A server that says otherwise must not keep its client busy.
        let is_too_far =
            |state: &PredictedState| target.since(state.tick) as usize > MAX_HISTORY_TICKS;
        if self.states.back().is_some_and(is_too_far) {
            return;
        }
        while let Some(state) = self.states.back().filter(|state| state.tick < target) {
            let mut next = state.clone();
            next.tick = state.tick.next();
            let context = RuleContext {
                tick: next.tick,
                input: input_for(&self.inputs, next.tick, self.max_repeats),
                nearby: (self.neighbours).near(&self.schema, &**rules, &state.lanes, state.tick),
            };
            rules.advance(
                next.id.kind,
                &mut next.lanes,
                &mut next.private_lanes,
                &context,
            );
            if self.states.len() == MAX_HISTORY_TICKS {
                self.states.pop_front();
            }
            self.states.push_back(next);
            if rules.failure().is_some() {
                break;
            }
        }
        self.failure = rules.failure();
    }

    /// Counts a prediction made with equal knowledge, and whether it was wrong.
    fn compare(&mut self, confirmed: &PredictedState) {
        let predicted = self.at(confirmed.tick);
        let is_fair = confirmed.tick <= self.neighbours.exact_until();
        if let Some(predicted) = predicted.filter(|_| is_fair) {
            let error = distance(&self.schema, predicted, confirmed);
            // Other public lanes (health) can change by what other players do, which is not predicted.
            let is_wrong = error > 0.0 || predicted.private_lanes != confirmed.private_lanes;
            self.stats.compared += 1;
            self.stats.corrections += u64::from(is_wrong);
            self.stats.max_error = self.stats.max_error.max(error);
        }
    }

    /// Keeps a wrong prediction of the server's state, if somebody looks.
    fn record_correction(&mut self, confirmed: &PredictedState) -> bool {
        let predicted = self.at(confirmed.tick).filter(|_| self.corrections.is_on());
        let Some(predicted) = predicted.cloned() else {
            return false;
        };
        let cause = if self.corrections.is_input_missing {
            CorrectionCause::MissingInput
        } else if confirmed.tick > self.neighbours.exact_until() {
            CorrectionCause::UnknownNeighbours
        } else {
            CorrectionCause::ServerState
        };
        self.keep_correction(cause, predicted, confirmed.clone());
        true
    }

    /// Keeps what a replay did to the newest state, if somebody looks. `is_recorded`: as part of the correction that was kept last.
    fn record_replay(&mut self, is_recorded: bool, before: &PredictedState) {
        let after = self.states.back().filter(|_| self.corrections.is_on());
        let Some(after) = after.filter(|after| *after != before).cloned() else {
            return;
        };
        let moved = distance(&self.schema, before, &after);
        if !is_recorded {
            self.keep_correction(CorrectionCause::Replay, before.clone(), after);
        }
        self.corrections.moved(moved);
    }

    fn keep_correction(
        &mut self,
        cause: CorrectionCause,
        predicted: PredictedState,
        corrected: PredictedState,
    ) {
        let input = match input_for(&self.inputs, corrected.tick, self.max_repeats) {
            RuleInput::Fresh(payload) | RuleInput::Repeated(payload) => payload.to_vec(),
            RuleInput::Neutral => Vec::new(),
        };
        self.corrections.add(Correction {
            cause,
            predicted,
            corrected,
            input,
            moved: 0.0,
        });
    }

    fn record_first_prediction(&mut self, tick: Tick) {
        if self.first_predictions.len() == MAX_HISTORY_TICKS {
            self.first_predictions.pop_front();
        }
        if let Some(&[x, y, ..]) = self.states.back().map(|state| &state.lanes[..]) {
            self.first_predictions.push_back((tick, [x, y]));
        }
    }

    fn compare_first_prediction(&mut self, confirmed: &PredictedState) {
        let is_placed = self
            .schema
            .kind(confirmed.id.kind)
            .is_some_and(|kind| kind.placed);
        while let Some((tick, [x, y])) = self
            .first_predictions
            .pop_front_if(|(tick, _)| *tick <= confirmed.tick)
        {
            if tick == confirmed.tick
                && is_placed
                && let &[real_x, real_y, ..] = &confirmed.lanes[..]
            {
                let along = |predicted: i32, real: i32| f64::from(predicted) - f64::from(real);
                let error = along(x, real_x).hypot(along(y, real_y));
                self.stats.input_errors.record(error);
            }
        }
    }

    /// Smooths the step that a replay made from `before` to the newest state, and counts it.
    fn smooth(&mut self, before: &PredictedState, now: Micros) {
        let Some(after) = self.states.back() else {
            return;
        };
        let Some(kind) = self.schema.kind(after.id.kind).filter(|kind| kind.placed) else {
            return;
        };
        if self.neighbours.are_read() {
            let error = distance(&self.schema, before, after);
            self.stats.replay_errors.record(error);
        }
        self.smoothing
            .correct(kind, &before.lanes, &after.lanes, now);
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
