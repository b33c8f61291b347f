//! Who is nearest to a place, among many: ships sorted into squares of the world, once a tick.
//!
//! In: places in units. Out: the nearest one within a range, looked for in rings of squares around the place, so that it costs
//! about the same however many there are elsewhere.

use super::WORLD_SIDE;
use glam::{IVec2, Vec2};

/// Squares along each side of the world.
const SQUARES: i32 = 32;
/// The side of a square.
const SIDE: f32 = WORLD_SIDE as f32 / SQUARES as f32;

/// Places, each with a key that tells whose it is.
#[derive(Debug)]
pub(super) struct Near<K> {
    /// Sorted by square.
    places: Vec<(K, Vec2)>,
    /// Where each square's places begin, and the end of the last one's.
    begins: Vec<u32>,
}

impl<K> Default for Near<K> {
    fn default() -> Self {
        Self {
            places: Vec::new(),
            begins: vec![0; (SQUARES * SQUARES) as usize + 1],
        }
    }
}

impl<K: Copy + Ord> Near<K> {
    /// Takes these places and forgets all others; what is beyond the world's edge counts as at its edge.
    pub fn fill(&mut self, places: impl Iterator<Item = (K, Vec2)>) {
        self.places.clear();
        self.places.extend(places);
        if self.places.is_empty() {
            self.begins.fill(0);
            return;
        }
        // By the key too, so that the order is the same everywhere.
        self.places
            .sort_unstable_by_key(|(key, place)| (index_of(square_of(*place)), *key));
        self.begins.fill(0);
        for (_, place) in &self.places {
            self.begins[index_of(square_of(*place)) + 1] += 1;
        }
        for index in 1..self.begins.len() {
            self.begins[index] += self.begins[index - 1];
        }
    }

    /// The place nearest to `here`, nearer than `range` and another's than `own`.
    pub fn nearest(&self, here: Vec2, own: K, range: f32) -> Option<Vec2> {
        let centre = square_of(here);
        let mut best = range * range;
        let mut nearest = None;
        for ring in 0..SQUARES {
            // Whatever lies in this ring is at least so far away.
            let least = (ring - 1).max(0) as f32 * SIDE;
            if least * least >= best {
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
                        if *key != own && distance < best {
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
        &self.places[self.begins[index] as usize..self.begins[index + 1] as usize]
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
            let mut near = Near::default();
            near.fill(places.iter().copied().enumerate());
            for (own, here) in places.iter().enumerate() {
                let others = places.iter().enumerate().filter(|(other, _)| *other != own);
                let distances = others.map(|(_, other)| other.distance_squared(*here));
                let least = distances.filter(|distance| *distance < range * range).min_by(f32::total_cmp);
                let found = near.nearest(*here, own, range).map(|place| place.distance_squared(*here));
                prop_assert_eq!(found, least);
            }
        }
    }
}
