//! A room without sockets: steps a game tick by tick, as the server does.

use crate::game::Game;
use crate::room_game::RoomGame;
use crate::world::HasKind;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;
use tickwire_game::{
    Game as RawGame, GameSettings, Identity, Messages, PlayerInput, PlayerInputs, Recipient,
    Refusal, SaveError, Shots, Step as RawStep,
};
use tickwire_rules::{Entity, Id, Input as _, Payload};
use tickwire_sync::frame::{Events, History, MIN_HISTORY_FRAMES};
use tickwire_sync::input_buffer::{Input, TickInput, max_repeats};
use tickwire_sync::interest::ClientView;
use tickwire_sync::lagcomp::ResolvedView;
use tickwire_sync::{PlayerId, Seq, Tick, ViewTick};

/// A room of one game for tests: players join, hold and press inputs, and the room makes as many ticks as the test asks for.
///
/// Players' screens show the newest frame, so that a rewound world is the one of the tick before.
pub struct TestRoom<G: Game> {
    game: RoomGame<G>,
    settings: GameSettings,
    history: History,
    tick: Tick,
    players: BTreeMap<PlayerId, TestPlayer>,
    newest_player: u32,
    events: Vec<G::Event>,
    queue: Events,
    messages: Vec<(PlayerId, G::Message)>,
    kicked: Vec<(PlayerId, String)>,
    shot_count: usize,
}

/// A player of a [`TestRoom`].
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

impl<G: Game> Default for TestRoom<G> {
    fn default() -> Self {
        Self::new()
    }
}

impl<G: Game> TestRoom<G> {
    /// A room at 60 ticks per second, with seed 1 and without computer players.
    #[must_use]
    pub fn new() -> Self {
        Self::with_computers(0)
    }

    /// A room with so many computer players.
    #[must_use]
    pub fn with_computers(count: u32) -> Self {
        Self::with(GameSettings {
            room: "test".to_owned(),
            seed: 1,
            tick_rate: 60,
            npcs: count,
        })
    }

    /// A room with these settings.
    #[must_use]
    pub fn with(settings: GameSettings) -> Self {
        let game = RoomGame::new(&settings);
        Self {
            history: History::new(game.schema(), MIN_HISTORY_FRAMES),
            game,
            settings,
            tick: Tick(0),
            players: BTreeMap::new(),
            newest_player: 0,
            events: Vec::new(),
            queue: Events::default(),
            messages: Vec::new(),
            kicked: Vec::new(),
            shot_count: 0,
        }
    }

    /// A player joins.
    ///
    /// # Panics
    /// If the game refuses the player.
    #[track_caller]
    pub fn join(&mut self, name: &str) -> PlayerId {
        match self.try_join(name, false) {
            Ok(player) => player,
            Err(Refusal(reason)) => panic!("the game refused {name}: {reason}"),
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
    pub fn hold(&mut self, player: PlayerId, input: &G::Input) {
        if let Some(state) = self.players.get_mut(&player) {
            state.held = input.to_payload();
        }
    }

    /// Sets a player's input for the next tick alone.
    pub fn press(&mut self, player: PlayerId, input: &G::Input) {
        if let Some(state) = self.players.get_mut(&player) {
            state.pressed = Some(input.to_payload());
        }
    }

    /// Lets no input of a player come for so many ticks: the room repeats the last one, without its `once` fields, for up to a quarter of
    /// a second.
    pub fn stall(&mut self, player: PlayerId, ticks: u32) {
        if let Some(state) = self.players.get_mut(&player) {
            state.stalled_ticks = ticks.min(max_repeats(self.settings.tick_rate));
        }
    }

    /// A player sends a command.
    pub fn command(&mut self, player: PlayerId, command: &G::Command) {
        let mut payload = Vec::new();
        command.encode(&mut payload);
        self.game.command(player, &payload);
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
        let (mut messages, mut shots, mut kicks) =
            (Messages::default(), Shots::default(), Vec::new());
        let inputs = TestInputs {
            players: &self.players,
            newest: self.tick.minus(1).unwrap_or_default(),
        };
        self.game.step(&mut RawStep {
            tick: self.tick,
            tick_rate: self.settings.tick_rate,
            inputs: &inputs,
            history: &self.history,
            events: &mut self.queue,
            messages: &mut messages,
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
        self.events.extend(
            emitted.filter_map(|event| G::Event::decode_fields(event.kind, event.payload).ok()),
        );
        for (recipient, payload) in messages.drain() {
            for player in self.players.keys() {
                let gets_it = match recipient {
                    Recipient::Everyone => true,
                    Recipient::Player(one) => one == *player,
                    Recipient::Layer(layer) => {
                        self.game.interest_area(*player).layers.contains(layer)
                    }
                };
                if gets_it && let Ok(message) = G::Message::decode(&payload) {
                    self.messages.push((*player, message));
                }
            }
        }
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
        self.game.game()
    }

    /// The game, to arrange what a test needs.
    pub fn game_mut(&mut self) -> &mut G {
        self.game.game_mut()
    }

    /// The entities of a kind as the newest frame has them, by slot: what clients are sent. Private fields are 0.
    #[must_use]
    pub fn rows<T: Entity>(&self) -> Vec<(Id<T>, T)>
    where
        G: HasKind<T>,
    {
        let Some(frame) = self.history.newest() else {
            return Vec::new();
        };
        let private = vec![0; T::PRIVATE_LANES];
        let read = |id: tickwire_sync::EntityId| {
            let lanes: Vec<_> = frame.lanes(id.key()).collect();
            let texts: Vec<_> = frame.texts(id.key()).map(Arc::from).collect();
            (
                Id::new(id.slot, id.generation),
                T::from_row(&lanes, &private, &texts),
            )
        };
        frame.entities(G::KIND).map(read).collect()
    }

    /// Takes the events since the last call.
    pub fn take_events(&mut self) -> Vec<G::Event> {
        std::mem::take(&mut self.events)
    }

    /// Takes the messages since the last call, with who got them.
    pub fn take_messages(&mut self) -> Vec<(PlayerId, G::Message)> {
        std::mem::take(&mut self.messages)
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

    /// Saves the game, and goes on with a new one that is restored from that state, as after a restart of the server. Players stay.
    ///
    /// # Errors
    /// If the state cannot be saved or restored.
    pub fn save_and_restore(&mut self) -> Result<(), SaveError> {
        let mut state = Vec::new();
        self.game.save(&mut state)?;
        let mut restored = RoomGame::new(&self.settings);
        restored.restore(&state)?;
        self.game = restored;
        Ok(())
    }

    /// A hash of everything that the newest frame shows, and of the events and messages since the last call, which are taken.
    pub(super) fn take_shown_hash(&mut self) -> u64 {
        let cells = 0..self.history.schema().grid.cell_count() as u32;
        let mut hasher = DefaultHasher::new();
        for cell in cells {
            hasher.write_u64(self.history.cell_hash(tickwire_sync::CellId(cell)));
        }
        let mut payload = Vec::new();
        for event in self.take_events() {
            event.encode(&mut payload);
        }
        for (player, message) in self.take_messages() {
            payload.extend(player.0.to_le_bytes());
            message.encode(&mut payload);
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
