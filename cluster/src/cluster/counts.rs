//! What the cluster counts, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counts {
    ($($(#[$meta:meta])* $name:ident: $add:ident,)*) => {
        /// Plain numbers since the start of the process, for metrics.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub struct ClusterCounts {
            $($(#[$meta])* pub $name: u64,)*
            /// Direct links that stand now.
            pub links: u64,
        }

        /// [`ClusterCounts`] as they grow.
        #[derive(Default)]
        pub(crate) struct Counters {
            $($name: AtomicU64,)*
        }

        impl Counters {
            $(pub fn $add(&self, count: u64) {
                self.$name.fetch_add(count, Ordering::Relaxed);
            })*

            /// The present numbers, without those that are not counted but there.
            pub fn read(&self) -> ClusterCounts {
                ClusterCounts {
                    $($name: self.$name.load(Ordering::Relaxed),)*
                    links: 0,
                }
            }
        }
    };
}

counts! {
    /// Envelopes that were published in Redis for other nodes.
    redis_envelopes_sent: add_redis_envelopes_sent,
    /// Their bytes.
    redis_bytes_sent: add_redis_bytes_sent,
    /// Envelopes that came from other nodes by Redis.
    redis_envelopes_received: add_redis_envelopes_received,
    /// Their bytes.
    redis_bytes_received: add_redis_bytes_received,
    /// Envelopes that Redis did not take, or that nobody was subscribed to. They were sent again.
    redis_envelopes_failed: add_redis_envelopes_failed,
    /// Envelopes that were sent over direct links.
    link_envelopes_sent: add_link_envelopes_sent,
    /// Their bytes.
    link_bytes_sent: add_link_bytes_sent,
    /// Envelopes that came over direct links.
    link_envelopes_received: add_link_envelopes_received,
    /// Their bytes.
    link_bytes_received: add_link_bytes_received,
    /// Direct links that were opened.
    links_opened: add_links_opened,
    /// Direct links that failed before they were opened: no proof, no answer, or not this protocol.
    links_refused: add_links_refused,
    /// Envelopes of nodes that the directory does not list.
    unknown_senders: add_unknown_senders,
    /// Envelopes that could not be read.
    malformed_envelopes: add_malformed_envelopes,
    /// Streams that were reset: what was in flight to or from a live node was lost.
    stream_resets: add_stream_resets,
    /// Nodes whose lease ended, or that gave no sign of life while Redis was lost.
    peers_lost: add_peers_lost,
    /// Renewals of the lease that failed.
    renewals_failed: add_renewals_failed,
    /// How often this node's lease lapsed.
    lease_lapses: add_lease_lapses,
    /// Messages of the bus.
    bus_messages: add_bus_messages,
    /// How often Redis forgot the bus.
    bus_forgotten: add_bus_forgotten,
    /// Messages of the bus that were dropped before this node could read them.
    bus_messages_missed: add_bus_messages_missed,
}
