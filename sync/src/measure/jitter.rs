//! The jitter estimator: how regularly packets arrive that are made once a tick or less often, and so how long a jitter buffer
//! must hold them.
//!
//! In: for each arrival its tick, the tick of the arrival before, and the time. Out: the playout delay, relative to the
//! fastest arrival, at which 99 % of the following packets have arrived. It is at least the pause between two packets, plus the
//! jitter. Client and server measure with this one function, so the server knows what delay a client's screen needs.
//!
//! A stall is not jitter. TCP delays everything for a while, and then delivers all of it at once. Counting that as jitter would
//! show the world 200 ms late for the sake of one stall in three seconds. So arrivals of such a burst are left out, unless
//! there are so many of them that the path itself has changed.

use super::ring::Ring;
use crate::world::Tick;

/// An arrival this much later than the one before has stalled, in ticks.
const STALL_TICKS: f64 = 3.5;
/// An arrival sooner than this after a stalled one was delayed by the same stall, in ticks.
const BURST_GAP_TICKS: f64 = 0.5;
/// Where more than one arrival in this many has stalled, stalls are how the path is, and count as jitter. Random stalls of
/// 200 ms every three seconds make up to one in seven over four seconds.
const MIN_ARRIVALS_PER_STALLED: usize = 4;
/// How many arrivals are summarised together, and after how many the percentiles are updated.
pub const ARRIVALS_PER_BUCKET: usize = 16;
/// With fewer buckets than this the percentiles are updated with every arrival.
const FEW_BUCKETS: usize = 2;
/// The most buckets that an estimator can remember.
pub const MAX_BUCKETS: usize = 16;
/// The percentile of the waits that the delay covers.
const PERCENTILE: usize = 99;
/// How many arrivals of [`MAX_BUCKETS`] buckets are at or above the percentile.
const MAX_ABOVE_PERCENTILE: usize =
    MAX_BUCKETS * ARRIVALS_PER_BUCKET - (MAX_BUCKETS * ARRIVALS_PER_BUCKET - 1) * PERCENTILE / 100;
/// Fractions of a tick in which times are stored: 65 µs each at 60 Hz.
const FRACTIONS: f64 = 256.0;

/// Estimates the delay that a jitter buffer needs from the latest `BUCKETS` × [`ARRIVALS_PER_BUCKET`] arrivals, where `BUCKETS` is
/// 2 to [`MAX_BUCKETS`]. Times are in ticks, on any one clock.
///
/// Keeps only what the percentiles need, bucket by bucket: a server has three estimators per client, and a list of all arrivals
/// would cost a cache miss with each.
#[derive(Clone, Debug)]
pub struct JitterEstimator<const BUCKETS: usize> {
    /// The latest complete buckets.
    buckets: Ring<Bucket, BUCKETS>,
    /// The bucket that is not complete yet.
    current: Bucket,
    /// The lateness from which all others are counted.
    origin: f64,
    newest: Option<(Tick, f64)>,
    in_stall: bool,
    min_lateness: f64,
    percentile_wait: f64,
}

/// A summary of consecutive arrivals.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// Arrivals that had not stalled.
    punctual: Waits,
    stalled: Waits,
}

/// The longest waits of some arrivals, in fractions of a tick after the origin. The wait of an arrival is its lateness plus the
/// pause since the arrival before: how late a screen must be so that it never lacks the next packet.
#[derive(Clone, Copy, Debug)]
struct Waits {
    count: u16,
    /// The smallest lateness.
    min_lateness: i16,
    /// The longest waits, in descending order.
    longest: [i32; MAX_ABOVE_PERCENTILE],
}

impl<const BUCKETS: usize> Default for JitterEstimator<BUCKETS> {
    fn default() -> Self {
        const { assert!(BUCKETS >= FEW_BUCKETS && BUCKETS <= MAX_BUCKETS) };
        Self {
            buckets: Ring::default(),
            current: Bucket::default(),
            origin: 0.0,
            newest: None,
            in_stall: false,
            min_lateness: 0.0,
            percentile_wait: 0.0,
        }
    }
}

impl<const BUCKETS: usize> JitterEstimator<BUCKETS> {
    /// Records the arrival at `at` (in ticks) of the packet made at `tick`. The packet that came before it was made at `before`.
    pub fn record(&mut self, tick: Tick, before: Tick, at: f64) {
        let lateness = at - f64::from(tick.0);
        if let Some((last, last_at)) = self.newest {
            let grown = lateness - (last_at - f64::from(last.0));
            let gap = at - last_at;
            self.in_stall = grown > STALL_TICKS || (self.in_stall && gap < BURST_GAP_TICKS);
        }
        self.newest = Some((tick, at));
        let mut fractions = (lateness - self.origin) * FRACTIONS;
        // A clock that jumped by two seconds makes earlier arrivals incomparable.
        if self.is_empty() || fractions.abs() > f64::from(i16::MAX) {
            self.buckets.clear();
            self.current = Bucket::default();
            self.origin = lateness;
            fractions = 0.0;
        }
        let waits = if self.in_stall {
            &mut self.current.stalled
        } else {
            &mut self.current.punctual
        };
        let pause = tick.since(before).clamp(1, 255);
        // Rounded by hand: `round` is a library call without SSE 4.1, which builds must not assume.
        waits.add((fractions + 0.5_f64.copysign(fractions)) as i16, pause);
        if self.current.count() == ARRIVALS_PER_BUCKET {
            self.buckets.push(std::mem::take(&mut self.current));
            self.update_percentile();
        } else if self.buckets.len() < FEW_BUCKETS {
            self.update_percentile();
        }
    }

    fn update_percentile(&mut self) {
        let (mut waits, mut stalled) = (self.current.punctual, self.current.stalled);
        for bucket in self.buckets.newest_first() {
            waits.merge(&bucket.punctual);
            stalled.merge(&bucket.stalled);
        }
        if usize::from(stalled.count) * MIN_ARRIVALS_PER_STALLED
            > usize::from(waits.count + stalled.count)
        {
            waits.merge(&stalled);
        }
        let count = usize::from(waits.count);
        let Some(last) = count.checked_sub(1) else {
            return;
        };
        // How many waits are at or above the percentile.
        let above = count - last * PERCENTILE / 100;
        if let Some(wait) = waits.longest.get(above - 1) {
            self.percentile_wait = self.origin + f64::from(*wait) / FRACTIONS;
            self.min_lateness = self.origin + f64::from(waits.min_lateness) / FRACTIONS;
        }
    }

    /// Whether nothing has arrived yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buckets.len() == 0 && self.current.count() == 0
    }

    /// The smallest lateness, in ticks of the clock of the recorded arrivals.
    #[must_use]
    pub fn min_lateness(&self) -> f64 {
        self.min_lateness
    }

    /// How long after a tick to show it, in ticks of that clock: by then 99 % of the following packets have come, without stalls.
    #[must_use]
    pub fn playout_lateness(&self) -> f64 {
        self.percentile_wait
    }

    /// How far [`Self::playout_lateness`] is behind the quickest arrival, in ticks: at least 1.
    #[must_use]
    pub fn delay(&self) -> f64 {
        self.percentile_wait - self.min_lateness
    }
}

impl Bucket {
    fn count(&self) -> usize {
        usize::from(self.punctual.count + self.stalled.count)
    }
}

impl Waits {
    /// Adds an arrival at `lateness`, made `pause` ticks after the one before.
    fn add(&mut self, lateness: i16, pause: u32) {
        self.count += 1;
        self.min_lateness = self.min_lateness.min(lateness);
        self.insert(i32::from(lateness) + pause as i32 * FRACTIONS as i32);
    }

    fn merge(&mut self, others: &Self) {
        if others.count == 0 {
            return;
        }
        self.count += others.count;
        self.min_lateness = self.min_lateness.min(others.min_lateness);
        // The longest come first, so the first one too short ends the search.
        for wait in others.longest {
            if !self.insert(wait) {
                break;
            }
        }
    }

    /// Inserts a wait among the longest; `false` if it is too short for them.
    fn insert(&mut self, wait: i32) -> bool {
        let place = self.longest.iter().position(|longer| wait > *longer);
        if let Some(place) = place {
            self.longest[place..].rotate_right(1);
            self.longest[place] = wait;
        }
        place.is_some()
    }
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            count: 0,
            min_lateness: i16::MAX,
            longest: [i32::MIN; MAX_ABOVE_PERCENTILE],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The smallest lateness and the 99th percentile of the waits, by sorting all arrivals.
    fn by_sorting(arrivals: &[(i32, bool)]) -> (i32, i32) {
        let stalled = arrivals.iter().filter(|(_, stalled)| *stalled).count();
        let includes_stalled = stalled * MIN_ARRIVALS_PER_STALLED > arrivals.len();
        let mut sorted: Vec<i32> = arrivals
            .iter()
            .filter(|(_, stalled)| includes_stalled || !stalled)
            .map(|(lateness, _)| *lateness)
            .collect();
        sorted.sort_unstable();
        let high = sorted[(sorted.len() - 1) * PERCENTILE / 100];
        (sorted[0], high + FRACTIONS as i32)
    }

    /// Each step is an arrival: its lateness in fractions of a tick, and whether a stall adds to it.
    fn check_against_sorting<const BUCKETS: usize>(steps: &[(i32, bool)]) {
        let mut jitter = JitterEstimator::<BUCKETS>::default();
        let mut arrivals: Vec<(i32, bool)> = Vec::new();
        for (tick, (part, stalls)) in (1..).zip(steps) {
            let lateness = part + if *stalls { 5 * FRACTIONS as i32 } else { 0 };
            let stalled = arrivals.last().is_some_and(|(last, in_stall)| {
                let grown = f64::from(lateness - last) / FRACTIONS;
                grown > STALL_TICKS || (*in_stall && 1.0 + grown < BURST_GAP_TICKS)
            });
            arrivals.push((lateness, stalled));
            let at = f64::from(tick) + f64::from(lateness) / FRACTIONS;
            jitter.record(Tick(tick), Tick(tick - 1), at);
        }
        let whole = arrivals.len() / ARRIVALS_PER_BUCKET;
        let seen = if whole < FEW_BUCKETS {
            arrivals.len()
        } else {
            whole * ARRIVALS_PER_BUCKET
        };
        let (least, high) =
            by_sorting(&arrivals[seen.saturating_sub(BUCKETS * ARRIVALS_PER_BUCKET)..seen]);
        assert_eq!(jitter.playout_lateness(), f64::from(high) / FRACTIONS);
        assert_eq!(jitter.min_lateness(), f64::from(least) / FRACTIONS);
    }

    proptest! {
        #[test]
        fn the_delay_is_the_percentile_of_all_waits(
            steps in prop::collection::vec((0_i32..256, prop::bool::weighted(0.1)), 1..600),
        ) {
            check_against_sorting::<FEW_BUCKETS>(&steps);
            check_against_sorting::<8>(&steps);
            check_against_sorting::<MAX_BUCKETS>(&steps);
        }
    }

    #[test]
    fn a_stall_is_not_jitter() {
        let mut jitter = JitterEstimator::<MAX_BUCKETS>::default();
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
            jitter.record(Tick(tick), Tick(tick.saturating_sub(1)), newest);
        }
        assert!(
            (2.0..2.1).contains(&jitter.min_lateness()),
            "{}",
            jitter.min_lateness()
        );
        assert!((1.5..1.7).contains(&jitter.delay()), "{}", jitter.delay());
    }

    #[test]
    fn a_slower_path_shows_within_a_second() {
        let mut jitter = JitterEstimator::<MAX_BUCKETS>::default();
        for tick in 0..300_u32 {
            jitter.record(
                Tick(tick),
                Tick(tick.saturating_sub(1)),
                f64::from(tick) + 2.0,
            );
        }
        for tick in 300..360_u32 {
            jitter.record(Tick(tick), Tick(tick - 1), f64::from(tick) + 10.0);
        }
        assert!(jitter.playout_lateness() > 10.9);
    }

    #[test]
    fn a_packet_every_third_tick_needs_three_ticks_of_delay() {
        let mut jitter = JitterEstimator::<MAX_BUCKETS>::default();
        for tick in (3..900_u32).step_by(3) {
            jitter.record(Tick(tick), Tick(tick - 3), f64::from(tick) + 2.0);
        }
        assert!((2.9..3.1).contains(&jitter.delay()), "{}", jitter.delay());
    }
}
