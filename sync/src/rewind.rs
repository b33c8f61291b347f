//! Rewind: the world as one player's screen showed it.
//!
//! In: the history, the point on the tick axis that the screen showed, and the record of which ticks that player was sent.
//! Out: the same integers that the screen drew, blended by the same function from the same pair of frames.

use crate::frame::Frame;
use crate::history::History;
use crate::ids::{EntityId, KindId, RowKey, Tick, ViewTick};
use crate::view::View;

/// What a player's screen showed at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Screen<'a> {
    history: &'a History,
    /// The player's view; `None`: a computer player, who sees every frame.
    seen: Option<&'a View>,
    view: ViewTick,
}

impl<'a> Screen<'a> {
    /// The screen of a player with this view (`None`: one who sees every frame) at a point of the past.
    #[must_use]
    pub fn new(history: &'a History, seen: Option<&'a View>, view: ViewTick) -> Self {
        Self {
            history,
            seen,
            view,
        }
    }

    /// The point on the tick axis that the screen showed.
    #[must_use]
    pub fn view(&self) -> ViewTick {
        self.view
    }

    /// The public lanes of an entity as the screen showed them, into `lanes`. `false`: the screen did not show it.
    pub fn row(&self, id: EntityId, lanes: &mut Vec<i32>) -> bool {
        lanes.clear();
        let Some((older, younger)) = self.frames_around(id) else {
            return false;
        };
        let key = id.key();
        let exists = |frame: &Frame| frame.generation(key) == id.generation;
        let is_past_younger = self.view >= ViewTick::new(younger.tick(), 0);
        match (exists(older), exists(younger)) {
            (_, true) if is_past_younger => lanes.extend(younger.lanes(key)),
            (true, true) => {
                let whole = u64::from(younger.tick().since(older.tick())) * ViewTick::FRACTIONS;
                let part = self.view.0.saturating_sub(ViewTick::new(older.tick(), 0).0);
                let kind = self
                    .history
                    .schema()
                    .kind(id.kind)
                    .map_or(&[][..], |kind| &kind.lanes);
                let pairs = older.lanes(key).zip(younger.lanes(key)).zip(kind);
                lanes.extend(pairs.map(|((old, new), lane)| lane.blend(old, new, part, whole)));
            }
            (true, false) if !is_past_younger => lanes.extend(older.lanes(key)),
            _ => return false,
        }
        true
    }

    /// The entities of a kind that the screen may have shown: those that live now. Ascending by slot.
    pub fn entities(&self, kind: KindId) -> impl Iterator<Item = EntityId> + use<'a> {
        self.history
            .newest()
            .into_iter()
            .flat_map(move |frame| frame.entities(kind))
    }

    /// The pair of frames that the screen blended for this entity.
    fn frames_around(&self, id: EntityId) -> Option<(&'a Frame, &'a Frame)> {
        let newest = self.history.newest()?;
        let (older, younger) = match self.seen {
            None => (self.view.tick(), self.view.tick().next()),
            Some(view) => {
                let cell = self
                    .cell_near_view(id.key())
                    .or_else(|| newest.cell_of(id.key()))?;
                view.sent_ticks(cell)?.around(self.view)?
            }
        };
        let younger = self.frame_at_or_after(younger)?;
        let older = self
            .history
            .at(older)
            .or_else(|| self.frame_before(younger.tick()))
            .unwrap_or(younger);
        Some((older, younger))
    }

    fn cell_near_view(&self, key: RowKey) -> Option<crate::grid::CellId> {
        self.history
            .at(self.view.tick())
            .and_then(|frame| frame.cell_of(key))
    }

    fn frame_at_or_after(&self, tick: Tick) -> Option<&'a Frame> {
        self.history
            .at(tick)
            .or_else(|| self.history.after(tick).next())
            .or_else(|| self.history.newest())
    }

    fn frame_before(&self, tick: Tick) -> Option<&'a Frame> {
        tick.before(1).and_then(|before| self.history.at(before))
    }
}
