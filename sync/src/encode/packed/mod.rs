//! The packed encoding of a block: a bit stream with prediction and measured Huffman codes.
//!
//! In: a cell's difference and the frames it lies between. Out: bits, padded to whole bytes. Changed rows are named by their
//! position among the members that both ends hold, lanes travel column by column as residuals of a prediction, and each
//! residual is written in the codebook of its lane. docs/PROTOCOL.md documents every bit. The client's half, which reads
//! blocks, is `client/replica/packed_blocks.rs`.

mod bits;
mod codebooks;
mod encode;
mod huffman;

pub(crate) use bits::BitReader;
pub use codebooks::{CodebookError, Codebooks, SymbolCounts};
pub(super) use encode::{Packer, encode_block};

use crate::world::Tick;

/// The tick before the baseline, if the rows' motion between the two predicts the rows of `now`. Only the two ticks right
/// before `now` count, so that server and client agree by their own records.
pub(crate) fn previous_for_prediction(
    baseline: Option<Tick>,
    previous: Option<Tick>,
    now: Tick,
) -> Option<Tick> {
    let is_steady = baseline.is_some()
        && baseline == now.minus(1)
        && previous.is_some()
        && previous == now.minus(2);
    if is_steady { previous } else { None }
}
