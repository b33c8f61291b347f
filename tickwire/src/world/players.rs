//! A table with one entity a player.

use super::Table;
use super::entities::Entities;
use std::ops::{Index, IndexMut};
use tickwire_game::glam::IVec2;
use tickwire_rules::{Entity, Id};
use tickwire_sync::frame::Publisher;
use tickwire_sync::{EntityId, KindId, Layer, PlayerId, Tick};

/// One entity for each player who has one: the player owns it, and the framework removes it when the player leaves for good. The
/// first such table of a world holds the players' own entities. Iteration is in the order in which players joined.
#[derive(Clone, Debug)]
pub struct Players<T> {
    pub(super) entities: Entities<T>,
    /// The slot of each player's entity, ascending by player.
    pub(super) slots: Vec<(PlayerId, u32)>,
}

impl<T> Default for Players<T> {
    fn default() -> Self {
        Self {
            entities: Entities::default(),
            slots: Vec::new(),
        }
    }
}

impl<T: Entity> Players<T> {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a player an entity. An entity that the player had is replaced by the new one, which has another id.
    #[track_caller]
    pub fn insert(&mut self, player: PlayerId, entity: T) -> Id<T> {
        self.remove(player);
        let id = self.entities.insert_owned(player, entity);
        let at = self.slots.partition_point(|(other, _)| *other < player);
        self.slots.insert(at, (player, id.slot()));
        id
    }

    /// Takes a player's entity away.
    pub fn remove(&mut self, player: PlayerId) -> Option<T> {
        let at = self.position(player)?;
        let (_, slot) = self.slots.remove(at);
        let id = self.entities.id_at(slot)?;
        self.entities.remove(id)
    }

    /// The player's entity.
    #[must_use]
    pub fn get(&self, player: PlayerId) -> Option<&T> {
        self.entities.get(self.id(player)?)
    }

    /// The player's entity.
    #[must_use]
    pub fn get_mut(&mut self, player: PlayerId) -> Option<&mut T> {
        let id = self.id(player)?;
        self.entities.get_mut(id)
    }

    /// The id of the player's entity.
    #[must_use]
    pub fn id(&self, player: PlayerId) -> Option<Id<T>> {
        let (_, slot) = self.slots[self.position(player)?];
        self.entities.id_at(slot)
    }

    /// The player whose entity this is, if it still exists.
    #[must_use]
    pub fn player_of(&self, id: Id<T>) -> Option<PlayerId> {
        self.entities.owner(id)
    }

    /// Whether the player has an entity.
    #[must_use]
    pub fn contains(&self, player: PlayerId) -> bool {
        self.position(player).is_some()
    }

    /// Puts a player's entity on a layer of the grid, as [`Entities::set_layer`] does.
    ///
    /// # Panics
    /// If the kind has no position.
    #[track_caller]
    pub fn set_layer(&mut self, player: PlayerId, layer: Layer) {
        if let Some(id) = self.id(player) {
            self.entities.set_layer(id, layer);
        }
    }

    /// How many players have an entity.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether no player has an entity.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The players who have an entity, in the order in which they joined.
    pub fn ids(&self) -> impl Iterator<Item = PlayerId> {
        self.slots.iter().map(|(player, _)| *player)
    }

    /// All entities, in the order in which their players joined.
    pub fn iter(&self) -> impl Iterator<Item = (PlayerId, &T)> {
        self.slots.iter().filter_map(|(player, slot)| {
            let entity = self.entities.get(self.entities.id_at(*slot)?)?;
            Some((*player, entity))
        })
    }

    /// All entities, by slot.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (PlayerId, &mut T)> {
        let entities = self.entities.iter_owned_mut();
        entities.filter_map(|(_, owner, entity)| Some((owner?, entity)))
    }

    /// The table of entities, for the step.
    pub(crate) fn entities_mut(&mut self) -> &mut Entities<T> {
        &mut self.entities
    }

    fn position(&self, player: PlayerId) -> Option<usize> {
        self.slots
            .binary_search_by_key(&player, |(player, _)| *player)
            .ok()
    }
}

/// # Panics
/// If the player has no entity.
impl<T: Entity> Index<PlayerId> for Players<T> {
    type Output = T;

    #[track_caller]
    fn index(&self, player: PlayerId) -> &T {
        match self.get(player) {
            Some(entity) => entity,
            None => no_entity_of::<T>(player),
        }
    }
}

/// # Panics
/// If the player has no entity.
impl<T: Entity> IndexMut<PlayerId> for Players<T> {
    #[track_caller]
    fn index_mut(&mut self, player: PlayerId) -> &mut T {
        match self.get_mut(player) {
            Some(entity) => entity,
            None => no_entity_of::<T>(player),
        }
    }
}

#[cold]
#[track_caller]
fn no_entity_of<T: Entity>(player: PlayerId) -> ! {
    panic!("player {player} has no {}", T::NAME);
}

impl<T: Entity> Table for Players<T> {
    fn publish(&self, kind: KindId, out: &mut Publisher<'_>) {
        self.entities.publish(kind, out);
    }

    fn end_tick(&mut self, tick: Tick) {
        self.entities.end_tick(tick);
    }

    fn skip_ids(&mut self) {
        self.entities.skip_ids();
    }

    fn remove_player(&mut self, player: PlayerId) {
        self.remove(player);
    }

    fn entity_of(&self, kind: KindId, player: PlayerId) -> Option<EntityId> {
        let id = self.id(player)?;
        Some(EntityId {
            kind,
            slot: id.slot(),
            generation: id.generation(),
        })
    }

    fn position_of(&self, player: PlayerId) -> Option<IVec2> {
        if T::PLACED {
            self.get(player).map(Entity::position)
        } else {
            None
        }
    }
}
