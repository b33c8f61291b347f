//! What a game is given for one tick: each player's input and view, and where events and messages go.

use crate::messages::{Messages, RoomMessages};
use tickwire_rules::RuleInput;
use tickwire_sync::frame::{Events, History};
use tickwire_sync::input_buffer::TickInput;
use tickwire_sync::interest::ClientView;
use tickwire_sync::lagcomp::{RayTest, ResolvedView, RewoundWorld, Trace};
use tickwire_sync::{Grid, PlayerId, Seq, Tick, ViewTick};

/// One player's input for one tick, and what the player saw when making it.
#[derive(Clone, Copy, Debug)]
pub struct PlayerInput<'a> {
    /// The player.
    pub player: PlayerId,
    /// The input for this tick.
    pub input: TickInput<'a>,
    /// What the player's screen showed, clamped to what the server holds possible.
    pub view: ResolvedView,
    /// The cells that the player was sent, for the rewind.
    pub client_view: &'a ClientView,
}

impl PlayerInput<'_> {
    /// The input's bytes; empty for the neutral input.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        match self.input {
            TickInput::Fresh(input) | TickInput::Repeated(input) => input.payload,
            TickInput::Neutral => &[],
        }
    }

    /// The input as the movement rules take it.
    #[must_use]
    pub fn rule_input(&self) -> RuleInput<'_> {
        match self.input {
            TickInput::Fresh(input) => RuleInput::Fresh(input.payload),
            TickInput::Repeated(input) => RuleInput::Repeated(input.payload),
            TickInput::Neutral => RuleInput::Neutral,
        }
    }

    /// The sequence number of an input that came for this very tick. Only such an input may fire.
    #[must_use]
    pub fn fresh_seq(&self) -> Option<Seq> {
        match self.input {
            TickInput::Fresh(input) => Some(input.seq),
            TickInput::Repeated(_) | TickInput::Neutral => None,
        }
    }
}

/// The inputs of all players for one tick.
pub trait PlayerInputs {
    /// One player's input; `None` if there is no such player.
    fn of(&self, player: PlayerId) -> Option<PlayerInput<'_>>;
}

impl PlayerInputs for () {
    fn of(&self, _: PlayerId) -> Option<PlayerInput<'_>> {
        None
    }
}

/// The outcome of a shot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShotOutcome {
    /// The shot hit somebody.
    Hit,
    /// The shot hit nobody.
    Miss,
}

/// Counts shots for the operator's metrics, and keeps what recordings show of them.
#[derive(Clone, Debug, Default)]
pub struct Shots {
    shots: Vec<Shot>,
    traces: Vec<Trace>,
    is_traced: bool,
}

/// One shot, for the operator's metrics and recordings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shot {
    /// Who fired.
    pub player: PlayerId,
    /// The input that fired; 0 where none was made for this tick.
    pub seq: Seq,
    /// The view that the player claimed, and the one at which the shot was judged.
    pub view: ResolvedView,
    /// The outcome.
    pub outcome: ShotOutcome,
    /// How far the shot was rewound from the newest frame, in 1/256 tick.
    pub rewound: u64,
    /// Whether the player claimed another view than the one that the shot was judged at.
    pub was_clamped: bool,
}

impl Shots {
    /// Counts a shot that a player fired at `tick`.
    pub fn count(&mut self, outcome: ShotOutcome, tick: Tick, input: &PlayerInput<'_>) {
        let newest = tick.minus(1).unwrap_or(tick);
        self.shots.push(Shot {
            player: input.player,
            seq: input.fresh_seq().unwrap_or_default(),
            view: input.view,
            outcome,
            rewound: ViewTick::new(newest, 0).0.saturating_sub(input.view.at.0),
            was_clamped: input.view.was_clamped,
        });
    }

    /// Takes the counted shots out.
    pub fn drain(&mut self) -> impl Iterator<Item = Shot> {
        self.shots.drain(..)
    }

    /// Whether somebody wants traces ([`Step::trace`]), because the room is recorded. By default nobody does.
    pub fn set_traced(&mut self, is_traced: bool) {
        self.is_traced = is_traced;
    }

    /// Takes the traces out.
    pub fn drain_traces(&mut self) -> impl Iterator<Item = Trace> {
        self.traces.drain(..)
    }
}

/// One tick of a room, as its game sees it.
pub struct Step<'a> {
    /// The tick that is simulated.
    pub tick: Tick,
    /// Ticks per second.
    pub tick_rate: u32,
    /// The players' inputs.
    pub inputs: &'a dyn PlayerInputs,
    /// The frames up to the tick before.
    pub history: &'a History,
    /// Events of this tick.
    pub events: &'a mut Events,
    /// Reliable messages to players.
    pub messages: &'a mut Messages,
    /// Messages to other rooms.
    pub room_messages: &'a mut RoomMessages,
    /// Shots, for the operator's metrics.
    pub shots: &'a mut Shots,
    /// Players to kick, and why; see [`Self::kick`].
    pub kicks: &'a mut Vec<(PlayerId, String)>,
}

impl Step<'_> {
    /// The same step for a shorter time, for a layer above this one.
    pub fn reborrow(&mut self) -> Step<'_> {
        Step {
            tick: self.tick,
            tick_rate: self.tick_rate,
            inputs: self.inputs,
            history: self.history,
            events: self.events,
            messages: self.messages,
            room_messages: self.room_messages,
            shots: self.shots,
            kicks: self.kicks,
        }
    }

    /// Kicks a player out of the room once the step is over. The session ends, [`Game::leave`](crate::Game::leave) is called,
    /// and the connection is closed with 1008 and this reason, which the player reads. Only [`Game::join`](crate::Game::join)
    /// can keep them from joining again.
    pub fn kick(&mut self, player: PlayerId, reason: impl Into<String>) {
        self.kicks.push((player, reason.into()));
    }

    /// The interest grid, to find the cells that an event touches.
    #[must_use]
    pub fn grid(&self) -> &Grid {
        &self.history.schema().grid
    }

    /// The world as a player's screen showed it when the player made this tick's input.
    #[must_use]
    pub fn rewound_for(&self, input: &PlayerInput<'_>) -> RewoundWorld<'_> {
        let client_view = self.inputs.of(input.player).map(|input| input.client_view);
        RewoundWorld::new(self.history, client_view, input.view)
    }

    /// Shows a test of [`Self::rewound_for`] in recordings, such as that of a shot: what was claimed, from which ticks the screen was
    /// drawn, what the ray passed by how much, and what the game made of it. It has no effect on the game, and costs one branch
    /// where the room is not recorded.
    pub fn trace(&mut self, input: &PlayerInput<'_>, test: &RayTest) {
        if self.shots.is_traced {
            let seq = input.fresh_seq().unwrap_or_default();
            let trace = self.rewound_for(input).trace(input.player, seq, test);
            self.shots.traces.push(trace);
        }
    }
}
