//! What the end-to-end tests of the arena share: a server that plays it, and players who predict by its native rules.

use tickwire::RoomGame;
use tickwire_arena::Arena;
use tickwire_tests::TestServer;

/// Starts a server that plays the arena, on free ports, with more flags.
///
/// # Panics
/// If it does not start.
#[must_use]
pub fn arena_server(flags: &[&str]) -> TestServer {
    TestServer::start_with(flags, |settings| Box::new(RoomGame::<Arena>::new(settings)))
}
