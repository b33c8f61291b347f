//! A test against a rewound world, in the game's types, as recordings show it.

use tickwire_game::glam::IVec2;
use tickwire_rules::{Entity, Id, KindId};
use tickwire_sync::EntityId;
use tickwire_sync::lagcomp::RayTest;

/// A straight test of one kind of entity, such as a shot, for [`Step::trace`](crate::Step::trace). Positions are
/// [`Pos`](crate::Pos)es or in steps, and lengths in steps. A test around a point is a ray that ends where it begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TracedRay<T> {
    /// The beginning of the ray.
    pub from: IVec2,
    /// Its end if nothing is in its way.
    pub to: IVec2,
    /// Where it ended.
    pub end: IVec2,
    /// How near to an entity's position it must pass to hit.
    pub radius: u32,
    /// The entity that does not count, usually the shooter's own.
    pub except: Option<Id<T>>,
    /// The entity that was hit.
    pub hit: Option<Id<T>>,
}

impl<T: Entity> TracedRay<T> {
    pub(crate) fn raw(&self, kind: KindId) -> RayTest {
        let id = |id: Id<T>| EntityId {
            kind,
            slot: id.slot(),
            generation: id.generation(),
        };
        RayTest {
            kind,
            from: self.from.into(),
            to: self.to.into(),
            end: self.end.into(),
            radius: self.radius,
            except: self.except.map(id),
            hit: self.hit.map(id),
        }
    }
}
