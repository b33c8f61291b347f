//! What a room needs of a connection.

use crate::close::Close;
use crate::net::connection::{Connection, SendOutcome};
use crate::net::together;
use arrayvec::ArrayVec;
use tickwire_sync::Micros;

/// Messages that can be sent to one link at once.
pub const MOST_AT_ONCE: usize = 3;

/// Messages for one link.
#[derive(Debug)]
pub struct ToSend<'a, L> {
    /// Where to.
    pub link: &'a L,
    /// Each a whole message; they go in this order, and all or none.
    pub messages: ArrayVec<&'a [u8], MOST_AT_ONCE>,
    /// What became of it; [`SendOutcome::Closed`] until then.
    pub outcome: SendOutcome,
}

/// One client's connection, as a room sees it. Nothing here blocks.
pub trait Link: Sized + Send + Sync + 'static {
    /// Sends what is for each link if that can begin now, else nothing of it is taken; and says what became of it.
    fn try_send(to_send: &mut [ToSend<'_, Self>]);

    /// Sends a message that must arrive.
    fn send(&self, message: &[u8]);

    /// The first message to someone whom a room now serves: snapshots follow, and take along what the link itself has to say.
    fn welcome(&self, message: &[u8]) {
        self.send(message);
    }

    /// Ends the connection.
    fn close(&self, close: &Close);

    /// The steady round trip by WebSocket ping, without what queued behind stalls; `None` before the first pong.
    fn round_trip(&self) -> Option<Micros>;

    /// Bytes that wait in our memory because the kernel does not take them.
    fn pending_bytes(&self) -> usize;
}

impl Link for Connection {
    fn try_send(to_send: &mut [ToSend<'_, Self>]) {
        together::try_send(to_send);
    }

    fn send(&self, message: &[u8]) {
        // Whether it was taken, the reading side says soon enough.
        let _ = Self::send(self, &[message]);
    }

    fn welcome(&self, message: &[u8]) {
        let _ = self.send_with_note(&[message]);
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
