//! The thread of a worker: commands and due ticks, one after the other.
//!
//! In: commands, and the time. Out: ticks of the rooms by absolute deadlines, and answers. A due tick waits for one command at
//! most, and a panic of a game concerns its room alone: the room goes on from its last checkpoint, or ends.

mod joining;
#[cfg(test)]
mod tests;

use crate::clock::now;
use crate::cluster::RoomLease;
use crate::freed_memory;
use crate::log_limit;
use crate::metrics::{Metrics, RoomMessageOutcome};
use crate::moderation::{ActedOn, SessionAction, Whom};
use crate::net::io::polled_connection;
use crate::recorder::RoomRecording;
use crate::room::RoomStats;
use crate::worker::command::{Command, RoomEntry, ServerRoom};
use crate::worker::delivery::{Delivery, DeliveryLog, PostBox};
use crate::worker::due_ticks::{self, DueTicks};
use crate::worker::liveness::Liveness;
use crate::worker::room_checkpoints::{RestoredFrom, RoomCheckpoints};
use crate::worker::room_runner::{Activity, RoomRunner, drop_room};
use crate::worker::state_board::StateBudget;
use slotmap::{SlotMap, new_key_type};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tickwire_sync::{Micros, Tick};

/// Longest sleep of a worker without rooms, so that it shows that it is alive.
const MAX_IDLE: Duration = Duration::from_millis(500);
/// A worker counts as late while a room of it was late by more than a tick within this time.
const LATE_MEMORY: Micros = Micros::from_millis(1_000);
/// Poll interval for the connections of a room that makes no ticks any more, until all of its players are gone.
const CLOSED_ROOM_POLL: Micros = Micros::from_millis(20);
/// How soon a room whose node may not act for it is looked at again.
const FROZEN_ROOM_POLL: Micros = Micros::from_millis(10);
/// Poll interval for rooms that nobody is connected to.
const RESTING_ROOM_POLL: Micros = Micros::from_millis(500);

new_key_type! {
    /// A room of this worker.
    pub(super) struct RoomKey;
}

/// The state of a worker's thread.
pub(super) struct WorkerLoop {
    receiver: Receiver<Command>,
    metrics: Arc<Metrics>,
    liveness: Arc<Liveness>,
    /// Whether rooms may make ticks.
    lease: RoomLease,
    /// Where games' messages to other rooms go.
    post_box: PostBox,
    deliveries: DeliveryLog,
    /// Boxed, because a map keeps the places of rooms that have ended.
    rooms: SlotMap<RoomKey, Box<RoomRunner>>,
    names: BTreeMap<String, RoomKey>,
    /// When each room's next turn is due. A deadline is outdated, and ignored, unless its time equals [`RoomRunner::due`].
    deadlines: BinaryHeap<Reverse<(Micros, RoomKey)>>,
    /// The sum of the rooms' costs of a tick; see [`RoomRunner::shared_cost`].
    tick_cost: Micros,
    last_late_at: Option<Micros>,
    /// Rooms whose state is wanted, each once.
    wanted_states: VecDeque<(String, Arc<RoomEntry>)>,
    state_budget: StateBudget,
}

impl WorkerLoop {
    pub fn new(
        receiver: Receiver<Command>,
        metrics: Arc<Metrics>,
        liveness: Arc<Liveness>,
        lease: RoomLease,
        post_box: PostBox,
    ) -> Self {
        Self {
            receiver,
            metrics,
            liveness,
            lease,
            post_box,
            deliveries: DeliveryLog::default(),
            rooms: SlotMap::with_key(),
            names: BTreeMap::new(),
            deadlines: BinaryHeap::new(),
            tick_cost: Micros(0),
            last_late_at: None,
            wanted_states: VecDeque::new(),
            state_budget: StateBudget::default(),
        }
    }

    /// Runs until the worker's handle is dropped.
    pub fn run(mut self) {
        loop {
            let now = now();
            self.liveness.record_progress(now);
            let mut sleep = match self.deadlines.peek() {
                Some(Reverse((due, _))) => Duration::from_micros(due.since(now).0),
                None => MAX_IDLE,
            };
            if !self.wanted_states.is_empty() && !sleep.is_zero() {
                let spent = self.make_state(now);
                // No tick is late by the time that a state takes.
                sleep = sleep.saturating_sub(Duration::from_micros(spent.0));
                let next = self.state_budget.next_at.since(now.plus(spent));
                sleep = sleep.min(Duration::from_micros(next.0.max(1)));
            }
            let command = match sleep {
                // A due tick waits for one command at most, and commands must not starve either.
                Duration::ZERO => self.receiver.try_recv().map_err(|error| match error {
                    TryRecvError::Empty => RecvTimeoutError::Timeout,
                    TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
                }),
                sleep => self.receiver.recv_timeout(sleep),
            };
            match command {
                Ok(command) => {
                    self.handle(command);
                    self.run_due_room();
                }
                Err(RecvTimeoutError::Timeout) => self.run_due_room(),
                Err(RecvTimeoutError::Disconnected) => {
                    self.liveness.record_end();
                    return self.drop_rooms();
                }
            }
        }
    }

    /// Runs the room whose turn is due, if there is one.
    fn run_due_room(&mut self) {
        let started = now();
        let is_due = |Reverse((due, _)): &Reverse<(Micros, RoomKey)>| *due <= started;
        if !self.deadlines.peek().is_some_and(is_due) {
            self.update_lateness(started);
            return;
        }
        let Some(Reverse((due, key))) = self.deadlines.pop() else {
            return;
        };
        // The deadline may belong to a room that has ended.
        let Some(runner) = self.rooms.get_mut(key) else {
            return;
        };
        if runner.due != due {
            // The deadline is outdated: the room was woken after it was set.
            return;
        }
        if runner.activity == Activity::Closed || runner.may_rest(started) {
            self.poll_idle_room(key, started);
            return;
        }
        if !self.lease.is_valid(started) {
            // Another node may own the room by now: nobody must see another tick of this one.
            self.schedule(key, started.plus(FROZEN_ROOM_POLL));
            return;
        }
        let room = &runner.room;
        let cost = self.tick_cost.max(runner.tick_cost);
        let due_ticks = DueTicks::at(started, room.tick_clock(), room.tick_now(), cost);
        self.tick_cost = self.tick_cost.since(runner.shared_cost());
        let run = || runner.run_ticks(&due_ticks, started, &self.metrics);
        let ended = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
            runner.fail(&self.metrics);
            now()
        });
        runner.post_messages(&self.post_box, &self.metrics, ended);
        if runner.entry.state.wants_tick() {
            let (room, entry) = (runner.room.name().to_owned(), Arc::clone(&runner.entry));
            self.wanted_states.push_back((room, entry));
        }
        update_metadata(runner, &mut self.state_budget, ended, &self.metrics);
        // After the snapshots: no player waits for it.
        or_fail(runner, &self.metrics, |runner| runner.save_if_due(ended));
        if runner.is_out_of_ticks() && runner.activity != Activity::Closed {
            runner.retire(&self.metrics);
        }
        self.tick_cost = self.tick_cost.plus(runner.shared_cost());
        let is_over = runner.is_over(ended);
        // A room whose tick takes longer than a tick lasts is held back alone: the other rooms get most of the time.
        let is_too_slow = runner.is_too_slow() && self.names.len() > 1;
        // A room that rests needs no time.
        let is_beside_others = is_too_slow
            && (self.rooms.iter())
                .any(|(other, room)| other != key && room.activity == Activity::Ticking);
        let Some(runner) = self.rooms.get_mut(key) else {
            return;
        };
        let next_due = if is_beside_others {
            due_ticks::held_back(runner.next_due(), started, ended)
        } else {
            runner.next_due()
        };
        self.metrics
            .ticks_skipped
            .inc_by(u64::from(due_ticks.skipped));
        let lateness_seconds = started.since(due).0 as f64 / 1e6;
        self.metrics.tick_lateness.observe(lateness_seconds);
        if due_ticks.are_late() && !is_too_slow {
            self.last_late_at = Some(started);
        }
        self.update_lateness(ended);
        if is_over {
            self.end_room(key);
        } else {
            self.schedule(key, next_due);
        }
    }

    /// Polls the connections of a room that makes no ticks, because nobody is there or because it has failed.
    fn poll_idle_room(&mut self, key: RoomKey, now: Micros) {
        let Some(runner) = self.rooms.get_mut(key) else {
            return;
        };
        runner.poll_connections();
        if runner.activity != Activity::Closed {
            runner.activity = Activity::Resting;
            let metrics = &self.metrics;
            or_fail(runner, metrics, |runner| runner.expire_absent(now, metrics));
            or_fail(runner, metrics, RoomRunner::save_resting);
        }
        // A room that rests shows how it was left.
        update_metadata(runner, &mut self.state_budget, now, &self.metrics);
        let poll_interval = match runner.activity {
            Activity::Closed => CLOSED_ROOM_POLL,
            Activity::Ticking | Activity::Resting => RESTING_ROOM_POLL,
        };
        self.tick_cost = self.tick_cost.since(runner.take_shared_cost());
        if runner.is_over(now) {
            self.end_room(key);
        } else {
            self.schedule(key, now.plus(poll_interval));
        }
        self.update_lateness(now);
    }

    /// Sets the time of a room's next turn. Earlier deadlines of the room become outdated.
    fn schedule(&mut self, key: RoomKey, due: Micros) {
        if let Some(runner) = self.rooms.get_mut(key) {
            runner.due = due;
            self.deadlines.push(Reverse((due, key)));
        }
    }

    fn update_lateness(&mut self, now: Micros) {
        let is_recent = |at: Micros| now.since(at) < LATE_MEMORY;
        let is_late = self.last_late_at.is_some_and(is_recent);
        self.liveness.record_lateness(is_late, now);
    }

    fn end_room(&mut self, key: RoomKey) {
        if let Some(mut runner) = self.rooms.remove(key) {
            self.tick_cost = self.tick_cost.since(runner.take_shared_cost());
            let (name, tick) = (runner.room.name(), runner.room.tick_now());
            // After a failed room, a new one may have its name.
            if self.names.get(name) == Some(&key) {
                self.names.remove(name);
            }
            if log_limit::admits("room_ended", now()) {
                tracing::info!(room = name, tick = tick.0, "room ended");
            }
            // Empty stats take the room's share out of the gauges.
            runner.record(&RoomStats::default(), &self.metrics, tick);
            self.metrics.rooms.dec();
            // Who asks for the state of a room that is gone hears so.
            runner.entry.state.end();
            runner.forget_checkpoint();
            drop_room(runner, &self.metrics);
            freed_memory::count(freed_memory::ROOM_BYTES);
        }
    }

    /// The process ends. A game's `Drop` that panics makes that no failure.
    fn drop_rooms(&mut self) {
        for (_, runner) in self.rooms.drain() {
            drop_room(runner, &self.metrics);
        }
    }

    /// Makes the state of the room that has waited longest, if the time that states may take is not used up. Returns the time that
    /// it took.
    fn make_state(&mut self, began: Micros) -> Micros {
        if began < self.state_budget.next_at {
            return Micros(0);
        }
        let Some((room, entry)) = self.wanted_states.pop_front() else {
            return Micros(0);
        };
        let key = self.names.get(&room).copied();
        let runner = key.and_then(|key| self.rooms.get_mut(key));
        let Some(runner) = runner.filter(|runner| runner.activity != Activity::Closed) else {
            entry.state.end();
            return Micros(0);
        };
        let tick = runner.room.tick_now();
        let made = catch_unwind(AssertUnwindSafe(|| runner.state_json()));
        match made {
            Ok(json) => {
                let fresh_until = match runner.next_due() {
                    due if due > began => due,
                    // The room rests, or is late.
                    _ => began.plus(Micros(runner.room.tick_clock().tick_us() as u64)),
                };
                runner.entry.state.publish(Some((json, tick)), fresh_until);
            }
            Err(_) => {
                let failed_at = now();
                runner.fail(&self.metrics);
                let fresh_until = match runner.activity {
                    Activity::Closed => Micros(u64::MAX),
                    Activity::Ticking | Activity::Resting => failed_at,
                };
                entry.state.publish(None, fresh_until);
                if let Some(key) = key {
                    self.schedule(key, failed_at);
                }
            }
        }
        // Waking those who wait is part of it.
        let ended = now();
        self.state_budget.spend(began, ended);
        ended.since(began)
    }

    fn handle(&mut self, command: Command) {
        match command {
            Command::Open {
                name,
                make,
                entry,
                checkpoints,
                recording,
            } => self.open_room(&name, make, entry, checkpoints, recording),
            Command::Join {
                newcomer,
                rate,
                ask,
            } => self.join(*newcomer, rate.as_deref(), ask),
            Command::Adopt { room, connection } => {
                self.wake(&room);
                match self.room_mut(&room) {
                    Some(runner) => runner.connections.push(connection),
                    // Its join was refused a moment ago.
                    None => polled_connection::end(connection),
                }
            }
            Command::Deliver { delivery, answer } => {
                let players = self.deliver(&delivery);
                if let Some(answer) = answer {
                    let _ = answer.send(players);
                }
            }
            Command::ActOnSessions {
                whom,
                action,
                answer,
            } => {
                let _ = answer.send(self.act_on_sessions(&whom, &action));
            }
            Command::State { room, entry } => self.wanted_states.push_back((room, entry)),
            Command::LookAtEnd { room } => {
                if let Some(key) = self.names.get(&room).copied()
                    && (self.rooms.get_mut(key)).is_some_and(|runner| runner.is_over(now()))
                {
                    self.end_room(key);
                }
            }
            Command::Abandon { room } => {
                if let Some(key) = self.names.get(&room).copied()
                    && let Some(runner) = self.rooms.get_mut(key)
                {
                    runner.abandon(&self.metrics);
                    self.schedule(key, now());
                }
            }
            Command::HandOver {
                room,
                reason,
                answer,
            } => {
                if let Some(key) = self.names.get(&room).copied()
                    && let Some(runner) = self.rooms.get_mut(key)
                {
                    or_fail(runner, &self.metrics, |runner| runner.hand_over(&reason));
                    self.schedule(key, now());
                }
                let _ = answer.send(());
            }
            Command::LeadAway { reason, answer } => {
                for runner in self.rooms.values() {
                    runner.room.lead_away(&reason);
                }
                let _ = answer.send(());
            }
            Command::List { answer } => {
                let rooms = self.names.values().filter_map(|key| self.rooms.get(*key));
                let _ = answer.send(rooms.map(|room| room.summary()).collect());
            }
            Command::Goodbye {
                reason,
                reconnect_after,
                answer,
            } => {
                let mut closed = Vec::new();
                for (key, runner) in &mut self.rooms {
                    or_fail(runner, &self.metrics, |runner| {
                        runner.say_last_goodbye(&reason, reconnect_after);
                    });
                    if runner.activity == Activity::Closed {
                        closed.push(key);
                    }
                }
                for key in closed {
                    self.schedule(key, now());
                }
                let _ = answer.send(());
            }
        }
    }

    /// Returns how many players read a notice; `None`: there is no room that it is for.
    fn deliver(&mut self, delivery: &Arc<Delivery>) -> Option<usize> {
        let goes_on = self.deliveries.add(delivery, now());
        let mut players = None;
        let mut failed = Vec::new();
        for (key, runner) in &mut self.rooms {
            if !goes_on {
                runner.delivered = 0;
            }
            let deliver = || runner.deliver(delivery, &self.metrics);
            match catch_unwind(AssertUnwindSafe(deliver)) {
                Ok(None) => {}
                Ok(Some(of_room)) => *players.get_or_insert(0) += of_room,
                Err(_) => {
                    runner.fail(&self.metrics);
                    failed.push(key);
                }
            }
        }
        for key in failed {
            self.schedule(key, now());
        }
        players
    }

    /// Gives a room that goes on from a checkpoint what was delivered since. After a crash some of its players have read the notices.
    fn catch_up(&self, runner: &mut RoomRunner, checkpoint: RestoredFrom) {
        runner.delivered = checkpoint.delivered;
        if self.deliveries.has_forgotten_after(checkpoint.delivered) {
            let outcomes = &self.metrics.room_messages;
            outcomes.get(RoomMessageOutcome::Dropped).inc();
            if log_limit::admits("deliveries_forgotten", now()) {
                let room = runner.room.name();
                tracing::warn!(
                    room,
                    "notices and messages of other rooms may be missing: the room was on its way for too long"
                );
            }
        }
        for delivery in self.deliveries.after(checkpoint.delivered) {
            if checkpoint.is_last || !delivery.is_notice() {
                or_fail(runner, &self.metrics, |runner| {
                    runner.deliver(&delivery, &self.metrics);
                });
            }
        }
    }

    fn act_on_sessions(&mut self, whom: &Whom, action: &SessionAction) -> ActedOn {
        let mut acted_on = ActedOn::default();
        let mut failed = Vec::new();
        let live = (self.rooms.iter_mut()).filter(|(_, room)| room.activity != Activity::Closed);
        for (key, runner) in live {
            // A game may panic when a player leaves. In a room that goes on from its checkpoint the player is there again.
            for _ in 0..2 {
                let act = || runner.room.act_on_sessions(whom, action);
                if let Ok(of_room) = catch_unwind(AssertUnwindSafe(act)) {
                    if of_room.sessions > 0 {
                        runner.count_sessions(&self.metrics);
                        runner.is_outdated();
                    }
                    acted_on.add(of_room);
                    break;
                }
                runner.fail(&self.metrics);
                failed.push(key);
                if runner.activity == Activity::Closed {
                    break;
                }
            }
        }
        for key in failed {
            self.schedule(key, now());
        }
        acted_on
    }

    fn room(&self, name: &str) -> Option<&RoomRunner> {
        self.rooms.get(*self.names.get(name)?).map(Box::as_ref)
    }

    fn room_mut(&mut self, name: &str) -> Option<&mut RoomRunner> {
        self.rooms.get_mut(*self.names.get(name)?).map(Box::as_mut)
    }

    fn open_room(
        &mut self,
        name: &str,
        make: Box<dyn FnOnce() -> ServerRoom + Send>,
        entry: Arc<RoomEntry>,
        checkpoints: Option<Box<RoomCheckpoints>>,
        recording: Option<Box<RoomRecording>>,
    ) {
        let Ok(mut room) = catch_unwind(AssertUnwindSafe(make)) else {
            tracing::error!(room = name, "the game panicked while it was made");
            self.metrics.rooms_failed.inc();
            let has_ended = entry.has_ended.write();
            *has_ended.unwrap_or_else(PoisonError::into_inner) = true;
            return entry.state.end();
        };
        let opened = now();
        if log_limit::admits("room_opened", opened) {
            tracing::info!(room = name, "room opened");
        }
        let name = name.to_owned();
        // The ticks that fell due while the game was made are not late, but the newest is made at once.
        let tick = room.tick_clock().ticks_at(opened.0 as f64).max(0.0) as u32;
        room.skip_to(Tick(tick.saturating_sub(1)));
        let restored_from = checkpoints.as_ref().and_then(|kept| kept.restored_from());
        let mut runner = RoomRunner::new(room, entry, checkpoints, recording, opened);
        match restored_from {
            Some(checkpoint) => self.catch_up(&mut runner, checkpoint),
            None => runner.delivered = self.deliveries.newest(),
        }
        // Those of a room that was restored.
        runner.count_sessions(&self.metrics);
        let due = runner.next_due();
        let key = self.rooms.insert(Box::new(runner));
        self.names.insert(name, key);
        self.schedule(key, due);
        self.metrics.rooms.inc();
    }

    /// Wakes a room if it rests, because somebody comes.
    fn wake(&mut self, room: &str) {
        let Some(key) = self.names.get(room).copied() else {
            return;
        };
        let due = self.rooms.get_mut(key).and_then(|room| room.wake(now()));
        if let Some(due) = due {
            self.schedule(key, due);
        }
    }
}

/// Does something with a room in which the game may panic, which then fails alone.
fn or_fail(runner: &mut RoomRunner, metrics: &Metrics, act: impl FnOnce(&mut RoomRunner)) {
    if catch_unwind(AssertUnwindSafe(|| act(runner))).is_err() {
        runner.fail(metrics);
    }
}

/// Asks the game for what the list of rooms shows, if that is due and the time for it is not used up.
fn update_metadata(
    runner: &mut RoomRunner,
    budget: &mut StateBudget,
    began: Micros,
    metrics: &Metrics,
) {
    if began < budget.next_at || !runner.wants_metadata(began) {
        return;
    }
    or_fail(runner, metrics, |runner| runner.update_metadata(began));
    budget.spend(began, now());
}
