//! The relay's end of a relayed client: this node has the connection, and another owns the room.
//!
//! In: the client's messages, and the owner's frames. Out: frames to the owner, and messages on the connection. Of a client's
//! messages a relay reads the first byte, and the number of a command; of the owner's, the resume token; it holds no world. Where the room goes on at another node,
//! the relay finds it and goes on with the session, and the client notices nothing but a full snapshot. What the owner sent counts as sent, so a relay drops nothing: what the client's line does
//! not take waits in the connection's queue, and the owner hears of it and sends no further snapshots.

use super::frame::{Frame, RelayId, messages};
use super::opening::Opening;
use crate::close::{Close, CloseCode, DisconnectReason};
use crate::labels::Label as _;
use crate::lobby::PendingJoin;
use crate::net::peer::connection::Connection;
use crate::net::peer::send::{MAX_MESSAGES, SendOutcome};
use crate::room::{Inbox, goodbye};
use crate::worker::Newcomer;
use arrayvec::ArrayVec;
use prost::Message as _;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tickwire_cluster::{NodeId, Peer};
use tickwire_proto::v1::{self, client_message, server_message::Body};

/// The owner hears of the line once in so many messages of the client: four times a second.
const MESSAGES_PER_LINE: u32 = 16;
/// Commands that are kept for the room's next owner, and their bytes.
const MAX_COMMANDS: usize = 64;
const MAX_COMMAND_BYTES: usize = 64 * 1024;
/// The first byte of a `Leave` (field 6), and of a `Command` (field 7).
const LEAVE_KEY: u8 = 0x32;
const COMMAND_KEY: u8 = 0x3A;
/// The first byte of a `Welcome` (field 2).
const WELCOME_KEY: u8 = 0x12;

/// A client of this node that plays in another node's room.
pub(crate) struct RelayedClient {
    relays: Arc<Relays>,
    peer: Arc<Peer>,
    relay: RelayId,
    connection: Arc<Connection>,
    /// As it came, for the time when the room goes on elsewhere.
    newcomer: Newcomer,
    opening: Opening,
    /// The token of the client's session, once it has one.
    token: OnceLock<Vec<u8>>,
    /// Where the client goes on, since it is no longer with [`Self::peer`].
    successor: OnceLock<Successor>,
    /// The newest commands, as they came: one that was on its way when the room left its owner goes to the next one as well, which ignores those
    /// that it has.
    commands: Mutex<VecDeque<Vec<u8>>>,
    message_count: AtomicU32,
    /// Whether the owner has heard that bytes wait here.
    is_pending: AtomicBool,
}

/// The search for the room that a relayed client was in.
pub(crate) struct Successor {
    pub pending: Arc<PendingJoin>,
    pub room: String,
    /// Of the session, if the room opens at this node.
    pub inbox: Arc<Inbox>,
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
        newcomer: Newcomer,
        opening: Opening,
    ) -> Result<Arc<RelayedClient>, postcard::Error> {
        let encoded = postcard::to_stdvec(&opening)?;
        let token = OnceLock::new();
        if opening.goes_on {
            let _ = token.set(newcomer.request.resume_token.clone());
        }
        let relay = RelayId(self.newest.fetch_add(1, Ordering::Relaxed) + 1);
        let client = Arc::new(RelayedClient {
            relays: Arc::clone(self),
            peer,
            relay,
            connection,
            newcomer,
            opening,
            token,
            successor: OnceLock::new(),
            commands: Mutex::default(),
            message_count: AtomicU32::new(0),
            is_pending: AtomicBool::new(false),
        });
        self.clients().insert(relay, Arc::clone(&client));
        client.push(&Frame::Open {
            relay,
            opening: &encoded,
        });
        Ok(client)
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

    /// The client whose room is not where it was: it is relayed to there no more.
    pub fn take(&self, from: &NodeId, relay: RelayId) -> Option<Arc<RelayedClient>> {
        self.client(relay, from)?;
        self.clients().remove(&relay)
    }

    /// The clients of whom all that was in flight with a node is lost. They are relayed to there no more.
    pub fn take_all_of(&self, node: &NodeId) -> Vec<Arc<RelayedClient>> {
        let mut clients = self.clients();
        let lost = clients.extract_if(|_, client| client.peer.node() == node);
        lost.map(|(_, client)| client).collect()
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
    /// Who comes, and what a room's owner must know, where the client goes on with its session, if it has one.
    pub fn going_on(&self) -> (Newcomer, Opening) {
        let mut newcomer = self.newcomer.clone();
        let mut opening = self.opening.clone();
        if let Some(token) = self.token.get() {
            newcomer.request.resume_token.clone_from(token);
            newcomer.request.last_message = 0;
            newcomer.request.goes_on = true;
            newcomer.reservation.clear();
            opening = opening.going_on(token);
        }
        (newcomer, opening)
    }

    /// The room is looked for anew.
    pub fn set_successor(&self, successor: Successor) {
        let _ = self.successor.set(successor);
    }

    /// The search for the room, since it is no longer where it was.
    pub fn successor(&self) -> Option<&Successor> {
        self.successor.get()
    }

    /// Keeps the token of the session that the client has now.
    fn note_token(&self, message: &[u8]) {
        if message.first() == Some(&WELCOME_KEY)
            && let Ok(v1::ServerMessage {
                body: Some(Body::Welcome(welcome)),
            }) = v1::ServerMessage::decode(message)
        {
            let _ = self.token.set(welcome.resume_token);
        }
    }

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
        if message.first() == Some(&COMMAND_KEY) {
            self.keep_command(message);
        }
        let relay = self.relay;
        let count = self.message_count.fetch_add(1, Ordering::Relaxed);
        // The owner sends no snapshot while bytes wait here: it has to hear at once that none do.
        let has_drained =
            self.is_pending.load(Ordering::Relaxed) && self.connection.pending_bytes() == 0;
        self.peer.push(|batch| {
            if has_drained || count.is_multiple_of(MESSAGES_PER_LINE) {
                self.line().write(batch);
            }
            let frame = Frame::Up {
                relay,
                is_over_limit,
                message,
            };
            frame.write(batch);
        });
        // A crowd's inputs go together.
        self.peer.flush_soon();
    }

    /// Keeps a numbered command; others may not come twice.
    fn keep_command(&self, message: &[u8]) {
        let is_numbered = v1::ClientMessage::decode(message).is_ok_and(|message| {
            matches!(message.body, Some(client_message::Body::Command(command)) if command.number > 0)
        });
        if !is_numbered {
            return;
        }
        let mut kept = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(message.to_vec());
        let is_too_much = |kept: &VecDeque<Vec<u8>>| {
            kept.len() > MAX_COMMANDS
                || kept.iter().map(Vec::len).sum::<usize>() > MAX_COMMAND_BYTES
        };
        while is_too_much(&kept) {
            kept.pop_front();
        }
    }

    /// Takes the commands that the room's next owner may not have.
    pub fn take_commands(&self) -> Vec<Vec<u8>> {
        let mut kept = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *kept).into()
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
            self.push_shut(why);
        }
    }

    /// The client is with this owner no more.
    pub fn say_shut(&self) {
        self.push_shut(DisconnectReason::GoingAway);
    }

    fn push_shut(&self, why: DisconnectReason) {
        self.push(&Frame::Shut {
            relay: self.relay,
            reason: why.as_str(),
        });
    }

    fn deliver(&self, bytes: &[u8]) {
        let mut together: ArrayVec<&[u8], MAX_MESSAGES> = ArrayVec::new();
        let awaits_welcome = self.token.get().is_none();
        for message in messages(bytes) {
            if awaits_welcome {
                self.note_token(message);
            }
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
