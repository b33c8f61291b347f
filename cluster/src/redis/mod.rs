//! What the nodes of one cluster share, in Redis: leases, the directory of rooms, checkpoints, the bus and the relays' channels.
//!
//! In: this node's entry, its rooms and their checkpoints, messages for other nodes. Out: claims, the entries of other nodes, and what
//! others have published. Whatever must hold between nodes is decided by a Lua script at Redis, never by an answer that was read before.
//! Nothing here waits for longer than a few seconds, and nothing here knows what an envelope or a checkpoint says.

pub mod bus_stream;
mod connection;
pub mod directory;
mod error;
mod keys;
pub mod room_store;
pub mod subscriber;

pub use error::DirectoryError;
pub use keys::Keys;

/// Checks the address of a Redis without connecting to it.
///
/// # Errors
/// [`DirectoryError::Url`] if it is none.
pub fn check_url(url: &str) -> Result<(), DirectoryError> {
    room_store::RoomStore::new(url, "", crate::node::NodeId::new("", 0)).map(|_| ())
}
