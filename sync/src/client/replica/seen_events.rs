//! Which events were received already, so that one which comes in two cells is shown once.

use std::collections::VecDeque;

/// The numbers of the latest events.
#[derive(Clone, Debug, Default)]
pub(super) struct SeenEvents {
    latest: VecDeque<u32>,
    /// The largest number so far; a larger one is always new.
    largest: u32,
}

impl SeenEvents {
    /// How many numbers are remembered. Cells can be a second apart, and a busy view sees a few hundred events a second.
    const MEMORY: usize = 1024;

    /// Whether an event comes for the first time; remembers it.
    pub fn insert(&mut self, number: u32) -> bool {
        if number <= self.largest && self.latest.contains(&number) {
            return false;
        }
        self.largest = self.largest.max(number);
        if self.latest.len() == Self::MEMORY {
            self.latest.pop_front();
        }
        self.latest.push_back(number);
        true
    }
}
