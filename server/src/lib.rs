//! Tickwire's authoritative game server: it serves players over WebSocket, ticks rooms by deadline, and replicates their worlds.
//!
//! A program that serves a game of its own is a [`Program`]. A program that does more than serve calls [`run`] or [`start`]
//! inside a tokio runtime. docs/GAME_GUIDE.md shows both.
//!
//! The modules inside, in the order in which a message passes through them: `net` (sockets, HTTP, WebSocket frames, limits),
//! `lobby` (from a first message to a place in a room), `worker` (threads that tick rooms by deadline), and `room` (one world
//! and its sessions). Beside them: `cluster` (this node among others), `recorder` (rooms in files), `serve` (the life of the process), `ops` (the operators' port), and `metrics`.

mod agones;
mod checkpoint;
mod clock;
mod close;
mod cluster;
pub mod config;
mod fair_share;
mod fd_budget;
mod freed_memory;
mod healthcheck;
mod host;
mod http_answers;
mod http_post;
mod join_hook;
mod labels;
mod lobby;
mod log_limit;
mod metrics;
mod moderation;
mod net;
mod network;
mod ops;
mod origin;
mod page_file;
mod program;
mod recorder;
mod room;
mod serve;
mod shutdown;
mod systemd;
mod thread_end;
mod ticket;
mod tls;
mod token_bucket;
mod trusted_proxy;
mod worker;

pub use cluster::JoinClusterError;
pub use lobby::{LobbyError, NewGame};
pub use metrics::MetricsError;
pub use page_file::PageFile;
pub use program::{Program, main};
pub use recorder::RecorderError;
pub use serve::StartError;
pub use shutdown::Shutdown;
pub use ticket::{KeysError, TicketKeys};
pub use tls::{TlsError, TlsSource};

use config::Config;
use lobby::Lobby;
use metrics::Metrics;
use net::http::Site;
use std::sync::Arc;

/// A server that listens; see [`start`].
pub type Server = serve::Server<Lobby>;

/// Why the server ended, or did not start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The metrics cannot be registered.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The workers cannot start, or the game cannot be played.
    #[error(transparent)]
    Lobby(#[from] LobbyError),
    /// A port cannot be opened, or signals cannot be received.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Runs a server whose rooms play the game that `new_game` makes, until it is asked to drain. Must be called inside a tokio runtime.
///
/// # Errors
/// If it cannot start.
pub async fn run(config: Config, new_game: NewGame) -> Result<(), RunError> {
    Ok(start(config, new_game)?.run().await?)
}

/// Starts a server without waiting for its end: for tests, and for programs that do more than serve. Must be called inside a
/// tokio runtime. The game has no page; see [`start_with_page`].
///
/// # Errors
/// If it cannot start.
pub fn start(config: Config, new_game: NewGame) -> Result<Server, RunError> {
    start_with_page(config, new_game, &[])
}

/// Starts a server, like [`start`], that serves the game's page.
///
/// # Errors
/// If it cannot start.
pub fn start_with_page(
    config: Config,
    new_game: NewGame,
    page: &'static [PageFile],
) -> Result<Server, RunError> {
    if config.cluster.is_some() {
        clock::begin_with_the_wall();
    }
    let metrics = Arc::new(Metrics::new()?);
    let config = Arc::new(config);
    let lobby = Lobby::start(Arc::clone(&config), Arc::clone(&metrics), new_game)?;
    let site = Site::new(lobby.game_name(), page, &config);
    Ok(serve::start(config, lobby, site, metrics)?)
}

/// Parts that the benches and tests of this workspace drive directly. They change without notice.
#[doc(hidden)]
pub mod internals {
    pub use crate::close::{Close, CloseCode, DisconnectReason};
    pub use crate::labels::Label;
    pub use crate::lobby::OverLimit;
    pub use crate::metrics::{InputOutcome, Metrics};
    pub use crate::moderation::{ActedOn, Entry, Moderation, SessionAction, SessionIdentity, Whom};
    pub use crate::net::accept::serve_stream;
    pub use crate::net::http::{GamePort, Site};
    pub use crate::net::peer::connection::{Connection, MAX_GAME_PENDING_BYTES};
    pub use crate::net::peer::flood::{FloodDetector, FloodVerdict, max_messages_per_second};
    pub use crate::net::peer::handler::Handler;
    pub use crate::net::peer::rtt::{RttEstimate, RttEstimator};
    pub use crate::net::peer::send::{SendOutcome, SendRequest};
    pub use crate::net::room_service::{
        ListedRoom, MatchMode, MatchRefusal, MatchRequest, Matched, PublicState, RoomListPage,
        RoomListQuery, RoomService, RoomState,
    };
    pub use crate::net::rules_module::RulesModule;
    pub use crate::net::websocket::frame::{FrameDecoder, FrameEvent, FrameLimits};
    pub use crate::net::websocket::violation::Violation;
    pub use crate::ops::{Health, RoomOperations};
    pub use crate::recorder::{Clip, ClipError};
    pub use crate::room::{
        ChatLine, Footprint, Inbox, InboxMessage, JoinError, JoinRequest, Link, Moment, PhaseTimes,
        ReceivedInput, RestoreError, RestorePoint, Room, RoomSettings, RoomStats,
    };
    pub use crate::serve::{Server, start};

    /// Whether these bytes are a checkpoint, for the fuzz target of what reads them.
    #[must_use]
    pub fn is_checkpoint(bytes: &[u8]) -> bool {
        crate::checkpoint::open(bytes).is_ok()
    }

    pub use crate::ticket::{Ticket, TicketError, check as check_ticket};
    pub use crate::tls::Tls;
}
