//! Teleports: an entity that jumps and stays the same entity.

use super::LaneValue;
use tickwire_sync::{Lane, ValueType};

/// A count of an entity's teleports. Where two rows differ in it, no screen and no rewind blends them: the entity is at the old place
/// until the tick of the jump, and then at the new one. One discrete lane. Add such a field to a kind that can jump, and call
/// [`Self::mark`] when one does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Teleport {
    count: u8,
}

impl Teleport {
    /// Notes that the entity jumps in this tick.
    pub fn mark(&mut self) {
        self.count = self.count.wrapping_add(1);
    }

    #[cfg(feature = "serde")]
    pub(super) const fn count(self) -> u8 {
        self.count
    }

    #[cfg(feature = "serde")]
    pub(super) const fn from_count(count: u8) -> Self {
        Self { count }
    }
}

impl LaneValue for Teleport {
    const LANES: usize = 1;

    fn declare(name: &str, lanes: &mut Vec<Lane>) {
        lanes.push(Lane {
            value: ValueType::Teleports,
            ..Lane::discrete(name, "")
        });
    }

    #[inline]
    fn write(&self, lanes: &mut [i32]) {
        lanes[0] = i32::from(self.count);
    }

    #[inline]
    fn read(lanes: &[i32]) -> Self {
        Self {
            count: lanes[0] as u8,
        }
    }
}
