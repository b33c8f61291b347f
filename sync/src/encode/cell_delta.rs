//! The difference of one cell between two frames, before it is encoded.
//!
//! In: a baseline frame (or none, for an empty cell), the newest frame, a cell or a part of it. Out: which rows left and where
//! to, which entered and which changed, each list sorted by kind and slot. Both encodings are written from these lists.

use crate::frame::{Frame, History};
use crate::world::{CellId, CellPart, Grid, Layer, RowKey};

/// What happened to one cell's rows. One value is reused for all blocks, so that its memory is allocated once.
#[derive(Clone, Default, Debug)]
pub(crate) struct CellDelta {
    /// Rows in the cell at the baseline and not now, with the cell that they went to. `None`: gone from the world, or to a cell
    /// that not every reader of this block may see.
    pub left: Vec<(RowKey, Option<CellId>)>,
    /// Rows not in the cell at the baseline, and in it now.
    pub entered: Vec<RowKey>,
    /// Rows in the cell at the baseline and now, with other lanes or texts.
    pub changed: Vec<RowKey>,
    /// The part's members at the baseline and now; not used for a whole cell.
    part_members: [Vec<RowKey>; 2],
    part: CellPart,
}

impl CellDelta {
    /// Computes the difference of `part` of `cell` from the baseline to the newest frame.
    pub fn compute(
        &mut self,
        history: &History,
        baseline: Option<&Frame>,
        cell: CellId,
        part: CellPart,
    ) {
        self.left.clear();
        self.entered.clear();
        self.changed.clear();
        self.part = part;
        let Some(now) = history.newest() else { return };
        if part.is_whole() {
            let members = baseline.map(|baseline| baseline.members(cell));
            self.compare(history, baseline, cell, members, now.members(cell));
            return;
        }
        let mut members = std::mem::take(&mut self.part_members);
        members.iter_mut().for_each(Vec::clear);
        let [old, new] = &mut members;
        if let Some(baseline) = baseline {
            part.select(baseline.members(cell), old);
        }
        part.select(now.members(cell), new);
        self.compare(history, baseline, cell, baseline.map(|_| &**old), new);
        self.part_members = members;
    }

    /// The members of the cell or part at the baseline that [`Self::compute`] was called with.
    pub fn baseline_members<'a>(
        &'a self,
        baseline: Option<&'a Frame>,
        cell: CellId,
    ) -> &'a [RowKey] {
        match baseline {
            None => &[],
            Some(baseline) if self.part.is_whole() => baseline.members(cell),
            Some(_) => &self.part_members[0],
        }
    }

    /// Whether nothing happened to the rows.
    pub fn is_empty(&self) -> bool {
        self.left.is_empty() && self.entered.is_empty() && self.changed.is_empty()
    }

    /// Compares the members at the baseline (`None`: no baseline) with those now.
    fn compare(
        &mut self,
        history: &History,
        baseline: Option<&Frame>,
        cell: CellId,
        old: Option<&[RowKey]>,
        new: &[RowKey],
    ) {
        let Some(now) = history.newest() else { return };
        let (Some(baseline), Some(old)) = (baseline, old) else {
            self.entered.extend_from_slice(new);
            return;
        };
        // The history knows the changes since the previous frame. Against an older baseline the rows are compared here.
        let knows_changes = history.previous_tick() == Some(baseline.tick);
        let (mut old, mut new) = (
            old.iter().copied().peekable(),
            new.iter().copied().peekable(),
        );
        loop {
            match (old.peek().copied(), new.peek().copied()) {
                (Some(gone), None) => {
                    self.left.push((
                        gone,
                        destination(&history.schema().grid, baseline, now, gone, cell),
                    ));
                    old.next();
                }
                (Some(gone), Some(next)) if gone < next => {
                    self.left.push((
                        gone,
                        destination(&history.schema().grid, baseline, now, gone, cell),
                    ));
                    old.next();
                }
                (None, Some(key)) => {
                    self.entered.push(key);
                    new.next();
                }
                (Some(other), Some(key)) if key < other => {
                    self.entered.push(key);
                    new.next();
                }
                (Some(_), Some(key)) => {
                    old.next();
                    new.next();
                    if baseline.generation(key) != now.generation(key) {
                        self.left.push((key, None));
                        self.entered.push(key);
                        continue;
                    }
                    let is_changed = if knows_changes {
                        history.is_changed(key)
                    } else {
                        differs(baseline, now, key)
                    };
                    if is_changed {
                        self.changed.push(key);
                    }
                }
                (None, None) => break,
            }
        }
    }
}

fn differs(baseline: &Frame, now: &Frame, key: RowKey) -> bool {
    baseline.lanes(key).ne(now.lanes(key)) || baseline.texts(key).ne(now.texts(key))
}

fn destination(
    grid: &Grid,
    baseline: &Frame,
    now: &Frame,
    key: RowKey,
    from: CellId,
) -> Option<CellId> {
    if baseline.generation(key) != now.generation(key) {
        return None;
    }
    let to = now.cell_of(key)?;
    // Every reader of this cell sees its layer and layer 0. Naming a cell of another layer would give a secret away.
    let layer = grid.layer_of(to);
    (layer == Layer(0) || layer == grid.layer_of(from)).then_some(to)
}
