//! One session of a client: connect, join, stay in sync, reconnect.
//!
//! In: what happened on the shell's sockets, the time, one input a tick. Out: actions for the shell, messages to send, and
//! everything that a screen or a bot wants to know. Never does IO and never reads a clock.
//!
//! This file holds the session's state, its timers and its inputs. `interface` has the types that go in and out, `link_set` holds the
//! connections, `reconnect` opens them and opens them again after a pause (`backoff`), `liveness` gives up dead ones, `received` applies the server's messages,
//! `map_download` collects a
//! large map, `steady_clock` keeps leaps of the shell's clock out, `room_rules` finds the rules to predict by, `queries` answers screens and reports.

mod backoff;
#[cfg(feature = "cheats")]
mod cheats;
mod clocks;
mod commands;
mod interface;
mod link_set;
#[cfg(test)]
mod link_tests;
mod liveness;
mod map_download;
mod queries;
mod received;
mod reconnect;
mod room_rules;
#[cfg(test)]
mod room_rules_tests;
mod steady_clock;

use crate::interpolation::InterpolationBuffer;
use crate::prediction::Prediction;
use crate::stats::RecentSamples;
use clocks::Clocks;
use commands::Commands;
pub use commands::{MAX_COMMAND_BYTES, MAX_KEPT_COMMANDS};
pub use interface::{Action, Counters, Options, Phase, SessionEvent};
pub use link_set::LinkId;
use link_set::{Link, LinkSet};
use map_download::MapDownload;
use room_rules::RoomRules;
pub use room_rules::{ModuleError, WantedRules};
use std::collections::VecDeque;
use steady_clock::SteadyClock;
use tickwire_game::Rules;
use tickwire_proto::CloseCode;
use tickwire_proto::v1::{self, client_message};
use tickwire_sync::client::Replica;
use tickwire_sync::encode::HeaderDecoder;
use tickwire_sync::input_buffer::MAX_INPUT_BYTES;
use tickwire_sync::{EntityId, Micros, Tick, TickClock, ViewTick};

/// Longest sleep of a shell between two calls of [`Client::poll`].
const POLL_INTERVAL: Micros = Micros::from_millis(100);
/// Inputs made at once after a hitch. Older ones would arrive too late anyway.
const MAX_INPUT_BURST: u32 = 8;

/// What the latest `Welcome` established, and the replica that snapshots have built since.
struct Session {
    number: u32,
    resume_token: Vec<u8>,
    name: String,
    room: String,
    game: String,
    map: Vec<u8>,
    entity: Option<EntityId>,
    ticks: TickClock,
    is_spectator: bool,
    encoding: v1::Encoding,
    replica: Replica,
    /// The private lanes of the player's own entities, as in the newest snapshot.
    owned: Vec<(EntityId, Vec<i32>)>,
}

/// What snapshots have left behind beside the replica.
#[derive(Default)]
struct SnapshotState {
    headers: HeaderDecoder,
    interpolation: InterpolationBuffer,
    /// Tick of the newest snapshot; 0 before the first one of this `Welcome`.
    newest_tick: Tick,
    /// When the newest snapshot arrived; before the first one, when `Welcome` did.
    newest_at: Micros,
}

/// How far the inputs are, here and at the server.
#[derive(Default)]
struct InputProgress {
    /// The tick that the next input is for.
    next_tick: Tick,
    newest_seq: u32,
    /// The newest input that the game was given, as the newest snapshot says.
    applied_seq: u32,
    /// `starved_inputs` as the server last reported it; counts from 0 in each session.
    reported_starved: u32,
}

/// The latest measurements of the connection.
struct NetworkSamples {
    rtt_ms: RecentSamples,
    snapshot_age_ms: RecentSamples,
    snapshot_gap_ms: RecentSamples,
    input_margin_ticks: RecentSamples,
}

/// Finds the movement rules of a room, by the name of its game, its map and the hash of its rules. [`Client::with_rules`] replaces it.
type RulesFor = dyn Fn(&str, &[u8], u64) -> Option<Box<dyn Rules>> + Send + Sync;

/// One session of a client, as a state machine: bytes and time in, actions and state out.
pub struct Client {
    options: Options,
    rules_for: Box<RulesFor>,
    phase: Phase,
    links: LinkSet,
    /// `None` before the first `Welcome`.
    session: Option<Session>,
    snapshots: SnapshotState,
    prediction: Prediction,
    room_rules: RoomRules,
    /// Every time in here is the session's, by this clock; every time from outside is a reading of the shell's.
    steady: SteadyClock,
    map: MapDownload,
    clocks: Clocks,
    inputs: InputProgress,
    commands: Commands,
    /// Number of the newest chat line or game message received.
    newest_message: u32,
    /// The token of an earlier client's session; empty: a new session.
    first_token: Vec<u8>,
    /// Whether the page is hidden: then no inputs are made.
    is_hidden: bool,
    actions: VecDeque<Action>,
    events: VecDeque<SessionEvent>,
    counters: Counters,
    samples: NetworkSamples,
    #[cfg(feature = "cheats")]
    view_forgery: ViewTick,
}

impl Client {
    /// Creates a session that connects with the first [`Self::poll`]. It predicts by the rules module of the server, unless
    /// [`Self::with_rules`] gives it native rules.
    #[must_use]
    pub fn new(options: Options, now: Micros) -> Self {
        Self {
            links: LinkSet::new(options.seed, now),
            options,
            rules_for: Box::new(|_, _, _| None),
            phase: Phase::Connecting,
            session: None,
            snapshots: SnapshotState::default(),
            prediction: Prediction::new(),
            room_rules: RoomRules::Unneeded,
            steady: SteadyClock::new(now),
            map: MapDownload::default(),
            clocks: Clocks::new(now),
            inputs: InputProgress::default(),
            commands: Commands::default(),
            newest_message: 0,
            first_token: Vec::new(),
            is_hidden: false,
            actions: VecDeque::new(),
            events: VecDeque::new(),
            counters: Counters::default(),
            samples: NetworkSamples {
                rtt_ms: RecentSamples::new(64),
                snapshot_age_ms: RecentSamples::new(512),
                snapshot_gap_ms: RecentSamples::new(512),
                input_margin_ticks: RecentSamples::new(512),
            },
            #[cfg(feature = "cheats")]
            view_forgery: ViewTick::default(),
        }
    }

    /// Predicts by native rules where they are the server's, which spares the shell the loading of a module.
    ///
    /// With each `Welcome`, `rules_for` is given the game's name, its map, and the hash of the server's rules
    /// ([`tickwire_game::Game::rules_hash`]). With `None` the client wants the server's rules module ([`Self::wanted_rules`]), and
    /// plays without prediction where there is none. `None` must be the answer where the hash differs from that of the rules at
    /// hand: predictions by other rules than the server's are corrected with every snapshot.
    #[must_use]
    pub fn with_rules(
        mut self,
        rules_for: impl Fn(&str, &[u8], u64) -> Option<Box<dyn Rules>> + Send + Sync + 'static,
    ) -> Self {
        self.rules_for = Box::new(rules_for);
        self
    }

    /// Runs the timers that are due at `now`: connects, pings, gives up dead links. Call it at least every 100 ms, then carry
    /// out [`Self::next_action`] until there is none.
    pub fn poll(&mut self, now: Micros) {
        if matches!(self.phase, Phase::Closed { .. }) {
            return;
        }
        let now = self.session_time(now);
        self.drop_failed_rules(now);
        self.give_up_dead_links(now);
        if self.links.retry_at.is_some_and(|at| at <= now) {
            self.open(now);
        }
        if self.clocks.pings.is_overdue(now) {
            self.ping_if_due(now);
        }
    }

    /// The session's time at a reading of the shell's clock. After a leap the server is asked what time it is.
    fn session_time(&mut self, reading: Micros) -> Micros {
        let was_in_doubt = self.steady.is_in_doubt();
        let now = self.steady.read(reading, !self.links.all.is_empty());
        if self.steady.is_in_doubt() && !was_in_doubt {
            self.probe(now);
        }
        now
    }

    fn ping_if_due(&mut self, now: Micros) {
        if self.links.joined().is_none() || !self.clocks.pings.is_due(now) || self.is_hidden {
            return;
        }
        self.clocks.pings.record(now);
        self.send(client_message::Body::Ping(v1::Ping { stamp: now.0 }));
    }

    /// When to call [`Self::poll`] and [`Self::next_due_tick`] again, unless something happens earlier.
    #[must_use]
    pub fn wake_at(&self, now: Micros) -> Micros {
        let now = self.steady.at(now);
        let is_joined = self.links.joined().is_some();
        let ping = self.clocks.pings.overdue_at();
        let timers = [self.links.retry_at, is_joined.then_some(ping)];
        let input_clock = self.clocks.input.as_ref();
        let input =
            input_clock.filter(|_| !self.is_hidden && is_joined && !self.steady.is_in_doubt());
        let input = input.map(|clock| clock.due_at(self.inputs.next_tick));
        let wake_at = timers
            .into_iter()
            .flatten()
            .chain(input)
            .fold(now.plus(POLL_INTERVAL), Micros::min)
            .max(now);
        self.steady.reading_at(wake_at)
    }

    /// The next thing for the shell to do.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The next event of the session, oldest first.
    pub fn next_event(&mut self) -> Option<SessionEvent> {
        self.events.pop_front()
    }

    /// The next tick whose input is due at `now`: answer with [`Self::input`], and ask again until there is none.
    ///
    /// Advances the view tick first, so that the input can be made from what the screen shows.
    pub fn next_due_tick(&mut self, now: Micros) -> Option<Tick> {
        let now = self.session_time(now);
        if self.is_hidden || self.links.joined().is_none() || self.steady.is_in_doubt() {
            return None;
        }
        self.clocks.advance_view(now);
        self.drop_failed_rules(now);
        let newest = self.clocks.input.as_mut()?.advance(now);
        if newest < self.inputs.next_tick || self.inputs.next_tick == Tick(u32::MAX) {
            // The clock moves back only by a jump. Ticks that already have an input do not get another one. After the last tick that
            // there is none comes, whatever a server says of its clock.
            return None;
        }
        if newest.since(self.inputs.next_tick) >= MAX_INPUT_BURST {
            self.inputs.next_tick = Tick(newest.0 - MAX_INPUT_BURST + 1);
        }
        self.ping_if_due(now);
        Some(self.inputs.next_tick)
    }

    /// How many ticks are due: the one from [`Self::next_due_tick`], and newer ones. Older ones were delayed, and their inputs may
    /// arrive too late.
    #[must_use]
    pub fn due_ticks(&self) -> u32 {
        let clock = self.clocks.input.as_ref();
        let newest = clock.map_or(Tick(0), |clock| Tick(clock.ticks().max(0.0) as u32));
        newest.next().since(self.inputs.next_tick)
    }

    /// Makes the input for the tick from [`Self::next_due_tick`], predicts it and sends it. Spectators pass nothing.
    ///
    /// # Panics
    /// If `payload` is longer than [`MAX_INPUT_BYTES`]. That is a mistake in the game's encoding: the server refuses such an
    /// input, so its prediction would never come true.
    pub fn input(&mut self, payload: &[u8]) {
        assert!(
            payload.len() <= MAX_INPUT_BYTES,
            "an input of {} bytes: the server takes at most {MAX_INPUT_BYTES}",
            payload.len()
        );
        let tick = self.inputs.next_tick;
        self.inputs.next_tick = tick.next();
        self.inputs.newest_seq = self.inputs.newest_seq.wrapping_add(1);
        self.counters.inputs += 1;
        if !self.is_spectator() {
            self.prediction.input(tick, payload);
        }
        let claimed = self.claimed_view_tick();
        self.send(client_message::Body::Inputs(v1::Inputs {
            seq: self.inputs.newest_seq,
            target_tick: tick.0,
            received_tick: self.snapshots.newest_tick.0,
            received_at_us: self.snapshots.newest_at.0 as u32,
            view_tick: claimed.tick().0,
            view_fraction: claimed.fraction(),
            payload: payload.to_vec(),
        }));
    }

    #[cfg(not(feature = "cheats"))]
    fn claimed_view_tick(&self) -> ViewTick {
        self.clocks.view_tick
    }

    /// Sends a chat line to the room.
    pub fn chat(&mut self, text: &str) {
        self.send(client_message::Body::Chat(v1::Chat {
            text: text.to_owned(),
        }));
    }

    /// Sends the game a command, in the game's own encoding: anything that is not the input of a tick.
    ///
    /// Each command arrives once and in order, also over a resume (of the latest [`MAX_KEPT_COMMANDS`]), unless the session ends
    /// first. Commands given without a connection follow when there is one. Those that exceed the server's
    /// `--max-message-bytes` are dropped.
    ///
    /// # Panics
    /// If `payload` is longer than [`MAX_COMMAND_BYTES`].
    pub fn command(&mut self, payload: &[u8]) {
        assert!(
            payload.len() <= MAX_COMMAND_BYTES,
            "a command of {} bytes: the server takes at most {MAX_COMMAND_BYTES}",
            payload.len()
        );
        if let Some(command) = self.commands.add(payload) {
            self.send(client_message::Body::Command(command));
        }
    }

    /// Replaces the ticket for future links: reconnecting after a ticket has expired needs a new one.
    pub fn set_ticket(&mut self, ticket: &str) {
        ticket.clone_into(&mut self.options.ticket);
    }

    /// Leaves the room and ends the session, for good.
    pub fn leave(&mut self) {
        self.say_leave(0);
        self.finish(CloseCode::Normal, "left");
    }

    /// Closes all links: the page goes away, and may come back. The server keeps the session for `grace_ms`. Nothing is opened until
    /// [`Self::come_back`]. A session that has not joined yet ends at the server.
    pub fn go_away(&mut self, grace_ms: u32) {
        if matches!(self.phase, Phase::Closed { .. }) {
            return;
        }
        self.say_leave(grace_ms);
        for link in self.links.all.drain(..) {
            self.actions.push_back(Action::Close(link.id));
        }
        self.links.retry_at = None;
        if self.session.is_some() {
            self.phase = Phase::Reconnecting;
        }
    }

    /// Connects again at once after [`Self::go_away`].
    pub fn come_back(&mut self, now: Micros) {
        let now = self.session_time(now);
        let is_open = !matches!(self.phase, Phase::Closed { .. });
        if is_open && self.links.all.is_empty() {
            self.links.retry_at = Some(now);
        }
    }

    /// Says `Leave` on every link whose `Hello` is sent: the server reads it after the `Hello`, even before it has sent its `Welcome`.
    fn say_leave(&mut self, grace_ms: u32) {
        let is_open = |link: &&Link| link.is_joined() || link.is_joining();
        let links: Vec<_> = (self.links.all.iter().filter(is_open))
            .map(|link| link.id)
            .collect();
        for link in links {
            self.send_on(link, client_message::Body::Leave(v1::Leave { grace_ms }));
        }
    }

    /// Resumes a session of an earlier process or page by its token ([`Self::resume_token`]). Call it before the first [`Self::poll`].
    /// `newest_message`: [`Self::newest_message`] of that client; later messages are sent again.
    pub fn resume_from(&mut self, token: &[u8], newest_message: u32) {
        token.clone_into(&mut self.first_token);
        self.newest_message = newest_message;
    }

    /// Takes the seat that is reserved in the room. Call it before the first [`Self::poll`].
    pub fn set_reservation(&mut self, reservation: &[u8]) {
        reservation.clone_into(&mut self.options.reservation);
    }

    /// Reports that the page is hidden: no inputs are made until [`Self::show`].
    pub fn hide(&mut self) {
        self.is_hidden = true;
    }

    /// Reports that the page is visible again: restarts the clocks, and makes the next input due at once.
    pub fn show(&mut self, now: Micros) {
        let now = self.session_time(now);
        if !std::mem::replace(&mut self.is_hidden, false) {
            return;
        }
        if let Some(session) = &self.session {
            let round_trip = self.clocks.server.min_round_trip().unwrap_or_default();
            let ticks = session.ticks;
            self.restart_clocks(ticks, round_trip, now);
            // One tick earlier, so that it is due already and the very next call tells the server.
            self.inputs.next_tick = Tick(self.inputs.next_tick.0.saturating_sub(1));
        }
        self.probe(now);
    }

    /// Aligns the input clock with the arrival time of a message sent now, and forgets the timing of earlier snapshots.
    fn restart_clocks(&mut self, ticks: TickClock, round_trip: Micros, now: Micros) {
        self.inputs.next_tick = self.clocks.restart(ticks, round_trip, now);
        self.prediction.reset();
    }
}
