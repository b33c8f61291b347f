//! Commands to a worker, and the state of a room that the lobby and its worker share.

use super::delivery::Delivery;
use super::player_link::PlayerLink;
use super::room_checkpoints::RoomCheckpoints;
use super::seats::Seats;
use super::state_board::StateBoard;
use crate::fair_share::RateByAddress;
use crate::moderation::{ActedOn, SessionAction, Whom};
use crate::net::io::polled_connection::PolledConnection;
use crate::recorder::RoomRecording;
use crate::room::{Inbox, JoinRequest, Room};
use serde_json::Value;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;
use tickwire_game::Tags;
use tokio::sync::oneshot;

/// The rooms that workers run.
pub(crate) type ServerRoom = Room<PlayerLink>;

/// Who comes to a room.
#[derive(Clone)]
pub(crate) struct Newcomer {
    pub room: String,
    pub request: JoinRequest,
    /// A reserved seat; may be empty.
    pub reservation: Vec<u8>,
    pub link: Arc<PlayerLink>,
    pub inbox: Arc<Inbox>,
}

/// A command to a worker.
pub(crate) enum Command {
    /// Makes a room, and ticks it from now on. Made by the worker, because a game may take long to make, and may panic.
    Open {
        name: String,
        make: Box<dyn FnOnce() -> ServerRoom + Send>,
        entry: Arc<RoomEntry>,
        /// `None`: the room ends with its process.
        checkpoints: Option<Box<RoomCheckpoints>>,
        /// `None`: the room is not recorded.
        recording: Option<Box<RoomRecording>>,
    },
    /// Lets a player into a room.
    Join {
        newcomer: Box<Newcomer>,
        /// Counts the join unless it resumes a session; `None`: it was counted.
        rate: Option<Arc<RateByAddress>>,
        /// Asks the join hook instead of joining, unless the join resumes a session; `None`: nobody is to be asked.
        ask: Option<Box<dyn FnOnce() + Send>>,
    },
    /// Polls a connection for a room from now on and to its end. The connection has migrated from its poller.
    Adopt {
        room: String,
        connection: Box<dyn PolledConnection>,
    },
    /// Gives rooms what is for them. Answers how many players read a notice; `None`: it is for a room that is not here.
    Deliver {
        delivery: Arc<Delivery>,
        answer: Option<oneshot::Sender<Option<usize>>>,
    },
    /// Does something with sessions, in whatever rooms they are. Answers which they were.
    ActOnSessions {
        whom: Whom,
        action: SessionAction,
        answer: oneshot::Sender<ActedOn>,
    },
    /// Puts the state of a room on its entry's board.
    State { room: String, entry: Arc<RoomEntry> },
    /// Looks whether the room has ended, because the lobby has ended it.
    LookAtEnd { room: String },
    /// The room goes on at another node: it makes no ticks any more, and its players come again.
    Abandon { room: String },
    /// Says goodbye to the players of one room, and saves it for another node.
    HandOver {
        room: String,
        reason: String,
        answer: oneshot::Sender<()>,
    },
    /// Tells the players whose connections are here to open another one, which other nodes take, while play goes on over this one.
    LeadAway {
        reason: String,
        answer: oneshot::Sender<()>,
    },
    /// Answers one summary for each room.
    List { answer: oneshot::Sender<Vec<Value>> },
    /// The process ends: says goodbye to every player, and saves the rooms that have checkpoints, which make no ticks any more.
    Goodbye {
        reason: String,
        reconnect_after: Duration,
        answer: oneshot::Sender<()>,
    },
}

/// The state of a room that the lobby (in its `RoomHandle`) and the room's worker (in its `RoomRunner`) share: it keeps a
/// [`Room`] from ending while somebody joins.
#[derive(Debug, Default)]
pub(crate) struct RoomEntry {
    /// Joins that are on their way to the worker. While there are any, the room does not end.
    pub joining: AtomicU64,
    /// Set when the room has ended, by the worker, or by the lobby for a room that nobody is connected to; no join may be sent
    /// after that.
    pub has_ended: RwLock<bool>,
    /// Whether somebody is connected, or the room was restored and its players are still to come.
    pub is_attended: AtomicBool,
    /// The room's public state.
    pub state: StateBoard,
    /// How many seats are taken, and which are reserved.
    pub seats: Seats,
    /// What the game tells of the room in the list of rooms.
    pub metadata: Mutex<Arc<Tags>>,
    /// Whether the list of rooms shows it, so that its game is asked for metadata.
    pub is_listed: bool,
    /// Whether only those get in who have a reservation, or a session.
    pub is_private: bool,
}
