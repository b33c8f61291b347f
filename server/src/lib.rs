//! The authoritative server.
//!
//! From the outside in: [`config`] and [`serve`] (the life of the process), [`ops`] (the operators' port), [`net`]
//! (sockets, frames, limits); then [`lobby`] (from a first message to a place in a room), workers (threads that tick rooms
//! by deadline) and [`room`] (one world and its sessions). A game of your own runs by [`main`]; see docs/GAME_GUIDE.md.

pub mod clock;
pub mod close;
pub mod config;
mod files;
mod http;
pub mod lobby;
pub mod metrics;
pub mod net;
pub mod ops;
mod program;
pub mod room;
pub mod serve;
pub mod shutdown;
pub mod ticket;
pub mod tls;
mod worker;

pub use program::{main, main_of};

use config::Config;
pub use lobby::NewGame;
use lobby::{Lobby, LobbyError};
use metrics::{Metrics, MetricsError};
use serve::StartError;
use std::sync::Arc;

/// Why the server ended, or did not start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The metrics.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The rooms.
    #[error(transparent)]
    Lobby(#[from] LobbyError),
    /// The ports.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Runs a server whose rooms play the game that `new_game` makes, until it is asked to drain. Must be called inside of a tokio runtime.
///
/// # Errors
/// If it cannot start.
pub async fn run(config: Config, new_game: NewGame) -> Result<(), RunError> {
    Ok(start(config, new_game)?.run().await?)
}

/// Starts a server without waiting for its end: for tests, and for programs that do more than serve.
///
/// # Errors
/// If it cannot start.
pub fn start(config: Config, new_game: NewGame) -> Result<serve::Server<Lobby>, RunError> {
    let metrics = Arc::new(Metrics::new()?);
    let config = Arc::new(config);
    let lobby = Lobby::start(Arc::clone(&config), Arc::clone(&metrics), new_game)?;
    Ok(serve::start(config, lobby, metrics)?)
}
