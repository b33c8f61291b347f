//! `GET /rooms` and `POST /match` of the game port, as requests: what is asked, who may ask, and how often.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};
use tokio::net::TcpSocket;

use crate::support::*;

const LISTED: [&str; 2] = ["--room-list", "on"];

async fn list(server: &TestServer, query: &str, headers: &str) -> (String, String) {
    let headers = format!("Connection: close\r\n{headers}");
    http_with(server.addr, "GET", &format!("/rooms{query}"), &headers, "").await
}

async fn matched(server: &TestServer, body: &str) -> (String, String) {
    http(server.addr, "POST", "/match", body).await
}

/// The status of a request for a match that comes from another host.
async fn status_from(server: &TestServer, host: u8) -> String {
    let socket = TcpSocket::new_v4().unwrap();
    let source = SocketAddr::new(Ipv4Addr::new(127, 0, 0, host).into(), 0);
    socket.bind(source).unwrap();
    let stream = socket.connect(server.addr).await.unwrap();
    let headers = "Connection: close\r\nContent-Length: 2\r\n";
    let request = request("POST", "/match", headers) + "{}";
    let client = Client::asked(stream, request.as_bytes()).await;
    client.response.split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn there_is_no_list_of_rooms_by_default() {
    let server = TestServer::start(&[]);
    assert!(list(&server, "", "").await.0.starts_with("HTTP/1.1 404"));
    let (head, _) = matched(&server, "{}").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
}

#[tokio::test]
async fn the_list_of_rooms_comes_in_pages() {
    let server = TestServer::start(&LISTED);
    let ask = async |query: &str| -> Value {
        let (head, body) = list(&server, query, "").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("content-type: application/json"), "{head}");
        serde_json::from_str(&body).unwrap()
    };
    let first = ask("?limit=1&tag.mode=old%20duel").await;
    let den = json!({ "room": "den", "players": 2, "max": 8, "tags": { "mode": "old duel" }, "metadata": {} });
    assert_eq!(first, json!({ "rooms": [den], "next": "den" }));
    let last = ask("?after=den").await;
    assert_eq!(
        (&last["rooms"][0]["room"], &last["next"]),
        (&json!("lobby"), &Value::Null)
    );
    for query in ["?limit=0", "?limit=1000", "?mode=duel"] {
        let (head, body) = list(&server, query, "").await;
        assert!(
            head.starts_with("HTTP/1.1 400") && body.len() > 10,
            "{head}"
        );
    }
    let (head, _) = http(server.addr, "POST", "/rooms", "").await;
    assert!(head.starts_with("HTTP/1.1 405"), "{head}");
    let counted = |outcome: &str| {
        server.metric(&format!(
            "tickwire_room_lists_total{{outcome=\"{outcome}\"}}"
        ))
    };
    assert_eq!((counted("sent"), counted("bad")), ("2".into(), "4".into()));
}

#[tokio::test]
async fn a_list_that_the_client_has_is_not_sent_again() {
    let server = TestServer::start(&LISTED);
    let (head, _) = list(&server, "", "").await;
    let etag = head.lines().find_map(|line| line.strip_prefix("etag: "));
    let known = format!("If-None-Match: {}\r\n", etag.unwrap());
    let (head, body) = list(&server, "", &known).await;
    assert!(
        head.starts_with("HTTP/1.1 304") && body.is_empty(),
        "{head}"
    );
    // Another page is another list.
    let (head, _) = list(&server, "?limit=1", &known).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(
        server.metric(r#"tickwire_room_lists_total{outcome="unchanged"}"#),
        "1"
    );
}

#[tokio::test]
async fn a_match_is_a_room_and_a_reservation() {
    let server = TestServer::start(&[]);
    let (head, body) = matched(&server, r#"{"tags": {"mode": "duel"}, "max": 2}"#).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let expected = json!({ "room": "lobby", "url": "ws?room=lobby", "reservation": "cmVzZXJ2ZWQ", "expires": 1_900_000_000 });
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), expected);
    for (body, status, part) in [
        (r#"{"mode": "join"}"#, "404", "no such room"),
        (r#"{"mode": "create", "private": true}"#, "503", "full"),
        (r#"{"mode": "watch"}"#, "400", "watch"),
        ("nonsense", "400", "expected"),
        (r#"{"max": 70000}"#, "400", "a room takes"),
    ] {
        let (head, sentence) = matched(&server, body).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
        assert!(sentence.contains(part), "{sentence}");
    }
    let long = " ".repeat(5_000);
    assert!(matched(&server, &long).await.0.starts_with("HTTP/1.1 413"));
    let (head, _) = http(server.addr, "GET", "/match", "").await;
    assert!(head.starts_with("HTTP/1.1 405"), "{head}");
    let counted =
        |outcome: &str| server.metric(&format!("tickwire_matches_total{{outcome=\"{outcome}\"}}"));
    let counts = ["joined", "none", "full", "bad"].map(counted);
    assert_eq!(counts, ["1", "1", "1", "5"]);
}

#[tokio::test]
async fn pages_that_may_connect_may_ask_for_a_match() {
    let server = TestServer::start(&[
        "--allowed-origin",
        "https://portal.example",
        "--room-list",
        "on",
    ]);
    let ask = async |method: &str, path: &str, origin: &str| {
        let headers = format!("Connection: close\r\nContent-Length: 2\r\nOrigin: {origin}\r\n");
        http_with(server.addr, method, path, &headers, "{}").await.0
    };
    for (origin, status) in [
        ("https://portal.example", "200"),
        ("http://game.example:7777", "200"),
        ("https://evil.example", "403"),
    ] {
        let header = format!("access-control-allow-origin: {origin}");
        let head = ask("POST", "/match", origin).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
        assert_eq!(head.contains(&header), status == "200", "{head}");
        assert!(head.contains("vary: origin"), "{head}");
        let preflight = ask("OPTIONS", "/match", origin).await;
        assert_eq!(preflight.contains(&header), status == "200", "{preflight}");
        assert!(
            preflight.contains("access-control-allow-headers: content-type"),
            "{preflight}"
        );
        let list = ask("GET", "/rooms", origin).await;
        assert_eq!(list.contains(&header), status == "200", "{list}");
    }
    assert_eq!(
        server.metric(r#"tickwire_matches_total{outcome="origin"}"#),
        "1"
    );
}

#[tokio::test]
async fn one_host_asks_only_so_often() {
    let server = TestServer::start(&["--fair-share", "strict", "--join-rate", "1"]);
    within(async { while status_from(&server, 66).await != "429" {} }).await;
    assert_eq!(status_from(&server, 7).await, "200", "a stranger waits");
    assert_ne!(
        server.metric(r#"tickwire_matches_total{outcome="rate"}"#),
        "0"
    );
}
