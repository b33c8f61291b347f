//! Samples in bounded memory: a histogram of milliseconds with two significant digits.

use hdrhistogram::Histogram;

/// The longest that is told apart, in microseconds: a minute and more.
const LONGEST_US: u64 = 1 << 26;

/// Times in milliseconds. Negative ones count as 0.
#[derive(Clone, Debug)]
pub(crate) struct Samples {
    histogram: Option<Histogram<u32>>,
}

impl Samples {
    pub fn new() -> Self {
        Self {
            histogram: Histogram::new_with_bounds(1, LONGEST_US, 2).ok(),
        }
    }

    pub fn record(&mut self, millis: f64) {
        // A float-to-integer `as` saturates.
        let micros = ((millis * 1e3) as u64).min(LONGEST_US);
        if let Some(histogram) = &mut self.histogram {
            histogram.saturating_record(micros);
        }
    }

    pub fn add(&mut self, other: &Self) {
        if let Some((mine, other)) = self.histogram.as_mut().zip(other.histogram.as_ref()) {
            // Both have the same bounds, so nothing can fall outside.
            let _ = mine.add(other);
        }
    }

    /// The value below which this part (0 to 1) of the samples lies; 0 without samples.
    pub fn at(&self, part: f64) -> f64 {
        let histogram = self
            .histogram
            .as_ref()
            .filter(|histogram| !histogram.is_empty());
        histogram.map_or(0.0, |histogram| {
            histogram.value_at_quantile(part) as f64 / 1e3
        })
    }

    pub fn max(&self) -> f64 {
        let histogram = self
            .histogram
            .as_ref()
            .filter(|histogram| !histogram.is_empty());
        histogram.map_or(0.0, |histogram| histogram.max() as f64 / 1e3)
    }

    /// How many samples fall into each of `count` steps of `step_ms`; the last takes all beyond.
    pub fn steps(&self, step_ms: f64, count: usize) -> Vec<u64> {
        let mut steps = vec![0; count];
        if let Some(histogram) = &self.histogram {
            for value in histogram.iter_recorded() {
                let step = (value.value_iterated_to() as f64 / 1e3 / step_ms) as usize;
                steps[step.min(count - 1)] += u64::from(value.count_at_value());
            }
        }
        steps
    }
}
