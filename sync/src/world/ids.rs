//! Identifiers and counters that all crates share, one new-type each.
//!
//! Plain values, ordered as their numbers are. Their only job is to keep one meaning apart from another.

use std::fmt;
#[cfg(feature = "wire")]
use tickwire_proto::v1;

/// A tick: the number of one step of the world. Ticks follow time, so a skipped tick has no frame. At 60 Hz the numbers last
/// for 2.2 years.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Tick(pub u32);

impl Tick {
    /// The tick after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// How many ticks this one is after `earlier`; 0 if it is not later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u32 {
        self.0.saturating_sub(earlier.0)
    }

    /// The tick `ticks` before this one, if there is one.
    #[must_use]
    pub const fn minus(self, ticks: u32) -> Option<Self> {
        match self.0.checked_sub(ticks) {
            Some(tick) => Some(Self(tick)),
            None => None,
        }
    }
}

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A moment on the tick axis, in 1/256 tick: what a screen showed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ViewTick(pub u64);

impl ViewTick {
    /// Fractions per tick.
    pub const FRACTIONS: u64 = 256;

    /// The moment `fraction` / 256 after `tick`. A fraction beyond 255 runs into the next ticks.
    #[must_use]
    pub const fn new(tick: Tick, fraction: u32) -> Self {
        Self(tick.0 as u64 * Self::FRACTIONS + fraction as u64)
    }

    /// The nearest moment to a real number of ticks; negative numbers become 0.
    #[must_use]
    pub fn from_ticks(ticks: f64) -> Self {
        // A float-to-integer `as` truncates and saturates, so every input has a defined result.
        Self((ticks * Self::FRACTIONS as f64 + 0.5) as u64)
    }

    /// This moment as a real number of ticks.
    #[must_use]
    pub fn as_ticks(self) -> f64 {
        self.0 as f64 / Self::FRACTIONS as f64
    }

    /// The tick at or before this moment.
    #[must_use]
    pub const fn tick(self) -> Tick {
        let tick = self.0 / Self::FRACTIONS;
        Tick(if tick > u32::MAX as u64 {
            u32::MAX
        } else {
            tick as u32
        })
    }

    /// The part beyond [`Self::tick`], in 1/256.
    #[must_use]
    pub const fn fraction(self) -> u32 {
        (self.0 % Self::FRACTIONS) as u32
    }
}

/// The sequence number of an input: counts up by one over a session, from 1. 0 means none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Seq(pub u32);

/// A player's number in a room, from 1; also the number of the player's session. 0 means nobody.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PlayerId(pub u32);

impl fmt::Display for PlayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A kind of entity: its position in the schema.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KindId(pub u8);

impl KindId {
    /// The position as an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// An entity's identifier: a slot within its kind, and a generation that tells apart the entities that used the slot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct EntityId {
    /// The entity's kind.
    pub kind: KindId,
    /// A small number within the kind, below [`EntityId::MAX_SLOTS`].
    pub slot: u32,
    /// How many entities have used the slot, this one included; counts from 1.
    pub generation: u32,
}

impl EntityId {
    /// The most slots that a kind can have.
    pub const MAX_SLOTS: u32 = 1 << 24;

    /// The identifier without its generation: the key of the row in a frame's table.
    #[must_use]
    pub const fn key(self) -> RowKey {
        RowKey::new(self.kind, self.slot)
    }
}

#[cfg(feature = "wire")]
impl EntityId {
    /// The identifier as messages carry it.
    #[must_use]
    pub fn to_proto(self) -> v1::EntityId {
        v1::EntityId {
            kind: self.kind.0.into(),
            slot: self.slot,
            generation: self.generation,
        }
    }

    /// The identifier that a message carried; `None` if its kind or slot is out of range.
    #[must_use]
    pub fn from_proto(id: v1::EntityId) -> Option<Self> {
        let kind = KindId(u8::try_from(id.kind).ok()?);
        (id.slot < Self::MAX_SLOTS).then_some(Self {
            kind,
            slot: id.slot,
            generation: id.generation,
        })
    }
}

/// The key of a row in a frame's table: kind and slot in one word, ordered by kind, then slot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RowKey(u32);

impl RowKey {
    /// The key of a slot, which must be below [`EntityId::MAX_SLOTS`]; higher bits are cut off.
    #[must_use]
    pub const fn new(kind: KindId, slot: u32) -> Self {
        Self((kind.0 as u32) << 24 | (slot & (EntityId::MAX_SLOTS - 1)))
    }

    /// The entity's kind.
    #[must_use]
    pub const fn kind(self) -> KindId {
        KindId((self.0 >> 24) as u8)
    }

    /// The slot within the kind.
    #[must_use]
    pub const fn slot(self) -> u32 {
        self.0 & (EntityId::MAX_SLOTS - 1)
    }
}

/// A moment on a monotonic clock, or a span of it, in microseconds. The context says whose clock it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Micros(pub u64);

impl Micros {
    /// `millis` milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1000)
    }

    /// The span from `earlier` to this moment; 0 if this is not later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }

    /// In milliseconds.
    #[must_use]
    pub fn as_millis(self) -> f64 {
        self.0 as f64 / 1e3
    }

    /// This moment or span, `span` later or longer.
    #[must_use]
    pub const fn plus(self, span: Self) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}
