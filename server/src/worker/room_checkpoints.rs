//! The checkpoints of one room: when its state is saved, and the room made again from the newest one.
//!
//! In: the room between two ticks. Out: its state for the writer, which the worker never waits for; and, after its game has panicked, a
//! room that goes on from the newest state. Two buffers take turns, so that a room of steady size allocates little.

use super::command::ServerRoom;
use crate::checkpoint::{
    self, CheckpointHead, CheckpointOutcome, CheckpointWriter, NewCheckpoint, RestoreOutcome,
};
use crate::clock::{now, unix_ms};
use crate::log_limit;
use crate::room::{Moment, RestoreError, RestorePoint};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use tickwire_game::SaveError;
use tickwire_sync::{Micros, Tick};

/// A room is restarted at most so often within [`RESTART_WINDOW`]: a game that panics again and again is broken.
const MAX_RESTARTS: usize = 3;
const RESTART_WINDOW: Micros = Micros::from_millis(60_000);

/// Makes the room again from a saved state.
pub(crate) type RestoreRoom =
    Box<dyn Fn(&[u8], RestorePoint) -> Result<ServerRoom, RestoreError> + Send>;

/// A saved state of a room, behind its head.
#[derive(Clone)]
pub(crate) struct RoomState {
    /// Head and state.
    pub body: Arc<Vec<u8>>,
    /// How long the head is.
    pub head_bytes: usize,
}

impl RoomState {
    /// The state without the head.
    pub fn state(&self) -> &[u8] {
        &self.body[self.head_bytes..]
    }
}

/// Makes and keeps the checkpoints of one room.
pub(crate) struct RoomCheckpoints {
    writer: Arc<CheckpointWriter>,
    interval: Micros,
    restore: RestoreRoom,
    /// Whether the epoch is that of a claim, which stays while this node owns the room.
    is_claimed: bool,
    /// Of the next checkpoint; its tick and time are those of the newest.
    head: CheckpointHead,
    /// When the next checkpoint is due.
    due: Micros,
    newest: Option<RoomState>,
    /// The one before, whose memory is used again.
    spare: Option<Arc<Vec<u8>>>,
    /// How often the room went on from the newest checkpoint so that players may have seen what came after it.
    skips: u32,
    /// The newest tick that is saved, with how many sessions, and whether the room went on.
    saved: Option<(Tick, usize, bool)>,
    restarts: VecDeque<Micros>,
    /// What the room was restored from.
    restored_from: Option<RestoredFrom>,
}

/// The state that a room was made of.
pub(crate) struct RestoredState {
    pub state: RoomState,
    /// [`RestorePoint::skips`] of the room.
    pub skips: u32,
    pub from: RestoredFrom,
}

/// What the deliveries to a room that goes on from a checkpoint depend on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RestoredFrom {
    /// The newest delivery that the room had been given.
    pub delivered: u64,
    /// Whether the room stopped in good order with this checkpoint.
    pub is_last: bool,
}

impl RoomCheckpoints {
    /// For a room that was opened, or made of a restored state, with this head. The first checkpoint is due at `due`.
    pub fn new(
        writer: Arc<CheckpointWriter>,
        interval: Duration,
        head: CheckpointHead,
        is_claimed: bool,
        due: Micros,
        restored: Option<RestoredState>,
        restore: RestoreRoom,
    ) -> Self {
        Self {
            writer,
            interval: Micros(interval.as_micros() as u64),
            restore,
            is_claimed,
            head,
            due,
            restored_from: restored.as_ref().map(|restored| restored.from),
            skips: restored.as_ref().map_or(0, |restored| restored.skips),
            newest: restored.map(|restored| restored.state),
            spare: None,
            saved: None,
            restarts: VecDeque::new(),
        }
    }

    /// What the room was restored from, if deliveries of its cluster had numbers.
    pub fn restored_from(&self) -> Option<RestoredFrom> {
        self.restored_from.filter(|from| from.delivered > 0)
    }

    /// Whether a checkpoint of a room that makes ticks is due.
    pub fn is_due(&self, now: Micros) -> bool {
        now >= self.due && !self.head.is_last
    }

    /// Saves the state of a room that makes ticks.
    pub fn save(&mut self, room: &ServerRoom, delivered: u64) {
        // By the clock: a checkpoint that came late does not delay all others.
        let began = now();
        let next = self.due.plus(self.interval);
        self.due = if next > began {
            next
        } else {
            began.plus(self.interval)
        };
        self.save_now(room, delivered, true);
    }

    /// Saves the state of a room that rests, if it has changed.
    pub fn save_resting(&mut self, room: &ServerRoom, delivered: u64) {
        let now = (room.tick_now(), room.sessions().len(), false);
        if self.saved != Some(now) && !self.head.is_last {
            self.save_now(room, delivered, false);
        }
    }

    /// Saves the state of a room that makes no ticks any more, because the process ends.
    pub fn save_last(&mut self, room: &ServerRoom, delivered: u64) {
        self.head.is_last = true;
        self.save_now(room, delivered, false);
    }

    fn save_now(&mut self, room: &ServerRoom, delivered: u64, goes_on: bool) {
        let began = now();
        let moment = Moment {
            now: began,
            unix_ms: unix_ms(),
        };
        self.head.tick = room.tick_now();
        self.head.delivered = delivered;
        self.head.unix_ms = moment.unix_ms;
        let buffer = self.cleared_buffer();
        let saved = saved(&self.head, room, moment, buffer);
        let metrics = &self.writer.metrics;
        let duration = now().since(began);
        metrics.save_duration.observe(duration.0 as f64 / 1e6);
        let saved = match saved {
            Ok(saved) => saved,
            Err(error) => {
                metrics.checkpoints.get(CheckpointOutcome::Unsaved).inc();
                if log_limit::admits("checkpoint_unsaved", began) {
                    tracing::error!(room = room.name(), "the room's state is not saved: {error}");
                }
                return;
            }
        };
        let checkpoint = NewCheckpoint {
            epoch: self.head.epoch,
            body: Arc::clone(&saved.body),
            goes_on,
            is_last: self.head.is_last,
        };
        self.writer.put(room.name(), checkpoint);
        self.saved = Some((room.tick_now(), room.sessions().len(), goes_on));
        self.spare = self.newest.replace(saved).map(|before| before.body);
        self.skips = 0;
    }

    /// The memory of a checkpoint that nobody needs any more, if there is one.
    fn cleared_buffer(&mut self) -> Vec<u8> {
        let spare = self.spare.take().and_then(Arc::into_inner);
        let mut buffer = spare.unwrap_or_default();
        buffer.clear();
        buffer
    }

    /// Makes the room again from its newest checkpoint, with `tick` as the newest tick that counts as made. `None`: there is no
    /// checkpoint, it was done too often, or it did not work.
    pub fn restart(&mut self, room: &str, tick: Tick, now: Micros) -> Option<ServerRoom> {
        let is_long_ago = |at: &Micros| now.since(*at) > RESTART_WINDOW;
        while self.restarts.pop_front_if(|at| is_long_ago(at)).is_some() {}
        let newest = self.newest.as_ref()?;
        if self.restarts.len() >= MAX_RESTARTS {
            tracing::error!(room, "the room has failed too often to be restarted again");
            return None;
        }
        self.restarts.push_back(now);
        self.skips += 1;
        let point = RestorePoint {
            tick,
            skips: self.skips,
            keeps_clients: false,
            moment: Moment {
                now,
                unix_ms: unix_ms(),
            },
        };
        let restore = || (self.restore)(newest.state(), point);
        let restored = match catch_unwind(AssertUnwindSafe(restore)) {
            Ok(Ok(restored)) => restored,
            Ok(Err(error)) => {
                tracing::error!(room, "the room cannot be restarted: {error}");
                return None;
            }
            Err(_) => {
                tracing::error!(room, "the game panicked while its room was restarted");
                return None;
            }
        };
        tracing::warn!(
            room,
            from_tick = self.head.tick.0,
            tick = tick.0,
            "the room goes on from its last checkpoint"
        );
        if !self.is_claimed {
            self.head.epoch += 1;
        }
        let outcomes = &self.writer.metrics.restored;
        outcomes.get(RestoreOutcome::Restarted).inc();
        Some(restored)
    }

    /// Something has changed that neither the tick nor the number of sessions tells of.
    pub fn is_outdated(&mut self) {
        self.saved = None;
    }

    /// The room ends because its game panics again and again: its newest state is set aside, for another version of the game.
    pub fn set_aside(&mut self, room: &str) {
        if let Some(newest) = self.newest.take() {
            let why = "its game panics again and again";
            let epoch = self.head.epoch;
            (self.writer).set_aside(room, epoch, checkpoint::seal(&newest.body), why);
        }
    }

    /// The room has ended: its checkpoint goes, unless it is the last one of a process that ends.
    pub fn forget(&self, room: &str) {
        if !self.head.is_last {
            self.writer.remove(room, self.head.epoch);
        }
    }
}

/// The head and the state of a room, in `buffer`.
fn saved(
    head: &CheckpointHead,
    room: &ServerRoom,
    moment: Moment,
    buffer: Vec<u8>,
) -> Result<RoomState, SaveError> {
    let mut body = postcard::to_extend(head, buffer)
        .map_err(|error| SaveError::Unreadable(error.to_string()))?;
    let head_bytes = body.len();
    room.save(moment, &mut body)?;
    Ok(RoomState {
        body: Arc::new(body),
        head_bytes,
    })
}
