//! The report of a swarm, for users, operators and scripts. Fields are never renamed or removed; new ones may be added.
//!
//! In: what the bots measured, or several reports. Out: a [`Report`]: sums and histograms, and the figures that follow from them.

mod merge;
mod summary;

pub use merge::MergeError;
pub(crate) use summary::RunFigures;

use crate::latency::LatencyHistogram;
use crate::shot_counts::ShotCounts;
use crate::threshold::{Threshold, ThresholdError, Verdict};
use crate::timeline::{Counts, Slice};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Percentiles of a latency, in milliseconds.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct PercentilesMs {
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The largest.
    pub max: f64,
    /// How many there were; without any, the others are 0.
    pub samples: u64,
}

/// Snapshot rates over the bots that keep reading.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Rates {
    /// The slowest bot's.
    pub min: f64,
    /// The median bot's.
    pub p50: f64,
    /// The fastest bot's.
    pub max: f64,
}

/// How accurate prediction is.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Prediction {
    /// Inputs predicted.
    pub inputs: u64,
    /// Snapshots that differed from the prediction.
    pub corrections: u64,
    /// The largest error of a predicted position, in world units.
    pub max_error_units: f64,
    /// Why bots did not predict at the end, and how many for each reason.
    pub lacking: BTreeMap<String, u32>,
}

/// A bare 60 Hz timer beside the bots, as a control: how well the machine itself kept time.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct TimerControl {
    /// Wake-ups per second.
    pub per_second: f64,
    /// How late the wake-ups were.
    pub lateness_ms: PercentilesMs,
}

/// An entity's id, as in the server's `/rooms/NAME/state`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EntityIdReport {
    /// Position in the schema's list of kinds.
    pub kind: u8,
    /// Small number within the kind, reused after the entity is gone.
    pub slot: u32,
    /// Counts the uses of the slot, from 1.
    pub generation: u32,
}

/// The figures of one bot.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct BotReport {
    /// Name as the server has it.
    pub name: String,
    /// Room.
    pub room: String,
    /// Its behaviour.
    pub behaviour: String,
    /// Its named link; empty without one, `custom` with a delay of its own.
    pub link: String,
    /// Session; 0 if the bot never joined.
    pub session: u32,
    /// The player's entity; a spectator has none.
    pub entity: Option<EntityIdReport>,
    /// Score at the end.
    pub score: i32,
    /// Whether the bot reads every snapshot at once, so that its rates and gaps count in the swarm's.
    pub keeps_reading: bool,
    /// Snapshots per second after the first one, outages included; a flapper's only while connected.
    pub snapshots_per_second: f64,
    /// Gaps between snapshots.
    pub snapshot_gap_ms: PercentilesMs,
    /// The longest time without a snapshot, from the first one to the bot's end, outages included; a flapper's only while connected.
    pub longest_gap_ms: f64,
    /// Ages of snapshots.
    pub snapshot_age_ms: PercentilesMs,
    /// Connections lost.
    pub reconnects: u64,
    /// Reconnects as the same session.
    pub resumes: u64,
    /// Round trips of clock pings.
    pub rtt_ms: PercentilesMs,
    /// From making an input to the snapshot that says it was applied.
    pub input_to_ack_ms: PercentilesMs,
    /// How far its screen was behind the newest snapshots.
    pub interpolation_delay_ms: PercentilesMs,
    /// Payload bytes received.
    pub bytes_in: u64,
    /// Ticks for which the server had no input.
    pub starved_inputs: u64,
    /// Snapshots that differed from the prediction.
    pub corrections: u64,
    /// Outcomes of its shots.
    pub shots: ShotCounts,
    /// View hashes that differed from the server's.
    pub view_mismatches: u64,
    /// Messages that could not be decoded or applied.
    pub protocol_errors: u64,
    /// Why the bot could not join, or why its session ended early.
    pub refusal: Option<String>,
}

/// The figures of a phase.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct PhaseReport {
    /// Its name.
    pub name: String,
    /// `ramp`, `hold`, `storm`, `cut` or `leave`.
    pub kind: String,
    /// When it began, in seconds of the run.
    pub at_s: f64,
    /// How long it was.
    pub seconds: f64,
    /// Bots in a room when it ended.
    pub bots: u64,
    /// Gaps between snapshots that ended in the phase, of the bots that keep reading.
    pub snapshot_gap_ms: PercentilesMs,
    /// Ages of snapshots of the same bots.
    pub snapshot_age_ms: PercentilesMs,
    /// Round trips of clock pings.
    pub rtt_ms: PercentilesMs,
    /// From making an input to the snapshot that says it was applied.
    pub input_to_ack_ms: PercentilesMs,
    /// Payload bytes received, per second and bot in a room.
    pub bytes_per_second_per_bot: f64,
    /// What was counted.
    #[serde(flatten)]
    pub counts: Counts,
}

/// All latencies of a run, from which its percentiles come.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Histograms {
    /// Gaps between snapshots, of the bots that keep reading.
    pub snapshot_gap: LatencyHistogram,
    /// Ages of snapshots, of the same bots.
    pub snapshot_age: LatencyHistogram,
    /// Round trips of clock pings.
    pub rtt: LatencyHistogram,
    /// From making an input to the snapshot that says it was applied.
    pub input_to_ack: LatencyHistogram,
    /// How far screens were behind the newest snapshots.
    pub interpolation_delay: LatencyHistogram,
    /// How late the bare timer's wake-ups were.
    pub timer_lateness: LatencyHistogram,
}

/// Sums over all bots, from which averages come.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Payload bytes received.
    pub bytes_in: u64,
    /// Rows that were added or changed.
    pub row_updates: u64,
    /// Seconds since the first snapshot, outages included.
    pub bot_seconds: f64,
}

/// The report of a swarm.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// Bots started.
    pub bots: u32,
    /// Bots that joined a room.
    pub connected: u64,
    /// Connection attempts that failed before their bot had joined a room.
    pub connect_failures: u64,
    /// Connections lost.
    pub reconnects: u64,
    /// Reconnects as the same session.
    pub resumes: u64,
    /// Snapshot rates of the bots that keep reading (all but slow-reader and flapper), or of all if there are no others.
    pub snapshots_per_second: Rates,
    /// Gaps between snapshots of the same bots, outages included.
    pub snapshot_gap_ms: PercentilesMs,
    /// Ages of snapshots of the same bots: arrival minus the tick's due time, on the server's clock.
    pub snapshot_age_ms: PercentilesMs,
    /// Payload bytes received, per second and bot.
    pub bytes_per_second_per_bot: f64,
    /// Payload bytes received divided by rows that were added or changed.
    pub bytes_per_row_update: f64,
    /// Rows that were added or changed, per second and bot.
    pub row_updates_per_second_per_bot: f64,
    /// Round trips of clock pings.
    pub rtt_ms: PercentilesMs,
    /// From making an input to the snapshot that says it was applied.
    pub input_to_ack_ms: PercentilesMs,
    /// View hashes compared.
    pub view_checks: u64,
    /// View hashes that differed from the server's.
    pub view_mismatches: u64,
    /// Outcomes of all shots.
    pub shots: ShotCounts,
    /// How accurate prediction is.
    pub prediction: Prediction,
    /// How far the screens were behind the newest snapshots.
    pub interpolation_delay_ms: PercentilesMs,
    /// Ticks for which the server had no input.
    pub starved_inputs: u64,
    /// Notices received.
    pub notices: u64,
    /// Messages that could not be decoded or applied.
    pub protocol_errors: u64,
    /// CPU time of the bots' process, user and system, in seconds.
    pub cpu_seconds: f64,
    /// How long the swarm ran, in seconds.
    pub seconds: f64,
    /// How well the machine kept time.
    pub timer_control: TimerControl,
    /// The server's URL.
    pub url: String,
    /// The requested behaviour.
    pub behaviour: String,
    /// The requested encoding of blocks.
    pub encoding: String,
    /// Emulated delay, each way.
    pub latency_ms: f64,
    /// Largest deviation from that delay.
    pub jitter_ms: f64,
    /// Probability of an emulated stall per second, each way.
    pub stall: f64,
    /// By how much the claimed view ticks were older than the true ones.
    pub forge_view_ms: f64,
    /// How much later than it arrived the bots took in what came.
    pub hold_incoming_ms: f64,
    /// Seed of everything random.
    pub seed: u64,
    /// Bots that keep reading but got no snapshot within a second of joining, or none within five seconds of their first one.
    pub frozen: u64,
    /// Bots that had joined a room and were in none when the run ended.
    pub offline: u64,
    /// The figures of each bot.
    pub per_bot: Vec<BotReport>,
    /// Number of gaps by milliseconds, for the plot.
    pub gap_histogram_ms: Vec<u64>,
    /// Number of ages by milliseconds, for the plot.
    pub age_histogram_ms: Vec<u64>,
    /// The named link that the flags say; empty without one. A scenario's links are those of its bots, in `per_bot`.
    pub link: String,
    /// The file of the scenario; empty without one.
    pub scenario: String,
    /// When the run began, in milliseconds since 1970.
    pub started_at_unix_ms: u64,
    /// Whether some bots keep reading. If none does, gaps, ages and rates are those of all.
    pub has_readers: bool,
    /// Thresholds and how they were met.
    pub thresholds: Vec<Verdict>,
    /// The phases in order: `ramp` and `hold` without a scenario.
    pub phases: Vec<PhaseReport>,
    /// Sums over all bots.
    pub totals: Totals,
    /// All latencies, for merging.
    pub histograms: Histograms,
    /// The run second by second, for plots and merging.
    pub timeline: Vec<Slice>,
}

impl Report {
    /// Whether every bot joined and got a snapshot, no bot froze or was without a connection in the end, and there were no mismatches and no
    /// protocol errors.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.connected == u64::from(self.bots)
            && self.frozen == 0
            && self.offline == 0
            && self.view_mismatches == 0
            && self.protocol_errors == 0
    }

    /// A report of nothing, with phases of these names: it has every field that a threshold may name.
    pub(crate) fn shape<'a>(phases: impl Iterator<Item = &'a str>) -> serde_json::Value {
        let phase = |name: &str| PhaseReport {
            name: name.to_owned(),
            ..PhaseReport::default()
        };
        let report = Self {
            per_bot: vec![BotReport::default()],
            phases: phases.map(phase).collect(),
            ..Self::default()
        };
        report.to_json()
    }

    /// The report as JSON.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        // Only maps with keys that are no text could fail, and there are none.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Judges the figures by these thresholds.
    ///
    /// # Errors
    /// If there is no such figure.
    pub(crate) fn judge(&mut self, thresholds: Vec<Threshold>) -> Result<(), ThresholdError> {
        let json = self.to_json();
        let verdicts = thresholds.iter().map(|threshold| threshold.judge(&json));
        self.thresholds = verdicts.collect::<Result<_, _>>()?;
        Ok(())
    }

    /// The thresholds by which the run has failed.
    pub fn failed_thresholds(&self) -> impl Iterator<Item = &Verdict> {
        self.thresholds.iter().filter(|verdict| verdict.failed)
    }
}
