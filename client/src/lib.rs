//! A Tickwire client as a pure state machine: bytes and time in, bytes and state out.
//!
//! [`Client`] holds one session: it says when to connect, joins and resumes, keeps the replica, the clocks, what the screen
//! shows and the prediction of the player's own entity. It does no IO and reads no clock, so a test or a simulator can run it
//! as fast as it likes. Its two shells bring sockets and time: `native` (tokio) and `wasm` (browsers). `examples/join.rs` is a
//! whole native client.

mod backoff;
mod client;
mod link;
mod prediction;
mod screen;
mod stats;

#[cfg(feature = "native")]
pub mod native;
#[cfg(feature = "wasm")]
mod wasm;

pub use client::{
    Action, Client, Counters, Incoming, MAX_COMMAND_BYTES, MAX_KEPT_COMMANDS, Options, Phase,
};
pub use link::LinkId;
pub use prediction::{Own, PredictionStats};
pub use screen::Shown;
pub use stats::{Percentiles, Recent};
pub use tickwire_sync::input_buffer::MAX_INPUT_BYTES;
