//! The difference of one cell between two frames, before it is encoded.
//!
//! In: a baseline frame (or none, for an empty cell), the newest frame, a cell. Out: which rows left and where to, which
//! entered and which changed, each list sorted by kind and slot. Both encodings are written from these lists.

use crate::frame::{Frame, History};
use crate::world::{CellId, Grid, Layer, RowKey};

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
}

impl CellDelta {
    /// Computes the difference of `cell` from the baseline to the newest frame.
    pub fn compute(&mut self, history: &History, baseline: Option<&Frame>, cell: CellId) {
        self.left.clear();
        self.entered.clear();
        self.changed.clear();
        let Some(now) = history.newest() else { return };
        let Some(baseline) = baseline else {
            self.entered.extend_from_slice(now.members(cell));
            return;
        };
        // The history knows the changes since the previous frame. Against an older baseline the rows are compared here.
        let knows_changes = history.previous_tick() == Some(baseline.tick);
        let (mut old, mut new) = (
            baseline.members(cell).iter().copied().peekable(),
            now.members(cell).iter().copied().peekable(),
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
