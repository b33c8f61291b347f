//! Sockets and the threads that poll them. Knows no WebSocket and no message.

pub(crate) mod polled_connection;
pub(super) mod poller;
pub(super) mod receive_stamps;
