//! Delivers each message of the bus once, in order.

use bytes::Bytes;

/// What a reader of the bus gives out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusEvent {
    /// A message, each once.
    Message(Bytes),
    /// Redis may have forgotten messages: it restarted, or its data was deleted. Follows once each time.
    Forgotten,
    /// So many messages were dropped from the stream before this node could read them.
    Missed(u64),
}
