//! The operations port, and draining.

use tickwire_server::internals::DisconnectReason;

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
