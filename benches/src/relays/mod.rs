//! What relayed players cost: a real Redis, nodes and bots in processes of their own, and the kernel's accounts of each.
//!
//! [`processes`] starts and ends them, [`cluster`] waits for what they do and measures what they use. [`units`] turns two measurements into
//! the cost of one more player, and holds the model of [`crate::scaling`] to real nodes.

pub mod cluster;
pub mod processes;
pub mod units;
