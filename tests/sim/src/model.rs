//! What must be true of each session, as the simulator knows it without the server: who owns it, what its client made, and what it
//! is to receive.

use std::collections::{BTreeSet, VecDeque};
use tickwire_sync::{PlayerId, Seq, Tick};

/// Inputs of one session that are remembered.
const MADE_INPUTS: usize = 1_024;

/// A session: the room's number among those of the run, and the session's in the room.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SessionKey {
    /// Counts the rooms: each restart of the server makes a new one.
    pub room: u32,
    /// The session.
    pub player: PlayerId,
}

impl std::fmt::Display for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "session {} of room {}", self.player, self.room)
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Peer {
    /// The honest player of this number.
    Honest(usize),
    /// The hostile peer of this number.
    Hostile(usize),
}

/// Where a session is on its way, as the game was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Life {
    /// Joined, and connected.
    Connected,
    /// The connection is lost.
    Away,
    /// Left: nothing follows.
    Left,
}

/// What a session is to receive.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Letter {
    /// A line of chat.
    Chat {
        /// The sender.
        from: PlayerId,
        /// The line.
        text: String,
    },
    /// A message of the game.
    Note(Vec<u8>),
}

/// One session.
#[derive(Debug)]
pub struct SessionModel {
    /// Whose session it is.
    pub owner: Peer,
    /// Where it is on its way.
    pub life: Life,
    /// The inputs that its client made: number, tick, payload.
    pub made: VecDeque<(u32, Tick, Vec<u8>)>,
    /// The newest input that the game was given.
    pub applied: Option<(Seq, Tick)>,
    /// The newest command that the game was given, by the client's count.
    pub newest_command: Option<u32>,
    /// The newest command that the client gave in this session.
    pub given_command: u32,
    /// Commands below this may be lost, as the client that gave them is.
    pub lost_commands_below: u32,
    /// What the session is to receive, and in which tick it was sent.
    pub letters: Vec<(Letter, Tick)>,
    /// How many of them its client has received.
    pub received: usize,
    /// Those before may be lost: so many waited over a resume.
    pub lost_letters_below: usize,
    /// The numbers of the events that its client has received.
    pub events: BTreeSet<u32>,
}

impl SessionModel {
    /// A session that has just joined.
    #[must_use]
    pub fn new(owner: Peer) -> Self {
        Self {
            owner,
            life: Life::Connected,
            made: VecDeque::new(),
            applied: None,
            newest_command: None,
            given_command: 0,
            lost_commands_below: 0,
            letters: Vec::new(),
            received: 0,
            lost_letters_below: 0,
            events: BTreeSet::new(),
        }
    }

    /// Remembers an input that the client made.
    pub fn remember(&mut self, input: (u32, Tick, Vec<u8>)) {
        if self.made.len() == MADE_INPUTS {
            self.made.pop_front();
        }
        self.made.push_back(input);
    }
}
