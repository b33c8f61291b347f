//! The lobby: from a connection's first message to its place in a room.
//!
//! In: connections from `net`, questions from `ops`. Out: commands to workers. Makes rooms on demand, each on the worker
//! with the fewest; checks `Hello` and turns every later message into a validated type, so that nothing behind it checks again.

use crate::clock;
use crate::clock::now;
use crate::close::{Close, CloseCode, Disconnect};
use crate::config::Config;
use crate::metrics::{InputOutcome, Metrics};
use crate::net::connection::Connection;
use crate::net::handler::{Handler, Health, Rooms};
use crate::net::served::Move;
use crate::room::{Arrived, Hello, Inbox, InputsArrived, Room, RoomSettings};
use crate::ticket;
use crate::worker::{Command, RoomEntry, Worker};
use prost::Message as _;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use thiserror::Error;
use tickwire_game::{Game, GameSettings};
use tickwire_proto::v1::{self, client_message::Body, server_message};
use tickwire_sync::claim::ViewPolicy;
use tickwire_sync::clock::TickClock;
use tickwire_sync::memo::Encoding;
use tokio::sync::oneshot;

/// The room of those who name none.
const DEFAULT_ROOM: &str = "main";
const MAX_ROOM_NAME: usize = 32;
/// Ticks per second from which a room's worker reads its connections; below, a poller does.
const LEAST_RATE_TO_READ: u32 = 20;
/// A worker that has not moved for this long is dead.
const ALIVE_WITHIN: Duration = Duration::from_secs(5);
/// A server that has been late for this long takes no new players.
const LATE_LIMIT: Duration = Duration::from_secs(5);
/// What `Goodbye` says when the server goes away: another one is usually there at once.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);

/// Makes the game of a new room.
pub type NewGame = Arc<dyn Fn(&GameSettings) -> Box<dyn Game> + Send + Sync>;

/// Why there is no lobby.
#[derive(Debug, Error)]
pub enum LobbyError {
    /// No threads.
    #[error("no thread for a worker: {0}")]
    Thread(#[from] std::io::Error),
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
    /// Starts the workers.
    ///
    /// # Errors
    /// If there are no threads.
    pub fn start(
        config: Arc<Config>,
        metrics: Arc<Metrics>,
        new_game: NewGame,
    ) -> Result<Arc<Self>, LobbyError> {
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
        let settings = GameSettings {
            seed: seed_of(name),
            tick_rate: self.config.tick_rate,
            npcs: self.config.npcs,
        };
        let game = (self.new_game)(&settings);
        let tick_us = 1_000_000 / u64::from(self.config.tick_rate);
        // The golden ratio spreads any number of phases evenly over the tick.
        let phase = (directory.made as f64 * 0.618_033_988_75).fract() * tick_us as f64;
        directory.made += 1;
        let ticks = TickClock {
            tick_zero_us: now().0 as i64 + phase as i64,
            tick_rate: self.config.tick_rate,
        };
        let room_settings = RoomSettings {
            tick_rate: self.config.tick_rate,
            max_players: self.config.max_players,
            resume_window: self.config.resume_window,
            max_message_bytes: self.config.max_message_bytes,
            max_rewind: self.config.max_rewind,
            view_policy: ViewPolicy::Clamped,
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

    fn check_hello(
        &self,
        hello: v1::Hello,
        url_room: Option<&str>,
    ) -> Result<(String, Hello), Close> {
        let unsupported = |reason: String| Close::new(CloseCode::UnknownOrUnsupported, reason);
        if hello.version != tickwire_proto::VERSION {
            return Err(unsupported(format!(
                "protocol version {} is not spoken here; use {}",
                hello.version,
                tickwire_proto::VERSION
            )));
        }
        let room = match (url_room, hello.room.as_str()) {
            (Some(url), "") => url,
            (Some(url), said) if url != said => {
                return Err(unsupported(
                    "Hello names another room than the URL".to_owned(),
                ));
            }
            (_, "") => DEFAULT_ROOM,
            (_, said) => said,
        };
        let is_name = |character: char| {
            character.is_ascii_alphanumeric() || character == '-' || character == '_'
        };
        if room.is_empty() || room.len() > MAX_ROOM_NAME || !room.chars().all(is_name) {
            return Err(unsupported(
                "a room's name is 1 to 32 letters, digits, - or _".to_owned(),
            ));
        }
        let encoding = Encoding::negotiate(hello.encoding());
        let mut checked = Hello {
            name: hello.name,
            subject: None,
            resume_token: hello.resume_token,
            last_message: hello.last_message,
            encoding,
            is_spectator: hello.spectate,
        };
        if let Some(secret) = &self.config.ticket_secret {
            let ticket = ticket::check(secret, &hello.ticket, room)
                .map_err(|error| Close::new(CloseCode::Policy, error.to_string()))?;
            checked.name = ticket.name.unwrap_or(checked.name);
            checked.subject = Some(ticket.sub);
        }
        Ok((room.to_owned(), checked))
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

/// The same name gives the same world (FNV-1a).
fn seed_of(name: &str) -> u64 {
    tickwire_game::hash_of_sources(&[name.as_bytes()])
}

/// Receives what one connection's peer says.
pub struct Guest {
    lobby: Arc<Lobby>,
    connection: Arc<Connection>,
    url_room: Option<String>,
    inside: Option<Inside>,
    /// To the room's worker.
    moves: Option<Move>,
}

struct Inside {
    inbox: Arc<Inbox>,
    ticks: TickClock,
}

impl Guest {
    fn hello(&mut self, hello: v1::Hello) -> Result<(), Close> {
        if self.inside.is_some() {
            return Err(Close::new(
                CloseCode::WrongOrder,
                "Hello comes once, at the start",
            ));
        }
        let (room, hello) = self.lobby.check_hello(hello, self.url_room.as_deref())?;
        let inbox = Arc::new(Inbox::default());
        self.connection.mark_greeted();
        let place = self
            .lobby
            .send_to_room(&room, hello, &self.connection, &inbox)?;
        let ticks = place.ticks;
        self.inside = Some(Inside { inbox, ticks });
        // A worker reads once a tick; where ticks are rare, answers would be late.
        if ticks.tick_rate >= LEAST_RATE_TO_READ {
            let lobby = Arc::clone(&self.lobby);
            self.moves = Some(Box::new(move |reader| {
                lobby.workers[place.worker].send(Command::Read { room, reader });
            }));
        }
        Ok(())
    }

    fn put_inputs(&self, inside: &Inside, inputs: InputsArrived) {
        if !inside.inbox.put(Arrived::Inputs(inputs)) {
            self.lobby.metrics.inputs.get(InputOutcome::Rejected).inc();
        }
    }

    fn pong(&self, inside: &Inside, ping: &v1::Ping, arrived: Instant) {
        let now = now();
        let tick = inside.ticks.ticks_at(now.0 as f64).max(0.0) as u32;
        let pong = v1::Pong {
            stamp: ping.stamp,
            clock_us: now.0,
            tick,
            held_us: now.since(clock::at(arrived)).0 as u32,
        };
        let message = v1::ServerMessage {
            body: Some(server_message::Body::Pong(pong)),
        };
        let _ = self.connection.send(&[&message.encode_to_vec()]);
    }
}

impl Handler for Guest {
    fn message(&mut self, payload: &[u8], arrived: Instant) -> Result<(), Close> {
        let malformed = || {
            Close::new(
                CloseCode::Malformed,
                "this is no ClientMessage; see docs/PROTOCOL.md",
            )
        };
        if let (Some(inside), Some(inputs)) = (
            &self.inside,
            InputsArrived::read(payload, clock::at(arrived)),
        ) {
            self.put_inputs(inside, inputs);
            return Ok(());
        }
        let message = v1::ClientMessage::decode(payload).map_err(|_| malformed())?;
        // A message of a later version is no mistake.
        let Some(body) = message.body else {
            return Ok(());
        };
        let Some(inside) = &self.inside else {
            return match body {
                Body::Hello(hello) => self.hello(hello),
                _ => Err(Close::new(CloseCode::WrongOrder, "say Hello first")),
            };
        };
        let is_taken = match body {
            Body::Hello(hello) => return self.hello(hello),
            Body::Inputs(inputs) => {
                match InputsArrived::new(&inputs, clock::at(arrived)) {
                    Some(inputs) => self.put_inputs(inside, inputs),
                    None => self.lobby.metrics.inputs.get(InputOutcome::Rejected).inc(),
                }
                true
            }
            Body::Chat(chat) => inside.inbox.put(Arrived::Chat(chat.text)),
            Body::Resync(resync) => inside.inbox.put(Arrived::Resync {
                view_mismatch: resync.view_mismatch,
            }),
            Body::Leave(_) => inside.inbox.put(Arrived::Leave),
            Body::Ping(ping) => {
                self.pong(inside, &ping, arrived);
                true
            }
        };
        if !is_taken {
            tracing::debug!(
                connection = self.connection.id().0,
                "more messages than a tick can take; one was dropped"
            );
        }
        Ok(())
    }

    fn prefetch(&self) {
        if let Some(inside) = &self.inside {
            tickwire_prefetch::near(&*inside.inbox);
        }
    }

    fn moves(&self) -> bool {
        self.moves.is_some()
    }

    fn take_move(&mut self) -> Option<Move> {
        self.moves.take()
    }

    fn flood_warning(&mut self) {
        let notice = v1::Notice {
            text: "you send more messages than anyone needs; slow down or be disconnected"
                .to_owned(),
        };
        let message = v1::ServerMessage {
            body: Some(server_message::Body::Notice(notice)),
        };
        let _ = self.connection.send(&[&message.encode_to_vec()]);
    }

    fn closed(&mut self, why: Disconnect) {
        if let Some(inside) = self.inside.take() {
            tracing::debug!(
                connection = self.connection.id().0,
                ?why,
                "connection ended"
            );
            inside.inbox.put(Arrived::Gone);
        }
    }
}

impl Rooms for Lobby {
    type Handler = Guest;

    fn connected(
        self: &Arc<Self>,
        connection: Arc<Connection>,
        room: Option<String>,
        _deadline: Instant,
    ) -> Guest {
        Guest {
            lobby: Arc::clone(self),
            connection,
            url_room: room,
            inside: None,
            moves: None,
        }
    }

    async fn room_state(&self, room: &str) -> Option<Value> {
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
