//! The simulated network: lines with delays and faults, and the server's end of each connection.
//!
//! In: messages, and the faults of the plan. Out: messages, later; each direction of a connection is ordered and reliable, as TCP
//! is, until the connection breaks. It reads no clock.

mod line;
mod link;
mod wire;

pub use line::Line;
pub use link::{LinkEnd, SimLink};
pub use wire::{Packet, Received, Wire};
