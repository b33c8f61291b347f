//! Accepts TCP connections: from the listening socket to HTTP, through limits, deadlines and TLS.

mod handshakes;
mod listener;
mod stall_guard;

pub(in crate::net) use handshakes::Handshakes;
pub use listener::serve_stream;
pub(crate) use listener::{AcceptErrors, bind, serve};
pub(in crate::net) use stall_guard::StallGuard;
