//! Rewind: the world as one player's screen showed it.
//!
//! In: the history, the resolved view, and the record of which ticks the player was sent. Out: the integers that the screen
//! drew, interpolated by the same function between the same two frames.

use super::resolved_view::ResolvedView;
use crate::frame::{Frame, History};
use crate::interest::ClientView;
use crate::playout::DrawnTicks;
use crate::world::{CellId, EntityId, KindId, RowKey, Schema, Tick, ViewTick};

/// The world as a player's screen showed it at one moment.
#[derive(Clone, Copy, Debug)]
pub struct RewoundWorld<'a> {
    history: &'a History,
    /// The player's view; `None` for a computer player, who sees every frame.
    client: Option<&'a ClientView>,
    resolved: ResolvedView,
}

impl<'a> RewoundWorld<'a> {
    /// The world as a client saw it at the resolved view. `client` is `None` for a player who sees every frame.
    #[must_use]
    pub fn new(
        history: &'a History,
        client: Option<&'a ClientView>,
        resolved: ResolvedView,
    ) -> Self {
        Self {
            history,
            client,
            resolved,
        }
    }

    /// The claim, and what the server has made of it.
    #[must_use]
    pub fn resolved(&self) -> ResolvedView {
        self.resolved
    }

    /// The moment that the screen showed.
    #[must_use]
    pub fn view(&self) -> ViewTick {
        self.resolved.at
    }

    /// Writes the public lanes of an entity, as the screen showed them, into `lanes`. Returns `false` if the screen did not show
    /// the entity.
    pub fn row(&self, id: EntityId, lanes: &mut Vec<i32>) -> bool {
        self.draw(id, lanes).is_some()
    }

    /// [`Self::row`], with the ticks of the two frames from which the screen drew the entity; `None` if it did not show the entity.
    pub fn draw(&self, id: EntityId, lanes: &mut Vec<i32>) -> Option<DrawnTicks> {
        lanes.clear();
        let drawn = self.drawn_ticks(id)?;
        let (older, newer) = drawn.ticks();
        let newer = self.frame_at_or_after(newer)?;
        let older = self
            .history
            .at(older)
            .or_else(|| self.frame_before(newer.tick()))
            .unwrap_or(newer);
        let kind = self.history.schema().kind(id.kind)?;
        let key = id.key();
        let row = |frame: &'a Frame| {
            let exists = frame.generation(key) == id.generation && self.client_had(frame, key);
            exists.then(|| frame.lanes(key))
        };
        let drawn = drawn.at_ticks(older.tick(), newer.tick());
        let is_shown = drawn.draw(kind, row(older), row(newer), self.resolved.at, lanes);
        is_shown.then_some(drawn)
    }

    /// The schema of the world.
    #[must_use]
    pub(super) fn schema(&self) -> &'a Schema {
        self.history.schema()
    }

    /// The entities of a kind that the screen may have shown, by ascending slot: those that exist in the newest frame.
    pub fn entities(&self, kind: KindId) -> impl Iterator<Item = EntityId> + use<'a> {
        self.history
            .newest()
            .into_iter()
            .flat_map(move |frame| frame.entities(kind))
    }

    /// The ticks from which the screen drew this entity.
    fn drawn_ticks(&self, id: EntityId) -> Option<DrawnTicks> {
        let view = self.resolved.at;
        let every_frame = DrawnTicks::Interpolate(view.tick(), view.tick().next());
        let Some(received) = self.resolved.received else {
            return Some(every_frame);
        };
        let Some(client) = self.client else {
            return Some(every_frame);
        };
        // A screen shows an entity of a departed cell until the snapshot that dropped the cell. The global cell is in every
        // snapshot, so its record replaces that of the cell that left.
        let cell = self.cell_of(id.key(), received)?;
        let sent = client
            .sent_ticks_at(cell, id.key(), received)
            .or_else(|| client.sent_ticks(CellId::GLOBAL))?;
        DrawnTicks::at(sent.up_to(received), view)
    }

    /// Whether the client had the entity at the tick of this frame: the entity's cell was sent to the client at that tick.
    fn client_had(&self, frame: &Frame, key: RowKey) -> bool {
        let (Some(client), Some(_)) = (self.client, self.resolved.received) else {
            return true;
        };
        frame
            .cell_of(key)
            .is_some_and(|cell| client.was_sent(cell, key, frame.tick()))
    }

    /// The cell in which the client had the entity when its newest snapshot was `received`.
    fn cell_of(&self, key: RowKey, received: Tick) -> Option<CellId> {
        let in_frame = |frame: &Frame| frame.cell_of(key);
        self.history
            .at(received)
            .and_then(in_frame)
            .or_else(|| {
                self.history
                    .at(self.resolved.at.tick().next())
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
        tick.minus(1).and_then(|before| self.history.at(before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::{BlockCache, Encoding, Header};
    use crate::frame::{Events, MIN_HISTORY_FRAMES};
    use crate::interest::InterestArea;
    use crate::snapshot::SnapshotBuilder;
    use crate::world::{Kind, Lane, Scope};
    use crate::{Grid, Layer, LayerSet};
    use glam::IVec2;
    use std::sync::Arc;

    const ID: EntityId = EntityId {
        kind: KindId(0),
        slot: 1,
        generation: 1,
    };

    /// A ship that moves by 10 a tick from 100 at tick 1, sent to a client at these ticks only.
    fn world(sent_at: &[u32], ticks: u32) -> (History, ClientView) {
        world_until(sent_at, ticks, u32::MAX)
    }

    /// The same for a client whose area of interest moves away at a tick.
    fn world_until(sent_at: &[u32], ticks: u32, away_from: u32) -> (History, ClientView) {
        world_of(sent_at, ticks, away_from, |tick| {
            [90 + 10 * tick as i32, 100, 0]
        })
    }

    fn world_of(
        sent_at: &[u32],
        ticks: u32,
        away_from: u32,
        row_at: impl Fn(u32) -> [i32; 3],
    ) -> (History, ClientView) {
        let ship = Kind {
            name: "ship".into(),
            lanes: vec![
                Lane::continuous("x", "unit"),
                Lane::continuous("y", "unit"),
                Lane::discrete("teleports", ""),
            ],
            placed: true,
            teleport_lane: Some(2),
            ..Kind::default()
        };
        let grid = Grid::covering(IVec2::ZERO, IVec2::splat(10_000), 5_000);
        let schema = Arc::new(Schema {
            kinds: vec![ship],
            events: Vec::new(),
            grid,
            ..Schema::default()
        });
        let mut history = History::new(Arc::clone(&schema), MIN_HISTORY_FRAMES);
        let mut view = ClientView::default();
        let (mut cache, mut snapshot, mut events) = (
            BlockCache::new(&schema),
            SnapshotBuilder::default(),
            Events::default(),
        );
        for tick in 1..=ticks {
            history.publish(Tick(tick), &mut events, |out| {
                out.put(ID, Scope::Layer(Layer(0)), &row_at(tick), &[]);
            });
            let area = InterestArea {
                focus: IVec2::splat(if tick < away_from { 100 } else { 9_900 }),
                half_extent: IVec2::splat(100),
                layers: LayerSet::default(),
            };
            view.update_interest(&schema.grid, area);
            if sent_at.contains(&tick) {
                let header = Header::default();
                snapshot.build(
                    &mut view,
                    &history,
                    &mut cache,
                    Encoding::Plain,
                    header,
                    |_| false,
                );
                view.mark_sent(&history);
            }
        }
        (history, view)
    }

    fn x_at(history: &History, view: &ClientView, tick: u32, fraction: u32) -> Option<i32> {
        let mut lanes = Vec::new();
        let seen = ResolvedView {
            at: ViewTick::new(Tick(tick), fraction),
            received: history.newest().map(Frame::tick),
            ..ResolvedView::default()
        };
        let is_shown = RewoundWorld::new(history, Some(view), seen).row(ID, &mut lanes);
        is_shown.then(|| lanes[0])
    }

    #[test]
    fn a_screen_that_extrapolated_in_a_stall_is_rewound_as_drawn() {
        let sent: Vec<u32> = (1..=10).collect();
        let (history, view) = world(&sent, 10);
        let mut lanes = Vec::new();
        // Snapshots 8 to 10 were sent, and had not come when the screen showed this.
        let seen = ResolvedView {
            at: ViewTick::new(Tick(9), 128),
            received: Some(Tick(7)),
            ..ResolvedView::default()
        };
        assert!(RewoundWorld::new(&history, Some(&view), seen).row(ID, &mut lanes));
        assert_eq!(lanes[0], 160 + 25);
    }

    #[test]
    fn the_pair_that_was_sent_is_interpolated() {
        let (history, view) = world(&[1, 2, 3, 7, 8], 10);
        assert_eq!(x_at(&history, &view, 2, 0), Some(110));
        assert_eq!(x_at(&history, &view, 2, 128), Some(115));
        // The screen went straight from tick 3 to tick 7.
        assert_eq!(x_at(&history, &view, 5, 0), Some(140));
        assert_eq!(x_at(&history, &view, 6, 128), Some(155));
        // Past its newest snapshot it extrapolated, for four ticks at most.
        assert_eq!(x_at(&history, &view, 9, 128), Some(185));
        assert_eq!(x_at(&history, &view, 13, 0), Some(210));
    }

    #[test]
    fn a_teleport_is_rewound_as_screens_show_it() {
        let sent: Vec<u32> = (1..=4).collect();
        let row_at = |tick: u32| {
            let teleports = i32::from(tick >= 3);
            [10 * tick as i32 + 3_000 * teleports, 100, teleports]
        };
        let (history, view) = world_of(&sent, 4, u32::MAX, row_at);
        assert_eq!(x_at(&history, &view, 1, 128), Some(15));
        assert_eq!(x_at(&history, &view, 2, 128), Some(20));
        assert_eq!(x_at(&history, &view, 3, 0), Some(3_030));
        assert_eq!(x_at(&history, &view, 3, 128), Some(3_035));
        // The same for a computer player, who sees every frame.
        let seen = ResolvedView {
            at: ViewTick::new(Tick(2), 128),
            received: None,
            ..ResolvedView::default()
        };
        let mut lanes = Vec::new();
        assert!(RewoundWorld::new(&history, None, seen).row(ID, &mut lanes));
        assert_eq!(lanes[0], 20);
        // A screen that has nothing newer than the teleport extrapolates no motion from it.
        let (history, view) = world_of(&[1, 2, 3], 3, u32::MAX, row_at);
        assert_eq!(x_at(&history, &view, 4, 0), Some(3_030));
    }

    #[test]
    fn a_cell_that_left_the_view_is_rewound() {
        let sent: Vec<u32> = (1..=10).collect();
        let (history, view) = world_until(&sent, 10, 8);
        let shown = |at: u32, received: u32| {
            let mut lanes = Vec::new();
            let seen = ResolvedView {
                at: ViewTick::new(Tick(at), 128),
                received: Some(Tick(received)),
                ..ResolvedView::default()
            };
            let is_shown = RewoundWorld::new(&history, Some(&view), seen).row(ID, &mut lanes);
            is_shown.then(|| lanes[0])
        };
        // The client had not been told to drop the cell yet, and then had.
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
