//! The set of open WebSocket connections.
//!
//! Draining waits here for the last one, and closes those that no room closes: echo connections, and peers that have not said
//! `Hello` yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::IntGauge;
use tokio::sync::watch;

use super::connection::{Connection, ConnectionId};
use crate::close::Close;

/// All open WebSocket connections, and a gauge that shows how many there are.
#[derive(Debug)]
pub(crate) struct OpenConnections {
    all: Mutex<HashMap<ConnectionId, Arc<Connection>>>,
    count: watch::Sender<usize>,
    gauge: IntGauge,
}

/// Keeps one connection in the set; dropping it removes the connection.
#[derive(Debug)]
pub(crate) struct OpenGuard {
    open: Arc<OpenConnections>,
    id: ConnectionId,
}

impl OpenConnections {
    /// An empty set.
    #[must_use]
    pub fn new(gauge: IntGauge) -> Arc<Self> {
        Arc::new(Self {
            all: Mutex::default(),
            count: watch::Sender::new(0),
            gauge,
        })
    }

    /// Adds a connection.
    #[must_use]
    pub fn add(self: &Arc<Self>, connection: &Arc<Connection>) -> OpenGuard {
        let id = connection.id();
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(id, Arc::clone(connection));
        self.publish_count(all.len());
        OpenGuard {
            open: Arc::clone(self),
            id,
        }
    }

    /// Closes every connection in the set.
    pub fn close_all(&self, close: &Close) {
        let all: Vec<_> = {
            let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
            all.values().cloned().collect()
        };
        for connection in all {
            connection.close(close);
        }
    }

    /// Waits until the set is empty.
    pub async fn all_closed(&self) {
        // The wait cannot fail: `self` holds the sender.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }

    fn publish_count(&self, count: usize) {
        // The gauge comes first: who waits for an empty set may look at it next.
        self.gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        self.count.send_replace(count);
    }
}

impl Drop for OpenGuard {
    fn drop(&mut self) {
        let mut all = (self.open.all.lock()).unwrap_or_else(PoisonError::into_inner);
        all.remove(&self.id);
        self.open.publish_count(all.len());
    }
}
