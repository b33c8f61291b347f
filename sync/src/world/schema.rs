//! The schema: what a game replicates (kinds, their lanes and texts), and the arithmetic of one lane.
//!
//! In: a game's declaration, or the one that `Welcome` carried. Out: a checked [`Schema`] that server and client share. All
//! lane arithmetic wraps and is defined for every value, so nothing that comes from a network can make it panic.

use super::grid::Grid;
use super::ids::KindId;
use thiserror::Error;
use tickwire_proto::v1;

/// The most public lanes that a kind can have, and likewise private lanes and texts: one bit each in `Change.lane_mask`.
pub const MAX_LANES: usize = 64;
/// The most kinds that a schema can have: a kind's number fits in one byte.
pub const MAX_KINDS: usize = 255;

/// Everything that a game replicates.
#[derive(Clone, PartialEq, Debug)]
pub struct Schema {
    /// The kinds of entity; [`KindId`] is the position in this list.
    pub kinds: Vec<Kind>,
    /// The names of the kinds of event, by number.
    pub events: Vec<String>,
    /// The interest grid.
    pub grid: Grid,
}

/// One kind of entity.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Kind {
    /// The name, for people and clients, such as "ship".
    pub name: String,
    /// The lanes that everyone sees.
    pub lanes: Vec<Lane>,
    /// The lanes that only the owner sees.
    pub private_lanes: Vec<Lane>,
    /// The names of the texts.
    pub texts: Vec<String>,
    /// Whether the first two lanes are x and y on the grid.
    pub placed: bool,
    /// Whether the owner's client predicts this kind.
    pub predicted: bool,
}

/// One replicated integer of a row.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Lane {
    /// The name, for people and clients, such as "x".
    pub name: String,
    /// The unit of the value 1, such as "1/16 unit".
    pub unit: String,
    /// Where the lane wraps, up to `i32::MAX`; 0 means that it does not wrap.
    pub modulus: u32,
    /// Whether a screen may interpolate between two values.
    pub continuous: bool,
}

/// Why a schema cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum SchemaError {
    /// Too many kinds.
    #[error("a schema holds at most {MAX_KINDS} kinds, this one has {0}")]
    TooManyKinds(usize),
    /// Too many lanes or texts.
    #[error("kind {0} has more than {MAX_LANES} lanes, private lanes or texts")]
    TooManyLanes(String),
    /// A placed kind without a position.
    #[error("kind {0} is placed, so its first two lanes must be x and y, without a modulus")]
    NoPosition(String),
    /// A lane's modulus is too large.
    #[error("the modulus of lane {0} is larger than 2^31 - 1")]
    Modulus(String),
    /// The grid is missing or impossible.
    #[error("the grid needs 1 to 2^20 cells in all, a side of at least 1 and 1 to 32 layers")]
    Grid,
}

impl Schema {
    /// Checks the limits that the encodings rely on.
    ///
    /// # Errors
    /// The first limit that the schema breaks.
    pub fn validate(&self) -> Result<(), SchemaError> {
        if self.kinds.len() > MAX_KINDS {
            return Err(SchemaError::TooManyKinds(self.kinds.len()));
        }
        for kind in &self.kinds {
            let longest = kind
                .lanes
                .len()
                .max(kind.private_lanes.len())
                .max(kind.texts.len());
            if longest > MAX_LANES {
                return Err(SchemaError::TooManyLanes(kind.name.clone()));
            }
            let position = kind.lanes.get(..2);
            if kind.placed
                && position.is_none_or(|lanes| lanes.iter().any(|lane| lane.modulus != 0))
            {
                return Err(SchemaError::NoPosition(kind.name.clone()));
            }
            for lane in kind.lanes.iter().chain(&kind.private_lanes) {
                if lane.modulus > i32::MAX as u32 {
                    return Err(SchemaError::Modulus(lane.name.clone()));
                }
            }
        }
        if self.grid.is_valid() {
            Ok(())
        } else {
            Err(SchemaError::Grid)
        }
    }

    /// The kind with this number, if there is one.
    #[must_use]
    pub fn kind(&self, id: KindId) -> Option<&Kind> {
        self.kinds.get(id.index())
    }

    /// The number of the kind with this name, if there is one.
    #[must_use]
    pub fn kind_named(&self, name: &str) -> Option<KindId> {
        let position = self.kinds.iter().position(|kind| kind.name == name)?;
        u8::try_from(position).ok().map(KindId)
    }

    /// The schema as `Welcome` carries it.
    #[must_use]
    pub fn to_proto(&self) -> v1::Schema {
        v1::Schema {
            kinds: self.kinds.iter().map(Kind::to_proto).collect(),
            events: self
                .events
                .iter()
                .map(|name| v1::EventKind { name: name.clone() })
                .collect(),
            grid: Some(self.grid.to_proto()),
        }
    }

    /// The schema that a `Welcome` carried.
    ///
    /// # Errors
    /// If it breaks a limit of [`Self::validate`].
    pub fn from_proto(schema: &v1::Schema) -> Result<Self, SchemaError> {
        let schema = Self {
            kinds: schema.kinds.iter().map(Kind::from_proto).collect(),
            events: schema
                .events
                .iter()
                .map(|event| event.name.clone())
                .collect(),
            grid: Grid::from_proto(schema.grid.as_ref().ok_or(SchemaError::Grid)?),
        };
        schema.validate()?;
        Ok(schema)
    }
}

impl Kind {
    /// The position of the public lane with this name.
    #[must_use]
    pub fn lane_named(&self, name: &str) -> Option<usize> {
        self.lanes.iter().position(|lane| lane.name == name)
    }

    fn to_proto(&self) -> v1::Kind {
        v1::Kind {
            name: self.name.clone(),
            lanes: self.lanes.iter().map(Lane::to_proto).collect(),
            private_lanes: self.private_lanes.iter().map(Lane::to_proto).collect(),
            texts: self.texts.clone(),
            placed: self.placed,
            predicted: self.predicted,
        }
    }

    fn from_proto(kind: &v1::Kind) -> Self {
        Self {
            name: kind.name.clone(),
            lanes: kind.lanes.iter().map(Lane::from_proto).collect(),
            private_lanes: kind.private_lanes.iter().map(Lane::from_proto).collect(),
            texts: kind.texts.clone(),
            placed: kind.placed,
            predicted: kind.predicted,
        }
    }
}

impl Lane {
    /// A lane that a screen may interpolate, such as a position.
    #[must_use]
    pub fn continuous(name: &str, unit: &str) -> Self {
        Self {
            name: name.into(),
            unit: unit.into(),
            modulus: 0,
            continuous: true,
        }
    }

    /// A lane that a screen may interpolate and that wraps at `modulus`, such as an angle.
    #[must_use]
    pub fn angle(name: &str, unit: &str, modulus: u32) -> Self {
        Self {
            name: name.into(),
            unit: unit.into(),
            modulus,
            continuous: true,
        }
    }

    /// A lane that jumps from value to value, such as a score or a state.
    #[must_use]
    pub fn discrete(name: &str, unit: &str) -> Self {
        Self {
            name: name.into(),
            unit: unit.into(),
            modulus: 0,
            continuous: false,
        }
    }

    /// Brings a value into the lane's range: 0 to modulus - 1 where the lane wraps.
    #[must_use]
    pub fn normalise(&self, value: i32) -> i32 {
        if self.modulus == 0 {
            value
        } else {
            // The remainder is below the modulus, which is at most i32::MAX (Schema::validate).
            wrap(i64::from(value), i64::from(self.modulus)) as i32
        }
    }

    /// What to add to `from` to get `to`, the shorter way round. Both must be normalised.
    #[must_use]
    pub fn difference(&self, from: i32, to: i32) -> i32 {
        if self.modulus == 0 {
            return to.wrapping_sub(from);
        }
        let modulus = i64::from(self.modulus);
        let difference = wrap(i64::from(to) - i64::from(from), modulus);
        let shorter = if difference > (modulus - 1) / 2 {
            difference - modulus
        } else {
            difference
        };
        shorter as i32
    }

    /// `from` moved by `difference`: the inverse of [`Self::difference`] for normalised values.
    #[must_use]
    pub fn add(&self, from: i32, difference: i32) -> i32 {
        if self.modulus == 0 {
            return from.wrapping_add(difference);
        }
        let sum = i64::from(from) + i64::from(difference);
        wrap(sum, i64::from(self.modulus)) as i32
    }

    /// The value expected after one that went from `before` to `now`: the same step again for a continuous lane, else `now`.
    #[must_use]
    pub fn extrapolate(&self, before: i32, now: i32) -> i32 {
        if self.continuous {
            self.add(now, self.difference(before, now))
        } else {
            now
        }
    }

    /// The value `part` / `whole` of the way from `from` to `to`. A discrete lane stays at `from` until the whole way is gone.
    ///
    /// Screens and the server's rewind call this function with the same integers, so that what is seen is what is hit.
    #[must_use]
    pub fn interpolate(&self, from: i32, to: i32, part: u64, whole: u64) -> i32 {
        if part >= whole {
            return to;
        }
        if !self.continuous || part == 0 {
            return from;
        }
        let step = i128::from(self.difference(from, to)) * i128::from(part);
        // part < whole, so the quotient is no larger than the difference.
        self.add(from, step.div_euclid(i128::from(whole)) as i32)
    }

    fn to_proto(&self) -> v1::Lane {
        v1::Lane {
            name: self.name.clone(),
            unit: self.unit.clone(),
            modulus: self.modulus,
            continuous: self.continuous,
        }
    }

    fn from_proto(lane: &v1::Lane) -> Self {
        Self {
            name: lane.name.clone(),
            unit: lane.unit.clone(),
            modulus: lane.modulus,
            continuous: lane.continuous,
        }
    }
}

/// `value` modulo `modulus`, which is above 0. Without a division for values less than one turn off, as nearly all are.
fn wrap(value: i64, modulus: i64) -> i64 {
    let near = if value < 0 {
        value + modulus
    } else if value >= modulus {
        value - modulus
    } else {
        value
    };
    if (0..modulus).contains(&near) {
        near
    } else {
        value.rem_euclid(modulus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn adding_the_difference_gives_the_other_value(a: i32, b: i32, modulus in prop_oneof![Just(0_u32), 1..=i32::MAX as u32]) {
            let lane = Lane { modulus, ..Lane::default() };
            let (a, b) = (lane.normalise(a), lane.normalise(b));
            prop_assert_eq!(lane.add(a, lane.difference(a, b)), b);
        }

        #[test]
        fn wrapping_is_the_remainder(value in -1_i64 << 34..1 << 34, turns in -3_i64..3, modulus in 1..=i64::from(i32::MAX)) {
            prop_assert_eq!(wrap(value, modulus), value.rem_euclid(modulus));
            let near = value % modulus + turns * modulus;
            prop_assert_eq!(wrap(near, modulus), near.rem_euclid(modulus));
        }

        #[test]
        fn lane_arithmetic_is_defined_for_every_value(a: i32, b: i32, part: u64, whole: u64, modulus in 0..=i32::MAX as u32) {
            let lane = Lane { modulus, continuous: true, ..Lane::default() };
            let _ = lane.interpolate(a, b, part, whole);
            let _ = lane.add(a, b);
        }
    }

    #[test]
    fn an_angle_takes_the_shorter_way_round() {
        let heading = Lane::angle("heading", "1/1024 turn", 1024);
        assert_eq!(heading.difference(1023, 0), 1);
        assert_eq!(heading.difference(0, 1023), -1);
        assert_eq!(heading.interpolate(1020, 4, 1, 2), 0);
    }
}
