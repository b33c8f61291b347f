//! Everything between sockets and rooms: accepting, TLS, HTTP, WebSocket frames, limits, keepalive pings, the
//! closing handshake.
//!
//! In: TCP connections. Out: complete messages, and the end of each connection with its reason, to a [`peer::handler::Handler`].
//! This module never learns what a player or a message means: that is behind [`peer::handler`]. It knows rooms only by name,
//! through [`room_service`].
//!
//! A connection passes through the folders in this order: `accept` (listening socket, limits, TLS), `http` (the page, and the
//! upgrade to a WebSocket), `peer` (one open connection: reading, writing, closing) which uses `websocket` (frames as a pure
//! state machine) and `io` (threads that poll sockets, and the kernel's time stamps).

pub(crate) mod accept;
mod asset;
mod connection_limits;
pub(crate) mod http;
pub(crate) mod io;
pub(crate) mod peer;
pub(crate) mod room_service;
pub(crate) mod rules_module;
pub(crate) mod websocket;
