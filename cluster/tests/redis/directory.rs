use crate::{GAME, Node, RedisServer, settled_server, until};
use std::collections::BTreeSet;
use std::sync::Arc;
use tickwire_cluster::NodeId;
use tickwire_cluster::redis::DirectoryError;
use tickwire_cluster::redis::directory::{Claim, Directory};

#[tokio::test]
async fn of_many_claims_at_once_one_gets_the_room() {
    let server = settled_server();
    let mut nodes = Vec::new();
    for number in 0..6 {
        nodes.push(Arc::new(
            Node::start(&server, &format!("node{number}")).await,
        ));
    }
    for room in 0..20 {
        let room = format!("room{room}");
        let claims: Vec<_> = nodes
            .iter()
            .map(|node| {
                let (node, room) = (Arc::clone(node), room.clone());
                tokio::spawn(async move { node.directory.claim(&room).await.unwrap() })
            })
            .collect();
        let mut owners = Vec::new();
        let mut others = BTreeSet::new();
        for (node, claim) in nodes.iter().zip(claims) {
            match claim.await.unwrap() {
                Claim::Owned {
                    opened, checkpoint, ..
                } => {
                    assert_eq!((opened, checkpoint), (1, None));
                    owners.push(node.id().clone());
                }
                Claim::Elsewhere(owner) => {
                    others.insert(owner);
                }
                Claim::Wait(time) => panic!("waits for {time:?}"),
            }
        }
        assert_eq!(owners.len(), 1);
        assert_eq!(others.into_iter().collect::<Vec<_>>(), owners);
        for node in &nodes {
            node.renew().await;
        }
    }
}

#[tokio::test]
async fn a_room_can_be_claimed_once_its_owner_has_left() {
    let server = settled_server();
    let (one, two) = (
        Node::start(&server, "one").await,
        Node::start(&server, "two").await,
    );
    let epoch = one.open("hall").await;
    one.directory.leave().await.unwrap();
    let Claim::Owned {
        epoch: later,
        opened,
        ..
    } = two.directory.claim("hall").await.unwrap()
    else {
        panic!("not claimed")
    };
    assert!(later > epoch);
    assert_eq!(opened, 2);
}

#[tokio::test]
async fn a_room_can_be_claimed_once_its_owners_lease_lapsed() {
    let server = settled_server();
    let (one, two) = (
        Node::start(&server, "one").await,
        Node::start(&server, "two").await,
    );
    one.open("hall").await;
    until("the end of the lease", async || {
        matches!(
            two.directory.claim("hall").await.unwrap(),
            Claim::Owned { .. }
        )
    })
    .await;
    assert!(one.renew().await, "the lease was gone");
}

#[tokio::test]
async fn an_owner_opens_its_own_room_anew() {
    let server = settled_server();
    let one = Node::start(&server, "one").await;
    let epoch = one.open("hall").await;
    let Claim::Owned {
        epoch: later,
        opened,
        ..
    } = one.directory.claim("hall").await.unwrap()
    else {
        panic!("not claimed")
    };
    assert!(later > epoch);
    assert_eq!(opened, 2);
}

#[tokio::test]
async fn only_a_live_owner_is_located() {
    let server = settled_server();
    let (one, two) = (
        Node::start(&server, "one").await,
        Node::start(&server, "two").await,
    );
    assert_eq!(two.directory.locate("hall").await.unwrap(), None);
    one.open("hall").await;
    assert_eq!(
        two.directory.locate("hall").await.unwrap().as_ref(),
        Some(one.id())
    );
    one.directory.leave().await.unwrap();
    assert_eq!(two.directory.locate("hall").await.unwrap(), None);
}

#[tokio::test]
async fn only_live_nodes_are_listed() {
    let server = settled_server();
    let (mut one, two) = (
        Node::start(&server, "one").await,
        Node::start(&server, "two").await,
    );
    one.entry.players = 12;
    one.entry.link = Some("10.0.0.1:9000".parse().unwrap());
    assert!(!one.renew().await);
    let mut nodes = two.directory.nodes().await.unwrap();
    nodes.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(nodes, [one.entry.clone(), two.entry.clone()]);
    until("the end of a lease", async || {
        two.renew().await;
        two.directory.nodes().await.unwrap() == [two.entry.clone()]
    })
    .await;
    assert!(one.renew().await);
    assert_eq!(two.directory.nodes().await.unwrap().len(), 2);
}

#[tokio::test]
async fn registering_tells_what_was_lost() {
    let server = settled_server();
    let (one, two) = (
        Node::start(&server, "one").await,
        Node::start(&server, "two").await,
    );
    let rooms: Vec<(String, u64)> = {
        let mut rooms = Vec::new();
        for room in ["kept", "lost"] {
            rooms.push((room.to_owned(), one.open(room).await));
        }
        rooms.push(("unknown".to_owned(), 5));
        rooms
    };
    one.directory.leave().await.unwrap();
    two.open("lost").await;
    one.renew().await;
    assert_eq!(one.directory.register(&rooms).await.unwrap(), ["lost"]);
    for room in ["kept", "unknown"] {
        assert_eq!(
            two.directory.claim(room).await.unwrap(),
            Claim::Elsewhere(one.id().clone())
        );
    }
}

#[tokio::test]
async fn thousands_of_rooms_are_registered() {
    let server = settled_server();
    let one = Node::start(&server, "one").await;
    let rooms: Vec<(String, u64)> = (0..2_500)
        .map(|number| (format!("room{number}"), number))
        .collect();
    assert_eq!(
        one.directory.register(&rooms).await.unwrap(),
        Vec::<String>::new()
    );
    assert_eq!(
        one.directory.locate("room2499").await.unwrap().as_ref(),
        Some(one.id())
    );
}

#[tokio::test]
async fn all_nodes_share_one_secret() {
    let server = settled_server();
    let (one, two) = (
        Node::start(&server, "one").await,
        Node::start(&server, "two").await,
    );
    let secret = one.directory.secret().await.unwrap();
    assert_eq!(two.directory.secret().await.unwrap(), secret);
    redis::cmd("FLUSHALL")
        .query::<()>(&mut server.connection())
        .unwrap();
    assert_eq!(
        two.directory.secret().await.unwrap(),
        secret,
        "who knew it brings it back"
    );
    let other = Directory::connect(&server.url(), "other", NodeId::new("one", 1))
        .await
        .unwrap();
    assert_ne!(other.secret().await.unwrap(), secret);
}

#[tokio::test]
async fn games_on_one_redis_do_not_meet() {
    let server = settled_server();
    let one = Node::start(&server, "one").await;
    one.open("hall").await;
    let other = Directory::connect(&server.url(), "other", NodeId::new("one", 1))
        .await
        .unwrap();
    assert_eq!(other.nodes().await.unwrap(), []);
    assert_eq!(other.locate("hall").await.unwrap(), None);
}

#[tokio::test]
async fn an_envelope_without_a_receiver_says_so() {
    let server = settled_server();
    let one = Node::start(&server, "one").await;
    assert_eq!(
        one.directory
            .send(&NodeId::new("two", 2), &[0, 255, 10])
            .await
            .unwrap(),
        0
    );
}

#[tokio::test]
async fn a_refusal_says_what_to_do() {
    let connect = async |url: &str| {
        Directory::connect(url, GAME, NodeId::new("one", 1))
            .await
            .err()
            .unwrap()
    };
    assert!(matches!(
        connect("http://127.0.0.1").await,
        DirectoryError::Url(_)
    ));
    let server = RedisServer::start();
    redis::cmd("CONFIG")
        .arg("SET")
        .arg("requirepass")
        .arg("right")
        .query::<()>(&mut server.connection())
        .unwrap();
    let wrong = format!("redis://:wrong@127.0.0.1:{}", server.port());
    for error in [connect(&wrong).await, connect(&server.url()).await] {
        assert!(matches!(error, DirectoryError::Refused(_)), "{error}");
        assert!(!error.to_string().contains("wrong@"), "{error}");
    }
    let right = format!("redis://:right@127.0.0.1:{}", server.port());
    Directory::connect(&right, GAME, NodeId::new("one", 1))
        .await
        .unwrap();
    drop(server);
    let error = connect(&right).await;
    assert!(matches!(error, DirectoryError::Unreachable(_)), "{error}");
}
