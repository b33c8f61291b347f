//! The WebSocket connections ("links") of one session: the one in use, and one that may be about to replace it.
//!
//! In: what the shell reports about its sockets. Out: the state of each link, and when to open the next one.
//! Never sends anything and decides nothing: `reconnect` decides what follows on an open or a closed socket, `liveness` decides
//! from silence that a link is dead, and `backoff` says how long to pause before the next link.

use super::backoff::Backoff;
use tickwire_sync::Micros;

/// Number of one of the shell's sockets; never used twice in a session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkId(pub u32);

/// One socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Link {
    pub id: LinkId,
    pub state: LinkState,
    /// When the attempt began, or the latest message arrived.
    pub last_heard: Micros,
    /// How many links in a row were given up before this one because they were open and delivered no snapshot.
    pub slow_before: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LinkState {
    /// The link asked the shell to connect.
    Opening,
    /// Open: `Hello` is sent, and `Welcome` has not arrived.
    Joining {
        /// When `Hello` was sent.
        since: Micros,
    },
    /// `Welcome` arrived.
    Joined,
}

impl Link {
    pub fn is_joined(&self) -> bool {
        self.state == LinkState::Joined
    }

    pub fn is_joining(&self) -> bool {
        matches!(self.state, LinkState::Joining { .. })
    }
}

/// All links of a session, and when the next one is due.
pub(crate) struct LinkSet {
    pub all: Vec<Link>,
    newest_id: u32,
    /// The newest link over which `Hello` went: that the server closes an older one is this client's own doing.
    pub newest_hello: LinkId,
    pub backoff: Backoff,
    /// When to open the next link; `None` while none is wanted.
    pub retry_at: Option<Micros>,
    /// Attempts in a row that nothing answered.
    pub unanswered_attempts: u32,
    /// LinkSet in a row that were open and were given up before they delivered a snapshot.
    pub slow_starts: u32,
    /// When the network last changed, as far as the device says: a link that has been silent since may be dead.
    pub probed_at: Option<Micros>,
    /// Why the last link was refused or lost, for people; empty while all is well.
    pub last_error: String,
}

impl LinkSet {
    /// No link yet; the first one is due at `now`.
    pub fn new(seed: u64, now: Micros) -> Self {
        Self {
            all: Vec::new(),
            newest_id: 0,
            newest_hello: LinkId(0),
            backoff: Backoff::new(seed),
            retry_at: Some(now),
            unanswered_attempts: 0,
            slow_starts: 0,
            probed_at: None,
            last_error: String::new(),
        }
    }

    /// Adds a link that is about to be opened.
    pub fn add(&mut self, now: Micros) -> LinkId {
        self.retry_at = None;
        self.newest_id += 1;
        let id = LinkId(self.newest_id);
        self.all.push(Link {
            id,
            state: LinkState::Opening,
            last_heard: now,
            slow_before: self.slow_starts,
        });
        id
    }

    pub fn get_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.all.iter_mut().find(|link| link.id == id)
    }

    pub fn remove(&mut self, id: LinkId) -> Option<Link> {
        let position = self.all.iter().position(|link| link.id == id)?;
        Some(self.all.remove(position))
    }

    /// The link that serves the session.
    pub fn joined(&self) -> Option<LinkId> {
        let joined = self.all.iter().find(|link| link.is_joined());
        joined.map(|link| link.id)
    }

    pub fn is_any_joining(&self) -> bool {
        self.all.iter().any(Link::is_joining)
    }

    /// Schedules the next link after a random pause.
    pub fn retry_after_pause(&mut self, now: Micros) {
        self.retry_at = Some(now.plus(self.backoff.pause()));
    }

    pub fn set_error(&mut self, error: &str) {
        error.clone_into(&mut self.last_error);
    }
}
