//! The metrics of a cluster, which exist only where there is one.
//!
//! In: what the member and `tickwire-cluster` count. Out: Prometheus metrics, brought up to date twice a second.

use super::member::Member;
use crate::labels::labels;
use crate::metrics::{ByLabel, Metrics, MetricsError};
use prometheus::{Histogram, IntCounter, IntGauge};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tickwire_cluster::ClusterCounts;

/// How often the metrics are brought up to date.
const INTERVAL: Duration = Duration::from_millis(500);
/// In seconds: from an envelope to its acknowledgement.
const HOP_BUCKETS: &[f64] = &[
    200e-6, 500e-6, 1e-3, 2e-3, 4e-3, 8e-3, 16e-3, 32e-3, 64e-3, 128e-3, 256e-3, 512e-3, 1.0,
];

labels! {
    /// The way of an envelope between two nodes: the `direction` of `tickwire_cluster_messages_total` and its bytes.
    pub enum Direction {
        /// Sent over a direct link.
        SentByLink = "sent_link",
        /// Received over a direct link.
        ReceivedByLink = "received_link",
        /// Sent through Redis.
        SentByRedis = "sent_redis",
        /// Received through Redis.
        ReceivedByRedis = "received_redis",
    }
}

labels! {
    /// What became of a room that changed its node: the `outcome` of `tickwire_rooms_moved_total`.
    pub enum MoveOutcome {
        /// This node handed it over, with all that had happened.
        HandedOver = "handed_over",
        /// This node took it over from its last checkpoint, or as another node handed it over.
        TakenOver = "taken_over",
        /// Another node took it while this one could not say that it lives.
        Lost = "lost",
    }
}

/// What a node counts about its cluster.
pub(super) struct ClusterMetrics {
    nodes: IntGauge,
    relayed_players: IntGauge,
    relaying_players: IntGauge,
    links: IntGauge,
    redis_up: IntGauge,
    hop: Histogram,
    messages: ByLabel<Direction, IntCounter>,
    bytes: ByLabel<Direction, IntCounter>,
    resets: IntCounter,
    lapses: IntCounter,
    bus_messages: IntCounter,
    bus_missed: IntCounter,
    pub moved: ByLabel<MoveOutcome, IntCounter>,
    before: std::sync::Mutex<ClusterCounts>,
}

impl ClusterMetrics {
    /// Registers the metrics.
    ///
    /// # Errors
    /// If they are registered already: a bug.
    pub fn register(metrics: &Metrics) -> Result<Self, MetricsError> {
        let gauge = |name: &str, help: &str| -> Result<IntGauge, MetricsError> {
            let gauge = IntGauge::new(name, help)?;
            metrics.add(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        Ok(Self {
            nodes: gauge(
                "tickwire_cluster_nodes",
                "Nodes whose leases hold, this one included.",
            )?,
            relayed_players: gauge(
                "tickwire_cluster_relayed_players",
                "Players in this node's rooms whose connections other nodes hold.",
            )?,
            relaying_players: gauge(
                "tickwire_cluster_relaying_players",
                "Players whose connections this node holds, in rooms of other nodes.",
            )?,
            links: gauge(
                "tickwire_cluster_links",
                "Other nodes that this one reaches directly.",
            )?,
            redis_up: gauge(
                "tickwire_cluster_redis_up",
                "Whether Redis answers this node: 1 or 0.",
            )?,
            hop: metrics.add_histogram(
                "tickwire_cluster_hop_seconds",
                "Round trips between this node and each other one, twice a second.",
                HOP_BUCKETS,
            )?,
            messages: metrics.add_counters(
                "tickwire_cluster_messages_total",
                "Envelopes between nodes, each with the frames of a batch.",
                "direction",
            )?,
            bytes: metrics.add_counters(
                "tickwire_cluster_bytes_total",
                "Bytes of envelopes between nodes.",
                "direction",
            )?,
            resets: metrics.add_counter(
                "tickwire_cluster_stream_resets_total",
                "Streams to other nodes that began anew: what was under way in them was lost, and their players came again.",
            )?,
            lapses: metrics.add_counter(
                "tickwire_cluster_lease_lapses_total",
                "Times that this node's lease lapsed, so that its rooms stood still.",
            )?,
            bus_messages: metrics.add_counter(
                "tickwire_cluster_bus_messages_total",
                "Messages to all nodes that came over the bus.",
            )?,
            bus_missed: metrics.add_counter(
                "tickwire_cluster_bus_missed_total",
                "Messages to all nodes that Redis dropped before this node could read them.",
            )?,
            moved: metrics.add_counters(
                "tickwire_rooms_moved_total",
                "Rooms that changed their node, by outcome.",
                "outcome",
            )?,
            before: std::sync::Mutex::default(),
        })
    }

    /// Brings the metrics up to date for as long as the member lives.
    pub async fn follow(self: Arc<Self>, member: Weak<Member>) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            let Some(member) = member.upgrade() else {
                return;
            };
            self.update(&member);
        }
    }

    fn update(&self, member: &Member) {
        let Some(cluster) = member.cluster() else {
            return;
        };
        self.nodes.set(cluster.nodes().len() as i64);
        self.relayed_players.set(member.relayed.count() as i64);
        self.relaying_players.set(member.relays.count() as i64);
        self.redis_up.set(cluster.is_redis_up().into());
        let peers = member.peers();
        for hop in peers.iter().filter_map(|peer| peer.hop()) {
            self.hop.observe(hop.0 as f64 / 1e6);
        }
        let links = peers.iter().filter(|peer| peer.is_linked()).count();
        self.links.set(links as i64);
        let counts = cluster.counts();
        let before = self.before.lock();
        let mut before = before.unwrap_or_else(std::sync::PoisonError::into_inner);
        for (direction, messages, bytes) in [
            (
                Direction::SentByLink,
                counts.link_envelopes_sent - before.link_envelopes_sent,
                counts.link_bytes_sent - before.link_bytes_sent,
            ),
            (
                Direction::ReceivedByLink,
                counts.link_envelopes_received - before.link_envelopes_received,
                counts.link_bytes_received - before.link_bytes_received,
            ),
            (
                Direction::SentByRedis,
                counts.redis_envelopes_sent - before.redis_envelopes_sent,
                counts.redis_bytes_sent - before.redis_bytes_sent,
            ),
            (
                Direction::ReceivedByRedis,
                counts.redis_envelopes_received - before.redis_envelopes_received,
                counts.redis_bytes_received - before.redis_bytes_received,
            ),
        ] {
            self.messages.get(direction).inc_by(messages);
            self.bytes.get(direction).inc_by(bytes);
        }
        let resets = counts.stream_resets + counts.peers_lost;
        let resets_before = before.stream_resets + before.peers_lost;
        self.resets.inc_by(resets - resets_before);
        self.lapses
            .inc_by(counts.lease_lapses - before.lease_lapses);
        self.bus_messages
            .inc_by(counts.bus_messages - before.bus_messages);
        self.bus_missed
            .inc_by(counts.bus_messages_missed - before.bus_messages_missed);
        *before = counts;
    }
}
