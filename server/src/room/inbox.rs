//! What came for one session between two ticks.
//!
//! In: validated messages, from the connection's reading side. Out: the same, to the room, once a tick. The lock is
//! held for a move or two, never over anything else, and nothing is allocated in the steady state.

use prost::encoding::{WireType, decode_key, decode_varint};
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
    /// The replica starts over.
    Resync {
        /// Because its hash did not agree.
        view_mismatch: bool,
    },
    /// The player leaves for good.
    Leave,
    /// The connection is gone.
    Gone,
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

    /// Reads the usual `ClientMessage`, which is one `Inputs` and nothing else, without an allocation: one comes from each player in every tick.
    /// `None`: it is not that, or not in order; decode it whole, and see what is wrong.
    #[must_use]
    pub fn read(message: &[u8], arrived: Micros) -> Option<Self> {
        let mut rest = message;
        // ClientMessage.inputs: field 2, length-delimited.
        let [0x12, after @ ..] = rest else {
            return None;
        };
        rest = after;
        let length = decode_varint(&mut rest).ok()?;
        if length != rest.len() as u64 {
            return None;
        }
        let mut inputs = Self {
            seq: Seq(0),
            target: Tick(0),
            received: Tick(0),
            received_at_us: 0,
            view: ViewTick::default(),
            arrived,
            payload: [0; MAX_INPUT_BYTES],
            length: 0,
        };
        let (mut view_tick, mut fraction) = (0, 0);
        while !rest.is_empty() {
            let (field, wire_type) = decode_key(&mut rest).ok()?;
            let number = match (field, wire_type) {
                (1..=3 | 5 | 6, WireType::Varint) => decode_varint(&mut rest).ok()? as u32,
                (4, WireType::ThirtyTwoBit) => {
                    let (four, after) = rest.split_first_chunk::<4>()?;
                    rest = after;
                    u32::from_le_bytes(*four)
                }
                (7, WireType::LengthDelimited) => {
                    let length = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
                    let (payload, after) = rest.split_at_checked(length)?;
                    inputs.payload.get_mut(..length)?.copy_from_slice(payload);
                    inputs.length = length as u8;
                    rest = after;
                    continue;
                }
                _ => return None,
            };
            match field {
                1 => inputs.seq = Seq(number),
                2 => inputs.target = Tick(number),
                3 => inputs.received = Tick(number),
                4 => inputs.received_at_us = number,
                5 => view_tick = number,
                _ => fraction = number,
            }
        }
        inputs.view = ViewTick::new(Tick(view_tick), fraction.min(255));
        Some(inputs)
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
        if count >= MAX_WAITING && message != Arrived::Gone {
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
        assert!(inbox.put(Arrived::Gone));
        let mut taken = Vec::new();
        inbox.take(&mut taken);
        let expected: Vec<_> = (0..MAX_WAITING).map(line).chain([Arrived::Gone]).collect();
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
