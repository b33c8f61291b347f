//! Games: the raw [`Game`] trait, in integers and bytes.
//!
//! In: one input per player and tick, and what each player's screen showed. Out: rows, events and messages. A game is
//! deterministic: its randomness comes from the room's seed, and its time is the tick. A game knows no sockets and no
//! encodings, and the server knows no game's rules. Movement that clients predict is a [`Rules`] of its own.

pub mod entity;
mod game;
mod messages;
mod step;
pub mod testing;

pub use game::{Game, GameSettings, Identity, Refusal, SaveError, Tags};
/// The vector types of positions and areas of interest, re-exported so that a game uses the same version.
pub use glam;
pub use messages::{MAX_ROOM_MESSAGE_BYTES, Messages, Recipient, RoomMessages, RoomRecipient};
/// The keys that [`entity::id`] takes, re-exported for the same reason.
pub use slotmap;
pub use step::{PlayerInput, PlayerInputs, Shot, ShotOutcome, Shots, Step};
pub use tickwire_rules::{
    NearbyCollector, NearbyRows, RuleContext, RuleInput, Rules, hash_of_sources,
};
