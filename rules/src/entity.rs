//! Typed entities: plain structs whose fields are lanes and texts.

use crate::value::{LaneValue, Pos, Text};
use glam::IVec2;
use std::sync::Arc;
use tickwire_sync::{Kind, Lane, ValueType};

/// A kind of entity. `#[derive(Entity)]` implements it, and its documentation lists the attributes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an entity",
    label = "write `#[derive(Entity)]` on it"
)]
pub trait Entity: Sized + 'static {
    /// The name of the kind, for people and clients, such as "runner".
    const NAME: &'static str;
    /// How many public lanes a row has.
    const LANES: usize;
    /// How many private lanes a row has.
    const PRIVATE_LANES: usize;
    /// How many texts a row has.
    const TEXTS: usize;
    /// Whether the entity has a position on the interest grid: the first field of type [`Pos`](crate::Pos).
    const PLACED: bool;
    /// Steps of the position lanes in one unit; 1 for a kind without a position.
    const STEPS: i32;
    /// Every how many ticks a change is published, at least 1.
    const EVERY: u32;

    /// The kind, as the schema describes it.
    fn kind() -> Kind;

    /// Calls `read` with the public lanes, the private lanes and the texts.
    fn with_row<R>(&self, read: impl FnOnce(&[i32], &[i32], &[Arc<str>]) -> R) -> R;

    /// An entity with these lanes, which can be any integers. The slices must have the kind's lengths; texts that are missing are
    /// empty.
    fn from_row(lanes: &[i32], private_lanes: &[i32], texts: &[Arc<str>]) -> Self;

    /// Brings every field into the range that its lane has, as publishing does.
    fn normalise(&mut self);

    /// The position on the interest grid, in steps; zero for a kind without a position.
    fn position(&self) -> IVec2;
}

/// What `#[entity(...)]` on a field says about its lanes.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default)]
pub struct LaneOptions {
    /// What 1 stands for.
    pub unit: Option<&'static str>,
    /// Where the lane wraps.
    pub wrap: Option<u32>,
    /// Whether a screen interpolates; `None` for the type's own answer.
    pub continuous: Option<bool>,
}

/// Adds the lanes of a field to a schema.
#[doc(hidden)]
pub fn declare_lanes<T: LaneValue>(name: &str, options: LaneOptions, lanes: &mut Vec<Lane>) {
    let first = lanes.len();
    T::declare(name, lanes);
    for lane in &mut lanes[first..] {
        if let Some(unit) = options.unit {
            lane.unit = unit.into();
        }
        if let Some(modulus) = options.wrap {
            lane.modulus = modulus;
        }
        if let Some(continuous) = options.continuous {
            lane.continuous = continuous;
        }
    }
}

/// Gives the first two lanes the names that every placed kind has.
#[doc(hidden)]
pub fn name_position(lanes: &mut [Lane]) {
    for (lane, name) in lanes.iter_mut().zip(["x", "y"]) {
        lane.name = name.into();
    }
}

/// The lane that counts teleports, if there is one.
#[doc(hidden)]
#[must_use]
pub fn teleport_lane(lanes: &[Lane]) -> Option<usize> {
    lanes
        .iter()
        .position(|lane| lane.value == ValueType::Teleports)
}

/// Brings a value of one lane into the range 0 to `modulus` - 1.
#[doc(hidden)]
pub fn wrap<T: LaneValue>(value: &mut T, modulus: i32) {
    const { assert!(T::LANES == 1) };
    let mut lane = [0];
    value.write(&mut lane);
    *value = T::read(&[lane[0].rem_euclid(modulus)]);
}

/// The text at a position; empty if there is none.
#[doc(hidden)]
#[must_use]
pub fn text_at(texts: &[Arc<str>], position: usize) -> Text {
    texts
        .get(position)
        .cloned()
        .map(Text::from)
        .unwrap_or_default()
}

/// The position type of a placed entity.
#[doc(hidden)]
pub trait Position {
    /// Steps in one unit.
    const STEPS: i32;

    /// The position in steps.
    fn steps(&self) -> IVec2;
}

impl<const N: i32> Position for Pos<N> {
    const STEPS: i32 = N;

    fn steps(&self) -> IVec2 {
        Pos::steps(*self)
    }
}
