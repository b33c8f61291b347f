//! Push, the half that the server and every client share: bodies that shove each other, predicted with their neighbours.

use tickwire::prelude::*;

/// The side of the square field, in units.
pub const FIELD: i32 = 1024;
/// A body's radius, in units.
pub const RADIUS: f32 = 20.0;
/// The speed that a player adds in a tick, in units per tick.
const THRUST: f32 = 0.5;
/// The part of the speed that is left after a tick.
const DRAG: f32 = 0.85;
/// The speed that a shove adds at once, in units per tick.
const SHOVE: f32 = 9.0;
/// Ticks between two shoves.
const BREATH: u16 = 60;
/// The part of an overlap by which each of two bodies gives way in a tick.
const GIVE: f32 = 0.25;

/// A player's body.
#[derive(Entity, Clone, PartialEq, Debug, Default)]
#[entity(placed, predicted)]
pub struct Body {
    /// The middle.
    pub pos: Pos<16>,
    /// The speed to the right, in units per tick. Public, so that others can predict where the body goes.
    #[entity(discrete)]
    pub vx: Fixed<256>,
    /// The speed downwards, in units per tick.
    #[entity(discrete)]
    pub vy: Fixed<256>,
    /// Ticks until the player can shove again.
    #[entity(private, unit = "ticks")]
    pub breath: u16,
}

/// A player's line in the table.
#[derive(Entity, Clone, PartialEq, Debug, Default)]
#[entity(every = 15)]
pub struct Score {
    /// Whom it belongs to.
    pub player: PlayerId,
    /// Seconds alone on the hill.
    pub seconds: u32,
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
    /// Hurl oneself that way.
    #[input(once)]
    pub shove: bool,
}

impl Predict for Body {
    type Input = Wish;
    type Map = ();
    const REACH: f32 = 2.0 * RADIUS + 8.0;

    fn advance(&mut self, wish: &Wish, world: &Nearby<'_, ()>) {
        self.breath = self.breath.saturating_sub(1);
        let direction = Vec2::new(wish.dx.into(), wish.dy.into()).normalize_or_zero();
        let mut velocity = (Vec2::new(self.vx.get(), self.vy.get()) + direction * THRUST) * DRAG;
        if wish.shove && self.breath == 0 {
            self.breath = BREATH;
            velocity += direction * SHOVE;
        }
        for (_, other) in world.others::<Self>() {
            // Both bodies see each other as they were one tick before, so what one gives the other takes.
            let apart = self.pos - other.pos;
            let overlap = 2.0 * RADIUS - apart.length();
            if overlap > 0.0 {
                let away = apart.try_normalize().unwrap_or(Vec2::X);
                let closing = (Vec2::new(other.vx.get(), other.vy.get()) - velocity).dot(away);
                velocity += away * (overlap * GIVE + closing.max(0.0) * 0.5);
            }
        }
        self.pos += velocity;
        let edge = FIELD as f32 - RADIUS;
        self.pos = self
            .pos
            .clamp(Pos::new(RADIUS, RADIUS), Pos::new(edge, edge));
        (self.vx, self.vy) = (Fixed::truncated(velocity.x), Fixed::truncated(velocity.y));
    }
}

rules!(
    /// What clients predict.
    pub Rules = Body
);
