//! The server's messages: joining, snapshots, chat and clock samples.
//!
//! In: messages of one link. Out: the replica, the clocks and the prediction brought up to date, and events for the screen.
//! Never acts on world or chat messages of a link that has not joined.

use super::clocks::PingSchedule;
use super::link_set::{LinkId, LinkState};
use super::map_download::WaitingWelcome;
use super::{Client, Commands, Phase, Session, SessionEvent};
use crate::prediction::{PredictedState, Surroundings};
use prost::Message as _;
use std::ops::RangeInclusive;
use std::sync::Arc;
use tickwire_proto::CloseCode;
use tickwire_proto::v1::{self, client_message, server_message};
use tickwire_sync::client::{ApplyOutcome, Replica};
use tickwire_sync::{EntityId, Micros, Schema, Tick, TickClock};

/// Why the session ends if the schema, the tick rate or the map is none that a client can have.
const UNUSABLE_ROOM: &str = "the server's room cannot be used by this client";
/// Ticks per second that a room may have.
const TICK_RATES: RangeInclusive<u32> = 1..=240;
/// The largest map: a server that names a larger one would have the client keep it.
const MAX_MAP_BYTES: u32 = 64 << 20;

impl Client {
    /// Takes a message that arrived on a socket.
    pub fn received(&mut self, id: LinkId, message: &[u8], now: Micros) {
        let now = self.session_time(now);
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        link.last_heard = now;
        let is_joined = link.is_joined();
        self.counters.bytes_in += message.len() as u64;
        let Ok(v1::ServerMessage { body: Some(body) }) = v1::ServerMessage::decode(message) else {
            self.counters.protocol_errors += 1;
            return;
        };
        match body {
            server_message::Body::Welcome(welcome) => self.take_welcome(id, welcome, now),
            server_message::Body::MapPart(part) => {
                if let Some(complete) = self.map.part(id, &part.bytes) {
                    self.welcome(complete, now);
                }
            }
            server_message::Body::Snapshot(snapshot) if is_joined => self.snapshot(snapshot, now),
            server_message::Body::Codebooks(codebooks) if is_joined => {
                self.update_codebooks(&codebooks);
            }
            server_message::Body::Pong(pong) if is_joined => self.pong(&pong, now),
            server_message::Body::Message(message) if is_joined => self.message(message),
            server_message::Body::Notice(notice) => {
                self.counters.notices += 1;
                self.events.push_back(SessionEvent::Notice(notice.text));
            }
            server_message::Body::Goodbye(goodbye) => {
                // `closed`, which follows, keeps a retry that is already set.
                let pause = Micros::from_millis(u64::from(goodbye.reconnect_after_ms));
                self.links.retry_after_pause(now.plus(pause));
                self.links.last_error = goodbye.reason;
            }
            // A heartbeat is only a sign of life. World and chat messages do not count before the link has joined.
            _ => {}
        }
    }

    /// Takes a `Welcome`, whose map may come in parts after it.
    fn take_welcome(&mut self, id: LinkId, welcome: v1::Welcome, now: Micros) {
        if !(self.links.get_mut(id)).is_some_and(|link| link.is_joining()) {
            return;
        }
        if !TICK_RATES.contains(&welcome.tick_rate) || welcome.map_bytes > MAX_MAP_BYTES {
            self.counters.protocol_errors += 1;
            self.finish(CloseCode::Unsupported, UNUSABLE_ROOM);
            return;
        }
        match &mut self.session {
            // If this link breaks, the next one goes on with the same session.
            Some(session) if welcome.resumed => {
                session.resume_token.clone_from(&welcome.resume_token);
            }
            Some(_) => {}
            None => self.first_token.clone_from(&welcome.resume_token),
        }
        if let Some(complete) = self.map.begin(id, welcome, now) {
            self.welcome(complete, now);
        }
    }

    fn welcome(&mut self, complete: WaitingWelcome, now: Micros) {
        let WaitingWelcome {
            link: id,
            welcome,
            arrived,
        } = complete;
        let state = self.links.get_mut(id).map(|link| link.state);
        let Some(LinkState::Joining { since }) = state else {
            return;
        };
        let schema = welcome.schema.as_ref().map(Schema::from_proto);
        let Some(Ok(schema)) = schema else {
            self.counters.protocol_errors += 1;
            self.finish(CloseCode::Unsupported, UNUSABLE_ROOM);
            return;
        };
        self.close_others(id);
        for link in &mut self.links.all {
            link.state = LinkState::Joined;
        }
        self.links.retry_at = None;
        self.links.last_error.clear();
        self.links.backoff.reset();
        let had_session = self.session.is_some();
        self.counters.reconnects += u64::from(had_session);
        if welcome.resumed {
            if !had_session {
                self.commands.count_on_from(welcome.last_command);
            }
            self.commands.acknowledge(welcome.last_command);
            self.counters.resumes += 1;
        } else {
            if had_session {
                // The kept commands were for the session that is over.
                self.commands = Commands::default();
            }
            self.inputs.newest_seq = 0;
            self.inputs.reported_starved = 0;
            self.newest_message = 0;
        }
        self.inputs.newest_seq = self.inputs.newest_seq.max(welcome.last_seq);
        let ticks = TickClock {
            tick_zero_us: welcome.tick_zero_us,
            tick_rate: welcome.tick_rate,
        };
        self.steady.trust();
        self.clocks.server.reset();
        self.clocks.server.sample(since, arrived, welcome.clock_us);
        self.restart_clocks(ticks, arrived.since(since), now);
        self.clocks.pings = PingSchedule::new(now);
        self.choose_rules(&welcome, &schema);
        self.snapshots.interpolation.clear();
        self.snapshots.newest_tick = Tick(0);
        self.snapshots.newest_at = now;
        self.session = Some(Session {
            encoding: welcome.encoding(),
            number: welcome.session,
            resume_token: welcome.resume_token,
            name: welcome.name,
            room: welcome.room,
            game: welcome.game,
            map: welcome.map,
            entity: welcome.entity.and_then(EntityId::from_proto),
            ticks,
            is_spectator: welcome.spectator,
            replica: Replica::new(Arc::new(schema)),
            owned: Vec::new(),
        });
        if let Some(codebooks) = &welcome.codebooks {
            self.update_codebooks(codebooks);
        }
        if let Some(limits) = welcome.limits.filter(|limits| limits.max_message_bytes > 0) {
            self.commands
                .set_max_message_bytes(limits.max_message_bytes as usize);
        }
        for command in self.commands.unacknowledged() {
            self.send_on(id, client_message::Body::Command(command));
        }
        self.phase = Phase::Playing;
        self.events.push_back(SessionEvent::Joined {
            resumed: welcome.resumed,
        });
    }

    fn pong(&mut self, pong: &v1::Pong, now: Micros) {
        // The server held the ping for `held_us`. Adds that to the time of sending, so that it does not count as round trip.
        let sent = Micros(pong.stamp).plus(Micros(u64::from(pong.held_us)));
        self.counters.pongs += 1;
        self.samples.rtt_ms.push(now.since(sent).as_millis());
        if !self.steady.settles_doubt(Micros(pong.stamp)) {
            return;
        }
        self.steady.trust();
        let contradiction = self.clocks.server.contradiction(sent, now, pong.clock_us);
        if let Some(by_us) = contradiction {
            self.correct_time(sent, now, by_us as i64, pong.clock_us);
            return;
        }
        self.clocks.server.sample(sent, now, pong.clock_us);
        let ticks = self.session.as_ref().map(|session| session.ticks);
        if let Some(ticks) = ticks.filter(|ticks| self.clocks.is_input_too_early(*ticks, now)) {
            let round_trip = self.clocks.server.min_round_trip().unwrap_or_default();
            self.restart_clocks(ticks, round_trip, now);
        }
    }

    /// Puts the session's time where the server's clock says that it is, by a ping of `sent` that was answered at `now`.
    fn correct_time(&mut self, sent: Micros, now: Micros, by_us: i64, server_us: u64) {
        self.steady.correct(by_us);
        let [sent, now, newest_at] = [sent, now, self.snapshots.newest_at]
            .map(|at| Micros(at.0.saturating_add_signed(by_us)));
        self.snapshots.newest_at = newest_at;
        for link in &mut self.links.all {
            link.last_heard = now;
        }
        self.links.probed_at = None;
        self.clocks.pings = PingSchedule::new(now);
        self.clocks.server.reset();
        self.clocks.server.sample(sent, now, server_us);
        if let Some(session) = &self.session {
            let ticks = session.ticks;
            self.restart_clocks(ticks, now.since(sent), now);
        }
    }

    fn update_codebooks(&mut self, codebooks: &v1::Codebooks) {
        let Some(session) = &mut self.session else {
            return;
        };
        if session.replica.update_codebooks(codebooks).is_err() {
            self.counters.protocol_errors += 1;
        }
    }

    fn snapshot(&mut self, mut snapshot: v1::Snapshot, now: Micros) {
        self.drop_failed_rules(now);
        let Some(session) = &mut self.session else {
            return;
        };
        if session.encoding == v1::Encoding::Packed {
            self.snapshots.headers.decode(&mut snapshot);
        }
        let snapshot = &snapshot;
        let tick = Tick(snapshot.tick);
        let updates_before = session.replica.row_updates();
        let applied = session
            .replica
            .apply(snapshot, &mut self.snapshots.interpolation);
        self.counters.row_updates += session.replica.row_updates() - updates_before;
        match applied {
            Ok(ApplyOutcome::AwaitingFullSnapshot) => return,
            Ok(ApplyOutcome::Applied { view_hash_agreed }) => {
                self.counters.view_checks += u64::from(view_hash_agreed.is_some());
                if view_hash_agreed == Some(false) {
                    self.counters.view_mismatches += 1;
                    self.resync(tick, true);
                    return;
                }
            }
            Err(_) => {
                self.counters.protocol_errors += 1;
                self.resync(tick, false);
                return;
            }
        }
        self.snapshots.interpolation.applied(tick);
        self.links.slow_starts = 0;
        self.counters.snapshots += 1;
        self.measure(snapshot, now);
        self.snapshots.newest_tick = tick;
        self.snapshots.newest_at = now;
        self.inputs.applied_seq = snapshot.applied_seq;
        self.reconcile(snapshot, tick, now);
        self.drop_failed_rules(now);
        if let Some(session) = &mut self.session {
            let events = session.replica.take_events().into_iter();
            self.events.extend(events.map(SessionEvent::GameEvent));
        }
    }

    /// Takes what a snapshot and its arrival say about the connection.
    fn measure(&mut self, snapshot: &v1::Snapshot, now: Micros) {
        let tick = Tick(snapshot.tick);
        if self.snapshots.newest_tick != Tick(0) {
            let gap = now.since(self.snapshots.newest_at);
            self.samples.snapshot_gap_ms.push(gap.as_millis());
        }
        self.clocks.view.on_snapshot(tick, now);
        if let Some((session, server_us)) =
            self.session.as_ref().zip(self.clocks.server.server_us(now))
        {
            let age_us = server_us - session.ticks.due_us(tick);
            self.samples.snapshot_age_ms.push(age_us / 1e3);
        }
        if let Some((margin, clock)) = snapshot.input_margin.zip(self.clocks.input.as_mut()) {
            let margin_ticks = f64::from(margin) / 16.0;
            self.samples.input_margin_ticks.push(margin_ticks);
            clock.report_margin(tick, margin_ticks);
        }
        let starved = snapshot.starved_inputs;
        let newly_starved = starved.saturating_sub(self.inputs.reported_starved);
        self.counters.starved_inputs += u64::from(newly_starved);
        self.inputs.reported_starved = starved;
        self.prediction.report_inputs(newly_starved > 0);
    }

    /// Compares the prediction with what the snapshot says of the predicted entity, and corrects it.
    fn reconcile(&mut self, snapshot: &v1::Snapshot, tick: Tick, now: Micros) {
        let Some(session) = &mut self.session else {
            return;
        };
        let schema = session.replica.schema();
        session.owned.clear();
        let owned = snapshot.owned.iter().filter_map(|own| {
            let id = EntityId::from_proto(v1::EntityId {
                kind: own.kind,
                slot: own.slot,
                generation: own.generation,
            })?;
            let kind = schema.kind(id.kind)?;
            (kind.private_lanes.len() == own.lanes.len()).then(|| (id, own.lanes.clone()))
        });
        session.owned.extend(owned);
        let is_predicted = |id: EntityId| schema.kind(id.kind).is_some_and(|kind| kind.predicted);
        let predicted = session.owned.iter().find(|(id, _)| is_predicted(*id));
        let Some((id, private_lanes)) = predicted.map(|(id, lanes)| (*id, lanes)) else {
            self.prediction.clear_state();
            return;
        };
        // On a slow link the entity's cell can be deferred. Then there is nothing to compare yet.
        let found = session
            .replica
            .find_with_tick(id.key())
            .filter(|(row, at)| row.id == id && *at == tick);
        if let Some((row, _)) = found {
            let confirmed = PredictedState {
                id,
                tick,
                lanes: row.lanes.to_vec(),
                private_lanes: private_lanes.clone(),
            };
            let around = Surroundings {
                replica: &session.replica,
                interpolation: &self.snapshots.interpolation,
            };
            self.prediction.reconcile(around, confirmed, now);
        }
    }

    /// Asks the server for a full snapshot, and ignores deltas until it arrives.
    fn resync(&mut self, tick: Tick, view_mismatch: bool) {
        if let Some(session) = &mut self.session {
            session.replica.await_full_snapshot();
        }
        self.send(client_message::Body::Resync(v1::Resync {
            view_mismatch,
            tick: tick.0,
        }));
    }

    fn message(&mut self, message: v1::Message) {
        // After a resume the server may send messages again that had already arrived.
        if message.number <= self.newest_message {
            return;
        }
        self.newest_message = message.number;
        match message.content {
            Some(v1::message::Content::Chat(text)) => {
                self.events.push_back(SessionEvent::Chat {
                    from: message.from_session,
                    name: message.from_name,
                    text,
                });
            }
            Some(v1::message::Content::Game(payload)) => {
                self.events.push_back(SessionEvent::GameMessage(payload));
            }
            None => {}
        }
    }
}
