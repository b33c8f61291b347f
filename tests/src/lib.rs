//! Support of the end-to-end tests: a real server on a free port, and clients over real sockets.
//!
//! [`TestServer`] runs the server in this process. [`RawClient`] sends single messages, valid or not. [`Player`] is the client core
//! on the native shell. [`LonePlayer`] is the client core against a room in simulated time, without sockets. Every wait has a limit and waits for an event, never for time to pass.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed unwrap fails the test"
)]

/// The shortest game of README.md, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}

/// The examples of docs/GAME_GUIDE.md that are in no other file, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../docs/GAME_GUIDE.md")]
mod game_guide {}

mod atlas;
mod lone_player;
pub mod modules;
mod player;
mod raw;
mod server;
pub mod towers;
pub mod walkers;

pub use atlas::Atlas;
pub use lone_player::LonePlayer;
pub use player::Player;
pub use raw::{ConnectionEnd, RawClient};
pub use server::{TestServer, http, http_from, http_get, http_post};

use std::time::Duration;

/// Longer than any wait takes, even on a slow, busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for a future.
///
/// # Panics
/// If it takes longer than [`PATIENCE`].
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("timed out waiting for {what}"))
}
