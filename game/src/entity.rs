//! From slotmap keys to the names that go on the wire.

use slotmap::Key;
use tickwire_sync::{EntityId, KindId};

/// The wire name of a slotmap key: its index is the slot, its version the generation (occupied versions are odd, from 1).
#[must_use]
pub fn id(kind: KindId, key: impl Key) -> EntityId {
    let key = key.data().as_ffi();
    EntityId {
        kind,
        slot: key as u32,
        generation: (key >> 33) as u32 + 1,
    }
}
