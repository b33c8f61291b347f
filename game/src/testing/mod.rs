//! Helpers for the tests of raw games: a room without sockets, and a check of saved state. Typed games have theirs in
//! `tickwire::testing`.
//!
//! In: players, inputs and ticks. Out: the game, its frames, events and messages. Nothing here opens a socket or reads a clock.

mod restore;
mod room;

pub use restore::assert_plays_on_after_restore;
pub use room::RawRoom;
