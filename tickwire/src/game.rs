//! The trait that a game author implements: one object a room, in the game's own types.

use crate::step::Step;
use crate::world::World;
use tickwire_game::glam::{IVec2, Vec2};
use tickwire_game::{Identity, Refusal};
use tickwire_rules::{Command, Event, Input, Map, Message, TypedRules};
use tickwire_sync::interest::InterestArea;
use tickwire_sync::{Grid, Layer, LayerSet, PlayerId, Tick};

/// What the rules of a game know of a room.
pub type MapOf<G> = <<G as Game>::Rules as TypedRules>::Map;

/// A game: the world of one room, and what happens in it.
///
/// The world is a struct that derives [`World`](macro@crate::World); most methods have a default. A game is deterministic: the same
/// calls in the same order give the same world, on every machine. So no clock, no iteration over hash maps, and randomness only from
/// [`Random`](crate::Random).
pub trait Game: World + Send + Sized + 'static {
    /// The game's name, for clients and operators.
    const NAME: &'static str;

    /// What a player wants in one tick.
    type Input: Input;
    /// What happens at one tick and leaves no state behind; [`Nothing`](crate::Nothing) if there is no such thing.
    type Event: Event;
    /// What clients ask for beside their inputs; [`Nothing`](crate::Nothing) if they ask nothing.
    type Command: Command;
    /// Reliable messages to players; [`Nothing`](crate::Nothing) if there are none.
    type Message: Message;
    /// What clients predict, as [`rules!`](crate::rules) declares it; [`NoRules`](crate::NoRules) if they predict nothing.
    type Rules: TypedRules;

    /// The size of the world, and what a screen shows of it.
    const SPACE: Space;

    /// Whether computer players take part, `--npcs` of them. Then write [`Self::think`].
    const COMPUTERS: bool = false;

    /// The world of a new room.
    fn new(setup: &Setup) -> Self;

    /// What the rules know of this room. Needed only if the rules have a map.
    ///
    /// # Panics
    /// Unless it is written for rules with a map other than `()`.
    #[must_use]
    fn map(&self) -> MapOf<Self> {
        match MapOf::<Self>::from_bytes(&[]) {
            Some(map) => map,
            None => panic!("the rules of {} have a map: write Game::map", Self::NAME),
        }
    }

    /// A player joins. Give the player an entity by `players.insert(player, ...)`, unless they are a spectator, who only watches.
    ///
    /// # Errors
    /// If the game refuses the player; the client gets the reason.
    fn join(&mut self, player: PlayerId, identity: &Identity) -> Result<(), Refusal>;

    /// A player has left for good, or was kicked. The framework removes the player's entities afterwards.
    fn leave(&mut self, player: PlayerId) {
        let _ = player;
    }

    /// A player's connection is lost. The session waits for the resume window; the player's input is neutral meanwhile.
    fn away(&mut self, player: PlayerId) {
        let _ = player;
    }

    /// A player whose connection was lost is back.
    fn resume(&mut self, player: PlayerId) {
        let _ = player;
    }

    /// A player's client sends a command. Each comes once and in order. What cannot be read never comes here, but every value is
    /// possible: check it.
    fn command(&mut self, player: PlayerId, command: Self::Command) {
        let _ = (player, command);
    }

    /// A player writes a line of chat, which is cleaned and not empty. Returns whether everybody gets it.
    fn chat(&mut self, player: PlayerId, line: &str) -> bool {
        let _ = (player, line);
        true
    }

    /// What a computer player wants in this tick. With [`Self::COMPUTERS`] they join as others do, before the first tick, and
    /// [`Step::input`] gives their inputs too.
    fn think(&mut self, player: PlayerId, tick: Tick) -> Self::Input {
        let _ = (player, tick);
        Self::Input::decode(&[])
    }

    /// Simulates one tick.
    fn step(&mut self, step: &mut Step<'_, Self>);

    /// What a player sees of the world; by default what a screen shows around the player's own entity, or around the middle of the
    /// world without one.
    #[must_use]
    fn sight(&self, player: PlayerId) -> Sight {
        Sight {
            focus: self
                .own_position(player)
                .unwrap_or_else(|| Self::SPACE.middle()),
            half_extent: Self::SPACE.half_screen(),
            layers: LayerSet::default(),
        }
    }
}

/// What a room tells its game when it is made.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Setup {
    /// The room's name, for instance to choose a map or a mode by.
    pub room: String,
    /// The seed of all randomness, for [`Random::new`](crate::Random::new).
    pub seed: u64,
    /// Ticks per second.
    pub tick_rate: u32,
    /// How many computer players will join: `--npcs`, or 0 without [`Game::COMPUTERS`].
    pub computers: u32,
}

/// The size of a game's world, and what a screen shows of it. All lengths are in units.
///
/// ```
/// # use tickwire::Space;
/// const FIELD: Space = Space::new(16, 2048, 2048).screen(1440, 880).cells(512);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Space {
    steps: i32,
    size: IVec2,
    screen: IVec2,
    cell: i32,
    layers: u8,
}

impl Space {
    /// A world of this width and height from (0, 0), whose positions have `steps` steps a unit: the `N` of `Pos<N>`. A screen shows all
    /// of it, and a cell of the interest grid has an eighth of its larger side.
    #[must_use]
    pub const fn new(steps: i32, width: i32, height: i32) -> Self {
        let larger = if width > height { width } else { height };
        let cell = if larger >= 8 { larger / 8 } else { 1 };
        Self {
            steps,
            size: IVec2::new(width, height),
            screen: IVec2::new(2 * width, 2 * height),
            cell,
            layers: 1,
        }
    }

    /// For a game without positions: everyone is sent everything.
    #[must_use]
    pub const fn none() -> Self {
        Self::new(1, 1, 1)
    }

    /// How much of the world a player is sent: the width and height around the player's own entity. Somewhat more than a screen shows, so
    /// that what comes into sight is already there.
    #[must_use]
    pub const fn screen(self, width: i32, height: i32) -> Self {
        Self {
            screen: IVec2::new(width, height),
            ..self
        }
    }

    /// The side of a cell of the interest grid. Cells of about a third of a screen are a good choice.
    #[must_use]
    pub const fn cells(self, side: i32) -> Self {
        Self { cell: side, ..self }
    }

    /// How many layers the grid has, 1 to 32. Everyone sees layer 0; others only those whose [`Sight`] has the layer.
    #[must_use]
    pub const fn layers(self, count: u8) -> Self {
        Self {
            layers: count,
            ..self
        }
    }

    pub(crate) fn grid(self) -> Grid {
        Grid {
            layers: self.layers,
            ..Grid::covering(
                IVec2::ZERO,
                self.size.saturating_mul(IVec2::splat(self.steps)),
                self.cell.saturating_mul(self.steps).max(1) as u32,
            )
        }
    }

    pub(crate) fn steps(self) -> i32 {
        self.steps
    }

    fn middle(self) -> IVec2 {
        (self.size / 2).saturating_mul(IVec2::splat(self.steps))
    }

    fn half_screen(self) -> IVec2 {
        (self.screen / 2).saturating_mul(IVec2::splat(self.steps))
    }
}

/// What a player sees of the world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sight {
    focus: IVec2,
    half_extent: IVec2,
    layers: LayerSet,
}

impl Sight {
    /// A sight around a position, with the width and height that [`Space::screen`] says.
    #[must_use]
    pub fn around(position: impl Into<IVec2>, space: Space) -> Self {
        Self {
            focus: position.into(),
            half_extent: space.half_screen(),
            layers: LayerSet::default(),
        }
    }

    /// This sight with another width and height, in units.
    #[must_use]
    pub fn extent(self, extent: Vec2, space: Space) -> Self {
        Self {
            half_extent: (extent / 2.0 * space.steps as f32).as_ivec2(),
            ..self
        }
    }

    /// This sight with one more layer.
    #[must_use]
    pub fn with_layer(self, layer: Layer) -> Self {
        Self {
            layers: self.layers.with(layer),
            ..self
        }
    }

    pub(crate) fn area(self) -> InterestArea {
        InterestArea {
            focus: self.focus,
            half_extent: self.half_extent,
            layers: self.layers,
        }
    }
}
