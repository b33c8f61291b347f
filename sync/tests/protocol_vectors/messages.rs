//! Single messages in both directions, with the values of their fields.
//!
//! In JSON a field has the name of the .proto file. Bytes are hexadecimal, 64-bit integers are decimal strings, enums are
//! numbers; a field that is left out has its default.

use crate::connection::PLAYER;
use crate::step::hex;
use crate::world::SHIP;
use prost::Message as _;
use serde::Serialize;
use serde_json::{Value, json};
use tickwire_proto::v1::{
    self, client_message as client, message::Content, server_message as server,
};
use tickwire_sync::Schema;
use tickwire_sync::encode::BlockCache;

#[derive(Serialize)]
pub struct MessageVector {
    name: &'static str,
    hex: String,
    /// The name of the body's field; absent for a body that a client of this version does not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'static str>,
    fields: Value,
}

fn to_server(name: &'static str, body: client::Body, fields: Value) -> MessageVector {
    let field = match &body {
        client::Body::Hello(_) => "hello",
        client::Body::Inputs(_) => "inputs",
        client::Body::Chat(_) => "chat",
        client::Body::Resync(_) => "resync",
        client::Body::Ping(_) => "ping",
        client::Body::Leave(_) => "leave",
        client::Body::Command(_) => "command",
    };
    MessageVector {
        name,
        hex: hex(&v1::ClientMessage { body: Some(body) }.encode_to_vec()),
        body: Some(field),
        fields,
    }
}

pub fn client_messages() -> Vec<MessageVector> {
    use client::Body;
    let hello = |hello| Body::Hello(hello);
    vec![
        to_server(
            "the shortest Hello",
            hello(v1::Hello {
                version: 1,
                ..v1::Hello::default()
            }),
            json!({"version": 1}),
        ),
        to_server(
            "a Hello that resumes",
            hello(v1::Hello {
                version: 1,
                room: "lobby-2".into(),
                name: "Zoë 🚀".into(),
                resume_token: (0xa0..0xb4).collect(),
                ticket: "a.b.c".into(),
                encoding: v1::Encoding::Packed.into(),
                last_message: 300,
                ..v1::Hello::default()
            }),
            json!({
                "version": 1, "room": "lobby-2", "name": "Zoë 🚀", "resume_token": hex(&(0xa0..0xb4).collect::<Vec<u8>>()),
                "ticket": "a.b.c", "encoding": 2, "last_message": 300,
            }),
        ),
        to_server(
            "a Hello with a reserved seat",
            hello(v1::Hello {
                version: 1,
                room: "duel".into(),
                reservation: (0x40..0x50).collect(),
                ..v1::Hello::default()
            }),
            json!({
                "version": 1, "room": "duel", "reservation": hex(&(0x40..0x50).collect::<Vec<u8>>()),
            }),
        ),
        to_server(
            "a Hello of a client that takes cells and the map in parts, and has the first bytes of a map",
            hello(v1::Hello {
                version: 1,
                encoding: v1::Encoding::Packed.into(),
                map_parts: true,
                map_id: (0x10..0x30).collect(),
                map_offset: 300,
                cell_parts: true,
                ..v1::Hello::default()
            }),
            json!({
                "version": 1, "encoding": 2, "map_parts": true, "map_id": hex(&(0x10..0x30).collect::<Vec<u8>>()), "map_offset": 300,
                "cell_parts": true,
            }),
        ),
        to_server(
            "a spectator's Hello",
            hello(v1::Hello {
                version: 1,
                encoding: v1::Encoding::Plain.into(),
                spectate: true,
                ..v1::Hello::default()
            }),
            json!({"version": 1, "encoding": 1, "spectate": true}),
        ),
        to_server(
            "Inputs",
            Body::Inputs(v1::Inputs {
                seq: 4_000_000_000,
                target_tick: 304,
                received_tick: 301,
                received_at_us: u32::MAX - 1,
                view_tick: 299,
                view_fraction: 255,
                payload: vec![8, 0, 255],
            }),
            json!({
                "seq": 4_000_000_000_u32, "target_tick": 304, "received_tick": 301, "received_at_us": u32::MAX - 1,
                "view_tick": 299, "view_fraction": 255, "payload": "0800ff",
            }),
        ),
        to_server(
            "the first Inputs of a spectator",
            Body::Inputs(v1::Inputs {
                seq: 1,
                target_tick: 2,
                ..v1::Inputs::default()
            }),
            json!({"seq": 1, "target_tick": 2}),
        ),
        to_server(
            "Chat",
            Body::Chat(v1::Chat {
                text: "good game, Zoë".into(),
            }),
            json!({"text": "good game, Zoë"}),
        ),
        to_server(
            "Resync after a wrong hash",
            Body::Resync(v1::Resync {
                view_mismatch: true,
                tick: 301,
            }),
            json!({"view_mismatch": true, "tick": 301}),
        ),
        to_server(
            "Ping",
            Body::Ping(v1::Ping {
                stamp: 0xfedc_ba98_7654_3210,
            }),
            json!({"stamp": 0xfedc_ba98_7654_3210_u64.to_string()}),
        ),
        to_server("Leave", Body::Leave(v1::Leave::default()), json!({})),
        to_server(
            "Leave for a while",
            Body::Leave(v1::Leave { grace_ms: 30_000 }),
            json!({"grace_ms": 30_000}),
        ),
        to_server(
            "Command",
            Body::Command(v1::Command {
                number: 129,
                payload: vec![0, 1],
            }),
            json!({"number": 129, "payload": "0001"}),
        ),
    ]
}

fn from_server(
    name: &'static str,
    field: &'static str,
    body: server::Body,
    fields: Value,
) -> MessageVector {
    MessageVector {
        name,
        hex: hex(&v1::ServerMessage { body: Some(body) }.encode_to_vec()),
        body: Some(field),
        fields,
    }
}

/// `Welcome` to a connection of each encoding. The cases follow on it.
fn welcome(schema: &Schema, encoding: v1::Encoding) -> v1::Welcome {
    let codebooks = BlockCache::new(schema).codebooks().to_proto();
    v1::Welcome {
        session: PLAYER,
        resume_token: (0xa0..0xb4).collect(),
        room: "a".into(),
        name: "Ada".into(),
        entity: Some(v1::EntityId {
            kind: SHIP.into(),
            slot: 1,
            generation: 1,
        }),
        tick_rate: 60,
        tick: 299,
        clock_us: 1 << 53 | 1,
        tick_zero_us: -40_000,
        schema: Some(schema.to_proto()),
        game: "vectors".into(),
        map: vec![0, 127, 128, 255],
        rules_hash: u64::MAX,
        encoding: encoding.into(),
        limits: Some(v1::Limits {
            max_message_bytes: 4096,
            resume_window_ms: 60_000,
            max_rewind_ms: 250,
            max_input_lead: 64,
        }),
        rules_module: rules_module(encoding),
        codebooks: (encoding == v1::Encoding::Packed).then_some(codebooks),
        ..v1::Welcome::default()
    }
}

/// One `Welcome` names a rules module, the other one does not.
fn rules_module(encoding: v1::Encoding) -> Vec<u8> {
    match encoding {
        v1::Encoding::Packed => (0..32).collect(),
        _ => Vec::new(),
    }
}

fn welcome_fields(encoding: v1::Encoding) -> Value {
    let mut fields = json!({
        "session": PLAYER, "resume_token": hex(&(0xa0..0xb4).collect::<Vec<u8>>()), "room": "a", "name": "Ada",
        "entity": {"slot": 1, "generation": 1}, "tick_rate": 60, "tick": 299, "clock_us": (1_u64 << 53 | 1).to_string(),
        "tick_zero_us": "-40000", "game": "vectors", "map": "007f80ff", "rules_hash": u64::MAX.to_string(),
        "encoding": encoding as i32,
        "limits": {"max_message_bytes": 4096, "resume_window_ms": 60_000, "max_rewind_ms": 250, "max_input_lead": 64},
    });
    if encoding == v1::Encoding::Packed {
        fields["rules_module"] = json!(hex(&rules_module(encoding)));
    }
    fields
}

pub fn server_messages(schema: &Schema) -> Vec<MessageVector> {
    use server::Body;
    let heartbeat = v1::Heartbeat {
        tick: 302,
        clock_us: 5_000_000,
    };
    // A field 99 (varint 1) that this version does not have.
    let mut longer = heartbeat.encode_to_vec();
    longer.extend([0x98, 0x06, 0x01]);
    let mut unknown_field = vec![0x1a, longer.len() as u8];
    unknown_field.extend(longer);
    vec![
        from_server(
            "Welcome, plain; schema as above",
            "welcome",
            Body::Welcome(welcome(schema, v1::Encoding::Plain)),
            welcome_fields(v1::Encoding::Plain),
        ),
        from_server(
            "Welcome, packed; schema as above, and codebooks",
            "welcome",
            Body::Welcome(welcome(schema, v1::Encoding::Packed)),
            welcome_fields(v1::Encoding::Packed),
        ),
        from_server(
            "Heartbeat",
            "heartbeat",
            Body::Heartbeat(heartbeat),
            json!({"tick": 302, "clock_us": "5000000"}),
        ),
        MessageVector {
            name: "Heartbeat with an unknown field, which is ignored",
            hex: hex(&unknown_field),
            body: Some("heartbeat"),
            fields: json!({"tick": 302, "clock_us": "5000000"}),
        },
        MessageVector {
            name: "an unknown body (field 99), which is ignored",
            hex: hex(&[0x9a, 0x06, 0x02, 0x08, 0x01]),
            body: None,
            fields: json!({}),
        },
        from_server(
            "MapPart",
            "map_part",
            Body::MapPart(v1::MapPart {
                bytes: vec![0, 127, 128, 255],
            }),
            json!({"bytes": "007f80ff"}),
        ),
        from_server(
            "Message: chat",
            "message",
            Body::Message(v1::Message {
                number: 1,
                from_session: 3,
                from_name: "Bob".into(),
                content: Some(Content::Chat("hello, Zoë".into())),
            }),
            json!({"number": 1, "from_session": 3, "from_name": "Bob", "chat": "hello, Zoë"}),
        ),
        from_server(
            "Message: from the game, empty",
            "message",
            Body::Message(v1::Message {
                number: 2,
                content: Some(Content::Game(Vec::new())),
                ..v1::Message::default()
            }),
            json!({"number": 2, "game": ""}),
        ),
        from_server(
            "Notice",
            "notice",
            Body::Notice(v1::Notice {
                text: "Restart in a minute.".into(),
            }),
            json!({"text": "Restart in a minute."}),
        ),
        from_server(
            "Goodbye",
            "goodbye",
            Body::Goodbye(v1::Goodbye {
                reason: "The server restarts.".into(),
                reconnect_after_ms: 1_500,
            }),
            json!({"reason": "The server restarts.", "reconnect_after_ms": 1_500}),
        ),
        from_server(
            "Pong",
            "pong",
            Body::Pong(v1::Pong {
                stamp: 0xfedc_ba98_7654_3210,
                clock_us: 5_000_000,
                tick: 302,
                held_us: 700,
            }),
            json!({"stamp": 0xfedc_ba98_7654_3210_u64.to_string(), "clock_us": "5000000", "tick": 302, "held_us": 700}),
        ),
    ]
}
