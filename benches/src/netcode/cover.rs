//! The victim's side: how long a ship had been in cover when it was hit all the same.
//!
//! In: past frames, the map, and a beam that hit. Out: ticks in cover. A ship is in cover from a position if no part of it can be
//! seen from there, past the rocks and within the beam's range.

use glam::Vec2;
use tickwire_arena::{BEAM_RANGE, BeamFired, Map, SHIP_RADIUS, UNIT, ship_lane};
use tickwire_sync::frame::History;
use tickwire_sync::{EntityId, Tick};

/// Lines of sight to each side of a ship's centre, one unit apart.
const SIGHT_LINES: i32 = 16;

/// For how many ticks up to `tick` the ship that the beam hit had been in cover from the beam's start; 0 if it was in the open.
#[must_use]
pub fn ticks_in_cover(
    history: &History,
    map: &Map,
    beam: &BeamFired,
    hit: EntityId,
    tick: Tick,
) -> u32 {
    let from = in_units(beam.line[0], beam.line[1]);
    let mut ticks = 0;
    let mut at = tick;
    while let Some(frame) = history.at(at) {
        if frame.generation(hit.key()) != hit.generation {
            // A ship shot down in this very tick is not in its frame any more; the frame before has it.
            if at == tick
                && let Some(before) = at.minus(1)
            {
                at = before;
                continue;
            }
            break;
        }
        let lanes: Vec<i32> = frame.lanes(hit.key()).collect();
        let ship = in_units(lanes[ship_lane::X], lanes[ship_lane::Y]);
        if is_open(map, from, ship) {
            break;
        }
        ticks += 1;
        match at.minus(1) {
            Some(before) => at = before,
            None => break,
        }
    }
    ticks
}

fn is_open(map: &Map, from: Vec2, ship: Vec2) -> bool {
    let towards = ship - from;
    let distance = towards.length();
    if distance <= SHIP_RADIUS {
        return true;
    }
    if distance - SHIP_RADIUS > BEAM_RANGE {
        return false;
    }
    let across = towards.perp() / distance * SHIP_RADIUS;
    (-SIGHT_LINES..=SIGHT_LINES).any(|line| {
        let to = towards + across * (line as f32 / SIGHT_LINES as f32);
        let length = to.length();
        // A rock that starts behind the ship's near side hides nothing.
        map.ray(from, to / length, length) >= length - SHIP_RADIUS
    })
}

fn in_units(x: i32, y: i32) -> Vec2 {
    Vec2::new(x as f32, y as f32) / UNIT as f32
}
