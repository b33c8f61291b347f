//! Which rooms there are, and on which worker.
//!
//! In: join requests. Out: commands to workers. Rooms are made on demand, each on the worker with the fewest rooms.

use super::tried_module::tried_module;
use crate::clock::now;
use crate::close::{Close, CloseCode};
use crate::config::Config;
use crate::fair_share::{RateByAddress, allowance, item_to_give_up};
use crate::metrics::Metrics;
use crate::net::io::polled_connection::PolledConnection;
use crate::net::peer::connection::Connection;
use crate::net::room_service::RoomState;
use crate::net::rules_module::RulesModule;
use crate::room::{Inbox, JoinRequest, Room, RoomSettings};
use crate::worker::{Command, RoomEntry, WorkerHandle};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use thiserror::Error;
use tickwire_game::{Game, GameSettings};
use tickwire_sync::bench_policies::ViewPolicy;
use tickwire_sync::world::SchemaError;
use tickwire_sync::{Micros, TickClock};
use tokio::sync::oneshot;

/// Joins that an address may make at once, in seconds of `--join-rate`.
const JOIN_BURST: f64 = 4.0;

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
    join_rate: Arc<RateByAddress>,
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
    /// Counts up with every room.
    number: u64,
    /// The address that the room counts under; `None`: it counts under none.
    opened_by: Option<IpAddr>,
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
        let game_name = game.name();
        (game.schema().validate()).map_err(|error| LobbyError::Schema(game_name, error))?;
        let rules_module = tried_module(&*game);
        // A game's `Drop` may panic, which ends no more than a game.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(game)));
        let per_second = f64::from(config.join_rate);
        let join_rate = Arc::new(RateByAddress::new(per_second, per_second * JOIN_BURST));
        let workers = (0..config.workers)
            .map(|number| WorkerHandle::start(number, config.io_uring, Arc::clone(&metrics)))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            config,
            metrics,
            new_game,
            game_name,
            rules_module,
            workers,
            rooms: Mutex::default(),
            join_rate,
        })
    }

    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The public state of a room.
    pub async fn state(&self, room: &str) -> RoomState {
        let Some(handle) = self.rooms().by_name.get(room).cloned() else {
            return RoomState::Missing;
        };
        let entry = &handle.entry;
        let ask = || {
            let (room, entry) = (room.to_owned(), Arc::clone(entry));
            self.workers[handle.worker].send(Command::State { room, entry });
        };
        entry.state.read(now(), ask).await
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
        let address = request.address;
        let full = |reason: &'static str| Close::new(CloseCode::Full, reason);
        let too_fast = || full("too many joins from your address; try again in a few seconds");
        // Whether a token resumes a session is known to the room, which counts the join if it does not.
        let mut may_resume = !request.resume_token.is_empty();
        if !may_resume && !self.join_rate.take(address, now()) {
            return Err(too_fast());
        }
        let mut rooms = self.rooms();
        let handle = match rooms.by_name.get(room).filter(|handle| handle.begin_join()) {
            Some(handle) => handle.clone(),
            None => {
                if std::mem::take(&mut may_resume) && !self.join_rate.take(address, now()) {
                    return Err(too_fast());
                }
                rooms.by_name.retain(|_, handle| !handle.has_ended());
                let is_own =
                    |handle: &&RoomHandle| address.is_some() && handle.opened_by == address;
                let own = rooms.by_name.values().filter(is_own).count();
                let others = rooms.by_name.len() - own;
                if address.is_some() && own >= allowance(self.config.max_rooms, others) {
                    return Err(full(
                        "too many rooms from your address; join one that exists",
                    ));
                }
                if rooms.by_name.len() >= self.config.max_rooms
                    && !self.make_place(&mut rooms, address)
                {
                    return Err(full(
                        "there are too many rooms; join one that exists, or try later",
                    ));
                }
                self.open_room(&mut rooms, room, address)
            }
        };
        drop(rooms);
        let rate = may_resume.then(|| Arc::clone(&self.join_rate));
        let (request, connection, inbox) =
            (Box::new(request), Arc::clone(connection), Arc::clone(inbox));
        self.workers[handle.worker].send(Command::Join {
            room: room.to_owned(),
            request,
            connection,
            inbox,
            rate,
        });
        Ok(handle)
    }

    /// Ends the oldest room that nobody is connected to, of the address that has most of them. `false`: there is none.
    fn make_place(&self, rooms: &mut Rooms, newcomer: Option<IpAddr>) -> bool {
        let unattended = rooms
            .by_name
            .iter()
            .filter(|(_, handle)| handle.is_unattended());
        let mut unattended: Vec<(u64, Option<IpAddr>, String)> = unattended
            .map(|(name, handle)| (handle.number, handle.opened_by, name.clone()))
            .collect();
        unattended.sort_unstable();
        let addresses = unattended.iter().map(|(_, address, _)| *address);
        let Some(index) = item_to_give_up(addresses, newcomer) else {
            return false;
        };
        let name = &unattended[index].2;
        let Some(handle) = rooms.by_name.get(name).filter(|handle| handle.end()) else {
            return false;
        };
        let room = name.clone();
        tracing::info!(room, "gave up its place: its address has too many rooms");
        self.workers[handle.worker].send(Command::LookAtEnd { room });
        rooms.by_name.remove(name);
        true
    }

    /// Hands a connection to the room's worker, which polls it from now on.
    pub fn adopt(&self, handle: &RoomHandle, room: String, connection: Box<dyn PolledConnection>) {
        self.workers[handle.worker].send(Command::Adopt { room, connection });
    }

    fn open_room(&self, rooms: &mut Rooms, name: &str, opened_by: Option<IpAddr>) -> RoomHandle {
        let mut room_counts = vec![0_usize; self.workers.len()];
        for handle in rooms.by_name.values() {
            room_counts[handle.worker] += 1;
        }
        let worker = (0..room_counts.len())
            .min_by_key(|worker| room_counts[*worker])
            .unwrap_or(0);
        let tick_clock = new_tick_clock(rooms.opened_count, self.config.tick_rate, now());
        let number = rooms.opened_count;
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
        let (new_game, game_settings) = (
            Arc::clone(&self.new_game),
            game_settings(&self.config, name),
        );
        let make = move || {
            let game = new_game(&game_settings);
            let name = &game_settings.room;
            Room::new(name, settings, game, tick_clock, rand::random())
        };
        self.workers[worker].send(Command::Open {
            name: name.to_owned(),
            make: Box::new(make),
            entry: Arc::clone(&entry),
        });
        let handle = RoomHandle {
            worker,
            tick_clock,
            entry,
            number,
            opened_by,
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

    /// Whether nobody is connected, and nobody is on the way.
    fn is_unattended(&self) -> bool {
        !self.entry.is_attended.load(Ordering::Acquire)
            && self.entry.joining.load(Ordering::Acquire) == 0
    }

    /// Ends the room unless somebody has come meanwhile. Returns whether it has ended.
    fn end(&self) -> bool {
        let has_ended = self.entry.has_ended.write();
        let mut has_ended = has_ended.unwrap_or_else(PoisonError::into_inner);
        *has_ended |= self.is_unattended();
        *has_ended
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
