//! The seam between the outer layer and the rooms: what `net` and `ops` need from what is behind.
//!
//! `net` knows connections, frames and limits; a room knows players. A [`Handler`] is one
//! connection's receiver and runs inside of the connection's reading side, so it must not block
//! and has no need of locks; [`Rooms`] is the one thing that makes handlers and answers operators.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use super::connection::Connection;
use super::served::Move;
use crate::close::{Close, CloseCode, Disconnect};

/// Receives what one connection's peer says. Owned by the reading side.
pub trait Handler: Send + 'static {
    /// A complete binary message, and when it came (the reading may be up to a tick later). `is_excess`: it is more than what anyone
    /// needs in a second; take it, but do nothing for it that costs others time. Must not block.
    ///
    /// # Errors
    /// A [`Close`] ends the connection with its code and reason.
    fn message(&mut self, payload: &[u8], arrived: Instant, is_excess: bool) -> Result<(), Close>;

    /// A complete text message; only where the connection's rules take text.
    ///
    /// # Errors
    /// A [`Close`] ends the connection with its code and reason.
    fn text(&mut self, _payload: &[u8]) -> Result<(), Close> {
        Err(Close::new(
            CloseCode::Unsupported,
            "only binary messages are spoken here",
        ))
    }

    /// Asks for what [`Handler::message`] will touch beside itself; see `tickwire_prefetch`.
    fn prefetch(&self) {}

    /// Whether another thread shall call from now on; then [`Handler::take_move`] says which.
    fn moves(&self) -> bool {
        false
    }

    /// The way to the thread that shall call from now on, once.
    fn take_move(&mut self) -> Option<Move> {
        None
    }

    /// The peer sends more messages than anyone needs: tell the player before it is shut out.
    fn flood_warning(&mut self) {}

    /// No message goes either way any more, for whatever reason. Called exactly once, and nothing
    /// after it. (The socket may take some seconds more for the closing handshake. It is freed with
    /// the last `Arc<Connection>`, so let go of yours here.)
    fn closed(&mut self, why: Disconnect);
}

/// How the rooms feel; asked for `/healthz` and `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The tick loop moves.
    pub alive: bool,
    /// New players are welcome (not draining, not late). Draining by `net` itself counts as well.
    pub ready: bool,
    /// For a person: what is wrong, or "ok".
    pub detail: String,
}

impl Health {
    /// Alive and ready.
    #[must_use]
    pub fn ok() -> Self {
        Self {
            alive: true,
            ready: true,
            detail: "ok".to_owned(),
        }
    }
}

/// What is behind the outer layer.
pub trait Rooms: Send + Sync + 'static {
    /// What receives a connection's messages.
    type Handler: Handler;

    /// A WebSocket was opened on `/ws`, with the room that its URL names, if any (as it came: the
    /// name is not yet validated). Until [`Connection::mark_greeted`] was called, the connection is closed
    /// with 4003 at `deadline`.
    fn connected(
        self: &Arc<Self>,
        connection: Arc<Connection>,
        room: Option<String>,
        deadline: Instant,
    ) -> Self::Handler;

    /// The state of a room, for `/rooms/NAME/state`; none if there is no such room.
    fn room_state(&self, room: &str)
    -> impl Future<Output = Option<Arc<serde_json::Value>>> + Send;

    /// The list of rooms, for `GET /rooms` of the operations port.
    fn rooms(&self) -> impl Future<Output = serde_json::Value> + Send;

    /// Tells all players, or those of one room; gives how many were told.
    ///
    /// # Errors
    /// A sentence for the operator, if there is no such room.
    fn notice(
        &self,
        text: &str,
        room: Option<&str>,
    ) -> impl Future<Output = Result<usize, String>> + Send;

    /// How the rooms feel. Must be cheap: probes ask every second.
    fn health(&self) -> Health;

    /// The server drains: say `Goodbye` to every player and close with 1001. What is still open a
    /// moment after this returns is closed by `net`.
    fn drain(&self) -> impl Future<Output = ()> + Send;
}
