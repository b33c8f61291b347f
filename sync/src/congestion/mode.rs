//! The state of a path, as its model sees it.

/// The state of the path by the model, and so what constrains the snapshots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    /// A new connection: no queue was seen yet. An assumed rate is followed and adjusted.
    Startup { ns_per_byte: i64 },
    /// No persistent queue: the path carries everything, and no rate is followed.
    Unlimited,
    /// Unlimited so far, but the newest ack showed a queue that jitter does not explain. The next ack shows whether it persists.
    Suspect,
    /// A queue of ours persisted: the rate is measured, and the queue predicted from what is sent.
    Bottlenecked { ns_per_byte: i64 },
}

impl Mode {
    /// Whether a rate is followed, so that snapshots must wait for the bottleneck.
    pub fn follows_rate(self) -> bool {
        matches!(self, Self::Startup { .. } | Self::Bottlenecked { .. })
    }

    /// Whether a queue of ours was seen since the path was last unlimited.
    pub fn is_bottlenecked(self) -> bool {
        matches!(self, Self::Bottlenecked { .. })
    }

    /// The estimated delivery rate, in nanoseconds per byte; 0 where it does not matter.
    pub fn ns_per_byte(self) -> i64 {
        match self {
            Self::Startup { ns_per_byte } | Self::Bottlenecked { ns_per_byte } => ns_per_byte,
            Self::Unlimited | Self::Suspect => 0,
        }
    }
}
