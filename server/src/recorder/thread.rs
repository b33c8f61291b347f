//! The thread that encodes ticks and writes files.
//!
//! In: ticks of all rooms, and what is told about rooms. Out: chunks in files. It looks for ticks every few milliseconds instead of being
//! woken: to wake it would cost the worker a system call in every tick.

use super::clip::{Clip, ClipError, save_clip};
use super::folder::Folder;
use super::metrics::RecorderMetrics;
use super::room_files::RoomFiles;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tickwire_recording::{ChunkEncoder, Head, RecordedTick};
use tickwire_sync::Schema;
use tokio::sync::oneshot;

/// From one look for ticks to the next.
const POLL: Duration = Duration::from_millis(10);
/// Files of rooms that make no ticks are looked at this often, for their age.
const LOOK_AT_FILES: Duration = Duration::from_secs(1);

/// A tick for the thread.
pub(super) struct HandedTick {
    /// The room's number among all that were ever recorded by this process.
    pub room: u64,
    pub tick: Box<RecordedTick>,
    /// What the tick counts for while it waits; see [`RecordedTick::memory_bytes`].
    pub bytes: usize,
}

/// The ticks that wait for the thread.
pub(super) struct WaitingTicks {
    pub ticks: Receiver<HandedTick>,
    /// The most ticks of one turn: as many as may wait. All that waited when something was told are taken in the same turn.
    pub max_ticks: usize,
    /// What they count for together.
    pub bytes: Arc<AtomicUsize>,
}

/// A room whose first tick follows.
pub(super) struct OpenedRoom {
    pub number: u64,
    pub head: Head,
    pub schema: Arc<Schema>,
    /// Where empty ticks go back to.
    pub returns: SyncSender<Box<RecordedTick>>,
}

/// What the thread is told.
pub(super) enum Control {
    /// A room's first tick follows.
    Open(Box<OpenedRoom>),
    /// Nobody is connected to the room: nothing follows until somebody is.
    Rest { room: u64 },
    /// The room has ended.
    End { room: u64 },
    /// Saves the newest minute of the newest room of this name.
    Clip {
        room: String,
        answer: oneshot::Sender<Result<Clip, ClipError>>,
    },
    /// Writes everything, and ends the thread.
    Close(oneshot::Sender<()>),
}

/// What the thread is still to be told; `None`: it has ended, and what it is told is dropped.
pub(super) type Controls = Mutex<Option<Vec<Control>>>;

/// One room, as the thread has it.
struct Room {
    encoder: ChunkEncoder,
    files: RoomFiles,
    returns: SyncSender<Box<RecordedTick>>,
}

/// The state of the thread.
pub(super) struct RecorderThread {
    pub(super) waiting: WaitingTicks,
    controls: Arc<Controls>,
    /// What was told, but for rooms that were opened.
    told: Vec<Control>,
    rooms: BTreeMap<u64, Room>,
    pub(super) folder: Folder,
    metrics: RecorderMetrics,
    looked_at_files: Instant,
}

impl RecorderThread {
    pub fn new(
        waiting: WaitingTicks,
        controls: Arc<Controls>,
        folder: Folder,
        metrics: RecorderMetrics,
    ) -> Self {
        Self {
            waiting,
            controls,
            told: Vec::new(),
            rooms: BTreeMap::new(),
            folder,
            metrics,
            looked_at_files: Instant::now(),
        }
    }

    /// Runs until it is told to close, or until the recorder and all recordings of rooms are gone.
    pub fn run(mut self) {
        while self.turn() {
            std::thread::sleep(POLL);
        }
        let controls = self.controls.lock();
        *controls.unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Takes the ticks that wait, and does what was told before. `false`: the thread ends.
    pub fn turn(&mut self) -> bool {
        self.listen();
        // What is told from now on is for the next turn: ticks before it may still wait when this one ends.
        let due = self.told.len();
        let is_over = self.take_waiting();
        if self.looked_at_files.elapsed() >= LOOK_AT_FILES {
            self.looked_at_files = Instant::now();
            for room in self.rooms.values_mut() {
                room.files.close_if_old(&mut self.folder);
            }
            self.make_place();
        }
        let later = self.told.split_off(due);
        for control in std::mem::replace(&mut self.told, later) {
            if let Some(closed) = self.obey(control) {
                self.close_all();
                let _ = closed.send(());
                return false;
            }
        }
        if is_over {
            self.close_all();
        }
        !is_over
    }

    /// Takes the ticks that wait. Under overload others come meanwhile, so there is a bound. `true`: none will ever come again.
    fn take_waiting(&mut self) -> bool {
        for _ in 0..self.waiting.max_ticks {
            match self.waiting.ticks.try_recv() {
                Ok(handed) => self.take(handed),
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => return true,
            }
        }
        false
    }

    /// Hears what was told since the last time. Ticks that were handed over before it may still wait, so only rooms are opened at once.
    fn listen(&mut self) {
        let controls = {
            let controls = self.controls.lock();
            let mut controls = controls.unwrap_or_else(PoisonError::into_inner);
            controls.as_mut().map(std::mem::take)
        };
        for control in controls.unwrap_or_default() {
            match control {
                Control::Open(opened) => self.open(*opened),
                other => self.told.push(other),
            }
        }
    }

    fn open(&mut self, opened: OpenedRoom) {
        let OpenedRoom {
            number,
            head,
            schema,
            returns,
        } = opened;
        let room = Room {
            encoder: ChunkEncoder::new(schema, head.tick_rate),
            files: RoomFiles::new(head),
            returns,
        };
        self.rooms.insert(number, room);
    }

    fn take(&mut self, handed: HandedTick) {
        let HandedTick {
            room,
            mut tick,
            bytes,
        } = handed;
        self.waiting.bytes.fetch_sub(bytes, Ordering::Relaxed);
        if !self.rooms.contains_key(&room) {
            // It was opened after the last look.
            self.listen();
        }
        let Some(room) = self.rooms.get_mut(&room) else {
            return;
        };
        if tick.begins {
            room.write_chunk(&mut self.folder, &self.metrics);
        }
        room.encoder.push(&mut tick);
        // The worker's history wants its memory back.
        tick.clear();
        // A room that has ended wants no ticks back.
        let _ = room.returns.try_send(tick);
        if room.encoder.is_full() {
            room.write_chunk(&mut self.folder, &self.metrics);
            self.make_place();
        }
    }

    /// Makes place while there are too many bytes: the oldest recordings go first, then clips. Where running files take more than half, clips
    /// would go for ticks that nobody asked for, so the largest of these files ends instead, and goes.
    fn make_place(&mut self) {
        let folder = &mut self.folder;
        while folder.is_over() {
            let is_made = folder.remove_oldest(false)
                || (!folder.is_mostly_open() && folder.remove_oldest(true));
            if is_made {
                continue;
            }
            let rooms = self.rooms.values_mut().filter(|room| room.files.is_open());
            match rooms.max_by_key(|room| room.files.open_bytes()) {
                Some(largest) => largest.files.close(folder),
                None if folder.remove_oldest(true) => {}
                None => return,
            }
        }
    }

    /// Returns whom to tell that everything is closed, if that was it.
    fn obey(&mut self, control: Control) -> Option<oneshot::Sender<()>> {
        match control {
            Control::Open(opened) => self.open(*opened),
            Control::Rest { room } => {
                if let Some(room) = self.rooms.get_mut(&room) {
                    room.write_chunk(&mut self.folder, &self.metrics);
                }
            }
            Control::End { room } => {
                if let Some(mut room) = self.rooms.remove(&room) {
                    room.write_chunk(&mut self.folder, &self.metrics);
                    room.files.close(&mut self.folder);
                    self.make_place();
                }
            }
            // Who asked may have given up.
            Control::Clip { room, answer } if !answer.is_closed() => {
                let _ = answer.send(self.clip(&room));
            }
            Control::Clip { .. } => {}
            Control::Close(closed) => return Some(closed),
        }
        None
    }

    fn clip(&mut self, name: &str) -> Result<Clip, ClipError> {
        let mut rooms = self.rooms.values_mut().rev();
        let room = rooms.find(|room| room.files.head().room == name);
        let room = room.ok_or(ClipError::Nothing)?;
        room.write_chunk(&mut self.folder, &self.metrics);
        let clip = save_clip(&room.files, &mut self.folder)?;
        self.metrics.bytes.inc_by(clip.bytes);
        self.make_place();
        Ok(clip)
    }

    fn close_all(&mut self) {
        for room in self.rooms.values_mut() {
            room.write_chunk(&mut self.folder, &self.metrics);
            room.files.close(&mut self.folder);
        }
        self.rooms.clear();
    }
}

impl Room {
    /// Ends the chunk, and writes it.
    fn write_chunk(&mut self, folder: &mut Folder, metrics: &RecorderMetrics) {
        if let Some(chunk) = self.encoder.finish() {
            match self.files.write(chunk, folder) {
                Ok(bytes) => metrics.bytes.inc_by(bytes),
                Err(_) => metrics.dropped.inc(),
            }
        }
    }
}
