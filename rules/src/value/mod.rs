//! The types of fields: what a rule computes with is what the wire carries, so nothing is lost between them.
//!
//! A [`LaneValue`] is stored in lanes, 32-bit integers. `number` implements it for integers and `bool`, `quantised` has positions,
//! fixed-point numbers and angles, `player` has players, `text` has texts, and `teleport` the count of teleports.

mod number;
mod player;
mod quantised;
#[cfg(feature = "serde")]
mod saved;
mod teleport;
mod text;

pub use quantised::{Angle, Fixed, Pos};
pub use teleport::Teleport;
pub use text::Text;

use tickwire_sync::Lane;

/// A field type that is stored in lanes. Implemented by the types of this module, by arrays of them, and by what derives `Choice`
/// or `Flags`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of an entity",
    label = "no lane can hold this type",
    note = "fields are integers of up to 32 bits, `bool`, `Pos<N>`, `Fixed<N>`, `Angle<N>`, `PlayerId`, `Id<T>`, `Option` of these two, `Teleport`, `Text`, arrays, and what derives `Choice` or `Flags`"
)]
pub trait LaneValue: Sized {
    /// How many lanes a value takes.
    const LANES: usize;

    /// Appends the lanes of a field with this name to a schema.
    fn declare(name: &str, lanes: &mut Vec<Lane>);

    /// Writes the value into exactly [`Self::LANES`] integers.
    fn write(&self, lanes: &mut [i32]);

    /// Reads a value from exactly [`Self::LANES`] integers, which can be any: what is out of range is clamped or wrapped, as the type
    /// says.
    fn read(lanes: &[i32]) -> Self;
}

impl<T: LaneValue, const N: usize> LaneValue for [T; N] {
    const LANES: usize = N * T::LANES;

    fn declare(name: &str, lanes: &mut Vec<Lane>) {
        for index in 0..N {
            T::declare(&format!("{name}.{index}"), lanes);
        }
    }

    fn write(&self, lanes: &mut [i32]) {
        for (index, value) in self.iter().enumerate() {
            value.write(&mut lanes[index * T::LANES..][..T::LANES]);
        }
    }

    fn read(lanes: &[i32]) -> Self {
        std::array::from_fn(|index| T::read(&lanes[index * T::LANES..][..T::LANES]))
    }
}
