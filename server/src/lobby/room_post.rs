//! The post between rooms: carries what games have to say to the rooms that it is for.
//!
//! In: the workers' messages, in the order in which each room sent them. Out: deliveries to all workers; in a cluster over its bus, which
//! numbers them. Nothing here is waited for by a worker.

use super::RoomDirectory;
use crate::clock::now;
use crate::log_limit;
use crate::metrics::RoomMessageOutcome;
use crate::worker::RoomPost;
use std::sync::Weak;
use tokio::sync::mpsc::Receiver;

/// Messages that go together over the bus.
const MAX_TOGETHER: usize = 64;

/// Delivers messages until the server ends.
pub(super) async fn deliver(mut posts: Receiver<RoomPost>, directory: Weak<RoomDirectory>) {
    let mut together = Vec::new();
    while posts.recv_many(&mut together, MAX_TOGETHER).await > 0 {
        let Some(directory) = directory.upgrade() else {
            return;
        };
        let posts = std::mem::take(&mut together);
        let Some(member) = &directory.member else {
            directory.deliver_messages(0, posts);
            continue;
        };
        let count = posts.len() as u64;
        if let Err(error) = member.post_room_messages(posts).await {
            let outcomes = &directory.metrics.room_messages;
            outcomes.get(RoomMessageOutcome::Dropped).inc_by(count);
            if log_limit::admits("room_messages_lost", now()) {
                tracing::error!(count, "messages between rooms are lost: {error}");
            }
        }
    }
}
