//! A subscription that knows its gaps.

use crate::redis::DirectoryError;
use bytes::Bytes;

/// What happens to a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriberEvent {
    /// What is published from now on arrives.
    Subscribed,
    /// A message, in the order in which Redis published them.
    Message {
        /// Which of the channels, by its place in the list.
        channel_index: usize,
        /// What was published.
        payload: Bytes,
    },
    /// What is published from now on is missed, until the next [`SubscriberEvent::Subscribed`].
    Lost,
}

/// A subscription to fixed channels, renewed for as long as this value lives.
pub struct Subscriber {}

impl Subscriber {
    /// Begins to subscribe, on the caller's tokio runtime. The handler is called by one task at a time and must not block. It is never
    /// called again once the subscriber has been dropped.
    ///
    /// # Errors
    /// [`DirectoryError::Url`] alone: a Redis that can't be reached is tried for ever.
    pub fn start(
        url: &str,
        channels: Vec<String>,
        handler: impl FnMut(SubscriberEvent) + Send + 'static,
    ) -> Result<Self, DirectoryError> {
        todo!()
    }
}
