//! What the server and every client share: what there is, what a player can want, and how players move.

use tickwire::prelude::*;

/// The size of the field, in units.
pub const FIELD: (i32, i32) = (960, 540);
/// How far a player gets in a tick, in units. Change it while `tickwire dev` runs.
pub const SPEED: f32 = 3.0;

/// A player's figure.
#[derive(Entity, Clone, Default)]
#[entity(placed, predicted)]
pub struct Walker {
    /// Where.
    pub pos: Pos<16>,
    /// The player's name.
    pub name: Text,
}

/// What a player wants in one tick.
#[derive(Input, Clone, Default)]
pub struct Wish {
    /// To the right (1) or the left (-1).
    #[input(range = -1..=1)]
    pub dx: i8,
    /// Down (1) or up (-1).
    #[input(range = -1..=1)]
    pub dy: i8,
}

/// The server and every browser run this very code, so a player moves at once, and both agree.
impl Predict for Walker {
    type Input = Wish;
    type Map = ();

    fn advance(&mut self, wish: &Wish, _: &Nearby<'_, ()>) {
        let way = Vec2::new(wish.dx.into(), wish.dy.into()).normalize_or_zero();
        let corner = Pos::new(FIELD.0 as f32 - 1.0, FIELD.1 as f32 - 1.0);
        self.pos = (self.pos + way * SPEED).clamp(Pos::default(), corner);
    }
}

rules!(
    /// What clients predict.
    pub Rules = Walker
);
