//! What the tasks of a cluster share.

use super::ClusterHandler;
use super::counts::Counters;
use super::members::{Members, SILENT_AFTER};
use crate::lease::{Lease, NO_CLAIMS_FOR};
use crate::link::{LinkStatus, LinkTls, Secret};
use crate::node::{NodeEntry, NodeId};
use crate::peer::{Peer, PeerContext};
use crate::redis::DirectoryError;
use crate::redis::directory::Directory;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tickwire_sync::Micros;
use tokio::sync::{Notify, watch};

/// Redis has this long for an answer that the lease depends on.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_millis(500);

/// What this node knows of Redis.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RedisHistory {
    /// Redis answered again, or had forgotten the lease. Entries of other nodes may be missing for a while.
    back_at: Option<Micros>,
    /// When the directory was last read.
    read_at: Option<Micros>,
    /// When this node last said over a link that it has lost Redis.
    said_lost_at: Option<Micros>,
}

/// The state behind a `Cluster`.
pub(super) struct Core {
    pub me: NodeId,
    pub clock: fn() -> Micros,
    pub handler: Arc<dyn ClusterHandler>,
    pub directory: Arc<Directory>,
    pub lease: Mutex<Lease>,
    /// Held while streams are reset for a lapse, and while the lease comes back: one does not overtake the other.
    pub lapsing: Mutex<()>,
    pub members: Members,
    pub context: Arc<PeerContext>,
    pub counters: Arc<Counters>,
    /// What this node says of itself over links.
    pub status: watch::Sender<LinkStatus>,
    pub tls: LinkTls,
    secret: Mutex<Secret>,
    pub public_url: Option<String>,
    /// Where other nodes reach this one's listener.
    pub link_address: Option<SocketAddr>,
    pub is_draining: AtomicBool,
    pub history: Mutex<RedisHistory>,
    /// Wakes the task that renews the lease.
    pub renew_now: Notify,
    /// One reading of the directory at a time, so that an older one is never applied after a newer one.
    pub reading: tokio::sync::Mutex<()>,
    pub next_link: AtomicU64,
}

pub(super) struct CoreParts {
    pub me: NodeId,
    pub clock: fn() -> Micros,
    pub handler: Arc<dyn ClusterHandler>,
    pub directory: Arc<Directory>,
    pub counters: Arc<Counters>,
    pub tls: LinkTls,
    pub secret: Secret,
    pub public_url: Option<String>,
    pub link_address: Option<SocketAddr>,
}

impl Core {
    pub fn new(parts: CoreParts) -> Self {
        let lease = Lease::new();
        let context = PeerContext {
            clock: parts.clock,
            lease: Arc::clone(lease.clock()),
            handler: Arc::clone(&parts.handler),
            counters: Arc::clone(&parts.counters),
        };
        Self {
            me: parts.me,
            clock: parts.clock,
            handler: parts.handler,
            directory: parts.directory,
            lease: Mutex::new(lease),
            lapsing: Mutex::default(),
            members: Members::default(),
            context: Arc::new(context),
            counters: parts.counters,
            status: watch::Sender::new(LinkStatus::default()),
            tls: parts.tls,
            secret: Mutex::new(parts.secret),
            public_url: parts.public_url,
            link_address: parts.link_address,
            is_draining: AtomicBool::new(false),
            history: Mutex::default(),
            renew_now: Notify::new(),
            reading: tokio::sync::Mutex::default(),
            next_link: AtomicU64::new(0),
        }
    }

    pub fn now(&self) -> Micros {
        (self.clock)()
    }

    pub fn lease(&self) -> MutexGuard<'_, Lease> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn history(&self) -> MutexGuard<'_, RedisHistory> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn secret(&self) -> Secret {
        *self.secret.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for the secret again: Redis may have forgotten it, and another node may have made a new one.
    pub async fn refresh_secret(&self) {
        match self.directory.secret().await {
            Ok(secret) => *self.secret.lock().unwrap_or_else(PoisonError::into_inner) = secret,
            Err(error) => tracing::debug!("the cluster's secret can't be read: {error}"),
        }
    }

    /// This node, as the others are to see it.
    pub fn entry(&self) -> NodeEntry {
        let (players, rooms) = self.handler.load();
        NodeEntry {
            id: self.me.clone(),
            link: self.link_address,
            public_url: self.public_url.clone(),
            players,
            rooms,
            is_draining: self.is_draining.load(Ordering::Relaxed),
        }
    }

    pub fn has_lost_redis(&self) -> bool {
        self.status.borrow().has_lost_redis
    }

    /// Redis answered, and had forgotten this node's lease or not.
    pub fn redis_answered(&self, was_missing: bool) {
        let said = LinkStatus {
            has_lost_redis: false,
        };
        let was_lost = self.status.send_replace(said).has_lost_redis;
        if was_lost || was_missing {
            self.history().back_at = Some(self.now());
        }
        if was_lost {
            self.note_said_lost();
            tracing::info!("Redis answers again");
        }
    }

    pub fn redis_lost(&self, error: &str) {
        self.counters.add_renewals_failed(1);
        self.lease().failed();
        let said = LinkStatus {
            has_lost_redis: true,
        };
        self.note_said_lost();
        if !self.status.send_replace(said).has_lost_redis {
            tracing::warn!("Redis is lost: {error}");
        }
    }

    /// Other nodes may hear that this one has lost Redis: it claims nothing for a while.
    pub fn note_said_lost(&self) {
        if self.members.all().iter().any(|peer| peer.is_linked()) {
            self.history().said_lost_at = Some(self.now());
        }
    }

    /// How long this node must not claim rooms, because another one may count on that.
    pub fn no_claims_for(&self) -> Option<Duration> {
        let said_at = self.history().said_lost_at?;
        let left = NO_CLAIMS_FOR.since(self.now().since(said_at));
        (left > Micros(0)).then(|| Duration::from_micros(left.0))
    }

    /// Reads the directory, and follows it. Nodes that are new have their tasks when this returns.
    pub async fn read_directory(self: &Arc<Self>) -> Result<(), DirectoryError> {
        let _one = self.reading.lock().await;
        let entries = self.directory.nodes().await?;
        let now = self.now();
        // Owners have the time of a lease to come back into a directory that was lost.
        let is_complete = (self.history().back_at).is_none_or(|at| now.since(at) > SILENT_AFTER);
        self.history().read_at = Some(now);
        let new = |node, generation| Peer::new(node, generation, Arc::clone(&self.context));
        let changes = self.members.apply(now, &self.me, entries, is_complete, new);
        self.note_lost(&changes.lost);
        for (peer, entry) in changes.came {
            tracing::info!(node = %entry.id, "a node joined the cluster");
            self.begin_peer(&peer, &entry);
        }
        Ok(())
    }

    /// The directory can't say any more which nodes live.
    pub fn has_old_directory(&self, now: Micros) -> bool {
        self.has_lost_redis()
            || self
                .history()
                .read_at
                .is_none_or(|at| now.since(at) > SILENT_AFTER)
    }

    pub fn note_lost(&self, lost: &[NodeId]) {
        for node in lost {
            self.counters.add_peers_lost(1);
            tracing::info!(%node, "a node left the cluster");
        }
    }
}
