//! The operations port, and draining.

use tickwire_server::internals::{DisconnectReason, SessionAction, Whom};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::*;

#[tokio::test]
async fn metrics_are_prometheus_text() {
    let server = TestServer::start(&[]);
    let (head, body) = http(server.ops, "GET", "/metrics", "").await;
    assert!(
        head.contains("content-type: text/plain; version=0.0.4"),
        "{head}"
    );
    assert!(body.contains("# TYPE tickwire_tick_duration_seconds histogram"));
}

#[tokio::test]
async fn probes_distinguish_alive_from_ready() {
    let server = TestServer::start(&[]);
    for path in ["/healthz", "/readyz"] {
        assert!(
            http(server.ops, "GET", path, "")
                .await
                .0
                .starts_with("HTTP/1.1 200")
        );
    }
    server.late.request();
    let ready = http(server.ops, "GET", "/readyz", "").await.0;
    assert!(ready.starts_with("HTTP/1.1 503"), "{ready}");
    let alive = http(server.ops, "GET", "/healthz", "").await.0;
    assert!(alive.starts_with("HTTP/1.1 200"), "{alive}");
}

#[tokio::test]
async fn a_notice_reaches_the_rooms() {
    let mut server = TestServer::start(&[]);
    let all = r#"{"text": " restart at noon "}"#;
    let (head, body) = http(server.ops, "POST", "/notice", all).await;
    assert!(
        head.starts_with("HTTP/1.1 200") && body.contains(r#""players":2"#),
        "{head}{body}"
    );
    let event = server.next_event().await;
    assert!(
        matches!(&event, RoomEvent::Notice(t, None) if t == "restart at noon"),
        "{event:?}"
    );
    let one = r#"{"text": "hi", "room": "lobby"}"#;
    http(server.ops, "POST", "/notice", one).await;
    let event = server.next_event().await;
    assert!(
        matches!(&event, RoomEvent::Notice(_, Some(r)) if r == "lobby"),
        "{event:?}"
    );
}

#[tokio::test]
async fn each_bad_request_gets_its_own_status() {
    let server = TestServer::start(&[]);
    let huge = format!(r#"{{"text": "{}"}}"#, "x".repeat(70_000));
    let long = format!(r#"{{"text": "{}"}}"#, "x".repeat(501));
    for (method, path, body, status) in [
        ("POST", "/notice", "not json", "400"),
        ("POST", "/notice", "", "400"),
        ("POST", "/notice", r#"{"txt": "hi"}"#, "400"),
        ("POST", "/notice", r#"{"text": "hi", "to": "all"}"#, "400"),
        ("POST", "/notice", r#"{"text": "  "}"#, "400"),
        ("POST", "/notice", &long, "400"),
        ("POST", "/notice", &huge, "413"),
        (
            "POST",
            "/notice",
            r#"{"text": "hi", "room": "nowhere"}"#,
            "404",
        ),
        ("GET", "/notice", "", "405"),
        ("GET", "/drain", "", "405"),
        ("POST", "/metrics", "", "405"),
        ("POST", "/kick", "{}", "400"),
        ("POST", "/ban", r#"["sub", "eve"]"#, "400"),
        ("POST", "/ban", r#"{"session": 9, "room": "lobby"}"#, "404"),
        ("POST", "/mute", r#"{"session": 9, "room": "lobby"}"#, "404"),
        ("POST", "/kick", r#"{"session": 9, "room": "lobby"}"#, "404"),
        ("GET", "/kick", "", "405"),
        ("POST", "/bans", "", "405"),
        ("GET", "/bans/1", "", "405"),
        ("DELETE", "/bans/1", "", "404"),
        ("DELETE", "/bans/one", "", "404"),
        ("GET", "/nothing", "", "404"),
        ("GET", "/ws", "", "404"),
    ] {
        let (head, _) = http(server.ops, method, path, body).await;
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}")),
            "{method} {path} {body:.40}: {head}"
        );
    }
    let headers = "Connection: close\r\nOrigin: http://evil.example\r\nContent-Length: 0\r\n";
    let (head, _) = http_with(server.ops, "POST", "/drain", headers, "").await;
    assert!(head.starts_with("HTTP/1.1 403"), "{head}");
    assert!(!server.server.draining().is_requested());
}

#[tokio::test]
async fn connections_beyond_64_are_dropped_until_one_ends() {
    let server = TestServer::start(&[]);
    let ask = async || {
        let mut stream = tokio::net::TcpStream::connect(server.ops).await.unwrap();
        let request = request("GET", "/healthz", "");
        let mut answer = vec![0; 12];
        let asked = async {
            stream.write_all(request.as_bytes()).await?;
            stream.read_exact(&mut answer).await
        };
        let is_answered = within(asked).await.is_ok();
        is_answered.then(|| {
            assert_eq!(answer, b"HTTP/1.1 200");
            stream
        })
    };
    let mut open = Vec::new();
    within(async {
        while let Some(stream) = ask().await {
            open.push(stream);
        }
    })
    .await;
    // More only where the machine is so slow that the first have been idle for long.
    assert!(open.len() >= 64, "{}", open.len());
    drop(open);
    within(async { while ask().await.is_none() {} }).await;
}

#[tokio::test]
async fn the_rooms_are_listed() {
    let server = TestServer::start(&[]);
    let (_, body) = http(server.ops, "GET", "/rooms", "").await;
    let rooms: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(rooms[0]["room"], "lobby");
}

#[tokio::test]
async fn draining_stops_accepting_and_closes_with_1001() {
    let mut server = TestServer::start(&["--ws-echo"]);
    let (mut player, _connection) = server.join().await;
    let mut echo = Client::connect(server.addr, "/echo", "").await;
    let (head, _) = http(server.ops, "POST", "/drain", "").await;
    assert!(head.starts_with("HTTP/1.1 202"), "{head}");
    let ready = http(server.ops, "GET", "/readyz", "").await.0;
    assert!(ready.starts_with("HTTP/1.1 503"), "{ready}");
    let addr = server.addr;
    let TestServer {
        server: inner,
        metrics,
        ..
    } = server;
    let drained = tokio::spawn(inner.drain());
    player.closed_with(1001).await;
    echo.closed_with(1001).await;
    within(drained).await.unwrap();
    assert!(tokio::net::TcpStream::connect(addr).await.is_err());
    assert_eq!(metrics.connections.get(), 0);
    assert_eq!(
        metrics.disconnects.get(DisconnectReason::GoingAway).get(),
        2
    );
}

#[tokio::test]
async fn draining_ends_after_its_timeout() {
    let mut server = TestServer::start(&["--drain-timeout", "100ms"]);
    let (_never_answers, _connection) = server.join().await;
    within(server.server.drain()).await;
}

/// Sends a command, which must be obeyed. Returns the answer.
async fn command(server: &TestServer, method: &str, path: &str, body: &str) -> serde_json::Value {
    let (head, body) = http(server.ops, method, path, body).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}{body}");
    serde_json::from_str(&body).unwrap()
}

#[tokio::test]
async fn a_kick_ends_sessions_and_forbids_nothing() {
    let mut server = TestServer::start(&[]);
    let body = r#"{"session": 2, "room": "lobby", "reason": "spam"}"#;
    assert_eq!(command(&server, "POST", "/kick", body).await["sessions"], 1);
    let RoomEvent::ActOnSessions(whom, SessionAction::End(close)) = server.next_event().await
    else {
        panic!("no session was ended");
    };
    let room = "lobby".to_owned();
    assert_eq!(whom, Whom::Session { room, number: 2 });
    assert_eq!(close.code.number(), 1008);
    assert_eq!(
        (&*close.reason, close.counted_as),
        ("you were kicked: spam", DisconnectReason::Kicked)
    );
    assert_eq!(
        command(&server, "GET", "/bans", "").await,
        serde_json::json!([])
    );
    assert_eq!(
        server.metric(r#"tickwire_moderation_total{event="kick"}"#),
        "1"
    );
}

#[tokio::test]
async fn a_ban_by_session_holds_its_subject_or_else_its_address() {
    let server = TestServer::start(&[]);
    for (session, field, whom, note) in [
        (1, "address", "192.0.2.1", "address"),
        (2, "sub", "ada", "sub"),
    ] {
        let body = format!(r#"{{"session": {session}, "room": "lobby", "reason": "why"}}"#);
        let answer = command(&server, "POST", "/ban", &body).await;
        assert_eq!(answer[field], whom);
        assert!(
            answer["note"].as_str().unwrap().contains(note),
            "{answer:#}"
        );
        assert!(answer["until"].is_null());
    }
    let body = r#"{"session": 1, "room": "lobby", "for": "1h"}"#;
    let mute = command(&server, "POST", "/mute", body).await;
    assert!(mute["until"].as_str().unwrap().starts_with("20"));
    let list = command(&server, "GET", "/bans", "").await;
    let kinds: Vec<_> = (list.as_array().unwrap().iter())
        .map(|entry| entry["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["ban", "ban", "mute"]);
    let path = format!("/bans/{}", list[0]["id"]);
    assert_eq!(
        command(&server, "DELETE", &path, "").await["address"],
        "192.0.2.1"
    );
    let list = command(&server, "GET", "/bans", "").await;
    assert_eq!(list.as_array().unwrap().len(), 2);
    for (event, count) in [("ban", "2"), ("mute", "1"), ("lift", "1")] {
        let series = format!(r#"tickwire_moderation_total{{event="{event}"}}"#);
        assert_eq!(server.metric(&series), count, "{event}");
    }
}

#[tokio::test]
async fn a_web_page_cannot_lift_a_ban() {
    let server = TestServer::start(&[]);
    let id = command(&server, "POST", "/ban", r#"{"sub": "eve"}"#).await["id"].to_string();
    let headers = "Connection: close\r\nOrigin: http://evil.example\r\n";
    let path = format!("/bans/{id}");
    let (head, _) = http_with(server.ops, "DELETE", &path, headers, "").await;
    assert!(head.starts_with("HTTP/1.1 403"), "{head}");
    let list = command(&server, "GET", "/bans", "").await;
    assert_eq!(list[0]["sub"], "eve");
}

#[tokio::test]
async fn bans_are_kept_in_the_data_folder() {
    let folder = std::env::temp_dir().join(format!("tickwire-bans-{}", std::process::id()));
    let flags = ["--data-dir", folder.to_str().unwrap()];
    let server = TestServer::start(&flags);
    let body = r#"{"address": "2001:db8::1", "reason": "why"}"#;
    command(&server, "POST", "/ban", body).await;
    let before = command(&server, "GET", "/bans", "").await;
    let after = command(&TestServer::start(&flags), "GET", "/bans", "").await;
    assert_eq!(after, before);
    assert_eq!(after[0]["address"], "2001:db8::/64");
    // Where the file cannot be written, the ban holds all the same, and the answer says what is wrong.
    std::fs::remove_dir_all(&folder).unwrap();
    let (head, body) = http(server.ops, "POST", "/ban", r#"{"sub": "eve"}"#).await;
    assert!(head.starts_with("HTTP/1.1 500"), "{head}");
    assert!(body.contains("moderation.json"), "{body}");
    let list = command(&server, "GET", "/bans", "").await;
    assert_eq!(list.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_clip_is_saved_of_a_room_that_is_recorded() {
    let server = TestServer::start(&[]);
    let (head, body) = http(server.ops, "POST", "/rooms/lobby/clip", "").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let clip: serde_json::Value = serde_json::from_str(&body).unwrap();
    let expected = serde_json::json!({
        "file": "records/lobby-1-1-clip.tickwire",
        "from_tick": 7,
        "to_tick": 3_607,
        "bytes": 9_000,
    });
    assert_eq!(clip, expected);
    for (method, path, status, says) in [
        ("POST", "/rooms/none/clip", "404", "no such room"),
        ("POST", "/rooms/quiet/clip", "409", "--record DIR"),
        ("GET", "/rooms/lobby/clip", "405", ""),
        ("POST", "/rooms/lobby", "404", ""),
    ] {
        let (head, body) = http(server.ops, method, path, "").await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
        assert!(body.contains(says), "{body}");
    }
}
