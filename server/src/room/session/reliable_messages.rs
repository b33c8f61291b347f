//! The reliable messages of one session: numbered, in order, and kept for a resume.
//!
//! In: messages, and the link as it is. Out: bytes on the link, as far as the link takes them; the others wait here.

use crate::room::link::Link;
use crate::room::messages;
use std::collections::VecDeque;
use tickwire_proto::v1;

/// While more bytes than this are pending on a link, messages wait here.
const WAIT_ABOVE_PENDING_BYTES: usize = 64 * 1024;
/// Messages that are kept to be sent again over a resume.
const MAX_KEPT: usize = 128;

/// The latest messages, and how many of them were sent.
#[derive(Debug, Default)]
pub(in crate::room) struct ReliableMessages {
    newest_number: u32,
    /// The newest message that was sent over the present link; those after it wait in `kept`.
    sent_number: u32,
    kept: VecDeque<(u32, Vec<u8>)>,
}

impl ReliableMessages {
    /// Numbers a message, keeps it, and sends it if the link takes it now.
    pub fn push<L: Link>(&mut self, message: v1::Message, link: Option<&L>) {
        self.newest_number += 1;
        let message = v1::Message {
            number: self.newest_number,
            ..message
        };
        let bytes = messages::encode(v1::server_message::Body::Message(message));
        if self.kept.len() == MAX_KEPT
            && let Some((oldest, bytes)) = self.kept.pop_front()
            && oldest > self.sent_number
            && let Some(link) = link
        {
            // No longer kept, so it is sent whatever is pending on the link.
            link.send(&bytes);
            self.sent_number = oldest;
        }
        self.kept.push_back((self.newest_number, bytes));
        self.send_waiting(link);
    }

    /// Sends again the messages after `number`, now or when the link takes them.
    pub fn resend_after<L: Link>(&mut self, number: u32, link: Option<&L>) {
        self.sent_number = number.min(self.newest_number);
        self.send_waiting(link);
    }

    /// Sends the messages that wait, in order, as far as the link takes them: all at once could exceed what may be pending.
    pub fn send_waiting<L: Link>(&mut self, link: Option<&L>) {
        let Some(link) = link else { return };
        let waiting = (self.newest_number - self.sent_number) as usize;
        let first = self.kept.len().saturating_sub(waiting);
        for (number, bytes) in self.kept.iter().skip(first) {
            if link.pending_bytes() > WAIT_ABOVE_PENDING_BYTES {
                return;
            }
            link.send(bytes);
            self.sent_number = *number;
        }
    }
}
