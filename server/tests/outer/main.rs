//! The outer layer over real sockets: what a client, a browser, an attacker and an operator meet,
//! one test a promise. The rooms behind it are [`support::TestRooms`], which tell the test what
//! they hear. Every test has a server of its own, on ports from the system.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod echo;
mod game_port;
mod limits;
mod operations;
mod support;
mod tls;
mod violations;
mod writer;
