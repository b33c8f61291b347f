//! A rate limit: a burst at once, and then a steady rate (a token bucket). Pure.

use tickwire_sync::Micros;

/// Tokens that are left, and when they were counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenBucket {
    burst: f64,
    per_second: f64,
    tokens: f64,
    counted_at: Micros,
}

impl TokenBucket {
    /// A full bucket.
    pub fn new(burst: f64, per_second: f64, now: Micros) -> Self {
        Self {
            burst,
            per_second,
            tokens: burst,
            counted_at: now,
        }
    }

    /// Whether all tokens are back.
    pub fn is_full(&self, now: Micros) -> bool {
        let refill = now.since(self.counted_at).0 as f64 / 1e6 * self.per_second;
        self.tokens + refill >= self.burst
    }

    /// Takes one token. `false`: none is left now.
    pub fn take(&mut self, now: Micros) -> bool {
        let refill = now.since(self.counted_at).0 as f64 / 1e6 * self.per_second;
        self.tokens = (self.tokens + refill).min(self.burst);
        self.counted_at = now;
        let has_token = self.tokens >= 1.0;
        if has_token {
            self.tokens -= 1.0;
        }
        has_token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_at_once_and_then_a_steady_rate() {
        let mut bucket = TokenBucket::new(5.0, 2.0, Micros(0));
        let mut taken = |at_ms: u64| {
            (0..100)
                .filter(|_| bucket.take(Micros::from_millis(at_ms)))
                .count()
        };
        assert_eq!(
            [taken(0), taken(499), taken(500), taken(1_500)],
            [5, 0, 1, 2]
        );
        assert_eq!(taken(60_000), 5);
    }
}
