//! Everything between sockets and rooms: accept, TLS, HTTP, the upgrade, frames, limits, the
//! closing handshake, heartbeats. It never learns what a room, a player or a message means: those
//! are behind [`handler`].

mod ack;
mod arrival;
pub mod connection;
pub mod echo;
pub mod flood;
pub mod frame;
pub mod game_port;
pub mod handler;
pub mod heartbeat;
pub mod listener;
pub mod open;
pub mod origin;
mod outbox;
pub mod page;
mod patience;
mod poller;
mod reader;
pub mod rtt;
pub mod served;
pub mod slots;
pub(crate) mod together;
pub mod upgrade;
mod utf8;
pub mod violation;
