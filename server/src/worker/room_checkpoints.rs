//! The checkpoints of one room: when its state is saved, and the room made again from the newest one.
//!
//! In: the room between two ticks. Out: its state for the writer, which the worker never waits for; and, after its game has panicked, a
//! room that goes on from the newest state. Two buffers take turns, so that a room of steady size allocates little.

use super::command::ServerRoom;
use crate::checkpoint::{
    CheckpointHead, CheckpointOutcome, CheckpointWriter, Checkpointed, RestoreOutcome,
};
use crate::clock::{now, unix_ms};
use crate::log_limit;
use crate::room::{GoOn, Moment, RestoreError};
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
pub(crate) type RestoreRoom = Box<dyn Fn(&[u8], GoOn) -> Result<ServerRoom, RestoreError> + Send>;

/// Makes and keeps the checkpoints of one room.
pub(crate) struct RoomCheckpoints {
    writer: Arc<CheckpointWriter>,
    interval: Micros,
    restore: RestoreRoom,
    /// Of the next checkpoint; its tick and time are those of the newest.
    head: CheckpointHead,
    /// When the next checkpoint is due.
    due: Micros,
    /// Head and state of the newest checkpoint, and how long the head is.
    newest: Option<(Arc<Vec<u8>>, usize)>,
    /// The one before, whose memory is used again.
    spare: Option<Arc<Vec<u8>>>,
    /// How often the room was restarted from the newest checkpoint.
    restarts_since: u32,
    /// The newest tick that is saved, and how many sessions.
    saved: Option<(Tick, usize)>,
    restarts: VecDeque<Micros>,
}

impl RoomCheckpoints {
    /// For a room that was opened, or restored, with this head. The first checkpoint is due at `due`.
    pub fn new(
        writer: Arc<CheckpointWriter>,
        interval: Duration,
        head: CheckpointHead,
        due: Micros,
        restore: RestoreRoom,
    ) -> Self {
        Self {
            writer,
            interval: Micros(interval.as_micros() as u64),
            restore,
            head,
            due,
            newest: None,
            spare: None,
            restarts_since: 0,
            saved: None,
            restarts: VecDeque::new(),
        }
    }

    /// Whether a checkpoint of a room that makes ticks is due.
    pub fn is_due(&self, now: Micros) -> bool {
        now >= self.due && !self.head.is_last
    }

    /// Saves the state of a room that makes ticks.
    pub fn save(&mut self, room: &ServerRoom) {
        // By the clock: a checkpoint that came late does not delay all others.
        let began = now();
        let next = self.due.plus(self.interval);
        self.due = if next > began {
            next
        } else {
            began.plus(self.interval)
        };
        self.save_now(room, true);
    }

    /// Saves the state of a room that rests, if it has changed.
    pub fn save_resting(&mut self, room: &ServerRoom) {
        if self.saved != Some((room.tick_now(), room.sessions().len())) && !self.head.is_last {
            self.save_now(room, false);
        }
    }

    /// Saves the state of a room that makes no ticks any more, because the process ends.
    pub fn save_last(&mut self, room: &ServerRoom) {
        self.head.is_last = true;
        self.save_now(room, false);
    }

    fn save_now(&mut self, room: &ServerRoom, goes_on: bool) {
        let began = now();
        let moment = Moment {
            now: began,
            unix_ms: unix_ms(),
        };
        self.head.tick = room.tick_now();
        self.head.unix_ms = moment.unix_ms;
        let buffer = self.cleared_buffer();
        let saved = saved(&self.head, room, moment, buffer);
        let metrics = &self.writer.metrics;
        let duration = now().since(began);
        metrics.save_duration.observe(duration.0 as f64 / 1e6);
        let (body, head_bytes) = match saved {
            Ok((body, head_bytes)) => (Arc::new(body), head_bytes),
            Err(error) => {
                metrics.checkpoints.get(CheckpointOutcome::Unsaved).inc();
                if log_limit::admits("checkpoint_unsaved", began) {
                    tracing::error!(room = room.name(), "the room's state is not saved: {error}");
                }
                return;
            }
        };
        let checkpoint = Checkpointed {
            epoch: self.head.epoch,
            body: Arc::clone(&body),
            goes_on,
        };
        self.writer.put(room.name(), checkpoint);
        self.saved = Some((room.tick_now(), room.sessions().len()));
        self.spare = self.newest.take().map(|(before, _)| before);
        self.newest = Some((body, head_bytes));
        self.restarts_since = 0;
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
        let (body, head_bytes) = self.newest.as_ref()?;
        if self.restarts.len() >= MAX_RESTARTS {
            tracing::error!(room, "the room has failed too often to be restarted again");
            return None;
        }
        self.restarts.push_back(now);
        self.restarts_since += 1;
        let go_on = GoOn {
            tick,
            skips: self.restarts_since,
            moment: Moment {
                now,
                unix_ms: unix_ms(),
            },
        };
        let restore = || (self.restore)(&body[*head_bytes..], go_on);
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
        self.head.epoch += 1;
        let outcomes = &self.writer.metrics.restored;
        outcomes.get(RestoreOutcome::Restarted).inc();
        Some(restored)
    }

    /// The room has ended: its checkpoint goes, unless it is the last one of a process that ends.
    pub fn forget(&self, room: &str) {
        if !self.head.is_last {
            self.writer.remove(room, self.head.epoch);
        }
    }
}

/// Head and state of a room in `buffer`, and how long the head is.
fn saved(
    head: &CheckpointHead,
    room: &ServerRoom,
    moment: Moment,
    buffer: Vec<u8>,
) -> Result<(Vec<u8>, usize), SaveError> {
    let mut body = postcard::to_extend(head, buffer)
        .map_err(|error| SaveError::Unreadable(error.to_string()))?;
    let head_bytes = body.len();
    room.save(moment, &mut body)?;
    Ok((body, head_bytes))
}
