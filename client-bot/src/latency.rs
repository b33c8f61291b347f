//! Latencies in bounded memory: a histogram of milliseconds with two significant digits.

use hdrhistogram::Histogram;

/// Longer latencies count as this long, a little over a minute.
const MAX_US: u64 = 1 << 26;

/// Latencies in milliseconds. Negative ones count as 0.
#[derive(Clone, Debug)]
pub(crate) struct LatencyHistogram {
    histogram: Option<Histogram<u32>>,
}

impl LatencyHistogram {
    pub fn new() -> Self {
        Self {
            histogram: Histogram::new_with_bounds(1, MAX_US, 2).ok(),
        }
    }

    pub fn record(&mut self, millis: f64) {
        // `as` saturates.
        let micros = ((millis * 1e3) as u64).min(MAX_US);
        if let Some(histogram) = &mut self.histogram {
            histogram.saturating_record(micros);
        }
    }

    pub fn merge(&mut self, other: &Self) {
        if let Some((own, other)) = self.histogram.as_mut().zip(other.histogram.as_ref()) {
            // Cannot fail: both have the same bounds.
            let _ = own.add(other);
        }
    }

    /// The latency at a quantile from 0 to 1, in milliseconds; 0 without samples.
    pub fn quantile(&self, quantile: f64) -> f64 {
        let histogram = self
            .histogram
            .as_ref()
            .filter(|histogram| !histogram.is_empty());
        histogram.map_or(0.0, |histogram| {
            histogram.value_at_quantile(quantile) as f64 / 1e3
        })
    }

    pub fn max(&self) -> f64 {
        let histogram = self
            .histogram
            .as_ref()
            .filter(|histogram| !histogram.is_empty());
        histogram.map_or(0.0, |histogram| histogram.max() as f64 / 1e3)
    }

    /// The number of samples in each of `count` steps of `step_ms`. The last step includes all longer latencies.
    pub fn counts_by_step(&self, step_ms: f64, count: usize) -> Vec<u64> {
        let mut counts = vec![0; count];
        if let Some(histogram) = &self.histogram {
            for value in histogram.iter_recorded() {
                let step = (value.value_iterated_to() as f64 / 1e3 / step_ms) as usize;
                counts[step.min(count - 1)] += u64::from(value.count_at_value());
            }
        }
        counts
    }
}
