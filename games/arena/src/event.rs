//! What happens in the arena, and is over at once.

use crate::{STEPS, Ship};
use tickwire::prelude::*;

/// An event. Each number has four bytes: clients in other languages read it so since the first version.
#[derive(Event, Clone, Copy, PartialEq, Eq, Debug)]
#[event(fixed)]
pub enum ArenaEvent {
    /// A beam was fired. All who see any part of it are told.
    Beam {
        /// The shooter's ship.
        shooter: Id<Ship>,
        /// The number of the input that fired the beam; 0 for computer players.
        #[event(name = "input number")]
        input_number: u32,
        /// Where it starts.
        from: Pos<STEPS>,
        /// Where it ends.
        to: Pos<STEPS>,
        /// The ship that the beam hit.
        hit: Option<Id<Ship>>,
    },
    /// A ship was shot down. Everybody is told.
    Kill {
        /// The slot of the player who shot.
        #[event(unit = "slot of kind player")]
        killer: u32,
        /// The slot of the player who lost the ship.
        #[event(unit = "slot of kind player")]
        victim: u32,
    },
}
