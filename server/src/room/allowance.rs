//! How much of something one may have: so many at once, then so many a second (a token bucket). Pure.

use tickwire_sync::Micros;

/// What is left, and when that was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    most: f64,
    per_second: f64,
    left: f64,
    at: Micros,
}

impl Allowance {
    pub fn new(most: f64, per_second: f64, now: Micros) -> Self {
        Self {
            most,
            per_second,
            left: most,
            at: now,
        }
    }

    /// Takes one. `false`: none is left now.
    pub fn take(&mut self, now: Micros) -> bool {
        let grown = now.since(self.at).0 as f64 / 1e6 * self.per_second;
        self.left = (self.left + grown).min(self.most);
        self.at = now;
        let is_enough = self.left >= 1.0;
        if is_enough {
            self.left -= 1.0;
        }
        is_enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_at_once_and_then_so_many_a_second() {
        let mut allowance = Allowance::new(5.0, 2.0, Micros(0));
        let mut taken = |at: u64| {
            (0..100)
                .filter(|_| allowance.take(Micros::from_millis(at)))
                .count()
        };
        assert_eq!(
            [taken(0), taken(499), taken(500), taken(1_500)],
            [5, 0, 1, 2]
        );
        assert_eq!(taken(60_000), 5);
    }
}
