//! Latencies in bounded memory: a histogram of milliseconds with two significant digits.
//!
//! Two histograms add up to the one that all their samples would have made, also through a file: a quantile of merged histograms has no
//! error beyond that of one. That error is at most 1 % of the value, and 1 µs for the smallest.

use hdrhistogram::Histogram;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt::Write as _;

/// Longer latencies count as this long, a little over a minute.
const MAX_US: u64 = 1 << 26;

/// Latencies in milliseconds. Negative ones count as 0. In a file: a text of buckets, each `FROM:COUNT`, the
/// microseconds from which on its latencies are, and their number.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct LatencyHistogram {
    /// `None` until the first latency, as one takes 10 kB.
    histogram: Option<Histogram<u32>>,
}

impl LatencyHistogram {
    /// Without latencies.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a latency, in milliseconds.
    pub fn record(&mut self, millis: f64) {
        // `as` saturates.
        self.record_us((millis * 1e3) as u64, 1);
    }

    fn record_us(&mut self, micros: u64, count: u32) {
        if self.histogram.is_none() {
            self.histogram = Histogram::new_with_bounds(1, MAX_US, 2).ok();
        }
        if let Some(histogram) = &mut self.histogram {
            histogram.saturating_record_n(micros.min(MAX_US), count);
        }
    }

    /// Adds the latencies of another histogram.
    pub fn merge(&mut self, other: &Self) {
        match (&mut self.histogram, &other.histogram) {
            // Cannot fail: both have the same bounds.
            (Some(own), Some(other)) => drop(own.add(other)),
            (None, Some(other)) => self.histogram = Some(other.clone()),
            (_, None) => {}
        }
    }

    /// How many latencies there are.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.histogram.as_ref().map_or(0, Histogram::len)
    }

    /// The latency at a quantile from 0 to 1, in milliseconds; 0 without samples.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> f64 {
        let histogram = self.histogram.as_ref();
        histogram.map_or(0.0, |histogram| {
            histogram.value_at_quantile(quantile) as f64 / 1e3
        })
    }

    /// As [`Self::quantile`]; `None` without samples.
    pub(crate) fn at(&self, quantile: f64) -> Option<f64> {
        (self.samples() > 0).then(|| self.quantile(quantile))
    }

    /// The longest latency, in milliseconds; 0 without samples.
    #[must_use]
    pub fn max(&self) -> f64 {
        let histogram = self.histogram.as_ref();
        histogram.map_or(0.0, |histogram| histogram.max() as f64 / 1e3)
    }

    /// The number of samples in each of `count` steps of `step_ms`. The last step includes all longer latencies.
    #[must_use]
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

impl Serialize for LatencyHistogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::new();
        if let Some(histogram) = &self.histogram {
            for value in histogram.iter_recorded() {
                let from_us = histogram.lowest_equivalent(value.value_iterated_to());
                let space = if text.is_empty() { "" } else { " " };
                // Writing into a String cannot fail.
                let _ = write!(text, "{space}{from_us}:{}", value.count_at_value());
            }
        }
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for LatencyHistogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut histogram = Self::new();
        for bucket in text.split_ascii_whitespace() {
            let (from_us, count) = (bucket.split_once(':'))
                .and_then(|(from, count)| Some((from.parse().ok()?, count.parse().ok()?)))
                .filter(|(from_us, _)| *from_us <= MAX_US)
                .ok_or_else(|| D::Error::custom(format!("{bucket:?} is no bucket of latencies")))?;
            histogram.record_us(from_us, count);
        }
        Ok(histogram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(samples: impl IntoIterator<Item = f64>) -> LatencyHistogram {
        let mut histogram = LatencyHistogram::new();
        samples.into_iter().for_each(|ms| histogram.record(ms));
        histogram
    }

    /// Long-tailed, from half a millisecond to over a minute.
    fn samples(seed: u64) -> impl Iterator<Item = f64> {
        let mut random = fastrand::Rng::with_seed(seed);
        (0..5000).map(move |_| 0.5 / (random.f64() + 4e-6))
    }

    #[test]
    fn merged_through_a_file_it_is_the_histogram_of_all_samples() {
        let (one, other) = (of(samples(1)), of(samples(2)));
        let all = of(samples(1).chain(samples(2)));
        let read = |histogram: &LatencyHistogram| -> LatencyHistogram {
            serde_json::from_str(&serde_json::to_string(histogram).unwrap()).unwrap()
        };
        let mut merged = read(&one);
        merged.merge(&read(&other));
        assert_eq!(merged.samples(), 10_000);
        for quantile in [0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0] {
            assert_eq!(merged.quantile(quantile), all.quantile(quantile));
        }
        assert_eq!(merged.max(), all.max());
        assert_eq!(
            merged.counts_by_step(1.0, 101),
            all.counts_by_step(1.0, 101)
        );
    }

    #[test]
    fn a_quantile_is_off_by_one_percent_at_most() {
        let mut sorted: Vec<f64> = samples(3).collect();
        sorted.sort_by(f64::total_cmp);
        let histogram = of(sorted.iter().copied());
        for quantile in [0.1, 0.5, 0.9, 0.99] {
            let exact = sorted[(quantile * 5000.0) as usize - 1];
            let error = (histogram.quantile(quantile) - exact).abs();
            assert!(
                error <= exact * 0.01 + 0.001,
                "{quantile}: {error} of {exact}"
            );
        }
    }

    #[test]
    fn a_latency_that_cannot_be_is_refused() {
        for text in ["67108865:1", "1:-1", "1", "1:1,2:1", "a:1"] {
            let read = serde_json::from_value::<LatencyHistogram>(text.into());
            assert!(read.is_err(), "{text}");
        }
        assert_eq!(of([]), serde_json::from_str("\"\"").unwrap());
    }
}
