//! Headless bots: a swarm of players for load tests and playtests of any game.
//!
//! In: [`Options`], and a [`Playbook`] for a game that the bots know. Out: a [`Report`]. Each bot is one task with the client core and its
//! native shell; a [`Behaviour`] plays, which authors write as a [`Player`] in their game's types. Every bot checks every view hash, so a swarm also proves that a server keeps its clients in sync.

mod about;
mod behaviour;
mod bot;
mod html;
mod latency;
mod links;
mod measurements;
mod options;
mod pilot;
mod plan;
mod program;
mod progress;
mod random_inputs;
mod report;
mod scenario;
mod shot_counts;
mod swarm;
mod threshold;
mod timeline;
mod typed;

pub use about::{About, Asked};
pub use behaviour::{AnyGame, Behaviour, Idle, Playbook};
pub use html::html_page;
pub use latency::LatencyHistogram;
pub use links::LinkName;
pub use options::{BehaviourName, EncodingName, Options, one_line_error};
pub use pilot::{Pilot, StepOutcome};
pub use program::{main, main_with};
pub use random_inputs::RandomInputs;
pub use report::{BotReport, MergeError, PercentilesMs, PhaseReport, Report};
pub use scenario::Scenario;
pub use shot_counts::ShotCounts;
pub use swarm::run;
pub use threshold::{Threshold, ThresholdError, Verdict};
pub use timeline::{Counts, Latencies, Slice};
pub use typed::{Own, Player, Screen, played_by};
