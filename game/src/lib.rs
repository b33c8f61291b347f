//! Games: the [`Game`] trait that an author implements, and the games that ship.
//!
//! In: inputs, one per player and tick, and what each player's screen showed. Out: rows, events and messages. A game is
//! deterministic: its randomness comes from the room's seed and its time is the tick. It never learns of sockets or of
//! any encoding; the server never learns of its rules. Movement that clients predict is a [`Rules`] of its own.

pub mod arena;
pub mod entity;
mod game;
mod messages;
mod rules;
mod step;

pub use game::{Game, GameSettings, Identity, Refusal};
/// The vectors of places and sights, so that there is one version of them.
pub use glam;
pub use messages::{Messages, Recipient};
pub use rules::{RuleInput, Rules, hash_of_sources};
/// The keys that [`entity::id`] takes, likewise.
pub use slotmap;
pub use step::{PlayerTurn, Shot, ShotOutcome, Shots, Step, Turns};

/// Makes a room of a shipped game.
pub type NewShipped = fn(&GameSettings) -> Box<dyn Game>;

/// A shipped game by its name. `None`: there is no such game.
#[must_use]
pub fn shipped(name: &str) -> Option<NewShipped> {
    match name {
        arena::NAME => Some(|settings| Box::new(arena::Arena::new(settings))),
        _ => None,
    }
}

/// The names of the shipped games.
pub const SHIPPED: [&str; 1] = [arena::NAME];

/// The movement rules of a shipped game, for a client that shall predict. `None`: unknown game, a map that cannot be read, or other rules than the server's.
#[must_use]
pub fn rules_for(name: &str, map: &[u8], rules_hash: u64) -> Option<Box<dyn Rules>> {
    match name {
        arena::NAME if rules_hash == arena::RULES_HASH => {
            let map = arena::Map::decode(map)?;
            Some(Box::new(arena::Movement::new(std::sync::Arc::new(map))))
        }
        _ => None,
    }
}
