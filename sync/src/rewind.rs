//! Rewind: the world as one player's screen showed it.
//!
//! In: the history, the point on the tick axis that the screen showed, and the record of which ticks that player was sent.
//! Out: the same integers that the screen drew, blended by the same function from the same pair of frames.

use crate::claim::Seen;
use crate::frame::Frame;
use crate::grid::CellId;
use crate::history::History;
use crate::ids::{EntityId, KindId, RowKey, Tick, ViewTick};
use crate::schema::Kind;
use crate::sent_ticks::SentTicks;
use crate::view::View;

/// How far a moving entity is carried on past its newest row, in ticks, while a stall keeps snapshots back.
const MAX_EXTRAPOLATION: u64 = 4;

/// What a player's screen showed at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Screen<'a> {
    history: &'a History,
    /// The player's view; `None`: a computer player, who sees every frame.
    sent: Option<&'a View>,
    seen: Seen,
}

/// The ticks that a screen draws from at one moment, for one cell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pair {
    /// It blends from the first to the second.
    Blend(Tick, Tick),
    /// It has nothing newer than the second, and carries on from the first through it.
    CarryOn(Tick, Tick),
}

impl Pair {
    /// What a screen draws from that had these ticks of a cell, at a moment.
    #[must_use]
    pub fn at(sent: SentTicks, view: ViewTick) -> Option<Self> {
        let (before, newest) = sent.newest_pair()?;
        if view >= ViewTick::new(newest, 0) {
            return Some(Self::CarryOn(before, newest));
        }
        sent.around(view)
            .map(|(older, younger)| Self::Blend(older, younger))
    }
}

/// Carries a row on past `newest` by what it moved since `before`: what a screen shows in a stall, for a few ticks. Only placed
/// entities move, and only their position does. `lanes` holds the row at `newest`.
pub fn carry_on(
    kind: &Kind,
    (before, newest): (Tick, Tick),
    row_before: impl Iterator<Item = i32>,
    view: ViewTick,
    lanes: &mut [i32],
) {
    let span = u64::from(newest.since(before)) * ViewTick::FRACTIONS;
    let ahead = view.0.saturating_sub(ViewTick::new(newest, 0).0);
    let ahead = ahead.min(MAX_EXTRAPOLATION * ViewTick::FRACTIONS) as i64;
    if !kind.placed || span == 0 || ahead == 0 {
        return;
    }
    for (lane, before) in lanes.iter_mut().zip(row_before).take(2) {
        let step = i64::from(lane.wrapping_sub(before)) * ahead / span as i64;
        *lane = lane.wrapping_add(step as i32);
    }
}

impl<'a> Screen<'a> {
    /// The screen of a player with this view (`None`: one who sees every frame) at a point of the past.
    #[must_use]
    pub fn new(history: &'a History, sent: Option<&'a View>, seen: Seen) -> Self {
        Self {
            history,
            sent,
            seen,
        }
    }

    /// The point on the tick axis that the screen showed.
    #[must_use]
    pub fn view(&self) -> ViewTick {
        self.seen.view
    }

    /// The public lanes of an entity as the screen showed them, into `lanes`. `false`: the screen did not show it.
    pub fn row(&self, id: EntityId, lanes: &mut Vec<i32>) -> bool {
        lanes.clear();
        let Some(pair) = self.pair_for(id) else {
            return false;
        };
        let (older, younger) = match pair {
            Pair::Blend(older, younger) | Pair::CarryOn(older, younger) => (older, younger),
        };
        let Some(younger) = self.frame_at_or_after(younger) else {
            return false;
        };
        let older = self
            .history
            .at(older)
            .or_else(|| self.frame_before(younger.tick()))
            .unwrap_or(younger);
        let key = id.key();
        let exists = |frame: &Frame| frame.generation(key) == id.generation && self.had(frame, key);
        let Some(kind) = self.history.schema().kind(id.kind) else {
            return false;
        };
        let view = self.seen.view;
        match (exists(older), exists(younger)) {
            (was_there, true) if view >= ViewTick::new(younger.tick(), 0) => {
                lanes.extend(younger.lanes(key));
                if was_there && matches!(pair, Pair::CarryOn(..)) {
                    let ticks = (older.tick(), younger.tick());
                    carry_on(kind, ticks, older.lanes(key), view, lanes);
                }
            }
            (true, true) => {
                let whole = u64::from(younger.tick().since(older.tick())) * ViewTick::FRACTIONS;
                let part = view.0.saturating_sub(ViewTick::new(older.tick(), 0).0);
                let pairs = older.lanes(key).zip(younger.lanes(key)).zip(&kind.lanes);
                lanes.extend(pairs.map(|((old, new), lane)| lane.blend(old, new, part, whole)));
            }
            (true, false) if view < ViewTick::new(younger.tick(), 0) => {
                lanes.extend(older.lanes(key));
            }
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

    /// The ticks that the screen drew this entity from.
    fn pair_for(&self, id: EntityId) -> Option<Pair> {
        let view = self.seen.view;
        let every_frame = Pair::Blend(view.tick(), view.tick().next());
        let Some(received) = self.seen.received else {
            return Some(every_frame);
        };
        let Some(sent) = self.sent else {
            return Some(every_frame);
        };
        // Who has left the view is shown until that moment comes, by the record of the snapshots: the global cell is in each.
        let cell = self.cell_of(id.key(), received)?;
        let sent = sent
            .sent_ticks_at(cell, received)
            .or_else(|| sent.sent_ticks(CellId::GLOBAL))?;
        Pair::at(sent.up_to(received), view)
    }

    /// Whether the client had the entity at the tick of this frame: it was in a cell that the client was sent then.
    fn had(&self, frame: &Frame, key: RowKey) -> bool {
        let (Some(sent), Some(_)) = (self.sent, self.seen.received) else {
            return true;
        };
        frame
            .cell_of(key)
            .is_some_and(|cell| sent.was_sent(cell, frame.tick()))
    }

    /// The cell that the client had the entity in when its newest snapshot was `received`.
    fn cell_of(&self, key: RowKey, received: Tick) -> Option<CellId> {
        let in_frame = |frame: &Frame| frame.cell_of(key);
        self.history
            .at(received)
            .and_then(in_frame)
            .or_else(|| {
                self.history
                    .at(self.seen.view.tick().next())
                    .and_then(in_frame)
            })
            .or_else(|| self.history.newest().and_then(in_frame))
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
        world_until(sent_at, ticks, u32::MAX)
    }

    /// The same for a client who looks elsewhere from a tick on.
    fn world_until(sent_at: &[u32], ticks: u32, away_from: u32) -> (History, View) {
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
                focus: IVec2::splat(if tick < away_from { 100 } else { 9_900 }),
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
        let seen = Seen {
            view: ViewTick::new(Tick(tick), fraction),
            received: history.newest().map(Frame::tick),
            was_clamped: false,
        };
        let is_shown = Screen::new(history, Some(view), seen).row(ID, &mut lanes);
        is_shown.then(|| lanes[0])
    }

    #[test]
    fn a_screen_that_had_to_carry_on_in_a_stall_is_rewound_as_it_was() {
        let sent: Vec<u32> = (1..=10).collect();
        let (history, view) = world(&sent, 10);
        let mut lanes = Vec::new();
        // Snapshots 8 to 10 were sent, and had not come when the screen showed this.
        let seen = Seen {
            view: ViewTick::new(Tick(9), 128),
            received: Some(Tick(7)),
            was_clamped: false,
        };
        assert!(Screen::new(&history, Some(&view), seen).row(ID, &mut lanes));
        assert_eq!(lanes[0], 160 + 25);
    }

    #[test]
    fn the_pair_that_was_sent_is_blended() {
        let (history, view) = world(&[1, 2, 3, 7, 8], 10);
        assert_eq!(x_at(&history, &view, 2, 0), Some(110));
        assert_eq!(x_at(&history, &view, 2, 128), Some(115));
        // The screen went straight from tick 3 to tick 7.
        assert_eq!(x_at(&history, &view, 5, 0), Some(140));
        assert_eq!(x_at(&history, &view, 6, 128), Some(155));
        // Past its newest snapshot it carried on, for four ticks at most.
        assert_eq!(x_at(&history, &view, 9, 128), Some(185));
        assert_eq!(x_at(&history, &view, 13, 0), Some(210));
    }

    #[test]
    fn what_the_screen_showed_before_it_turned_away_is_known() {
        let sent: Vec<u32> = (1..=10).collect();
        let (history, view) = world_until(&sent, 10, 8);
        let shown = |at: u32, received: u32| {
            let mut lanes = Vec::new();
            let seen = Seen {
                view: ViewTick::new(Tick(at), 128),
                received: Some(Tick(received)),
                was_clamped: false,
            };
            let is_shown = Screen::new(&history, Some(&view), seen).row(ID, &mut lanes);
            is_shown.then(|| lanes[0])
        };
        // The client had not been told yet, and then had.
        assert_eq!(shown(6, 7), Some(155));
        assert_eq!(shown(6, 10), Some(155));
        // Between its last tick in view and the first out of view a screen lets it stand; then it is gone.
        assert_eq!(shown(7, 8), Some(160));
        assert_eq!(shown(8, 10), None);
    }

    #[test]
    fn a_cell_that_has_just_come_into_view_is_shown_as_it_came() {
        let (history, view) = world(&[5, 6], 10);
        assert_eq!(x_at(&history, &view, 4, 0), Some(140));
        assert_eq!(x_at(&history, &view, 5, 0), Some(140));
    }
}
