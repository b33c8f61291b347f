//! Everything that one client sends: from its `Hello` to its place in a room, and its messages from there.
//!
//! In: messages of one client, from `net` or from the node that relays them. Out: validated types in the session's inbox, so that nothing behind it validates
//! again; or the close code of what is wrong with a message. Where another node owns
//! the room, the messages go there unread.

use super::directory::RoomDirectory;
use super::over_limit::OverLimit;
use super::pending_join::{Destination, PendingJoin, Waiting};
use super::room_handle::RoomHandle;
use super::room_search::RoomSearch;
use crate::clock::now;
use crate::close::{Close, CloseCode, DisconnectReason};
use crate::cluster::{Opening, RelayedClient};
use crate::metrics::{InputOutcome, ModerationEvent};
use crate::net::io::polled_connection::Migration;
use crate::net::peer::connection::Connection;
use crate::net::peer::handler::Handler;
use crate::room::{ChatLine, Inbox, InboxMessage, JoinRequest, KnownMap, Link as _, ReceivedInput};
use crate::worker::{Newcomer, PlayerLink};
use crate::{clock, ticket};
use prost::Message as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tickwire_proto::v1::{self, client_message::Body, server_message};
use tickwire_sync::encode::Encoding;
use tickwire_sync::{Micros, TickClock};

/// The room of clients that name none.
const DEFAULT_ROOM: &str = "main";
/// From this tick rate on, a room's worker reads its connections; below, a poller does.
const MIN_RATE_FOR_WORKER_READS: u32 = 20;

/// Receives the messages of one client.
pub struct ClientIngress {
    directory: Arc<RoomDirectory>,
    link: Arc<PlayerLink>,
    opened_at: Micros,
    goes_on: bool,
    state: IngressState,
    /// Passes the connection on to the room's worker, until the reader has taken it.
    migration: Option<Migration>,
    over_limit: OverLimit,
}

enum IngressState {
    /// The client has not said a valid `Hello` yet.
    AwaitingHello { url_room: Option<String> },
    /// The client said a valid `Hello`, and the join hook is asked whether it may join, or the room is looked for at other nodes.
    Pending {
        pending: Arc<PendingJoin>,
        room: String,
        inbox: Arc<Inbox>,
        /// What is in the inbox, as it came: another node may have to read it.
        unread: Vec<Vec<u8>>,
    },
    /// The client's join is with the room's worker, or done.
    InRoom(InRoom),
    /// The room is another node's, which reads the client's messages.
    Relayed(Arc<RelayedClient>),
    /// The connection has ended.
    Closed,
}

struct InRoom {
    inbox: Arc<Inbox>,
    tick_clock: TickClock,
}

impl ClientIngress {
    pub(super) fn new(
        directory: Arc<RoomDirectory>,
        connection: Arc<Connection>,
        url_room: Option<String>,
    ) -> Self {
        let link = Arc::new(PlayerLink::Local(connection));
        Self::relayed(directory, link, url_room, now(), false)
    }

    /// For a client over any link, whose connection was opened at `opened_at`. `goes_on`: it is in the room already, and does not know that the
    /// room changed its node.
    pub(crate) fn relayed(
        directory: Arc<RoomDirectory>,
        link: Arc<PlayerLink>,
        url_room: Option<String>,
        opened_at: Micros,
        goes_on: bool,
    ) -> Self {
        Self {
            directory,
            link,
            opened_at,
            goes_on,
            state: IngressState::AwaitingHello { url_room },
            migration: None,
            over_limit: OverLimit::default(),
        }
    }

    /// Handles the client's `Hello`, which came in `message`.
    fn hello(&mut self, mut hello: v1::Hello, message: &[u8]) -> Result<(), Close> {
        let IngressState::AwaitingHello { url_room } = &self.state else {
            return Err(Close::new(
                CloseCode::WrongOrder,
                "Hello comes once, at the start",
            ));
        };
        let url_room = url_room.clone();
        let reservation = std::mem::take(&mut hello.reservation);
        let (room, request) = self.check_hello(hello, url_room.as_deref())?;
        let max_message_bytes = self.directory.config.max_message_bytes;
        let inbox = Arc::new(Inbox::for_messages_of(max_message_bytes));
        // The hook's time is not the client's: from here on, the heartbeat finds clients that have gone.
        self.link.mark_hello_received();
        let newcomer = Newcomer {
            room: room.clone(),
            request,
            reservation,
            link: Arc::clone(&self.link),
            inbox: Arc::clone(&inbox),
        };
        if let Some(member) = &self.directory.member
            && !self.directory.is_here(&room)
        {
            if newcomer.request.resume_token.is_empty() {
                self.directory.count_join(newcomer.request.address)?;
            }
            let opening = Opening {
                peer: self.link.address(),
                url_room,
                opened_at_us: self.opened_at.0,
                hello: message.to_vec(),
                goes_on: self.goes_on,
            };
            let search = RoomSearch {
                directory: Arc::clone(&self.directory),
                member: Arc::clone(member),
                newcomer,
                opening,
            };
            let pending = search.begin();
            self.state = IngressState::Pending {
                pending,
                room,
                inbox,
                unread: Vec::new(),
            };
            return Ok(());
        }
        let mut ask = None;
        if let Some(caller) = self.directory.join_hook.clone() {
            let waiting = Waiting {
                directory: Arc::clone(&self.directory),
                newcomer: newcomer.clone(),
            };
            // Nobody is asked about a resume. Whether a token resumes a session is known to the room alone.
            if newcomer.request.resume_token.is_empty() || !self.directory.has_room(&room) {
                self.directory.count_join(newcomer.request.address)?;
                self.directory.check_claim(&newcomer)?;
                let pending = Arc::new(PendingJoin::default());
                caller.ask(waiting, &pending);
                self.state = IngressState::Pending {
                    pending,
                    room,
                    inbox,
                    unread: Vec::new(),
                };
                return Ok(());
            }
            ask = Some(caller.asking(waiting));
        }
        let handle = self.directory.send_to_room(newcomer, ask)?;
        self.enter(handle, room, inbox);
        Ok(())
    }

    /// The join is with the room's worker.
    fn enter(&mut self, handle: RoomHandle, room: String, inbox: Arc<Inbox>) {
        let tick_clock = handle.tick_clock;
        self.state = IngressState::InRoom(InRoom { inbox, tick_clock });
        // A worker reads once a tick; at a low tick rate, answers would be late.
        if tick_clock.tick_rate >= MIN_RATE_FOR_WORKER_READS {
            let directory = Arc::clone(&self.directory);
            self.migration = Some(Box::new(move |connection| {
                directory.adopt(&handle, room, connection);
            }));
        }
    }

    /// Where the client plays, if that was found out since it was asked.
    fn destination(&self) -> Option<Destination> {
        match &self.state {
            IngressState::Pending { pending, .. } => pending.destination(),
            IngressState::Relayed(client) => client.successor()?.pending.destination(),
            _ => None,
        }
    }

    /// Follows what was decided about the client, if it was.
    fn follow_verdict(&mut self) {
        // A room may have changed its node more than once since the client last said something.
        while self.follow_one_verdict() {}
    }

    /// Returns whether there may be more to follow.
    fn follow_one_verdict(&mut self) -> bool {
        if let IngressState::Relayed(client) = &self.state
            && let Some(successor) = client.successor()
        {
            let commands = client.take_commands();
            self.state = IngressState::Pending {
                pending: Arc::clone(&successor.pending),
                room: successor.room.clone(),
                inbox: Arc::clone(&successor.inbox),
                unread: Vec::new(),
            };
            for message in commands {
                if let Ok(v1::ClientMessage { body: Some(body) }) =
                    v1::ClientMessage::decode(&*message)
                {
                    // There are fewer than an inbox takes.
                    let _ = self.message_while_waiting(body, &message);
                }
            }
        }
        let Some(destination) = self.destination() else {
            return false;
        };
        let state = std::mem::replace(&mut self.state, IngressState::Closed);
        let IngressState::Pending {
            room,
            inbox,
            unread,
            ..
        } = state
        else {
            return false;
        };
        match destination {
            Destination::Room(handle) => {
                self.enter(handle, room, inbox);
                false
            }
            Destination::Relay(client) => {
                for message in &unread {
                    client.forward(message, false);
                }
                self.state = IngressState::Relayed(client);
                true
            }
        }
    }

    /// Handles a message of a client that is not in its room yet. What waits in the inbox is handled with the room's first tick.
    fn message_while_waiting(&mut self, body: Body, payload: &[u8]) -> Result<(), Close> {
        let IngressState::Pending {
            pending,
            inbox,
            unread,
            ..
        } = &mut self.state
        else {
            return Ok(());
        };
        let message = match body {
            Body::Chat(chat) => match ChatLine::new(&chat.text) {
                Some(line) => InboxMessage::Chat(line),
                None => return Ok(()),
            },
            Body::Command(v1::Command { number, payload }) => {
                InboxMessage::Command { number, payload }
            }
            Body::Leave(_) => {
                pending.end(inbox, DisconnectReason::Left);
                return Err(Close::new(CloseCode::Normal, "you left"));
            }
            // Without a room there are no ticks that inputs and clocks could be about.
            _ => return Ok(()),
        };
        if inbox.put(message) {
            if self.directory.member.is_some() {
                unread.push(payload.to_vec());
            }
            return Ok(());
        }
        Err(Close::new(
            CloseCode::Full,
            "more messages than a tick can take; connect again",
        ))
    }

    /// The address that the client's rooms, joins and waiting sessions count under.
    fn counted_address(&self) -> Option<IpAddr> {
        let share = self.directory.config.fair_share;
        share.counted(self.link.address().ip())
    }

    /// Validates a `Hello`. Returns the room's name and the request to join it.
    fn check_hello(
        &self,
        hello: v1::Hello,
        url_room: Option<&str>,
    ) -> Result<(String, JoinRequest), Close> {
        self.refuse_banned(None)?;
        let unsupported = |reason: String| Close::new(CloseCode::Unsupported, reason);
        if hello.version != tickwire_proto::VERSION {
            return Err(unsupported(format!(
                "unsupported protocol version {}; use {}",
                hello.version,
                tickwire_proto::VERSION
            )));
        }
        let room = match (url_room, hello.room.as_str()) {
            (Some(url), "") => url,
            (Some(url), named) if url != named => {
                return Err(unsupported(
                    "Hello names another room than the URL".to_owned(),
                ));
            }
            (_, "") => DEFAULT_ROOM,
            (_, named) => named,
        };
        if !tickwire_proto::is_room_name(room) {
            return Err(unsupported(
                "a room's name is 1 to 32 letters, digits, - or _".to_owned(),
            ));
        }
        let encoding = Encoding::negotiate(hello.encoding());
        let mut request = JoinRequest {
            name: hello.name,
            is_name_vouched: false,
            subject: None,
            ticket_ends: None,
            address: self.counted_address(),
            peer: Some(self.link.address().ip()),
            opened_at: self.opened_at,
            resume_token: hello.resume_token,
            last_message: hello.last_message,
            map: KnownMap {
                takes_parts: hello.map_parts,
                id: hello.map_id,
                bytes: hello.map_offset,
            },
            takes_cell_parts: hello.cell_parts,
            encoding,
            is_spectator: hello.spectate,
            goes_on: self.goes_on,
        };
        let config = &self.directory.config;
        if let Some(keys) = &config.ticket_keys {
            let ticket = ticket::check(keys, &hello.ticket, room)
                .map_err(|error| Close::new(CloseCode::Policy, error.to_string()))?;
            self.refuse_banned(Some(&ticket.subject))?;
            request.is_name_vouched = ticket.name.is_some();
            request.name = ticket.name.unwrap_or(request.name);
            request.subject = Some(ticket.subject);
            let ends_in = ticket.ends_in.saturating_add(config.ticket_grace);
            request.ticket_ends = Some(now().plus(Micros(ends_in.as_micros() as u64)));
        }
        Ok((room.to_owned(), request))
    }

    /// Keeps out a player whose subject or address is banned.
    fn refuse_banned(&self, subject: Option<&str>) -> Result<(), Close> {
        let address = self.link.address().ip();
        let RoomDirectory {
            config, metrics, ..
        } = &*self.directory;
        match config.moderation.ban_of(subject, Some(address)) {
            None => Ok(()),
            Some(sentence) => {
                metrics.moderation.get(ModerationEvent::BannedJoin).inc();
                Err(Close::unwanted(DisconnectReason::Banned, sentence))
            }
        }
    }

    fn put_input(&self, in_room: &InRoom, input: ReceivedInput) {
        if !in_room.inbox.put(InboxMessage::Input(input)) {
            self.count_rejected_input();
        }
    }

    fn count_rejected_input(&self) {
        let inputs = &self.directory.metrics.inputs;
        inputs.get(InputOutcome::Rejected).inc();
    }

    fn pong(&self, in_room: &InRoom, ping: &v1::Ping, arrived: Instant) {
        let now = now();
        let tick = in_room.tick_clock.ticks_at(now.0 as f64).max(0.0) as u32;
        let pong = v1::Pong {
            stamp: ping.stamp,
            clock_us: now.0,
            tick,
            held_us: now.since(clock::at(arrived)).0 as u32,
        };
        let message = v1::ServerMessage {
            body: Some(server_message::Body::Pong(pong)),
        };
        self.link.send(&message.encode_to_vec());
    }
}

impl Handler for ClientIngress {
    fn prefetch(&self) {
        if let IngressState::InRoom(in_room) = &self.state {
            tickwire_prefetch::value(&*in_room.inbox);
        }
    }

    fn message(
        &mut self,
        payload: &[u8],
        arrived: Instant,
        is_over_limit: bool,
    ) -> Result<(), Close> {
        self.follow_verdict();
        if !self.over_limit.decodes(payload, is_over_limit)? {
            return Ok(());
        }
        if let IngressState::Relayed(client) = &self.state {
            client.forward(payload, is_over_limit);
            return Ok(());
        }
        if let IngressState::InRoom(in_room) = &self.state
            && let Some(input) = ReceivedInput::decode(payload, clock::at(arrived))
        {
            self.put_input(in_room, input);
            return Ok(());
        }
        let message = v1::ClientMessage::decode(payload).map_err(|_| {
            Close::new(
                CloseCode::Malformed,
                "not a valid ClientMessage; see docs/PROTOCOL.md",
            )
        })?;
        // A kind of message that a later version has added is no mistake.
        let Some(body) = message.body else {
            return Ok(());
        };
        let in_room = match &self.state {
            IngressState::InRoom(in_room) => in_room,
            IngressState::AwaitingHello { .. } => {
                return match body {
                    Body::Hello(hello) => self.hello(hello, payload),
                    _ => Err(Close::new(CloseCode::WrongOrder, "say Hello first")),
                };
            }
            IngressState::Pending { .. } => {
                return match body {
                    Body::Hello(hello) => self.hello(hello, payload),
                    body => self.message_while_waiting(body, payload),
                };
            }
            IngressState::Relayed(_) | IngressState::Closed => return Ok(()),
        };
        let was_put = match body {
            Body::Hello(hello) => return self.hello(hello, payload),
            Body::Inputs(inputs) => {
                match ReceivedInput::new(&inputs, clock::at(arrived)) {
                    Some(input) => self.put_input(in_room, input),
                    None => self.count_rejected_input(),
                }
                true
            }
            Body::Chat(chat) => ChatLine::new(&chat.text)
                .is_none_or(|line| in_room.inbox.put(InboxMessage::Chat(line))),
            Body::Command(command) => {
                let (number, payload) = (command.number, command.payload);
                if !in_room.inbox.put(InboxMessage::Command { number, payload }) {
                    // The client sends the command again over its next connection, and later ones must not overtake it.
                    return Err(Close::new(
                        CloseCode::Full,
                        "more messages than a tick can take; connect again",
                    ));
                }
                true
            }
            Body::Resync(resync) => in_room.inbox.put(InboxMessage::Resync {
                view_mismatch: resync.view_mismatch,
            }),
            Body::Leave(leave) => {
                // Many clients end the stream right after this, without the closing handshake.
                self.link.set_disconnect_reason(DisconnectReason::Left);
                let grace = Duration::from_millis(leave.grace_ms.into());
                in_room.inbox.put(InboxMessage::Leave { grace })
            }
            Body::Ping(_) if is_over_limit => true,
            Body::Ping(ping) => {
                self.pong(in_room, &ping, arrived);
                true
            }
        };
        if !was_put {
            tracing::debug!(
                peer = %self.link.address(),
                "more messages than a tick can take; one was dropped"
            );
        }
        Ok(())
    }

    fn wants_migration(&self) -> bool {
        let goes_to_worker = |destination| match destination {
            Destination::Room(handle) => handle.tick_clock.tick_rate >= MIN_RATE_FOR_WORKER_READS,
            // Its messages that wait are passed on with its next one, if not now.
            Destination::Relay(_) => false,
        };
        self.migration.is_some() || self.destination().is_some_and(goes_to_worker)
    }

    fn take_migration(&mut self) -> Option<Migration> {
        self.follow_verdict();
        self.migration.take()
    }

    fn flood_warning(&mut self) {
        let notice = v1::Notice {
            text: "you send more messages than anyone needs; slow down or be disconnected"
                .to_owned(),
        };
        let message = v1::ServerMessage {
            body: Some(server_message::Body::Notice(notice)),
        };
        self.link.send(&message.encode_to_vec());
    }

    fn closed(&mut self, why: DisconnectReason) {
        self.follow_verdict();
        let state = std::mem::replace(&mut self.state, IngressState::Closed);
        match state {
            IngressState::InRoom(in_room) => {
                in_room.inbox.put(InboxMessage::ConnectionClosed(why));
            }
            IngressState::Pending { pending, inbox, .. } => pending.end(&inbox, why),
            IngressState::Relayed(client) => client.shut(why),
            IngressState::AwaitingHello { .. } | IngressState::Closed => {}
        }
    }
}
