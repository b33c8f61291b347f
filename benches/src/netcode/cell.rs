//! The matrix: lines, policies, forgers, and the cells that they make.

use super::line::{Line, Stalls};
use tickwire_sync::Micros;
use tickwire_sync::claim::ViewPolicy;

/// One run of the simulator.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Everybody's line.
    pub line: Line,
    /// How the server treats claims.
    pub policy: ViewPolicy,
    /// How every other bot cheats.
    pub forgery: Forgery,
    /// Dueling bots.
    pub bots: u32,
    /// Game time before anything is counted: clocks settle.
    pub settle: Micros,
    /// Game time that is counted.
    pub length: Micros,
    /// How often in a tick the server looks into its sockets; 0: it has each message at once.
    pub reads_per_tick: u32,
    /// 1: ticks are made when they are due. More: the server has too much to do, makes so many at a time, and shows the newest.
    pub ticks_together: u32,
    /// Seed of everything random.
    pub seed: u64,
}

/// How a client cheats with the moment that it claims its screen showed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forgery {
    /// Not at all.
    None,
    /// Claims a screen older by so many ticks than the true one, whatever it aims at (`tickwire-bot --forge-view`).
    Claims(u32),
    /// Fires when a shot would have hit up to so many ticks ago, and claims that moment: what a cheat would really do.
    Hindsight(u32),
}

/// A claim that is 250 ms older than the truth, in ticks.
pub const FORGED_TICKS: u32 = 15;

impl Cell {
    /// Whether a bot cheats: every other one does, and is held against the same one of an honest run.
    #[must_use]
    pub fn forges(&self, bot: u32) -> bool {
        self.forgery != Forgery::None && bot.is_multiple_of(2)
    }
}

const fn line(name: &'static str, latency_ms: u64, jitter_ms: u64) -> Line {
    Line {
        name,
        latency: Micros::from_millis(latency_ms),
        jitter: Micros::from_millis(jitter_ms),
        stalls: None,
    }
}

/// The lines of the table, each way.
pub const LINES: [Line; 5] = [
    line("0 ms", 0, 0),
    line("40 ± 5 ms", 40, 5),
    line("100 ± 20 ms", 100, 20),
    line("120 ms", 120, 0),
    Line {
        stalls: Some(Stalls {
            every: Micros::from_millis(3_000),
            length: Micros::from_millis(200),
        }),
        ..line("40 ms, stalls", 40, 0)
    },
];

/// The policies of the table.
pub const POLICIES: [ViewPolicy; 4] = [
    ViewPolicy::Clamped,
    ViewPolicy::NoCompensation,
    ViewPolicy::HalfRoundTrip,
    ViewPolicy::TrustClaim,
];

/// The name of a policy in tables.
#[must_use]
pub fn policy_name(policy: ViewPolicy) -> &'static str {
    match policy {
        ViewPolicy::Clamped => "ours",
        ViewPolicy::NoCompensation => "no compensation",
        ViewPolicy::HalfRoundTrip => "RTT/2 alone",
        ViewPolicy::TrustClaim => "trust the claim",
    }
}
