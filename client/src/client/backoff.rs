//! Pauses between reconnect attempts: exponential backoff with full jitter.
//!
//! Each pause is random, up to 1 s, then 2, 4 ... 30 s, so that the clients of a failed server do not all return at once.
//! (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.)

use tickwire_sync::Micros;

const FIRST_CEILING: Micros = Micros::from_millis(1_000);
const MAX_CEILING: Micros = Micros::from_millis(30_000);

/// The attempts that failed in a row, and the randomness of the pauses.
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

    /// Counts a failed attempt, and returns the pause before the next one.
    pub fn pause(&mut self) -> Micros {
        let ceiling = FIRST_CEILING
            .0
            .saturating_mul(1 << self.attempts.min(16))
            .min(MAX_CEILING.0);
        self.attempts += 1;
        Micros(self.random.u64(0..=ceiling))
    }

    /// Starts again with short pauses: an attempt has succeeded.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_of_pauses_doubles_up_to_thirty_seconds() {
        let mut ceilings = [0_u64; 8];
        for seed in 0..2000 {
            let mut backoff = Backoff::new(seed);
            for ceiling in &mut ceilings {
                *ceiling = backoff.pause().0.max(*ceiling);
            }
        }
        let expected_us = [1, 2, 4, 8, 16, 30, 30, 30].map(|seconds| seconds * 1_000_000);
        for (seen, expected) in ceilings.iter().zip(expected_us) {
            assert!(
                *seen <= expected && *seen > expected * 9 / 10,
                "{ceilings:?}"
            );
        }
    }
}
