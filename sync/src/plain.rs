//! The plain encoding of a block: message `Block` of common.proto, for any protobuf library.
//!
//! In: a cell's difference and the frames it lies between. Out: the block's bytes as field 14 of `Snapshot`, key and length
//! included, so that a snapshot is a header and such slices one after the other.

use crate::delta::CellDelta;
use crate::event::MAX_AGE;
use crate::frame::Frame;
use crate::grid::CellId;
use crate::history::History;
use crate::ids::RowKey;
use crate::wire::{self, zigzag};

/// `Snapshot.blocks`.
const BLOCKS_FIELD: u32 = 14;

/// Appends the block of `cell` from `base` (`None`: a keyframe) to the newest frame.
pub(crate) fn encode_block(
    history: &History,
    base: Option<&Frame>,
    cell: CellId,
    delta: &CellDelta,
    out: &mut Vec<u8>,
) {
    let Some(now) = history.newest() else { return };
    wire::delimited(out, BLOCKS_FIELD, |out| {
        wire::uint_unless_zero(out, 1, u64::from(cell.0));
        if let Some(base) = base {
            wire::uint(out, 2, u64::from(now.tick.since(base.tick)));
        }
        for (key, to) in &delta.left {
            wire::delimited(out, 3, |out| {
                key_fields(out, *key);
                wire::uint_unless_zero(out, 3, to.map_or(0, |cell| u64::from(cell.0) + 1));
            });
        }
        for key in &delta.entered {
            wire::delimited(out, 4, |out| row(out, now, *key));
        }
        if let Some(base) = base {
            for key in &delta.changed {
                wire::delimited(out, 5, |out| change(out, history, base, now, *key));
            }
            events(out, history, base, now, cell);
        }
    });
}

fn key_fields(out: &mut Vec<u8>, key: RowKey) {
    wire::uint_unless_zero(out, 1, u64::from(key.kind().0));
    wire::uint_unless_zero(out, 2, u64::from(key.slot()));
}

fn row(out: &mut Vec<u8>, now: &Frame, key: RowKey) {
    key_fields(out, key);
    wire::uint(out, 3, u64::from(now.generation(key)));
    wire::packed(out, 4, now.lanes(key).map(zigzag));
    for text in now.texts(key) {
        wire::bytes(out, 5, text.as_bytes());
    }
}

fn change(out: &mut Vec<u8>, history: &History, base: &Frame, now: &Frame, key: RowKey) {
    key_fields(out, key);
    let lanes = history
        .schema()
        .kind(key.kind())
        .map_or(&[][..], |kind| &kind.lanes);
    let differences = || {
        base.lanes(key)
            .zip(now.lanes(key))
            .zip(lanes)
            .map(|((old, new), lane)| lane.difference(old, new))
    };
    let mask = differences()
        .enumerate()
        .fold(0_u64, |mask, (lane, difference)| {
            mask | u64::from(difference != 0) << lane
        });
    wire::uint_unless_zero(out, 3, mask);
    wire::packed(
        out,
        4,
        differences()
            .filter(|difference| *difference != 0)
            .map(zigzag),
    );
    for (text, (old, new)) in base.texts(key).zip(now.texts(key)).enumerate() {
        if old != new {
            wire::delimited(out, 5, |out| {
                wire::uint_unless_zero(out, 1, text as u64);
                wire::bytes(out, 2, new.as_bytes());
            });
        }
    }
}

fn events(out: &mut Vec<u8>, history: &History, base: &Frame, now: &Frame, cell: CellId) {
    for frame in history
        .after(base.tick)
        .filter(|frame| now.tick.since(frame.tick) < MAX_AGE)
    {
        for event in frame.events.of_cell(cell) {
            wire::delimited(out, 6, |out| {
                wire::uint_unless_zero(out, 1, u64::from(event.number));
                wire::uint_unless_zero(out, 2, u64::from(now.tick.since(frame.tick)));
                wire::uint_unless_zero(out, 3, u64::from(event.kind));
                wire::bytes(out, 4, event.payload);
            });
        }
    }
}
