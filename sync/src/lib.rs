//! The state-sync core: the replicated world as a table of integers, with one immutable copy (a frame) per tick.
//!
//! In: the rows that a game publishes, inputs, acks, and times that the caller passes. Out: snapshots to send, and at the
//! client a replica of the same integers. The crate is pure and deterministic: no IO, no clock, no threads, no async. It
//! never learns of sockets or of any game.
//!
//! The modules stand in the order of the data, from a published row to another player's screen and back. Each uses only
//! modules above it.

pub mod world;

pub mod frame;

pub mod encode;

pub mod interest;

pub mod snapshot;

#[doc(hidden)]
pub mod bench_policies;

pub mod measure;

pub mod congestion;

pub mod playout;

pub mod client;

pub mod lagcomp;

pub mod input_buffer;

pub use interest::SentTicks;
pub use world::{
    CellId, EntityId, Grid, Kind, KindId, Lane, Layer, LayerSet, Micros, PlayerId, RowKey, Schema,
    Scope, Seq, Tick, TickClock, ViewTick,
};
