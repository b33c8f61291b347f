//! The server's clock: monotonic microseconds since the process started. Every time that is sent to a client is on this clock.

use std::sync::LazyLock;
use std::time::Instant;
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
