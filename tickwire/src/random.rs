//! Randomness that a saved game continues.

use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Random numbers from a seed: the same seed gives the same numbers on every machine, and a restored game goes on with them. They are not
/// for secrets.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Random numbers from a seed, usually [`Setup::seed`](crate::Setup::seed).
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// An integer in a range.
    ///
    /// # Panics
    /// If the range is empty.
    #[track_caller]
    pub fn int(&mut self, range: Range<i32>) -> i32 {
        self.with(|random| random.i32(range))
    }

    /// A number from 0 to below 1.
    pub fn unit(&mut self) -> f32 {
        self.with(fastrand::Rng::f32)
    }

    /// Random numbers of their own for one of many, such as each computer player.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self::new(self.with(|random| random.u64(..)))
    }

    /// `true` with this probability.
    pub fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    fn with<T>(&mut self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        let mut random = fastrand::Rng::with_seed(self.state);
        let drawn = draw(&mut random);
        self.state = random.get_seed();
        drawn
    }
}
