//! The messages that a room sends besides snapshots.

use prost::Message as _;
use tickwire_proto::v1::{self, message::Content, server_message::Body};
use tickwire_sync::{Micros, PlayerId, Tick};

/// Longest line of chat.
pub(super) const MAX_CHAT_CHARACTERS: usize = 200;

/// Makes `into` the beat of a tick.
pub(super) fn beat(tick: Tick, now: Micros, into: &mut Vec<u8>) {
    let beat = v1::Beat {
        tick: tick.0,
        clock_us: now.0,
    };
    let body = Some(Body::Beat(beat));
    into.clear();
    // A Vec takes everything.
    let _ = v1::ServerMessage { body }.encode(into);
}

pub(super) fn notice(text: &str) -> Vec<u8> {
    encode(Body::Notice(v1::Notice {
        text: text.to_owned(),
    }))
}

/// A reliable message that has no number yet.
pub(super) fn chat_message(from: PlayerId, name: &str, text: &str) -> v1::Message {
    v1::Message {
        number: 0,
        from_session: from.0,
        from_name: name.to_owned(),
        content: Some(Content::Chat(text.to_owned())),
    }
}

/// A reliable message that has no number yet.
pub(super) fn game_message(payload: &[u8]) -> v1::Message {
    v1::Message {
        content: Some(Content::Game(payload.to_vec())),
        ..v1::Message::default()
    }
}

pub(super) fn encode(body: Body) -> Vec<u8> {
    v1::ServerMessage { body: Some(body) }.encode_to_vec()
}
