//! The close codes: what the server says with the end of a connection, and whether the client comes back.
//!
//! In: the numbers of WebSocket close frames. Out: their meaning. The reasons that people read are the server's.

/// The close codes that the server sends (RFC 6455 section 7.4, and 4000 up: Tickwire's own).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum CloseCode {
    /// The player left, and said so.
    Normal = 1000,
    /// The server is going away; `Goodbye` says how long to wait.
    GoingAway = 1001,
    /// A violation of RFC 6455: unmasked frame, reserved bits or opcode, bad fragmentation or close.
    Protocol = 1002,
    /// A text message where only binary is allowed.
    TextMessage = 1003,
    /// Invalid UTF-8 in a text message or in the reason of a close.
    InvalidText = 1007,
    /// A bad ticket, a kick by the game, or a flood after a warning.
    Policy = 1008,
    /// A message larger than `--max-message-bytes`, summed over its fragments.
    TooBig = 1009,
    /// No place left; try later.
    Full = 1013,
    /// A message that is not a valid `ClientMessage`.
    Malformed = 4000,
    /// A message out of order: input before `Hello`, a second `Hello`.
    WrongOrder = 4001,
    /// An unknown or unsupported version, room or game.
    Unsupported = 4002,
    /// No `Hello` within `--handshake-timeout`.
    HandshakeTimeout = 4003,
    /// No pong within the heartbeat's interval and timeout.
    HeartbeatTimeout = 4004,
    /// A newer connection has resumed the session.
    ResumedElsewhere = 4005,
}

impl CloseCode {
    /// Every code, by number.
    pub const ALL: [Self; 14] = [
        Self::Normal,
        Self::GoingAway,
        Self::Protocol,
        Self::TextMessage,
        Self::InvalidText,
        Self::Policy,
        Self::TooBig,
        Self::Full,
        Self::Malformed,
        Self::WrongOrder,
        Self::Unsupported,
        Self::HandshakeTimeout,
        Self::HeartbeatTimeout,
        Self::ResumedElsewhere,
    ];

    /// The code with this number, if Tickwire has one.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// Whether the client does not reconnect after this code, because another attempt would end the same way.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Normal
            | Self::Protocol
            | Self::TextMessage
            | Self::Policy
            | Self::Malformed
            | Self::WrongOrder
            | Self::Unsupported
            | Self::ResumedElsewhere => true,
            Self::GoingAway
            | Self::InvalidText
            | Self::TooBig
            | Self::Full
            | Self::HandshakeTimeout
            | Self::HeartbeatTimeout => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_codes_have_their_documented_numbers() {
        let numbers = CloseCode::ALL.map(CloseCode::number);
        let documented = [
            1000, 1001, 1002, 1003, 1007, 1008, 1009, 1013, 4000, 4001, 4002, 4003, 4004, 4005,
        ];
        assert_eq!(numbers, documented);
        for code in CloseCode::ALL {
            assert_eq!(CloseCode::from_number(code.number()), Some(code));
        }
        assert_eq!(CloseCode::from_number(1006), None);
    }

    #[test]
    fn clients_reconnect_unless_the_next_attempt_would_fail_too() {
        let final_codes = CloseCode::ALL.into_iter().filter(|code| code.is_final());
        let final_numbers: Vec<u16> = final_codes.map(CloseCode::number).collect();
        assert_eq!(
            final_numbers,
            [1000, 1002, 1003, 1008, 4000, 4001, 4002, 4005]
        );
    }
}
