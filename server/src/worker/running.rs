//! A room that is being ticked, with the connections that are read for it.

use super::counts::count;
use super::due::{self, DueTicks};
use super::{OwnRoom, RoomEntry};
use crate::clock::now;
use crate::metrics::Metrics;
use crate::net::served::{self, Next, Served};
use crate::net::together;
use crate::room::RoomStats;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tickwire_prefetch as prefetch;
use tickwire_sync::{Micros, Tick};

/// A room that has been empty for this long ends.
const EMPTY_ROOM_LIFE: Micros = Micros::from_millis(60_000);

/// A room that has been empty for this long stands still: nobody sees it, and whoever opens rooms one after the other must not take the
/// others' time.
const REST_AFTER: Micros = Micros::from_millis(1_000);

/// After a room has failed, its players wait for so long before they come again.
const RETURN_TO_NEW_ROOM: Duration = Duration::from_millis(500);

/// Making a room's state takes at most one part of so many of its worker's time.
const STATE_PAUSE: u64 = 20;

/// A room's state as it was at a tick.
struct State {
    value: Arc<Value>,
    tick: Tick,
    /// Until then it is new enough.
    good_until: Micros,
}

/// What a room adds to the gauges that all rooms share.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    players: i64,
    sessions: i64,
    entities: i64,
}

/// See the module's head.
pub(super) struct Running {
    pub room: OwnRoom,
    pub entry: Arc<RoomEntry>,
    /// The reading sides of its connections, those included that only close.
    pub readers: Vec<Box<dyn Served>>,
    /// Which of them are over, while they are read.
    over: Vec<usize>,
    totals: Totals,
    /// Whether there were late ticks to make the last time.
    was_late: bool,
    /// What a tick takes that is shown to nobody, smoothed.
    pub tick_cost: Micros,
    /// When it is its turn next. Other deadlines that it had are void.
    pub due: Micros,
    /// No ticks are made, as nobody is there.
    pub is_resting: bool,
    /// The game has panicked: nothing is ticked any more, and its players are read until they are gone.
    pub has_failed: bool,
    /// Since when nobody is there.
    pub empty_since: Option<Micros>,
    /// For the list: bytes sent in the running second and in the one before.
    bytes: u64,
    bytes_per_second: u64,
    /// The latest answer to whoever asked for the room's state.
    state: Option<State>,
}

impl Running {
    /// A room in which nobody is yet.
    pub fn new(room: OwnRoom, entry: Arc<RoomEntry>, now: Micros) -> Self {
        Self {
            room,
            entry,
            readers: Vec::new(),
            over: Vec::new(),
            totals: Totals::default(),
            was_late: false,
            tick_cost: Micros(0),
            due: Micros(0),
            is_resting: false,
            has_failed: false,
            empty_since: Some(now),
            bytes: 0,
            bytes_per_second: 0,
            state: None,
        }
    }

    /// Makes the ticks that are due, shows them to the players, and counts. `next` is the room whose turn is next: its memory is
    /// asked for meanwhile. Returns when it was through.
    ///
    /// A room that is late twice running has more to do than there is time: then only the newest tick is shown, or it would
    /// stay late, and send two snapshots at a time, until somebody leaves.
    pub fn make(
        &mut self,
        ticks: &DueTicks,
        started: Micros,
        next: Option<&Self>,
        metrics: &Metrics,
    ) -> Micros {
        let shows_all = !std::mem::replace(&mut self.was_late, ticks.are_late());
        let ask_for_next = |hops| next.into_iter().for_each(|next| next.prefetch(hops));
        ask_for_next(0);
        self.prefetch(4);
        // Once for all of them: what is for a tick that is late has come long ago.
        self.read();
        ask_for_next(1);
        self.prefetch(5);
        let mut began = started;
        for tick in ticks.each() {
            let read = now();
            self.room.tick(tick, read, now);
            ask_for_next(2);
            if tick == ticks.newest || shows_all {
                self.room.show(read, now);
            } else {
                self.room.hide(read, now);
            }
            ask_for_next(3);
            let mut stats = self.room.take_stats();
            let phases = &stats.phases;
            let took = phases.input.plus(phases.step).plus(phases.publish);
            self.tick_cost = due::smoothed(self.tick_cost, took, self.room.ticks());
            stats.phases.input = stats.phases.input.plus(read.since(began));
            let ended = now();
            metrics.ticks.inc();
            let duration = ended.since(began).0 as f64 / 1e6;
            metrics.tick_duration.observe(duration);
            count(metrics, &stats, self.room.ticks().tick_us());
            self.note(&stats, metrics, tick);
            began = ended;
        }
        began
    }

    /// Reads what has come on the room's connections: once a tick and just before it, so that no input is early or late by more
    /// than its own way, and without a wake-up for each.
    pub fn read(&mut self) {
        let over = &mut self.over;
        together::read(&mut self.readers, Instant::now(), |index, next| {
            if next == Next::Over {
                over.push(index);
            }
        });
        for index in over.drain(..).rev() {
            served::end(self.readers.swap_remove(index));
        }
    }

    /// Asks for what the next tick will touch first, as far as it lies so many pointers away; see `tickwire_prefetch`.
    fn prefetch(&self, hops: u8) {
        self.room.prefetch(hops);
        match hops {
            1 => prefetch::first(&self.readers, prefetch::near),
            2 => prefetch::first(&self.readers, |reader| prefetch::near(&**reader)),
            3 => prefetch::behind_first(&self.readers, |reader| reader.prefetch()),
            _ => {}
        }
    }

    /// Takes over what a tick counted, into the gauges too.
    pub fn note(&mut self, stats: &RoomStats, metrics: &Metrics, tick: Tick) {
        let totals = Totals {
            players: stats.players as i64,
            sessions: stats.sessions as i64,
            entities: stats.entities as i64,
        };
        self.take_over(totals, metrics);
        self.bytes += stats.snapshot_bytes;
        if tick.0.is_multiple_of(self.room.ticks().tick_rate) {
            self.bytes_per_second = std::mem::take(&mut self.bytes);
        }
    }

    fn take_over(&mut self, totals: Totals, metrics: &Metrics) {
        metrics.players.add(totals.players - self.totals.players);
        metrics.sessions.add(totals.sessions - self.totals.sessions);
        metrics.entities.add(totals.entities - self.totals.entities);
        self.totals = totals;
    }

    /// Whether there is nothing to do but to wait for somebody, or for its end.
    pub fn may_rest(&self, now: Micros) -> bool {
        let has_waited = |since: Micros| now.since(since) >= REST_AFTER;
        self.empty_since.is_some_and(has_waited)
            && self.room.sessions().is_empty()
            && self.readers.is_empty()
    }

    /// If it rests, ticks follow the time again, and those that were not made meanwhile are not late. Returns when the next one is due then.
    pub fn wake(&mut self, now: Micros) -> Option<Micros> {
        std::mem::take(&mut self.is_resting).then(|| {
            let tick = self.room.ticks().ticks_at(now.0 as f64).max(0.0) as u32;
            self.room.rest_until(Tick(tick));
            self.next_due()
        })
    }

    /// What it takes of the time that all rooms have. One that needs more than there is by itself is late for itself alone: that the others
    /// could not catch up is not said by it.
    pub fn shared_cost(&self) -> Micros {
        match self.tick_cost.0 as f64 >= self.room.ticks().tick_us() {
            true => Micros(0),
            false => self.tick_cost,
        }
    }

    /// The same; from now on it takes nothing.
    pub fn take_cost(&mut self) -> Micros {
        let shared = self.shared_cost();
        self.tick_cost = Micros(0);
        shared
    }

    /// When the next tick is due.
    pub fn next_due(&self) -> Micros {
        let due = self.room.ticks().due_us(self.room.tick_now().next());
        Micros(due.max(0.0).ceil() as u64)
    }

    /// Whether the room has been empty for long. If so, the lobby hears of it before anyone else can join.
    pub fn is_over(&mut self, now: Micros) -> bool {
        if self.has_failed {
            return self.readers.is_empty();
        }
        if !self.room.sessions().is_empty() {
            self.empty_since = None;
            return false;
        }
        let since = *self.empty_since.get_or_insert(now);
        if now.since(since) < EMPTY_ROOM_LIFE {
            return false;
        }
        let mut has_ended = self
            .entry
            .has_ended
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *has_ended = self.entry.joining.load(Ordering::Acquire) == 0;
        *has_ended
    }

    /// The game has panicked: its players are told to come again, into a new room of this name.
    pub fn fail(&mut self, metrics: &Metrics) {
        let (room, tick) = (self.room.name(), self.room.tick_now());
        tracing::error!(
            room,
            tick = tick.0,
            "the game panicked, and its room ends with it"
        );
        self.has_failed = true;
        let has_ended = self.entry.has_ended.write();
        *has_ended.unwrap_or_else(PoisonError::into_inner) = true;
        self.room
            .say_goodbye("the room has failed; a new one opens", RETURN_TO_NEW_ROOM);
        self.take_over(Totals::default(), metrics);
    }

    /// Takes over who is there, as soon as somebody has come.
    pub fn note_players(&mut self, metrics: &Metrics) {
        let sessions = self.room.sessions();
        let totals = Totals {
            players: sessions.iter().filter(|one| one.is_connected()).count() as i64,
            sessions: sessions.len() as i64,
            entities: self.totals.entities,
        };
        self.take_over(totals, metrics);
        // Who has just come is in it.
        (self.state).take_if(|state| now() >= state.good_until);
    }

    /// The room's state at its newest tick: made once, however many ask for it. What takes long is made less often, as the thread's rooms
    /// stand still meanwhile.
    pub fn state(&mut self) -> Arc<Value> {
        let (tick, began) = (self.room.tick_now(), now());
        if let Some(state) = &self.state
            && (state.tick == tick || began < state.good_until)
        {
            return Arc::clone(&state.value);
        }
        let value = Arc::new(self.room.state());
        let ended = now();
        self.state = Some(State {
            value: Arc::clone(&value),
            tick,
            good_until: ended.plus(Micros(ended.since(began).0 * STATE_PAUSE)),
        });
        value
    }

    /// The room's line in the list of rooms.
    pub fn line(&self) -> Value {
        json!({
            "room": self.room.name(),
            "players": self.totals.players,
            "sessions": self.totals.sessions,
            "tick": self.room.tick_now().0,
            "bytes_per_second": self.bytes_per_second,
        })
    }
}
