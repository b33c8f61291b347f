//! When a room searches for better codebooks, and how its clients get them.
//!
//! In: the block cache, which counts the residuals that it encodes, and makes the codebooks. Out: a message that goes along with
//! the next snapshot of every client with older codebooks. So no codebook is sent alone, and none is late: a snapshot that uses
//! new codebooks never goes without them.

use crate::room::messages;
use tickwire_proto::v1::server_message::Body;
use tickwire_sync::Tick;
use tickwire_sync::encode::BlockCache;

/// Seconds from one search to the next. Each search that finds nothing better doubles them, up to the maximum.
const MIN_INTERVAL_SECONDS: u32 = 2;
const MAX_INTERVAL_SECONDS: u32 = 16;
/// The version of the codebooks of a client that was in another node's room before.
pub(in crate::room) const UNKNOWN_VERSION: u32 = u32::MAX - 1;
/// Residuals that a search needs.
const MIN_SAMPLES: u64 = 2_000;

/// Schedules the searches, and keeps the messages that bring clients to the newest codebooks.
#[derive(Debug)]
pub(in crate::room) struct CodebookSchedule {
    /// How often better codebooks were found. A session remembers which version its client has.
    pub version: u32,
    /// The message for clients with the version before the newest: the changes. Empty for version 0, which `Welcome` carries.
    changes_message: Vec<u8>,
    /// The message for clients with older versions, or unknown ones: all codebooks.
    full_message: Vec<u8>,
    tick_rate: u32,
    interval_ticks: u32,
    next_search: Tick,
}

impl CodebookSchedule {
    /// The schedule of a room before its first tick.
    pub fn new(tick_rate: u32, block_cache: &BlockCache) -> Self {
        let codebooks = block_cache.codebooks().to_proto();
        Self {
            version: 0,
            changes_message: Vec::new(),
            full_message: messages::encode(Body::Codebooks(codebooks)),
            tick_rate,
            interval_ticks: tick_rate * MIN_INTERVAL_SECONDS,
            next_search: Tick(tick_rate * MIN_INTERVAL_SECONDS),
        }
    }

    /// Whether a search is due.
    pub fn is_search_due(&self, tick: Tick) -> bool {
        tick >= self.next_search
    }

    /// Searches for better codebooks, and gives the block cache those that pay with this many clients that read packed blocks. They
    /// hold from this tick on. Must be called before anything of the tick is encoded.
    pub fn run_search(&mut self, block_cache: &mut BlockCache, packed_clients: usize, tick: Tick) {
        self.interval_ticks = match block_cache
            .tune_codebooks(MIN_SAMPLES, block_cache.share_per_client(packed_clients))
        {
            Some(changes) => {
                self.version += 1;
                self.changes_message = messages::encode(Body::Codebooks(changes));
                self.full_message =
                    messages::encode(Body::Codebooks(block_cache.codebooks().to_proto()));
                self.tick_rate * MIN_INTERVAL_SECONDS
            }
            None => (self.interval_ticks * 2).min(self.tick_rate * MAX_INTERVAL_SECONDS),
        };
        self.next_search = Tick(tick.0 + self.interval_ticks);
    }

    /// The message that gives the newest codebooks to a client that has those of `version`.
    pub fn update_message(&self, version: u32) -> &[u8] {
        if version.checked_add(1) == Some(self.version) {
            &self.changes_message
        } else {
            &self.full_message
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_missed_a_version_gets_all_codebooks() {
        let schedule = CodebookSchedule {
            version: 3,
            changes_message: b"changes".to_vec(),
            full_message: b"full".to_vec(),
            tick_rate: 60,
            interval_ticks: 120,
            next_search: Tick(120),
        };
        assert_eq!(schedule.update_message(2), b"changes");
        assert_eq!(schedule.update_message(1), b"full");
        assert_eq!(schedule.update_message(0), b"full");
        assert_eq!(schedule.update_message(UNKNOWN_VERSION), b"full");
    }
}
