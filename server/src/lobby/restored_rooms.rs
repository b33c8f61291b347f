//! The rooms of the last process, or of another node, from their checkpoints.
//!
//! In: the store of `--data-dir`, or claims on rooms in a cluster. Out: the rooms as the lobby knows them, on its workers again, their sessions waiting for their players;
//! and for every room what its worker needs to keep it. A checkpoint that cannot be used is set aside, and its room begins anew.

use super::directory::{NewGame, game_settings, new_tick_clock};
use super::room_handle::{RoomHandle, RoomProfile, Tenure};
use super::world_seeds::WorldSeeds;
use crate::checkpoint::{
    self, CheckpointHead, CheckpointStore, CheckpointWriter, RedisStore, RestoreOutcome,
    ShownToClients, StoreError,
};
use crate::clock::{now, unix_ms};
use crate::cluster::Member;
use crate::config::Config;
use crate::metrics::{Metrics, MetricsError};
use crate::room::{Moment, RestorePoint, Room, RoomSettings};
use crate::worker::{RestoredFrom, RestoredState, RoomCheckpoints, RoomState, ServerRoom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use tickwire_cluster::redis::DirectoryError;
use tickwire_game::{GameSettings, SaveError};
use tickwire_sync::{Micros, Tick, TickClock};

/// A room's clock goes on for a day at most while no server runs: longer gaps are those of a wall's clock that was wrong.
const MAX_GAP_MS: u64 = 24 * 3_600 * 1_000;
/// A restored room is at this tick at most, so that no sum of ticks overflows. A room so old ends at once.
const LAST_TICK: u32 = u32::MAX - (1 << 20);

/// Where the rooms of this process are kept.
pub(super) struct KeptRooms {
    writer: Arc<CheckpointWriter>,
    /// The number of this process among those that have kept rooms here. In a cluster each room counts for itself.
    process: u64,
    game: &'static str,
    rules_hash: u64,
    /// Of the schema that clients get.
    schema_hash: u64,
}

/// A room that an earlier process has left.
pub(super) struct FoundRoom {
    pub name: String,
    pub head: CheckpointHead,
    state: RoomState,
}

/// Why rooms cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The store cannot be opened or read.
    #[error("--data-dir: {0}")]
    Store(#[from] StoreError),
    /// The address of Redis cannot be used.
    #[error("--redis: {0}")]
    Redis(DirectoryError),
    /// The metrics exist already: a bug.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The system cannot start a thread.
    #[error("no thread for checkpoints: {0}")]
    Thread(#[from] std::io::Error),
}

impl From<checkpoint::WriterError> for KeepError {
    fn from(error: checkpoint::WriterError) -> Self {
        match error {
            checkpoint::WriterError::Metrics(error) => Self::Metrics(error),
            checkpoint::WriterError::Thread(error) => Self::Thread(error),
        }
    }
}

impl KeptRooms {
    /// Opens the store in a folder, and reads the rooms that an earlier process has left.
    ///
    /// # Errors
    /// If the store cannot be opened or read.
    pub fn open(
        folder: &Path,
        game: &'static str,
        rules_hash: u64,
        schema_hash: u64,
        metrics: &Metrics,
    ) -> Result<(Self, Vec<FoundRoom>), KeepError> {
        let (store, rooms) = CheckpointStore::open(folder)?;
        let process = store.process();
        let writer = CheckpointWriter::start(store, metrics, Box::new(|_| {}))?;
        let writer = Arc::new(writer);
        let mut found = Vec::new();
        for (name, checkpoint) in rooms {
            match read(game, &checkpoint) {
                Ok((head, state)) => {
                    writer.note_found(&name, &head);
                    found.push(FoundRoom { name, head, state });
                }
                Err(why) => writer.set_aside(&name, 0, checkpoint, &why),
            }
        }
        let kept = Self {
            writer,
            process,
            game,
            rules_hash,
            schema_hash,
        };
        Ok((kept, found))
    }

    /// Keeps the rooms of a member of a cluster, each from when it is claimed.
    ///
    /// # Errors
    /// If the thread cannot start.
    pub fn in_cluster(
        member: &Arc<Member>,
        game: &'static str,
        rules_hash: u64,
        schema_hash: u64,
        metrics: &Metrics,
    ) -> Result<Self, KeepError> {
        let store = member.room_store().map_err(KeepError::Redis)?;
        let fenced = Arc::clone(member);
        let on_fenced = Box::new(move |rooms: &[(String, u64)]| fenced.lose_rooms(rooms));
        let writer = CheckpointWriter::start(RedisStore(store), metrics, on_fenced)?;
        Ok(Self {
            writer: Arc::new(writer),
            process: 0,
            game,
            rules_hash,
            schema_hash,
        })
    }

    /// Whether a room that goes on from `head` by `tick_clock` is for its clients what it was: they need no `Welcome`.
    pub fn is_same_to_clients(&self, head: &CheckpointHead, tick_clock: TickClock) -> bool {
        head.rules_hash == self.rules_hash
            && head.tick_rate == tick_clock.tick_rate
            && head.shown.is_some_and(|shown| {
                shown.tick_zero_us == tick_clock.tick_zero_us
                    && shown.schema_hash == self.schema_hash
            })
    }

    /// Reads the checkpoint of a room that this node has claimed. One that cannot be used is set aside.
    pub fn read_claimed(&self, room: &str, epoch: u64, checkpoint: Vec<u8>) -> Option<FoundRoom> {
        if self.writer.has_ended(room) {
            return None;
        }
        match read(self.game, &checkpoint) {
            Ok((head, state)) => Some(FoundRoom {
                name: room.to_owned(),
                head,
                state,
            }),
            Err(why) => {
                self.writer.set_aside(room, epoch, checkpoint, &why);
                None
            }
        }
    }

    /// Gives up the claim on a room that was never open.
    pub fn release(&self, room: &str, epoch: u64) {
        self.writer.remove(room, epoch);
    }

    /// The number of this process among those that have kept rooms here.
    pub fn process(&self) -> u64 {
        self.process
    }

    /// Waits until everything is on the disk, and closes the store: the process ends.
    pub async fn close(&self) {
        self.writer.close().await;
    }

    /// What the worker needs to keep a room, which is made anew or of `found`.
    pub fn checkpoints_of(
        &self,
        config: &Config,
        handle: &RoomHandle,
        recipe: RoomRecipe,
        found: Option<&FoundRoom>,
    ) -> RoomCheckpoints {
        let profile = &handle.profile;
        let unix_ms = unix_ms();
        let head = CheckpointHead {
            game: self.game.to_owned(),
            rules_hash: self.rules_hash,
            // Later than any that an earlier room of this name can have had, also where its checkpoint is gone.
            epoch: (handle.tenure.epoch).unwrap_or_else(|| {
                found.map_or(unix_ms, |found| unix_ms.max(found.head.epoch + 1))
            }),
            process: handle.tenure.process,
            tick: Tick(0),
            tick_rate: config.tick_rate,
            unix_ms,
            interval_ms: config.checkpoint_interval.as_millis() as u64,
            is_last: false,
            tags: profile.tags.clone(),
            max_players: profile.max_players.map(|max| max as u32),
            key: profile.key,
            opened_by: handle.opened_by,
            shown: (handle.tenure.epoch).map(|_| ShownToClients {
                tick_zero_us: handle.tick_clock.tick_zero_us,
                schema_hash: self.schema_hash,
            }),
            delivered: 0,
        };
        // The first is due at once, and the golden ratio spreads the second ones of any number of rooms over the interval.
        let phase = (handle.number as f64 * 0.618_033_988_75).fract();
        let interval_us = config.checkpoint_interval.as_micros() as f64;
        let due = now().since(Micros((interval_us * phase) as u64));
        let restore = Box::new(move |state: &[u8], point| recipe.restore(state, point));
        let writer = Arc::clone(&self.writer);
        let process = handle.tenure.process;
        let restored = found.map(|found| RestoredState {
            state: found.state.clone(),
            skips: found.skips(process),
            from: RestoredFrom {
                delivered: found.head.delivered,
                is_last: found.head.is_last,
            },
        });
        let interval = config.checkpoint_interval;
        let is_claimed = handle.tenure.epoch.is_some();
        RoomCheckpoints::new(writer, interval, head, is_claimed, due, restored, restore)
    }

    /// A closure that makes a found room on its worker.
    pub fn maker(
        &self,
        found: FoundRoom,
        tenure: Tenure,
        keeps_clients: bool,
        recipe: RoomRecipe,
        tick: Tick,
    ) -> impl FnOnce() -> ServerRoom + Send + use<> {
        let writer = Arc::clone(&self.writer);
        let skips = found.skips(tenure.process);
        let epoch = tenure.epoch.unwrap_or(found.head.epoch);
        move || {
            let point = RestorePoint {
                tick,
                skips,
                keeps_clients,
                moment: Moment {
                    now: now(),
                    unix_ms: unix_ms(),
                },
            };
            // The game may panic at a state of another version.
            let restore = || recipe.restore(found.state.state(), point);
            let why = match catch_unwind(AssertUnwindSafe(restore)) {
                Ok(Ok(room)) => {
                    writer.metrics.restored.get(RestoreOutcome::Restored).inc();
                    return room;
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "the game panicked".to_owned(),
            };
            let changed = match found.head.rules_hash == recipe.rules_hash {
                true => "",
                false => " (it was saved under other rules)",
            };
            let checkpoint = checkpoint::seal(&found.state.body);
            writer.set_aside(&found.name, epoch, checkpoint, &format!("{why}{changed}"));
            recipe.make()
        }
    }
}

/// Reads a checkpoint of this game: its head and its state.
fn read(game: &str, checkpoint: &[u8]) -> Result<(CheckpointHead, RoomState), String> {
    let (head, state) = checkpoint::open(checkpoint).map_err(|error| error.to_string())?;
    if head.game != game {
        return Err(format!("it is of the game {}", head.game));
    }
    let body = checkpoint[checkpoint::sealed_len(0)..].to_vec();
    let state = RoomState {
        head_bytes: body.len() - state.len(),
        body: Arc::new(body),
    };
    Ok((head, state))
}

impl FoundRoom {
    /// What the match that opened the room wanted.
    pub fn profile(&self) -> RoomProfile {
        RoomProfile {
            tags: self.head.tags.clone(),
            max_players: self.head.max_players.map(|max| max as usize),
            key: self.head.key,
        }
    }

    /// How many processes may have gone on from the checkpoint so that players saw what came after it: the one that saved it, unless that
    /// was the last thing it did, and each that ended before it saved the room again.
    fn skips(&self, process: u64) -> u32 {
        let later = process.saturating_sub(self.head.process);
        let skips = later.saturating_sub(self.head.is_last.into());
        u32::try_from(skips).unwrap_or(u32::MAX)
    }

    /// The newest tick that counts as made, now. The room goes on as if its clock had run meanwhile, and no tick that anybody has seen
    /// comes again, whatever the wall's clock did.
    pub fn tick_at(&self, process: u64, unix_ms: u64, tick_rate: u32) -> Tick {
        let mut since_ms = unix_ms.saturating_sub(self.head.unix_ms).min(MAX_GAP_MS);
        if self.skips(process) > 0 {
            // The newest checkpoint may never have been written.
            since_ms = since_ms.max(2 * self.head.interval_ms);
        }
        // By the quicker one: players have seen the ticks of the other process.
        let tick_rate = tick_rate.max(self.head.tick_rate).min(240);
        let ticks = since_ms.saturating_mul(tick_rate.into()) / 1000;
        let ticks = u32::try_from(ticks).unwrap_or(u32::MAX);
        Tick(self.head.tick.0.saturating_add(ticks).min(LAST_TICK))
    }
}

/// The clock that a room of another node had, if it shows about what the walls' clocks say: those of two machines may differ by much. No
/// player has seen a later tick than it shows: the owner stopped before its lease was over.
pub(super) fn shared_clock(
    head: &CheckpointHead,
    tick_rate: u32,
    unix_ms: u64,
    now: Micros,
) -> Option<TickClock> {
    const MAX_DIFFERENCE_SECONDS: f64 = 2.0;
    let clock = TickClock {
        tick_zero_us: head.shown?.tick_zero_us,
        tick_rate,
    };
    let since_s = (unix_ms as f64 - head.unix_ms as f64) / 1e3;
    let expected = f64::from(head.tick.0) + since_s * f64::from(tick_rate);
    let shown = clock.ticks_at(now.0 as f64);
    let is_near = (shown - expected).abs() <= MAX_DIFFERENCE_SECONDS * f64::from(tick_rate);
    let goes_on = shown >= f64::from(head.tick.0) && shown < f64::from(LAST_TICK);
    (is_near && goes_on && tick_rate == head.tick_rate).then_some(clock)
}

/// The process's `number`th room's clock, by which `tick` is now.
pub(super) fn clock_at(number: u64, tick_rate: u32, tick: Tick, now: Micros) -> TickClock {
    let mut clock = new_tick_clock(number, tick_rate, now);
    let newest = clock.ticks_at(now.0 as f64).floor();
    let behind_us = (f64::from(tick.0) - newest) * clock.tick_us();
    clock.tick_zero_us -= behind_us as i64;
    clock
}

/// How a room of one name is made.
#[derive(Clone)]
pub(super) struct RoomRecipe {
    new_game: NewGame,
    game_settings: GameSettings,
    settings: RoomSettings,
    tick_clock: TickClock,
    rules_hash: u64,
}

impl RoomRecipe {
    pub fn new(
        config: &Config,
        seeds: &WorldSeeds,
        new_game: &NewGame,
        settings: RoomSettings,
        name: &str,
        handle: &RoomHandle,
        rules_hash: u64,
    ) -> Self {
        let game_settings = GameSettings {
            tags: handle.profile.tags.clone(),
            max_players: settings.max_players as u32,
            ..game_settings(config, seeds, name)
        };
        Self {
            new_game: Arc::clone(new_game),
            game_settings,
            settings,
            tick_clock: handle.tick_clock,
            rules_hash,
        }
    }

    /// Makes the room anew.
    pub fn make(&self) -> ServerRoom {
        let game = (self.new_game)(&self.game_settings);
        let name = &self.game_settings.room;
        Room::new(
            name,
            self.settings.clone(),
            game,
            self.tick_clock,
            rand::random(),
        )
    }

    /// Makes the room from a saved state.
    ///
    /// # Errors
    /// If the state cannot be read.
    pub fn restore(
        &self,
        state: &[u8],
        point: RestorePoint,
    ) -> Result<ServerRoom, crate::room::RestoreError> {
        let game = (self.new_game)(&self.game_settings);
        let (name, settings) = (&self.game_settings.room, self.settings.clone());
        Room::restore(
            name,
            settings,
            game,
            self.tick_clock,
            rand::random(),
            state,
            point,
        )
    }
}

/// Whether a game saves its state. Its rooms end with their process if it does not.
pub(super) fn saves_its_state(game: &dyn tickwire_game::Game) -> bool {
    game.save(&mut Vec::new()) != Err(SaveError::Unsupported)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(tick: u32, is_last: bool) -> FoundRoom {
        let head = CheckpointHead {
            game: "tested".to_owned(),
            rules_hash: 0,
            epoch: 1,
            process: 3,
            tick: Tick(tick),
            tick_rate: 60,
            unix_ms: 1_000_000,
            interval_ms: 500,
            is_last,
            tags: tickwire_game::Tags::new(),
            max_players: None,
            key: None,
            opened_by: None,
            shown: None,
            delivered: 0,
        };
        FoundRoom {
            name: "tested".to_owned(),
            head,
            state: RoomState {
                body: Arc::default(),
                head_bytes: 0,
            },
        }
    }

    #[test]
    fn no_tick_that_anybody_has_seen_comes_again() {
        // Ten seconds later; at once; and after the wall's clock was set back.
        for (unix_ms, expected) in [(1_010_000, 700), (1_000_100, 160), (3, 160)] {
            assert_eq!(found(100, false).tick_at(4, unix_ms, 60), Tick(expected));
        }
        // After the last checkpoint nothing came, unless a process went on from it and ended.
        assert_eq!(found(100, true).tick_at(4, 1_000_100, 60), Tick(106));
        assert_eq!(found(100, true).tick_at(4, 3, 60), Tick(100));
        assert_eq!(found(100, true).tick_at(5, 3, 60), Tick(160));
        // At a lower rate, and after a clock that was years ahead.
        assert_eq!(found(100, false).tick_at(4, 1_000_900, 30), Tick(160));
        let a_day = 24 * 3_600 * 240;
        assert_eq!(
            found(100, false).tick_at(4, u64::MAX, 240),
            Tick(100 + a_day)
        );
        assert_eq!(
            found(u32::MAX, false).tick_at(4, u64::MAX, 240),
            Tick(LAST_TICK)
        );
    }

    #[test]
    fn each_process_that_went_on_from_a_checkpoint_has_numbers_of_its_own() {
        let skips = |is_last, process| found(100, is_last).skips(process);
        assert_eq!(
            [skips(false, 4), skips(false, 5), skips(false, 6)],
            [1, 2, 3]
        );
        assert_eq!([skips(true, 4), skips(true, 5)], [0, 1]);
    }

    #[test]
    fn a_restored_rooms_clock_shows_its_tick() {
        for (number, tick) in [(0, 700), (1, 5), (17, u32::MAX), (3, 0)] {
            let now = Micros(123_456_789);
            let clock = clock_at(number, 60, Tick(tick), now);
            let shown = clock.ticks_at(now.0 as f64);
            assert!(
                (shown - f64::from(tick)).abs() < 1.001,
                "{shown} for {tick}"
            );
        }
    }
}
