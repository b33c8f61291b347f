//! What the player's client tells the game beside its inputs: numbered, and kept until it is sure to have arrived.
//!
//! In: payloads, and which numbers the server has after a resume. Out: messages, those included that have to be sent again.

use std::collections::VecDeque;
use tickwire_proto::v1;

/// Longest payload of a command, in bytes: with its head it is what a server takes by default (`--max-message-bytes`).
pub const MAX_COMMAND_BYTES: usize = 4_000;
/// As many of the latest commands are sent again after a resume.
pub const MAX_KEPT_COMMANDS: usize = 128;

/// See the module's head.
#[derive(Debug, Default)]
pub(super) struct Commands {
    newest: u32,
    /// The latest ones that the server may not have, ascending.
    kept: VecDeque<v1::Command>,
}

impl Commands {
    /// The next one.
    pub fn add(&mut self, payload: &[u8]) -> v1::Command {
        self.newest += 1;
        let command = v1::Command {
            number: self.newest,
            payload: payload.to_vec(),
        };
        if self.kept.len() == MAX_KEPT_COMMANDS {
            self.kept.pop_front();
        }
        self.kept.push_back(command.clone());
        command
    }

    /// The server has all up to this number.
    pub fn arrived(&mut self, newest: u32) {
        self.kept.retain(|command| command.number > newest);
    }

    /// Those that it may not have, oldest first.
    pub fn kept(&self) -> Vec<v1::Command> {
        self.kept.iter().cloned().collect()
    }
}
