//! The receiver of one connection's messages, as `net` sees it.
//!
//! A [`Handler`] runs inside the connection's reader, so it must not block and needs no locks.

use std::time::Instant;

use crate::close::{Close, CloseCode, DisconnectReason};
use crate::net::io::polled_connection::Migration;

/// Receives the messages of one connection's peer. Owned by the connection's reader.
pub trait Handler: Send + 'static {
    /// A complete binary message, which arrived at `arrived`; reading it may be up to a tick later. `is_over_limit`: the peer
    /// has sent more in this second than a client needs; accept the message, but do no work for it that takes time from
    /// others. Must not block.
    ///
    /// # Errors
    /// A [`Close`] ends the connection with its code and reason.
    fn message(
        &mut self,
        payload: &[u8],
        arrived: Instant,
        is_over_limit: bool,
    ) -> Result<(), Close>;

    /// Prefetches what [`Handler::message`] touches beside the handler itself.
    fn prefetch(&self) {}

    /// A complete text message. Called only where the connection's limits allow text.
    ///
    /// # Errors
    /// A [`Close`] ends the connection with its code and reason.
    fn text(&mut self, _payload: &[u8]) -> Result<(), Close> {
        Err(Close::new(
            CloseCode::TextMessage,
            "only binary messages are accepted",
        ))
    }

    /// Whether another thread shall poll the connection from now on: [`Handler::take_migration`] passes the connection on to it.
    fn wants_migration(&self) -> bool {
        false
    }

    /// Passes the connection on to the thread that shall poll it from now on; returned once.
    fn take_migration(&mut self) -> Option<Migration> {
        None
    }

    /// The peer sends more messages than a client needs: warns the player before the connection is closed.
    fn flood_warning(&mut self) {}

    /// No message goes either way any more, for whatever reason. Called exactly once, as the last call. (The socket may take
    /// some seconds more for the closing handshake. It is freed with the last `Arc<Connection>`, so drop yours here.)
    fn closed(&mut self, why: DisconnectReason);
}
