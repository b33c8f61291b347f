//! Deadlines, heartbeats, floods, and limits of connections.

use std::time::{Duration, Instant};

use tickwire_server::internals::DisconnectReason;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::support::*;

#[tokio::test]
async fn silence_after_the_upgrade_is_closed_with_4003() {
    let mut server = TestServer::start(&["--handshake-timeout", "1s"]);
    let begun = Instant::now();
    let (mut client, _connection) = server.join().await;
    client.closed_with(4003).await;
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.closed().await, DisconnectReason::HandshakeTimeout);
}

#[tokio::test]
async fn hello_ends_the_handshake_timeout() {
    let flags = ["--handshake-timeout", "1s", "--rtt-interval", "300ms"];
    let mut server = TestServer::start(&flags);
    let (mut client, _connection) = server.join().await;
    client.send(&frame(0x82, b"hello")).await;
    // Five pings take longer than the timeout.
    for _ in 0..5 {
        let ping = client.next_or_ping().await.expect("closed");
        assert_eq!(ping.opcode, 9);
    }
}

#[tokio::test]
async fn a_silent_tcp_connection_is_ended() {
    let server = TestServer::start(&["--handshake-timeout", "200ms"]);
    let mut silent = TcpStream::connect(server.addr).await.unwrap();
    let mut slow = TcpStream::connect(server.addr).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut slow, b"GET / HT")
        .await
        .unwrap();
    let mut rest = Vec::new();
    let _ = within(silent.read_to_end(&mut rest)).await;
    let _ = within(slow.read_to_end(&mut rest)).await;
    let timeouts = || server.metric(r#"tickwire_connections_total{outcome="timeout"}"#);
    within(async {
        while timeouts() != "2" {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn no_pong_is_closed_with_4004() {
    let flags = [
        "--heartbeat-interval",
        "200ms",
        "--heartbeat-timeout",
        "100ms",
    ];
    let mut server = TestServer::start(&flags);
    let (mut client, _connection) = server.join().await;
    client.send(&frame(0x82, b"hello")).await;
    client.closed_with(4004).await;
    assert_eq!(server.closed().await, DisconnectReason::HeartbeatTimeout);
}

#[tokio::test]
async fn pongs_keep_alive_and_measure_the_round_trip() {
    let flags = [
        ["--heartbeat-interval", "1s"],
        ["--heartbeat-timeout", "1s"],
        ["--rtt-interval", "200ms"],
    ];
    let mut server = TestServer::start(&flags.concat());
    let (mut client, connection) = server.join().await;
    assert_eq!(connection.rtt(), None);
    client.send(&frame(0x82, b"hello")).await;
    // A pong without its ping measures nothing.
    client.send(&frame(0x8A, b"unasked")).await;
    for _ in 0..12 {
        let ping = client.next_or_ping().await.expect("closed");
        assert_eq!((ping.opcode, ping.payload.len()), (9, 8));
        client.send(&frame(0x8A, &ping.payload)).await;
    }
    let rtt = connection.rtt().expect("no round trip was measured");
    assert!(rtt.min <= rtt.latest && rtt.min <= rtt.smoothed, "{rtt:?}");
    assert!(connection.last_pong() > connection.opened());
    let count: u32 = server.metric("tickwire_rtt_seconds_count").parse().unwrap();
    assert!((11..=12).contains(&count), "{count}");
}

#[tokio::test]
async fn a_flood_is_warned_and_then_closed_with_1008() {
    let mut server = TestServer::start(&[]);
    let (client, _connection) = server.join().await;
    let (mut reading, mut writing) = tokio::io::split(client.stream);
    let writer = tokio::spawn(async move {
        // About 2,500 messages a second.
        let burst = frame(0x82, b"x").repeat(50);
        while tokio::io::AsyncWriteExt::write_all(&mut writing, &burst)
            .await
            .is_ok()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut received = Vec::new();
    let _ = within(reading.read_to_end(&mut received)).await;
    assert!(
        received
            .windows(4)
            .any(|w| w[0] == 0x88 && w[2..] == 1008u16.to_be_bytes())
    );
    let mut warnings = 0;
    let why = loop {
        match server.next_event().await {
            RoomEvent::FloodWarning => warnings += 1,
            RoomEvent::Closed(why) => break why,
            _ => {}
        }
    };
    assert_eq!((warnings, why), (1, DisconnectReason::Policy));
    within(writer).await.unwrap();
}

#[tokio::test]
async fn beyond_max_connections_is_http_503() {
    let mut server = TestServer::start(&["--max-connections", "2"]);
    let (one, _connection) = server.join().await;
    let (_two, _connection) = server.join().await;
    let (head, _) = http(server.addr, "GET", "/ws", "").await;
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    assert_eq!(
        server.metric(r#"tickwire_connections_total{outcome="full"}"#),
        "1"
    );
    assert_eq!(
        server.metric(r#"tickwire_connections_total{outcome="accepted"}"#),
        "2"
    );
    // The permit of a connection that has ended can be used again.
    drop(one);
    server.closed().await;
    within(async {
        while !http(server.addr, "GET", "/", "")
            .await
            .0
            .starts_with("HTTP/1.1 200")
        {}
    })
    .await;
}

#[tokio::test]
async fn beyond_max_connections_per_ip_is_http_429() {
    let mut server = TestServer::start(&["--max-connections-per-ip", "1"]);
    let (_one, _connection) = server.join().await;
    let (head, _) = http(server.addr, "GET", "/ws", "").await;
    assert!(head.starts_with("HTTP/1.1 429"), "{head}");
    assert_eq!(
        server.metric(r#"tickwire_connections_total{outcome="per_ip"}"#),
        "1"
    );
}

/// Reads what a refused peer gets: its answer, or nothing.
async fn refusal_of(mut stream: TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    let _ = within(stream.read_to_end(&mut answer)).await;
    answer
}

#[tokio::test]
async fn refusals_beyond_ten_a_second_are_closed_unanswered() {
    /// To answer all of these takes nineteen seconds.
    const COUNT: usize = 200;
    let mut server = TestServer::start(&["--max-connections", "1"]);
    let (_one, connection) = server.join().await;
    let mut refused = Vec::new();
    for _ in 0..COUNT {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        let request = request("GET", "/ws", "");
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await;
        refused.push(stream);
    }
    let (mut answered, mut unanswered) = (0, 0);
    for stream in refused {
        let answer = refusal_of(stream).await;
        match answer.starts_with(b"HTTP/1.1 503") {
            true => answered += 1,
            false => unanswered += usize::from(answer.is_empty()),
        }
    }
    assert!(answered > 0 && unanswered > 0, "{answered} answers");
    assert_eq!(answered + unanswered, COUNT);
    let full = server.metric(r#"tickwire_connections_total{outcome="full"}"#);
    assert_eq!(full, COUNT.to_string());
    assert!(connection.is_open());
}

#[tokio::test]
async fn unanswered_refusals_end_before_tls() {
    const COUNT: usize = 200;
    let flags = ["--tls-self-signed", "--max-connections", "1"];
    let server = TestServer::start(&[&flags[..], &["--handshake-timeout", "1h"]].concat());
    // Nobody says a word: who is answered is waited for, and all others are closed.
    let mut silent = Vec::new();
    for _ in 0..COUNT {
        silent.push(TcpStream::connect(server.addr).await.unwrap());
    }
    let full = || server.metric(r#"tickwire_connections_total{outcome="full"}"#);
    within(async {
        while full() != (COUNT - 1).to_string() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let ended = within(async {
        loop {
            let ended = silent.iter().filter(|stream| is_at_end(stream)).count();
            if ended > 0 {
                return ended;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(ended.await < COUNT);
}
