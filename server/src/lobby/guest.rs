//! A guest: from a connection's first message to its place in a room, and what it says from there.
//!
//! In: messages of one connection, from `net`. Out: validated types in the inbox of the session, so that nothing behind it
//! checks again; or the close code of what is wrong with them.

use super::Lobby;
use crate::clock;
use crate::clock::now;
use crate::close::{Close, CloseCode, Disconnect};
use crate::metrics::InputOutcome;
use crate::net::connection::Connection;
use crate::net::handler::Handler;
use crate::net::served::Move;
use crate::room::{Arrived, Hello, Inbox, InputsArrived};
use crate::ticket;
use crate::worker::Command;
use prost::Message as _;
use std::sync::Arc;
use std::time::Instant;
use tickwire_proto::v1::{self, client_message::Body, server_message};
use tickwire_sync::clock::TickClock;
use tickwire_sync::memo::Encoding;

/// The room of those who name none.
const DEFAULT_ROOM: &str = "main";
const MAX_ROOM_NAME: usize = 32;
/// Ticks per second from which a room's worker reads its connections; below, a poller does.
const LEAST_RATE_TO_READ: u32 = 20;

/// Receives what one connection's peer says.
pub struct Guest {
    lobby: Arc<Lobby>,
    connection: Arc<Connection>,
    url_room: Option<String>,
    inside: Option<Inside>,
    /// To the room's worker.
    moves: Option<Move>,
}

struct Inside {
    inbox: Arc<Inbox>,
    ticks: TickClock,
}

impl Guest {
    pub(super) fn new(
        lobby: Arc<Lobby>,
        connection: Arc<Connection>,
        url_room: Option<String>,
    ) -> Self {
        Self {
            lobby,
            connection,
            url_room,
            inside: None,
            moves: None,
        }
    }

    fn hello(&mut self, hello: v1::Hello) -> Result<(), Close> {
        if self.inside.is_some() {
            return Err(Close::new(
                CloseCode::WrongOrder,
                "Hello comes once, at the start",
            ));
        }
        let (room, hello) = self.check_hello(hello)?;
        let inbox = Arc::new(Inbox::default());
        self.connection.mark_greeted();
        let place = self
            .lobby
            .send_to_room(&room, hello, &self.connection, &inbox)?;
        let ticks = place.ticks;
        self.inside = Some(Inside { inbox, ticks });
        // A worker reads once a tick; where ticks are rare, answers would be late.
        if ticks.tick_rate >= LEAST_RATE_TO_READ {
            let lobby = Arc::clone(&self.lobby);
            self.moves = Some(Box::new(move |reader| {
                lobby.workers[place.worker].send(Command::Read { room, reader });
            }));
        }
        Ok(())
    }

    fn check_hello(&self, hello: v1::Hello) -> Result<(String, Hello), Close> {
        let unsupported = |reason: String| Close::new(CloseCode::UnknownOrUnsupported, reason);
        if hello.version != tickwire_proto::VERSION {
            return Err(unsupported(format!(
                "protocol version {} is not spoken here; use {}",
                hello.version,
                tickwire_proto::VERSION
            )));
        }
        let room = match (self.url_room.as_deref(), hello.room.as_str()) {
            (Some(url), "") => url,
            (Some(url), said) if url != said => {
                return Err(unsupported(
                    "Hello names another room than the URL".to_owned(),
                ));
            }
            (_, "") => DEFAULT_ROOM,
            (_, said) => said,
        };
        let is_name = |character: char| {
            character.is_ascii_alphanumeric() || character == '-' || character == '_'
        };
        if room.is_empty() || room.len() > MAX_ROOM_NAME || !room.chars().all(is_name) {
            return Err(unsupported(
                "a room's name is 1 to 32 letters, digits, - or _".to_owned(),
            ));
        }
        let encoding = Encoding::negotiate(hello.encoding());
        let mut checked = Hello {
            name: hello.name,
            subject: None,
            resume_token: hello.resume_token,
            last_message: hello.last_message,
            encoding,
            is_spectator: hello.spectate,
        };
        if let Some(secret) = &self.lobby.config.ticket_secret {
            let ticket = ticket::check(secret, &hello.ticket, room)
                .map_err(|error| Close::new(CloseCode::Policy, error.to_string()))?;
            checked.name = ticket.name.unwrap_or(checked.name);
            checked.subject = Some(ticket.sub);
        }
        Ok((room.to_owned(), checked))
    }

    fn put_inputs(&self, inside: &Inside, inputs: InputsArrived) {
        if !inside.inbox.put(Arrived::Inputs(inputs)) {
            self.lobby.metrics.inputs.get(InputOutcome::Rejected).inc();
        }
    }

    fn pong(&self, inside: &Inside, ping: &v1::Ping, arrived: Instant) {
        let now = now();
        let tick = inside.ticks.ticks_at(now.0 as f64).max(0.0) as u32;
        let pong = v1::Pong {
            stamp: ping.stamp,
            clock_us: now.0,
            tick,
            held_us: now.since(clock::at(arrived)).0 as u32,
        };
        let message = v1::ServerMessage {
            body: Some(server_message::Body::Pong(pong)),
        };
        let _ = self.connection.send(&[&message.encode_to_vec()]);
    }
}

impl Handler for Guest {
    fn message(&mut self, payload: &[u8], arrived: Instant, is_excess: bool) -> Result<(), Close> {
        let malformed = || {
            Close::new(
                CloseCode::Malformed,
                "this is no ClientMessage; see docs/PROTOCOL.md",
            )
        };
        if let (Some(inside), Some(inputs)) = (
            &self.inside,
            InputsArrived::read(payload, clock::at(arrived)),
        ) {
            self.put_inputs(inside, inputs);
            return Ok(());
        }
        let message = v1::ClientMessage::decode(payload).map_err(|_| malformed())?;
        // A message of a later version is no mistake.
        let Some(body) = message.body else {
            return Ok(());
        };
        let Some(inside) = &self.inside else {
            return match body {
                Body::Hello(hello) => self.hello(hello),
                _ => Err(Close::new(CloseCode::WrongOrder, "say Hello first")),
            };
        };
        let is_taken = match body {
            Body::Hello(hello) => return self.hello(hello),
            Body::Inputs(inputs) => {
                match InputsArrived::new(&inputs, clock::at(arrived)) {
                    Some(inputs) => self.put_inputs(inside, inputs),
                    None => self.lobby.metrics.inputs.get(InputOutcome::Rejected).inc(),
                }
                true
            }
            Body::Chat(chat) => inside.inbox.put(Arrived::Chat(chat.text)),
            Body::Command(command) => {
                let (number, payload) = (command.number, command.payload);
                if !inside.inbox.put(Arrived::Command { number, payload }) {
                    // It comes again over the next connection; what follows it must not come before it.
                    return Err(Close::new(
                        CloseCode::Full,
                        "more messages than a tick can take; connect again",
                    ));
                }
                true
            }
            Body::Resync(resync) => inside.inbox.put(Arrived::Resync {
                view_mismatch: resync.view_mismatch,
            }),
            Body::Leave(_) => {
                // Many end the stream right behind it, without the closing handshake.
                self.connection.will_end(Disconnect::Left);
                inside.inbox.put(Arrived::Leave)
            }
            Body::Ping(_) if is_excess => true,
            Body::Ping(ping) => {
                self.pong(inside, &ping, arrived);
                true
            }
        };
        if !is_taken {
            tracing::debug!(
                connection = self.connection.id().0,
                "more messages than a tick can take; one was dropped"
            );
        }
        Ok(())
    }

    fn prefetch(&self) {
        if let Some(inside) = &self.inside {
            tickwire_prefetch::near(&*inside.inbox);
        }
    }

    fn moves(&self) -> bool {
        self.moves.is_some()
    }

    fn take_move(&mut self) -> Option<Move> {
        self.moves.take()
    }

    fn flood_warning(&mut self) {
        let notice = v1::Notice {
            text: "you send more messages than anyone needs; slow down or be disconnected"
                .to_owned(),
        };
        let message = v1::ServerMessage {
            body: Some(server_message::Body::Notice(notice)),
        };
        let _ = self.connection.send(&[&message.encode_to_vec()]);
    }

    fn closed(&mut self, why: Disconnect) {
        if let Some(inside) = self.inside.take() {
            inside.inbox.put(Arrived::Gone(why));
        }
    }
}
