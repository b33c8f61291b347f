//! The world as a player's screen showed it, in the game's types.

use crate::world::HasKind;
use std::marker::PhantomData;
use tickwire_rules::{Entity, Id};
use tickwire_sync::lagcomp::RewoundWorld;
use tickwire_sync::{EntityId, ViewTick};

/// The world as a player's screen showed it when the player made this tick's input.
#[derive(Debug)]
pub struct Rewound<'a, G> {
    world: RewoundWorld<'a>,
    game: PhantomData<fn() -> G>,
}

impl<'a, G> Rewound<'a, G> {
    pub(crate) fn new(world: RewoundWorld<'a>) -> Self {
        Self {
            world,
            game: PhantomData,
        }
    }

    /// The moment that the screen showed.
    #[must_use]
    pub fn view(&self) -> ViewTick {
        self.world.view()
    }

    /// An entity as the screen showed it; `None` if the screen did not show it. Private fields are 0, and texts are empty.
    #[must_use]
    pub fn get<T: Entity>(&self, id: Id<T>) -> Option<T>
    where
        G: HasKind<T>,
    {
        let mut lanes = Vec::new();
        self.read(id, &mut lanes)
    }

    /// All entities of a kind that the screen showed, by slot.
    pub fn all<T: Entity>(&self) -> impl Iterator<Item = (Id<T>, T)> + use<'a, T, G>
    where
        G: HasKind<T>,
    {
        let (world, mut lanes) = (Self::new(self.world), Vec::new());
        let ids = self.world.entities(G::KIND);
        ids.filter_map(move |id| {
            let id = Id::new(id.slot, id.generation);
            Some((id, world.read(id, &mut lanes)?))
        })
    }

    fn read<T: Entity>(&self, id: Id<T>, lanes: &mut Vec<i32>) -> Option<T>
    where
        G: HasKind<T>,
    {
        const NONE: [i32; tickwire_sync::world::MAX_LANES] = [0; tickwire_sync::world::MAX_LANES];
        let id = EntityId {
            kind: G::KIND,
            slot: id.slot(),
            generation: id.generation(),
        };
        let is_shown = self.world.row(id, lanes);
        is_shown.then(|| T::from_row(lanes, &NONE[..T::PRIVATE_LANES], &[]))
    }
}
