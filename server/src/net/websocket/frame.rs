//! RFC 6455 framing as a pure state machine: bytes in, messages out. No IO, no clock, no task.
//!
//! A message that arrives in one read is unmasked in place and handed out as a slice of the input, without an allocation or a
//! copy. Only messages that a read or fragments have cut are gathered. fastwebsockets removes the mask. Its reader is not used: it
//! owns the stream and is async, so nothing could be read in batches; it hides the mask bit, does not bound the sum of fragments,
//! and checks UTF-8 only when a frame is complete.

use super::utf8::Utf8Validator;
use super::violation::Violation;

/// Longest payload of a control frame (RFC 6455, section 5.5).
pub const MAX_CONTROL_BYTES: usize = 125;
/// A buffer for gathered messages that has grown beyond this many bytes is freed after the message.
const MAX_KEPT_CAPACITY: usize = 16 * 1024;

/// The kind of a frame (RFC 6455, section 5.2).
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
    /// A request for a pong.
    Ping = 9,
    /// The answer to a ping.
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

/// Writes the header of a server's frame, which is unmasked and unfragmented. Returns the header's length.
pub fn write_frame_header(opcode: Opcode, payload_len: usize, header: &mut [u8; 10]) -> usize {
    header[0] = 0x80 | opcode as u8;
    if let Ok(short) = u8::try_from(payload_len)
        && payload_len <= MAX_CONTROL_BYTES
    {
        header[1] = short;
        2
    } else if let Ok(medium) = u16::try_from(payload_len) {
        header[1] = 126;
        header[2..4].copy_from_slice(&medium.to_be_bytes());
        4
    } else {
        header[1] = 127;
        header[2..10].copy_from_slice(&(payload_len as u64).to_be_bytes());
        10
    }
}

/// Which messages a connection accepts.
#[derive(Clone, Copy, Debug)]
pub struct FrameLimits {
    /// The largest accepted message, summed over its fragments.
    pub max_message_bytes: usize,
    /// Whether text messages are accepted.
    pub allow_text: bool,
}

/// What the decoder found. Payloads live until its next call.
#[derive(Debug, PartialEq, Eq)]
pub enum FrameEvent<'a> {
    /// A complete binary message.
    Binary(&'a [u8]),
    /// A complete text message in valid UTF-8.
    Text(&'a [u8]),
    /// A fragment that does not finish its message. It is reported only to be counted.
    Fragment,
    /// A ping, to be answered with its payload.
    Ping(&'a [u8]),
    /// A pong.
    Pong(&'a [u8]),
    /// The payload of a valid close frame: empty, or code and reason.
    Close(&'a [u8]),
}

/// The frame whose payload is being read.
#[derive(Debug)]
struct OpenFrame {
    is_final: bool,
    opcode: Opcode,
    /// Rotated so that it starts at the next byte.
    mask: [u8; 4],
    remaining: usize,
}

/// The kind of a data message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MessageKind {
    Text,
    Binary,
}

/// Decodes the frames that one client sends.
#[derive(Debug)]
pub struct FrameDecoder {
    limits: FrameLimits,
    header: [u8; 14],
    header_len: usize,
    open: Option<OpenFrame>,
    /// The kind of the unfinished message; `None`: there is no unfinished message.
    unfinished: Option<MessageKind>,
    /// What has arrived of a message that did not come in one piece.
    message: Vec<u8>,
    /// The last call has handed out `message`.
    is_handed_out: bool,
    utf8: Utf8Validator,
    /// What has arrived of a control frame that did not come in one piece. Boxed because that is rare.
    control: Box<[u8; MAX_CONTROL_BYTES]>,
    control_len: usize,
}

impl FrameDecoder {
    /// A decoder at the beginning of a stream.
    #[must_use]
    pub fn new(limits: FrameLimits) -> Self {
        Self {
            limits,
            header: [0; 14],
            header_len: 0,
            open: None,
            unfinished: None,
            message: Vec::new(),
            is_handed_out: false,
            utf8: Utf8Validator::default(),
            control: Box::new([0; MAX_CONTROL_BYTES]),
            control_len: 0,
        }
    }

    /// Consumes bytes up to the end of the next frame, or all of them. Returns how many it consumed (at least one of a non-empty
    /// input) and what they completed. Unmasks the input in place.
    ///
    /// # Errors
    /// The rule that the peer broke. After an error the decoder must not be used any more.
    pub fn next<'a>(
        &'a mut self,
        input: &'a mut [u8],
    ) -> Result<(usize, Option<FrameEvent<'a>>), Violation> {
        if std::mem::take(&mut self.is_handed_out) {
            self.message.clear();
            if self.message.capacity() > MAX_KEPT_CAPACITY {
                self.message = Vec::new();
            }
        }
        let header_bytes = self.read_header(input)?;
        let Some(open) = &mut self.open else {
            return Ok((header_bytes, None));
        };
        let take = open.remaining.min(input.len() - header_bytes);
        let taken = header_bytes + take;
        let piece = &mut input[header_bytes..taken];
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

    /// Gathers a frame's header, and opens the frame once the header is complete. Returns how many bytes it consumed.
    fn read_header(&mut self, input: &[u8]) -> Result<usize, Violation> {
        if self.open.is_some() {
            return Ok(0);
        }
        // The usual case: the whole header of a short frame.
        if let (0, Some(header)) = (self.header_len, input.first_chunk::<6>())
            && header[1] & 0x7F < 126
        {
            self.header[..6].copy_from_slice(header);
            self.check_first_bytes()?;
            self.open = Some(self.open_frame()?);
            return Ok(6);
        }
        let mut taken = 0;
        loop {
            let wanted = match (self.header_len, self.header[1] & 0x7F) {
                (0 | 1, _) => 2,
                (_, 126) => 8,
                (_, 127) => 14,
                _ => 6,
            };
            if self.header_len == wanted {
                self.open = Some(self.open_frame()?);
                self.header_len = 0;
                return Ok(taken);
            }
            let take = (wanted - self.header_len).min(input.len() - taken);
            if take == 0 {
                return Ok(taken);
            }
            self.header[self.header_len..self.header_len + take]
                .copy_from_slice(&input[taken..taken + take]);
            self.header_len += take;
            taken += take;
            if self.header_len == 2 {
                self.check_first_bytes()?;
            }
        }
    }

    /// Checks the first two bytes, which hold everything that can be wrong with a header except its length.
    fn check_first_bytes(&self) -> Result<(), Violation> {
        let [first, second] = [self.header[0], self.header[1]];
        if first & 0x70 != 0 {
            return Err(Violation::ReservedBits);
        }
        let opcode = Opcode::parse(first & 0x0F)?;
        if second & 0x80 == 0 {
            return Err(Violation::Unmasked);
        }
        let is_final = first & 0x80 != 0;
        match opcode {
            Opcode::Continuation if self.unfinished.is_none() => Err(Violation::LoneContinuation),
            Opcode::Text | Opcode::Binary if self.unfinished.is_some() => {
                Err(Violation::Interleaved)
            }
            Opcode::Text if !self.limits.allow_text => Err(Violation::Text),
            _ if opcode.is_control() && !is_final => Err(Violation::FragmentedControl),
            _ if opcode.is_control() && second & 0x7F > 125 => Err(Violation::LongControl),
            _ => Ok(()),
        }
    }

    fn open_frame(&mut self) -> Result<OpenFrame, Violation> {
        let header = &self.header;
        let (length, min_length, mask_at) = match header[1] & 0x7F {
            126 => (
                u64::from(u16::from_be_bytes([header[2], header[3]])),
                126,
                4,
            ),
            127 => {
                let mut bytes = [0; 8];
                bytes.copy_from_slice(&header[2..10]);
                (u64::from_be_bytes(bytes), 0x1_0000, 10)
            }
            short => (u64::from(short), 0, 2),
        };
        if length < min_length || length > i64::MAX as u64 {
            return Err(Violation::Length);
        }
        let mut mask = [0; 4];
        mask.copy_from_slice(&header[mask_at..mask_at + 4]);
        let opcode = Opcode::parse(header[0] & 0x0F)?;
        let too_big = Violation::TooBig(self.limits.max_message_bytes);
        let remaining = usize::try_from(length).map_err(|_| too_big)?;
        if !opcode.is_control() {
            // The announced length is checked, so nothing is gathered in vain.
            if remaining > self.limits.max_message_bytes - self.message.len() {
                return Err(too_big);
            }
            match opcode {
                Opcode::Text => self.unfinished = Some(MessageKind::Text),
                Opcode::Binary => self.unfinished = Some(MessageKind::Binary),
                _ => {}
            }
        }
        Ok(OpenFrame {
            is_final: header[0] & 0x80 != 0,
            opcode,
            mask,
            remaining,
        })
    }

    /// Consumes the next piece of a control frame.
    fn control<'a>(&'a mut self, piece: &'a [u8]) -> Result<Option<FrameEvent<'a>>, Violation> {
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
            Some((Opcode::Ping, payload)) => Some(FrameEvent::Ping(payload)),
            Some((Opcode::Pong, payload)) => Some(FrameEvent::Pong(payload)),
            Some((_, payload)) => {
                check_close(payload)?;
                Some(FrameEvent::Close(payload))
            }
        })
    }

    /// Consumes the next piece of a data frame.
    fn data<'a>(&'a mut self, piece: &'a [u8]) -> Result<Option<FrameEvent<'a>>, Violation> {
        let is_text = self.unfinished == Some(MessageKind::Text);
        if is_text {
            self.utf8.push(piece)?;
        }
        let is_finished = match self.open.take_if(|open| open.remaining == 0) {
            None => {
                self.message.extend_from_slice(piece);
                return Ok(None);
            }
            Some(open) => open.is_final,
        };
        if !is_finished {
            self.message.extend_from_slice(piece);
            return Ok(Some(FrameEvent::Fragment));
        }
        self.unfinished = None;
        if is_text {
            self.utf8.finish()?;
        }
        let payload = if self.message.is_empty() {
            piece
        } else {
            self.message.extend_from_slice(piece);
            self.is_handed_out = true;
            &self.message
        };
        Ok(Some(if is_text {
            FrameEvent::Text(payload)
        } else {
            FrameEvent::Binary(payload)
        }))
    }
}

/// Checks the payload of a close frame (RFC 6455, sections 5.5.1 and 7.4; codes 1012 to 1014 were registered later).
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
