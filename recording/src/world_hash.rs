//! The hash of a whole world: of every row with its cell, and of every private lane with its owner.
//!
//! The writer computes it from the room's frame, row by row, and the reader from the rows that it has decoded. So a mistake of either
//! is found.

use tickwire_sync::world::hash::{cell_hash_in_view, row_hash};
use tickwire_sync::{CellId, EntityId, PlayerId};

/// What one row adds to the hash, which is a wrapping sum.
pub(crate) fn of_row<'a>(
    cell: CellId,
    id: EntityId,
    lanes: impl IntoIterator<Item = i32>,
    texts: impl IntoIterator<Item = &'a str>,
) -> u64 {
    cell_hash_in_view(cell, row_hash(id, lanes, texts))
}

/// What one owned row adds to the hash.
pub(crate) fn of_owned(owner: PlayerId, id: EntityId, lanes: &[i32]) -> u64 {
    let hash = row_hash(id, lanes.iter().copied(), ["owned"]);
    cell_hash_in_view(CellId(owner.0), hash)
}

/// The part of the hash that a file holds.
pub(crate) fn folded(hash: u64) -> u32 {
    (hash ^ hash >> 32) as u32
}
