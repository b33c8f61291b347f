//! The authoritative server.
//!
//! From the outside in: [`config`] and [`serve`] (the life of the process), [`ops`] (the operators'
//! port), [`net`] (sockets, frames, limits), and behind [`net::handler`] the rooms.

pub mod close;
pub mod config;
mod http;
pub mod metrics;
pub mod net;
pub mod ops;
pub mod serve;
pub mod shutdown;
pub mod tls;
