//! Unit tests of prediction: what is a correction, what is smoothed, and rules that look at other rows.

use super::*;
use crate::interpolation::InterpolationBuffer;
use crate::test_game::{HEALTH, REST, STRIKE, WALK, WALKER, WalkerRules, schema};
use tickwire_proto::v1;
use tickwire_sync::client::Replica;
use tickwire_sync::{Grid, InputField, KindId, Lane};

/// What a client has received.
struct World {
    replica: Replica,
    interpolation: InterpolationBuffer,
    /// The rows of the newest snapshot: slot and lanes.
    rows: Vec<(u32, [i32; 3])>,
}

impl World {
    fn new(schema: &Schema) -> Self {
        Self {
            replica: Replica::new(Arc::new(schema.clone())),
            interpolation: InterpolationBuffer::default(),
            rows: Vec::new(),
        }
    }

    fn around(&self) -> Surroundings<'_> {
        Surroundings {
            replica: &self.replica,
            interpolation: &self.interpolation,
        }
    }

    /// Takes a snapshot of these rows of kind 0, always the same ones.
    fn snapshot(&mut self, tick: u32, rows: &[(u32, [i32; 3])]) {
        let is_first = self.rows.is_empty();
        let entered = rows.iter().map(|(slot, lanes)| v1::Row {
            kind: 0,
            slot: *slot,
            generation: 1,
            lanes: lanes.to_vec(),
            texts: Vec::new(),
        });
        let changed = self.rows.iter().zip(rows).map(|((_, old), (slot, new))| {
            let deltas = old.iter().zip(new).map(|(old, new)| new - old);
            v1::Change {
                kind: 0,
                slot: *slot,
                lane_mask: 7,
                deltas: deltas.collect(),
                ..v1::Change::default()
            }
        });
        let ago = tick.saturating_sub(self.replica.tick().0);
        let snapshot = v1::Snapshot {
            tick,
            full_snapshot: is_first,
            added_cells: if is_first { vec![1] } else { Vec::new() },
            blocks: vec![v1::Block {
                cell: 1,
                baseline_ago: if is_first { 0 } else { ago },
                entered: entered.filter(|_| is_first).collect(),
                changed: changed.collect(),
                ..v1::Block::default()
            }],
            ..v1::Snapshot::default()
        };
        (self.replica)
            .apply(&snapshot, &mut self.interpolation)
            .unwrap();
        self.interpolation.applied(Tick(tick));
        self.rows = rows.to_vec();
    }
}

/// The own walker at a y of 0.
fn own(tick: u32, x: i32, health: i32, rest: i32) -> PredictedState {
    let id = EntityId {
        kind: WALKER,
        slot: 1,
        generation: 1,
    };
    PredictedState {
        id,
        tick: Tick(tick),
        lanes: vec![x, 0, health],
        private_lanes: vec![rest],
    }
}

fn rules() -> Box<dyn Rules> {
    Box::new(WalkerRules)
}

#[test]
fn one_state_before_the_newest_is_kept_for_the_screen() {
    let world = World::new(&schema());
    let mut prediction = Prediction::new();
    prediction.set_rules(Some(rules()), 60);
    let start = own(10, 16_000, 100, 0);
    prediction.reconcile(world.around(), start.clone(), Micros(0));
    prediction.input(Tick(11), &[]);
    // Each newest tick is confirmed at once, the second one after a hit.
    let confirmed = own(11, 16_000, 100, 0);
    prediction.reconcile(world.around(), confirmed, Micros(0));
    assert_eq!(prediction.at(Tick(10)), Some(&start));
    prediction.input(Tick(12), &[]);
    let hit = own(12, 16_000, 75, 0);
    prediction.reconcile(world.around(), hit, Micros(0));
    assert!(prediction.at(Tick(11)).is_some());
    assert_eq!(prediction.stats().corrections, 0);
}

#[test]
fn a_repeated_input_never_strikes() {
    let world = World::new(&schema());
    let mut prediction = Prediction::new();
    prediction.set_rules(Some(rules()), 60);
    let strike = [STRIKE];
    // The walker still rests at the input's tick, but would not at one of the repeats.
    prediction.reconcile(world.around(), own(10, 16_000, 100, 5), Micros(0));
    prediction.input(Tick(11), &strike);
    prediction.input(Tick(25), &[]);
    assert_eq!(prediction.newest().unwrap().private_lanes[0], 0);
    prediction.input(Tick(26), &strike);
    assert_eq!(prediction.newest().unwrap().private_lanes[0], REST);
}

#[test]
fn only_what_the_rules_do_not_predict_is_a_correction() {
    let world = World::new(&schema());
    let mut prediction = Prediction::new();
    prediction.set_rules(Some(rules()), 60);
    let start = own(10, 16_000, 100, 0);
    prediction.reconcile(world.around(), start.clone(), Micros(0));
    let right = [WALK];
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
        prediction.reconcile(world.around(), server.clone(), Micros(0));
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
    server.lanes[HEALTH] -= 25;
    prediction.reconcile(world.around(), server.clone(), Micros(0));
    assert_eq!(prediction.stats().corrections, 0);
    let before = prediction.newest().unwrap().clone();
    assert_eq!(before.tick, Tick(39));
    assert_eq!(before.lanes[HEALTH], 75);
    server.tick = Tick(31);
    server.lanes[0] += 160;
    prediction.reconcile(world.around(), server, Micros(0));
    assert_eq!(prediction.stats().corrections, 1);
    let after = prediction.newest().unwrap();
    assert_eq!(after.tick, Tick(39));
    // The screen does not jump, and soon shows the corrected position.
    let shown = f64::from(after.lanes[0]) + prediction.smoothing_offset(Micros(0))[0];
    assert!((shown - f64::from(before.lanes[0])).abs() < 1.0);
    assert!(prediction.smoothing_offset(Micros(1_000_000))[0].abs() < 1.0);
}

#[test]
fn corrections_are_recorded_only_while_somebody_looks() {
    let world = World::new(&schema());
    let mut prediction = Prediction::new();
    prediction.set_rules(Some(rules()), 60);
    let now = Micros(0);
    prediction.reconcile(world.around(), own(1, 0, 100, 0), now);
    for tick in 2..=6 {
        prediction.input(Tick(tick), &[WALK]);
    }
    prediction.reconcile(world.around(), own(2, 70, 100, 0), now);
    assert_eq!(prediction.take_correction(), None);
    prediction.record_corrections(true);
    prediction.reconcile(world.around(), own(3, 170, 100, 0), now);
    assert_eq!(
        prediction.take_correction(),
        None,
        "the prediction was right"
    );
    prediction.report_inputs(true);
    prediction.reconcile(world.around(), own(4, 170, 90, 0), now);
    let correction = Correction {
        cause: CorrectionCause::MissingInput,
        predicted: own(4, 270, 100, 0),
        corrected: own(4, 170, 90, 0),
        input: vec![WALK],
        moved: 100.0,
    };
    assert_eq!(prediction.take_correction(), Some(correction));
    assert_eq!(prediction.take_correction(), None);
    prediction.record_corrections(false);
    prediction.reconcile(world.around(), own(5, 0, 90, 0), now);
    assert_eq!(prediction.take_correction(), None);
}

/// Balls on a line: x, y, and how often a ball was teleported.
fn balls() -> Schema {
    Schema {
        kinds: vec![Kind {
            name: "ball".to_owned(),
            lanes: vec![
                Lane::continuous("x", ""),
                Lane::continuous("y", ""),
                Lane::discrete("teleports", ""),
            ],
            placed: true,
            predicted: true,
            teleport_lane: Some(2),
            ..Kind::default()
        }],
        grid: Grid::covering(IVec2::ZERO, IVec2::splat(100_000), 100_000),
        ..Schema::default()
    }
}

/// Moves right by the input, and is drawn towards every ball near by.
struct Drawn;

impl Rules for Drawn {
    fn advance(&self, _: KindId, lanes: &mut [i32], _: &mut [i32], context: &RuleContext<'_>) {
        let pull: i32 = (context.nearby.iter())
            .map(|ball| (ball.lanes[0] - lanes[0]) / 16)
            .sum();
        let step = match context.input {
            RuleInput::Fresh(&[step]) | RuleInput::Repeated(&[step]) => i32::from(step),
            _ => 0,
        };
        lanes[0] += step + pull;
    }

    fn nearby_reach(&self, _: KindId) -> u32 {
        2_000
    }
}

fn ball(tick: u32, lanes: [i32; 3]) -> PredictedState {
    PredictedState {
        id: EntityId {
            kind: KindId(0),
            slot: 1,
            generation: 1,
        },
        tick: Tick(tick),
        lanes: lanes.to_vec(),
        private_lanes: Vec::new(),
    }
}

/// How a ball is predicted beside one that is at `other_x` at each tick, with a snapshot every `interval` ticks.
fn predicted_beside(other_x: impl Fn(u32) -> i32, interval: u32) -> PredictionStats {
    const LEAD: u32 = 10;
    let mut world = World::new(&balls());
    let mut prediction = Prediction::new();
    prediction.set_rules(Some(Box::new(Drawn)), 60);
    let mut own = [5_000, 0, 0];
    for tick in 1..200 {
        if tick > 1 {
            let mut collector = tickwire_game::NearbyCollector::default();
            collector.begin(IVec2::new(own[0], own[1]), 2_000);
            let other = EntityId {
                slot: 2,
                ..ball(0, own).id
            };
            collector.offer(other, [other_x(tick - 1), 0, 0]);
            let context = RuleContext {
                tick: Tick(tick),
                input: if tick > LEAD {
                    RuleInput::Fresh(&[3])
                } else {
                    RuleInput::Neutral
                },
                nearby: collector.finish(),
            };
            Drawn.advance(KindId(0), &mut own, &mut [], &context);
        }
        if tick % interval == 0 {
            world.snapshot(tick, &[(1, own), (2, [other_x(tick), 0, 0])]);
            let now = Micros(u64::from(tick) * 16_667);
            prediction.reconcile(world.around(), ball(tick, own), now);
        }
        prediction.input(Tick(tick + LEAD), &[3]);
    }
    prediction.stats()
}

#[test]
fn confirmed_neighbours_are_predicted_to_the_bit() {
    // Another ball that moves as nobody can foresee.
    let stats = predicted_beside(|tick| 5_000 + (tick * 7_919 % 101) as i32, 1);
    assert!(stats.compared > 100, "{stats:?}");
    assert_eq!((stats.corrections, stats.max_error), (0, 0.0));
    assert!(stats.replay_errors.beyond(0) > 100);
    assert!(stats.input_errors.beyond(0) > 100);
}

#[test]
fn a_neighbour_that_goes_on_is_foreseen() {
    let stats = predicted_beside(|tick| 5_000 + 5 * tick as i32, 1);
    assert!(stats.input_errors.count() > 100);
    // The first snapshot tells no motion yet.
    assert!(stats.input_errors.beyond(0) <= 12, "{stats:?}");
    assert!(stats.replay_errors.beyond(0) <= 2, "{stats:?}");
    assert_eq!(stats.corrections, 0);
}

#[test]
fn a_neighbour_is_foreseen_by_the_rules_and_its_wish() {
    // Two balls draw each other, so neither moves on a straight line. The other one's player holds an input to the right.
    const LEAD: u32 = 10;
    let mut schema = balls();
    schema.input = vec![InputField {
        name: "step".to_owned(),
        bits: 8,
        min: 0,
        max: 40,
        ..InputField::default()
    }];
    let mut world = World::new(&schema);
    let mut prediction = Prediction::new();
    prediction.set_rules(Some(Box::new(Drawn)), 60);
    let mut collector = tickwire_game::NearbyCollector::default();
    let id = |slot| EntityId {
        slot,
        ..ball(0, [0; 3]).id
    };
    let mut rows = [[5_000, 0, 0], [6_000, 0, 0]];
    for tick in 1..100 {
        if tick > 1 {
            let before = rows;
            for (at, row) in rows.iter_mut().enumerate() {
                let other = 1 - at;
                collector.begin(IVec2::new(row[0], row[1]), 2_000);
                collector.offer(id(1 + other as u32), before[other]);
                let input = match at {
                    0 if tick <= LEAD => RuleInput::Neutral,
                    0 => RuleInput::Fresh(&[3]),
                    _ => RuleInput::Fresh(&[40]),
                };
                let context = RuleContext {
                    tick: Tick(tick),
                    input,
                    nearby: collector.finish(),
                };
                Drawn.advance(KindId(0), row, &mut [], &context);
            }
        }
        world.snapshot(tick, &[(1, rows[0]), (2, rows[1])]);
        let now = Micros(u64::from(tick) * 16_667);
        prediction.reconcile(world.around(), ball(tick, rows[0]), now);
        prediction.input(Tick(tick + LEAD), &[3]);
    }
    let stats = prediction.stats();
    assert_eq!(stats.corrections, 0);
    assert!(stats.input_errors.count() > 80, "{stats:?}");
    // Nothing is known of the other ball's wish before the second snapshot.
    assert!(stats.input_errors.beyond(0) <= 12, "{stats:?}");
}

#[test]
fn what_could_not_be_known_is_no_correction() {
    let stats = predicted_beside(|tick| 5_000 + (tick * 7_919 % 101) as i32, 2);
    assert_eq!((stats.compared, stats.corrections), (0, 0));
    assert!(stats.input_errors.beyond(0) > 50, "{stats:?}");
}

#[test]
fn a_row_out_of_reach_is_not_read() {
    let stats = predicted_beside(|tick| 50_000 + (tick * 7_919 % 101) as i32, 1);
    assert_eq!(stats.input_errors.beyond(0), 0);
    assert!(stats.compared > 100);
}

#[test]
fn a_teleport_is_not_smoothed() {
    for (teleports, offset) in [(0, 100.0), (1, 0.0)] {
        let world = World::new(&balls());
        let mut prediction = Prediction::new();
        prediction.set_rules(Some(Box::new(Drawn)), 60);
        prediction.reconcile(world.around(), ball(10, [500, 0, 0]), Micros(0));
        prediction.input(Tick(11), &[0]);
        let moved = ball(11, [400, 0, teleports]);
        prediction.reconcile(world.around(), moved, Micros(0));
        assert_eq!(prediction.smoothing_offset(Micros(0)), [offset, 0.0]);
    }
}

#[test]
fn a_server_with_absurd_ticks_keeps_nobody_busy() {
    let (schema, mut prediction) = (schema(), Prediction::new());
    let world = World::new(&schema);
    prediction.set_rules(Some(rules()), 60);
    let start = own(10, 16_000, 100, 0);
    prediction.reconcile(world.around(), start.clone(), Micros(0));
    // Four thousand million ticks would take minutes.
    prediction.input(Tick(u32::MAX), &[]);
    assert_eq!(prediction.newest(), Some(&start));
    prediction.reconcile(world.around(), own(11, 16_000, 100, 0), Micros(0));
    assert_eq!(prediction.newest().map(|state| state.tick), Some(Tick(11)));
}
