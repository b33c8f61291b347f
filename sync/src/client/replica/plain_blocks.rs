//! Reads blocks of the plain encoding into the rows of a cell.
//!
//! In: a decoded protobuf block. Out: the cell's rows at the snapshot's tick, and reports to the sink. What does not fit is an
//! error.

use super::block_sink::BlockSink;
use super::cell_replica::CellReplica;
use super::error::ReplicaError;
use super::row::Row;
use super::sorted_rows;
use crate::world::{EntityId, Kind, KindId, RowKey, Schema, Tick};
use std::sync::Arc;
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
        let position = find(cell, gone.kind, gone.slot)?;
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
        let position = find(cell, change.kind, change.slot)?;
        let row = &mut cell.rows[position];
        let kind = schema
            .kind(row.id.kind)
            .ok_or(ReplicaError::Shape(change.kind, change.slot))?;
        row.begin_change(None, tick);
        apply_change(row, kind, change)?;
        sink.row(row, tick);
    }
    let entered = block.entered.iter();
    let entered = entered.map(|row| entered_row(schema, row, tick));
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

/// The index of a row that a block names by its wire numbers.
fn find(cell: &CellReplica, kind: u32, slot: u32) -> Result<usize, ReplicaError> {
    let key = row_key(kind, slot)?;
    cell.position(key)
        .map_err(|_| ReplicaError::Row(kind, slot))
}

fn row_key(kind: u32, slot: u32) -> Result<RowKey, ReplicaError> {
    match u8::try_from(kind) {
        Ok(kind) if slot < EntityId::MAX_SLOTS => Ok(RowKey::new(KindId(kind), slot)),
        _ => Err(ReplicaError::Shape(kind, slot)),
    }
}

fn entered_row(schema: &Schema, row: &v1::Row, tick: Tick) -> Result<Row, ReplicaError> {
    let shape = ReplicaError::Shape(row.kind, row.slot);
    let key = row_key(row.kind, row.slot)?;
    let kind = schema.kind(key.kind()).ok_or(shape)?;
    if row.lanes.len() != kind.lanes.len() || row.texts.len() != kind.texts.len() {
        return Err(shape);
    }
    let id = EntityId {
        kind: key.kind(),
        slot: row.slot,
        generation: row.generation,
    };
    let lanes = row
        .lanes
        .iter()
        .zip(&kind.lanes)
        .map(|(value, lane)| lane.normalise(*value))
        .collect();
    let texts = row
        .texts
        .iter()
        .map(|text| Arc::from(text.as_str()))
        .collect();
    Ok(Row::new(id, lanes, texts, tick))
}

fn apply_change(row: &mut Row, kind: &Kind, change: &v1::Change) -> Result<(), ReplicaError> {
    let shape = ReplicaError::Shape(change.kind, change.slot);
    let mut mask = change.lane_mask;
    if mask.count_ones() as usize != change.deltas.len() {
        return Err(shape);
    }
    for delta in &change.deltas {
        let index = mask.trailing_zeros() as usize;
        mask &= mask - 1;
        let lane = kind.lanes.get(index).ok_or(shape)?;
        let value = row.lanes.get_mut(index).ok_or(shape)?;
        *value = lane.add(*value, *delta);
    }
    for text in &change.texts {
        *row.texts.get_mut(text.text as usize).ok_or(shape)? = Arc::from(text.value.as_str());
    }
    Ok(())
}
