//! What `docs/protocol-vectors.json` has: a schema with everything that a game can declare, and real messages.

use prost::Message as _;
use serde_json::Value;
use std::sync::{Arc, LazyLock};
use tickwire_proto::v1::{self, server_message::Body};
use tickwire_sync::Schema;

/// The file.
pub static VECTORS: LazyLock<Value> = LazyLock::new(|| {
    let text = include_str!("../../docs/protocol-vectors.json");
    serde_json::from_str(text).expect("the vectors are JSON")
});

/// The schema of all snapshots in the vectors.
pub static SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(|| {
    let bytes = bytes_of(&VECTORS["schema_protobuf"]);
    let schema = v1::Schema::decode(&bytes[..]).expect("the vectors have a schema");
    Arc::new(Schema::from_proto(&schema).expect("the schema of the vectors can be used"))
});

/// The server messages of each case, in the plain encoding or in the packed one.
#[must_use]
pub fn cases(is_packed: bool) -> Vec<Vec<Vec<u8>>> {
    let encoding = if is_packed { "packed" } else { "plain" };
    let messages = |case: &Value| {
        let steps = list(&case["steps"]).iter();
        let messages = steps.flat_map(|step| list(&step[encoding]).iter().map(bytes_of));
        messages.collect()
    };
    list(&VECTORS["cases"]).iter().map(messages).collect()
}

/// The first full snapshot of the vectors, which needs nothing before it.
#[must_use]
pub fn full_snapshot(is_packed: bool) -> v1::Snapshot {
    let messages = cases(is_packed).into_iter().flatten();
    let mut snapshots =
        messages.filter_map(
            |message| match v1::ServerMessage::decode(&message[..]).ok()?.body {
                Some(Body::Snapshot(snapshot)) if snapshot.full_snapshot => Some(snapshot),
                _ => None,
            },
        );
    snapshots.next().expect("the vectors have a full snapshot")
}

/// The bytes of a hexadecimal text.
#[must_use]
pub fn bytes_of(text: &Value) -> Vec<u8> {
    let digits = text.as_str().expect("bytes are a text").as_bytes();
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    };
    let bytes = digits.chunks(2).map(byte);
    bytes.collect::<Option<_>>().expect("bytes are hexadecimal")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
