//! `/echo` (with `--ws-echo`): sends every message back through the very code that serves players.
//!
//! An RFC 6455 conformance suite tests that code this way, with larger messages and with text.

use std::sync::Arc;
use std::time::Instant;

use super::connection::Connection;
use super::handler::Handler;
use crate::close::{Close, DisconnectReason};
use crate::net::websocket::frame::{FrameLimits, Opcode};

/// Conformance suites send messages of 16 MiB.
pub(in crate::net) const LIMITS: FrameLimits = FrameLimits {
    max_message_bytes: 64 << 20,
    allow_text: true,
};
/// Bytes that may be pending for the peer. Reading pauses long before.
pub(in crate::net) const MAX_ECHO_PENDING_BYTES: usize = 128 << 20;

/// Sends back what it receives.
#[derive(Debug)]
pub(in crate::net) struct Echo(pub Arc<Connection>);

impl Handler for Echo {
    fn message(&mut self, payload: &[u8], _: Instant, _: bool) -> Result<(), Close> {
        let _ = self.0.send_frame(Opcode::Binary, &[payload]);
        Ok(())
    }

    fn text(&mut self, payload: &[u8]) -> Result<(), Close> {
        let _ = self.0.send_frame(Opcode::Text, &[payload]);
        Ok(())
    }

    fn closed(&mut self, _why: DisconnectReason) {}
}
