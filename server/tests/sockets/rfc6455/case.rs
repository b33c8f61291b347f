//! A case of the suite: what the client sends, in which pieces, and what must come back.
//!
//! A case is data. Nothing here does IO; [`super::peer`] plays a case and returns the events that [`Case::check`] judges.

use std::fmt::{self, Write as _};

use crate::support::frame;

/// Something that the server did, as its client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// A close frame: empty, or a code and a reason.
    Close(Option<(u16, String)>),
    /// The server ended the stream, in good order.
    End,
    /// The connection broke.
    Reset(String),
    /// A frame that no server may send, or that this one never sends.
    BadFrame(&'static str),
    /// Nothing more came in time.
    Silence,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(payload) => write!(f, "text {}", Shown(payload)),
            Self::Binary(payload) => write!(f, "binary {}", Shown(payload)),
            Self::Ping(payload) => write!(f, "ping {}", Shown(payload)),
            Self::Pong(payload) => write!(f, "pong {}", Shown(payload)),
            Self::Close(None) => f.write_str("close without a code"),
            Self::Close(Some((code, reason))) => write!(f, "close {code} {reason:?}"),
            Self::End => f.write_str("end of the stream"),
            Self::Reset(error) => write!(f, "broken connection ({error})"),
            Self::BadFrame(what) => write!(f, "bad frame ({what})"),
            Self::Silence => f.write_str("nothing more in time"),
        }
    }
}

/// A payload as a person reads it.
struct Shown<'a>(&'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let beginning = &self.0[..self.0.len().min(24)];
        match std::str::from_utf8(beginning) {
            Ok(text) => write!(f, "{text:?}")?,
            Err(_) => beginning.iter().try_for_each(|b| write!(f, "{b:02x}"))?,
        }
        if beginning.len() < self.0.len() {
            write!(f, ".. ({} bytes)", self.0.len())?;
        }
        Ok(())
    }
}

/// What must happen next.
enum Expected<'a> {
    Exactly(&'a Event),
    /// A close frame with this code, whatever its reason says.
    CloseCode(u16),
}

impl Expected<'_> {
    fn fits(&self, event: &Event) -> bool {
        match self {
            Self::Exactly(expected) => *expected == event,
            Self::CloseCode(expected) => {
                matches!(event, Event::Close(Some((code, _))) if code == expected)
            }
        }
    }
}

impl fmt::Display for Expected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(event) => event.fmt(f),
            Self::CloseCode(code) => write!(f, "close {code}"),
        }
    }
}

/// One step of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Sends these bytes with one write.
    Send(Vec<u8>),
    /// Waits until this many frames have come, or a close frame.
    AwaitFrames(usize),
    /// Waits for the server's close frame.
    AwaitClose,
}

/// In which pieces the bytes of a case arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chops {
    /// Everything between two waits at once.
    Whole,
    /// What one call of [`Case::sends`] brought, usually a frame.
    Sends,
    /// Pieces of this many octets.
    Octets(usize),
}

/// How the connection must end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Once everything expected has come, the client closes with 1000. The server answers the same.
    ClosedByClient,
    /// The server answers a close frame that the case has sent.
    Answered(Option<(u16, String)>),
    /// The server fails the connection with this code.
    Failed(u16),
}

/// One case. Its name is a number and a promise.
#[derive(Clone, Debug)]
pub struct Case {
    name: String,
    steps: Vec<Step>,
    chops: Chops,
    gets: Vec<Event>,
    ending: Ending,
    left_open: Option<&'static str>,
}

/// A case that sends nothing yet. Unless it says otherwise, its bytes arrive at once, and the client closes in the end.
pub fn case(name: impl Into<String>) -> Case {
    Case {
        name: name.into(),
        steps: Vec::new(),
        chops: Chops::Whole,
        gets: Vec::new(),
        ending: Ending::ClosedByClient,
        left_open: None,
    }
}

impl Case {
    /// Sends these bytes.
    pub fn sends(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.steps.push(Step::Send(bytes.into()));
        self
    }

    /// Must get this frame, behind those of earlier calls.
    pub fn gets(mut self, event: Event) -> Self {
        self.gets.push(event);
        self
    }

    /// Sends nothing more until everything that was expected so far has come.
    pub fn waits(mut self) -> Self {
        self.steps.push(Step::AwaitFrames(self.gets.len()));
        self
    }

    /// Sends nothing more until the server has failed the connection: the rest cannot be what fails it.
    pub fn waits_for_failure(mut self) -> Self {
        self.steps.push(Step::AwaitClose);
        self
    }

    /// What each call of [`Case::sends`] brought arrives by itself.
    pub fn in_sends(mut self) -> Self {
        self.chops = Chops::Sends;
        self
    }

    /// Each octet arrives by itself.
    pub fn in_octets(self) -> Self {
        self.in_chops_of(1)
    }

    /// Pieces of this many octets arrive by themselves.
    pub fn in_chops_of(mut self, octets: usize) -> Self {
        self.chops = Chops::Octets(octets);
        self
    }

    /// The server must fail the connection with this code.
    pub fn fails(mut self, code: u16) -> Self {
        self.ending = Ending::Failed(code);
        self
    }

    /// The server must answer the close frame that was sent with the same code and reason.
    pub fn closed_with_code(mut self, code: u16, reason: &str) -> Self {
        self.ending = Ending::Answered(Some((code, reason.to_owned())));
        self
    }

    /// The server must answer the empty close frame that was sent with an empty one.
    pub fn closed_without_code(mut self) -> Self {
        self.ending = Ending::Answered(None);
        self
    }

    /// The RFC would let a server behave otherwise, in this way; the case demands what this server does.
    pub fn left_open(mut self, how: &'static str) -> Self {
        self.left_open = Some(how);
        self
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn ending(&self) -> &Ending {
        &self.ending
    }

    /// How many frames must come before the close frame.
    pub fn expected_frames(&self) -> usize {
        self.gets.len()
    }

    /// Whether the bytes must arrive in pieces.
    pub fn is_chopped(&self) -> bool {
        self.chops != Chops::Whole
    }

    /// The steps, with a [`Step::Send`] for each piece.
    pub fn steps(&self) -> Vec<Step> {
        if self.chops == Chops::Sends {
            return self.steps.clone();
        }
        let mut joined: Vec<Step> = Vec::new();
        for step in &self.steps {
            match (joined.last_mut(), step) {
                (Some(Step::Send(before)), Step::Send(bytes)) => before.extend_from_slice(bytes),
                _ => joined.push(step.clone()),
            }
        }
        let Chops::Octets(octets) = self.chops else {
            return joined;
        };
        let chopped = joined.into_iter().flat_map(|step| match step {
            Step::Send(bytes) => {
                let pieces = bytes.chunks(octets);
                pieces.map(|piece| Step::Send(piece.to_vec())).collect()
            }
            wait => vec![wait],
        });
        chopped.collect()
    }

    /// Compares what happened with what must happen. The error is a paragraph for a person.
    pub fn check(&self, events: &[Event]) -> Result<(), String> {
        let normal = Event::Close(Some((1000, String::new())));
        let answer;
        let close = match &self.ending {
            Ending::ClosedByClient => Expected::Exactly(&normal),
            Ending::Answered(payload) => {
                answer = Event::Close(payload.clone());
                Expected::Exactly(&answer)
            }
            Ending::Failed(code) => Expected::CloseCode(*code),
        };
        let mut expected: Vec<_> = self.gets.iter().map(Expected::Exactly).collect();
        expected.extend([close, Expected::Exactly(&Event::End)]);
        let fits = expected.len() == events.len()
            && expected
                .iter()
                .zip(events)
                .all(|(one, event)| one.fits(event));
        if fits {
            return Ok(());
        }
        let mut report = format!("\n  {}\n", self.name);
        let _ = writeln!(report, "    expected: {}", listed(&expected));
        let _ = writeln!(report, "    got:      {}", listed(events));
        for (expected, event) in self.gets.iter().zip(events) {
            if let Some(at) = first_difference(expected, event) {
                let _ = writeln!(report, "    ({expected} differs at byte {at})");
            }
        }
        if let Some(how) = self.left_open {
            let _ = writeln!(report, "    The RFC leaves this open: {how}");
        }
        Err(report)
    }
}

fn listed(events: &[impl fmt::Display]) -> String {
    let events: Vec<_> = events.iter().map(ToString::to_string).collect();
    events.join(", ")
}

/// Where two long messages of one kind differ: their beginnings may look the same.
fn first_difference(expected: &Event, event: &Event) -> Option<usize> {
    let (expected, got) = match (expected, event) {
        (Event::Text(expected), Event::Text(got))
        | (Event::Binary(expected), Event::Binary(got)) => (expected, got),
        _ => return None,
    };
    let common = expected
        .iter()
        .zip(got)
        .position(|(one, other)| one != other);
    let shorter = expected.len().min(got.len());
    common.or((expected.len() != got.len()).then_some(shorter))
}

/// A whole text message.
pub fn text(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(0x81, payload.as_ref())
}

/// A whole binary message.
pub fn binary(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(0x82, payload.as_ref())
}

/// The first fragment of a text message.
pub fn first_text(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(0x01, payload.as_ref())
}

/// A further fragment.
pub fn further(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(0x00, payload.as_ref())
}

/// The last fragment.
pub fn last(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(0x80, payload.as_ref())
}

pub fn ping(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(0x89, payload.as_ref())
}

pub fn pong(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(0x8A, payload.as_ref())
}

pub fn close(code: u16, reason: impl AsRef<[u8]>) -> Vec<u8> {
    frame(0x88, &[&code.to_be_bytes(), reason.as_ref()].concat())
}

/// The server sends this text.
pub fn echo_text(payload: impl AsRef<[u8]>) -> Event {
    Event::Text(payload.as_ref().to_vec())
}

/// The server sends these bytes.
pub fn echo_binary(payload: impl AsRef<[u8]>) -> Event {
    Event::Binary(payload.as_ref().to_vec())
}

/// The server answers a ping with this payload.
pub fn answer(payload: impl AsRef<[u8]>) -> Event {
    Event::Pong(payload.as_ref().to_vec())
}

/// ASCII text that repeats after a prime number of bytes: a lost or moved piece shows.
pub fn long_text(len: usize) -> Vec<u8> {
    (0..len).map(|at| b' ' + (at % 89) as u8).collect()
}

/// Bytes of all values but a few, and no UTF-8.
pub fn long_binary(len: usize) -> Vec<u8> {
    (0..len).map(|at| 255 - (at % 251) as u8).collect()
}

/// Why a message that came before a violation need not come back.
pub const ECHO_BEFORE_FAILURE: &str =
    "a violation may take earlier messages with it (7.1.7); /echo answers what came before it";
