//! The trait that a game author implements: one object a room.

use crate::step::Step;
use std::sync::Arc;
use thiserror::Error;
use tickwire_sync::frame::Publisher;
use tickwire_sync::view::Sight;
use tickwire_sync::{EntityId, PlayerId, Schema};

/// What a room tells its game at the start.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GameSettings {
    /// The room's name, e.g. to choose a map or a mode by. Empty for the game that is made at the server's start, to look at its schema.
    pub room: String,
    /// The only source of randomness.
    pub seed: u64,
    /// Ticks per second.
    pub tick_rate: u32,
    /// Computer-controlled players.
    pub npcs: u32,
}

/// Who joins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The name that others see; cleaned and never empty.
    pub name: String,
    /// Who that is beyond this server (`sub` of a ticket), if the server knows.
    pub subject: Option<String>,
    /// Whether this player only watches.
    pub is_spectator: bool,
}

/// Why a game does not let a player in.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{0}")]
pub struct Refusal(
    /// For the player: why, and what to do.
    pub String,
);

/// A game: the world of one room, and its rules.
///
/// Each tick the server calls [`Game::step`] and then [`Game::publish`]. The step must be deterministic: the same calls in
/// the same order give the same rows, on every machine. So no clock, no iteration over hash maps, no std `sin` or `powf`
/// (use glam's functions).
pub trait Game: Send {
    /// The name that `--game` and `Welcome` use.
    fn name(&self) -> &'static str;

    /// What the game replicates; the same for the room's whole life.
    fn schema(&self) -> Arc<Schema>;

    /// The map, in the game's own encoding; goes to each client once.
    fn map(&self) -> Vec<u8>;

    /// A hash that changes whenever the movement rules do. A client with other rules plays without prediction.
    fn rules_hash(&self) -> u64;

    /// A player joins. Returns the entity that stands for the player for the whole session (spectators: `None`).
    ///
    /// # Errors
    /// The game may refuse; the player is told why.
    fn join(&mut self, player: PlayerId, identity: &Identity) -> Result<Option<EntityId>, Refusal>;

    /// A player's connection is gone; the session waits for the resume window, and the player's input is neutral.
    fn away(&mut self, player: PlayerId) {
        let _ = player;
    }

    /// A player who was away is back.
    fn resume(&mut self, player: PlayerId) {
        let _ = player;
    }

    /// A player's client has something to say that is no input of a tick, in the game's own encoding: each once, in order, also over a
    /// resume. It comes from a stranger: what cannot be read is to be ignored, and every value is possible.
    fn command(&mut self, player: PlayerId, payload: &[u8]) {
        let _ = (player, payload);
    }

    /// A player writes a line to the room; it is cleaned and not empty. Returns whether everybody gets it: one that is a command to the
    /// game, or not fit to be read, can be held back.
    fn chat(&mut self, player: PlayerId, line: &str) -> bool {
        let _ = (player, line);
        true
    }

    /// A player has left for good, or was dismissed ([`Step::dismiss`]).
    fn leave(&mut self, player: PlayerId);

    /// One tick.
    fn step(&mut self, step: &mut Step<'_>);

    /// Puts every entity that exists now.
    fn publish(&self, out: &mut Publisher<'_>);

    /// What a player looks at now.
    fn sight(&self, player: PlayerId) -> Sight;
}
