//! What reading a block reports, in either encoding.

use super::row::Row;
use crate::world::{EntityId, Tick};

/// Receives what a block says: rows set, rows that left or were lost, events.
pub(super) trait BlockSink {
    /// A row entered or changed.
    fn row(&mut self, row: &Row, tick: Tick);
    /// A row left towards a cell (its number plus 1; 0 if the row is gone).
    fn left(&mut self, row: Row, to_cell_plus_one: u32);
    /// A keyframe dropped a row without saying where it went.
    fn lost(&mut self, id: EntityId);
    /// An event.
    fn event(&mut self, number: u32, tick: Tick, kind: u32, payload: Vec<u8>);
}
