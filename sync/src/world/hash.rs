//! Hashes of rows, cells and views, by which server and client check that they hold the same integers.
//!
//! A row's hash runs over its words in order. A cell's hash is the wrapping sum over its rows, so the order of rows does not
//! matter and a changed row changes the sum by a difference. A view's hash is the wrapping sum over its cells. docs/PROTOCOL.md
//! documents them for other languages. They guard against mistakes, not against attackers.

use super::grid::CellId;
use super::ids::EntityId;

/// 2^64 divided by the golden ratio, made odd. The product spreads every bit over the word (Knuth, TAOCP vol. 3, 6.4).
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// The hash of one row: kind, slot, generation, every public lane, every text.
#[must_use]
pub fn row_hash<'a>(
    id: EntityId,
    lanes: impl IntoIterator<Item = i32>,
    texts: impl IntoIterator<Item = &'a str>,
) -> u64 {
    let mut hash = mix(mix(mix(0, u32::from(id.kind.0)), id.slot), id.generation);
    for lane in lanes {
        hash = mix(hash, lane as u32);
    }
    for text in texts {
        hash = text
            .bytes()
            .fold(mix(hash, text.len() as u32), |hash, byte| {
                mix(hash, u32::from(byte))
            });
    }
    hash
}

/// What a cell contributes to its view's hash; `rows` is the wrapping sum of the hashes of its rows.
#[must_use]
pub fn cell_hash_in_view(cell: CellId, rows: u64) -> u64 {
    mix(mix(mix(0, cell.0), rows as u32), (rows >> 32) as u32)
}

fn mix(hash: u64, word: u32) -> u64 {
    let hash = (hash ^ u64::from(word))
        .wrapping_add(1)
        .wrapping_mul(SPREAD);
    hash ^ hash >> 29
}
