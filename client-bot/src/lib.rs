//! Headless bots: a swarm of players for load tests and playtests.
//!
//! In: [`Options`]. Out: a [`Report`]. Each bot is one task with the client core and its native shell; a [`behaviour`] plays. Every
//! bot checks every view hash, so a swarm also proves that a server keeps its clients in sync.

pub mod behaviour;
mod bot;
mod html;
mod latency;
mod measurements;
mod options;
mod pilot;
mod progress;
mod random_inputs;
mod report;
mod shots;
mod swarm;

pub use html::html_page;
pub use options::{BehaviourName, EncodingName, Options, one_line_error};
pub use pilot::{Pilot, StepOutcome};
pub use random_inputs::RandomInputs;
pub use report::{BotReport, PercentilesMs, Report};
pub use shots::{ShotCounts, ShotRecord, ShotVerdict};
pub use swarm::run;
