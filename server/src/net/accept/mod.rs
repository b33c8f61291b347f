//! Accepts TCP connections: from the listening socket to HTTP, through limits, deadlines and TLS.

mod listener;

pub(crate) use listener::{AcceptErrors, bind, serve};
