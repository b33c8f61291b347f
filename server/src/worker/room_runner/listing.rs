//! What others read of a room: its entry in the list of rooms, and what its game tells of it.

use super::{Activity, RoomRunner};
use serde_json::{Value, json};
use std::sync::{Arc, PoisonError};
use tickwire_game::Tags;
use tickwire_sync::Micros;

/// The game of a listed room is asked for its metadata this often.
const METADATA_INTERVAL: Micros = Micros::from_millis(1_000);
/// More metadata, or longer, is not shown: anybody can ask for it.
const MAX_METADATA: usize = 16;
const MAX_METADATA_NAME_BYTES: usize = 32;
const MAX_METADATA_VALUE_BYTES: usize = 256;

impl RoomRunner {
    /// Whether the list of rooms wants newer metadata of this room.
    pub fn wants_metadata(&self, now: Micros) -> bool {
        self.entry.is_listed
            && self.activity != Activity::Closed
            && now >= self.metadata_due
            && self.metadata_tick != Some(self.room.tick_now())
    }

    /// Asks the game for its metadata, and shows what is within the limits.
    pub fn update_metadata(&mut self, now: Micros) {
        self.metadata_due = now.plus(METADATA_INTERVAL);
        self.metadata_tick = Some(self.room.tick_now());
        let shown = Arc::new(within_limits(self.room.metadata()));
        let metadata = self.entry.metadata.lock();
        *metadata.unwrap_or_else(PoisonError::into_inner) = shown;
    }

    /// The room's entry in the list of rooms.
    pub fn summary(&self) -> Value {
        json!({
            "room": self.room.name(),
            "players": self.gauge_share.players,
            "sessions": self.gauge_share.sessions,
            "tick": self.room.tick_now().0,
            "bytes_per_second": self.bytes.last_second,
        })
    }
}

/// The metadata that is shown to anybody who asks.
fn within_limits(metadata: Tags) -> Tags {
    let is_short = |(name, value): &(String, String)| {
        name.len() <= MAX_METADATA_NAME_BYTES && value.len() <= MAX_METADATA_VALUE_BYTES
    };
    metadata
        .into_iter()
        .filter(is_short)
        .take(MAX_METADATA)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_metadata_is_not_shown() {
        let mut metadata: Tags = (0..40)
            .map(|number| (format!("name{number:02}"), String::new()))
            .collect();
        metadata.insert("a".repeat(33), String::new());
        metadata.insert("b".to_owned(), "x".repeat(257));
        metadata.insert("c".to_owned(), "x".repeat(256));
        let shown = within_limits(metadata);
        assert_eq!(shown.len(), 16);
        assert!(shown.contains_key("c") && !shown.contains_key("b"));
        assert!(shown.keys().all(|name| name.len() <= 32));
    }
}
