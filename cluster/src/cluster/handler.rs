//! What the cluster's owner is told, and what it is asked for.

use crate::node::NodeId;
use crate::peer::Peer;
use std::sync::Arc;

/// What a cluster tells its owner. No call may block: each is made by a task that carries others' messages too.
pub trait ClusterHandler: Send + Sync + 'static {
    /// Frames of another node, whole and in order. One call at a time for each node.
    fn received(&self, from: &Arc<Peer>, frames: &[u8]);

    /// A node's lease is gone, or its stream was reset: whatever was in flight to or from it is lost. It may come back, and frames that
    /// come afterwards belong to a new beginning.
    fn peer_lost(&self, node: &NodeId);

    /// From now on this node gets the messages of the bus, those after this number.
    fn bus_begins(&self, newest: u64);

    /// A message of the bus, each once. Numbers grow, unless [`Self::bus_lost`] came between.
    fn bus_message(&self, seq: u64, payload: &[u8]);

    /// Messages of the bus may be missing: Redis forgot it, or dropped messages before this node could read them.
    fn bus_lost(&self);

    /// How many players are connected to this node's rooms, and how many rooms it has.
    fn load(&self) -> (u32, u32);

    /// The rooms that this node owns, with the epochs of their claims.
    fn owned_rooms(&self) -> Vec<(String, u64)>;

    /// These rooms have other owners by now, with later epochs.
    fn rooms_lost(&self, rooms: &[String]);

    /// This node may no longer act for its rooms.
    fn lease_lapsed(&self);

    /// This node may act for its rooms (again): the first time when it starts, and after every lapse.
    fn lease_confirmed(&self);
}
