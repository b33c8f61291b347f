//! What bots measure while they play.
//!
//! In: the client core before and after each message, inputs, and connections lost. Out: the figures of one bot, and the totals of the
//! swarm. Never touches a socket.

use crate::latency::LatencyHistogram;
use crate::options::BehaviourName;
use crate::shot_counts::ShotCounts;
use crate::timeline::{Counts, Latency, SliceWriter};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tickwire_client::{Client, Counters, PredictionStats};
use tickwire_sync::{EntityId, Micros, ValueType};

/// Inputs whose acknowledgement a bot may wait for.
const MAX_UNACKED: usize = 1024;

/// A bot that has been in a room for this many seconds should have got a snapshot, unless the bot reads slowly.
const MAX_SECONDS_TO_FIRST_SNAPSHOT: f64 = 1.0;
/// A bot whose first snapshot is this many seconds old should have got another one, whatever the tick rate.
const MAX_SECONDS_TO_SECOND_SNAPSHOT: f64 = 5.0;

/// Totals of all bots of a swarm, for the progress line.
#[derive(Debug, Default)]
pub(crate) struct SwarmTotals {
    /// Bots in a room now.
    pub connected: AtomicU64,
    pub snapshots: AtomicU64,
    pub bytes: AtomicU64,
    pub mismatches: AtomicU64,
    pub errors: AtomicU64,
}

impl SwarmTotals {
    /// Adds what one message has changed in a bot's counters.
    pub fn add(&self, before: Counters, after: Counters) {
        let add = |total: &AtomicU64, count| {
            if count > 0 {
                total.fetch_add(count, Ordering::Relaxed);
            }
        };
        add(&self.snapshots, after.snapshots - before.snapshots);
        add(&self.bytes, after.bytes_in - before.bytes_in);
        add(
            &self.mismatches,
            after.view_mismatches - before.view_mismatches,
        );
        add(&self.errors, after.protocol_errors - before.protocol_errors);
    }
}

/// What one bot has measured.
#[derive(Debug)]
pub(crate) struct BotMeasurements {
    /// The bot's number, from 0.
    pub index: u32,
    pub name: String,
    pub room: String,
    pub behaviour: BehaviourName,
    /// The named link's label.
    pub link: &'static str,
    pub session: u32,
    pub entity: Option<EntityId>,
    pub score: i32,
    /// Steps of the predicted entity's position in one unit.
    pub steps_per_unit: u32,
    pub counters: Counters,
    pub prediction: PredictionStats,
    /// Why the bot did not predict at the end.
    pub prediction_note: Option<String>,
    pub shots: ShotCounts,
    pub gap_ms: LatencyHistogram,
    /// The longest time without a snapshot, the one since the newest snapshot included.
    pub longest_gap_ms: f64,
    pub age_ms: LatencyHistogram,
    pub rtt_ms: LatencyHistogram,
    pub ack_ms: LatencyHistogram,
    pub interpolation_delay_ms: LatencyHistogram,
    /// Snapshots after the first one.
    pub counted_snapshots: u64,
    /// Seconds since the first snapshot, outages included. A flapper, which makes its own outages, counts only while connected.
    pub seconds: f64,
    /// Seconds since the bot first joined a room, up to the end of the run.
    pub seconds_since_join: f64,
    pub connect_failures: u64,
    pub refusal: Option<String>,
    /// Whether the bot had been in a room and was in none when the run ended.
    pub is_offline: bool,
    /// When the bot first joined a room.
    joined_at: Option<Instant>,
    /// When counting began: with the first snapshot; for a flapper with the first one of each connection.
    counting_since: Option<Instant>,
    /// When the newest snapshot arrived; for a flapper on the current connection.
    last_snapshot_at: Option<Micros>,
    /// Inputs without an acknowledgement: sequence number and time.
    unacked: VecDeque<(u32, Micros)>,
    slices: SliceWriter,
    /// Whether its gaps and ages are among those of the timeline.
    is_timed: bool,
}

/// What a bot is, for its report.
#[derive(Debug)]
pub(crate) struct BotLabels {
    pub index: u32,
    pub name: String,
    pub room: String,
    pub behaviour: BehaviourName,
    pub link: &'static str,
}

impl BotMeasurements {
    /// `has_readers`: whether the swarm has bots that read every snapshot at once, whose gaps and ages alone are timed then.
    pub fn new(labels: BotLabels, slices: SliceWriter, has_readers: bool) -> Self {
        let BotLabels {
            index,
            name,
            room,
            behaviour,
            link,
        } = labels;
        Self {
            index,
            name,
            room,
            behaviour,
            link,
            session: 0,
            entity: None,
            score: 0,
            steps_per_unit: 1,
            counters: Counters::default(),
            prediction: PredictionStats::default(),
            prediction_note: None,
            shots: ShotCounts::default(),
            gap_ms: LatencyHistogram::new(),
            longest_gap_ms: 0.0,
            age_ms: LatencyHistogram::new(),
            rtt_ms: LatencyHistogram::new(),
            ack_ms: LatencyHistogram::new(),
            interpolation_delay_ms: LatencyHistogram::new(),
            counted_snapshots: 0,
            seconds: 0.0,
            seconds_since_join: 0.0,
            connect_failures: 0,
            refusal: None,
            is_offline: false,
            joined_at: None,
            counting_since: None,
            last_snapshot_at: None,
            unacked: VecDeque::new(),
            slices,
            is_timed: behaviour.keeps_reading() || !has_readers,
        }
    }

    /// Whether [`Self::give_slice`] is due.
    pub fn is_slice_due(&self) -> bool {
        self.slices.is_due()
    }

    /// Gives to the timeline what was measured since the last call. `shots`: those of the whole run.
    pub fn give_slice(&mut self, client: &Client, shots: ShotCounts) {
        let (counters, prediction) = (client.counters(), client.prediction_stats());
        self.slices.give(Counts {
            snapshots: counters.snapshots,
            bytes_in: counters.bytes_in,
            inputs: prediction.inputs,
            corrections: prediction.corrections,
            starved_inputs: counters.starved_inputs,
            reconnects: counters.reconnects,
            resumes: counters.resumes,
            view_checks: counters.view_checks,
            view_mismatches: counters.view_mismatches,
            protocol_errors: counters.protocol_errors,
            shots_fired: shots.fired,
            hits_on_screen: shots.hit_on_screen,
            hits_confirmed: shots.confirmed,
            false_hits: shots.false_hits,
        });
    }

    /// The session has joined a room, for the first time or again.
    pub fn joined(&mut self) {
        self.joined_at.get_or_insert_with(Instant::now);
        // Inputs under way are lost, and the acknowledgement of others would only measure the outage.
        self.unacked.clear();
        self.refusal = None;
    }

    /// A connection attempt failed before the bot had joined.
    pub fn connect_failed(&mut self, reason: &str) {
        self.connect_failures += 1;
        self.refusal = Some(reason.to_owned());
    }

    pub fn connection_lost(&mut self) {
        if self.behaviour == BehaviourName::Flapper {
            self.last_snapshot_at = None;
            self.stop_counting();
        }
    }

    pub fn input_made(&mut self, seq: u32, now: Micros) {
        if self.unacked.len() < MAX_UNACKED {
            self.unacked.push_back((seq, now));
        }
    }

    /// A message has changed the client's counters from `before`.
    pub fn message_received(&mut self, client: &Client, before: Counters, now: Micros) {
        let after = client.counters();
        if after.snapshots > before.snapshots {
            self.snapshot_received(client, now);
        }
        if after.pongs > before.pongs
            && let Some(rtt) = client.rtt_ms().newest()
        {
            self.rtt_ms.record(rtt);
            self.slices.record(Latency::Rtt, rtt);
        }
    }

    fn snapshot_received(&mut self, client: &Client, now: Micros) {
        if self.counting_since.is_none() {
            self.counting_since = Some(Instant::now());
        } else {
            self.counted_snapshots += 1;
        }
        if let Some(last) = self.last_snapshot_at.replace(now) {
            let gap = now.since(last).as_millis();
            self.gap_ms.record(gap);
            self.longest_gap_ms = self.longest_gap_ms.max(gap);
            self.record_timed(Latency::Gap, gap);
        }
        if let Some(age) = client.snapshot_age_ms().newest() {
            self.age_ms.record(age);
            self.record_timed(Latency::Age, age);
        }
        if let Some(delay) = client.interpolation_delay_ms() {
            self.interpolation_delay_ms.record(delay);
        }
        while let Some((_, made_at)) = self
            .unacked
            .pop_front_if(|(seq, _)| *seq <= client.applied_seq())
        {
            let ack = now.since(made_at).as_millis();
            self.ack_ms.record(ack);
            self.slices.record(Latency::Ack, ack);
        }
    }

    fn record_timed(&mut self, latency: Latency, millis: f64) {
        if self.is_timed {
            self.slices.record(latency, millis);
        }
    }

    pub fn stop_counting(&mut self) {
        if let Some(since) = self.counting_since.take() {
            self.seconds += since.elapsed().as_secs_f64();
        }
    }

    /// The bot's play is over: what it waits for since its newest snapshot is a gap too, though without an end.
    pub fn play_ended(&mut self, now: Micros) {
        if let Some(last) = self.last_snapshot_at {
            let gap = now.since(last).as_millis();
            if gap > self.longest_gap_ms {
                self.longest_gap_ms = gap;
                self.gap_ms.record(gap);
            }
        }
    }

    /// Takes the figures that are final when the bot leaves.
    pub fn finish(&mut self, client: &Client, shots: ShotCounts, has_joined: bool) {
        self.give_slice(client, shots);
        self.seconds_since_join = self
            .joined_at
            .map_or(0.0, |joined| joined.elapsed().as_secs_f64());
        self.session = client.session();
        self.entity = client.entity();
        self.counters = client.counters();
        self.prediction = client.prediction_stats();
        self.prediction_note = client.prediction_note().map(str::to_owned);
        self.shots = shots;
        if has_joined {
            client.name().clone_into(&mut self.name);
            client.room().clone_into(&mut self.room);
        }
        self.score = score(client).unwrap_or(0);
        self.steps_per_unit = steps_per_unit(client).unwrap_or(1);
    }

    /// Snapshots per second.
    pub fn snapshot_rate(&self) -> f64 {
        if self.seconds > 0.0 {
            self.counted_snapshots as f64 / self.seconds
        } else {
            0.0
        }
    }

    /// Whether the bot reads all that comes, and got no snapshot, or none after its first one, for long enough to tell.
    pub fn is_frozen(&self) -> bool {
        let got_none =
            self.counters.snapshots == 0 && self.seconds_since_join > MAX_SECONDS_TO_FIRST_SNAPSHOT;
        let got_no_second =
            self.counted_snapshots == 0 && self.seconds > MAX_SECONDS_TO_SECOND_SNAPSHOT;
        self.behaviour.keeps_reading() && (got_none || got_no_second)
    }

    /// Whether the bot ever was in a room.
    pub fn has_connected(&self) -> bool {
        self.session != 0
    }
}

/// The lane `score` of the player's own entity, if its kind has one.
fn score(client: &Client) -> Option<i32> {
    let (entity, replica) = (client.entity()?, client.replica()?);
    let kind = replica.schema().kind(entity.kind)?;
    let lane = kind.lanes.iter().position(|lane| lane.name == "score")?;
    replica.find(entity.key())?.lanes.get(lane).copied()
}

/// Steps of the predicted entity's position in one unit.
fn steps_per_unit(client: &Client) -> Option<u32> {
    let schema = client.replica()?.schema();
    let predicted = schema.kinds.iter().find(|kind| kind.predicted)?;
    match predicted.lanes.first()?.value {
        ValueType::Fixed { steps } => Some(steps),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(behaviour: BehaviourName, since_join: f64, snapshots: u64) -> BotMeasurements {
        let labels = BotLabels {
            index: 0,
            name: "bot-0".into(),
            room: "main".into(),
            behaviour,
            link: "",
        };
        let slices = SliceWriter::new(Default::default());
        let mut bot = BotMeasurements::new(labels, slices, true);
        bot.session = 1;
        bot.seconds_since_join = since_join;
        bot.counters.snapshots = snapshots;
        bot.counted_snapshots = snapshots.saturating_sub(1);
        bot.seconds = if snapshots > 0 { since_join } else { 0.0 };
        bot
    }

    #[test]
    fn a_bot_without_a_snapshot_is_frozen() {
        let is_frozen = |behaviour, since_join, snapshots| {
            measured(behaviour, since_join, snapshots).is_frozen()
        };
        let wander = BehaviourName::Wander;
        assert!(is_frozen(wander, 1.5, 0));
        assert!(!is_frozen(wander, 0.5, 0), "too early to tell");
        assert!(!is_frozen(wander, 1.5, 1), "the second one may take 5 s");
        assert!(is_frozen(wander, 5.5, 1));
        assert!(!is_frozen(wander, 5.5, 2));
        assert!(!is_frozen(BehaviourName::SlowReader, 9.0, 0));
    }

    #[test]
    fn the_longest_gap_may_have_no_end() {
        let mut bot = measured(BehaviourName::Wander, 9.0, 3);
        bot.longest_gap_ms = 40.0;
        bot.last_snapshot_at = Some(Micros::from_millis(1000));
        bot.play_ended(Micros::from_millis(1030));
        assert_eq!(bot.longest_gap_ms, 40.0);
        bot.play_ended(Micros::from_millis(6000));
        assert_eq!(bot.longest_gap_ms, 5000.0);
    }
}
