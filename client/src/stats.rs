//! Percentiles over the latest samples, for reports and net graphs.

use std::collections::VecDeque;

/// The latest samples of a measurement, at most `capacity` of them.
#[derive(Clone, Debug)]
pub struct RecentSamples {
    values: VecDeque<f64>,
    capacity: usize,
}

/// Percentiles of a set of values; all 0 for an empty set.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Percentiles {
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The largest value.
    pub max: f64,
}

impl RecentSamples {
    /// Creates an empty set. A capacity of 0 counts as 1.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            values: VecDeque::new(),
            capacity: capacity.max(1),
        }
    }

    /// Adds a sample; beyond the capacity the oldest is dropped.
    pub fn push(&mut self, value: f64) {
        if self.values.len() == self.capacity {
            self.values.pop_front();
        }
        self.values.push_back(value);
    }

    /// The newest sample.
    #[must_use]
    pub fn newest(&self) -> Option<f64> {
        self.values.back().copied()
    }

    /// The samples, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = f64> {
        self.values.iter().copied()
    }

    /// Percentiles of the samples.
    #[must_use]
    pub fn percentiles(&self) -> Percentiles {
        Percentiles::of(self.iter())
    }
}

impl Percentiles {
    /// Computes the percentiles of a set of values, by nearest rank.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let Some(last) = sorted.len().checked_sub(1) else {
            return Self::default();
        };
        let rank = |percent: usize| sorted[last * percent / 100];
        Self {
            p50: rank(50),
            p99: rank(99),
            max: sorted[last],
        }
    }
}
