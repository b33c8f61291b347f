//! The rules of framing that a peer can break: what each is called in a close frame's reason, which
//! close code it gets, and how it is counted. Sections are those of RFC 6455.

use super::utf8::InvalidUtf8;
use crate::close::{Close, CloseCode};
use crate::metrics::labels;

/// A rule that the peer broke. After one, the stream is not decoded any further.
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
    /// Ours.
    #[error("only binary messages are spoken here")]
    Text,
    /// Ours.
    #[error("a message may have at most {0} bytes")]
    TooBig(usize),
}

impl Violation {
    /// How the connection is closed for it.
    #[must_use]
    pub fn close(self) -> Close {
        let code = match self {
            Self::Utf8 => CloseCode::InvalidText,
            Self::Text => CloseCode::Unsupported,
            Self::TooBig(_) => CloseCode::TooBig,
            _ => CloseCode::Protocol,
        };
        Close::new(code, self.to_string())
    }

    /// How it is counted.
    #[must_use]
    pub fn kind(self) -> ProtocolError {
        match self {
            Self::Unmasked => ProtocolError::Unmasked,
            Self::ReservedBits | Self::ReservedOpcode(_) | Self::Length => ProtocolError::Frame,
            Self::FragmentedControl | Self::LongControl => ProtocolError::Control,
            Self::LoneContinuation | Self::Interleaved => ProtocolError::Fragmentation,
            Self::ShortClose | Self::CloseCode(_) => ProtocolError::Close,
            Self::Utf8 => ProtocolError::Utf8,
            Self::Text => ProtocolError::Text,
            Self::TooBig(_) => ProtocolError::TooBig,
        }
    }
}

impl From<InvalidUtf8> for Violation {
    fn from(_: InvalidUtf8) -> Self {
        Self::Utf8
    }
}

labels! {
    /// What a peer got wrong: the `kind` of `tickwire_protocol_errors_total`.
    pub enum ProtocolError {
        /// An unmasked frame.
        Unmasked = "unmasked",
        /// Reserved bits or opcode, or a malformed length.
        Frame = "frame",
        /// A control frame that is fragmented or too long.
        Control = "control",
        /// Fragments in the wrong order.
        Fragmentation = "fragmentation",
        /// A malformed close frame.
        Close = "close",
        /// Invalid UTF-8.
        Utf8 = "utf8",
        /// Text where binary is spoken.
        Text = "text",
        /// A message over the limit.
        TooBig = "too_big",
        /// More messages than anyone needs, after a warning.
        Flood = "flood",
        /// Bytes that are no `ClientMessage`, or one with impossible contents.
        Malformed = "malformed",
        /// A message at the wrong time.
        Order = "order",
    }
}
