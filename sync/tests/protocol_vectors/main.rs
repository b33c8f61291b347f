//! `docs/protocol-vectors.json` is what the crates write: test vectors for clients in other languages.
//!
//! One schema has everything that a game can declare. The cases run the server's own code (history, views, block cache,
//! snapshots), and record what it sends in both encodings and what a client must have afterwards. docs/PROTOCOL.md describes
//! the file. `TICKWIRE_WRITE_VECTORS=1` writes it anew.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod cases;
mod connection;
mod coverage;
mod input_clock;
mod messages;
mod payloads;
mod step;
mod world;

use connection::Connection;
use coverage::Coverage;
use glam::IVec2;
use prost::Message as _;
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;
use step::{Step, hex};
use tickwire_proto::v1;
use tickwire_sync::world::hash;
use tickwire_sync::{CellId, EntityId, KindId, Lane, Layer, Schema};
use world::GHOST;

const FILE: &str = "../docs/protocol-vectors.json";
const MAX_BYTES: usize = 400_000;

/// A JSON document with one line for each entry of a list, so that a change shows as the lines that it changes.
struct Document(String);

impl Document {
    fn entry(&mut self, name: &str, value: &impl Serialize) {
        let value = serde_json::to_string(value).unwrap();
        write!(self.0, "{}\"{name}\": {value}", self.separator()).unwrap();
    }

    fn list(&mut self, name: &str, values: &[impl Serialize]) {
        write!(self.0, "{}\"{name}\": {}", self.separator(), lines(values)).unwrap();
    }

    fn separator(&self) -> &'static str {
        if self.0.ends_with('{') { "\n" } else { ",\n" }
    }
}

fn lines(values: &[impl Serialize]) -> String {
    let lines: Vec<String> = values
        .iter()
        .map(|value| serde_json::to_string(value).unwrap())
        .collect();
    format!("[\n{}\n]", lines.join(",\n"))
}

/// The schema with the field names of the .proto files, every field of it. A `value` that is a plain number is left out.
fn schema_fields(schema: &v1::Schema) -> Value {
    let kinds = schema.kinds.iter().map(|kind| {
        let lanes = |lanes: &[v1::Lane]| lanes.iter().map(lane_fields).collect::<Vec<_>>();
        json!({
            "name": kind.name, "lanes": lanes(&kind.lanes), "private_lanes": lanes(&kind.private_lanes),
            "texts": kind.texts, "placed": kind.placed, "predicted": kind.predicted,
            "teleport_lane_plus_one": kind.teleport_lane_plus_one,
        })
    });
    let input = schema.input.iter().map(|field| {
        let fields = json!({
            "name": field.name, "unit": field.unit, "bits": field.bits, "min": field.min, "max": field.max, "once": field.once,
        });
        with_value(fields, field.value.as_ref())
    });
    let payloads = |kinds: &[v1::PayloadKind]| {
        let kinds = kinds.iter().map(|kind| {
            let fields = kind.fields.iter().map(|field| {
                let fields = json!({"name": field.name, "unit": field.unit, "encoding": field.encoding});
                with_value(fields, field.value.as_ref())
            });
            json!({"name": kind.name, "fields": fields.collect::<Vec<_>>(), "described": kind.described})
        });
        kinds.collect::<Vec<_>>()
    };
    let grid = schema.grid.unwrap();
    json!({
        "kinds": kinds.collect::<Vec<_>>(),
        "events": payloads(&schema.events),
        "grid": {
            "origin_x": grid.origin_x, "origin_y": grid.origin_y, "cell_size": grid.cell_size,
            "columns": grid.columns, "rows": grid.rows, "layers": grid.layers,
        },
        "input": input.collect::<Vec<_>>(),
        "commands": payloads(&schema.commands),
        "messages": payloads(&schema.messages),
    })
}

fn lane_fields(lane: &v1::Lane) -> Value {
    let fields = json!({"name": lane.name, "unit": lane.unit, "modulus": lane.modulus, "continuous": lane.continuous});
    with_value(fields, lane.value.as_ref())
}

fn with_value(mut fields: Value, value: Option<&v1::ValueType>) -> Value {
    if let Some(value) = value {
        fields["value"] =
            json!({"meaning": value.meaning, "steps": value.steps, "names": value.names});
    }
    fields
}

fn lane_arithmetic() -> Vec<Value> {
    let differences = [
        (0, i32::MAX, i32::MIN),
        (0, i32::MIN, i32::MAX),
        (0, -5, 7),
        (1, 0, 0),
        (2, 0, 1),
        (2, 1, 0),
        (5, 4, 0),
        (7, 0, 3),
        (7, 0, 4),
        (7, 6, 2),
        (1024, 1023, 2),
        (1024, 0, 512),
        (1024, 512, 0),
        (i32::MAX as u32, 0, i32::MAX - 1),
        (i32::MAX as u32, 0, 1 << 30),
        (i32::MAX as u32, 0, (1 << 30) - 1),
    ];
    let lane = |modulus| Lane {
        modulus,
        continuous: true,
        ..Lane::default()
    };
    let differences = differences.iter().map(|(modulus, from, to)| {
        let difference = lane(*modulus).difference(*from, *to);
        assert_eq!(lane(*modulus).add(*from, difference), *to);
        json!({"modulus": modulus, "from": from, "to": to, "difference": difference})
    });
    differences.collect()
}

fn interpolation() -> Vec<Value> {
    let parts = [
        (0, 0, 10, 85),
        (0, 0, -10, 85),
        (0, 7, 8, 255),
        (0, 8, 7, 1),
        (0, 8, 7, 0),
        (1024, 1020, 4, 128),
        (1024, 4, 1020, 127),
        (1024, 0, 512, 64),
        (0, i32::MIN, i32::MAX, 128),
    ];
    let values = parts.iter().map(|(modulus, from, to, part)| {
        let lane = Lane {
            modulus: *modulus,
            continuous: true,
            ..Lane::default()
        };
        let value = lane.interpolate(*from, *to, *part, 256);
        json!({"modulus": modulus, "from": from, "to": to, "part": part, "whole": 256, "value": value})
    });
    values.collect()
}

/// Ghosts that walked, and ghosts that were teleported.
fn row_interpolation(schema: &Schema) -> Vec<Value> {
    let kind = &schema.kinds[usize::from(GHOST)];
    let row = |x, jumps, heading| [x, 0, jumps, heading, 0, 0, 0, 0, 0, 0, 0];
    let rows = [
        (row(160, 3, 1020), row(320, 3, 4), 128),
        (row(160, 3, 1020), row(320, 4, 4), 128),
        (row(160, 3, 1020), row(320, 4, 4), 256),
        (row(160, 255, 0), row(-160, 0, 0), 255),
    ];
    let rows = rows.iter().map(|(from, to, part)| {
        let lanes = kind.interpolate(from, to, *part, 256);
        json!({"kind": GHOST, "from": from, "to": to, "part": part, "whole": 256, "lanes": lanes})
    });
    rows.collect()
}

fn positions(schema: &Schema) -> Vec<Value> {
    let positions = [
        (-100, -50, 0),
        (-1, 49, 0),
        (0, 49, 0),
        (0, 50, 0),
        (299, 249, 0),
        (300, 250, 0),
        (-101, -51, 0),
        (i32::MIN, i32::MAX, 0),
        (i32::MAX, i32::MIN, 1),
        (0, 50, 1),
        (299, 249, 2),
    ];
    let cells = positions.iter().map(|(x, y, layer)| {
        let cell = schema.grid.cell_at(IVec2::new(*x, *y), Layer(*layer));
        json!({"x": x, "y": y, "layer": layer, "cell": cell.0})
    });
    cells.collect()
}

fn row_hashes() -> Vec<Value> {
    type Row<'a> = (u8, u32, u32, &'a [i32], &'a [&'a str]);
    let rows: [Row<'_>; 7] = [
        (0, 1, 1, &[53, 60, 1023], &["Ada"]),
        (4, 0, 1, &[], &[]),
        (1, 70_000, u32::MAX, &[i32::MIN, i32::MAX], &[]),
        (2, 0, 1, &[-1, 0, 0, 6], &[]),
        (0, 2, 9, &[0, 0, 0, 0, 0], &["Zoë 🚀", ""]),
        (0, 2, 9, &[0, 0, 0, 0, 0], &["", "Zoë 🚀"]),
        (3, 16_777_215, 1, &[0; 64], &["a title"]),
    ];
    let hashes = rows.iter().map(|(kind, slot, generation, lanes, texts)| {
        let id = EntityId {
            kind: KindId(*kind),
            slot: *slot,
            generation: *generation,
        };
        let hash = hash::row_hash(id, lanes.iter().copied(), texts.iter().copied());
        json!({"kind": kind, "slot": slot, "generation": generation, "lanes": lanes, "texts": texts, "hash": format!("{hash:016x}")})
    });
    hashes.collect()
}

fn cell_hashes() -> Vec<Value> {
    let sums = [(0, 0), (1, 0), (1, 0x5a6c_3ac0_7322_3c9d), (36, u64::MAX)];
    let hashes = sums.iter().map(|(cell, sum)| {
        let hash = hash::cell_hash_in_view(CellId(*cell), *sum);
        json!({"cell": cell, "sum_of_row_hashes": format!("{sum:016x}"), "hash": format!("{hash:016x}")})
    });
    hashes.collect()
}

fn document() -> String {
    let schema = world::schema();
    let mut document = Document("{".into());
    document.entry(
        "about",
        &"Test vectors of the Tickwire protocol, version 1; docs/PROTOCOL.md describes them. Written by: TICKWIRE_WRITE_VECTORS=1 cargo test -p tickwire-sync --test protocol_vectors",
    );
    document.entry("schema", &schema_fields(&schema.to_proto()));
    document.entry("schema_protobuf", &hex(&schema.to_proto().encode_to_vec()));
    document.list("lane_arithmetic", &lane_arithmetic());
    document.list("interpolation", &interpolation());
    document.list("row_interpolation", &row_interpolation(&schema));
    document.list("input_payloads", &payloads::input_payloads(&schema));
    document.list("payloads", &payloads::payloads(&schema));
    document.list("positions", &positions(&schema));
    document.list("row_hashes", &row_hashes());
    document.list("cell_hashes", &cell_hashes());
    document.list("input_clock", &input_clock::input_clock());
    document.list("client_messages", &messages::client_messages());
    document.list("server_messages", &messages::server_messages(&schema));
    let mut coverage = Coverage::default();
    let cases = cases::CASES.map(|(name, about, script)| {
        let mut connection = Connection::new(&schema, &mut coverage);
        script(&mut connection);
        let steps: Vec<Step> = connection.finish();
        let (name, about) = (json!(name), json!(about));
        format!(
            "{{\"name\": {name}, \"about\": {about}, \"steps\": {}}}",
            lines(&steps)
        )
    });
    coverage.assert_complete();
    write!(
        document.0,
        ",\n\"cases\": [\n{}\n]\n}}\n",
        cases.join(",\n")
    )
    .unwrap();
    document.0
}

#[test]
fn the_vectors_are_what_the_crates_write() {
    let written = document();
    assert!(
        written.len() < MAX_BYTES,
        "{} bytes are too many",
        written.len()
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    if std::env::var_os("TICKWIRE_WRITE_VECTORS").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    let file = std::fs::read_to_string(&path).unwrap_or_default();
    let line = written
        .lines()
        .zip(file.lines())
        .position(|(new, old)| new != old);
    assert!(
        written == file,
        "docs/protocol-vectors.json differs from what the crates write, from line {} on. If the protocol is meant to change, run \
         TICKWIRE_WRITE_VECTORS=1 cargo test -p tickwire-sync --test protocol_vectors",
        line.unwrap_or_else(|| file.lines().count().min(written.lines().count())) + 1
    );
}
