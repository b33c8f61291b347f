//! What it costs to follow a room: by short polling, by long polling, and by WebSocket.
//!
//! A real server runs in a process and on a core of its own ([`crate::load::child`]). The followers share one thread on the other
//! core. One more WebSocket client, the *reference*, keeps the room ticking and knows the server's clock: it says how old a
//! follower's state is, whichever way it came. The kernel's accounts say what the server costs, with followers and just before without.

pub mod case;
pub mod http;
pub mod received;
pub mod web_socket;
