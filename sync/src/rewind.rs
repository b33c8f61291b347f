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
        let every_frame = (self.view.tick(), self.view.tick().next());
        let (older, younger) = match self.seen {
            None => every_frame,
            Some(view) => {
                let cell = self
                    .cell_near_view(id.key())
                    .or_else(|| newest.cell_of(id.key()))?;
                let sent = view
                    .sent_ticks(cell)
                    .and_then(|sent| sent.around(self.view));
                // The screen may have shown a cell that has left the view since: then every frame was its best guess.
                sent.unwrap_or(every_frame)
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

    /// The cell that the client had the entity in: its newest snapshot is a tick or two past what its screen shows.
    fn cell_near_view(&self, key: RowKey) -> Option<crate::grid::CellId> {
        self.history
            .at(self.view.tick().next())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Events;
    use crate::frame::Place;
    use crate::history::MIN_FRAMES;
    use crate::memo::{BlockMemo, Encoding};
    use crate::schema::{Kind, Lane, Schema};
    use crate::snapshot::{Header, Snapshot};
    use crate::view::Sight;
    use crate::{Grid, Layer, LayerSet};
    use glam::IVec2;
    use std::sync::Arc;

    const ID: EntityId = EntityId {
        kind: KindId(0),
        slot: 1,
        generation: 1,
    };

    /// A ship that moves by 10 a tick from 100 at tick 1, sent to a client at these ticks only.
    fn world(sent_at: &[u32], ticks: u32) -> (History, View) {
        let ship = Kind {
            name: "ship".into(),
            lanes: vec![Lane::continuous("x", "unit"), Lane::continuous("y", "unit")],
            placed: true,
            ..Kind::default()
        };
        let grid = Grid::covering(IVec2::ZERO, IVec2::splat(10_000), 5_000);
        let schema = Arc::new(Schema {
            kinds: vec![ship],
            events: Vec::new(),
            grid,
        });
        let mut history = History::new(Arc::clone(&schema), MIN_FRAMES);
        let mut view = View::default();
        let (mut memo, mut snapshot, mut events) = (
            BlockMemo::new(&schema),
            Snapshot::default(),
            Events::default(),
        );
        for tick in 1..=ticks {
            let x = 90 + 10 * tick as i32;
            history.publish(Tick(tick), &mut events, |out| {
                out.put(ID, Place::Layer(Layer(0)), &[x, 100], &[]);
            });
            let sight = Sight {
                focus: IVec2::splat(100),
                half_extent: IVec2::splat(100),
                layers: LayerSet::default(),
            };
            view.aim(&schema.grid, sight);
            if sent_at.contains(&tick) {
                let header = Header::default();
                snapshot.build(
                    &mut view,
                    &history,
                    &mut memo,
                    Encoding::Plain,
                    header,
                    |_| false,
                );
                view.sent(&history);
            }
        }
        (history, view)
    }

    fn x_at(history: &History, view: &View, tick: u32, fraction: u32) -> Option<i32> {
        let mut lanes = Vec::new();
        let at = ViewTick::new(Tick(tick), fraction);
        let is_shown = Screen::new(history, Some(view), at).row(ID, &mut lanes);
        is_shown.then(|| lanes[0])
    }

    #[test]
    fn the_pair_that_was_sent_is_blended() {
        let (history, view) = world(&[1, 2, 3, 7, 8], 10);
        assert_eq!(x_at(&history, &view, 2, 0), Some(110));
        assert_eq!(x_at(&history, &view, 2, 128), Some(115));
        // The screen went straight from tick 3 to tick 7.
        assert_eq!(x_at(&history, &view, 5, 0), Some(140));
        assert_eq!(x_at(&history, &view, 6, 128), Some(155));
        assert_eq!(x_at(&history, &view, 9, 0), Some(170));
    }

    #[test]
    fn a_cell_that_has_just_come_into_view_is_shown_as_it_came() {
        let (history, view) = world(&[5, 6], 10);
        assert_eq!(x_at(&history, &view, 4, 0), Some(140));
        assert_eq!(x_at(&history, &view, 5, 0), Some(140));
    }
}
