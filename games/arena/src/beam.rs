//! The beam: a straight shot that hits at once. Server, bots and pages cast it by this one function.

use super::map::{Map, in_units, ray_to_circle};
use super::{BEAM_RANGE, SHIP_RADIUS, UNIT, direction};
use tickwire_sync::EntityId;

/// A beam to cast: its start in lane units, and its heading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Beam {
    /// The shooter's position along x.
    pub x: i32,
    /// The shooter's position along y.
    pub y: i32,
    /// Where the shooter points.
    pub heading: i32,
}

/// A ship that a beam may hit, where the shooter's screen shows it, in lane units.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target {
    /// The ship.
    pub id: EntityId,
    /// The ship's position along x.
    pub x: i32,
    /// The ship's position along y.
    pub y: i32,
}

/// Where a beam ends, in lane units.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BeamEnd {
    /// Position along x.
    pub x: i32,
    /// Position along y.
    pub y: i32,
    /// The ship that the beam hit.
    pub hit: Option<EntityId>,
}

/// Casts a beam. It ends at the first rock or ship, or at the end of its range. The shooter must not be among the targets.
#[must_use]
pub fn cast(map: &Map, beam: Beam, targets: impl IntoIterator<Item = Target>) -> BeamEnd {
    let from = in_units(beam.x, beam.y);
    let direction = direction(beam.heading);
    let mut length = map.ray(from, direction, BEAM_RANGE);
    let mut hit = None;
    for target in targets {
        let distance = ray_to_circle(from, direction, in_units(target.x, target.y), SHIP_RADIUS);
        if let Some(distance) = distance.filter(|distance| *distance < length) {
            (length, hit) = (distance, Some(target.id));
        }
    }
    let end = (from + direction * length) * UNIT as f32;
    BeamEnd {
        x: end.x.round() as i32,
        y: end.y.round() as i32,
        hit,
    }
}
