//! RFC 6455 framing as a pure state machine: bytes in, messages out. No IO, no clock, no task.
//!
//! Why not fastwebsockets' reader: it owns the stream, is async and not cancel-safe, so nothing
//! can be read in batches; it hides the mask bit, does not bound the sum of fragments and sees
//! UTF-8 only when a frame is complete. This needs none of that wrapped: a message that arrives
//! whole is unmasked in place and handed out as a slice of the input (no allocation, no copy);
//! only what is cut by a read or into fragments is gathered. fastwebsockets still does the
//! handshake and the unmasking.

use super::utf8::Utf8;
use super::violation::Violation;

/// The longest payload of a control frame (RFC 6455 section 5.5).
pub const MAX_CONTROL_BYTES: usize = 125;
/// A gathered message's buffer that has grown beyond this is given back after the message.
const KEEP_CAPACITY: usize = 16 * 1024;

/// RFC 6455 section 5.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// A further fragment.
    Continuation = 0,
    /// A text message, or its first fragment.
    Text = 1,
    /// A binary message, or its first fragment.
    Binary = 2,
    /// The closing handshake.
    Close = 8,
    /// Asks for a pong.
    Ping = 9,
    /// Answers a ping.
    Pong = 10,
}

impl Opcode {
    fn parse(bits: u8) -> Result<Self, Violation> {
        Ok(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            other => return Err(Violation::ReservedOpcode(other)),
        })
    }

    fn is_control(self) -> bool {
        self as u8 >= 8
    }
}

/// Writes a server's (unmasked, unfragmented) frame head and gives its length.
pub fn write_head(opcode: Opcode, payload_len: usize, head: &mut [u8; 10]) -> usize {
    head[0] = 0x80 | opcode as u8;
    if let Ok(short) = u8::try_from(payload_len)
        && payload_len <= MAX_CONTROL_BYTES
    {
        head[1] = short;
        2
    } else if let Ok(medium) = u16::try_from(payload_len) {
        head[1] = 126;
        head[2..4].copy_from_slice(&medium.to_be_bytes());
        4
    } else {
        head[1] = 127;
        head[2..10].copy_from_slice(&(payload_len as u64).to_be_bytes());
        10
    }
}

/// What a connection takes.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The largest message, in bytes, summed over its fragments. Exactly this many are accepted.
    pub max_message_bytes: usize,
    /// Whether text messages are taken at all.
    pub text: bool,
}

/// What the bytes amounted to. Payloads live until the next call.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A complete binary message.
    Binary(&'a [u8]),
    /// A complete text message, proven to be UTF-8.
    Text(&'a [u8]),
    /// A fragment that doesn't finish its message: nothing to do but to count it.
    Fragment,
    /// A ping, to be answered with the same payload.
    Ping(&'a [u8]),
    /// A pong.
    Pong(&'a [u8]),
    /// A valid close frame's payload: empty, or code and reason.
    Close(&'a [u8]),
}

/// The frame whose payload is being read.
#[derive(Debug)]
struct Open {
    fin: bool,
    opcode: Opcode,
    /// Rotated, so that it starts at the next byte.
    mask: [u8; 4],
    remaining: usize,
}

/// The reading half of a WebSocket at the server.
#[derive(Debug)]
pub struct Decoder {
    rules: Rules,
    head: [u8; 14],
    head_len: usize,
    open: Option<Open>,
    /// Whether the unfinished message is text; none if there is no unfinished message.
    message_is_text: Option<bool>,
    /// What has arrived of a message that did not come in one piece.
    message: Vec<u8>,
    /// `message` was handed out by the last call.
    handed_out: bool,
    utf8: Utf8,
    /// What has arrived of a control frame that did not come in one piece: seldom, so it lies apart.
    control: Box<[u8; MAX_CONTROL_BYTES]>,
    control_len: usize,
}

impl Decoder {
    /// A decoder at the beginning of a stream.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            head: [0; 14],
            head_len: 0,
            open: None,
            message_is_text: None,
            message: Vec::new(),
            handed_out: false,
            utf8: Utf8::default(),
            control: Box::new([0; MAX_CONTROL_BYTES]),
            control_len: 0,
        }
    }

    /// Takes bytes up to the end of the next frame, or all of them; gives how many were taken (at
    /// least one of a non-empty input) and what they completed. Unmasks the input in place.
    ///
    /// # Errors
    /// The rule that the peer broke; after that the decoder must not be used any more.
    pub fn next<'a>(
        &'a mut self,
        input: &'a mut [u8],
    ) -> Result<(usize, Option<Event<'a>>), Violation> {
        if std::mem::take(&mut self.handed_out) {
            self.message.clear();
            if self.message.capacity() > KEEP_CAPACITY {
                self.message = Vec::new();
            }
        }
        let head_bytes = self.read_head(input)?;
        let Some(open) = &mut self.open else {
            return Ok((head_bytes, None));
        };
        let take = open.remaining.min(input.len() - head_bytes);
        let taken = head_bytes + take;
        let piece = &mut input[head_bytes..taken];
        fastwebsockets::unmask(piece, open.mask);
        open.mask.rotate_left(take % 4);
        open.remaining -= take;
        let event = if open.opcode.is_control() {
            self.control(piece)?
        } else {
            self.data(piece)?
        };
        Ok((taken, event))
    }

    /// Gathers a frame's head, and opens the frame once it is complete. Gives the bytes taken.
    fn read_head(&mut self, input: &[u8]) -> Result<usize, Violation> {
        if self.open.is_some() {
            return Ok(0);
        }
        // The usual: a short frame's head, all at once.
        if let (0, Some(head)) = (self.head_len, input.first_chunk::<6>())
            && head[1] & 0x7F < 126
        {
            self.head[..6].copy_from_slice(head);
            self.check_first_bytes()?;
            self.open = Some(self.open_frame()?);
            return Ok(6);
        }
        let mut taken = 0;
        loop {
            let wanted = match (self.head_len, self.head[1] & 0x7F) {
                (0 | 1, _) => 2,
                (_, 126) => 8,
                (_, 127) => 14,
                _ => 6,
            };
            if self.head_len == wanted {
                self.open = Some(self.open_frame()?);
                self.head_len = 0;
                return Ok(taken);
            }
            let take = (wanted - self.head_len).min(input.len() - taken);
            if take == 0 {
                return Ok(taken);
            }
            self.head[self.head_len..self.head_len + take]
                .copy_from_slice(&input[taken..taken + take]);
            self.head_len += take;
            taken += take;
            if self.head_len == 2 {
                self.check_first_bytes()?;
            }
        }
    }

    /// Everything that is wrong is known after two bytes, but for the length.
    fn check_first_bytes(&self) -> Result<(), Violation> {
        let [first, second] = [self.head[0], self.head[1]];
        if first & 0x70 != 0 {
            return Err(Violation::ReservedBits);
        }
        let opcode = Opcode::parse(first & 0x0F)?;
        if second & 0x80 == 0 {
            return Err(Violation::Unmasked);
        }
        let fin = first & 0x80 != 0;
        match opcode {
            Opcode::Continuation if self.message_is_text.is_none() => {
                Err(Violation::LoneContinuation)
            }
            Opcode::Text | Opcode::Binary if self.message_is_text.is_some() => {
                Err(Violation::Interleaved)
            }
            Opcode::Text if !self.rules.text => Err(Violation::Text),
            _ if opcode.is_control() && !fin => Err(Violation::FragmentedControl),
            _ if opcode.is_control() && second & 0x7F > 125 => Err(Violation::LongControl),
            _ => Ok(()),
        }
    }

    fn open_frame(&mut self) -> Result<Open, Violation> {
        let head = &self.head;
        let (length, minimum, mask_at) = match head[1] & 0x7F {
            126 => (u64::from(u16::from_be_bytes([head[2], head[3]])), 126, 4),
            127 => {
                let mut bytes = [0; 8];
                bytes.copy_from_slice(&head[2..10]);
                (u64::from_be_bytes(bytes), 0x1_0000, 10)
            }
            short => (u64::from(short), 0, 2),
        };
        if length < minimum || length > i64::MAX as u64 {
            return Err(Violation::Length);
        }
        let mut mask = [0; 4];
        mask.copy_from_slice(&head[mask_at..mask_at + 4]);
        let opcode = Opcode::parse(head[0] & 0x0F)?;
        let too_big = Violation::TooBig(self.rules.max_message_bytes);
        let remaining = usize::try_from(length).map_err(|_| too_big)?;
        if !opcode.is_control() {
            // The limit holds for what is announced: nothing is gathered in vain.
            if remaining > self.rules.max_message_bytes - self.message.len() {
                return Err(too_big);
            }
            if opcode != Opcode::Continuation {
                self.message_is_text = Some(opcode == Opcode::Text);
            }
        }
        Ok(Open {
            fin: head[0] & 0x80 != 0,
            opcode,
            mask,
            remaining,
        })
    }

    /// The next piece of a control frame.
    fn control<'a>(&'a mut self, piece: &'a [u8]) -> Result<Option<Event<'a>>, Violation> {
        let whole = match self.open.take_if(|open| open.remaining == 0) {
            Some(open) if self.control_len == 0 => Some((open.opcode, piece)),
            finished => {
                let len = self.control_len + piece.len();
                self.control[self.control_len..len].copy_from_slice(piece);
                self.control_len = if finished.is_some() { 0 } else { len };
                finished.map(|open| (open.opcode, &self.control[..len]))
            }
        };
        Ok(match whole {
            None => None,
            Some((Opcode::Ping, payload)) => Some(Event::Ping(payload)),
            Some((Opcode::Pong, payload)) => Some(Event::Pong(payload)),
            Some((_, payload)) => {
                check_close(payload)?;
                Some(Event::Close(payload))
            }
        })
    }

    /// The next piece of a data frame.
    fn data<'a>(&'a mut self, piece: &'a [u8]) -> Result<Option<Event<'a>>, Violation> {
        let text = self.message_is_text == Some(true);
        if text {
            self.utf8.push(piece)?;
        }
        let finished = match self.open.take_if(|open| open.remaining == 0) {
            None => {
                self.message.extend_from_slice(piece);
                return Ok(None);
            }
            Some(open) => open.fin,
        };
        if !finished {
            self.message.extend_from_slice(piece);
            return Ok(Some(Event::Fragment));
        }
        self.message_is_text = None;
        if text {
            self.utf8.finish()?;
        }
        let payload = if self.message.is_empty() {
            piece
        } else {
            self.message.extend_from_slice(piece);
            self.handed_out = true;
            &self.message
        };
        Ok(Some(if text {
            Event::Text(payload)
        } else {
            Event::Binary(payload)
        }))
    }
}

/// RFC 6455 sections 5.5.1 and 7.4; 1012 to 1014 are in IANA's registry since.
fn check_close(payload: &[u8]) -> Result<(), Violation> {
    match payload {
        [] => Ok(()),
        [_] => Err(Violation::ShortClose),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                return Err(Violation::CloseCode(code));
            }
            match std::str::from_utf8(reason) {
                Ok(_) => Ok(()),
                Err(_) => Err(Violation::Utf8),
            }
        }
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
