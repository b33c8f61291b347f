//! Which rooms there are, and on which worker.
//!
//! In: join requests. Out: commands to workers. Rooms are made on demand, each on the worker with the fewest rooms. In a cluster a room is
//! made once this node has claimed it.

mod opening;

use crate::clock::now;
use crate::close::{Close, CloseCode};
use crate::cluster::{Member, RoomLease};
use crate::config::{Config, IoUring};
use crate::fair_share::{RateByAddress, item_to_give_up};
use crate::join_hook::{self, JoinHook};
pub(super) use opening::new_tick_clock;

use crate::lobby::pending_join::HookCaller;
use crate::lobby::restored_rooms::{KeepError, KeptRooms, saves_its_state};
use crate::lobby::room_handle::{RoomHandle, Tenure, is_private_name};
use crate::lobby::tried_module::tried_module;
use crate::lobby::world_seeds::WorldSeeds;
use crate::log_limit;
use crate::metrics::{Metrics, MetricsError};
use crate::net::io::polled_connection::PolledConnection;
use crate::net::peer::batch_io;
use crate::net::room_service::{MAX_STATE_WAIT, RoomState};
use crate::net::rules_module::RulesModule;
use crate::recorder::{Clip, ClipError, Recorder, RecorderError};
use crate::room::JoinError;
use crate::worker::{Command, Newcomer, PostBox, WorkerHandle};
use prost::Message as _;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use thiserror::Error;
use tickwire_game::{Game, GameSettings, hash_of_sources};
use tickwire_proto::GameSchema;
use tickwire_sync::Tick;
use tickwire_sync::world::SchemaError;
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
    /// `--io-uring on`, and the kernel forbids io_uring.
    #[error(
        "--io-uring on: the kernel does not permit io_uring here; auto serves sockets one by one"
    )]
    IoUring,
    /// The game's schema is invalid: a mistake in the game.
    #[error("the game {0} can't be played: {1}")]
    Schema(&'static str, SchemaError),
    /// The metrics of the cluster exist already: a bug.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// Rooms cannot be kept in `--data-dir`.
    #[error(transparent)]
    Keep(#[from] KeepError),
    /// Rooms cannot be recorded in `--record`.
    #[error(transparent)]
    Record(#[from] RecorderError),
}

/// The rooms of this server and the workers that run them.
pub(crate) struct RoomDirectory {
    pub config: Arc<Config>,
    pub metrics: Arc<Metrics>,
    new_game: NewGame,
    pub game_name: &'static str,
    /// The module of all rooms' rules, if it is fit to be served.
    pub rules_module: Option<RulesModule>,
    pub workers: Vec<WorkerHandle>,
    rooms: Mutex<Rooms>,
    join_rate: Arc<RateByAddress>,
    seeds: WorldSeeds,
    /// Asked before each join.
    pub(super) join_hook: Option<HookCaller>,
    /// Where rooms are kept; `None`: they end with the process.
    pub(super) kept: Option<KeptRooms>,
    /// Records the rooms; `None`: nothing does.
    pub(super) recorder: Option<Arc<Recorder>>,
    rules_hash: u64,
    /// This node in its cluster; `None`: it is alone.
    pub member: Option<Arc<Member>>,
}

#[derive(Default)]
pub(super) struct Rooms {
    pub by_name: BTreeMap<String, RoomHandle>,
    /// Rooms that were ever added: spreads the rooms' ticks over time.
    added_count: u64,
}

/// Why there is no place for a further room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NoPlace {
    /// The address has its share of the rooms.
    OfAddress,
    /// There are `--max-rooms`.
    OfAll,
}

impl NoPlace {
    /// What a person can do.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::OfAddress => "too many rooms from your address; join one that exists",
            Self::OfAll => "there are too many rooms; join one that exists, or try later",
        }
    }
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
        post_box: PostBox,
    ) -> Result<Self, LobbyError> {
        if config.io_uring == IoUring::On && !batch_io::is_permitted() {
            return Err(LobbyError::IoUring);
        }
        let seeds = WorldSeeds::new(config.world_seed);
        let game = new_game(&game_settings(&config, &seeds, ""));
        let game_name = game.name();
        (game.schema().validate()).map_err(|error| LobbyError::Schema(game_name, error))?;
        let rules_module = tried_module(&*game);
        let rules_hash = game.rules_hash();
        let schema_hash = hash_of_sources(&[&game.schema().to_proto().encode_to_vec()]);
        let saves_state = saves_its_state(&*game);
        // A game's `Drop` may panic, which ends no more than a game.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(game)));
        let join_hook = config.join_hook.clone().map(|url| HookCaller {
            hook: Arc::new(JoinHook::new(
                url,
                config.join_hook_fails,
                Arc::clone(&metrics),
            )),
            runtime: tokio::runtime::Handle::current(),
        });
        let per_second = f64::from(config.join_rate);
        let join_rate = Arc::new(RateByAddress::new(per_second, per_second * JOIN_BURST));
        let cluster = config.cluster.as_ref();
        let member = cluster
            .map(|cluster| Member::new(cluster, game_name, &config, &metrics))
            .transpose()?;
        let lease =
            (member.as_ref()).map_or_else(RoomLease::default, |member| member.lease().clone());
        let workers = (0..config.workers)
            .map(|number| {
                let (metrics, lease) = (Arc::clone(&metrics), lease.clone());
                WorkerHandle::start(number, config.io_uring, metrics, lease, post_box.clone())
            })
            .collect::<Result<_, _>>()?;
        let recorder = (config.record.as_ref())
            .map(|record| Recorder::start(record, &metrics))
            .transpose()?;
        let (kept, found) = match (&config.data_dir, &member) {
            (_, Some(member)) => {
                if !saves_state {
                    tracing::warn!(
                        "the game {game_name} does not save its state, so no other node can go on with a room of this one"
                    );
                }
                let kept =
                    KeptRooms::in_cluster(member, game_name, rules_hash, schema_hash, &metrics)?;
                (Some(kept), Vec::new())
            }
            (Some(folder), None) if saves_state => {
                let (kept, found) =
                    KeptRooms::open(folder, game_name, rules_hash, schema_hash, &metrics)?;
                (Some(kept), found)
            }
            (Some(_), None) => {
                tracing::warn!(
                    "the game {game_name} does not save its state, so --data-dir keeps bans and mutes, and rooms end with the process"
                );
                (None, Vec::new())
            }
            (None, None) => (None, Vec::new()),
        };
        let directory = Self {
            config,
            metrics,
            new_game,
            game_name,
            rules_module,
            workers,
            rooms: Mutex::default(),
            join_rate,
            seeds,
            join_hook,
            kept,
            recorder,
            rules_hash,
            member,
        };
        directory.restore(found);
        Ok(directory)
    }

    /// Waits until all checkpoints and recordings are on the disk: there are no further ones.
    pub async fn close_stores(&self) {
        if let Some(kept) = &self.kept {
            kept.close().await;
        }
        if let Some(recorder) = &self.recorder {
            recorder.close().await;
        }
    }

    /// Saves the newest minute of a room of this node.
    ///
    /// # Errors
    /// If there is no such room, or nothing of it is recorded.
    pub async fn clip(&self, room: &str) -> Result<Clip, ClipError> {
        let is_open = |handle: &RoomHandle| handle.is_open && !handle.is_gone(now());
        if !self.rooms().by_name.get(room).is_some_and(is_open) {
            return Err(ClipError::NoRoom);
        }
        match &self.recorder {
            Some(recorder) => recorder.clip(room).await,
            None => Err(ClipError::Off),
        }
    }

    pub(super) fn rooms(&self) -> MutexGuard<'_, Rooms> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The public state of a room, at a newer tick than `after`.
    pub async fn state(&self, room: &str, after: Option<Tick>) -> RoomState {
        // A private room is nobody's to look at.
        let is_shown = |handle: &&RoomHandle| handle.is_open && !handle.profile.is_private();
        let Some(handle) = self.rooms().by_name.get(room).filter(is_shown).cloned() else {
            return RoomState::Missing;
        };
        let entry = &handle.entry;
        let ask = || {
            let (room, entry) = (room.to_owned(), Arc::clone(entry));
            self.workers[handle.worker].send(Command::State { room, entry });
        };
        match (entry.state.read(now(), ask).await, after) {
            (RoomState::Now(state), Some(after)) if state.tick <= after => {
                let newer = entry.state.read_newer(after, MAX_STATE_WAIT, now(), ask);
                newer.await
            }
            (answer, _) => answer,
        }
    }

    /// By what right a room is opened where there is no cluster.
    pub(super) fn tenure(&self) -> Tenure {
        Tenure {
            epoch: None,
            process: self.kept.as_ref().map_or(0, KeptRooms::process),
        }
    }

    /// Whether there is an open room of this name, in which a token may resume a session.
    pub fn has_room(&self, room: &str) -> bool {
        let rooms = self.rooms();
        let handle = rooms.by_name.get(room);
        handle.is_some_and(|handle| handle.is_open && !handle.is_gone(now()))
    }

    /// Counts a join that resumes nothing.
    ///
    /// # Errors
    /// The close for the player, if its address joins too often.
    pub fn count_join(&self, address: Option<IpAddr>) -> Result<(), Close> {
        let reason = "too many joins from your address; try again in a few seconds";
        match self.join_rate.take(address, now()) {
            true => Ok(()),
            false => Err(Close::new(CloseCode::Full, reason)),
        }
    }

    /// Whether a player may ask for a seat in the room, which may be private. The worker asks for a reservation as well; most of those
    /// who have none cost neither it nor the join hook anything.
    ///
    /// # Errors
    /// The close for the player, if the room is private and the player not expected.
    pub fn check_claim(&self, newcomer: &Newcomer) -> Result<(), Close> {
        check_claim(&self.rooms(), newcomer)
    }

    /// Holds the newcomer's reserved seat for as long as the join hook may take: its time is not the player's.
    pub fn hold_seat(&self, newcomer: &Newcomer) {
        let Newcomer {
            room, reservation, ..
        } = newcomer;
        if reservation.is_empty() {
            return;
        }
        if let Some(handle) = self.rooms().by_name.get(room) {
            let seats = &handle.entry.seats;
            seats.hold_longer(reservation, join_hook::TIMEOUT, now());
        }
    }

    /// Sends a join request to the worker of a room, which is opened if there is none. Returns where the room runs. `ask`: asks the
    /// join hook about the player unless the request resumes a session, which only the room knows.
    ///
    /// # Errors
    /// The close for the player, if there are too many rooms, its address joins too often, or the room is private.
    pub(super) fn send_to_room(
        &self,
        newcomer: Newcomer,
        ask: Option<Box<dyn FnOnce() + Send>>,
    ) -> Result<RoomHandle, Close> {
        // Whether a token resumes a session is known to the room, which counts the join if it does not.
        let may_resume = !newcomer.request.resume_token.is_empty();
        if !may_resume {
            self.count_join(newcomer.request.address)?;
        }
        self.send(newcomer, may_resume, ask)
    }

    /// Sends a join request that was counted, and about which the join hook was asked.
    ///
    /// # Errors
    /// The close for the player, if there are too many rooms, or the room is private.
    pub(super) fn send_admitted(&self, newcomer: Newcomer) -> Result<RoomHandle, Close> {
        self.send(newcomer, false, None)
    }

    fn send(
        &self,
        newcomer: Newcomer,
        mut may_resume: bool,
        ask: Option<Box<dyn FnOnce() + Send>>,
    ) -> Result<RoomHandle, Close> {
        let (room, address) = (&*newcomer.room, newcomer.request.address);
        let full = |reason: &'static str| Close::new(CloseCode::Full, reason);
        let mut rooms = self.rooms();
        check_claim(&rooms, &newcomer)?;
        if !here(&rooms, room).is_some_and(RoomHandle::begin_join) {
            if ask.is_some() {
                return Err(full("the room has just ended; connect again"));
            }
            if std::mem::take(&mut may_resume) {
                self.count_join(address)?;
            }
            // Who comes back after a failure finds the room as the match wanted it.
            let profile = rooms
                .by_name
                .get(room)
                .map(|room| Arc::clone(&room.profile));
            if self.member.is_some() {
                // A claim comes first: the client's next `Hello` looks for the room.
                return Err(full("the room has just ended; connect again"));
            }
            let added = self.add_room(
                &mut rooms,
                room,
                address,
                profile.unwrap_or_default(),
                self.tenure(),
            );
            added
                .map_err(|no_place| full(no_place.sentence()))?
                .begin_join();
        }
        let handle = self.opened(&mut rooms, room)?;
        drop(rooms);
        let rate = may_resume.then(|| Arc::clone(&self.join_rate));
        self.workers[handle.worker].send(Command::Join {
            newcomer: Box::new(newcomer),
            rate,
            ask,
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
        if log_limit::admits("room_given_up", now()) {
            tracing::info!(room, "gave up its place: its address has too many rooms");
        }
        self.workers[handle.worker].send(Command::LookAtEnd { room });
        if let (Some(kept), Some(epoch), false) = (&self.kept, handle.tenure.epoch, handle.is_open)
        {
            kept.release(name, epoch);
        }
        rooms.by_name.remove(name);
        true
    }

    /// Hands a connection to the room's worker, which polls it from now on.
    pub(super) fn adopt(
        &self,
        handle: &RoomHandle,
        room: String,
        connection: Box<dyn PolledConnection>,
    ) {
        self.workers[handle.worker].send(Command::Adopt { room, connection });
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

/// The room of this name that players can come to.
fn here<'a>(rooms: &'a Rooms, room: &str) -> Option<&'a RoomHandle> {
    let handle = rooms.by_name.get(room);
    handle.filter(|handle| !handle.is_gone(now()))
}

fn check_claim(rooms: &Rooms, newcomer: &Newcomer) -> Result<(), Close> {
    let Newcomer {
        room,
        request,
        reservation,
        ..
    } = newcomer;
    let here = here(rooms, room);
    if !here.map_or(is_private_name(room), |room| room.profile.is_private()) {
        return Ok(());
    }
    if here.is_none() {
        let reason = "this private room has ended; ask for a new one (POST /match)";
        return Err(Close::new(CloseCode::Unsupported, reason));
    }
    // Whoever has a token or a ticket may have a session there.
    let has_claim =
        !request.resume_token.is_empty() || !reservation.is_empty() || request.subject.is_some();
    if has_claim {
        return Ok(());
    }
    let reason = JoinError::Private.to_string();
    Err(Close::new(CloseCode::Policy, reason))
}

/// The schema of the game that `new_game` makes.
///
/// # Errors
/// If the schema is invalid.
pub fn schema_of(config: &Config, new_game: &NewGame) -> Result<GameSchema, LobbyError> {
    let game = new_game(&game_settings(
        config,
        &WorldSeeds::new(config.world_seed),
        "",
    ));
    let schema = game.schema();
    (schema.validate()).map_err(|error| LobbyError::Schema(game.name(), error))?;
    Ok(GameSchema {
        game: game.name().to_owned(),
        schema: schema.to_proto(),
    })
}

pub(super) fn game_settings(config: &Config, seeds: &WorldSeeds, room: &str) -> GameSettings {
    GameSettings {
        room: room.to_owned(),
        seed: seeds.of(room),
        tick_rate: config.tick_rate,
        npcs: config.npcs,
        ..GameSettings::default()
    }
}
