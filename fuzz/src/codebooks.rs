//! Codebooks: a message is refused whole, or its codebooks can be written and read again, and read any bits.
//!
//! Input: server messages (see [`crate::messages`]). Codebooks are taken; each snapshot is read with those that are in force.

use crate::memory::measure;
use crate::messages::split;
use crate::replica::apply;
use crate::vectors::SCHEMA;
use prost::Message as _;
use std::sync::Arc;
use tickwire_proto::v1::{self, server_message::Body};
use tickwire_sync::client::Replica;
use tickwire_sync::encode::HeaderDecoder;
use tickwire_sync::encode::packed::Codebooks;

/// The codebooks of the vectors' schema, as often as one message copies them.
const OWN_BYTES: usize = 1 << 20;

/// One run of the target.
///
/// # Panics
/// If codebooks break a promise.
pub fn run(input: &[u8]) {
    let initial = Codebooks::initial(&SCHEMA);
    let mut codebooks = initial.clone();
    let mut replica = Replica::new(Arc::clone(&SCHEMA));
    let mut headers = HeaderDecoder::default();
    for message in split(input) {
        match v1::ServerMessage::decode(message).map(|message| message.body) {
            Ok(Some(Body::Codebooks(update))) => {
                let (changed, allocated) = measure(|| codebooks.with_changes(&update));
                assert!(allocated.total <= OWN_BYTES, "{allocated:?}");
                let is_taken = replica.update_codebooks(&update).is_ok();
                assert_eq!(is_taken, changed.is_ok());
                let Ok(changed) = changed else { continue };
                check(&initial, &codebooks, &changed);
                codebooks = changed;
            }
            Ok(Some(Body::Snapshot(mut snapshot))) => {
                headers.decode(&mut snapshot);
                apply(&mut replica, &snapshot, message.len());
            }
            _ => {}
        }
    }
}

/// Codebooks can be sent whole, or as what changed.
fn check(initial: &Codebooks, before: &Codebooks, after: &Codebooks) {
    assert_eq!(
        initial.with_changes(&after.to_proto()).as_ref(),
        Ok(after),
        "codebooks can be sent whole"
    );
    let changes = after.changes_since(before);
    assert_eq!(changes.code_lengths.len(), changes.changed.len() * 22);
    assert_eq!(
        before.with_changes(&changes).as_ref(),
        Ok(after),
        "codebooks can be sent as changes"
    );
}
