//! The clients of other nodes that play in this node's rooms: reads their messages.
//!
//! In: the frames of relays. Out: what [`ClientIngress`] makes of a client's messages, exactly as for a connection of this node. The frames
//! of one relay come in order, and concern its own clients alone.

use super::frame::RelayId;
use super::opening::Opening;
use super::relay::reason_of;
use super::relayed_link::RelayedLink;
use crate::close::DisconnectReason;
use crate::lobby::{ClientIngress, RoomDirectory};
use crate::net::peer::handler::Handler as _;
use crate::room::Link as _;
use crate::worker::PlayerLink;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tickwire_cluster::{NodeId, Peer};
use tickwire_sync::Micros;

/// All clients that other nodes relay.
#[derive(Default)]
pub(super) struct RelayedClients(Mutex<HashMap<NodeId, Arc<Mutex<OfRelay>>>>);

/// Those of one node.
type OfRelay = HashMap<RelayId, RelayedIngress>;

struct RelayedIngress {
    link: Arc<PlayerLink>,
    ingress: ClientIngress,
}

impl RelayedIngress {
    fn relayed(&self) -> Option<&RelayedLink> {
        match &*self.link {
            PlayerLink::Relayed(link) => Some(link),
            PlayerLink::Local(_) => None,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RelayedClients {
    fn of(&self, node: &NodeId) -> Option<Arc<Mutex<OfRelay>>> {
        lock(&self.0).get(node).map(Arc::clone)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        let all: Vec<_> = lock(&self.0).values().map(Arc::clone).collect();
        all.iter().map(|of_relay| lock(of_relay).len()).sum()
    }

    /// A client has come to a relay.
    pub fn open(
        &self,
        directory: &Arc<RoomDirectory>,
        peer: &Arc<Peer>,
        relay: RelayId,
        opening: &[u8],
    ) {
        let Ok(opening) = postcard::from_bytes::<Opening>(opening) else {
            return tracing::warn!(node = %peer.node(), "a client of another node is announced in an unknown way: do all nodes run the same version?");
        };
        let link = RelayedLink::new(Arc::clone(peer), relay, opening.peer);
        let link = Arc::new(PlayerLink::Relayed(link));
        let mut ingress = ClientIngress::relayed(
            Arc::clone(directory),
            Arc::clone(&link),
            opening.url_room,
            Micros(opening.opened_at_us),
            opening.goes_on,
        );
        if let Err(close) = ingress.message(&opening.hello, Instant::now(), false) {
            return link.close(&close);
        }
        let of_relay = Arc::clone(lock(&self.0).entry(peer.node().clone()).or_default());
        lock(&of_relay).insert(relay, RelayedIngress { link, ingress });
    }

    /// A client has sent a message.
    pub fn message(&self, node: &NodeId, relay: RelayId, message: &[u8], is_over_limit: bool) {
        let Some(of_relay) = self.of(node) else {
            return;
        };
        if let Some(client) = lock(&of_relay).get_mut(&relay) {
            let handled = (client.ingress).message(message, Instant::now(), is_over_limit);
            if let Err(close) = handled {
                client.link.close(&close);
            }
        }
    }

    /// What a client's line is like.
    pub fn update_line(&self, node: &NodeId, relay: RelayId, rtt_us: u64, pending_bytes: u64) {
        let Some(of_relay) = self.of(node) else {
            return;
        };
        if let Some(link) = lock(&of_relay)
            .get(&relay)
            .and_then(RelayedIngress::relayed)
        {
            link.update_line(rtt_us, pending_bytes);
        }
    }

    /// A client's connection has ended.
    pub fn shut(&self, node: &NodeId, relay: RelayId, reason: &str) {
        let Some(of_relay) = self.of(node) else {
            return;
        };
        let client = lock(&of_relay).remove(&relay);
        if let Some(client) = client {
            end(client, reason_of(reason).unwrap_or(DisconnectReason::Lost));
        }
    }

    /// All that was in flight with a node is lost.
    pub fn lose(&self, node: &NodeId) {
        let Some(of_relay) = lock(&self.0).remove(node) else {
            return;
        };
        let clients = std::mem::take(&mut *lock(&of_relay));
        for client in clients.into_values() {
            end(client, DisconnectReason::Lost);
        }
    }
}

fn end(mut client: RelayedIngress, why: DisconnectReason) {
    if let Some(link) = client.relayed() {
        link.end();
    }
    client.ingress.closed(why);
}
