//! What the player's client tells the game beside its inputs: numbered, and kept until it is sure to have arrived.
//!
//! In: payloads, and which numbers the server has after a resume. Out: messages, those included that have to be sent again.

use std::collections::VecDeque;
use tickwire_proto::v1;

/// Longest payload of a command, in bytes: with its head it is what a server takes by default (`--max-message-bytes`).
pub const MAX_COMMAND_BYTES: usize = 4_000;
/// What a message has beside the payload, at most.
const HEAD_BYTES: usize = 16;
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

    /// Whether it is kept.
    pub fn has(&self, number: u32) -> bool {
        self.kept
            .back()
            .is_some_and(|command| command.number == number)
    }

    /// The server has all up to this number.
    pub fn arrived(&mut self, newest: u32) {
        self.kept.retain(|command| command.number > newest);
    }

    /// The server takes no longer messages: what would not fit is never said, or it would end one connection after the other.
    pub fn fit(&mut self, max_message_bytes: u32) {
        let most = max_message_bytes as usize;
        self.kept
            .retain(|command| command.payload.len() + HEAD_BYTES <= most);
    }

    /// Those that it may not have, oldest first.
    pub fn kept(&self) -> Vec<v1::Command> {
        self.kept.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(commands: &Commands) -> Vec<u32> {
        let kept = commands.kept();
        kept.iter().map(|command| command.number).collect()
    }

    #[test]
    fn what_has_arrived_or_can_never_arrive_is_not_said_again() {
        let mut commands = Commands::default();
        for length in [10, 2_000, 10, 10] {
            commands.add(&vec![1; length]);
        }
        commands.arrived(1);
        commands.fit(1_024);
        assert_eq!(numbers(&commands), [3, 4]);
        assert!(commands.has(4) && !commands.has(3));
        (0..2 * MAX_KEPT_COMMANDS).for_each(|_| drop(commands.add(&[1])));
        assert_eq!(commands.kept().len(), MAX_KEPT_COMMANDS);
        assert_eq!(
            numbers(&commands).last(),
            Some(&(4 + 2 * MAX_KEPT_COMMANDS as u32))
        );
    }
}
