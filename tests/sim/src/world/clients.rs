//! Honest players: their clients are stepped, and what they receive is compared with what the server sent.

use super::World;
use super::connections::ConnectionId;
use super::events::Event;
use crate::invariants::{
    SentSnapshot, Verdict, entities_in_transit_stay_visible, events_reach_their_audience_once,
    global_coins_conserve, letters_come_once_in_order, private_lanes_are_the_owners,
    replica_equals_view, visible_rows_are_the_newest,
};
use crate::model::{Letter, Peer, SessionKey};
use crate::network::Packet;
use prost::Message as _;
use tickwire_client::{Action, Phase, SessionEvent};
use tickwire_proto::v1::{self, server_message::Body};
use tickwire_sync::client::ReceivedEvent;
use tickwire_sync::{CellId, Micros, PlayerId};

/// The most that a timer wakes a client too late, in microseconds.
const TIMER_SLOP_US: u64 = 1_000;
/// Every so many snapshots the visible rows are compared where cells go in parts.
const PARTS_CHECK_INTERVAL: u64 = 4;
/// Every so many snapshots all rows of a replica are compared, not only those of the cells that were sent.
const FULL_CHECK_INTERVAL: u64 = 16;

impl World {
    pub(super) fn wake_player(&mut self, player: usize, at: Micros) {
        let one = &mut self.players[player];
        one.wakes += 1;
        let number = one.wakes;
        self.events
            .plan(at.max(self.now), Event::Wake { player, number });
    }

    /// The connection of a client, unless the client was replaced since.
    fn client_of(&self, id: ConnectionId) -> Option<(usize, tickwire_client::LinkId)> {
        let connection = self.connections.get(&id)?;
        match connection.peer {
            Peer::Honest(player)
                if self.players[player].generation == connection.generation
                    && !connection.client_is_done =>
            {
                Some((player, connection.link_id))
            }
            Peer::Honest(_) | Peer::Hostile(_) => None,
        }
    }

    pub(super) fn client_opened(&mut self, id: ConnectionId) {
        if let Some(Peer::Hostile(hostile)) = self.connections.get(&id).map(|one| one.peer) {
            self.hostile_is_connected(hostile, id);
            return;
        }
        let Some((player, link)) = self.client_of(id) else {
            return;
        };
        self.trace
            .add(self.now, Some(Peer::Honest(player)), "connected", [id.0, 0]);
        let at = self.players[player].clock(self.now);
        self.players[player].client.opened(link, at);
        self.step_player(player);
    }

    pub(super) fn client_closed(&mut self, id: ConnectionId, code: Option<u16>, reason: &str) {
        let client = self.client_of(id);
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if std::mem::replace(&mut connection.client_is_done, true) {
            return;
        }
        let peer = connection.peer;
        let code_number = u64::from(code.unwrap_or(0));
        self.trace.add(
            self.now,
            Some(peer),
            "sees the end (code)",
            [id.0, code_number],
        );
        if code.is_some() {
            // The answer, or the end of the stream.
            self.send_up(id, Packet::Close(1000, String::new()));
        }
        if let Some((player, link)) = client {
            let one = &mut self.players[player];
            let at = one.clock(self.now);
            one.links.retain(|(_, connection)| *connection != id);
            one.client.closed(link, code, reason, at);
            self.step_player(player);
        }
        self.forget(id);
    }

    /// Lets a player do what is due, and plans when the player is next woken.
    pub(super) fn step_player(&mut self, player: usize) {
        let now = self.now;
        if let Some(returns_at) = self.players[player].returns_at {
            if returns_at > now {
                self.wake_player(player, returns_at);
                return;
            }
            self.players[player].returns_at = None;
            self.players[player].session = None;
            self.abandon_links(player, true);
            self.players[player].reload(false, now);
        }
        let made = self.players[player].step(now);
        let key = self.players[player].session;
        if let Some(model) = key.and_then(|key| self.models.get_mut(&key)) {
            for input in made.inputs {
                model.remember(input);
            }
            for number in made.commands {
                model.given_command = number;
            }
        }
        self.carry_out(player);
        self.take_events(player, None);
        let is_closed = match self.players[player].client.phase() {
            Phase::Closed { code, reason } => {
                Some(format!("the client was shut out: {code} {reason}"))
            }
            Phase::Connecting | Phase::Playing | Phase::Reconnecting => None,
        };
        if let Some(message) = is_closed
            && self.players[player].returns_at.is_none()
        {
            self.fail(
                "honest_clients_are_never_shut_out",
                key,
                Some(Peer::Honest(player)),
                message,
            );
            return;
        }
        let one = &self.players[player];
        let at = one.clock(now);
        let slop = self.random.u64(1..TIMER_SLOP_US);
        let wake = now
            .plus(one.client.wake_at(at).since(at))
            .plus(Micros(slop));
        self.wake_player(player, one.returns_at.map_or(wake, |at| at.max(now)));
    }

    /// Carries out what a client wants of its sockets.
    pub(super) fn carry_out(&mut self, player: usize) {
        while let Some(action) = self.players[player].client.next_action() {
            let find = |world: &Self, link| {
                let links = &world.players[player].links;
                links
                    .iter()
                    .find(|(one, _)| *one == link)
                    .map(|(_, id)| *id)
            };
            match action {
                Action::Open(link) => {
                    let generation = self.players[player].generation;
                    let id = self.open(Peer::Honest(player), generation, link);
                    self.players[player].links.push((link, id));
                }
                Action::Send(link, message) => {
                    if let Some(id) = find(self, link) {
                        self.send_up(id, Packet::Message(message));
                    }
                }
                Action::Close(link) => {
                    if let Some(id) = find(self, link) {
                        self.close_by_client(id);
                        self.players[player].links.retain(|(_, one)| *one != id);
                    }
                }
            }
        }
    }

    fn close_by_client(&mut self, id: ConnectionId) {
        self.send_up(id, Packet::Close(1000, String::new()));
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.client_is_done = true;
            self.trace
                .add(self.now, Some(connection.peer), "gives up", [id.0, 0]);
        }
        self.forget(id);
    }

    /// A client is gone, with or without the farewell of its sockets.
    pub(super) fn abandon_links(&mut self, player: usize, says_so: bool) {
        for (_, id) in std::mem::take(&mut self.players[player].links) {
            if says_so {
                self.close_by_client(id);
            } else {
                let after = Micros(self.random.u64(1..3_000_000));
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.client_is_done = true;
                }
                self.break_connection(id, Some(after), None);
                self.forget(id);
            }
        }
    }

    /// A message arrives at a client.
    pub(super) fn client_received(&mut self, id: ConnectionId, message: &[u8]) {
        let snapshot = self.tap(id, message);
        let Some((player, link)) = self.client_of(id) else {
            return;
        };
        let one = &mut self.players[player];
        let before = one.client.counters();
        let at = one.clock(self.now);
        one.client.received(link, message, at);
        let after = one.client.counters();
        let key = self.connections.get(&id).and_then(|connection| {
            let player = connection.player?;
            Some(SessionKey {
                room: connection.room,
                player,
            })
        });
        if after.protocol_errors + after.view_mismatches
            != before.protocol_errors + before.view_mismatches
        {
            let message = format!("the client could not apply a message: {after:?}");
            self.check("every_message_can_be_applied", key, Err(message));
            return;
        }
        if let Some(sent) = snapshot
            && after.snapshots > before.snapshots
        {
            self.outcome.snapshots += 1;
            self.snapshot_applied(player, id, key, &sent);
        } else {
            self.take_events(player, key);
        }
        if self.failure.is_none() {
            self.step_player(player);
        }
    }

    /// Looks at a message on its way to a client. Returns what the server noted when it sent it, if it is a snapshot.
    fn tap(&mut self, id: ConnectionId, message: &[u8]) -> Option<SentSnapshot> {
        let connection = self.connections.get_mut(&id)?;
        if !matches!(connection.peer, Peer::Honest(_)) || message.first() != Some(&0x0A) {
            return None;
        }
        let Ok(v1::ServerMessage {
            body: Some(Body::Snapshot(mut snapshot)),
        }) = v1::ServerMessage::decode(message)
        else {
            return None;
        };
        if connection.is_packed {
            connection.headers.decode(&mut snapshot);
        }
        let sent = connection.sent.pop_front();
        let key = connection.player.map(|player| SessionKey {
            room: connection.room,
            player,
        });
        let Some(mut sent) = sent.filter(|sent| sent.tick.0 == snapshot.tick) else {
            let message = format!(
                "a snapshot of tick {} arrived that was not sent then",
                snapshot.tick
            );
            self.check("replica_equals_view", key, Err(message));
            return None;
        };
        self.outcome.parts.count_told(&snapshot.cell_parts);
        sent.is_full = snapshot.full_snapshot;
        sent.added = snapshot.added_cells.iter().copied().map(CellId).collect();
        if sent.is_full {
            let numbers = [u64::from(snapshot.tick), message.len() as u64];
            let peer = connection.peer;
            self.trace
                .add(self.now, Some(peer), "full snapshot (tick, bytes)", numbers);
        }
        let verdict = private_lanes_are_the_owners(&snapshot, &sent);
        self.check("private_lanes_are_the_owners", key, verdict);
        Some(sent)
    }

    fn snapshot_applied(
        &mut self,
        player: usize,
        id: ConnectionId,
        key: Option<SessionKey>,
        sent: &SentSnapshot,
    ) {
        let room = self
            .connections
            .get(&id)
            .map_or(0, |connection| connection.room);
        let number = self.outcome.snapshots;
        let checks_all = number.is_multiple_of(FULL_CHECK_INTERVAL);
        let checks_visible =
            checks_all || (!sent.parted.is_empty() && number.is_multiple_of(PARTS_CHECK_INTERVAL));
        if let Some(replica) = self.players[player].client.replica() {
            let frame_of = |tick| self.server.frame(room, tick);
            let verdict = replica_equals_view(replica, sent, checks_all, frame_of);
            let coins = global_coins_conserve(replica, sent);
            let visible = match frame_of(sent.tick).filter(|_| checks_visible) {
                Some(frame) => visible_rows_are_the_newest(replica, sent, frame),
                None => Ok(()),
            };
            self.check("replica_equals_view", key, verdict);
            self.check("visible_rows_are_the_newest", key, visible);
            self.check("global_coins_conserve", key, coins);
        }
        let events = self.take_events(player, key);
        self.outcome.events += events.len() as u64;
        let before = self
            .connections
            .get_mut(&id)
            .and_then(|connection| connection.applied.replace(sent.clone()));
        if let Some(replica) = self.players[player].client.replica()
            && let Some(connection) = self.connections.get_mut(&id)
        {
            let frame_of = |tick| self.server.frame(room, tick);
            if let Some(before) = &before {
                let grid = &replica.schema().grid;
                (self.outcome.parts).count_apart(grid, before.tick, sent, frame_of);
            }
            let transit = &mut connection.transit;
            let verdict =
                entities_in_transit_stay_visible(transit, replica, before.as_ref(), sent, frame_of);
            self.check("entities_in_transit_stay_visible", key, verdict);
        }
        let verdict = match key.and_then(|key| self.models.get_mut(&key)) {
            Some(model) => {
                events_reach_their_audience_once(model, &events, before.as_ref(), sent, |tick| {
                    self.server.frame(room, tick)
                })
            }
            None => Ok(()),
        };
        self.check("events_reach_their_audience_once", key, verdict);
    }

    /// Takes what a client tells its screen. Returns the events of the game.
    fn take_events(&mut self, player: usize, key: Option<SessionKey>) -> Vec<ReceivedEvent> {
        let mut events = Vec::new();
        while let Some(event) = self.players[player].client.next_event() {
            match event {
                SessionEvent::GameEvent(event) => events.push(event),
                SessionEvent::Chat { from, text, .. } => {
                    let from = PlayerId(from);
                    self.letter(player, &Letter::Chat { from, text });
                }
                SessionEvent::GameMessage(payload) => self.letter(player, &Letter::Note(payload)),
                SessionEvent::Joined { resumed } => {
                    let numbers = [key.map_or(0, |key| u64::from(key.player.0)), resumed.into()];
                    self.trace.add(
                        self.now,
                        Some(Peer::Honest(player)),
                        "is in (session, resumed)",
                        numbers,
                    );
                    let is_same = self.players[player].session == key;
                    if resumed && self.players[player].session.is_some() && !is_same {
                        let message = "a client resumed a session that is not its own".to_owned();
                        self.check("nobody_takes_a_session_over", key, Err(message));
                    }
                    self.players[player].session = key;
                }
                SessionEvent::Notice(_) | SessionEvent::Prediction { .. } => {}
            }
        }
        events
    }

    fn letter(&mut self, player: usize, letter: &Letter) {
        let key = self.players[player].session;
        self.outcome.letters += 1;
        let verdict: Verdict = match key.and_then(|key| self.models.get_mut(&key)) {
            Some(model) => letters_come_once_in_order(model, letter),
            None => Err(format!("{letter:?} came to a client that is in no room")),
        };
        self.check("letters_come_once_in_order", key, verdict);
    }
}
