//! The directory, checkpoints, subscriptions and the bus, over a real Redis that is paused, killed, emptied and restarted.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

#[path = "../redis_server/mod.rs"]
mod redis_server;

mod bus_stream;
mod directory;
mod failing_redis;
mod forgetful_redis;
mod room_store;
mod subscriber;
mod tls;

use redis_server::RedisServer;
use std::time::{Duration, Instant};
use tickwire_cluster::redis::directory::{Claim, Directory};
use tickwire_cluster::redis::room_store::RoomStore;
use tickwire_cluster::{NodeEntry, NodeId};

const GAME: &str = "duel";

/// How long something may take on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);

/// One node: its directory, with a lease.
struct Node {
    entry: NodeEntry,
    directory: Directory,
}

impl Node {
    async fn start(server: &RedisServer, name: &str) -> Self {
        let id = NodeId::new(name, 7);
        let directory = Directory::connect(&server.url(), GAME, id.clone())
            .await
            .unwrap();
        let entry = NodeEntry {
            id,
            link: None,
            public_url: None,
            players: 0,
            rooms: 0,
            is_draining: false,
        };
        let node = Self { entry, directory };
        assert!(node.renew().await, "a first lease was missing");
        node
    }

    fn id(&self) -> &NodeId {
        &self.entry.id
    }

    /// Returns whether the lease was missing.
    async fn renew(&self) -> bool {
        self.directory.renew(&self.entry).await.unwrap().was_missing
    }

    /// Claims a room that nobody else has, and returns its epoch.
    async fn open(&self, room: &str) -> u64 {
        match self.directory.claim(room).await.unwrap() {
            Claim::Owned { epoch, .. } => epoch,
            claim => panic!("{room}: {claim:?}"),
        }
    }

    fn room_store(&self, server: &RedisServer) -> RoomStore {
        RoomStore::new(&server.url(), GAME, self.id().clone()).unwrap()
    }
}

/// A server at which rooms can be claimed at once.
fn settled_server() -> RedisServer {
    let server = RedisServer::start();
    server.settle(GAME);
    server
}

/// Waits for something that may take a while.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < PATIENCE, "{what} does not come");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
