//! What the typed layer costs: the same 1,000 ships once over raw lanes and once as plain types.
//!
//! In: a game of either kind. Out: ticks, from the inputs to an encoded snapshot. `cargo bench -p tickwire-benches --bench typed`
//! times them; `target/release/typed-cost` runs one of them for an instruction counter. [`raw`] and [`plain`] have the two games.

pub mod plain;
pub mod raw;

use glam::IVec2;
use tickwire_game::{
    Game, Identity, Messages, PlayerInput, PlayerInputs, RoomMessages, Shots, Step,
};
use tickwire_sync::encode::{BlockCache, Encoding, Header};
use tickwire_sync::frame::{Events, History, MIN_HISTORY_FRAMES};
use tickwire_sync::input_buffer::{Input, TickInput};
use tickwire_sync::interest::{ClientView, InterestArea};
use tickwire_sync::lagcomp::ResolvedView;
use tickwire_sync::snapshot::SnapshotBuilder;
use tickwire_sync::{LayerSet, PlayerId, Seq, Tick};

/// How many ships there are.
pub const SHIPS: u32 = 1000;
/// The side of the world, in units.
const SIDE: i32 = 4096;
/// Steps of a position in one unit.
const UNIT: i32 = 16;

/// Ticks of a game in which every player has a ship that flies.
pub struct Ticks {
    game: Box<dyn Game>,
    history: History,
    events: Events,
    cache: BlockCache,
    view: ClientView,
    snapshot: SnapshotBuilder,
    message: Vec<u8>,
    /// One payload a player.
    payloads: Vec<Vec<u8>>,
    tick: Tick,
}

impl Ticks {
    /// A game whose payloads come from `payload`, given the player and the tick.
    #[must_use]
    pub fn new(mut game: Box<dyn Game>, payload: fn(u32) -> Vec<u8>) -> Self {
        let history = History::new(game.schema(), MIN_HISTORY_FRAMES);
        let identity = Identity {
            name: "ship".to_owned(),
            subject: None,
            is_spectator: false,
        };
        for player in 1..=SHIPS {
            let joined = game.join(PlayerId(player), &identity);
            assert!(joined.is_ok(), "both games take everybody");
        }
        let mut view = ClientView::default();
        let half = IVec2::splat(SIDE / 2 * UNIT);
        view.update_interest(
            &history.schema().grid,
            InterestArea {
                focus: half,
                half_extent: half,
                layers: LayerSet::default(),
            },
        );
        Self {
            cache: BlockCache::new(history.schema()),
            game,
            history,
            events: Events::default(),
            view,
            snapshot: SnapshotBuilder::default(),
            message: Vec::new(),
            payloads: (0..=SHIPS).map(payload).collect(),
            tick: Tick(0),
        }
    }

    /// Runs the game's step.
    pub fn step(&mut self) {
        self.tick = self.tick.next();
        let (mut messages, mut shots, mut kicks) =
            (Messages::default(), Shots::default(), Vec::new());
        let inputs = Inputs {
            payloads: &self.payloads,
            view: &self.view,
            seq: Seq(self.tick.0),
        };
        self.game.step(&mut Step {
            tick: self.tick,
            tick_rate: 60,
            inputs: &inputs,
            history: &self.history,
            events: &mut self.events,
            messages: &mut messages,
            room_messages: &mut RoomMessages::default(),
            shots: &mut shots,
            kicks: &mut kicks,
        });
    }

    /// Publishes the frame.
    pub fn publish(&mut self) {
        self.history
            .publish(self.tick, &mut self.events, |out| self.game.publish(out));
    }

    /// Encodes a snapshot for a client who sees the whole world. Returns its bytes.
    pub fn encode(&mut self) -> &[u8] {
        self.snapshot.build(
            &mut self.view,
            &self.history,
            &mut self.cache,
            Encoding::Packed,
            Header::default(),
            |_| false,
        );
        self.view.mark_sent(&self.history);
        self.message.clear();
        self.snapshot.append_to(&self.cache, &mut self.message);
        &self.message
    }
}

struct Inputs<'a> {
    payloads: &'a [Vec<u8>],
    view: &'a ClientView,
    seq: Seq,
}

impl PlayerInputs for Inputs<'_> {
    fn of(&self, player: PlayerId) -> Option<PlayerInput<'_>> {
        let payload = self.payloads.get(player.0 as usize)?;
        let view = ResolvedView::default();
        Some(PlayerInput {
            player,
            input: TickInput::Fresh(Input {
                seq: self.seq,
                view,
                payload,
            }),
            view,
            client_view: self.view,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_games_give_the_same_bytes() {
        let mut raw = Ticks::new(raw::game(), raw::payload);
        let mut plain = Ticks::new(plain::game(), plain::payload);
        for _ in 0..100 {
            for ticks in [&mut raw, &mut plain] {
                ticks.step();
                ticks.publish();
            }
            assert_eq!(raw.encode(), plain.encode());
        }
    }
}
