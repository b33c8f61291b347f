//! What an operator wants done with sessions that there are now, and what came of it.

use super::entry::Target;
use crate::close::Close;
use std::net::IpAddr;

/// Whose sessions are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// One session of a room.
    Session {
        /// The room's name.
        room: String,
        /// The session's number.
        number: u32,
    },
    /// All sessions of a subject or network.
    Target(Target),
}

/// What is done with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionAction {
    /// Nothing: they are only found.
    Find,
    /// They end.
    End(Close),
    /// The mute of this id holds for them, wherever their players come from.
    Mute(u64),
}

/// Which sessions were meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActedOn {
    /// How many there are.
    pub sessions: usize,
    /// Who the first one is.
    pub first: Option<SessionIdentity>,
}

/// Who a session is, for an entry that shall hold for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionIdentity {
    /// The player's id at the login service.
    pub subject: Option<String>,
    /// Where the player came from last.
    pub address: Option<IpAddr>,
}

impl ActedOn {
    /// Adds what another worker or room found.
    pub fn add(&mut self, other: Self) {
        self.sessions += other.sessions;
        if self.first.is_none() {
            self.first = other.first;
        }
    }
}
