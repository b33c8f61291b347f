//! Messages on a direct link: a length (u32, big endian), a kind, and what the kind says.

use bytes::{Buf, BytesMut};

/// The longest message, its kind included.
pub(super) const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

const LENGTH_BYTES: usize = 4;
const STATUS: u8 = 0;
const ENVELOPE: u8 = 1;
const REDIS_LOST: u8 = 1;

/// What a node says of itself at least every 200 ms.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LinkStatus {
    /// Its last renewal failed: it has lost Redis.
    pub has_lost_redis: bool,
}

/// A message of the other side.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Message {
    Status(LinkStatus),
    Envelope(BytesMut),
}

/// Bytes that are no message: the link is closed.
#[derive(Debug, thiserror::Error)]
#[error("what came over the link is no message: do both nodes run the same version?")]
pub(super) struct NotAMessage;

/// Appends a message with this node's status.
pub(super) fn write_status(out: &mut Vec<u8>, status: LinkStatus) {
    let flags = if status.has_lost_redis { REDIS_LOST } else { 0 };
    out.extend_from_slice(&[0, 0, 0, 2, STATUS, flags]);
}

/// Begins a message with an envelope, which the caller appends; [`end_envelope`] ends it.
pub(super) fn begin_envelope(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0, 0, 0, 0, ENVELOPE]);
}

/// Ends the message that began `out`. False if it is too long for a link.
pub(super) fn end_envelope(out: &mut [u8]) -> bool {
    let len = out.len() - LENGTH_BYTES;
    if len > MAX_MESSAGE_BYTES {
        return false;
    }
    out[..LENGTH_BYTES].copy_from_slice(&(len as u32).to_be_bytes());
    true
}

/// Takes the first message out of what was received; `None`: it has not come completely.
pub(super) fn take_message(received: &mut BytesMut) -> Result<Option<Message>, NotAMessage> {
    let Some(length) = received.first_chunk::<LENGTH_BYTES>() else {
        return Ok(None);
    };
    let len = u32::from_be_bytes(*length) as usize;
    if len == 0 || len > MAX_MESSAGE_BYTES {
        return Err(NotAMessage);
    }
    if received.len() < LENGTH_BYTES + len {
        return Ok(None);
    }
    received.advance(LENGTH_BYTES);
    let mut message = received.split_to(len);
    match message.get_u8() {
        STATUS if message.len() == 1 => Ok(Some(Message::Status(LinkStatus {
            has_lost_redis: message[0] & REDIS_LOST != 0,
        }))),
        ENVELOPE => Ok(Some(Message::Envelope(message))),
        _ => Err(NotAMessage),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut received = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = take_message(&mut received) {}
        }

        #[test]
        fn messages_come_as_they_went_however_they_are_cut(
            envelopes in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..8),
            cut in 1..64_usize,
        ) {
            let mut bytes = Vec::new();
            for envelope in &envelopes {
                let mut message = Vec::new();
                begin_envelope(&mut message);
                message.extend_from_slice(envelope);
                assert!(end_envelope(&mut message));
                bytes.extend_from_slice(&message);
                write_status(&mut bytes, LinkStatus { has_lost_redis: envelope.len() % 2 == 0 });
            }
            let mut received = BytesMut::new();
            let mut messages = Vec::new();
            for part in bytes.chunks(cut) {
                received.extend_from_slice(part);
                while let Some(message) = take_message(&mut received).expect("messages") {
                    messages.push(message);
                }
            }
            let expected = envelopes.iter().flat_map(|envelope| {
                let status = LinkStatus { has_lost_redis: envelope.len() % 2 == 0 };
                [Message::Envelope(BytesMut::from(&envelope[..])), Message::Status(status)]
            });
            prop_assert_eq!(messages, expected.collect::<Vec<_>>());
        }
    }
}
