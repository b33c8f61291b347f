//! One room of a worker, with the connections that are read for it.
//!
//! In: the ticks that are due. Out: snapshots to the players, counts to the metrics, and whether the room rests or is over. A
//! room that nobody is connected to rests after a tenth of a second, which means that it makes no ticks, and a room without sessions ends
//! after a minute. A room's *turn* is
//! the moment at which its worker runs it: it makes the ticks that are due, or only polls its connections. [`end`] is how it ends here,
//! [`deliveries`] what other rooms and the operator have for it, [`listing`] what others read of it.

mod deliveries;
mod end;
mod listing;

pub(super) use end::drop_room;

use crate::clock::now;
use crate::freed_memory;
use crate::metrics::{Metrics, ReservationOutcome};
use crate::net::io::polled_connection::{self, PollOutcome, PolledConnection};
use crate::net::peer::batch_io;
use crate::recorder::RoomRecording;
use crate::room::{JoinError, JoinRequest, RoomStats};
use crate::token_bucket::TokenBucket;
use crate::worker::command::{RoomEntry, ServerRoom};
use crate::worker::due_ticks::{self, DueTicks};
use crate::worker::record_stats::record_stats;
use crate::worker::room_checkpoints::RoomCheckpoints;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tickwire_sync::{Micros, Tick};

/// A room to which nobody has been connected for this long makes no ticks: nobody sees it, and whoever opens rooms or sessions one
/// after the other must not take time from other rooms. With a second instead, four hosts that opened 577 rooms made the players of
/// another room wait for 379 ms.
const REST_AFTER: Micros = Micros::from_millis(100);

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
    /// The number of the newest delivery that the room was given. For a moment after a move it can be ahead of this node's.
    pub delivered: u64,
    /// When the room was opened here.
    opened: Micros,
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
            opened: now,
            message_limit: deliveries::message_limit(now),
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

    /// Something has changed that neither the tick nor the number of sessions tells of, so a room that rests is saved again.
    pub fn is_outdated(&mut self) {
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.is_outdated();
        }
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

    /// Ends the sessions whose time is over, in a room that makes no ticks.
    pub fn expire_absent(&mut self, now: Micros, metrics: &Metrics) {
        if self.room.expire_absent(now) {
            let stats = self.room.take_stats();
            self.record(&stats, metrics, self.room.tick_now());
            self.entry.state.expire();
        }
    }
}
