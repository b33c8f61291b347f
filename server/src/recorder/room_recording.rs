//! The worker's side of a room's recording.
//!
//! In: the room after each of its ticks. Out: the tick, handed to the recorder's thread without waiting. Where the channel is full, the
//! room is not recorded for as long as a chunk lasts, and that is counted; it begins anew after that. The memory of ticks comes back
//! from the thread, so that a room of steady size allocates nothing for them.

use super::Recorder;
use super::thread::{Control, HandedTick, OpenedRoom};
use crate::clock::unix_ms;
use crate::room::{Link, Room};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TrySendError, sync_channel};
use tickwire_recording::{MAX_CHUNK_SECONDS, RecordedTick};
use tickwire_sync::{Schema, Tick};

/// Empty ticks that wait to be used again, at least. More are in use only while the thread is behind.
const MIN_RETURNED_TICKS: usize = 16;

/// Records one room.
pub(crate) struct RoomRecording {
    recorder: Arc<Recorder>,
    number: u64,
    state: State,
    spare: Option<Box<RecordedTick>>,
    /// Where empty ticks come back, once the room was opened.
    returned: Option<Receiver<Box<RecordedTick>>>,
}

/// What the recording of a room does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// It begins with the next tick, if somebody is connected.
    Waiting,
    Recording,
    /// The thread is behind: nothing is recorded until this tick.
    Dropping {
        until: Tick,
    },
    /// The thread has ended, because the process ends.
    Ended,
}

impl RoomRecording {
    pub(super) fn new(recorder: Arc<Recorder>, number: u64) -> Self {
        Self {
            recorder,
            number,
            state: State::Waiting,
            spare: None,
            returned: None,
        }
    }

    /// Takes the tick that the room has just made for `players` connected players, and has the next one recorded. Nothing is recorded of a
    /// room that nobody is connected to.
    pub fn after_tick<L: Link>(&mut self, room: &mut Room<L>, players: usize) {
        match (room.take_recorded(), self.state) {
            (Some(tick), State::Recording) => self.hand_over(room, tick, players),
            (Some(tick), _) => self.spare = Some(tick),
            // Also a room that was made again from its checkpoint.
            (None, State::Waiting | State::Recording) if players > 0 => self.begin(room),
            (None, State::Dropping { until }) if players > 0 && room.tick_now() >= until => {
                self.begin(room);
            }
            (None, _) => {}
        }
    }

    fn begin<L: Link>(&mut self, room: &mut Room<L>) {
        if self.returned.is_none() {
            // A disk that stalls for half a second costs no allocations later.
            let ticks = room.tick_clock().tick_rate as usize / 2;
            let (returns, returned) = sync_channel(ticks.max(MIN_RETURNED_TICKS));
            self.returned = Some(returned);
            self.recorder.tell(Control::Open(Box::new(OpenedRoom {
                number: self.number,
                head: room.recording_head(unix_ms()),
                schema: Arc::clone(room.schema()),
                returns,
            })));
        }
        let buffer = self.empty_tick(room.schema());
        room.begin_recording(buffer);
        self.state = State::Recording;
    }

    fn hand_over<L: Link>(
        &mut self,
        room: &mut Room<L>,
        mut tick: Box<RecordedTick>,
        players: usize,
    ) {
        tick.unix_ms = unix_ms();
        let handed = HandedTick {
            room: self.number,
            bytes: tick.memory_bytes(room.schema()),
            tick,
        };
        match self.recorder.hand_over(handed) {
            Ok(()) if players > 0 => {
                let buffer = self.empty_tick(room.schema());
                room.go_on_recording(buffer);
            }
            Ok(()) => {
                self.state = State::Waiting;
                self.recorder.tell(Control::Rest { room: self.number });
            }
            Err(TrySendError::Full(handed)) => {
                self.keep(handed.tick);
                self.recorder.metrics.dropped.inc();
                let ticks = MAX_CHUNK_SECONDS * room.tick_clock().tick_rate;
                let until = Tick(room.tick_now().0.saturating_add(ticks));
                self.state = State::Dropping { until };
            }
            Err(TrySendError::Disconnected(_)) => self.state = State::Ended,
        }
    }

    fn keep(&mut self, mut tick: Box<RecordedTick>) {
        tick.clear();
        self.spare = Some(tick);
    }

    fn empty_tick(&mut self, schema: &Schema) -> Box<RecordedTick> {
        let returned = self.returned.as_ref();
        let spare = (self.spare.take()).or_else(|| returned?.try_recv().ok());
        match spare {
            Some(mut tick) => {
                tick.clear();
                tick
            }
            None => Box::new(RecordedTick::new(schema)),
        }
    }
}

impl Drop for RoomRecording {
    /// The room has ended, and with it its file.
    fn drop(&mut self) {
        self.recorder.tell(Control::End { room: self.number });
    }
}
