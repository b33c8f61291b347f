//! `/echo` (with `--ws-echo`): every message comes back through the very code that serves players,
//! so that an RFC 6455 conformance suite tests that code. Larger messages, and text, are allowed.

use std::sync::Arc;
use std::time::Instant;

use super::connection::Connection;
use super::frame::{Opcode, Rules};
use super::handler::Handler;
use crate::close::{Close, Disconnect};

/// What `/echo` takes: conformance suites send messages of 16 MiB.
pub const RULES: Rules = Rules {
    max_message_bytes: 64 << 20,
    text: true,
};
/// What may wait for the peer; reading pauses long before.
pub const MAX_PENDING_BYTES: usize = 128 << 20;

/// Sends back what it receives.
#[derive(Debug)]
pub struct Echo(pub Arc<Connection>);

impl Handler for Echo {
    fn message(&mut self, payload: &[u8], _: Instant, _: bool) -> Result<(), Close> {
        let _ = self.0.send_frame(Opcode::Binary, &[payload]);
        Ok(())
    }

    fn text(&mut self, payload: &[u8]) -> Result<(), Close> {
        let _ = self.0.send_frame(Opcode::Text, &[payload]);
        Ok(())
    }

    fn closed(&mut self, _why: Disconnect) {}
}
