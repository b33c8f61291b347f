//! The server's clock: microseconds since the process started, monotonic. Everything that clients hear of time is on it.

use std::sync::LazyLock;
use std::time::Instant;
use tickwire_sync::Micros;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Now.
#[must_use]
pub fn now() -> Micros {
    at(Instant::now())
}

/// Another moment on this clock; 0 for what was before it.
#[must_use]
pub fn at(moment: Instant) -> Micros {
    Micros(moment.saturating_duration_since(*START).as_micros() as u64)
}
