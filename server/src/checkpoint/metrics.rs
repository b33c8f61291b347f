//! The metrics of checkpoints, which exist only where checkpoints are made.

use crate::labels::labels;
use crate::metrics::{ByLabel, Metrics, MetricsError};
use prometheus::{Histogram, IntCounter};

labels! {
    /// What became of a room's state that was due to be saved: the `outcome` of `tickwire_checkpoints_total`.
    pub enum CheckpointOutcome {
        /// It is on the disk.
        Written = "written",
        /// A newer one of its room came before it was written.
        Superseded = "superseded",
        /// It could not be written.
        Failed = "failed",
        /// Another node owns the room by now, and goes on with a later state.
        Fenced = "fenced",
        /// The game could not save its state.
        Unsaved = "unsaved",
    }
}

labels! {
    /// What became of a room whose checkpoint was read: the `outcome` of `tickwire_rooms_restored_total`.
    pub enum RestoreOutcome {
        /// The room of an earlier process goes on.
        Restored = "restored",
        /// The room goes on after its game panicked.
        Restarted = "restarted",
        /// The checkpoint cannot be used: it was set aside, and the room begins anew.
        SetAside = "set_aside",
    }
}

/// In seconds: what a checkpoint takes from its worker.
const SAVE_BUCKETS: &[f64] = &[
    20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 4e-3, 8e-3, 16e-3,
];

/// The counts of checkpoints.
#[derive(Clone, Debug)]
pub(crate) struct CheckpointMetrics {
    pub checkpoints: ByLabel<CheckpointOutcome, IntCounter>,
    pub bytes: IntCounter,
    pub save_duration: Histogram,
    pub restored: ByLabel<RestoreOutcome, IntCounter>,
}

impl CheckpointMetrics {
    /// Registers the metrics of checkpoints.
    ///
    /// # Errors
    /// If they are registered already: a bug.
    pub fn register(metrics: &Metrics) -> Result<Self, MetricsError> {
        Ok(Self {
            checkpoints: metrics.add_counters(
                "tickwire_checkpoints_total",
                "States of rooms that were due to be saved, by outcome.",
                "outcome",
            )?,
            bytes: metrics.add_counter(
                "tickwire_checkpoint_bytes_total",
                "Bytes of the checkpoints that were written.",
            )?,
            save_duration: metrics.add_histogram(
                "tickwire_checkpoint_save_seconds",
                "Time that a room's worker takes to save its state.",
                SAVE_BUCKETS,
            )?,
            restored: metrics.add_counters(
                "tickwire_rooms_restored_total",
                "Rooms whose checkpoint was read, by outcome.",
                "outcome",
            )?,
        })
    }
}
