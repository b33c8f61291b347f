//! Messages between the rooms of one node: each comes once and in order, within limits.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use tickwire_client::SessionEvent;
use tickwire_tests::towers::{Ask, ask, heard, new_game, room};
use tickwire_tests::{Player, TestServer};

fn server(flags: &[&str]) -> TestServer {
    TestServer::start_with(flags, new_game)
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_of_one_node_tell_each_other() {
    let server = server(&["--workers", "2"]);
    let mut players = Vec::new();
    for tower in 0..3 {
        players.push(Player::joined(&server.url(&room(tower)), "ringer").await);
    }
    for bell in 1..=20 {
        ask(&mut players[0], &Ask::Ring { tower: 1, bell });
    }
    ask(&mut players[0], &Ask::RingAll { bell: 21 });
    // Nobody is there, so nobody hears it, and no room is opened.
    let nobody = Ask::Ring { tower: 9, bell: 22 };
    ask(&mut players[0], &nobody);
    let [first, second, third] = &mut players[..] else {
        panic!("three players");
    };
    let expected: Vec<(u8, u32)> = (1..=21).map(|bell| (0, bell)).collect();
    let sent = r#"tickwire_room_messages_total{outcome="sent"}"#;
    let listening = async {
        tokio::join!(
            second.until("all bells", |player| heard(player).len() >= 21),
            third.until("the last bell", |player| !heard(player).is_empty()),
        )
    };
    tokio::select! {
        _ = listening => {}
        () = first.until("nothing", |_| false) => {}
    }
    assert_eq!(heard(second), expected);
    assert_eq!(heard(third), [(0, 21)]);
    first.until("an answer", |_| true).await;
    assert!(heard(first).is_empty(), "no room tells itself of others");
    assert_eq!(server.metric(sent).await, 22.0);
    let delivered = r#"tickwire_room_messages_total{outcome="delivered"}"#;
    assert_eq!(server.metric(delivered).await, 22.0);
    assert_eq!(server.metric("tickwire_rooms").await, 3.0);
    server.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_sends_only_so_much_and_a_message_that_breaks_a_room_breaks_that_alone() {
    let server = server(&[]);
    let mut first = Player::joined(&server.url(&room(0)), "first").await;
    let mut second = Player::joined(&server.url(&room(1)), "second").await;
    let mut third = Player::joined(&server.url(&room(2)), "third").await;
    // The limit of commands is another one, so several players share the work.
    let mut helpers = Vec::new();
    for _ in 0..8 {
        helpers.push(Player::joined(&server.url(&room(0)), "helper").await);
    }
    for helper in &mut helpers {
        for bell in 0..60 {
            ask(helper, &Ask::Ring { tower: 2, bell });
        }
    }
    let dropped = r#"tickwire_room_messages_total{outcome="dropped"}"#;
    let mut polled = 0;
    while server.metric(dropped).await == 0.0 {
        polled += 1;
        assert!(polled < 3_000, "nothing was dropped");
        for helper in &mut helpers {
            helper.step().await;
        }
    }
    ask(
        &mut first,
        &Ask::Ring {
            tower: 1,
            bell: 666,
        },
    );
    let failed = async {
        server
            .until_metric("tickwire_rooms_failed_total", 1.0)
            .await;
    };
    tokio::select! {
        () = failed => {}
        () = first.until("nothing", |_| false) => {}
    }
    let mut joins = 0;
    second
        .until("a new room", |player| {
            joins = player
                .events
                .iter()
                .filter(|event| matches!(event, SessionEvent::Joined { .. }))
                .count();
            joins >= 2
        })
        .await;
    third.for_snapshots(10).await;
    assert_eq!(third.client.counters().reconnects, 0);
    server.drain().await;
}
