//! What players of the simulated game want and ask for, what happens, and what they are told.

use tickwire::prelude::*;

/// What a player wants in one tick.
#[derive(Input, Clone, PartialEq, Debug, Default)]
pub struct Wish {
    /// To the right (1) or the left (-1).
    #[input(range = -1..=1)]
    pub dx: i8,
    /// Down (1) or up (-1).
    #[input(range = -1..=1)]
    pub dy: i8,
    /// Some bytes that change, so that two inputs differ.
    pub stamp: u16,
    /// What is done once.
    #[input(once)]
    pub act: Act,
}

/// What a player does once.
#[derive(Choice, Clone, Copy, PartialEq, Debug, Default)]
pub enum Act {
    /// Nothing.
    #[default]
    Nothing,
    /// Jumps to another place.
    Jump,
    /// Makes a spark.
    Spark,
    /// Takes a coin from whoever is nearest.
    Rob,
    /// Shouts to who is near.
    Shout,
}

/// What players ask for. The number counts the commands of one client.
#[derive(Command, Clone, PartialEq, Debug)]
pub enum Ask {
    /// Pays coins to a player, who may not exist.
    Pay {
        /// Of the client's commands.
        number: u32,
        /// Who gets them.
        to: PlayerId,
        /// How many, if there are as many.
        coins: u32,
    },
    /// Goes to another team.
    Team {
        /// Of the client's commands.
        number: u32,
        /// The team; taken modulo the teams.
        team: u8,
    },
    /// Changes the text on the account.
    Motto {
        /// Of the client's commands.
        number: u32,
        /// The text.
        text: Text,
    },
    /// Sends a note to the own team.
    Rally {
        /// Of the client's commands.
        number: u32,
    },
    /// Sends a note to one player, who may not exist.
    Whisper {
        /// Of the client's commands.
        number: u32,
        /// Who gets it.
        to: PlayerId,
    },
}

impl Ask {
    /// The number of the command among those of its client.
    #[must_use]
    pub const fn number(&self) -> u32 {
        match self {
            Self::Pay { number, .. }
            | Self::Team { number, .. }
            | Self::Motto { number, .. }
            | Self::Rally { number }
            | Self::Whisper { number, .. } => *number,
        }
    }
}

/// What happens, and where it is heard.
#[derive(Event, Clone, PartialEq, Debug)]
pub enum Happening {
    /// All who see the place hear it.
    Shout {
        /// Who shouts.
        by: PlayerId,
    },
    /// Only the team on this layer hears it.
    Signal {
        /// The layer.
        layer: u8,
    },
    /// All who see a part of the way see it.
    Beam {
        /// Who jumped.
        by: PlayerId,
    },
    /// All hear it.
    Bell {
        /// How often it rang.
        count: u32,
    },
}

/// Reliable messages, each with a number of its own.
#[derive(Message, Clone, PartialEq, Debug)]
pub enum Note {
    /// To one player.
    Whisper {
        /// Of the room's notes.
        number: u32,
        /// The receiver.
        to: PlayerId,
    },
    /// To a team.
    Rally {
        /// Of the room's notes.
        number: u32,
        /// The layer.
        layer: u8,
    },
    /// To all.
    Bell {
        /// Of the room's notes.
        number: u32,
    },
}

/// A reliable message, and to whom the game sent it.
#[derive(Clone, Debug)]
pub struct SentNote {
    /// The receivers.
    pub to: Recipient,
    /// The payload.
    pub payload: Vec<u8>,
}
