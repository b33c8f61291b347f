//! How a ship flies: the pure function that server and clients share.

use crate::{ArenaInput, Heading, Rocks, SHIP_RADIUS, STEPS, Ship};
use tickwire::Fixed;
use tickwire::prelude::*;

/// What thrust adds to the speed, in units per tick squared.
const THRUST: f32 = 0.28;
/// The part of the speed that a tick leaves. The top speed is THRUST * DRAG / (1 - DRAG), about 6.7 units per tick.
const DRAG: f32 = 0.96;
/// The part of the speed towards a rock that a bump turns around.
const BOUNCE: f32 = 0.4;
/// Ticks between two beams: a third of a second at 60 Hz.
const COOLDOWN_TICKS: u16 = 20;

impl Predict for Ship {
    type Input = ArenaInput;
    type Map = Rocks;

    fn advance(&mut self, input: &ArenaInput, world: &Nearby<'_, Rocks>) {
        self.fly(*input, world.map);
    }
}

impl Ship {
    /// Moves the ship by one tick.
    pub fn fly(&mut self, input: ArenaInput, rocks: &Rocks) {
        let push = |plus: bool, minus: bool| f32::from(i8::from(plus) - i8::from(minus));
        let thrust = Vec2::new(push(input.right, input.left), push(input.down, input.up))
            .normalize_or_zero()
            * THRUST;
        let velocity = (self.velocity() + thrust) * DRAG;
        let (position, bump) = rocks.push_out(self.pos.to_vec2() + velocity, SHIP_RADIUS);
        let speed_into_rock = velocity.dot(bump).min(0.0);
        let velocity = velocity - bump * speed_into_rock * (1.0 + BOUNCE);
        self.pos = Pos::<STEPS>::from_vec2(position);
        self.heading = input.heading().unwrap_or(self.heading);
        self.velocity_x = Fixed::truncated(velocity.x);
        self.velocity_y = Fixed::truncated(velocity.y);
        self.cooldown = self.cooldown.saturating_sub(1);
        if input.fire && self.cooldown == 0 {
            self.cooldown = COOLDOWN_TICKS;
        }
    }

    /// Velocity in units per tick.
    #[must_use]
    pub fn velocity(&self) -> Vec2 {
        Vec2::new(self.velocity_x.get(), self.velocity_y.get())
    }

    /// Whether the ship has fired a beam in its latest tick.
    #[must_use]
    pub fn has_fired(&self) -> bool {
        self.cooldown == COOLDOWN_TICKS
    }

    /// Whether the ship fires in the next tick if its pilot wants.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.cooldown <= 1
    }

    /// The direction that the ship points to.
    #[must_use]
    pub fn direction(&self) -> Vec2 {
        direction(self.heading)
    }
}

/// The direction that a heading points to.
pub(crate) fn direction(heading: Heading) -> Vec2 {
    Vec2::from_angle(heading.radians())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WORLD_SIDE;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_ship_and_any_input_stay_in_the_world(
            lanes in prop::array::uniform5(any::<i32>()),
            private in prop::array::uniform3(any::<i32>()),
            input in prop::collection::vec(any::<u8>(), 0..5),
        ) {
            let mut ship = Ship::from_row(&lanes, &private, &[]);
            ship.fly(ArenaInput::decode(&input), &Rocks::from_seed(1));
            let side = WORLD_SIDE * STEPS;
            prop_assert!((0..=side).contains(&ship.pos.steps().x) && (0..=side).contains(&ship.pos.steps().y));
        }
    }

    #[test]
    fn a_ship_without_thrust_comes_to_rest() {
        let mut ship = Ship {
            pos: Pos::new(1000.0, 2000.0),
            velocity_x: Fixed::from_steps(300),
            velocity_y: Fixed::from_steps(-300),
            ..Ship::default()
        };
        let rocks = Rocks::default();
        let mut fly = |ticks| {
            (0..ticks).for_each(|_| ship.fly(ArenaInput::default(), &rocks));
            ship.clone()
        };
        let (before, after) = (fly(240), fly(60));
        assert_eq!(before.velocity(), Vec2::ZERO);
        assert_eq!(before.pos, after.pos);
    }

    #[test]
    fn a_ship_at_full_thrust_reaches_its_top_speed() {
        let rocks = Rocks::default();
        let mut ship = Ship {
            pos: Pos::new(1000.0, 2000.0),
            ..Ship::default()
        };
        let input = ArenaInput {
            right: true,
            ..ArenaInput::default()
        };
        for _ in 0..120 {
            ship.fly(input.pointing(Heading::from_steps(5)), &rocks);
        }
        assert!((6.45..=6.75).contains(&ship.velocity().x), "{ship:?}");
        assert_eq!((ship.pos.y(), ship.heading.steps()), (2000.0, 5));
    }
}
