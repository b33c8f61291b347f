//! The plain encoding of a block: message `Block` of common.proto, for any protobuf library.
//!
//! In: a cell's difference and the frames it lies between. Out: the block as field 14 of `Snapshot`, key and length included,
//! so that a snapshot is a header followed by such slices.

use super::cell_delta::CellDelta;
use super::protobuf;
use crate::frame::{Frame, History, MAX_EVENT_AGE_TICKS};
use crate::world::{CellId, CellPart, RowKey};

/// The number of field `Snapshot.blocks`.
const BLOCKS_FIELD: u32 = 14;

/// Appends the block of `part` of `cell` from the baseline (`None`: a keyframe) to the newest frame.
pub(crate) fn encode_block(
    history: &History,
    baseline: Option<&Frame>,
    cell: CellId,
    part: CellPart,
    delta: &CellDelta,
    out: &mut Vec<u8>,
) {
    let Some(now) = history.newest() else { return };
    protobuf::delimited(out, BLOCKS_FIELD, |out| {
        let id = history.schema().grid.part_id(cell, part);
        protobuf::uint_unless_zero(out, 1, u64::from(id.0));
        if let Some(baseline) = baseline {
            protobuf::uint(out, 2, u64::from(now.tick.since(baseline.tick)));
        }
        for (key, to) in &delta.left {
            protobuf::delimited(out, 3, |out| {
                key_fields(out, *key);
                protobuf::uint_unless_zero(out, 3, to.map_or(0, |cell| u64::from(cell.0) + 1));
            });
        }
        for key in &delta.entered {
            protobuf::delimited(out, 4, |out| row(out, now, *key));
        }
        if let Some(baseline) = baseline {
            for key in &delta.changed {
                protobuf::delimited(out, 5, |out| change(out, history, baseline, now, *key));
            }
            if part.index() == 0 {
                events(out, history, baseline, now, cell);
            }
        }
    });
}

fn key_fields(out: &mut Vec<u8>, key: RowKey) {
    protobuf::uint_unless_zero(out, 1, u64::from(key.kind().0));
    protobuf::uint_unless_zero(out, 2, u64::from(key.slot()));
}

fn row(out: &mut Vec<u8>, now: &Frame, key: RowKey) {
    key_fields(out, key);
    protobuf::uint(out, 3, u64::from(now.generation(key)));
    protobuf::packed_sints(out, 4, now.lanes(key));
    for text in now.texts(key) {
        protobuf::bytes(out, 5, text.as_bytes());
    }
}

fn change(out: &mut Vec<u8>, history: &History, baseline: &Frame, now: &Frame, key: RowKey) {
    key_fields(out, key);
    let lanes = history
        .schema()
        .kind(key.kind())
        .map_or(&[][..], |kind| &kind.lanes);
    let differences = || {
        baseline
            .lanes(key)
            .zip(now.lanes(key))
            .zip(lanes)
            .map(|((old, new), lane)| lane.difference(old, new))
    };
    let mask = differences()
        .enumerate()
        .fold(0_u64, |mask, (lane, difference)| {
            mask | u64::from(difference != 0) << lane
        });
    protobuf::uint_unless_zero(out, 3, mask);
    protobuf::packed_sints(out, 4, differences().filter(|difference| *difference != 0));
    for (text, (old, new)) in baseline.texts(key).zip(now.texts(key)).enumerate() {
        if old != new {
            protobuf::delimited(out, 5, |out| {
                protobuf::uint_unless_zero(out, 1, text as u64);
                protobuf::bytes(out, 2, new.as_bytes());
            });
        }
    }
}

fn events(out: &mut Vec<u8>, history: &History, baseline: &Frame, now: &Frame, cell: CellId) {
    for frame in history
        .after(baseline.tick)
        .filter(|frame| now.tick.since(frame.tick) < MAX_EVENT_AGE_TICKS)
    {
        for event in frame.events.in_cell(cell) {
            protobuf::delimited(out, 6, |out| {
                protobuf::uint_unless_zero(out, 1, u64::from(event.number));
                protobuf::uint_unless_zero(out, 2, u64::from(now.tick.since(frame.tick)));
                protobuf::uint_unless_zero(out, 3, u64::from(event.kind));
                protobuf::bytes(out, 4, event.payload);
            });
        }
    }
}
