//! What strangers send, and what they leave unread: names that are not the server's, pings, answers, and proxies' headers.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::*;

/// A file that is removed after the test.
struct TestFile(std::path::PathBuf);

impl TestFile {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tickwire-{name}-{}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The status of a request with these headers, which name the host.
async fn status(addr: std::net::SocketAddr, method: &str, path: &str, headers: &str) -> String {
    let stream = TcpStream::connect(addr).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n{headers}\r\n"
    );
    let client = Client::asked(stream, request.as_bytes()).await;
    client.response.split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn the_operations_port_answers_to_its_own_names_alone() {
    let server = TestServer::start(&[]);
    for (headers, expected) in [
        ("Host: evil.example\r\n", "403"),
        ("", "400"),
        ("Host: 127.0.0.1\r\nHost: evil.example\r\n", "400"),
        ("Host: localhost:1\r\n", "200"),
        ("Host: 10.1.2.3\r\n", "200"),
        ("Host: game.example\r\n", "200"),
        ("Host: localhost\r\nSec-Fetch-Site: cross-site\r\n", "403"),
        ("Host: localhost\r\nSec-Fetch-Site: same-site\r\n", "403"),
        ("Host: localhost\r\nSec-Fetch-Site: same-origin\r\n", "200"),
        ("Host: localhost\r\nSec-Fetch-Site: none\r\n", "200"),
    ] {
        assert_eq!(
            status(server.ops, "GET", "/metrics", headers).await,
            expected,
            "{headers}"
        );
        // The probes are for everybody: orchestrators ask under any name.
        let probe = status(server.ops, "GET", "/healthz", headers).await;
        assert!(
            probe == "200" || headers.is_empty() || headers.matches("Host").count() > 1,
            "{headers}"
        );
    }
    let cross_site = "Host: localhost\r\nSec-Fetch-Site: cross-site\r\n";
    assert_eq!(
        status(server.ops, "POST", "/drain", cross_site).await,
        "403"
    );
    assert!(!server.server.draining().is_requested());
}

#[tokio::test]
async fn the_operations_port_asks_for_its_token() {
    let file = TestFile::new("ops-token", "a-token-of-some-length\n");
    let server = TestServer::start(&["--ops-token-file", file.0.to_str().unwrap()]);
    let good = "Host: localhost\r\nAuthorization: Bearer a-token-of-some-length\r\n";
    for (headers, expected) in [
        ("Host: localhost\r\n", "401"),
        (
            "Host: localhost\r\nAuthorization: Bearer a-token-of-some-lengtH\r\n",
            "401",
        ),
        (
            "Host: localhost\r\nAuthorization: Basic a-token-of-some-length\r\n",
            "401",
        ),
        (good, "200"),
    ] {
        assert_eq!(
            status(server.ops, "GET", "/rooms", headers).await,
            expected,
            "{headers}"
        );
        assert_eq!(status(server.ops, "GET", "/readyz", headers).await, "200");
    }
    let foreign = format!("{good}Origin: http://evil.example\r\n");
    assert_eq!(status(server.ops, "POST", "/drain", &foreign).await, "403");
    // The port's own page passes with the token.
    let own = format!("{good}Origin: http://localhost\r\n");
    assert_eq!(status(server.ops, "POST", "/drain", &own).await, "202");
}

#[tokio::test]
async fn the_game_port_answers_to_allowed_hosts_alone() {
    let server = TestServer::start(&["--allowed-host", "Play.example"]);
    for (host, expected) in [
        ("play.example", "200"),
        ("play.example:7777", "200"),
        ("127.0.0.1:7777", "200"),
        ("rebound.evil.example", "403"),
    ] {
        let headers = format!("Host: {host}\r\n");
        assert_eq!(
            status(server.addr, "GET", "/", &headers).await,
            expected,
            "{host}"
        );
    }
    let rebound = "Host: rebound.example\r\nOrigin: http://rebound.example\r\n";
    assert_eq!(status(server.addr, "GET", "/ws", rebound).await, "403");
}

#[tokio::test]
async fn the_state_of_rooms_can_be_switched_off() {
    let server = TestServer::start(&["--room-state", "off"]);
    let (head, _) = http(server.addr, "GET", "/rooms/lobby/state", "").await;
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
}

#[tokio::test]
async fn pings_of_one_read_get_one_pong() {
    let mut server = TestServer::start(&["--rtt-interval", "0s"]);
    let (mut client, _connection) = server.join().await;
    let pings: Vec<u8> = (0..100_u8)
        .flat_map(|number| frame(0x89, &[number]))
        .collect();
    client.send(&pings).await;
    // All in one read or, on a busy machine, in a few; the last ping is always answered.
    let mut pongs = Vec::new();
    while pongs.last() != Some(&vec![99]) {
        let pong = client.next().await.unwrap();
        assert_eq!(pong.opcode, 10);
        pongs.push(pong.payload);
    }
    assert!(pongs.len() <= 10, "{} pongs", pongs.len());
}

#[tokio::test]
async fn a_backlog_of_many_frames_is_handled_in_order() {
    let mut server = TestServer::start(&[]);
    let (mut client, _connection) = server.join().await;
    // More than one poll handles, at once.
    let messages: Vec<u8> = (0..200_u8)
        .flat_map(|number| frame(0x82, &[number]))
        .collect();
    client.send(&messages).await;
    for number in 0..200 {
        match server.next_event().await {
            RoomEvent::Message(payload) => assert_eq!(payload, [number]),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_answer_that_nobody_reads_ends_its_connection() {
    let server = TestServer::start(&[]);
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    // A window that holds no page.
    socket.set_recv_buffer_size(4096).unwrap();
    let mut unread = socket.connect(server.addr).await.unwrap();
    let request = request("GET", "/", "");
    // One request after the other, until the server takes no more, and then until it ends the connection: well before the two
    // minutes after which any request's connection ends.
    let ended = tokio::time::timeout(Duration::from_secs(100), async {
        loop {
            if unread.write_all(request.as_bytes()).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    ended.await.expect("the answers wait for ever");
    let mut rest = Vec::new();
    let _ = unread.read_to_end(&mut rest).await;
}

#[tokio::test]
async fn a_client_behind_a_trusted_proxy_has_its_own_address() {
    let flags = ["--trusted-proxy", "127.0.0.0/8"];
    let mut server = TestServer::start(&flags);
    let _client =
        Client::connect(server.addr, "/ws", "X-Forwarded-For: 6.6.6.6, 1.2.3.4\r\n").await;
    let RoomEvent::Connected(connection, _) = server.next_event().await else {
        panic!("expected a connection");
    };
    assert_eq!(connection.peer_addr().ip().to_string(), "1.2.3.4");
    // PROXY protocol, in pieces.
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(b"PROXY TCP4 5.6.").await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let rest = format!(
        "7.8 127.0.0.1 5 7777\r\n{}",
        request("GET", "/ws", &[KEY, UPGRADE, VERSION].concat())
    );
    let client = Client::asked(stream, rest.as_bytes()).await;
    assert!(
        client.response.starts_with("HTTP/1.1 101"),
        "{}",
        client.response
    );
    let RoomEvent::Connected(connection, _) = server.next_event().await else {
        panic!("expected a connection");
    };
    assert_eq!(connection.peer_addr().to_string(), "5.6.7.8:5");
}

#[tokio::test]
async fn a_stranger_is_not_believed_about_its_address() {
    let mut server = TestServer::start(&["--trusted-proxy", "10.0.0.0/8"]);
    let _client = Client::connect(server.addr, "/ws", "X-Forwarded-For: 1.2.3.4\r\n").await;
    let RoomEvent::Connected(connection, _) = server.next_event().await else {
        panic!("expected a connection");
    };
    assert_eq!(connection.peer_addr().ip().to_string(), "127.0.0.1");
}

#[tokio::test]
async fn a_drain_goes_on_accepting_for_its_delay() {
    let server = TestServer::start(&["--drain-delay", "1h"]);
    let (addr, ops) = (server.addr, server.ops);
    let draining = tokio::spawn(server.server.drain());
    within(async {
        while !http(ops, "GET", "/readyz", "")
            .await
            .0
            .starts_with("HTTP/1.1 503")
        {}
    })
    .await;
    let client = Client::connect(addr, "/ws", "").await;
    assert!(
        client.response.starts_with("HTTP/1.1 101"),
        "{}",
        client.response
    );
    draining.abort();

    let server = TestServer::start(&["--drain-delay", "300ms", "--drain-timeout", "1s"]);
    let (addr, begun) = (server.addr, Instant::now());
    within(server.server.drain()).await;
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert!(TcpStream::connect(addr).await.is_err());
}
