//! One room: one world, its sessions, and what happens in a tick.
//!
//! In: joins, what sessions' inboxes hold, the tick's number and the time. Out: messages on the sessions' links. Pure but
//! for the links: no clock and no IO of its own, so that a simulator can run it under a seeded network. `tick` reads
//! downwards in the order in which data flows: inputs, step, publish, snapshots.

mod allowance;
mod inbox;
mod join;
mod link;
mod messages;
mod session;
mod snapshots;
mod state;
mod stats;
mod tables;
mod text;

pub use inbox::{Arrived, Inbox, InputsArrived};
pub use join::{Hello, JoinRefused, Joined};
pub use link::{Link, ToSend};
pub use session::Session;
pub use stats::{PhaseTimes, RoomStats};

use crate::close::{Close, CloseCode};
use crate::metrics::InputOutcome;
use allowance::Allowance;
use messages::{chat_message, game_message};
use prost::Message as _;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use session::SessionTurns;
use std::sync::Arc;
use std::time::Duration;
use tables::CodingTables;
use tickwire_game::{Game, Messages, Recipient, Shots, Step};
use tickwire_prefetch as prefetch;
use tickwire_proto::v1;
use tickwire_sync::claim::ViewPolicy;
use tickwire_sync::clock::TickClock;
use tickwire_sync::event::Events;
use tickwire_sync::history::{History, MIN_FRAMES};
use tickwire_sync::input_buffer::Taken;
use tickwire_sync::memo::BlockMemo;
use tickwire_sync::window::WindowPolicy;
use tickwire_sync::{EntityId, Micros, PlayerId, Schema, Tick};

/// What holds for every room of a server.
#[derive(Clone, Debug)]
pub struct RoomSettings {
    /// Ticks per second.
    pub tick_rate: u32,
    /// Sessions that a room takes.
    pub max_players: usize,
    /// How long a session waits for its player.
    pub resume_window: Duration,
    /// Longest message that a client may send, in bytes; told in `Welcome`.
    pub max_message_bytes: usize,
    /// How far back a shot may be judged.
    pub max_rewind: Duration,
    /// What is made of the clients' claims. Anything but the default is for measuring.
    pub view_policy: ViewPolicy,
    /// Whether snapshots wait for the path. Anything but the default is for measuring.
    pub window_policy: WindowPolicy,
}

/// Lines of chat that a room takes: so many at once, then so many a second.
const CHAT_LINES: f64 = 60.0;
const CHAT_LINES_PER_SECOND: f64 = 20.0;

/// One room. `L` is the kind of connection.
pub struct Room<L> {
    name: String,
    settings: RoomSettings,
    game: Box<dyn Game>,
    schema: Arc<Schema>,
    ticks: TickClock,
    tick: Tick,
    history: History,
    memo: BlockMemo,
    events: Events,
    messages: Messages,
    shots: Shots,
    dismissals: Vec<(PlayerId, String)>,
    /// Ascending by number.
    sessions: Vec<Session<L>>,
    newest_session: u32,
    /// Secrets of resume tokens.
    random: StdRng,
    /// No other room has this number, one of the same name before or after it included.
    epoch: u64,
    /// Parts of welcomes that are the same for all.
    schema_proto: v1::Schema,
    map: Vec<u8>,
    tables: CodingTables,
    /// Lines of chat: each goes to everybody, and a player behind a thin line must be able to take them all.
    lines: Allowance,
    stats: RoomStats,
    arrived: Vec<Arrived>,
}

impl<L: Link> Room<L> {
    /// A room before its first tick. `secret_seed` must not be guessable: resume tokens come from it.
    #[must_use]
    pub fn new(
        name: &str,
        settings: RoomSettings,
        game: Box<dyn Game>,
        ticks: TickClock,
        secret_seed: [u8; 32],
    ) -> Self {
        let schema = game.schema();
        let mut random = StdRng::from_seed(secret_seed);
        let epoch = random.random();
        Self {
            name: name.to_owned(),
            history: History::new(Arc::clone(&schema), MIN_FRAMES),
            memo: BlockMemo::new(&schema),
            events: Events::default(),
            messages: Messages::default(),
            shots: Shots::default(),
            dismissals: Vec::new(),
            sessions: Vec::new(),
            newest_session: 0,
            random,
            epoch,
            schema_proto: schema.to_proto(),
            map: game.map(),
            tables: CodingTables::new(settings.tick_rate),
            lines: Allowance::new(CHAT_LINES, CHAT_LINES_PER_SECOND, Micros(0)),
            stats: RoomStats::default(),
            arrived: Vec::new(),
            settings,
            schema,
            ticks,
            tick: Tick(0),
            game,
        }
    }

    /// The room's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When ticks are due.
    #[must_use]
    pub fn ticks(&self) -> TickClock {
        self.ticks
    }

    /// The newest tick made.
    #[must_use]
    pub fn tick_now(&self) -> Tick {
        self.tick
    }

    /// Sessions, those that wait for their player included.
    #[must_use]
    pub fn sessions(&self) -> &[Session<L>] {
        &self.sessions
    }

    /// The frames.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// What was counted since the last call.
    pub fn take_stats(&mut self) -> RoomStats {
        let (encoded, reused) = (self.memo.encoded(), self.memo.reused());
        self.stats.blocks_encoded = encoded - self.stats.blocks_encoded_before;
        self.stats.blocks_reused = reused - self.stats.blocks_reused_before;
        let dropped = self.events.dropped();
        self.stats.events_dropped = dropped - self.stats.events_dropped_before;
        let next = RoomStats {
            events_dropped_before: dropped,
            blocks_encoded_before: encoded,
            blocks_reused_before: reused,
            ..RoomStats::default()
        };
        let mut stats = std::mem::replace(&mut self.stats, next);
        stats.sessions = self.sessions.len();
        stats.entities = self
            .history
            .newest()
            .map_or(0, |frame| frame.entity_count());
        stats
    }

    /// Asks for what the next tick will touch first, as far as it lies so many pointers away; see `tickwire_prefetch`.
    pub fn prefetch(&self, hops: u8) {
        self.history.prefetch(hops);
        match hops {
            0 => prefetch::near(self),
            1 => {
                self.memo.prefetch();
                prefetch::first(&self.sessions, prefetch::near);
            }
            2 => prefetch::behind_first(&self.sessions, Session::prefetch_inputs),
            _ => {}
        }
    }

    /// Nothing has happened up to this tick, as nobody is there: the next one follows it.
    pub fn rest_until(&mut self, tick: Tick) {
        self.tick = self.tick.max(tick);
    }

    /// Makes one tick at `now`: then it is to be shown, or not. `clock` gives times for the phases' durations, and nothing else.
    pub fn tick(&mut self, tick: Tick, now: Micros, clock: impl Fn() -> Micros) {
        self.tick = tick;
        let started = clock();
        self.take_inputs(now);
        let taken = clock();
        self.step();
        let stepped = clock();
        self.history
            .publish(tick, &mut self.events, |out| self.game.publish(out));
        let published = clock();
        self.stats.phases = PhaseTimes {
            input: taken.since(started),
            step: stepped.since(taken),
            publish: published.since(stepped),
            ..PhaseTimes::default()
        };
    }

    /// Shows the tick to the players: sends their snapshots.
    pub fn show(&mut self, now: Micros, clock: impl Fn() -> Micros) {
        let started = clock();
        if self.tables.is_due(self.tick) {
            let reads_packed = |session: &&Session<L>| session.reads_packed();
            let clients = self.sessions.iter().filter(reads_packed).count();
            self.tables.improve(&mut self.memo, clients, self.tick);
        }
        self.memo.encode_ahead(&self.history);
        let encoded = clock();
        self.send_snapshots(now);
        self.stats.phases.encode = encoded.since(started);
        self.stats.phases.send = clock().since(encoded);
    }

    /// Shows the tick to nobody: the next one is made at once.
    pub fn hide(&mut self, now: Micros, clock: impl Fn() -> Micros) {
        let started = clock();
        self.note_hidden(now);
        self.stats.phases.send = clock().since(started);
    }

    /// Takes what came since the last tick, and ends sessions that are over.
    fn take_inputs(&mut self, now: Micros) {
        let mut arrived = std::mem::take(&mut self.arrived);
        let mut some_end = false;
        for index in 0..self.sessions.len() {
            prefetch::ahead(
                &self.sessions,
                index,
                prefetch::near,
                Session::prefetch_inputs,
            );
            if let Some(inbox) = &self.sessions[index].inbox {
                inbox.take(&mut arrived);
            }
            for message in &arrived {
                self.take(index, message, now);
            }
            arrived.clear();
            let session = &mut self.sessions[index];
            session.restart(now);
            session.follow_link(self.tick);
            if session.expire(now, self.settings.resume_window) {
                let session = session.player.0;
                tracing::info!(room = self.name, session, "did not come back");
            }
            some_end |= session.is_over;
            session.inputs.advance(self.tick);
            match session.inputs.current() {
                Taken::Fresh(_) => self.stats.count_input(InputOutcome::Applied, 1),
                Taken::Repeated(_) => self.stats.count_input(InputOutcome::Repeated, 1),
                Taken::Neutral => {}
            }
        }
        self.arrived = arrived;
        if some_end {
            self.end_sessions();
        }
    }

    fn take(&mut self, index: usize, message: &Arrived, now: Micros) {
        match message {
            Arrived::Inputs(inputs) => {
                let outcome = self.sessions[index].take_input(inputs, self.ticks);
                self.stats
                    .count_input(outcome, u64::from(outcome != InputOutcome::Applied));
            }
            Arrived::Chat(text) => self.chat(index, text, now),
            Arrived::Command { number, payload } => {
                let session = &mut self.sessions[index];
                if session.is_new_command(*number) {
                    self.game.command(session.player, payload);
                }
            }
            Arrived::Resync { view_mismatch } => {
                let session = &mut self.sessions[index];
                if session.ask_for_restart() && *view_mismatch {
                    self.stats.view_mismatches += 1;
                    // Once for each: whoever says so again and again shall not fill the log.
                    if !std::mem::replace(&mut session.has_mismatched, true) {
                        tracing::error!(
                            room = self.name,
                            session = session.player.0,
                            "a replica disagrees with its view"
                        );
                    }
                }
            }
            Arrived::Leave => {
                let session = &mut self.sessions[index];
                session.is_over = true;
                tracing::info!(room = self.name, session = session.player.0, "left");
            }
            Arrived::Gone(why) => {
                let session = &mut self.sessions[index];
                session.lose_link(now);
                let player = session.player;
                if !session.is_over {
                    let why = why.as_str();
                    tracing::info!(room = self.name, session = player.0, why, "away");
                }
                self.game.away(player);
            }
        }
    }

    fn end_sessions(&mut self) {
        for session in self.sessions.extract_if(.., |session| session.is_over) {
            if let Some(link) = &session.link {
                link.close(&Close::new(CloseCode::Normal, "you left"));
            }
            self.game.leave(session.player);
        }
    }

    fn step(&mut self) {
        let turns = SessionTurns::new(&self.sessions);
        let mut step = Step {
            tick: self.tick,
            tick_rate: self.settings.tick_rate,
            turns: &turns,
            history: &self.history,
            events: &mut self.events,
            messages: &mut self.messages,
            shots: &mut self.shots,
            dismissals: &mut self.dismissals,
        };
        self.game.step(&mut step);
        self.stats.shots.extend(self.shots.drain());
        for (to, payload) in self.messages.drain() {
            for session in &mut self.sessions {
                let is_meant = match to {
                    Recipient::Everyone => true,
                    Recipient::Player(player) => session.player == player,
                    Recipient::Layer(layer) => {
                        self.game.sight(session.player).layers.contains(layer)
                    }
                };
                if is_meant {
                    session.send_message(game_message(&payload));
                }
            }
        }
        if !self.dismissals.is_empty() {
            self.dismiss();
        }
    }

    /// Ends the sessions of those whom the game has put out.
    fn dismiss(&mut self) {
        for (player, reason) in std::mem::take(&mut self.dismissals) {
            // It may have left by itself.
            let Some(index) = self.session_index(player) else {
                continue;
            };
            let session = &mut self.sessions[index];
            session.is_over = true;
            tracing::info!(
                room = self.name,
                session = player.0,
                reason,
                "put out by the game"
            );
            if let Some(link) = &session.link {
                link.close(&Close::new(CloseCode::Policy, reason));
            }
        }
        self.end_sessions();
    }

    fn chat(&mut self, index: usize, text: &str, now: Micros) {
        let session = &mut self.sessions[index];
        let text = text::cleaned(text, messages::MAX_CHAT_CHARACTERS);
        if text::is_blank(&text) {
            return;
        }
        let refusal = if !session.allowances.lines.take(now) {
            Some("you write too fast; that line was not sent")
        } else if !self.lines.take(now) {
            Some("too many write at once; that line was not sent")
        } else {
            None
        };
        if let Some(refusal) = refusal {
            if session.allowances.refusals.take(now) {
                session.notice(refusal);
            }
            return;
        }
        let (from, name) = (session.player, session.name.clone());
        if !self.game.chat(from, &text) {
            return;
        }
        for session in &mut self.sessions {
            session.send_message(chat_message(from, &name, &text));
        }
    }

    /// Tells every connected player something. Returns how many were told.
    pub fn notice(&self, text: &str) -> usize {
        self.sessions
            .iter()
            .filter(|session| session.notice(text))
            .count()
    }

    /// Says goodbye to every connected player and closes with 1001.
    pub fn say_goodbye(&self, reason: &str, reconnect_after: Duration) {
        let millis = u32::try_from(reconnect_after.as_millis()).unwrap_or(u32::MAX);
        let goodbye = v1::Goodbye {
            reason: reason.to_owned(),
            reconnect_after_ms: millis,
        };
        let message = v1::ServerMessage {
            body: Some(v1::server_message::Body::Goodbye(goodbye)),
        }
        .encode_to_vec();
        for link in self
            .sessions
            .iter()
            .filter_map(|session| session.link.as_ref())
        {
            link.send(&message);
            link.close(&Close::new(CloseCode::GoingAway, reason.to_owned()));
        }
    }

    fn session_index(&self, player: PlayerId) -> Option<usize> {
        self.sessions
            .binary_search_by_key(&player, |session| session.player)
            .ok()
    }

    /// The entity of a session, if it has one.
    #[must_use]
    pub fn entity_of(&self, player: PlayerId) -> Option<EntityId> {
        self.session_index(player)
            .and_then(|index| self.sessions[index].entity)
    }
}

#[cfg(test)]
#[path = "room_tests.rs"]
pub(crate) mod tests;
