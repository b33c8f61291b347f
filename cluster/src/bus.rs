//! Delivers each message of the bus once, in order.
//!
//! In: what is published, reads of the stream in which Redis keeps the newest messages, and the moments at which a subscription begins. Out:
//! messages, what may be missing, and when the stream must be read. Does no IO and reads no clock.
//!
//! Messages are numbered. What is published may have gaps (a subscription was lost) and repetitions (a post was tried twice, under one id); a
//! gap is filled from the stream. Numbers of a new epoch, which begins when Redis may have forgotten messages, are larger than all before,
//! unless Redis's clock was set back. A reader notices that too, unless it is away until yet another epoch begins: then it misses the one between.

use bytes::Bytes;
use std::collections::{BTreeMap, HashSet, VecDeque};

/// Ids that are remembered: those of the last messages, far more than there are in the seconds for which a post is tried again.
const REMEMBERED_IDS: usize = 8_192;
/// Published messages that wait while the stream is read. What is beyond is read from the stream as well.
const EARLY_MESSAGES: usize = 256;
const EARLY_BYTES: usize = 1 << 20;

/// What a reader of the bus gives out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusEvent {
    /// Messages after this number follow. Comes once, first.
    Begins(u64),
    /// A message, each once, with its number: that of each is larger than those before, but where [`Self::Forgotten`] came between them and
    /// Redis's clock was set back.
    Message(u64, Bytes),
    /// Redis may have forgotten messages: it restarted, was emptied, or is another one. Comes once each time, before the messages that follow.
    Forgotten,
    /// So many messages were dropped from the stream before this node could read them.
    Missed(u64),
}

/// A message of the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusMessage {
    /// Its place among all messages: one more than that of the message before, within an epoch.
    pub seq: u64,
    /// The same for all copies of one message.
    pub id: u128,
    /// What was posted.
    pub payload: Bytes,
}

/// What a read of the stream found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamRead {
    /// The present epoch.
    pub epoch: String,
    /// The last number before the epoch.
    pub base: u64,
    /// The newest number: that of the newest message, or the epoch's base.
    pub newest: u64,
    /// Messages after the number that was asked for, also of earlier epochs, in order.
    pub messages: Vec<BusMessage>,
    /// There are no further messages.
    pub is_complete: bool,
}

/// One node's place on the bus.
#[derive(Debug)]
pub struct BusReader {
    epoch: String,
    base: u64,
    /// The number of the last message that was delivered, or left out because its id was known.
    last: u64,
    state: State,
    /// Published while the stream is read.
    early: BTreeMap<u64, BusMessage>,
    early_bytes: usize,
    ids: RecentIds,
    events: VecDeque<BusEvent>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Everything up to the newest published message was delivered.
    Following,
    /// The stream must be read.
    ReadWanted,
    /// The stream is being read; and once more, if it may be read too early for what has happened since.
    Reading { again: bool },
}

impl BusReader {
    /// Begins after the newest message of a read.
    #[must_use]
    pub fn new(epoch: String, base: u64, newest: u64) -> Self {
        Self {
            epoch,
            base,
            last: newest,
            state: State::Following,
            early: BTreeMap::new(),
            early_bytes: 0,
            ids: RecentIds::default(),
            events: VecDeque::from([BusEvent::Begins(newest)]),
        }
    }

    /// A subscription has begun: what was published before it is in the stream alone.
    pub fn subscribed(&mut self) {
        self.want_read();
    }

    /// A message was published.
    pub fn published(&mut self, epoch: &str, message: BusMessage) {
        if epoch != self.epoch {
            // Only a read says where an epoch begins. The message is in the stream.
            self.want_read();
        } else if message.seq <= self.last {
            // A read of the stream was faster.
        } else if self.state == State::Following && message.seq == self.next_seq() {
            self.deliver(message);
        } else {
            if self.state == State::Following {
                self.state = State::ReadWanted;
            }
            self.keep_early(message);
        }
    }

    /// The stream must be read after this number. Whoever takes it answers with [`BusReader::stream_read`] or [`BusReader::read_failed`].
    pub fn begin_read(&mut self) -> Option<u64> {
        if self.state != State::ReadWanted {
            return None;
        }
        self.state = State::Reading { again: false };
        Some(self.last)
    }

    /// The read failed, and is wanted again.
    pub fn read_failed(&mut self) {
        self.state = State::ReadWanted;
    }

    /// The read that [`BusReader::begin_read`] asked for.
    pub fn stream_read(&mut self, read: StreamRead) {
        let again = matches!(self.state, State::Reading { again: true });
        self.state = if again || !read.is_complete {
            State::ReadWanted
        } else {
            State::Following
        };
        if read.epoch != self.epoch {
            self.events.push_back(BusEvent::Forgotten);
            self.epoch = read.epoch;
            self.early.clear();
            self.early_bytes = 0;
            self.state = State::ReadWanted;
            if read.base < self.last {
                // Redis's clock was set back, so that the numbers of the new epoch are smaller: what was read is not what was missed.
                self.base = read.base;
                self.last = read.base;
                return;
            }
        }
        self.base = read.base;
        for message in read.messages {
            if message.seq > self.last {
                self.count_missed(message.seq - 1);
                self.deliver(message);
            }
        }
        if read.is_complete {
            if read.newest > self.last {
                self.count_missed(read.newest);
                self.last = read.newest;
            }
            self.deliver_early();
        }
    }

    /// Whether [`BusReader::begin_read`] has something to read.
    #[must_use]
    pub fn is_read_wanted(&self) -> bool {
        self.state == State::ReadWanted
    }

    /// What happened, in order.
    pub fn poll_event(&mut self) -> Option<BusEvent> {
        self.events.pop_front()
    }

    /// The number of the next message of this epoch.
    fn next_seq(&self) -> u64 {
        self.last.max(self.base) + 1
    }

    fn want_read(&mut self) {
        self.state = match self.state {
            State::Following | State::ReadWanted => State::ReadWanted,
            State::Reading { .. } => State::Reading { again: true },
        };
    }

    /// The stream has no more messages up to this number. Those of earlier epochs don't count: nobody knows whether there were any.
    fn count_missed(&mut self, until: u64) {
        if let Some(missed @ 1..) = (until + 1).checked_sub(self.next_seq()) {
            self.events.push_back(BusEvent::Missed(missed));
        }
    }

    fn deliver(&mut self, message: BusMessage) {
        self.last = message.seq;
        if self.ids.insert(message.id) {
            let event = BusEvent::Message(message.seq, message.payload);
            self.events.push_back(event);
        }
    }

    fn keep_early(&mut self, message: BusMessage) {
        if self.early.len() < EARLY_MESSAGES
            && self.early_bytes + message.payload.len() <= EARLY_BYTES
        {
            self.early_bytes += message.payload.len();
            self.early.insert(message.seq, message);
        } else {
            self.want_read();
        }
    }

    /// Goes on with what was published while the stream was read to its end.
    fn deliver_early(&mut self) {
        while let Some((seq, message)) = self.early.pop_first() {
            if seq > self.next_seq() {
                self.early.insert(seq, message);
                self.want_read();
                return;
            }
            self.early_bytes -= message.payload.len();
            if seq > self.last {
                self.deliver(message);
            }
        }
    }
}

/// The ids of the last messages.
#[derive(Debug, Default)]
struct RecentIds {
    known: HashSet<u128>,
    order: VecDeque<u128>,
}

impl RecentIds {
    /// Whether this id was not known.
    fn insert(&mut self, id: u128) -> bool {
        if !self.known.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > REMEMBERED_IDS
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests;
