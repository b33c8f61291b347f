//! The round-trip time of one connection, estimated from samples. Pure: the time comes in as an argument.
//!
//! Five estimates come from the same samples: the latest; the smoothed one with its variation (RFC 6298, section 2, alpha 1/8,
//! beta 1/4); the minimum of the last ten seconds, which is the path without queues; the steady one, which smooths the
//! minimum of the latest three samples; and the plausible one. A pong that queued behind a stall does not show in the steady
//! estimate; a path that has become slower does after three samples.
//!
//! A pong is the client's word: it may be held back, to pretend a slow line. Acknowledgements of TCP are the word of the client's
//! kernel. The plausible estimate is the steady one, but at most what the kernels' acknowledgements explain and [`PROGRAM_SLACK`].

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long a sample counts for the minimum.
const MIN_WINDOW: Duration = Duration::from_secs(10);
/// Samples that are kept for the minimum; bounds the memory if they come faster than once a second.
const MAX_MINIMA: usize = 12;

/// The estimates of a connection's round trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RttEstimate {
    /// The latest sample.
    pub latest: Duration,
    /// SRTT of RFC 6298.
    pub smoothed: Duration,
    /// RTTVAR of RFC 6298.
    pub variation: Duration,
    /// The minimum of about the last ten seconds.
    pub min: Duration,
    /// The minimum of the latest three samples, smoothed by halves.
    pub steady: Duration,
    /// The steady one, as far as the kernel's own measurements make it plausible.
    pub plausible: Duration,
}

/// Samples whose minimum the steady estimate takes.
const STEADY_SAMPLES: usize = 3;
/// How much later than its kernel an honest client answers: one that looks at its socket once a frame, at 40 frames a second.
pub const PROGRAM_SLACK: Duration = Duration::from_millis(25);

/// Makes an [`RttEstimate`] from samples.
#[derive(Clone, Debug, Default)]
pub struct RttEstimator {
    estimate: Option<RttEstimate>,
    /// The samples of the window that are less than all later ones, the oldest (and smallest) first.
    minima: VecDeque<(Instant, Duration)>,
    latest: VecDeque<Duration>,
    /// What the kernel measured at the latest samples.
    by_kernel: VecDeque<Duration>,
}

impl RttEstimator {
    /// The estimate after the latest sample; `None` before the first one.
    #[must_use]
    pub fn estimate(&self) -> Option<RttEstimate> {
        self.estimate
    }

    /// Adds a sample that was measured at `now`. `kernel`: what the kernel measures of the connection; `None` where it says nothing, or
    /// nothing of the client, as behind a proxy.
    pub fn sample(&mut self, now: Instant, rtt: Duration, kernel: Option<Duration>) -> RttEstimate {
        let min = self.minimum(now, rtt);
        let (smoothed, variation) = match self.estimate {
            None => (rtt, rtt / 2),
            Some(old) => (
                (old.smoothed * 7 + rtt) / 8,
                (old.variation * 3 + old.smoothed.abs_diff(rtt)) / 4,
            ),
        };
        push_latest(&mut self.latest, rtt);
        let least = self.latest.iter().copied().fold(rtt, Duration::min);
        let steady = self.estimate.map_or(least, |old| (old.steady + least) / 2);
        if let Some(kernel) = kernel {
            push_latest(&mut self.by_kernel, kernel);
        }
        let longest = self.by_kernel.iter().copied().max();
        let plausible = longest.map_or(steady, |kernel| steady.min(kernel + PROGRAM_SLACK));
        let estimate = RttEstimate {
            steady,
            plausible,
            latest: rtt,
            smoothed,
            variation,
            min,
        };
        self.estimate = Some(estimate);
        estimate
    }

    fn minimum(&mut self, now: Instant, rtt: Duration) -> Duration {
        self.minima
            .retain(|&(at, least)| now.saturating_duration_since(at) <= MIN_WINDOW && least < rtt);
        // Reserved at the first sample: no later one makes the tick allocate.
        self.minima.reserve_exact(MAX_MINIMA - self.minima.len());
        if self.minima.len() == MAX_MINIMA {
            self.minima.pop_back();
        }
        self.minima.push_back((now, rtt));
        self.minima.front().map_or(rtt, |&(_, least)| least)
    }
}

/// Adds to the latest samples, of which only [`STEADY_SAMPLES`] are kept.
fn push_latest(samples: &mut VecDeque<Duration>, sample: Duration) {
    if samples.len() == STEADY_SAMPLES {
        samples.pop_front();
    }
    samples.push_back(sample);
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_first_sample_is_the_estimate() {
        let estimate = RttEstimator::default().sample(Instant::now(), ms(80), None);
        assert_eq!(estimate.latest, ms(80));
        assert_eq!(estimate.smoothed, ms(80));
        assert_eq!(estimate.variation, ms(40));
        assert_eq!(estimate.min, ms(80));
    }

    #[test]
    fn smoothing_follows_rfc_6298() {
        let mut rtt = RttEstimator::default();
        let start = Instant::now();
        rtt.sample(start, ms(80), None);
        let estimate = rtt.sample(start + ms(1000), ms(160), None);
        assert_eq!(estimate.smoothed, ms(90)); // 7/8 * 80 + 1/8 * 160
        assert_eq!(estimate.variation, ms(50)); // 3/4 * 40 + 1/4 * |80 - 160|
    }

    #[test]
    fn the_minimum_ignores_queues_and_forgets_old_paths() {
        let mut rtt = RttEstimator::default();
        let start = Instant::now();
        assert_eq!(rtt.sample(start, ms(30), None).min, ms(30));
        let mut last = ms(0);
        for second in 1..=30 {
            let now = start + ms(1000 * second);
            last = rtt.sample(now, ms(100 + second % 3), None).min;
            if second <= 10 {
                assert_eq!(last, ms(30), "at second {second}");
            }
        }
        assert!(last >= ms(100) && last <= ms(102), "{last:?}");
        let later = rtt.sample(start + ms(31_000), ms(20), None);
        assert_eq!(later.min, ms(20));
    }

    #[test]
    fn a_pong_behind_a_stall_keeps_the_steady_estimate() {
        let mut rtt = RttEstimator::default();
        let start = Instant::now();
        for second in 0..60u64 {
            let queued = if second % 3 == 2 { 200 } else { 0 };
            let estimate = rtt.sample(start + ms(1000 * second), ms(80 + queued), None);
            assert_eq!(estimate.steady, ms(80), "at second {second}");
        }
        for second in 60..70u64 {
            rtt.sample(start + ms(1000 * second), ms(160), None);
        }
        let steady = rtt.sample(start + ms(70_000), ms(160), None).steady;
        assert!(steady > ms(155), "{steady:?}");
    }

    #[test]
    fn the_minimum_follows_a_slowly_worsening_path() {
        let mut rtt = RttEstimator::default();
        let start = Instant::now();
        for second in 0..60u64 {
            let min = rtt
                .sample(start + ms(1000 * second), ms(10 + second), None)
                .min;
            assert_eq!(
                min,
                ms(10 + second.saturating_sub(10)),
                "at second {second}"
            );
        }
    }

    #[test]
    fn held_pongs_pretend_no_slower_line_than_the_kernels() {
        let mut rtt = RttEstimator::default();
        let start = Instant::now();
        let mut sample = |second: u64, held: u64, kernel: u64| {
            let pong = ms(kernel + held);
            rtt.sample(start + ms(1000 * second), pong, Some(ms(kernel)))
        };
        for second in 0..10 {
            let estimate = sample(second, 200, 2);
            assert!(estimate.steady > ms(200), "{estimate:?}");
            assert_eq!(estimate.plausible, ms(2) + PROGRAM_SLACK);
        }
        // A client that answers once a frame is believed, also on a path that becomes slower.
        for second in 10..30 {
            let estimate = sample(second, 16, if second < 20 { 40 } else { 90 });
            let is_settled = second >= 18;
            assert!(
                !is_settled || estimate.plausible == estimate.steady,
                "{second}: {estimate:?}"
            );
        }
    }

    #[test]
    fn where_the_kernel_says_nothing_pongs_are_believed() {
        let estimate = RttEstimator::default().sample(Instant::now(), ms(200), None);
        assert_eq!(estimate.plausible, ms(200));
    }
}
