//! What bots measure while they play.
//!
//! In: the client core before and after each message, inputs, and connections lost. Out: the figures of one bot, and the totals of the
//! swarm. Never touches a socket.

use crate::latency::LatencyHistogram;
use crate::options::BehaviourName;
use crate::shot_counts::ShotCounts;
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
}

impl BotMeasurements {
    pub fn new(index: u32, name: String, room: String, behaviour: BehaviourName) -> Self {
        Self {
            index,
            name,
            room,
            behaviour,
            session: 0,
            entity: None,
            score: 0,
            steps_per_unit: 1,
            counters: Counters::default(),
            prediction: PredictionStats::default(),
            prediction_note: None,
            shots: ShotCounts::default(),
            gap_ms: LatencyHistogram::new(),
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
        }
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
        }
    }

    fn snapshot_received(&mut self, client: &Client, now: Micros) {
        if self.counting_since.is_none() {
            self.counting_since = Some(Instant::now());
        } else {
            self.counted_snapshots += 1;
        }
        if let Some(last) = self.last_snapshot_at.replace(now) {
            self.gap_ms.record(now.since(last).as_millis());
        }
        if let Some(age) = client.snapshot_age_ms().newest() {
            self.age_ms.record(age);
        }
        if let Some(delay) = client.interpolation_delay_ms() {
            self.interpolation_delay_ms.record(delay);
        }
        while let Some((_, made_at)) = self
            .unacked
            .pop_front_if(|(seq, _)| *seq <= client.applied_seq())
        {
            self.ack_ms.record(now.since(made_at).as_millis());
        }
    }

    pub fn stop_counting(&mut self) {
        if let Some(since) = self.counting_since.take() {
            self.seconds += since.elapsed().as_secs_f64();
        }
    }

    /// Takes the figures that are final when the run ends.
    pub fn finish(&mut self, client: &Client, shots: ShotCounts, has_joined: bool) {
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
        let mut bot = BotMeasurements::new(0, "bot-0".into(), "main".into(), behaviour);
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
}
