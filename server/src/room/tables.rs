//! A room's search for better coding tables, and how its clients get them.
//!
//! In: the memo, which tallies what it encodes. Out: a message, which goes along with the next snapshot of everyone who has older tables: so none
//! is sent apart, and none is late, as a snapshot that uses new tables never goes without them.

use super::messages;
use tickwire_proto::v1::server_message::Body;
use tickwire_sync::Tick;
use tickwire_sync::memo::BlockMemo;

/// How soon a room looks for better ones, in seconds: after each look that found none it waits for twice as long, up to the most.
const SECONDS: u32 = 2;
const MOST_SECONDS: u32 = 16;
/// Residuals that are worth such a look.
const SAMPLE: u64 = 2_000;

/// See the module's head.
#[derive(Debug)]
pub(super) struct CodingTables {
    /// How often better ones were found; a session remembers which its client has.
    pub version: u32,
    /// The message for who has those before the newest: what changed. Empty while there are none but those of the beginning, which are in `Welcome`.
    changes: Vec<u8>,
    /// The message for who has older ones: all.
    whole: Vec<u8>,
    tick_rate: u32,
    /// Ticks from one look to the next, and when that is.
    pause: u32,
    due: Tick,
}

impl CodingTables {
    /// Those of a room before its first tick.
    pub fn new(tick_rate: u32) -> Self {
        Self {
            version: 0,
            changes: Vec::new(),
            whole: Vec::new(),
            tick_rate,
            pause: tick_rate * SECONDS,
            due: Tick(tick_rate * SECONDS),
        }
    }

    /// Whether it is time to look for better ones.
    pub fn is_due(&self, tick: Tick) -> bool {
        tick >= self.due
    }

    /// Has the memo use better ones from this tick on, if there are some that pay where so many clients read packed blocks. Before anything of the tick is encoded.
    pub fn improve(&mut self, memo: &mut BlockMemo, clients: usize, tick: Tick) {
        self.pause = match memo.improve_tables(SAMPLE, memo.share_of_each(clients)) {
            Some(changes) => {
                self.version += 1;
                self.changes = messages::encode(Body::Tables(changes));
                self.whole = messages::encode(Body::Tables(memo.tables().to_proto()));
                self.tick_rate * SECONDS
            }
            None => (self.pause * 2).min(self.tick_rate * MOST_SECONDS),
        };
        self.due = Tick(tick.0 + self.pause);
    }

    /// The message that gives the newest to a client that has those of `version`.
    pub fn message_after(&self, version: u32) -> &[u8] {
        match version + 1 == self.version {
            true => &self.changes,
            false => &self.whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_missed_some_gets_them_all() {
        let tables = CodingTables {
            version: 3,
            changes: b"changes".to_vec(),
            whole: b"whole".to_vec(),
            ..CodingTables::new(60)
        };
        assert_eq!(tables.message_after(2), b"changes");
        assert_eq!(tables.message_after(1), b"whole");
        assert_eq!(tables.message_after(0), b"whole");
    }
}
