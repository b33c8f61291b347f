//! The server's clock: monotonic microseconds since the process started; in a cluster, since 1970. Every time that is sent to a client is on
//! this clock.
//!
//! The nodes of a cluster begin from their walls' clocks, so a room that goes on at another node keeps its clock, but for what the walls'
//! clocks differ by. Clients follow that as they follow any drift.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime};
use tickwire_sync::Micros;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);
/// The clock at [`START`], in microseconds.
static AT_START: AtomicU64 = AtomicU64::new(0);

/// The process is about to join a cluster. Must be called before anything remembers a time of this clock.
pub fn begin_with_the_wall() {
    let since_start = START.elapsed().as_micros() as u64;
    let unix_us = unix_ms() * 1_000;
    AT_START.store(unix_us.saturating_sub(since_start), Ordering::Relaxed);
}

/// The present time.
#[must_use]
pub fn now() -> Micros {
    at(Instant::now())
}

/// `moment` on this clock; the clock at the start for moments before that.
#[must_use]
pub fn at(moment: Instant) -> Micros {
    let since_start = moment.saturating_duration_since(*START).as_micros() as u64;
    Micros(AT_START.load(Ordering::Relaxed) + since_start)
}

/// The wall's clock, which may step: milliseconds since 1970. Only what outlives the process has times of this clock.
#[must_use]
pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}
