//! One room of a worker, with the connections that are read for it.
//!
//! In: the ticks that are due. Out: snapshots to the players, counts to the metrics, and whether the room rests or is over. A
//! room that nobody is connected to rests after a tenth of a second, which means that it makes no ticks, and a room without sessions ends
//! after a minute. A room's *turn* is
//! the moment at which its worker runs it: it makes the ticks that are due, or only polls its connections.

use super::command::{RoomEntry, ServerRoom};
use super::delivery::{Delivery, DeliveryBody, PostBox, RoomPost};
use super::due_ticks::{self, DueTicks};
use super::record_stats::record_stats;
use super::room_checkpoints::RoomCheckpoints;
use crate::clock::now;
use crate::freed_memory;
use crate::log_limit;
use crate::metrics::{Metrics, ReservationOutcome, RoomMessageOutcome};
use crate::net::io::polled_connection::{self, PollOutcome, PolledConnection};
use crate::net::peer::batch_io;
use crate::recorder::RoomRecording;
use crate::room::{JoinError, JoinRequest, RoomStats};
use crate::token_bucket::TokenBucket;
use bytes::Bytes;
use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tickwire_game::Tags;
use tickwire_sync::{Micros, Tick};

/// A room that has been empty for this long ends.
const EMPTY_ROOM_LIFETIME: Micros = Micros::from_millis(60_000);
/// A room to which nobody has been connected for this long makes no ticks: nobody sees it, and whoever opens rooms or sessions one
/// after the other must not take time from other rooms. With a second instead, four hosts that opened 577 rooms made the players of
/// another room wait for 379 ms.
const REST_AFTER: Micros = Micros::from_millis(100);
/// How long players of a failed room wait before they come again.
const RECONNECT_AFTER_FAILURE: Duration = Duration::from_millis(500);
/// The game of a listed room is asked for its metadata this often.
const METADATA_INTERVAL: Micros = Micros::from_millis(1_000);
/// More metadata, or longer, is not shown: anybody can ask for it.
const MAX_METADATA: usize = 16;
const MAX_METADATA_NAME_BYTES: usize = 32;
const MAX_METADATA_VALUE_BYTES: usize = 256;
/// Messages that a room may send to others at once, and a second.
const MESSAGE_BURST: f64 = 200.0;
const MESSAGES_PER_SECOND: f64 = 100.0;
/// A room ends after this tick: well before the numbers are used up, so that no sum of ticks overflows.
const LAST_TICK: u32 = u32::MAX - (1 << 24);

/// What a room does in its turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Activity {
    /// Makes its ticks.
    Ticking,
    /// Makes no ticks, because nobody is connected. A join wakes the room.
    Resting,
    /// Makes no ticks any more, because its game has panicked, its ticks are used up, or its process ends. Its connections are polled
    /// until all players are gone.
    Closed,
}

/// What a room has added to the gauges of the process, which sum over all rooms.
#[derive(Clone, Copy, Debug, Default)]
struct GaugeShare {
    players: i64,
    sessions: i64,
    entities: i64,
}

/// Bytes of snapshots, for the list of rooms.
#[derive(Clone, Copy, Debug, Default)]
struct ByteRate {
    this_second: u64,
    last_second: u64,
}

/// A room in its worker: the [`Room`](crate::room::Room), its connections, and what the worker keeps about it. The lobby reaches
/// it by name, through the worker's commands, and shares the `RoomEntry` with it.
pub(super) struct RoomRunner {
    pub room: ServerRoom,
    pub entry: Arc<RoomEntry>,
    /// The reading sides of the room's connections, those included that are closing.
    pub connections: Vec<Box<dyn PolledConnection>>,
    /// Indices of connections that have ended, while they are polled.
    ended: Vec<usize>,
    pub activity: Activity,
    /// The time of its next turn. A deadline of the room with another time is outdated, and is ignored.
    pub due: Micros,
    /// Since when there is no session.
    empty_since: Option<Micros>,
    /// Since when nobody is connected.
    unattended_since: Option<Micros>,
    /// Whether the last turn had late ticks to make.
    was_late: bool,
    /// The smoothed cost of a tick that is not shown to the players.
    pub tick_cost: Micros,
    gauge_share: GaugeShare,
    bytes: ByteRate,
    /// `None`: the room ends with its process.
    checkpoints: Option<Box<RoomCheckpoints>>,
    /// The number of the newest delivery that the room was given.
    pub delivered: u64,
    /// Limits the messages to other rooms.
    message_limit: TokenBucket,
    /// `None`: the room is not recorded.
    recording: Option<Box<RoomRecording>>,
    /// When the game may be asked for its metadata again, and of which tick they are.
    metadata_due: Micros,
    metadata_tick: Option<Tick>,
}

impl RoomRunner {
    /// A runner for a room that nobody is connected to at `now`.
    pub fn new(
        room: ServerRoom,
        entry: Arc<RoomEntry>,
        checkpoints: Option<Box<RoomCheckpoints>>,
        recording: Option<Box<RoomRecording>>,
        now: Micros,
    ) -> Self {
        Self {
            room,
            entry,
            connections: Vec::new(),
            ended: Vec::new(),
            activity: Activity::Ticking,
            due: Micros(0),
            empty_since: Some(now),
            unattended_since: Some(now),
            was_late: false,
            tick_cost: Micros(0),
            gauge_share: GaugeShare::default(),
            bytes: ByteRate::default(),
            checkpoints,
            delivered: 0,
            message_limit: TokenBucket::new(MESSAGE_BURST, MESSAGES_PER_SECOND, now),
            recording,
            metadata_due: now,
            metadata_tick: None,
        }
    }

    /// Makes the ticks that are due, sends their snapshots, and counts. Returns the time when the last tick was done.
    ///
    /// A room that is late twice running has more to do than there is time. From then on only the newest tick is replicated;
    /// otherwise the room would stay late, and send two snapshots at a time, until somebody leaves.
    pub fn run_ticks(&mut self, due: &DueTicks, started: Micros, metrics: &Metrics) -> Micros {
        let replicates_all = !std::mem::replace(&mut self.was_late, due.are_late());
        // Once for all ticks: the inputs of a late tick have arrived long ago.
        self.poll_connections();
        let mut tick_started = started;
        for tick in due.each() {
            let polled = now();
            self.room.tick(tick, polled, now);
            if tick == due.newest || replicates_all {
                self.room.replicate(polled, now);
            } else {
                self.room.skip_replication(polled, now);
            }
            let mut stats = self.room.take_stats();
            if let Some(recording) = &mut self.recording {
                recording.after_tick(&mut self.room, stats.players);
            }
            let phases = &stats.phases;
            let cost = phases.input.plus(phases.step).plus(phases.publish);
            self.tick_cost = due_ticks::smoothed_cost(self.tick_cost, cost, self.room.tick_clock());
            stats.phases.input = stats.phases.input.plus(polled.since(tick_started));
            let ended = now();
            metrics.ticks.inc();
            let duration_seconds = ended.since(tick_started).0 as f64 / 1e6;
            metrics.tick_duration.observe(duration_seconds);
            record_stats(metrics, &stats, self.room.tick_clock().tick_us());
            self.record(&stats, metrics, tick);
            tick_started = ended;
        }
        tick_started
    }

    /// Sends what the game has to say to other rooms.
    pub fn post_messages(&mut self, post_box: &PostBox, metrics: &Metrics, now: Micros) {
        if !self.room.has_room_messages() {
            return;
        }
        let from = self.room.name().to_owned();
        let mut dropped = 0_u64;
        for (to, payload) in self.room.take_room_messages() {
            if !self.message_limit.take(now) {
                dropped += 1;
                continue;
            }
            let from = from.clone();
            post_box.put(RoomPost { from, to, payload }, metrics, now);
        }
        if dropped > 0 {
            let outcomes = &metrics.room_messages;
            outcomes.get(RoomMessageOutcome::Dropped).inc_by(dropped);
            if log_limit::admits("room_messages_too_many", now) {
                tracing::warn!(
                    room = from,
                    dropped,
                    "the game sends too many messages to other rooms"
                );
            }
        }
    }

    /// Gives the room what is for it, once. Returns how many players read a notice; `None`: nothing is for this room. May panic as the game
    /// does.
    pub fn deliver(&mut self, delivery: &Delivery, metrics: &Metrics) -> Option<usize> {
        if self.activity == Activity::Closed {
            return None;
        }
        if delivery.seq != 0 {
            if delivery.seq <= self.delivered {
                return None;
            }
            self.delivered = delivery.seq;
        }
        match &delivery.body {
            DeliveryBody::Notice { text, room } => {
                let is_for_it = room.as_deref().is_none_or(|room| room == self.room.name());
                is_for_it.then(|| self.room.notice(text, now()))
            }
            DeliveryBody::Messages(posts) => {
                let mut count = 0;
                for post in posts {
                    if post.is_for(self.room.name()) {
                        self.room.receive_room_message(&post.from, &post.payload);
                        count += 1;
                    }
                }
                if count > 0 {
                    let outcomes = &metrics.room_messages;
                    outcomes.get(RoomMessageOutcome::Delivered).inc_by(count);
                    self.is_outdated();
                }
                None
            }
        }
    }

    /// Reads what has arrived on the room's connections. Called once a tick and just before it, so that no input is early or
    /// late by more than its own way, and without a wake-up for each input.
    pub fn poll_connections(&mut self) {
        let ended = &mut self.ended;
        batch_io::poll_all(&mut self.connections, Instant::now(), |index, outcome| {
            if outcome == PollOutcome::Ended {
                ended.push(index);
            }
        });
        for index in ended.drain(..).rev() {
            polled_connection::end(self.connections.swap_remove(index));
        }
    }

    /// Records the gauges and the bytes of a tick.
    pub fn record(&mut self, stats: &RoomStats, metrics: &Metrics, tick: Tick) {
        let share = GaugeShare {
            players: stats.players as i64,
            sessions: stats.sessions as i64,
            entities: stats.entities as i64,
        };
        self.set_gauge_share(share, metrics);
        self.bytes.this_second += stats.snapshot_bytes;
        if tick.0.is_multiple_of(self.room.tick_clock().tick_rate) {
            self.bytes.last_second = std::mem::take(&mut self.bytes.this_second);
        }
    }

    fn set_gauge_share(&mut self, share: GaugeShare, metrics: &Metrics) {
        let before = std::mem::replace(&mut self.gauge_share, share);
        if (share.players > 0) != (before.players > 0) {
            let is_attended = share.players > 0;
            self.entry.is_attended.store(is_attended, Ordering::Release);
        }
        if (share.players, share.sessions) != (before.players, before.sessions) {
            let seats = &self.entry.seats;
            seats.settle(share.sessions as usize, share.players as usize);
        }
        let ended_sessions = u64::try_from(before.sessions - share.sessions).unwrap_or(0);
        if ended_sessions > 0 {
            freed_memory::count(ended_sessions * freed_memory::SESSION_BYTES);
        }
        metrics.players.add(share.players - before.players);
        metrics.sessions.add(share.sessions - before.sessions);
        metrics.entities.add(share.entities - before.entities);
    }

    /// Whether the room has nothing to do but to wait for somebody, or for its end.
    pub fn may_rest(&self, now: Micros) -> bool {
        let is_long_ago = |since: Micros| now.since(since) >= REST_AFTER;
        self.unattended_since.is_some_and(is_long_ago) && self.gauge_share.players == 0
    }

    /// Wakes a resting room: it ticks again. The ticks that it did not make are not late; their numbers are skipped. Returns the time
    /// of its next tick, or `None` if it was not resting.
    pub fn wake(&mut self, now: Micros) -> Option<Micros> {
        if self.activity != Activity::Resting {
            return None;
        }
        self.activity = Activity::Ticking;
        let tick = self.room.tick_clock().ticks_at(now.0 as f64).max(0.0) as u32;
        self.room.skip_to(Tick(tick));
        Some(self.next_due())
    }

    /// Whether a tick of this room takes longer than a tick lasts.
    pub fn is_too_slow(&self) -> bool {
        self.tick_cost.0 as f64 >= self.room.tick_clock().tick_us()
    }

    /// What this room adds to the tick cost of all rooms of its worker. A room whose tick takes longer than a tick lasts is late
    /// by itself, and its cost says nothing about whether the other rooms can catch up: it adds nothing.
    pub fn shared_cost(&self) -> Micros {
        if self.is_too_slow() {
            Micros(0)
        } else {
            self.tick_cost
        }
    }

    /// Returns [`Self::shared_cost`], and forgets the cost, because the room makes no more ticks.
    pub fn take_shared_cost(&mut self) -> Micros {
        let shared = self.shared_cost();
        self.tick_cost = Micros(0);
        shared
    }

    /// When the next tick is due.
    pub fn next_due(&self) -> Micros {
        let due = self.room.tick_clock().due_us(self.room.tick_now().next());
        Micros(due.max(0.0).ceil() as u64)
    }

    /// Whether the room has been empty for long enough to end. If so, its entry says so before anyone else can join.
    pub fn is_over(&mut self, now: Micros) -> bool {
        if self.activity == Activity::Closed {
            return self.connections.is_empty();
        }
        if self.gauge_share.players > 0 {
            self.unattended_since = None;
        } else {
            self.unattended_since.get_or_insert(now);
            if self.has_been_ended() {
                return true;
            }
        }
        if !self.room.sessions().is_empty() {
            self.empty_since = None;
            return false;
        }
        let since = *self.empty_since.get_or_insert(now);
        if now.since(since) < EMPTY_ROOM_LIFETIME {
            return false;
        }
        let mut has_ended = self
            .entry
            .has_ended
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *has_ended = self.entry.joining.load(Ordering::Acquire) == 0
            && !self.entry.seats.is_any_reserved(now);
        *has_ended
    }

    /// Whether the lobby has ended the room, because others need its place.
    fn has_been_ended(&self) -> bool {
        let has_ended = self.entry.has_ended.read();
        *has_ended.unwrap_or_else(PoisonError::into_inner)
    }

    /// A room whose game has panicked goes on from its last checkpoint, or ends: its players come again, to it or to a new room of this
    /// name.
    pub fn fail(&mut self, metrics: &Metrics) {
        let tick = self.room.tick_now();
        metrics.rooms_failed.inc();
        if self.restart(metrics) {
            return;
        }
        tracing::error!(
            room = self.room.name(),
            tick = tick.0,
            "the game panicked, and its room ends with it"
        );
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.set_aside(self.room.name());
        }
        self.close("the room has failed; a new one opens", metrics);
    }

    /// Something has changed that neither the tick nor the number of sessions tells of, so a room that rests is saved again.
    pub fn is_outdated(&mut self) {
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.is_outdated();
        }
    }

    /// Puts a room that is made of the last checkpoint in the place of one that has failed. `false`: there is none.
    fn restart(&mut self, metrics: &Metrics) -> bool {
        let (now, failed) = (now(), &self.room);
        let by_clock = failed.tick_clock().ticks_at(now.0 as f64).max(0.0) as u32;
        // Players have seen the ticks of the failed room.
        let tick = failed.tick_now().max(Tick(by_clock));
        let checkpoints = self.checkpoints.as_mut();
        let Some(restored) =
            checkpoints.and_then(|checkpoints| checkpoints.restart(failed.name(), tick, now))
        else {
            return false;
        };
        let reason =
            "the room has failed and goes on from where it was saved; you will be back in a moment";
        self.room.say_goodbye(reason, RECONNECT_AFTER_FAILURE);
        drop_room(std::mem::replace(&mut self.room, restored), metrics);
        // It makes ticks as soon as somebody is back.
        self.activity = Activity::Resting;
        self.unattended_since = Some(Micros(now.0.saturating_sub(REST_AFTER.0)));
        self.count_sessions(metrics);
        true
    }

    /// Saves the room's state if that is due. May panic as the game does.
    pub fn save_if_due(&mut self, now: Micros) {
        if let Some(checkpoints) = &mut self.checkpoints
            && self.activity != Activity::Closed
            && checkpoints.is_due(now)
        {
            checkpoints.save(&self.room, self.delivered);
        }
    }

    /// Saves the state of a room that has come to rest, or of which a session has ended since. May panic as the game does.
    pub fn save_resting(&mut self) {
        if let Some(checkpoints) = &mut self.checkpoints
            && self.activity == Activity::Resting
        {
            checkpoints.save_resting(&self.room, self.delivered);
        }
    }

    /// The process ends: says goodbye to the players, and saves the room as they leave it, if it has checkpoints. It makes no ticks then.
    /// May panic as the game does.
    pub fn say_last_goodbye(&mut self, reason: &str, reconnect_after: Duration) {
        self.room.say_goodbye(reason, reconnect_after);
        if let Some(checkpoints) = &mut self.checkpoints
            && self.activity != Activity::Closed
        {
            self.activity = Activity::Closed;
            self.entry.state.end();
            checkpoints.save_last(&self.room, self.delivered);
        }
    }

    /// Saves the room as it is for another node, and leaves the players to it. It makes no ticks here any more. May panic as the game does.
    pub fn hand_over(&mut self, reason: &str) {
        if self.activity == Activity::Closed {
            return;
        }
        self.room.send_waiting_messages();
        if let Some(checkpoints) = &mut self.checkpoints {
            self.activity = Activity::Closed;
            self.entry.state.end();
            checkpoints.save_last(&self.room, self.delivered);
            self.room.hand_over_players(reason);
        } else {
            self.room.say_goodbye(reason, Duration::ZERO);
        }
    }

    /// The room goes on at another node, from a state that was saved before: this one shows its players nothing more.
    pub fn abandon(&mut self, metrics: &Metrics) {
        tracing::warn!(
            room = self.room.name(),
            tick = self.room.tick_now().0,
            "another node owns the room now"
        );
        self.close(
            "the room goes on at another server; you will be back in a moment",
            metrics,
        );
    }

    /// The room has ended for good.
    pub fn forget_checkpoint(&self) {
        if let Some(checkpoints) = &self.checkpoints {
            checkpoints.forget(self.room.name());
        }
    }

    fn close(&mut self, reason: &str, metrics: &Metrics) {
        self.activity = Activity::Closed;
        let has_ended = self.entry.has_ended.write();
        *has_ended.unwrap_or_else(PoisonError::into_inner) = true;
        self.room.say_goodbye(reason, RECONNECT_AFTER_FAILURE);
        self.set_gauge_share(GaugeShare::default(), metrics);
        self.entry.state.end();
    }

    /// Lets a player come to a seat: to their own, to the reserved one, or to one that nobody has reserved. [`Self::settle_seats`] must
    /// follow.
    ///
    /// # Errors
    /// If the room is private, or the reservation is none.
    pub fn admit(
        &mut self,
        request: &JoinRequest,
        reservation: &[u8],
        metrics: &Metrics,
    ) -> Result<(), JoinError> {
        if self.room.has_session_of(request) {
            self.entry.seats.give_back(reservation);
            return Ok(());
        }
        if reservation.is_empty() && self.entry.is_private {
            return Err(JoinError::Private);
        }
        let admitted = self.entry.seats.sit_down(reservation, now());
        if !reservation.is_empty() {
            let outcome = match admitted {
                Ok(_) => ReservationOutcome::Used,
                Err(_) => ReservationOutcome::Refused,
            };
            metrics.reservations.get(outcome).inc();
        }
        let reserved = admitted.map_err(|_| JoinError::Reservation)?;
        self.room.reserve_seats(reserved);
        Ok(())
    }

    /// Tells the lobby how many seats are taken.
    pub fn settle_seats(&self) {
        let sessions = self.room.sessions();
        let players = sessions.iter().filter(|one| one.is_connected()).count();
        self.entry.seats.settle(sessions.len(), players);
    }

    /// Counts a player as soon as it has joined.
    pub fn record_join(&mut self, metrics: &Metrics) {
        self.empty_since = None;
        self.unattended_since = None;
        self.count_sessions(metrics);
    }

    /// A join has come: it keeps the room from ending no more.
    pub fn end_joining(&self) {
        // A join that was meant for a failed room of this name was not counted here.
        let _ = (self.entry.joining).fetch_update(Ordering::AcqRel, Ordering::Acquire, |joining| {
            joining.checked_sub(1)
        });
    }

    /// Counts the sessions anew, because some have come or ended between two ticks.
    pub fn count_sessions(&mut self, metrics: &Metrics) {
        let sessions = self.room.sessions();
        let share = GaugeShare {
            players: sessions.iter().filter(|one| one.is_connected()).count() as i64,
            sessions: sessions.len() as i64,
            entities: self.gauge_share.entities,
        };
        self.set_gauge_share(share, metrics);
        // The next copy of the state has the new player.
        self.entry.state.expire();
    }

    /// The room's state at its newest tick, as JSON.
    pub fn state_json(&self) -> Bytes {
        let mut json = self.room.state_json();
        json.push(b'\n');
        json.into()
    }

    /// Whether the list of rooms wants newer metadata of this room.
    pub fn wants_metadata(&self, now: Micros) -> bool {
        self.entry.is_listed
            && self.activity != Activity::Closed
            && now >= self.metadata_due
            && self.metadata_tick != Some(self.room.tick_now())
    }

    /// Asks the game for its metadata, and shows what is within the limits.
    pub fn update_metadata(&mut self, now: Micros) {
        self.metadata_due = now.plus(METADATA_INTERVAL);
        self.metadata_tick = Some(self.room.tick_now());
        let shown = Arc::new(within_limits(self.room.metadata()));
        let metadata = self.entry.metadata.lock();
        *metadata.unwrap_or_else(PoisonError::into_inner) = shown;
    }

    /// Ends the sessions whose time is over, in a room that makes no ticks.
    pub fn expire_absent(&mut self, now: Micros, metrics: &Metrics) {
        if self.room.expire_absent(now) {
            let stats = self.room.take_stats();
            self.record(&stats, metrics, self.room.tick_now());
            self.entry.state.expire();
        }
    }

    /// Whether the room's ticks are nearly used up: their numbers have 32 bits. A new room begins anew.
    pub fn is_out_of_ticks(&self) -> bool {
        self.room.tick_now().0 > LAST_TICK
    }

    /// Ends a room whose ticks are used up: its players come again, into a new room of this name.
    pub fn retire(&mut self, metrics: &Metrics) {
        tracing::info!(
            room = self.room.name(),
            "the room is too old and ends; a new one opens"
        );
        self.close("the room is very old; a new one opens", metrics);
    }

    /// The room's entry in the list of rooms.
    pub fn summary(&self) -> Value {
        json!({
            "room": self.room.name(),
            "players": self.gauge_share.players,
            "sessions": self.gauge_share.sessions,
            "tick": self.room.tick_now().0,
            "bytes_per_second": self.bytes.last_second,
        })
    }
}

/// Drops a room. The game's own `Drop` may panic too.
pub(super) fn drop_room(room: impl Sized, metrics: &Metrics) {
    if catch_unwind(AssertUnwindSafe(|| drop(room))).is_err() {
        tracing::error!("the game panicked while it was dropped");
        metrics.rooms_failed.inc();
    }
}

/// The metadata that is shown to anybody who asks.
fn within_limits(metadata: Tags) -> Tags {
    let is_short = |(name, value): &(String, String)| {
        name.len() <= MAX_METADATA_NAME_BYTES && value.len() <= MAX_METADATA_VALUE_BYTES
    };
    metadata
        .into_iter()
        .filter(is_short)
        .take(MAX_METADATA)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_metadata_is_not_shown() {
        let mut metadata: Tags = (0..40)
            .map(|number| (format!("name{number:02}"), String::new()))
            .collect();
        metadata.insert("a".repeat(33), String::new());
        metadata.insert("b".to_owned(), "x".repeat(257));
        metadata.insert("c".to_owned(), "x".repeat(256));
        let shown = within_limits(metadata);
        assert_eq!(shown.len(), 16);
        assert!(shown.contains_key("c") && !shown.contains_key("b"));
        assert!(shown.keys().all(|name| name.len() <= 32));
    }
}
