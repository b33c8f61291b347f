//! What goes into a session and what comes out: options, actions, events, its phase and its counters.

use super::link_set::LinkId;
use std::hash::{BuildHasher as _, RandomState};
use tickwire_proto::v1;
use tickwire_sync::client::ReceivedEvent;

/// Settings of a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// Room name; empty: the URL's, or the server's default.
    pub room: String,
    /// Display name; empty: the server picks one.
    pub name: String,
    /// Signed ticket, where the server demands one.
    pub ticket: String,
    /// The reservation of a seat in the room that `POST /match` gave; empty: none. It is good for one join.
    pub reservation: Vec<u8>,
    /// Requested encoding of blocks; by default packed, which is smaller.
    pub encoding: v1::Encoding,
    /// Watch without playing.
    pub is_spectator: bool,
    /// Seed of the reconnection jitter. The default is random: clients with equal seeds would all reconnect at once. Simulators set it.
    pub seed: u64,
}

/// No room, name, ticket or reservation, packed encoding. The seed is random by default, so two defaults differ.
impl Default for Options {
    fn default() -> Self {
        Self {
            room: String::new(),
            name: String::new(),
            ticket: String::new(),
            reservation: Vec::new(),
            encoding: v1::Encoding::Packed,
            is_spectator: false,
            seed: random_seed(),
        }
    }
}

/// The standard library has no random numbers, but keys its hashers at random.
fn random_seed() -> u64 {
    RandomState::new().hash_one(())
}

/// State of a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Not yet in the room.
    Connecting,
    /// In the room, over a live link.
    Playing,
    /// Was in the room and tries to come back.
    Reconnecting,
    /// Over for good.
    Closed {
        /// WebSocket close code; 1000 if the player left.
        code: u16,
        /// The reason, for people.
        reason: String,
    },
}

/// What the shell has to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Open a WebSocket with subprotocol `tickwire.v1`, and report [`crate::Client::opened`] or [`crate::Client::closed`].
    Open(LinkId),
    /// Send a binary message.
    Send(LinkId, Vec<u8>),
    /// Close the socket with code 1000 and forget it. Reports about it are ignored from now on.
    Close(LinkId),
}

/// Something that happened in a session and is not part of the replicated world.
#[derive(Clone, PartialEq, Debug)]
pub enum SessionEvent {
    /// An event of the game; each is delivered once.
    GameEvent(ReceivedEvent),
    /// A line of chat.
    Chat {
        /// The sender's session; 0: the server.
        from: u32,
        /// The sender's name.
        name: String,
        /// The line.
        text: String,
    },
    /// A message of the game to this player, in the game's encoding.
    GameMessage(Vec<u8>),
    /// An announcement of the server's operator.
    Notice(String),
    /// The session is in the room, for the first time or again.
    Joined {
        /// Whether it is the same session as before.
        resumed: bool,
    },
    /// Prediction has begun, has ended, or cannot begin.
    Prediction {
        /// [`crate::Client::prediction_note`]; `None`: prediction has begun.
        note: Option<String>,
    },
}

/// Totals of a session since it began.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Snapshots applied.
    pub snapshots: u64,
    /// Payload bytes of all messages received.
    pub bytes_in: u64,
    /// Payload bytes of all messages sent.
    pub bytes_out: u64,
    /// View hashes compared.
    pub view_checks: u64,
    /// View hashes that differed from the server's. Must stay 0.
    pub view_mismatches: u64,
    /// Messages that could not be decoded or applied.
    pub protocol_errors: u64,
    /// Times that the session joined again after its link was lost.
    pub reconnects: u64,
    /// Reconnects as the same session.
    pub resumes: u64,
    /// Inputs made.
    pub inputs: u64,
    /// Ticks for which the server had no input of this client, as the server reports.
    pub starved_inputs: u64,
    /// Notices received.
    pub notices: u64,
    /// Rows that snapshots added or changed.
    pub row_updates: u64,
    /// Answers to clock pings.
    pub pongs: u64,
}
