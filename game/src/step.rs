//! What a game is given for one tick: each player's input, what the players' screens showed, and where events and messages go.

use crate::messages::Messages;
use tickwire_sync::event::Events;
use tickwire_sync::history::History;
use tickwire_sync::input_buffer::Taken;
use tickwire_sync::rewind::Screen;
use tickwire_sync::view::View;
use tickwire_sync::{Grid, PlayerId, Seq, Tick, ViewTick};

/// One player's part in one tick.
#[derive(Clone, Copy, Debug)]
pub struct PlayerTurn<'a> {
    /// Who.
    pub player: PlayerId,
    /// The input for this tick.
    pub input: Taken<'a>,
    /// What the player's screen showed, clamped to what the server holds possible.
    pub view: ViewTick,
    /// The player's view, for the rewind.
    pub seen: &'a View,
}

impl PlayerTurn<'_> {
    /// The input's bytes; empty: neutral.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        match self.input {
            Taken::Fresh(input) | Taken::Repeated(input) => input.payload,
            Taken::Neutral => &[],
        }
    }

    /// The input's number if it came for this very tick: only then may it fire.
    #[must_use]
    pub fn fresh_seq(&self) -> Option<Seq> {
        match self.input {
            Taken::Fresh(input) => Some(input.seq),
            Taken::Repeated(_) | Taken::Neutral => None,
        }
    }
}

/// The players who take part in a tick.
pub trait Turns {
    /// One player's part; `None`: there is no such player.
    fn of(&self, player: PlayerId) -> Option<PlayerTurn<'_>>;
}

impl Turns for () {
    fn of(&self, _: PlayerId) -> Option<PlayerTurn<'_>> {
        None
    }
}

/// What became of a shot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShotOutcome {
    /// It hit someone.
    Hit,
    /// It hit nobody.
    Miss,
}

/// Counts shots for the operator.
#[derive(Clone, Debug, Default)]
pub struct Shots {
    shots: Vec<(ShotOutcome, u64)>,
}

impl Shots {
    /// Counts one shot and by how much it was rewound, in 1/256 tick.
    pub fn count(&mut self, outcome: ShotOutcome, rewound: u64) {
        self.shots.push((outcome, rewound));
    }

    /// Takes the counted shots out.
    pub fn drain(&mut self) -> impl Iterator<Item = (ShotOutcome, u64)> {
        self.shots.drain(..)
    }
}

/// One tick of a room, as its game sees it.
pub struct Step<'a> {
    /// The tick that is being made.
    pub tick: Tick,
    /// Ticks per second.
    pub tick_rate: u32,
    /// The players' parts.
    pub turns: &'a dyn Turns,
    /// The frames up to the tick before.
    pub history: &'a History,
    /// What happens at this tick.
    pub events: &'a mut Events,
    /// Reliable messages to players.
    pub messages: &'a mut Messages,
    /// Shots, for the operator.
    pub shots: &'a mut Shots,
}

impl Step<'_> {
    /// The interest grid, to say which cells an event touches.
    #[must_use]
    pub fn grid(&self) -> &Grid {
        &self.history.schema().grid
    }

    /// The world as a player's screen showed it when the input of this tick was made.
    #[must_use]
    pub fn screen(&self, turn: &PlayerTurn<'_>) -> Screen<'_> {
        Screen::new(
            self.history,
            self.turns.of(turn.player).map(|turn| turn.seen),
            turn.view,
        )
    }
}
