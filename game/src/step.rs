//! What a game is given for one tick: each player's input, what the players' screens showed, and where events and messages go.

use crate::messages::Messages;
use crate::rules::RuleInput;
use tickwire_sync::claim::Seen;
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
    pub seen: Seen,
    /// The player's view, for the rewind.
    pub sent: &'a View,
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

    /// The input as the movement rules take it.
    #[must_use]
    pub fn rule_input(&self) -> RuleInput<'_> {
        match self.input {
            Taken::Fresh(input) => RuleInput::Fresh(input.payload),
            Taken::Repeated(input) => RuleInput::Repeated(input.payload),
            Taken::Neutral => RuleInput::Neutral,
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
    shots: Vec<Shot>,
}

/// One shot, for the operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shot {
    /// What became of it.
    pub outcome: ShotOutcome,
    /// By how much it was rewound from the newest frame that there was, in 1/256 tick.
    pub rewound: u64,
    /// Whether the player claimed another moment than the one that it was judged at.
    pub was_clamped: bool,
}

impl Shots {
    /// Counts a shot that a player fired at `tick`.
    pub fn count(&mut self, outcome: ShotOutcome, tick: Tick, turn: &PlayerTurn<'_>) {
        let newest = tick.before(1).unwrap_or(tick);
        self.shots.push(Shot {
            outcome,
            rewound: ViewTick::new(newest, 0).0.saturating_sub(turn.seen.view.0),
            was_clamped: turn.seen.was_clamped,
        });
    }

    /// Takes the counted shots out.
    pub fn drain(&mut self) -> impl Iterator<Item = Shot> {
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
    /// Who is put out of the room, and why; see [`Self::dismiss`].
    pub dismissals: &'a mut Vec<(PlayerId, String)>,
}

impl Step<'_> {
    /// Puts a player out of the room once the step is over: the session ends, [`Game::leave`](crate::Game::leave) is called, and the
    /// connection is closed with 1008 and this reason, which the player reads. Nothing keeps them from joining again but
    /// [`Game::join`](crate::Game::join).
    pub fn dismiss(&mut self, player: PlayerId, reason: impl Into<String>) {
        self.dismissals.push((player, reason.into()));
    }

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
            self.turns.of(turn.player).map(|turn| turn.sent),
            turn.seen,
        )
    }
}
