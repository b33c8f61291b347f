//! The netcode simulator: duelling bots in simulated time, over lines as people have them.
//!
//! `cell` names the lines, policies and cheats of the matrix. `world` runs one cell, `outcome` holds its result, `report` and
//! `plot` write it down. `line` and `link` stand in for the network. `cover` judges shots from the victim's side.

mod cell;
mod cover;
mod line;
mod link;
mod matrix;
mod outcome;
mod plot;
mod report;
mod world;

pub use cell::{Cell, FORGED_TICKS, Forgery, HELD_TICKS, LINES, POLICIES, policy_name};
pub use line::{Line, Stalls};
pub use matrix::{Done, Settings, cells, run};
pub use outcome::{Outcome, Shot, Tally};
pub use plot::plot;
pub use report::table;
pub use world::World;

/// Ticks per second.
const TICK_RATE: u32 = 60;
