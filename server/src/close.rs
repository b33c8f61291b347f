//! Why a connection ends: the close code on the wire, the reason that a person reads, and the label that an operator counts.
//!
//! A [`Close`] is the server's decision, a [`CloseCode`] (of `tickwire-proto`) goes over the wire, and a [`DisconnectReason`] is what
//! `tickwire_disconnects_total{reason}` counts. Nothing here does IO.

use std::borrow::Cow;

use crate::labels::labels;

pub use tickwire_proto::CloseCode;

impl From<CloseCode> for DisconnectReason {
    fn from(code: CloseCode) -> Self {
        match code {
            CloseCode::Normal => Self::Left,
            CloseCode::GoingAway => Self::GoingAway,
            CloseCode::Protocol => Self::Protocol,
            CloseCode::TextMessage => Self::TextMessage,
            CloseCode::InvalidText => Self::InvalidText,
            CloseCode::Policy => Self::Policy,
            CloseCode::TooBig => Self::TooBig,
            CloseCode::Full => Self::Full,
            CloseCode::Malformed => Self::Malformed,
            CloseCode::WrongOrder => Self::WrongOrder,
            CloseCode::Unsupported => Self::Unsupported,
            CloseCode::HandshakeTimeout => Self::HandshakeTimeout,
            CloseCode::HeartbeatTimeout => Self::HeartbeatTimeout,
            CloseCode::ResumedElsewhere => Self::ResumedElsewhere,
        }
    }
}

/// The server's decision to end a connection: what goes into the close frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The code on the wire.
    pub code: CloseCode,
    /// What happened and what to do, for a person. At most 123 bytes reach the wire.
    pub reason: Cow<'static, str>,
    /// What operators count it as.
    pub counted_as: DisconnectReason,
}

impl Close {
    /// Whether the server does not want the peer, or what it sent. The other closes are the ends of sessions and lines.
    pub(crate) fn is_refusal(&self) -> bool {
        !matches!(
            self.code,
            CloseCode::Normal
                | CloseCode::GoingAway
                | CloseCode::HeartbeatTimeout
                | CloseCode::ResumedElsewhere
        )
    }

    /// A close with this code and reason.
    pub fn new(code: CloseCode, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            reason: reason.into(),
            counted_as: code.into(),
        }
    }

    /// Close 1008 for a player whom operators do not want: `why` is `Kicked` or `Banned`.
    pub fn unwanted(why: DisconnectReason, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            counted_as: why,
            ..Self::new(CloseCode::Policy, reason)
        }
    }
}

labels! {
    /// Why a connection ended: the `reason` of `tickwire_disconnects_total`.
    pub enum DisconnectReason {
        /// The peer closed in good order, or the player left (1000).
        Left = "left",
        /// The peer closed with 1001 and had not said that it leaves: a browser whose page is gone.
        PageClosed = "page_closed",
        /// The server drained (1001).
        GoingAway = "going_away",
        /// A violation of RFC 6455 (1002).
        Protocol = "protocol",
        /// Text where only binary is allowed (1003).
        TextMessage = "text",
        /// Invalid UTF-8 (1007).
        InvalidText = "utf8",
        /// A bad ticket, a kick by the game, or a flood (1008).
        Policy = "policy",
        /// Kicked by an operator (1008).
        Kicked = "kicked",
        /// Banned by an operator (1008).
        Banned = "banned",
        /// A message over the limit (1009).
        TooBig = "too_big",
        /// No place left (1013).
        Full = "full",
        /// Malformed protobuf (4000).
        Malformed = "malformed",
        /// Messages in the wrong order (4001).
        WrongOrder = "order",
        /// Unknown or unsupported version, room or game (4002).
        Unsupported = "unsupported",
        /// No `Hello` in time (4003).
        HandshakeTimeout = "handshake_timeout",
        /// No pong in time (4004).
        HeartbeatTimeout = "heartbeat_timeout",
        /// A newer connection took the session over (4005).
        ResumedElsewhere = "resumed_elsewhere",
        /// The peer read so slowly that reliable messages piled up beyond their limit.
        TooSlow = "too_slow",
        /// The connection broke without a close frame.
        Lost = "lost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_code_gives_the_label_that_operators_count() {
        assert_eq!(
            DisconnectReason::from(CloseCode::WrongOrder).as_str(),
            "order"
        );
    }
}
