//! What the game port needs from whatever serves rooms.
//!
//! `net` knows connections, frames and limits; behind this trait are rooms and players, which `net` knows only by name.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tickwire_game::Tags;
use tickwire_sync::Tick;

use super::peer::connection::Connection;
use super::peer::handler::Handler;
use super::rules_module::RulesModule;

/// How long a request waits for a newer tick of a room.
pub const MAX_STATE_WAIT: Duration = Duration::from_secs(25);

/// What a request for a room's state gets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RoomState {
    /// The state.
    Now(PublicState),
    /// The tick is not newer than the one that the request has.
    Unchanged,
    /// There is no such room.
    Missing,
    /// The worker has no time.
    Busy,
}

/// A room's public state at a tick.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicState {
    /// The state as JSON, shared by all who ask.
    pub json: Bytes,
    /// The tick.
    pub tick: Tick,
    /// A number that no other state has, of any room and of any process that ran here before.
    pub version: u64,
}

/// Which part of the list of public rooms is wanted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RoomListQuery {
    /// The name of the last room of the page before; empty: the first page.
    pub after: String,
    /// Rooms of a page, at least 1.
    pub limit: usize,
    /// The tags that the rooms must have.
    pub tags: Tags,
}

/// A page of the list of public rooms.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RoomListPage {
    /// In the order of their names.
    pub rooms: Vec<ListedRoom>,
    /// What the next page comes after; `None`: this is the last one.
    pub next: Option<String>,
}

/// A room in the list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ListedRoom {
    /// The name.
    pub room: String,
    /// Players who are connected.
    pub players: usize,
    /// Seats.
    pub max: usize,
    /// What the match that made the room asked for.
    pub tags: Tags,
    /// What the game tells of it.
    #[serde(serialize_with = "shared_tags", deserialize_with = "own_tags")]
    pub metadata: Arc<Tags>,
}

fn shared_tags<S: serde::Serializer>(tags: &Arc<Tags>, out: S) -> Result<S::Ok, S::Error> {
    tags.as_ref().serialize(out)
}

fn own_tags<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Arc<Tags>, D::Error> {
    Tags::deserialize(input).map(Arc::new)
}

/// Which rooms a match may give.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MatchMode {
    /// One that there is, or a new one.
    #[default]
    JoinOrCreate,
    /// A new one.
    Create,
    /// One that there is.
    Join,
}

/// A request for a seat in a room, validated.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct MatchRequest {
    /// Which rooms are wanted.
    pub mode: MatchMode,
    /// The room has these tags at least; a new one has exactly these.
    pub tags: Tags,
    /// Seats of a new room; `None`: the server's `--max-players`.
    pub max_players: Option<usize>,
    /// A new room is unlisted, and entered by reservation only.
    pub is_private: bool,
    /// The room that is wanted, and no other.
    pub room: Option<String>,
    /// The key of a private room, in base64url; may be empty.
    pub key: String,
}

/// A seat in a room.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Matched {
    /// The room's name.
    pub room: String,
    /// What `Hello.reservation` must carry, in base64url.
    pub reservation: String,
    /// The key for further players of a new private room, in base64url.
    pub key: Option<String>,
    /// When the reservation expires, in seconds since 1970.
    pub expires_unix_s: u64,
    /// Whether the room is new.
    pub is_new: bool,
}

/// Why there is no seat.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MatchRefusal {
    /// No public room has the tags and a free seat, or none has the name.
    #[error("there is no such room with a free seat; create one, or try later")]
    NoSuchRoom,
    /// There is no room of this name with this key.
    #[error("this invitation leads nowhere: the room has ended, or the key is wrong")]
    NotInvited,
    /// The room has no free seat, or none for this address.
    #[error("this room is full; try later or choose another room")]
    RoomIsFull,
    /// The address has its share of the rooms.
    #[error("{0}")]
    TooManyOfAddress(&'static str),
    /// There are as many rooms as there may be.
    #[error("{0}")]
    TooManyRooms(&'static str),
}

/// The rooms, as connections and the game port see them.
pub trait RoomService: Send + Sync + 'static {
    /// Receives one connection's messages.
    type Handler: Handler;

    /// A WebSocket was opened on `/ws`. `room` is the name in the URL, if there is one, not yet validated. The connection is
    /// closed with 4003 unless [`Connection::mark_hello_received`] is called before the handshake timeout.
    fn connected(
        self: &Arc<Self>,
        connection: Arc<Connection>,
        room: Option<String>,
    ) -> Self::Handler;

    /// The rules module that clients of all rooms may load, if there is one.
    fn rules_module(&self) -> Option<&RulesModule>;

    /// Whether ticks are late now, so that handshakes must take less time. Must be cheap.
    fn are_ticks_late(&self) -> bool;

    /// The state of a room, for `/rooms/NAME/state`. With `after`, waits for a newer tick than that one, but not for longer than
    /// 25 seconds.
    fn room_state(&self, room: &str, after: Option<Tick>)
    -> impl Future<Output = RoomState> + Send;

    /// A page of the list of public rooms, for `GET /rooms`.
    fn public_rooms(&self, query: &RoomListQuery) -> impl Future<Output = RoomListPage> + Send;

    /// A seat in a room, for `POST /match`. `address`: that the seat and a new room count under; `None`: under none.
    ///
    /// # Errors
    /// If there is none.
    fn find_match(
        &self,
        request: &MatchRequest,
        address: Option<IpAddr>,
    ) -> impl Future<Output = Result<Matched, MatchRefusal>> + Send;
}
