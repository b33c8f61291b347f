//! Typed rules: how a kind moves, as a pure function that the server and every client run.
//!
//! In: a typed entity, its player's input, and typed neighbours. Out: the entity one tick later. [`crate::rules!`] makes raw
//! [`Rules`](crate::Rules) of it.

use crate::entity::Entity;
use crate::input::Input;
use crate::module_rules::{ModuleRules, NoRules};
use crate::nearby_rows::NearbyRows;
use crate::raw::RuleContext;
use tickwire_sync::Tick;

/// The rules of a predicted kind. They must be pure: no clock, no randomness but what is in the lanes, no iteration over hash maps,
/// and floats only through `glam` and the operators, so that every machine gets the same integers.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no rules",
    label = "write `impl Predict for {Self}`",
    note = "`Predict::advance` moves an entity by one tick, on the server and on its owner's client alike"
)]
pub trait Predict: Entity {
    /// The input that moves an entity of this kind.
    type Input: Input;
    /// What the rules know of the room for its whole life, such as walls; `()` if nothing.
    type Map: Map;
    /// How far around the entity the rules look for others, in units along each axis. 0: they look at no other entity, and pay
    /// nothing.
    const REACH: f32 = 0.0;

    /// Moves the entity by one tick. Any lanes and any input are possible: a client also calls it to foresee where others go, and their
    /// private fields are 0 there.
    fn advance(&mut self, input: &Self::Input, world: &Nearby<'_, Self::Map>);
}

/// What the rules know of a room for its whole life. Each client gets it once, with `Welcome`.
pub trait Map: Sized + Send + Sync + std::fmt::Debug + 'static {
    /// The map in an encoding of the game's choice.
    fn to_bytes(&self) -> Vec<u8>;

    /// Reads what [`Self::to_bytes`] gave; `None` for other bytes.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

/// No map.
impl Map for () {
    fn to_bytes(&self) -> Vec<u8> {
        Vec::new()
    }

    fn from_bytes(_: &[u8]) -> Option<Self> {
        Some(())
    }
}

/// Rules over typed entities. [`rules!`](crate::rules!) writes the implementation.
pub trait TypedRules: ModuleRules + 'static {
    /// What the rules know of a room.
    type Map: Map;
    /// The names of the kinds that the rules know, by the rules' own number.
    const KINDS: &'static [&'static str];

    /// The map of this room.
    fn map(&self) -> &Self::Map;
}

impl TypedRules for NoRules {
    type Map = ();
    const KINDS: &'static [&'static str] = &[];

    fn map(&self) -> &() {
        &()
    }
}

/// What the rules may read beside the entity that they move.
#[derive(Clone, Copy, Debug)]
pub struct Nearby<'a, M> {
    /// The tick that the entity is moved to.
    pub tick: Tick,
    /// The room's map.
    pub map: &'a M,
    rows: NearbyRows<'a>,
    kinds: &'a [&'static str],
}

impl<'a, M> Nearby<'a, M> {
    /// What rules that know these kinds, in this order, may read.
    #[must_use]
    pub const fn new(
        map: &'a M,
        tick: Tick,
        rows: NearbyRows<'a>,
        kinds: &'a [&'static str],
    ) -> Self {
        Self {
            tick,
            map,
            rows,
            kinds,
        }
    }

    /// The other entities of a kind within [`Predict::REACH`], as they were one tick before, the nearest first, with their slots. At
    /// most 32 of all kinds together. Only public fields are known; private ones are 0, and texts are empty. None if the kind is
    /// not named in `rules!`.
    pub fn others<T: Entity>(&self) -> impl Iterator<Item = (u32, T)> + use<'a, T, M> {
        let kind = self.kinds.iter().position(|name| *name == T::NAME);
        let rows = self
            .rows
            .iter()
            .filter(move |row| Some(row.id.kind.index()) == kind && row.lanes.len() == T::LANES);
        rows.map(|row| (row.id.slot, read_public(row.lanes)))
    }
}

/// An entity of which only the public lanes are known.
fn read_public<T: Entity>(lanes: &[i32]) -> T {
    const NONE: [i32; tickwire_sync::world::MAX_LANES] = [0; tickwire_sync::world::MAX_LANES];
    T::from_row(lanes, &NONE[..T::PRIVATE_LANES], &[])
}

/// Moves one row by the typed rules of its kind. Called by `rules!`. A row of other lengths than the kind's is left as it is.
pub fn advance_row<T: Predict>(
    map: &T::Map,
    kinds: &[&'static str],
    lanes: &mut [i32],
    private_lanes: &mut [i32],
    context: &RuleContext<'_>,
) {
    if lanes.len() != T::LANES || private_lanes.len() != T::PRIVATE_LANES {
        return;
    }
    let mut entity = T::from_row(lanes, private_lanes, &[]);
    let input = T::Input::of(context.input);
    entity.advance(
        &input,
        &Nearby::new(map, context.tick, context.nearby, kinds),
    );
    entity.normalise();
    entity.with_row(|new, new_private, _| {
        lanes.copy_from_slice(new);
        private_lanes.copy_from_slice(new_private);
    });
}

/// [`Predict::REACH`] in steps of the kind's position.
#[must_use]
pub fn reach_in_steps<T: Predict>() -> u32 {
    (T::REACH * T::STEPS as f32).ceil() as u32
}

/// Declares the rules of a game in its library: the kinds that clients predict, and after `sees` the kinds that these look at beside
/// themselves.
///
/// ```ignore
/// tickwire::rules!(pub Rules = Runner, Ball; sees Wall);
/// ```
///
/// The type implements [`ModuleRules`](crate::ModuleRules): the build script makes a WebAssembly module of it, the server serves the
/// module, and every client predicts with it. All kinds have the same `Map`. The package needs a build script that calls
/// `tickwire_rules_build::rules_module("Rules")`.
#[macro_export]
macro_rules! rules {
    ($(#[$meta:meta])* $visibility:vis $name:ident = $first:ty $(, $kind:ty)* $(,)? $(; sees $($seen:ty),+ $(,)?)?) => {
        $(#[$meta])*
        #[derive(Debug)]
        $visibility struct $name {
            map: <$first as $crate::Predict>::Map,
        }

        impl $crate::TypedRules for $name {
            type Map = <$first as $crate::Predict>::Map;
            const KINDS: &'static [&'static str] = &[
                <$first as $crate::Entity>::NAME,
                $(<$kind as $crate::Entity>::NAME,)*
                $($(<$seen as $crate::Entity>::NAME,)+)?
            ];

            fn map(&self) -> &Self::Map {
                &self.map
            }
        }

        impl $crate::Rules for $name {
            fn advance(
                &self,
                kind: $crate::KindId,
                lanes: &mut [i32],
                private_lanes: &mut [i32],
                context: &$crate::RuleContext<'_>,
            ) {
                let mut own = kind.index();
                if own == 0 {
                    return $crate::advance_row::<$first>(&self.map, <Self as $crate::TypedRules>::KINDS, lanes, private_lanes, context);
                }
                $(
                    own -= 1;
                    if own == 0 {
                        return $crate::advance_row::<$kind>(&self.map, <Self as $crate::TypedRules>::KINDS, lanes, private_lanes, context);
                    }
                )*
                let _ = own;
            }

            fn nearby_reach(&self, kind: $crate::KindId) -> u32 {
                let reaches = [$crate::reach_in_steps::<$first>() $(, $crate::reach_in_steps::<$kind>())*];
                reaches.get(kind.index()).copied().unwrap_or(0)
            }
        }

        impl $crate::ModuleRules for $name {
            const HASH: u64 = $crate::parse_hash(env!("TICKWIRE_RULES_HASH", "rules! needs a build.rs that calls tickwire_rules_build::rules_module"));
            #[cfg(not(target_arch = "wasm32"))]
            const MODULE: &'static [u8] = include_bytes!(env!("TICKWIRE_RULES_WASM"));
            #[cfg(not(target_arch = "wasm32"))]
            const NOTE: &'static str = env!("TICKWIRE_RULES_NOTE");

            fn new(map: &[u8]) -> Option<Self> {
                Some(Self {
                    map: <<$first as $crate::Predict>::Map as $crate::Map>::from_bytes(map)?,
                })
            }

            fn kind(name: &str) -> Option<$crate::KindId> {
                let position = <Self as $crate::TypedRules>::KINDS.iter().position(|kind| *kind == name)?;
                u8::try_from(position).ok().map($crate::KindId)
            }
        }
    };
}

/// Reads the hash that the build script gives. Called by `rules!`.
///
/// # Panics
/// If it is no decimal number of 64 bits; then the program does not compile.
#[must_use]
pub const fn parse_hash(text: &str) -> u64 {
    let digits = text.as_bytes();
    let (mut hash, mut at) = (0_u64, 0);
    while at < digits.len() {
        assert!(
            digits[at].is_ascii_digit(),
            "TICKWIRE_RULES_HASH is not a number"
        );
        hash = hash * 10 + (digits[at] - b'0') as u64;
        at += 1;
    }
    hash
}
