//! The owner's end of a relayed client: messages go to the node that holds its connection.
//!
//! In: messages of a room. Out: frames in the batch for that node, which the peer sends once a room's tick. Nothing here blocks. A relay
//! that is behind, or whose client's line is, takes no snapshots, exactly as a socket that is full.

use super::frame::{Frame, RelayId, write_down};
use crate::close::{Close, CloseCode};
use crate::net::peer::send::SendOutcome;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use tickwire_cluster::Peer;
use tickwire_sync::Micros;

/// A longer message would hold up all players of its relay: only maps for clients that do not take them in parts are so long.
const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// A client whose connection another node holds.
pub(crate) struct RelayedLink {
    peer: Arc<Peer>,
    relay: RelayId,
    /// Where the client comes from.
    address: SocketAddr,
    /// Between client and relay, in microseconds; 0: not known yet.
    rtt_us: AtomicU64,
    /// What waits at the relay.
    pending_bytes: AtomicUsize,
    is_open: AtomicBool,
}

impl RelayedLink {
    pub fn new(peer: Arc<Peer>, relay: RelayId, address: SocketAddr) -> Self {
        Self {
            peer,
            relay,
            address,
            rtt_us: AtomicU64::new(0),
            pending_bytes: AtomicUsize::new(0),
            is_open: AtomicBool::new(true),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// The relay says what the line to the client is like.
    pub fn update_line(&self, rtt_us: u64, pending_bytes: u64) {
        self.rtt_us.store(rtt_us, Ordering::Relaxed);
        let pending = usize::try_from(pending_bytes).unwrap_or(usize::MAX);
        self.pending_bytes.store(pending, Ordering::Relaxed);
    }

    /// The connection has ended.
    pub fn end(&self) {
        self.is_open.store(false, Ordering::Release);
    }

    /// Puts messages into the peer's batch if the client can take them now. The caller flushes the peer.
    pub fn try_send(&self, messages: &[&[u8]]) -> SendOutcome {
        if !self.is_open() {
            return SendOutcome::Closed;
        }
        if self.pending_bytes() > 0 || self.peer.is_congested() {
            return SendOutcome::WouldBlock;
        }
        self.peer
            .push(|batch| write_down(batch, self.relay, messages));
        SendOutcome::Sent
    }

    /// Sends a message that must arrive.
    pub fn send(&self, message: &[u8]) {
        if message.len() > MAX_MESSAGE_BYTES {
            let reason = "this map is too large at once; take it in parts (Hello.map_parts)";
            return self.close(&Close::new(CloseCode::Unsupported, reason));
        }
        if self.is_open() {
            self.peer
                .push(|batch| write_down(batch, self.relay, &[message]));
            self.peer.flush();
        }
    }

    /// Ends the connection.
    pub fn close(&self, close: &Close) {
        if self.is_open.swap(false, Ordering::AcqRel) {
            let frame = Frame::Close {
                relay: self.relay,
                code: close.code.number(),
                counted_as: close.counted_as.as_str(),
                reason: &close.reason,
            };
            self.peer.push(|batch| frame.write(batch));
            self.peer.flush();
        }
    }

    /// The room is not here: the relay looks for it again.
    pub fn refer_elsewhere(&self) {
        if self.is_open.swap(false, Ordering::AcqRel) {
            let frame = Frame::NotHere { relay: self.relay };
            self.peer.push(|batch| frame.write(batch));
            self.peer.flush();
        }
    }

    /// The round trip between the client and this node.
    pub fn round_trip(&self) -> Option<Micros> {
        match self.rtt_us.load(Ordering::Relaxed) {
            0 => None,
            edge => Some(Micros(edge).plus(self.peer.hop().unwrap_or_default())),
        }
    }

    pub fn pending_bytes(&self) -> usize {
        self.pending_bytes.load(Ordering::Relaxed)
    }
}
