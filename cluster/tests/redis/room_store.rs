use crate::{GAME, Node, settled_server};
use redis::{Script, cmd};
use tickwire_cluster::redis::directory::Claim;
use tickwire_cluster::redis::room_store::{RoomChange, RoomChangeOutcome, RoomStore};

use RoomChangeOutcome::{Done, Fenced};

fn save<'a>(room: &'a str, epoch: u64, bytes: &'a [u8]) -> RoomChange<'a> {
    RoomChange::Save {
        room,
        epoch,
        bytes,
        hand_over: false,
    }
}

fn hand_over<'a>(room: &'a str, epoch: u64, bytes: &'a [u8]) -> RoomChange<'a> {
    RoomChange::Save {
        room,
        epoch,
        bytes,
        hand_over: true,
    }
}

fn apply(store: &mut RoomStore, change: RoomChange<'_>) -> RoomChangeOutcome {
    let outcomes = store.apply([change].into_iter()).unwrap();
    assert_eq!(outcomes.len(), 1);
    outcomes[0]
}

/// Claims a room that is free, and returns its epoch and checkpoint.
async fn take(node: &Node, room: &str) -> (u64, Option<Vec<u8>>) {
    match node.directory.claim(room).await.unwrap() {
        Claim::Owned {
            epoch, checkpoint, ..
        } => (epoch, checkpoint),
        claim => panic!("{claim:?}"),
    }
}

#[tokio::test]
async fn the_next_owner_gets_the_last_checkpoint() {
    let server = settled_server();
    let (one, two) = (
        Node::start(&server, "one").await,
        Node::start(&server, "two").await,
    );
    let epoch = one.open("hall").await;
    let mut store = one.room_store(&server);
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    assert_eq!(
        store
            .apply([save("hall", epoch, b"older"), save("hall", epoch, &bytes)].into_iter())
            .unwrap(),
        [Done, Done]
    );
    one.directory.leave().await.unwrap();
    let (later, checkpoint) = take(&two, "hall").await;
    assert!(later > epoch);
    assert_eq!(checkpoint, Some(bytes));
}

#[tokio::test]
async fn a_replaced_owner_changes_nothing() {
    let server = settled_server();
    let (one, two) = (
        Node::start(&server, "one").await,
        Node::start(&server, "two").await,
    );
    let epoch = one.open("hall").await;
    one.directory.leave().await.unwrap();
    let later = two.open("hall").await;
    let (mut old, mut new) = (one.room_store(&server), two.room_store(&server));
    assert_eq!(apply(&mut new, save("hall", later, b"new")), Done);
    let changes = [
        save("hall", epoch, b"old"),
        hand_over("hall", epoch, b"old"),
        RoomChange::Remove {
            room: "hall",
            epoch,
        },
    ];
    assert_eq!(old.apply(changes.into_iter()).unwrap(), [Fenced; 3]);
    // Nor with the epoch of the other, which it may have read somewhere.
    let changes = [
        save("hall", later, b"old"),
        RoomChange::Remove {
            room: "hall",
            epoch: later,
        },
    ];
    assert_eq!(old.apply(changes.into_iter()).unwrap(), [Fenced; 2]);
    one.renew().await;
    assert_eq!(
        one.directory.claim("hall").await.unwrap(),
        Claim::Elsewhere(two.id().clone())
    );
    two.directory.leave().await.unwrap();
    assert_eq!(take(&one, "hall").await.1.as_deref(), Some(&b"new"[..]));
}

#[tokio::test]
async fn an_earlier_opening_of_the_same_owner_is_fenced() {
    let server = settled_server();
    let one = Node::start(&server, "one").await;
    let epoch = one.open("hall").await;
    let later = one.open("hall").await;
    let mut store = one.room_store(&server);
    assert_eq!(
        store
            .apply([save("hall", later, b"new"), save("hall", epoch, b"old")].into_iter())
            .unwrap(),
        [Done, Fenced]
    );
    assert_eq!(take(&one, "hall").await.1.as_deref(), Some(&b"new"[..]));
}

#[tokio::test]
async fn a_room_that_is_handed_over_can_be_claimed_at_once() {
    let server = settled_server();
    let (one, two) = (
        Node::start(&server, "one").await,
        Node::start(&server, "two").await,
    );
    let epoch = one.open("hall").await;
    let mut store = one.room_store(&server);
    assert_eq!(apply(&mut store, hand_over("hall", epoch, b"last")), Done);
    assert_eq!(two.directory.locate("hall").await.unwrap(), None);
    // The answer may have been lost.
    assert_eq!(apply(&mut store, hand_over("hall", epoch, b"last")), Done);
    assert_eq!(
        apply(&mut store, save("hall", epoch, b"after the last")),
        Fenced
    );
    assert_eq!(
        one.directory
            .register(&[("hall".to_owned(), epoch)])
            .await
            .unwrap(),
        ["hall"]
    );
    let (later, checkpoint) = take(&two, "hall").await;
    assert!(later > epoch);
    assert_eq!(checkpoint.as_deref(), Some(&b"last"[..]));
    assert_eq!(apply(&mut store, hand_over("hall", epoch, b"last")), Fenced);
    assert_eq!(
        apply(&mut two.room_store(&server), save("hall", later, b"next")),
        Done
    );
}

#[tokio::test]
async fn a_removed_room_leaves_nothing() {
    let server = settled_server();
    let one = Node::start(&server, "one").await;
    let epoch = one.open("hall").await;
    let mut store = one.room_store(&server);
    let remove = || RoomChange::Remove {
        room: "hall",
        epoch,
    };
    assert_eq!(
        store
            .apply([save("hall", epoch, b"last"), remove(), remove()].into_iter())
            .unwrap(),
        [Done; 3]
    );
    let left: Vec<String> = cmd("KEYS")
        .arg("*hall*")
        .query(&mut server.connection())
        .unwrap();
    assert_eq!(left, Vec::<String>::new());
    let Claim::Owned {
        epoch: later,
        opened: 1,
        checkpoint: None,
    } = one.directory.claim("hall").await.unwrap()
    else {
        panic!("not claimed")
    };
    assert!(later > epoch);
}

#[tokio::test]
async fn a_save_tells_a_redis_that_forgot_whose_the_room_is() {
    let mut server = settled_server();
    let one = Node::start(&server, "one").await;
    let epoch = one.open("hall").await;
    let mut store = one.room_store(&server);
    assert_eq!(apply(&mut store, save("hall", epoch, b"before")), Done);
    server.restart();
    // Neither the connection nor the script is there any more.
    assert_eq!(apply(&mut store, save("hall", epoch, b"after")), Done);
    one.renew().await;
    let two = Node::start(&server, "two").await;
    assert_eq!(
        two.directory.claim("hall").await.unwrap(),
        Claim::Elsewhere(one.id().clone())
    );
}

#[tokio::test]
async fn a_save_that_was_stuck_does_not_replace_a_newer_one() {
    let server = settled_server();
    let (one, two) = (
        Node::start(&server, "one").await,
        Node::start(&server, "two").await,
    );
    let epoch = one.open("hall").await;
    let mut store = one.room_store(&server);
    assert_eq!(apply(&mut store, save("hall", epoch, b"newer")), Done);
    // As from a connection that was given up: the number is that of an earlier save.
    let script = Script::new(include_str!("../../src/redis/scripts/save.lua"));
    let mut stuck = script.key(format!("tickwire:{GAME}:room:hall"));
    stuck
        .key(format!("tickwire:{GAME}:state:hall"))
        .arg(one.id().as_str())
        .arg(epoch)
        .arg("older")
        .arg(0)
        .arg(0);
    stuck.invoke::<()>(&mut server.connection()).unwrap();
    one.directory.leave().await.unwrap();
    assert_eq!(take(&two, "hall").await.1.as_deref(), Some(&b"newer"[..]));
    // The next owner numbers its saves from the beginning.
    let mut first = script.key(format!("tickwire:{GAME}:room:hall"));
    let later = two.open("hall").await;
    first
        .key(format!("tickwire:{GAME}:state:hall"))
        .arg(two.id().as_str())
        .arg(later)
        .arg("newest")
        .arg(0)
        .arg(0);
    first.invoke::<()>(&mut server.connection()).unwrap();
    assert_eq!(take(&two, "hall").await.1.as_deref(), Some(&b"newest"[..]));
}

#[tokio::test]
async fn many_large_rooms_are_saved_in_one_call() {
    let server = settled_server();
    let one = Node::start(&server, "one").await;
    let bytes = vec![7; 400_000];
    let mut rooms = Vec::new();
    for number in 0..30 {
        let room = format!("room{number}");
        let epoch = one.open(&room).await;
        rooms.push((room, epoch));
        one.renew().await;
    }
    let mut store = one.room_store(&server);
    let outcomes = store
        .apply(rooms.iter().map(|(room, epoch)| save(room, *epoch, &bytes)))
        .unwrap();
    assert_eq!(outcomes, [Done; 30]);
    assert_eq!(take(&one, "room29").await.1, Some(bytes));
    assert_eq!(store.apply(std::iter::empty()).unwrap(), []);
}

#[test]
fn an_unusable_checkpoint_is_kept_aside_for_a_week() {
    let server = settled_server();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let one = runtime.block_on(Node::start(&server, "one"));
    let key = one
        .room_store(&server)
        .set_aside("hall", b"broken")
        .unwrap();
    assert!(key.starts_with("tickwire:duel:aside:hall:"), "{key}");
    let mut connection = server.connection();
    assert_eq!(
        cmd("GET")
            .arg(&key)
            .query::<String>(&mut connection)
            .unwrap(),
        "broken"
    );
    let seconds: u64 = cmd("TTL").arg(&key).query(&mut connection).unwrap();
    assert!((604_000..=604_800).contains(&seconds), "{seconds}");
}
