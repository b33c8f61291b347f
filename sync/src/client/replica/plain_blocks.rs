//! Reads blocks of the plain encoding into the rows of a cell.
//!
//! In: a decoded protobuf block. Out: the cell's rows at the snapshot's tick, and reports to the sink. What does not fit is an
//! error.

use super::block_sink::BlockSink;
use super::cell_replica::CellReplica;
use super::error::ReplicaError;
use super::row::Row;
use super::sorted_rows;
use crate::world::{Schema, Tick};
use tickwire_proto::v1;

/// Applies a plain block to its cell.
pub(super) fn apply_block(
    schema: &Schema,
    cell: &mut CellReplica,
    block: &v1::Block,
    tick: Tick,
    sink: &mut impl BlockSink,
) -> Result<(), ReplicaError> {
    if block.baseline_ago == 0 {
        cell.rows.drain(..).for_each(|row| sink.lost(row.id));
    } else if tick.minus(block.baseline_ago) != Some(cell.tick) {
        return Err(ReplicaError::Baseline(block.cell));
    }
    let left = block.left.iter().map(|gone| {
        let position = cell.find(gone.kind, gone.slot)?;
        Ok((position, gone))
    });
    let mut left = left.collect::<Result<Vec<_>, _>>()?;
    left.sort_by_key(|(position, _)| *position);
    if let Some(pair) = left.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(ReplicaError::Row(pair[1].1.kind, pair[1].1.slot));
    }
    let positions: Vec<usize> = left.iter().map(|(position, _)| *position).collect();
    for (row, (_, gone)) in sorted_rows::remove(&mut cell.rows, &positions).zip(&left) {
        sink.left(row, gone.to_cell_plus_one);
    }
    for change in &block.changed {
        let position = cell.find(change.kind, change.slot)?;
        let row = &mut cell.rows[position];
        let kind = schema
            .kind(row.id.kind)
            .ok_or(ReplicaError::Shape(change.kind, change.slot))?;
        row.begin_change(None, tick);
        row.apply_change(kind, change)?;
        sink.row(row, tick);
    }
    let entered = block.entered.iter();
    let entered = entered.map(|row| Row::from_proto(schema, row, tick));
    let entered = entered.collect::<Result<Vec<_>, _>>()?;
    entered.iter().for_each(|row| sink.row(row, tick));
    sorted_rows::insert(&mut cell.rows, entered)
        .map_err(|row| ReplicaError::Row(u32::from(row.kind().0), row.slot()))?;
    for event in &block.events {
        let at = tick.minus(event.ticks_ago).unwrap_or_default();
        sink.event(event.number, at, event.kind, event.payload.clone());
    }
    Ok(())
}
