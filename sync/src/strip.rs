//! Strips: what frames are made of.
//!
//! 64 rows of one kind in slot order, shared by all frames in which none of them changed. So a world at rest costs its
//! history a pointer for 64 rows, and two frames can be seen to agree without a look at the rows. The last strip of a kind is
//! shorter: a small room has one of each kind, and many small rooms share a processor's cache.

use crate::draft::DraftTable;
use crate::grid::CellId;
use std::sync::Arc;

/// Rows of a strip: one word has a bit for each.
pub(crate) const STRIP_ROWS: usize = 64;

/// What every row has, whatever its kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    /// 0: vacant; then nothing else of the row means anything.
    pub generation: u32,
    pub cell: CellId,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            generation: 0,
            cell: CellId::GLOBAL,
        }
    }
}

/// Up to 64 rows of one kind.
#[derive(Clone, Default, Debug)]
pub(crate) struct Strip {
    pub heads: Vec<Head>,
    /// Row after row: a row is compared, copied and encoded as a whole.
    pub lanes: Vec<i32>,
    /// Row after row. Texts change seldom, so most strips share theirs with the one before.
    pub texts: Arc<[Arc<str>]>,
}

/// The rows of one kind in one frame.
#[derive(Clone, Default, Debug)]
pub(crate) struct Table {
    pub strips: Vec<Arc<Strip>>,
    pub lane_count: usize,
    pub text_count: usize,
}

impl Table {
    /// Asks for what the table of a small room has; see `tickwire_prefetch`.
    pub fn prefetch(&self, hops: u8) {
        let first = self.strips.first();
        match (hops, first) {
            (1, _) => tickwire_prefetch::start(&self.strips),
            (2, Some(strip)) => tickwire_prefetch::near(&**strip),
            (3, Some(strip)) => {
                tickwire_prefetch::start(&strip.heads);
                tickwire_prefetch::start(&strip.lanes);
            }
            _ => {}
        }
    }

    /// The head of a row; `None` where the table has no such slot.
    pub fn head(&self, slot: u32) -> Option<&Head> {
        let (strip, row) = place(slot);
        self.strips.get(strip)?.heads.get(row)
    }

    /// Slots and heads of all rows, those of vacant ones included.
    pub fn heads(&self) -> impl Iterator<Item = (u32, &Head)> {
        let starts = (0_u32..).step_by(STRIP_ROWS);
        let strips = starts.zip(&self.strips);
        strips.flat_map(|(start, strip)| (start..).zip(&strip.heads))
    }

    pub fn lanes(&self, slot: u32) -> &[i32] {
        let (strip, row) = place(slot);
        self.strips
            .get(strip)
            .and_then(|strip| {
                strip
                    .lanes
                    .get(row * self.lane_count..(row + 1) * self.lane_count)
            })
            .unwrap_or_default()
    }

    pub fn texts(&self, slot: u32) -> &[Arc<str>] {
        let (strip, row) = place(slot);
        self.strips
            .get(strip)
            .and_then(|strip| {
                strip
                    .texts
                    .get(row * self.text_count..(row + 1) * self.text_count)
            })
            .unwrap_or_default()
    }

    /// Makes this a copy of the draft, where `before` is one of the tick before. What it holds, and `spare`, is used again.
    pub fn copy(&mut self, draft: &DraftTable, before: &Self, spare: &mut Vec<Arc<Strip>>) {
        self.lane_count = draft.lane_count;
        self.text_count = draft.text_count;
        for (index, now) in draft.strips.iter().enumerate() {
            let old = before.strips.get(index);
            match old {
                Some(old) if now.changed == 0 => self.share(index, old, spare),
                _ => {
                    let is_told = |old: &&Arc<Strip>| {
                        now.retold == 0 && old.texts.len() == draft.texts_of(index).len()
                    };
                    let texts = old.filter(is_told).map(|old| &old.texts);
                    self.write(index, draft, texts, spare);
                }
            }
        }
    }

    /// Makes a strip the very one of the frame before.
    fn share(&mut self, index: usize, old: &Arc<Strip>, spare: &mut Vec<Arc<Strip>>) {
        match self.strips.get_mut(index) {
            Some(mine) if Arc::ptr_eq(mine, old) => {}
            Some(mine) => {
                let mut mine = std::mem::replace(mine, Arc::clone(old));
                if Arc::get_mut(&mut mine).is_some() {
                    spare.push(mine);
                }
            }
            None => self.strips.push(Arc::clone(old)),
        }
    }

    /// Makes a strip a copy of the draft's rows, with these texts where they are the same.
    fn write(
        &mut self,
        index: usize,
        draft: &DraftTable,
        texts: Option<&Arc<[Arc<str>]>>,
        spare: &mut Vec<Arc<Strip>>,
    ) {
        let texts = || match texts {
            Some(texts) => Arc::clone(texts),
            None => Arc::from(draft.texts_of(index)),
        };
        let mine = self.strips.get_mut(index).and_then(Arc::get_mut);
        if mine.is_none() {
            let free = spare.pop().unwrap_or_default();
            match self.strips.get_mut(index) {
                Some(shared) => *shared = free,
                None => self.strips.push(free),
            }
        }
        if let Some(strip) = Arc::get_mut(&mut self.strips[index]) {
            strip.heads.clear();
            strip.heads.extend_from_slice(draft.heads_of(index));
            strip.lanes.clear();
            strip.lanes.extend_from_slice(draft.lanes_of(index));
            strip.texts = texts();
        }
    }
}

fn place(slot: u32) -> (usize, usize) {
    (slot as usize / STRIP_ROWS, slot as usize % STRIP_ROWS)
}
