//! Direct links between nodes: TLS over TCP, mutually authenticated.
//!
//! In: addresses of other nodes, the cluster's secret, envelopes. Out: envelopes of the other node in order, and what it says of itself.
//! A stranger who connects learns nothing, and costs one of [`MAX_HANDSHAKES`] places for 2 s. Whether a node is alive, and which
//! envelopes there are, is not decided here.

mod connection;
mod handshake;
mod listener;
mod tls;
mod wire;

pub use handshake::Secret;
pub use listener::MAX_HANDSHAKES;
pub use tls::LinkTlsError;
pub use wire::LinkStatus;

pub(crate) use connection::{Connection, LinkEvent, LinkId, LinkQueue, connect};
pub(crate) use listener::LinkListener;
pub(crate) use tls::LinkTls;

use crate::node::NodeEntry;
use std::time::Duration;

/// From the first byte of a connection to the proofs.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a node says how it is.
const STATUS_EVERY: Duration = Duration::from_millis(200);
/// A link without a message for this long is dead.
const SILENT_AFTER: Duration = Duration::from_secs(1);

/// Why a link ended, or never began.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The other end does not know the cluster's secret.
    #[error("the other end is no node of this cluster: it does not know the cluster's secret")]
    Stranger,
    /// Another node than the one that was dialled.
    #[error(
        "another node answers at this address: see that --node-listen of each node can be reached by the others"
    )]
    AnotherNode,
    /// The handshake took too long.
    #[error("the handshake took longer than 2 s")]
    HandshakeTimeout,
    /// The other side said nothing for a second.
    #[error("the other node was silent for a second")]
    Silent,
    /// What came is no message.
    #[error("{0}")]
    NotAMessage(String),
    /// The node's name is too long for a handshake.
    #[error("the name of this node is too long for a link: see that it has at most 490 bytes")]
    LongId,
    /// A newer link, or the end of the node, replaces this one.
    #[error("the link was closed by this node")]
    Closed,
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Io(#[from] std::io::Error),
    /// TLS failed.
    #[error("TLS failed: {0}")]
    Tls(#[from] rustls::Error),
}

/// Whether it is this node that connects to the other: the smaller id does, if the other can be reached.
pub(crate) fn dials(me: &NodeEntry, other: &NodeEntry) -> bool {
    other.link.is_some() && (me.link.is_none() || me.id < other.id)
}

#[cfg(test)]
mod tests;
