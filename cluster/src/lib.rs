//! Many nodes as one server: who is there, who owns which room, and how nodes talk to each other.
//!
//! In: the rooms that this node owns, and frames for other nodes. Out: claims on rooms, the frames of other nodes in order, and messages
//! of the bus, each once. The decisions are made by state machines without IO, which take the time as an argument: [`stream`] makes an
//! ordered stream of what any carrier may lose, [`lease`] says whether this node may act for its rooms, [`bus`] delivers each message once.
//! [`redis`] and [`link`] carry bytes, and [`Cluster`] puts all of that together. This crate knows no game, no room's inside and no player.

pub mod bus;
mod cluster;
pub mod lease;
pub mod link;
mod node;
mod peer;
pub mod redis;
pub mod stream;

pub use cluster::{Cluster, ClusterCounts, ClusterError, ClusterHandler, ClusterSettings};
pub use lease::LeaseClock;
pub use node::{NodeEntry, NodeId};
pub use peer::Peer;
pub use redis::DirectoryError;
pub use redis::directory::Claim;
pub use redis::room_store::{RoomChange, RoomChangeOutcome, RoomStore};
