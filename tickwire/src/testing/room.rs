//! A room without sockets: steps a game tick by tick, as the server does.

use crate::game::Game;
use crate::room_game::RoomGame;
use crate::world::HasKind;
use std::sync::Arc;
use tickwire_game::testing::RawRoom;
use tickwire_game::{Game as RawGame, GameSettings, Refusal, RoomRecipient, SaveError};
use tickwire_rules::{Entity, Id, Input as _, Payload};
use tickwire_sync::{PlayerId, Tick};

/// A room of one game for tests: players join, hold and press inputs, and the room makes as many ticks as the test asks for.
///
/// Players' screens show the newest frame, so that a rewound world is the one of the tick before.
pub struct TestRoom<G: Game> {
    room: RawRoom<RoomGame<G>>,
    settings: GameSettings,
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
            ..GameSettings::default()
        })
    }

    /// A room with these settings.
    #[must_use]
    pub fn with(settings: GameSettings) -> Self {
        Self {
            room: RawRoom::new(Box::new(RoomGame::new(&settings)), &settings),
            settings,
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
        self.room.try_join(name, is_spectator)
    }

    /// A player leaves for good.
    pub fn leave(&mut self, player: PlayerId) {
        self.room.leave(player);
    }

    /// A player's connection is lost: the input is neutral until [`Self::resume`].
    pub fn away(&mut self, player: PlayerId) {
        self.room.away(player);
    }

    /// A player's connection is back.
    pub fn resume(&mut self, player: PlayerId) {
        self.room.resume(player);
    }

    /// Sets a player's input for every tick from the next one on.
    pub fn hold(&mut self, player: PlayerId, input: &G::Input) {
        self.room.hold(player, &input.to_payload());
    }

    /// Sets a player's input for the next tick alone.
    pub fn press(&mut self, player: PlayerId, input: &G::Input) {
        self.room.press(player, &input.to_payload());
    }

    /// Lets no input of a player come for so many ticks: the room repeats the last one, without its `once` fields, for up to a quarter of
    /// a second.
    pub fn stall(&mut self, player: PlayerId, ticks: u32) {
        self.room.stall(player, ticks);
    }

    /// A player sends a command.
    pub fn command(&mut self, player: PlayerId, command: &G::Command) {
        let mut payload = Vec::new();
        command.encode(&mut payload);
        self.room.command(player, &payload);
    }

    /// A player writes a line of chat. Returns whether everybody gets it.
    pub fn chat(&mut self, player: PlayerId, line: &str) -> bool {
        self.room.chat(player, line)
    }

    /// Makes so many ticks.
    pub fn step(&mut self, ticks: u32) {
        self.room.step(ticks);
    }

    /// Skips so many ticks, as a server that is late does.
    pub fn skip(&mut self, ticks: u32) {
        self.room.skip(ticks);
    }

    /// The newest tick.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.room.tick()
    }

    /// The game.
    #[must_use]
    pub fn game(&self) -> &G {
        self.room.game().game()
    }

    /// The game, to arrange what a test needs.
    pub fn game_mut(&mut self) -> &mut G {
        self.room.game_mut().game_mut()
    }

    /// The entities of a kind as the newest frame has them, by slot: what clients are sent. Private fields are 0.
    #[must_use]
    pub fn rows<T: Entity>(&self) -> Vec<(Id<T>, T)>
    where
        G: HasKind<T>,
    {
        let Some(frame) = self.room.history().newest() else {
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
        let events = self.room.take_events().into_iter();
        events
            .filter_map(|(kind, payload)| G::Event::decode_fields(kind, &payload).ok())
            .collect()
    }

    /// Takes the messages since the last call, with who got them.
    pub fn take_messages(&mut self) -> Vec<(PlayerId, G::Message)> {
        let messages = self.room.take_messages().into_iter();
        messages
            .filter_map(|(player, payload)| Some((player, G::Message::decode(&payload).ok()?)))
            .collect()
    }

    /// A message of another room comes.
    pub fn room_message(&mut self, from: &str, message: &G::RoomMessage) {
        let mut payload = Vec::new();
        message.encode(&mut payload);
        self.room.room_message(from, &payload);
    }

    /// Takes the messages to other rooms since the last call, with who is to get them.
    pub fn take_room_messages(&mut self) -> Vec<(RoomRecipient, G::RoomMessage)> {
        let messages = self.room.take_room_messages().into_iter();
        messages
            .filter_map(|(to, payload)| Some((to, G::RoomMessage::decode(&payload).ok()?)))
            .collect()
    }

    /// Takes the players who were kicked since the last call, and why.
    pub fn take_kicked(&mut self) -> Vec<(PlayerId, String)> {
        self.room.take_kicked()
    }

    /// How many shots the game has counted.
    #[must_use]
    pub fn shot_count(&self) -> usize {
        self.room.shot_count()
    }

    /// Saves the game, and goes on with a new one that is restored from that state, as after a restart of the server. Players stay.
    ///
    /// # Errors
    /// If the state cannot be saved or restored.
    pub fn save_and_restore(&mut self) -> Result<(), SaveError> {
        let mut state = Vec::new();
        self.room.game().save(&mut state)?;
        let mut restored = RoomGame::new(&self.settings);
        restored.restore(&state)?;
        self.room.replace_game(Box::new(restored));
        Ok(())
    }
}
