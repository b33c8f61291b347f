//! One bot: a pilot on the native shell, and what it measures.

use crate::behaviour::mind;
use crate::options::{BehaviourName, EncodingName, Options};
use crate::pilot::Pilot;
use crate::samples::Samples;
use crate::shots::ShotCounts;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tickwire_client::native::{Emulation, Happened, Shell, Target};
use tickwire_client::{Counters, Phase, PredictionStats};
use tickwire_game::arena::player_lane;
use tickwire_proto::{MAX_NAME_CHARACTERS, v1};
use tickwire_sync::{EntityId, Micros};
use tokio::sync::watch;

/// Bytes a second that a slow reader takes.
const SLOW_READ_RATE: u32 = 2 * 1024;
/// How long a flapper stays connected, in seconds.
const FLAP_SECONDS: std::ops::Range<u64> = 2..5;
/// How long a bot waits for its goodbye to leave.
const GOODBYE: Duration = Duration::from_secs(2);
/// Inputs that wait for their acknowledgement at most.
const MAX_UNACKED: usize = 1024;

/// What all bots of a swarm count together, for the progress line.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// In a room now.
    pub connected: AtomicU64,
    pub snapshots: AtomicU64,
    pub bytes: AtomicU64,
    pub mismatches: AtomicU64,
    pub errors: AtomicU64,
}

/// What one bot has measured.
#[derive(Debug)]
pub(crate) struct Measured {
    /// The bot's number, from 0.
    pub index: u32,
    pub name: String,
    pub room: String,
    pub behaviour: BehaviourName,
    pub session: u32,
    pub entity: Option<EntityId>,
    pub score: i32,
    pub counters: Counters,
    pub prediction: PredictionStats,
    pub shots: ShotCounts,
    pub gap_ms: Samples,
    pub age_ms: Samples,
    pub rtt_ms: Samples,
    pub ack_ms: Samples,
    pub delay_ms: Samples,
    /// Snapshots after the first one, and the seconds since that: with outages in them, but for a flapper, who makes its own.
    pub counted_snapshots: u64,
    pub seconds: f64,
    pub connect_failures: u64,
    pub refusal: Option<String>,
    /// At the end it had been in a room, and was in none.
    pub is_offline: bool,
}

pub(crate) struct Bot {
    pilot: Pilot,
    shell: Shell,
    random: fastrand::Rng,
    start: Instant,
    unacked: VecDeque<(u32, Micros)>,
    measured: Measured,
    tally: Arc<Tally>,
    /// When counting began: with the first snapshot, of a flapper with that of each connection.
    counting_since: Option<Instant>,
    /// When the newest snapshot came; of a flapper that of the running connection.
    last_snapshot: Option<Micros>,
    flap_at: Option<Instant>,
    has_joined: bool,
    /// Whether it is in a room now.
    is_in: bool,
}

impl Bot {
    pub fn new(index: u32, options: &Options, target: Arc<Target>, tally: Arc<Tally>) -> Self {
        let behaviour = options.behaviour_of(index);
        let seed = options
            .seed
            .wrapping_mul(1_000_003)
            .wrapping_add(u64::from(index));
        let read_rate = (behaviour == BehaviourName::SlowReader).then_some(SLOW_READ_RATE);
        let emulation = Emulation {
            path: options.path(),
            read_rate,
            seed,
        };
        let number = format!("-{index}");
        // A longer name would be cut by the server, and all bots have the same.
        let left = MAX_NAME_CHARACTERS.saturating_sub(number.len());
        let name: String = options.name.chars().take(left).collect::<String>() + &number;
        let encoding = match options.encoding {
            EncodingName::Packed => v1::Encoding::Packed,
            EncodingName::Plain => v1::Encoding::Plain,
        };
        let session = tickwire_client::Options {
            room: options.room_of(index),
            name: name.clone(),
            ticket: options.ticket.clone(),
            encoding,
            is_spectator: behaviour == BehaviourName::Spectate,
            seed,
        };
        let measured = Measured {
            index,
            name,
            room: options.room_of(index),
            behaviour,
            session: 0,
            entity: None,
            score: 0,
            counters: Counters::default(),
            prediction: PredictionStats::default(),
            shots: ShotCounts::default(),
            gap_ms: Samples::new(),
            age_ms: Samples::new(),
            rtt_ms: Samples::new(),
            ack_ms: Samples::new(),
            delay_ms: Samples::new(),
            counted_snapshots: 0,
            seconds: 0.0,
            connect_failures: 0,
            refusal: None,
            is_offline: false,
        };
        let mut bot = Self {
            pilot: Pilot::new(session, mind(behaviour, seed), Micros(0)),
            shell: Shell::with_emulation(target, emulation),
            random: fastrand::Rng::with_seed(seed),
            start: Instant::now(),
            unacked: VecDeque::new(),
            measured,
            tally,
            counting_since: None,
            last_snapshot: None,
            flap_at: None,
            has_joined: false,
            is_in: false,
        };
        bot.pilot
            .client
            .forge_view(options.forge_view.as_secs_f64() * 60.0);
        bot
    }

    /// Plays until `stop` is set, and leaves.
    pub async fn play(mut self, mut stop: watch::Receiver<bool>) -> Measured {
        while !*stop.borrow() {
            let wake = self.start + Duration::from_micros(self.pilot.client.wake_at(self.now()).0);
            let wake = self.flap_at.map_or(wake, |flap| flap.min(wake));
            tokio::select! {
                happened = self.shell.next(wake) => self.step(happened),
                _ = stop.changed() => {}
            }
            if let Phase::Closed { reason, .. } = self.pilot.client.phase() {
                self.measured.refusal = Some(reason.clone());
                break;
            }
        }
        self.stop_counting();
        self.come_back().await;
        self.stop_counting();
        self.remember();
        self.pilot.client.leave();
        self.act();
        self.shell.goodbye(Instant::now() + GOODBYE).await;
        self.measured
    }

    /// Who has just lost its connection, a flapper above all, comes back first: only then can it leave in good order.
    async fn come_back(&mut self) {
        let until = Instant::now() + GOODBYE;
        while *self.pilot.client.phase() == Phase::Reconnecting && Instant::now() < until {
            let wake = self.start + Duration::from_micros(self.pilot.client.wake_at(self.now()).0);
            let happened = self.shell.next(wake.min(until)).await;
            self.step(happened);
        }
        self.measured.is_offline =
            self.has_joined && *self.pilot.client.phase() == Phase::Reconnecting;
    }

    fn now(&self) -> Micros {
        Micros(self.start.elapsed().as_micros() as u64)
    }

    fn step(&mut self, happened: Option<Happened>) {
        if let Some(happened) = happened {
            self.take(happened);
        }
        let now = self.now();
        let seq = self.pilot.client.seq();
        let stepped = self.pilot.step(now);
        if stepped.joined.is_some() {
            self.joined();
        }
        for made in 1..=stepped.inputs {
            if self.unacked.len() < MAX_UNACKED {
                self.unacked.push_back((seq + made, now));
            }
        }
        if self.flap_at.is_some_and(|at| at <= Instant::now()) {
            self.flap_at = None;
            self.shell.cut();
        }
        self.act();
    }

    /// The bot is (again) in a room.
    fn joined(&mut self) {
        // What was on its way is lost; of the rest one learns only how long the outage was.
        self.unacked.clear();
        self.measured.refusal = None;
        self.has_joined = true;
        if !std::mem::replace(&mut self.is_in, true) {
            self.tally.connected.fetch_add(1, Ordering::Relaxed);
        }
        if self.measured.behaviour == BehaviourName::Flapper {
            let seconds = self.random.u64(FLAP_SECONDS);
            self.flap_at = Some(Instant::now() + Duration::from_secs(seconds));
        }
    }

    fn act(&mut self) {
        while let Some(action) = self.pilot.client.next_action() {
            self.shell.act(action);
        }
    }

    fn take(&mut self, happened: Happened) {
        let now = self.now();
        match happened {
            Happened::Opened(link) => self.pilot.client.opened(link, now),
            Happened::Received(link, message) => {
                let before = self.pilot.client.counters();
                self.pilot.client.received(link, &message, now);
                self.note(before, now);
            }
            Happened::Closed(link, code, reason) => {
                if std::mem::take(&mut self.is_in) {
                    self.tally.connected.fetch_sub(1, Ordering::Relaxed);
                }
                if self.measured.behaviour == BehaviourName::Flapper {
                    self.last_snapshot = None;
                    self.stop_counting();
                }
                if !self.has_joined {
                    self.measured.connect_failures += 1;
                    self.measured.refusal = Some(reason.clone());
                }
                self.pilot.client.closed(link, code, &reason, now);
            }
        }
    }

    /// Writes down what a message has brought.
    fn note(&mut self, before: Counters, now: Micros) {
        let after = self.pilot.client.counters();
        if after.snapshots > before.snapshots {
            self.snapshot(now);
        }
        if after.pongs > before.pongs
            && let Some(rtt) = self.pilot.client.rtt_ms().newest()
        {
            self.measured.rtt_ms.record(rtt);
        }
        let count = |tally: &AtomicU64, count| {
            if count > 0 {
                tally.fetch_add(count, Ordering::Relaxed);
            }
        };
        let tally = &self.tally;
        count(&tally.bytes, after.bytes_in - before.bytes_in);
        count(
            &tally.mismatches,
            after.view_mismatches - before.view_mismatches,
        );
        count(
            &tally.errors,
            after.protocol_errors - before.protocol_errors,
        );
    }

    fn snapshot(&mut self, now: Micros) {
        self.tally.snapshots.fetch_add(1, Ordering::Relaxed);
        if self.counting_since.is_none() {
            self.counting_since = Some(Instant::now());
        } else {
            self.measured.counted_snapshots += 1;
        }
        if let Some(last) = self.last_snapshot.replace(now) {
            self.measured.gap_ms.record(now.since(last).as_millis());
        }
        if let Some(age) = self.pilot.client.age_ms().newest() {
            self.measured.age_ms.record(age);
        }
        if let Some(delay) = self.pilot.client.interpolation_delay_ms() {
            self.measured.delay_ms.record(delay);
        }
        while let Some((_, made)) = self
            .unacked
            .front()
            .copied()
            .filter(|(seq, _)| *seq <= self.pilot.client.applied_seq())
        {
            self.unacked.pop_front();
            self.measured.ack_ms.record(now.since(made).as_millis());
        }
    }

    fn stop_counting(&mut self) {
        if let Some(since) = self.counting_since.take() {
            self.measured.seconds += since.elapsed().as_secs_f64();
        }
    }

    /// Writes down what is known at the end.
    fn remember(&mut self) {
        let measured = &mut self.measured;
        measured.session = self.pilot.client.session();
        measured.entity = self.pilot.client.entity();
        measured.counters = self.pilot.client.counters();
        measured.prediction = self.pilot.client.prediction_stats();
        measured.shots = self.pilot.take_counts();
        if self.has_joined {
            measured.name = self.pilot.client.name().to_owned();
            measured.room = self.pilot.client.room().to_owned();
        }
        let client = &self.pilot.client;
        let row = client
            .entity()
            .and_then(|entity| client.replica()?.find(entity.key()));
        measured.score = row
            .and_then(|row| row.lanes.get(player_lane::SCORE).copied())
            .unwrap_or(0);
    }
}

impl Measured {
    /// Snapshots per second.
    pub fn rate(&self) -> f64 {
        if self.seconds > 0.0 {
            self.counted_snapshots as f64 / self.seconds
        } else {
            0.0
        }
    }

    /// Whether it reads and was shown nothing after the first moment, for long enough to tell at any tick rate.
    pub fn is_frozen(&self) -> bool {
        self.behaviour.keeps_reading() && self.seconds > 5.0 && self.counted_snapshots == 0
    }

    /// Whether the bot was in the room at all.
    pub fn has_connected(&self) -> bool {
        self.session != 0
    }
}
