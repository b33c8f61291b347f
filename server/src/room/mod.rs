//! One room: one world, its sessions, and the work of a tick.
//!
//! In: joins, the messages in the sessions' inboxes, the tick's number and the time. Out: messages on the sessions' links. Pure
//! but for the links: a room has no clock and no IO of its own, so a simulator can run it under a seeded network. [`Room::tick`]
//! and [`Room::replicate`] read downwards in the order in which data flows: inputs, step, publish, encode, snapshots.

mod chat;
mod display_text;
mod inbox;
mod join;
mod link;
mod map_transfer;
mod messages;
mod moderated;
mod recorded;
mod saved;
mod session;
mod settings;
mod state_json;
mod stats;
#[cfg(test)]
pub(crate) mod test_game;
mod tick;
mod waiting_share;

pub use chat::ChatLine;
pub use inbox::{Inbox, InboxMessage, ReceivedInput};
pub use join::join_request::{JoinError, JoinRequest, KnownMap};
pub use link::Link;
pub use saved::{Moment, RestoreError, RestorePoint};
pub use session::footprint::Footprint;
pub use settings::RoomSettings;
pub use stats::{PhaseTimes, RoomStats};

use crate::close::{Close, CloseCode};
use crate::token_bucket::TokenBucket;
use join::player_name::NameBook;
use map_transfer::RoomMap;
use messages::game_message;
pub(crate) use messages::goodbye;
use recorded::note;
use session::Session;
use session::inputs::SessionInputs;
use session::reliable_messages::MessageBody;
use session::resume_token::ResumeTokens;
use std::sync::Arc;
use std::time::Duration;
use tick::codebook_schedule::CodebookSchedule;
use tickwire_game::{Game, Messages, Recipient, RoomMessages, RoomRecipient, Shots, Step, Tags};
use tickwire_proto::v1;
use tickwire_recording::{Note, RecordedTick};
use tickwire_sync::encode::BlockCache;
use tickwire_sync::frame::{Events, History, MIN_HISTORY_FRAMES};
use tickwire_sync::{Micros, PlayerId, Schema, Tick, TickClock};

/// Sessions that a room keeps memory for.
const MIN_SESSIONS_CAPACITY: usize = 32;

/// One room: a world and its sessions, without a thread or a socket. A worker's `RoomRunner` runs it, the lobby's `RoomHandle`
/// says on which worker, and a `RoomEntry` is what these two share. `L` is the kind of link to the clients.
pub struct Room<L> {
    name: String,
    settings: RoomSettings,
    game: Box<dyn Game>,
    schema: Arc<Schema>,
    tick_clock: TickClock,
    tick: Tick,
    history: History,
    block_cache: BlockCache,
    codebooks: CodebookSchedule,
    step_output: StepOutput,
    /// Ascending by player.
    sessions: Vec<Session<L>>,
    newest_session: u32,
    /// The sessions' names.
    names: NameBook,
    resume_tokens: ResumeTokens,
    welcome_parts: WelcomeParts,
    /// Rate limit of the chat of all players together.
    chat_lines: TokenBucket,
    stats: RoomStats,
    /// Messages of one session, while they are handled.
    inbox_messages: Vec<InboxMessage>,
    /// Whether reliable messages wait for the tick's batch, for any session that is connected.
    has_waiting_messages: bool,
    /// Seats that newcomers may not take, because they are reserved.
    reserved_seats: usize,
    /// Whether clients that were in the room at another node may go on without a `Welcome`.
    keeps_clients: bool,
    /// When the room last looked at its sessions.
    last_look: Option<Micros>,
    /// What is recorded of the next tick; `None`: the room is not recorded.
    recorded: Option<Box<RecordedTick>>,
}

/// What a game gives out in a step, beside its world. Emptied in every tick; messages to other rooms wait for
/// [`Room::take_room_messages`].
#[derive(Default)]
struct StepOutput {
    events: Events,
    messages: Messages,
    room_messages: RoomMessages,
    shots: Shots,
    kicks: Vec<(PlayerId, String)>,
}

/// The parts of `Welcome` that are the same for all players.
struct WelcomeParts {
    schema: v1::Schema,
    map: RoomMap,
}

impl<L: Link> Room<L> {
    /// A room before its first tick. `secret_seed` must not be guessable: resume tokens come from it.
    #[must_use]
    pub fn new(
        name: &str,
        settings: RoomSettings,
        game: Box<dyn Game>,
        tick_clock: TickClock,
        secret_seed: [u8; 32],
    ) -> Self {
        let schema = game.schema();
        let block_cache = BlockCache::new(&schema);
        Self {
            name: name.to_owned(),
            history: History::new(Arc::clone(&schema), MIN_HISTORY_FRAMES),
            codebooks: CodebookSchedule::new(settings.tick_rate, &block_cache),
            block_cache,
            step_output: StepOutput::default(),
            sessions: Vec::new(),
            newest_session: 0,
            names: NameBook::default(),
            resume_tokens: ResumeTokens::new(secret_seed),
            welcome_parts: WelcomeParts {
                schema: schema.to_proto(),
                map: RoomMap::new(game.map()),
            },
            chat_lines: chat::room_limit(),
            stats: RoomStats::default(),
            inbox_messages: Vec::new(),
            has_waiting_messages: false,
            reserved_seats: 0,
            keeps_clients: true,
            last_look: None,
            recorded: None,
            settings,
            schema,
            tick_clock,
            tick: Tick(0),
            game,
        }
    }

    /// The name in URLs, `Hello` and the log.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When ticks are due.
    #[must_use]
    pub fn tick_clock(&self) -> TickClock {
        self.tick_clock
    }

    /// The newest tick made.
    #[must_use]
    pub fn tick_now(&self) -> Tick {
        self.tick
    }

    /// All sessions, those that wait for their player included.
    #[must_use]
    pub fn sessions(&self) -> &[Session<L>] {
        &self.sessions
    }

    /// The latest frames of the world.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The counts since the last call.
    pub fn take_stats(&mut self) -> RoomStats {
        let mut stats = self.stats.take(
            self.block_cache.misses(),
            self.block_cache.hits(),
            self.step_output.events.dropped_count(),
        );
        stats.sessions = self.sessions.len();
        stats.entities = self
            .history
            .newest()
            .map_or(0, |frame| frame.entity_count());
        stats
    }

    /// What the game tells of this room in the list of rooms.
    #[must_use]
    pub fn metadata(&self) -> Tags {
        self.game.metadata()
    }

    /// Keeps this many seats free of newcomers, from the next [`Self::join`] on.
    pub fn reserve_seats(&mut self, count: usize) {
        self.reserved_seats = count;
    }

    /// Skips the ticks up to this one, because nobody was there. The next tick follows it.
    pub fn skip_to(&mut self, tick: Tick) {
        self.tick = self.tick.max(tick);
    }

    /// Makes one tick at `now`. [`Self::replicate`] or [`Self::skip_replication`] must follow. `clock` measures the durations of
    /// the phases, and has no effect on the world.
    pub fn tick(&mut self, tick: Tick, now: Micros, clock: impl Fn() -> Micros) {
        self.tick = tick;
        let started = clock();
        self.take_inputs(now);
        let inputs_taken = clock();
        self.step();
        let stepped = clock();
        self.history
            .publish(tick, &mut self.step_output.events, |out| {
                self.game.publish(out);
            });
        let published = clock();
        self.stats.phases = PhaseTimes {
            input: inputs_taken.since(started),
            step: stepped.since(inputs_taken),
            publish: published.since(stepped),
            ..PhaseTimes::default()
        };
    }

    /// Sends the tick's snapshots to the players.
    pub fn replicate(&mut self, now: Micros, clock: impl Fn() -> Micros) {
        let started = clock();
        if self.codebooks.is_search_due(self.tick) {
            let reads_packed = |session: &&Session<L>| session.reads_packed();
            let packed_clients = self.sessions.iter().filter(reads_packed).count();
            self.codebooks
                .run_search(&mut self.block_cache, packed_clients, self.tick);
        }
        self.block_cache.encode_ahead(&self.history);
        let encoded = clock();
        self.record_inputs();
        self.send_snapshots(now);
        self.record_world();
        self.stats.phases.encode = encoded.since(started);
        self.stats.phases.send = clock().since(encoded);
    }

    /// Defers the tick's snapshots, because the room is late and the next tick follows at once.
    pub fn skip_replication(&mut self, now: Micros, clock: impl Fn() -> Micros) {
        let started = clock();
        self.record_inputs();
        self.defer_snapshots(now);
        self.record_world();
        self.stats.phases.send = clock().since(started);
    }

    fn end_sessions(&mut self) {
        for mut session in self.sessions.extract_if(.., |session| session.is_over()) {
            session.send_waiting_now();
            if let Some(link) = session.link() {
                link.close(&Close::new(CloseCode::Normal, "you left"));
            }
            self.names.give_back(&session.name, session.player);
            note(&mut self.recorded, || Note::Left(session.player));
            self.game.leave(session.player);
        }
        // A crowd that has gone leaves its memory.
        if self.sessions.len() < self.sessions.capacity() / 4 {
            self.sessions
                .shrink_to(2 * self.sessions.len() + MIN_SESSIONS_CAPACITY);
        }
    }

    /// Runs the game's step, and passes on what it gives out.
    fn step(&mut self) {
        let inputs = SessionInputs::new(&self.sessions);
        let output = &mut self.step_output;
        let mut step = Step {
            tick: self.tick,
            tick_rate: self.settings.tick_rate,
            inputs: &inputs,
            history: &self.history,
            events: &mut output.events,
            messages: &mut output.messages,
            room_messages: &mut output.room_messages,
            shots: &mut output.shots,
            kicks: &mut output.kicks,
        };
        self.game.step(&mut step);
        if let Some(recorded) = &mut self.recorded {
            recorded::record_shots(recorded, &mut output.shots, &mut self.stats.shots);
        }
        self.stats.shots.extend(output.shots.drain());
        for (recipient, payload) in output.messages.drain() {
            note(&mut self.recorded, || {
                Note::Message(recorded::addressee(recipient), payload.clone())
            });
            let message = game_message(&payload);
            let body = match recipient {
                Recipient::Player(_) => MessageBody::private(&message),
                Recipient::Everyone | Recipient::Layer(_) => MessageBody::shared(&message),
            };
            self.has_waiting_messages = true;
            for session in &mut self.sessions {
                let is_recipient = match recipient {
                    Recipient::Everyone => true,
                    Recipient::Player(player) => session.player == player,
                    Recipient::Layer(layer) => self
                        .game
                        .interest_area(session.player)
                        .layers
                        .contains(layer),
                };
                if is_recipient {
                    session.push_reliable(body.clone(), self.tick);
                }
            }
        }
        if !self.step_output.kicks.is_empty() {
            self.kick_players();
        }
    }

    /// Ends the sessions of the players whom the game has kicked.
    fn kick_players(&mut self) {
        for (player, reason) in std::mem::take(&mut self.step_output.kicks) {
            // The player may have left already.
            let Some(index) = self.session_index(player) else {
                continue;
            };
            let session = &mut self.sessions[index];
            session.end();
            session.send_waiting_now();
            note(&mut self.recorded, || Note::Kicked(player, reason.clone()));
            tracing::info!(
                room = self.name,
                session = player.0,
                reason,
                "kicked by the game"
            );
            if let Some(link) = session.link() {
                link.close(&Close::new(CloseCode::Policy, reason));
            }
        }
        self.end_sessions();
    }

    /// Whether the game has sent messages to other rooms.
    #[must_use]
    pub fn has_room_messages(&self) -> bool {
        !self.step_output.room_messages.is_empty()
    }

    /// Takes the messages to other rooms since the last call.
    pub fn take_room_messages(&mut self) -> impl Iterator<Item = (RoomRecipient, Vec<u8>)> {
        self.step_output.room_messages.drain()
    }

    /// Gives the game a message of another room. Must be called between two ticks.
    pub fn receive_room_message(&mut self, from: &str, payload: &[u8]) {
        self.game.room_message(from, payload);
    }

    /// Sends a notice to every connected player, and keeps it for those who lost their connection a moment ago. Returns how many are
    /// connected.
    pub fn notice(&mut self, text: &str, now: Micros) -> usize {
        self.sessions
            .iter_mut()
            .filter_map(|session| session.notice_or_keep(text, now).then_some(()))
            .count()
    }

    /// Says goodbye to every connected player, and closes with 1001.
    pub fn say_goodbye(&mut self, reason: &str, reconnect_after: Duration) {
        let message = goodbye(reason, reconnect_after);
        for session in &mut self.sessions {
            session.send_waiting_now();
            let Some(link) = session.link() else { continue };
            link.send(&message);
            link.close(&Close::new(CloseCode::GoingAway, reason.to_owned()));
        }
    }

    /// The room goes on at another node: says goodbye to the players who are connected here, and leaves those of other nodes to them.
    pub fn hand_over_players(&mut self, reason: &str) {
        let message = goodbye(reason, Duration::ZERO);
        for session in &self.sessions {
            // A map that is on its way would never get there.
            let may_go_on = session.map_transfer.is_none();
            if let Some(link) = session.link()
                && !(may_go_on && link.hand_over())
            {
                link.send(&message);
                link.close(&Close::new(CloseCode::GoingAway, reason.to_owned()));
            }
        }
    }

    /// Sends all reliable messages that wait.
    pub fn send_waiting_messages(&mut self) {
        for session in &mut self.sessions {
            session.send_waiting_now();
        }
    }

    /// Asks the players whose connections are here for a second connection. Play goes on over the one that there is until the other has
    /// joined.
    pub fn lead_away(&self, reason: &str) {
        let message = goodbye(reason, Duration::ZERO);
        let links = self.sessions.iter().filter_map(Session::link);
        for link in links.filter(|link| link.is_here()) {
            link.send(&message);
        }
    }

    fn session_index(&self, player: PlayerId) -> Option<usize> {
        self.sessions
            .binary_search_by_key(&player, |session| session.player)
            .ok()
    }
}

#[cfg(test)]
#[path = "room_tests.rs"]
pub(crate) mod tests;
