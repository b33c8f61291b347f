//! One cell of the replica: its rows, and the ticks at which it was received.

use super::error::ReplicaError;
use super::row::{Row, row_key};
use crate::interest::SentTicks;
use crate::world::{RowKey, Tick};

/// One cell as the client has it.
#[derive(Clone, Debug, Default)]
pub(super) struct CellReplica {
    /// The cell's tick.
    pub tick: Tick,
    /// The tick at which the cell stood before.
    pub previous: Option<Tick>,
    /// The ticks at which the cell was received.
    pub received: SentTicks,
    /// Sorted by kind and slot.
    pub rows: Vec<Row>,
}

impl CellReplica {
    /// The index of a row, or where it would be inserted.
    pub fn position(&self, key: RowKey) -> Result<usize, usize> {
        self.rows.binary_search_by_key(&key, |row| row.id.key())
    }

    /// The index of a row that a block names by its wire numbers.
    pub fn find(&self, kind: u32, slot: u32) -> Result<usize, ReplicaError> {
        let key = row_key(kind, slot)?;
        self.position(key)
            .map_err(|_| ReplicaError::Row(kind, slot))
    }
}
