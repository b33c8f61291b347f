//! Messages between rooms, and notices, over a cluster with a real Redis: each comes once and in order, also while the room that it is for
//! moves to another node. In a process of its own, because nodes of a cluster begin their clock from the wall's.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed unwrap fails the test"
)]

#[path = "../../cluster/tests/redis_server/mod.rs"]
mod redis_server;

use redis_server::RedisServer;
use std::time::Duration;
use tickwire_client::SessionEvent;
use tickwire_tests::towers::{Ask, ask, heard, new_game, notices, room};
use tickwire_tests::{Player, TestServer, http_post};

#[tokio::test(flavor = "multi_thread")]
async fn messages_and_notices_come_once_while_their_room_moves_to_another_node() {
    const BEFORE: u32 = 40;
    const DURING: u32 = 116;
    let redis = RedisServer::start();
    redis.settle("towers");
    let url = redis.url();
    let node = async |name: &str| {
        let flags = ["--redis", &url, "--node-name", name, "--workers", "1"];
        let flags = [&flags[..], &["--node-listen", "127.0.0.1:0"]].concat();
        TestServer::start_in_cluster(&flags, new_game).await
    };
    let (one, two) = (node("one").await, node("two").await);
    let mut teller = Player::joined(&one.url(&room(0)), "teller").await;
    let listener_urls = [two.url(&room(1)), one.url(&room(1))];
    let mut listener = Player::joined_at(&listener_urls, "listener").await;
    for bell in 1..=BEFORE {
        ask(&mut teller, &Ask::Ring { tower: 1, bell });
    }
    let ops = one.ops;
    let telling = async {
        teller
            .until("the bells to go out", |player| {
                player.client.counters().snapshots > 60
            })
            .await;
        let drain = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            two.drain().await;
        };
        let bells = async {
            for bell in BEFORE + 1..=BEFORE + DURING {
                ask(&mut teller, &Ask::Ring { tower: 1, bell });
                if bell % 6 == 0 {
                    let notice = format!(r#"{{"text": "notice {bell}"}}"#);
                    let (status, body) = http_post(ops, "/notice", &notice).await;
                    assert_eq!(status, 200, "{body}");
                }
                teller.for_snapshots(1).await;
            }
            teller.until("nothing more", |_| false).await;
        };
        tokio::join!(drain, bells)
    };
    let last = format!("notice {}", BEFORE + DURING);
    tokio::select! {
        _ = telling => {}
        () = listener.until("everything", |player| {
            heard(player).len() as u32 >= BEFORE + DURING && notices(player).contains(&&*last)
        }) => {}
    }
    let expected: Vec<(u8, u32)> = (1..=BEFORE + DURING).map(|bell| (0, bell)).collect();
    assert_eq!(heard(&listener), expected);
    let expected: Vec<String> = (BEFORE + 1..=BEFORE + DURING)
        .filter(|bell| bell % 6 == 0)
        .map(|bell| format!("notice {bell}"))
        .collect();
    assert_eq!(notices(&listener), expected);
    let resumed = SessionEvent::Joined { resumed: true };
    assert!(listener.events.contains(&resumed), "the room did not move");
    one.drain().await;
}
