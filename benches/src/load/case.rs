//! One measurement: a role, its players, a span of time, and the outcome.

use super::child::{Kind, Role};
use super::measure::{Accounts, Scrape};
use super::players::{Counted, Players};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The core on which the role runs.
pub const ROLE_CORE: usize = 0;
/// The core on which the players run.
pub const PLAYERS_CORE: usize = 1;

/// What is measured.
#[derive(Clone)]
pub struct Case {
    /// The role: server or floor.
    pub kind: Kind,
    /// The number of players.
    pub players: usize,
    /// How many players share a room.
    pub per_room: usize,
    /// The players' TLS configuration; `None` for plain WebSocket.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// How long to wait before counting.
    pub settle: Duration,
    /// How long to count.
    pub time: Duration,
}

/// What was measured.
pub struct Outcome {
    /// What the players counted.
    pub counted: Counted,
    /// The role's CPU time per snapshot that arrived, in microseconds.
    pub cpu_us: f64,
    /// The share of time in which the role did not use its core.
    pub role_idle: f64,
    /// The share of time in which the players did not use their core.
    pub players_idle: f64,
    /// Memory per connected player, in KiB.
    pub memory_kib: f64,
    /// The role's peak memory, in KiB.
    pub peak_kib: u64,
    /// The server's metrics before and after; `None` for the floor.
    pub metrics: Option<(Scrape, Scrape)>,
}

/// Whether every player was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// At least 59 snapshots per second for the slowest player, and 99 of 100 gaps of at most 25 ms.
    Holds,
    /// Anything less.
    Fails,
    /// The players had no time for 59 inputs per second, so the role had less to do than it should.
    Void,
}

impl Verdict {
    /// The word in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Holds => "yes",
            Self::Fails => "no",
            Self::Void => "void",
        }
    }
}

impl Outcome {
    /// The mean payload of a snapshot, in bytes.
    #[must_use]
    pub fn snapshot_bytes(&self) -> f64 {
        self.counted.bytes as f64 / self.counted.snapshots as f64
    }

    /// A quantile of the gaps between a player's snapshots, in milliseconds.
    #[must_use]
    pub fn gap_ms(&self, quantile: f64) -> f64 {
        self.counted.gaps.value_at_quantile(quantile) as f64 / 1e3
    }

    /// Whether every player was served.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.counted.inputs < 59.0 {
            return Verdict::Void;
        }
        let is_served =
            self.counted.gone == 0 && self.counted.slowest >= 59.0 && self.gap_ms(0.99) <= 25.0;
        match is_served {
            true => Verdict::Holds,
            false => Verdict::Fails,
        }
    }
}

impl Case {
    /// Runs the measurement.
    ///
    /// # Errors
    /// If the role does not start, or refuses players.
    pub fn run(&self) -> io::Result<Outcome> {
        let role = Role::start(self.kind, ROLE_CORE, self.tls.is_some())?;
        let mut players = Players::new()?;
        let per_room = self.per_room;
        let room = |index: usize| format!("load-{}", index / per_room);
        // The first player makes the server allocate what exists once, however many play.
        players.join(1.min(self.players), role.address, self.tls.as_ref(), room)?;
        players.run(Duration::from_millis(200));
        let empty = role.accounts()?;
        players.join(
            self.players.saturating_sub(1),
            role.address,
            self.tls.as_ref(),
            room,
        )?;
        players.run(self.settle);
        self.measure(&role, &mut players, empty)
    }

    /// Counts on a running role with its players.
    ///
    /// # Errors
    /// If the role has ended.
    pub fn measure(
        &self,
        role: &Role,
        players: &mut Players,
        empty: Accounts,
    ) -> io::Result<Outcome> {
        let scrape = || match role.metrics.port() {
            0 => Ok(None),
            _ => Scrape::of(role.metrics).map(Some),
        };
        let scraped = scrape()?;
        let (before, own_before) = (role.accounts()?, Accounts::of("self")?);
        let counted = players.count(self.time);
        let (after, own_after) = (role.accounts()?, Accounts::of("self")?);
        let wall_us = self.time.as_secs_f64() * 1e6;
        let role_us = after.cpu_us - before.cpu_us;
        Ok(Outcome {
            cpu_us: role_us / counted.snapshots as f64,
            role_idle: 1.0 - role_us / wall_us,
            players_idle: 1.0 - (own_after.cpu_us - own_before.cpu_us) / wall_us,
            memory_kib: after.resident_kib.saturating_sub(empty.resident_kib) as f64
                / players.len() as f64,
            peak_kib: after.peak_kib,
            metrics: scraped.zip(scrape()?),
            counted,
        })
    }
}
