//! An envelope's head in bytes: what every envelope says of its stream, in front of the frames that it carries.
//!
//! A flags byte, then variable-length integers (LEB128): generation, ack, how long the ack was held, and, if the envelope carries
//! frames, its sequence number. The frames are the rest. Any bytes decode to a head or to nothing.

use tickwire_sync::Micros;

const HAS_FRAMES: u8 = 1;
const ASKS_AGAIN: u8 = 2;
const WANTS_ANSWER: u8 = 4;
const KNOWN_FLAGS: u8 = HAS_FRAMES | ASKS_AGAIN | WANTS_ANSWER;

/// The longest head: flags, and four numbers of 62 bits.
pub(super) const MAX_HEAD_BYTES: usize = 1 + 4 * 9;

/// Numbers from here on belong to no stream: so many envelopes never exist, and the sums of smaller ones cannot overflow.
const NUMBER_LIMIT: u64 = 1 << 62;

/// What an envelope says beside its frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Head {
    /// The sender's generation of the stream.
    pub generation: u64,
    /// The sequence number that the sender waits for: it has all that are smaller.
    pub ack: u64,
    /// The time since the newest envelope that `ack` covers came.
    pub ack_held: Micros,
    /// The envelopes from `ack` on are to be sent again.
    pub asks_again: bool,
    /// The sender does not yet know that the other side has this generation too.
    pub wants_answer: bool,
    /// The number of this envelope's frames; `None`: it carries none.
    pub seq: Option<u64>,
}

impl Head {
    /// Appends the head. The frames follow.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut flags = 0;
        for (is_set, flag) in [
            (self.seq.is_some(), HAS_FRAMES),
            (self.asks_again, ASKS_AGAIN),
            (self.wants_answer, WANTS_ANSWER),
        ] {
            flags |= if is_set { flag } else { 0 };
        }
        out.push(flags);
        for number in [self.generation, self.ack, self.ack_held.0] {
            write_number(out, number);
        }
        if let Some(seq) = self.seq {
            write_number(out, seq);
        }
    }

    /// The head of an envelope, and its frames; `None` if the bytes are no envelope.
    pub fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (&flags, mut rest) = bytes.split_first()?;
        if flags & !KNOWN_FLAGS != 0 {
            return None;
        }
        let generation = read_number(&mut rest)?;
        let ack = read_number(&mut rest)?;
        let ack_held = Micros(read_number(&mut rest)?);
        let seq = match flags & HAS_FRAMES {
            0 => None,
            _ => Some(read_number(&mut rest)?),
        };
        if seq.is_none() && !rest.is_empty() {
            return None;
        }
        let head = Self {
            generation,
            ack,
            ack_held,
            asks_again: flags & ASKS_AGAIN != 0,
            wants_answer: flags & WANTS_ANSWER != 0,
            seq,
        };
        Some((head, rest))
    }
}

fn write_number(out: &mut Vec<u8>, mut number: u64) {
    number = number.min(NUMBER_LIMIT - 1);
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn read_number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return (number < NUMBER_LIMIT).then_some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some((head, frames)) = Head::read(&bytes) {
                let mut again = Vec::new();
                head.write(&mut again);
                again.extend_from_slice(frames);
                prop_assert_eq!(Head::read(&again), Some((head, frames)));
            }
        }

        #[test]
        fn a_head_is_read_as_it_was_written(
            numbers in [0..NUMBER_LIMIT, 0..NUMBER_LIMIT, 0..NUMBER_LIMIT],
            seq in proptest::option::of(0..NUMBER_LIMIT),
            flags: (bool, bool),
            frames in proptest::collection::vec(any::<u8>(), 0..9),
        ) {
            let head = Head {
                generation: numbers[0],
                ack: numbers[1],
                ack_held: Micros(numbers[2]),
                asks_again: flags.0,
                wants_answer: flags.1,
                seq,
            };
            let frames = if seq.is_some() { frames } else { Vec::new() };
            let mut bytes = Vec::new();
            head.write(&mut bytes);
            bytes.extend_from_slice(&frames);
            prop_assert_eq!(Head::read(&bytes), Some((head, &frames[..])));
        }
    }
}
