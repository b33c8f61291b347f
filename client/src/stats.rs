//! Percentiles over the latest values: what a report or a net graph shows.

use std::collections::VecDeque;

/// The latest values of something, at most `capacity` of them.
#[derive(Clone, Debug)]
pub struct Recent {
    values: VecDeque<f64>,
    capacity: usize,
}

/// Percentiles of a set of values; 0 where there are none.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Percentiles {
    /// Half of the values are at most this.
    pub p50: f64,
    /// 99 % of the values are at most this.
    pub p99: f64,
    /// The largest value.
    pub max: f64,
}

impl Recent {
    /// Nothing yet. A capacity of 0 counts as 1.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            values: VecDeque::new(),
            capacity: capacity.max(1),
        }
    }

    /// Adds a value; beyond the capacity the oldest is forgotten.
    pub fn push(&mut self, value: f64) {
        if self.values.len() == self.capacity {
            self.values.pop_front();
        }
        self.values.push_back(value);
    }

    /// The newest value.
    #[must_use]
    pub fn newest(&self) -> Option<f64> {
        self.values.back().copied()
    }

    /// The values, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = f64> {
        self.values.iter().copied()
    }

    /// Percentiles of the values.
    #[must_use]
    pub fn percentiles(&self) -> Percentiles {
        Percentiles::of(self.iter())
    }
}

impl Percentiles {
    /// Percentiles of a set of values, by the nearest rank.
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
