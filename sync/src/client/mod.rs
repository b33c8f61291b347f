//! The client's half: from bytes to rows, and the clocks that say what to show and when to send.
//!
//! In: snapshots, and times on the client's clock. Out: the same integers as the server's frame, checked by the view hash.
//! Nothing that comes from a network makes it panic.

mod clocks;
mod interpolation_clock;
mod replica;

pub use clocks::{InputClock, ServerClock};
pub use interpolation_clock::InterpolationClock;
pub use replica::{ApplyOutcome, Lanes, ReceivedEvent, Replica, ReplicaError, Row, RowObserver};
