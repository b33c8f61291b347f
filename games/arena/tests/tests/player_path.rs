//! The main path of a player, end to end: join, play, stay in sync, leave, reconnect; and the limits around it.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use tickwire::Input as _;
use tickwire_arena::{ArenaInput, Heading};
use tickwire_arena_tests::arena_server;
use tickwire_client::{Options, Phase, SessionEvent};
use tickwire_proto::v1::{self, client_message, server_message};
use tickwire_sync::KindId;
use tickwire_tests::{Player, RawClient, http_get, http_post};

/// The kinds, as the schema numbers them.
const SHIP: KindId = KindId(0);
const PELLET: KindId = KindId(1);
const PLAYER: KindId = KindId(2);

fn thrust_right() -> Vec<u8> {
    let right = ArenaInput {
        right: true,
        ..ArenaInput::default()
    };
    right.pointing(Heading::default()).to_payload()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_joins_moves_and_stays_in_sync() {
    assert_plays(&["--npcs", "4"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_stays_in_sync_without_io_uring() {
    assert_plays(&["--npcs", "4", "--io-uring", "off"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_room_stops_ticking_until_somebody_joins() {
    let server = arena_server(&["--npcs", "4", "--workers", "1"]);
    let mut first = Player::joined(&server.url("a"), "Ada").await;
    first.for_snapshots(10).await;
    first.client.leave();
    // One step, to send the leave.
    first.step().await;
    tickwire_tests::within("the room to stop ticking", async {
        let mut ticks = -1.0;
        loop {
            let now = server.metric("tickwire_ticks_total").await;
            if std::mem::replace(&mut ticks, now) == now {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    })
    .await;
    let skipped = server.metric("tickwire_ticks_skipped_total").await;
    let left_at = first.client.newest_snapshot().0;
    let mut second = Player::joined(&server.url("a"), "Bob").await;
    second.for_snapshots(10).await;
    // Tick numbers have advanced with the time, and the ticks in between do not count as skipped.
    assert!(second.client.newest_snapshot().0.0 > left_at.0 + 10);
    assert_eq!(second.client.counters().view_mismatches, 0);
    assert!(server.metric("tickwire_ticks_skipped_total").await - skipped < 30.0);
    assert_eq!(http_get(server.ops, "/readyz").await.0, 200);
}

async fn assert_plays(flags: &[&str]) {
    let server = arena_server(flags);
    let mut player = Player::joined(&server.url("a"), "Ada").await;
    assert_eq!(player.client.name(), "Ada");
    player
        .until("the own ship", |player| player.client.predicted().is_some())
        .await;
    let start = player.client.predicted().unwrap().lanes[0];
    player.payload = thrust_right();
    player
        .until("the own ship to move", |player| {
            player
                .client
                .predicted()
                .is_some_and(|own| (own.lanes[0] - start).abs() > 400)
        })
        .await;
    player
        .until("three view checks", |player| {
            player.client.counters().view_checks >= 3
        })
        .await;
    let counters = player.client.counters();
    assert_eq!((counters.view_mismatches, counters.protocol_errors), (0, 0));
    let replica = player.client.replica().unwrap();
    assert!(
        replica
            .visible_rows()
            .iter()
            .any(|(row, _, _)| row.id.kind == PLAYER && &*row.texts[0] == "Ada")
    );
    assert!(
        replica
            .visible_rows()
            .iter()
            .any(|(row, _, _)| row.id.kind == PELLET)
    );
    server.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_players_see_each_other_and_chat() {
    let server = arena_server(&["--npcs", "0"]);
    let mut ada = Player::joined(&server.url("a"), "Ada").await;
    let mut bob = Player::joined(&server.url("a"), "Bob").await;
    let sees = |player: &Player, name: &str| {
        player
            .client
            .replica()
            .unwrap()
            .visible_rows()
            .iter()
            .any(|(row, _, _)| row.id.kind == PLAYER && &*row.texts[0] == name)
    };
    ada.until("Bob", |ada| sees(ada, "Bob")).await;
    bob.until("Ada", |bob| sees(bob, "Ada")).await;
    ada.client.chat("hello\u{7} there");
    ada.step().await;
    let has_line = |player: &mut Player| {
        player.events.contains(&SessionEvent::Chat {
            from: 1,
            name: "Ada".into(),
            text: "hello there".into(),
        })
    };
    bob.until("the line", has_line).await;
    ada.until("the own line", has_line).await;
    ada.client.leave();
    ada.step().await;
    bob.until("Ada's leave", |bob| !sees(bob, "Ada")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_session_gets_the_chat_that_it_missed() {
    let server = arena_server(&["--npcs", "0"]);
    let mut ada = Player::joined(&server.url("a"), "Ada").await;
    let mut bob = Player::joined(&server.url("a"), "Bob").await;
    let (session, entity) = (ada.client.session(), ada.client.entity());
    ada.cut();
    bob.client.chat("are you there?");
    bob.for_snapshots(30).await;
    ada.until("the resume", |ada| ada.client.counters().resumes == 1)
        .await;
    ada.for_snapshots(10).await;
    assert_eq!(
        (ada.client.session(), ada.client.entity()),
        (session, entity)
    );
    assert!(ada.events.contains(&SessionEvent::Chat {
        from: 2,
        name: "Bob".into(),
        text: "are you there?".into()
    }));
    assert_eq!(ada.client.counters().view_mismatches, 0);
    assert!(
        (server
            .metric(r#"tickwire_resumes_total{outcome="resumed"}"#)
            .await
            - 1.0)
            .abs()
            < 0.1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_connection_takes_over_the_session() {
    let server = arena_server(&["--npcs", "0"]);
    let mut first = RawClient::connect(server.addr, "/ws?room=a").await;
    let welcome = first
        .join(v1::Hello {
            name: "Ada".into(),
            ..v1::Hello::default()
        })
        .await;
    let mut second = RawClient::connect(server.addr, "/ws?room=a").await;
    let again = second
        .join(v1::Hello {
            resume_token: welcome.resume_token,
            ..v1::Hello::default()
        })
        .await;
    assert!(again.resumed);
    assert_eq!(
        (again.session, again.entity),
        (welcome.session, welcome.entity)
    );
    assert_eq!(first.end().await.code, Some(4005));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_room_name_closes_with_4002() {
    let server = arena_server(&["--npcs", "0"]);
    // A name that breaks the rule, and one that differs from the URL's.
    for (path, room) in [("/ws", "no such/room"), ("/ws?room=a", "b")] {
        let mut client = RawClient::connect(server.addr, path).await;
        let hello = v1::Hello {
            version: tickwire_proto::VERSION,
            room: room.into(),
            ..v1::Hello::default()
        };
        client.send(client_message::Body::Hello(hello)).await;
        assert_eq!(client.end().await.code, Some(4002), "{path} {room}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_room_and_a_full_server_refuse_players() {
    let server = arena_server(&["--npcs", "0", "--max-players", "1", "--max-rooms", "1"]);
    let mut first = RawClient::connect(server.addr, "/ws?room=a").await;
    first.join(v1::Hello::default()).await;
    for room in ["a", "b"] {
        let mut late = RawClient::connect(server.addr, &format!("/ws?room={room}")).await;
        late.send(client_message::Body::Hello(v1::Hello {
            version: 1,
            ..v1::Hello::default()
        }))
        .await;
        assert_eq!(late.end().await.code, Some(1013));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_inputs_moves_nobody_faster() {
    let server = arena_server(&["--npcs", "0"]);
    let mut calm = Player::joined(&server.url("calm"), "Calm").await;
    let mut flood = RawClient::connect(server.addr, "/ws?room=calm").await;
    let welcome = flood.join(v1::Hello::default()).await;
    let payload = thrust_right();
    let (mut seq, mut tick) = (0, welcome.tick);
    // Three inputs a tick for two seconds: more than are applied, but too few to end the connection.
    for _ in 0..120 {
        tick = flood
            .wait_for(|body| {
                if let server_message::Body::Snapshot(snapshot) = body {
                    Some(snapshot.tick)
                } else {
                    None
                }
            })
            .await;
        for ahead in 1..=3 {
            seq += 1;
            let inputs = v1::Inputs {
                seq,
                target_tick: tick + 2 + ahead % 2,
                received_tick: tick,
                payload: payload.clone(),
                ..v1::Inputs::default()
            };
            flood.send(client_message::Body::Inputs(inputs)).await;
        }
    }
    let flooded = server
        .metric(r#"tickwire_inputs_total{outcome="flooded"}"#)
        .await;
    let applied = server
        .metric(r#"tickwire_inputs_total{outcome="applied"}"#)
        .await;
    assert!(flooded > 100.0, "only {flooded} inputs were dropped");
    assert!(
        applied <= f64::from(tick) * 2.0 + 10.0,
        "{applied} inputs were applied in {tick} ticks"
    );
    // The other player plays on.
    calm.for_snapshots(10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_a_room_and_reach_its_players() {
    let server = arena_server(&["--npcs", "2"]);
    let mut ada = Player::joined(&server.url("ops"), "Ada").await;
    ada.for_snapshots(3).await;
    let (status, body) = http_get(server.addr, "/rooms/ops/state").await;
    let state: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (status, state["players"][0]["name"].as_str()),
        (200, Some("Ada"))
    );
    assert!(
        state["entities"]
            .as_array()
            .unwrap()
            .iter()
            .any(|entity| entity["texts"]["name"] == "Ada")
    );
    assert_eq!(http_get(server.addr, "/rooms/none/state").await.0, 404);
    let (status, body) = http_get(server.ops, "/rooms").await;
    let rooms: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (
            status,
            rooms[0]["room"].as_str(),
            rooms[0]["players"].as_i64()
        ),
        (200, Some("ops"), Some(1))
    );
    let (status, _) = http_post(
        server.ops,
        "/notice",
        r#"{"text": "back in five minutes", "room": "ops"}"#,
    )
    .await;
    assert_eq!(status, 200);
    ada.until("the notice", |ada| {
        ada.events
            .contains(&SessionEvent::Notice("back in five minutes".into()))
    })
    .await;
    assert_eq!(http_get(server.ops, "/healthz").await.0, 200);
    assert!((server.metric("tickwire_players").await - 1.0).abs() < 0.1);
    assert!(server.metric("tickwire_ticks_total").await > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_tells_players_when_to_reconnect() {
    let server = arena_server(&["--npcs", "0"]);
    let mut raw = RawClient::connect(server.addr, "/ws").await;
    raw.join(v1::Hello::default()).await;
    let drained = tokio::spawn(server.drain());
    let goodbye = raw
        .wait_for(|body| {
            if let server_message::Body::Goodbye(goodbye) = body {
                Some(goodbye)
            } else {
                None
            }
        })
        .await;
    assert!(goodbye.reconnect_after_ms > 0);
    assert_eq!(raw.end().await.code, Some(1001));
    drained.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spectator_sees_the_world_and_does_not_play() {
    let server = arena_server(&["--npcs", "3"]);
    let mut watcher = Player::new(
        &server.url("a"),
        Options {
            is_spectator: true,
            ..Options::default()
        },
    );
    watcher
        .until("ships", |watcher| {
            let replica = watcher.client.replica();
            replica.is_some_and(|replica| {
                replica
                    .visible_rows()
                    .iter()
                    .any(|(row, _, _)| row.id.kind == SHIP)
            })
        })
        .await;
    assert!(
        watcher.client.is_spectator()
            && watcher.client.entity().is_none()
            && watcher.client.predicted().is_none()
    );
    watcher.client.leave();
    watcher.step().await;
    assert_eq!(
        *watcher.client.phase(),
        Phase::Closed {
            code: 1000,
            reason: "left".into()
        }
    );
}
