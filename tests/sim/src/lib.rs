//! The simulator: real rooms, sessions and clients under one seeded clock and one seeded network.
//!
//! In: a seed. Out: what happened, or which promise was broken, when, and how to see it again. docs/design/simulator.md explains what
//! is real in it, what is simulated, and what is checked.
//!
//! ```sh
//! cargo run --release -p tickwire-sim -- --seeds 100 --ticks 3600 --clients 8
//! ```

mod failure;
mod game;
mod ingress;
mod invariants;
mod model;
mod network;
mod peers;
mod run;
mod settings;
mod trace;
mod world;

pub use failure::Failure;
pub use invariants::PartCounts;
pub use run::{Summary, run_seed, run_seeds};
pub use settings::Settings;
pub use world::Outcome;
