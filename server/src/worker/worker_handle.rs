//! A worker as other threads see it: where commands go, and whether its thread makes progress.

use super::command::Command;
use super::delivery::PostBox;
use super::liveness::Liveness;
use super::worker_loop::WorkerLoop;
use crate::clock::now;
use crate::cluster::RoomLease;
use crate::config::IoUring;
use crate::metrics::Metrics;
use crate::net::peer::batch_io;
use crate::thread_end::end_process_on_panic;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// The handle of a worker. The worker's thread ends when the handle is dropped.
pub(crate) struct WorkerHandle {
    commands: Sender<Command>,
    liveness: Arc<Liveness>,
}

impl WorkerHandle {
    /// Starts a worker's thread.
    ///
    /// # Errors
    /// If the system cannot start a thread.
    pub fn start(
        number: usize,
        io_uring: IoUring,
        metrics: Arc<Metrics>,
        lease: RoomLease,
        post_box: PostBox,
    ) -> std::io::Result<Self> {
        let (commands, receiver) = channel();
        let liveness = Arc::new(Liveness::new(now()));
        let worker_loop =
            WorkerLoop::new(receiver, metrics, Arc::clone(&liveness), lease, post_box);
        std::thread::Builder::new()
            .name(format!("worker-{number}"))
            .spawn(move || {
                let uses_io_uring = io_uring != IoUring::Off && batch_io::enable_on_this_thread();
                tracing::debug!(number, uses_io_uring, "worker started");
                let name = format!("worker-{number}");
                end_process_on_panic(&name, || worker_loop.run());
            })?;
        Ok(Self { commands, liveness })
    }

    /// Passes a command on. `false`: the worker has ended, because the process ends.
    pub fn send(&self, command: Command) -> bool {
        self.commands.send(command).is_ok()
    }

    /// Whether the worker has made progress within `limit`.
    pub fn is_alive(&self, limit: Duration) -> bool {
        self.liveness.is_alive(now(), limit)
    }

    /// For how long the worker has been late without a break.
    pub fn late_for(&self) -> Duration {
        self.liveness.late_for(now())
    }
}
