//! The WebSocket connections that are open, so that draining can wait for the last one, and close
//! those that nobody else does (echo, and whoever has not said Hello yet).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::IntGauge;
use tokio::sync::watch;

use super::connection::{Connection, ConnectionId};
use crate::close::Close;

/// See the module's head.
#[derive(Debug)]
pub struct OpenConnections {
    all: Mutex<HashMap<ConnectionId, Arc<Connection>>>,
    count: watch::Sender<usize>,
    gauge: IntGauge,
}

/// One connection's membership; ends when it is dropped.
#[derive(Debug)]
pub struct Membership {
    open: Arc<OpenConnections>,
    id: ConnectionId,
}

impl OpenConnections {
    /// None yet; the gauge shows how many there are.
    #[must_use]
    pub fn new(gauge: IntGauge) -> Arc<Self> {
        Arc::new(Self {
            all: Mutex::default(),
            count: watch::Sender::new(0),
            gauge,
        })
    }

    /// Enters a connection.
    #[must_use]
    pub fn enter(self: &Arc<Self>, connection: &Arc<Connection>) -> Membership {
        let id = connection.id();
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(id, Arc::clone(connection));
        self.changed(all.len());
        Membership {
            open: Arc::clone(self),
            id,
        }
    }

    /// Closes every connection that is still open.
    pub fn close_all(&self, close: &Close) {
        let all: Vec<_> = {
            let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
            all.values().cloned().collect()
        };
        for connection in all {
            connection.close(close);
        }
    }

    /// Waits until no connection is open.
    pub async fn none_left(&self) {
        // It can't fail: the sender is held by `self`.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }

    fn changed(&self, count: usize) {
        // Before it is told: who waits for none may look at the gauge.
        self.gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        self.count.send_replace(count);
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut all = (self.open.all.lock()).unwrap_or_else(PoisonError::into_inner);
        all.remove(&self.id);
        self.open.changed(all.len());
    }
}
