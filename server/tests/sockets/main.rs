//! Listeners, HTTP, TLS and WebSocket connections over real sockets, as clients, browsers, attackers and operators meet it; one test for each promise.
//!
//! The rooms behind them are [`support::TestRooms`], which report to the test what reaches them. Every test has a server of its own,
//! on ports that the system chooses.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod echo;
mod game_port;
mod limits;
mod lobby;
mod nginx;
mod operations;
mod page;
mod refusals;
mod rfc6455;
mod smuggling;
mod strangers;
mod support;
mod tls;
mod violations;
mod writer;
