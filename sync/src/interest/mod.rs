//! Interest management: which cells one client sees, and which of them a snapshot updates.
//!
//! In: the player's area of interest, the ticks that were sent, a byte budget. Out: for each cell of the view its baseline,
//! and the cells that a slow path defers. It encodes nothing itself: it asks the block cache for the sizes of blocks.

mod cell_prioritizer;
mod cell_splits;
mod client_view;
mod sent_ticks;

pub use cell_prioritizer::CellPrioritizer;
pub use client_view::{ClientView, InterestArea};
pub use sent_ticks::SentTicks;
