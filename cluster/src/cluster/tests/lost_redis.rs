//! Redis is paused, killed, emptied, or out of one node's reach.

use super::*;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A line to Redis that can be cut.
struct Line {
    url: String,
    is_whole: watch::Sender<bool>,
    task: AbortHandle,
}

impl Line {
    async fn to(server: &RedisServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("redis://{}", listener.local_addr().expect("an address"));
        let is_whole = watch::Sender::new(true);
        let (whole, port) = (is_whole.clone(), server.port());
        let task = tokio::spawn(async move {
            loop {
                let Ok((mut near, _)) = listener.accept().await else {
                    continue;
                };
                let mut whole = whole.subscribe();
                tokio::spawn(async move {
                    if *whole.borrow_and_update()
                        && let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await
                    {
                        tokio::select! {
                            _ = copy_bidirectional(&mut near, &mut far) => (),
                            _ = whole.wait_for(|is_whole| !is_whole) => (),
                        }
                    }
                });
            }
        });
        let task = task.abort_handle();
        Self {
            url,
            is_whole,
            task,
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Watches that a node's lease never stops to count, until it is told to stop.
async fn keeps_its_lease(node: &Node, during: impl Future<Output = ()>) {
    tokio::pin!(during);
    loop {
        tokio::select! {
            () = &mut during => break,
            () = sleep(Duration::from_millis(5)) => assert!(node.has_lease(), "the lease goes on"),
        }
    }
    assert_eq!(node.recorder.seen().lapses, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn linked_nodes_play_on_while_redis_is_paused() {
    let server = RedisServer::start();
    server.settle(GAME);
    let (a, b) = (
        Node::start(&server, "a", true).await,
        Node::start(&server, "b", true).await,
    );
    meet(&[&a, &b]).await;
    until_linked(&a, &b).await;
    a.claim("duel").await;
    let pause = async {
        server.pause();
        until("both notice", || {
            !a.cluster.is_redis_up() && !b.cluster.is_redis_up()
        })
        .await;
        // For longer than the leases live in Redis.
        let began = Instant::now();
        let mut number = 0;
        while began.elapsed() < Duration::from_secs(4) {
            tokio::join!(
                relay(&a, &b, number..number + 10),
                relay(&b, &a, number..number + 10)
            );
            number += 10;
            sleep(Duration::from_millis(20)).await;
        }
        let claimed = b.cluster.claim("other").await;
        assert!(
            matches!(claimed, Err(ClusterError::RedisLost)),
            "{claimed:?}"
        );
        server.resume();
        until("Redis is back", || {
            a.cluster.is_redis_up() && b.cluster.is_redis_up()
        })
        .await;
        let claimed = b.cluster.claim("other").await.expect("Redis answers");
        assert!(
            matches!(claimed, Claim::Wait(_)),
            "b said that it has lost Redis: {claimed:?}"
        );
        tokio::join!(
            relay(&a, &b, number..number + 10),
            relay(&b, &a, number..number + 10)
        );
    };
    keeps_its_lease(&a, async { keeps_its_lease(&b, pause).await }).await;
    assert_eq!(a.losses(&b) + b.losses(&a), 0);
    assert!(a.recorder.seen().rooms_lost.is_empty());
    assert_eq!(
        b.cluster.locate("duel").await.expect("Redis answers"),
        Some(a.id().clone())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_without_links_stop_and_come_back() {
    let server = RedisServer::start();
    let (a, b) = (
        Node::start(&server, "a", false).await,
        Node::start(&server, "b", false).await,
    );
    meet(&[&a, &b]).await;
    relay(&a, &b, 0..10).await;
    server.pause();
    until("the leases lapse", || !a.has_lease() && !b.has_lease()).await;
    until("both are told", || {
        a.recorder.seen().lapses == 1 && b.recorder.seen().lapses == 1
    })
    .await;
    until("both lose the other", || {
        a.peer(&b).is_none() && b.peer(&a).is_none()
    })
    .await;
    assert!(a.losses(&b) > 0 && b.losses(&a) > 0);
    server.resume();
    until("the leases count again", || a.has_lease() && b.has_lease()).await;
    until("both are told", || {
        a.recorder.seen().confirmations == 2 && b.recorder.seen().confirmations == 2
    })
    .await;
    meet(&[&a, &b]).await;
    settled_relay(&a, &b).await;
    settled_relay(&b, &a).await;
}

/// Frames go and come in order, once the streams of two nodes that had lost each other have met.
async fn settled_relay(a: &Node, b: &Node) {
    until("their streams have met", || {
        let (at_a, at_b) = (a.peer(b), b.peer(a));
        at_a.is_some_and(|a| at_b.is_some_and(|b| a.has_met(&b)))
    })
    .await;
    let first = b.frames(a).last().map_or(0, |number| number + 1);
    relay(a, b, first..first + 500).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_node_plays_on_without_redis() {
    let mut server = RedisServer::start();
    server.settle(GAME);
    let a = Node::start(&server, "a", false).await;
    let epoch = a.claim("duel").await;
    let outage = async {
        server.kill();
        until("it notices", || !a.cluster.is_redis_up()).await;
        sleep(Duration::from_secs(3)).await;
        server.run();
        until("Redis is back", || a.cluster.is_redis_up()).await;
    };
    keeps_its_lease(&a, outage).await;
    // Redis came back empty: the room was registered again.
    let b = Node::start(&server, "b", false).await;
    assert_eq!(
        b.cluster.locate("duel").await.expect("Redis answers"),
        Some(a.id().clone())
    );
    assert!(a.recorder.seen().rooms_lost.is_empty() && epoch > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_redis_separates_no_linked_nodes() {
    let mut server = RedisServer::start();
    server.settle(GAME);
    let (a, b) = (
        Node::start(&server, "a", true).await,
        Node::start(&server, "b", true).await,
    );
    meet(&[&a, &b]).await;
    until_linked(&a, &b).await;
    a.claim("duel").await;
    b.claim("other").await;
    for _ in 0..2 {
        let outage = async {
            server.restart();
            until_owned(&b, "duel", &a).await;
            until_owned(&a, "other", &b).await;
            let first = b.frames(&a).len() as u32;
            relay(&a, &b, first..first + 500).await;
        };
        keeps_its_lease(&a, async { keeps_its_lease(&b, outage).await }).await;
    }
    assert_eq!(a.losses(&b) + b.losses(&a), 0);
    assert!(a.recorder.seen().rooms_lost.is_empty() && b.recorder.seen().rooms_lost.is_empty());
}

/// Waits until a Redis that forgot it knows a room's owner again.
async fn until_owned(asks: &Node, room: &str, owner: &Node) {
    let began = Instant::now();
    while asks.cluster.locate(room).await.ok().flatten().as_ref() != Some(owner.id()) {
        assert!(began.elapsed() < PATIENCE, "{room} is registered");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_alone_lost_redis_stops() {
    let server = RedisServer::start();
    server.settle(GAME);
    let line = Line::to(&server).await;
    let a = Node::start(&server, "a", true).await;
    let b = Node::start_with(settings(line.url.clone(), "b", true)).await;
    meet(&[&a, &b]).await;
    until_linked(&a, &b).await;
    let epoch = b.claim("duel").await;
    line.is_whole.send_replace(false);
    until("its lease lapses, although a link stands", || {
        b.recorder.seen().lapses == 1
    })
    .await;
    until("the other loses it", || {
        a.losses(&b) > 0 && a.peer(&b).is_none()
    })
    .await;
    let mut claimed = a.cluster.claim("duel").await.expect("Redis answers");
    while let Claim::Wait(wait) = claimed {
        sleep(wait).await;
        claimed = a.cluster.claim("duel").await.expect("Redis answers");
    }
    assert!(
        matches!(claimed, Claim::Owned { epoch: later, .. } if later > epoch),
        "{claimed:?}"
    );
    line.is_whole.send_replace(true);
    until("it comes back", || b.has_lease()).await;
    assert_eq!(
        b.recorder.seen().rooms_lost,
        ["duel"],
        "it knows what it lost before its lease counts"
    );
    meet(&[&a, &b]).await;
    settled_relay(&a, &b).await;
    settled_relay(&b, &a).await;
}

/// Runs ahead by what a test says: a process that was paused.
static AHEAD: AtomicU64 = AtomicU64::new(0);

fn jumping_clock() -> Micros {
    clock().plus(Micros(AHEAD.load(Ordering::Relaxed)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_node_takes_nothing_that_was_in_flight() {
    let server = RedisServer::start();
    let settings = ClusterSettings {
        clock: jumping_clock,
        ..settings(server.url(), "a", true)
    };
    let (a, b) = (
        Node::start_with(settings).await,
        Node::start(&server, "b", true).await,
    );
    meet(&[&a, &b]).await;
    until_linked(&a, &b).await;
    relay(&b, &a, 0..100).await;
    AHEAD.store(5_000_000, Ordering::Relaxed);
    until("it notices", || {
        a.recorder.seen().lapses == 1 && a.losses(&b) > 0
    })
    .await;
    until("the other is told", || b.losses(&a) > 0).await;
    until("it comes back", || {
        a.has_lease() && a.recorder.seen().confirmations == 2
    })
    .await;
    meet(&[&a, &b]).await;
    settled_relay(&a, &b).await;
    settled_relay(&b, &a).await;
}
