//! Why a connection ends: the close codes of the contract, the reason that a person reads, and
//! the label that an operator counts.
//!
//! A [`Close`] is what a rule says ("this message is too big"), a [`CloseCode`] what goes over
//! the wire, a [`Disconnect`] what `tickwire_disconnects_total{reason}` counts. Nothing here does IO.

use std::borrow::Cow;

use crate::metrics::labels;

/// The close codes that the server sends (RFC 6455 section 7.4, and 4000 up: Tickwire's own).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum CloseCode {
    /// The player left, and said so.
    Normal = 1000,
    /// The server is going away; `Goodbye` says how long to wait.
    GoingAway = 1001,
    /// RFC 6455 was violated: unmasked frame, reserved bits or opcode, bad fragmentation or close.
    Protocol = 1002,
    /// Text, where binary is spoken.
    Unsupported = 1003,
    /// Invalid UTF-8 in a text message or in the reason of a close.
    InvalidText = 1007,
    /// Bad ticket, banned, or a flood after a warning.
    Policy = 1008,
    /// A message larger than `--max-message-bytes`, also summed over its fragments.
    TooBig = 1009,
    /// Full; try later.
    Full = 1013,
    /// A message that is no valid `ClientMessage`.
    Malformed = 4000,
    /// A message out of order: input before `Hello`, a second `Hello`.
    WrongOrder = 4001,
    /// Unknown or unsupported version, room or game.
    UnknownOrUnsupported = 4002,
    /// No `Hello` within `--handshake-timeout`.
    HandshakeTimeout = 4003,
    /// No pong within the heartbeat's interval and timeout.
    HeartbeatTimeout = 4004,
    /// The session was resumed by a newer connection.
    ResumedElsewhere = 4005,
}

impl CloseCode {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }
}

impl From<CloseCode> for Disconnect {
    fn from(code: CloseCode) -> Self {
        match code {
            CloseCode::Normal => Self::Left,
            CloseCode::GoingAway => Self::GoingAway,
            CloseCode::Protocol => Self::Protocol,
            CloseCode::Unsupported => Self::Text,
            CloseCode::InvalidText => Self::Utf8,
            CloseCode::Policy => Self::Policy,
            CloseCode::TooBig => Self::TooBig,
            CloseCode::Full => Self::Full,
            CloseCode::Malformed => Self::Malformed,
            CloseCode::WrongOrder => Self::Order,
            CloseCode::UnknownOrUnsupported => Self::Unsupported,
            CloseCode::HandshakeTimeout => Self::HandshakeTimeout,
            CloseCode::HeartbeatTimeout => Self::HeartbeatTimeout,
            CloseCode::ResumedElsewhere => Self::ResumedElsewhere,
        }
    }
}

/// The server's decision to end a connection: what goes into the close frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The code.
    pub code: CloseCode,
    /// What happened and what to do, for a person. At most 123 bytes reach the wire.
    pub reason: Cow<'static, str>,
}

impl Close {
    /// A close with this code and reason.
    pub fn new(code: CloseCode, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }
}

labels! {
    /// Why a connection ended: the `reason` of `tickwire_disconnects_total`.
    pub enum Disconnect {
        /// The peer closed in good order, or the player left (1000).
        Left = "left",
        /// The server drained (1001).
        GoingAway = "going_away",
        /// RFC 6455 was violated (1002).
        Protocol = "protocol",
        /// Text where binary is spoken (1003).
        Text = "text",
        /// Invalid UTF-8 (1007).
        Utf8 = "utf8",
        /// Ticket, ban or flood (1008).
        Policy = "policy",
        /// A message too big (1009).
        TooBig = "too_big",
        /// No room left (1013).
        Full = "full",
        /// Malformed protobuf (4000).
        Malformed = "malformed",
        /// Messages in the wrong order (4001).
        Order = "order",
        /// Unknown or unsupported version, room or game (4002).
        Unsupported = "unsupported",
        /// No `Hello` in time (4003).
        HandshakeTimeout = "handshake_timeout",
        /// No pong in time (4004).
        HeartbeatTimeout = "heartbeat_timeout",
        /// A newer connection took the session over (4005).
        ResumedElsewhere = "resumed_elsewhere",
        /// The peer read so slowly that even reliable messages piled up beyond their bound.
        TooSlow = "too_slow",
        /// The connection broke without a close frame.
        Lost = "lost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_numbers_of_the_contract() {
        assert_eq!(CloseCode::Unsupported.number(), 1003);
        assert_eq!(CloseCode::Full.number(), 1013);
        assert_eq!(CloseCode::ResumedElsewhere.number(), 4005);
        assert_eq!(Disconnect::from(CloseCode::WrongOrder).as_str(), "order");
    }
}
