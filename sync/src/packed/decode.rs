//! Reading a block into the rows of a cell.

use super::bits::BitReader;
use super::tables::Tables;
use crate::ids::{EntityId, KindId, Tick};
use crate::replica::{BlockSink, Lanes, Row, rows};
use crate::schema::Schema;
use std::sync::Arc;
use thiserror::Error;

/// The bits of a block end too early, or say something that cannot be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the packed block cannot be right")]
pub struct PackedError;

/// Applies the block at the start of `bytes` to the rows of a cell, which stand at the tick before by the replica's own
/// record. Returns how many bytes the block took.
///
/// `previous` is the tick before the cell's, if both predict.
pub(crate) fn apply_block(
    bytes: &[u8],
    schema: &Schema,
    tables: &Tables,
    previous: Option<Tick>,
    tick: Tick,
    rows: &mut Vec<Row>,
    sink: &mut impl BlockSink,
) -> Result<usize, PackedError> {
    let mut bits = BitReader::new(bytes);
    read(&mut bits, schema, tables, previous, tick, rows, sink).ok_or(PackedError)?;
    Ok(bits.finish())
}

fn read(
    bits: &mut BitReader<'_>,
    schema: &Schema,
    tables: &Tables,
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
            left(bits, rows, sink)?;
        }
        entered(bits, schema, tick, &mut arriving)?;
        if !is_keyframe {
            texts(bits, rows, tick, sink)?;
            events(bits, tick, sink)?;
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
        columns(
            bits,
            schema,
            tables,
            previous,
            tick,
            &mut rows[start..start + length],
            sink,
        )?;
        start += length;
    }
    insert(rows, arriving, tick, sink)
}

fn left(bits: &mut BitReader<'_>, rows: &mut Vec<Row>, sink: &mut impl BlockSink) -> Option<()> {
    let count = bits.count(10)?;
    let (mut positions, mut towards) = (Vec::new(), Vec::new());
    let mut next = 0_usize;
    for _ in 0..count {
        // Those before it have left already, so each step is counted from where the last one was.
        let position = next.saturating_add(bits.number()? as usize);
        if position >= rows.len() {
            return None;
        }
        positions.push(position);
        towards.push(bits.number()?);
        next = position + 1;
    }
    for (row, to) in rows::take_out(rows, &positions).zip(towards) {
        sink.left(row, to);
    }
    Some(())
}

fn entered(
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
            Some(lane.normalise((value >> 1) as i32 ^ -((value & 1) as i32)))
        });
        let lanes = lanes.collect::<Option<Lanes>>()?;
        let texts = shape
            .texts
            .iter()
            .map(|_| text(bits))
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
    rows::put_in(rows, arriving).ok()
}

fn texts(
    bits: &mut BitReader<'_>,
    rows: &mut [Row],
    tick: Tick,
    sink: &mut impl BlockSink,
) -> Option<()> {
    for _ in 0..bits.count(15)? {
        let row = rows.get_mut(bits.number()? as usize)?;
        let place = row.texts.get_mut(bits.number()? as usize)?;
        *place = text(bits)?;
        sink.row(row, tick);
    }
    Some(())
}

fn events(bits: &mut BitReader<'_>, tick: Tick, sink: &mut impl BlockSink) -> Option<()> {
    for _ in 0..bits.count(20)? {
        let (number, ago, kind) = (bits.number()?, bits.number()?, bits.number()?);
        sink.event(number, tick.before(ago)?, kind, bits.bytes()?);
    }
    Some(())
}

fn text(bits: &mut BitReader<'_>) -> Option<Arc<str>> {
    String::from_utf8(bits.bytes()?).ok().map(Arc::from)
}

fn columns(
    bits: &mut BitReader<'_>,
    schema: &Schema,
    tables: &Tables,
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
                let position = bits.number()? as usize + from;
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
        tables.usual_lanes(number.index())
    } else {
        let mut lanes = 0_u64;
        for lane in 0..kind.lanes.len() {
            lanes |= u64::from(bits.flag()?) << lane;
        }
        lanes
    };
    for (index, lane) in kind.lanes.iter().enumerate() {
        let is_sent = lanes >> index & 1 == 1;
        let codes = tables.codes(number.index(), index)?;
        for row in rows.iter_mut().filter(|row| row.is_changing(tick)) {
            let is_predicted = row.is_predicted();
            let residual = if is_sent {
                codes[usize::from(is_predicted)].read(bits)?
            } else {
                0
            };
            row.move_lane(index, lane, residual);
        }
    }
    for row in rows.iter().filter(|row| row.is_changing(tick)) {
        sink.row(row, tick);
    }
    Some(())
}
