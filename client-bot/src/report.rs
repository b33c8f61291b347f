//! The report of a swarm, for users, operators and scripts. Fields are never renamed or removed; new ones may be added.

use crate::latency::LatencyHistogram;
use crate::measurements::BotMeasurements;
use crate::options::Options;
use crate::shot_counts::ShotCounts;
use serde::Serialize;
use std::collections::BTreeMap;
use tickwire_sync::EntityId;

/// Percentiles of a latency, in milliseconds.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct PercentilesMs {
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The largest.
    pub max: f64,
}

/// Snapshot rates over the bots that keep reading.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct Rates {
    /// The slowest bot's.
    pub min: f64,
    /// The median bot's.
    pub p50: f64,
    /// The fastest bot's.
    pub max: f64,
}

/// How accurate prediction is.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
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
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct TimerControl {
    /// Wake-ups per second.
    pub per_second: f64,
    /// How late the wake-ups were.
    pub lateness_ms: PercentilesMs,
}

/// An entity's id, as in the server's `/rooms/NAME/state`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct EntityIdReport {
    /// Position in the schema's list of kinds.
    pub kind: u8,
    /// Small number within the kind, reused after the entity is gone.
    pub slot: u32,
    /// Counts the uses of the slot, from 1.
    pub generation: u32,
}

/// The figures of one bot.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct BotReport {
    /// Name as the server has it.
    pub name: String,
    /// Room.
    pub room: String,
    /// Its behaviour.
    pub behaviour: &'static str,
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

/// The report of a swarm.
#[derive(Clone, PartialEq, Debug, Serialize)]
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
    pub behaviour: &'static str,
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
}

impl Report {
    /// Merges the bots' measurements.
    pub(crate) fn new(
        options: &Options,
        bots: &[BotMeasurements],
        timer_control: TimerControl,
        seconds: f64,
        cpu_seconds: f64,
    ) -> Self {
        let connected = || bots.iter().filter(|bot| bot.has_connected());
        let has_readers = connected().any(|bot| bot.behaviour.keeps_reading());
        let readers = || connected().filter(|bot| bot.behaviour.keeps_reading() || !has_readers);
        let merged = |of: fn(&BotMeasurements) -> &LatencyHistogram,
                      bots: &mut dyn Iterator<Item = &BotMeasurements>| {
            bots.fold(LatencyHistogram::new(), |mut all, bot| {
                all.merge(of(bot));
                all
            })
        };
        let of_readers = |of| merged(of, &mut readers());
        let of_all = |of| merged(of, &mut bots.iter());
        let sum = |of: fn(&BotMeasurements) -> u64| bots.iter().map(of).sum::<u64>();
        let (gaps, ages) = (of_readers(|bot| &bot.gap_ms), of_readers(|bot| &bot.age_ms));
        let bytes = sum(|bot| bot.counters.bytes_in);
        let rows = sum(|bot| bot.counters.row_updates);
        let bot_seconds = bots.iter().map(|bot| bot.seconds).sum::<f64>().max(1e-9);
        let mut shots = ShotCounts::default();
        bots.iter().for_each(|bot| shots += bot.shots);
        Self {
            bots: options.bots,
            connected: connected().count() as u64,
            connect_failures: sum(|bot| bot.connect_failures),
            reconnects: sum(|bot| bot.counters.reconnects),
            resumes: sum(|bot| bot.counters.resumes),
            snapshots_per_second: Rates::of(
                readers().map(BotMeasurements::snapshot_rate).collect(),
            ),
            snapshot_gap_ms: PercentilesMs::of(&gaps),
            snapshot_age_ms: PercentilesMs::of(&ages),
            bytes_per_second_per_bot: bytes as f64 / bot_seconds,
            bytes_per_row_update: if rows == 0 {
                0.0
            } else {
                bytes as f64 / rows as f64
            },
            row_updates_per_second_per_bot: rows as f64 / bot_seconds,
            rtt_ms: PercentilesMs::of(&of_all(|bot| &bot.rtt_ms)),
            input_to_ack_ms: PercentilesMs::of(&of_all(|bot| &bot.ack_ms)),
            view_checks: sum(|bot| bot.counters.view_checks),
            view_mismatches: sum(|bot| bot.counters.view_mismatches),
            shots,
            prediction: Prediction {
                inputs: sum(|bot| bot.prediction.inputs),
                corrections: sum(|bot| bot.prediction.corrections),
                max_error_units: bots
                    .iter()
                    .map(|bot| bot.prediction.max_error / f64::from(bot.steps_per_unit))
                    .fold(0.0, f64::max),
                lacking: lacking(bots.iter().filter_map(|bot| bot.prediction_note.as_deref())),
            },
            interpolation_delay_ms: PercentilesMs::of(&of_all(|bot| &bot.interpolation_delay_ms)),
            starved_inputs: sum(|bot| bot.counters.starved_inputs),
            notices: sum(|bot| bot.counters.notices),
            protocol_errors: sum(|bot| bot.counters.protocol_errors),
            cpu_seconds,
            seconds,
            timer_control,
            url: options.url.join(" "),
            behaviour: options.behaviour.as_str(),
            latency_ms: options.latency.as_secs_f64() * 1e3,
            jitter_ms: options.jitter.as_secs_f64() * 1e3,
            stall: options.stall,
            forge_view_ms: options.forge_view.as_secs_f64() * 1e3,
            hold_incoming_ms: options.hold_incoming.as_secs_f64() * 1e3,
            seed: options.seed,
            encoding: format!("{:?}", options.encoding).to_lowercase(),
            offline: bots.iter().filter(|bot| bot.is_offline).count() as u64,
            frozen: readers().filter(|bot| bot.is_frozen()).count() as u64,
            per_bot: bots.iter().map(BotReport::of).collect(),
            gap_histogram_ms: gaps.counts_by_step(1.0, 101),
            age_histogram_ms: ages.counts_by_step(1.0, 301),
        }
    }

    /// Whether every bot joined and got a snapshot, no bot froze, and there were no mismatches and no protocol errors.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.connected == u64::from(self.bots)
            && self.frozen == 0
            && self.view_mismatches == 0
            && self.protocol_errors == 0
    }
}

impl Rates {
    fn of(mut rates: Vec<f64>) -> Self {
        rates.sort_unstable_by(f64::total_cmp);
        let Some(last) = rates.len().checked_sub(1) else {
            return Self::default();
        };
        Self {
            min: rates[0],
            p50: rates[last / 2],
            max: rates[last],
        }
    }
}

impl PercentilesMs {
    pub(crate) fn of(latencies: &LatencyHistogram) -> Self {
        Self {
            p50: latencies.quantile(0.5),
            p99: latencies.quantile(0.99),
            max: latencies.max(),
        }
    }
}

impl BotReport {
    fn of(bot: &BotMeasurements) -> Self {
        let entity_id = |id: EntityId| EntityIdReport {
            kind: id.kind.0,
            slot: id.slot,
            generation: id.generation,
        };
        Self {
            name: bot.name.clone(),
            room: bot.room.clone(),
            behaviour: bot.behaviour.as_str(),
            keeps_reading: bot.behaviour.keeps_reading(),
            session: bot.session,
            entity: bot.entity.map(entity_id),
            score: bot.score,
            snapshots_per_second: bot.snapshot_rate(),
            snapshot_gap_ms: PercentilesMs::of(&bot.gap_ms),
            snapshot_age_ms: PercentilesMs::of(&bot.age_ms),
            reconnects: bot.counters.reconnects,
            resumes: bot.counters.resumes,
            rtt_ms: PercentilesMs::of(&bot.rtt_ms),
            input_to_ack_ms: PercentilesMs::of(&bot.ack_ms),
            interpolation_delay_ms: PercentilesMs::of(&bot.interpolation_delay_ms),
            bytes_in: bot.counters.bytes_in,
            starved_inputs: bot.counters.starved_inputs,
            corrections: bot.prediction.corrections,
            shots: bot.shots,
            view_mismatches: bot.counters.view_mismatches,
            protocol_errors: bot.counters.protocol_errors,
            refusal: bot.refusal.clone(),
        }
    }
}
fn lacking<'a>(notes: impl Iterator<Item = &'a str>) -> BTreeMap<String, u32> {
    let mut reasons = BTreeMap::new();
    for note in notes {
        *reasons.entry(note.to_owned()).or_default() += 1;
    }
    reasons
}
