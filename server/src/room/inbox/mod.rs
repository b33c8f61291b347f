//! The messages that arrive for one session between two ticks.
//!
//! In: validated messages, from the connection's reader. Out: the same messages, to the room, once a tick. The lock is held
//! for a move or two, and never over anything else.

mod received_input;

pub use received_input::ReceivedInput;

use super::chat::ChatLine;
use crate::close::DisconnectReason;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Messages that may wait for one tick. The reader ends floods long before.
const MAX_WAITING: usize = 1024;
/// Bytes of lines and commands that may wait for one tick, beside the messages themselves, of which each has [`MESSAGE_BYTES`].
const MAX_WAITING_BYTES: usize = 64 * 1024;
/// Where an operator lets messages be so long that fewer than these fit, these may wait.
const MIN_LONGEST_MESSAGES: usize = 4;
/// What a message takes beside its text or payload.
const MESSAGE_BYTES: usize = size_of::<InboxMessage>();
/// All messages together, so that a session's inbox takes less than an outbox may.
const _: () = assert!(MAX_WAITING * MESSAGE_BYTES + MAX_WAITING_BYTES <= 256 * 1024);
/// Memory for so many messages stays between two ticks.
const MAX_KEPT_CAPACITY: usize = 16;

/// A validated message of a client, or the end of its connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum InboxMessage {
    /// An input, and what it tells about the path.
    Input(ReceivedInput),
    /// A line of chat.
    Chat(ChatLine),
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

impl InboxMessage {
    /// The bytes of its text or payload.
    fn payload_bytes(&self) -> usize {
        match self {
            Self::Chat(line) => line.len(),
            Self::Command { payload, .. } => payload.capacity(),
            Self::Input(_)
            | Self::Resync { .. }
            | Self::Leave { .. }
            | Self::ConnectionClosed(_) => 0,
        }
    }
}

/// The messages that wait for a session's next tick.
#[derive(Debug)]
pub struct Inbox {
    queue: Mutex<Queue>,
    /// Bytes of texts and payloads that may wait.
    max_payload_bytes: usize,
}

/// Messages in the order of their arrival.
#[derive(Debug, Default)]
struct Queue {
    /// Usually the only message, an input. It is stored inline, so that the tick need not fetch a separate allocation.
    first: Option<InboxMessage>,
    others: Vec<InboxMessage>,
    /// The bytes of the messages' texts and payloads.
    payload_bytes: usize,
}

impl Queue {
    fn count(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Self::for_messages_of(0)
    }
}

impl Inbox {
    /// An inbox for a client whose messages have at most so many bytes.
    #[must_use]
    pub fn for_messages_of(max_message_bytes: usize) -> Self {
        Self {
            queue: Mutex::default(),
            max_payload_bytes: MAX_WAITING_BYTES.max(MIN_LONGEST_MESSAGES * max_message_bytes),
        }
    }

    /// Adds a message. `false`: too many wait, and the message was dropped.
    pub fn put(&self, message: InboxMessage) -> bool {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        // The end of the connection must never be dropped.
        let payload_bytes = message.payload_bytes();
        let is_full = queue.count() >= MAX_WAITING
            || queue.payload_bytes + payload_bytes > self.max_payload_bytes;
        if is_full && !matches!(message, InboxMessage::ConnectionClosed(_)) {
            return false;
        }
        queue.payload_bytes += payload_bytes;
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
        queue.count()
    }

    /// The bytes that the inbox takes.
    pub fn waiting_bytes(&self) -> usize {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.others.capacity() * MESSAGE_BYTES + queue.payload_bytes
    }

    /// Moves all messages to the end of `messages`.
    pub fn take(&self, messages: &mut Vec<InboxMessage>) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        messages.extend(queue.first.take());
        messages.append(&mut queue.others);
        queue.payload_bytes = 0;
        if queue.others.capacity() > MAX_KEPT_CAPACITY {
            queue.others = Vec::new();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    #[test]
    fn a_full_inbox_still_takes_the_end_of_the_connection() {
        let inbox = Inbox::default();
        let line = |number: usize| InboxMessage::Chat(ChatLine::new(&number.to_string()).unwrap());
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

    #[test]
    fn an_inbox_is_bounded_by_bytes_and_gives_them_back() {
        let inbox = Inbox::default();
        let command = |bytes: usize| InboxMessage::Command {
            number: 0,
            payload: vec![7; bytes],
        };
        let mut count = 0;
        while inbox.put(command(4_096)) {
            count += 1;
        }
        assert_eq!(count, MAX_WAITING_BYTES / 4_096);
        let line = InboxMessage::Chat(ChatLine::new("hello").unwrap());
        assert!(!inbox.put(line.clone()));
        assert!(inbox.put(InboxMessage::ConnectionClosed(DisconnectReason::Lost)));
        assert!(inbox.waiting_bytes() <= MAX_WAITING_BYTES + 64 * MESSAGE_BYTES);
        inbox.take(&mut Vec::new());
        assert!(inbox.waiting_bytes() <= MAX_KEPT_CAPACITY * MESSAGE_BYTES);
        for _ in 0..MAX_WAITING {
            assert!(inbox.put(line.clone()));
        }
        inbox.take(&mut Vec::new());
        assert_eq!(inbox.waiting_bytes(), 0);
        // An operator who allows long messages allows a few of them.
        let inbox = Inbox::for_messages_of(1 << 20);
        for _ in 0..MIN_LONGEST_MESSAGES {
            assert!(inbox.put(command(1 << 20)));
        }
        assert!(!inbox.put(command(1)));
    }
}
