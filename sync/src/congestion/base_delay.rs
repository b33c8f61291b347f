//! The base delay of a path: its one-way delay without queues (RFC 6817, LEDBAT, section 3.4).

use super::sent_record::SentRecord;

/// How long a delay counts for the base delay, in microseconds.
const WINDOW_US: i64 = 10_000_000;
/// How many snapshots in a row that met no queue of ours reset the base delay.
const UNQUEUED_IN_A_ROW: u32 = 3;

/// A one-way delay in microseconds, and the wire bytes of the snapshot that had it. Ordered by delay.
type Sample = (i64, u32);

const NO_SAMPLE: Sample = (i64::MAX, 0);

/// The minimum delay of the latest 5 to 10 s.
///
/// A snapshot that was sent with nothing else in flight meets no queue of ours. If three in a row have a larger delay, then
/// the path itself has become longer, or others fill it. The base delay is reset to theirs: waiting for the old one would only
/// give our share to the others.
#[derive(Clone, Debug)]
pub(super) struct BaseDelay {
    older: Sample,
    newer: Sample,
    half_began_at: i64,
    unqueued: Sample,
    unqueued_count: u32,
}

impl Default for BaseDelay {
    fn default() -> Self {
        Self {
            older: NO_SAMPLE,
            newer: NO_SAMPLE,
            half_began_at: 0,
            unqueued: NO_SAMPLE,
            unqueued_count: 0,
        }
    }
}

impl BaseDelay {
    /// The base delay, and the wire bytes of the snapshot that had it.
    pub fn get(&self) -> Sample {
        self.older.min(self.newer)
    }

    /// Adds a delay. `probed_base_delay`: the path was drained for this snapshot. Returns how much larger than before the base delay
    /// is, if this delay reset it.
    pub fn add(&mut self, delay: i64, sent: &SentRecord, probed_base_delay: bool) -> Option<i64> {
        let (before, _) = self.get();
        let sample = (delay, sent.wire_bytes);
        if sent.sent_at - self.half_began_at >= WINDOW_US / 2 {
            self.older = std::mem::replace(&mut self.newer, NO_SAMPLE);
            self.half_began_at = sent.sent_at;
        }
        self.newer = self.newer.min(sample);
        if !sent.was_unqueued {
            self.unqueued_count = 0;
            return None;
        }
        self.unqueued = if self.unqueued_count == 0 {
            sample
        } else {
            self.unqueued.min(sample)
        };
        self.unqueued_count += 1;
        let resets = self.unqueued_count >= UNQUEUED_IN_A_ROW || probed_base_delay;
        if resets {
            (self.older, self.newer) = (self.unqueued, self.unqueued);
            self.unqueued_count = 0;
        }
        resets.then(|| self.unqueued.0.saturating_sub(before))
    }
}
