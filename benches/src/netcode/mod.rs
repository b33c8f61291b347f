//! The netcode simulator: dueling bots in simulated time, over lines as people have them.
//!
//! `cell` names the lines, policies and cheats of the matrix, `world` runs one cell, `outcome` holds what it has shown, and
//! `report` and `plot` write them down. `line` and `link` stand in for the network, `cover` looks at shots from the victim's side.

mod cell;
mod cover;
mod line;
mod link;
mod matrix;
mod outcome;
mod plot;
mod report;
mod world;

pub use cell::{Cell, FORGED_TICKS, Forgery, LINES, POLICIES, policy_name};
pub use line::{Line, Stalls};
pub use matrix::{Done, Settings, cells, run};
pub use outcome::{Outcome, Shot, Tally};
pub use plot::plot;
pub use report::table;
pub use world::World;
