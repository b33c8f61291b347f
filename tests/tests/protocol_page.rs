//! Keeps docs/PROTOCOL.md up to date: its example bytes are what the crates write, and its messages are those of the .proto files.
//!
//! Each fenced block tagged `hex NAME` holds the bytes of one message, with comments after `#`. The blocks tagged `proto` together hold
//! every message and enum, without comments.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use glam::IVec2;
use prost::Message as _;
use std::collections::BTreeMap;
use std::sync::Arc;
use tickwire::Payload as _;
use tickwire::prelude::{Angle, Choice, Command, Event, Input, Text};
use tickwire_proto::CloseCode;
use tickwire_proto::v1::{self, client_message, server_message};
use tickwire_sync::client::{ApplyOutcome, Replica};
use tickwire_sync::encode::{BlockCache, Encoding, Header};
use tickwire_sync::frame::{Events, History, MIN_HISTORY_FRAMES};
use tickwire_sync::interest::{ClientView, InterestArea};
use tickwire_sync::snapshot::SnapshotBuilder;
use tickwire_sync::{
    CellId, EntityId, Grid, Kind, KindId, Lane, Layer, LayerSet, PlayerId, Schema, Scope, Seq, Tick,
};

const PAGE: &str = include_str!("../../docs/PROTOCOL.md");
const PROTO: [&str; 3] = [
    include_str!("../../proto/tickwire/v1/client.proto"),
    include_str!("../../proto/tickwire/v1/common.proto"),
    include_str!("../../proto/tickwire/v1/server.proto"),
];

const SHIP: EntityId = EntityId {
    kind: KindId(0),
    slot: 1,
    generation: 1,
};

/// The page's example world: one kind `ship` with x, y and heading, one private lane and a text; one kind of event; a grid of 2 x 2
/// cells with sides of 100.
fn schema() -> Arc<Schema> {
    let ship = Kind {
        name: "ship".into(),
        lanes: vec![
            Lane::continuous("x", "unit"),
            Lane::continuous("y", "unit"),
            Lane::angle("heading", "1/1024 turn", 1024),
        ],
        private_lanes: vec![Lane::discrete("ammo", "shots")],
        texts: vec!["name".into()],
        placed: true,
        predicted: true,
        ..Kind::default()
    };
    Arc::new(Schema {
        kinds: vec![ship],
        events: vec!["bump".into()],
        grid: Grid::covering(IVec2::ZERO, IVec2::splat(200), 100),
        ..Schema::default()
    })
}

fn client(body: client_message::Body) -> Vec<u8> {
    v1::ClientMessage { body: Some(body) }.encode_to_vec()
}

fn server(body: server_message::Body) -> Vec<u8> {
    v1::ServerMessage { body: Some(body) }.encode_to_vec()
}

fn snapshots(encoding: Encoding) -> Vec<Vec<u8>> {
    let schema = schema();
    let mut history = History::new(Arc::clone(&schema), MIN_HISTORY_FRAMES);
    let (mut block_cache, mut snapshot, mut view, mut events) = (
        BlockCache::new(&schema),
        SnapshotBuilder::default(),
        ClientView::default(),
        Events::default(),
    );
    // In the last tick the ship bumps and crosses into cell 2, which enters the view then.
    let frames = [
        (300, [50, 60, 1020], 50),
        (301, [53, 60, 1023], 50),
        (302, [56, 61, 2], 50),
        (303, [110, 61, 2], 90),
    ];
    let write = |(tick, lanes, focus): (u32, [i32; 3], i32)| {
        if tick == 303 {
            events.emit(0, b"!", [CellId(1)]);
        }
        history.publish(Tick(tick), &mut events, |out| {
            out.put(SHIP, Scope::Layer(Layer(0)), &lanes, &[Arc::from("Ada")]);
            out.own(PlayerId(7), SHIP, &[5]);
        });
        view.update_interest(
            &schema.grid,
            InterestArea {
                focus: IVec2::new(focus, 50),
                half_extent: IVec2::splat(20),
                layers: LayerSet::default(),
            },
        );
        let header = Header {
            owner: PlayerId(7),
            applied_seq: Seq(tick - 290),
            input_margin: (tick != 303).then_some(8),
            starved_inputs: 0,
            with_view_hash: tick == 301,
        };
        snapshot.build(
            &mut view,
            &history,
            &mut block_cache,
            encoding,
            header,
            |_| false,
        );
        view.mark_sent(&history);
        snapshot.message(&block_cache)
    };
    frames.into_iter().map(write).collect()
}

fn welcome() -> v1::Welcome {
    v1::Welcome {
        session: 7,
        resume_token: [7, 0, 0, 0]
            .into_iter()
            .chain(0xa0..0xb0)
            .collect::<Vec<u8>>(),
        room: "a".into(),
        name: "Ada".into(),
        entity: Some(v1::EntityId {
            kind: 0,
            slot: 1,
            generation: 1,
        }),
        tick_rate: 60,
        tick: 299,
        clock_us: 4_950_000,
        tick_zero_us: -40_000,
        schema: Some(schema().to_proto()),
        game: "demo".into(),
        map: b"m".to_vec(),
        rules_hash: 0x1122_3344_5566_7788,
        encoding: v1::Encoding::Plain.into(),
        limits: Some(v1::Limits {
            max_message_bytes: 4096,
            resume_window_ms: 60_000,
            max_rewind_ms: 250,
            max_input_lead: 64,
        }),
        ..v1::Welcome::default()
    }
}

fn expected() -> BTreeMap<&'static str, Vec<u8>> {
    let hello = v1::Hello {
        version: 1,
        room: "a".into(),
        name: "Ada".into(),
        encoding: v1::Encoding::Plain.into(),
        ..v1::Hello::default()
    };
    let inputs = v1::Inputs {
        seq: 12,
        target_tick: 304,
        received_tick: 301,
        received_at_us: 0x0102_0304,
        view_tick: 299,
        view_fraction: 128,
        payload: vec![8, 0, 1],
    };
    let heartbeat = v1::Heartbeat {
        tick: 302,
        clock_us: 5_000_000,
    };
    let mut messages = BTreeMap::from([
        ("hello", client(client_message::Body::Hello(hello))),
        ("inputs", client(client_message::Body::Inputs(inputs))),
        ("welcome", server(server_message::Body::Welcome(welcome()))),
        (
            "heartbeat",
            server(server_message::Body::Heartbeat(heartbeat)),
        ),
    ]);
    messages.extend(payloads());
    messages.extend(PLAIN.into_iter().zip(snapshots(Encoding::Plain)));
    messages.extend(PACKED.into_iter().zip(snapshots(Encoding::Packed)));
    messages
}

#[derive(Input, Clone)]
struct Wish {
    #[input(range = -1..=1)]
    dx: i8,
    #[input(once)]
    dash: bool,
    heading: Angle<1024>,
}

#[derive(Event)]
struct Hit {
    who: PlayerId,
    damage: i32,
    by: Text,
}

#[derive(Choice)]
enum Item {
    Hat,
    Coat,
    Boots,
}

#[derive(Command)]
enum Request {
    Sell,
    Buy { item: Item, count: u16 },
}

/// The payloads that a schema describes.
fn payloads() -> [(&'static str, Vec<u8>); 3] {
    let wish = Wish {
        dx: -1,
        dash: true,
        heading: Angle::from_steps(256),
    };
    let hit = Hit {
        who: PlayerId(7),
        damage: -300,
        by: "Ada".into(),
    };
    let buy = Request::Buy {
        item: Item::Boots,
        count: 200,
    };
    let (mut event, mut command) = (Vec::new(), Vec::new());
    hit.encode_fields(&mut event);
    buy.encode(&mut command);
    [
        ("input-fields", wish.to_payload()),
        ("event-fields", event),
        ("command-fields", command),
    ]
}

/// Names of the example's snapshots, in order. The page shows only the first three packed ones.
const PLAIN: [&str; 4] = ["plain-first", "plain-delta", "plain-wrap", "plain-crossing"];
const PACKED: [&str; 3] = ["packed-first", "packed-delta", "packed-predicted"];

fn bytes_on_page(name: &str) -> Option<Vec<u8>> {
    let start = PAGE.find(&format!("```hex {name}\n"))? + "```hex \n".len() + name.len();
    let block = &PAGE[start..start + PAGE[start..].find("```")?];
    let words = block
        .lines()
        .flat_map(|line| line.split('#').next().unwrap().split_whitespace());
    Some(
        words
            .map(|byte| u8::from_str_radix(byte, 16).unwrap())
            .collect(),
    )
}

#[test]
fn the_example_bytes_are_what_the_crates_write() {
    let differing: Vec<String> = expected()
        .into_iter()
        .filter(|(name, bytes)| bytes_on_page(name).as_ref() != Some(bytes))
        .map(|(name, bytes)| {
            let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{name}: {}", hex.join(" "))
        })
        .collect();
    assert!(
        differing.is_empty(),
        "docs/PROTOCOL.md differs from these bytes:\n{}",
        differing.join("\n")
    );
}

/// Decodes and applies the page's own bytes, one snapshot after the other.
#[test]
fn the_example_snapshots_give_the_rows_on_the_page() {
    let mut replica = Replica::new(schema());
    for name in PLAIN {
        let message = v1::ServerMessage::decode(&bytes_on_page(name).unwrap()[..]).unwrap();
        let Some(server_message::Body::Snapshot(snapshot)) = message.body else {
            panic!("{name} is not a snapshot");
        };
        let agreed = (name == "plain-delta").then_some(true);
        let applied = replica.apply(&snapshot, &mut ());
        assert_eq!(
            applied,
            Ok(ApplyOutcome::Applied {
                view_hash_agreed: agreed
            }),
            "{name}"
        );
        let lanes = &replica.find(SHIP.key()).unwrap().lanes;
        let line = format!("lanes are now {}, {}, {}", lanes[0], lanes[1], lanes[2]);
        assert!(PAGE.contains(&line), "after {name}, {line}");
    }
    assert_eq!(replica.rows(CellId(1)), []);
    assert_eq!(replica.rows(CellId(2)).len(), 1);
    let events = replica.take_events();
    assert_eq!((events.len(), events[0].tick), (1, Tick(303)));
}

#[test]
fn the_example_hashes_are_right() {
    let row = tickwire_sync::world::hash::row_hash(SHIP, [53, 60, 1023], ["Ada"]);
    let cell = |cell, rows| tickwire_sync::world::hash::cell_hash_in_view(CellId(cell), rows);
    let (global, first) = (cell(0, 0_u64), cell(1, row));
    let view = global.wrapping_add(first);
    for line in [
        format!("row {row:016x}, view {view:016x}"),
        format!("cell 0 gives {global:016x}, cell 1 gives {first:016x}"),
    ] {
        assert!(PAGE.contains(&line), "docs/PROTOCOL.md should say: {line}");
    }
}

/// Messages and enums by name, without comments and white space.
fn definitions(text: &str) -> BTreeMap<String, String> {
    let code: Vec<&str> = text
        .lines()
        .map(|line| line.split("//").next().unwrap())
        .collect();
    let code = code.join(" ");
    let mut definitions = BTreeMap::new();
    let (mut depth, mut start) = (0, 0);
    for (at, character) in code.char_indices() {
        depth += i32::from(character == '{') - i32::from(character == '}');
        if depth == 0 && matches!(character, '}' | ';') {
            let words: Vec<&str> = code[start..=at].split_whitespace().collect();
            if let ["message" | "enum", name, ..] = words[..] {
                definitions.insert(name.to_owned(), words.concat());
            }
            start = at + 1;
        }
    }
    definitions
}

#[test]
fn the_pages_messages_are_those_of_the_proto_files() {
    let blocks = PAGE.split("```proto\n").skip(1);
    let blocks: String = blocks
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert_eq!(definitions(&blocks), definitions(&PROTO.concat()));
}

#[test]
fn every_close_code_is_on_the_page() {
    for code in CloseCode::ALL {
        let line = format!("\n| {} |", code.number());
        assert!(
            PAGE.contains(&line),
            "docs/PROTOCOL.md has no line for {code:?}"
        );
    }
}
