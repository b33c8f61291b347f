//! Frames: one immutable copy of the replicated world per tick.
//!
//! In: every row that exists, once a tick, through a [`Publisher`]. Out: a [`History`] of [`Frame`]s, and for the newest one
//! what changed. A published frame never changes.

mod cell_members;
mod chunk;
mod events;
mod history;
mod immutable_frame;
mod owned_rows;
mod publisher;
mod working_frame;

pub use events::{Event, Events, MAX_EVENT_AGE_TICKS, MAX_EVENTS_PER_CELL};
pub use history::{History, MIN_HISTORY_FRAMES};
pub use immutable_frame::Frame;
pub use owned_rows::OwnedRows;
pub use publisher::Publisher;
