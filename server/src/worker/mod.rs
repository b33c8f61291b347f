//! Workers: threads that own rooms and tick them by absolute deadlines.
//!
//! In: commands (open a room, let someone in, tell everyone something). Out: ticks. A worker sleeps until the earliest
//! deadline of its rooms or the next command, and is never blocked by a socket. What is done with a late tick says `due.rs`.

mod counts;
mod due;
mod running;

use crate::clock::now;
use crate::close::{Close, CloseCode};
use crate::config::IoUring;
use crate::metrics::Metrics;
use crate::net::connection::Connection;
use crate::net::served::{self, Served};
use crate::net::together;
use crate::room::{Hello, Inbox, JoinRefused, Room, RoomStats};
use due::DueTicks;
use running::Running;
use serde_json::Value;
use slotmap::{SlotMap, new_key_type};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, RwLock};
use std::time::Duration;
use tickwire_sync::Micros;
use tokio::sync::oneshot;

/// How often an idle worker shows that it is alive.
const IDLE: Duration = Duration::from_millis(500);
/// A room that was late by more than a tick within this time makes its worker late.
const LATE_MEMORY: Micros = Micros::from_millis(1_000);

/// How often a room that has failed is read, until all of its players are gone.
const CLOSING: Micros = Micros::from_millis(20);
/// How often a room in which nobody is is asked whether it is over.
const RESTING: Micros = Micros::from_millis(500);

/// The room of a worker.
type OwnRoom = Room<Connection>;

/// What a worker is asked to do.
pub(crate) enum Command {
    /// Begin to tick a room.
    Open(Box<OwnRoom>, Arc<RoomEntry>),
    /// Let someone in.
    Join {
        room: String,
        hello: Box<Hello>,
        connection: Arc<Connection>,
        inbox: Arc<Inbox>,
    },
    /// Read a connection that is on its way into a room, from now on and to its end.
    Read {
        room: String,
        reader: Box<dyn Served>,
    },
    /// Tell the players of one room, or of all; answers how many were told, `None` if there is no such room.
    Notice {
        text: String,
        room: Option<String>,
        answer: oneshot::Sender<Option<usize>>,
    },
    /// The state of a room.
    State {
        room: String,
        answer: oneshot::Sender<Option<Arc<Value>>>,
    },
    /// A line for each room.
    List { answer: oneshot::Sender<Vec<Value>> },
    /// Say goodbye to everyone.
    Goodbye {
        reason: String,
        reconnect_after: Duration,
        answer: oneshot::Sender<()>,
    },
}

/// What the lobby and a room's worker both know of a room.
#[derive(Debug, Default)]
pub(crate) struct RoomEntry {
    /// Joins that are on their way to the worker: while there are any, the room does not end.
    pub joining: AtomicU64,
    /// Set by the worker when the room has ended; no join may be sent any more.
    pub has_ended: RwLock<bool>,
}

/// The handle of a worker.
pub(crate) struct Worker {
    commands: Sender<Command>,
    pulse: Arc<Pulse>,
}

/// How a worker feels, readable from outside.
#[derive(Debug, Default)]
struct Pulse {
    /// When the worker last did anything.
    alive: AtomicU64,
    /// Since when it has been late without a break; 0: it is not.
    late_since: AtomicU64,
    has_ended: AtomicBool,
}

impl Worker {
    /// Starts a worker's thread.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(number: usize, io_uring: IoUring, metrics: Arc<Metrics>) -> std::io::Result<Self> {
        let (commands, receiver) = channel();
        let pulse = Arc::new(Pulse {
            alive: AtomicU64::new(now().0),
            ..Pulse::default()
        });
        let thread = Thread::new(receiver, metrics, Arc::clone(&pulse));
        std::thread::Builder::new()
            .name(format!("worker-{number}"))
            .spawn(move || {
                let is_together = io_uring == IoUring::Auto && together::begin();
                tracing::debug!(number, is_together, "worker started");
                thread.run();
            })?;
        Ok(Self { commands, pulse })
    }

    /// Passes a command on. `false`: the worker is gone (the process ends).
    pub fn send(&self, command: Command) -> bool {
        self.commands.send(command).is_ok()
    }

    /// Whether the worker has done something within `limit`.
    pub fn is_alive(&self, limit: Duration) -> bool {
        !self.pulse.has_ended.load(Ordering::Relaxed)
            && now()
                .since(Micros(self.pulse.alive.load(Ordering::Relaxed)))
                .0
                < limit.as_micros() as u64
    }

    /// For how long the worker has been late without a break.
    pub fn late_for(&self) -> Duration {
        match self.pulse.late_since.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => Duration::from_micros(now().since(Micros(since)).0),
        }
    }
}

new_key_type! {
    /// A room of this worker.
    struct RoomKey;
}

struct Thread {
    receiver: Receiver<Command>,
    metrics: Arc<Metrics>,
    pulse: Arc<Pulse>,
    rooms: SlotMap<RoomKey, Running>,
    names: BTreeMap<String, RoomKey>,
    /// When each room's next tick is due.
    deadlines: BinaryHeap<Reverse<(Micros, RoomKey)>>,
    /// The rooms' costs of a tick, together; see [`Running::shared_cost`].
    tick_cost: Micros,
    late_at: Option<Micros>,
}

/// A room, and the one whose turn is next, if there is another.
fn room_and_next(
    rooms: &mut SlotMap<RoomKey, Running>,
    room: RoomKey,
    next: Option<RoomKey>,
) -> Option<(&mut Running, Option<&Running>)> {
    // The next deadline may be of the same room, or of one that has ended: whoever is woken has an old one left.
    match next.filter(|next| *next != room && rooms.contains_key(*next)) {
        Some(next) => {
            let [room, next] = rooms.get_disjoint_mut([room, next])?;
            Some((room, Some(next)))
        }
        None => Some((rooms.get_mut(room)?, None)),
    }
}

impl Thread {
    fn new(receiver: Receiver<Command>, metrics: Arc<Metrics>, pulse: Arc<Pulse>) -> Self {
        Self {
            receiver,
            metrics,
            pulse,
            rooms: SlotMap::with_key(),
            names: BTreeMap::new(),
            deadlines: BinaryHeap::new(),
            tick_cost: Micros(0),
            late_at: None,
        }
    }

    fn run(mut self) {
        loop {
            let alive = now();
            self.pulse.alive.store(alive.0, Ordering::Relaxed);
            let pause = match self.deadlines.peek() {
                Some(Reverse((due, _))) => Duration::from_micros(due.since(alive).0),
                None => IDLE,
            };
            let command = match pause {
                // A due tick waits for one command at most, and commands must not starve either.
                Duration::ZERO => self.receiver.try_recv().map_err(|error| match error {
                    TryRecvError::Empty => RecvTimeoutError::Timeout,
                    TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
                }),
                pause => self.receiver.recv_timeout(pause),
            };
            match command {
                Ok(command) => {
                    self.obey(command);
                    self.tick_next();
                }
                Err(RecvTimeoutError::Timeout) => self.tick_next(),
                Err(RecvTimeoutError::Disconnected) => {
                    self.pulse.has_ended.store(true, Ordering::Relaxed);
                    return;
                }
            }
        }
    }

    /// Makes the tick that is due, if one is.
    fn tick_next(&mut self) {
        let started = now();
        let is_due = |Reverse((due, _)): &Reverse<(Micros, RoomKey)>| *due <= started;
        if !self.deadlines.peek().is_some_and(is_due) {
            self.note_lateness(started);
            return;
        }
        let Some(Reverse((due, key))) = self.deadlines.pop() else {
            return;
        };
        let next = self.deadlines.peek().map(|Reverse((_, next))| *next);
        let Some((running, next)) = room_and_next(&mut self.rooms, key, next) else {
            return;
        };
        if running.due != due {
            // It was woken meanwhile, or has ended.
            return;
        }
        if running.has_failed || running.may_rest(started) {
            running.read();
            running.is_resting = !running.has_failed;
            self.tick_cost = self.tick_cost.since(running.take_cost());
            let pause = if running.has_failed { CLOSING } else { RESTING };
            match running.is_over(started) {
                true => self.end(key),
                false => self.schedule(key, started.plus(pause)),
            }
            self.note_lateness(started);
            return;
        }
        let room = &running.room;
        let cost = self.tick_cost.max(running.tick_cost);
        let ticks = DueTicks::at(started, room.ticks(), room.tick_now(), cost);
        self.tick_cost = self.tick_cost.since(running.shared_cost());
        // What a game does wrong ends its room alone.
        let make = || running.make(&ticks, started, next, &self.metrics);
        let ended = catch_unwind(AssertUnwindSafe(make)).unwrap_or_else(|_| {
            running.fail(&self.metrics);
            now()
        });
        self.tick_cost = self.tick_cost.plus(running.shared_cost());
        let is_over = running.is_over(ended);
        let next_due = running.next_due();
        self.metrics.ticks_skipped.inc_by(u64::from(ticks.skipped));
        let lateness = started.since(due).0 as f64 / 1e6;
        self.metrics.tick_lateness.observe(lateness);
        if ticks.are_late() {
            self.late_at = Some(started);
        }
        self.note_lateness(ended);
        if is_over {
            self.end(key);
        } else {
            self.schedule(key, next_due);
        }
    }

    /// It is the room's turn then, and not before.
    fn schedule(&mut self, key: RoomKey, due: Micros) {
        if let Some(running) = self.rooms.get_mut(key) {
            running.due = due;
            self.deadlines.push(Reverse((due, key)));
        }
    }

    fn note_lateness(&mut self, now: Micros) {
        let is_late = self.late_at.is_some_and(|at| now.since(at) < LATE_MEMORY);
        let since = self.pulse.late_since.load(Ordering::Relaxed);
        match (is_late, since) {
            (true, 0) => self.pulse.late_since.store(now.0, Ordering::Relaxed),
            (false, 1..) => self.pulse.late_since.store(0, Ordering::Relaxed),
            _ => {}
        }
    }

    fn end(&mut self, key: RoomKey) {
        if let Some(mut running) = self.rooms.remove(key) {
            self.tick_cost = self.tick_cost.since(running.take_cost());
            let (name, tick) = (running.room.name(), running.room.tick_now());
            // Where it has failed, another one may have its name by now.
            if self.names.get(name) == Some(&key) {
                self.names.remove(name);
            }
            tracing::info!(room = name, tick = tick.0, "room ended");
            // The gauges are told that nothing is left.
            running.note(&RoomStats::default(), &self.metrics, tick);
            self.metrics.rooms.dec();
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Open(room, entry) => {
                tracing::info!(room = room.name(), "room opened");
                let name = room.name().to_owned();
                let running = Running::new(*room, entry, now());
                let next = running.next_due();
                let key = self.rooms.insert(running);
                self.names.insert(name, key);
                self.schedule(key, next);
                self.metrics.rooms.inc();
            }
            Command::Join {
                room,
                hello,
                connection,
                inbox,
            } => self.join(&room, &hello, &connection, inbox),
            Command::Read { room, reader } => {
                self.wake(&room);
                match self.room_mut(&room) {
                    Some(running) => running.readers.push(reader),
                    // Its join was refused a moment ago.
                    None => served::end(reader),
                }
            }
            Command::Notice { text, room, answer } => {
                let told = match &room {
                    Some(room) => self.room(room).map(|running| running.room.notice(&text)),
                    None => Some(
                        self.rooms
                            .values()
                            .map(|running| running.room.notice(&text))
                            .sum(),
                    ),
                };
                let _ = answer.send(told);
            }
            Command::State { room, answer } => {
                let _ = answer.send(self.room_mut(&room).map(Running::state));
            }
            Command::List { answer } => {
                let rooms = self.names.values().filter_map(|key| self.rooms.get(*key));
                let _ = answer.send(rooms.map(Running::line).collect());
            }
            Command::Goodbye {
                reason,
                reconnect_after,
                answer,
            } => {
                for running in self.rooms.values() {
                    running.room.say_goodbye(&reason, reconnect_after);
                }
                let _ = answer.send(());
            }
        }
    }

    fn room(&self, name: &str) -> Option<&Running> {
        self.rooms.get(*self.names.get(name)?)
    }

    fn room_mut(&mut self, name: &str) -> Option<&mut Running> {
        self.rooms.get_mut(*self.names.get(name)?)
    }

    /// Somebody comes to a room: if it rests, its ticks follow the time again.
    fn wake(&mut self, room: &str) {
        let Some(key) = self.names.get(room).copied() else {
            return;
        };
        let due = self.rooms.get_mut(key).and_then(|room| room.wake(now()));
        if let Some(due) = due {
            self.schedule(key, due);
        }
    }

    fn join(&mut self, room: &str, hello: &Hello, connection: &Arc<Connection>, inbox: Arc<Inbox>) {
        self.wake(room);
        let key = self.names.get(room);
        let running = key.and_then(|key| self.rooms.get_mut(*key));
        let Some(running) = running.filter(|running| !running.has_failed) else {
            // The lobby keeps a room from ending while somebody is on the way: it has failed, which is not the player's fault.
            connection.close(&Close::new(
                CloseCode::Full,
                "the room has just ended; connect again",
            ));
            return;
        };
        // A join that was for a room of this name that has failed is not counted here.
        let _ =
            (running.entry.joining).fetch_update(Ordering::AcqRel, Ordering::Acquire, |joining| {
                joining.checked_sub(1)
            });
        let join = || {
            let connection = Arc::clone(connection);
            running.room.join(hello, connection, inbox, now())
        };
        let Ok(joined) = catch_unwind(AssertUnwindSafe(join)) else {
            running.fail(&self.metrics);
            connection.close(&Close::new(
                CloseCode::Full,
                "the room has just failed; connect again",
            ));
            return;
        };
        match joined {
            Ok(joined) => {
                running.empty_since = None;
                running.note_players(&self.metrics);
                let session = joined.player.0;
                tracing::info!(room, session, resumed = joined.resumed, peer = %connection.peer_addr(), "joined");
            }
            Err(JoinRefused::Full) => {
                connection.close(&Close::new(CloseCode::Full, JoinRefused::Full.to_string()));
            }
            Err(JoinRefused::Game(refusal)) => {
                connection.close(&Close::new(CloseCode::Policy, refusal.to_string()));
            }
        }
    }
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
