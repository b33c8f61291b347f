//! The framing rules that a peer can break: the reason in the close frame, the close code, and how each is counted.
//!
//! Section numbers are those of RFC 6455.

use super::utf8::InvalidUtf8;
use crate::close::{Close, CloseCode};
use crate::metrics::ProtocolErrorKind;

/// A rule that the peer broke. The stream is not decoded any further after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Section 5.1.
    #[error("frames from a client must be masked")]
    Unmasked,
    /// Section 5.2: no extension was agreed upon.
    #[error("reserved bits must be zero")]
    ReservedBits,
    /// Section 5.2.
    #[error("opcode {0} is reserved")]
    ReservedOpcode(u8),
    /// Section 5.2.
    #[error("a length must use the fewest bytes and stay below 2^63")]
    Length,
    /// Section 5.5.
    #[error("a control frame must not be fragmented")]
    FragmentedControl,
    /// Section 5.5.
    #[error("a control frame carries at most 125 bytes")]
    LongControl,
    /// Section 5.4.
    #[error("a continuation must follow an unfinished message")]
    LoneContinuation,
    /// Section 5.4.
    #[error("a message must be finished before the next one begins")]
    Interleaved,
    /// Section 5.5.1.
    #[error("a close frame carries nothing, or a code of two bytes and a reason")]
    ShortClose,
    /// Section 7.4.
    #[error("close code {0} must not be sent")]
    CloseCode(u16),
    /// Section 8.1.
    #[error("text must be valid UTF-8")]
    Utf8,
    /// A limit of this server.
    #[error("only binary messages are accepted")]
    Text,
    /// A limit of this server.
    #[error("a message may have at most {0} bytes")]
    TooBig(usize),
}

impl Violation {
    /// The close frame for the violation.
    #[must_use]
    pub fn close(self) -> Close {
        let code = match self {
            Self::Utf8 => CloseCode::InvalidText,
            Self::Text => CloseCode::TextMessage,
            Self::TooBig(_) => CloseCode::TooBig,
            _ => CloseCode::Protocol,
        };
        Close::new(code, self.to_string())
    }

    /// How the violation is counted.
    #[must_use]
    pub fn kind(self) -> ProtocolErrorKind {
        match self {
            Self::Unmasked => ProtocolErrorKind::Unmasked,
            Self::ReservedBits | Self::ReservedOpcode(_) | Self::Length => ProtocolErrorKind::Frame,
            Self::FragmentedControl | Self::LongControl => ProtocolErrorKind::Control,
            Self::LoneContinuation | Self::Interleaved => ProtocolErrorKind::Fragmentation,
            Self::ShortClose | Self::CloseCode(_) => ProtocolErrorKind::Close,
            Self::Utf8 => ProtocolErrorKind::Utf8,
            Self::Text => ProtocolErrorKind::Text,
            Self::TooBig(_) => ProtocolErrorKind::TooBig,
        }
    }
}

impl From<InvalidUtf8> for Violation {
    fn from(_: InvalidUtf8) -> Self {
        Self::Utf8
    }
}
