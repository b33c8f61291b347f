//! The outcome of a run: the snapshots that arrived, and questions about them.

use crate::line::{HEADERS, TICK_US};

/// One snapshot that arrived.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    pub sent: i64,
    pub at: i64,
    pub bytes: i64,
}

/// The outcome of a run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub arrivals: Vec<Arrival>,
    pub most_in_flight: i64,
    pub line_bytes: f64,
}

impl Outcome {
    fn of(&self, from: i64, to: i64) -> impl Iterator<Item = &Arrival> {
        self.arrivals
            .iter()
            .filter(move |arrival| (from..to).contains(&arrival.at))
    }

    /// A quantile of the snapshots' ages on arrival, in ms, of those that arrived in a span (in s).
    pub fn age_ms(&self, part: f64, from: f64, to: f64) -> f64 {
        let mut ages: Vec<i64> = self
            .of((from * 1e6) as i64, (to * 1e6) as i64)
            .map(|arrival| arrival.at - arrival.sent)
            .collect();
        ages.sort_unstable();
        let place = ((ages.len() as f64 * part) as usize).min(ages.len().saturating_sub(1));
        ages.get(place)
            .map_or(f64::INFINITY, |age| *age as f64 / 1e3)
    }

    /// A quantile of the bytes of the snapshots that arrived in a span (in s).
    pub fn bytes(&self, part: f64, from: f64, to: f64) -> i64 {
        let span = self.of((from * 1e6) as i64, (to * 1e6) as i64);
        let mut bytes: Vec<i64> = span.map(|arrival| arrival.bytes).collect();
        bytes.sort_unstable();
        let place = ((bytes.len() as f64 * part) as usize).min(bytes.len().saturating_sub(1));
        bytes.get(place).copied().unwrap_or_default()
    }

    /// Snapshots per second that arrived in a span (in s).
    pub fn rate(&self, from: f64, to: f64) -> f64 {
        self.of((from * 1e6) as i64, (to * 1e6) as i64).count() as f64 / (to - from)
    }

    /// The age of the newest snapshot received, at each millisecond of a span (in s): what a screen can show.
    pub fn shown_ages_ms(&self, from: f64, to: f64) -> Vec<f64> {
        let mut arrivals = self.arrivals.iter().peekable();
        let mut newest = 0;
        let mut ages = Vec::new();
        for at in ((from * 1e6) as i64..(to * 1e6) as i64).step_by(1000) {
            while let Some(arrival) = arrivals.next_if(|arrival| arrival.at <= at) {
                newest = arrival.sent;
            }
            ages.push((at - newest) as f64 / 1e3);
        }
        ages
    }

    /// The longest run of seconds after `from` (in s) in which fewer than `rate` snapshots per second arrived.
    pub fn longest_below(&self, rate: f64, from: u32, to: u32) -> u32 {
        let (mut longest, mut now) = (0, 0);
        for second in from..to {
            let start = f64::from(second);
            now = if self.rate(start, start + 1.0) < rate {
                now + 1
            } else {
                0
            };
            longest = longest.max(now);
        }
        longest
    }

    /// The longest run of snapshots due after `from` (in s) that did not go.
    pub fn longest_deferral(&self, from: f64) -> i64 {
        let pairs = self.arrivals.windows(2);
        pairs
            .filter(|pair| pair[0].sent as f64 > from * 1e6)
            .map(|pair| (pair[1].sent - pair[0].sent) / TICK_US - 1)
            .max()
            .unwrap_or(0)
    }

    /// The part of the line that was used.
    pub fn used(&self) -> f64 {
        self.arrivals
            .iter()
            .map(|arrival| (arrival.bytes + HEADERS) as f64)
            .sum::<f64>()
            / self.line_bytes
    }

    /// How long after `from` (in s) until all snapshots are fresh for 300 ms, as the bench of real lines counts it.
    pub fn fresh_for_ms(&self, from: f64, to: f64, allowed: &impl Fn(i64) -> f64) -> f64 {
        let is_old = |one: &Arrival| (one.at - one.sent) as f64 / 1e3 > allowed(one.bytes);
        let (from_us, to_us) = ((from * 1e6) as i64, (to * 1e6) as i64);
        let fresh = self
            .of(from_us, to_us)
            .find(|first| !self.of(first.at, first.at + 300_000).any(is_old));
        fresh.map_or(f64::INFINITY, |first| (first.at - from_us) as f64 / 1e3)
    }

    /// How long after `from` (in s) until everything that arrives is at most `age_ms` old.
    pub fn fresh_after_ms(&self, from: f64, to: f64, age_ms: f64) -> f64 {
        let from_us = (from * 1e6) as i64;
        let old = self
            .of(from_us, (to * 1e6) as i64)
            .filter(|arrival| (arrival.at - arrival.sent) as f64 / 1e3 > age_ms);
        old.last()
            .map_or(0.0, |arrival| (arrival.at - from_us) as f64 / 1e3)
    }
}
