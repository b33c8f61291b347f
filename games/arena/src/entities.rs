//! What there is in the arena.

use crate::{Heading, STEPS};
use tickwire::Fixed;
use tickwire::prelude::*;

/// A player's ship. It lives from spawn to death.
#[derive(Entity, Clone, PartialEq, Debug, Default)]
#[entity(placed, predicted)]
pub struct Ship {
    /// The centre.
    pub pos: Pos<STEPS>,
    /// Where the ship points.
    pub heading: Heading,
    /// Health left, 1 to [`FULL_HEALTH`](crate::FULL_HEALTH).
    #[entity(unit = "points")]
    pub health: i16,
    /// The slot of the ship's [`Player`].
    #[entity(unit = "slot of kind player")]
    pub player: u32,
    /// Velocity along x, in units per tick.
    #[entity(private, discrete, name = "velocity x", unit = "1/256 unit per tick")]
    pub velocity_x: Fixed<256>,
    /// Velocity along y, in units per tick.
    #[entity(private, discrete, name = "velocity y", unit = "1/256 unit per tick")]
    pub velocity_y: Fixed<256>,
    /// Ticks until the next beam.
    #[entity(private, unit = "ticks")]
    pub cooldown: u16,
}

/// A pellet to pick up.
#[derive(Entity, Clone, PartialEq, Debug, Default)]
#[entity(placed)]
pub struct Pellet {
    /// Where it lies.
    pub pos: Pos<STEPS>,
    /// What it adds to the score.
    #[entity(unit = "points")]
    pub worth: u8,
}

/// A player's name and score, for the whole session. Everybody sees it, however far away.
#[derive(Entity, Clone, PartialEq, Debug, Default)]
pub struct Player {
    /// Points.
    #[entity(unit = "count")]
    pub score: i32,
    /// Ships shot down.
    #[entity(unit = "count")]
    pub kills: i32,
    /// Own ships lost.
    #[entity(unit = "count")]
    pub deaths: i32,
    /// The session's number; 0 for computer players.
    #[entity(unit = "number, 0: computer")]
    pub session: u32,
    /// The name that others see.
    pub name: Text,
}
