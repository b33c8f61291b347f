//! A Redis that may have forgotten who owns what.

use crate::{GAME, Node, PATIENCE, RedisServer, settled_server};
use std::time::{Duration, Instant};
use tickwire_cluster::redis::directory::Claim;
use tickwire_cluster::redis::room_store::{RoomChange, RoomChangeOutcome};

/// Claims a room until it is owned by somebody; returns that, and how often it had to wait.
async fn claim(node: &Node, room: &str) -> (Claim, usize) {
    let began = Instant::now();
    for waits in 0.. {
        match node.directory.claim(room).await.unwrap() {
            Claim::Wait(time) => {
                assert!(time <= Duration::from_secs(4), "{time:?}");
                assert!(began.elapsed() < PATIENCE);
                tokio::time::sleep(time).await;
                node.renew().await;
            }
            claim => return (claim, waits),
        }
    }
    unreachable!()
}

fn is_owned(claim: &Claim) -> bool {
    matches!(claim, Claim::Owned { .. })
}

#[tokio::test]
async fn the_first_room_of_a_cluster_waits_for_owners() {
    let server = RedisServer::start();
    let one = Node::start(&server, "one").await;
    let began = Instant::now();
    let (first, waits) = claim(&one, "hall").await;
    assert!(is_owned(&first) && waits > 0, "{first:?} after {waits}");
    assert!(began.elapsed() > Duration::from_secs(3));
    // No further room does.
    assert!(is_owned(&one.directory.claim("yard").await.unwrap()));
}

#[tokio::test]
async fn owners_register_first_at_a_redis_without_data() {
    let mut server = settled_server();
    let (one, two) = (
        Node::start(&server, "one").await,
        Node::start(&server, "two").await,
    );
    let epoch = one.open("hall").await;
    server.restart();
    assert!(matches!(
        two.directory.claim("hall").await.unwrap(),
        Claim::Wait(_)
    ));
    assert!(one.renew().await, "Redis forgot the lease");
    assert!(
        matches!(two.directory.claim("hall").await.unwrap(), Claim::Wait(_)),
        "a lease alone says nothing of rooms"
    );
    assert_eq!(
        one.directory
            .register(&[("hall".to_owned(), epoch)])
            .await
            .unwrap(),
        Vec::<String>::new()
    );
    assert_eq!(
        two.directory.claim("hall").await.unwrap(),
        Claim::Elsewhere(one.id().clone())
    );
}

#[tokio::test]
async fn a_room_whose_owner_is_gone_can_be_claimed_later() {
    let mut server = settled_server();
    let (one, two) = (
        Node::start(&server, "one").await,
        Node::start(&server, "two").await,
    );
    let epoch = one.open("hall").await;
    server.restart();
    let (claim, waits) = claim(&two, "hall").await;
    let Claim::Owned {
        epoch: later,
        checkpoint: None,
        ..
    } = claim
    else {
        panic!("{claim:?}")
    };
    assert!(waits > 0);
    assert!(
        later > epoch,
        "epochs grow, also at a Redis that knows none"
    );
    one.renew().await;
    assert_eq!(
        one.directory
            .register(&[("hall".to_owned(), epoch)])
            .await
            .unwrap(),
        ["hall"]
    );
}

#[tokio::test]
async fn owners_register_first_at_a_redis_with_old_data() {
    let mut server = settled_server();
    let (one, two, three) = (
        Node::start(&server, "one").await,
        Node::start(&server, "two").await,
        Node::start(&server, "three").await,
    );
    // Saved: one, which has left, owns the first, and the second is free. Since then, two has both.
    let (first, second) = (one.open("first").await, one.open("second").await);
    let mut store = one.room_store(&server);
    let hand_over = |room, epoch| RoomChange::Save {
        room,
        epoch,
        bytes: b"checkpoint",
        hand_over: true,
    };
    assert_eq!(
        store
            .apply([hand_over("second", second)].into_iter())
            .unwrap(),
        [RoomChangeOutcome::Done]
    );
    one.directory.leave().await.unwrap();
    server.save();
    assert_eq!(
        store
            .apply([hand_over("first", first)].into_iter())
            .unwrap(),
        [RoomChangeOutcome::Done]
    );
    let rooms = [
        ("first".to_owned(), two.open("first").await),
        ("second".to_owned(), two.open("second").await),
    ];
    server.restart();
    for (node, room) in [
        (&one, "first"),
        (&three, "first"),
        (&one, "second"),
        (&three, "second"),
    ] {
        assert!(
            matches!(node.directory.claim(room).await.unwrap(), Claim::Wait(_)),
            "{room}"
        );
    }
    assert!(two.renew().await);
    assert_eq!(
        two.directory.register(&rooms).await.unwrap(),
        Vec::<String>::new()
    );
    for (node, room) in [(&one, "first"), (&three, "second")] {
        assert_eq!(
            node.directory.claim(room).await.unwrap(),
            Claim::Elsewhere(two.id().clone()),
            "{room}"
        );
    }
}

#[tokio::test]
async fn a_lease_that_survived_a_restart_counts_as_missing() {
    let mut server = settled_server();
    let one = Node::start(&server, "one").await;
    server.save();
    server.restart();
    // Even if the lease is there still, rooms that were claimed since the data was saved are not.
    assert!(one.renew().await);
    assert!(!one.renew().await);
}

#[tokio::test]
async fn an_emptied_redis_counts_as_forgetful() {
    let server = settled_server();
    let (one, two) = (
        Node::start(&server, "one").await,
        Node::start(&server, "two").await,
    );
    one.open("hall").await;
    redis::cmd("FLUSHALL")
        .query::<()>(&mut server.connection())
        .unwrap();
    assert!(matches!(
        two.directory.claim("hall").await.unwrap(),
        Claim::Wait(_)
    ));
    assert!(one.renew().await);
}

#[tokio::test]
async fn another_redis_counts_as_forgetful() {
    let server = settled_server();
    let (one, two) = (
        Node::start(&server, "one").await,
        Node::start(&server, "two").await,
    );
    one.open("hall").await;
    // As if the name of the server led to another one, at which a cluster of this game has been living for long.
    let mut connection = server.connection();
    redis::cmd("FLUSHALL").query::<()>(&mut connection).unwrap();
    server.settle(GAME);
    let marker: String = redis::cmd("GET")
        .arg("tickwire:duel:marker")
        .query(&mut connection)
        .unwrap();
    let other = format!("{}:1", marker.split(':').next().unwrap());
    redis::cmd("SET")
        .arg("tickwire:duel:marker")
        .arg(other)
        .query::<()>(&mut connection)
        .unwrap();
    assert!(matches!(
        two.directory.claim("hall").await.unwrap(),
        Claim::Wait(_)
    ));
    assert!(two.renew().await);
    assert!(
        matches!(two.directory.claim("hall").await.unwrap(), Claim::Wait(_)),
        "also once the node knows it"
    );
    // A node that starts there is no stranger.
    let three = Node::start(&server, "three").await;
    three.open("yard").await;
}
