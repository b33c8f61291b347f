//! A Redis that does not answer, or not for a while.

use crate::{Node, settled_server, until};
use std::time::{Duration, Instant};
use tickwire_cluster::NodeId;
use tickwire_cluster::redis::DirectoryError;
use tickwire_cluster::redis::room_store::RoomChange;

/// What a command may take, 1 s, and as much again for a machine that does much else.
const COMMAND_TIME: Duration = Duration::from_secs(2);

fn assert_unreachable<T: std::fmt::Debug>(result: Result<T, DirectoryError>) {
    assert!(
        matches!(result, Err(DirectoryError::Unreachable(_))),
        "{result:?}"
    );
}

#[tokio::test]
async fn a_paused_redis_holds_no_command_for_long() {
    let server = settled_server();
    let one = Node::start(&server, "one").await;
    let envelope_to = NodeId::new("two", 2);
    one.directory.send(&envelope_to, b"before").await.unwrap();
    server.pause();
    // The second round finds no connection, and waits for one.
    for _ in 0..2 {
        let began = Instant::now();
        let (renewal, claim, nodes, sent) = tokio::join!(
            one.directory.renew(&one.entry),
            one.directory.claim("hall"),
            one.directory.nodes(),
            one.directory.send(&envelope_to, b"meanwhile")
        );
        assert!(began.elapsed() < COMMAND_TIME, "{:?}", began.elapsed());
        assert_unreachable(renewal);
        assert_unreachable(claim);
        assert_unreachable(nodes);
        assert_unreachable(sent);
    }
    server.resume();
    until("an answer", async || {
        one.directory.renew(&one.entry).await.is_ok()
    })
    .await;
    one.open("hall").await;
}

#[tokio::test]
async fn commands_find_a_redis_that_restarted() {
    let mut server = settled_server();
    let one = Node::start(&server, "one").await;
    server.kill();
    assert_unreachable(one.directory.renew(&one.entry).await);
    server.run();
    assert!(one.renew().await);
    server.restart();
    // The connection is broken, and the command does not notice.
    assert!(one.renew().await);
}

#[test]
fn a_paused_redis_holds_no_checkpoint_for_long() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = settled_server();
    let one = runtime.block_on(Node::start(&server, "one"));
    let epoch = runtime.block_on(one.open("hall"));
    let mut store = one.room_store(&server);
    let bytes = vec![1; 1 << 20];
    let save = || {
        [RoomChange::Save {
            room: "hall",
            epoch,
            bytes: &bytes,
            hand_over: false,
        }]
        .into_iter()
    };
    store.apply(save()).unwrap();
    server.pause();
    for _ in 0..2 {
        let began = Instant::now();
        assert_unreachable(store.apply(save()));
        assert!(began.elapsed() < 3 * COMMAND_TIME, "{:?}", began.elapsed());
    }
    server.resume();
    runtime.block_on(until("an answer", async || store.apply(save()).is_ok()));
}
