//! What a room needs of a connection.

use crate::close::Close;
use crate::net::connection::{Connection, SendOutcome};
use tickwire_sync::Micros;

/// One client's connection, as a room sees it. Nothing here blocks.
pub trait Link: Send + Sync + 'static {
    /// Sends a message (the parts, one after the other) if that can begin now; else nothing of it is taken.
    fn try_send(&self, parts: &[&[u8]]) -> SendOutcome;

    /// Sends a message that must arrive.
    fn send(&self, message: &[u8]);

    /// Ends the connection.
    fn close(&self, close: &Close);

    /// The steady round trip by WebSocket ping, without what queued behind stalls; `None` before the first pong.
    fn round_trip(&self) -> Option<Micros>;

    /// Bytes that wait in our memory because the kernel does not take them.
    fn pending_bytes(&self) -> usize;
}

impl Link for Connection {
    fn try_send(&self, parts: &[&[u8]]) -> SendOutcome {
        Self::try_send(self, parts)
    }

    fn send(&self, message: &[u8]) {
        // Whether it was taken, the reading side says soon enough.
        let _ = Self::send(self, &[message]);
    }

    fn close(&self, close: &Close) {
        Self::close(self, close);
    }

    fn round_trip(&self) -> Option<Micros> {
        self.rtt().map(|rtt| Micros(rtt.steady.as_micros() as u64))
    }

    fn pending_bytes(&self) -> usize {
        Self::pending_bytes(self)
    }
}
