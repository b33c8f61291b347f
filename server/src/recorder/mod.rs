//! Recordings: every tick of every room that somebody is connected to, in files under `--record DIR`.
//!
//! In: from each worker, after each tick, the tick's frame and small copies of the rest, through a bounded channel. Out: files, and clips of
//! their newest minute. [`room_recording`] is the worker's side, which never waits and uses its memory again; [`thread`](self::thread) encodes
//! and writes; [`room_files`] are the files of one room, and [`folder`] bounds all of them together. Where the thread falls behind, ticks
//! are left out up to the next chunk, and counted. The format is in the crate `tickwire-recording`.

mod clip;
mod folder;
mod metrics;
mod room_files;
mod room_recording;
mod thread;

pub use clip::{Clip, ClipError};
pub(crate) use folder::check_folder;
pub(crate) use room_recording::RoomRecording;

use crate::config::RecordConfig;
use crate::metrics::{Metrics, MetricsError};
use crate::thread_end::end_process_on_panic;
use folder::Folder;
use metrics::RecorderMetrics;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use thread::{Control, Controls, HandedTick, RecorderThread, WaitingTicks};
use tokio::sync::oneshot;

/// Ticks of all rooms that may wait for the thread: a second of a thousand rooms.
const MAX_WAITING_TICKS: usize = 65_536;
/// Memory of all ticks that may wait, in bytes, by an upper estimate: while the disk stalls, the rooms' histories cannot use it again.
const MAX_WAITING_BYTES: usize = 256 << 20;

/// How long a clip is waited for.
const CLIP_TIMEOUT: Duration = Duration::from_secs(10);

/// Records rooms, on a thread of its own.
pub(crate) struct Recorder {
    ticks: SyncSender<HandedTick>,
    /// Of the ticks that wait.
    waiting_bytes: Arc<AtomicUsize>,
    controls: Arc<Controls>,
    next_room: AtomicU64,
    metrics: RecorderMetrics,
}

/// Why recordings cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// The metrics exist already: a bug.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The folder cannot be read, or the system cannot start a thread.
    #[error("--record: {0}")]
    Io(#[from] io::Error),
}

impl Recorder {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the folder cannot be read, or the system cannot start a thread.
    pub fn start(config: &RecordConfig, metrics: &Metrics) -> Result<Arc<Self>, RecorderError> {
        let metrics = RecorderMetrics::register(metrics)?;
        let folder = Folder::open(config)?;
        let (recorder, thread) = Self::with_room_for(MAX_WAITING_TICKS, folder, metrics);
        std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || end_process_on_panic("recorder", || thread.run()))?;
        Ok(recorder)
    }

    /// A recorder whose thread is still to be run.
    fn with_room_for(
        ticks: usize,
        folder: Folder,
        metrics: RecorderMetrics,
    ) -> (Arc<Self>, RecorderThread) {
        let max_ticks = ticks;
        let (ticks, handed) = sync_channel(max_ticks);
        let recorder = Arc::new(Self {
            ticks,
            waiting_bytes: Arc::default(),
            controls: Arc::new(Mutex::new(Some(Vec::new()))),
            next_room: AtomicU64::new(0),
            metrics: metrics.clone(),
        });
        let waiting = WaitingTicks {
            ticks: handed,
            max_ticks,
            bytes: Arc::clone(&recorder.waiting_bytes),
        };
        let controls = Arc::clone(&recorder.controls);
        let thread = RecorderThread::new(waiting, controls, folder, metrics);
        (recorder, thread)
    }

    /// For a room that is about to open.
    pub fn room(self: &Arc<Self>) -> RoomRecording {
        let number = self.next_room.fetch_add(1, Ordering::Relaxed);
        RoomRecording::new(Arc::clone(self), number)
    }

    /// Hands a tick to the thread, unless too many wait, or too many bytes of them.
    fn hand_over(&self, handed: HandedTick) -> Result<(), TrySendError<HandedTick>> {
        let bytes = handed.bytes;
        let before = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        // A tick that is too large by itself is taken where no other waits.
        let sent = match before == 0 || before.saturating_add(bytes) <= MAX_WAITING_BYTES {
            true => self.ticks.try_send(handed),
            false => Err(TrySendError::Full(handed)),
        };
        if sent.is_err() {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        sent
    }

    /// Saves the newest minute of a room as a file of its own.
    ///
    /// # Errors
    /// If nothing of the room is recorded, the file cannot be written, or the thread does not get to it in time.
    pub async fn clip(&self, room: &str) -> Result<Clip, ClipError> {
        let (answer, answered) = oneshot::channel();
        self.tell(Control::Clip {
            room: room.to_owned(),
            answer,
        });
        match tokio::time::timeout(CLIP_TIMEOUT, answered).await {
            Ok(answer) => answer.unwrap_or(Err(ClipError::Ended)),
            Err(_) => Err(ClipError::Behind),
        }
    }

    /// Writes all that was handed over, and closes all files. What is handed over later is lost.
    pub async fn close(&self) {
        let (closed, is_closed) = oneshot::channel();
        self.tell(Control::Close(closed));
        let _ = is_closed.await;
    }

    /// Tells the thread something, which it does once it has taken the ticks that were handed over before.
    fn tell(&self, control: Control) {
        let controls = self.controls.lock();
        if let Some(controls) = &mut *controls.unwrap_or_else(PoisonError::into_inner) {
            controls.push(control);
        }
    }
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
