//! What the window remembers of a snapshot until it is acked, and what an ack says.

/// A snapshot in flight. Times are in microseconds on the server's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct SentRecord {
    pub sent_at: i64,
    /// The snapshot's bytes on the wire, with the overhead of all layers.
    pub wire_bytes: u32,
    /// All wire bytes sent on the connection up to the snapshot's end.
    pub total_bytes: u64,
    /// Whether nothing else was in flight when it was sent, so that it met no queue of ours.
    pub was_unqueued: bool,
}

/// What is known of a snapshot's arrival.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ack {
    /// When the snapshot came, by the client's clock, in microseconds; wraps.
    pub received_at_us: u32,
    /// Whether the path was drained for this snapshot, to probe its base delay.
    pub probed_base_delay: bool,
    /// How much later than it came the client may have looked at the snapshot, in microseconds.
    pub client_stall: i64,
}
