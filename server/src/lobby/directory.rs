//! Which rooms there are, and on which worker.
//!
//! In: join requests. Out: commands to workers. Rooms are made on demand, each on the worker with the fewest rooms.

use super::tried_module::tried_module;
use crate::clock::now;
use crate::close::{Close, CloseCode};
use crate::config::Config;
use crate::metrics::Metrics;
use crate::net::io::polled_connection::PolledConnection;
use crate::net::peer::connection::Connection;
use crate::net::rules_module::RulesModule;
use crate::room::{Inbox, JoinRequest, Room, RoomSettings};
use crate::worker::{Command, RoomEntry, WorkerHandle};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use thiserror::Error;
use tickwire_game::{Game, GameSettings};
use tickwire_sync::bench_policies::ViewPolicy;
use tickwire_sync::world::SchemaError;
use tickwire_sync::{Micros, TickClock};
use tokio::sync::oneshot;

/// Makes the game of a new room. Called once at the start too, to check the game's schema and to
/// try its rules module.
pub type NewGame = Arc<dyn Fn(&GameSettings) -> Box<dyn Game> + Send + Sync>;

/// Why the rooms' workers cannot start.
#[derive(Debug, Error)]
pub enum LobbyError {
    /// The system cannot start a thread.
    #[error("no thread for a worker: {0}")]
    Thread(#[from] std::io::Error),
    /// The game's schema is invalid: a mistake in the game.
    #[error("the game {0} can't be played: {1}")]
    Schema(&'static str, SchemaError),
}

/// The rooms of this server and the workers that run them.
pub(super) struct RoomDirectory {
    pub config: Arc<Config>,
    pub metrics: Arc<Metrics>,
    new_game: NewGame,
    pub game_name: &'static str,
    /// The module of all rooms' rules, if it is fit to be served.
    pub rules_module: Option<RulesModule>,
    pub workers: Vec<WorkerHandle>,
    rooms: Mutex<Rooms>,
}

#[derive(Default)]
struct Rooms {
    by_name: BTreeMap<String, RoomHandle>,
    /// Rooms that were ever opened: spreads the rooms' ticks over time.
    opened_count: u64,
}

/// Where a room runs, and by which clock: what the lobby keeps about a [`Room`] that a worker's `RoomRunner` runs. The worker
/// shares the [`RoomEntry`].
#[derive(Clone)]
pub(super) struct RoomHandle {
    worker: usize,
    pub tick_clock: TickClock,
    entry: Arc<RoomEntry>,
}

impl RoomDirectory {
    /// Checks the game and starts the workers.
    ///
    /// # Errors
    /// If the game's schema is invalid, or a worker's thread cannot start.
    pub fn start(
        config: Arc<Config>,
        metrics: Arc<Metrics>,
        new_game: NewGame,
    ) -> Result<Self, LobbyError> {
        let game = new_game(&game_settings(&config, ""));
        (game.schema().validate()).map_err(|error| LobbyError::Schema(game.name(), error))?;
        let rules_module = tried_module(&*game);
        let workers = (0..config.workers)
            .map(|number| WorkerHandle::start(number, config.io_uring, Arc::clone(&metrics)))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            config,
            metrics,
            new_game,
            game_name: game.name(),
            rules_module,
            workers,
            rooms: Mutex::default(),
        })
    }

    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The index of the worker that runs a room.
    pub fn worker_of(&self, room: &str) -> Option<usize> {
        Some(self.rooms().by_name.get(room)?.worker)
    }

    /// Sends a join request to the worker of a room, which is opened if there is none. Returns where the room runs.
    ///
    /// # Errors
    /// The close for the player, if there are too many rooms.
    pub fn send_to_room(
        &self,
        room: &str,
        request: JoinRequest,
        connection: &Arc<Connection>,
        inbox: &Arc<Inbox>,
    ) -> Result<RoomHandle, Close> {
        let mut rooms = self.rooms();
        let handle = match rooms.by_name.get(room).filter(|handle| handle.begin_join()) {
            Some(handle) => handle.clone(),
            None => {
                rooms.by_name.retain(|_, handle| !handle.has_ended());
                if rooms.by_name.len() >= self.config.max_rooms {
                    return Err(Close::new(
                        CloseCode::Full,
                        "there are too many rooms; join one that exists, or try later",
                    ));
                }
                self.open_room(&mut rooms, room)
            }
        };
        drop(rooms);
        let (request, connection, inbox) =
            (Box::new(request), Arc::clone(connection), Arc::clone(inbox));
        self.workers[handle.worker].send(Command::Join {
            room: room.to_owned(),
            request,
            connection,
            inbox,
        });
        Ok(handle)
    }

    /// Hands a connection to the room's worker, which polls it from now on.
    pub fn adopt(&self, handle: &RoomHandle, room: String, connection: Box<dyn PolledConnection>) {
        self.workers[handle.worker].send(Command::Adopt { room, connection });
    }

    fn open_room(&self, rooms: &mut Rooms, name: &str) -> RoomHandle {
        let mut room_counts = vec![0_usize; self.workers.len()];
        for handle in rooms.by_name.values() {
            room_counts[handle.worker] += 1;
        }
        let worker = (0..room_counts.len())
            .min_by_key(|worker| room_counts[*worker])
            .unwrap_or(0);
        let game = (self.new_game)(&game_settings(&self.config, name));
        let tick_clock = new_tick_clock(rooms.opened_count, self.config.tick_rate, now());
        rooms.opened_count += 1;
        let settings = RoomSettings {
            rules_module: self.rules_module.as_ref().map(RulesModule::hash),
            tick_rate: self.config.tick_rate,
            max_players: self.config.max_players,
            resume_window: self.config.resume_window,
            max_message_bytes: self.config.max_message_bytes,
            max_rewind: self.config.max_rewind,
            view_policy: ViewPolicy::Clamped,
            window_policy: self.config.window_policy,
        };
        let entry = Arc::new(RoomEntry::default());
        entry.joining.store(1, Ordering::Release);
        let room = Room::new(name, settings, game, tick_clock, rand::random());
        self.workers[worker].send(Command::Open(Box::new(room), Arc::clone(&entry)));
        let handle = RoomHandle {
            worker,
            tick_clock,
            entry,
        };
        rooms.by_name.insert(name.to_owned(), handle.clone());
        handle
    }

    /// Asks every worker, and waits for all answers.
    pub async fn ask_all<T>(&self, command: impl Fn(oneshot::Sender<T>) -> Command) -> Vec<T> {
        let questions: Vec<_> = self
            .workers
            .iter()
            .map(|worker| {
                let (answer, answered) = oneshot::channel();
                worker.send(command(answer));
                answered
            })
            .collect();
        let mut answers = Vec::with_capacity(questions.len());
        for question in questions {
            answers.extend(question.await.ok());
        }
        answers
    }
}

impl RoomHandle {
    /// Keeps the room from ending until the join has reached it. `false`: the room has ended already.
    fn begin_join(&self) -> bool {
        let has_ended = self
            .entry
            .has_ended
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        if !*has_ended {
            self.entry.joining.fetch_add(1, Ordering::AcqRel);
        }
        !*has_ended
    }

    fn has_ended(&self) -> bool {
        *self
            .entry
            .has_ended
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// When the ticks of the process's `number`th room are due. The golden ratio spreads any number of rooms evenly over a tick,
/// whenever each was opened, so that few rooms wait for another.
fn new_tick_clock(number: u64, tick_rate: u32, now: Micros) -> TickClock {
    let since_start = TickClock {
        tick_zero_us: 0,
        tick_rate,
    };
    let phase = (number as f64 * 0.618_033_988_75).fract();
    let tick_zero = since_start.ticks_at(now.0 as f64).floor() + phase;
    TickClock {
        tick_zero_us: (tick_zero * since_start.tick_us()) as i64,
        tick_rate,
    }
}

fn game_settings(config: &Config, room: &str) -> GameSettings {
    GameSettings {
        room: room.to_owned(),
        seed: seed_of(room),
        tick_rate: config.tick_rate,
        npcs: config.npcs,
    }
}

/// The seed of a room's world: the same name always gives the same world (FNV-1a).
fn seed_of(name: &str) -> u64 {
    tickwire_game::hash_of_sources(&[name.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_spread_over_the_tick_whenever_they_open() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut now = Micros(5_000_000);
        let mut phases: Vec<f64> = (0..100)
            .map(|number| {
                now = now.plus(Micros(random.u64(0..100_000)));
                let tick_clock = new_tick_clock(number, 60, now);
                let first_tick = tick_clock.ticks_at(now.0 as f64);
                assert!((-1.0..1.0).contains(&first_tick), "{first_tick}");
                tick_clock.ticks_at(0.0).rem_euclid(1.0)
            })
            .collect();
        phases.sort_by(f64::total_cmp);
        let gaps = phases.windows(2).map(|pair| pair[1] - pair[0]);
        let widest_gap = gaps.fold(0.0, f64::max);
        assert!(widest_gap < 0.03, "no room in {widest_gap} of a tick");
    }
}
