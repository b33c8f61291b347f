//! Computer players. They wander, chase nearby ships and shoot badly enough, so that a lone newcomer sees life.

use crate::{ArenaInput, BEAM_RANGE, Heading, Rocks, STEPS, WORLD_SIDE};
use serde::{Deserialize, Serialize};
use tickwire::prelude::*;

const NAMES: [&str; 12] = [
    "Ada", "Bohr", "Curie", "Darwin", "Euler", "Fermi", "Gauss", "Hopper", "Iyer", "Joule",
    "Kepler", "Lise",
];

/// A ship nearer than this is chased, in units.
pub(super) const CHASE_RANGE: f32 = BEAM_RANGE * 0.9;

/// The name of a computer player, by how many there were before.
pub(super) fn name(number: usize) -> Text {
    let (round, name) = (number / NAMES.len(), NAMES[number % NAMES.len()]);
    if round == 0 {
        Text::from(name)
    } else {
        Text::from(format!("{name} {}", round + 1))
    }
}

/// What a computer player aims at, and where it goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Computer {
    random: Random,
    /// In units.
    goal: [f32; 2],
    /// Ticks until the next change of goal.
    patience: u32,
    /// In steps of heading.
    aim_error: i32,
}

impl Computer {
    pub fn new(random: Random) -> Self {
        Self {
            random,
            goal: [WORLD_SIDE as f32 / 2.0; 2],
            patience: 0,
            aim_error: 0,
        }
    }

    /// The next input of a ship, when the nearest other ship within [`CHASE_RANGE`] is at `enemy`.
    pub fn think(&mut self, ship: Pos<STEPS>, enemy: Option<Vec2>, rocks: &Rocks) -> ArenaInput {
        let here = ship.to_vec2();
        if self.patience == 0 || here.distance(Vec2::from(self.goal)) < 60.0 {
            self.patience = self.random.int(90..300) as u32;
            self.aim_error = self.random.int(-24..25);
            self.goal = [0; 2].map(|_| self.random.unit() * WORLD_SIDE as f32);
        }
        self.patience -= 1;
        // Circle around an enemy rather than ram it.
        let target = match enemy {
            Some(enemy) => {
                enemy
                    + (here - enemy)
                        .normalize_or_zero()
                        .rotate(Vec2::from_angle(0.6))
                        * 240.0
            }
            None => self.goal.into(),
        };
        let towards = target - here;
        let aim_error = if enemy.is_some() { self.aim_error } else { 0 };
        let heading = Heading::of(enemy.unwrap_or(target) - here);
        let is_clear = enemy.is_some_and(|enemy| {
            let distance = enemy.distance(here);
            rocks.ray(here, (enemy - here).normalize_or_zero(), distance) >= distance
        });
        let input = ArenaInput {
            up: towards.y < -20.0,
            down: towards.y > 20.0,
            left: towards.x < -20.0,
            right: towards.x > 20.0,
            fire: is_clear && self.random.int(0..40) == 0,
            ..ArenaInput::default()
        };
        input.pointing(Heading::from_steps(heading.steps() + aim_error))
    }
}
