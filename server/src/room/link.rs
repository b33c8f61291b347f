//! A client's connection, as a room sees it.

use crate::close::Close;
use crate::net::peer::send::SendRequest;
use bytes::Bytes;
use tickwire_prefetch as prefetch;
use tickwire_sync::Micros;

/// One client's connection. Nothing here blocks. The server's links are `PlayerLink`s; the simulators have links of their own.
pub trait Link: Sized + Send + Sync + 'static {
    /// Prefetches what sending touches.
    fn prefetch(&self) {
        prefetch::value(self);
    }

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

    /// Whether the client is connected to this process, and not to another that relays it.
    fn is_here(&self) -> bool {
        true
    }

    /// Bytes that wait in our memory because the kernel does not take them.
    fn pending_bytes(&self) -> usize;

    /// The bytes of these that no other link shares.
    fn own_pending_bytes(&self) -> usize {
        self.pending_bytes()
    }
}
