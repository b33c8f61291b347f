//! What a room counts in a tick, as plain numbers. The worker adds them to the metrics.

use crate::labels::Label as _;
use crate::metrics::{DeferReason, InputOutcome, ResumeOutcome};
use tickwire_game::Shot;
use tickwire_sync::Micros;

/// The duration of each phase of a tick.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PhaseTimes {
    /// Inputs are taken from the inboxes and buffers.
    pub input: Micros,
    /// The game's step.
    pub step: Micros,
    /// The frame is written and compared.
    pub publish: Micros,
    /// Blocks that many clients are sure to need are encoded.
    pub encode: Micros,
    /// Snapshots are assembled and sent; blocks that only few clients need are encoded.
    pub send: Micros,
}

/// The counts of one tick, and the sizes of the room.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RoomStats {
    /// Durations of the tick's phases.
    pub phases: PhaseTimes,
    /// Inputs by `InputOutcome`.
    pub inputs: [u64; InputOutcome::ALL.len()],
    /// Resumes by `ResumeOutcome`.
    pub resumes: [u64; ResumeOutcome::ALL.len()],
    /// Deferred snapshots by `DeferReason`.
    pub deferred: [u64; DeferReason::ALL.len()],
    /// Changed cells that snapshots left out.
    pub cells_deferred: u64,
    /// Events dropped because a cell had more in one tick than a snapshot carries.
    pub events_dropped: u64,
    /// Snapshots sent.
    pub snapshots: u64,
    /// Bytes of the snapshots sent.
    pub snapshot_bytes: u64,
    /// Misses of the block cache.
    pub blocks_encoded: u64,
    /// Hits of the block cache.
    pub blocks_reused: u64,
    /// Replicas that disagreed with the server.
    pub view_mismatches: u64,
    /// Lines of chat of muted players.
    pub muted_lines: u64,
    /// Shots that were judged.
    pub shots: Vec<Shot>,
    /// Sessions at the end of the tick.
    pub sessions: usize,
    /// Connected players at the end of the tick.
    pub players: usize,
    /// Entities at the end of the tick.
    pub entities: usize,
    before: RunningTotals,
}

/// Totals since the room's start, as of the tick before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct RunningTotals {
    blocks_encoded: u64,
    blocks_reused: u64,
    events_dropped: u64,
}

impl RoomStats {
    /// Returns the counts of a tick, and begins the next one. The arguments are totals since the room's start.
    pub(super) fn take(
        &mut self,
        blocks_encoded: u64,
        blocks_reused: u64,
        events_dropped: u64,
    ) -> Self {
        let next = Self {
            before: RunningTotals {
                blocks_encoded,
                blocks_reused,
                events_dropped,
            },
            ..Self::default()
        };
        let mut stats = std::mem::replace(self, next);
        stats.blocks_encoded = blocks_encoded - stats.before.blocks_encoded;
        stats.blocks_reused = blocks_reused - stats.before.blocks_reused;
        stats.events_dropped = events_dropped - stats.before.events_dropped;
        stats
    }

    pub(super) fn count_input(&mut self, outcome: InputOutcome) {
        self.inputs[outcome.index()] += 1;
    }

    pub(super) fn count_resume(&mut self, outcome: ResumeOutcome) {
        self.resumes[outcome.index()] += 1;
    }

    pub(super) fn count_deferred(&mut self, reason: DeferReason) {
        self.deferred[reason.index()] += 1;
    }
}
