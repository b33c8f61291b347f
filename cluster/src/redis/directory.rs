//! The directory: which nodes live, and which node owns which room.

use crate::node::{NodeEntry, NodeId};
use crate::redis::DirectoryError;
use crate::redis::keys::Keys;
use std::time::Duration;

/// What became of a claim on a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// This node owns the room from now on.
    Owned {
        /// Larger than that of any earlier claim on the room.
        epoch: u64,
        /// How often the room was claimed since it was first known, this claim included: at least 1.
        opened: u64,
        /// The room's last checkpoint, if there is one.
        checkpoint: Option<Vec<u8>>,
    },
    /// This node, which lives, owns the room.
    Elsewhere(NodeId),
    /// Redis may have forgotten owners, who get this long to register. At most 4 s; ask again then.
    Wait(Duration),
}

/// What a renewal of the lease found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// Redis did not know the lease: it is the first, it has lapsed, or Redis may have forgotten more than that. The rooms that this node
    /// owns must be registered before the lease counts.
    pub was_missing: bool,
}

/// Commands to the directory. A command waits for at most 1 s, also where Redis does not answer, and connects anew by itself.
pub struct Directory {}

impl Directory {
    /// Connects, and fails where Redis can't be reached or refuses. Later on, connections are made anew whenever one is needed.
    ///
    /// # Errors
    /// [`DirectoryError`], as for every command.
    pub async fn connect(url: &str, game: &str, me: NodeId) -> Result<Self, DirectoryError> {
        todo!()
    }

    /// The names of the cluster's keys and channels.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        todo!()
    }

    /// Renews this node's lease for 2 s from the moment at which Redis runs the command.
    pub async fn renew(&self, entry: &NodeEntry) -> Result<Renewal, DirectoryError> {
        todo!()
    }

    /// Registers the rooms that this node owns, with their epochs. Returns those that it has lost: claimed with a later epoch, or handed over.
    pub async fn register(&self, rooms: &[(String, u64)]) -> Result<Vec<String>, DirectoryError> {
        todo!()
    }

    /// The nodes whose lease has not lapsed, this one included.
    pub async fn nodes(&self) -> Result<Vec<NodeEntry>, DirectoryError> {
        todo!()
    }

    /// Claims a room that is not open on this node.
    pub async fn claim(&self, room: &str) -> Result<Claim, DirectoryError> {
        todo!()
    }

    /// The room's owner, if it lives. Claims nothing.
    pub async fn locate(&self, room: &str) -> Result<Option<NodeId>, DirectoryError> {
        todo!()
    }

    /// Gives the lease back. This node's rooms are free to claim from then on.
    pub async fn leave(&self) -> Result<(), DirectoryError> {
        todo!()
    }

    /// The secret that all nodes of the cluster share. After Redis forgot it, the first node that asks brings back the one it knows.
    pub async fn secret(&self) -> Result<[u8; 32], DirectoryError> {
        todo!()
    }

    /// Publishes an envelope for this node, and returns how many receive it. Envelopes have a connection of their own.
    pub async fn send(&self, to: &NodeId, envelope: &[u8]) -> Result<u32, DirectoryError> {
        todo!()
    }
}
