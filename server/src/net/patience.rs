//! How long a connection that ends may take for it.
//!
//! In: how many bytes the peer has yet to take. Out: whether it has had its time. A slow line gets what waits here for it, up to the close
//! frame: it may stall for a while, as lines do. When all of it has gone to the kernel, the peer must answer soon.

use std::time::{Duration, Instant};

/// How long the peer may take to answer our close frame, or to end its side, once nothing waits for it here.
const ANSWER: Duration = Duration::from_secs(2);
/// How long it may take nothing while bytes wait for it.
const STALL: Duration = Duration::from_secs(5);
/// How long it may take altogether to answer our close frame, and again to end its side.
const WHOLE: Duration = Duration::from_secs(30);

/// See the module's head.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    until: Instant,
    at_most: Instant,
    pending: usize,
}

impl Patience {
    /// Begins now, with so many bytes to be taken.
    pub(super) fn new(now: Instant, pending: usize) -> Self {
        Self {
            until: now + if pending > 0 { STALL } else { ANSWER },
            at_most: now + WHOLE,
            pending,
        }
    }

    /// Until when the peer has time if nothing changes.
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// Whether the peer has had its time, with so many bytes still to be taken.
    pub(super) fn is_over(&mut self, now: Instant, pending: usize) -> bool {
        if pending < self.pending {
            self.pending = pending;
            let more = if pending > 0 { STALL } else { ANSWER };
            self.until = (now + more).min(self.at_most);
        }
        now >= self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_bytes_is_waited_for_but_not_for_ever() {
        let start = Instant::now();
        let second = |number: u64| start + Duration::from_secs(number);
        let mut done = Patience::new(start, 0);
        assert!(!done.is_over(second(1), 0));
        assert!(done.is_over(second(2), 0));
        let mut stalled = Patience::new(start, 100);
        assert!(!stalled.is_over(second(4), 100));
        assert!(!stalled.is_over(second(4), 0));
        assert!(stalled.is_over(second(6), 0));
        let mut slow = Patience::new(start, 1_000);
        for number in 1..30 {
            assert!(!slow.is_over(second(number), 1_000 - number as usize));
        }
        assert_eq!(slow.until(), second(30));
        assert!(slow.is_over(second(30), 900));
    }
}
