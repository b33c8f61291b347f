//! Arena, a whole game: ships fly, shoot beams, collect pellets, and respawn.
//!
//! In: one [`ArenaInput`] per player and tick. Out: ships, pellets and players, and beams and kills as events. `entities`, `input`,
//! `event`, `movement`, `rocks` and `beam` are what server and clients share; `world` is the server's half. Lengths are in units,
//! which are pixels on an unscaled screen; x points right and y down.

mod beam;
mod entities;
mod event;
mod input;
mod movement;
mod rocks;
#[cfg(not(target_arch = "wasm32"))]
mod world;

pub use beam::{Beam, BeamEnd, Target, cast};
pub use entities::{Pellet, Player, Ship};
pub use event::ArenaEvent;
pub use input::{ArenaInput, Heading};
pub use rocks::{Rock, Rocks};
#[cfg(not(target_arch = "wasm32"))]
pub use world::Arena;

use tickwire::rules;

/// The game's name.
pub const NAME: &str = "arena";

/// Steps of a position in one unit.
pub const STEPS: i32 = 16;
/// Steps of a heading in one turn.
pub const TURN: i32 = 1024;
/// The side of the square world, in units.
pub const WORLD_SIDE: i32 = 4096;

/// A ship's radius, in units.
pub const SHIP_RADIUS: f32 = 16.0;
/// A ship's full health.
pub const FULL_HEALTH: i16 = 100;
/// How far a beam reaches, in units.
pub const BEAM_RANGE: f32 = 600.0;

rules!(
    /// What clients predict: how ships fly.
    pub Rules = Ship
);

/// The arena's rules, for a native client to predict with. `None` for another game, an unreadable map, or rules with another hash
/// than the server's.
#[cfg(not(target_arch = "wasm32"))]
#[must_use]
pub fn rules_for(name: &str, map: &[u8], rules_hash: u64) -> Option<Box<dyn tickwire::Rules>> {
    use tickwire::{ByKindName, Entity, ModuleRules as _};
    if name != NAME || rules_hash != Rules::HASH {
        return None;
    }
    let kinds = [Ship::NAME, Pellet::NAME, Player::NAME];
    Some(Box::new(ByKindName::<Rules>::new(kinds, map)?))
}
