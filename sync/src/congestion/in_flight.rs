//! The snapshots in flight: sent, and not acked yet.
//!
//! In: what was sent, and the newest tick that was acked. Out: how many snapshots and bytes are in flight, and each snapshot's
//! record once it is acked. Memory is bounded by bytes and by number.

use super::path::MESSAGE_OVERHEAD_BYTES;
use super::sent_record::SentRecord;
use crate::world::Tick;
use std::collections::VecDeque;

/// The most bytes that may be in flight to one client.
pub const MAX_BYTES_IN_FLIGHT: usize = 64 * 1024;
/// The most snapshots that may be in flight; bounds the memory where snapshots are tiny.
pub(super) const MAX_SNAPSHOTS_IN_FLIGHT: usize = 512;
/// Payload bytes of a TCP segment on common links.
const SEGMENT_BYTES: u32 = 1448;

/// The snapshots in flight: sent, and not acked yet.
#[derive(Clone, Debug, Default)]
pub(super) struct InFlight {
    pub snapshots: VecDeque<SnapshotInFlight>,
    /// Payload bytes of all of them.
    pub bytes: usize,
    /// Payload bytes that were acked since the connection began.
    pub acked_bytes: usize,
    /// Wire bytes sent since the connection began.
    total_wire_bytes: u64,
    /// Whether a full snapshot was due and nothing was acked since.
    pub awaits_first_ack: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct SnapshotInFlight {
    pub tick: Tick,
    pub bytes: usize,
    pub record: SentRecord,
    /// Whether the path was drained for it.
    pub probes_base_delay: bool,
}

impl InFlight {
    /// Nothing is in flight, and nothing was acked yet.
    pub fn new() -> Self {
        Self {
            awaits_first_ack: true,
            ..Self::default()
        }
    }

    /// Forgets all snapshots in flight: the client will ack none of them.
    pub fn clear(&mut self) {
        self.snapshots.clear();
        self.bytes = 0;
        self.awaits_first_ack = true;
    }

    pub fn push(&mut self, tick: Tick, bytes: usize, sent_at: i64, was_draining: bool) {
        let wire_bytes = bytes as u32 + MESSAGE_OVERHEAD_BYTES * (1 + bytes as u32 / SEGMENT_BYTES);
        self.total_wire_bytes += u64::from(wire_bytes);
        let was_unqueued = self.snapshots.is_empty();
        self.snapshots.push_back(SnapshotInFlight {
            tick,
            bytes,
            record: SentRecord {
                sent_at,
                wire_bytes,
                total_bytes: self.total_wire_bytes,
                was_unqueued,
            },
            probes_base_delay: was_draining && was_unqueued,
        });
        self.bytes += bytes;
    }

    /// Removes and returns the oldest snapshot if it is of `tick` or earlier.
    pub fn pop_if_acked(&mut self, tick: Tick) -> Option<SnapshotInFlight> {
        let first = self.snapshots.pop_front_if(|first| first.tick <= tick)?;
        self.bytes -= first.bytes;
        self.acked_bytes = self.acked_bytes.saturating_add(first.bytes);
        self.awaits_first_ack = false;
        Some(first)
    }

    /// Whether another snapshot of so many bytes is within the limits. A single one may be larger: a full snapshot of a large
    /// world must go.
    pub fn has_room(&self, bytes: usize) -> bool {
        let is_too_much = !self.snapshots.is_empty() && self.bytes + bytes > MAX_BYTES_IN_FLIGHT;
        !is_too_much && self.snapshots.len() < MAX_SNAPSHOTS_IN_FLIGHT
    }
}
