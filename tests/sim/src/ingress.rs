//! The way of a client's messages into its session's inbox, as the server's lobby has it, without a socket.
//!
//! In: the bytes of messages. Out: validated messages in an inbox, a request to join, an answer at once, or a close. The decoder of
//! inputs, the flood detector, what it decodes of a flood and the inbox are the server's own; the order of checks is that of its `ClientIngress`.

use prost::Message as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tickwire_proto::CloseCode;
use tickwire_proto::v1::{self, client_message::Body};
use tickwire_server::internals::{
    ChatLine, Close, DisconnectReason, FloodDetector, FloodVerdict, Inbox, InboxMessage,
    JoinRequest, OverLimit, ReceivedInput, max_messages_per_second,
};
use tickwire_sync::Micros;
use tickwire_sync::encode::Encoding;

/// The longest message that the server takes.
pub const MAX_MESSAGE_BYTES: usize = 4_096;

/// What the server does about a message.
#[derive(Debug)]
pub enum Answer {
    /// Nothing more.
    Nothing,
    /// Lets the client into the room.
    Join(Box<JoinRequest>),
    /// Answers a clock ping with this stamp.
    Pong(u64),
    /// Warns of a flood.
    Warn,
    /// Ends the connection.
    Close(Close),
}

/// The receiving side of one connection.
#[derive(Debug)]
pub struct Ingress {
    address: IpAddr,
    opened_at: Micros,
    /// `None` before `Hello`.
    inbox: Option<Arc<Inbox>>,
    is_closed: bool,
    flood: FloodDetector,
    /// The flood detector takes instants, of which only the differences count.
    start: Instant,
    over_limit: OverLimit,
    /// Whether the client knows parts of cells; older ones do not.
    knows_parts: bool,
}

impl Ingress {
    /// The side of a client that has not said anything yet. What one says of parts of cells counts if it `knows_parts`.
    #[must_use]
    pub fn new(address: IpAddr, knows_parts: bool, tick_rate: u32, now: Micros) -> Self {
        let start = Instant::now();
        let began = start + Duration::from_micros(now.0);
        Self {
            address,
            opened_at: now,
            inbox: None,
            is_closed: false,
            flood: FloodDetector::new(max_messages_per_second(tick_rate), began),
            start,
            over_limit: OverLimit::default(),
            knows_parts,
        }
    }

    /// The connection has reached the server.
    pub fn opened(&mut self, now: Micros) {
        self.opened_at = now;
    }

    /// Whether the client has said `Hello`.
    #[must_use]
    pub fn has_joined(&self) -> bool {
        self.inbox.is_some()
    }

    /// The client's messages go to this inbox from now on.
    pub fn enter(&mut self, inbox: Arc<Inbox>) {
        self.inbox = Some(inbox);
    }

    /// The connection has ended. Only the first call counts.
    pub fn closed(&mut self, why: DisconnectReason) {
        if !std::mem::replace(&mut self.is_closed, true)
            && let Some(inbox) = &self.inbox
        {
            inbox.put(InboxMessage::ConnectionClosed(why));
        }
    }

    /// Whether [`Self::closed`] was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Takes a message.
    pub fn message(&mut self, payload: &[u8], now: Micros) -> Answer {
        if self.is_closed {
            return Answer::Nothing;
        }
        if payload.len() > MAX_MESSAGE_BYTES {
            return close(CloseCode::TooBig, "too big");
        }
        let verdict = self.flood.count(self.start + Duration::from_micros(now.0));
        if verdict == FloodVerdict::Flood {
            return close(CloseCode::Policy, "a flood of messages");
        }
        let answer = self.decode(payload, now);
        match (verdict, &answer) {
            (FloodVerdict::Warn, Answer::Nothing) => Answer::Warn,
            _ => answer,
        }
    }

    fn decode(&mut self, payload: &[u8], now: Micros) -> Answer {
        let is_over_limit = self.flood.is_over_limit();
        match self.over_limit.decodes(payload, is_over_limit) {
            Ok(true) => {}
            Ok(false) => return Answer::Nothing,
            Err(close) => return Answer::Close(close),
        }
        if let Some(inbox) = &self.inbox
            && let Some(input) = ReceivedInput::decode(payload, now)
        {
            inbox.put(InboxMessage::Input(input));
            return Answer::Nothing;
        }
        let Ok(message) = v1::ClientMessage::decode(payload) else {
            return close(CloseCode::Malformed, "not a valid ClientMessage");
        };
        let Some(body) = message.body else {
            return Answer::Nothing;
        };
        match (&self.inbox, body) {
            (None, Body::Hello(hello)) => self.hello(hello),
            (None, _) => close(CloseCode::WrongOrder, "say Hello first"),
            (Some(_), Body::Hello(_)) => close(CloseCode::WrongOrder, "Hello comes once"),
            (Some(inbox), body) => in_room(inbox, body, is_over_limit, now),
        }
    }

    fn hello(&self, hello: v1::Hello) -> Answer {
        if hello.version != tickwire_proto::VERSION {
            return close(CloseCode::Unsupported, "another version");
        }
        Answer::Join(Box::new(JoinRequest {
            encoding: Encoding::negotiate(hello.encoding()),
            name: hello.name,
            address: Some(self.address),
            opened_at: self.opened_at,
            resume_token: hello.resume_token,
            last_message: hello.last_message,
            is_spectator: hello.spectate,
            takes_cell_parts: hello.cell_parts && self.knows_parts,
            ..JoinRequest::default()
        }))
    }
}

fn in_room(inbox: &Inbox, body: Body, is_over_limit: bool, now: Micros) -> Answer {
    match body {
        Body::Hello(_) => {}
        Body::Inputs(inputs) => {
            if let Some(input) = ReceivedInput::new(&inputs, now) {
                inbox.put(InboxMessage::Input(input));
            }
        }
        Body::Chat(chat) => {
            if let Some(line) = ChatLine::new(&chat.text) {
                inbox.put(InboxMessage::Chat(line));
            }
        }
        Body::Command(command) => {
            let (number, payload) = (command.number, command.payload);
            if !inbox.put(InboxMessage::Command { number, payload }) {
                return close(CloseCode::Full, "more messages than a tick can take");
            }
        }
        Body::Resync(resync) => {
            let view_mismatch = resync.view_mismatch;
            inbox.put(InboxMessage::Resync { view_mismatch });
        }
        Body::Leave(leave) => {
            let grace = Duration::from_millis(leave.grace_ms.into());
            inbox.put(InboxMessage::Leave { grace });
        }
        Body::Ping(_) if is_over_limit => {}
        Body::Ping(ping) => return Answer::Pong(ping.stamp),
    }
    Answer::Nothing
}

fn close(code: CloseCode, reason: &'static str) -> Answer {
    Answer::Close(Close::new(code, reason))
}
