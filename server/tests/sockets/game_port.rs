//! HTTP on the game port: the rules module, the state of a room, and the checks before an upgrade.

use crate::support::*;

async fn upgrade(server: &TestServer, headers: &str) -> String {
    let headers = format!("Connection: close\r\n{headers}");
    http_with(server.addr, "GET", "/ws", &headers, "").await.0
}

#[tokio::test]
async fn the_rules_module_is_served_under_its_hash() {
    let server = TestServer::start(&[]);
    let path = format!("/rules/{RULES_HASH}.wasm");
    let ask = async |method: &str, more: &str| {
        let headers = format!("Connection: close\r\n{more}");
        http_with(server.addr, method, &path, &headers, "").await
    };
    let (head, body) = ask("GET", "").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(body.as_bytes(), RULES);
    let etag = format!("etag: \"{RULES_HASH}\"");
    for header in [
        "content-type: application/wasm",
        "cache-control: public, max-age=31536000, immutable",
        "x-content-type-options: nosniff",
        "content-length: 1000",
        &etag,
    ] {
        assert!(head.contains(header), "{header}: {head}");
    }
    let (head, body) = ask("HEAD", "").await;
    assert!(head.contains("content-length: 1000") && body.is_empty());
    let (head, _) = ask("HEAD", "Accept-Encoding: gzip\r\n").await;
    assert!(head.contains("content-encoding: gzip"), "{head}");
    let (head, body) = ask("GET", &format!("If-None-Match: \"{RULES_HASH}\"\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 304") && body.is_empty());
    let (head, _) = ask("POST", "").await;
    assert!(head.starts_with("HTTP/1.1 405"), "{head}");
}

#[tokio::test]
async fn other_rules_than_the_rooms_are_not_found() {
    let server = TestServer::start(&[]);
    let other = RULES_HASH.replace('0', "1");
    for path in [
        format!("/rules/{other}.wasm"),
        format!("/rules/{RULES_HASH}"),
        format!("/rules/{}.wasm", RULES_HASH.to_uppercase()),
        "/rules/".to_owned(),
    ] {
        let (head, _) = http(server.addr, "GET", &path, "").await;
        assert!(head.starts_with("HTTP/1.1 404"), "{path}: {head}");
        assert!(head.contains("cache-control: no-store"), "{head}");
    }
}

#[tokio::test]
async fn pages_that_may_connect_may_read_the_rules() {
    let server = TestServer::start(&["--allowed-origin", "https://portal.example"]);
    let path = format!("/rules/{RULES_HASH}.wasm");
    for (origin, allowed) in [
        ("https://portal.example", true),
        ("http://game.example:7777", true),
        ("https://evil.example", false),
    ] {
        let headers = format!("Connection: close\r\nOrigin: {origin}\r\n");
        let (head, _) = http_with(server.addr, "GET", &path, &headers, "").await;
        let header = format!("access-control-allow-origin: {origin}");
        assert_eq!(head.contains(&header), allowed, "{head}");
        assert!(head.contains("vary: origin"), "{head}");
    }
    // A page elsewhere must be able to read why there is nothing.
    let headers = "Connection: close\r\nOrigin: https://portal.example\r\n";
    let (head, _) = http_with(server.addr, "GET", "/rules/00.wasm", headers, "").await;
    assert!(head.contains("access-control-allow-origin"), "{head}");
}

#[tokio::test]
async fn a_request_must_name_one_host() {
    let server = TestServer::start(&[]);
    for hosts in ["", "Host: one\r\nHost: two\r\n"] {
        for path in ["/", "/ws"] {
            let request = format!("GET {path} HTTP/1.1\r\n{hosts}{UPGRADE}{VERSION}{KEY}\r\n");
            let stream = tokio::net::TcpStream::connect(server.addr).await.unwrap();
            let head = Client::asked(stream, request.as_bytes()).await.response;
            assert!(head.starts_with("HTTP/1.1 400"), "{path} {hosts}: {head}");
        }
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_refused() {
    let server = TestServer::start(&[]);
    for (method, path, status) in [
        ("GET", "/nothing", "404"),
        ("GET", "/metrics", "404"),
        ("POST", "/", "405"),
        ("POST", "/ws", "405"),
        ("GET", "/ws", "426"),
        ("DELETE", "/rooms/lobby/state", "405"),
        ("GET", "/rooms/other/state", "404"),
    ] {
        let (head, _) = http(server.addr, method, path, "").await;
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}")),
            "{method} {path}: {head}"
        );
    }
}

#[tokio::test]
async fn the_state_of_a_room_is_json() {
    let server = TestServer::start(&[]);
    let (head, body) = http(server.addr, "GET", "/rooms/lobby/state", "").await;
    assert!(head.contains("content-type: application/json"), "{head}");
    let state: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(state["tick"], 7);
}

#[tokio::test]
async fn who_has_the_state_already_gets_304() {
    let server = TestServer::start(&[]);
    let get =
        async |path: &str, headers: &str| http_with(server.addr, "GET", path, headers, "").await;
    let (head, body) = get("/rooms/lobby/state?after=6", "Connection: close\r\n").await;
    assert!(
        head.starts_with("HTTP/1.1 200") && !body.is_empty(),
        "{head}"
    );
    assert!(head.contains("etag: \"abc\""), "{head}");
    for (path, headers) in [
        (
            "/rooms/lobby/state",
            "Connection: close\r\nIf-None-Match: \"abc\"\r\n",
        ),
        (
            "/rooms/lobby/state",
            "Connection: close\r\nIf-None-Match: \"x\", W/\"abc\"\r\n",
        ),
        ("/rooms/lobby/state?after=7", "Connection: close\r\n"),
    ] {
        let (head, body) = get(path, headers).await;
        assert!(
            head.starts_with("HTTP/1.1 304") && body.is_empty(),
            "{path} {headers}: {head}"
        );
    }
    let (head, body) = get("/rooms/lobby/state?after=soon", "Connection: close\r\n").await;
    assert!(
        head.starts_with("HTTP/1.1 400") && body.contains("after"),
        "{head} {body}"
    );
}

#[tokio::test]
async fn a_foreign_page_gets_403_before_the_upgrade() {
    let server = TestServer::start(&["--allowed-origin", "https://portal.example"]);
    let handshake = format!("{UPGRADE}{VERSION}{KEY}");
    let origin = |origin: &str| format!("Origin: {origin}\r\n");
    let evil = origin("http://evil.example");
    for origins in [evil.clone(), origin("https://portal.example") + &evil] {
        let foreign = upgrade(&server, &(origins + &handshake)).await;
        assert!(foreign.starts_with("HTTP/1.1 403"), "{foreign}");
    }
    assert_eq!(
        server.metric(r#"tickwire_connections_total{outcome="origin"}"#),
        "2"
    );
    for allowed in ["http://game.example:7777", "https://portal.example"] {
        Client::connect(server.addr, "/ws", &origin(allowed)).await;
    }
    Client::connect(server.addr, "/ws", "").await;
}

#[tokio::test]
async fn malformed_handshakes_are_refused() {
    let server = TestServer::start(&[]);
    let key = "Sec-WebSocket-Key: short\r\n";
    for (headers, status) in [
        (format!("{UPGRADE}{VERSION}"), "400"),
        (format!("{UPGRADE}{VERSION}{key}"), "400"),
        (format!("{UPGRADE}{VERSION}{KEY}{KEY}"), "400"),
        (format!("{UPGRADE}{KEY}"), "426"),
        (format!("{UPGRADE}{KEY}Sec-WebSocket-Version: 8\r\n"), "426"),
        (format!("{UPGRADE}{KEY}{VERSION}{VERSION}"), "426"),
        (
            format!("{UPGRADE}{VERSION}{KEY}Content-Length: 5\r\n"),
            "400",
        ),
    ] {
        let stream = tokio::net::TcpStream::connect(server.addr).await.unwrap();
        let request = request("GET", "/ws", &headers);
        let head = Client::asked(stream, request.as_bytes()).await.response;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
        if status == "426" {
            assert!(head.contains("sec-websocket-version: 13"), "{head}");
        }
    }
}

#[tokio::test]
async fn an_offer_of_subprotocols_must_include_ours() {
    let server = TestServer::start(&[]);
    let offer = "Sec-WebSocket-Protocol: chat, tickwire.v1\r\n";
    let client = Client::connect(server.addr, "/ws", offer).await;
    assert!(
        client
            .response
            .contains("sec-websocket-protocol: tickwire.v1")
    );
    let client = Client::connect(server.addr, "/ws", "").await;
    assert!(!client.response.contains("sec-websocket-protocol"));
    let handshake = format!("{UPGRADE}{VERSION}{KEY}Sec-WebSocket-Protocol: tickwire.v9\r\n");
    let head = upgrade(&server, &handshake).await;
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
}

#[tokio::test]
async fn the_room_of_the_url_reaches_the_rooms() {
    let mut server = TestServer::start(&[]);
    let _client = Client::connect(server.addr, "/ws?x=1&room=lobby%2D2", "").await;
    match server.next_event().await {
        RoomEvent::Connected(_, room) => assert_eq!(room.as_deref(), Some("lobby-2")),
        other => panic!("{other:?}"),
    }
}
