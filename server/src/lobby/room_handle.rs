//! What the lobby keeps about one room: where it runs, by which clock, and what the match that made it wanted.

use crate::config::Config;
use crate::worker::RoomEntry;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use tickwire_game::Tags;
use tickwire_sync::{Micros, TickClock};

/// Names of private rooms begin like this, and have this length, so that the name of one that has ended opens no public room.
pub(super) const PRIVATE_PREFIX: &str = "private-";
const PRIVATE_NAME_BYTES: usize = 30;

/// Where a room runs, and by which clock: what the lobby keeps about a [`Room`](crate::room::Room) that a worker's `RoomRunner` runs.
/// The worker shares the [`RoomEntry`].
#[derive(Clone)]
pub(super) struct RoomHandle {
    pub worker: usize,
    pub tick_clock: TickClock,
    pub entry: Arc<RoomEntry>,
    /// Counts up with every room.
    pub number: u64,
    /// The address that the room counts under; `None`: it counts under none.
    pub opened_by: Option<IpAddr>,
    pub profile: Arc<RoomProfile>,
    pub tenure: Tenure,
    /// Until when the room waits for the player who is about to open it.
    pub held_until: Micros,
    /// Whether the worker runs it. A match only adds a room, and its first player opens it: so matches cost a worker nothing.
    pub is_open: bool,
}

/// By what right this process runs a room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tenure {
    /// The epoch of this node's claim in its cluster; `None`: there is none.
    pub epoch: Option<u64>,
    /// The number of this process among those that have run the room, or rooms here: each goes on with numbers of its own.
    pub process: u64,
}

/// What a match wanted of its room. The default is that of a room that was opened by its name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct RoomProfile {
    pub tags: Tags,
    /// `None`: `--max-players`.
    pub max_players: Option<usize>,
    /// The secret by which further players get a seat in a private room; `None`: the room is public.
    pub key: Option<[u8; 16]>,
}

impl RoomProfile {
    pub fn is_private(&self) -> bool {
        self.key.is_some()
    }

    pub fn max_players(&self, config: &Config) -> usize {
        self.max_players.unwrap_or(config.max_players)
    }

    /// Whether the room has all of these tags.
    pub fn has_tags(&self, wanted: &Tags) -> bool {
        wanted
            .iter()
            .all(|(name, value)| self.tags.get(name) == Some(value))
    }
}

impl RoomHandle {
    /// Keeps the room from ending until the join has reached it. `false`: the room has ended already.
    pub fn begin_join(&self) -> bool {
        let has_ended = self.entry.has_ended.read();
        let has_ended = has_ended.unwrap_or_else(PoisonError::into_inner);
        if !*has_ended {
            self.entry.joining.fetch_add(1, Ordering::AcqRel);
        }
        !*has_ended
    }

    /// Reserves a seat. `false`: there is none free, the address holds its share, or the room has ended.
    pub fn reserve(
        &self,
        max_players: usize,
        reservation: [u8; 16],
        address: Option<IpAddr>,
        now: Micros,
    ) -> bool {
        let has_ended = self.entry.has_ended.read();
        let has_ended = has_ended.unwrap_or_else(PoisonError::into_inner);
        let seats = &self.entry.seats;
        !*has_ended && seats.reserve(max_players, reservation, address, now)
    }

    /// Whether nobody is connected, and nobody is on the way.
    pub fn is_unattended(&self) -> bool {
        !self.entry.is_attended.load(Ordering::Acquire)
            && self.entry.joining.load(Ordering::Acquire) == 0
    }

    /// Ends the room unless somebody has come meanwhile. Returns whether it has ended.
    pub fn end(&self) -> bool {
        let has_ended = self.entry.has_ended.write();
        let mut has_ended = has_ended.unwrap_or_else(PoisonError::into_inner);
        *has_ended |= self.is_unattended();
        *has_ended
    }

    /// Whether the room has ended, or nobody has come to open it while a seat was reserved.
    pub fn is_gone(&self, now: Micros) -> bool {
        let has_ended = self.entry.has_ended.read();
        let has_ended = has_ended.unwrap_or_else(PoisonError::into_inner);
        *has_ended
            || (!self.is_open && now >= self.held_until && !self.entry.seats.is_any_reserved(now))
    }
}

/// Whether a name is one that only a match gives, to a private room.
pub(crate) fn is_private_name(name: &str) -> bool {
    name.len() == PRIVATE_NAME_BYTES && name.starts_with(PRIVATE_PREFIX)
}
