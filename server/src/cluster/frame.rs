//! What two nodes tell each other about relayed players, in bytes.
//!
//! In: the frames that a node pushes to a peer's batch. Out: the same frames at the other end, in order. A frame is one byte that says
//! which, and its fields: numbers as varints, bytes and texts behind their length. Every node of a cluster runs the same version, or one
//! that knows more frames; a frame that is malformed or unknown ends the batch that it is in.

/// A client that is connected to one node and plays in a room of another: its number, given by the node that holds the connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct RelayId(pub u64);

/// One frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Frame<'a> {
    /// To the room's owner: a client has come, and `opening` says who.
    Open {
        /// The client.
        relay: RelayId,
        /// An [`Opening`](super::opening::Opening).
        opening: &'a [u8],
    },
    /// To the owner: a message of the client.
    Up {
        /// The client.
        relay: RelayId,
        /// The client has sent more in this second than it needs.
        is_over_limit: bool,
        /// A `ClientMessage`.
        message: &'a [u8],
    },
    /// To the owner: what the line to the client is like.
    Line {
        /// The client.
        relay: RelayId,
        /// The round trip between client and relay, in microseconds; 0: not known yet.
        rtt_us: u64,
        /// Bytes that wait at the relay because the client's line does not take them.
        pending_bytes: u64,
    },
    /// To the owner: the client's connection has ended.
    Shut {
        /// The client.
        relay: RelayId,
        /// A `DisconnectReason`.
        reason: &'a str,
    },
    /// To the relay: messages for the client, to be sent together.
    Down {
        /// The client.
        relay: RelayId,
        /// The messages, each behind its length: see [`messages`].
        messages: &'a [u8],
    },
    /// To the relay: the connection ends.
    Close {
        /// The client.
        relay: RelayId,
        /// The close code.
        code: u16,
        /// A `DisconnectReason`.
        counted_as: &'a str,
        /// What a person reads.
        reason: &'a str,
    },
    /// To the relay: the room is not here. The relay asks the directory again.
    NotHere {
        /// The client.
        relay: RelayId,
    },
    /// A question, which the other node answers.
    Ask {
        /// Given by who asks.
        number: u64,
        /// A [`Question`](super::question::Question).
        question: &'a [u8],
    },
    /// The answer.
    Answer {
        /// Of the question.
        number: u64,
        /// In the question's format; empty: there is no answer.
        answer: &'a [u8],
    },
}

const OPEN: u8 = 1;
const UP: u8 = 2;
const UP_OVER_LIMIT: u8 = 3;
const LINE: u8 = 4;
const SHUT: u8 = 5;
const DOWN: u8 = 6;
const CLOSE: u8 = 7;
const NOT_HERE: u8 = 8;
const ASK: u8 = 9;
const ANSWER: u8 = 10;

impl Frame<'_> {
    /// Appends the frame to a batch.
    pub fn write(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Open { relay, opening } => {
                write_head(out, OPEN, relay.0);
                write_bytes(out, opening);
            }
            Self::Up {
                relay,
                is_over_limit,
                message,
            } => {
                let kind = if is_over_limit { UP_OVER_LIMIT } else { UP };
                write_head(out, kind, relay.0);
                write_bytes(out, message);
            }
            Self::Line {
                relay,
                rtt_us,
                pending_bytes,
            } => {
                write_head(out, LINE, relay.0);
                write_number(out, rtt_us);
                write_number(out, pending_bytes);
            }
            Self::Shut { relay, reason } => {
                write_head(out, SHUT, relay.0);
                write_bytes(out, reason.as_bytes());
            }
            Self::Down { relay, messages } => {
                write_head(out, DOWN, relay.0);
                write_bytes(out, messages);
            }
            Self::Close {
                relay,
                code,
                counted_as,
                reason,
            } => {
                write_head(out, CLOSE, relay.0);
                write_number(out, code.into());
                write_bytes(out, counted_as.as_bytes());
                write_bytes(out, reason.as_bytes());
            }
            Self::NotHere { relay } => write_head(out, NOT_HERE, relay.0),
            Self::Ask { number, question } => {
                write_head(out, ASK, number);
                write_bytes(out, question);
            }
            Self::Answer { number, answer } => {
                write_head(out, ANSWER, number);
                write_bytes(out, answer);
            }
        }
    }
}

/// Appends a [`Frame::Down`] of these messages, without a copy of them before that.
pub(crate) fn write_down(out: &mut Vec<u8>, relay: RelayId, messages: &[&[u8]]) {
    write_head(out, DOWN, relay.0);
    let length: usize = messages
        .iter()
        .map(|message| number_len(message.len() as u64) + message.len())
        .sum();
    write_number(out, length as u64);
    for message in messages {
        write_bytes(out, message);
    }
}

/// The messages of a [`Frame::Down`]; what is malformed at their end is left out.
pub(crate) fn messages(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Reader(bytes);
    std::iter::from_fn(move || {
        if rest.0.is_empty() {
            None
        } else {
            rest.bytes()
        }
    })
}

/// The frames of a batch. The last item is an error if what is left is no frame.
pub(crate) fn frames(batch: &[u8]) -> impl Iterator<Item = Result<Frame<'_>, MalformedFrame>> {
    let mut rest = Reader(batch);
    std::iter::from_fn(move || {
        if rest.0.is_empty() {
            return None;
        }
        let frame = rest.frame();
        if frame.is_none() {
            rest.0 = &[];
        }
        Some(frame.ok_or(MalformedFrame))
    })
}

/// Bytes of a peer that are no frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("another node sent a malformed frame: do all nodes run the same version?")]
pub(crate) struct MalformedFrame;

fn write_head(out: &mut Vec<u8>, kind: u8, number: u64) {
    out.push(kind);
    write_number(out, number);
}

fn write_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// How many bytes a number takes.
fn number_len(number: u64) -> usize {
    (64 - (number | 1).leading_zeros() as usize).div_ceil(7)
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// What is left of a batch.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn relay(&mut self) -> Option<RelayId> {
        self.number().map(RelayId)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    fn frame(&mut self) -> Option<Frame<'a>> {
        let kind = self.byte()?;
        Some(match kind {
            OPEN => Frame::Open {
                relay: self.relay()?,
                opening: self.bytes()?,
            },
            UP | UP_OVER_LIMIT => Frame::Up {
                relay: self.relay()?,
                is_over_limit: kind == UP_OVER_LIMIT,
                message: self.bytes()?,
            },
            LINE => Frame::Line {
                relay: self.relay()?,
                rtt_us: self.number()?,
                pending_bytes: self.number()?,
            },
            SHUT => Frame::Shut {
                relay: self.relay()?,
                reason: self.text()?,
            },
            DOWN => Frame::Down {
                relay: self.relay()?,
                messages: self.bytes()?,
            },
            CLOSE => Frame::Close {
                relay: self.relay()?,
                code: u16::try_from(self.number()?).ok()?,
                counted_as: self.text()?,
                reason: self.text()?,
            },
            NOT_HERE => Frame::NotHere {
                relay: self.relay()?,
            },
            ASK => Frame::Ask {
                number: self.number()?,
                question: self.bytes()?,
            },
            ANSWER => Frame::Answer {
                number: self.number()?,
                answer: self.bytes()?,
            },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn frames_are_read_as_they_were_written() {
        let relay = RelayId(u64::MAX);
        let written = [
            Frame::Open {
                relay,
                opening: b"who",
            },
            Frame::Up {
                relay: RelayId(0),
                is_over_limit: false,
                message: &[7; 300],
            },
            Frame::Up {
                relay,
                is_over_limit: true,
                message: b"",
            },
            Frame::Line {
                relay,
                rtt_us: 127,
                pending_bytes: 128,
            },
            Frame::Shut {
                relay,
                reason: "lost",
            },
            Frame::Close {
                relay,
                code: 4005,
                counted_as: "full",
                reason: "this room is full",
            },
            Frame::NotHere { relay },
            Frame::Ask {
                number: 1 << 40,
                question: b"?",
            },
            Frame::Answer {
                number: 3,
                answer: b"!",
            },
        ];
        let mut batch = Vec::new();
        for frame in &written {
            frame.write(&mut batch);
        }
        let read: Result<Vec<_>, _> = frames(&batch).collect();
        assert_eq!(read.as_deref(), Ok(&written[..]));
    }

    proptest! {
        #[test]
        fn messages_go_down_in_order(
            sent in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8),
        ) {
            let parts: Vec<&[u8]> = sent.iter().map(Vec::as_slice).collect();
            let mut batch = Vec::new();
            write_down(&mut batch, RelayId(9), &parts);
            let read: Vec<_> = frames(&batch).collect();
            let [Ok(Frame::Down { relay: RelayId(9), messages: bytes })] = read[..] else {
                panic!("{read:?}");
            };
            prop_assert_eq!(messages(bytes).collect::<Vec<_>>(), parts);
        }

        #[test]
        fn any_bytes_are_frames_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for frame in frames(&bytes).flatten() {
                if let Frame::Down { messages: bytes, .. } = frame {
                    prop_assert!(messages(bytes).map(<[u8]>::len).sum::<usize>() <= bytes.len());
                }
            }
        }
    }
}
