//! Gives the memory of what has ended back to the system.
//!
//! In: how much has ended, counted by whoever ends it. Out: calls of the allocator, from a thread that no tick waits for. The allocator
//! keeps what is freed: 15,000 rooms that came and went left 490 MB behind. It is asked as soon as much was freed, because each call takes
//! as long as there is to give back, and a worker that allocates meanwhile waits for it.

use crate::clock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tickwire_sync::Micros;

/// What a room of a small game takes, its game included.
pub(crate) const ROOM_BYTES: u64 = 128 * 1024;
/// What a session takes beside its room.
pub(crate) const SESSION_BYTES: u64 = 8 * 1024;
/// What a connection takes, without TLS.
pub(crate) const CONNECTION_BYTES: u64 = 4 * 1024;

/// So much is worth a call.
const WORTH_A_CALL: u64 = 16 << 20;
/// Less is given back after this time: the counts are guesses, and a game's rooms may be large.
const PATIENCE: Micros = Micros::from_millis(30_000);
/// The shortest time between two calls.
const INTERVAL: Duration = Duration::from_secs(2);

/// Bytes of what has ended since the process began. The process's, as the allocator is.
static FREED: AtomicU64 = AtomicU64::new(0);

/// Something has ended that took about so many bytes.
pub(crate) fn count(bytes: u64) {
    FREED.fetch_add(bytes, Ordering::Relaxed);
}

/// Gives back what is freed from now on. Never ends.
pub(crate) async fn give_back() {
    let mut schedule = Schedule::new(FREED.load(Ordering::Relaxed), clock::now());
    let mut period = tokio::time::interval(INTERVAL);
    period.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        period.tick().await;
        if !schedule.is_due(FREED.load(Ordering::Relaxed), clock::now()) {
            continue;
        }
        // On a thread of its own, because it takes milliseconds. It cannot fail.
        let _ = tokio::task::spawn_blocking(tickwire_batch::give_back_free_memory).await;
    }
}

/// When memory is given back.
struct Schedule {
    /// The bytes that had been freed at the last call.
    freed: u64,
    last_call: Micros,
}

impl Schedule {
    fn new(freed: u64, now: Micros) -> Self {
        Self {
            freed,
            last_call: now,
        }
    }

    /// Whether it is time for a call, now that so many bytes have been freed since the process began. If so, the call is counted.
    fn is_due(&mut self, freed: u64, now: Micros) -> bool {
        let since = freed.saturating_sub(self.freed);
        let is_due = since >= WORTH_A_CALL || (since > 0 && now.since(self.last_call) >= PATIENCE);
        if is_due {
            *self = Self::new(freed, now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn much_is_given_back_at_once_and_little_later() {
        let mut schedule = Schedule::new(0, Micros(0));
        assert!(!schedule.is_due(0, PATIENCE));
        assert!(!schedule.is_due(WORTH_A_CALL - 1, Micros(1)));
        assert!(schedule.is_due(WORTH_A_CALL, Micros(2)));
        assert!(!schedule.is_due(WORTH_A_CALL, Micros(3).plus(PATIENCE)));
        assert!(schedule.is_due(WORTH_A_CALL + 1, Micros(4).plus(PATIENCE)));
    }
}
