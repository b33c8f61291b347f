//! The packed encoding of a block: bits, columns, prediction, and codes that the room measures.
//!
//! In: a cell's difference and the frames it lies between. Out: a stream of bits, padded to whole bytes; and back. Changed
//! rows are named by their place among the members that both ends hold, lanes travel column by column as residuals of a
//! prediction, and each residual is written in a prefix code for that lane. Documented bit by bit in docs/PROTOCOL.md.

mod bits;
mod code;
mod decode;
mod encode;
mod tables;

pub(crate) use decode::apply_block;
pub(crate) use encode::{Packer, encode_block};
pub use tables::{Tables, TablesError, Tally};

use crate::ids::Tick;

/// The tick before the base, if the rows' motion from it to the base predicts the rows of `now`: only where both are the
/// frames just before, so that server and client agree by their own records.
pub(crate) fn previous_for_prediction(
    base: Option<Tick>,
    previous: Option<Tick>,
    now: Tick,
) -> Option<Tick> {
    let is_steady =
        base.is_some() && base == now.before(1) && previous.is_some() && previous == now.before(2);
    if is_steady { previous } else { None }
}
