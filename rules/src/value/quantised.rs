//! Real numbers in steps: positions, fixed-point numbers, and angles.
//!
//! Each holds whole steps, so that two machines that compute with it get the same integers. Converting from a float rounds to the
//! nearest step and saturates at the ends of `i32`; NaN becomes 0.

use super::LaneValue;
use glam::{IVec2, Vec2};
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use tickwire_sync::{Lane, ValueType};

/// The nearest whole number of steps. A float-to-integer `as` saturates, so that every float has a result.
fn steps_of(value: f32, per_unit: i32) -> i32 {
    (value * per_unit as f32).round() as i32
}

/// A position in steps of 1 / `N` unit, x to the right and y down, as on a screen. Two continuous lanes. In a placed entity it is the
/// position on the interest grid.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Pos<const N: i32> {
    steps: IVec2,
}

impl<const N: i32> Pos<N> {
    /// A position in units.
    #[must_use]
    pub fn new(x: f32, y: f32) -> Self {
        Self::from_vec2(Vec2::new(x, y))
    }

    /// A position in units, from a vector.
    #[must_use]
    pub fn from_vec2(units: Vec2) -> Self {
        Self::from_steps(IVec2::new(steps_of(units.x, N), steps_of(units.y, N)))
    }

    /// A position in steps.
    #[must_use]
    pub const fn from_steps(steps: IVec2) -> Self {
        Self { steps }
    }

    /// The position in steps.
    #[must_use]
    pub const fn steps(self) -> IVec2 {
        self.steps
    }

    /// The position in units.
    #[must_use]
    pub fn to_vec2(self) -> Vec2 {
        Vec2::new(self.x(), self.y())
    }

    /// x in units.
    #[must_use]
    pub fn x(self) -> f32 {
        self.steps.x as f32 / N as f32
    }

    /// y in units.
    #[must_use]
    pub fn y(self) -> f32 {
        self.steps.y as f32 / N as f32
    }

    /// The distance to another position, in units.
    #[must_use]
    pub fn distance(self, other: Self) -> f32 {
        (self.to_vec2() - other.to_vec2()).length()
    }

    /// The nearest position within a rectangle, corners included, in units.
    #[must_use]
    pub fn clamp(self, min: Self, max: Self) -> Self {
        Self::from_steps(self.steps.max(min.steps).min(max.steps))
    }
}

/// Moves by a vector in units, rounded to steps.
impl<const N: i32> Add<Vec2> for Pos<N> {
    type Output = Self;

    fn add(self, units: Vec2) -> Self {
        Self::from_steps(self.steps.saturating_add(Self::from_vec2(units).steps))
    }
}

impl<const N: i32> AddAssign<Vec2> for Pos<N> {
    fn add_assign(&mut self, units: Vec2) {
        *self = *self + units;
    }
}

/// The vector from the other position to this one, in units.
impl<const N: i32> Sub for Pos<N> {
    type Output = Vec2;

    fn sub(self, other: Self) -> Vec2 {
        self.to_vec2() - other.to_vec2()
    }
}

impl<const N: i32> From<Pos<N>> for IVec2 {
    fn from(pos: Pos<N>) -> Self {
        pos.steps
    }
}

impl<const N: i32> LaneValue for Pos<N> {
    const LANES: usize = 2;

    fn declare(name: &str, lanes: &mut Vec<Lane>) {
        const { assert!(N > 0, "Pos needs at least one step a unit") };
        for axis in ["x", "y"] {
            Fixed::<N>::declare(&format!("{name}.{axis}"), lanes);
        }
    }

    #[inline]
    fn write(&self, lanes: &mut [i32]) {
        lanes[0] = self.steps.x;
        lanes[1] = self.steps.y;
    }

    #[inline]
    fn read(lanes: &[i32]) -> Self {
        Self::from_steps(IVec2::new(lanes[0], lanes[1]))
    }
}

/// A number in steps of 1 / `N`. One continuous lane.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Fixed<const N: i32> {
    steps: i32,
}

impl<const N: i32> Fixed<N> {
    /// The nearest number in steps.
    #[must_use]
    pub fn new(value: f32) -> Self {
        Self::from_steps(steps_of(value, N))
    }

    /// The next number in steps towards zero. For a speed that friction slows: rounded to the nearest step, the last steps would never
    /// become less, as 12 * 0.96 rounds to 12.
    #[must_use]
    pub fn truncated(value: f32) -> Self {
        Self::from_steps((value * N as f32) as i32)
    }

    /// So many steps.
    #[must_use]
    pub const fn from_steps(steps: i32) -> Self {
        Self { steps }
    }

    /// How many steps.
    #[must_use]
    pub const fn steps(self) -> i32 {
        self.steps
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> f32 {
        self.steps as f32 / N as f32
    }
}

impl<const N: i32> Add for Fixed<N> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::from_steps(self.steps.saturating_add(other.steps))
    }
}

impl<const N: i32> Sub for Fixed<N> {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self::from_steps(self.steps.saturating_sub(other.steps))
    }
}

impl<const N: i32> Neg for Fixed<N> {
    type Output = Self;

    fn neg(self) -> Self {
        Self::from_steps(self.steps.saturating_neg())
    }
}

impl<const N: i32> AddAssign for Fixed<N> {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl<const N: i32> SubAssign for Fixed<N> {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl<const N: i32> LaneValue for Fixed<N> {
    const LANES: usize = 1;

    fn declare(name: &str, lanes: &mut Vec<Lane>) {
        const { assert!(N > 0, "Fixed needs at least one step a unit") };
        lanes.push(Lane {
            value: ValueType::Fixed { steps: N as u32 },
            ..Lane::continuous(name, &format!("1/{N} unit"))
        });
    }

    #[inline]
    fn write(&self, lanes: &mut [i32]) {
        lanes[0] = self.steps;
    }

    #[inline]
    fn read(lanes: &[i32]) -> Self {
        Self::from_steps(lanes[0])
    }
}

/// An angle in steps of 1 / `N` turn, clockwise from +x with y pointing down. It wraps, and a screen turns it the short way round. One
/// continuous lane.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Angle<const N: i32> {
    steps: i32,
}

impl<const N: i32> Angle<N> {
    /// The nearest angle in steps to one in radians.
    #[must_use]
    pub fn from_radians(radians: f32) -> Self {
        Self::from_steps(steps_of(radians / std::f32::consts::TAU, N))
    }

    /// The direction of a vector; 0 for the zero vector.
    #[must_use]
    pub fn of(direction: Vec2) -> Self {
        Self::from_radians(direction.to_angle())
    }

    /// So many steps, brought into one turn.
    #[must_use]
    pub const fn from_steps(steps: i32) -> Self {
        Self {
            steps: steps.rem_euclid(N),
        }
    }

    /// The steps, 0 to `N` - 1.
    #[must_use]
    pub const fn steps(self) -> i32 {
        self.steps
    }

    /// The angle in radians, from 0 to below a turn.
    #[must_use]
    pub fn radians(self) -> f32 {
        self.steps as f32 * (std::f32::consts::TAU / N as f32)
    }

    /// The unit vector in this direction.
    #[must_use]
    pub fn direction(self) -> Vec2 {
        Vec2::from_angle(self.radians())
    }
}

impl<const N: i32> Add for Angle<N> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        // Both are below N, so i64 holds the sum.
        Self::from_steps(((i64::from(self.steps) + i64::from(other.steps)) % i64::from(N)) as i32)
    }
}

impl<const N: i32> LaneValue for Angle<N> {
    const LANES: usize = 1;

    fn declare(name: &str, lanes: &mut Vec<Lane>) {
        const { assert!(N > 0, "Angle needs at least one step a turn") };
        lanes.push(Lane {
            value: ValueType::Angle,
            ..Lane::angle(name, &format!("1/{N} turn"), N as u32)
        });
    }

    #[inline]
    fn write(&self, lanes: &mut [i32]) {
        lanes[0] = self.steps;
    }

    #[inline]
    fn read(lanes: &[i32]) -> Self {
        Self::from_steps(lanes[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_float_has_a_result(x: f32, y: f32) {
            let pos = Pos::<16>::new(x, y) + Vec2::new(y, x);
            let _ = (pos - Pos::new(y, x), Fixed::<256>::new(x) + Fixed::new(y), Angle::<1024>::from_radians(x) + Angle::of(Vec2::new(x, y)));
        }

        #[test]
        fn any_integer_is_read(lane: i32) {
            let angle = Angle::<1000>::read(&[lane]);
            prop_assert!((0..1000).contains(&angle.steps()));
            prop_assert_eq!(Fixed::<7>::read(&[lane]).steps(), lane);
        }
    }

    #[test]
    fn a_truncated_speed_comes_to_rest() {
        for start in [-300, -1, 1, 12, 300, i32::MAX, i32::MIN] {
            let mut speed = Fixed::<256>::from_steps(start);
            for _ in 0..600 {
                speed = Fixed::truncated(speed.get() * 0.96);
            }
            assert_eq!(speed.steps(), 0, "{start}");
        }
    }

    #[test]
    fn units_round_to_the_nearest_step() {
        assert_eq!(Pos::<16>::new(1.0, -0.04).steps(), IVec2::new(16, -1));
        assert_eq!(Fixed::<10>::new(0.26).steps(), 3);
        assert_eq!(Angle::<4>::of(Vec2::new(0.0, -1.0)).steps(), 3);
    }
}
