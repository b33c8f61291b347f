//! Connections: opened, filled with packets, broken, and ended on either side at its own time.
//!
//! In: what clients and the room send. Out: packets, delivered by the line's rules. Nothing here looks into messages, but for the hash
//! of all traffic.

use super::World;
use super::events::Event;
use crate::ingress::{Answer, Ingress};
use crate::invariants::{InTransit, SentSnapshot};
use crate::model::Peer;
use crate::network::{Line, LinkEnd, Packet, Received, SimLink, Wire};
use prost::Message as _;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use tickwire_client::LinkId;
use tickwire_proto::CloseCode;
use tickwire_proto::v1::{self, server_message::Body};
use tickwire_server::internals::{Close, DisconnectReason, Link as _};
use tickwire_sync::encode::HeaderDecoder;
use tickwire_sync::{Micros, PlayerId};

/// How long the server waits for `Hello`.
const HELLO_TIMEOUT: Micros = Micros::from_millis(10_000);
/// How long the server waits for an answer to its pings.
const PONG_TIMEOUT: Micros = Micros::from_millis(40_000);
const SECOND: Micros = Micros::from_millis(1_000);

/// The number of a connection; never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnectionId(pub u64);

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub peer: Peer,
    /// The client of its player that opened it, and the client's own number of it.
    pub generation: u32,
    pub link_id: LinkId,
    /// The server's end.
    pub link: Arc<SimLink>,
    pub ingress: Ingress,
    pub down: Wire,
    pub up: Wire,
    /// The room that it is to.
    pub room: u32,
    /// The session that it is in.
    pub player: Option<PlayerId>,
    pub is_open: bool,
    /// Nothing arrives any more, on either side.
    pub is_broken: bool,
    /// The client has closed it, or knows that it has ended.
    pub client_is_done: bool,
    /// The end of the link was noticed, and its consequences are planned.
    end_is_planned: bool,
    opened_at: Micros,
    heard_at: Micros,
    /// What was sent and not yet received, and what was received last.
    pub sent: VecDeque<SentSnapshot>,
    pub applied: Option<SentSnapshot>,
    /// The entities on their way to a cell that the client was not sent yet.
    pub transit: InTransit,
    pub headers: HeaderDecoder,
    pub is_packed: bool,
    /// Whether its client said that it takes cells in parts.
    pub takes_parts: bool,
}

impl World {
    /// A peer opens a connection. Returns its number.
    pub(super) fn open(&mut self, peer: Peer, generation: u32, link_id: LinkId) -> ConnectionId {
        self.newest_connection += 1;
        let id = ConnectionId(self.newest_connection);
        let capacity = [4_096, 16_384, 65_536, 262_144][self.random.usize(0..4)];
        let address = match peer {
            Peer::Honest(index) => Ipv4Addr::new(198, 51, 100, index as u8),
            Peer::Hostile(index) => Ipv4Addr::new(203, 0, 113, index as u8),
        };
        let knows_parts = match peer {
            Peer::Honest(index) => self.players[index].knows_parts,
            Peer::Hostile(_) => true,
        };
        let connection = Connection {
            peer,
            generation,
            link_id,
            link: Arc::new(SimLink::new(capacity)),
            ingress: Ingress::new(
                IpAddr::V4(address),
                knows_parts,
                self.plan.tick_rate,
                self.now,
            ),
            down: Wire::down(),
            up: Wire::up(),
            room: self.server.room_number(),
            player: None,
            is_open: false,
            is_broken: false,
            client_is_done: false,
            end_is_planned: false,
            opened_at: self.now,
            heard_at: self.now,
            sent: VecDeque::new(),
            applied: None,
            transit: InTransit::default(),
            headers: HeaderDecoder::default(),
            is_packed: false,
            takes_parts: false,
        };
        self.connections.insert(id, connection);
        let round_trip = Micros(2 * self.line(peer).latency().0);
        let at = self.now.plus(round_trip).plus(Micros(1));
        self.events.plan(at, Event::Opened(id));
        id
    }

    pub(super) fn line(&mut self, peer: Peer) -> &mut Line {
        match peer {
            Peer::Honest(index) => &mut self.players[index].line,
            Peer::Hostile(_) => &mut self.server.local_line,
        }
    }

    /// A connection attempt reaches the server.
    pub(super) fn opened(&mut self, id: ConnectionId) {
        let now = self.now;
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let (peer, is_done) = (connection.peer, connection.client_is_done);
        if is_done {
            // The client has given the attempt up.
            self.connections.remove(&id);
            return;
        }
        let held = self.line(peer).blocked_until(now);
        if let Some(until) = held {
            // TCP tries again.
            let at = until.plus(Micros(self.random.u64(1..1_000_000)));
            self.events.plan(at, Event::Opened(id));
            return;
        }
        let is_up = self.server.is_up();
        let room = self.server.room_number();
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.is_open = is_up;
            connection.room = room;
            connection.opened_at = now;
            connection.ingress.opened(now);
            connection.heard_at = now;
        }
        if is_up {
            self.events.plan(now.plus(SECOND), Event::Second(id));
            self.client_opened(id);
        } else {
            self.trace
                .add(now, Some(peer), "connection refused", [id.0, 0]);
            self.tell_client(id);
        }
    }

    /// A client sends a packet.
    pub(super) fn send_up(&mut self, id: ConnectionId, packet: Packet) {
        if let Packet::Message(message) = &packet {
            self.hash_message(id, true, message);
        }
        let now = self.now;
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.is_broken || !connection.is_open {
            return;
        }
        let line = match connection.peer {
            Peer::Honest(index) => &mut self.players[index].line,
            Peer::Hostile(_) => &mut self.server.local_line,
        };
        let at = connection.up.send(line, now, packet);
        self.events.plan(at, Event::Up(id));
    }

    /// Puts on the wire what the room has sent, and notices links that it has ended.
    pub(super) fn flush(&mut self, id: ConnectionId) {
        let now = self.now;
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let packets = connection.link.take_outgoing();
        let (peer, is_broken) = (connection.peer, connection.is_broken);
        let end = connection.link.end().filter(|_| !connection.end_is_planned);
        for packet in packets {
            if let Packet::Message(message) = &packet {
                self.hash_message(id, false, message);
            }
            if is_broken {
                continue;
            }
            let line = match peer {
                Peer::Honest(index) => &mut self.players[index].line,
                Peer::Hostile(_) => &mut self.server.local_line,
            };
            if let Some(connection) = self.connections.get_mut(&id) {
                let at = connection.down.send(line, now, packet);
                self.events.plan(at, Event::Down(id));
            }
        }
        let Some(end) = end else { return };
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.end_is_planned = true;
        }
        match end {
            LinkEnd::Closed(code) => {
                self.trace.add(
                    now,
                    Some(peer),
                    "the server closes",
                    [id.0, code.number().into()],
                );
                // The peer answers, or the server's patience ends.
                let patience = Micros(self.random.u64(1..5_000_000));
                self.events.plan(now.plus(patience), Event::TellServer(id));
            }
            LinkEnd::TooSlow => {
                self.trace
                    .add(now, Some(peer), "reads too slowly", [id.0, 0]);
                self.break_connection(id, Some(Micros(1)), Some(Micros(50_000)));
            }
        }
    }

    pub(super) fn flush_all(&mut self) {
        let ids: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for id in ids {
            self.flush(id);
        }
    }

    /// Nothing arrives any more over a connection. Each side learns of it after its time, or never by the network.
    pub(super) fn break_connection(
        &mut self,
        id: ConnectionId,
        server_after: Option<Micros>,
        client_after: Option<Micros>,
    ) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.is_broken = true;
        connection.up.clear();
        connection.down.clear();
        let told = [
            (server_after, Event::TellServer(id)),
            (client_after, Event::TellClient(id)),
        ];
        for (after, event) in told {
            if let Some(after) = after {
                self.events.plan(self.now.plus(after), event);
            }
        }
    }

    /// The server learns that a connection has ended.
    pub(super) fn tell_server(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if !connection.ingress.is_closed() {
            let peer = connection.peer;
            let reason = connection.link.reason();
            connection.ingress.closed(reason);
            self.trace
                .add(self.now, Some(peer), "the server knows the end", [id.0, 0]);
        }
        self.forget(id);
    }

    /// The client learns that a connection has ended without a close frame.
    pub(super) fn tell_client(&mut self, id: ConnectionId) {
        self.client_closed(id, None, "");
    }

    /// Forgets a connection that both sides have done with.
    pub(super) fn forget(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get(&id)
            && connection.client_is_done
            && (connection.ingress.is_closed() || !connection.is_open)
        {
            self.connections.remove(&id);
        }
    }

    /// Delivers to the client what has arrived.
    pub(super) fn deliver_down(&mut self, id: ConnectionId) {
        loop {
            let now = self.now;
            let Some(connection) = self.connections.get_mut(&id) else {
                return;
            };
            let line = match connection.peer {
                Peer::Honest(index) => &self.players[index].line,
                Peer::Hostile(_) => &self.server.local_line,
            };
            let packet = match connection.down.receive(line, now) {
                Received::Packet(packet) => packet,
                Received::HeldUntil(until) => {
                    let at = until.plus(Micros(self.random.u64(1..300_000)));
                    connection.down.resend_at(at);
                    self.events.plan(at, Event::Down(id));
                    return;
                }
                Received::Nothing => return,
            };
            connection.link.on_read(packet.len());
            self.flush(id);
            match packet {
                Packet::Message(message) => self.client_received(id, &message),
                Packet::Ping(sent) => self.send_up(id, Packet::Ping(sent)),
                Packet::Close(code, reason) => self.client_closed(id, Some(code), &reason),
            }
        }
    }

    /// Delivers to the server what has arrived.
    pub(super) fn deliver_up(&mut self, id: ConnectionId) {
        loop {
            let now = self.now;
            let Some(connection) = self.connections.get_mut(&id) else {
                return;
            };
            let line = match connection.peer {
                Peer::Honest(index) => &self.players[index].line,
                Peer::Hostile(_) => &self.server.local_line,
            };
            let packet = match connection.up.receive(line, now) {
                Received::Packet(packet) => packet,
                Received::HeldUntil(until) => {
                    let at = until.plus(Micros(self.random.u64(1..300_000)));
                    connection.up.resend_at(at);
                    self.events.plan(at, Event::Up(id));
                    return;
                }
                Received::Nothing => return,
            };
            connection.heard_at = now;
            match packet {
                Packet::Ping(sent) => connection.link.pong(sent, now),
                Packet::Close(..) => {
                    connection.ingress.closed(DisconnectReason::Left);
                    self.forget(id);
                }
                Packet::Message(message) if connection.link.end().is_none() => {
                    let answer = connection.ingress.message(&message, now);
                    self.answer(id, answer);
                }
                Packet::Message(_) => {}
            }
        }
    }

    fn answer(&mut self, id: ConnectionId, answer: Answer) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        match answer {
            Answer::Nothing => return,
            Answer::Join(request) => {
                self.join(id, &request);
                return;
            }
            Answer::Pong(stamp) => {
                let pong = v1::Pong {
                    stamp,
                    clock_us: self.now.0,
                    held_us: 0,
                    tick: self.server.tick_now().0,
                };
                connection.link.send(&encode(Body::Pong(pong)));
            }
            Answer::Warn => {
                let text = "slow down".to_owned();
                connection
                    .link
                    .send(&encode(Body::Notice(v1::Notice { text })));
            }
            Answer::Close(close) => connection.link.close(&close),
        }
        self.flush(id);
    }

    /// Pings a client, and ends connections whose client says nothing.
    pub(super) fn second_has_passed(&mut self, id: ConnectionId) {
        let now = self.now;
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.ingress.is_closed() {
            return;
        }
        if now.since(connection.heard_at) > PONG_TIMEOUT {
            let close = Close::new(CloseCode::HeartbeatTimeout, "no pong");
            connection.link.close(&close);
        } else if !connection.ingress.has_joined()
            && now.since(connection.opened_at) > HELLO_TIMEOUT
        {
            let close = Close::new(CloseCode::HandshakeTimeout, "no Hello");
            connection.link.close(&close);
        } else {
            connection.link.ping(now);
        }
        self.flush(id);
        self.events.plan(now.plus(SECOND), Event::Second(id));
    }
}

fn encode(body: Body) -> Vec<u8> {
    v1::ServerMessage { body: Some(body) }.encode_to_vec()
}
