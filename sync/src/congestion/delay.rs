//! One-way delays, and how much of a deviation is a queue rather than jitter.
//!
//! In: for each acked snapshot when it was sent by the server's clock and received by the client's. Out: the delay relative to
//! the first one, the base delay, the jitter, and how much of a prediction error is real. Neither the offset of the clocks nor
//! the wrap of the client's 32 bits matters, since only differences count.
//!
//! Jitter only ever adds to a delay, and a queue persists while jitter comes and goes. So a delay smaller than predicted is
//! accepted at once, a larger one only as far as all of the latest delays show it.

use super::base_delay::BaseDelay;
use super::sent_record::{Ack, SentRecord};
use crate::measure::Ring;

/// The smallest deviation of one delay that may count as jitter where there was none, in microseconds.
const MIN_JITTER_STEP_US: i64 = 2_000;
/// A larger step from one error to the next is a stall and says nothing of jitter, in microseconds.
const MAX_JITTER_STEP_US: i64 = 100_000;
/// How far back the latest errors are looked at: this many times the jitter.
const JITTERS_LOOKED_BACK: i64 = 20;
/// No span over which errors or rates are measured is longer, in microseconds.
const MAX_SPAN_US: i64 = 500_000;
/// The shortest span over which a delivery rate is measured, in microseconds.
const MIN_RATE_SPAN_US: i64 = 50_000;

/// What is kept of an ack. Everything wraps, to save memory: a server keeps these for every client.
#[derive(Clone, Copy, Debug, Default)]
struct DelaySample {
    /// When the snapshot arrived.
    arrived_at: u32,
    /// How much later than predicted it came, before all corrections.
    error: i32,
    /// All wire bytes sent up to the snapshot's end.
    total_bytes: u32,
}

/// Measures the one-way delays of one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct DelayEstimator {
    /// The first delay, between two clocks that have nothing in common. All others are counted from it.
    origin: Option<u32>,
    base: BaseDelay,
    /// The average step from one error to the next: the growth of a queue.
    trend: i64,
    jitter: i64,
    /// The latest samples since the last long pause.
    recent: Ring<DelaySample, 32>,
    /// The sum of all corrections; wraps, as the errors do.
    corrected: i32,
}

impl DelayEstimator {
    /// Prefetches the newest samples.
    pub fn prefetch(&self) {
        self.recent.prefetch();
    }

    /// The one-way delay of a snapshot, relative to the first one.
    pub fn one_way(&mut self, sent: &SentRecord, ack: &Ack) -> i64 {
        let raw = ack.received_at_us.wrapping_sub(sent.sent_at as u32);
        let origin = *self.origin.get_or_insert(raw);
        i64::from(raw.wrapping_sub(origin) as i32)
    }

    pub fn base(&self) -> &BaseDelay {
        &self.base
    }

    /// The base delay, to add a delay to it.
    pub fn base_mut(&mut self) -> &mut BaseDelay {
        &mut self.base
    }

    /// How much the delays scatter around their trend.
    pub fn jitter(&self) -> i64 {
        self.jitter
    }

    /// How long before `now` the latest sample arrived; 0 without one.
    pub fn since_latest(&self, now: i64) -> i64 {
        let latest = self.recent.newest();
        latest.map_or(0, |sample| wrapping_since(now as u32, sample.arrived_at))
    }

    /// Filters the error of a prediction: returns the part that is no jitter. `since_latest`: since the sample before.
    pub fn filter_error(
        &mut self,
        error: i64,
        arrived_at: i64,
        sent: &SentRecord,
        since_latest: i64,
    ) -> i64 {
        // Jitter is the scatter around the trend: a queue that grows is no jitter.
        let before = self.recent.newest().map_or(0, |sample| {
            i64::from(sample.error.wrapping_sub(self.corrected))
        });
        let step = (error - before).clamp(-MAX_JITTER_STEP_US, MAX_JITTER_STEP_US);
        self.trend += (step - self.trend) / 8;
        // One sample that is far off may be a stall, or a change of the path. Only many of them make jitter.
        let deviation = (step - self.trend)
            .abs()
            .min(4 * self.jitter + MIN_JITTER_STEP_US);
        self.jitter += (deviation - self.jitter) / 8;
        // After a long pause the earlier samples say nothing of the path.
        if since_latest.abs() > MAX_SPAN_US {
            self.recent.clear();
        }
        self.recent.push(DelaySample {
            arrived_at: arrived_at as u32,
            error: (error as i32).wrapping_add(self.corrected),
            total_bytes: sent.total_bytes as u32,
        });
        let correction = if error < 0 {
            error
        } else {
            self.persistent_error(arrived_at)
                .max(error - 4 * self.jitter)
        };
        self.corrected = self.corrected.wrapping_add(correction as i32);
        correction
    }

    /// The smallest of the latest errors: what all of them show.
    fn persistent_error(&self, now: i64) -> i64 {
        let span = (self.jitter * JITTERS_LOOKED_BACK).min(MAX_SPAN_US);
        let latest = self
            .recent
            .newest_first()
            .take_while(|sample| i64::from((now as u32).wrapping_sub(sample.arrived_at)) <= span);
        latest
            .map(|sample| i64::from(sample.error.wrapping_sub(self.corrected)))
            .min()
            .unwrap_or(0)
    }

    /// The span over which the delivery rate is measured: long enough that jitter is a small part of it.
    pub fn rate_span(&self) -> i64 {
        (self.jitter * 16).clamp(MIN_RATE_SPAN_US, MAX_SPAN_US)
    }

    /// The measured delivery rate, in nanoseconds per byte; `None` with fewer than two samples.
    pub fn ns_per_byte(&self) -> Option<i64> {
        let newest = self.recent.newest()?;
        let span = self.rate_span();
        let mut oldest = None;
        for sample in self.recent.newest_first().skip(1) {
            oldest = Some(sample);
            if wrapping_since(newest.arrived_at, sample.arrived_at) >= span {
                break;
            }
        }
        let oldest = oldest?;
        let bytes = i64::from(newest.total_bytes.wrapping_sub(oldest.total_bytes)).max(1);
        let elapsed = wrapping_since(newest.arrived_at, oldest.arrived_at).max(0);
        Some(elapsed * 1000 / bytes)
    }
}

/// The difference of two wrapping times, whichever is later.
fn wrapping_since(time: u32, before: u32) -> i64 {
    i64::from(time.wrapping_sub(before) as i32)
}
