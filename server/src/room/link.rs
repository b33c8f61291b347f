//! A client's connection, as a room sees it.

use crate::close::Close;
use crate::net::peer::batch_io;
use crate::net::peer::connection::Connection;
use crate::net::peer::send::SendRequest;
use bytes::Bytes;
use tickwire_sync::Micros;

/// One client's connection. Nothing here blocks. The simulator of the benches has links of its own.
pub trait Link: Sized + Send + Sync + 'static {
    /// Sends each request if its link can begin it now, and sets its outcome. A request that cannot begin is not sent at all.
    fn try_send(requests: &mut [SendRequest<'_, Self>]);

    /// Sends a message that must arrive.
    fn send(&self, message: &[u8]);

    /// Sends a message that must arrive, and that ends with bytes which many links share. A link that can holds no copy of them.
    fn send_sharing(&self, start: &[u8], rest: &Bytes) {
        self.send(&[start, &rest[..]].concat());
    }

    /// Ends the connection.
    fn close(&self, close: &Close);

    /// The steady round trip by WebSocket ping, without what queued behind stalls, and no longer than the kernel makes plausible;
    /// `None` before the first pong.
    fn round_trip(&self) -> Option<Micros>;

    /// Bytes that wait in our memory because the kernel does not take them.
    fn pending_bytes(&self) -> usize;

    /// The bytes of these that no other link shares.
    fn own_pending_bytes(&self) -> usize {
        self.pending_bytes()
    }
}

impl Link for Connection {
    fn try_send(requests: &mut [SendRequest<'_, Self>]) {
        batch_io::try_send(requests);
    }

    fn send(&self, message: &[u8]) {
        // If the connection has ended, its reader puts that into the inbox soon.
        let _ = Self::send(self, &[message]);
    }

    fn send_sharing(&self, start: &[u8], rest: &Bytes) {
        let _ = Self::send_sharing(self, start, rest);
    }

    fn close(&self, close: &Close) {
        Self::close(self, close);
    }

    fn round_trip(&self) -> Option<Micros> {
        self.rtt()
            .map(|rtt| Micros(rtt.plausible.as_micros() as u64))
    }

    fn pending_bytes(&self) -> usize {
        Self::pending_bytes(self)
    }

    fn own_pending_bytes(&self) -> usize {
        Self::own_pending_bytes(self)
    }
}
