//! Pellets: hundreds of them, at rest until a ship flies through one.

use super::map::{Map, in_units};
use super::{SHIP_RADIUS, UNIT, WORLD_SIDE, kind};
use glam::Vec2;
use slotmap::{SlotMap, new_key_type};
use tickwire_game::entity;
use tickwire_sync::frame::Publisher;
use tickwire_sync::{Layer, Scope};

/// How many pellets the world has.
const COUNT: usize = 400;
/// How close a ship's centre must come to pick up a pellet, in units.
const REACH: f32 = SHIP_RADIUS + 8.0;
/// The side of a bucket, in units; at least [`REACH`].
const BUCKET_SIDE: f32 = 128.0;
const BUCKETS: usize = (WORLD_SIDE as f32 / BUCKET_SIDE) as usize;

new_key_type! { struct PelletKey; }

#[derive(Clone, Copy, Debug)]
struct Pellet {
    x: i32,
    y: i32,
    worth: i32,
}

/// All pellets, in buckets by position.
#[derive(Debug)]
pub(super) struct Pellets {
    pellets: SlotMap<PelletKey, Pellet>,
    buckets: Vec<Vec<PelletKey>>,
}

impl Pellets {
    /// Scatters the pellets over the map.
    pub fn scatter(map: &Map, random: &mut fastrand::Rng) -> Self {
        let mut pellets = Self {
            pellets: SlotMap::with_key(),
            buckets: vec![Vec::new(); BUCKETS * BUCKETS],
        };
        for _ in 0..COUNT {
            pellets.add(map, random);
        }
        pellets
    }

    /// Picks up the pellets that a ship at a position (in lane units) touches, and adds as many elsewhere. Returns what the
    /// picked ones were worth.
    pub fn pick_up(&mut self, x: i32, y: i32, map: &Map, random: &mut fastrand::Rng) -> i32 {
        let ship = in_units(x, y);
        let (low, high) = (bucket(ship - REACH), bucket(ship + REACH));
        let mut worth = 0;
        let mut picked = 0;
        for row in low.1..=high.1 {
            for column in low.0..=high.0 {
                self.buckets[row * BUCKETS + column].retain(|key| {
                    let pellet = self.pellets[*key];
                    let is_touched =
                        in_units(pellet.x, pellet.y).distance_squared(ship) <= REACH * REACH;
                    if is_touched {
                        self.pellets.remove(*key);
                        worth += pellet.worth;
                        picked += 1;
                    }
                    !is_touched
                });
            }
        }
        for _ in 0..picked {
            self.add(map, random);
        }
        worth
    }

    /// Publishes every pellet.
    pub fn publish(&self, out: &mut Publisher<'_>) {
        for (key, pellet) in &self.pellets {
            out.put(
                entity::id(kind::PELLET, key),
                Scope::Layer(Layer(0)),
                &[pellet.x, pellet.y, pellet.worth],
                &[],
            );
        }
    }

    fn add(&mut self, map: &Map, random: &mut fastrand::Rng) {
        let position = map.random_free_position(random, 8.0);
        let worth = if random.u32(0..10) == 0 { 5 } else { 1 };
        let key = self.pellets.insert(Pellet {
            x: position.x as i32 * UNIT,
            y: position.y as i32 * UNIT,
            worth,
        });
        let (column, row) = bucket(position);
        self.buckets[row * BUCKETS + column].push(key);
    }
}

fn bucket(position: Vec2) -> (usize, usize) {
    let along = |value: f32| ((value / BUCKET_SIDE) as usize).min(BUCKETS - 1);
    (along(position.x), along(position.y))
}
