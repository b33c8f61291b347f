//! A broken promise: which one, when, of whom, how to see it again, and what happened before.

use crate::model::{Peer, SessionKey};
use crate::settings::Settings;
use std::fmt;
use thiserror::Error;
use tickwire_sync::{Micros, Tick};

/// A broken promise.
#[derive(Clone, Debug, Error)]
pub struct Failure {
    /// The run.
    pub settings: Settings,
    /// The name of the invariant.
    pub invariant: &'static str,
    /// The room's newest tick.
    pub tick: Tick,
    /// The simulated time.
    pub at: Micros,
    /// The session, if it is about one.
    pub session: Option<SessionKey>,
    /// Who is at its other end.
    pub peer: Option<Peer>,
    /// What is wrong.
    pub message: String,
    /// The latest events of those involved, oldest first.
    pub trace: Vec<String>,
}

impl Failure {
    /// The command that runs this seed again.
    #[must_use]
    pub fn command(&self) -> String {
        let Settings {
            seed,
            ticks,
            clients,
        } = self.settings;
        format!(
            "cargo run --release -p tickwire-sim -- --seed {seed} --seeds 1 --ticks {ticks} --clients {clients}"
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "  {line}")?;
        }
        let seconds = self.at.0 as f64 / 1e6;
        write!(
            f,
            "{} is broken: seed {}, tick {}, {seconds:.4} s",
            self.invariant, self.settings.seed, self.tick
        )?;
        if let Some(session) = self.session {
            write!(f, ", {session}")?;
        }
        if let Some(peer) = self.peer {
            write!(f, " ({peer:?})")?;
        }
        writeln!(f, "\n  {}", self.message)?;
        write!(f, "  again: {}", self.command())
    }
}
