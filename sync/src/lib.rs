//! The state-sync core: the replicated world as a table of integers, one immutable copy a tick.
//!
//! In: rows that a game publishes, inputs, acknowledgements, times that the caller passes. Out: snapshots to send, and
//! at the other end a replica of the same integers. Pure and deterministic: no IO, no clock, no threads, no async; this
//! crate never learns of sockets or of any game. The modules below stand in the order in which data flows.

// What the world is made of.
mod grid;
mod ids;
pub mod schema;

// The server's half: from published rows to bytes.
mod delta;
mod draft;
pub mod event;
pub mod fill;
pub mod frame;
pub mod hash;
pub mod history;
mod least;
mod members;
pub mod memo;
pub mod packed;
mod path;
mod plain;
mod ring;
mod sent_ticks;
pub mod snapshot;
mod strip;
pub mod view;
pub mod window;

// The way back: inputs, and what the shooter's screen showed.
pub mod claim;
pub mod input_buffer;
pub mod jitter;
pub mod rewind;

// The client's half: from bytes to rows, and the clocks.
pub mod clock;
pub mod replica;
pub mod view_clock;

mod wire;

pub use grid::{CellId, Grid, Layer, LayerSet};
pub use ids::{EntityId, KindId, Micros, PlayerId, RowKey, Seq, Tick, ViewTick};
pub use schema::{Kind, Lane, Schema};
pub use sent_ticks::SentTicks;
