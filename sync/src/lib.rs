//! The state-sync core: the replicated world as a table of integers, with one immutable copy (a frame) per tick.
//!
//! In: the rows that a game publishes, inputs, acks, and times that the caller passes. Out: snapshots to send, and at the
//! client a replica of the same integers. The crate is pure and deterministic: no IO, no clock, no threads, no async. It
//! never learns of sockets or of any game.
//!
//! The modules stand in the order of the data, from a published row to another player's screen and back. Each uses only
//! modules above it. Without the default feature `wire` only [`world`] is left: what the rules of a game need to know.

#[cfg_attr(
    not(feature = "wire"),
    allow(dead_code, reason = "the modules that use the rest of it are left out")
)]
pub mod world;

#[cfg(feature = "wire")]
pub mod frame;

#[cfg(feature = "wire")]
pub mod encode;

#[cfg(feature = "wire")]
pub mod interest;

#[cfg(feature = "wire")]
pub mod snapshot;

#[cfg(feature = "wire")]
#[doc(hidden)]
pub mod bench_policies;

#[cfg(feature = "wire")]
pub mod measure;

#[cfg(feature = "wire")]
pub mod congestion;

#[cfg(feature = "wire")]
pub mod playout;

#[cfg(feature = "wire")]
pub mod client;

#[cfg(feature = "wire")]
pub mod lagcomp;

#[cfg(feature = "wire")]
pub mod input_buffer;

#[cfg(feature = "wire")]
pub use interest::SentTicks;
pub use world::{
    CellId, CellPart, EntityId, Field, FieldType, Grid, InputField, Kind, KindId, Lane, Layer,
    LayerSet, Micros, PayloadKind, PlayerId, Priority, RowKey, Schema, Scope, Seq, Tick, TickClock,
    ValueType, ViewTick,
};
