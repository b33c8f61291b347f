//! The names of keys and channels. Two games on one Redis are two clusters.

use crate::node::NodeId;

/// The keys and channels of one game's cluster. All of them begin with `tickwire:GAME:`.
#[derive(Clone, Debug)]
pub struct Keys {
    prefix: String,
}

impl Keys {
    /// The keys of this game's cluster.
    #[must_use]
    pub fn new(game: &str) -> Self {
        Self {
            prefix: format!("tickwire:{game}:"),
        }
    }

    /// The channel of envelopes for this node.
    #[must_use]
    pub fn node_channel(&self, node: &NodeId) -> String {
        self.named("to:", node.as_str())
    }

    /// The channel of the bus.
    #[must_use]
    pub fn bus_channel(&self) -> String {
        self.named("bus", "")
    }

    /// What the names of leases begin with; a node's id follows.
    pub(super) fn lease_prefix(&self) -> String {
        self.named("node:", "")
    }

    pub(super) fn lease(&self, node: &NodeId) -> String {
        self.named("node:", node.as_str())
    }

    pub(super) fn nodes(&self) -> String {
        self.named("nodes", "")
    }

    pub(super) fn room(&self, room: &str) -> String {
        self.named("room:", room)
    }

    pub(super) fn checkpoint(&self, room: &str) -> String {
        self.named("state:", room)
    }

    /// A checkpoint that was set aside at this time, in milliseconds since 1970.
    pub(super) fn aside(&self, room: &str, time_ms: u128) -> String {
        format!("{}aside:{room}:{time_ms}", self.prefix)
    }

    pub(super) fn marker(&self) -> String {
        self.named("marker", "")
    }

    pub(super) fn secret(&self) -> String {
        self.named("secret", "")
    }

    pub(super) fn bus_stream(&self) -> String {
        self.named("bus", "")
    }

    pub(super) fn bus_head(&self) -> String {
        self.named("bus:head", "")
    }

    fn named(&self, kind: &str, name: &str) -> String {
        format!("{}{kind}{name}", self.prefix)
    }
}
