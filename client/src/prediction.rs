//! Prediction: the player's own entity ahead of the server, by the very rules that the server runs.
//!
//! In: own inputs, one a tick, and what snapshots say of the entity. Out: its state at the newest input's tick. When a
//! snapshot differs from what was predicted for its tick, that is a correction: the state is put right and the later inputs
//! are played again at once; what the screen shows then closes in smoothly.

use std::collections::VecDeque;
use tickwire_game::{RuleInput, Rules};
use tickwire_sync::{EntityId, Micros, Schema, Tick};

/// Inputs and states that are remembered: as many as the server takes ahead, and the longest way back and forth.
const MEMORY: usize = 192;
/// How fast a correction disappears from the screen: what is left after this time is 1/e.
const SMOOTHING_US: f64 = 80_000.0;
/// Corrections larger than this are not smoothed, in lane units: that was a teleport.
const SNAP: i32 = 200 * 16;

/// The state of the predicted entity at one tick.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Own {
    /// Which entity.
    pub id: EntityId,
    /// The tick that the state is of.
    pub tick: Tick,
    /// Public lanes.
    pub lanes: Vec<i32>,
    /// Private lanes.
    pub private_lanes: Vec<i32>,
}

/// How well prediction does.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct PredictionStats {
    /// Inputs predicted.
    pub inputs: u64,
    /// Snapshots that differed from what was predicted of movement: in the position or a private lane.
    pub corrections: u64,
    /// The largest difference of a position, in lane units.
    pub max_error: f64,
}

/// Predicts one entity of the player.
pub(crate) struct Prediction {
    rules: Option<Box<dyn Rules>>,
    /// For how many ticks the server repeats an input; then it takes the neutral one.
    repeats: u32,
    /// The inputs made, oldest first, with ascending ticks.
    inputs: VecDeque<(Tick, Vec<u8>)>,
    /// States since the newest confirmed one, oldest first, tick by tick.
    states: VecDeque<Own>,
    stats: PredictionStats,
    /// What the screen still shows of corrections, in lane units.
    offset: [f64; 2],
    offset_at: Micros,
}

impl Prediction {
    /// Without rules the entity is shown as snapshots say.
    pub fn new(rules: Option<Box<dyn Rules>>) -> Self {
        Self {
            rules,
            repeats: 15,
            inputs: VecDeque::new(),
            states: VecDeque::new(),
            stats: PredictionStats::default(),
            offset: [0.0; 2],
            offset_at: Micros(0),
        }
    }

    /// Takes the rules of a room of this tick rate, and forgets the state.
    pub fn set_rules(&mut self, rules: Option<Box<dyn Rules>>, tick_rate: u32) {
        self.rules = rules;
        self.repeats = tick_rate / 4;
        self.reset();
    }

    /// Whether there are rules to predict by.
    pub fn has_rules(&self) -> bool {
        self.rules.is_some()
    }

    /// Forgets inputs and state: the path or the clock changed.
    pub fn reset(&mut self) {
        self.inputs.clear();
        self.states.clear();
        self.offset = [0.0; 2];
    }

    /// The newest predicted state, and the one a tick before it.
    pub fn newest(&self) -> Option<&Own> {
        self.states.back()
    }

    /// The predicted state of a tick, if it is remembered.
    pub fn at(&self, tick: Tick) -> Option<&Own> {
        let first = self.states.front()?.tick;
        self.states.get(tick.0.checked_sub(first.0)? as usize)
    }

    pub fn stats(&self) -> PredictionStats {
        self.stats
    }

    /// What is left of corrections on the screen at `now`, in lane units along x and y.
    pub fn offset(&self, now: Micros) -> [f64; 2] {
        let left = (-(now.since(self.offset_at).0 as f64) / SMOOTHING_US).exp();
        self.offset.map(|offset| offset * left)
    }

    /// Takes the input for `tick`, and predicts that tick.
    pub fn input(&mut self, tick: Tick, payload: &[u8]) {
        if self
            .inputs
            .back()
            .is_some_and(|(newest, _)| *newest >= tick)
        {
            return;
        }
        if self.inputs.len() == MEMORY {
            self.inputs.pop_front();
        }
        self.inputs.push_back((tick, payload.to_vec()));
        if self.rules.is_some() && !self.states.is_empty() {
            self.stats.inputs += 1;
            self.predict_up_to(tick);
        }
    }

    /// Takes what the snapshot of `confirmed.tick` says of the entity.
    pub fn confirm(&mut self, schema: &Schema, confirmed: Own, now: Micros) {
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
            // One older state stays, as the screen draws between the two newest: on a quick line the newest is confirmed at once.
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
            // Public lanes beside the position can change by what others do (health), which nobody predicts.
            let is_wrong = error > 0.0 || predicted.private_lanes != confirmed.private_lanes;
            self.stats.corrections += u64::from(is_wrong);
            self.stats.max_error = self.stats.max_error.max(error);
        }
        let before = confirmed.tick.before(1).filter(|_| is_same_entity);
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

    /// The player has no such entity now.
    pub fn nothing_owned(&mut self) {
        self.states.clear();
        self.offset = [0.0; 2];
    }

    fn predict_up_to(&mut self, target: Tick) {
        let Some(rules) = &self.rules else { return };
        while let Some(state) = self.states.back().filter(|state| state.tick < target) {
            let mut next = state.clone();
            next.tick = state.tick.next();
            let input = input_for(&self.inputs, next.tick, self.repeats);
            rules.advance(
                next.id.kind,
                &mut next.lanes,
                &mut next.private_lanes,
                input,
            );
            if self.states.len() == MEMORY {
                self.states.pop_front();
            }
            self.states.push_back(next);
        }
    }

    fn smooth(&mut self, schema: &Schema, before: &Own, after: &Own, now: Micros) {
        if !schema.kind(after.id.kind).is_some_and(|kind| kind.placed) {
            return;
        }
        let left = self.offset(now);
        let is_teleport = distance(schema, before, after) > f64::from(SNAP);
        let moved =
            |axis: usize| left[axis] + f64::from(before.lanes[axis]) - f64::from(after.lanes[axis]);
        self.offset = if is_teleport {
            [0.0; 2]
        } else {
            [moved(0), moved(1)]
        };
        self.offset_at = now;
    }
}

/// What the server uses for a tick: the input made for it, or the one before it, for a while.
fn input_for(inputs: &VecDeque<(Tick, Vec<u8>)>, tick: Tick, repeats: u32) -> RuleInput<'_> {
    let after = inputs.partition_point(|(made, _)| *made <= tick);
    match after.checked_sub(1).and_then(|index| inputs.get(index)) {
        Some((made, payload)) if *made == tick => RuleInput::Fresh(payload),
        Some((made, payload)) if tick.since(*made) <= repeats => RuleInput::Repeated(payload),
        _ => RuleInput::Neutral,
    }
}

/// How far two states are apart, in lane units; kinds without a position: 1 if they differ.
fn distance(schema: &Schema, a: &Own, b: &Own) -> f64 {
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

    fn own(tick: u32, lanes: [i32; 5], private: [i32; 3]) -> Own {
        let id = EntityId {
            kind: arena::kind::SHIP,
            slot: 1,
            generation: 1,
        };
        Own {
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
    fn the_state_before_the_newest_stays_for_the_screen() {
        let schema = arena::schema();
        let mut prediction = Prediction::new(Some(rules()));
        let start = own(10, [16_000, 16_000, 0, 100, 0], [0; 3]);
        prediction.confirm(&schema, start.clone(), Micros(0));
        prediction.input(Tick(11), &[]);
        // The newest tick is confirmed at once, the second time with a hit.
        let confirmed = own(11, [16_000, 16_000, 0, 100, 0], [0; 3]);
        prediction.confirm(&schema, confirmed, Micros(0));
        assert_eq!(prediction.at(Tick(10)), Some(&start));
        prediction.input(Tick(12), &[]);
        let hit = own(12, [16_000, 16_000, 0, 75, 0], [0; 3]);
        prediction.confirm(&schema, hit, Micros(0));
        assert!(prediction.at(Tick(11)).is_some());
        assert_eq!(prediction.stats().corrections, 0);
    }

    #[test]
    fn a_repeated_input_never_fires() {
        let schema = arena::schema();
        let mut prediction = Prediction::new(Some(rules()));
        let fire = arena::ArenaInput {
            fire: true,
            heading: Some(7),
            ..arena::ArenaInput::default()
        }
        .encode();
        // The beam is not ready for the input, and would be for one of its repetitions.
        prediction.confirm(
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
    fn what_the_rules_say_is_no_correction_and_anything_else_is_one() {
        let schema = arena::schema();
        let mut prediction = Prediction::new(Some(rules()));
        let start = own(10, [16_000, 16_000, 0, 100, 0], [0; 3]);
        prediction.confirm(&schema, start.clone(), Micros(0));
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
                RuleInput::Fresh(&right),
            );
            server.tick = Tick(tick);
            prediction.confirm(&schema, server.clone(), Micros(0));
        }
        assert_eq!(prediction.stats().corrections, 0);
        // Who is hit did not mispredict.
        server.tick = Tick(30);
        rules().advance(
            server.id.kind,
            &mut server.lanes,
            &mut server.private_lanes,
            RuleInput::Fresh(&right),
        );
        server.lanes[arena::ship_lane::HEALTH] -= 25;
        prediction.confirm(&schema, server.clone(), Micros(0));
        assert_eq!(prediction.stats().corrections, 0);
        let before = prediction.newest().unwrap().clone();
        assert_eq!(before.tick, Tick(39));
        assert_eq!(before.lanes[arena::ship_lane::HEALTH], 75);
        server.tick = Tick(31);
        server.lanes[0] += 160;
        prediction.confirm(&schema, server, Micros(0));
        assert_eq!(prediction.stats().corrections, 1);
        let after = prediction.newest().unwrap();
        assert_eq!(after.tick, Tick(39));
        // The screen shows no jump at once, and the truth soon.
        let shown = f64::from(after.lanes[0]) + prediction.offset(Micros(0))[0];
        assert!((shown - f64::from(before.lanes[0])).abs() < 1.0);
        assert!(prediction.offset(Micros(1_000_000))[0].abs() < 1.0);
    }
}
