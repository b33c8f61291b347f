//! Headless bots: a swarm of players for playtests and load.
//!
//! In: [`Options`]. Out: a [`Report`]. Each bot is one task with the client core and its native shell; what it does is a
//! [`behaviour`]. Every bot checks every view hash, so a swarm is also the proof that a server keeps its clients in sync.

pub mod behaviour;
mod bot;
mod html;
mod options;
mod pilot;
mod progress;
mod report;
mod samples;
mod shots;
mod swarm;

pub use html::page;
pub use options::{BehaviourName, EncodingName, Options, one_line};
pub use pilot::{Pilot, Stepped};
pub use report::{BotReport, Report, Spread};
pub use shots::{ShotCounts, ShotEnd, ShotRecord};
pub use swarm::run;
