//! Writing a block.

use super::bits::BitWriter;
use super::tables::{Tables, Tally};
use crate::delta::CellDelta;
use crate::event::MAX_AGE;
use crate::frame::Frame;
use crate::grid::CellId;
use crate::history::History;
use crate::ids::RowKey;
use crate::schema::Lane;
use std::sync::Arc;

/// What packing needs besides the block: the tables in use, what they are measured by, and memory that is used again.
#[derive(Debug)]
pub(crate) struct Packer {
    pub tables: Arc<Tables>,
    pub tally: Tally,
    /// Members of the cell at the base that have not left.
    staying: Vec<RowKey>,
    /// Of one kind: rows with other lanes than at the base, and whether each is predicted.
    changed: Vec<(RowKey, bool)>,
    residuals: Vec<i32>,
}

impl Packer {
    pub fn new(tables: Arc<Tables>, tally: Tally) -> Self {
        Self {
            tables,
            tally,
            staying: Vec::new(),
            changed: Vec::new(),
            residuals: Vec::new(),
        }
    }
}

/// Appends the block of `cell` from `base` (`None`: a keyframe) to the newest frame; `previous` is the frame before the base, if it predicts.
pub(crate) fn encode_block(
    history: &History,
    base: Option<&Frame>,
    previous: Option<&Frame>,
    cell: CellId,
    delta: &CellDelta,
    packer: &mut Packer,
    out: &mut Vec<u8>,
) {
    let Some(now) = history.newest() else { return };
    let mut out = BitWriter::new(out);
    stay(base, cell, delta, &mut packer.staying);
    structure(history, base, now, cell, delta, &packer.staying, &mut out);
    if let Some(base) = base {
        let staying = std::mem::take(&mut packer.staying);
        for group in staying.chunk_by(|a, b| a.kind() == b.kind()) {
            columns(
                history, base, previous, now, cell, delta, group, packer, &mut out,
            );
        }
        packer.staying = staying;
    }
    out.finish();
}

fn stay(base: Option<&Frame>, cell: CellId, delta: &CellDelta, staying: &mut Vec<RowKey>) {
    staying.clear();
    let Some(base) = base else { return };
    let mut left = delta.left.iter().map(|(key, _)| *key).peekable();
    for key in base.members(cell) {
        if left.peek() == Some(key) {
            left.next();
        } else {
            staying.push(*key);
        }
    }
}

/// Everything but the changed lanes: who left, who entered, texts, events. One bit where there is nothing of it.
fn structure(
    history: &History,
    base: Option<&Frame>,
    now: &Frame,
    cell: CellId,
    delta: &CellDelta,
    staying: &[RowKey],
    out: &mut BitWriter<'_>,
) {
    let has_new_texts = base.is_some_and(|base| {
        delta
            .changed
            .iter()
            .any(|key| base.texts(*key).ne(now.texts(*key)))
    });
    let events = || {
        let frames = base.into_iter().flat_map(|base| history.after(base.tick));
        frames
            .filter(|frame| now.tick.since(frame.tick) < MAX_AGE)
            .flat_map(|frame| {
                frame
                    .events
                    .of_cell(cell)
                    .map(move |event| (now.tick.since(frame.tick), event))
            })
    };
    let event_count = events().count();
    let is_needed = base.is_none()
        || !delta.left.is_empty()
        || !delta.entered.is_empty()
        || has_new_texts
        || event_count > 0;
    out.flag(is_needed);
    if !is_needed {
        return;
    }
    out.flag(base.is_none());
    if let Some(base) = base {
        left(base.members(cell), delta, out);
    }
    entered(history, now, delta, out);
    if let Some(base) = base {
        texts(base, now, delta, staying, out);
        out.number(event_count as u32);
        for (ago, event) in events() {
            out.number(event.number);
            out.number(ago);
            out.number(event.kind);
            out.bytes(event.payload);
        }
    }
}

fn left(members: &[RowKey], delta: &CellDelta, out: &mut BitWriter<'_>) {
    out.number(delta.left.len() as u32);
    let mut from = 0;
    for (key, to) in &delta.left {
        // Those who left were members, in the same order.
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

fn entered(history: &History, now: &Frame, delta: &CellDelta, out: &mut BitWriter<'_>) {
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
            out.number((lane.wrapping_shl(1) ^ (lane >> 31)) as u32);
        }
        for text in now.texts(*key) {
            out.bytes(text.as_bytes());
        }
    }
}

fn texts(
    base: &Frame,
    now: &Frame,
    delta: &CellDelta,
    staying: &[RowKey],
    out: &mut BitWriter<'_>,
) {
    let changes = || {
        delta.changed.iter().flat_map(|key| {
            let pairs = base.texts(*key).zip(now.texts(*key)).enumerate();
            pairs
                .filter(|(_, (old, new))| old != new)
                .map(move |(text, (_, new))| (*key, text, new))
        })
    };
    out.number(changes().count() as u32);
    for (key, text, new) in changes() {
        // Who changed has stayed.
        out.number(staying.binary_search(&key).unwrap_or(0) as u32);
        out.number(text as u32);
        out.bytes(new.as_bytes());
    }
}

/// The changed lanes of the rows of one kind, column by column.
#[allow(
    clippy::too_many_arguments,
    reason = "the frames that a block lies between, and where it goes; a struct would only hide that"
)]
fn columns(
    history: &History,
    base: &Frame,
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
    // Sorted by kind, and all of them have stayed; a look at each member would cost more than the rows that change.
    let of_kind = delta.changed.partition_point(|key| key.kind() < kind);
    let differing = delta.changed[of_kind..]
        .iter()
        .take_while(|key| key.kind() == kind);
    let (Some(schema), kind) = (history.schema().kind(kind), kind.index()) else {
        return;
    };
    let Packer {
        tables,
        tally,
        changed,
        residuals,
        ..
    } = packer;
    // Word by word: rows are a few words long, and a call of memcmp costs more than that.
    let is_changed = |key: RowKey| base.lanes(key).ne(now.lanes(key));
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
        which(group, changed, out);
    }
    // Residuals of all lanes: computed row by row, as the frames hold them, and kept column by column, as they are sent.
    residuals.clear();
    residuals.resize(schema.lanes.len() * changed.len(), 0);
    let mut lanes = 0_u64;
    for (index, (key, is_predicted)) in changed.iter().enumerate() {
        let (base, now) = (base.row(*key), now.row(*key));
        let previous = previous
            .filter(|_| *is_predicted)
            .map(|previous| previous.row(*key));
        let columns = residuals.chunks_exact_mut(changed.len());
        for (lane, (column, it)) in columns.zip(&schema.lanes).enumerate() {
            let residual = residual(it, lane, base, previous, now);
            column[index] = residual;
            lanes |= u64::from(residual != 0) << lane;
        }
    }
    tally.group(kind, lanes);
    // Lanes that did not change cost little where the set of lanes is the usual one.
    let usual = tables.usual_lanes(kind);
    let is_usual = lanes & !usual == 0;
    let sent = if is_usual { usual } else { lanes };
    out.flag(is_usual);
    if !is_usual {
        (0..schema.lanes.len()).for_each(|lane| out.flag(lanes >> lane & 1 == 1));
    }
    let columns = residuals.chunks_exact(changed.len()).enumerate();
    for (lane, column) in columns.filter(|(lane, _)| sent >> lane & 1 == 1) {
        let Some(codes) = tables.codes(kind, lane) else {
            continue;
        };
        for (residual, (_, is_predicted)) in column.iter().zip(&*changed) {
            let symbol = codes[usize::from(*is_predicted)].write(*residual, out);
            tally.residual(kind, lane, *is_predicted, symbol);
        }
    }
}

/// Which rows of a group changed: a bit each, or where there are few of them among many that rest, the gaps between them.
fn which(group: &[RowKey], changed: &[(RowKey, bool)], out: &mut BitWriter<'_>) {
    let gaps = || {
        let mut from = 0;
        changed.iter().map(move |(key, _)| {
            // Those who changed are members of the group, in the same order.
            let gap = group[from..]
                .iter()
                .position(|member| member == key)
                .unwrap_or(0);
            from += gap + 1;
            gap as u32
        })
    };
    let count = changed.len() as u32;
    let bits = BitWriter::bits_of(count) + gaps().map(BitWriter::bits_of).sum::<u32>();
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

/// What to add to the lane's expected value to get the present one, by the row at the base, before it (if it predicts), and now.
fn residual(lane: &Lane, at: usize, base: &[i32], previous: Option<&[i32]>, now: &[i32]) -> i32 {
    let value = |row: &[i32]| row.get(at).copied().unwrap_or(0);
    let expected = match previous {
        Some(previous) => lane.extrapolate(value(previous), value(base)),
        None => value(base),
    };
    lane.difference(expected, value(now))
}
