//! The replica: any snapshots lead to an error or to rows that fit the schema, and a full snapshot mends what an error left.
//!
//! Input: server messages (see [`crate::messages`]): snapshots and codebooks.

use crate::memory::{Allocated, measure};
use crate::messages::split;
use crate::vectors::{SCHEMA, full_snapshot};
use prost::Message as _;
use std::sync::{Arc, LazyLock};
use tickwire_proto::v1::{self, server_message::Body};
use tickwire_sync::client::{ApplyOutcome, Replica, ReplicaError, Row, RowObserver};
use tickwire_sync::encode::HeaderDecoder;
use tickwire_sync::{EntityId, Schema, Tick};

/// A snapshot of the vectors that mends any replica, by encoding, and the hash of its view.
static MENDING: LazyLock<[(v1::Snapshot, u64); 2]> = LazyLock::new(|| {
    [false, true].map(|is_packed| {
        let snapshot = full_snapshot(is_packed);
        let mut replica = Replica::new(Arc::clone(&SCHEMA));
        let applied = replica.apply(&snapshot, &mut ());
        assert!(matches!(applied, Ok(ApplyOutcome::Applied { .. })));
        let hash = replica.view_hash();
        (snapshot, hash)
    })
});

/// Bytes that applying may allocate for each byte of a snapshot: a number of two bytes can part a cell into 128 parts.
const BYTES_EACH: usize = 32 * 1024;
/// Bytes that a replica may keep for each: an entered row of two bytes takes about a hundred.
const KEPT_BYTES_EACH: usize = 1024;
/// The parts of all cells of the schema.
const OWN_BYTES: usize = 4 << 20;

/// One run of the target for the packed encoding.
///
/// # Panics
/// If the replica breaks a promise.
pub fn run_packed(input: &[u8]) {
    run(input, true);
}

/// One run of the target for the plain encoding.
///
/// # Panics
/// If the replica breaks a promise.
pub fn run_plain(input: &[u8]) {
    run(input, false);
}

fn run(input: &[u8], is_packed: bool) {
    let mut replica = Replica::new(Arc::clone(&SCHEMA));
    let mut headers = HeaderDecoder::default();
    for message in split(input) {
        match v1::ServerMessage::decode(message).map(|message| message.body) {
            Ok(Some(Body::Snapshot(mut snapshot))) => {
                if is_packed {
                    headers.decode(&mut snapshot);
                }
                apply(&mut replica, &snapshot, message.len());
            }
            Ok(Some(Body::Codebooks(codebooks))) => {
                let _ = replica.update_codebooks(&codebooks);
            }
            _ => {}
        }
    }
    let (snapshot, hash) = &MENDING[usize::from(is_packed)];
    let mended = replica.apply(snapshot, &mut ());
    assert!(
        matches!(mended, Ok(ApplyOutcome::Applied { .. })),
        "a full snapshot mends the replica: {mended:?}"
    );
    assert_eq!(replica.view_hash(), *hash);
    check_rows(&replica);
}

/// Applies a snapshot of so many bytes, and checks what comes of it.
///
/// # Panics
/// If the replica breaks a promise.
pub fn apply(replica: &mut Replica, snapshot: &v1::Snapshot, bytes: usize) {
    let before = replica.clone();
    let mut observer = Observer(replica.schema().clone());
    let (applied, allocated) = measure(|| replica.apply(snapshot, &mut observer));
    check_memory(bytes, allocated);
    match applied {
        Ok(ApplyOutcome::Applied { view_hash_agreed }) => {
            assert_eq!(replica.tick(), Tick(snapshot.tick));
            assert!(snapshot.full_snapshot || replica.tick() > before.tick());
            let agreed = snapshot.view_hash.map(|hash| hash == replica.view_hash());
            assert_eq!(view_hash_agreed, agreed);
            check_rows(replica);
        }
        Ok(ApplyOutcome::AwaitingFullSnapshot) => {
            assert!(!snapshot.full_snapshot);
            assert_eq!(replica.view_hash(), before.view_hash());
        }
        Err(error) => {
            check_error(&error);
            // A page may still draw what is left, until the full snapshot comes.
            let _ = (replica.view_hash(), replica.visible_rows().len());
            let next = v1::Snapshot {
                tick: u32::MAX,
                ..v1::Snapshot::default()
            };
            assert_eq!(
                replica.clone().apply(&next, &mut ()),
                Ok(ApplyOutcome::AwaitingFullSnapshot)
            );
        }
    }
    replica.take_events();
}

fn check_memory(bytes: usize, allocated: Allocated) {
    assert!(
        allocated.total <= OWN_BYTES + BYTES_EACH * bytes
            && allocated.kept <= OWN_BYTES + KEPT_BYTES_EACH * bytes,
        "a snapshot of {bytes} bytes makes the replica allocate {allocated:?}"
    );
}

fn check_error(error: &ReplicaError) {
    assert!(!error.to_string().is_empty());
}

/// Every row fits the schema, and has its place.
fn check_rows(replica: &Replica) {
    let schema = replica.schema();
    let cells: Vec<_> = replica.cells().map(|(cell, _)| cell).collect();
    assert!(cells.is_sorted_by(|a, b| a < b), "cells ascend");
    for (cell, tick) in replica.cells() {
        assert!(tick <= replica.tick());
        let rows = replica.rows(cell);
        assert!(
            rows.is_sorted_by(|a, b| a.id.key() < b.id.key()),
            "rows ascend by kind and slot"
        );
        rows.iter().for_each(|row| check_row(schema, row));
    }
    for (row, _, _) in replica.visible_rows() {
        check_row(schema, row);
        assert!(replica.find(row.id.key()).is_some());
    }
}

fn check_row(schema: &Schema, row: &Row) {
    let kind = schema.kind(row.id.kind).expect("a row has a known kind");
    assert!(row.id.slot < EntityId::MAX_SLOTS);
    assert_eq!(row.lanes.len(), kind.lanes.len());
    assert_eq!(row.texts.len(), kind.texts.len());
    for (value, lane) in row.lanes.iter().zip(&kind.lanes) {
        assert_eq!(lane.normalise(*value), *value, "lane {}", lane.name);
    }
}

/// Checks the rows that a snapshot reports.
struct Observer(Arc<Schema>);

impl RowObserver for Observer {
    fn row(&mut self, row: &Row, _: Tick) {
        check_row(&self.0, row);
    }

    fn gone(&mut self, id: EntityId, _: Tick) {
        assert!(self.0.kind(id.kind).is_some());
    }
}
