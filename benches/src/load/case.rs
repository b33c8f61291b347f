//! One measurement: a role, players on it, a stretch of time, and what it came to.

use super::child::{Kind, Role};
use super::measure::{Accounts, Scrape};
use super::players::{Counted, Players};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The core of the role, and that of the players.
pub const ROLE_CORE: usize = 0;
/// See [`ROLE_CORE`].
pub const PLAYERS_CORE: usize = 1;

/// What is measured.
#[derive(Clone)]
pub struct Case {
    /// Server or floor.
    pub kind: Kind,
    /// How many play.
    pub players: usize,
    /// How many share a room.
    pub per_room: usize,
    /// The players' TLS; none: plain.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// Before counting begins.
    pub settle: Duration,
    /// How long it is counted.
    pub time: Duration,
}

/// What it came to.
pub struct Outcome {
    /// What the players counted.
    pub counted: Counted,
    /// Role's time on a core per snapshot that arrived, in microseconds.
    pub cpu_us: f64,
    /// Share of the time in which the role's core had nothing to do for it.
    pub role_idle: f64,
    /// The same for the players.
    pub players_idle: f64,
    /// Memory per connected player, in KiB.
    pub memory_kib: f64,
    /// The role's peak memory, in KiB.
    pub peak_kib: u64,
    /// The server's own numbers before and after; none for the floor.
    pub metrics: Option<(Scrape, Scrape)>,
}

/// Whether everybody was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// 59 snapshots a second for the slowest, gaps of at most 25 ms for 99 of 100.
    Holds,
    /// Less than that.
    Fails,
    /// The players did not find the time for 59 inputs a second, so the role had less to do than it should.
    Void,
}

impl Verdict {
    /// As in the table.
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
    /// Payload bytes of a snapshot.
    #[must_use]
    pub fn snapshot_bytes(&self) -> f64 {
        self.counted.bytes as f64 / self.counted.snapshots as f64
    }

    /// A quantile of the gaps between a player's snapshots, in milliseconds.
    #[must_use]
    pub fn gap_ms(&self, quantile: f64) -> f64 {
        self.counted.gaps.value_at_quantile(quantile) as f64 / 1e3
    }

    /// Whether everybody was served.
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
    /// Runs it.
    ///
    /// # Errors
    /// If a role doesn't start, or refuses players.
    pub fn run(&self) -> io::Result<Outcome> {
        let role = Role::start(self.kind, ROLE_CORE, self.tls.is_some())?;
        let mut players = Players::new()?;
        let per_room = self.per_room;
        let room = |index: usize| format!("load-{}", index / per_room);
        // The first one makes what exists once, whoever comes.
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

    /// Counts on a role that runs, with players who play.
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
