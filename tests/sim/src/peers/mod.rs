//! Who connects to the simulated server: honest players with the real client, and hostile peers that send bytes.

mod hostile;
mod player;

pub use hostile::{Attack, Hostile};
pub use player::Player;
