//! Large maps over thin lines: they arrive, and nobody is taken for dead meanwhile.
//!
//! The lines are readers that take so many bytes a second and offer the kernel a small window. The bench of real lines
//! (`lines --only map`) plays a map of 2 MB over a real line of 256 kbit/s.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use prost::Message as _;
use std::time::Duration;
use tickwire_proto::v1::{self, client_message};
use tickwire_tests::{Atlas, Player, TestServer, within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

/// More than the kernels on both sides hold, and than goes over the thin line within the server's patience.
const MAP_BYTES: usize = 400_000;
/// Bytes that the thin line delivers in a second.
const LINE: u32 = 80_000;
/// The server gives up a peer after two seconds without a pong.
const IMPATIENT: [&str; 4] = ["--heartbeat-interval", "1s", "--heartbeat-timeout", "1s"];
const TIMED_OUT: &str = r#"tickwire_disconnects_total{reason="heartbeat_timeout"}"#;
const ACCEPTED: &str = r#"tickwire_connections_total{outcome="accepted"}"#;

fn server() -> TestServer {
    TestServer::start_with(&IMPATIENT, |_| Box::new(Atlas::new(MAP_BYTES)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_map_gets_through_a_thin_line() {
    let server = server();
    let mut player = Player::behind_thin_line(&server.url("m"), LINE);
    player
        .until("the first snapshot", |player| {
            player.client.counters().snapshots > 0
        })
        .await;
    assert!(player.client.map() == Atlas::new(MAP_BYTES).bytes());
    assert_eq!(server.metric(TIMED_OUT).await, 0.0);
    assert_eq!(server.metric(ACCEPTED).await, 1.0);
    // A resume does not bring the map again.
    let before = player.client.counters().bytes_in;
    player.cut();
    player
        .until("the resume", |player| player.client.counters().resumes == 1)
        .await;
    let more = player.client.counters().bytes_in - before;
    assert!(more < 50_000, "{more} bytes");
    assert!(player.client.map() == Atlas::new(MAP_BYTES).bytes());
}

/// A client that takes no parts gets its map in `Welcome`, and no ping before the end of it. It is alive as long as its system
/// acknowledges bytes.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn who_still_takes_bytes_is_not_timed_out() {
    let server = server();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let mut stream = within("a connection", socket.connect(server.addr))
        .await
        .unwrap();
    let upgrade = format!(
        "GET /ws HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        server.addr
    );
    stream.write_all(upgrade.as_bytes()).await.unwrap();
    let mut buffer = [0; 4096];
    let length = within("the upgrade", stream.read(&mut buffer))
        .await
        .unwrap();
    assert!(buffer[..length].starts_with(b"HTTP/1.1 101"));
    let hello = v1::Hello {
        version: tickwire_proto::VERSION,
        ..v1::Hello::default()
    };
    let body = Some(client_message::Body::Hello(hello));
    let message = v1::ClientMessage { body }.encode_to_vec();
    // A masked binary frame; a mask of zeros changes nothing.
    let mut frame = vec![0x82, 0x80 | message.len() as u8, 0, 0, 0, 0];
    frame.extend(message);
    stream.write_all(&frame).await.unwrap();
    let mut taken = 0;
    while taken < MAP_BYTES {
        // This is the line: it delivers so much in a twentieth of a second.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let length = within("more of the map", stream.read(&mut buffer))
            .await
            .unwrap();
        assert!(length > 0, "the server gave up after {taken} bytes");
        taken += length;
    }
    assert_eq!(server.metric(TIMED_OUT).await, 0.0);
    // It takes everything now, and answers nothing: that is no life.
    while within("the end", stream.read(&mut buffer))
        .await
        .unwrap_or(0)
        > 0
    {}
    server.until_metric(TIMED_OUT, 1.0).await;
}
