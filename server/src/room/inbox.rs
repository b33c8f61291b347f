//! What came for one session between two ticks.
//!
//! In: validated messages, from the connection's reading side. Out: the same, to the room, once a tick. The lock is
//! held for a move or two, never over anything else, and nothing is allocated in the steady state.

use crate::close::Disconnect;
use std::sync::{Mutex, PoisonError};
use tickwire_sync::claim::{Claim, Seen};
use tickwire_sync::input_buffer::{Input, MAX_INPUT_BYTES};
use tickwire_sync::{Micros, SentTicks, Seq, Tick, ViewTick};

/// Messages that may wait for one tick. The reading side ends floods long before.
const MAX_WAITING: usize = 1024;

/// One message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Arrived {
    /// An input, and what it says of the path.
    Inputs(InputsArrived),
    /// A line of chat, as it came.
    Chat(String),
    /// Something for the game.
    Command {
        /// Counts up from 1; 0: not numbered.
        number: u32,
        /// The game's own encoding.
        payload: Vec<u8>,
    },
    /// The replica starts over.
    Resync {
        /// Because its hash did not agree.
        view_mismatch: bool,
    },
    /// The player leaves for good.
    Leave,
    /// The connection is gone, for this reason.
    Gone(Disconnect),
}

/// One `Inputs` message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InputsArrived {
    /// The input's number.
    pub seq: Seq,
    /// The tick that it is for.
    pub target: Tick,
    /// The newest snapshot received by the client.
    pub received: Tick,
    /// When that came, by the client's clock; wraps.
    pub received_at_us: u32,
    /// What the screen showed.
    pub view: ViewTick,
    /// When this message came, by the server's clock.
    pub arrived: Micros,
    payload: [u8; MAX_INPUT_BYTES],
    length: u8,
}

impl InputsArrived {
    /// `None` if the payload is longer than 64 bytes.
    #[must_use]
    pub fn new(message: &tickwire_proto::v1::Inputs, arrived: Micros) -> Option<Self> {
        let mut payload = [0; MAX_INPUT_BYTES];
        payload
            .get_mut(..message.payload.len())?
            .copy_from_slice(&message.payload);
        Some(Self {
            seq: Seq(message.seq),
            target: Tick(message.target_tick),
            received: Tick(message.received_tick),
            received_at_us: message.received_at_us,
            view: ViewTick::new(Tick(message.view_tick), message.view_fraction.min(255)),
            arrived,
            payload,
            length: message.payload.len() as u8,
        })
    }

    /// Reads the usual `ClientMessage`, which is one `Inputs` and nothing else, its fields in order: one comes from each player in every tick.
    /// `None`: it is not that; decode it whole, and see what it is.
    #[must_use]
    pub fn read(message: &[u8], arrived: Micros) -> Option<Self> {
        // ClientMessage.inputs: field 2, length-delimited.
        let (length, rest) = varint(message.strip_prefix(&[0x12])?)?;
        if length != rest.len() as u64 {
            return None;
        }
        let mut fields = Fields(rest);
        let seq = fields.number(0x08)?;
        let target = fields.number(0x10)?;
        let received = fields.number(0x18)?;
        let received_at_us = fields.fixed32(0x25)?;
        let view_tick = fields.number(0x28)?;
        let fraction = fields.number(0x30)?;
        let bytes = fields.bytes(0x3A)?;
        if !fields.0.is_empty() {
            return None;
        }
        let mut payload = [0; MAX_INPUT_BYTES];
        payload.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self {
            seq: Seq(seq),
            target: Tick(target),
            received: Tick(received),
            received_at_us,
            view: ViewTick::new(Tick(view_tick), fraction.min(255)),
            arrived,
            payload,
            length: bytes.len() as u8,
        })
    }

    /// What it says of the screen. `arrived` is the tick axis when it came, `sent` which snapshots were sent.
    #[must_use]
    pub fn claim(&self, arrived: f64, sent: SentTicks) -> Claim {
        let pair = sent.up_to(self.received).newest_pair();
        Claim {
            target: self.target,
            view: self.view,
            received: self.received,
            sent_before: pair.map_or(self.received, |(before, _)| before),
            received_at_us: self.received_at_us,
            arrived,
        }
    }

    /// The input for the buffer, with what is believed of its claim.
    #[must_use]
    pub fn input(&self, seen: Seen) -> Input<'_> {
        Input {
            seq: self.seq,
            seen,
            payload: &self.payload[..usize::from(self.length)],
        }
    }
}

/// What is left of a protobuf message, read field by field in ascending order. A field that is not next has been left out, and is 0 or empty;
/// `None`: it is not well-formed, or longer than it need be.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn number(&mut self, key: u8) -> Option<u32> {
        let Some(rest) = self.0.strip_prefix(&[key]) else {
            return Some(0);
        };
        let number;
        (number, self.0) = varint(rest)?;
        // What is beyond 32 bits is cut off, as protobuf wants it.
        Some(number as u32)
    }

    fn fixed32(&mut self, key: u8) -> Option<u32> {
        let Some(rest) = self.0.strip_prefix(&[key]) else {
            return Some(0);
        };
        let four;
        (four, self.0) = rest.split_first_chunk::<4>()?;
        Some(u32::from_le_bytes(*four))
    }

    fn bytes(&mut self, key: u8) -> Option<&'a [u8]> {
        let Some(rest) = self.0.strip_prefix(&[key]) else {
            return Some(&[]);
        };
        let (length, rest) = varint(rest)?;
        let bytes;
        (bytes, self.0) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        Some(bytes)
    }
}

/// A number of up to five bytes and what follows it.
#[inline]
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0_u64;
    for (index, byte) in bytes.iter().take(5).enumerate() {
        number |= u64::from(byte & 0x7F) << (7 * index);
        if *byte < 0x80 {
            return Some((number, &bytes[index + 1..]));
        }
    }
    None
}

/// See the module's head.
#[derive(Debug, Default)]
pub struct Inbox {
    waiting: Mutex<Waiting>,
}

/// What waits, in the order in which it came.
#[derive(Debug, Default)]
struct Waiting {
    /// Mostly the only one, an input: so it lies here, and not in a place of its own that every tick would have to fetch.
    first: Option<Arrived>,
    others: Vec<Arrived>,
}

impl Inbox {
    /// Adds a message. `false`: too many wait, and it was dropped.
    pub fn put(&self, message: Arrived) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // The end must always find its place.
        let count = usize::from(waiting.first.is_some()) + waiting.others.len();
        if count >= MAX_WAITING && !matches!(message, Arrived::Gone(_)) {
            return false;
        }
        if waiting.first.is_none() {
            waiting.first = Some(message);
        } else {
            waiting.others.push(message);
        }
        true
    }

    /// Moves all messages to the end of `into`.
    pub fn take(&self, into: &mut Vec<Arrived>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        into.extend(waiting.first.take());
        into.append(&mut waiting.others);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use prost::Message as _;
    use tickwire_proto::v1::{self, client_message::Body};

    #[test]
    fn so_many_may_wait_in_their_order_and_the_end_always_finds_its_place() {
        let inbox = Inbox::default();
        let line = |number: usize| Arrived::Chat(number.to_string());
        for number in 0..MAX_WAITING {
            assert!(inbox.put(line(number)));
        }
        assert!(!inbox.put(line(MAX_WAITING)));
        assert!(inbox.put(Arrived::Gone(Disconnect::Lost)));
        let mut taken = Vec::new();
        inbox.take(&mut taken);
        let expected: Vec<_> = (0..MAX_WAITING)
            .map(line)
            .chain([Arrived::Gone(Disconnect::Lost)])
            .collect();
        assert_eq!(taken, expected);
        inbox.take(&mut taken);
        assert_eq!(taken.len(), MAX_WAITING + 1);
    }

    proptest! {
        #[test]
        fn the_quick_reading_agrees_with_the_whole_decoding(
            numbers in prop::array::uniform6(any::<u32>()),
            payload in prop::collection::vec(any::<u8>(), 0..70),
            damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        ) {
            let [seq, target_tick, received_tick, received_at_us, view_tick, view_fraction] = numbers;
            let inputs = v1::Inputs {
                seq, target_tick, received_tick, received_at_us, view_tick, view_fraction, payload,
            };
            let body = Some(Body::Inputs(inputs));
            let mut bytes = v1::ClientMessage { body }.encode_to_vec();
            if let Some((index, byte)) = damage {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
            let whole = match v1::ClientMessage::decode(&bytes[..]) {
                Ok(v1::ClientMessage { body: Some(Body::Inputs(inputs)) }) => InputsArrived::new(&inputs, Micros(7)),
                _ => None,
            };
            let quick = InputsArrived::read(&bytes, Micros(7));
            if damage.is_none() {
                prop_assert_eq!(&quick, &whole);
            } else if quick.is_some() {
                prop_assert_eq!(&quick, &whole);
            }
        }
    }
}
