//! Helpers for the tests of games: a room without sockets, and checks that hold any game to its promises.
//!
//! In: players, inputs and ticks. Out: the game, its rows, events and messages. Nothing here opens a socket or reads a clock, so a
//! test of a thousand ticks takes milliseconds.

mod checks;
mod room;

pub use checks::{assert_module_is_equal, assert_plays_on_after_restore, assert_schema_is_valid};
pub use room::TestRoom;
