//! A request to join a room, and its result.

use std::net::IpAddr;
use thiserror::Error;
use tickwire_game::Refusal;
use tickwire_sync::encode::Encoding;
use tickwire_sync::{Micros, PlayerId};

/// A validated `Hello`. The default is somebody new, without a name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct JoinRequest {
    /// Display name, not yet cleaned; may be empty.
    pub name: String,
    /// The name is that of the ticket, or of the join hook: somebody else than the player says that it is the player's.
    pub is_name_vouched: bool,
    /// The player's id at the login service (the `sub` of a ticket).
    pub subject: Option<String>,
    /// When the ticket ends the session, on the server's clock.
    pub ticket_ends: Option<Micros>,
    /// The address that the session counts under; `None`: it counts under none.
    pub address: Option<IpAddr>,
    /// The address that the player comes from, for bans and mutes; `None`: from nowhere, as in a simulation.
    pub peer: Option<IpAddr>,
    /// When the connection was opened, on the server's clock: of two connections to one session the newer one has it, whichever
    /// `Hello` comes first.
    pub opened_at: Micros,
    /// Token of an earlier session; may be empty.
    pub resume_token: Vec<u8>,
    /// The newest reliable message that the client has got.
    pub last_message: u32,
    /// What the client says of maps.
    pub map: KnownMap,
    /// The client takes a crowded cell in parts.
    pub takes_cell_parts: bool,
    /// The encoding of the session's blocks.
    pub encoding: Encoding,
    /// The player watches without playing.
    pub is_spectator: bool,
    /// The client is in the room already, over this very connection, and does not know that the room changed its node: it gets no `Welcome`,
    /// and must have a session.
    pub goes_on: bool,
}

/// What a `Hello` says of maps.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KnownMap {
    /// The client takes a large map in parts.
    pub takes_parts: bool,
    /// `Welcome.map_id` of a map that it has, whole or in part.
    pub id: Vec<u8>,
    /// How many bytes of that map it has.
    pub bytes: u32,
}

/// Why a player cannot join.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum JoinError {
    /// The session is connected over a connection that was opened later.
    #[error("this session goes on over a newer connection")]
    Replaced,
    /// The session of a client that is in the room already is not there.
    #[error("the room has gone on without this session; connect again")]
    Unknown,
    /// The room has `--max-players` sessions.
    #[error("this room is full; try later or choose another room")]
    Full,
    /// The address joins too often: `--join-rate`.
    #[error("too many joins from your address; try again in a few seconds")]
    TooFast,
    /// The room is private, and there is no reservation.
    #[error("this room is private; ask for a seat with its invitation (POST /match)")]
    Private,
    /// The reservation is none of the room's.
    #[error("this reservation was used or its time is over; ask for a new one (POST /match)")]
    Reservation,
    /// An operator has banned the player since `Hello`.
    #[error("{0}")]
    Banned(String),
    /// The game refuses the player.
    #[error(transparent)]
    Game(#[from] Refusal),
}

/// A successful join.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Joined {
    /// The player, which is also the session's number.
    pub player: PlayerId,
    /// Whether an earlier session goes on.
    pub resumed: bool,
}
