//! The rest of a large message on its way to one connection. Its bytes are shared with other connections, and are never copied.
//!
//! In: the bytes, and the frames that must follow them. Out: the bytes to offer to the kernel, or to seal, next; at the end the frames
//! behind them.

use bytes::{Buf as _, Bytes};

/// Bytes that are sealed together: those of the largest TLS record (RFC 8446, section 5.1).
const SEALED_TOGETHER: usize = 16 * 1024;

/// The bytes of a message that nobody has taken yet, and whole frames that wait behind it, in plaintext.
#[derive(Debug)]
pub(super) struct SharedRest {
    bytes: Bytes,
    behind: Vec<u8>,
}

impl SharedRest {
    /// The rest of a message, with nothing behind it.
    pub fn new(bytes: Bytes) -> Self {
        Self {
            bytes,
            behind: Vec::new(),
        }
    }

    /// All bytes that wait here, shared or not.
    pub fn pending_bytes(&self) -> usize {
        self.bytes.len() + self.behind.len()
    }

    /// Bytes of frames that wait behind the message: the only ones that are this connection's own.
    pub fn bytes_behind(&self) -> usize {
        self.behind.len()
    }

    /// Queues frames behind the message.
    pub fn push_behind(&mut self, frames: &[u8]) {
        self.behind.extend_from_slice(frames);
    }

    /// The bytes to offer to the kernel next.
    pub fn pending(&self) -> &[u8] {
        &self.bytes
    }

    /// The kernel has taken the next `count` bytes.
    pub fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }

    /// Takes the bytes that are sealed next; none: all are.
    pub fn take_piece(&mut self) -> Bytes {
        let length = self.bytes.len().min(SEALED_TOGETHER);
        self.bytes.split_to(length)
    }

    /// The frames that were queued behind the message, once all of it is taken.
    pub fn into_behind(self) -> Vec<u8> {
        debug_assert!(self.bytes.is_empty());
        self.behind
    }
}
