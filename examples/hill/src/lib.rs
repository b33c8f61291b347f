//! Hill, the half that the server and every client share: bodies that push each other away, predicted with their neighbours.

use tickwire::prelude::*;

/// The side of the square field, in units.
pub const FIELD: f32 = 720.0;
/// Ticks between two pushes of a body.
const REST: u16 = 40;

/// A player: where, how fast in units per tick, and the line on the board.
#[derive(Entity, Clone, Default, Debug)]
#[entity(placed, predicted)]
pub struct Body {
    /// The middle.
    pub pos: Pos<16>,
    /// To the right.
    #[entity(discrete)]
    pub vx: Fixed<256>,
    /// Downwards.
    #[entity(discrete)]
    pub vy: Fixed<256>,
    /// Ticks until the next push. Public, so that others feel a push at once.
    pub rest: u16,
    /// Seconds alone on the hill.
    pub points: u32,
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
    /// Everybody near away.
    #[input(once)]
    pub push: bool,
}

impl Predict for Body {
    type Input = Wish;
    type Map = ();
    const REACH: f32 = 70.0;

    fn advance(&mut self, wish: &Wish, world: &Nearby<'_, ()>) {
        self.rest = self.rest.saturating_sub(1);
        if wish.push && self.rest == 0 {
            self.rest = REST;
        }
        let way = Vec2::new(wish.dx.into(), wish.dy.into()).normalize_or_zero();
        let mut speed = Vec2::new(self.vx.get(), self.vy.get()) * 0.85 + way * 0.5;
        // Who began to rest in the last tick has pushed in it.
        for (_, other) in world.others::<Self>().filter(|(_, it)| it.rest == REST) {
            speed += (self.pos - other.pos).normalize_or(Vec2::X) * 12.0;
        }
        (self.vx, self.vy) = (Fixed::truncated(speed.x), Fixed::truncated(speed.y));
        self.pos = (self.pos + speed).clamp(Pos::default(), Pos::new(FIELD - 1.0, FIELD - 1.0));
    }
}

rules!(
    /// What clients predict.
    pub Rules = Body
);
