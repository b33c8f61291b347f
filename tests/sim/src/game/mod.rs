//! The game that the simulated rooms play, and the recorder around it.

mod commons;
mod crowd;
mod payloads;
mod recorder;
mod rows;

pub use commons::{ALL_COINS, TEAMS};
pub use payloads::{Act, Ask, Wish};
pub use recorder::{AppliedInput, Ledger, Record, RecordedGame, SharedLedger};
pub use rows::rules_for;
