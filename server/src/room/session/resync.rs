//! A client's requests for a full snapshot, because its view is wrong or lost.
//!
//! In: requests. Out: at most one full snapshot a second, because each costs a whole view.

use crate::token_bucket::TokenBucket;
use tickwire_sync::Micros;

/// A client's requests for a full snapshot.
#[derive(Clone, Copy, Debug)]
pub(in crate::room) struct Resync {
    /// The client waits for a full snapshot.
    is_pending: bool,
    /// Limits full snapshots to one a second.
    full_snapshots: TokenBucket,
}

impl Resync {
    pub fn new(now: Micros) -> Self {
        Self {
            is_pending: false,
            full_snapshots: TokenBucket::new(1.0, 1.0, now),
        }
    }

    /// The client's view is wrong or lost. `false`: the client has said so before, and waits already.
    pub fn request(&mut self) -> bool {
        !std::mem::replace(&mut self.is_pending, true)
    }

    /// Forgets the request, because the client has a new connection and gets a full snapshot anyway.
    pub fn cancel(&mut self) {
        self.is_pending = false;
    }

    /// Grants the pending request if the limit allows. Returns whether it did: the next snapshot must then be a full one.
    pub fn take(&mut self, now: Micros) -> bool {
        let is_granted = self.is_pending && self.full_snapshots.take(now);
        self.is_pending &= !is_granted;
        is_granted
    }
}
