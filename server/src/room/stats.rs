//! What a room counts between two looks at it. Plain numbers: the worker adds them to the metrics.

use crate::metrics::{Deferred, InputOutcome, Label as _, ResumeOutcome};
use tickwire_game::Shot;
use tickwire_sync::Micros;

/// How long each part of the last tick took.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PhaseTimes {
    /// Inputs were taken.
    pub input: Micros,
    /// The game's step.
    pub step: Micros,
    /// The frame was written and compared.
    pub publish: Micros,
    /// What all are sure to want was encoded, once each.
    pub encode: Micros,
    /// Each client's snapshot was put together and written; blocks that only few want were encoded.
    pub send: Micros,
}

/// See the module's head.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RoomStats {
    /// The last tick's phases.
    pub phases: PhaseTimes,
    /// Inputs by [`InputOutcome`].
    pub inputs: [u64; InputOutcome::ALL.len()],
    /// Resumes by [`ResumeOutcome`].
    pub resumes: [u64; ResumeOutcome::ALL.len()],
    /// Snapshots that waited, by [`Deferred`].
    pub deferred: [u64; Deferred::ALL.len()],
    /// Changed cells that snapshots left out.
    pub cells_held: u64,
    /// Events that a crowded cell had no place for.
    pub events_dropped: u64,
    /// Snapshots sent.
    pub snapshots: u64,
    /// Their bytes.
    pub snapshot_bytes: u64,
    /// Blocks encoded.
    pub blocks_encoded: u64,
    /// Blocks used again.
    pub blocks_reused: u64,
    /// Replicas that disagreed.
    pub view_mismatches: u64,
    /// Shots.
    pub shots: Vec<Shot>,
    /// Sessions now.
    pub sessions: usize,
    /// Connected ones now.
    pub players: usize,
    /// Entities now.
    pub entities: usize,
    pub(super) blocks_encoded_before: u64,
    pub(super) blocks_reused_before: u64,
    pub(super) events_dropped_before: u64,
}

impl RoomStats {
    pub(super) fn count_input(&mut self, outcome: InputOutcome, count: u64) {
        self.inputs[outcome.index()] += count;
    }

    pub(super) fn count_resume(&mut self, outcome: ResumeOutcome) {
        self.resumes[outcome.index()] += 1;
    }

    pub(super) fn count_deferred(&mut self, reason: Deferred) {
        self.deferred[reason.index()] += 1;
    }
}
