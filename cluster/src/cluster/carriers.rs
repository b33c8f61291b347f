//! Carries envelopes between streams and carriers: Redis channels, and direct links where there are any.

use super::shared::Core;
use crate::link::{Connection, LinkError, LinkEvent, LinkId, LinkQueue, connect, dials};
use crate::node::NodeEntry;
use crate::peer::Peer;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The first pause between two attempts to connect; it doubles up to [`DIAL_AGAIN_MAX`].
const DIAL_AGAIN: Duration = Duration::from_millis(100);
/// The longest pause between two attempts to connect.
const DIAL_AGAIN_MAX: Duration = Duration::from_secs(1);
/// Bytes of the length in front of the sender's id, on a Redis channel.
const LENGTH_BYTES: usize = 2;

impl Core {
    /// Starts the tasks of a node that is new.
    pub fn begin_peer(self: &Arc<Self>, peer: &Arc<Peer>, entry: &NodeEntry) {
        let sender = tokio::spawn(Arc::clone(self).send_envelopes(Arc::clone(peer)));
        self.members.keep_task(peer.node(), sender.abort_handle());
        if let (Some(address), true) = (entry.link, dials(&self.entry(), entry)) {
            let dialer = tokio::spawn(Arc::clone(self).dial(Arc::clone(peer), address));
            self.members.keep_task(peer.node(), dialer.abort_handle());
        }
    }

    /// Sends what the peer's stream has to send, for as long as the peer lives.
    async fn send_envelopes(self: Arc<Self>, peer: Arc<Peer>) {
        let mut sender = Vec::new();
        let id = self.me.as_str().as_bytes();
        sender.extend_from_slice(&(id.len() as u16).to_be_bytes());
        sender.extend_from_slice(id);
        let mut published = Vec::new();
        loop {
            let has_sent = match peer.link() {
                Some(link) => self.send_by_link(&peer, &link).await,
                None => {
                    published.clear();
                    published.extend_from_slice(&sender);
                    self.send_by_redis(&peer, &mut published).await
                }
            };
            if !has_sent {
                peer.wait_to_send().await;
            }
        }
    }

    async fn send_by_link(&self, peer: &Peer, link: &LinkQueue) -> bool {
        let mut message = Vec::new();
        LinkQueue::begin(&mut message);
        if !peer.next_envelope(&mut message) {
            return false;
        }
        self.counters.add_link_envelopes_sent(1);
        self.counters.add_link_bytes_sent(message.len() as u64);
        if !link.send(message).await {
            peer.link_down(link.id());
        }
        true
    }

    async fn send_by_redis(&self, peer: &Peer, published: &mut Vec<u8>) -> bool {
        if !peer.next_envelope(published) {
            return false;
        }
        match self.directory.send(peer.node(), published).await {
            Ok(1..) => {
                self.counters.add_redis_envelopes_sent(1);
                self.counters.add_redis_bytes_sent(published.len() as u64);
            }
            // Nobody is subscribed, or Redis is lost.
            Ok(0) | Err(_) => {
                self.counters.add_redis_envelopes_failed(1);
                peer.carrier_refused();
            }
        }
        true
    }

    /// Takes what came on this node's channel.
    pub fn published(&self, payload: &[u8]) {
        self.counters.add_redis_envelopes_received(1);
        self.counters.add_redis_bytes_received(payload.len() as u64);
        let parts = payload.split_first_chunk::<LENGTH_BYTES>();
        let parts = parts
            .and_then(|(len, rest)| rest.split_at_checked(usize::from(u16::from_be_bytes(*len))));
        let sender =
            parts.and_then(|(id, envelope)| Some((std::str::from_utf8(id).ok()?, envelope)));
        let Some((id, envelope)) = sender else {
            self.counters.add_malformed_envelopes(1);
            return;
        };
        match self.members.find(id) {
            Some(peer) => peer.receive(envelope),
            None => {
                // A node that is new, or one that does not know yet that it is gone. The former sends again.
                self.counters.add_unknown_senders(1);
                self.renew_now.notify_one();
            }
        }
    }

    /// The subscription to this node's channel stands again, after a time in which envelopes were missed.
    pub fn subscribed_again(&self) {
        for peer in self.members.all() {
            if !peer.is_linked() {
                peer.carrier_lost();
            }
        }
    }

    /// Connects to a node, again and again, for as long as it lives.
    async fn dial(self: Arc<Self>, peer: Arc<Peer>, address: SocketAddr) {
        let mut pause = DIAL_AGAIN;
        let mut was_said = false;
        loop {
            match connect(address, peer.node(), &self.me, &self.tls, &self.secret()).await {
                Ok(connection) => {
                    was_said = false;
                    pause = DIAL_AGAIN;
                    self.run_link(&peer, connection).await;
                }
                Err(error) => {
                    self.counters.add_links_refused(1);
                    if matches!(error, LinkError::Stranger) {
                        self.refresh_secret().await;
                    }
                    if !std::mem::replace(&mut was_said, true) {
                        tracing::info!(node = %peer.node(), %address, "no direct link, Redis carries instead: {error}");
                    }
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(DIAL_AGAIN_MAX);
        }
    }

    /// Takes what another node connected, or says why nothing came of it.
    pub async fn accepted(self: Arc<Self>, accepted: Result<Connection, LinkError>) {
        let connection = match accepted {
            Ok(connection) => connection,
            Err(error) => {
                self.counters.add_links_refused(1);
                tracing::debug!("a connection to --node-listen is no link: {error}");
                return;
            }
        };
        let id = connection.node().as_str();
        let mut peer = self.members.find(id);
        if peer.is_none() && self.read_directory().await.is_ok() {
            peer = self.members.find(id);
        }
        if let Some(peer) = peer {
            self.run_link(&peer, connection).await;
        }
    }

    /// Runs a link to this node until it ends.
    async fn run_link(&self, peer: &Arc<Peer>, connection: Connection) {
        let id = LinkId(self.next_link.fetch_add(1, Ordering::Relaxed));
        let (queue, link) = connection.open(id);
        if !peer.link_up(queue) {
            return;
        }
        self.counters.add_links_opened(1);
        tracing::info!(node = %peer.node(), "a direct link stands");
        let down = LinkDown { peer, id };
        let error = link
            .run(self.status.subscribe(), |event| {
                self.link_event(peer, event);
            })
            .await;
        drop(down);
        tracing::info!(node = %peer.node(), "the direct link ended: {error}");
        // It may have ended because the node did.
        self.renew_now.notify_one();
    }

    fn link_event(&self, peer: &Arc<Peer>, event: LinkEvent<'_>) {
        match event {
            LinkEvent::Status(status) => {
                let is_back = peer.said(status.has_lost_redis);
                if is_back && self.has_lost_redis() {
                    self.renew_now.notify_one();
                }
            }
            LinkEvent::Envelope(envelope) => {
                self.counters.add_link_envelopes_received(1);
                self.counters.add_link_bytes_received(envelope.len() as u64);
                peer.receive(envelope);
            }
        }
    }
}

/// Takes a link from its peer, also where its task is aborted.
struct LinkDown<'a> {
    peer: &'a Peer,
    id: LinkId,
}

impl Drop for LinkDown<'_> {
    fn drop(&mut self) {
        self.peer.link_down(self.id);
    }
}
