//! Where game threads put frames for another node: a buffer under a lock that is held for the copy alone, and atomics that say how full it is.

use super::{NONE, lock};
use crate::stream::PeerStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use tickwire_sync::Micros;

/// A batch that has grown to this many bytes is closed: an envelope is not much longer.
const BATCH_BYTES: usize = 64 * 1024;

/// Frames that wait for the sender task.
#[derive(Default)]
struct Waiting {
    /// Takes frames.
    open: Vec<u8>,
    /// Closed batches, in order.
    closed: Vec<Vec<u8>>,
    /// Empty buffers for when `open` is closed.
    spare: Vec<Vec<u8>>,
    bytes: usize,
    /// When the first of these frames was pushed.
    since: Micros,
    intake: Intake,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Intake {
    #[default]
    Open,
    /// The stream is about to reset: what is pushed until then is lost with the rest.
    Overflowing,
    /// The peer has ended.
    Closed,
}

/// Frames on their way from game threads to the sender task.
pub(super) struct PushBuffer {
    waiting: Mutex<Waiting>,
    bytes: AtomicUsize,
    /// When the oldest of them were pushed, or [`NONE`].
    since: AtomicU64,
}

impl PushBuffer {
    pub fn new() -> Self {
        Self {
            waiting: Mutex::default(),
            bytes: AtomicUsize::new(0),
            since: AtomicU64::new(NONE),
        }
    }

    /// Appends what `write` writes. True: that was more than the `room` that is left, and the stream must reset.
    pub fn push(
        &self,
        clock: fn() -> Micros,
        room: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> bool {
        let mut waiting = lock(&self.waiting);
        if waiting.intake != Intake::Open {
            return false;
        }
        let len_before = waiting.open.len();
        write(&mut waiting.open);
        let len = waiting.open.len();
        let added = len.saturating_sub(len_before);
        if waiting.bytes == 0 && added > 0 {
            waiting.since = clock();
            self.since.store(waiting.since.0, Ordering::Relaxed);
        }
        waiting.bytes += added;
        self.bytes.store(waiting.bytes, Ordering::Relaxed);
        if len >= BATCH_BYTES {
            let next = waiting.spare.pop().unwrap_or_default();
            let closed = std::mem::replace(&mut waiting.open, next);
            waiting.closed.push(closed);
        }
        let overflows = waiting.bytes > room;
        if overflows {
            waiting.intake = Intake::Overflowing;
        }
        overflows
    }

    /// Moves what was pushed to the stream. Calls `moved` before the bytes cease to count here, so that there is no moment in which they
    /// count nowhere.
    pub fn move_to(&self, stream: &mut PeerStream, moved: impl FnOnce(&PeerStream)) {
        if self.bytes.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut waiting = lock(&self.waiting);
        let Waiting {
            open,
            closed,
            since,
            ..
        } = &mut *waiting;
        for frames in closed.drain(..) {
            stream.push(*since, frames);
        }
        stream.push(*since, std::mem::take(open));
        // Emptied buffers, so that no push allocates in the steady state.
        waiting.open = stream.spare_buffer();
        if waiting.spare.is_empty() {
            waiting.spare.push(stream.spare_buffer());
        }
        waiting.bytes = 0;
        moved(stream);
        self.count_none();
    }

    /// Forgets what was pushed, and takes frames again.
    pub fn clear(&self) {
        self.empty(Intake::Open);
    }

    /// Forgets what was pushed, and takes nothing any more.
    pub fn close(&self) {
        self.empty(Intake::Closed);
    }

    fn empty(&self, intake: Intake) {
        let mut waiting = lock(&self.waiting);
        waiting.open.clear();
        waiting.closed.clear();
        waiting.bytes = 0;
        if waiting.intake != Intake::Closed {
            waiting.intake = intake;
        }
        self.count_none();
    }

    fn count_none(&self) {
        self.since.store(NONE, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Release);
    }

    pub fn is_overflowing(&self) -> bool {
        lock(&self.waiting).intake == Intake::Overflowing
    }

    /// Bytes that wait. One atomic load.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Acquire)
    }

    /// When the oldest of them were pushed, or [`NONE`]. One atomic load.
    pub fn since(&self) -> u64 {
        self.since.load(Ordering::Relaxed)
    }
}
