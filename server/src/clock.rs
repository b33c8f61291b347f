//! The server's clock: monotonic microseconds since the process started. Every time that is sent to a client is on this clock.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime};
use tickwire_sync::Micros;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The present time.
#[must_use]
pub fn now() -> Micros {
    at(Instant::now())
}

/// `moment` on this clock; 0 for moments before the start.
#[must_use]
pub fn at(moment: Instant) -> Micros {
    Micros(moment.saturating_duration_since(*START).as_micros() as u64)
}

/// The wall's clock, which may step: milliseconds since 1970. Only what outlives the process has times of this clock.
#[must_use]
pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}
