//! What a session holds in memory, for tests of its limits.

use super::{Presence, Session};
use crate::room::link::Link;

/// What one session holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Footprint {
    /// Reliable messages that the client may not have yet.
    pub kept_messages: usize,
    /// The bytes that these take, without what sessions share.
    pub kept_bytes: usize,
    /// Inputs that wait for their ticks.
    pub waiting_inputs: usize,
    /// Messages that have arrived since the last tick.
    pub inbox_messages: usize,
    /// The bytes that these take.
    pub inbox_bytes: usize,
    /// Bytes that wait in the outbox of the connection, without what connections share.
    pub pending_bytes: usize,
}

impl<L: Link> Session<L> {
    /// What the session holds now.
    #[must_use]
    pub fn footprint(&self) -> Footprint {
        let (inbox_messages, inbox_bytes, pending_bytes) = match &self.presence {
            Presence::Connected { link, inbox } => (
                inbox.waiting_count(),
                inbox.waiting_bytes(),
                link.own_pending_bytes(),
            ),
            Presence::Away { .. } | Presence::Over { .. } => (0, 0, 0),
        };
        Footprint {
            kept_messages: self.reliable.kept_count(),
            kept_bytes: self.reliable.kept_bytes(),
            waiting_inputs: self.inputs.waiting_count(),
            inbox_messages,
            inbox_bytes,
            pending_bytes,
        }
    }
}
