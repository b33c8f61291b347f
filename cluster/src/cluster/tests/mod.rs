//! Whole nodes in one process, over a real Redis that is paused, killed and restarted.

mod lost_redis;
mod membership;
mod relayed_frames;

#[path = "../../../tests/redis_server/mod.rs"]
mod redis_server;

use super::*;
use redis_server::RedisServer;
use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::time::Instant;
use tokio::time::sleep;

const GAME: &str = "duel";
/// How long something may take on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

fn clock() -> Micros {
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    Micros(START.elapsed().as_micros() as u64 + 1_000_000)
}

/// Waits until something is true.
async fn until(what: &str, is_true: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_true() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// What a node's handler was told.
#[derive(Default)]
struct Seen {
    /// Numbers of the frames of each node since it was last lost.
    frames: HashMap<NodeId, Vec<u32>>,
    /// How often each node was lost.
    lost: HashMap<NodeId, u32>,
    bus: Vec<Vec<u8>>,
    bus_lost: u32,
    rooms_lost: Vec<String>,
    lapses: u32,
    confirmations: u32,
}

#[derive(Default)]
struct Recorder {
    seen: Mutex<Seen>,
    rooms: Mutex<Vec<(String, u64)>>,
}

impl Recorder {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().expect("no panic")
    }
}

/// Frames of these tests: a number, and so many bytes as its last digits say.
fn write_frame(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
    out.extend(std::iter::repeat_n(number as u8, number as usize % 1000));
}

fn read_frames(mut bytes: &[u8]) -> Vec<u32> {
    let mut numbers = Vec::new();
    while let Some((number, rest)) = bytes.split_first_chunk::<4>() {
        let number = u32::from_le_bytes(*number);
        let (body, rest) = rest.split_at(number as usize % 1000);
        assert!(
            body.iter().all(|&byte| byte == number as u8),
            "a frame is whole"
        );
        numbers.push(number);
        bytes = rest;
    }
    assert!(bytes.is_empty(), "frames are whole");
    numbers
}

impl ClusterHandler for Recorder {
    fn received(&self, from: &Arc<Peer>, frames: &[u8]) {
        let numbers = read_frames(frames);
        self.seen()
            .frames
            .entry(from.node().clone())
            .or_default()
            .extend(numbers);
    }

    fn peer_lost(&self, node: &NodeId) {
        let mut seen = self.seen();
        *seen.lost.entry(node.clone()).or_default() += 1;
        seen.frames.remove(node);
    }

    fn bus_begins(&self, _newest: u64) {}

    fn bus_message(&self, _seq: u64, payload: &[u8]) {
        self.seen().bus.push(payload.to_vec());
    }

    fn bus_lost(&self) {
        self.seen().bus_lost += 1;
    }

    fn load(&self) -> (u32, u32) {
        (3, self.rooms.lock().expect("no panic").len() as u32)
    }

    fn owned_rooms(&self) -> Vec<(String, u64)> {
        self.rooms.lock().expect("no panic").clone()
    }

    fn rooms_lost(&self, rooms: &[String]) {
        self.seen().rooms_lost.extend_from_slice(rooms);
    }

    fn lease_lapsed(&self) {
        self.seen().lapses += 1;
    }

    fn lease_confirmed(&self) {
        self.seen().confirmations += 1;
    }
}

/// A node of a test.
struct Node {
    cluster: Arc<Cluster>,
    recorder: Arc<Recorder>,
}

fn settings(redis_url: String, name: &str, has_listener: bool) -> ClusterSettings {
    ClusterSettings {
        redis_url,
        game: GAME.to_owned(),
        name: name.to_owned(),
        boot: rand::random(),
        node_listen: has_listener.then(|| ([127, 0, 0, 1], 0).into()),
        public_url: None,
        clock,
    }
}

impl Node {
    async fn start(server: &RedisServer, name: &str, has_listener: bool) -> Self {
        Self::start_with(settings(server.url(), name, has_listener)).await
    }

    async fn start_with(settings: ClusterSettings) -> Self {
        let recorder = Arc::new(Recorder::default());
        let handler = Arc::clone(&recorder) as Arc<dyn ClusterHandler>;
        let cluster = Cluster::start(settings, handler).await.expect("a cluster");
        assert_eq!(recorder.seen().confirmations, 1);
        Self { cluster, recorder }
    }

    fn id(&self) -> &NodeId {
        self.cluster.me()
    }

    fn peer(&self, other: &Self) -> Option<Arc<Peer>> {
        self.cluster.peer(other.id())
    }

    fn is_linked(&self, other: &Self) -> bool {
        self.peer(other).is_some_and(|peer| peer.is_linked())
    }

    fn has_lease(&self) -> bool {
        self.cluster.lease().is_valid((self.cluster.core.clock)())
    }

    /// How often this node lost the other.
    fn losses(&self, other: &Self) -> u32 {
        self.recorder
            .seen()
            .lost
            .get(other.id())
            .copied()
            .unwrap_or_default()
    }

    fn frames(&self, from: &Self) -> Vec<u32> {
        self.recorder
            .seen()
            .frames
            .get(from.id())
            .cloned()
            .unwrap_or_default()
    }

    async fn claim(&self, room: &str) -> u64 {
        match self.cluster.claim(room).await.expect("Redis answers") {
            Claim::Owned { epoch, .. } => {
                self.recorder
                    .rooms
                    .lock()
                    .expect("no panic")
                    .push((room.to_owned(), epoch));
                epoch
            }
            claim => panic!("{claim:?}"),
        }
    }
}

/// Nodes that know each other.
async fn meet(nodes: &[&Node]) {
    until("all nodes know each other", || {
        nodes.iter().all(|node| {
            nodes
                .iter()
                .filter(|other| other.id() != node.id())
                .all(|other| node.peer(other).is_some())
        })
    })
    .await;
}

async fn until_linked(a: &Node, b: &Node) {
    until("a link stands", || a.is_linked(b) && b.is_linked(a)).await;
}

/// Sends numbered frames from one node to another, and sees that they come in order.
async fn relay(a: &Node, b: &Node, numbers: std::ops::Range<u32>) {
    let before = b.frames(a).len();
    let peer = a.peer(b).expect("the node lives");
    for number in numbers.clone() {
        peer.push(|out| write_frame(out, number));
        if number % 64 == 0 {
            peer.flush();
            tokio::task::yield_now().await;
        }
    }
    peer.flush();
    until("all frames come", || {
        b.frames(a).len() >= before + numbers.len()
    })
    .await;
    assert_eq!(b.frames(a)[before..], numbers.collect::<Vec<_>>());
}
