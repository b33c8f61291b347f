//! Commands to the game, numbered and kept for a resume.
//!
//! In: payloads, and the newest number that the server has after a resume. Out: messages, including those to send again.
//! Never sends anything itself.

use std::collections::VecDeque;
use tickwire_proto::v1;

/// Longest payload of a command, in bytes. With its header it fits into a server's default `--max-message-bytes`.
pub const MAX_COMMAND_BYTES: usize = 4_000;
/// Largest size of a command message without its payload.
const MAX_HEADER_BYTES: usize = 16;
/// How many of the latest commands are sent again after a resume.
pub const MAX_KEPT_COMMANDS: usize = 128;

/// The commands of a session that the server may not have yet.
#[derive(Debug, Default)]
pub(super) struct Commands {
    newest_number: u32,
    /// Longest message that the server takes; `None` until it has said so.
    max_message_bytes: Option<usize>,
    /// In ascending order of their numbers.
    kept: VecDeque<v1::Command>,
}

impl Commands {
    /// Numbers and keeps a command. `None` if it is too long for the server.
    pub fn add(&mut self, payload: &[u8]) -> Option<v1::Command> {
        if !fits(payload, self.max_message_bytes) {
            return None;
        }
        self.newest_number = self.newest_number.saturating_add(1);
        let command = v1::Command {
            number: self.newest_number,
            payload: payload.to_vec(),
        };
        if self.kept.len() == MAX_KEPT_COMMANDS {
            self.kept.pop_front();
        }
        self.kept.push_back(command.clone());
        Some(command)
    }

    /// Numbers the commands that were given before the session was known, and later ones, from this number on: an earlier client of
    /// the session has used those up to it.
    pub fn count_on_from(&mut self, newest: u32) {
        for command in &mut self.kept {
            command.number = command.number.saturating_add(newest);
        }
        self.newest_number = self.newest_number.saturating_add(newest);
    }

    /// Forgets all commands up to this number: the server has them.
    pub fn acknowledge(&mut self, newest: u32) {
        self.kept.retain(|command| command.number > newest);
    }

    /// Drops commands, now and later, that exceed the server's limit: each of them would end one connection after the other.
    pub fn set_max_message_bytes(&mut self, max_message_bytes: usize) {
        self.max_message_bytes = Some(max_message_bytes);
        self.kept
            .retain(|command| fits(&command.payload, self.max_message_bytes));
    }

    /// The commands that the server may not have, oldest first.
    pub fn unacknowledged(&self) -> Vec<v1::Command> {
        self.kept.iter().cloned().collect()
    }
}

fn fits(payload: &[u8], max_message_bytes: Option<usize>) -> bool {
    max_message_bytes.is_none_or(|max| payload.len() + MAX_HEADER_BYTES <= max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(commands: &Commands) -> Vec<u32> {
        let commands = commands.unacknowledged();
        commands.iter().map(|command| command.number).collect()
    }

    #[test]
    fn only_commands_that_can_still_arrive_are_kept() {
        let mut commands = Commands::default();
        for length in [10, 2_000, 10, 10] {
            assert!(commands.add(&vec![1; length]).is_some());
        }
        commands.acknowledge(1);
        commands.set_max_message_bytes(1_024);
        assert_eq!(numbers(&commands), [3, 4]);
        assert_eq!(commands.add(&[1; 2_000]), None);
        (0..2 * MAX_KEPT_COMMANDS).for_each(|_| drop(commands.add(&[1])));
        assert_eq!(commands.unacknowledged().len(), MAX_KEPT_COMMANDS);
        assert_eq!(
            numbers(&commands).last(),
            Some(&(4 + 2 * MAX_KEPT_COMMANDS as u32))
        );
    }
}
