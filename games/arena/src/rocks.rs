//! The arena's map: rocks in a square world, made from the room's seed and sent to each client once.
//!
//! In: a seed, or the bytes of `Welcome`. Out: collision and line-of-sight tests, the same on server and client. Rocks are kept
//! in buckets, so that a test visits only the few that are near.

use crate::WORLD_SIDE;
#[cfg(not(target_arch = "wasm32"))]
use serde::{Deserialize, Serialize};
#[cfg(not(target_arch = "wasm32"))]
use tickwire::Random;
use tickwire::prelude::*;

/// How many rocks a map has.
#[cfg(not(target_arch = "wasm32"))]
const ROCKS: usize = 90;
/// The side of a bucket, in units: larger than the largest rock's radius plus a ship's.
const BUCKET_SIDE: f32 = 256.0;
const BUCKETS: usize = (WORLD_SIDE as f32 / BUCKET_SIDE) as usize;

/// A round rock, in units.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rock {
    /// The centre.
    pub centre: Vec2,
    /// The radius, up to 120.
    pub radius: f32,
}

/// The rocks of a world.
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(Serialize, Deserialize),
    serde(try_from = "Vec<u8>", into = "Vec<u8>")
)]
pub struct Rocks {
    rocks: Vec<Rock>,
    /// For each bucket the rocks that touch it or a neighbouring bucket.
    buckets: Vec<Vec<u16>>,
}

impl Rocks {
    const BYTES_PER_ROCK: usize = 6;

    /// Makes the rocks of a seed.
    #[cfg(not(target_arch = "wasm32"))]
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self::random(Random::new(seed))
    }

    /// Random rocks.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn random(mut random: Random) -> Self {
        let mut rocks: Vec<Rock> = Vec::new();
        while rocks.len() < ROCKS {
            let radius = random.int(28..111) as f32;
            let centre = Vec2::new(
                random.int(150..WORLD_SIDE - 150) as f32,
                random.int(150..WORLD_SIDE - 150) as f32,
            );
            // A ship can pass between any two rocks.
            if rocks
                .iter()
                .all(|rock| rock.centre.distance(centre) > rock.radius + radius + 70.0)
            {
                rocks.push(Rock { centre, radius });
            }
        }
        Self::new(rocks)
    }

    fn new(rocks: Vec<Rock>) -> Self {
        let mut buckets = vec![Vec::new(); BUCKETS * BUCKETS];
        for (index, rock) in rocks.iter().enumerate() {
            let (low, high) = (
                bucket(rock.centre - rock.radius - 64.0),
                bucket(rock.centre + rock.radius + 64.0),
            );
            for y in low.1..=high.1 {
                for x in low.0..=high.0 {
                    buckets[y * BUCKETS + x].push(index as u16);
                }
            }
        }
        Self { rocks, buckets }
    }

    /// All rocks.
    #[must_use]
    pub fn rocks(&self) -> &[Rock] {
        &self.rocks
    }

    /// Pushes a circle out of rocks and back into the world. Returns its new centre and the direction of the push, zero if there
    /// was none.
    #[must_use]
    pub fn push_out(&self, mut centre: Vec2, radius: f32) -> (Vec2, Vec2) {
        let mut push = Vec2::ZERO;
        for rock in self.near(centre) {
            let away = centre - rock.centre;
            let reach = rock.radius + radius;
            if away.length_squared() < reach * reach {
                let normal = away.try_normalize().unwrap_or(Vec2::X);
                centre = rock.centre + normal * reach;
                push += normal;
            }
        }
        let inside = centre.clamp(Vec2::splat(radius), Vec2::splat(WORLD_SIDE as f32 - radius));
        push += (inside - centre).signum() * (inside - centre).abs().min(Vec2::ONE);
        (inside, push.normalize_or_zero())
    }

    /// Whether a circle touches no rock and lies within the world.
    #[must_use]
    pub fn is_free(&self, centre: Vec2, radius: f32) -> bool {
        self.push_out(centre, radius) == (centre, Vec2::ZERO)
    }

    /// A random position in whole units where a circle of this radius touches nothing.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn random_free_position(&self, random: &mut Random, radius: f32) -> Vec2 {
        // Rocks cover a few percent of the world, so a few tries nearly always suffice.
        let mut position = Vec2::ZERO;
        for _ in 0..64 {
            position = Vec2::new(
                random.int(40..WORLD_SIDE - 40) as f32,
                random.int(40..WORLD_SIDE - 40) as f32,
            );
            if self.is_free(position, radius) {
                break;
            }
        }
        position
    }

    /// How far a ray gets before it hits a rock, at most `range`. `direction` has length 1.
    #[must_use]
    pub fn ray(&self, from: Vec2, direction: Vec2, range: f32) -> f32 {
        self.rocks
            .iter()
            .filter_map(|rock| ray_to_circle(from, direction, rock.centre, rock.radius))
            .fold(range, f32::min)
    }

    /// The rocks in and around a position's bucket.
    fn near(&self, centre: Vec2) -> impl Iterator<Item = &Rock> {
        let (x, y) = bucket(centre);
        self.buckets[y * BUCKETS + x]
            .iter()
            .map(|index| &self.rocks[usize::from(*index)])
    }
}

/// No rocks.
impl Default for Rocks {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl TryFrom<Vec<u8>> for Rocks {
    type Error = &'static str;

    fn try_from(bytes: Vec<u8>) -> Result<Self, Self::Error> {
        Self::from_bytes(&bytes).ok_or("these are no rocks")
    }
}

impl From<Rocks> for Vec<u8> {
    fn from(rocks: Rocks) -> Self {
        rocks.to_bytes()
    }
}

/// Each rock's x, y and radius in whole units, 16 bits each, little-endian.
impl Map for Rocks {
    fn to_bytes(&self) -> Vec<u8> {
        let numbers = self
            .rocks
            .iter()
            .flat_map(|rock| [rock.centre.x, rock.centre.y, rock.radius]);
        numbers
            .flat_map(|number| (number as u16).to_le_bytes())
            .collect()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if !bytes.len().is_multiple_of(Self::BYTES_PER_ROCK)
            || bytes.len() > 4096 * Self::BYTES_PER_ROCK
        {
            return None;
        }
        let number = |bytes: &[u8]| Some(f32::from(u16::from_le_bytes(bytes.try_into().ok()?)));
        let rocks = bytes.chunks_exact(Self::BYTES_PER_ROCK).map(|rock| {
            let (centre, radius) = (
                Vec2::new(number(&rock[..2])?, number(&rock[2..4])?),
                number(&rock[4..])?,
            );
            (radius <= 120.0).then_some(Rock { centre, radius })
        });
        Some(Self::new(rocks.collect::<Option<_>>()?))
    }
}

/// The distance at which a ray enters a circle: 0 if it starts inside, `None` if it misses.
#[must_use]
pub fn ray_to_circle(from: Vec2, direction: Vec2, centre: Vec2, radius: f32) -> Option<f32> {
    let to = centre - from;
    let along = to.dot(direction);
    let aside_squared = to.length_squared() - along * along;
    let half_chord_squared = radius * radius - aside_squared;
    if to.length_squared() <= radius * radius {
        return Some(0.0);
    }
    (along > 0.0 && half_chord_squared >= 0.0).then(|| along - half_chord_squared.sqrt())
}

fn bucket(position: Vec2) -> (usize, usize) {
    // A float-to-integer `as` saturates, so every position has a bucket.
    let along = |value: f32| ((value / BUCKET_SIDE) as usize).min(BUCKETS - 1);
    (along(position.x), along(position.y))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_survives_its_encoding() {
        let rocks = Rocks::from_seed(7);
        assert_eq!(Rocks::from_bytes(&rocks.to_bytes()), Some(rocks));
        assert_eq!(Rocks::from_bytes(&[1, 2, 3]), None);
    }

    #[test]
    fn nobody_gets_into_a_rock_or_out_of_the_world() {
        let rocks = Rocks::from_seed(7);
        for rock in rocks.rocks() {
            let (out, push) = rocks.push_out(rock.centre + Vec2::new(1.0, 0.0), 16.0);
            assert!(out.distance(rock.centre) >= rock.radius + 15.9 && push != Vec2::ZERO);
        }
        assert_eq!(
            rocks.push_out(Vec2::new(-50.0, 9000.0), 16.0).0,
            Vec2::new(16.0, WORLD_SIDE as f32 - 16.0)
        );
    }
}
