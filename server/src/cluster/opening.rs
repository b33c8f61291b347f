//! What a relay tells the owner of a room about a client that has come.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// A client at its relay. The relay has checked nothing of it but its flood limits: the owner does, as with its own clients.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Opening {
    /// Where the client comes from.
    pub peer: SocketAddr,
    /// The room in the URL.
    pub url_room: Option<String>,
    /// How long ago the connection was opened, in microseconds.
    pub opened_ago_us: u64,
    /// The client's first message, which is a `Hello`.
    pub hello: Vec<u8>,
}
