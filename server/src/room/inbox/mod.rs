//! The messages that arrive for one session between two ticks.
//!
//! In: validated messages, from the connection's reader. Out: the same messages, to the room, once a tick. The lock is held
//! for a move or two, and never over anything else.

mod received_input;

pub use received_input::ReceivedInput;

use crate::close::DisconnectReason;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Messages that may wait for one tick. The reader ends floods long before.
const MAX_WAITING: usize = 1024;

/// A validated message of a client, or the end of its connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum InboxMessage {
    /// An input, and what it tells about the path.
    Input(ReceivedInput),
    /// A line of chat, not yet cleaned.
    Chat(String),
    /// A command for the game.
    Command {
        /// Counts up from 1; 0: not numbered.
        number: u32,
        /// In the game's own encoding.
        payload: Vec<u8>,
    },
    /// The client needs a full snapshot.
    Resync {
        /// The hash of its view disagreed with the server's.
        view_mismatch: bool,
    },
    /// The player leaves on purpose.
    Leave {
        /// How long the session waits for its player; zero: it ends at once.
        grace: Duration,
    },
    /// The connection has ended, for this reason.
    ConnectionClosed(DisconnectReason),
}

/// The messages that wait for a session's next tick.
#[derive(Debug, Default)]
pub struct Inbox {
    queue: Mutex<Queue>,
}

/// Messages in the order of their arrival.
#[derive(Debug, Default)]
struct Queue {
    /// Usually the only message, an input. It is stored inline, so that the tick need not fetch a separate allocation.
    first: Option<InboxMessage>,
    others: Vec<InboxMessage>,
}

impl Inbox {
    /// Adds a message. `false`: too many wait, and the message was dropped.
    pub fn put(&self, message: InboxMessage) -> bool {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        // The end of the connection must never be dropped.
        let count = usize::from(queue.first.is_some()) + queue.others.len();
        if count >= MAX_WAITING && !matches!(message, InboxMessage::ConnectionClosed(_)) {
            return false;
        }
        if queue.first.is_none() {
            queue.first = Some(message);
        } else {
            queue.others.push(message);
        }
        true
    }

    /// How many messages wait.
    pub fn waiting_count(&self) -> usize {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        usize::from(queue.first.is_some()) + queue.others.len()
    }

    /// Moves all messages to the end of `messages`.
    pub fn take(&self, messages: &mut Vec<InboxMessage>) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        messages.extend(queue.first.take());
        messages.append(&mut queue.others);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_inbox_still_takes_the_end_of_the_connection() {
        let inbox = Inbox::default();
        let line = |number: usize| InboxMessage::Chat(number.to_string());
        for number in 0..MAX_WAITING {
            assert!(inbox.put(line(number)));
        }
        assert!(!inbox.put(line(MAX_WAITING)));
        assert!(inbox.put(InboxMessage::ConnectionClosed(DisconnectReason::Lost)));
        let mut taken = Vec::new();
        inbox.take(&mut taken);
        let expected: Vec<_> = (0..MAX_WAITING)
            .map(line)
            .chain([InboxMessage::ConnectionClosed(DisconnectReason::Lost)])
            .collect();
        assert_eq!(taken, expected);
        inbox.take(&mut taken);
        assert_eq!(taken.len(), MAX_WAITING + 1);
    }
}
