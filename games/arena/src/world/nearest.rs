//! Nearest neighbours: finds the ship nearest to a position, with all ships sorted into squares of the world once a tick.
//!
//! In: positions in units. Out: the nearest one within a range, searched in rings of squares around the position, so that the
//! cost does not depend on how many ships there are elsewhere.

use crate::WORLD_SIDE;
use tickwire::glam::{IVec2, Vec2};

/// How many squares there are along each side of the world.
const SQUARES: i32 = 32;
/// The side of a square, in units.
const SIDE: f32 = WORLD_SIDE as f32 / SQUARES as f32;

/// Positions with the keys of their owners, indexed by square.
#[derive(Debug)]
pub(super) struct NearestIndex<K> {
    /// Sorted by square.
    positions: Vec<(K, Vec2)>,
    /// Where each square's positions start; one entry more than there are squares.
    starts: Vec<u32>,
}

impl<K> Default for NearestIndex<K> {
    fn default() -> Self {
        Self {
            positions: Vec::new(),
            starts: vec![0; (SQUARES * SQUARES) as usize + 1],
        }
    }
}

impl<K: Copy + Ord> NearestIndex<K> {
    /// Replaces all positions. One beyond the edge of the world counts as at the edge.
    pub fn rebuild(&mut self, positions: impl Iterator<Item = (K, Vec2)>) {
        self.positions.clear();
        self.positions.extend(positions);
        if self.positions.is_empty() {
            self.starts.fill(0);
            return;
        }
        // Sorted by key too, so that the order is the same on every machine.
        self.positions
            .sort_unstable_by_key(|(key, place)| (index_of(square_of(*place)), *key));
        self.starts.fill(0);
        for (_, place) in &self.positions {
            self.starts[index_of(square_of(*place)) + 1] += 1;
        }
        for index in 1..self.starts.len() {
            self.starts[index] += self.starts[index - 1];
        }
    }

    /// Forgets all positions.
    pub fn clear(&mut self) {
        self.rebuild(std::iter::empty());
    }

    /// Whether there are no positions.
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }

    /// The position nearest to `here` within `range`, other than `own`'s.
    pub fn nearest(&self, here: Vec2, own: Option<K>, range: f32) -> Option<Vec2> {
        let centre = square_of(here);
        let mut best = range * range;
        let mut nearest = None;
        for ring in 0..SQUARES {
            // Every position in this ring is at least this far away.
            let min_distance = (ring - 1).max(0) as f32 * SIDE;
            if min_distance * min_distance >= best {
                break;
            }
            for y in -ring..=ring {
                let step = if y.abs() == ring {
                    1
                } else {
                    (2 * ring).max(1)
                };
                for x in (-ring..=ring).step_by(step as usize) {
                    for (key, place) in self.in_square(centre + IVec2::new(x, y)) {
                        let distance = place.distance_squared(here);
                        if Some(*key) != own && distance < best {
                            (best, nearest) = (distance, Some(*place));
                        }
                    }
                }
            }
        }
        nearest
    }

    fn in_square(&self, square: IVec2) -> &[(K, Vec2)] {
        if square.min_element() < 0 || square.max_element() >= SQUARES {
            return &[];
        }
        let index = index_of(square);
        &self.positions[self.starts[index] as usize..self.starts[index + 1] as usize]
    }
}

fn square_of(place: Vec2) -> IVec2 {
    (place / SIDE)
        .floor()
        .as_ivec2()
        .clamp(IVec2::ZERO, IVec2::splat(SQUARES - 1))
}

fn index_of(square: IVec2) -> usize {
    (square.y * SQUARES + square.x) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_nearest_is_the_nearest_of_all(
            places in prop::collection::vec((0.0..WORLD_SIDE as f32, 0.0..WORLD_SIDE as f32), 1..80),
            range in 0.0..2.0 * WORLD_SIDE as f32,
        ) {
            let places: Vec<Vec2> = places.into_iter().map(Vec2::from).collect();
            let mut index = NearestIndex::default();
            index.rebuild(places.iter().copied().enumerate());
            for (own, here) in places.iter().enumerate() {
                let others = places.iter().enumerate().filter(|(other, _)| *other != own);
                let distances = others.map(|(_, other)| other.distance_squared(*here));
                let least = distances.filter(|distance| *distance < range * range).min_by(f32::total_cmp);
                let found = index.nearest(*here, Some(own), range).map(|place| place.distance_squared(*here));
                prop_assert_eq!(found, least);
            }
        }
    }
}
