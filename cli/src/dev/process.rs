//! Ends a child by its process id.

use rustix::process::{Pid, Signal, kill_process};
use std::time::Duration;
use tokio::process::Child;

/// How long a child may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks a child to end (SIGTERM), waits for it, and kills it if it takes too long.
pub async fn end(child: &mut Child) {
    // No id: the child has ended, and its id may be another process's by now.
    if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
        let _ = kill_process(pid, Signal::TERM);
    }
    if tokio::time::timeout(PATIENCE, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}
