//! Messages that are worth sending only now, and the results of sending them.

use arrayvec::ArrayVec;

/// Messages that one [`SendRequest`] can carry: codebooks, heartbeat, four reliable messages, snapshot.
pub const MAX_MESSAGES: usize = 7;

/// The result of a send.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// The message is on its way: with the kernel, or queued behind a remainder.
    Sent,
    /// The kernel takes nothing now, and nothing of the message was taken. Build a newer one later.
    WouldBlock,
    /// The connection is closing or has ended.
    Closed,
}

/// Messages for one link, to be sent together or not at all.
#[derive(Debug)]
pub struct SendRequest<'a, L> {
    /// The receiver.
    pub link: &'a L,
    /// Whole messages, in the order of sending.
    pub messages: ArrayVec<&'a [u8], MAX_MESSAGES>,
    /// The result; [`SendOutcome::Closed`] until it is known.
    pub outcome: SendOutcome,
}
