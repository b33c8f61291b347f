//! The conformance game: a script of ten seconds that takes a client through every feature of the protocol.
//!
//! It is no game to play. A stranger's client joins a room of its own, and compares the view hash of every snapshot:
//! `tickwire-server --game conformance --hash-every-snapshot`. docs/PROTOCOL.md ("Try your client") says how.
//!
//! The script is [`SCRIPT_TICKS`] ticks long and repeats. A new room begins at 0; the row of kind `tally` says where the script is. In one
//! run there are
//! - rows of every shape: with 64 lanes and with none, continuous, discrete and wrapping lanes, lanes of every meaning, private lanes, texts;
//! - texts that change alone, with lanes, in letters of one to four bytes, and become empty;
//! - slots that are reused in the tick in which they became vacant, in the same cell and in another one, and later;
//! - rows that cross cells, leave the view, and go from layer to layer; layers that come and go; teleports;
//! - a view that glides, leaps away and back, and lies outside of the grid;
//! - a crowded cell, which goes in parts to a client that takes them: in the first snapshots, and over thin lines;
//! - events of every kind of payload, in one cell, in several and in the global one, more than a cell keeps in one tick;
//! - messages to everybody, to a layer and to one player; commands and inputs that come back;
//! - a map that comes in parts to a client that takes them.
//!
//! `script` says where the view is at which tick, `world` has the rows, `cast` the events and messages, `schema` what there is.

mod cast;
mod schema;
mod script;
mod world;

pub use schema::{GHOST, MARK, MOTE, PANEL, PROBE, SIGN, SPARK, TALLY};
pub use script::{BLINK, MAP_BYTES, SCRIPT_TICKS};

use script::ScriptTick;
use std::sync::Arc;
use tickwire_game::{Game, GameSettings, Identity, Refusal, Step};
use tickwire_sync::frame::Publisher;
use tickwire_sync::interest::InterestArea;
use tickwire_sync::{EntityId, PlayerId, Schema};
use world::World;

/// The name that `--game` and `Welcome` use.
pub const NAME: &str = "conformance";

/// One room of the conformance game.
pub struct Conformance {
    schema: Arc<Schema>,
    world: World,
    /// Commands that go back with the next step, in order.
    echoes: Vec<(PlayerId, Vec<u8>)>,
}

impl Conformance {
    /// A room at the beginning of the script. Nothing in it is random, so it is the same with all settings.
    #[must_use]
    pub fn new(_: &GameSettings) -> Self {
        Self {
            schema: Arc::new(schema::schema()),
            world: World::default(),
            echoes: Vec::new(),
        }
    }
}

impl Game for Conformance {
    fn name(&self) -> &'static str {
        NAME
    }

    fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.schema)
    }

    /// Byte n is n modulo 251.
    fn map(&self) -> Vec<u8> {
        (0..MAP_BYTES).map(|at| (at % 251) as u8).collect()
    }

    fn rules_hash(&self) -> u64 {
        0
    }

    fn join(&mut self, player: PlayerId, identity: &Identity) -> Result<Option<EntityId>, Refusal> {
        if identity.is_spectator {
            return Ok(None);
        }
        Ok(Some(self.world.join(player, &identity.name)))
    }

    fn rename(&mut self, player: PlayerId, name: &str) {
        self.world.rename(player, name);
    }

    fn command(&mut self, player: PlayerId, payload: &[u8]) {
        self.echoes.push((player, payload.to_vec()));
    }

    fn leave(&mut self, player: PlayerId) {
        self.world.leave(player);
    }

    fn step(&mut self, step: &mut Step<'_>) {
        self.world.step(step.inputs);
        let at = self.world.at();
        cast::events(at, step);
        cast::messages(at, self.echoes.drain(..), step.messages);
    }

    fn publish(&self, out: &mut Publisher<'_>) {
        self.world.publish(out);
    }

    fn interest_area(&self, _: PlayerId) -> InterestArea {
        let ScriptTick(at) = self.world.at();
        script::interest_area(at)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use super::*;
    use tickwire_game::testing::RawRoom;

    fn room() -> RawRoom<Conformance> {
        let settings = GameSettings {
            tick_rate: 60,
            ..GameSettings::default()
        };
        let mut room = RawRoom::new(Box::new(Conformance::new(&settings)), &settings);
        room.try_join("Ada", false).unwrap();
        room
    }

    #[test]
    fn the_schema_is_valid() {
        schema::schema().validate().unwrap();
    }

    #[test]
    fn two_rooms_are_alike_in_every_tick_of_two_runs() {
        let (mut one, mut other) = (room(), room());
        for _ in 0..2 * SCRIPT_TICKS {
            one.step(1);
            other.step(1);
            assert_eq!(one.take_shown_hash(), other.take_shown_hash());
        }
    }

    #[test]
    fn a_command_comes_back_to_its_player_alone() {
        let mut room = room();
        let other = room.try_join("Bob", false).unwrap();
        room.step(1);
        room.take_messages();
        room.command(other, &[9, 8]);
        room.step(1);
        // Kind 1, 2 bytes.
        assert_eq!(room.take_messages(), [(other, vec![1, 2, 9, 8])]);
    }
}
