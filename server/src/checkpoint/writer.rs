//! The thread between workers and the store.
//!
//! In: changes from workers, which take a map's lock for a moment and never wait. Out: transactions of the store. Of the changes of one
//! room the newest wins, so a slow disk delays checkpoints and no tick.

use super::format::CheckpointHead;
use super::metrics::{CheckpointMetrics, CheckpointOutcome, RestoreOutcome};
use super::store::{Change, ChangeKind, SetAside, StateStore, StoreError};
use crate::clock::now;
use crate::log_limit;
use crate::metrics::{Metrics, MetricsError};
use crate::thread_end::end_process_on_panic;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, Opts};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tickwire_sync::Micros;
use tokio::sync::oneshot;

/// From one transaction to the next: each costs the disk one flush or two, however much is in it.
const PAUSE: Duration = Duration::from_millis(50);
/// From a transaction that failed to the next.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(500);

/// Hands checkpoints to the store, on a thread of its own, which ends with the writer.
pub(crate) struct CheckpointWriter {
    shared: Arc<Shared>,
    pub metrics: CheckpointMetrics,
}

/// A state of a room for the store.
pub(crate) struct NewCheckpoint {
    /// The room's epoch.
    pub epoch: u64,
    /// The head and the state.
    pub body: Arc<Vec<u8>>,
    /// Whether the room makes further ticks, so that its checkpoints age.
    pub goes_on: bool,
    /// Whether nothing comes after it from this process.
    pub is_last: bool,
}

/// Called with the rooms that another node owns by now, and the epochs that are over.
pub(crate) type OnFenced = Box<dyn Fn(&[(String, u64)]) + Send>;

struct Shared {
    queue: Mutex<Queue>,
    has_work: Condvar,
}

struct Queue {
    changes: BTreeMap<String, Change>,
    /// Written before the changes.
    set_aside: Vec<SetAside>,
    rooms: BTreeMap<String, KeptRoom>,
    /// Answered when the store is closed; `None`: it is.
    closes: Option<Vec<oneshot::Sender<()>>>,
    is_closing: bool,
    /// Another node waits for a state that is in the changes.
    is_urgent: bool,
}

/// What the writer knows of a room that has a checkpoint.
#[derive(Clone, Copy, Debug)]
struct KeptRoom {
    epoch: u64,
    /// When the newest state that is on the disk was saved; before there is one, when the first was.
    written_of: Micros,
    /// When the newest state was saved.
    saved_at: Micros,
    goes_on: bool,
    /// Whether the newest state is on the disk.
    is_written: bool,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much of a room's play a crash would take now: the most of any room.
    fn age(&self, now: Micros) -> Micros {
        let queue = self.queue();
        let going_on = queue.rooms.values().filter(|room| room.goes_on);
        let ages = going_on.map(|room| now.since(room.written_of));
        ages.max().unwrap_or_default()
    }
}

impl CheckpointWriter {
    /// Starts the thread.
    ///
    /// # Errors
    /// If its metrics exist already, or the system cannot start a thread.
    pub fn start(
        mut store: impl StateStore,
        metrics: &Metrics,
        on_fenced: OnFenced,
    ) -> Result<Self, WriterError> {
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue {
                changes: BTreeMap::new(),
                set_aside: Vec::new(),
                rooms: BTreeMap::new(),
                closes: Some(Vec::new()),
                is_closing: false,
                is_urgent: false,
            }),
            has_work: Condvar::new(),
        });
        metrics.add(Box::new(AgeCollector::new(&shared)?))?;
        let writer = Self {
            metrics: CheckpointMetrics::register(metrics)?,
            shared: Arc::clone(&shared),
        };
        let counts = CheckpointMetrics::clone(&writer.metrics);
        std::thread::Builder::new()
            .name("checkpoints".to_owned())
            .spawn(move || {
                end_process_on_panic("checkpoints", || {
                    run(&shared, &mut store, &counts, &on_fenced);
                    // Other processes may open it from now on.
                    drop(store);
                    let closes = shared.queue().closes.take();
                    for closed in closes.unwrap_or_default() {
                        let _ = closed.send(());
                    }
                });
            })?;
        Ok(writer)
    }

    /// Writes a state of a room, unless a newer one comes before that.
    pub fn put(&self, room: &str, checkpoint: NewCheckpoint) {
        let saved_at = now();
        let mut queue = self.shared.queue();
        let NewCheckpoint {
            epoch,
            body,
            goes_on,
            is_last,
        } = checkpoint;
        let kept = queue.rooms.get(room).copied();
        if kept.is_some_and(|kept| kept.epoch > epoch) {
            // A room of this name that was made later has the place.
            return;
        }
        let kept = KeptRoom {
            epoch,
            written_of: kept.map_or(saved_at, |kept| kept.written_of),
            saved_at,
            goes_on,
            is_written: false,
        };
        let kind = ChangeKind::Put { body, is_last };
        let change = Change { epoch, kind };
        let before = queue.changes.insert(room.to_owned(), change);
        queue.rooms.insert(room.to_owned(), kept);
        queue.is_urgent |= is_last;
        drop(queue);
        if before.is_some_and(|before| before.is_put()) {
            let outcomes = &self.metrics.checkpoints;
            outcomes.get(CheckpointOutcome::Superseded).inc();
        }
        self.shared.has_work.notify_one();
    }

    /// Forgets a room that has ended, unless a later room of this name has the place.
    pub fn remove(&self, room: &str, epoch: u64) {
        let mut queue = self.shared.queue();
        if (queue.rooms.get(room)).is_none_or(|kept| kept.epoch <= epoch) {
            queue.rooms.remove(room);
            let kind = ChangeKind::Remove;
            let change = Change { epoch, kind };
            let before = queue.changes.get(room);
            if before.is_none_or(|before| before.epoch <= epoch) {
                queue.changes.insert(room.to_owned(), change);
                self.shared.has_work.notify_one();
            }
        }
    }

    /// Whether a room of this name has ended here, and the store may not know it yet: what it has of the room is not to be used.
    pub fn has_ended(&self, room: &str) -> bool {
        let queue = self.shared.queue();
        let is_removed = |change: &Change| !change.is_put();
        queue.changes.get(room).is_some_and(is_removed)
            || queue
                .set_aside
                .iter()
                .any(|set_aside| set_aside.room == room)
    }

    /// Says that a checkpoint was read from the store, before its room is made.
    pub fn note_found(&self, room: &str, head: &CheckpointHead) {
        let at = now();
        let kept = KeptRoom {
            epoch: head.epoch,
            written_of: at,
            saved_at: at,
            goes_on: false,
            is_written: true,
        };
        self.shared.queue().rooms.insert(room.to_owned(), kept);
    }

    /// Keeps a checkpoint that cannot be used apart from the others, and says why.
    pub fn set_aside(&self, room: &str, epoch: u64, checkpoint: Vec<u8>, why: &str) {
        tracing::error!(
            room,
            "the checkpoint of the room cannot be used and is set aside, so the room begins anew: {why}"
        );
        self.metrics.restored.get(RestoreOutcome::SetAside).inc();
        let room = room.to_owned();
        let mut queue = self.shared.queue();
        queue.rooms.remove(&room);
        queue.changes.remove(&room);
        queue.set_aside.push(SetAside {
            room,
            epoch,
            checkpoint,
        });
        self.shared.has_work.notify_one();
    }

    /// Waits until all that was handed over is on the disk, or could not be written, and closes the store. What is handed over later
    /// is lost.
    pub async fn close(&self) {
        let (closed, is_closed) = oneshot::channel();
        {
            let mut queue = self.shared.queue();
            queue.is_closing = true;
            match &mut queue.closes {
                Some(closes) => closes.push(closed),
                None => return,
            }
        }
        self.shared.has_work.notify_one();
        let _ = is_closed.await;
    }
}

impl Drop for CheckpointWriter {
    fn drop(&mut self) {
        self.shared.queue().is_closing = true;
        self.shared.has_work.notify_one();
    }
}

/// Why the writer cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriterError {
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    #[error(transparent)]
    Thread(#[from] std::io::Error),
}

impl From<prometheus::Error> for WriterError {
    fn from(error: prometheus::Error) -> Self {
        Self::Metrics(error.into())
    }
}

/// The thread: one transaction after the other.
fn run(
    shared: &Shared,
    store: &mut impl StateStore,
    metrics: &CheckpointMetrics,
    on_fenced: &OnFenced,
) {
    let mut failures = 0;
    loop {
        let is_idle = |queue: &mut Queue| {
            let has_work = !queue.changes.is_empty() || !queue.set_aside.is_empty();
            !has_work && !queue.is_closing
        };
        let queue = shared.has_work.wait_while(shared.queue(), is_idle);
        let mut queue = queue.unwrap_or_else(PoisonError::into_inner);
        let batch = Batch::take(&mut queue);
        queue.is_urgent = false;
        let is_closing = queue.is_closing;
        drop(queue);
        let is_written = batch.is_empty() || write(shared, store, metrics, on_fenced, batch);
        failures = if is_written { 0 } else { failures + 1 };
        // The last states get a second try.
        if is_closing && (is_written || failures > 1) {
            return;
        }
        let pause = match is_written {
            true => PAUSE,
            false => PAUSE_AFTER_FAILURE,
        };
        let may_pause = |queue: &mut Queue| !queue.is_closing && !queue.is_urgent;
        let waited = (shared.has_work).wait_timeout_while(shared.queue(), pause, may_pause);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// What goes into one transaction.
struct Batch {
    changes: BTreeMap<String, Change>,
    set_aside: Vec<SetAside>,
    /// When the states were saved.
    saved_at: Vec<(String, Micros)>,
}

impl Batch {
    fn take(queue: &mut Queue) -> Self {
        let changes = std::mem::take(&mut queue.changes);
        let saved_at = (changes.keys())
            .filter_map(|room| Some((room.clone(), queue.rooms.get(room)?.saved_at)))
            .collect();
        Self {
            saved_at,
            changes,
            set_aside: std::mem::take(&mut queue.set_aside),
        }
    }

    fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.set_aside.is_empty()
    }

    /// Back into the queue, but for what is outdated.
    fn put_back(self, queue: &mut Queue) {
        for (room, change) in self.changes {
            queue.changes.entry(room).or_insert(change);
        }
        let newer = std::mem::replace(&mut queue.set_aside, self.set_aside);
        for set_aside in &newer {
            // The room's older states are of no use either.
            if (queue.changes.get(&set_aside.room)).is_some_and(Change::is_put)
                && !queue.rooms.contains_key(&set_aside.room)
            {
                queue.changes.remove(&set_aside.room);
            }
        }
        queue.set_aside.extend(newer);
    }
}

/// Returns whether it was written.
fn write(
    shared: &Shared,
    store: &mut impl StateStore,
    metrics: &CheckpointMetrics,
    on_fenced: &OnFenced,
    batch: Batch,
) -> bool {
    let puts = (batch.changes.values()).filter(|change| change.is_put());
    let puts = puts.count() as u64;
    let outcomes = &metrics.checkpoints;
    match store.apply(&batch.changes, &batch.set_aside) {
        Ok(applied) => {
            metrics.bytes.inc_by(applied.bytes);
            let fenced = applied.fenced.len() as u64;
            let written = puts.saturating_sub(fenced);
            outcomes.get(CheckpointOutcome::Written).inc_by(written);
            outcomes.get(CheckpointOutcome::Fenced).inc_by(fenced);
            if fenced > 0 {
                on_fenced(&applied.fenced);
            }
            let mut queue = shared.queue();
            for (room, saved_at) in batch.saved_at {
                if let Some(kept) = queue.rooms.get_mut(&room) {
                    kept.written_of = saved_at;
                    kept.is_written = kept.saved_at == saved_at;
                }
            }
            true
        }
        Err(error) => {
            outcomes.get(CheckpointOutcome::Failed).inc_by(puts);
            report(&error);
            batch.put_back(&mut shared.queue());
            false
        }
    }
}

fn report(error: &StoreError) {
    if log_limit::admits("checkpoint_failed", now()) {
        tracing::error!("checkpoints cannot be written, so a crash would take more: {error}");
    }
}

/// `tickwire_checkpoint_age_seconds`, computed when it is read: it shows a disk that does not answer, too.
struct AgeCollector {
    gauge: Gauge,
    shared: Arc<Shared>,
}

impl AgeCollector {
    fn new(shared: &Arc<Shared>) -> prometheus::Result<Self> {
        let help = "How long ago the state on the disk was saved, of the room in which that is longest ago: what a crash would take now. Rooms that rest do not count.";
        Ok(Self {
            gauge: Gauge::with_opts(Opts::new("tickwire_checkpoint_age_seconds", help))?,
            shared: Arc::clone(shared),
        })
    }
}

impl Collector for AgeCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.gauge.set(self.shared.age(now()).0 as f64 / 1e6);
        self.gauge.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::format::open;
    use super::super::store::CheckpointStore;
    use super::super::store::tests::{Folder, body};
    use super::*;

    fn checkpointed(epoch: u64, tick: u32) -> NewCheckpoint {
        NewCheckpoint {
            epoch,
            body: body(tick),
            goes_on: true,
            is_last: false,
        }
    }

    /// The rooms in a folder with the ticks of their checkpoints, once no other store has it open.
    fn ticks(folder: &Folder) -> Vec<(String, u32)> {
        loop {
            match CheckpointStore::open(&folder.0) {
                Err(StoreError::InUse(_)) => std::thread::sleep(Duration::from_millis(5)),
                opened => {
                    let rooms = opened.unwrap().1.into_iter();
                    let tick = |(room, bytes): (String, Vec<u8>)| {
                        let (head, _) = open(&bytes).unwrap();
                        (room, head.tick.0)
                    };
                    return rooms.map(tick).collect();
                }
            }
        }
    }

    /// Waits until no room has a newer state than the one on the disk.
    async fn until_written(writer: &CheckpointWriter) {
        let is_written = || {
            let queue = writer.shared.queue();
            let mut rooms = queue.rooms.values();
            rooms.all(|room| room.is_written)
        };
        while !is_written() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    #[tokio::test]
    async fn the_newest_state_of_the_newest_room_of_a_name_stays() {
        let folder = Folder::new();
        let metrics = Metrics::new().unwrap();
        let (store, _) = CheckpointStore::open(&folder.0).unwrap();
        let writer = CheckpointWriter::start(store, &metrics, Box::new(|_| {})).unwrap();
        for tick in 1..=100 {
            writer.put("a", checkpointed(1, tick));
        }
        writer.put("b", checkpointed(1, 7));
        until_written(&writer).await;
        // A later room of the name has come: what the earlier one still says has no effect.
        writer.put("b", checkpointed(2, 8));
        writer.put("b", checkpointed(1, 9));
        writer.remove("b", 1);
        writer.put("c", checkpointed(1, 1));
        until_written(&writer).await;
        writer.remove("c", 1);
        let count = |outcome| writer.metrics.checkpoints.get(outcome).get();
        let (written, superseded) = (
            count(CheckpointOutcome::Written),
            count(CheckpointOutcome::Superseded),
        );
        assert_eq!(
            (written + superseded, count(CheckpointOutcome::Failed)),
            (103, 0)
        );
        // Ends the thread, which writes what there is.
        drop(writer);
        assert_eq!(ticks(&folder), [("a".to_owned(), 100), ("b".to_owned(), 8)]);
    }

    #[tokio::test]
    async fn what_is_set_aside_is_kept_beside_the_room_that_begins_anew() {
        let folder = Folder::new();
        let metrics = Metrics::new().unwrap();
        let (store, _) = CheckpointStore::open(&folder.0).unwrap();
        let writer = CheckpointWriter::start(store, &metrics, Box::new(|_| {})).unwrap();
        for room in ["a", "b", "c"] {
            writer.put(room, checkpointed(1, 1));
            writer.set_aside(room, 1, room.as_bytes().to_vec(), "the test wants it so");
            writer.put(room, checkpointed(2, 2));
        }
        writer.close().await;
        let (store, _) = CheckpointStore::open(&folder.0).unwrap();
        assert_eq!(store.set_aside(), ["a", "b", "c"]);
        drop(store);
        assert!(ticks(&folder).iter().all(|(_, tick)| *tick == 2));
    }

    #[tokio::test]
    async fn the_age_is_that_of_the_room_that_would_lose_most() {
        let folder = Folder::new();
        let metrics = Metrics::new().unwrap();
        let (store, _) = CheckpointStore::open(&folder.0).unwrap();
        let writer = CheckpointWriter::start(store, &metrics, Box::new(|_| {})).unwrap();
        writer.put("a", checkpointed(1, 1));
        let mut resting = checkpointed(1, 1);
        resting.goes_on = false;
        writer.put("b", resting);
        until_written(&writer).await;
        let later = now().plus(Micros::from_millis(5_000));
        writer.put("a", checkpointed(1, 2));
        until_written(&writer).await;
        let age = writer.shared.age(later);
        assert!(
            age > Micros(0) && age <= Micros::from_millis(5_000),
            "{age:?}"
        );
        writer.remove("a", 1);
        assert_eq!(writer.shared.age(later), Micros(0));
        let (text, _) = metrics.render().unwrap();
        let text = String::from_utf8(text).unwrap();
        for line in [
            "tickwire_checkpoint_age_seconds 0",
            "tickwire_rooms_restored_total{outcome=\"set_aside\"} 0",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
