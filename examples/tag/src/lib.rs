//! Tag, the half that the server and every client share: what there is, what a player can want, and how a runner moves.

use tickwire::prelude::*;

/// The side of the square field, in units.
pub const FIELD: i32 = 2048;
/// How far a runner gets in a tick, in units.
const SPEED: f32 = 3.0;
/// How far by a dash.
const DASH: f32 = 36.0;
/// Ticks between two dashes.
const BREATH: u16 = 90;

/// Who runs about. Everybody near sees it.
#[derive(Entity, Clone, PartialEq, Debug, Default)]
#[entity(placed, predicted)]
pub struct Runner {
    /// Where.
    pub pos: Pos<16>,
    /// Whether it must touch somebody.
    pub it: bool,
    /// Ticks until the runner can dash again.
    #[entity(private, unit = "ticks")]
    pub breath: u16,
}

/// A player's line in the table. Everybody sees it, however far away; four times a second is enough.
#[derive(Entity, Clone, PartialEq, Debug, Default)]
#[entity(every = 15, priority = 20)]
pub struct Score {
    /// Whom it belongs to.
    pub player: PlayerId,
    /// How many others the player has touched.
    pub touches: u32,
    /// The player's name.
    pub name: Text,
}

/// What a player wants in one tick.
#[derive(Input, Clone, PartialEq, Debug, Default)]
pub struct Wish {
    /// To the right (1) or the left (-1).
    #[input(range = -1..=1)]
    pub dx: i8,
    /// Down (1) or up (-1).
    #[input(range = -1..=1)]
    pub dy: i8,
    /// Far, at once.
    #[input(once)]
    pub dash: bool,
    /// Whoever is near.
    #[input(once)]
    pub touch: bool,
}

/// What happens, and is over at once.
#[derive(Event, PartialEq, Debug)]
pub enum TagEvent {
    /// Somebody was touched, and is it now.
    Touched {
        /// Who.
        who: PlayerId,
    },
}

/// What a player is told, and what always arrives.
#[derive(Message, PartialEq, Debug)]
pub enum TagMessage {
    /// The player is it now.
    YouAreIt,
}

impl Predict for Runner {
    type Input = Wish;
    type Map = ();

    fn advance(&mut self, wish: &Wish, _: &Nearby<'_, ()>) {
        self.breath = self.breath.saturating_sub(1);
        let dashes = wish.dash && self.breath == 0;
        if dashes {
            self.breath = BREATH;
        }
        let direction = Vec2::new(wish.dx.into(), wish.dy.into());
        self.pos += direction * if dashes { DASH } else { SPEED };
        let edge = (FIELD - 1) as f32;
        self.pos = self.pos.clamp(Pos::default(), Pos::new(edge, edge));
    }
}

rules!(
    /// What clients predict.
    pub Rules = Runner
);
