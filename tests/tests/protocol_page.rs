//! docs/PROTOCOL.md cannot rot: its worked bytes are what the crates write.
//!
//! Each fenced block tagged `hex NAME` holds the bytes of one message, with comments after `#`.

#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

use glam::IVec2;
use prost::Message as _;
use std::collections::BTreeMap;
use std::sync::Arc;
use tickwire_proto::v1::{self, client_message, server_message};
use tickwire_sync::event::Events;
use tickwire_sync::frame::Place;
use tickwire_sync::history::{History, MIN_FRAMES};
use tickwire_sync::memo::{BlockMemo, Encoding};
use tickwire_sync::snapshot::{Header, Snapshot};
use tickwire_sync::view::{Sight, View};
use tickwire_sync::{
    EntityId, Grid, Kind, KindId, Lane, Layer, LayerSet, PlayerId, Schema, Seq, Tick,
};

const PAGE: &str = include_str!("../../docs/PROTOCOL.md");

/// The example world of the page: one kind `ship` with x, y and heading, one private lane, a grid of 2 x 2 cells of 100.
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
    };
    Arc::new(Schema {
        kinds: vec![ship],
        events: Vec::new(),
        grid: Grid::covering(IVec2::ZERO, IVec2::splat(200), 100),
    })
}

fn client(body: client_message::Body) -> Vec<u8> {
    v1::ClientMessage { body: Some(body) }.encode_to_vec()
}

fn snapshots(encoding: Encoding) -> Vec<Vec<u8>> {
    let schema = schema();
    let mut history = History::new(Arc::clone(&schema), MIN_FRAMES);
    let (mut memo, mut snapshot, mut view, mut events) = (
        BlockMemo::new(&schema),
        Snapshot::default(),
        View::default(),
        Events::default(),
    );
    let frames = [
        (300, [50, 60, 1020]),
        (301, [53, 60, 1023]),
        (302, [56, 61, 2]),
    ];
    let write = |(tick, lanes): (u32, [i32; 3])| {
        history.publish(Tick(tick), &mut events, |out| {
            let id = EntityId {
                kind: KindId(0),
                slot: 1,
                generation: 1,
            };
            out.put(id, Place::Layer(Layer(0)), &lanes, &[Arc::from("Ada")]);
            out.own(PlayerId(7), id, &[5]);
        });
        view.aim(
            &schema.grid,
            Sight {
                focus: IVec2::splat(50),
                half_extent: IVec2::splat(20),
                layers: LayerSet::default(),
            },
        );
        let header = Header {
            owner: PlayerId(7),
            applied_seq: Seq(tick - 290),
            input_margin: Some(8),
            starved_inputs: 0,
            with_view_hash: tick == 301,
        };
        snapshot.build(&mut view, &history, &mut memo, encoding, header, |_| false);
        view.sent(&history);
        snapshot.parts(&memo).collect::<Vec<_>>().concat()
    };
    frames.into_iter().map(write).collect()
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
    let beat = v1::Beat {
        tick: 302,
        clock_us: 5_000_000,
    };
    let beat = v1::ServerMessage {
        body: Some(server_message::Body::Beat(beat)),
    }
    .encode_to_vec();
    let mut messages = BTreeMap::from([
        ("hello", client(client_message::Body::Hello(hello))),
        ("inputs", client(client_message::Body::Inputs(inputs))),
        ("beat", beat),
    ]);
    for (name, bytes) in ["plain-first", "plain-delta"]
        .into_iter()
        .zip(snapshots(Encoding::Plain))
    {
        messages.insert(name, bytes);
    }
    for (name, bytes) in ["packed-first", "packed-delta", "packed-predicted"]
        .into_iter()
        .zip(snapshots(Encoding::Packed))
    {
        messages.insert(name, bytes);
    }
    messages
}

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
fn the_worked_bytes_are_what_the_crates_write() {
    let wrong: Vec<String> = expected()
        .into_iter()
        .filter(|(name, bytes)| bytes_on_page(name).as_ref() != Some(bytes))
        .map(|(name, bytes)| {
            let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{name}: {}", hex.join(" "))
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "docs/PROTOCOL.md has other bytes than these:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn the_worked_hash_is_right() {
    let id = EntityId {
        kind: KindId(0),
        slot: 1,
        generation: 1,
    };
    let row = tickwire_sync::hash::row(id, [53, 60, 1023], ["Ada"]);
    let cell = |cell, rows| tickwire_sync::hash::cell_in_view(tickwire_sync::CellId(cell), rows);
    let view = cell(0, 0_u64).wrapping_add(cell(1, row));
    let line = format!("row {row:016x}, view {view:016x}");
    assert!(PAGE.contains(&line), "docs/PROTOCOL.md should say: {line}");
}
