//! Whether a worker makes progress, and for how long it has been late.
//!
//! In: reports of the worker's own thread. Out: answers to other threads, without a lock. Times are on the server's clock.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tickwire_sync::Micros;

/// What a worker's thread last reported.
#[derive(Debug, Default)]
pub(super) struct Liveness {
    last_progress_us: AtomicU64,
    /// Since when the worker has been late without a break; 0: it is not late.
    late_since_us: AtomicU64,
    has_ended: AtomicBool,
}

impl Liveness {
    pub fn new(now: Micros) -> Self {
        Self {
            last_progress_us: AtomicU64::new(now.0),
            ..Self::default()
        }
    }

    /// Whether the thread runs, and has made progress within `limit`.
    pub fn is_alive(&self, now: Micros, limit: Duration) -> bool {
        let last = Micros(self.last_progress_us.load(Ordering::Relaxed));
        !self.has_ended.load(Ordering::Relaxed) && now.since(last).0 < limit.as_micros() as u64
    }

    /// For how long the worker has been late without a break.
    pub fn late_for(&self, now: Micros) -> Duration {
        match self.late_since_us.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => Duration::from_micros(now.since(Micros(since)).0),
        }
    }

    pub fn record_progress(&self, now: Micros) {
        self.last_progress_us.store(now.0, Ordering::Relaxed);
    }

    pub fn record_lateness(&self, is_late: bool, now: Micros) {
        let since = self.late_since_us.load(Ordering::Relaxed);
        match (is_late, since) {
            (true, 0) => self.late_since_us.store(now.0, Ordering::Relaxed),
            (false, 1..) => self.late_since_us.store(0, Ordering::Relaxed),
            _ => {}
        }
    }

    pub fn record_end(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
    }
}
