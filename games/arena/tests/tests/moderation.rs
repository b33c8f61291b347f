//! What operators do against players, as these meet it: kicks, mutes and bans. Hosts are addresses of 127.0.0.0/8.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod ticket_maker;

use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use ticket_maker::{SECRET, now, server_with_tickets, ticket};
use tickwire_arena_tests::arena_server;
use tickwire_proto::v1::{self, client_message, server_message::Body};
use tickwire_tests::{ConnectionEnd, RawClient, TestServer, http, http_get, http_post, within};

const EVE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 66));
const ADA: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 7));

/// Sends a command, which must be obeyed.
async fn command(server: &TestServer, path: &str, body: Value) -> Value {
    let (status, answer) = http_post(server.ops, path, &body.to_string()).await;
    assert_eq!(status, 200, "{answer}");
    serde_json::from_str(&answer).unwrap()
}

async fn lift(server: &TestServer, entry: &Value) {
    let request = format!(
        "DELETE /bans/{} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        entry["id"]
    );
    assert_eq!(http(server.ops, &request).await.0, 200);
}

fn of_subject(subject: &str) -> v1::Hello {
    let claims = json!({ "sub": subject, "exp": now() + 60 });
    v1::Hello {
        ticket: ticket(&claims, SECRET),
        ..v1::Hello::default()
    }
}

/// Says hello from an address. Returns the connection and its `Welcome`, or how it ended.
async fn enter(
    server: &TestServer,
    source: IpAddr,
    hello: v1::Hello,
) -> Result<(RawClient, v1::Welcome), ConnectionEnd> {
    let mut client = RawClient::connect_from(source, server.addr, "/ws?room=r")
        .await
        .unwrap();
    let version = tickwire_proto::VERSION;
    client
        .send(client_message::Body::Hello(v1::Hello { version, ..hello }))
        .await;
    match client.next().await? {
        Body::Welcome(welcome) => Ok((client, welcome)),
        other => panic!("{other:?}"),
    }
}

async fn say(client: &mut RawClient, text: &str) {
    let text = text.to_owned();
    client
        .send(client_message::Body::Chat(v1::Chat { text }))
        .await;
}

/// The next line of chat or notice, with its number; a notice has none.
async fn heard(client: &mut RawClient) -> (u32, String) {
    let pick = |body| match body {
        Body::Message(message) => match message.content {
            Some(v1::message::Content::Chat(text)) => Some((message.number, text)),
            _ => None,
        },
        Body::Notice(notice) => Some((0, notice.text)),
        _ => None,
    };
    client.wait_for(pick).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_banned_subject_neither_stays_nor_comes_back() {
    let server = server_with_tickets("ban", &[]);
    let (eve, welcome) = enter(&server, EVE, of_subject("eve")).await.unwrap();
    let (_ada, _) = enter(&server, ADA, of_subject("ada")).await.unwrap();
    let body = json!({ "sub": "eve", "reason": "cheats", "for": "1h" });
    let ban = command(&server, "/ban", body).await;
    assert_eq!(ban["sessions"], 1);
    let is_told = |end: &ConnectionEnd| {
        end.code == Some(1008)
            && end.reason.starts_with("you are banned until 20")
            && end.reason.ends_with(": cheats")
    };
    let end = eve.end().await;
    assert!(is_told(&end), "{end:?}");
    let resume = v1::Hello {
        resume_token: welcome.resume_token,
        ..of_subject("eve")
    };
    for hello in [of_subject("eve"), resume] {
        let end = enter(&server, ADA, hello).await.err().unwrap();
        assert!(is_told(&end), "{end:?}");
    }
    let banned = r#"tickwire_disconnects_total{reason="banned"}"#;
    server.until_metric(banned, 3.0).await;
    let refused = r#"tickwire_moderation_total{event="banned_join"}"#;
    assert_eq!(server.metric(refused).await, 2.0);
    assert_eq!(server.metric("tickwire_sessions").await, 1.0);
    lift(&server, &ban).await;
    let (_eve, back) = enter(&server, EVE, of_subject("eve")).await.unwrap();
    assert!(!back.resumed, "the banned session went on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_banned_network_costs_no_room() {
    let server = arena_server(&["--npcs", "0"]);
    command(&server, "/ban", json!({ "address": "127.0.0.64/26" })).await;
    let end = enter(&server, EVE, v1::Hello::default())
        .await
        .err()
        .unwrap();
    assert_eq!((end.code, &*end.reason), (Some(1008), "you are banned"));
    assert_eq!(server.metric("tickwire_rooms").await, 0.0);
    enter(&server, ADA, v1::Hello::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_ends_by_itself() {
    let server = arena_server(&["--npcs", "0"]);
    command(&server, "/ban", json!({ "address": EVE, "for": "300ms" })).await;
    within("the end of the ban", async {
        while enter(&server, EVE, v1::Hello::default()).await.is_err() {}
    })
    .await;
    assert_eq!(http_get(server.ops, "/bans").await.1, "[]\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kicked_player_loses_the_session_and_may_come_again() {
    let server = arena_server(&["--npcs", "0"]);
    let (eve, welcome) = enter(&server, EVE, v1::Hello::default()).await.unwrap();
    let (mut ada, _) = enter(&server, ADA, v1::Hello::default()).await.unwrap();
    let body = json!({ "session": welcome.session, "room": "r", "reason": "calm down" });
    assert_eq!(command(&server, "/kick", body.clone()).await["sessions"], 1);
    let end = eve.end().await;
    let reason = "you were kicked: calm down";
    assert_eq!((end.code, &*end.reason), (Some(1008), reason));
    let kicked = r#"tickwire_disconnects_total{reason="kicked"}"#;
    server.until_metric(kicked, 1.0).await;
    assert_eq!(
        http_post(server.ops, "/kick", &body.to_string()).await.0,
        404
    );
    let resume = v1::Hello {
        resume_token: welcome.resume_token,
        ..v1::Hello::default()
    };
    let (_eve, again) = enter(&server, EVE, resume).await.unwrap();
    assert!(!again.resumed && again.session != welcome.session);
    // The others play on.
    say(&mut ada, "hi").await;
    assert_eq!(heard(&mut ada).await.1, "hi");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_hears_a_muted_player_who_is_told() {
    let server = arena_server(&["--npcs", "0"]);
    let (mut eve, welcome) = enter(&server, EVE, v1::Hello::default()).await.unwrap();
    let (mut ada, _) = enter(&server, ADA, v1::Hello::default()).await.unwrap();
    let body = json!({ "session": welcome.session, "room": "r", "reason": "insults" });
    let mute = command(&server, "/mute", body).await;
    say(&mut eve, "first").await;
    let (_, told) = heard(&mut eve).await;
    assert_eq!(told, "that line was not sent: you are muted: insults");
    // Back over another line, from another address.
    let resume = v1::Hello {
        resume_token: welcome.resume_token,
        ..v1::Hello::default()
    };
    let elsewhere = Ipv4Addr::new(127, 0, 0, 99).into();
    let (mut eve, again) = enter(&server, elsewhere, resume).await.unwrap();
    assert!(again.resumed);
    say(&mut eve, "second").await;
    let muted = r#"tickwire_moderation_total{event="muted_line"}"#;
    server.until_metric(muted, 2.0).await;
    // And a new session of the same address.
    let (mut other, _) = enter(&server, EVE, v1::Hello::default()).await.unwrap();
    say(&mut other, "third").await;
    server.until_metric(muted, 3.0).await;
    lift(&server, &mute).await;
    say(&mut eve, "sorry").await;
    // The first message that Ada ever gets.
    assert_eq!(heard(&mut ada).await, (1, "sorry".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_muted_subject_stays_muted_in_a_new_session() {
    let server = server_with_tickets("mute", &[]);
    let mute = json!({ "sub": "eve", "for": "1h" });
    command(&server, "/mute", mute).await;
    let (mut eve, _) = enter(&server, EVE, of_subject("eve")).await.unwrap();
    say(&mut eve, "hi").await;
    let (_, told) = heard(&mut eve).await;
    assert!(
        told.starts_with("that line was not sent: you are muted until 20"),
        "{told}"
    );
}
