//! Live progress on standard error: one line that is rewritten every second on a terminal, a new line every second elsewhere.

use crate::measurements::SwarmTotals;
use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Prints progress until `stop` is set.
pub(crate) async fn show(
    totals: Arc<SwarmTotals>,
    bots: u32,
    duration: Duration,
    phase: watch::Receiver<String>,
    mut stop: watch::Receiver<bool>,
) {
    let is_terminal = std::io::stderr().is_terminal();
    let start = Instant::now();
    let mut every_second = tokio::time::interval(Duration::from_secs(1));
    every_second.tick().await;
    let (mut snapshots_before, mut bytes_before) = (0, 0);
    loop {
        tokio::select! {
            _ = every_second.tick() => {}
            _ = stop.changed() => break,
        }
        let (snapshots, bytes) = (
            totals.snapshots.load(Ordering::Relaxed),
            totals.bytes.load(Ordering::Relaxed),
        );
        let line = format!(
            "{:>3} s of {} s   {}   {} of {bots} in   {} snapshots/s   {:.1} kB/s   {} mismatches   {} errors",
            start.elapsed().as_secs(),
            duration.as_secs_f64().ceil(),
            *phase.borrow(),
            totals.connected.load(Ordering::Relaxed),
            snapshots - snapshots_before,
            (bytes - bytes_before) as f64 / 1e3,
            totals.mismatches.load(Ordering::Relaxed),
            totals.errors.load(Ordering::Relaxed),
        );
        (snapshots_before, bytes_before) = (snapshots, bytes);
        let mut out = std::io::stderr().lock();
        // A closed standard error does not stop the run.
        let _ = if is_terminal {
            write!(out, "\r\x1b[2K{line}").and_then(|()| out.flush())
        } else {
            writeln!(out, "{line}")
        };
    }
    if is_terminal {
        eprintln!();
    }
}
