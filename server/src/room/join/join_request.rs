//! A request to join a room, and its result.

use std::net::IpAddr;
use thiserror::Error;
use tickwire_game::Refusal;
use tickwire_sync::encode::Encoding;
use tickwire_sync::{Micros, PlayerId};

/// A validated `Hello`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JoinRequest {
    /// Display name, not yet cleaned; may be empty.
    pub name: String,
    /// The player's id at the login service (the `sub` of a ticket).
    pub subject: Option<String>,
    /// When the ticket ends the session, on the server's clock.
    pub ticket_ends: Option<Micros>,
    /// The address that the session counts under; `None`: it counts under none.
    pub address: Option<IpAddr>,
    /// Token of an earlier session; may be empty.
    pub resume_token: Vec<u8>,
    /// The newest reliable message that the client has got.
    pub last_message: u32,
    /// The encoding of the session's blocks.
    pub encoding: Encoding,
    /// The player watches without playing.
    pub is_spectator: bool,
}

/// Why a player cannot join.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum JoinError {
    /// The room has `--max-players` sessions.
    #[error("this room is full; try later or choose another room")]
    Full,
    /// The address joins too often: `--join-rate`.
    #[error("too many joins from your address; try again in a few seconds")]
    TooFast,
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
