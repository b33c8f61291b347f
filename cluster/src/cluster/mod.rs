//! A node's part in its cluster: the shell that puts leases, streams, carriers and the bus together.
//!
//! In: settings, and a handler. Out: calls of the handler, claims on rooms, peers to send to. The tasks run on the caller's tokio
//! runtime, and end with the [`Cluster`].

mod carriers;
mod counts;
mod error;
mod handler;
mod lease_keeper;
mod members;
mod reachable_address;
mod shared;

pub use counts::ClusterCounts;
pub(crate) use counts::Counters;
pub use error::ClusterError;
pub use handler::ClusterHandler;

use crate::bus::BusEvent;
use crate::lease::{LeaseClock, RENEW_EVERY};
use crate::link::{LinkListener, LinkTls};
use crate::node::{NodeEntry, NodeId};
use crate::peer::Peer;
use crate::redis::DirectoryError;
use crate::redis::bus_stream::BusStream;
use crate::redis::directory::{Claim, Directory};
use crate::redis::room_store::RoomStore;
use crate::redis::subscriber::{Subscriber, SubscriberEvent};
use shared::{Core, CoreParts};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tickwire_sync::Micros;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// A node that starts is subscribed to its channels within this time, or does not start.
const SUBSCRIBE_WITHIN: Duration = Duration::from_secs(5);

/// A node that leaves waits this long for the acks of what it sent last.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);
/// How often it looks whether they have come.
const SENT_CHECK: Duration = Duration::from_millis(2);

/// The channels of a node, in the order in which it subscribes to them.
const NODE_CHANNEL: usize = 0;

/// What a node needs to know to be part of a cluster.
#[derive(Clone, Debug)]
pub struct ClusterSettings {
    /// Where Redis is: `redis://`, `rediss://` or `unix://`.
    pub redis_url: String,
    /// The game's name. Two games on one Redis are two clusters.
    pub game: String,
    /// The node's name, for people.
    pub name: String,
    /// A random number of this process.
    pub boot: u64,
    /// Where other nodes connect to this one; `None`: this node has no listener, and its peers may still have.
    pub node_listen: Option<SocketAddr>,
    /// Where clients reach this node, if that differs from the cluster's common address.
    pub public_url: Option<String>,
    /// The process's monotonic clock.
    pub clock: fn() -> Micros,
}

/// This node, as a part of its cluster.
pub struct Cluster {
    core: Arc<Core>,
    bus: Arc<BusStream>,
    /// Ended by [`Cluster::leave`].
    subscriber: Mutex<Option<Subscriber>>,
    tasks: Mutex<Vec<AbortHandle>>,
    redis_url: String,
    game: String,
    link_address: Option<SocketAddr>,
}

impl Cluster {
    /// Joins the cluster. When this returns, the lease counts, the node is subscribed, and the other nodes are known.
    ///
    /// # Errors
    /// If Redis can't be reached or refuses, or if the listener can't be bound.
    pub async fn start(
        settings: ClusterSettings,
        handler: Arc<dyn ClusterHandler>,
    ) -> Result<Arc<Self>, ClusterError> {
        let me = NodeId::new(&settings.name, settings.boot);
        let directory =
            Arc::new(Directory::connect(&settings.redis_url, &settings.game, me.clone()).await?);
        let secret = directory.secret().await?;
        let listener = match settings.node_listen {
            Some(address) => Some(
                LinkListener::bind(address)
                    .await
                    .map_err(|error| ClusterError::Listen { address, error })?,
            ),
            None => None,
        };
        let link_address = listener.as_ref().map(LinkListener::address);
        let counters = Arc::new(Counters::default());
        let on_bus = {
            let (handler, counters) = (Arc::clone(&handler), Arc::clone(&counters));
            move |event| bus_event(&*handler, &counters, event)
        };
        let bus = BusStream::start(Arc::clone(&directory), on_bus).await?;
        let core = Arc::new(Core::new(CoreParts {
            me,
            clock: settings.clock,
            handler,
            directory,
            counters,
            tls: LinkTls::new()?,
            secret,
            public_url: settings.public_url,
            link_address: link_address
                .map(|bound| reachable_address::of(bound, &settings.redis_url)),
        }));
        let (subscriber, mut subscribed) = subscribe(&settings.redis_url, &core, &bus)?;
        // An error: the subscriber, which holds the sender, is gone.
        let is_subscribed = timeout(SUBSCRIBE_WITHIN, async {
            // Only whether it came is kept: what `wait_for` gives holds a lock.
            let awaited = subscribed.wait_for(|is_subscribed| *is_subscribed);
            awaited.await.is_ok()
        });
        if is_subscribed.await != Ok(true) {
            return Err(ClusterError::NotSubscribed);
        }
        let cluster = Self {
            core: Arc::clone(&core),
            bus,
            subscriber: Mutex::new(Some(subscriber)),
            tasks: Mutex::default(),
            redis_url: settings.redis_url,
            game: settings.game,
            link_address,
        };
        core.renew().await;
        if !core.context.lease.is_valid(core.now()) {
            return Err(ClusterError::NotConfirmed);
        }
        cluster.spawn(Arc::clone(&core).keep_lease());
        cluster.spawn(Arc::clone(&core).watch());
        if let Some(listener) = listener {
            let (for_secret, for_links) = (Arc::clone(&core), Arc::clone(&core));
            let secret = move || for_secret.secret();
            let accepted = move |accepted| Arc::clone(&for_links).accepted(accepted);
            cluster.spawn(listener.run(core.me.clone(), core.tls.clone(), secret, accepted));
        }
        Ok(Arc::new(cluster))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let task = tokio::spawn(task).abort_handle();
        self.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(task);
    }

    /// This node.
    #[must_use]
    pub fn me(&self) -> &NodeId {
        &self.core.me
    }

    /// Until when this node may act for its rooms.
    #[must_use]
    pub fn lease(&self) -> &Arc<LeaseClock> {
        &self.core.context.lease
    }

    /// Where the listener for other nodes is bound.
    #[must_use]
    pub fn link_addr(&self) -> Option<SocketAddr> {
        self.link_address
    }

    /// The nodes of the directory as it was last read, twice a second; this one included.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeEntry> {
        let mut nodes = self.core.members.directory();
        if !nodes.iter().any(|entry| entry.id == self.core.me) {
            nodes.push(self.core.entry());
        }
        nodes
    }

    /// Another node that lives; `None` for this one, and for nodes that are gone. A node that [`Cluster::claim`] or [`Cluster::locate`] has
    /// just named is known here, unless it is gone again.
    #[must_use]
    pub fn peer(&self, node: &NodeId) -> Option<Arc<Peer>> {
        self.core.members.find(node.as_str())
    }

    /// Claims a room that is not open on this node. A node whose lease does not count is told to wait.
    ///
    /// # Errors
    /// If Redis is lost or refuses. The room may be this node's all the same: a later claim opens it anew.
    pub async fn claim(&self, room: &str) -> Result<Claim, ClusterError> {
        if self.core.has_lost_redis() {
            return Err(ClusterError::RedisLost);
        }
        if let Some(wait) = self.must_not_claim() {
            return Ok(Claim::Wait(wait));
        }
        let claim = self.core.directory.claim(room).await?;
        // What became true during the claim counts for it as well.
        if let (Claim::Owned { .. }, Some(wait)) = (&claim, self.must_not_claim()) {
            return Ok(Claim::Wait(wait));
        }
        if let Claim::Elsewhere(node) = &claim {
            self.know(node).await;
        }
        Ok(claim)
    }

    fn must_not_claim(&self) -> Option<Duration> {
        let has_no_lease = !self.core.context.lease.is_valid(self.core.now());
        let wait_for_lease = has_no_lease.then(|| Duration::from_micros(RENEW_EVERY.0));
        self.core.no_claims_for().max(wait_for_lease)
    }

    /// The node that owns a room, if there is one and it lives. Claims nothing.
    ///
    /// # Errors
    /// If Redis can't be reached or refuses.
    pub async fn locate(&self, room: &str) -> Result<Option<NodeId>, ClusterError> {
        let owner = self.core.directory.locate(room).await?;
        if let Some(node) = &owner {
            self.know(node).await;
        }
        Ok(owner)
    }

    /// Reads the directory if this node is new.
    async fn know(&self, node: &NodeId) {
        let is_known = *node == self.core.me || self.core.members.find(node.as_str()).is_some();
        if !is_known && let Err(error) = self.core.read_directory().await {
            tracing::debug!(%node, "a new node can't be looked up: {error}");
        }
    }

    /// Posts a message to the bus: every node gets it once, this one included. Tries for at most 5 s.
    ///
    /// # Errors
    /// If Redis can't be reached or refuses. The message may have been posted all the same.
    pub async fn post(&self, payload: &[u8]) -> Result<(), ClusterError> {
        Ok(self.bus.post(payload).await?)
    }

    /// As [`Self::post`], but tries for so long: each node gets the message once, however often Redis's answer is lost.
    ///
    /// # Errors
    /// As for [`Self::post`].
    pub async fn post_within(
        &self,
        payload: &[u8],
        patience: Duration,
    ) -> Result<(), ClusterError> {
        Ok(self.bus.post_within(payload, patience).await?)
    }

    /// A store of checkpoints, for a thread that may block. It connects when it is first used.
    ///
    /// # Errors
    /// Never with the URL that this cluster started with.
    pub fn room_store(&self) -> Result<RoomStore, ClusterError> {
        Ok(RoomStore::new(
            &self.redis_url,
            &self.game,
            self.core.me.clone(),
        )?)
    }

    /// Redis answered the last renewal of the lease.
    #[must_use]
    pub fn is_redis_up(&self) -> bool {
        !self.core.has_lost_redis()
    }

    /// What was counted since the start.
    #[must_use]
    pub fn counts(&self) -> ClusterCounts {
        let links = self
            .core
            .members
            .all()
            .iter()
            .filter(|peer| peer.is_linked())
            .count() as u64;
        ClusterCounts {
            links,
            ..self.core.counters.read()
        }
    }

    /// This node is about to end; its entry in the directory says so from now on.
    pub fn set_draining(&self) {
        self.core.is_draining.store(true, Ordering::Relaxed);
        self.core.renew_now.notify_one();
    }

    /// Leaves the cluster: sends what was pushed, for at most a second, ends all tasks, and gives the lease back, so that others may claim
    /// this node's rooms at once. The handler is not called any more. Where Redis is lost, the lease ends by itself.
    pub async fn leave(&self) {
        self.send_the_rest().await;
        self.end();
        if let Err(error) = self.core.directory.leave().await {
            tracing::warn!("the lease can't be given back, it ends within 2 s: {error}");
        }
    }

    /// Waits until the other nodes have everything that was pushed, for at most [`LEAVE_WITHIN`].
    async fn send_the_rest(&self) {
        let peers = self.core.members.all();
        for peer in &peers {
            peer.flush();
        }
        let all_sent = async {
            while !peers.iter().all(|peer| peer.is_idle()) {
                tokio::time::sleep(SENT_CHECK).await;
            }
        };
        if timeout(LEAVE_WITHIN, all_sent).await.is_err() {
            tracing::warn!("not all that this node sent last has arrived at the other nodes");
        }
    }

    fn end(&self) {
        for task in self
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
        {
            task.abort();
        }
        self.subscriber
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        self.core.members.clear();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.end();
    }
}

fn bus_event(handler: &dyn ClusterHandler, counters: &Counters, event: BusEvent) {
    match event {
        BusEvent::Begins(newest) => handler.bus_begins(newest),
        BusEvent::Message(seq, payload) => {
            counters.add_bus_messages(1);
            handler.bus_message(seq, &payload);
        }
        BusEvent::Forgotten => {
            counters.add_bus_forgotten(1);
            tracing::warn!("Redis may have forgotten messages of the bus");
            handler.bus_lost();
        }
        BusEvent::Missed(count) => {
            counters.add_bus_messages_missed(count);
            tracing::warn!(
                "{count} messages of the bus were dropped before this node could read them"
            );
            handler.bus_lost();
        }
    }
}

/// Subscribes to the channels of this node and of the bus. The receiver says whether the subscription stands.
fn subscribe(
    url: &str,
    core: &Arc<Core>,
    bus: &Arc<BusStream>,
) -> Result<(Subscriber, watch::Receiver<bool>), DirectoryError> {
    let keys = core.directory.keys();
    let channels = vec![keys.node_channel(&core.me), keys.bus_channel()];
    let (stands, subscribed) = watch::channel(false);
    let (core, bus) = (Arc::clone(core), Arc::clone(bus));
    let handler = move |event| match event {
        SubscriberEvent::Subscribed => {
            stands.send_replace(true);
            bus.subscribed();
            core.subscribed_again();
        }
        SubscriberEvent::Message {
            channel_index,
            payload,
        } if channel_index == NODE_CHANNEL => core.published(&payload),
        SubscriberEvent::Message { payload, .. } => bus.published(&payload),
        SubscriberEvent::Lost => {
            stands.send_replace(false);
        }
    };
    Ok((Subscriber::start(url, channels, handler)?, subscribed))
}

#[cfg(test)]
mod tests;
