//! One bot of a swarm: a pilot on the native shell, and its measurements.
//!
//! In: events of its sockets, until the swarm stops. Out: [`BotMeasurements`]. Never decides what to play: the pilot does.

use crate::behaviour::{Behaviour as _, ByGame, Playbook};
use crate::measurements::{BotMeasurements, SwarmTotals};
use crate::options::{BehaviourName, EncodingName, Options};
use crate::pilot::Pilot;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tickwire_client::native::{Emulation, Shell, SocketEvent, Target};
use tickwire_client::{Client, Phase};
use tickwire_proto::{MAX_NAME_CHARACTERS, v1};
use tickwire_sync::Micros;
use tokio::sync::watch;

/// Bytes per second that a slow reader reads.
const SLOW_READ_RATE: u32 = 2 * 1024;
/// How long a flapper stays connected, in seconds.
const FLAP_SECONDS: std::ops::Range<u64> = 2..5;
/// How long a bot waits for its closing handshake.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Whether a bot is in its room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Presence {
    NeverJoined,
    InRoom,
    /// The bot had joined and has lost its connection.
    Away,
}

/// A bot of a swarm.
pub(crate) struct Bot {
    pilot: Pilot<ByGame>,
    shell: Shell,
    random: fastrand::Rng,
    start: Instant,
    measurements: BotMeasurements,
    totals: Arc<SwarmTotals>,
    /// When a flapper drops its connection next.
    flap_at: Option<Instant>,
    presence: Presence,
}

impl Bot {
    pub fn new(
        index: u32,
        options: &Options,
        playbook: Option<Arc<dyn Playbook>>,
        target: Arc<Target>,
        others: Vec<Arc<Target>>,
        totals: Arc<SwarmTotals>,
    ) -> Self {
        let behaviour = options.behaviour_of(index);
        let seed = options
            .seed
            .wrapping_mul(1_000_003)
            .wrapping_add(u64::from(index));
        let max_read_rate = (behaviour == BehaviourName::SlowReader).then_some(SLOW_READ_RATE);
        let emulation = Emulation {
            path: options.path(),
            hold_incoming: options.hold_incoming,
            max_read_rate,
            seed,
        };
        let number = format!("-{index}");
        // The server would cut a longer name, and then all bots would have the same.
        let prefix_length = MAX_NAME_CHARACTERS.saturating_sub(number.len());
        let name: String = options.name.chars().take(prefix_length).collect::<String>() + &number;
        let encoding = match options.encoding {
            EncodingName::Packed => v1::Encoding::Packed,
            EncodingName::Plain => v1::Encoding::Plain,
        };
        let session = tickwire_client::Options {
            room: options.room_of(index),
            name: name.clone(),
            ticket: options.ticket_of(index).to_owned(),
            encoding,
            is_spectator: behaviour == BehaviourName::Spectate,
            seed,
            ..tickwire_client::Options::default()
        };
        let room = options.room_of(index);
        let measurements = BotMeasurements::new(index, name, room, behaviour);
        let by_game = ByGame::new(playbook.as_deref(), behaviour, seed);
        let client = Client::new(session, Micros(0)).with_rules(move |game, map, hash| {
            let playbook = playbook.as_ref().filter(|known| known.game() == game)?;
            playbook.rules(map, hash)
        });
        let mut bot = Self {
            pilot: Pilot::new(client, by_game),
            shell: Shell::with_emulation(target, emulation).or_at(others),
            random: fastrand::Rng::with_seed(seed),
            start: Instant::now(),
            measurements,
            totals,
            flap_at: None,
            presence: Presence::NeverJoined,
        };
        bot.pilot
            .client
            .forge_view(options.forge_view.as_secs_f64() * 60.0);
        bot
    }

    /// Plays until `stop` is set, then leaves.
    pub async fn play(mut self, mut stop: watch::Receiver<bool>) -> BotMeasurements {
        while !*stop.borrow() {
            let wake = self.start + Duration::from_micros(self.pilot.client.wake_at(self.now()).0);
            let wake = self.flap_at.map_or(wake, |flap| flap.min(wake));
            tokio::select! {
                event = self.shell.next_event(wake) => self.step(event),
                _ = stop.changed() => {}
            }
            if let Phase::Closed { reason, .. } = self.pilot.client.phase() {
                self.measurements.refusal = Some(reason.clone());
                break;
            }
        }
        self.measurements.stop_counting();
        self.reconnect_before_leaving().await;
        self.measurements.stop_counting();
        let has_joined = self.presence != Presence::NeverJoined;
        let newest = self.pilot.client.newest_snapshot().0;
        let shots = self.pilot.behaviour.shot_counts(newest);
        self.measurements
            .finish(&self.pilot.client, shots, has_joined);
        self.pilot.client.leave();
        self.perform_actions();
        self.shell
            .finish_closing(Instant::now() + CLOSE_TIMEOUT)
            .await;
        self.measurements
    }

    /// Waits for a reconnect that is under way, as flappers often have one: only a connected bot can leave properly.
    async fn reconnect_before_leaving(&mut self) {
        let until = Instant::now() + CLOSE_TIMEOUT;
        while *self.pilot.client.phase() == Phase::Reconnecting && Instant::now() < until {
            let wake = self.start + Duration::from_micros(self.pilot.client.wake_at(self.now()).0);
            let event = self.shell.next_event(wake.min(until)).await;
            self.step(event);
        }
        self.measurements.is_offline = self.presence != Presence::NeverJoined
            && *self.pilot.client.phase() == Phase::Reconnecting;
    }

    fn now(&self) -> Micros {
        Micros(self.start.elapsed().as_micros() as u64)
    }

    fn step(&mut self, event: Option<SocketEvent>) {
        if let Some(event) = event {
            self.handle_socket_event(event);
        }
        let now = self.now();
        self.shell.provide_rules(&mut self.pilot.client, now);
        let seq = self.pilot.client.input_seq();
        let outcome = self.pilot.step(now);
        if outcome.joined.is_some() {
            self.joined();
        }
        for index in 1..=outcome.input_count {
            self.measurements.input_made(seq + index, now);
        }
        if self.flap_at.is_some_and(|at| at <= Instant::now()) {
            self.flap_at = None;
            self.shell.abort_all();
        }
        self.perform_actions();
    }

    /// The session has joined a room, for the first time or again.
    fn joined(&mut self) {
        self.measurements.joined();
        if std::mem::replace(&mut self.presence, Presence::InRoom) != Presence::InRoom {
            self.totals.connected.fetch_add(1, Ordering::Relaxed);
        }
        if self.measurements.behaviour == BehaviourName::Flapper {
            let seconds = self.random.u64(FLAP_SECONDS);
            self.flap_at = Some(Instant::now() + Duration::from_secs(seconds));
        }
    }

    fn perform_actions(&mut self) {
        while let Some(action) = self.pilot.client.next_action() {
            self.shell.perform(action);
        }
    }

    fn handle_socket_event(&mut self, event: SocketEvent) {
        let now = self.now();
        match event {
            SocketEvent::Opened(link) => self.pilot.client.opened(link, now),
            SocketEvent::Received(link, message) => {
                let client = &mut self.pilot.client;
                let before = client.counters();
                client.received(link, &message, now);
                self.totals.add(before, client.counters());
                self.measurements.message_received(client, before, now);
            }
            SocketEvent::Closed(link, code, reason) => {
                match self.presence {
                    Presence::InRoom => {
                        self.totals.connected.fetch_sub(1, Ordering::Relaxed);
                        self.presence = Presence::Away;
                    }
                    Presence::NeverJoined => self.measurements.connect_failed(&reason),
                    Presence::Away => {}
                }
                self.measurements.connection_lost();
                self.pilot.client.closed(link, code, &reason, now);
            }
        }
    }
}
