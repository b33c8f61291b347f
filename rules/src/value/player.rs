//! Players as lanes.

use super::LaneValue;
use tickwire_sync::{Lane, PlayerId, ValueType};

impl LaneValue for PlayerId {
    const LANES: usize = 1;

    fn declare(name: &str, lanes: &mut Vec<Lane>) {
        lanes.push(Lane {
            value: ValueType::Player,
            ..Lane::discrete(name, "")
        });
    }

    #[inline]
    fn write(&self, lanes: &mut [i32]) {
        lanes[0] = self.0 as i32;
    }

    #[inline]
    fn read(lanes: &[i32]) -> Self {
        Self(lanes[0] as u32)
    }
}

/// `None` is 0, which no player has.
impl LaneValue for Option<PlayerId> {
    const LANES: usize = 1;

    fn declare(name: &str, lanes: &mut Vec<Lane>) {
        PlayerId::declare(name, lanes);
    }

    #[inline]
    fn write(&self, lanes: &mut [i32]) {
        self.unwrap_or(PlayerId(0)).write(lanes);
    }

    #[inline]
    fn read(lanes: &[i32]) -> Self {
        (lanes[0] != 0).then(|| PlayerId::read(lanes))
    }
}
