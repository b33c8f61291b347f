//! Reliable messages from a game to its players, such as a hint, a team's plan, the result of a round.

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
