//! One host that takes all it can get: others still get in. The hosts are addresses of 127.0.0.0/8, which count where fair share is
//! strict.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::net::{IpAddr, Ipv4Addr};
use tickwire_arena_tests::arena_server;
use tickwire_proto::v1::{self, client_message::Body};
use tickwire_tests::{RawClient, TestServer, within};

const ATTACKER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 66));
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 7));
const STRICT: [&str; 4] = ["--fair-share", "strict", "--npcs", "0"];

async fn client(server: &TestServer, source: IpAddr, room: &str) -> RawClient {
    let path = format!("/ws?room={room}");
    RawClient::connect_from(source, server.addr, &path)
        .await
        .unwrap()
}

fn hello(resume_token: Vec<u8>) -> Body {
    Body::Hello(v1::Hello {
        version: 1,
        resume_token,
        ..v1::Hello::default()
    })
}

/// Joins a room; the code of the refusal if there is one.
async fn join(client: &mut RawClient, resume_token: Vec<u8>) -> Result<v1::Welcome, Option<u16>> {
    client.send(hello(resume_token)).await;
    match client.next().await {
        Ok(v1::server_message::Body::Welcome(welcome)) => Ok(welcome),
        Ok(other) => panic!("{other:?}"),
        Err(end) => Err(end.code),
    }
}

/// A stranger joins a room. The other hosts' connections may not be known to have ended yet.
async fn stranger_gets_in(server: &TestServer, room: &str) {
    within("a place for the stranger", async {
        let mut stranger = client(server, STRANGER, room).await;
        while join(&mut stranger, Vec::new()).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            stranger = client(server, STRANGER, room).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_opens_a_room_beside_a_host_that_took_all() {
    let flags = [&STRICT[..], &["--max-rooms", "80", "--join-rate", "0"]].concat();
    let server = arena_server(&flags);
    let mut opened = 0;
    for number in 0..60 {
        let mut one = client(&server, ATTACKER, &format!("r{number}")).await;
        opened += usize::from(join(&mut one, Vec::new()).await.is_ok());
    }
    assert_eq!(opened, 20, "a quarter of the rooms");
    // More hosts, until there is no room left.
    for host in 100..120 {
        let source = Ipv4Addr::new(127, 0, 0, host).into();
        for number in 0..16 {
            let mut one = client(&server, source, &format!("h{host}-{number}")).await;
            let _ = join(&mut one, Vec::new()).await;
        }
    }
    stranger_gets_in(&server, "strange").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_joins_a_room_full_of_absent_sessions() {
    let flags = [&STRICT[..], &["--max-players", "64", "--join-rate", "0"]].concat();
    let server = arena_server(&flags);
    for _ in 0..200 {
        let mut one = client(&server, ATTACKER, "r").await;
        let _ = join(&mut one, Vec::new()).await;
    }
    stranger_gets_in(&server, "r").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn joins_beyond_the_rate_get_1013_and_resumes_never() {
    let server = arena_server(&[&STRICT[..], &["--join-rate", "1"]].concat());
    let mut first = client(&server, ATTACKER, "r").await;
    let welcome = join(&mut first, Vec::new()).await.unwrap();
    // A token that opens no session counts as none.
    let mut refused = 0;
    for _ in 0..100 {
        let mut one = client(&server, ATTACKER, "r").await;
        if let Err(code) = join(&mut one, vec![7; 28]).await {
            assert_eq!(code, Some(1013));
            refused += 1;
            if refused == 3 {
                break;
            }
        }
    }
    assert_eq!(refused, 3);
    for _ in 0..20 {
        let mut one = client(&server, ATTACKER, "r").await;
        let again = join(&mut one, welcome.resume_token.clone()).await.unwrap();
        assert!(again.resumed);
    }
    let mut stranger = client(&server, STRANGER, "r").await;
    join(&mut stranger, Vec::new()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_without_a_connection_makes_no_ticks() {
    let server = arena_server(&["--npcs", "0"]);
    let mut one = RawClient::connect(server.addr, "/ws?room=r").await;
    let welcome = one.join(v1::Hello::default()).await;
    drop(one);
    within("rest", async {
        loop {
            let before = server.metric("tickwire_ticks_total").await;
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            if server.metric("tickwire_ticks_total").await == before {
                return;
            }
        }
    })
    .await;
    assert_eq!(server.metric("tickwire_sessions").await, 1.0);
    // The session waits all the same.
    let mut again = RawClient::connect(server.addr, "/ws?room=r").await;
    let resume_token = welcome.resume_token;
    let again = again
        .join(v1::Hello {
            resume_token,
            ..v1::Hello::default()
        })
        .await;
    assert_eq!((again.resumed, again.session), (true, welcome.session));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_session_ends_in_a_room_that_rests() {
    let server = arena_server(&["--npcs", "0", "--resume-window", "2s"]);
    let mut one = RawClient::connect(server.addr, "/ws?room=r").await;
    one.join(v1::Hello::default()).await;
    drop(one);
    within("the end of the session", async {
        while server.metric("tickwire_sessions").await > 0.0 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flooder_waits_before_it_may_come_again() {
    let server = arena_server(&STRICT);
    let mut flooder = client(&server, ATTACKER, "r").await;
    join(&mut flooder, Vec::new()).await.unwrap();
    let ended = within("the end of the flood", async {
        loop {
            // Some thousand messages a second.
            for _ in 0..100 {
                if !flooder.try_send(Body::Resync(v1::Resync::default())).await {
                    return;
                }
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
    ended.await;
    server
        .until_metric(r#"tickwire_protocol_errors_total{kind="flood"}"#, 1.0)
        .await;
    let path = "/ws?room=r";
    assert!(
        RawClient::connect_from(ATTACKER, server.addr, path)
            .await
            .is_none()
    );
    let mut stranger = client(&server, STRANGER, "r").await;
    join(&mut stranger, Vec::new()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_host_holds_a_quarter_of_the_connections() {
    let server = arena_server(&[&STRICT[..], &["--max-connections", "80"]].concat());
    let mut held = Vec::new();
    for _ in 0..40 {
        held.extend(RawClient::connect_from(ATTACKER, server.addr, "/ws").await);
    }
    assert_eq!(held.len(), 20);
    client(&server, STRANGER, "r").await;
}
