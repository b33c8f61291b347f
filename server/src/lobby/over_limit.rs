//! Which messages are decoded though their sender has sent more in this second than a client needs. Pure.
//!
//! In: the bytes of each message, and whether it is over the limit. Out: whether it is decoded. Decoding all of them would let a
//! flood take the time of others.

use crate::close::{Close, CloseCode};

/// The first byte of a `ClientMessage` with `Inputs` (field 2), a `Leave` (field 6), and a `Command` (field 7).
const INPUTS_KEY: u8 = 0x12;
const LEAVE_KEY: u8 = 0x32;
const COMMAND_KEY: u8 = 0x3A;
/// Commands over the limit of a second that are decoded.
const MAX_COMMANDS: u32 = 32;
/// Inputs that are: those of some ten seconds.
const MAX_INPUTS: u32 = 720;

/// Counts what one client sends over the limit of a second.
#[derive(Debug, Default)]
pub struct OverLimit {
    commands: u32,
    inputs: u32,
}

impl OverLimit {
    /// Whether a message is decoded. Over the limit that is a command, because each must arrive once and in order; a farewell; and
    /// the inputs of a line that stood still, as the newest of them are still good. A message below the limit begins a new count.
    ///
    /// # Errors
    /// For a command too many: the client sends it again over its next connection, and later ones must not overtake it.
    pub fn decodes(&mut self, payload: &[u8], is_over_limit: bool) -> Result<bool, Close> {
        if !is_over_limit {
            *self = Self::default();
            return Ok(true);
        }
        match payload.first() {
            Some(&LEAVE_KEY) => Ok(true),
            Some(&INPUTS_KEY) => {
                self.inputs += 1;
                Ok(self.inputs <= MAX_INPUTS)
            }
            Some(&COMMAND_KEY) => {
                self.commands += 1;
                if self.commands > MAX_COMMANDS {
                    return Err(Close::new(
                        CloseCode::Full,
                        "more messages than a tick can take; connect again",
                    ));
                }
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message as _;
    use tickwire_proto::v1::{self, client_message::Body};

    fn bytes(body: Body) -> Vec<u8> {
        v1::ClientMessage { body: Some(body) }.encode_to_vec()
    }

    #[test]
    fn what_is_over_the_flood_limit_is_not_decoded() {
        let mut over = OverLimit::default();
        let ignored = [
            bytes(Body::Hello(v1::Hello::default())),
            bytes(Body::Chat(v1::Chat::default())),
            bytes(Body::Resync(v1::Resync::default())),
            bytes(Body::Ping(v1::Ping::default())),
            Vec::new(),
            vec![0xFF; 4_096],
        ];
        for payload in &ignored {
            assert_eq!(over.decodes(payload, true), Ok(false), "{payload:?}");
            assert_eq!(over.decodes(payload, false), Ok(true), "{payload:?}");
        }
        let farewell = bytes(Body::Leave(v1::Leave::default()));
        assert!((0..10_000).all(|_| over.decodes(&farewell, true) == Ok(true)));
    }

    #[test]
    fn inputs_over_the_limit_are_decoded_for_ten_seconds() {
        let mut over = OverLimit::default();
        let inputs = bytes(Body::Inputs(v1::Inputs::default()));
        let decoded = |over: &mut OverLimit| {
            let decodes = |_: &u32| over.decodes(&inputs, true) == Ok(true);
            (0..10_000).filter(decodes).count()
        };
        assert_eq!((decoded(&mut over), decoded(&mut over)), (720, 0));
        // A second below the limit begins anew.
        assert_eq!(over.decodes(&inputs, false), Ok(true));
        assert_eq!(decoded(&mut over), 720);
    }

    #[test]
    fn a_command_too_many_is_not_lost_but_ends_the_connection() {
        let mut over = OverLimit::default();
        let command = bytes(Body::Command(v1::Command::default()));
        assert!((0..32).all(|_| over.decodes(&command, true) == Ok(true)));
        let refused = over.decodes(&command, true);
        assert_eq!(refused.map_err(|close| close.code), Err(CloseCode::Full));
    }
}
