//! What the end-to-end tests share: a real server on a free port, and clients that speak the wire.
//!
//! [`TestServer`] runs the very server in this process; [`RawClient`] speaks single messages, right or wrong, and
//! [`Player`] is the client core on a socket. Every wait has a bound and waits for an event, never for time.

#![allow(clippy::unwrap_used, clippy::expect_used)] // test support: whatever is not there has failed the test

mod player;
mod raw;
mod server;

pub use player::Player;
pub use raw::{Ended, RawClient};
pub use server::{TestServer, http_get, http_post};

use std::time::Duration;

/// Longer than anything here takes, also on a slow, busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for what must come.
///
/// # Panics
/// If it does not.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("{what} did not come in time"))
}
