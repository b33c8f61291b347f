//! Congestion control: whether another snapshot may go to one client now, and how large it may be.
//!
//! In: what was sent and when, and what the client's inputs ack. Out: yes or no, and a byte budget. A snapshot that
//! must wait is not queued but not built, and the next one spans the gap. docs/design/congestion-window.md explains it.

mod base_delay;
mod delay;
mod in_flight;
mod mode;
mod path;
mod sent_record;
mod window;
mod windowed_min;

pub use in_flight::MAX_BYTES_IN_FLIGHT;
pub use window::{CongestionWindow, PathEstimate, SILENT_AFTER, SILENT_BYTES_PER_SECOND};
