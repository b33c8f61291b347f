//! Computer players. They wander, chase nearby ships and shoot badly enough, so that a lone newcomer sees life.

use super::map::{Map, in_units};
use super::{ArenaInput, BEAM_RANGE, WORLD_SIDE, heading_to};
use glam::Vec2;

/// Names for computer players.
pub(super) const NAMES: [&str; 12] = [
    "Ada", "Bohr", "Curie", "Darwin", "Euler", "Fermi", "Gauss", "Hopper", "Iyer", "Joule",
    "Kepler", "Lise",
];

/// A ship nearer than this is chased, in units.
pub(super) const CHASE_RANGE: f32 = BEAM_RANGE * 0.9;

/// One computer player: what it aims at and where it goes.
#[derive(Clone, Debug)]
pub(super) struct Npc {
    random: fastrand::Rng,
    goal: Vec2,
    /// Ticks until the next change of goal.
    patience: u32,
    aim_error: i32,
}

impl Npc {
    pub fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            goal: Vec2::splat(WORLD_SIDE as f32 / 2.0),
            patience: 0,
            aim_error: 0,
        }
    }

    /// The next input of a ship at `x`, `y` (lane units), when the nearest other ship within [`CHASE_RANGE`] is at `enemy`.
    pub fn think(&mut self, x: i32, y: i32, enemy: Option<Vec2>, map: &Map) -> ArenaInput {
        let here = in_units(x, y);
        if self.patience == 0 || here.distance(self.goal) < 60.0 {
            self.patience = self.random.u32(90..300);
            self.aim_error = self.random.i32(-24..=24);
            self.goal = Vec2::new(self.random.f32(), self.random.f32()) * WORLD_SIDE as f32;
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
            None => self.goal,
        };
        let towards = target - here;
        let heading = heading_to(here, enemy.unwrap_or(target))
            + if enemy.is_some() { self.aim_error } else { 0 };
        let is_clear = enemy.is_some_and(|enemy| {
            let distance = enemy.distance(here);
            map.ray(here, (enemy - here).normalize_or_zero(), distance) >= distance
        });
        ArenaInput {
            up: towards.y < -20.0,
            down: towards.y > 20.0,
            left: towards.x < -20.0,
            right: towards.x > 20.0,
            fire: is_clear && self.random.u32(0..40) == 0,
            heading: Some(heading),
        }
    }
}
