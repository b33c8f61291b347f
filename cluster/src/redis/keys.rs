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
        format!("{}to:{node}", self.prefix)
    }

    /// The channel of the bus.
    #[must_use]
    pub fn bus_channel(&self) -> String {
        format!("{}bus", self.prefix)
    }
}
