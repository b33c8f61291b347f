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
    /// The longest message that the server takes, once it has said so.
    most_bytes: Option<usize>,
    /// The latest ones that the server may not have, ascending.
    kept: VecDeque<v1::Command>,
}

impl Commands {
    /// The next one. `None`: the server does not take it.
    pub fn add(&mut self, payload: &[u8]) -> Option<v1::Command> {
        if !fits(payload, self.most_bytes) {
            return None;
        }
        self.newest += 1;
        let command = v1::Command {
            number: self.newest,
            payload: payload.to_vec(),
        };
        if self.kept.len() == MAX_KEPT_COMMANDS {
            self.kept.pop_front();
        }
        self.kept.push_back(command.clone());
        Some(command)
    }

    /// The server has all up to this number.
    pub fn arrived(&mut self, newest: u32) {
        self.kept.retain(|command| command.number > newest);
    }

    /// The server takes no longer messages: what does not fit is never said, or it would end one connection after the other.
    pub fn fit(&mut self, most_bytes: usize) {
        let most_bytes = Some(most_bytes);
        self.most_bytes = most_bytes;
        self.kept
            .retain(|command| fits(&command.payload, most_bytes));
    }

    /// Those that it may not have, oldest first.
    pub fn kept(&self) -> Vec<v1::Command> {
        self.kept.iter().cloned().collect()
    }
}

fn fits(payload: &[u8], most_bytes: Option<usize>) -> bool {
    most_bytes.is_none_or(|most| payload.len() + HEAD_BYTES <= most)
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
            assert!(commands.add(&vec![1; length]).is_some());
        }
        commands.arrived(1);
        commands.fit(1_024);
        assert_eq!(numbers(&commands), [3, 4]);
        assert_eq!(commands.add(&[1; 2_000]), None);
        (0..2 * MAX_KEPT_COMMANDS).for_each(|_| drop(commands.add(&[1])));
        assert_eq!(commands.kept().len(), MAX_KEPT_COMMANDS);
        assert_eq!(
            numbers(&commands).last(),
            Some(&(4 + 2 * MAX_KEPT_COMMANDS as u32))
        );
    }
}
