//! The trace of a test against a rewound world: everything that a person needs to see why it hit or missed.
//!
//! In: a ray, how near it must pass, what the game says that it hit, and the rewound world. Out: the targets that it passed
//! nearest, where the screen showed them, from which ticks that was drawn, and by how much the ray hit or missed each. A trace
//! has no effect on the game; rooms make traces only while they are recorded.

use super::resolved_view::ResolvedView;
use super::rewind::RewoundWorld;
use crate::playout::DrawnTicks;
use crate::world::{EntityId, KindId, PlayerId, Seq, Tick};

/// A trace has the targets that the ray passes nearest, this many at most: what is far from the ray explains nothing, and the
/// whole rewound world can be made again from the frames.
pub const MAX_TRACED_TARGETS: usize = 8;

/// A straight test of a game, such as a shot. Positions and lengths are in the unit of the x and y lanes. A test around a point
/// is a ray that ends where it begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RayTest {
    /// The kind of entity that is tested.
    pub kind: KindId,
    /// The beginning of the ray.
    pub from: [i32; 2],
    /// Its end if nothing is in its way.
    pub to: [i32; 2],
    /// Where it ended.
    pub end: [i32; 2],
    /// How near to an entity's position it must pass to hit.
    pub radius: u32,
    /// The entity that does not count, usually the shooter's own.
    pub except: Option<EntityId>,
    /// The entity that the game says was hit.
    pub hit: Option<EntityId>,
}

/// One tested entity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TracedTarget {
    /// The entity.
    pub id: EntityId,
    /// Its position on the screen.
    pub at: [i32; 2],
    /// The two ticks from which the screen drew it.
    pub drawn_from: (Tick, Tick),
    /// Whether the screen had nothing newer, and extrapolated from the first through the second; else it interpolated.
    pub is_extrapolated: bool,
    /// How far the whole ray passes from the position, less the radius: below 0 is a hit, unless something else was nearer.
    pub margin: i32,
}

/// One test against the world that a player's screen showed.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Trace {
    /// Whose screen it was.
    pub player: PlayerId,
    /// The input that caused the test; 0 where none was made for this tick.
    pub seq: Seq,
    /// The view that the input claimed, and the one at which the test was made.
    pub view: ResolvedView,
    /// The test.
    pub test: RayTest,
    /// The entities that the ray passes nearest, the nearest first.
    pub targets: Vec<TracedTarget>,
}

impl RewoundWorld<'_> {
    /// Traces a test of this world, for `player` and the player's input `seq`. Entities without a position are left out.
    #[must_use]
    pub fn trace(&self, player: PlayerId, seq: Seq, test: &RayTest) -> Trace {
        let is_placed = (self.schema().kind(test.kind)).is_some_and(|kind| kind.placed);
        let mut lanes = Vec::new();
        let ids = (self.entities(test.kind)).filter(|id| is_placed && Some(*id) != test.except);
        let mut targets: Vec<TracedTarget> = ids
            .filter_map(|id| {
                let drawn = self.draw(id, &mut lanes)?;
                let at = [*lanes.first()?, *lanes.get(1)?];
                Some(TracedTarget {
                    id,
                    at,
                    drawn_from: drawn.ticks(),
                    is_extrapolated: matches!(drawn, DrawnTicks::Extrapolate(..)),
                    margin: (distance(test.from, test.to, at) - f64::from(test.radius)) as i32,
                })
            })
            .collect();
        targets.sort_by_key(|target| (target.margin, target.id.key()));
        targets.truncate(MAX_TRACED_TARGETS);
        Trace {
            player,
            seq,
            view: self.resolved(),
            test: *test,
            targets,
        }
    }
}

/// How far a point is from the line between two others.
fn distance(from: [i32; 2], to: [i32; 2], point: [i32; 2]) -> f64 {
    let along = |a: [i32; 2], b: [i32; 2]| {
        [0, 1].map(|axis: usize| f64::from(b[axis]) - f64::from(a[axis]))
    };
    let (line, offset) = (along(from, to), along(from, point));
    let length_squared = line[0] * line[0] + line[1] * line[1];
    let part = match length_squared > 0.0 {
        true => ((line[0] * offset[0] + line[1] * offset[1]) / length_squared).clamp(0.0, 1.0),
        false => 0.0,
    };
    (offset[0] - part * line[0]).hypot(offset[1] - part * line[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_is_to_the_nearest_point_of_the_line() {
        assert_eq!(distance([0, 0], [10, 0], [5, 3]), 3.0);
        assert_eq!(distance([0, 0], [10, 0], [13, 4]), 5.0);
        assert_eq!(distance([2, 2], [2, 2], [5, 6]), 5.0);
        let far = i32::MAX;
        assert!(distance([-far, -far], [far, far], [far, -far]).is_finite());
    }
}
