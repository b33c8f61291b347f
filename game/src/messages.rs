//! Messages from a game: reliable ones to its players, such as a hint, a team's plan, the result of a round; and those to other rooms.

use tickwire_sync::{Layer, PlayerId};

/// Who gets a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recipient {
    /// Every player and spectator of the room.
    Everyone,
    /// One player.
    Player(PlayerId),
    /// Every player whose area of interest includes this layer, such as a team.
    Layer(Layer),
}

/// The messages of one tick, in order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Messages {
    messages: Vec<(Recipient, Vec<u8>)>,
}

impl Messages {
    /// Sends a message in the game's own encoding. It arrives exactly once and in order, also over a resume.
    pub fn send(&mut self, to: Recipient, payload: impl Into<Vec<u8>>) {
        self.messages.push((to, payload.into()));
    }

    /// Takes the messages out, in the order in which they were sent.
    pub fn drain(&mut self) -> impl Iterator<Item = (Recipient, Vec<u8>)> {
        self.messages.drain(..)
    }
}

/// Which rooms get a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RoomRecipient {
    /// The room of this name, if it is open, at whatever node.
    Room(String),
    /// All open rooms but the sender, at all nodes.
    OtherRooms,
}

/// The longest message to a room.
pub const MAX_ROOM_MESSAGE_BYTES: usize = 4096;

/// The messages of one tick to other rooms, in order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RoomMessages {
    messages: Vec<(RoomRecipient, Vec<u8>)>,
}

impl RoomMessages {
    /// Sends a message in the game's own encoding, of up to [`MAX_ROOM_MESSAGE_BYTES`]. Each open room that it is for gets it once, and
    /// the messages of one room come in order; see [`Game::room_message`](crate::Game::room_message). Longer ones are dropped and counted.
    pub fn send(&mut self, to: RoomRecipient, payload: impl Into<Vec<u8>>) {
        self.messages.push((to, payload.into()));
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Takes the messages out, in the order in which they were sent.
    pub fn drain(&mut self) -> impl Iterator<Item = (RoomRecipient, Vec<u8>)> {
        self.messages.drain(..)
    }
}
