//! The messages that a room sends beside snapshots.

use prost::Message as _;
use std::time::Duration;
use tickwire_proto::v1::{self, message::Content, server_message::Body};
use tickwire_sync::{Micros, PlayerId, Tick};

/// Replaces `bytes` by the `Heartbeat` of a tick.
pub(super) fn write_heartbeat(tick: Tick, now: Micros, bytes: &mut Vec<u8>) {
    let heartbeat = v1::Heartbeat {
        tick: tick.0,
        clock_us: now.0,
    };
    let body = Some(Body::Heartbeat(heartbeat));
    bytes.clear();
    // Encoding into memory cannot fail.
    let _ = v1::ServerMessage { body }.encode(bytes);
}

/// A notice for a person.
pub(super) fn notice(text: &str) -> Vec<u8> {
    encode(Body::Notice(v1::Notice {
        text: text.to_owned(),
    }))
}

/// The last message before a close with 1001.
pub(crate) fn goodbye(reason: &str, reconnect_after: Duration) -> Vec<u8> {
    encode(Body::Goodbye(v1::Goodbye {
        reason: reason.to_owned(),
        reconnect_after_ms: u32::try_from(reconnect_after.as_millis()).unwrap_or(u32::MAX),
    }))
}

/// A line of chat, not yet numbered.
pub(super) fn chat_message(from: PlayerId, name: &str, text: &str) -> v1::Message {
    v1::Message {
        number: 0,
        from_session: from.0,
        from_name: name.to_owned(),
        content: Some(Content::Chat(text.to_owned())),
    }
}

/// A message of the game, not yet numbered.
pub(super) fn game_message(payload: &[u8]) -> v1::Message {
    v1::Message {
        content: Some(Content::Game(payload.to_vec())),
        ..v1::Message::default()
    }
}

/// A `ServerMessage` with `Welcome` as far as its map, of which so many bytes must follow. Fields may come in any order, so the map is
/// the last of them.
pub(super) fn welcome_before_map(welcome: &v1::Welcome, map_bytes: usize) -> Vec<u8> {
    /// `ServerMessage.welcome` and `Welcome.map`, both length-delimited.
    const WELCOME_KEY: u8 = 0x12;
    const MAP_KEY: u8 = 0x6A;
    debug_assert!(welcome.map.is_empty());
    let map_length_bytes = prost::length_delimiter_len(map_bytes);
    let welcome_bytes = welcome.encoded_len() + 1 + map_length_bytes + map_bytes;
    let mut start = vec![WELCOME_KEY];
    // Encoding into memory cannot fail.
    let _ = prost::encode_length_delimiter(welcome_bytes, &mut start);
    let _ = welcome.encode(&mut start);
    start.push(MAP_KEY);
    let _ = prost::encode_length_delimiter(map_bytes, &mut start);
    start
}

/// A whole `ServerMessage`.
pub(super) fn encode(body: Body) -> Vec<u8> {
    v1::ServerMessage { body: Some(body) }.encode_to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_welcome_with_its_map_behind_is_a_welcome() {
        let welcome = v1::Welcome {
            session: 7,
            map_offset: 300,
            ..v1::Welcome::default()
        };
        for length in [1, 127, 128, 100_000] {
            let mut bytes = welcome_before_map(&welcome, length);
            bytes.resize(bytes.len() + length, 8);
            let expected = v1::Welcome {
                map: vec![8; length],
                ..welcome.clone()
            };
            let body = Some(Body::Welcome(expected));
            assert_eq!(
                v1::ServerMessage::decode(&bytes[..]),
                Ok(v1::ServerMessage { body })
            );
        }
    }
}
