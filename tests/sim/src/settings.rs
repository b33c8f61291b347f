//! What a run is: its seed and size, and what the seed makes of the room.

use tickwire_sync::Micros;
use tickwire_sync::bench_policies::WindowPolicy;

/// The settings of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The seed of everything.
    pub seed: u64,
    /// Ticks to run.
    pub ticks: u32,
    /// Honest clients.
    pub clients: usize,
}

/// What the seed chooses for the whole run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Ticks per second.
    pub tick_rate: u32,
    /// Hostile peers.
    pub hostiles: usize,
    /// Whether hostile peers go on while the network is healthy.
    pub hostiles_never_rest: bool,
    /// Sessions that a room takes.
    pub max_players: usize,
    /// How long a session waits for its player.
    pub resume_window: Micros,
    /// Whether congestion windows defer snapshots.
    pub window_policy: WindowPolicy,
    /// The mean time from one fault of a client's to the next.
    pub fault_interval: Micros,
    /// The mean time from one hitch of the server's to the next.
    pub hitch_interval: Micros,
    /// Whether the server restarts at times.
    pub has_restarts: bool,
    /// Whether rooms are saved with their sessions, and go on after a restart.
    pub keeps_rooms: bool,
    /// Walkers that come at once to one cell, which then goes in parts behind a thin line; 0: there are no crowds.
    pub crowd_size: u32,
}

/// How long faults go on before the network heals.
pub const STORM: Micros = Micros::from_millis(18_000);
/// How long the network is healthy then: longer than the longest pause before a client tries again, which is 30 s. At its end every
/// honest client must be in and fresh.
pub const CALM: Micros = Micros::from_millis(40_000);

impl Plan {
    /// What the seed chooses.
    #[must_use]
    pub fn new(settings: Settings, random: &mut fastrand::Rng) -> Self {
        let tick_rate = [10, 20, 30, 60, 60, 60, 128][random.usize(0..7)];
        let hostiles = random.usize(0..=3);
        let is_tight = random.bool();
        let window_policy = if random.u8(0..5) == 0 {
            WindowPolicy::Open
        } else {
            WindowPolicy::FollowPath
        };
        // Without a congestion window a crowd would only queue.
        let has_crowds = random.bool() && window_policy == WindowPolicy::FollowPath;
        Self {
            tick_rate,
            hostiles,
            hostiles_never_rest: random.bool(),
            // Each address may have one session that is connected and one that waits for its player; nobody can make it give these up.
            max_players: 2 * (settings.clients + hostiles) + if is_tight { 1 } else { 64 },
            resume_window: Micros::from_millis([2_000, 10_000, 60_000][random.usize(0..3)]),
            window_policy,
            fault_interval: Micros::from_millis([1_000, 4_000, 12_000][random.usize(0..3)]),
            hitch_interval: Micros::from_millis([1_000, 5_000, 30_000][random.usize(0..3)]),
            has_restarts: random.bool(),
            crowd_size: if has_crowds { random.u32(150..600) } else { 0 },
            keeps_rooms: random.bool(),
        }
    }
}
