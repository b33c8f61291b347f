//! One cell of the replica: its rows, and the ticks at which it was received.

use super::row::Row;
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
    /// A cell with the ticks of this one, and none of its rows.
    pub fn without_rows(&self) -> Self {
        Self {
            rows: Vec::new(),
            ..*self
        }
    }

    /// The index of a row, or where it would be inserted.
    pub fn position(&self, key: RowKey) -> Result<usize, usize> {
        self.rows.binary_search_by_key(&key, |row| row.id.key())
    }
}
