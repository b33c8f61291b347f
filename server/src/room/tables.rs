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
    /// The message with the newest; empty while there are none but those of the beginning, which are in `Welcome`.
    pub message: Vec<u8>,
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
            message: Vec::new(),
            tick_rate,
            pause: tick_rate * SECONDS,
            due: Tick(tick_rate * SECONDS),
        }
    }

    /// Has the memo use better ones from this tick on, if it is time to look and there are some. Before anything of the tick is encoded.
    pub fn improve(&mut self, memo: &mut BlockMemo, tick: Tick) {
        if tick < self.due {
            return;
        }
        self.pause = match memo.improve_tables(SAMPLE) {
            true => {
                self.version += 1;
                self.message = messages::encode(Body::Tables(memo.tables().to_proto()));
                self.tick_rate * SECONDS
            }
            false => (self.pause * 2).min(self.tick_rate * MOST_SECONDS),
        };
        self.due = Tick(tick.0 + self.pause);
    }
}
