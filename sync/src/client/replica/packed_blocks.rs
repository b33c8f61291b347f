//! Reads blocks of the packed encoding into the rows of a cell; `encode/packed` writes them.
//!
//! In: the packed bytes of a snapshot. Out: the rows of its cells, and reports to the sink. Bits that end too early, or say
//! something impossible, are an error.

use super::block_sink::BlockSink;
use super::cell_replica::CellReplica;
use super::error::ReplicaError;
use super::row::{Lanes, Row};
use super::sorted_rows;
use crate::encode::packed::{self, BitReader, Codebooks};
use crate::encode::unzigzag;
use crate::world::{CellId, EntityId, KindId, Schema, Tick};
use std::sync::Arc;

/// Applies the packed blocks of a snapshot: a bit for each of these cells, then the blocks of the cells whose bit is set.
pub(super) fn apply_all<'a>(
    schema: &Schema,
    codebooks: &Codebooks,
    cells: impl Iterator<Item = (CellId, &'a mut CellReplica)>,
    packed: &[u8],
    tick: Tick,
    sink: &mut impl BlockSink,
) -> Result<(), ReplicaError> {
    let cells: Vec<(CellId, &mut CellReplica)> = cells.collect();
    let (present, mut blocks) = packed
        .split_at_checked(cells.len().div_ceil(8))
        .ok_or(ReplicaError::Trailing)?;
    let is_present = |index: usize| present[index / 8] >> (index % 8) & 1 == 1;
    for (index, (id, cell)) in cells.into_iter().enumerate() {
        if !is_present(index) {
            continue;
        }
        let previous = packed::previous_for_prediction(cell.received.newest(), cell.previous, tick);
        let length = apply_block(
            blocks,
            schema,
            codebooks,
            previous,
            tick,
            &mut cell.rows,
            sink,
        );
        blocks = &blocks[length.ok_or(ReplicaError::Packed(id.0))?..];
    }
    if blocks.is_empty() {
        Ok(())
    } else {
        Err(ReplicaError::Trailing)
    }
}

/// Applies the block at the start of `bytes` to the rows of a cell. Returns how many bytes the block took; `None` if it is
/// malformed. `previous` is the tick at which the cell stood before, where that predicts.
fn apply_block(
    bytes: &[u8],
    schema: &Schema,
    codebooks: &Codebooks,
    previous: Option<Tick>,
    tick: Tick,
    rows: &mut Vec<Row>,
    sink: &mut impl BlockSink,
) -> Option<usize> {
    let mut bits = BitReader::new(bytes);
    read_block(&mut bits, schema, codebooks, previous, tick, rows, sink)?;
    Some(bits.finish())
}

fn read_block(
    bits: &mut BitReader<'_>,
    schema: &Schema,
    codebooks: &Codebooks,
    previous: Option<Tick>,
    tick: Tick,
    rows: &mut Vec<Row>,
    sink: &mut impl BlockSink,
) -> Option<()> {
    let mut arriving = Vec::new();
    if bits.flag()? {
        let is_keyframe = bits.flag()?;
        if is_keyframe {
            rows.drain(..).for_each(|row| sink.lost(row.id));
        } else {
            read_left(bits, rows, sink)?;
        }
        read_entered(bits, schema, tick, &mut arriving)?;
        if !is_keyframe {
            read_texts(bits, rows, tick, sink)?;
            read_events(bits, tick, sink)?;
        }
        if is_keyframe {
            return insert(rows, arriving, tick, sink);
        }
    }
    let mut start = 0;
    while let Some(kind) = rows.get(start).map(|row| row.id.kind) {
        let length = rows[start..]
            .iter()
            .take_while(|row| row.id.kind == kind)
            .count();
        read_columns(
            bits,
            schema,
            codebooks,
            previous,
            tick,
            &mut rows[start..start + length],
            sink,
        )?;
        start += length;
    }
    insert(rows, arriving, tick, sink)
}

fn read_left(
    bits: &mut BitReader<'_>,
    rows: &mut Vec<Row>,
    sink: &mut impl BlockSink,
) -> Option<()> {
    let count = bits.count(10)?;
    let (mut positions, mut destinations) = (Vec::new(), Vec::new());
    let mut next = 0_usize;
    for _ in 0..count {
        // Each position is counted from the one before.
        let position = next.saturating_add(bits.number()? as usize);
        if position >= rows.len() {
            return None;
        }
        positions.push(position);
        destinations.push(bits.number()?);
        next = position + 1;
    }
    for (row, to) in sorted_rows::remove(rows, &positions).zip(destinations) {
        sink.left(row, to);
    }
    Some(())
}

fn read_entered(
    bits: &mut BitReader<'_>,
    schema: &Schema,
    tick: Tick,
    arriving: &mut Vec<Row>,
) -> Option<()> {
    for _ in 0..bits.count(15)? {
        let kind = KindId(u8::try_from(bits.number()?).ok()?);
        let (slot, generation) = (bits.number()?, bits.number()?);
        let shape = schema.kind(kind)?;
        if slot >= EntityId::MAX_SLOTS {
            return None;
        }
        let lanes = shape.lanes.iter().map(|lane| {
            let value = bits.number()?;
            Some(lane.normalise(unzigzag(value)))
        });
        let lanes = lanes.collect::<Option<Lanes>>()?;
        let texts = shape
            .texts
            .iter()
            .map(|_| read_text(bits))
            .collect::<Option<Vec<_>>>()?;
        arriving.push(Row::new(
            EntityId {
                kind,
                slot,
                generation,
            },
            lanes,
            texts,
            tick,
        ));
    }
    Some(())
}

fn insert(
    rows: &mut Vec<Row>,
    arriving: Vec<Row>,
    tick: Tick,
    sink: &mut impl BlockSink,
) -> Option<()> {
    arriving.iter().for_each(|row| sink.row(row, tick));
    sorted_rows::insert(rows, arriving).ok()
}

fn read_texts(
    bits: &mut BitReader<'_>,
    rows: &mut [Row],
    tick: Tick,
    sink: &mut impl BlockSink,
) -> Option<()> {
    for _ in 0..bits.count(15)? {
        let row = rows.get_mut(bits.number()? as usize)?;
        let text = row.texts.get_mut(bits.number()? as usize)?;
        *text = read_text(bits)?;
        sink.row(row, tick);
    }
    Some(())
}

fn read_events(bits: &mut BitReader<'_>, tick: Tick, sink: &mut impl BlockSink) -> Option<()> {
    for _ in 0..bits.count(20)? {
        let (number, ago, kind) = (bits.number()?, bits.number()?, bits.number()?);
        sink.event(number, tick.minus(ago)?, kind, bits.bytes()?);
    }
    Some(())
}

fn read_text(bits: &mut BitReader<'_>) -> Option<Arc<str>> {
    String::from_utf8(bits.bytes()?).ok().map(Arc::from)
}

fn read_columns(
    bits: &mut BitReader<'_>,
    schema: &Schema,
    codebooks: &Codebooks,
    previous: Option<Tick>,
    tick: Tick,
    rows: &mut [Row],
    sink: &mut impl BlockSink,
) -> Option<()> {
    let number = rows.first()?.id.kind;
    let kind = schema.kind(number)?;
    if bits.flag()? {
        rows.iter_mut()
            .for_each(|row| row.begin_change(previous, tick));
    } else {
        if !bits.flag()? {
            return Some(());
        }
        if bits.flag()? {
            let mut from = 0;
            for _ in 0..bits.count(5)? {
                let position = (bits.number()? as usize).saturating_add(from);
                rows.get_mut(position)?.begin_change(previous, tick);
                from = position + 1;
            }
        } else {
            for row in rows.iter_mut() {
                if bits.flag()? {
                    row.begin_change(previous, tick);
                }
            }
        }
    }
    let lanes = if bits.flag()? {
        codebooks.usual_lanes(number.index())
    } else {
        let mut lanes = 0_u64;
        for lane in 0..kind.lanes.len() {
            lanes |= u64::from(bits.flag()?) << lane;
        }
        lanes
    };
    for (index, lane) in kind.lanes.iter().enumerate() {
        let is_sent = lanes >> index & 1 == 1;
        let codes = codebooks.codes(number.index(), index)?;
        for row in rows.iter_mut().filter(|row| row.is_changing(tick)) {
            let is_predicted = row.is_predicted();
            let residual = if is_sent {
                codes[usize::from(is_predicted)].read(bits)?
            } else {
                0
            };
            row.update_lane(index, lane, residual);
        }
    }
    for row in rows.iter().filter(|row| row.is_changing(tick)) {
        sink.row(row, tick);
    }
    Some(())
}
