//! A Tickwire client as a pure state machine: bytes and time in, bytes and state out.
//!
//! [`Client`] holds one session: it decides when to connect, joins and resumes, and keeps the replica, the clocks, the
//! interpolation buffer and the prediction of the player's own entity. It does no IO and reads no clock, so a test or a simulator
//! can run it as fast as it likes. Two shells bring sockets and time: `native` (tokio) and `wasm` (browsers). `examples/join.rs`
//! is a complete native client.

mod client;
mod interpolation;
mod prediction;
mod stats;
#[cfg(test)]
mod test_game;

#[cfg(feature = "native")]
pub mod native;
#[cfg(feature = "wasm")]
mod wasm;

pub use client::{
    Action, Client, Counters, LinkId, MAX_COMMAND_BYTES, MAX_KEPT_COMMANDS, ModuleError, Options,
    Phase, SessionEvent, WantedRules,
};
pub use interpolation::ShownEntity;
pub use prediction::{
    Correction, CorrectionCause, ErrorHistogram, PredictedState, PredictionStats,
};
pub use stats::{Percentiles, RecentSamples};
pub use tickwire_sync::input_buffer::MAX_INPUT_BYTES;
