//! The bytes of one connection that the kernel has not taken yet.
//!
//! In: bytes that were offered to the kernel, or that must wait behind others. Out: the bytes to offer next, in order.

/// Buffers that have grown beyond this many bytes are freed after use.
const MAX_KEPT_CAPACITY: usize = 64 * 1024;

/// Bytes for the wire, in order. Empty while the kernel takes everything at once.
#[derive(Debug, Default)]
pub(super) struct SendQueue {
    /// Everything queued, the part already taken included.
    bytes: Vec<u8>,
    /// How many of the first bytes the kernel has taken.
    sent: usize,
    /// The first bytes that are the remainder of a message which was sent while the queue was empty.
    remainder_len: usize,
}

impl SendQueue {
    /// The bytes to offer to the kernel next.
    pub fn pending(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// Pending bytes that were queued behind others. The remainder of a message that began at once does not count, because a
    /// message may be of any size.
    pub fn bytes_behind_remainder(&self) -> usize {
        self.bytes.len() - self.sent.max(self.remainder_len)
    }

    /// Queues what the kernel left of a message that was sent while the queue was empty.
    pub fn push_remainder(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.remainder_len = self.bytes.len();
    }

    /// Queues bytes behind others.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.sent > self.bytes.len() / 2 {
            self.bytes.drain(..self.sent);
            self.remainder_len = self.remainder_len.saturating_sub(self.sent);
            self.sent = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The kernel has taken the next `count` bytes.
    pub fn advance(&mut self, count: usize) {
        self.sent += count;
        if self.sent == self.bytes.len() {
            self.bytes.clear();
            (self.sent, self.remainder_len) = (0, 0);
            free_if_large(&mut self.bytes);
        }
    }
}

/// Frees a buffer that has grown large.
pub(super) fn free_if_large(buffer: &mut Vec<u8>) {
    if buffer.capacity() > MAX_KEPT_CAPACITY {
        *buffer = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_order_and_remainders_do_not_count() {
        let mut queue = SendQueue::default();
        queue.push_remainder(b"abcd");
        assert_eq!(queue.bytes_behind_remainder(), 0);
        queue.push(b"ef");
        assert_eq!(queue.bytes_behind_remainder(), 2);
        queue.advance(4);
        queue.push(b"gh");
        assert_eq!(queue.pending(), b"efgh");
        assert_eq!(queue.bytes_behind_remainder(), 4);
        queue.advance(4);
        assert_eq!(
            (queue.pending(), queue.bytes_behind_remainder()),
            (&b""[..], 0)
        );
    }
}
