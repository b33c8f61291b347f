//! One lane: a replicated integer, and the arithmetic that server and client share.
//!
//! In: a lane's declaration, and values. Out: differences, sums and interpolated values. All arithmetic wraps and is defined for
//! every value, so nothing that comes from a network can make it panic.

use super::value_type::ValueType;

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
    /// What the integer stands for, for tools that show or send typed values.
    pub value: ValueType,
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
            ..Self::default()
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
            ..Self::default()
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
            ..Self::default()
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
        // Two ticks are at most 64 x 256 parts apart. Longer ways are coarsened to 32 bits, so that the product fits into 64.
        let coarser = (u64::BITS - whole.leading_zeros()).saturating_sub(u32::BITS);
        let (part, whole) = ((part >> coarser) as i64, (whole >> coarser) as i64);
        let step = i64::from(self.difference(from, to)) * part;
        // part <= whole, so the quotient is no larger than the difference.
        self.add(from, step.div_euclid(whole) as i32)
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
        fn interpolation_is_exact_over_32_bits_of_parts(a: i32, b: i32, part: u32, whole in 1..=u32::MAX) {
            let lane = Lane { continuous: true, ..Lane::default() };
            let part = part % whole;
            let step = i128::from(b.wrapping_sub(a)) * i128::from(part);
            let exact = a.wrapping_add(step.div_euclid(whole.into()) as i32);
            prop_assert_eq!(lane.interpolate(a, b, part.into(), whole.into()), exact);
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
