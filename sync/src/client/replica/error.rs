//! Why a snapshot cannot be applied.

use crate::world::Tick;
use thiserror::Error;

/// Why a snapshot cannot be applied. The server is another build, or the bytes were damaged on the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ReplicaError {
    /// The snapshot's tick is not later than the replica's.
    #[error("the snapshot of tick {0} is not newer than the replica")]
    Tick(Tick),
    /// A cell that is not in the view, not in the grid, or twice in a list.
    #[error("cell {0} is not where the snapshot says it is")]
    Cell(u32),
    /// A block whose baseline is not the tick at which the replica has the cell.
    #[error("the block of cell {0} has another baseline than the replica")]
    Baseline(u32),
    /// A row that is missing, or present where it must not be, or there twice.
    #[error("row {1} of kind {0} is not where the snapshot says it is")]
    Row(u32, u32),
    /// A row with other lanes or texts than the schema's, or of an unknown kind.
    #[error("row {1} of kind {0} does not fit the schema")]
    Shape(u32, u32),
    /// A packed block that cannot be read.
    #[error("the packed block of cell {0} is malformed")]
    Packed(u32),
    /// Blocks of the plain encoding, which this client does not read.
    #[cfg(not(feature = "plain"))]
    #[error(
        "the snapshot is in the plain encoding: build the client with the feature `plain`, or ask for the packed one"
    )]
    Plain,
    /// Bytes after the last packed block.
    #[error("there are bytes after the last packed block")]
    Trailing,
}
