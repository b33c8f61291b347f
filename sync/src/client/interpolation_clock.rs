//! The interpolation clock: which moment of the world a screen shows.
//!
//! In: when snapshots came. Out: a moment late enough that nearly every snapshot has come before it is needed. It lags the
//! fastest arrival by one tick (or by the pause between snapshots, where the path does not carry one in every tick) plus the
//! 99th percentile of the jitter, and slews by a few percent. In a stall it runs a few ticks past the newest snapshot, then
//! freezes. When snapshots come again, it catches up at one and a half times the speed instead of jumping.

use crate::measure::{JitterEstimator, MAX_BUCKETS};
use crate::playout::{CATCH_UP_RATE, MAX_EXTRAPOLATION_TICKS};
use crate::world::{Micros, Tick, ViewTick};

/// After a pause longer than this many ticks, a snapshot is shown without waiting for the next one.
const MAX_PAUSE_TICKS: u32 = 6;
/// The largest part by which the clock runs faster or slower.
const MAX_SLEW: f64 = 0.05;
/// The clock aims to close a gap within this many ticks, as far as the slew allows.
const CLOSING_TICKS: f64 = 30.0;
/// The clock jumps over a gap beyond this many ticks.
const JUMP_TICKS: f64 = 30.0;

/// Says which moment of the world to show. Counts in ticks.
#[derive(Clone, Debug)]
pub struct InterpolationClock {
    tick_us: f64,
    /// The jitter of snapshots, on the client's clock. Remembers about four seconds.
    arrivals: JitterEstimator<MAX_BUCKETS>,
    /// The lateness of the shown moment, which slews towards the wanted one.
    lateness: Option<f64>,
    /// How far the clock is behind that after it froze.
    behind: f64,
    at: Micros,
    newest: Tick,
}

impl InterpolationClock {
    /// A clock that has seen no snapshot. `tick_rate` is in ticks per second.
    #[must_use]
    pub fn new(tick_rate: u32) -> Self {
        Self {
            tick_us: 1e6 / f64::from(tick_rate.max(1)),
            arrivals: JitterEstimator::default(),
            lateness: None,
            behind: 0.0,
            at: Micros(0),
            newest: Tick(0),
        }
    }

    /// Notes the arrival of a snapshot.
    pub fn on_snapshot(&mut self, tick: Tick, now: Micros) {
        // There is no pause before the first snapshot.
        let pause = if self.arrivals.is_empty() {
            1
        } else {
            tick.since(self.newest).min(MAX_PAUSE_TICKS)
        };
        let before = Tick(tick.0.saturating_sub(pause));
        self.arrivals.record(tick, before, self.in_ticks(now));
        self.newest = tick;
    }

    /// The moment to show at `now`; `None` before the first snapshot. Never goes back, except in a jump.
    pub fn advance(&mut self, now: Micros) -> Option<ViewTick> {
        if self.arrivals.is_empty() {
            return None;
        }
        let elapsed = now.since(self.at).0 as f64 / self.tick_us;
        self.at = now;
        let wanted = self.arrivals.playout_lateness();
        let error = self
            .lateness
            .map_or(f64::INFINITY, |lateness| wanted - lateness);
        let lateness = match self.lateness {
            Some(lateness) if error.abs() < JUMP_TICKS => {
                let step = error * (elapsed / CLOSING_TICKS).min(1.0);
                let max_step = elapsed * MAX_SLEW;
                // Not `clamp`: its panic prints the bounds, and printing floats makes the browser's module 8 KB larger.
                lateness + step.max(-max_step).min(max_step)
            }
            _ => wanted,
        };
        self.lateness = Some(lateness);
        let running = self.in_ticks(now) - lateness;
        let over_limit = running - f64::from(self.newest.0) - MAX_EXTRAPOLATION_TICKS;
        self.behind = (self.behind - elapsed * CATCH_UP_RATE)
            .max(over_limit)
            .max(0.0);
        // After a long silence there is nothing to catch up with smoothly.
        if over_limit <= 0.0 && self.behind > JUMP_TICKS {
            self.behind = 0.0;
        }
        Some(ViewTick::from_ticks(running - self.behind))
    }

    /// The interpolation delay: how far the shown moment is behind the quickest arrival, in milliseconds.
    #[must_use]
    pub fn delay_ms(&self) -> Option<f64> {
        self.lateness.map(|lateness| {
            (lateness + self.behind - self.arrivals.min_lateness()) * self.tick_us / 1e3
        })
    }

    /// The 99th percentile of the snapshots' jitter, in milliseconds: by how much the delay exceeds one tick.
    #[must_use]
    pub fn jitter_ms(&self) -> f64 {
        (self.arrivals.delay() - 1.0).max(0.0) * self.tick_us / 1e3
    }

    fn in_ticks(&self, now: Micros) -> f64 {
        now.0 as f64 / self.tick_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK_US: f64 = 1e6 / 60.0;

    fn at(tick: f64) -> Micros {
        Micros((tick * TICK_US) as u64)
    }

    #[test]
    fn without_jitter_the_screen_is_one_tick_behind() {
        let mut clock = InterpolationClock::new(60);
        for tick in 100..400_u32 {
            let now = at(f64::from(tick) + 3.0);
            clock.on_snapshot(Tick(tick), now);
            clock.advance(now);
            let delay = clock.delay_ms().unwrap() / (TICK_US / 1e3);
            assert!((0.95..1.05).contains(&delay), "{delay} at {tick}");
        }
    }

    #[test]
    fn a_stall_is_extrapolated_and_then_caught_up_smoothly() {
        let mut clock = InterpolationClock::new(60);
        let mut newest = 0;
        let mut before = None;
        let mut most_ahead = 0.0_f64;
        for step in 400..4_000_u32 {
            // Four looks a tick; a stall of 20 ticks at tick 500.
            let now = f64::from(step) / 4.0;
            let arrived = if (500.0..520.0).contains(&now) {
                500
            } else {
                now as u32
            };
            while newest < arrived {
                newest = if newest == 0 { arrived } else { newest + 1 };
                clock.on_snapshot(Tick(newest), at(now));
            }
            let view = clock.advance(at(now)).unwrap().as_ticks();
            if let Some(before) = before.replace(view) {
                let speed = (view - before) * 4.0;
                assert!((-0.05..=1.6).contains(&speed), "{speed} at {now}");
            }
            most_ahead = most_ahead.max(view - f64::from(newest));
        }
        assert!((5.9..6.1).contains(&most_ahead), "{most_ahead}");
        let delay = clock.delay_ms().unwrap() / (TICK_US / 1e3);
        assert!(delay < 1.5, "{delay}");
    }
}
