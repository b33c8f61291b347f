//! This node as a member of a cluster: rooms of other nodes for its players, and its rooms for players of other nodes.
//!
//! In: clients who want a room of another node, frames and questions of other nodes, messages of the bus. Out: the same for the others.
//! `tickwire-cluster` says who owns which room, and carries bytes; here is what they mean. [`relay`] has the connection of a player whose
//! room another node owns; [`relayed_link`] is that player's link in the owner's room, and [`relayed_clients`] reads the player's messages
//! there, with the code that reads those of local ones. [`question`] asks other nodes, [`bus_message`] tells all of them ([`asks`] does both for people), [`calls`]
//! takes what others say, and [`member`] puts it together. Without `--redis` there is no member, and nothing here runs.

mod asks;
mod bus_message;
mod calls;
mod frame;
mod member;
mod metrics;
mod opening;
mod question;
mod relay;
mod relayed_clients;
mod relayed_link;
mod room_lease;

pub(crate) use bus_message::BusMessage;
pub(crate) use member::{Member, Whereabouts};
pub(crate) use opening::Opening;
pub(crate) use question::merged;
pub(crate) use relay::RelayedClient;
pub(crate) use relayed_link::RelayedLink;
pub(crate) use room_lease::RoomLease;

pub use member::JoinClusterError;
