//! Turns slotmap keys into entity identifiers.

use slotmap::Key;
use tickwire_sync::{EntityId, KindId};

/// The entity identifier of a slotmap key. The key's index is the slot, and its version gives the generation: versions of
/// occupied slots are odd and count from 1.
#[must_use]
pub fn id(kind: KindId, key: impl Key) -> EntityId {
    let key = key.data().as_ffi();
    EntityId {
        kind,
        slot: key as u32,
        generation: (key >> 33) as u32 + 1,
    }
}
