//! Writes a block in the packed encoding.
//!
//! In: a cell's difference and the frames it lies between. Out: bits, and counts of the symbols that were written.

use super::bits::BitWriter;
use super::codebooks::{Codebooks, SymbolCounts};
use crate::encode::cell_delta::CellDelta;
use crate::encode::zigzag;
use crate::frame::{Frame, History, MAX_EVENT_AGE_TICKS};
use crate::world::{CellId, CellPart, Lane, RowKey};
use std::sync::Arc;

/// What the encoder needs beside the block: the codebooks in use, the counts to tune them by, and reused memory.
#[derive(Debug)]
pub(crate) struct Packer {
    pub codebooks: Arc<Codebooks>,
    pub counts: SymbolCounts,
    /// Members of the cell at the baseline that have not left.
    staying: Vec<RowKey>,
    /// The rows of one kind whose lanes differ from the baseline, and whether each is predicted.
    changed: Vec<(RowKey, bool)>,
    residuals: Vec<i32>,
}

impl Packer {
    pub fn new(codebooks: Arc<Codebooks>, counts: SymbolCounts) -> Self {
        Self {
            codebooks,
            counts,
            staying: Vec::new(),
            changed: Vec::new(),
            residuals: Vec::new(),
        }
    }
}

/// Appends the block of `part` of `cell` from the baseline (`None`: a keyframe) to the newest frame. `previous` is the frame
/// before the baseline, where it predicts.
#[allow(
    clippy::too_many_arguments,
    reason = "the frames that a block lies between, and where it goes; a struct would only hide them"
)]
pub(crate) fn encode_block(
    history: &History,
    baseline: Option<&Frame>,
    previous: Option<&Frame>,
    cell: CellId,
    part: CellPart,
    delta: &CellDelta,
    packer: &mut Packer,
    out: &mut Vec<u8>,
) {
    let Some(now) = history.newest() else { return };
    let mut out = BitWriter::new(out);
    collect_staying(baseline, cell, delta, &mut packer.staying);
    write_structure(
        history,
        baseline,
        now,
        (cell, part),
        delta,
        &packer.staying,
        &mut out,
    );
    if let Some(baseline) = baseline {
        let staying = std::mem::take(&mut packer.staying);
        for group in staying.chunk_by(|a, b| a.kind() == b.kind()) {
            write_columns(
                history, baseline, previous, now, cell, delta, group, packer, &mut out,
            );
        }
        packer.staying = staying;
    }
    out.finish();
}

/// Collects the members of the cell at the baseline that have not left, in their order.
fn collect_staying(
    baseline: Option<&Frame>,
    cell: CellId,
    delta: &CellDelta,
    staying: &mut Vec<RowKey>,
) {
    staying.clear();
    let mut left = delta.left.iter().map(|(key, _)| *key).peekable();
    for key in delta.baseline_members(baseline, cell) {
        if left.peek() == Some(key) {
            left.next();
        } else {
            staying.push(*key);
        }
    }
}

/// Writes everything but the changed lanes: rows that left or entered, texts, events. A single bit where there is none.
fn write_structure(
    history: &History,
    baseline: Option<&Frame>,
    now: &Frame,
    (cell, part): (CellId, CellPart),
    delta: &CellDelta,
    staying: &[RowKey],
    out: &mut BitWriter<'_>,
) {
    let has_new_texts = baseline.is_some_and(|baseline| {
        delta
            .changed
            .iter()
            .any(|key| baseline.texts(*key).ne(now.texts(*key)))
    });
    let events = || {
        // Those of a parted cell go with its first part.
        let frames = baseline
            .filter(|_| part.index() == 0)
            .into_iter()
            .flat_map(|baseline| history.after(baseline.tick));
        frames
            .filter(|frame| now.tick.since(frame.tick) < MAX_EVENT_AGE_TICKS)
            .flat_map(|frame| {
                frame
                    .events
                    .in_cell(cell)
                    .map(move |event| (now.tick.since(frame.tick), event))
            })
    };
    let event_count = events().count();
    let is_needed = baseline.is_none()
        || !delta.left.is_empty()
        || !delta.entered.is_empty()
        || has_new_texts
        || event_count > 0;
    out.flag(is_needed);
    if !is_needed {
        return;
    }
    out.flag(baseline.is_none());
    if baseline.is_some() {
        write_left(delta.baseline_members(baseline, cell), delta, out);
    }
    write_entered(history, now, delta, out);
    if let Some(baseline) = baseline {
        write_texts(baseline, now, delta, staying, out);
        out.number(event_count as u32);
        for (ago, event) in events() {
            out.number(event.number);
            out.number(ago);
            out.number(event.kind);
            out.bytes(event.payload);
        }
    }
}

fn write_left(members: &[RowKey], delta: &CellDelta, out: &mut BitWriter<'_>) {
    out.number(delta.left.len() as u32);
    let mut from = 0;
    for (key, to) in &delta.left {
        // Rows that left were members, in the same order.
        let position = from
            + members[from..]
                .iter()
                .position(|member| member == key)
                .unwrap_or(0);
        out.number((position - from) as u32);
        out.number(to.map_or(0, |cell| cell.0 + 1));
        from = position + 1;
    }
}

fn write_entered(history: &History, now: &Frame, delta: &CellDelta, out: &mut BitWriter<'_>) {
    out.number(delta.entered.len() as u32);
    for key in &delta.entered {
        out.number(u32::from(key.kind().0));
        out.number(key.slot());
        out.number(now.generation(*key));
        let lanes = history
            .schema()
            .kind(key.kind())
            .map_or(0, |kind| kind.lanes.len());
        for lane in now.lanes(*key).take(lanes) {
            out.number(zigzag(lane));
        }
        for text in now.texts(*key) {
            out.bytes(text.as_bytes());
        }
    }
}

fn write_texts(
    baseline: &Frame,
    now: &Frame,
    delta: &CellDelta,
    staying: &[RowKey],
    out: &mut BitWriter<'_>,
) {
    let changes = || {
        delta.changed.iter().flat_map(|key| {
            let pairs = baseline.texts(*key).zip(now.texts(*key)).enumerate();
            pairs
                .filter(|(_, (old, new))| old != new)
                .map(move |(text, (_, new))| (*key, text, new))
        })
    };
    out.number(changes().count() as u32);
    for (key, text, new) in changes() {
        // Rows that changed have stayed.
        out.number(staying.binary_search(&key).unwrap_or(0) as u32);
        out.number(text as u32);
        out.bytes(new.as_bytes());
    }
}

/// Writes the changed lanes of the rows of one kind, column by column.
#[allow(
    clippy::too_many_arguments,
    reason = "the frames that a block lies between, and where it goes; a struct would only hide them"
)]
fn write_columns(
    history: &History,
    baseline: &Frame,
    previous: Option<&Frame>,
    now: &Frame,
    cell: CellId,
    delta: &CellDelta,
    group: &[RowKey],
    packer: &mut Packer,
    out: &mut BitWriter<'_>,
) {
    let Some(kind) = group.first().map(|key| key.kind()) else {
        return;
    };
    // Changed rows are sorted by kind and have all stayed. Visiting every member would cost more than the changed rows.
    let of_kind = delta.changed.partition_point(|key| key.kind() < kind);
    let differing = delta.changed[of_kind..]
        .iter()
        .take_while(|key| key.kind() == kind);
    let (Some(schema), kind) = (history.schema().kind(kind), kind.index()) else {
        return;
    };
    let Packer {
        codebooks,
        counts,
        changed,
        residuals,
        ..
    } = packer;
    // Compared word by word: rows are a few words long, and a call of memcmp costs more.
    let is_changed = |key: RowKey| baseline.lanes(key).ne(now.lanes(key));
    let is_predicted = |key: RowKey| {
        previous.is_some_and(|previous| {
            previous.generation(key) == now.generation(key) && previous.cell_of(key) == Some(cell)
        })
    };
    changed.clear();
    changed.extend(
        differing
            .filter(|key| is_changed(**key))
            .map(|key| (*key, is_predicted(*key))),
    );
    out.flag(changed.len() == group.len());
    if changed.len() < group.len() {
        out.flag(!changed.is_empty());
        if changed.is_empty() {
            return;
        }
        write_changed_positions(group, changed, out);
    }
    // Residuals are computed row by row, as frames store them, and kept column by column, as they are sent.
    residuals.clear();
    residuals.resize(schema.lanes.len() * changed.len(), 0);
    let mut lanes = 0_u64;
    for (index, (key, is_predicted)) in changed.iter().enumerate() {
        let (baseline, now) = (baseline.row(*key), now.row(*key));
        let previous = previous
            .filter(|_| *is_predicted)
            .map(|previous| previous.row(*key));
        let columns = residuals.chunks_exact_mut(changed.len());
        for (lane, (column, lane_type)) in columns.zip(&schema.lanes).enumerate() {
            let residual = residual(lane_type, lane, baseline, previous, now);
            column[index] = residual;
            lanes |= u64::from(residual != 0) << lane;
        }
    }
    counts.count_group(kind, lanes);
    // Sending the usual set of lanes costs one bit; its unchanged lanes cost little more.
    let usual = codebooks.usual_lanes(kind);
    let is_usual = lanes & !usual == 0;
    let sent = if is_usual { usual } else { lanes };
    out.flag(is_usual);
    if !is_usual {
        (0..schema.lanes.len()).for_each(|lane| out.flag(lanes >> lane & 1 == 1));
    }
    let columns = residuals.chunks_exact(changed.len()).enumerate();
    for (lane, column) in columns.filter(|(lane, _)| sent >> lane & 1 == 1) {
        let Some(codes) = codebooks.codes(kind, lane) else {
            continue;
        };
        for (residual, (_, is_predicted)) in column.iter().zip(&*changed) {
            let symbol = codes[usize::from(*is_predicted)].write(*residual, out);
            counts.count_residual(kind, lane, *is_predicted, symbol);
        }
    }
}

/// Writes which rows of a group changed: one bit per row, or the gaps between changed rows where that is shorter.
fn write_changed_positions(group: &[RowKey], changed: &[(RowKey, bool)], out: &mut BitWriter<'_>) {
    let gaps = || {
        let mut from = 0;
        changed.iter().map(move |(key, _)| {
            // Changed rows are members of the group, in the same order.
            let gap = group[from..]
                .iter()
                .position(|member| member == key)
                .unwrap_or(0);
            from += gap + 1;
            gap as u32
        })
    };
    let count = changed.len() as u32;
    let bits = BitWriter::bit_length_of(count) + gaps().map(BitWriter::bit_length_of).sum::<u32>();
    let has_gaps = (bits as usize) < group.len();
    out.flag(has_gaps);
    if has_gaps {
        out.number(count);
        gaps().for_each(|gap| out.number(gap));
    } else {
        let mut rest = changed.iter().peekable();
        for key in group {
            out.flag(rest.next_if(|(changed, _)| changed == key).is_some());
        }
    }
}

/// What to add to a lane's predicted value to get the present one. The prediction is the baseline's value, taken on from
/// `previous` where that predicts.
fn residual(
    lane: &Lane,
    at: usize,
    baseline: &[i32],
    previous: Option<&[i32]>,
    now: &[i32],
) -> i32 {
    let value = |row: &[i32]| row.get(at).copied().unwrap_or(0);
    let predicted = match previous {
        Some(previous) => lane.extrapolate(value(previous), value(baseline)),
        None => value(baseline),
    };
    lane.difference(predicted, value(now))
}
