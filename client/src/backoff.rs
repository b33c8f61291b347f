//! When to try again: exponential backoff with full jitter.
//!
//! A random part of 1 s, then of 2, 4 ... 30 s, so that the clients of a server that fell over do not all come back at once.
//! (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.)

use tickwire_sync::Micros;

const FIRST: Micros = Micros::from_millis(1_000);
const LONGEST: Micros = Micros::from_millis(30_000);

/// Counts failed attempts.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    random: fastrand::Rng,
    attempts: u32,
}

impl Backoff {
    pub fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            attempts: 0,
        }
    }

    /// The pause before the next attempt.
    pub fn pause(&mut self) -> Micros {
        let ceiling = FIRST
            .0
            .saturating_mul(1 << self.attempts.min(16))
            .min(LONGEST.0);
        self.attempts += 1;
        Micros(self.random.u64(0..=ceiling))
    }

    /// An attempt succeeded.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_stay_below_a_ceiling_that_doubles_up_to_thirty_seconds() {
        let mut ceilings = [0_u64; 8];
        for seed in 0..2000 {
            let mut backoff = Backoff::new(seed);
            for ceiling in &mut ceilings {
                *ceiling = backoff.pause().0.max(*ceiling);
            }
        }
        let expected = [1, 2, 4, 8, 16, 30, 30, 30].map(|seconds| seconds * 1_000_000);
        for (seen, expected) in ceilings.iter().zip(expected) {
            assert!(
                *seen <= expected && *seen > expected * 9 / 10,
                "{ceilings:?}"
            );
        }
    }
}
