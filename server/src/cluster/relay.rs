//! The relay's end of a relayed client: this node has the connection, and another owns the room.
//!
//! In: the client's messages, and the owner's frames. Out: frames to the owner, and messages on the connection. A relay reads nothing of a
//! message but its first byte, and holds no world. What the owner sent counts as sent, so a relay drops nothing: what the client's line does
//! not take waits in the connection's queue, and the owner hears of it and sends no further snapshots.

use super::frame::{Frame, RelayId, messages};
use crate::close::{Close, CloseCode, DisconnectReason};
use crate::labels::Label as _;
use crate::net::peer::connection::Connection;
use crate::net::peer::send::{MAX_MESSAGES, SendOutcome};
use crate::room::goodbye;
use arrayvec::ArrayVec;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tickwire_cluster::{NodeId, Peer};

/// The owner hears of the line once in so many messages of the client: four times a second.
const MESSAGES_PER_LINE: u32 = 16;
/// The first byte of a `Leave` (field 6).
const LEAVE_KEY: u8 = 0x32;
/// What a player reads when the way to the room is lost.
const OWNER_LOST: &str = "the room's server is gone; you will be back in a moment";
/// How long such a player waits before it connects again.
const RECONNECT_AFTER_LOSS: Duration = Duration::from_millis(100);

/// A client of this node that plays in another node's room.
pub(crate) struct RelayedClient {
    relays: Arc<Relays>,
    peer: Arc<Peer>,
    relay: RelayId,
    connection: Arc<Connection>,
    message_count: AtomicU32,
    /// Whether the owner has heard that bytes wait here.
    is_pending: AtomicBool,
}

/// All relayed clients of this node.
#[derive(Default)]
pub(crate) struct Relays {
    newest: AtomicU64,
    clients: Mutex<HashMap<RelayId, Arc<RelayedClient>>>,
}

impl Relays {
    /// Opens the way to a room's owner for a client, and says who it is.
    pub fn open(
        self: &Arc<Self>,
        peer: Arc<Peer>,
        connection: Arc<Connection>,
        opening: &[u8],
    ) -> Arc<RelayedClient> {
        let relay = RelayId(self.newest.fetch_add(1, Ordering::Relaxed) + 1);
        let client = Arc::new(RelayedClient {
            relays: Arc::clone(self),
            peer,
            relay,
            connection,
            message_count: AtomicU32::new(0),
            is_pending: AtomicBool::new(false),
        });
        self.clients().insert(relay, Arc::clone(&client));
        client.push(&Frame::Open { relay, opening });
        client
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<RelayId, Arc<RelayedClient>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn client(&self, relay: RelayId, from: &NodeId) -> Option<Arc<RelayedClient>> {
        let clients = self.clients();
        let client = clients.get(&relay)?;
        (client.peer.node() == from).then(|| Arc::clone(client))
    }

    /// Relayed clients.
    pub fn count(&self) -> usize {
        self.clients().len()
    }

    /// The owner's messages for a client.
    pub fn deliver(&self, from: &NodeId, relay: RelayId, bytes: &[u8]) {
        if let Some(client) = self.client(relay, from) {
            client.deliver(bytes);
        }
    }

    /// The owner ends a connection.
    pub fn close(&self, from: &NodeId, relay: RelayId, code: u16, counted_as: &str, reason: &str) {
        let Some(client) = self.client(relay, from) else {
            return;
        };
        let code = CloseCode::from_number(code).unwrap_or(CloseCode::GoingAway);
        client.connection.close(&Close {
            code,
            reason: reason.to_owned().into(),
            counted_as: reason_of(counted_as).unwrap_or(code.into()),
        });
    }

    /// The room is not where it was: the client comes again, and the room is looked for anew.
    pub fn refer_elsewhere(&self, from: &NodeId, relay: RelayId) {
        if let Some(client) = self.client(relay, from) {
            client.send_away(OWNER_LOST, RECONNECT_AFTER_LOSS);
        }
    }

    /// All that was in flight with a node is lost: its clients come again.
    pub fn lose(&self, node: &NodeId) {
        let mut clients = self.clients();
        let lost: Vec<_> = clients
            .extract_if(|_, client| client.peer.node() == node)
            .collect();
        drop(clients);
        for (_, client) in lost {
            client.send_away(OWNER_LOST, RECONNECT_AFTER_LOSS);
        }
    }

    /// Asks all relayed clients for a second connection, to another node, while play goes on over this one.
    pub fn lead_away(&self, reason: &str) {
        let message = goodbye(reason, Duration::ZERO);
        for client in self.clients().values() {
            let _ = client.connection.send(&[&message]);
        }
    }

    /// This node ends: says goodbye to all relayed clients.
    pub fn say_goodbye(&self, reason: &str, reconnect_after: Duration) {
        let clients: Vec<_> = self.clients().values().map(Arc::clone).collect();
        for client in clients {
            client.send_away(reason, reconnect_after);
        }
    }
}

impl RelayedClient {
    fn push(&self, frame: &Frame<'_>) {
        self.peer.push(|batch| frame.write(batch));
        self.peer.flush();
    }

    /// Passes a message of the client on to the owner.
    pub fn forward(&self, message: &[u8], is_over_limit: bool) {
        if message.first() == Some(&LEAVE_KEY) {
            // Many clients end the stream right after this, without the closing handshake.
            self.connection
                .set_disconnect_reason(DisconnectReason::Left);
        }
        let relay = self.relay;
        let count = self.message_count.fetch_add(1, Ordering::Relaxed);
        self.peer.push(|batch| {
            if count.is_multiple_of(MESSAGES_PER_LINE) {
                self.line().write(batch);
            }
            let frame = Frame::Up {
                relay,
                is_over_limit,
                message,
            };
            frame.write(batch);
        });
        self.peer.flush();
    }

    fn line(&self) -> Frame<'static> {
        let pending = self.connection.pending_bytes() as u64;
        self.is_pending.store(pending > 0, Ordering::Relaxed);
        let rtt = self.connection.rtt();
        Frame::Line {
            relay: self.relay,
            rtt_us: rtt.map_or(0, |rtt| rtt.plausible.as_micros().max(1) as u64),
            pending_bytes: pending,
        }
    }

    /// The client's connection has ended.
    pub fn shut(&self, why: DisconnectReason) {
        if self.relays.clients().remove(&self.relay).is_some() {
            self.push(&Frame::Shut {
                relay: self.relay,
                reason: why.as_str(),
            });
        }
    }

    fn deliver(&self, bytes: &[u8]) {
        let mut together: ArrayVec<&[u8], MAX_MESSAGES> = ArrayVec::new();
        for message in messages(bytes) {
            if together.try_push(message).is_err() {
                self.send_all(&together);
                together.clear();
                together.push(message);
            }
        }
        self.send_all(&together);
        let is_pending = self.connection.pending_bytes() > 0;
        if is_pending != self.is_pending.load(Ordering::Relaxed) {
            self.push(&self.line());
        }
    }

    fn send_all(&self, messages: &[&[u8]]) {
        if self.connection.try_send(messages) == SendOutcome::WouldBlock {
            for message in messages {
                let _ = self.connection.send(&[message]);
            }
        }
    }

    /// Has the client connect again.
    fn send_away(&self, reason: &str, reconnect_after: Duration) {
        let _ = self.connection.send(&[&goodbye(reason, reconnect_after)]);
        self.connection
            .close(&Close::new(CloseCode::GoingAway, reason.to_owned()));
    }
}

/// The reason of this name.
pub(super) fn reason_of(name: &str) -> Option<DisconnectReason> {
    let mut reasons = DisconnectReason::ALL.iter();
    reasons.find(|reason| reason.as_str() == name).copied()
}
