//! Whether this node may act for its rooms, as its workers ask before each turn of a room.

use std::sync::{Arc, OnceLock};
use tickwire_cluster::LeaseClock;
use tickwire_sync::Micros;

/// The lease under which rooms are run. Without a cluster it always holds.
#[derive(Clone, Default)]
pub(crate) struct RoomLease(Option<Arc<OnceLock<Arc<LeaseClock>>>>);

impl RoomLease {
    /// The lease of a node that is about to join a cluster.
    pub fn of_cluster() -> Self {
        Self(Some(Arc::default()))
    }

    /// The node has joined.
    pub fn set(&self, clock: Arc<LeaseClock>) {
        if let Some(lease) = &self.0 {
            let _ = lease.set(clock);
        }
    }

    /// Whether rooms may be run at `now`.
    pub fn is_valid(&self, now: Micros) -> bool {
        match &self.0 {
            None => true,
            Some(lease) => lease.get().is_some_and(|clock| clock.is_valid(now)),
        }
    }
}
