//! Games: the [`Game`] trait that an author implements, and the games that ship with Tickwire.
//!
//! In: one input per player and tick, and what each player's screen showed. Out: rows, events and messages. A game is
//! deterministic: its randomness comes from the room's seed, and its time is the tick. A game knows no sockets and no
//! encodings, and the server knows no game's rules. Movement that clients predict is a [`Rules`] of its own.

pub mod arena;
pub mod entity;
mod game;
mod messages;
mod step;

pub use game::{Game, GameSettings, Identity, Refusal, SaveError};
/// The vector types of positions and areas of interest, re-exported so that a game uses the same version.
pub use glam;
pub use messages::{Messages, Recipient};
/// The keys that [`entity::id`] takes, re-exported for the same reason.
pub use slotmap;
pub use step::{PlayerInput, PlayerInputs, Shot, ShotOutcome, Shots, Step};
pub use tickwire_rules::{
    NearbyCollector, NearbyRows, RuleContext, RuleInput, Rules, hash_of_sources,
};

/// Makes the game of a room.
pub type NewShipped = fn(&GameSettings) -> Box<dyn Game>;

/// A shipped game by its name; `None` if there is none.
#[must_use]
pub fn shipped(name: &str) -> Option<NewShipped> {
    match name {
        arena::NAME => Some(|settings| Box::new(arena::Arena::new(settings))),
        _ => None,
    }
}

/// The names of the shipped games.
pub const SHIPPED: [&str; 1] = [arena::NAME];

/// The movement rules of a shipped game, for a client to predict with. `None` for an unknown game, an unreadable map, or rules
/// with another hash than the server's.
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
