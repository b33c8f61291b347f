//! A ship's movement: the pure function over published integers that server and clients share.

use super::map::{Map, in_units};
use super::{ArenaInput, SHIP_RADIUS, UNIT, kind, ship_lane, ship_private};
use glam::Vec2;
use std::sync::Arc;
use tickwire_rules::{RuleContext, Rules};
use tickwire_sync::KindId;

/// What thrust adds to the speed, in units per tick squared.
const THRUST: f32 = 0.28;
/// The part of the speed that a tick leaves. The top speed is THRUST * DRAG / (1 - DRAG), about 6.7 units per tick.
const DRAG: f32 = 0.96;
/// The part of the speed towards a rock that a bump turns around.
const BOUNCE: f32 = 0.4;
/// Steps of the velocity lanes in one unit per tick.
const VELOCITY_UNIT: f32 = 256.0;
/// Ticks between two beams: a third of a second at 60 Hz.
const COOLDOWN_TICKS: i32 = 20;

/// The arena's movement rules. They depend on the map alone.
#[derive(Clone, Debug)]
pub struct Movement {
    map: Arc<Map>,
}

/// What one tick of movement did beyond the ship's lanes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Motion {
    /// Whether the ship fires a beam in this tick.
    pub fires: bool,
}

impl Movement {
    /// Movement on a map.
    #[must_use]
    pub fn new(map: Arc<Map>) -> Self {
        Self { map }
    }

    /// The map that ships move on.
    #[must_use]
    pub fn map(&self) -> &Map {
        &self.map
    }

    /// Moves a ship by one tick.
    ///
    /// # Panics
    /// If the slices do not have a ship's lanes ([`ship_lane`], [`ship_private`]).
    pub fn ship(&self, lanes: &mut [i32], private: &mut [i32], input: ArenaInput) -> Motion {
        let push = |plus: bool, minus: bool| f32::from(i8::from(plus) - i8::from(minus));
        let thrust = Vec2::new(push(input.right, input.left), push(input.down, input.up))
            .normalize_or_zero()
            * THRUST;
        let velocity = Vec2::new(
            private[ship_private::VELOCITY_X] as f32,
            private[ship_private::VELOCITY_Y] as f32,
        ) / VELOCITY_UNIT;
        let velocity = (velocity + thrust) * DRAG;
        let wanted = in_units(lanes[ship_lane::X], lanes[ship_lane::Y]) + velocity;
        let (position, bump) = self.map.push_out(wanted, SHIP_RADIUS);
        let speed_into_rock = velocity.dot(bump).min(0.0);
        let velocity = velocity - bump * speed_into_rock * (1.0 + BOUNCE);
        lanes[ship_lane::X] = (position.x * UNIT as f32).round() as i32;
        lanes[ship_lane::Y] = (position.y * UNIT as f32).round() as i32;
        lanes[ship_lane::HEADING] = input.heading.unwrap_or(lanes[ship_lane::HEADING]);
        private[ship_private::VELOCITY_X] = (velocity.x * VELOCITY_UNIT).round() as i32;
        private[ship_private::VELOCITY_Y] = (velocity.y * VELOCITY_UNIT).round() as i32;
        let cooldown = &mut private[ship_private::COOLDOWN];
        *cooldown = (*cooldown - 1).max(0);
        let fires = input.fire && *cooldown == 0;
        if fires {
            *cooldown = COOLDOWN_TICKS;
        }
        Motion { fires }
    }
}

impl Rules for Movement {
    fn advance(
        &self,
        kind: KindId,
        lanes: &mut [i32],
        private_lanes: &mut [i32],
        context: &RuleContext<'_>,
    ) {
        let is_ship = kind == kind::SHIP
            && lanes.len() == ship_lane::COUNT
            && private_lanes.len() == ship_private::COUNT;
        if is_ship {
            self.ship(lanes, private_lanes, ArenaInput::of(context.input));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tickwire_rules::RuleInput;
    use tickwire_sync::Tick;

    proptest! {
        #[test]
        fn any_ship_and_any_input_stay_in_the_world(
            lanes in prop::array::uniform5(any::<i32>()),
            private in prop::array::uniform3(any::<i32>()),
            input in prop::collection::vec(any::<u8>(), 0..5),
        ) {
            let movement = Movement::new(Arc::new(Map::from_seed(1)));
            let (mut lanes, mut private) = (lanes, private);
            movement.advance(kind::SHIP, &mut lanes, &mut private, &RuleContext::alone(Tick(1), RuleInput::Fresh(&input)));
            let side = super::super::WORLD_SIDE * UNIT;
            prop_assert!((0..=side).contains(&lanes[ship_lane::X]) && (0..=side).contains(&lanes[ship_lane::Y]));
        }
    }

    #[test]
    fn a_ship_at_full_thrust_reaches_its_top_speed() {
        let movement = Movement::new(Arc::new(Map::decode(&[]).unwrap()));
        let (mut lanes, mut private) = ([16000, 32000, 0, 100, 0], [0; 3]);
        for _ in 0..120 {
            movement.ship(
                &mut lanes,
                &mut private,
                ArenaInput {
                    right: true,
                    heading: Some(5),
                    ..ArenaInput::default()
                },
            );
        }
        assert!(
            (1650..=1730).contains(&private[ship_private::VELOCITY_X]),
            "{private:?}"
        );
        assert_eq!((lanes[ship_lane::Y], lanes[ship_lane::HEADING]), (32000, 5));
    }
}
