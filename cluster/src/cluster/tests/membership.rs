//! Who is there, who owns what, and what all are told.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_leaves_is_lost_at_once() {
    let server = RedisServer::start();
    server.settle(GAME);
    let (a, b) = (
        Node::start(&server, "a", true).await,
        Node::start(&server, "b", false).await,
    );
    meet(&[&a, &b]).await;
    b.claim("duel").await;
    b.cluster.set_draining();
    let is_draining = || {
        a.cluster.nodes().iter().any(|entry| {
            entry.id == *b.id() && entry.is_draining && entry.rooms == 1 && entry.players == 3
        })
    };
    until("its entry says that it drains", is_draining).await;
    let peer = b.peer(&a).expect("a lives");
    peer.push(|out| write_frame(out, 7));
    b.cluster.leave().await;
    assert_eq!(a.frames(&b), [7], "its last words come");
    until("it is lost", || a.losses(&b) == 1 && a.peer(&b).is_none()).await;
    assert_eq!(a.cluster.nodes().len(), 1);
    a.claim("duel").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_vanishes_is_lost_with_its_lease() {
    let server = RedisServer::start();
    server.settle(GAME);
    let (a, b) = (
        Node::start(&server, "a", false).await,
        Node::start(&server, "b", false).await,
    );
    meet(&[&a, &b]).await;
    b.claim("duel").await;
    let id = b.id().clone();
    drop(b);
    assert_eq!(
        a.cluster.claim("duel").await.expect("Redis answers"),
        Claim::Elsewhere(id.clone())
    );
    until("it is lost", || a.cluster.peer(&id).is_none()).await;
    assert_eq!(a.recorder.seen().lost.get(&id), Some(&1));
    a.claim("duel").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_was_just_named_is_known() {
    let server = RedisServer::start();
    server.settle(GAME);
    let a = Node::start(&server, "a", false).await;
    for number in 0..5 {
        let room = format!("room-{number}");
        let b = Node::start(&server, "b", false).await;
        b.claim(&room).await;
        let owner = match number % 2 {
            0 => a.cluster.claim(&room).await.expect("Redis answers"),
            _ => Claim::Elsewhere(
                a.cluster
                    .locate(&room)
                    .await
                    .expect("Redis answers")
                    .expect("an owner"),
            ),
        };
        assert_eq!(owner, Claim::Elsewhere(b.id().clone()));
        assert!(
            a.peer(&b).is_some(),
            "not only when the directory is read next"
        );
        b.cluster.leave().await;
    }
    assert!(a.cluster.peer(a.id()).is_none(), "no node is its own peer");
    assert_eq!(
        a.cluster.locate("nowhere").await.expect("Redis answers"),
        None
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bus_reaches_each_node_once() {
    let server = RedisServer::start();
    let (a, b) = (
        Node::start(&server, "a", false).await,
        Node::start(&server, "b", false).await,
    );
    for number in 0..50_u8 {
        let from = if number % 2 == 0 { &a } else { &b };
        from.cluster.post(&[number]).await.expect("Redis answers");
    }
    let expected: Vec<Vec<u8>> = (0..50).map(|number| vec![number]).collect();
    for node in [&a, &b] {
        until("all messages come", || {
            node.recorder.seen().bus.len() >= expected.len()
        })
        .await;
        assert_eq!(node.recorder.seen().bus, expected);
        assert_eq!(node.recorder.seen().bus_lost, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_games_on_one_redis_are_two_clusters() {
    let server = RedisServer::start();
    let a = Node::start(&server, "a", true).await;
    let other = ClusterSettings {
        game: "chess".to_owned(),
        ..settings(server.url(), "b", true)
    };
    let b = Node::start_with(other).await;
    b.cluster.post(b"check").await.expect("Redis answers");
    until("the directory was read again", || {
        a.cluster.lease().valid_until() > clock().plus(Micros::from_millis(1_700))
    })
    .await;
    assert!(a.peer(&b).is_none() && b.peer(&a).is_none());
    assert!(a.recorder.seen().bus.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_cannot_start_says_why() {
    let handler = || Arc::new(Recorder::default()) as Arc<dyn ClusterHandler>;
    let mut server = RedisServer::start();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let with_taken = ClusterSettings {
        node_listen: taken.local_addr().ok(),
        ..settings(server.url(), "a", true)
    };
    let error = Cluster::start(with_taken, handler())
        .await
        .err()
        .expect("the address is taken");
    assert!(
        error.to_string().starts_with("--node-listen 127.0.0.1:"),
        "{error}"
    );
    server.kill();
    let error = Cluster::start(settings(server.url(), "a", false), handler())
        .await
        .err()
        .expect("no Redis");
    assert!(
        matches!(error, ClusterError::Redis(DirectoryError::Unreachable(_))),
        "{error}"
    );
    let wrong = settings("http://127.0.0.1".to_owned(), "a", false);
    let error = Cluster::start(wrong, handler())
        .await
        .err()
        .expect("no URL of Redis");
    assert!(
        matches!(error, ClusterError::Redis(DirectoryError::Url(_))),
        "{error}"
    );
}
