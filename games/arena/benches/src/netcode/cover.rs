//! The victim's side: how long a ship had been in cover when it was hit all the same.
//!
//! In: past frames, the map, and a beam that hit. Out: ticks in cover. A ship is in cover from a position if no part of it can be
//! seen from there, past the rocks and within the beam's range.

use glam::{IVec2, Vec2};
use tickwire::{Id, Pos};
use tickwire_arena::{BEAM_RANGE, Rocks, SHIP_RADIUS, STEPS, Ship};
use tickwire_arena_bots::ReportedBeam;
use tickwire_sync::frame::History;
use tickwire_sync::{EntityId, KindId, Tick};

/// Lines of sight to each side of a ship's centre, one unit apart.
const SIGHT_LINES: i32 = 16;

/// For how many ticks up to `tick` the ship that the beam hit had been in cover from the beam's start; 0 if it was in the open.
#[must_use]
pub fn ticks_in_cover(
    history: &History,
    rocks: &Rocks,
    beam: &ReportedBeam,
    hit: Id<Ship>,
    tick: Tick,
) -> u32 {
    let from = beam.from.to_vec2();
    let hit = EntityId {
        kind: KindId(0),
        slot: hit.slot(),
        generation: hit.generation(),
    };
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
        let mut lanes = frame.lanes(hit.key());
        let steps = IVec2::new(lanes.next().unwrap_or(0), lanes.next().unwrap_or(0));
        let ship = Pos::<STEPS>::from_steps(steps);
        if is_open(rocks, from, ship.to_vec2()) {
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

fn is_open(rocks: &Rocks, from: Vec2, ship: Vec2) -> bool {
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
        rocks.ray(from, to / length, length) >= length - SHIP_RADIUS
    })
}
