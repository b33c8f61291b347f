//! References to entities, as lanes.

use crate::entity::Entity;
use crate::value::LaneValue;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use tickwire_sync::{Lane, ValueType};

/// A reference to an entity of kind `T`. It is never taken for another entity that uses the same slot later. Two lanes.
pub struct Id<T> {
    /// The slot within the kind.
    slot: u32,
    /// How many entities have used the slot, this one included; from 1.
    generation: u32,
    kind: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    /// The reference to a slot and generation, which count as in `EntityId`.
    #[must_use]
    pub const fn new(slot: u32, generation: u32) -> Self {
        Self {
            slot,
            generation,
            kind: PhantomData,
        }
    }

    /// A small number within the kind, which is used again by later entities.
    #[must_use]
    pub const fn slot(self) -> u32 {
        self.slot
    }

    /// How many entities have used the slot, this one included; from 1.
    #[must_use]
    pub const fn generation(self) -> u32 {
        self.generation
    }

    const fn number(self) -> u64 {
        (self.generation as u64) << 32 | self.slot as u64
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.number() == other.number()
    }
}

impl<T> Eq for Id<T> {}

impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.number().cmp(&other.number())
    }
}

impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number().hash(state);
    }
}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({}, generation {})", self.slot, self.generation)
    }
}

impl<T: Entity> LaneValue for Id<T> {
    const LANES: usize = 2;

    fn declare(name: &str, lanes: &mut Vec<Lane>) {
        lanes.push(Lane {
            value: ValueType::EntitySlot {
                kind: T::NAME.into(),
            },
            ..Lane::discrete(&format!("{name}.slot"), "")
        });
        lanes.push(Lane {
            value: ValueType::EntityGeneration,
            ..Lane::discrete(&format!("{name}.generation"), "")
        });
    }

    #[inline]
    fn write(&self, lanes: &mut [i32]) {
        lanes[0] = self.slot as i32;
        lanes[1] = self.generation as i32;
    }

    #[inline]
    fn read(lanes: &[i32]) -> Self {
        Self::new(lanes[0] as u32, lanes[1] as u32)
    }
}

/// `None` is generation 0, which no entity has.
impl<T: Entity> LaneValue for Option<Id<T>> {
    const LANES: usize = 2;

    fn declare(name: &str, lanes: &mut Vec<Lane>) {
        Id::<T>::declare(name, lanes);
    }

    #[inline]
    fn write(&self, lanes: &mut [i32]) {
        self.unwrap_or(Id::new(0, 0)).write(lanes);
    }

    #[inline]
    fn read(lanes: &[i32]) -> Self {
        (lanes[1] != 0).then(|| Id::read(lanes))
    }
}

#[cfg(feature = "serde")]
impl<T> serde::Serialize for Id<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        [self.slot, self.generation].serialize(serializer)
    }
}

#[cfg(feature = "serde")]
impl<'de, T> serde::Deserialize<'de> for Id<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let [slot, generation] = serde::Deserialize::deserialize(deserializer)?;
        Ok(Self::new(slot, generation))
    }
}
