//! One open WebSocket connection: what is sent to the peer, what is read from it, and how the connection ends.
//!
//! [`connection`] is the shared half, which any thread may send on; its bytes go through `outbox`. `reader` is the half that
//! belongs to the polling thread: it decodes frames, keeps time (`keepalive`, `flood`, `close_deadline`) and calls the
//! [`handler`]. `batch_io` reads and sends for many connections with one system call.

pub(crate) mod batch_io;
mod close_deadline;
pub(crate) mod connection;
pub(super) mod echo;
pub(crate) mod flood;
pub(crate) mod handler;
pub(super) mod keepalive;
pub(super) mod open_connections;
mod outbox;
pub(super) mod reader;
mod receive;
pub(crate) mod rtt;
pub(crate) mod send;
mod send_queue;
mod shared_rest;
