//! The cells of the matrix: lines, policies and cheats.

use super::line::{Line, Stalls};
use tickwire_sync::Micros;
use tickwire_sync::bench_policies::ViewPolicy;

/// One run of the simulator.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The line of every bot.
    pub line: Line,
    /// How the server resolves claimed views.
    pub policy: ViewPolicy,
    /// How every other bot cheats.
    pub forgery: Forgery,
    /// Duelling bots.
    pub bots: u32,
    /// Game time before counting, in which clocks settle.
    pub settle: Micros,
    /// Game time that is counted.
    pub length: Micros,
    /// How often per tick the server reads its sockets; 0: it has each message at once.
    pub reads_per_tick: u32,
    /// 1: each tick is made when it is due. More: the server is overloaded, makes this many at a time, and shows the newest.
    pub ticks_together: u32,
    /// The seed of everything random.
    pub seed: u64,
}

/// How a client forges the view that it claims.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forgery {
    /// Not at all.
    None,
    /// Claims a view this many ticks older than the true one, whatever it aims at (`tickwire-bot --forge-view`).
    Claims(u32),
    /// Fires when a shot would have hit up to this many ticks ago, and claims that view: what a real cheat would do.
    Hindsight(u32),
    /// Takes in snapshots and pings this many ticks later than its system does, sends its inputs at once, and shoots at what that old
    /// screen shows (`tickwire-bot --hold-incoming`).
    HeldLine(u32),
}

/// A claim that is 250 ms older than the truth, in ticks.
pub const FORGED_TICKS: u32 = 15;
/// A line that is held back by 200 ms, in ticks.
pub const HELD_TICKS: u32 = 12;

impl Cell {
    /// Whether a bot cheats. Every other one does, and is compared with the same bot of an honest run.
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

/// The lines of the table. Delays are each way.
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
