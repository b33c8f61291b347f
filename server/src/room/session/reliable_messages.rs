//! The reliable messages of one session: numbered, in order, and kept until the client has them.
//!
//! In: messages, and the client's acks. Out: the messages that are to be sent, as far as the link takes them. A message is encoded
//! once, and all sessions share its bytes. An ack of a snapshot acknowledges every message before it, because both came over one
//! ordered connection. What a client never acknowledges is bounded by number, by bytes and by age.

use prost::Message as _;
use std::collections::VecDeque;
use std::sync::Arc;
use tickwire_proto::v1;
use tickwire_sync::Tick;

/// Messages that are kept to be sent again over a resume.
const MAX_KEPT: usize = 128;
/// Bytes that one session keeps: its own messages, and [`ENTRY_BYTES`] for each.
const MAX_KEPT_BYTES: usize = 5 * 1024;
/// What an entry costs the session beside the bytes that it shares with others.
const ENTRY_BYTES: usize = size_of::<Kept>();
/// A sent message that nobody has acknowledged for this long is not sent again.
const MAX_AGE_SECONDS: u32 = 60;

/// A message without its number.
#[derive(Clone, Debug)]
pub(in crate::room) struct MessageBody {
    bytes: Arc<[u8]>,
    /// The bytes that a session is charged for keeping it.
    cost: usize,
}

impl MessageBody {
    /// A message to many sessions, which share its bytes.
    pub fn shared(message: &v1::Message) -> Self {
        let bytes: Arc<[u8]> = message.encode_to_vec().into();
        Self {
            bytes,
            cost: ENTRY_BYTES,
        }
    }

    /// A message to one session.
    pub fn private(message: &v1::Message) -> Self {
        let bytes: Arc<[u8]> = message.encode_to_vec().into();
        let cost = ENTRY_BYTES + bytes.len();
        Self { bytes, cost }
    }

    /// Appends the whole `ServerMessage`: this message, with its number first.
    fn append_numbered(&self, number: u32, out: &mut Vec<u8>) {
        /// `ServerMessage.message`, length-delimited.
        const MESSAGE_KEY: u8 = 0x22;
        /// `Message.number`.
        const NUMBER_KEY: u8 = 0x08;
        let number_bytes = prost::length_delimiter_len(number as usize);
        out.push(MESSAGE_KEY);
        append_varint(out, 1 + number_bytes + self.bytes.len());
        out.push(NUMBER_KEY);
        append_varint(out, number as usize);
        out.extend_from_slice(&self.bytes);
    }
}

fn append_varint(out: &mut Vec<u8>, number: usize) {
    // Encoding into memory cannot fail.
    let _ = prost::encode_length_delimiter(number, out);
}

/// A message that the client may not have yet.
#[derive(Debug)]
struct Kept {
    number: u32,
    /// The tick in which it was sent last; of no meaning before that.
    sent_at: Tick,
    queued_at: Tick,
    body: MessageBody,
}

/// The messages that the client may not have yet, and how many of them were sent.
#[derive(Debug, Default)]
pub(in crate::room) struct ReliableMessages {
    newest_number: u32,
    /// The newest message that was sent over the present link; those after it wait in `kept`.
    sent_number: u32,
    kept: VecDeque<Kept>,
    kept_bytes: usize,
}

impl ReliableMessages {
    /// Numbers a message and keeps it until it is sent and acknowledged. Returns the bytes of messages that must be sent at once,
    /// because too many wait and they are no longer kept.
    pub fn push(&mut self, body: MessageBody, tick: Tick) -> Vec<Vec<u8>> {
        let mut overflow = Vec::new();
        // The newest one is kept, however large it is.
        while self.kept.len() >= MAX_KEPT || self.kept_bytes + body.cost > MAX_KEPT_BYTES {
            let Some(oldest) = self.forget_oldest() else {
                break;
            };
            if oldest.number > self.sent_number {
                let mut bytes = Vec::new();
                oldest.body.append_numbered(oldest.number, &mut bytes);
                overflow.push(bytes);
                self.sent_number = oldest.number;
            }
        }
        self.newest_number += 1;
        self.kept_bytes += body.cost;
        self.kept.push_back(Kept {
            number: self.newest_number,
            sent_at: tick,
            queued_at: tick,
            body,
        });
        overflow
    }

    fn forget_oldest(&mut self) -> Option<Kept> {
        let oldest = self.kept.pop_front()?;
        self.kept_bytes -= oldest.body.cost;
        if self.kept.is_empty() {
            // Most sessions get messages seldom.
            self.kept = VecDeque::new();
        }
        Some(oldest)
    }

    /// The number of the newest message, and those that the client may not have yet: their numbers, whether other sessions share them,
    /// and their bytes.
    pub fn kept(&self) -> (u32, impl Iterator<Item = (u32, bool, &[u8])>) {
        let kept = self.kept.iter().map(|kept| {
            let is_shared = kept.body.cost == ENTRY_BYTES;
            (kept.number, is_shared, &*kept.body.bytes)
        });
        (self.newest_number, kept)
    }

    /// The messages of a session that was saved, none of them sent. The next one gets a number after `newest_number`. Messages whose
    /// numbers do not ascend up to it are left out.
    pub fn restored(
        newest_number: u32,
        kept: impl IntoIterator<Item = (u32, bool, Vec<u8>)>,
        tick: Tick,
    ) -> Self {
        let mut messages = Self {
            newest_number,
            ..Self::default()
        };
        let mut before = 0;
        for (number, is_shared, bytes) in kept {
            let private = if is_shared { 0 } else { bytes.len() };
            let cost = ENTRY_BYTES + private;
            let fits = messages.kept.len() < MAX_KEPT
                && (messages.kept.is_empty() || messages.kept_bytes + cost <= MAX_KEPT_BYTES);
            if number <= before || number > newest_number || !fits {
                continue;
            }
            before = number;
            messages.kept_bytes += cost;
            let bytes = bytes.into();
            messages.kept.push_back(Kept {
                number,
                sent_at: tick,
                queued_at: tick,
                body: MessageBody { bytes, cost },
            });
        }
        messages.resend_after(0);
        messages
    }

    /// Begins anew: the next message has number 1. For a client that knows nothing of the messages before.
    pub fn restart(&mut self) {
        *self = Self::default();
    }

    /// The client has the messages up to `number`; those after it are sent again.
    pub fn resend_after(&mut self, number: u32) {
        self.sent_number = number.min(self.newest_number);
        while (self.kept.front()).is_some_and(|oldest| oldest.number <= self.sent_number) {
            self.forget_oldest();
        }
        // Messages that are no longer kept do not wait.
        let oldest = self.kept.front();
        self.sent_number = oldest.map_or(self.newest_number, |oldest| oldest.number - 1);
    }

    /// Forgets the messages that the client has, because it has the snapshot of `received` that went after them, and those that
    /// are too old.
    pub fn acknowledge(&mut self, received: Tick, now: Tick, tick_rate: u32) {
        let max_age = MAX_AGE_SECONDS.saturating_mul(tick_rate);
        while let Some(oldest) = self.kept.front()
            && oldest.number <= self.sent_number
            && (oldest.sent_at <= received || now.0.saturating_sub(oldest.queued_at.0) > max_age)
        {
            self.forget_oldest();
        }
    }

    /// Whether messages wait to be sent.
    pub fn has_waiting(&self) -> bool {
        self.sent_number != self.newest_number
    }

    /// Appends the messages that wait, oldest first, and calls `appended` with the number and the bytes of each; `false` ends it.
    pub fn append_waiting(&self, out: &mut Vec<u8>, mut appended: impl FnMut(u32, &[u8]) -> bool) {
        let first = (self.kept).partition_point(|kept| kept.number <= self.sent_number);
        for kept in self.kept.iter().skip(first) {
            let start = out.len();
            kept.body.append_numbered(kept.number, out);
            if !appended(kept.number, &out[start..]) {
                return;
            }
        }
    }

    /// Records that the messages up to `number` were sent in this tick, before its snapshot.
    pub fn mark_sent(&mut self, number: u32, tick: Tick) {
        let before = std::mem::replace(&mut self.sent_number, number);
        let sent = (self.kept.iter_mut().rev())
            .skip_while(|kept| kept.number > number)
            .take_while(|kept| kept.number > before);
        for kept in sent {
            kept.sent_at = tick;
        }
    }

    /// How many messages are kept.
    pub fn kept_count(&self) -> usize {
        self.kept.len()
    }

    /// The memory that the kept messages take, without what is shared.
    pub fn kept_bytes(&self) -> usize {
        let entries = self.kept.capacity() * size_of::<Kept>();
        let private = self.kept.iter().map(|kept| kept.body.cost - ENTRY_BYTES);
        entries + private.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickwire_proto::v1::{message::Content, server_message::Body};

    fn line(text: &str) -> v1::Message {
        v1::Message {
            from_session: 7,
            from_name: "Ada".to_owned(),
            content: Some(Content::Chat(text.to_owned())),
            ..v1::Message::default()
        }
    }

    fn numbers(messages: &ReliableMessages) -> Vec<u32> {
        let mut numbers = Vec::new();
        messages.append_waiting(&mut Vec::new(), |number, _| {
            numbers.push(number);
            true
        });
        numbers
    }

    #[test]
    fn a_shared_body_is_the_message_that_prost_writes() {
        for number in [1, 127, 128, 1 << 20, u32::MAX] {
            let mut bytes = Vec::new();
            MessageBody::shared(&line("hello")).append_numbered(number, &mut bytes);
            let message = v1::Message {
                number,
                ..line("hello")
            };
            let body = Some(Body::Message(message));
            assert_eq!(bytes, v1::ServerMessage { body }.encode_to_vec());
        }
    }

    #[test]
    fn an_acked_snapshot_acks_the_messages_before_it() {
        let mut messages = ReliableMessages::default();
        let body = MessageBody::shared(&line("a"));
        for tick in 1..=3 {
            messages.push(body.clone(), Tick(tick));
            messages.mark_sent(tick, Tick(tick));
        }
        messages.push(body, Tick(4));
        messages.acknowledge(Tick(2), Tick(5), 60);
        // A client that comes again and knows number 2 gets the rest.
        messages.resend_after(2);
        assert_eq!(numbers(&messages), [3, 4]);
        messages.mark_sent(4, Tick(6));
        messages.acknowledge(Tick(5), Tick(7), 60);
        assert_eq!(messages.kept.len(), 2);
        messages.acknowledge(Tick(6), Tick(8), 60);
        assert_eq!((messages.kept.capacity(), messages.kept_bytes), (0, 0));
    }

    #[test]
    fn kept_messages_take_less_than_ten_kib() {
        let long = line(&"x".repeat(800));
        let mut messages = ReliableMessages::default();
        let shared = MessageBody::shared(&long);
        for tick in 1..=1_000 {
            messages.push(shared.clone(), Tick(tick));
            assert!(messages.kept_bytes() < 10 * 1024);
        }
        for tick in 1..=1_000 {
            messages.push(MessageBody::private(&long), Tick(tick));
        }
        assert!(messages.kept_bytes() < 10 * 1024);
        // Who never acknowledges keeps them for a minute.
        messages.mark_sent(2_000, Tick(1_000));
        messages.acknowledge(Tick(0), Tick(1_000 + 61 * 60), 60);
        assert_eq!(messages.kept_bytes(), 0);
    }

    #[test]
    fn messages_go_on_after_a_gap_when_they_were_restored() {
        let mut messages = ReliableMessages::default();
        for tick in 1..=3 {
            messages.push(MessageBody::shared(&line("a")), Tick(tick));
        }
        let (newest, kept) = messages.kept();
        let kept: Vec<_> = (kept.map(|(number, shared, bytes)| (number, shared, bytes.to_vec())))
            .chain([(2, true, Vec::new()), (9, true, Vec::new())])
            .collect();
        let mut restored = ReliableMessages::restored(newest + 100, kept, Tick(10));
        // The 9 is one that the saved room had not given.
        assert_eq!(numbers(&restored), [1, 2, 3, 9]);
        restored.resend_after(2);
        restored.mark_sent(3, Tick(11));
        restored.push(MessageBody::private(&line("b")), Tick(12));
        assert_eq!(numbers(&restored), [9, 104]);
        // A client that knows more than the room that was saved.
        restored.resend_after(50);
        assert_eq!(numbers(&restored), [104]);
    }

    #[test]
    fn a_message_that_is_no_longer_kept_is_sent_first() {
        let mut messages = ReliableMessages::default();
        let mut overflow = Vec::new();
        for tick in 1..=200 {
            overflow.extend(messages.push(MessageBody::shared(&line("x")), Tick(tick)));
        }
        assert_eq!(overflow.len(), 200 - MAX_KEPT);
        assert_eq!(numbers(&messages)[0], 200 - MAX_KEPT as u32 + 1);
    }
}
