//! A room without sockets: steps a raw game tick by tick, as the server does.

use crate::{
    Game, GameSettings, Identity, Messages, PlayerInput, PlayerInputs, Recipient, Refusal,
    RoomMessages, RoomRecipient, Shots, Step,
};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher as _};
use tickwire_sync::frame::{Events, History, MIN_HISTORY_FRAMES};
use tickwire_sync::input_buffer::{Input, TickInput, max_repeats};
use tickwire_sync::interest::ClientView;
use tickwire_sync::lagcomp::ResolvedView;
use tickwire_sync::{PlayerId, Seq, Tick, ViewTick};

/// A room of one game for tests: players join, hold and press inputs, and the room makes as many ticks as the test asks for.
///
/// Players' screens show the newest frame, so that a rewound world is the one of the tick before.
pub struct RawRoom<G: Game + ?Sized> {
    game: Box<G>,
    tick_rate: u32,
    history: History,
    tick: Tick,
    players: BTreeMap<PlayerId, TestPlayer>,
    newest_player: u32,
    events: Vec<(u32, Vec<u8>)>,
    queue: Events,
    messages: Vec<(PlayerId, Vec<u8>)>,
    room_messages: Vec<(RoomRecipient, Vec<u8>)>,
    kicked: Vec<(PlayerId, String)>,
    shot_count: usize,
}

/// A player of a [`RawRoom`].
#[derive(Default)]
struct TestPlayer {
    /// The input of every tick.
    held: Vec<u8>,
    /// The input of the next tick alone.
    pressed: Option<Vec<u8>>,
    /// The input of this tick; `None` if the player is away.
    current: Option<Vec<u8>>,
    is_away: bool,
    /// For how many ticks no input comes, so that the last one is repeated.
    stalled_ticks: u32,
    is_repeated: bool,
    seq: u32,
    view: ClientView,
}

impl<G: Game + ?Sized> RawRoom<G> {
    /// A room of a game that was just made with these settings.
    #[must_use]
    pub fn new(game: Box<G>, settings: &GameSettings) -> Self {
        Self {
            history: History::new(game.schema(), MIN_HISTORY_FRAMES),
            game,
            tick_rate: settings.tick_rate,
            tick: Tick(0),
            players: BTreeMap::new(),
            newest_player: 0,
            events: Vec::new(),
            queue: Events::default(),
            messages: Vec::new(),
            room_messages: Vec::new(),
            kicked: Vec::new(),
            shot_count: 0,
        }
    }

    /// A player or a spectator joins.
    ///
    /// # Errors
    /// If the game refuses.
    pub fn try_join(&mut self, name: &str, is_spectator: bool) -> Result<PlayerId, Refusal> {
        let player = PlayerId(self.newest_player + 1);
        let identity = Identity {
            name: name.to_owned(),
            subject: None,
            is_spectator,
        };
        self.game.join(player, &identity)?;
        self.newest_player = player.0;
        self.players.insert(player, TestPlayer::default());
        Ok(player)
    }

    /// A player leaves for good.
    pub fn leave(&mut self, player: PlayerId) {
        if self.players.remove(&player).is_some() {
            self.game.leave(player);
        }
    }

    /// A player's connection is lost: the input is neutral until [`Self::resume`].
    pub fn away(&mut self, player: PlayerId) {
        if let Some(state) = self.players.get_mut(&player) {
            state.is_away = true;
            self.game.away(player);
        }
    }

    /// A player's connection is back.
    pub fn resume(&mut self, player: PlayerId) {
        if let Some(state) = self.players.get_mut(&player) {
            state.is_away = false;
            self.game.resume(player);
        }
    }

    /// Sets a player's input for every tick from the next one on.
    pub fn hold(&mut self, player: PlayerId, input: &[u8]) {
        if let Some(state) = self.players.get_mut(&player) {
            state.held = input.to_vec();
        }
    }

    /// Sets a player's input for the next tick alone.
    pub fn press(&mut self, player: PlayerId, input: &[u8]) {
        if let Some(state) = self.players.get_mut(&player) {
            state.pressed = Some(input.to_vec());
        }
    }

    /// Lets no input of a player come for so many ticks: the room repeats the last one, for up to a quarter of a second.
    pub fn stall(&mut self, player: PlayerId, ticks: u32) {
        if let Some(state) = self.players.get_mut(&player) {
            state.stalled_ticks = ticks.min(max_repeats(self.tick_rate));
        }
    }

    /// A player sends a command.
    pub fn command(&mut self, player: PlayerId, payload: &[u8]) {
        self.game.command(player, payload);
    }

    /// A player writes a line of chat. Returns whether everybody gets it.
    pub fn chat(&mut self, player: PlayerId, line: &str) -> bool {
        self.game.chat(player, line)
    }

    /// Makes so many ticks.
    pub fn step(&mut self, ticks: u32) {
        for _ in 0..ticks {
            self.make_tick();
        }
    }

    /// Skips so many ticks, as a server that is late does.
    pub fn skip(&mut self, ticks: u32) {
        self.tick.0 += ticks;
    }

    fn make_tick(&mut self) {
        self.tick = self.tick.next();
        for state in self.players.values_mut() {
            state.is_repeated = state.stalled_ticks > 0 && state.current.is_some();
            state.stalled_ticks = state.stalled_ticks.saturating_sub(1);
            if state.is_away {
                state.current = None;
            } else if !state.is_repeated {
                state.seq += 1;
                let pressed = state.pressed.take();
                state.current = Some(pressed.unwrap_or_else(|| state.held.clone()));
            }
        }
        let (mut messages, mut room_messages) = (Messages::default(), RoomMessages::default());
        let (mut shots, mut kicks) = (Shots::default(), Vec::new());
        let inputs = TestInputs {
            players: &self.players,
            newest: self.tick.minus(1).unwrap_or_default(),
        };
        self.game.step(&mut Step {
            tick: self.tick,
            tick_rate: self.tick_rate,
            inputs: &inputs,
            history: &self.history,
            events: &mut self.queue,
            messages: &mut messages,
            room_messages: &mut room_messages,
            shots: &mut shots,
            kicks: &mut kicks,
        });
        for (player, reason) in kicks {
            self.kicked.push((player, reason));
            self.leave(player);
        }
        self.history
            .publish(self.tick, &mut self.queue, |out| self.game.publish(out));
        let grid = self.history.schema().grid;
        for (player, state) in &mut self.players {
            let area = self.game.interest_area(*player);
            state.view.update_interest(&grid, area);
            state.view.mark_sent(&self.history);
        }
        let newest = self.history.newest();
        let emitted = newest.into_iter().flat_map(|frame| frame.events().all());
        self.events
            .extend(emitted.map(|event| (event.kind, event.payload.to_vec())));
        for (recipient, payload) in messages.drain() {
            for player in self.players.keys() {
                let gets_it = match recipient {
                    Recipient::Everyone => true,
                    Recipient::Player(one) => one == *player,
                    Recipient::Layer(layer) => {
                        self.game.interest_area(*player).layers.contains(layer)
                    }
                };
                if gets_it {
                    self.messages.push((*player, payload.clone()));
                }
            }
        }
        self.room_messages.extend(room_messages.drain());
        self.shot_count += shots.drain().count();
    }

    /// The newest tick.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// The game.
    #[must_use]
    pub fn game(&self) -> &G {
        &self.game
    }

    /// The game, to arrange what a test needs.
    pub fn game_mut(&mut self) -> &mut G {
        &mut self.game
    }

    /// The frames so far.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Puts another game in the place of this one. Players stay.
    pub fn replace_game(&mut self, game: Box<G>) {
        self.game = game;
    }

    /// Takes the events since the last call, each with its kind.
    pub fn take_events(&mut self) -> Vec<(u32, Vec<u8>)> {
        std::mem::take(&mut self.events)
    }

    /// Takes the messages since the last call, with who got them.
    pub fn take_messages(&mut self) -> Vec<(PlayerId, Vec<u8>)> {
        std::mem::take(&mut self.messages)
    }

    /// A message of another room comes.
    pub fn room_message(&mut self, from: &str, payload: &[u8]) {
        self.game.room_message(from, payload);
    }

    /// Takes the messages to other rooms since the last call, with who is to get them.
    pub fn take_room_messages(&mut self) -> Vec<(RoomRecipient, Vec<u8>)> {
        std::mem::take(&mut self.room_messages)
    }

    /// Takes the players who were kicked since the last call, and why.
    pub fn take_kicked(&mut self) -> Vec<(PlayerId, String)> {
        std::mem::take(&mut self.kicked)
    }

    /// How many shots the game has counted.
    #[must_use]
    pub fn shot_count(&self) -> usize {
        self.shot_count
    }

    /// A hash of everything that the newest frame shows, and of the events and messages since the last call, which are taken.
    pub fn take_shown_hash(&mut self) -> u64 {
        let cells = 0..self.history.schema().grid.cell_count() as u32;
        let mut hasher = DefaultHasher::new();
        for cell in cells {
            hasher.write_u64(self.history.cell_hash(tickwire_sync::CellId(cell)));
        }
        let mut payload = Vec::new();
        for (kind, event) in self.take_events() {
            payload.extend(kind.to_le_bytes());
            payload.extend(event);
        }
        for (player, message) in self.take_messages() {
            payload.extend(player.0.to_le_bytes());
            payload.extend(message);
        }
        for (player, reason) in self.take_kicked() {
            payload.extend(player.0.to_le_bytes());
            payload.extend(reason.bytes());
        }
        hasher.write(&payload);
        hasher.finish()
    }
}

/// The inputs of a tick.
struct TestInputs<'a> {
    players: &'a BTreeMap<PlayerId, TestPlayer>,
    newest: Tick,
}

impl PlayerInputs for TestInputs<'_> {
    fn of(&self, player: PlayerId) -> Option<PlayerInput<'_>> {
        let state = self.players.get(&player)?;
        let view = ResolvedView {
            at: ViewTick::new(self.newest, 0),
            ..ResolvedView::default()
        };
        let input = match &state.current {
            Some(payload) => {
                let input = Input {
                    seq: Seq(state.seq),
                    view,
                    payload,
                };
                if state.is_repeated {
                    TickInput::Repeated(input)
                } else {
                    TickInput::Fresh(input)
                }
            }
            None => TickInput::Neutral,
        };
        Some(PlayerInput {
            player,
            input,
            view,
            client_view: &state.view,
        })
    }
}
