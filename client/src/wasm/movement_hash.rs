//! Proof that prediction is bit-exact: a hash over many random flights that must be equal on every machine.
//!
//! In: seeds. Out: a hash over every lane of every tick, and over the beams fired. A test here and one in a JavaScript engine
//! (`web/test/movement.test.mjs`) compare it with the same committed number.

use tickwire_arena::{self as arena, Beam, Map, Movement, Target, WORLD_SIDE, kind, ship_lane};
use tickwire_sync::EntityId;
use wasm_bindgen::prelude::wasm_bindgen;

/// Flies one ship for each of `seeds` seeds from `first`, `ticks` ticks each, and hashes all states (FNV-1a over 32-bit words).
#[wasm_bindgen]
#[must_use]
pub fn movement_hash(first: u32, seeds: u32, ticks: u32) -> u64 {
    let map = std::sync::Arc::new(Map::from_seed(1));
    let movement = Movement::new(std::sync::Arc::clone(&map));
    let side = WORLD_SIDE * arena::UNIT;
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    let mut add =
        |value: i32| hash = (hash ^ u64::from(value as u32)).wrapping_mul(0x0000_0100_0000_01B3);
    for seed in first..first.saturating_add(seeds) {
        let mut random = fastrand::Rng::with_seed(u64::from(seed));
        let mut lanes = [
            random.i32(0..side),
            random.i32(0..side),
            0,
            arena::FULL_HEALTH,
            0,
        ];
        let mut private = [0; 3];
        let mut input = arena::ArenaInput::default();
        for _ in 0..ticks {
            // Inputs are held for a while, as players hold keys, so that ships get fast and hit rocks.
            if random.u32(0..12) == 0 {
                input = arena::ArenaInput::decode(&[random.u8(..), random.u8(..), random.u8(..)]);
            }
            if movement.ship(&mut lanes, &mut private, input).fires {
                let mut target = |slot| Target {
                    id: EntityId {
                        kind: kind::SHIP,
                        slot,
                        generation: 1,
                    },
                    x: lanes[ship_lane::X] + random.i32(-8000..8000),
                    y: lanes[ship_lane::Y] + random.i32(-8000..8000),
                };
                let targets = [target(1), target(2), target(3)];
                let [x, y, heading, ..] = lanes;
                let end = arena::cast(&map, Beam { x, y, heading }, targets);
                [end.x, end.y, end.hit.map_or(0, |id| id.slot as i32)]
                    .into_iter()
                    .for_each(&mut add);
            }
            lanes.into_iter().chain(private).for_each(&mut add);
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_flights_give_the_committed_hash() {
        let expected = include_str!("../../tests/movement_hash.txt").trim();
        assert_eq!(movement_hash(0, 10_000, 120).to_string(), expected);
    }
}
