//! The link of a player in a server's room: a connection of this process, or one that another node relays.

use crate::close::{Close, DisconnectReason};
use crate::cluster::RelayedLink;
use crate::net::peer::batch_io::{self, MaybeConnection};
use crate::net::peer::connection::Connection;
use crate::net::peer::send::SendRequest;
use crate::room::Link;
use arrayvec::ArrayVec;
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use tickwire_cluster::Peer;
use tickwire_prefetch as prefetch;
use tickwire_sync::Micros;

/// Where a player's messages go.
pub(crate) enum PlayerLink {
    /// To a WebSocket of this process.
    Local(Arc<Connection>),
    /// To another node, which has the WebSocket.
    Relayed(RelayedLink),
}

impl PlayerLink {
    /// Where the client comes from.
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Local(connection) => connection.peer_addr(),
            Self::Relayed(link) => link.address(),
        }
    }

    /// Whether messages still flow.
    pub fn is_open(&self) -> bool {
        match self {
            Self::Local(connection) => connection.is_open(),
            Self::Relayed(link) => link.is_open(),
        }
    }

    /// The client has said a valid `Hello`.
    pub fn mark_hello_received(&self) {
        // A relay has done so before it passed the `Hello` on.
        if let Self::Local(connection) = self {
            connection.mark_hello_received();
        }
    }

    /// Sets the reason for the connection's coming end, unless there is one already.
    pub fn set_disconnect_reason(&self, why: DisconnectReason) {
        // A relay sees the same messages.
        if let Self::Local(connection) = self {
            connection.set_disconnect_reason(why);
        }
    }

    /// Has the connection's reader look for what was decided about it.
    pub fn poll_reader(&self) {
        if let Self::Local(connection) = self {
            connection.poll_reader();
        }
    }
}

impl MaybeConnection for PlayerLink {
    fn connection(&self) -> Option<&Connection> {
        match self {
            Self::Local(connection) => Some(connection),
            Self::Relayed(_) => None,
        }
    }
}

impl Link for PlayerLink {
    fn prefetch(&self) {
        match self {
            Self::Local(connection) => prefetch::value(&**connection),
            Self::Relayed(link) => prefetch::value(link),
        }
    }

    fn try_send(requests: &mut [SendRequest<'_, Self>]) {
        let mut is_any_local = false;
        // A cluster has few nodes. Where it has more, a peer is woken twice.
        let mut unflushed: ArrayVec<&Arc<Peer>, 16> = ArrayVec::new();
        for request in requests.iter_mut() {
            let Self::Relayed(link) = request.link else {
                is_any_local = true;
                continue;
            };
            request.outcome = link.try_send(&request.messages);
            let is_known = unflushed.iter().any(|peer| Arc::ptr_eq(peer, link.peer()));
            if !is_known && unflushed.try_push(link.peer()).is_err() {
                link.peer().flush();
            }
        }
        for peer in unflushed {
            peer.flush();
        }
        if is_any_local {
            batch_io::try_send(requests);
        }
    }

    fn send(&self, message: &[u8]) {
        match self {
            // If the connection has ended, its reader puts that into the inbox soon.
            Self::Local(connection) => {
                let _ = connection.send(&[message]);
            }
            Self::Relayed(link) => link.send(message),
        }
    }

    fn send_sharing(&self, start: &[u8], rest: &Bytes) {
        match self {
            Self::Local(connection) => {
                let _ = connection.send_sharing(start, rest);
            }
            Self::Relayed(link) => link.send(&[start, &rest[..]].concat()),
        }
    }

    fn close(&self, close: &Close) {
        match self {
            Self::Local(connection) => connection.close(close),
            Self::Relayed(link) => link.close(close),
        }
    }

    fn hand_over(&self) -> bool {
        match self {
            Self::Local(_) => false,
            Self::Relayed(link) => {
                link.refer_elsewhere();
                true
            }
        }
    }

    fn round_trip(&self) -> Option<Micros> {
        match self {
            Self::Local(connection) => connection
                .rtt()
                .map(|rtt| Micros(rtt.plausible.as_micros() as u64)),
            Self::Relayed(link) => link.round_trip(),
        }
    }

    fn is_here(&self) -> bool {
        matches!(self, Self::Local(_))
    }

    fn pending_bytes(&self) -> usize {
        match self {
            Self::Local(connection) => connection.pending_bytes(),
            Self::Relayed(link) => link.pending_bytes(),
        }
    }

    fn own_pending_bytes(&self) -> usize {
        match self {
            Self::Local(connection) => connection.own_pending_bytes(),
            // They wait at the relay, not here.
            Self::Relayed(_) => 0,
        }
    }
}
