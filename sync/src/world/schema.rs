//! The schema: what a game replicates (kinds, their lanes and texts), and how its inputs, events, commands and messages read.
//!
//! In: a game's declaration, or the one that `Welcome` carried. Out: a checked [`Schema`] that server and client share.

use super::grid::Grid;
use super::ids::KindId;
use super::lane::Lane;
use super::payload_schema::{InputField, PayloadKind};
use thiserror::Error;

/// The most public lanes that a kind can have, and likewise private lanes and texts: one bit each in `Change.lane_mask`.
pub const MAX_LANES: usize = 64;
/// The most kinds that a schema can have: a kind's number fits in one byte.
pub const MAX_KINDS: usize = 255;
/// The most bits that an input has: 64 bytes.
const MAX_INPUT_BITS: u32 = 64 * 8;

/// Everything that a game replicates, and how its payloads read.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Schema {
    /// The kinds of entity; [`KindId`] is the position in this list.
    pub kinds: Vec<Kind>,
    /// The kinds of event, by number.
    pub events: Vec<PayloadKind>,
    /// The interest grid.
    pub grid: Grid,
    /// The fields of an input, in the order of their bits; empty for a game that encodes its inputs in its own way.
    pub input: Vec<InputField>,
    /// The kinds of command, by number; empty for a game that encodes its commands in its own way.
    pub commands: Vec<PayloadKind>,
    /// The kinds of reliable message, by number; empty for a game that encodes its messages in its own way.
    pub messages: Vec<PayloadKind>,
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
    /// How soon changes are sent where the path does not carry them all, beside those of other kinds. Only the server uses it.
    pub priority: Priority,
    /// The position of the public lane that counts this kind's teleports, if it has one. Nothing is interpolated, extrapolated or
    /// smoothed between two rows that differ in it.
    pub teleport_lane: Option<usize>,
}

/// How soon changes of a kind are sent over a path that does not carry them all, in percent of the usual priority: 1 to 1000.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Priority(pub u16);

impl Default for Priority {
    fn default() -> Self {
        Self(100)
    }
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
    /// The lane that counts teleports does not exist, or is interpolated itself.
    #[error("kind {0} names a teleport lane that it does not have, or that is continuous")]
    TeleportLane(String),
    /// The fields of an input are impossible.
    #[error(
        "input field {0} needs 1 to 32 bits that hold its whole range, and a range that includes 0; all fields together need at most 64 bytes"
    )]
    InputField(String),
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
            let is_counter = |at: usize| kind.lanes.get(at).is_some_and(|lane| !lane.continuous);
            if kind.teleport_lane.is_some_and(|at| !is_counter(at)) {
                return Err(SchemaError::TeleportLane(kind.name.clone()));
            }
            for lane in kind.lanes.iter().chain(&kind.private_lanes) {
                if lane.modulus > i32::MAX as u32 {
                    return Err(SchemaError::Modulus(lane.name.clone()));
                }
            }
        }
        let mut input_bits: u32 = 0;
        for field in &self.input {
            input_bits = input_bits.saturating_add(field.bits);
            if !field.is_valid() || input_bits > MAX_INPUT_BITS {
                return Err(SchemaError::InputField(field.name.clone()));
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
}

impl Kind {
    /// The position of the public lane with this name.
    #[must_use]
    pub fn lane_named(&self, name: &str) -> Option<usize> {
        self.lanes.iter().position(|lane| lane.name == name)
    }

    /// Whether an entity was teleported between two of its rows. Then nothing is interpolated, extrapolated or smoothed between them.
    #[must_use]
    pub fn has_teleported(
        &self,
        older: impl IntoIterator<Item = i32>,
        newer: impl IntoIterator<Item = i32>,
    ) -> bool {
        self.teleport_lane
            .is_some_and(|at| older.into_iter().nth(at) != newer.into_iter().nth(at))
    }

    /// The lanes `part` / `whole` of the way from one row to another. Across a teleport they stay at `from` until the whole way is
    /// gone.
    #[must_use]
    pub fn interpolate(&self, from: &[i32], to: &[i32], part: u64, whole: u64) -> Vec<i32> {
        let part = if part < whole && self.has_teleported(from.iter().copied(), to.iter().copied())
        {
            0
        } else {
            part
        };
        let pairs = from.iter().zip(to).zip(&self.lanes);
        pairs
            .map(|((from, to), lane)| lane.interpolate(*from, *to, part, whole))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_interpolated_across_a_teleport() {
        let kind = Kind {
            lanes: vec![Lane::continuous("x", ""), Lane::discrete("teleports", "")],
            teleport_lane: Some(1),
            ..Kind::default()
        };
        assert_eq!(kind.interpolate(&[0, 3], &[100, 3], 1, 2), [50, 3]);
        assert_eq!(kind.interpolate(&[0, 3], &[100, 4], 1, 2), [0, 3]);
        assert_eq!(kind.interpolate(&[0, 3], &[100, 4], 2, 2), [100, 4]);
    }
}
