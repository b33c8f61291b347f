//! What comes from the server: the place in the room, the world, and words.
//!
//! In: messages of one link. Out: the replica, the clocks and the prediction brought up to date, and what a screen hears of.

use super::{Action, Client, Commands, Incoming, Phase, Place};
use crate::link::{LinkId, LinkState};
use crate::prediction::Own;
use prost::Message as _;
use std::sync::Arc;
use tickwire_proto::v1::{self, client_message, server_message};
use tickwire_sync::clock::{InputClock, TickClock};
use tickwire_sync::replica::{Applied, Replica};
use tickwire_sync::view_clock::ViewClock;
use tickwire_sync::{EntityId, KindId, Micros, Schema, Tick};

impl Client {
    /// A message came on a socket.
    pub fn received(&mut self, id: LinkId, message: &[u8], now: Micros) {
        let Some(link) = self.links.iter_mut().find(|link| link.id == id) else {
            return;
        };
        link.heard = now;
        self.counters.bytes_in += message.len() as u64;
        let Ok(v1::ServerMessage { body: Some(body) }) = v1::ServerMessage::decode(message) else {
            self.counters.protocol_errors += 1;
            return;
        };
        let is_joined = link.state == LinkState::Joined;
        match body {
            server_message::Body::Welcome(welcome) => self.welcome(id, welcome, now),
            server_message::Body::Snapshot(snapshot) if is_joined => self.snapshot(snapshot, now),
            server_message::Body::Tables(tables) if is_joined => self.tables(&tables),
            server_message::Body::Pong(pong) if is_joined => {
                // The time for which the server held it is no part of the way: as if it had been asked so much later.
                let asked = Micros(pong.stamp).plus(Micros(u64::from(pong.held_us)));
                self.counters.pongs += 1;
                self.server_clock.sample(asked, now, pong.clock_us);
                self.rtt_ms.push(now.since(asked).as_millis());
            }
            server_message::Body::Message(message) if is_joined => self.message(message),
            server_message::Body::Notice(notice) => {
                self.counters.notices += 1;
                self.incoming.push_back(Incoming::Notice(notice.text));
            }
            server_message::Body::Goodbye(goodbye) => {
                // The close that follows finds the pause already set.
                self.retry_at = Some(
                    now.plus(Micros::from_millis(u64::from(goodbye.reconnect_after_ms)))
                        .plus(self.backoff.pause()),
                );
                self.trouble = goodbye.reason;
            }
            // A beat is a sign of life and nothing more; world and messages of a link that is not in use do not count.
            _ => {}
        }
    }

    fn welcome(&mut self, id: LinkId, welcome: v1::Welcome, now: Micros) {
        let greeted = self
            .links
            .iter()
            .find(|link| link.id == id)
            .map(|link| link.state);
        let Some(LinkState::Greeting { since }) = greeted else {
            return;
        };
        let schema = welcome.schema.as_ref().map(Schema::from_proto);
        let Some(Ok(schema)) = schema else {
            self.counters.protocol_errors += 1;
            self.finish(4002, "the server's schema cannot be used by this client");
            return;
        };
        // This link speaks; whatever there was before is not needed any more.
        for link in self.links.extract_if(.., |link| link.id != id) {
            self.actions.push_back(Action::Close(link.id));
        }
        self.counters.reconnects += u64::from(self.place.is_some());
        for link in &mut self.links {
            link.state = LinkState::Joined;
        }
        self.retry_at = None;
        self.trouble.clear();
        self.backoff.reset();
        if welcome.resumed {
            self.commands.arrived(welcome.last_command);
            self.counters.resumes += 1;
        } else {
            if self.place.is_some() {
                // They were for a session that is over.
                self.commands = Commands::default();
            }
            self.seq = 0;
            self.starved = 0;
            self.newest_message = 0;
        }
        self.seq = self.seq.max(welcome.last_seq);
        let ticks = TickClock {
            tick_zero_us: welcome.tick_zero_us,
            tick_rate: welcome.tick_rate,
        };
        self.server_clock.reset();
        self.server_clock.sample(since, now, welcome.clock_us);
        let round_trip = now.since(since);
        self.start_clocks(ticks, round_trip, now);
        let rules = (self.rules_for)(&welcome.game, &welcome.map, welcome.rules_hash);
        self.prediction.set_rules(rules, welcome.tick_rate);
        self.replica = Some(Replica::new(Arc::new(schema)));
        self.tracks.clear();
        self.newest_snapshot = (Tick(0), now);
        self.pings_sent = 0;
        self.next_ping = now;
        if let Some(tables) = &welcome.tables {
            self.tables(tables);
        }
        let encoding = welcome.encoding();
        self.place = Some(Place {
            encoding,
            session: welcome.session,
            resume_token: welcome.resume_token,
            name: welcome.name,
            room: welcome.room,
            game: welcome.game,
            map: welcome.map,
            entity: welcome.entity.and_then(entity_from_proto),
            ticks,
            is_spectator: welcome.spectator,
        });
        if let Some(limits) = welcome.limits.filter(|limits| limits.max_message_bytes > 0) {
            self.commands.fit(limits.max_message_bytes as usize);
        }
        for command in self.commands.kept() {
            self.send_on(id, client_message::Body::Command(command));
        }
        self.phase = Phase::Playing;
        self.incoming.push_back(Incoming::Joined {
            resumed: welcome.resumed,
        });
    }

    /// Sets the input clock to when a message sent now arrives, and forgets how snapshots used to arrive.
    pub(super) fn start_clocks(&mut self, ticks: TickClock, round_trip: Micros, now: Micros) {
        let server_us = self.server_clock.server_us(now).unwrap_or_default();
        let arrival = ticks.ticks_at(server_us + round_trip.0 as f64 / 2.0);
        let clock = InputClock::new(ticks.tick_rate, now, arrival);
        self.next_input = Tick(clock.ticks().max(0.0) as u32).next();
        self.input_clock = Some(clock);
        self.view_clock = ViewClock::new(ticks.tick_rate);
        self.prediction.reset();
    }

    fn tables(&mut self, tables: &v1::Tables) {
        let Some(replica) = &mut self.replica else {
            return;
        };
        if replica.change_tables(tables).is_err() {
            self.counters.protocol_errors += 1;
        }
    }

    fn snapshot(&mut self, mut snapshot: v1::Snapshot, now: Micros) {
        if self
            .place
            .as_ref()
            .is_some_and(|place| place.encoding == v1::Encoding::Packed)
        {
            self.headers.fill_in(&mut snapshot);
        }
        let snapshot = &snapshot;
        let (Some(replica), Some(place)) = (&mut self.replica, &self.place) else {
            return;
        };
        let tick = Tick(snapshot.tick);
        let updates_before = replica.row_updates();
        let applied = replica.apply(snapshot, &mut self.tracks);
        self.counters.row_updates += replica.row_updates() - updates_before;
        match applied {
            Ok(Applied::Waiting) => return,
            Ok(Applied::Yes { view_hash_agreed }) => {
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
        self.tracks.applied(tick);
        self.slow_starts = 0;
        self.counters.snapshots += 1;
        let (previous_tick, previous_at) = self.newest_snapshot;
        if previous_tick != Tick(0) {
            self.gap_ms.push(now.since(previous_at).as_millis());
        }
        self.newest_snapshot = (tick, now);
        self.view_clock.arrived(tick, now);
        if let Some(server_us) = self.server_clock.server_us(now) {
            self.age_ms
                .push((server_us - place.ticks.due_us(tick)) / 1e3);
        }
        if let Some((margin, clock)) = snapshot.input_margin.zip(self.input_clock.as_mut()) {
            let margin = f64::from(margin) / 16.0;
            self.margin_ticks.push(margin);
            clock.margin(tick, margin);
        }
        self.counters.starved_inputs +=
            u64::from(snapshot.starved_inputs.saturating_sub(self.starved));
        self.starved = snapshot.starved_inputs;
        self.applied_seq = snapshot.applied_seq;
        self.confirm_own(snapshot, tick, now);
        if let Some(replica) = &mut self.replica {
            self.incoming
                .extend(replica.take_events().into_iter().map(Incoming::Event));
        }
    }

    /// Holds the prediction against what the snapshot says of the predicted entity.
    fn confirm_own(&mut self, snapshot: &v1::Snapshot, tick: Tick, now: Micros) {
        let Some(replica) = &self.replica else { return };
        let schema = Arc::clone(replica.schema());
        let predicted = snapshot.own.iter().find_map(|own| {
            let id = entity_from_proto(v1::EntityId {
                kind: own.kind,
                slot: own.slot,
                generation: own.generation,
            })?;
            let kind = schema.kind(id.kind)?;
            (kind.predicted && kind.private_lanes.len() == own.lanes.len()).then_some((id, own))
        });
        let Some((id, own)) = predicted else {
            self.prediction.nothing_owned();
            return;
        };
        // On a thin link the own cell can be held back; then there is nothing to compare yet.
        let found = replica
            .find_with_tick(id.key())
            .filter(|(row, at)| row.id == id && *at == tick);
        if let Some((row, _)) = found {
            let confirmed = Own {
                id,
                tick,
                lanes: row.lanes.to_vec(),
                private_lanes: own.lanes.clone(),
            };
            self.prediction.confirm(&schema, confirmed, now);
        }
    }

    fn resync(&mut self, tick: Tick, view_mismatch: bool) {
        if let Some(replica) = &mut self.replica {
            replica.wait_for_start();
        }
        self.send(client_message::Body::Resync(v1::Resync {
            view_mismatch,
            tick: tick.0,
        }));
    }

    fn message(&mut self, message: v1::Message) {
        // A resume may bring again what was already there.
        if message.number <= self.newest_message {
            return;
        }
        self.newest_message = message.number;
        match message.content {
            Some(v1::message::Content::Chat(text)) => {
                self.incoming.push_back(Incoming::Chat {
                    from: message.from_session,
                    name: message.from_name,
                    text,
                });
            }
            Some(v1::message::Content::Game(payload)) => {
                self.incoming.push_back(Incoming::Game(payload));
            }
            None => {}
        }
    }
}

fn entity_from_proto(id: v1::EntityId) -> Option<EntityId> {
    let kind = KindId(u8::try_from(id.kind).ok()?);
    (id.slot < EntityId::MAX_SLOTS).then_some(EntityId {
        kind,
        slot: id.slot,
        generation: id.generation,
    })
}
