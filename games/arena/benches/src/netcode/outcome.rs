//! The outcome of one run: counts and samples, and the figures of the table.

use super::cover::ticks_in_cover;
use tickwire_arena::{Rocks, SHIP_RADIUS, STEPS};
use tickwire_arena_bots::{ShotRecord, ShotVerdict};
use tickwire_client::{Client, Percentiles};
use tickwire_server::internals::{InputOutcome, Label as _, RoomStats};
use tickwire_sync::ViewTick;
use tickwire_sync::frame::History;

/// How far a shot can be rewound, in ticks before the tick that it is fired at: 250 ms before the newest frame.
pub const MAX_REWIND: f64 = 16.0;

/// One settled shot.
#[derive(Clone, Copy, Debug)]
pub struct Shot {
    /// How the shot ended.
    pub record: ShotRecord,
    /// Whether a stall delayed its input, or the screen got nothing when it was made.
    pub in_stall: bool,
}

/// Counts of one group of shots.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Settled shots.
    pub shots: u64,
    /// Shots for which the screen showed a hit on a living ship, and which should be honoured; those that never reached the game
    /// included.
    pub hits_on_screen: u64,
    /// Of those, the honoured ones.
    pub honoured: u64,
    /// Shots that hit a ship which the screen did not show as hit.
    pub false_hits: u64,
    /// Shots that never reached the game in time, though the screen showed a hit.
    pub unmatched: u64,
}

impl Tally {
    fn add(&mut self, end: ShotVerdict) {
        let (on_screen, honoured, is_false, is_unmatched) = match end {
            ShotVerdict::Confirmed => (true, true, false, false),
            ShotVerdict::Lost => (true, false, false, false),
            ShotVerdict::False { hit_on_screen } => (hit_on_screen, false, true, false),
            ShotVerdict::Unmatched { hit_on_screen } => {
                (hit_on_screen, false, false, hit_on_screen)
            }
            ShotVerdict::Miss | ShotVerdict::TargetGone | ShotVerdict::ShooterGone => {
                (false, false, false, false)
            }
        };
        self.shots += 1;
        self.hits_on_screen += u64::from(on_screen);
        self.honoured += u64::from(honoured);
        self.false_hits += u64::from(is_false);
        self.unmatched += u64::from(is_unmatched);
    }

    /// The percentage of on-screen hits that were honoured.
    #[must_use]
    pub fn honoured_percent(&self) -> f64 {
        percent(self.honoured, self.hits_on_screen)
    }

    /// The percentage of shots that were false hits.
    #[must_use]
    pub fn false_percent(&self) -> f64 {
        percent(self.false_hits, self.shots)
    }
}

/// The outcome of one run.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Outcome {
    /// All shots.
    pub all: Tally,
    /// Shots outside of stalls.
    pub calm: Tally,
    /// Shots of the bots that cheat, or would in a cell with a cheat.
    pub forgers: Tally,
    /// Shots whose claim was within the longest rewind.
    pub within: Tally,
    /// Shots whose claim was beyond the longest rewind.
    pub beyond: Tally,
    /// Hits that the server counted, by bot.
    pub hits: Vec<u64>,
    /// For each hit on a ship in cover, how many ticks it had been there.
    pub cover: Vec<f64>,
    /// Inputs made.
    pub inputs: u64,
    /// Corrections.
    pub corrections: u64,
    /// Corrections that moved the own ship on the screen by more than its length at once.
    pub snaps: u64,
    /// The largest such move, in ship lengths.
    pub largest_snap: f64,
    /// The largest correction of the predicted state before smoothing, in ship lengths.
    pub largest_shift: f64,
    /// From making an input to the tick that used it, minus the one-way delay, in ticks.
    pub effect: Vec<f64>,
    /// Interpolation delay, in ticks.
    pub delay: Vec<f64>,
    /// The jitter of snapshots as the clients measure it, in ticks.
    pub jitter: Vec<f64>,
    /// Inputs that came too late.
    pub late: u64,
    /// Ticks that repeated the last input.
    pub repeated: u64,
    /// Starved ticks that snapshots reported to clients.
    pub starved: u64,
    /// Shots whose claim was clamped.
    pub clamped: u64,
    /// How far the shots were rewound, in ticks.
    pub rewind: Vec<f64>,
    /// View hashes that disagreed. Must be 0.
    pub mismatches: u64,
}

impl Outcome {
    pub(super) fn new(bots: usize) -> Self {
        Self {
            hits: vec![0; bots],
            ..Self::default()
        }
    }

    /// Begins counting: subtracts what was counted before.
    pub(super) fn begin(&mut self, client: &Client) {
        self.count(client, u64::wrapping_sub);
    }

    /// Ends counting.
    pub(super) fn end(&mut self, client: &Client) {
        self.count(client, u64::wrapping_add);
    }

    fn count(&mut self, client: &Client, with: fn(u64, u64) -> u64) {
        let (counters, prediction) = (client.counters(), client.prediction_stats());
        self.inputs = with(self.inputs, prediction.inputs);
        self.corrections = with(self.corrections, prediction.corrections);
        self.starved = with(self.starved, counters.starved_inputs);
        self.mismatches = with(
            self.mismatches,
            counters.view_mismatches + counters.protocol_errors,
        );
    }

    pub(super) fn tick(&mut self, stats: &RoomStats) {
        self.late += stats.inputs[InputOutcome::Late.index()];
        self.repeated += stats.inputs[InputOutcome::Repeated.index()];
        for shot in &stats.shots {
            self.clamped += u64::from(shot.was_clamped);
            self.rewind
                .push(shot.rewound as f64 / ViewTick::FRACTIONS as f64);
        }
    }

    pub(super) fn snapshot(&mut self, client: &Client) {
        let in_ticks = |millis: f64| millis * f64::from(super::TICK_RATE) / 1e3;
        if let Some(delay) = client.interpolation_delay_ms() {
            self.delay.push(in_ticks(delay));
            self.jitter.push(in_ticks(client.jitter_ms()));
        }
    }

    /// Notes that a snapshot moved the own ship, in the state and on the screen.
    pub(super) fn shifted(&mut self, from: [[i32; 2]; 2], to: [[i32; 2]; 2]) {
        let lengths = |place: usize| {
            let along = |axis: usize| f64::from(to[place][axis]) - f64::from(from[place][axis]);
            along(0).hypot(along(1)) / f64::from(STEPS) / f64::from(2.0 * SHIP_RADIUS)
        };
        let (state, screen) = (lengths(0), lengths(1));
        self.largest_shift = self.largest_shift.max(state);
        self.largest_snap = self.largest_snap.max(screen);
        self.snaps += u64::from(screen > 1.0);
    }

    pub(super) fn input(&mut self, ticks_beyond: f64) {
        self.effect.push(ticks_beyond);
    }

    pub(super) fn shot(&mut self, bot: usize, shot: &Shot, history: &History, rocks: &Rocks) {
        let record = &shot.record;
        self.all.add(record.verdict);
        if bot.is_multiple_of(2) {
            self.forgers.add(record.verdict);
        }
        if !shot.in_stall {
            self.calm.add(record.verdict);
        }
        if f64::from(record.tick.0) - record.view.as_ticks() <= MAX_REWIND {
            self.within.add(record.verdict);
        } else {
            self.beyond.add(record.verdict);
        }
        let Some((beam, hit)) = record.beam.and_then(|beam| Some((beam, beam.end.hit?))) else {
            return;
        };
        self.hits[bot] += 1;
        let ticks = ticks_in_cover(history, rocks, &beam, hit, record.tick);
        if ticks > 0 {
            self.cover.push(f64::from(ticks));
        }
    }

    /// Adds another run's counts and samples.
    pub(super) fn add(&mut self, other: Self) {
        for (mine, other) in [
            (&mut self.all, other.all),
            (&mut self.calm, other.calm),
            (&mut self.forgers, other.forgers),
            (&mut self.within, other.within),
            (&mut self.beyond, other.beyond),
        ] {
            mine.shots += other.shots;
            mine.hits_on_screen += other.hits_on_screen;
            mine.honoured += other.honoured;
            mine.false_hits += other.false_hits;
            mine.unmatched += other.unmatched;
        }
        for (mine, other) in self.hits.iter_mut().zip(other.hits) {
            *mine += other;
        }
        self.cover.extend(other.cover);
        self.effect.extend(other.effect);
        self.delay.extend(other.delay);
        self.jitter.extend(other.jitter);
        self.rewind.extend(other.rewind);
        self.inputs += other.inputs;
        self.corrections += other.corrections;
        self.snaps += other.snaps;
        self.largest_snap = self.largest_snap.max(other.largest_snap);
        self.largest_shift = self.largest_shift.max(other.largest_shift);
        self.late += other.late;
        self.repeated += other.repeated;
        self.starved += other.starved;
        self.clamped += other.clamped;
        self.mismatches += other.mismatches;
    }

    /// Corrections per 1,000 inputs.
    #[must_use]
    pub fn corrections_per_thousand(&self) -> f64 {
        self.corrections as f64 * 1e3 / self.inputs.max(1) as f64
    }

    /// Percentiles of samples.
    #[must_use]
    pub fn percentiles(samples: &[f64]) -> Percentiles {
        Percentiles::of(samples.iter().copied())
    }

    /// The hits of the bots that would forge, in any cell.
    #[must_use]
    pub fn forgers_hits(&self) -> u64 {
        self.hits.iter().step_by(2).sum()
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 100.0;
    }
    part as f64 * 100.0 / whole as f64
}
