//! The difference of one cell between two frames, before it is encoded.
//!
//! In: a base frame (or none: the empty cell), the newest frame, a cell. Out: who left and where to, who entered, who
//! changed, each sorted by kind and slot. Both encodings are written from this one list.

use crate::frame::Frame;
use crate::grid::{CellId, Grid, Layer};
use crate::history::History;
use crate::ids::RowKey;

/// What happened to one cell's rows. Used again for every block, so that its memory stays.
#[derive(Clone, Default, Debug)]
pub(crate) struct CellDelta {
    /// In the cell at the base, and not now. The cell it went to; `None`: gone from the world, or to where not everyone who reads this may look.
    pub left: Vec<(RowKey, Option<CellId>)>,
    /// Not in the cell at the base, and now.
    pub entered: Vec<RowKey>,
    /// In the cell at the base and now, with other lanes or texts.
    pub changed: Vec<RowKey>,
}

impl CellDelta {
    /// Computes the difference of `cell` from `base` to the newest frame, which must exist.
    pub fn compute(&mut self, history: &History, base: Option<&Frame>, cell: CellId) {
        self.left.clear();
        self.entered.clear();
        self.changed.clear();
        let Some(now) = history.newest() else { return };
        let Some(base) = base else {
            self.entered.extend_from_slice(now.members(cell));
            return;
        };
        // The history knows the changes since the frame before; against an older one the rows are compared here.
        let knows_changes = history.previous_tick() == Some(base.tick);
        let (mut old, mut new) = (
            base.members(cell).iter().copied().peekable(),
            now.members(cell).iter().copied().peekable(),
        );
        loop {
            match (old.peek().copied(), new.peek().copied()) {
                (Some(gone), None) => {
                    self.left.push((
                        gone,
                        destination(&history.schema().grid, base, now, gone, cell),
                    ));
                    old.next();
                }
                (Some(gone), Some(next)) if gone < next => {
                    self.left.push((
                        gone,
                        destination(&history.schema().grid, base, now, gone, cell),
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
                    if base.generation(key) != now.generation(key) {
                        self.left.push((key, None));
                        self.entered.push(key);
                    } else if if knows_changes {
                        history.is_changed(key)
                    } else {
                        differs(base, now, key)
                    } {
                        self.changed.push(key);
                    }
                }
                (None, None) => break,
            }
        }
    }
}

fn differs(base: &Frame, now: &Frame, key: RowKey) -> bool {
    base.lanes(key).ne(now.lanes(key)) || base.texts(key).ne(now.texts(key))
}

fn destination(
    grid: &Grid,
    base: &Frame,
    now: &Frame,
    key: RowKey,
    from: CellId,
) -> Option<CellId> {
    if base.generation(key) != now.generation(key) {
        return None;
    }
    let to = now.cell_of(key)?;
    // All readers of this cell may look at its own layer and at everybody's; another layer would give a secret away.
    let layer = grid.layer_of(to);
    (layer == Layer(0) || layer == grid.layer_of(from)).then_some(to)
}
