//! The node itself as a member: joins the cluster, and brings what other nodes say to where it belongs.
//!
//! In: the calls of `tickwire-cluster`, which must not wait. Out: messages of relayed players to rooms and connections, claimed rooms for
//! the lobby, answers to other nodes.

use super::asks::RemoteStates;
use super::bus_message::BusMessage;
use super::calls::Calls;
use super::metrics::{ClusterMetrics, MoveOutcome};
use super::question::{Question, Questions};
use super::relay::Relays;
use super::relayed_clients::RelayedClients;
use super::room_lease::RoomLease;
use crate::clock;
use crate::close::Close;
use crate::config::{ClusterConfig, Config};
use crate::lobby::{ClaimedRoom, RoomDirectory, Tenure};
use crate::log_limit;
use crate::metrics::{Metrics, MetricsError};
use crate::moderation::Entry;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;
use tickwire_cluster::redis::DirectoryError;
use tickwire_cluster::redis::room_store::RoomStore;
use tickwire_cluster::{
    Claim, Cluster, ClusterError, ClusterHandler, ClusterSettings, NodeEntry, NodeId, Peer,
};
use tokio::runtime;
use tokio::sync::mpsc;

/// How long other nodes may take for an answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// After this long a room is looked for again where nothing was found out.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Why a node cannot join its cluster.
#[derive(Debug, thiserror::Error)]
pub enum JoinClusterError {
    /// Redis does not answer, or the address of `--node-listen` cannot be used.
    #[error("--redis: {0}")]
    Cluster(#[from] ClusterError),
}

/// Where a room is.
pub(crate) enum Whereabouts {
    /// In this process.
    Here,
    /// At another node.
    At(Arc<Peer>),
    /// It cannot be found out now: worth another look after this time.
    Unclear(Duration),
    /// The room cannot be opened.
    Refused(Close),
}

/// This node in its cluster.
pub(crate) struct Member {
    settings: ClusterSettings,
    pub(super) me: NodeId,
    cluster: OnceLock<Arc<Cluster>>,
    directory: OnceLock<Weak<RoomDirectory>>,
    lease: RoomLease,
    pub(super) relays: Arc<Relays>,
    pub(super) relayed: RelayedClients,
    pub(super) questions: Questions,
    pub(super) states: RemoteStates,
    /// Held while a room is looked for, so that this node claims it once.
    searches: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    is_draining: AtomicBool,
    /// Messages of the bus with their numbers, which are followed one after the other.
    pub(super) bus: mpsc::UnboundedSender<(u64, BusMessage)>,
    followed: Mutex<Option<mpsc::UnboundedReceiver<(u64, BusMessage)>>>,
    pub(super) config: Arc<Config>,
    pub(super) metrics: Arc<ClusterMetrics>,
    pub(super) runtime: runtime::Handle,
}

impl Member {
    /// A node that has not joined yet. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// If the metrics exist already: a bug.
    pub fn new(
        cluster: &ClusterConfig,
        game: &str,
        config: &Arc<Config>,
        metrics: &Arc<Metrics>,
    ) -> Result<Arc<Self>, MetricsError> {
        let boot = rand::random();
        let (bus, followed) = mpsc::unbounded_channel();
        let settings = ClusterSettings {
            redis_url: cluster.redis_url.clone(),
            game: game.to_owned(),
            name: cluster.node_name.clone(),
            boot,
            node_listen: cluster.node_listen,
            public_url: cluster.public_url.clone(),
            clock: clock::now,
        };
        Ok(Arc::new(Self {
            me: NodeId::new(&cluster.node_name, boot),
            settings,
            cluster: OnceLock::new(),
            directory: OnceLock::new(),
            lease: RoomLease::of_cluster(),
            relays: Arc::default(),
            relayed: RelayedClients::default(),
            questions: Questions::default(),
            states: RemoteStates::default(),
            searches: Mutex::default(),
            is_draining: AtomicBool::new(false),
            bus,
            followed: Mutex::new(Some(followed)),
            config: Arc::clone(config),
            metrics: Arc::new(ClusterMetrics::register(metrics)?),
            runtime: runtime::Handle::current(),
        }))
    }

    /// The lease under which this node's workers run rooms.
    pub fn lease(&self) -> &RoomLease {
        &self.lease
    }

    /// The players of this node whose rooms others own.
    pub fn relays(&self) -> &Arc<Relays> {
        &self.relays
    }

    /// The runtime that looks for rooms.
    pub fn runtime(&self) -> &runtime::Handle {
        &self.runtime
    }

    /// Where the states of this node's rooms are kept.
    ///
    /// # Errors
    /// If the address of Redis is malformed.
    pub fn room_store(&self) -> Result<RoomStore, DirectoryError> {
        RoomStore::new(
            &self.settings.redis_url,
            &self.settings.game,
            self.me.clone(),
        )
    }

    /// Joins: from now on this node claims rooms, and other nodes reach it.
    ///
    /// # Errors
    /// If Redis does not answer, or `--node-listen` cannot be used.
    pub async fn join(
        self: &Arc<Self>,
        directory: &Arc<RoomDirectory>,
    ) -> Result<(), JoinClusterError> {
        let _ = self.directory.set(Arc::downgrade(directory));
        let followed = self.followed.lock();
        let followed = followed.unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut followed) = followed {
            let member = Arc::clone(self);
            self.runtime.spawn(async move {
                while let Some((seq, message)) = followed.recv().await {
                    member.follow(seq, message).await;
                }
            });
        }
        let handler: Arc<dyn ClusterHandler> = Arc::new(Calls(Arc::clone(self)));
        let cluster = Cluster::start(self.settings.clone(), handler).await?;
        self.lease.set(Arc::clone(cluster.lease()));
        let _ = self.cluster.set(Arc::clone(&cluster));
        let metrics = Arc::clone(&self.metrics);
        self.runtime.spawn(metrics.follow(Arc::downgrade(self)));
        self.config.moderation.share_ids();
        self.take_over_bans().await;
        let link = cluster.link_addr();
        tracing::info!(node = %self.me, link = ?link, nodes = cluster.nodes().len(), "joined the cluster");
        Ok(())
    }

    /// Asks another node for the bans and mutes that hold.
    async fn take_over_bans(&self) {
        for peer in self.peers() {
            let answer = self.ask::<String>(&peer, &Question::Moderation).await;
            let Some(Value::Array(entries)) =
                answer.and_then(|answer| serde_json::from_str(&answer).ok())
            else {
                continue;
            };
            for entry in entries
                .iter()
                .filter_map(|entry| Entry::from_json(entry).ok())
            {
                self.config.moderation.put(entry);
            }
            return;
        }
    }

    pub(super) fn cluster(&self) -> Option<&Arc<Cluster>> {
        self.cluster.get()
    }

    pub(super) fn directory(&self) -> Option<Arc<RoomDirectory>> {
        self.directory.get()?.upgrade()
    }

    /// The other nodes.
    pub(super) fn peers(&self) -> Vec<Arc<Peer>> {
        let Some(cluster) = self.cluster() else {
            return Vec::new();
        };
        let others = cluster
            .nodes()
            .into_iter()
            .filter(|node| node.id != self.me);
        others.filter_map(|node| cluster.peer(&node.id)).collect()
    }

    pub(super) async fn ask<A: DeserializeOwned>(
        &self,
        peer: &Arc<Peer>,
        question: &Question,
    ) -> Option<A> {
        self.questions.ask(peer, question, PATIENCE).await
    }

    /// Finds a room that is not here, or claims it for this node if nobody has it. `is_counted`: the newcomer's join is counted already, so
    /// that it may open a new room.
    pub async fn find_or_claim(
        &self,
        directory: &Arc<RoomDirectory>,
        room: &str,
        opened_by: Option<IpAddr>,
        is_counted: bool,
    ) -> Whereabouts {
        let search = {
            let searches = self.searches.lock();
            let mut searches = searches.unwrap_or_else(PoisonError::into_inner);
            // Those that nobody holds are over.
            searches.retain(|_, search| Arc::strong_count(search) > 1);
            Arc::clone(searches.entry(room.to_owned()).or_default())
        };
        let _search = search.lock().await;
        if directory.is_here(room) {
            return Whereabouts::Here;
        }
        let Some(cluster) = self.cluster() else {
            return Whereabouts::Unclear(LOOK_AGAIN_AFTER);
        };
        if self.is_draining() {
            return match cluster.locate(room).await {
                Ok(Some(node)) => self.at(&node),
                Ok(None) | Err(_) => Whereabouts::Unclear(LOOK_AGAIN_AFTER),
            };
        }
        match cluster.claim(room).await {
            Ok(Claim::Owned {
                epoch,
                opened,
                checkpoint,
            }) => {
                if checkpoint.is_some() {
                    self.metrics.moved.get(MoveOutcome::TakenOver).inc();
                }
                let claimed = ClaimedRoom {
                    is_counted,
                    epoch,
                    opened,
                    checkpoint,
                };
                match directory.add_claimed(room, claimed, opened_by) {
                    Ok(()) => Whereabouts::Here,
                    Err(close) => Whereabouts::Refused(close),
                }
            }
            Ok(Claim::Elsewhere(node)) => self.at(&node),
            Ok(Claim::Wait(pause)) => Whereabouts::Unclear(pause.min(Duration::from_millis(500))),
            Err(error) => {
                if log_limit::admits("room_not_found", clock::now()) {
                    tracing::warn!(
                        room,
                        "the directory does not say where the room is: {error}"
                    );
                }
                Whereabouts::Unclear(LOOK_AGAIN_AFTER)
            }
        }
    }

    /// Claims a room that a match has just named. `None`: the directory does not answer, or somebody has the name.
    pub async fn claim_new(&self, room: &str) -> Option<Tenure> {
        match self.cluster()?.claim(room).await {
            Ok(Claim::Owned { epoch, opened, .. }) => Some(Tenure {
                epoch: Some(epoch),
                process: opened,
            }),
            Ok(Claim::Elsewhere(_) | Claim::Wait(_)) | Err(_) => None,
        }
    }

    fn at(&self, node: &NodeId) -> Whereabouts {
        let peer = self.cluster().and_then(|cluster| cluster.peer(node));
        peer.map_or(Whereabouts::Unclear(LOOK_AGAIN_AFTER), Whereabouts::At)
    }

    /// The nodes of the cluster, for operators.
    pub fn list_nodes(&self) -> Value {
        let Some(cluster) = self.cluster() else {
            return json!([]);
        };
        let shown = |node: NodeEntry| {
            let peer = cluster.peer(&node.id);
            let hop = peer.as_ref().and_then(|peer| peer.hop());
            json!({
                "node": node.id.name(),
                "id": node.id.as_str(),
                "self": node.id == self.me,
                "players": node.players,
                "rooms": node.rooms,
                "draining": node.is_draining,
                "link": node.link,
                "public_url": node.public_url,
                "linked": peer.as_ref().is_some_and(|peer| peer.is_linked()),
                "hop_ms": hop.map(|hop| hop.0 as f64 / 1e3),
            })
        };
        cluster.nodes().into_iter().map(shown).collect()
    }

    /// The name of this node, for lists.
    pub fn name(&self) -> &str {
        self.me.name()
    }

    /// Whether this node may act for its rooms.
    pub fn is_confirmed(&self) -> bool {
        self.lease.is_valid(clock::now())
    }

    /// Counts rooms that this node has handed over.
    pub fn count_handed_over(&self, rooms: usize) {
        let outcome = self.metrics.moved.get(MoveOutcome::HandedOver);
        outcome.inc_by(rooms as u64);
    }

    /// Whether this node takes no further rooms.
    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Acquire)
    }

    /// This node takes no further rooms.
    pub fn begin_drain(&self) {
        self.is_draining.store(true, Ordering::Release);
        if let Some(cluster) = self.cluster() {
            cluster.set_draining();
        }
    }

    /// The lease ends: other nodes may claim what is left.
    pub async fn leave(&self) {
        if let Some(cluster) = self.cluster() {
            cluster.leave().await;
        }
    }

    /// Other nodes own these rooms, of which these epochs are over.
    pub fn lose_rooms(&self, rooms: &[(String, u64)]) {
        if let Some(directory) = self.directory() {
            let lost = directory.abandon(rooms);
            self.metrics.moved.get(MoveOutcome::Lost).inc_by(lost);
        }
    }
}
