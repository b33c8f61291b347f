//! The trait that a game author implements: one object a room.

use crate::step::Step;
use std::collections::BTreeMap;
use std::sync::Arc;
use thiserror::Error;
use tickwire_rules::Rules;
use tickwire_sync::frame::Publisher;
use tickwire_sync::interest::InterestArea;
use tickwire_sync::{EntityId, PlayerId, Schema};

/// Names with values, such as `mode` with `duel`: what a match asked of a room, and what a game tells of one.
pub type Tags = BTreeMap<String, String>;

/// What a room tells its game when it is made.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GameSettings {
    /// The room's name, for instance to choose a map or a mode by. Empty for the game made at the server's start to check its
    /// schema.
    pub room: String,
    /// The seed of all randomness.
    pub seed: u64,
    /// Ticks per second.
    pub tick_rate: u32,
    /// How many computer-controlled players to run (`--npcs`); 0 for a game without them.
    pub npcs: u32,
    /// What the match that opened the room asked for, for instance to choose a map or a mode by. Up to 16 names of up to 32 letters,
    /// digits, - and _, with values of up to 64 characters. They come from a stranger, so every value is possible. Empty for a room that
    /// was opened by its name.
    pub tags: Tags,
    /// How many players the room takes, spectators included, from 1; 0 for the game made at the server's start.
    pub max_players: u32,
}

/// Who joins a room.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The name that others see; cleaned, and never empty.
    pub name: String,
    /// The player's identity beyond this server (`sub` of the ticket); `None` without a ticket.
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

/// Why a game's state cannot be saved or restored.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum SaveError {
    /// The game does not implement `save` and `restore`.
    #[error("this game does not save its state")]
    Unsupported,
    /// The state is of another version of the game, or damaged.
    #[error("the saved state cannot be read: {0}")]
    Unreadable(String),
}

/// A game: the world of one room, and its rules. This is the raw layer, in integers and bytes. Most games are better written with
/// the `tickwire` crate, which derives everything here from plain types.
///
/// Each tick the server calls [`Game::step`] and then [`Game::publish`]. The step must be deterministic: the same calls in
/// the same order give the same rows, on every machine. So no clock, no iteration over hash maps, no std `sin` or `powf`
/// (use glam's functions).
pub trait Game: Send {
    /// The name that `--game` and `Welcome` use.
    fn name(&self) -> &'static str;

    /// What the game replicates. It stays the same for the room's whole life.
    fn schema(&self) -> Arc<Schema>;

    /// The map, in the game's own encoding. Each client gets it once.
    fn map(&self) -> Vec<u8>;

    /// A hash that changes whenever the movement rules do. A client whose rules have another hash plays without prediction.
    fn rules_hash(&self) -> u64;

    /// The movement rules, as clients predict with them. `None`: nothing is predicted. The server tries the rules module against
    /// them at its start.
    fn rules(&self) -> Option<Box<dyn Rules>> {
        None
    }

    /// The same rules as a WebAssembly module, which clients without native rules load. Empty: there is none.
    fn rules_module(&self) -> &'static [u8] {
        &[]
    }

    /// Why there is no rules module, and what to run, for the operator; empty if there is one or nothing is predicted.
    fn rules_note(&self) -> &'static str {
        ""
    }

    /// The game was restored from a state that is older than what players have seen of it: what comes from now on must not get an id
    /// that something could have had meanwhile. A game that hands out the ids of [`EntityId`] by generations skips 2^16 of them.
    fn skip_ids(&mut self) {}

    /// A player joins. Returns the player's own entity, which stays the same for the whole session; `None` for a spectator.
    ///
    /// # Errors
    /// If the game refuses the player; the client gets the reason.
    fn join(&mut self, player: PlayerId, identity: &Identity) -> Result<Option<EntityId>, Refusal>;

    /// A player's name has changed since they joined, because it belongs to a player whose login service says so.
    fn rename(&mut self, player: PlayerId, name: &str) {
        let _ = (player, name);
    }

    /// A player's connection is lost. The session waits for the resume window; the player's input is neutral meanwhile.
    fn away(&mut self, player: PlayerId) {
        let _ = player;
    }

    /// A player whose connection was lost is back.
    fn resume(&mut self, player: PlayerId) {
        let _ = player;
    }

    /// A player's client sends a command, in the game's own encoding: something that is no input of a tick. Each command comes
    /// once and in order, also over a resume. It comes from a stranger, so every value is possible; ignore what cannot be read.
    fn command(&mut self, player: PlayerId, payload: &[u8]) {
        let _ = (player, payload);
    }

    /// A player writes a line of chat, which is cleaned and not empty. Returns whether everybody gets it. A game can hold back a
    /// line that is a command to the game, or unfit to be read.
    fn chat(&mut self, player: PlayerId, line: &str) -> bool {
        let _ = (player, line);
        true
    }

    /// A message of another room of this game, in the game's own encoding ([`Step::room_messages`]). Each comes once, between two ticks, at
    /// whatever nodes the rooms are. A room that nobody is connected to gets it too, without a tick. The other room may run another version of
    /// the game, so ignore what cannot be read.
    fn room_message(&mut self, from: &str, payload: &[u8]) {
        let _ = (from, payload);
    }

    /// A player has left for good, or was kicked ([`Step::kick`]).
    fn leave(&mut self, player: PlayerId);

    /// Simulates one tick.
    fn step(&mut self, step: &mut Step<'_>);

    /// Publishes every entity that exists now.
    fn publish(&self, out: &mut Publisher<'_>);

    /// What the list of rooms shows of this one beside its tags, such as the map or the score: everybody may read it. Asked at most
    /// once a second, and only where rooms are listed (`--room-list`). Up to 16 names of 32 bytes with values of 256 bytes are shown.
    fn metadata(&self) -> Tags {
        Tags::new()
    }

    /// The part of the world that a player is sent.
    fn interest_area(&self, player: PlayerId) -> InterestArea;

    /// Appends the whole state of the world to `out`: everything that [`Self::step`] and [`Self::publish`] depend on.
    ///
    /// # Errors
    /// [`SaveError::Unsupported`] for a game that does not save its state, which is the default.
    fn save(&self, out: &mut Vec<u8>) -> Result<(), SaveError> {
        let _ = out;
        Err(SaveError::Unsupported)
    }

    /// Takes over a state that [`Self::save`] gave, on a game that was just made. From then on the same calls give the same rows
    /// as in the game that was saved.
    ///
    /// # Errors
    /// If the game does not save its state, or `state` cannot be read; the game must not be used then.
    fn restore(&mut self, state: &[u8]) -> Result<(), SaveError> {
        let _ = state;
        Err(SaveError::Unsupported)
    }
}
