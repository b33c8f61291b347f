//! The view clock: which moment of the world a screen shows.
//!
//! In: when snapshots came. Out: a moment, late enough that nearly every snapshot has come before it is needed: behind the quickest
//! arrival by one tick (or the pause between snapshots, where the line is thin) and the 99th percentile of the jitter. It slews by a few percent. In a stall it runs on for a few ticks past the newest
//! snapshot, then stands still; when snapshots come again, it catches up at one and a half times the speed instead of jumping.

use crate::claim::{MAX_AHEAD, RETURN_RATE};
use crate::ids::{Micros, Tick, ViewTick};
use crate::jitter::{self, Jitter};

/// Snapshots that are remembered: about four seconds.
const MEMORY: usize = jitter::MAX_BLOCKS;
/// What comes after a longer pause than this, in ticks, is shown without waiting for the next.
const MOST_APART: u32 = 6;
/// By how much the shown time may run faster or slower.
const MAX_SLEW: f64 = 0.05;
/// Most of a gap is closed within so many ticks, as far as the slew allows.
const CLOSING: f64 = 30.0;
/// Beyond so many ticks the shown moment jumps.
const JUMP: f64 = 30.0;

/// See the module's head. Counts in ticks.
#[derive(Clone, Debug)]
pub struct ViewClock {
    tick_us: f64,
    /// The snapshots' arrivals, on the client's clock.
    arrivals: Jitter<MEMORY>,
    /// What is shown: the lateness that it corresponds to slews towards what is wanted.
    lateness: Option<f64>,
    /// By how much it is behind that, as it had to stand still.
    behind: f64,
    at: Micros,
    newest: Tick,
}

impl ViewClock {
    /// A clock that has seen nothing.
    #[must_use]
    pub fn new(tick_rate: u32) -> Self {
        Self {
            tick_us: 1e6 / f64::from(tick_rate.max(1)),
            arrivals: Jitter::default(),
            lateness: None,
            behind: 0.0,
            at: Micros(0),
            newest: Tick(0),
        }
    }

    /// Takes the arrival of a snapshot.
    pub fn arrived(&mut self, tick: Tick, now: Micros) {
        // Before the first one there was no pause.
        let pause = if self.arrivals.is_empty() {
            1
        } else {
            tick.since(self.newest).min(MOST_APART)
        };
        let before = Tick(tick.0.saturating_sub(pause));
        self.arrivals.arrived(tick, before, self.in_ticks(now));
        self.newest = tick;
    }

    /// The moment to show at `now`; `None` before the first snapshot. Never goes back, but for a jump.
    pub fn advance(&mut self, now: Micros) -> Option<ViewTick> {
        if self.arrivals.is_empty() {
            return None;
        }
        let elapsed = now.since(self.at).0 as f64 / self.tick_us;
        self.at = now;
        let wanted = self.arrivals.high();
        let error = self
            .lateness
            .map_or(f64::INFINITY, |lateness| wanted - lateness);
        let lateness = match self.lateness {
            Some(lateness) if error.abs() < JUMP => {
                let step = error * (elapsed / CLOSING).min(1.0);
                lateness + step.clamp(-elapsed * MAX_SLEW, elapsed * MAX_SLEW)
            }
            _ => wanted,
        };
        self.lateness = Some(lateness);
        let running = self.in_ticks(now) - lateness;
        let standing = running - f64::from(self.newest.0) - MAX_AHEAD;
        self.behind = (self.behind - elapsed * RETURN_RATE).max(standing).max(0.0);
        // After a long silence there is nothing to catch up with smoothly.
        if standing <= 0.0 && self.behind > JUMP {
            self.behind = 0.0;
        }
        Some(ViewTick::from_ticks(running - self.behind))
    }

    /// How far behind the quickest arrival the shown moment is, in milliseconds.
    #[must_use]
    pub fn delay_ms(&self) -> Option<f64> {
        self.lateness
            .map(|lateness| (lateness + self.behind - self.arrivals.least()) * self.tick_us / 1e3)
    }

    /// The 99th percentile of the arrivals' jitter, in milliseconds: what the delay is longer than a tick.
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
    fn without_jitter_the_screen_is_one_tick_behind_from_the_first_snapshot_on() {
        let mut clock = ViewClock::new(60);
        for tick in 100..400_u32 {
            let now = at(f64::from(tick) + 3.0);
            clock.arrived(Tick(tick), now);
            clock.advance(now);
            let delay = clock.delay_ms().unwrap() / (TICK_US / 1e3);
            assert!((0.95..1.05).contains(&delay), "{delay} at {tick}");
        }
    }

    #[test]
    fn a_stall_is_run_over_for_a_few_ticks_and_caught_up_with_smoothly() {
        let mut clock = ViewClock::new(60);
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
                clock.arrived(Tick(newest), at(now));
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
