//! One session of a client: connect, join, keep in step, come back.
//!
//! In: what happened on the shell's sockets, the time, one input a tick. Out: actions for the shell, messages to send, and
//! everything a screen or a bot wants to know. Here: the session's state, its timers and its inputs. `links` connects and comes
//! back, `received` takes what the server says, `questions` answers the screen.

mod commands;
mod links;
mod questions;
mod received;

use crate::backoff::Backoff;
use crate::link::{Link, LinkId};
use crate::prediction::Prediction;
use crate::screen::Tracks;
use crate::stats::Recent;
use commands::Commands;
pub use commands::{MAX_COMMAND_BYTES, MAX_KEPT_COMMANDS};
use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};
use tickwire_game::Rules;
use tickwire_proto::v1::{self, client_message};
use tickwire_sync::clock::{InputClock, ServerClock, TickClock};
use tickwire_sync::input_buffer::MAX_INPUT_BYTES;
use tickwire_sync::replica::{ReceivedEvent, Replica};
use tickwire_sync::snapshot::HeaderState;
use tickwire_sync::view_clock::ViewClock;
use tickwire_sync::{EntityId, Micros, Tick, ViewTick};

/// Clock questions: quickly at first, then once a second.
const PING_INTERVAL: Micros = Micros::from_millis(1_000);
const FIRST_PINGS: u32 = 5;
const FIRST_PING_INTERVAL: Micros = Micros::from_millis(150);
/// A question goes along with the next input, but waits no longer than this for one. A server that reads once a tick knows of what it reads
/// together only when the newest came: a question that came before an input would seem to have come with it, up to a tick later.
const PING_PATIENCE: Micros = Micros::from_millis(100);
/// How long a shell may sleep at most.
const POLL_INTERVAL: Micros = Micros::from_millis(100);
/// Inputs that are made at once after a hitch; older ones would be late anyway.
const MAX_BURST: u32 = 8;

/// How a session is to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// Room name; empty: the URL's, or the server's default.
    pub room: String,
    /// Display name; empty: the server makes one.
    pub name: String,
    /// Signed ticket, where the server demands one.
    pub ticket: String,
    /// How blocks shall be encoded; by default packed, which is smaller.
    pub encoding: v1::Encoding,
    /// Watch without playing.
    pub is_spectator: bool,
    /// Seed of the reconnection jitter. By default a random one: clients of the same seed would all come back at once. Simulators set it.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            room: String::new(),
            name: String::new(),
            ticket: String::new(),
            encoding: v1::Encoding::Packed,
            is_spectator: false,
            seed: random_seed(),
        }
    }
}

/// std has no generator, but keys its hashers at random.
fn random_seed() -> u64 {
    RandomState::new().hash_one(())
}

/// Where a session stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Not yet in the room.
    Connecting,
    /// In the room, and the link is alive.
    Playing,
    /// Was in the room, and tries to come back.
    Reconnecting,
    /// Over.
    Closed {
        /// WebSocket close code, 1000 if the player left.
        code: u16,
        /// For people.
        reason: String,
    },
}

/// What the shell has to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Open a WebSocket with subprotocol `tickwire.v1`, and report [`Client::opened`] or [`Client::closed`].
    Open(LinkId),
    /// Send a binary message.
    Send(LinkId, Vec<u8>),
    /// Close the socket with code 1000 and forget it; nothing more of it need be reported.
    Close(LinkId),
}

/// Something that came and is not part of the world.
#[derive(Clone, PartialEq, Debug)]
pub enum Incoming {
    /// An event of the world; each comes once.
    Event(ReceivedEvent),
    /// A line of chat.
    Chat {
        /// The player's session; 0: the server.
        from: u32,
        /// The player's name.
        name: String,
        /// The line.
        text: String,
    },
    /// A message of the game.
    Game(Vec<u8>),
    /// A word from the operator.
    Notice(String),
    /// The session (again) has a place in the room.
    Joined {
        /// Whether it is the same session as before.
        resumed: bool,
    },
}

/// What a session has seen so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Snapshots applied.
    pub snapshots: u64,
    /// Bytes of all messages received.
    pub bytes_in: u64,
    /// Bytes of all messages sent.
    pub bytes_out: u64,
    /// View hashes compared.
    pub view_checks: u64,
    /// View hashes that did not agree. Must never happen.
    pub view_mismatches: u64,
    /// Messages that could not be read or applied.
    pub protocol_errors: u64,
    /// How often it came in again, after its link was lost.
    pub reconnects: u64,
    /// Returns as the same session.
    pub resumes: u64,
    /// Inputs made.
    pub inputs: u64,
    /// Inputs that the server had to do without, as it says.
    pub starved_inputs: u64,
    /// Notices received.
    pub notices: u64,
    /// Rows that snapshots entered or changed.
    pub row_updates: u64,
    /// Answers to clock questions.
    pub pongs: u64,
}

/// What `Welcome` said.
#[derive(Clone, Debug)]
struct Place {
    session: u32,
    resume_token: Vec<u8>,
    name: String,
    room: String,
    game: String,
    map: Vec<u8>,
    entity: Option<EntityId>,
    ticks: TickClock,
    is_spectator: bool,
    encoding: v1::Encoding,
}

/// Finds the movement rules of a room, as `tickwire_game::rules_for` does. See [`Client::with_rules`].
type RulesFor = dyn Fn(&str, &[u8], u64) -> Option<Box<dyn Rules>> + Send + Sync;

/// One session. See the module's head.
pub struct Client {
    options: Options,
    rules_for: Box<RulesFor>,
    phase: Phase,
    links: Vec<Link>,
    next_link: u32,
    backoff: Backoff,
    /// Attempts in a row that nothing answered.
    unanswered: u32,
    /// Links in a row that were open, and were given up before they showed anything.
    slow_starts: u32,
    /// When to open the next link, if none is open.
    retry_at: Option<Micros>,
    /// When the network changed, as far as the device says: what was not heard of since may be dead.
    doubted_at: Option<Micros>,
    /// See [`Self::trouble`].
    trouble: String,
    actions: VecDeque<Action>,
    incoming: VecDeque<Incoming>,
    place: Option<Place>,
    replica: Option<Replica>,
    headers: HeaderState,
    tracks: Tracks,
    prediction: Prediction,
    server_clock: ServerClock,
    input_clock: Option<InputClock>,
    view_clock: ViewClock,
    next_input: Tick,
    seq: u32,
    view: ViewTick,
    forged_view: u64,
    newest_snapshot: (Tick, Micros),
    is_hidden: bool,
    pings_sent: u32,
    next_ping: Micros,
    counters: Counters,
    /// `starved_inputs` of the current session as the server last said.
    starved: u32,
    rtt_ms: Recent,
    age_ms: Recent,
    gap_ms: Recent,
    margin_ticks: Recent,
    newest_message: u32,
    commands: Commands,
    applied_seq: u32,
}

impl Client {
    /// A session that has not begun; [`Self::poll`] starts it. It predicts the shipped games.
    #[must_use]
    pub fn new(options: Options, now: Micros) -> Self {
        Self {
            backoff: Backoff::new(options.seed),
            options,
            rules_for: Box::new(tickwire_game::rules_for),
            phase: Phase::Connecting,
            links: Vec::new(),
            next_link: 0,
            unanswered: 0,
            slow_starts: 0,
            retry_at: Some(now),
            doubted_at: None,
            trouble: String::new(),
            actions: VecDeque::new(),
            incoming: VecDeque::new(),
            place: None,
            replica: None,
            headers: HeaderState::default(),
            tracks: Tracks::default(),
            prediction: Prediction::new(None),
            server_clock: ServerClock::default(),
            input_clock: None,
            view_clock: ViewClock::new(60),
            next_input: Tick(0),
            seq: 0,
            view: ViewTick::default(),
            forged_view: 0,
            newest_snapshot: (Tick(0), Micros(0)),
            is_hidden: false,
            pings_sent: 0,
            next_ping: now,
            counters: Counters::default(),
            starved: 0,
            rtt_ms: Recent::new(64),
            age_ms: Recent::new(512),
            gap_ms: Recent::new(512),
            margin_ticks: Recent::new(512),
            newest_message: 0,
            commands: Commands::default(),
            applied_seq: 0,
        }
    }

    /// Predicts by other rules than the shipped games': for a game of one's own.
    ///
    /// With each `Welcome`, `rules_for` is given what it says of the room: the game's name, its map, and the hash of the server's
    /// rules ([`tickwire_game::Game::rules_hash`]). `None` plays without prediction. That must be the answer where the hash is
    /// not that of the rules at hand: other rules than the server's correct themselves with every snapshot.
    #[must_use]
    pub fn with_rules(
        mut self,
        rules_for: impl Fn(&str, &[u8], u64) -> Option<Box<dyn Rules>> + Send + Sync + 'static,
    ) -> Self {
        self.rules_for = Box::new(rules_for);
        self
    }

    /// Does what is due at `now`: connect, ask for the clock, give up a dead link. Call it at least every 100 ms; then carry out [`Self::next_action`].
    pub fn poll(&mut self, now: Micros) {
        if matches!(self.phase, Phase::Closed { .. }) {
            return;
        }
        self.give_up_dead_links(now);
        if self.retry_at.is_some_and(|at| at <= now) {
            self.open(now);
        }
        if self.next_ping.plus(PING_PATIENCE) <= now {
            self.ping(now);
        }
    }

    /// Asks for the clock, if that is due.
    fn ping(&mut self, now: Micros) {
        if self.joined_link().is_none() || now < self.next_ping || self.is_hidden {
            return;
        }
        self.pings_sent += 1;
        let pause = if self.pings_sent < FIRST_PINGS {
            FIRST_PING_INTERVAL
        } else {
            PING_INTERVAL
        };
        self.next_ping = now.plus(pause);
        self.send(client_message::Body::Ping(v1::Ping { stamp: now.0 }));
    }

    /// When to call [`Self::poll`] and [`Self::due`] again, if nothing comes before.
    #[must_use]
    pub fn wake_at(&self, now: Micros) -> Micros {
        let soon = now.plus(POLL_INTERVAL);
        let ping = self.next_ping.plus(PING_PATIENCE);
        let timers = [self.retry_at, self.joined_link().map(|_| ping)];
        let input = self
            .input_clock
            .as_ref()
            .filter(|_| !self.is_hidden && self.joined_link().is_some());
        let input = input.map(|clock| clock.when_due(self.next_input));
        timers
            .into_iter()
            .flatten()
            .chain(input)
            .fold(soon, Micros::min)
            .max(now)
    }

    /// What the shell has to do next.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// What came besides the world, oldest first.
    pub fn next_incoming(&mut self) -> Option<Incoming> {
        self.incoming.pop_front()
    }

    /// The next tick for which an input is due at `now`: answer with [`Self::input`], and ask again until there is none.
    ///
    /// Moves the shown moment on, so that the input can be made from what the screen shows.
    pub fn due(&mut self, now: Micros) -> Option<Tick> {
        if self.is_hidden || self.joined_link().is_none() {
            return None;
        }
        if let Some(view) = self.view_clock.advance(now) {
            self.view = view;
        }
        let newest = self.input_clock.as_mut()?.advance(now);
        if newest < self.next_input {
            // The clock never goes back by more than a jump; then the ticks that were made already are not made again.
            return None;
        }
        if newest.since(self.next_input) >= MAX_BURST {
            self.next_input = Tick(newest.0 - MAX_BURST + 1);
        }
        self.ping(now);
        Some(self.next_input)
    }

    /// Whether the tick that [`Self::due`] named is the newest that is due. Older ones have been held up, and their inputs may come too late.
    #[must_use]
    pub fn is_newest_due(&self) -> bool {
        let clock = self.input_clock.as_ref();
        clock.is_some_and(|clock| clock.ticks() < f64::from(self.next_input.next().0))
    }

    /// Makes the input for the tick that [`Self::due`] named, predicts it and sends it. Spectators pass nothing.
    ///
    /// # Panics
    /// If `payload` is longer than [`MAX_INPUT_BYTES`]. That is a mistake of the game's encoding: the server takes no such input,
    /// so what is predicted of it would never come true.
    pub fn input(&mut self, payload: &[u8]) {
        assert!(
            payload.len() <= MAX_INPUT_BYTES,
            "an input of {} bytes: the server takes at most {MAX_INPUT_BYTES}",
            payload.len()
        );
        let tick = self.next_input;
        self.next_input = tick.next();
        self.seq = self.seq.wrapping_add(1);
        self.counters.inputs += 1;
        if !self.is_spectator() {
            self.prediction.input(tick, payload);
        }
        let (received, at) = self.newest_snapshot;
        let claimed = ViewTick(self.view.0.saturating_sub(self.forged_view));
        self.send(client_message::Body::Inputs(v1::Inputs {
            seq: self.seq,
            target_tick: tick.0,
            received_tick: received.0,
            received_at_us: at.0 as u32,
            view_tick: claimed.tick().0,
            view_fraction: claimed.fraction(),
            payload: payload.to_vec(),
        }));
    }

    /// Cheats: claims in every input a screen older than the true one by this many ticks. To measure what that gains.
    pub fn forge_view(&mut self, ticks: f64) {
        self.forged_view = ViewTick::from_ticks(ticks).0;
    }

    /// Says a line to the room.
    pub fn chat(&mut self, text: &str) {
        self.send(client_message::Body::Chat(v1::Chat {
            text: text.to_owned(),
        }));
    }

    /// Tells the game something that is no input of a tick, in its own encoding. What is said while there is no connection follows when there
    /// is one; each arrives once and in order, also over a resume (of the latest [`MAX_KEPT_COMMANDS`]), unless the session is over first. A server with a
    /// lower `--max-message-bytes` gets only what fits into it.
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

    /// Another ticket, for the links to come: where one has run out, the way back needs a new one.
    pub fn set_ticket(&mut self, ticket: &str) {
        ticket.clone_into(&mut self.options.ticket);
    }

    /// Leaves for good.
    pub fn leave(&mut self) {
        self.send(client_message::Body::Leave(v1::Leave {}));
        self.finish(1000, "left");
    }

    /// The page cannot be seen: no inputs are made until [`Self::show`].
    pub fn hide(&mut self) {
        self.is_hidden = true;
    }

    /// The page can be seen again: clocks are set anew, and the next input goes out at once.
    pub fn show(&mut self, now: Micros) {
        if !std::mem::replace(&mut self.is_hidden, false) {
            return;
        }
        if let Some(place) = &self.place {
            let round_trip = self.server_clock.least_round_trip().unwrap_or_default();
            let ticks = place.ticks;
            self.start_clocks(ticks, round_trip, now);
            // Due already, so that the server hears of it with the very next call.
            self.next_input = Tick(self.next_input.0.saturating_sub(1));
        }
        self.hurry(now);
    }
}
