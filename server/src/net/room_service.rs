//! What the game port needs from whatever serves rooms.
//!
//! `net` knows connections, frames and limits; behind this trait are rooms and players, which `net` knows only by name.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;

use super::peer::connection::Connection;
use super::peer::handler::Handler;
use super::rules_module::RulesModule;

/// What a request for a room's state gets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RoomState {
    /// The state as JSON.
    Json(Bytes),
    /// There is no such room.
    Missing,
    /// The worker has no time.
    Busy,
}

/// The rooms, as connections and the game port see them.
pub trait RoomService: Send + Sync + 'static {
    /// Receives one connection's messages.
    type Handler: Handler;

    /// A WebSocket was opened on `/ws`. `room` is the name in the URL, if there is one, not yet validated. The connection is
    /// closed with 4003 unless [`Connection::mark_hello_received`] is called before the handshake timeout.
    fn connected(
        self: &Arc<Self>,
        connection: Arc<Connection>,
        room: Option<String>,
    ) -> Self::Handler;

    /// The rules module that clients of all rooms may load, if there is one.
    fn rules_module(&self) -> Option<&RulesModule>;

    /// Whether ticks are late now, so that handshakes must take less time. Must be cheap.
    fn are_ticks_late(&self) -> bool;

    /// The state of a room, for `/rooms/NAME/state`.
    fn room_state(&self, room: &str) -> impl Future<Output = RoomState> + Send;
}
