//! The report of a swarm: what users, operators and checks rely on. Field names are those of the contract; more may be added.

use crate::bot::Measured;
use crate::options::Options;
use crate::samples::Samples;
use crate::shots::ShotCounts;
use serde::Serialize;
use tickwire_game::arena::UNIT;
use tickwire_sync::EntityId;

/// Percentiles of a time, in milliseconds.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct Spread {
    /// Half are at most this.
    pub p50: f64,
    /// 99 % are at most this.
    pub p99: f64,
    /// The largest.
    pub max: f64,
}

/// Rates over the bots that keep reading.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct Rates {
    /// The slowest bot's.
    pub min: f64,
    /// Half of the bots have at most this.
    pub p50: f64,
    /// The fastest bot's.
    pub max: f64,
}

/// How well prediction does.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct Prediction {
    /// Inputs predicted.
    pub inputs: u64,
    /// Snapshots that differed from what was predicted.
    pub corrections: u64,
    /// The largest difference of a position, in world units.
    pub max_error_units: f64,
}

/// A bare timer at the tick rate beside the bots: what the machine itself could hold.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct TimerControl {
    /// Wake-ups per second.
    pub per_second: f64,
    /// How late the wake-ups were.
    pub lateness_ms: Spread,
}

/// An entity's name, as in the server's `/rooms/NAME/state`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct EntityName {
    /// Position in the schema's list of kinds.
    pub kind: u8,
    /// Compact number within the kind.
    pub slot: u32,
    /// Counts the uses of the slot, from 1.
    pub generation: u32,
}

/// One bot.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct BotReport {
    /// Name as the server has it.
    pub name: String,
    /// Room.
    pub room: String,
    /// What it did.
    pub behaviour: &'static str,
    /// Session; 0: it never got in.
    pub session: u32,
    /// The entity that stands for the player; a spectator has none.
    pub entity: Option<EntityName>,
    /// Score at the end.
    pub score: i32,
    /// Whether its figures count among those of the swarm: it takes every snapshot that it can get.
    pub keeps_reading: bool,
    /// Snapshots per second from its first one to its end, outages included; a flapper's only while connected.
    pub snapshots_per_second: f64,
    /// Gaps between snapshots.
    pub snapshot_gap_ms: Spread,
    /// Ages of snapshots.
    pub snapshot_age_ms: Spread,
    /// Connections lost.
    pub reconnects: u64,
    /// Returns as the same session.
    pub resumes: u64,
    /// Round trips of its clock questions.
    pub rtt_ms: Spread,
    /// From making an input to the snapshot that says it was applied.
    pub input_to_ack_ms: Spread,
    /// How far in the past its screen was.
    pub interpolation_delay_ms: Spread,
    /// Payload received.
    pub bytes_in: u64,
    /// Inputs that the server had to do without.
    pub starved_inputs: u64,
    /// Snapshots that differed from what was predicted.
    pub corrections: u64,
    /// What became of its shots.
    pub shots: ShotCounts,
    /// View hashes that did not agree.
    pub view_mismatches: u64,
    /// Messages that could not be read or applied.
    pub protocol_errors: u64,
    /// Why it could not get in, or the session ended early.
    pub refusal: Option<String>,
}

/// See the module's head.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Report {
    /// Bots started.
    pub bots: u32,
    /// Bots that got into a room.
    pub connected: u64,
    /// Attempts to connect that failed before a bot was in a room.
    pub connect_failures: u64,
    /// Connections lost.
    pub reconnects: u64,
    /// Returns as the same session.
    pub resumes: u64,
    /// Over the bots that keep reading (all but slow-reader and flapper); where there are only those, over them.
    pub snapshots_per_second: Rates,
    /// Of the same bots, outages included.
    pub snapshot_gap_ms: Spread,
    /// Of the same bots: arrival minus the tick's due time, on the server's clock.
    pub snapshot_age_ms: Spread,
    /// Payload received, per bot.
    pub bytes_per_second_per_bot: f64,
    /// All payload received over all rows that changed or entered.
    pub bytes_per_row_update: f64,
    /// Rows that changed or entered, per second and bot.
    pub row_updates_per_second_per_bot: f64,
    /// Round trips of clock questions.
    pub rtt_ms: Spread,
    /// From making an input to the snapshot that says it was applied.
    pub input_to_ack_ms: Spread,
    /// View hashes compared.
    pub view_checks: u64,
    /// View hashes that did not agree.
    pub view_mismatches: u64,
    /// What became of the shots.
    pub shots: ShotCounts,
    /// How well prediction does.
    pub prediction: Prediction,
    /// How far in the past the screens were.
    pub interpolation_delay_ms: Spread,
    /// Inputs that the server had to do without.
    pub starved_inputs: u64,
    /// Notices received.
    pub notices: u64,
    /// Messages that could not be read or applied.
    pub protocol_errors: u64,
    /// CPU time of this process, user and system.
    pub cpu_seconds: f64,
    /// How long the swarm ran.
    pub seconds: f64,
    /// The machine's own share.
    pub timer_control: TimerControl,
    /// The server.
    pub url: String,
    /// What the bots did, as asked.
    pub behaviour: &'static str,
    /// How the blocks were to be encoded, as asked.
    pub encoding: String,
    /// Emulated delay of the line, each way.
    pub latency_ms: f64,
    /// Spread of that delay.
    pub jitter_ms: f64,
    /// Chance per second of a stall, each way.
    pub stall: f64,
    /// By how much the bots lied about their screens.
    pub forge_view_ms: f64,
    /// Seed of everything random.
    pub seed: u64,
    /// Bots that read, and in more than five seconds were shown nothing after their first snapshot.
    pub frozen: u64,
    /// Bots that had been in a room, and were in none when the run ended.
    pub offline: u64,
    /// Each bot.
    pub per_bot: Vec<BotReport>,
    /// Gaps in steps of a millisecond, for the plot.
    pub gap_histogram_ms: Vec<u64>,
    /// Ages in steps of a millisecond, for the plot.
    pub age_histogram_ms: Vec<u64>,
}

impl Report {
    /// Puts the bots' measurements together.
    pub(crate) fn new(
        options: &Options,
        bots: &[Measured],
        timer_control: TimerControl,
        seconds: f64,
        cpu_seconds: f64,
    ) -> Self {
        let connected = || bots.iter().filter(|bot| bot.has_connected());
        let has_readers = connected().any(|bot| bot.behaviour.keeps_reading());
        let readers = || connected().filter(|bot| bot.behaviour.keeps_reading() || !has_readers);
        let merged = |of: fn(&Measured) -> &Samples, bots: &mut dyn Iterator<Item = &Measured>| {
            bots.fold(Samples::new(), |mut all, bot| {
                all.add(of(bot));
                all
            })
        };
        let of_readers = |of| merged(of, &mut readers());
        let of_all = |of| merged(of, &mut bots.iter());
        let sum = |of: fn(&Measured) -> u64| bots.iter().map(of).sum::<u64>();
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
            snapshots_per_second: Rates::of(readers().map(Measured::rate).collect()),
            snapshot_gap_ms: Spread::of(&gaps),
            snapshot_age_ms: Spread::of(&ages),
            bytes_per_second_per_bot: bytes as f64 / bot_seconds,
            bytes_per_row_update: if rows == 0 {
                0.0
            } else {
                bytes as f64 / rows as f64
            },
            row_updates_per_second_per_bot: rows as f64 / bot_seconds,
            rtt_ms: Spread::of(&of_all(|bot| &bot.rtt_ms)),
            input_to_ack_ms: Spread::of(&of_all(|bot| &bot.ack_ms)),
            view_checks: sum(|bot| bot.counters.view_checks),
            view_mismatches: sum(|bot| bot.counters.view_mismatches),
            shots,
            prediction: Prediction {
                inputs: sum(|bot| bot.prediction.inputs),
                corrections: sum(|bot| bot.prediction.corrections),
                max_error_units: bots
                    .iter()
                    .map(|bot| bot.prediction.max_error)
                    .fold(0.0, f64::max)
                    / f64::from(UNIT),
            },
            interpolation_delay_ms: Spread::of(&of_all(|bot| &bot.delay_ms)),
            starved_inputs: sum(|bot| bot.counters.starved_inputs),
            notices: sum(|bot| bot.counters.notices),
            protocol_errors: sum(|bot| bot.counters.protocol_errors),
            cpu_seconds,
            seconds,
            timer_control,
            url: options.url.clone(),
            behaviour: options.behaviour.as_str(),
            latency_ms: options.latency.as_secs_f64() * 1e3,
            jitter_ms: options.jitter.as_secs_f64() * 1e3,
            stall: options.stall,
            forge_view_ms: options.forge_view.as_secs_f64() * 1e3,
            seed: options.seed,
            encoding: format!("{:?}", options.encoding).to_lowercase(),
            offline: bots.iter().filter(|bot| bot.is_offline).count() as u64,
            frozen: readers().filter(|bot| bot.is_frozen()).count() as u64,
            per_bot: bots.iter().map(BotReport::of).collect(),
            gap_histogram_ms: gaps.steps(1.0, 101),
            age_histogram_ms: ages.steps(1.0, 301),
        }
    }

    /// Whether every bot got in and was shown the game, and nothing was wrong.
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

impl Spread {
    pub(crate) fn of(samples: &Samples) -> Self {
        Self {
            p50: samples.at(0.5),
            p99: samples.at(0.99),
            max: samples.max(),
        }
    }
}

impl BotReport {
    fn of(bot: &Measured) -> Self {
        let name = |id: EntityId| EntityName {
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
            entity: bot.entity.map(name),
            score: bot.score,
            snapshots_per_second: bot.rate(),
            snapshot_gap_ms: Spread::of(&bot.gap_ms),
            snapshot_age_ms: Spread::of(&bot.age_ms),
            reconnects: bot.counters.reconnects,
            resumes: bot.counters.resumes,
            rtt_ms: Spread::of(&bot.rtt_ms),
            input_to_ack_ms: Spread::of(&bot.ack_ms),
            interpolation_delay_ms: Spread::of(&bot.delay_ms),
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
