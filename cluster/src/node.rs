//! What identifies a node, and what the others know of it.

use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// One process of the cluster: `NAME:BOOT`. A process that starts again with the same name is another node.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct NodeId(Arc<str>);

impl NodeId {
    /// The node of this name whose process began with this number, which no other process has.
    #[must_use]
    pub fn new(name: &str, boot: u64) -> Self {
        Self(format!("{name}:{boot:016x}").into())
    }

    /// The id that an earlier [`NodeId::as_str`] gave.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self(text.into())
    }

    /// As it stands in the directory.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name that the operator gave.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit_once(':').map_or(&self.0, |(name, _)| name)
    }
}

/// As [`NodeId::as_str`], so that maps find a node by the text of its id.
impl Borrow<str> for NodeId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A node's entry in the directory, renewed with its lease.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NodeEntry {
    /// The node.
    pub id: NodeId,
    /// Where other nodes reach it directly; `None`: by Redis alone.
    pub link: Option<SocketAddr>,
    /// Where clients reach it, if that differs from the cluster's common address.
    pub public_url: Option<String>,
    /// Players who are connected to its rooms.
    pub players: u32,
    /// Its rooms.
    pub rooms: u32,
    /// The node is about to end: it takes no further rooms.
    pub is_draining: bool,
}
