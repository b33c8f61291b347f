//! The tick clock: when each tick is due on the server's clock.

use super::ids::Tick;

/// Converts between ticks and the server's clock.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TickClock {
    /// When tick 0 was due, in microseconds on the server's clock; may be negative.
    pub tick_zero_us: i64,
    /// Ticks per second, at least 1.
    pub tick_rate: u32,
}

impl TickClock {
    /// The length of a tick, in microseconds.
    #[must_use]
    pub fn tick_us(&self) -> f64 {
        1e6 / f64::from(self.tick_rate.max(1))
    }

    /// When a tick is due, in microseconds on the server's clock.
    #[must_use]
    pub fn due_us(&self, tick: Tick) -> f64 {
        self.tick_zero_us as f64 + f64::from(tick.0) * self.tick_us()
    }

    /// The position on the tick axis at a moment of the server's clock, in ticks with a fraction.
    #[must_use]
    pub fn ticks_at(&self, server_us: f64) -> f64 {
        (server_us - self.tick_zero_us as f64) / self.tick_us()
    }
}
