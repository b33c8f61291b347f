//! Integers and `bool` as lanes.

use super::LaneValue;
use tickwire_sync::{Lane, ValueType};

impl LaneValue for bool {
    const LANES: usize = 1;

    fn declare(name: &str, lanes: &mut Vec<Lane>) {
        lanes.push(Lane {
            value: ValueType::Boolean,
            ..Lane::discrete(name, "")
        });
    }

    #[inline]
    fn write(&self, lanes: &mut [i32]) {
        lanes[0] = i32::from(*self);
    }

    #[inline]
    fn read(lanes: &[i32]) -> Self {
        lanes[0] != 0
    }
}

macro_rules! small_integers {
    ($($integer:ty),*) => {$(
        impl LaneValue for $integer {
            const LANES: usize = 1;

            fn declare(name: &str, lanes: &mut Vec<Lane>) {
                lanes.push(Lane::discrete(name, ""));
            }

            #[inline]
            fn write(&self, lanes: &mut [i32]) {
                lanes[0] = i32::from(*self);
            }

            #[inline]
            fn read(lanes: &[i32]) -> Self {
                lanes[0].clamp(<$integer>::MIN.into(), <$integer>::MAX.into()) as $integer
            }
        }
    )*};
}

small_integers!(i8, u8, i16, u16, i32);

/// All 32 bits are used: a value above `i32::MAX` travels as the negative number with the same bits, and the schema says so.
impl LaneValue for u32 {
    const LANES: usize = 1;

    fn declare(name: &str, lanes: &mut Vec<Lane>) {
        lanes.push(Lane {
            value: ValueType::Unsigned,
            ..Lane::discrete(name, "")
        });
    }

    #[inline]
    fn write(&self, lanes: &mut [i32]) {
        lanes[0] = *self as i32;
    }

    #[inline]
    fn read(lanes: &[i32]) -> Self {
        lanes[0] as u32
    }
}
