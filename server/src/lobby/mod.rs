//! The lobby: which rooms there are, and on which worker.
//!
//! In: guests who want to a room, questions from `ops`. Out: commands to workers. Makes rooms on demand, each on the worker
//! with the fewest. What a connection says is read in `guest.rs`.

mod guest;

pub use guest::Guest;

use crate::clock::now;
use crate::close::{Close, CloseCode};
use crate::config::Config;
use crate::metrics::Metrics;
use crate::net::connection::Connection;
use crate::net::handler::{Health, Rooms};
use crate::room::{Hello, Inbox, Room, RoomSettings};
use crate::worker::{Command, RoomEntry, Worker};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use thiserror::Error;
use tickwire_game::{Game, GameSettings};
use tickwire_sync::Micros;
use tickwire_sync::claim::ViewPolicy;
use tickwire_sync::clock::TickClock;
use tickwire_sync::schema::SchemaError;
use tokio::sync::oneshot;

/// A worker that has not moved for this long is dead.
const ALIVE_WITHIN: Duration = Duration::from_secs(5);
/// A server that has been late for this long takes no new players.
const LATE_LIMIT: Duration = Duration::from_secs(5);
/// What `Goodbye` says when the server goes away: another one is usually there at once.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);

/// A secret of HS256 should have as many as its hash (RFC 7518, section 3.2).
const GOOD_SECRET_BYTES: usize = 32;

/// Makes the game of a new room, and one at the start, whose schema is checked.
pub type NewGame = Arc<dyn Fn(&GameSettings) -> Box<dyn Game> + Send + Sync>;

/// Why there is no lobby.
#[derive(Debug, Error)]
pub enum LobbyError {
    /// No threads.
    #[error("no thread for a worker: {0}")]
    Thread(#[from] std::io::Error),
    /// The game's author has made a mistake.
    #[error("the game {0} can't be played: {1}")]
    Schema(&'static str, SchemaError),
}

/// See the module's head.
pub struct Lobby {
    config: Arc<Config>,
    metrics: Arc<Metrics>,
    new_game: NewGame,
    workers: Vec<Worker>,
    directory: Mutex<Directory>,
}

#[derive(Default)]
struct Directory {
    rooms: BTreeMap<String, Place>,
    /// How many rooms were ever made: spreads their phases.
    made: u64,
}

#[derive(Clone)]
struct Place {
    worker: usize,
    ticks: TickClock,
    entry: Arc<RoomEntry>,
}

impl Lobby {
    /// Starts the workers. A first game is made, and thrown away, to see whether it can be played.
    ///
    /// # Errors
    /// If the game's schema can't be, or there are no threads.
    pub fn start(
        config: Arc<Config>,
        metrics: Arc<Metrics>,
        new_game: NewGame,
    ) -> Result<Arc<Self>, LobbyError> {
        if let Some(secret) = &config.ticket_secret
            && secret.as_bytes().len() < GOOD_SECRET_BYTES
        {
            tracing::warn!(
                "the secret of --ticket-secret-file has less than {GOOD_SECRET_BYTES} bytes: it can be guessed"
            );
        }
        let game = new_game(&game_settings(&config, ""));
        (game.schema().validate()).map_err(|error| LobbyError::Schema(game.name(), error))?;
        let workers = (0..config.workers)
            .map(|number| Worker::start(number, config.io_uring, Arc::clone(&metrics)))
            .collect::<Result<_, _>>()?;
        Ok(Arc::new(Self {
            config,
            metrics,
            new_game,
            workers,
            directory: Mutex::default(),
        }))
    }

    fn directory(&self) -> MutexGuard<'_, Directory> {
        self.directory
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends someone on the way to a room, which is made if there is none. Returns where that is.
    fn send_to_room(
        &self,
        room: &str,
        hello: Hello,
        connection: &Arc<Connection>,
        inbox: &Arc<Inbox>,
    ) -> Result<Place, Close> {
        let mut directory = self.directory();
        let place = match directory.rooms.get(room).filter(|place| place.begin_join()) {
            Some(place) => place.clone(),
            None => {
                directory.rooms.retain(|_, place| !place.has_ended());
                if directory.rooms.len() >= self.config.max_rooms {
                    return Err(Close::new(
                        CloseCode::Full,
                        "there are too many rooms; join one that exists, or try later",
                    ));
                }
                self.open_room(&mut directory, room)
            }
        };
        drop(directory);
        let (hello, connection, inbox) =
            (Box::new(hello), Arc::clone(connection), Arc::clone(inbox));
        self.workers[place.worker].send(Command::Join {
            room: room.to_owned(),
            hello,
            connection,
            inbox,
        });
        Ok(place)
    }

    fn open_room(&self, directory: &mut Directory, name: &str) -> Place {
        let loads =
            directory
                .rooms
                .values()
                .fold(vec![0_usize; self.workers.len()], |mut loads, place| {
                    loads[place.worker] += 1;
                    loads
                });
        let worker = (0..loads.len())
            .min_by_key(|worker| loads[*worker])
            .unwrap_or(0);
        let game = (self.new_game)(&game_settings(&self.config, name));
        let ticks = ticks_of(directory.made, self.config.tick_rate, now());
        directory.made += 1;
        let room_settings = RoomSettings {
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
        let room = Room::new(name, room_settings, game, ticks, rand::random());
        self.workers[worker].send(Command::Open(Box::new(room), Arc::clone(&entry)));
        let place = Place {
            worker,
            ticks,
            entry,
        };
        directory.rooms.insert(name.to_owned(), place.clone());
        place
    }

    /// Asks every worker, and waits for all answers.
    async fn ask_all<T>(&self, command: impl Fn(oneshot::Sender<T>) -> Command) -> Vec<T> {
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

impl Place {
    /// Keeps the room from ending until the join has reached it. `false`: it has ended already.
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

/// When the ticks of a process's `number`th room are due. The golden ratio spreads any number of rooms evenly over a tick, whenever
/// each was opened, so that few have to wait for another.
fn ticks_of(number: u64, tick_rate: u32, now: Micros) -> TickClock {
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

/// The same name gives the same world (FNV-1a).
fn seed_of(name: &str) -> u64 {
    tickwire_game::hash_of_sources(&[name.as_bytes()])
}

impl Rooms for Lobby {
    type Handler = Guest;

    fn connected(
        self: &Arc<Self>,
        connection: Arc<Connection>,
        room: Option<String>,
        _deadline: Instant,
    ) -> Guest {
        Guest::new(Arc::clone(self), connection, room)
    }

    async fn room_state(&self, room: &str) -> Option<Arc<Value>> {
        let worker = self.directory().rooms.get(room)?.worker;
        let (answer, answered) = oneshot::channel();
        self.workers[worker].send(Command::State {
            room: room.to_owned(),
            answer,
        });
        answered.await.ok()?
    }

    async fn rooms(&self) -> Value {
        let lists = self.ask_all(|answer| Command::List { answer }).await;
        let rooms = lists.into_iter().flatten().map(|mut room| {
            room["node"] = json!(
                self.config
                    .cluster
                    .as_ref()
                    .and_then(|cluster| cluster.node_name.clone())
                    .unwrap_or_else(|| "local".to_owned())
            );
            room
        });
        Value::Array(rooms.collect())
    }

    async fn notice(&self, text: &str, room: Option<&str>) -> Result<usize, String> {
        let command = |answer| Command::Notice {
            text: text.to_owned(),
            room: room.map(str::to_owned),
            answer,
        };
        let told: Vec<usize> = self.ask_all(command).await.into_iter().flatten().collect();
        match room {
            Some(room) if told.is_empty() => Err(format!("there is no room {room}")),
            _ => Ok(told.into_iter().sum()),
        }
    }

    fn health(&self) -> Health {
        let alive = self
            .workers
            .iter()
            .all(|worker| worker.is_alive(ALIVE_WITHIN));
        let late = self
            .workers
            .iter()
            .map(Worker::late_for)
            .max()
            .unwrap_or_default();
        let detail = match (alive, late) {
            (false, _) => "a worker does not move".to_owned(),
            (true, Duration::ZERO) => "ok".to_owned(),
            (true, late) => format!("late for {late:.1?}"),
        };
        Health {
            alive,
            ready: alive && late < LATE_LIMIT,
            detail,
        }
    }

    async fn drain(&self) {
        let reason = "the server is going away; you will be back in a moment";
        self.ask_all(|answer| Command::Goodbye {
            reason: reason.to_owned(),
            reconnect_after: RECONNECT_AFTER,
            answer,
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_spread_over_the_tick_whenever_they_were_opened() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut now = Micros(5_000_000);
        let mut phases: Vec<f64> = (0..100)
            .map(|number| {
                now = now.plus(Micros(random.u64(0..100_000)));
                let ticks = ticks_of(number, 60, now);
                let ticks_made = ticks.ticks_at(now.0 as f64);
                assert!((-1.0..1.0).contains(&ticks_made), "{ticks_made}");
                ticks.ticks_at(0.0).rem_euclid(1.0)
            })
            .collect();
        phases.sort_by(f64::total_cmp);
        let widest = phases.windows(2).map(|pair| pair[1] - pair[0]);
        let widest = widest.fold(0.0, f64::max);
        assert!(widest < 0.03, "no room in {widest} of a tick");
    }
}
