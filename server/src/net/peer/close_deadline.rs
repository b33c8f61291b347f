//! How long a connection that is closing may take.
//!
//! In: how many bytes the peer has yet to take. Out: whether its time is over. A slow line still gets everything that is queued
//! for it, up to the close frame, and may stall for a while as lines do. Once the kernel has taken everything, the peer must
//! answer soon.

use std::time::{Duration, Instant};

/// How long the peer may take to answer our close frame, or to end its side, once nothing is pending for it here.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the peer may take nothing while bytes are pending for it.
const STALL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the peer may take altogether to answer our close frame, and once more to end its side.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);

/// The deadline of one step of the closing handshake. Progress of the peer extends it, up to a total.
#[derive(Clone, Copy, Debug)]
pub(super) struct CloseDeadline {
    at: Instant,
    latest: Instant,
    pending_bytes: usize,
}

impl CloseDeadline {
    /// Starts now, with `pending_bytes` yet to be taken.
    pub(super) fn new(now: Instant, pending_bytes: usize) -> Self {
        Self {
            at: now + timeout(pending_bytes),
            latest: now + TOTAL_TIMEOUT,
            pending_bytes,
        }
    }

    /// The deadline if the peer makes no progress.
    pub(super) fn at(&self) -> Instant {
        self.at
    }

    /// Whether the deadline has passed, with `pending_bytes` yet to be taken.
    pub(super) fn has_passed(&mut self, now: Instant, pending_bytes: usize) -> bool {
        if pending_bytes < self.pending_bytes {
            self.pending_bytes = pending_bytes;
            self.at = (now + timeout(pending_bytes)).min(self.latest);
        }
        now >= self.at
    }
}

fn timeout(pending_bytes: usize) -> Duration {
    match pending_bytes {
        0 => ANSWER_TIMEOUT,
        _ => STALL_TIMEOUT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_extends_the_deadline_but_not_for_ever() {
        let start = Instant::now();
        let second = |number: u64| start + Duration::from_secs(number);
        let mut idle = CloseDeadline::new(start, 0);
        assert!(!idle.has_passed(second(1), 0));
        assert!(idle.has_passed(second(2), 0));
        let mut stalled = CloseDeadline::new(start, 100);
        assert!(!stalled.has_passed(second(4), 100));
        assert!(!stalled.has_passed(second(4), 0));
        assert!(stalled.has_passed(second(6), 0));
        let mut slow = CloseDeadline::new(start, 1_000);
        for number in 1..30 {
            assert!(!slow.has_passed(second(number), 1_000 - number as usize));
        }
        assert_eq!(slow.at(), second(30));
        assert!(slow.has_passed(second(30), 900));
    }
}
