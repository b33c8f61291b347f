//! A table of entities: everything of one kind that comes and goes.

use super::Table;
use std::ops::{Index, IndexMut};
use tickwire_game::glam::IVec2;
use tickwire_rules::{Entity, Id};
use tickwire_sync::frame::Publisher;
use tickwire_sync::{EntityId, KindId, Layer, PlayerId, Scope, Tick};

/// More entities than can come and go in one slot between two checkpoints.
const SKIPPED_GENERATIONS: u32 = 1 << 16;

/// The entities of one kind, each under an [`Id`] that no other entity ever gets. Iteration is by slot, the same on every machine.
#[derive(Clone, Debug)]
pub struct Entities<T> {
    pub(super) slots: Vec<Slot<T>>,
    /// Slots that can be used again; the one that was left last is used first.
    pub(super) vacant: Vec<u32>,
    pub(super) count: usize,
    /// New entities have at least this generation.
    pub(super) least_generation: u32,
    /// The newest tick that is over, for a kind that is not published every tick.
    pub(super) ended: Tick,
}

/// A place for an entity.
#[derive(Clone, Debug)]
pub(super) struct Slot<T> {
    /// How many entities have used the slot.
    pub generation: u32,
    pub entity: Option<T>,
    pub owner: Option<PlayerId>,
    pub scope: Scope,
    /// The lanes that are published, for a kind that is not published every tick; empty for others.
    pub shown: Box<[i32]>,
}

impl<T: Entity> Slot<T> {
    /// A slot that so many entities have used and left.
    pub fn vacant(generation: u32) -> Self {
        Self {
            generation,
            entity: None,
            owner: None,
            scope: if T::PLACED {
                Scope::Layer(Layer(0))
            } else {
                Scope::Global
            },
            shown: Box::default(),
        }
    }
}

impl<T> Default for Entities<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            vacant: Vec::new(),
            count: 0,
            least_generation: 0,
            ended: Tick(0),
        }
    }
}

impl<T: Entity> Entities<T> {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entity. Everyone near by sees it, or everyone if its kind has no position. It has no owner.
    ///
    /// # Panics
    /// If there are 2^24 entities of the kind already.
    #[track_caller]
    pub fn insert(&mut self, entity: T) -> Id<T> {
        let slot = self.vacant.pop().unwrap_or_else(|| {
            let slot = self.slots.len() as u32;
            assert!(
                slot < EntityId::MAX_SLOTS,
                "kind {} has too many entities",
                T::NAME
            );
            self.slots.push(Slot::vacant(0));
            slot
        });
        let place = &mut self.slots[slot as usize];
        // After 2^32 entities in one slot the generations begin again; 0 means none.
        let generation = place.generation.checked_add(1).unwrap_or(1);
        let generation = generation.max(self.least_generation);
        *place = Slot {
            entity: Some(entity),
            ..Slot::vacant(generation)
        };
        self.count += 1;
        Id::new(slot, generation)
    }

    /// Adds an entity that belongs to a player, who alone is sent its private fields, and predicts it if its kind is predicted.
    #[track_caller]
    pub fn insert_owned(&mut self, owner: PlayerId, entity: T) -> Id<T> {
        let id = self.insert(entity);
        self.set_owner(id, Some(owner));
        id
    }

    /// Removes an entity.
    pub fn remove(&mut self, id: Id<T>) -> Option<T> {
        let slot = self.slot_mut(id)?;
        slot.shown = Box::default();
        let entity = slot.entity.take();
        self.vacant.push(id.slot());
        self.count -= 1;
        entity
    }

    /// Removes every entity for which `keep` says `false`.
    pub fn retain(&mut self, mut keep: impl FnMut(Id<T>, &mut T) -> bool) {
        for index in 0..self.slots.len() {
            let slot = &mut self.slots[index];
            let id = Id::new(index as u32, slot.generation);
            if slot.entity.as_mut().is_some_and(|entity| !keep(id, entity)) {
                self.remove(id);
            }
        }
    }

    /// The entity with this id, if it still exists.
    #[must_use]
    pub fn get(&self, id: Id<T>) -> Option<&T> {
        self.slot(id)?.entity.as_ref()
    }

    /// The entity with this id, if it still exists.
    #[must_use]
    pub fn get_mut(&mut self, id: Id<T>) -> Option<&mut T> {
        self.slot_mut(id)?.entity.as_mut()
    }

    /// Makes a player the owner of an entity; `None`: nobody. Without effect if the entity does not exist.
    pub fn set_owner(&mut self, id: Id<T>, owner: Option<PlayerId>) {
        if let Some(slot) = self.slot_mut(id) {
            slot.owner = owner;
        }
    }

    /// The owner of an entity.
    #[must_use]
    pub fn owner(&self, id: Id<T>) -> Option<PlayerId> {
        self.slot(id)?.owner
    }

    /// Puts an entity on a layer of the grid: only players whose [`Sight`](crate::Sight) has the layer are sent it.
    ///
    /// # Panics
    /// If the kind has no position. If the layer is not one of [`Space`](crate::Space), the next tick panics.
    #[track_caller]
    pub fn set_layer(&mut self, id: Id<T>, layer: Layer) {
        assert!(
            T::PLACED,
            "kind {} has no position, so it is on no layer: write #[entity(placed)]",
            T::NAME
        );
        if let Some(slot) = self.slot_mut(id) {
            slot.scope = Scope::Layer(layer);
        }
    }

    /// Shows an entity to everyone, however far away: for what is larger than a cell of the grid.
    pub fn show_to_all(&mut self, id: Id<T>) {
        if let Some(slot) = self.slot_mut(id) {
            slot.scope = Scope::Global;
        }
    }

    /// How many entities there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no entity.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All entities, by slot.
    pub fn iter(&self) -> impl Iterator<Item = (Id<T>, &T)> {
        let slots = (0..).zip(&self.slots);
        slots.filter_map(|(index, slot)| {
            let entity = slot.entity.as_ref()?;
            Some((Id::new(index, slot.generation), entity))
        })
    }

    /// All entities, by slot.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Id<T>, &mut T)> {
        let slots = (0..).zip(&mut self.slots);
        slots.filter_map(|(index, slot)| {
            let entity = slot.entity.as_mut()?;
            Some((Id::new(index, slot.generation), entity))
        })
    }

    /// All entities with their owners, by slot.
    pub(crate) fn iter_owned_mut(
        &mut self,
    ) -> impl Iterator<Item = (Id<T>, Option<PlayerId>, &mut T)> {
        let slots = (0..).zip(&mut self.slots);
        slots.filter_map(|(index, slot)| {
            let entity = slot.entity.as_mut()?;
            Some((Id::new(index, slot.generation), slot.owner, entity))
        })
    }

    /// The id of the entity that uses a slot.
    pub(super) fn id_at(&self, slot: u32) -> Option<Id<T>> {
        let place = self.slots.get(slot as usize)?;
        (place.entity.is_some()).then(|| Id::new(slot, place.generation))
    }

    fn slot(&self, id: Id<T>) -> Option<&Slot<T>> {
        let slot = self.slots.get(id.slot() as usize)?;
        (slot.generation == id.generation() && slot.entity.is_some()).then_some(slot)
    }

    fn slot_mut(&mut self, id: Id<T>) -> Option<&mut Slot<T>> {
        let slot = self.slots.get_mut(id.slot() as usize)?;
        (slot.generation == id.generation() && slot.entity.is_some()).then_some(slot)
    }
}

/// # Panics
/// If the entity does not exist any more.
impl<T: Entity> Index<Id<T>> for Entities<T> {
    type Output = T;

    #[track_caller]
    fn index(&self, id: Id<T>) -> &T {
        match self.get(id) {
            Some(entity) => entity,
            None => no_such_entity::<T>(id),
        }
    }
}

/// # Panics
/// If the entity does not exist any more.
impl<T: Entity> IndexMut<Id<T>> for Entities<T> {
    #[track_caller]
    fn index_mut(&mut self, id: Id<T>) -> &mut T {
        match self.get_mut(id) {
            Some(entity) => entity,
            None => no_such_entity::<T>(id),
        }
    }
}

#[cold]
#[track_caller]
fn no_such_entity<T: Entity>(id: Id<T>) -> ! {
    panic!("there is no {} with {id:?} any more", T::NAME);
}

impl<T: Entity> Table for Entities<T> {
    fn publish(&self, kind: KindId, out: &mut Publisher<'_>) {
        for (index, slot) in (0..).zip(&self.slots) {
            let Some(entity) = &slot.entity else { continue };
            let id = EntityId {
                kind,
                slot: index,
                generation: slot.generation,
            };
            entity.with_row(|lanes, private_lanes, texts| {
                // An entity that came after the step, when a player left, has not been shown yet.
                let is_kept = T::EVERY > 1 && slot.shown.len() == lanes.len();
                let shown = if is_kept { &slot.shown } else { lanes };
                out.put(id, slot.scope, shown, texts);
                if let Some(owner) = slot.owner {
                    out.own(owner, id, private_lanes);
                }
            });
        }
    }

    fn end_tick(&mut self, tick: Tick) {
        if T::EVERY == 1 {
            return;
        }
        let before = std::mem::replace(&mut self.ended, tick);
        for (index, slot) in (0_u32..).zip(&mut self.slots) {
            let Some(entity) = &slot.entity else { continue };
            // Spread over the ticks by slot: each has its turn once in so many ticks, also where ticks were skipped.
            let turn = |tick: Tick| (u64::from(tick.0) + u64::from(index)) / u64::from(T::EVERY);
            // A new entity is shown at once.
            if slot.shown.is_empty() || turn(before) != turn(tick) {
                entity.with_row(|lanes, _, _| {
                    if slot.shown.len() == lanes.len() {
                        slot.shown.copy_from_slice(lanes);
                    } else {
                        slot.shown = lanes.into();
                    }
                });
            }
        }
    }

    fn skip_ids(&mut self) {
        let newest = self.slots.iter().map(|slot| slot.generation).max();
        let newest = newest.unwrap_or(0).max(self.least_generation);
        self.least_generation = newest.saturating_add(SKIPPED_GENERATIONS);
    }

    fn remove_player(&mut self, player: PlayerId) {
        for slot in self
            .slots
            .iter_mut()
            .filter(|slot| slot.owner == Some(player))
        {
            slot.owner = None;
        }
    }

    fn entity_of(&self, _: KindId, _: PlayerId) -> Option<EntityId> {
        None
    }

    fn position_of(&self, _: PlayerId) -> Option<IVec2> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickwire_rules::Text;

    #[derive(tickwire::Entity, Default)]
    #[entity(every = 15)]
    struct Score {
        points: u32,
        name: Text,
    }

    #[test]
    fn a_change_is_shown_within_the_interval_also_over_skipped_ticks() {
        let mut scores = Entities::new();
        let id = scores.insert(Score::default());
        scores.end_tick(Tick(1));
        for (tick, points) in [(14, 1), (29, 2), (44, 3), (61, 4)] {
            scores[id].points = points;
            scores.end_tick(Tick(tick));
        }
        // The turns of slot 0 are ticks 15, 30, 45 and 60. Each was skipped but came with the next tick.
        assert_eq!(&scores.slots[0].shown[..], [4]);
        scores[id].points = 5;
        scores.end_tick(Tick(74));
        assert_eq!(&scores.slots[0].shown[..], [4]);
        scores.end_tick(Tick(75));
        assert_eq!(&scores.slots[0].shown[..], [5]);
    }

    #[test]
    fn no_id_comes_again_after_a_restored_table_skips_ids() {
        let mut scores = Entities::new();
        let [kept, left] = [0, 0].map(|_| scores.insert(Score::default()));
        scores.remove(left);
        let mut bytes = Vec::new();
        crate::world::save_field(&scores, &mut bytes).unwrap();
        let restored = || crate::world::restore_field::<Entities<Score>>(&mut &bytes[..]).unwrap();
        let (mut seen, mut restored) = (restored(), restored());
        restored.skip_ids();
        let mut ids = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let id = seen.insert(Score::default());
            ids.insert((id.slot(), id.generation()));
            seen.remove(if id.generation() % 3 == 0 { kept } else { id });
        }
        assert!(restored.get(kept).is_some());
        restored.remove(kept);
        for _ in 0..100 {
            let id = restored.insert(Score::default());
            assert!(!ids.contains(&(id.slot(), id.generation())), "{id:?}");
        }
        // Ids that were skipped stay skipped in a table that is saved again.
        let least = restored.least_generation;
        crate::world::save_field(&restored, &mut bytes).unwrap();
        let (_, again): (Entities<Score>, Entities<Score>) = {
            let mut rest = &bytes[..];
            let first = crate::world::restore_field(&mut rest).unwrap();
            (first, crate::world::restore_field(&mut rest).unwrap())
        };
        assert_eq!(again.least_generation, least);
    }

    #[test]
    fn an_entity_that_comes_after_the_step_is_published() {
        use tickwire_sync::frame::{Events, History, MIN_HISTORY_FRAMES};
        let schema = tickwire_sync::Schema {
            kinds: vec![Score::kind()],
            ..tickwire_sync::Schema::default()
        };
        let mut history = History::new(std::sync::Arc::new(schema), MIN_HISTORY_FRAMES);
        let mut scores = Entities::new();
        scores.end_tick(Tick(1));
        scores.insert(Score::default());
        history.publish(Tick(1), &mut Events::default(), |out| {
            scores.publish(KindId(0), out);
        });
        assert_eq!(history.newest().map(|frame| frame.entity_count()), Some(1));
    }
}
