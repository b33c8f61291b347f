//! The beam: a straight shot that hits at once. Server and bots cast it by this one function.

use crate::movement::direction;
use crate::rocks::ray_to_circle;
use crate::{BEAM_RANGE, Heading, Rocks, SHIP_RADIUS, STEPS, Ship};
use tickwire::prelude::*;

/// A beam to cast.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Beam {
    /// The shooter's position.
    pub from: Pos<STEPS>,
    /// Where the shooter points.
    pub heading: Heading,
}

impl Beam {
    /// Where the beam ends if nothing is in its way.
    #[must_use]
    pub fn reach(self) -> Pos<STEPS> {
        Pos::from_vec2(self.from.to_vec2() + direction(self.heading) * BEAM_RANGE)
    }
}

/// A ship that a beam may hit, where the shooter's screen shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target {
    /// The ship.
    pub id: Id<Ship>,
    /// The ship's position.
    pub pos: Pos<STEPS>,
}

/// Where a beam ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BeamEnd {
    /// The position.
    pub pos: Pos<STEPS>,
    /// The ship that the beam hit.
    pub hit: Option<Id<Ship>>,
}

/// Casts a beam. It ends at the first rock or ship, or at the end of its range. The shooter must not be among the targets.
#[must_use]
pub fn cast(rocks: &Rocks, beam: Beam, targets: impl IntoIterator<Item = Target>) -> BeamEnd {
    let from = beam.from.to_vec2();
    let direction = direction(beam.heading);
    let mut length = rocks.ray(from, direction, BEAM_RANGE);
    let mut hit = None;
    for target in targets {
        let distance = ray_to_circle(from, direction, target.pos.to_vec2(), SHIP_RADIUS);
        if let Some(distance) = distance.filter(|distance| *distance < length) {
            (length, hit) = (distance, Some(target.id));
        }
    }
    BeamEnd {
        pos: Pos::from_vec2(from + direction * length),
        hit,
    }
}
