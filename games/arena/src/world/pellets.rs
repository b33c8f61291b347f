//! Pellets: hundreds of them, at rest until a ship flies through one.

use crate::{Pellet, Rocks, SHIP_RADIUS, WORLD_SIDE};
use serde::{Deserialize, Serialize};
use tickwire::prelude::*;

/// How many pellets the world has.
const COUNT: usize = 400;
/// How close a ship's centre must come to pick up a pellet, in units.
const REACH: f32 = SHIP_RADIUS + 8.0;
/// The side of a bucket, in units; at least [`REACH`].
const BUCKET_SIDE: f32 = 128.0;
const BUCKETS: usize = (WORLD_SIDE as f32 / BUCKET_SIDE) as usize;

/// The pellets by position, in square buckets.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PelletIndex {
    buckets: Vec<Vec<Id<Pellet>>>,
}

impl Default for PelletIndex {
    fn default() -> Self {
        Self {
            buckets: vec![Vec::new(); BUCKETS * BUCKETS],
        }
    }
}

impl PelletIndex {
    /// Scatters the first pellets over the world.
    pub fn scatter(&mut self, pellets: &mut Entities<Pellet>, rocks: &Rocks, random: &mut Random) {
        for _ in 0..COUNT {
            self.add(pellets, rocks, random);
        }
    }

    /// Picks up the pellets that a ship at a position touches, and adds as many elsewhere. Returns what the picked ones were worth.
    pub fn pick_up(
        &mut self,
        pellets: &mut Entities<Pellet>,
        ship: Vec2,
        rocks: &Rocks,
        random: &mut Random,
    ) -> i32 {
        let (low, high) = (bucket(ship - REACH), bucket(ship + REACH));
        let mut worth = 0;
        let mut picked = 0;
        for row in low.1..=high.1 {
            for column in low.0..=high.0 {
                self.buckets[row * BUCKETS + column].retain(|id| {
                    let is_touched = pellets.get(*id).is_none_or(|pellet| {
                        pellet.pos.to_vec2().distance_squared(ship) <= REACH * REACH
                    });
                    if is_touched {
                        worth += pellets
                            .remove(*id)
                            .map_or(0, |pellet| i32::from(pellet.worth));
                        picked += 1;
                    }
                    !is_touched
                });
            }
        }
        for _ in 0..picked {
            self.add(pellets, rocks, random);
        }
        worth
    }

    fn add(&mut self, pellets: &mut Entities<Pellet>, rocks: &Rocks, random: &mut Random) {
        let position = rocks.random_free_position(random, 8.0);
        let worth = if random.int(0..10) == 0 { 5 } else { 1 };
        let id = pellets.insert(Pellet {
            pos: Pos::from_vec2(position),
            worth,
        });
        let (column, row) = bucket(position);
        self.buckets[row * BUCKETS + column].push(id);
    }
}

fn bucket(position: Vec2) -> (usize, usize) {
    let along = |value: f32| ((value / BUCKET_SIDE) as usize).min(BUCKETS - 1);
    (along(position.x), along(position.y))
}
