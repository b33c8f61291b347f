//! One session of a client: connect, join, keep in step, come back.
//!
//! In: what happened on the shell's sockets, the time, one input a tick. Out: actions for the shell, messages to send, and
//! everything a screen or a bot wants to know. The functions stand in the order of a session: connect, hello, welcome,
//! snapshots, inputs, loss and return.

use crate::backoff::Backoff;
use crate::link::{Link, LinkId, LinkState};
use crate::prediction::{Own, Prediction, PredictionStats};
use crate::screen::{Shown, Tracks};
use crate::stats::Recent;
use prost::Message;
use std::collections::VecDeque;
use std::sync::Arc;
use tickwire_proto::v1::{self, client_message, server_message};
use tickwire_sync::clock::{InputClock, ServerClock, TickClock, ViewClock};
use tickwire_sync::packed::Tables;
use tickwire_sync::replica::{Applied, ReceivedEvent, Replica};
use tickwire_sync::snapshot::HeaderState;
use tickwire_sync::{EntityId, KindId, Micros, Schema, Tick, ViewTick};

/// A link that says nothing for this long is dead: a page cannot see WebSocket pings, so the server beats once a second.
const SILENCE: Micros = Micros::from_millis(3_000);
/// How long a connection attempt may take before another one is made.
const ATTEMPT: Micros = Micros::from_millis(8_000);
/// The same for the way back over a network that answers nothing: the system asks again after 1, 3 and 7 s, so whoever waits
/// for it may miss the network's return by seconds. At least this, and so many round trips; so many times, then in peace.
const QUICK_ATTEMPT: Micros = Micros::from_millis(1_000);
const QUICK_ROUND_TRIPS: u64 = 8;
const QUICK_ATTEMPTS: u32 = 10;
/// Clock questions: quickly at first, then once a second.
const PING_INTERVAL: Micros = Micros::from_millis(1_000);
const FIRST_PINGS: u32 = 5;
const FIRST_PING_INTERVAL: Micros = Micros::from_millis(150);
/// How long a shell may sleep at most.
const POLL_INTERVAL: Micros = Micros::from_millis(100);
/// Close code: the session goes on over a newer connection.
const RESUMED_ELSEWHERE: u16 = 4005;
/// Inputs that are made at once after a hitch; older ones would be late anyway.
const MAX_BURST: u32 = 8;

/// How a session is to be.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// Room name; empty: the URL's, or the server's default.
    pub room: String,
    /// Display name; empty: the server makes one.
    pub name: String,
    /// Signed ticket, where the server demands one.
    pub ticket: String,
    /// How blocks shall be encoded.
    pub encoding: v1::Encoding,
    /// Watch without playing.
    pub is_spectator: bool,
    /// Seed of the reconnection jitter.
    pub seed: u64,
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
    /// Links lost after having been in the room.
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

/// One session. See the module's head.
pub struct Client {
    options: Options,
    phase: Phase,
    links: Vec<Link>,
    next_link: u32,
    backoff: Backoff,
    /// Attempts in a row that nothing answered.
    unanswered: u32,
    /// When to open the next link, if none is open.
    retry_at: Option<Micros>,
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
    applied_seq: u32,
}

impl Client {
    /// A session that has not begun; [`Self::poll`] starts it.
    #[must_use]
    pub fn new(options: Options, now: Micros) -> Self {
        Self {
            backoff: Backoff::new(options.seed),
            options,
            phase: Phase::Connecting,
            links: Vec::new(),
            next_link: 0,
            unanswered: 0,
            retry_at: Some(now),
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
            applied_seq: 0,
        }
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
        if self.joined_link().is_some() && self.next_ping <= now && !self.is_hidden {
            self.pings_sent += 1;
            let pause = if self.pings_sent < FIRST_PINGS {
                FIRST_PING_INTERVAL
            } else {
                PING_INTERVAL
            };
            self.next_ping = now.plus(pause);
            self.send(client_message::Body::Ping(v1::Ping { stamp: now.0 }));
        }
    }

    /// When to call [`Self::poll`] and [`Self::due`] again, if nothing comes before.
    #[must_use]
    pub fn wake_at(&self, now: Micros) -> Micros {
        let soon = now.plus(POLL_INTERVAL);
        let timers = [self.retry_at, self.joined_link().map(|_| self.next_ping)];
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

    fn open(&mut self, now: Micros) {
        self.retry_at = None;
        self.next_link += 1;
        let id = LinkId(self.next_link);
        self.links.push(Link {
            id,
            state: LinkState::Opening,
            heard: now,
        });
        self.actions.push_back(Action::Open(id));
    }

    /// A socket is open.
    pub fn opened(&mut self, id: LinkId, now: Micros) {
        let Some(link) = self.links.iter_mut().find(|link| link.id == id) else {
            return;
        };
        self.unanswered = 0;
        link.state = LinkState::Greeting { since: now };
        link.heard = now;
        let hello = v1::Hello {
            version: tickwire_proto::VERSION,
            room: self.options.room.clone(),
            name: self.options.name.clone(),
            resume_token: self
                .place
                .as_ref()
                .map(|place| place.resume_token.clone())
                .unwrap_or_default(),
            ticket: self.options.ticket.clone(),
            encoding: self.options.encoding.into(),
            spectate: self.options.is_spectator,
            last_message: self.newest_message,
        };
        self.send_on(id, client_message::Body::Hello(hello));
    }

    /// A message came on a socket.
    pub fn received(&mut self, id: LinkId, message: &[u8], now: Micros) {
        let Some(link) = self.links.iter_mut().find(|link| link.id == id) else {
            return;
        };
        link.heard = now;
        self.counters.bytes_in += message.len() as u64;
        let Ok(v1::ServerMessage { body: Some(body) }) = v1::ServerMessage::decode(message) else {
            self.counters.protocol_errors += 1;
            return;
        };
        let is_joined = link.state == LinkState::Joined;
        match body {
            server_message::Body::Welcome(welcome) => self.welcome(id, welcome, now),
            server_message::Body::Snapshot(snapshot) if is_joined => self.snapshot(snapshot, now),
            server_message::Body::Tables(tables) if is_joined => self.tables(&tables),
            server_message::Body::Pong(pong) if is_joined => {
                let asked = Micros(pong.stamp);
                self.counters.pongs += 1;
                self.server_clock.sample(asked, now, pong.clock_us);
                self.rtt_ms.push(now.since(asked).as_millis());
            }
            server_message::Body::Message(message) if is_joined => self.message(message),
            server_message::Body::Notice(notice) => {
                self.counters.notices += 1;
                self.incoming.push_back(Incoming::Notice(notice.text));
            }
            server_message::Body::Goodbye(goodbye) => {
                // The close that follows finds the pause already set.
                self.retry_at = Some(
                    now.plus(Micros::from_millis(u64::from(goodbye.reconnect_after_ms)))
                        .plus(self.backoff.pause()),
                );
            }
            // A beat is a sign of life and nothing more; world and messages of a link that is not in use do not count.
            _ => {}
        }
    }

    fn welcome(&mut self, id: LinkId, welcome: v1::Welcome, now: Micros) {
        let greeted = self
            .links
            .iter()
            .find(|link| link.id == id)
            .map(|link| link.state);
        let Some(LinkState::Greeting { since }) = greeted else {
            return;
        };
        let schema = welcome.schema.as_ref().map(Schema::from_proto);
        let Some(Ok(schema)) = schema else {
            self.counters.protocol_errors += 1;
            self.finish(4002, "the server's schema cannot be used by this client");
            return;
        };
        // This link speaks; whatever there was before is not needed any more.
        for link in self.links.extract_if(.., |link| link.id != id) {
            // It had fallen silent, and is lost only now.
            self.counters.reconnects += u64::from(link.state == LinkState::Joined);
            self.actions.push_back(Action::Close(link.id));
        }
        for link in &mut self.links {
            link.state = LinkState::Joined;
        }
        self.retry_at = None;
        self.backoff.reset();
        if welcome.resumed {
            self.counters.resumes += 1;
        } else {
            self.seq = 0;
            self.starved = 0;
            self.newest_message = 0;
        }
        self.seq = self.seq.max(welcome.last_seq);
        let ticks = TickClock {
            tick_zero_us: welcome.tick_zero_us,
            tick_rate: welcome.tick_rate,
        };
        self.server_clock.reset();
        self.server_clock.sample(since, now, welcome.clock_us);
        let round_trip = now.since(since);
        self.start_clocks(ticks, round_trip, now);
        let rules = tickwire_game::rules_for(&welcome.game, &welcome.map, welcome.rules_hash);
        self.prediction.set_rules(rules, welcome.tick_rate);
        self.replica = Some(Replica::new(Arc::new(schema)));
        self.tracks.clear();
        self.newest_snapshot = (Tick(0), now);
        self.pings_sent = 0;
        self.next_ping = now;
        if let Some(tables) = &welcome.tables {
            self.tables(tables);
        }
        let encoding = welcome.encoding();
        self.place = Some(Place {
            encoding,
            session: welcome.session,
            resume_token: welcome.resume_token,
            name: welcome.name,
            room: welcome.room,
            game: welcome.game,
            map: welcome.map,
            entity: welcome.entity.and_then(entity_from_proto),
            ticks,
            is_spectator: welcome.spectator,
        });
        self.phase = Phase::Playing;
        self.incoming.push_back(Incoming::Joined {
            resumed: welcome.resumed,
        });
    }

    /// Sets the input clock to when a message sent now arrives, and forgets how snapshots used to arrive.
    fn start_clocks(&mut self, ticks: TickClock, round_trip: Micros, now: Micros) {
        let server_us = self.server_clock.server_us(now).unwrap_or_default();
        let arrival = ticks.ticks_at(server_us + round_trip.0 as f64 / 2.0);
        let clock = InputClock::new(ticks.tick_rate, now, arrival);
        self.next_input = Tick(clock.ticks().max(0.0) as u32).next();
        self.input_clock = Some(clock);
        self.view_clock = ViewClock::new(ticks.tick_rate);
        self.prediction.reset();
    }

    fn tables(&mut self, tables: &v1::Tables) {
        let Some(replica) = &mut self.replica else {
            return;
        };
        match Tables::from_proto(tables, replica.schema()) {
            Ok(tables) => replica.set_tables(tables),
            Err(_) => self.counters.protocol_errors += 1,
        }
    }

    fn snapshot(&mut self, mut snapshot: v1::Snapshot, now: Micros) {
        if self
            .place
            .as_ref()
            .is_some_and(|place| place.encoding == v1::Encoding::Packed)
        {
            self.headers.fill_in(&mut snapshot);
        }
        let snapshot = &snapshot;
        let (Some(replica), Some(place)) = (&mut self.replica, &self.place) else {
            return;
        };
        let tick = Tick(snapshot.tick);
        let updates_before = replica.row_updates();
        let applied = replica.apply(snapshot, &mut self.tracks);
        self.counters.row_updates += replica.row_updates() - updates_before;
        match applied {
            Ok(Applied::Waiting) => return,
            Ok(Applied::Yes { view_hash_agreed }) => {
                self.counters.view_checks += u64::from(view_hash_agreed.is_some());
                if view_hash_agreed == Some(false) {
                    self.counters.view_mismatches += 1;
                    self.resync(tick, true);
                    return;
                }
            }
            Err(_) => {
                self.counters.protocol_errors += 1;
                self.resync(tick, false);
                return;
            }
        }
        self.tracks.applied(tick);
        self.counters.snapshots += 1;
        let (previous_tick, previous_at) = self.newest_snapshot;
        if previous_tick != Tick(0) {
            self.gap_ms.push(now.since(previous_at).as_millis());
        }
        self.newest_snapshot = (tick, now);
        self.view_clock.arrived(tick, now);
        if let Some(server_us) = self.server_clock.server_us(now) {
            self.age_ms
                .push((server_us - place.ticks.due_us(tick)) / 1e3);
        }
        if let Some((margin, clock)) = snapshot.input_margin.zip(self.input_clock.as_mut()) {
            let margin = f64::from(margin) / 16.0;
            self.margin_ticks.push(margin);
            clock.margin(tick, margin);
        }
        self.counters.starved_inputs +=
            u64::from(snapshot.starved_inputs.saturating_sub(self.starved));
        self.starved = snapshot.starved_inputs;
        self.applied_seq = snapshot.applied_seq;
        self.confirm_own(snapshot, tick, now);
        if let Some(replica) = &mut self.replica {
            self.incoming
                .extend(replica.take_events().into_iter().map(Incoming::Event));
        }
    }

    /// Holds the prediction against what the snapshot says of the predicted entity.
    fn confirm_own(&mut self, snapshot: &v1::Snapshot, tick: Tick, now: Micros) {
        let Some(replica) = &self.replica else { return };
        let schema = Arc::clone(replica.schema());
        let predicted = snapshot.own.iter().find_map(|own| {
            let id = entity_from_proto(v1::EntityId {
                kind: own.kind,
                slot: own.slot,
                generation: own.generation,
            })?;
            let kind = schema.kind(id.kind)?;
            (kind.predicted && kind.private_lanes.len() == own.lanes.len()).then_some((id, own))
        });
        let Some((id, own)) = predicted else {
            self.prediction.nothing_owned();
            return;
        };
        // On a thin link the own cell can be held back; then there is nothing to compare yet.
        let found = replica
            .find_with_tick(id.key())
            .filter(|(row, at)| row.id == id && *at == tick);
        if let Some((row, _)) = found {
            let confirmed = Own {
                id,
                tick,
                lanes: row.lanes.clone(),
                private_lanes: own.lanes.clone(),
            };
            self.prediction.confirm(&schema, confirmed, now);
        }
    }

    fn resync(&mut self, tick: Tick, view_mismatch: bool) {
        if let Some(replica) = &mut self.replica {
            replica.wait_for_start();
        }
        self.send(client_message::Body::Resync(v1::Resync {
            view_mismatch,
            tick: tick.0,
        }));
    }

    fn message(&mut self, message: v1::Message) {
        // A resume may bring again what was already there.
        if message.number <= self.newest_message {
            return;
        }
        self.newest_message = message.number;
        match message.content {
            Some(v1::message::Content::Chat(text)) => {
                self.incoming.push_back(Incoming::Chat {
                    from: message.from_session,
                    name: message.from_name,
                    text,
                });
            }
            Some(v1::message::Content::Game(payload)) => {
                self.incoming.push_back(Incoming::Game(payload));
            }
            None => {}
        }
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
        Some(self.next_input)
    }

    /// Makes the input for the tick that [`Self::due`] named, predicts it and sends it. Spectators pass nothing.
    pub fn input(&mut self, payload: &[u8]) {
        let tick = self.next_input;
        self.next_input = tick.next();
        self.seq = self.seq.wrapping_add(1);
        self.counters.inputs += 1;
        if !payload.is_empty() {
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
        self.next_ping = now;
        self.hurry(now);
    }

    /// The device says that it is online (again), or there is another reason to try at once.
    pub fn hurry(&mut self, now: Micros) {
        if self.retry_at.is_some() {
            self.retry_at = Some(now);
        }
    }

    /// A socket is closed, or could not be opened. `code` is the close code, if there was a closing handshake.
    pub fn closed(&mut self, id: LinkId, code: Option<u16>, reason: &str, now: Micros) {
        let Some(position) = self.links.iter().position(|link| link.id == id) else {
            return;
        };
        let link = self.links.remove(position);
        if matches!(self.phase, Phase::Closed { .. }) {
            return;
        }
        // The server tells the old link of the resume, and the new one gets its Welcome: in any order, as they are two sockets.
        if code == Some(RESUMED_ELSEWHERE) && self.links.iter().any(is_greeting) {
            self.lost(link, now);
            return;
        }
        if let Some(code @ (1000 | 1002 | 1003 | 1008 | 4000 | 4001 | 4002 | RESUMED_ELSEWHERE)) =
            code
        {
            self.finish(code, reason);
            return;
        }
        self.lost(link, now);
    }

    fn lost(&mut self, link: Link, now: Micros) {
        if link.state == LinkState::Joined {
            self.counters.reconnects += 1;
            self.phase = Phase::Reconnecting;
        }
        if self.links.is_empty() && self.retry_at.is_none() {
            self.retry_at = Some(now.plus(self.backoff.pause()));
        }
    }

    fn give_up_dead_links(&mut self, now: Micros) {
        let is_silent = |link: &Link| now.since(link.heard) > SILENCE;
        if self
            .links
            .iter()
            .any(|link| link.state == LinkState::Joined && is_silent(link))
            && self.links.len() == 1
            && self.retry_at.is_none()
        {
            // Another link is opened beside the silent one, which is kept in case it speaks first.
            self.phase = Phase::Reconnecting;
            self.retry_at = Some(now.plus(self.backoff.pause()));
        }
        // A silent link that speaks again makes the other one needless; but not once that has said Hello, as the server then
        // moves the session to it, whatever becomes of it here.
        let is_moving = self.links.iter().any(is_greeting);
        let alive = self
            .links
            .iter()
            .find(|link| link.state == LinkState::Joined && !is_silent(link))
            .map(|link| link.id);
        if let Some(alive) = alive.filter(|_| self.phase == Phase::Reconnecting && !is_moving) {
            self.phase = Phase::Playing;
            self.retry_at = None;
            for link in self.links.extract_if(.., |link| link.id != alive) {
                self.actions.push_back(Action::Close(link.id));
            }
        }
        let patience = self.patience();
        let is_hopeless = |link: &mut Link| match link.state {
            LinkState::Joined => false,
            LinkState::Opening => now.since(link.heard) > patience,
            LinkState::Greeting { .. } => now.since(link.heard) > ATTEMPT,
        };
        let hopeless: Vec<Link> = self.links.extract_if(.., is_hopeless).collect();
        for link in hopeless {
            self.actions.push_back(Action::Close(link.id));
            if self.retry_at.is_none() {
                // A server that cannot be reached is not spared by waiting.
                let pause = if patience < ATTEMPT {
                    Micros(0)
                } else {
                    self.backoff.pause()
                };
                self.retry_at = Some(now.plus(pause));
            }
            self.unanswered += 1;
        }
    }

    /// How long an attempt may go unanswered.
    fn patience(&self) -> Micros {
        if self.place.is_none() || self.unanswered >= QUICK_ATTEMPTS {
            return ATTEMPT;
        }
        let round_trip = self.server_clock.least_round_trip().unwrap_or_default();
        Micros(round_trip.0 * QUICK_ROUND_TRIPS).clamp(QUICK_ATTEMPT, ATTEMPT)
    }

    fn finish(&mut self, code: u16, reason: &str) {
        for link in self.links.drain(..) {
            self.actions.push_back(Action::Close(link.id));
        }
        self.retry_at = None;
        self.phase = Phase::Closed {
            code,
            reason: reason.to_owned(),
        };
    }

    fn send(&mut self, body: client_message::Body) {
        if let Some(link) = self.joined_link() {
            self.send_on(link, body);
        }
    }

    fn send_on(&mut self, link: LinkId, body: client_message::Body) {
        let message = v1::ClientMessage { body: Some(body) }.encode_to_vec();
        self.counters.bytes_out += message.len() as u64;
        self.actions.push_back(Action::Send(link, message));
    }

    fn joined_link(&self) -> Option<LinkId> {
        self.links
            .iter()
            .find(|link| link.state == LinkState::Joined)
            .map(|link| link.id)
    }
}

/// What a screen, a bot or a report asks.
impl Client {
    /// Where the session stands.
    #[must_use]
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// The session's number in the room; 0 before the first `Welcome`.
    #[must_use]
    pub fn session(&self) -> u32 {
        self.place.as_ref().map_or(0, |place| place.session)
    }

    /// The entity that stands for the player.
    #[must_use]
    pub fn entity(&self) -> Option<EntityId> {
        self.place.as_ref().and_then(|place| place.entity)
    }

    /// The player's name as the server has it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.place
            .as_ref()
            .map_or(&self.options.name, |place| &place.name)
    }

    /// The room's name; empty before the first `Welcome`.
    #[must_use]
    pub fn room(&self) -> &str {
        self.place.as_ref().map_or("", |place| &place.room)
    }

    /// The game's name; empty before the first `Welcome`.
    #[must_use]
    pub fn game(&self) -> &str {
        self.place.as_ref().map_or("", |place| &place.game)
    }

    /// The game's map; empty before the first `Welcome`.
    #[must_use]
    pub fn map(&self) -> &[u8] {
        self.place.as_ref().map_or(&[], |place| &place.map)
    }

    /// Whether the server lets this session only watch.
    #[must_use]
    pub fn is_spectator(&self) -> bool {
        self.place
            .as_ref()
            .map_or(self.options.is_spectator, |place| place.is_spectator)
    }

    /// The replica, once there was a `Welcome`.
    #[must_use]
    pub fn replica(&self) -> Option<&Replica> {
        self.replica.as_ref()
    }

    /// The tick of the newest snapshot, and when it came.
    #[must_use]
    pub fn newest_snapshot(&self) -> (Tick, Micros) {
        self.newest_snapshot
    }

    /// Moves the shown moment on to `now` and returns it: what a frame of a screen is drawn from.
    pub fn look(&mut self, now: Micros) -> ViewTick {
        if let Some(view) = self.view_clock.advance(now) {
            self.view = view;
        }
        self.view
    }

    /// The moment that was shown when [`Self::due`] or [`Self::look`] was called last.
    #[must_use]
    pub fn view(&self) -> ViewTick {
        self.view
    }

    /// Calls `show` for every entity (of one kind, if one is named) that the screen shows, in the past and blended; the own one too.
    pub fn for_each_shown(&self, kind: Option<KindId>, show: impl FnMut(Shown<'_>)) {
        if let Some(replica) = &self.replica {
            self.tracks.for_each_shown(replica, self.view, kind, show);
        }
    }

    /// The predicted state of the own entity at the newest input's tick; as the snapshot says where there is no prediction.
    #[must_use]
    pub fn own(&self) -> Option<&Own> {
        self.prediction.newest()
    }

    /// The own entity as the screen shows it at `now`: its lanes between the two newest predicted ticks, with what is left of corrections.
    #[must_use]
    pub fn own_on_screen(&self, now: Micros) -> Option<(EntityId, Vec<i32>)> {
        let newest = self.prediction.newest()?;
        let kind = self.replica.as_ref()?.schema().kind(newest.id.kind)?;
        let mut lanes = newest.lanes.clone();
        let before = newest
            .tick
            .before(1)
            .and_then(|tick| self.prediction.at(tick));
        if let (Some(before), Some(clock)) = (before, &self.input_clock) {
            let part = ((clock.ticks() - f64::from(newest.tick.0)).clamp(0.0, 1.0) * 256.0) as u64;
            for (index, lane) in kind.lanes.iter().enumerate() {
                lanes[index] = lane.blend(before.lanes[index], newest.lanes[index], part, 256);
            }
        }
        if kind.placed {
            let offset = self.prediction.offset(now);
            lanes[0] = lanes[0].wrapping_add(offset[0].round() as i32);
            lanes[1] = lanes[1].wrapping_add(offset[1].round() as i32);
        }
        Some((newest.id, lanes))
    }

    /// Whether this build's rules are the server's, so that the own entity is predicted. `false` before the first `Welcome`.
    #[must_use]
    pub fn is_predicting(&self) -> bool {
        self.prediction.has_rules()
    }

    /// The number of the newest input made.
    #[must_use]
    pub fn seq(&self) -> u32 {
        self.seq
    }

    /// The number of the newest input that the game was given, as the newest snapshot says.
    #[must_use]
    pub fn applied_seq(&self) -> u32 {
        self.applied_seq
    }

    /// What the session has seen so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// How well prediction does.
    #[must_use]
    pub fn prediction_stats(&self) -> PredictionStats {
        self.prediction.stats()
    }

    /// The server's tick axis at `now`, as far as the clock is known.
    #[must_use]
    pub fn server_ticks(&self, now: Micros) -> Option<f64> {
        let place = self.place.as_ref()?;
        Some(place.ticks.ticks_at(self.server_clock.server_us(now)?))
    }

    /// The latest round trips of clock questions, in milliseconds.
    #[must_use]
    pub fn rtt_ms(&self) -> &Recent {
        &self.rtt_ms
    }

    /// The latest snapshots' ages on arrival (arrival minus the tick's due time, on the server's clock), in milliseconds.
    #[must_use]
    pub fn age_ms(&self) -> &Recent {
        &self.age_ms
    }

    /// The latest gaps between snapshots, in milliseconds.
    #[must_use]
    pub fn gap_ms(&self) -> &Recent {
        &self.gap_ms
    }

    /// The latest input margins, in ticks.
    #[must_use]
    pub fn margin_ticks(&self) -> &Recent {
        &self.margin_ticks
    }

    /// How far the shown moment is behind the quickest arrival, in milliseconds.
    #[must_use]
    pub fn interpolation_delay_ms(&self) -> Option<f64> {
        self.view_clock.delay_ms()
    }

    /// The 99th percentile of the arrivals' jitter, in milliseconds.
    #[must_use]
    pub fn jitter_ms(&self) -> f64 {
        self.view_clock.jitter_ms()
    }
}

fn is_greeting(link: &Link) -> bool {
    matches!(link.state, LinkState::Greeting { .. })
}

fn entity_from_proto(id: v1::EntityId) -> Option<EntityId> {
    let kind = KindId(u8::try_from(id.kind).ok()?);
    (id.slot < EntityId::MAX_SLOTS).then_some(EntityId {
        kind,
        slot: id.slot,
        generation: id.generation,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn welcome() -> Vec<u8> {
        let schema = tickwire_game::arena::schema().to_proto();
        let welcome = v1::Welcome {
            session: 1,
            resume_token: vec![1; 20],
            tick_rate: 60,
            schema: Some(schema),
            ..v1::Welcome::default()
        };
        let body = Some(server_message::Body::Welcome(welcome));
        v1::ServerMessage { body }.encode_to_vec()
    }

    fn beat() -> Vec<u8> {
        let body = Some(server_message::Body::Beat(v1::Beat::default()));
        v1::ServerMessage { body }.encode_to_vec()
    }

    fn opened_link(client: &mut Client) -> LinkId {
        while let Some(action) = client.next_action() {
            if let Action::Open(link) = action {
                return link;
            }
        }
        panic!("the client opens no link");
    }

    /// A client whose link went silent, and another link that is greeting.
    fn replacing() -> (Client, LinkId, LinkId, Micros) {
        let mut client = Client::new(Options::default(), Micros(0));
        client.poll(Micros(0));
        let old = opened_link(&mut client);
        client.opened(old, Micros(0));
        client.received(old, &welcome(), Micros(0));
        assert_eq!(client.phase(), &Phase::Playing);
        let mut now = Micros(0);
        while client.links.len() < 2 {
            now = now.plus(Micros::from_millis(100));
            client.poll(now);
        }
        let new = opened_link(&mut client);
        client.opened(new, now);
        (client, old, new, now)
    }

    #[test]
    fn on_the_way_back_an_unanswered_attempt_is_soon_made_anew() {
        let mut client = Client::new(Options::default(), Micros(0));
        client.poll(Micros(0));
        let link = opened_link(&mut client);
        client.opened(link, Micros(0));
        client.received(link, &welcome(), Micros(0));
        // Nothing comes any more, and nothing answers.
        let mut opened = Vec::new();
        for step in 1..=1_200_u64 {
            let now = Micros::from_millis(step * 50);
            client.poll(now);
            while let Some(action) = client.next_action() {
                if let Action::Open(_) = action {
                    opened.push(now.as_millis());
                }
            }
        }
        let pauses: Vec<f64> = opened.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(opened[0] <= 4_050.0, "{opened:?}");
        assert!(
            pauses[..9].iter().all(|pause| *pause <= 1_100.0),
            "{pauses:?}"
        );
        assert!(
            pauses[10..].iter().all(|pause| *pause >= 8_000.0),
            "{pauses:?}"
        );
    }

    #[test]
    fn an_own_new_link_is_not_elsewhere() {
        let (mut client, old, new, now) = replacing();
        client.closed(old, Some(RESUMED_ELSEWHERE), "", now);
        assert_eq!(client.phase(), &Phase::Reconnecting);
        client.received(new, &welcome(), now);
        assert_eq!(client.phase(), &Phase::Playing);
        assert_eq!(client.counters().reconnects, 1);
    }

    #[test]
    fn an_old_link_that_speaks_again_does_not_end_one_that_said_hello() {
        let (mut client, old, new, now) = replacing();
        client.received(old, &beat(), now);
        client.poll(now);
        assert_eq!(client.links.len(), 2);
        client.closed(old, Some(RESUMED_ELSEWHERE), "", now);
        client.received(new, &welcome(), now);
        assert_eq!(client.phase(), &Phase::Playing);
    }

    #[test]
    fn a_session_that_was_resumed_elsewhere_is_over_here() {
        let (mut client, _, new, now) = replacing();
        client.received(new, &welcome(), now);
        client.closed(new, Some(RESUMED_ELSEWHERE), "", now);
        assert!(matches!(
            client.phase(),
            Phase::Closed {
                code: RESUMED_ELSEWHERE,
                ..
            }
        ));
    }
}
