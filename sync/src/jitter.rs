//! How regularly something arrives that is made once a tick or less often, and how far behind the quickest arrival one must stay to
//! have the next in time: at least by the pause between two, and by the jitter.
//!
//! In: for each arrival its tick, the tick of the one before it, and when it came. Out: that delay, of the 99th percentile. Client
//! and server measure with the same function, so that a server can tell what delay a client's screen needs.
//!
//! A stall is not jitter: TCP holds everything back for a while, and then all of it comes at once. Who took that for jitter would
//! show the world 200 ms late for the sake of one stall in three seconds. So what comes in such a burst is left out, unless
//! there is so much of it that the path itself has changed.

use crate::ids::Tick;
use std::collections::VecDeque;

/// In ticks: what comes this much later than the one before it had stalled.
const STALL: f64 = 3.5;
/// In ticks: what follows sooner than this after a stalled one was held back by the same stall.
const BURST_GAP: f64 = 0.5;
/// If more than one in so many was stalled, then that is how the path is. Stalls of 200 ms that come by chance every three seconds
/// are three in four seconds often enough, which is one in seven.
const MOST_STALLED: usize = 4;
/// Arrivals between two looks at the percentiles, once there are some.
const LOOK_INTERVAL: u32 = 16;
/// As long as there are fewer arrivals than this, every one is looked at.
const FEW: usize = 32;
/// The most arrivals that are remembered.
pub const MAX_ARRIVALS: usize = 256;
/// The percentile that counts.
const PERCENTILE: usize = 99;
/// As many of [`MAX_ARRIVALS`] are at the percentile or above it.
const MOST_ABOVE: usize = MAX_ARRIVALS - (MAX_ARRIVALS - 1) * PERCENTILE / 100;
/// Parts of a tick in which arrivals are remembered, 65 us each at 60 ticks a second: a server keeps three of these for every client.
const PARTS: f64 = 256.0;

/// See the module's head. Times are in ticks, on any one clock.
#[derive(Clone, Debug)]
pub struct Jitter {
    capacity: usize,
    arrivals: VecDeque<Arrival>,
    /// How many of them had stalled.
    stalled: usize,
    /// The lateness that all others are counted from.
    origin: f64,
    newest: Option<(Tick, f64)>,
    in_stall: bool,
    since_look: u32,
    least: f64,
    high: f64,
}

#[derive(Clone, Copy, Debug)]
struct Arrival {
    /// When it came, minus its tick and the origin, in parts of a tick.
    lateness: i16,
    /// Ticks since the one before it, which was the newest until then; at most 255.
    pause: u8,
    had_stalled: bool,
}

impl Jitter {
    /// Remembers the latest `capacity` arrivals, at most [`MAX_ARRIVALS`].
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.clamp(1, MAX_ARRIVALS),
            arrivals: VecDeque::new(),
            stalled: 0,
            origin: 0.0,
            newest: None,
            in_stall: false,
            since_look: 0,
            least: 0.0,
            high: 0.0,
        }
    }

    /// What was made at `tick` has come at `at` (in ticks); what was made at `before` is the one that came before it.
    pub fn arrived(&mut self, tick: Tick, before: Tick, at: f64) {
        let lateness = at - f64::from(tick.0);
        if let Some((last, last_at)) = self.newest {
            let grown = lateness - (last_at - f64::from(last.0));
            let gap = at - last_at;
            self.in_stall = grown > STALL || (self.in_stall && gap < BURST_GAP);
        }
        self.newest = Some((tick, at));
        let parts = |origin: f64| ((lateness - origin) * PARTS).round();
        // A clock that has jumped by two seconds: nothing of before can be compared with it.
        if self.arrivals.is_empty() || parts(self.origin).abs() > f64::from(i16::MAX) {
            self.arrivals.clear();
            self.stalled = 0;
            self.origin = lateness;
        }
        if self.arrivals.len() == self.capacity {
            let oldest = self.arrivals.pop_front();
            self.stalled -= usize::from(oldest.is_some_and(|one| one.had_stalled));
        }
        self.stalled += usize::from(self.in_stall);
        self.arrivals.push_back(Arrival {
            lateness: parts(self.origin) as i16,
            pause: tick.since(before).clamp(1, 255) as u8,
            had_stalled: self.in_stall,
        });
        self.since_look += 1;
        if self.since_look >= LOOK_INTERVAL || self.arrivals.len() < FEW {
            self.look();
        }
    }

    fn look(&mut self) {
        self.since_look = 0;
        let takes_all = self.stalled * MOST_STALLED > self.arrivals.len();
        let left_out = if takes_all { 0 } else { self.stalled };
        let count = self.arrivals.len() - left_out;
        let Some(last) = count.checked_sub(1) else {
            return;
        };
        // The longest waits, the longest first: only so many are at the percentile or above it.
        let mut longest = [i32::MIN; MOST_ABOVE];
        let longest = &mut longest[..count - last * PERCENTILE / 100];
        let mut least = i16::MAX;
        let is_counted = |one: &&Arrival| takes_all || !one.had_stalled;
        for one in self.arrivals.iter().filter(is_counted) {
            least = least.min(one.lateness);
            let wait = i32::from(one.lateness) + i32::from(one.pause) * PARTS as i32;
            if longest.last().is_some_and(|shortest| wait > *shortest) {
                let place = longest.partition_point(|longer| *longer >= wait);
                longest[place..].rotate_right(1);
                longest[place] = wait;
            }
        }
        if let Some(high) = longest.last() {
            self.high = self.origin + f64::from(*high) / PARTS;
            self.least = self.origin + f64::from(least) / PARTS;
        }
    }

    /// Asks for the place of the next arrival; see `tickwire_prefetch`.
    pub fn prefetch(&self) {
        if let Some(newest) = self.arrivals.back() {
            tickwire_prefetch::near(newest);
        }
    }

    /// Whether anything has come.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.arrivals.is_empty()
    }

    /// The least lateness, in ticks of the clock that the arrivals were told in.
    #[must_use]
    pub fn least(&self) -> f64 {
        self.least
    }

    /// When to show a tick, minus that tick: by then 99 % of the next ones have come, stalls left out.
    #[must_use]
    pub fn high(&self) -> f64 {
        self.high
    }

    /// How far that is behind the quickest arrival: one tick at the least.
    #[must_use]
    pub fn delay(&self) -> f64 {
        self.high - self.least
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_delay_is_the_percentile_of_all_waits(
            latenesses in prop::collection::vec(0_u32..3 * PARTS as u32, 1..=MAX_ARRIVALS),
        ) {
            // All of this is below what counts as a stall.
            let mut jitter = Jitter::new(MAX_ARRIVALS);
            for (tick, lateness) in (1..).zip(&latenesses) {
                let at = f64::from(tick) + f64::from(*lateness) / PARTS;
                jitter.arrived(Tick(tick), Tick(tick - 1), at);
            }
            jitter.look();
            let mut sorted = latenesses.clone();
            sorted.sort_unstable();
            let high = sorted[(sorted.len() - 1) * PERCENTILE / 100];
            prop_assert_eq!(jitter.high(), 1.0 + f64::from(high) / PARTS);
            prop_assert_eq!(jitter.least(), f64::from(sorted[0]) / PARTS);
        }
    }

    #[test]
    fn jitter_is_measured_and_a_stall_is_not_jitter() {
        let mut jitter = Jitter::new(256);
        let mut newest = 0.0_f64;
        for tick in 0..3_000_u32 {
            let sent = f64::from(tick);
            // A stall of 12 ticks every 180.
            let held = sent - f64::from(tick % 180) + 12.0;
            // Evenly spread, by the golden ratio.
            let part = (sent * 0.618_034).fract();
            let arrival =
                (sent + 2.0 + part * 0.6).max(if tick % 180 < 12 { held + 2.0 } else { 0.0 });
            newest = newest.max(arrival);
            jitter.arrived(Tick(tick), Tick(tick.saturating_sub(1)), newest);
        }
        assert!((2.0..2.1).contains(&jitter.least()), "{}", jitter.least());
        assert!((1.5..1.7).contains(&jitter.delay()), "{}", jitter.delay());
    }

    #[test]
    fn a_path_that_has_become_slower_is_believed_within_a_second() {
        let mut jitter = Jitter::new(256);
        for tick in 0..300_u32 {
            jitter.arrived(
                Tick(tick),
                Tick(tick.saturating_sub(1)),
                f64::from(tick) + 2.0,
            );
        }
        for tick in 300..360_u32 {
            jitter.arrived(Tick(tick), Tick(tick - 1), f64::from(tick) + 10.0);
        }
        assert!(jitter.high() > 10.9);
    }

    #[test]
    fn where_only_every_third_comes_the_delay_is_three_ticks() {
        let mut jitter = Jitter::new(256);
        for tick in (3..900_u32).step_by(3) {
            jitter.arrived(Tick(tick), Tick(tick - 3), f64::from(tick) + 2.0);
        }
        assert!((2.9..3.1).contains(&jitter.delay()), "{}", jitter.delay());
    }
}
