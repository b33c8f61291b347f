//! One input of a client, from its bytes to the input buffer.
//!
//! In: the bytes of a `ClientMessage`, or a decoded `Inputs`. Out: a validated input, and its claim about the client's screen. The
//! usual message has a decoder of its own, because one comes from each player in every tick, and prost would allocate its payload
//! (`benches/benches/core.rs` measures both).

use tickwire_sync::input_buffer::{Input, MAX_INPUT_BYTES};
use tickwire_sync::lagcomp::{ResolvedView, ViewClaim};
use tickwire_sync::{Micros, SentTicks, Seq, Tick, ViewTick};

/// One validated `Inputs` message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReceivedInput {
    /// The input's sequence number.
    pub seq: Seq,
    /// The tick that the input is for.
    pub target: Tick,
    /// The newest snapshot that the client had received.
    pub received: Tick,
    /// When that snapshot arrived, by the client's clock; wraps.
    pub received_at_us: u32,
    /// The moment that the screen showed.
    pub view: ViewTick,
    /// When this message arrived, by the server's clock.
    pub arrived: Micros,
    payload: [u8; MAX_INPUT_BYTES],
    payload_len: u8,
}

impl ReceivedInput {
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
            payload_len: message.payload.len() as u8,
        })
    }

    /// Decodes the usual `ClientMessage` quickly: one `Inputs` with its fields in order, and nothing else. `None`: the message
    /// is something else, and must be decoded as a whole.
    #[must_use]
    pub fn decode(message: &[u8], arrived: Micros) -> Option<Self> {
        // `ClientMessage.inputs` is field 2, length-delimited.
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
            payload_len: bytes.len() as u8,
        })
    }

    /// The client's claim about its screen. `arrived` is the message's arrival in ticks; `sent` tells which snapshots were sent.
    #[must_use]
    pub fn claim(&self, arrived: f64, sent: SentTicks) -> ViewClaim {
        let pair = sent.up_to(self.received).newest_pair();
        ViewClaim {
            target_tick: self.target,
            view: self.view,
            received: self.received,
            previous_sent: pair.map_or(self.received, |(before, _)| before),
            received_at_us: self.received_at_us,
            arrived_at: arrived,
        }
    }

    /// The input for the input buffer, with its claimed view resolved.
    #[must_use]
    pub fn as_input(&self, view: ResolvedView) -> Input<'_> {
        Input {
            seq: self.seq,
            view,
            payload: &self.payload[..usize::from(self.payload_len)],
        }
    }
}

/// The rest of a protobuf message, whose fields are read in ascending order. A field that is not next was left out, and is 0 or
/// empty. Every method returns `None` if the message is malformed, or longer than it need be.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn number(&mut self, key: u8) -> Option<u32> {
        let Some(rest) = self.0.strip_prefix(&[key]) else {
            return Some(0);
        };
        let number;
        (number, self.0) = varint(rest)?;
        // Protobuf cuts off the bits beyond 32.
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

/// A varint of up to five bytes, and the bytes after it.
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use prost::Message as _;
    use tickwire_proto::v1::{self, client_message::Body};

    proptest! {
        #[test]
        fn the_quick_decoder_agrees_with_prost(
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
                Ok(v1::ClientMessage { body: Some(Body::Inputs(inputs)) }) => ReceivedInput::new(&inputs, Micros(7)),
                _ => None,
            };
            let quick = ReceivedInput::decode(&bytes, Micros(7));
            if damage.is_none() {
                prop_assert_eq!(&quick, &whole);
            } else if quick.is_some() {
                prop_assert_eq!(&quick, &whole);
            }
        }
    }
}
