//! A typed game as the room takes it: in integers and bytes.
//!
//! In: the room's calls of the raw trait. Out: calls of the typed one, rows and payloads. Everything that a typed game need not know is
//! here: the schema, computer players, what is removed when a player leaves, and saved state.

use crate::game::{FIRST_COMPUTER, Game, Step, StepState};
use crate::world::{restore_field, save_field};
use std::collections::BTreeMap;
use std::sync::Arc;
use tickwire_game::{
    Game as RawGame, GameSettings, Identity, Refusal, Rules, SaveError, Step as RawStep, Tags,
};
use tickwire_rules::{ByKindName, Input, Map as _, ModuleRules, NearbyCollector, Payload};
use tickwire_sync::frame::Publisher;
use tickwire_sync::interest::InterestArea;
use tickwire_sync::{EntityId, PlayerId, Schema, ValueType};

/// More computer players than any room can have: a saved state with more is damaged.
const MAX_COMPUTERS: u32 = 1 << 16;

/// A typed game in a room.
pub struct RoomGame<G: Game> {
    game: G,
    state: StepState<G>,
    schema: Arc<Schema>,
    map: Vec<u8>,
    /// How many computer players have joined.
    computer_count: u32,
    /// How many are to join with the first tick.
    wanted_computers: u32,
}

impl<G: Game> RoomGame<G> {
    /// The game of a new room.
    ///
    /// # Panics
    /// If two kinds have the same name, or the rules cannot read the map that the game gives.
    #[must_use]
    pub fn new(settings: &GameSettings) -> Self {
        let wanted_computers = if G::COMPUTERS { settings.npcs } else { 0 };
        let setup = GameSettings {
            npcs: wanted_computers,
            ..settings.clone()
        };
        let game = G::new(&setup);
        let schema = schema::<G>();
        let map = game.map().to_bytes();
        let Some(rules) = G::Rules::new(&map) else {
            panic!(
                "the rules of {} cannot read the map of Game::map: Map::from_bytes must read what to_bytes gives",
                G::NAME
            );
        };
        for kind in schema.kinds.iter().filter(|kind| kind.predicted) {
            assert!(
                G::Rules::kind(&kind.name).is_some(),
                "kind {} is predicted, and the rules of {} do not have it: name it in rules!",
                kind.name,
                G::NAME
            );
        }
        Self {
            state: StepState {
                rules,
                rule_kinds: schema
                    .kinds
                    .iter()
                    .map(|kind| G::Rules::kind(&kind.name))
                    .collect(),
                computers: BTreeMap::new(),
                nearby: NearbyCollector::default(),
                payload: Vec::new(),
                cells: Vec::new(),
            },
            game,
            schema: Arc::new(schema),
            map,
            computer_count: 0,
            wanted_computers,
        }
    }

    /// The game.
    #[must_use]
    pub fn game(&self) -> &G {
        &self.game
    }

    /// The game.
    pub fn game_mut(&mut self) -> &mut G {
        &mut self.game
    }

    /// Lets the computer players join that are still missing. A game that refuses one gets no further ones.
    fn add_computers(&mut self) {
        while self.computer_count < self.wanted_computers {
            let player = PlayerId(FIRST_COMPUTER + self.computer_count);
            let identity = Identity {
                name: format!("Computer {}", self.computer_count + 1),
                subject: None,
                is_spectator: false,
            };
            if self.game.join(player, &identity).is_err() {
                self.remove(player);
                self.wanted_computers = self.computer_count;
                return;
            }
            self.state.computers.insert(player, G::Input::decode(&[]));
            self.computer_count += 1;
        }
    }

    fn remove(&mut self, player: PlayerId) {
        self.game
            .for_each_table_mut(&mut |_, table| table.remove_player(player));
    }
}

/// The schema of a typed game.
///
/// # Panics
/// If two kinds have the same name, or a position has other steps than the space.
fn schema<G: Game>() -> Schema {
    let kinds = G::kinds();
    for (at, kind) in kinds.iter().enumerate() {
        let steps = match kind.lanes.first().map(|lane| &lane.value) {
            Some(ValueType::Fixed { steps }) if kind.placed => *steps as i32,
            _ => G::SPACE.steps(),
        };
        assert!(
            steps == G::SPACE.steps(),
            "the position of kind {} has {steps} steps a unit and Game::SPACE has {}: write Space::new({steps}, ...)",
            kind.name,
            G::SPACE.steps()
        );
        assert!(
            kinds[..at].iter().all(|other| other.name != kind.name),
            "two kinds of {} are called {}: give one of them another name with #[entity(name = \"...\")]",
            G::NAME,
            kind.name
        );
    }
    Schema {
        kinds,
        events: G::Event::kinds(),
        grid: G::SPACE.grid(),
        input: G::Input::fields(),
        commands: G::Command::kinds(),
        messages: G::Message::kinds(),
    }
}

impl<G: Game> RawGame for RoomGame<G> {
    fn name(&self) -> &'static str {
        G::NAME
    }

    fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.schema)
    }

    fn map(&self) -> Vec<u8> {
        self.map.clone()
    }

    fn rules_hash(&self) -> u64 {
        G::Rules::HASH
    }

    fn rules(&self) -> Option<Box<dyn Rules>> {
        let kinds = self.schema.kinds.iter().map(|kind| &*kind.name);
        let predicts = self.schema.kinds.iter().any(|kind| kind.predicted);
        let rules = ByKindName::<G::Rules>::new(kinds, &self.map).filter(|_| predicts)?;
        Some(Box::new(rules))
    }

    fn rules_module(&self) -> &'static [u8] {
        G::Rules::MODULE
    }

    fn rules_note(&self) -> &'static str {
        G::Rules::NOTE
    }

    fn skip_ids(&mut self) {
        self.game
            .for_each_table_mut(&mut |_, table| table.skip_ids());
    }

    fn join(&mut self, player: PlayerId, identity: &Identity) -> Result<Option<EntityId>, Refusal> {
        self.game.join(player, identity).inspect_err(|_| {
            self.game
                .for_each_table_mut(&mut |_, table| table.remove_player(player));
        })?;
        Ok(self.game.own_entity(player))
    }

    fn rename(&mut self, player: PlayerId, name: &str) {
        self.game.rename(player, name);
    }

    fn away(&mut self, player: PlayerId) {
        self.game.away(player);
    }

    fn resume(&mut self, player: PlayerId) {
        self.game.resume(player);
    }

    fn command(&mut self, player: PlayerId, payload: &[u8]) {
        if let Ok(command) = G::Command::decode(payload) {
            self.game.command(player, command);
        }
    }

    fn room_message(&mut self, from: &str, payload: &[u8]) {
        if let Ok(message) = G::RoomMessage::decode(payload) {
            self.game.room_message(from, message);
        }
    }

    fn chat(&mut self, player: PlayerId, line: &str) -> bool {
        self.game.chat(player, line)
    }

    fn leave(&mut self, player: PlayerId) {
        self.game.leave(player);
        self.remove(player);
    }

    fn step(&mut self, step: &mut RawStep<'_>) {
        self.add_computers();
        for (player, input) in &mut self.state.computers {
            *input = self.game.think(*player, step.tick);
        }
        let tick = step.tick;
        self.game
            .step(&mut Step::new(step.reborrow(), &mut self.state));
        self.game
            .for_each_table_mut(&mut |_, table| table.end_tick(tick));
    }

    fn publish(&self, out: &mut Publisher<'_>) {
        self.game
            .for_each_table(&mut |kind, table| table.publish(kind, out));
    }

    fn metadata(&self) -> Tags {
        self.game.metadata()
    }

    fn interest_area(&self, player: PlayerId) -> InterestArea {
        self.game.sight(player).area()
    }

    fn save(&self, out: &mut Vec<u8>) -> Result<(), SaveError> {
        save_field(&self.computer_count, out)?;
        save_field(&self.wanted_computers, out)?;
        self.game.save(out)
    }

    fn restore(&mut self, mut state: &[u8]) -> Result<(), SaveError> {
        self.computer_count = restore_field(&mut state)?;
        self.wanted_computers = restore_field(&mut state)?;
        let computers = self.computer_count.max(self.wanted_computers);
        if computers > MAX_COMPUTERS {
            return Err(SaveError::Unreadable(format!(
                "it has {computers} computer players"
            )));
        }
        let computers = (0..self.computer_count).map(|number| PlayerId(FIRST_COMPUTER + number));
        self.state.computers = computers
            .map(|player| (player, G::Input::decode(&[])))
            .collect();
        self.game.restore(&mut state)?;
        if !state.is_empty() {
            return Err(SaveError::Unreadable("it goes on after its end".to_owned()));
        }
        // The saved room can have another map than a new one.
        self.map = self.game.map().to_bytes();
        self.state.rules = G::Rules::new(&self.map)
            .ok_or_else(|| SaveError::Unreadable("the rules cannot read its map".to_owned()))?;
        Ok(())
    }
}
