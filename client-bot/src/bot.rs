//! One bot of a swarm: a pilot on the native shell, and its measurements.
//!
//! In: events of its sockets, until the swarm stops. Out: [`BotMeasurements`]. Never decides what to play: the pilot does.

use crate::behaviour::{Behaviour as _, ByGame, Playbook};
use crate::measurements::{BotLabels, BotMeasurements, SwarmTotals};
use crate::options::{BehaviourName, EncodingName, Options};
use crate::pilot::Pilot;
use crate::plan::Role;
use crate::shot_counts::ShotCounts;
use crate::timeline::{SliceWriter, Timeline};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tickwire_client::native::{Emulation, Shell, SocketEvent, Target};
use tickwire_client::{Action, Client, LinkId, Phase};
use tickwire_proto::{MAX_NAME_CHARACTERS, v1};
use tickwire_sync::Micros;
use tokio::sync::mpsc;

/// Bytes per second that a slow reader reads.
const SLOW_READ_RATE: u32 = 2 * 1024;
/// How long a flapper stays connected, in seconds.
const FLAP_SECONDS: std::ops::Range<u64> = 2..5;
/// How long a bot waits for its closing handshake.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What the swarm tells a bot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BotCommand {
    /// Lose the connection, without a closing handshake.
    DropConnection,
    /// Lose the connection, and get none before this time.
    CutLine { until: Instant },
    /// Leave, properly.
    Leave,
}

/// What the bots of a swarm share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub playbook: Option<Arc<dyn Playbook>>,
    pub totals: Arc<SwarmTotals>,
    pub timeline: Arc<Timeline>,
    /// Whether some bots read every snapshot at once.
    pub has_readers: bool,
}

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
    /// Until when the line is cut.
    cut_until: Option<Instant>,
    presence: Presence,
}

impl Bot {
    pub fn new(
        index: u32,
        role: Role,
        options: &Options,
        targets: (Arc<Target>, Vec<Arc<Target>>),
        shared: Shared,
    ) -> Self {
        let Role { behaviour, link } = role;
        let Shared {
            playbook,
            totals,
            timeline,
            has_readers,
        } = shared;
        let seed = options
            .seed
            .wrapping_mul(1_000_003)
            .wrapping_add(u64::from(index));
        let max_read_rate = (behaviour == BehaviourName::SlowReader).then_some(SLOW_READ_RATE);
        let emulation = Emulation {
            path: link.path(),
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
        let labels = BotLabels {
            index,
            name,
            room: options.room_of(index),
            behaviour,
            link: link.label(),
        };
        let slices = SliceWriter::new(timeline);
        let measurements = BotMeasurements::new(labels, slices, has_readers);
        let by_game = ByGame::new(playbook.as_deref(), behaviour, seed);
        let client = Client::new(session, Micros(0)).with_rules(move |game, map, hash| {
            let playbook = playbook.as_ref().filter(|known| known.game() == game)?;
            playbook.rules(map, hash)
        });
        let (target, others) = targets;
        let mut bot = Self {
            pilot: Pilot::new(client, by_game),
            shell: Shell::with_emulation(target, emulation).or_at(others),
            random: fastrand::Rng::with_seed(seed),
            start: Instant::now(),
            measurements,
            totals,
            flap_at: None,
            cut_until: None,
            presence: Presence::NeverJoined,
        };
        bot.pilot
            .client
            .forge_view(options.forge_view.as_secs_f64() * 60.0);
        bot
    }

    /// Plays until it is told to leave, or until nobody can tell it any more.
    pub async fn play(
        mut self,
        mut commands: mpsc::UnboundedReceiver<BotCommand>,
    ) -> BotMeasurements {
        loop {
            let wake = self.start + Duration::from_micros(self.pilot.client.wake_at(self.now()).0);
            let earlier = [self.flap_at, self.cut_until].into_iter().flatten();
            let wake = earlier.fold(wake, Instant::min);
            tokio::select! {
                event = self.shell.next_event(wake) => self.step(event),
                command = commands.recv() => match command {
                    Some(BotCommand::DropConnection) => self.shell.abort_all(),
                    Some(BotCommand::CutLine { until }) => {
                        self.cut_until = Some(until);
                        self.shell.abort_all();
                    }
                    Some(BotCommand::Leave) | None => break,
                },
            }
            if let Phase::Closed { reason, .. } = self.pilot.client.phase() {
                self.measurements.refusal = Some(reason.clone());
                break;
            }
        }
        self.cut_until = None;
        self.measurements.play_ended(self.now());
        self.measurements.stop_counting();
        self.reconnect_before_leaving().await;
        self.measurements.stop_counting();
        let has_joined = self.presence != Presence::NeverJoined;
        let shots = self.shots();
        self.measurements
            .finish(&self.pilot.client, shots, has_joined);
        self.pilot.client.leave();
        self.perform_actions();
        self.shell
            .finish_closing(Instant::now() + CLOSE_TIMEOUT)
            .await;
        if self.presence == Presence::InRoom {
            self.totals.connected.fetch_sub(1, Ordering::Relaxed);
        }
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

    fn shots(&self) -> ShotCounts {
        let newest = self.pilot.client.newest_snapshot().0;
        self.pilot.behaviour.shot_counts(newest)
    }

    fn step(&mut self, event: Option<SocketEvent>) {
        if self.measurements.is_slice_due() {
            let shots = self.shots();
            self.measurements.give_slice(&self.pilot.client, shots);
        }
        if self.cut_until.is_some_and(|until| until <= Instant::now()) {
            self.cut_until = None;
            // As a device does that learns that its network is back.
            self.pilot.client.probe_now(self.now());
        }
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
            match action {
                Action::Open(link) if self.cut_until.is_some() => self.fail_to_connect(link),
                action => self.shell.perform(action),
            }
        }
    }

    /// An attempt to connect while the line is cut.
    fn fail_to_connect(&mut self, link: LinkId) {
        let closed = SocketEvent::Closed(link, None, "the line is cut".to_owned());
        self.handle_socket_event(closed);
    }

    fn handle_socket_event(&mut self, event: SocketEvent) {
        let now = self.now();
        match event {
            // It was under way when the line was cut.
            SocketEvent::Opened(_) if self.cut_until.is_some() => self.shell.abort_all(),
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
