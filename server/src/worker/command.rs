//! Commands to a worker, and the state of a room that the lobby and its worker share.

use crate::net::io::polled_connection::PolledConnection;
use crate::net::peer::connection::Connection;
use crate::room::{Inbox, JoinRequest, Room};
use serde_json::Value;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, RwLock};
use std::time::Duration;
use tokio::sync::oneshot;

/// The rooms that workers run: their links are WebSocket connections.
pub(super) type ServerRoom = Room<Connection>;

/// A command to a worker.
pub(crate) enum Command {
    /// Ticks a room from now on.
    Open(Box<ServerRoom>, Arc<RoomEntry>),
    /// Lets a player into a room.
    Join {
        room: String,
        request: Box<JoinRequest>,
        connection: Arc<Connection>,
        inbox: Arc<Inbox>,
    },
    /// Polls a connection for a room from now on and to its end. The connection has migrated from its poller.
    Adopt {
        room: String,
        connection: Box<dyn PolledConnection>,
    },
    /// Sends a notice to the players of one room, or of all. Answers how many players got it; `None`: there is no such room.
    Notice {
        text: String,
        room: Option<String>,
        answer: oneshot::Sender<Option<usize>>,
    },
    /// Answers the state of a room.
    State {
        room: String,
        answer: oneshot::Sender<Option<Arc<Value>>>,
    },
    /// Answers one summary for each room.
    List { answer: oneshot::Sender<Vec<Value>> },
    /// Says goodbye to every player.
    Goodbye {
        reason: String,
        reconnect_after: Duration,
        answer: oneshot::Sender<()>,
    },
}

/// The state of a room that the lobby (in its `RoomHandle`) and the room's worker (in its `RoomRunner`) share: it keeps a
/// [`Room`] from ending while somebody joins.
#[derive(Debug, Default)]
pub(crate) struct RoomEntry {
    /// Joins that are on their way to the worker. While there are any, the room does not end.
    pub joining: AtomicU64,
    /// Set by the worker when the room has ended; no join may be sent after that.
    pub has_ended: RwLock<bool>,
}
