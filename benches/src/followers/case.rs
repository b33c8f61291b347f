//! One measurement: a fresh server, first without followers and then with them.

use super::http::{self, Polling};
use super::received::{Received, Sums};
use super::web_socket::Spectator;
use crate::load::case::ROLE_CORE;
use crate::load::child::{Kind, Role};
use crate::load::game::WorldSize;
use crate::load::measure::Accounts;
use hdrhistogram::Histogram;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::sleep;

const ROOM: &str = "followed";
const TICK_US: f64 = 1e6 / 60.0;
/// How long the reference may take to know the server's clock.
const MAX_CLOCK_WAIT: Duration = Duration::from_secs(10);

/// How the room is followed.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// By HTTP.
    Http(Polling),
    /// By a WebSocket spectator.
    WebSocket,
}

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// How the room is followed.
    pub way: Way,
    /// By how many.
    pub followers: usize,
    /// Ships that move in the room.
    pub ships: u32,
    /// How long to wait before counting.
    pub settle: Duration,
    /// How long to count: without followers, and with them.
    pub time: Duration,
}

/// What was measured.
pub struct Outcome {
    /// States of a newer tick that a follower got in a second.
    pub updates: f64,
    /// Bytes from the server, per update.
    pub bytes_down: f64,
    /// Bytes to the server, per update.
    pub bytes_up: f64,
    /// The server's CPU time in a second without followers, in microseconds.
    pub control_us: f64,
    /// The server's CPU time in a second with followers, in microseconds.
    pub server_us: f64,
    /// The followers' own CPU time in a second, in microseconds, with the reference.
    pub followers_us: f64,
    /// How old the newest state is that a follower has, in microseconds.
    pub staleness: Histogram<u64>,
}

impl Outcome {
    /// The server's CPU time per update, in microseconds, less what the room costs without followers.
    #[must_use]
    pub fn cpu_us(&self, followers: usize) -> f64 {
        (self.server_us - self.control_us) / (self.updates * followers as f64)
    }

    /// A quantile of the staleness, in milliseconds.
    #[must_use]
    pub fn staleness_ms(&self, quantile: f64) -> f64 {
        self.staleness.value_at_quantile(quantile) as f64 / 1e3
    }
}

impl Case {
    /// Runs the measurement, inside a [`tokio::task::LocalSet`].
    ///
    /// # Errors
    /// If the server does not start, or a follower gives up.
    pub async fn run(&self) -> io::Result<Outcome> {
        // Everybody sees all ships, as the public state shows them.
        let size = WorldSize {
            side: 1024,
            half: 100_000,
            cell: 384,
            resting: 0,
            drifting: self.ships,
        };
        let role = Role::start(Kind::Server(size), ROLE_CORE, false)?;
        let reference = Spectator::new(ROOM.to_owned(), Rc::default());
        let mut tasks = Tasks(vec![spawn_local(reference.clone().follow(role.address))]);
        let began = Instant::now();
        while reference.server_ticks().is_none() {
            tasks.check().await?;
            if began.elapsed() > MAX_CLOCK_WAIT {
                return Err(io::Error::other("the reference does not get into the room"));
            }
            sleep(Duration::from_millis(10)).await;
        }
        // The clock settles with its first pings.
        sleep(self.settle).await;
        let control = self.count(&role, &reference, &[]).await?;

        let followers: Vec<Rc<Received>> = (0..self.followers).map(|_| Rc::default()).collect();
        let mut random = fastrand::Rng::with_seed(1);
        for received in &followers {
            let (room, received) = (ROOM.to_owned(), Rc::clone(received));
            tasks.0.push(match self.way {
                Way::Http(polling) => {
                    let delay = polling.spread().mul_f64(random.f64());
                    spawn_local(http::follow(role.address, room, polling, delay, received))
                }
                Way::WebSocket => spawn_local(Spectator::new(room, received).follow(role.address)),
            });
        }
        sleep(self.settle).await;
        let counted = self.count(&role, &reference, &followers).await;
        tasks.check().await?;
        Ok(Outcome {
            control_us: control.server_us,
            ..counted?
        })
    }

    /// Counts for a while, and looks at each follower's state every few milliseconds.
    async fn count(
        &self,
        role: &Role,
        reference: &Spectator,
        followers: &[Rc<Received>],
    ) -> io::Result<Outcome> {
        let mut random = fastrand::Rng::with_seed(2);
        let mut staleness = Histogram::new_with_max(60_000_000, 3).map_err(io::Error::other)?;
        let sums = || Sums::of(followers.iter().map(|follower| &**follower));
        let (before, own_before) = (role.accounts()?, Accounts::of("self")?);
        let (began, sums_before) = (Instant::now(), sums());
        while began.elapsed() < self.time {
            // A fixed pause would look at the same few moments of each tick.
            sleep(Duration::from_millis(random.u64(2..=6))).await;
            let Some(server_ticks) = reference.server_ticks() else {
                return Err(io::Error::other(
                    "the reference has lost the server's clock",
                ));
            };
            for follower in followers {
                let ticks = server_ticks - f64::from(follower.tick());
                staleness.saturating_record((ticks * TICK_US).max(0.0) as u64);
            }
        }
        let seconds = began.elapsed().as_secs_f64();
        let (after, own_after) = (role.accounts()?, Accounts::of("self")?);
        let sums = sums().since(sums_before);
        let updates = sums.updates as f64;
        Ok(Outcome {
            updates: updates / seconds / followers.len() as f64,
            bytes_down: sums.bytes_down as f64 / updates,
            bytes_up: sums.bytes_up as f64 / updates,
            control_us: 0.0,
            server_us: (after.cpu_us - before.cpu_us) / seconds,
            followers_us: (own_after.cpu_us - own_before.cpu_us) / seconds,
            staleness,
        })
    }
}

/// Followers that run; ended with the measurement.
struct Tasks(Vec<JoinHandle<io::Result<()>>>);

impl Tasks {
    /// # Errors
    /// The error of the first follower that has given up.
    async fn check(&mut self) -> io::Result<()> {
        match self.0.iter().position(JoinHandle::is_finished) {
            Some(index) => self.0.swap_remove(index).await.map_err(io::Error::other)?,
            None => Ok(()),
        }
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}
