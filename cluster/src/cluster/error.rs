//! Why a node can't join its cluster, or claim a room.

use crate::link::LinkTlsError;
use crate::redis::DirectoryError;
use std::net::SocketAddr;

/// What can go wrong with a cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Redis did not do what it was asked for.
    #[error(transparent)]
    Redis(#[from] DirectoryError),
    /// The listener for other nodes can't be bound.
    #[error(
        "--node-listen {address}: {error}; choose an address of this machine that no other program uses"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        error: std::io::Error,
    },
    /// TLS for links can't be set up.
    #[error(transparent)]
    Tls(#[from] LinkTlsError),
    /// The node's channels can't be subscribed to.
    #[error(
        "Redis does not let this node subscribe within 5 s; see that its user may use Pub/Sub, and that it is not overloaded"
    )]
    NotSubscribed,
    /// The first lease was not confirmed.
    #[error("Redis did not confirm this node's lease in time; see that it is not overloaded")]
    NotConfirmed,
    /// Redis is lost at the moment. Claims are not even asked for, because Redis might run them when nobody waits for their answer.
    #[error("Redis is lost at the moment; try again")]
    RedisLost,
}
