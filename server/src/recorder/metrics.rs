//! The metrics of recordings, which exist only where recordings are made.

use crate::metrics::{Metrics, MetricsError};
use prometheus::IntCounter;

/// The counts of recordings.
#[derive(Clone, Debug)]
pub(crate) struct RecorderMetrics {
    pub bytes: IntCounter,
    pub dropped: IntCounter,
}

impl RecorderMetrics {
    /// Registers the metrics of recordings.
    ///
    /// # Errors
    /// If they are registered already: a bug.
    pub fn register(metrics: &Metrics) -> Result<Self, MetricsError> {
        Ok(Self {
            bytes: metrics.add_counter(
                "tickwire_recording_bytes_total",
                "Bytes that were written to recordings.",
            )?,
            dropped: metrics.add_counter(
                "tickwire_recording_dropped_total",
                "Chunks of about five seconds that are missing in recordings, because the recorder fell behind or a disk failed.",
            )?,
        })
    }
}
