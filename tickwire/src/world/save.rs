//! Saving a world field by field.
//!
//! In: fields that serde can write. Out: bytes of postcard's format, the same for the same state. A table is written as its lanes and
//! texts, so an entity needs no serde.

use super::entities::{Entities, Slot};
use super::players::Players;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::Arc;
use tickwire_game::SaveError;
use tickwire_rules::Entity;
use tickwire_sync::{Lane, PlayerId, Scope, Tick};

/// A field of a world that is part of its saved state. Every type that serde can write and read implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be saved with its world",
    label = "serde cannot write and read this type",
    note = "derive `Serialize` and `Deserialize` for it, or write `#[world(skip)]` on a field that `Game::new` makes as it should be"
)]
pub trait SavedField: Serialize + DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> SavedField for T {}

/// Appends a field to a saved state.
///
/// # Errors
/// If serde cannot write it.
pub fn save_field<T: SavedField>(field: &T, out: &mut Vec<u8>) -> Result<(), SaveError> {
    let state = std::mem::take(out);
    *out = postcard::to_extend(field, state)
        .map_err(|error| SaveError::Unreadable(error.to_string()))?;
    Ok(())
}

/// Takes a field from the beginning of a saved state.
///
/// # Errors
/// If the bytes are no such field.
pub fn restore_field<T: SavedField>(state: &mut &[u8]) -> Result<T, SaveError> {
    let (field, rest) = postcard::take_from_bytes(state)
        .map_err(|error| SaveError::Unreadable(error.to_string()))?;
    *state = rest;
    Ok(field)
}

/// A slot as it is saved.
#[derive(Serialize, Deserialize)]
struct SavedSlot {
    generation: u32,
    /// `None`: vacant.
    entity: Option<SavedEntity>,
}

#[derive(Serialize, Deserialize)]
struct SavedEntity {
    lanes: Vec<i32>,
    private_lanes: Vec<i32>,
    texts: Vec<String>,
    owner: Option<PlayerId>,
    scope: Scope,
    /// The lanes that were published last, for a kind that is not published every tick.
    shown: Vec<i32>,
}

/// A table as it is saved.
#[derive(Serialize, Deserialize)]
struct SavedTable {
    /// What the kind's rows have, as [`fields`] says it.
    fields: String,
    slots: Vec<SavedSlot>,
    vacant: Vec<u32>,
    least_generation: u32,
    ended: Tick,
}

/// The names and units of a kind's lanes and texts: a state that was saved with others would be misread.
fn fields<T: Entity>() -> String {
    let kind = T::kind();
    let lanes = |lanes: &[Lane]| {
        let described = lanes
            .iter()
            .map(|lane| format!("{} ({})", lane.name, lane.unit));
        described.collect::<Vec<_>>().join(", ")
    };
    let (public, private) = (lanes(&kind.lanes), lanes(&kind.private_lanes));
    format!("{public}; {private}; {}", kind.texts.join(", "))
}

impl<T: Entity> Serialize for Entities<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let slots = self.slots.iter().map(|slot| SavedSlot {
            generation: slot.generation,
            entity: slot.entity.as_ref().map(|entity| {
                entity.with_row(|lanes, private_lanes, texts| SavedEntity {
                    lanes: lanes.to_vec(),
                    private_lanes: private_lanes.to_vec(),
                    texts: texts.iter().map(|text| text.to_string()).collect(),
                    owner: slot.owner,
                    scope: slot.scope,
                    shown: slot.shown.to_vec(),
                })
            }),
        });
        let table = SavedTable {
            fields: fields::<T>(),
            slots: slots.collect(),
            vacant: self.vacant.clone(),
            least_generation: self.least_generation,
            ended: self.ended,
        };
        table.serialize(serializer)
    }
}

impl<'de, T: Entity> Deserialize<'de> for Entities<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = SavedTable::deserialize(deserializer)?;
        let changed = || D::Error::custom(format!("kind {} has other fields now", T::NAME));
        if table.fields != fields::<T>() {
            return Err(changed());
        }
        let mut entities = Self {
            vacant: table.vacant,
            least_generation: table.least_generation,
            ended: table.ended,
            ..Self::default()
        };
        for saved in table.slots {
            let mut slot = Slot::vacant(saved.generation);
            if let Some(saved) = saved.entity {
                let fits = saved.lanes.len() == T::LANES
                    && saved.private_lanes.len() == T::PRIVATE_LANES
                    && saved.texts.len() == T::TEXTS
                    && [0, T::LANES].contains(&saved.shown.len());
                if !fits {
                    return Err(changed());
                }
                let texts: Vec<Arc<str>> =
                    saved.texts.iter().map(|text| Arc::from(&**text)).collect();
                slot.entity = Some(T::from_row(&saved.lanes, &saved.private_lanes, &texts));
                slot.owner = saved.owner;
                slot.scope = saved.scope;
                slot.shown = saved.shown.into();
                entities.count += 1;
            }
            entities.slots.push(slot);
        }
        let is_vacant = |slot: &u32| {
            (entities.slots.get(*slot as usize)).is_some_and(|slot| slot.entity.is_none())
        };
        let mut vacant = entities.vacant.clone();
        vacant.sort_unstable();
        vacant.dedup();
        if vacant.len() != entities.vacant.len() || !vacant.iter().all(is_vacant) {
            return Err(D::Error::custom(
                "a slot is listed as vacant twice, or while it is in use",
            ));
        }
        Ok(entities)
    }
}

impl<T: Entity> Serialize for Players<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.entities, &self.slots).serialize(serializer)
    }
}

impl<'de, T: Entity> Deserialize<'de> for Players<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (entities, slots): (Entities<T>, Vec<(PlayerId, u32)>) =
            Deserialize::deserialize(deserializer)?;
        let is_sorted = slots.is_sorted_by(|(a, _), (b, _)| a < b);
        let is_owned = |(player, slot): &(PlayerId, u32)| {
            let slot = entities.slots.get(*slot as usize);
            slot.is_some_and(|slot| slot.entity.is_some() && slot.owner == Some(*player))
        };
        if is_sorted && slots.iter().all(is_owned) {
            Ok(Self { entities, slots })
        } else {
            Err(D::Error::custom("a table of players contradicts itself"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    #[derive(Entity, Default)]
    #[entity(name = "ship")]
    struct Ship {
        speed: u16,
        hull: u16,
    }

    #[derive(Entity, Debug, Default)]
    #[entity(name = "ship")]
    struct Swapped {
        hull: u16,
        speed: u16,
    }

    #[test]
    fn a_table_whose_fields_have_changed_cannot_be_read() {
        let mut ships = Entities::new();
        ships.insert(Ship { speed: 3, hull: 9 });
        let mut state = Vec::new();
        save_field(&ships, &mut state).unwrap();
        assert!(restore_field::<Entities<Ship>>(&mut &state[..]).is_ok());
        let error = restore_field::<Entities<Swapped>>(&mut &state[..]).unwrap_err();
        assert!(matches!(error, SaveError::Unreadable(_)), "{error}");
    }
}
