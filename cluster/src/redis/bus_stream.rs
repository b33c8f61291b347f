//! The bus over a Redis stream and a channel.

use crate::bus::BusEvent;
use crate::redis::DirectoryError;
use crate::redis::directory::Directory;
use bytes::Bytes;
use std::sync::Arc;

/// Messages that reach every node, each once. Whoever subscribes (see [`super::subscriber`]) tells it what happens on the bus's channel.
pub struct BusStream {}

impl BusStream {
    /// Begins at the newest message: those that are posted once this returned reach the handler. The handler gets messages in order and
    /// must not block.
    pub async fn start(
        directory: Arc<Directory>,
        handler: impl FnMut(BusEvent) + Send + 'static,
    ) -> Result<Arc<Self>, DirectoryError> {
        todo!()
    }

    /// The subscription to [`super::Keys::bus_channel`] stands (again): reads what was missed.
    pub fn subscribed(&self) {
        todo!()
    }

    /// A payload of the bus's channel.
    pub fn published(&self, payload: Bytes) {
        todo!()
    }

    /// Posts a message to all nodes, this one included. Retries for at most 5 s.
    pub async fn post(&self, payload: &[u8]) -> Result<(), DirectoryError> {
        todo!()
    }
}
