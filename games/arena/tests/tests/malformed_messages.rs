//! Clients that send damaged messages, and clients that connect and vanish: each gets its documented close code and is counted, and a
//! player in the same room notices nothing.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use prost::Message as _;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tickwire_arena_tests::arena_server;
use tickwire_proto::v1::{self, client_message::Body, server_message};
use tickwire_tests::{Player, RawClient, TestServer, within};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};

/// Number of damaged messages, each on a connection of its own.
const DAMAGED_COUNT: u32 = 2_000;
/// Number of connections that vanish.
const FLAPPER_COUNT: u32 = 400;
/// Number of connections at the same time.
const CONCURRENCY: u32 = 20;

/// A player who plays on while others misbehave.
struct Bystander {
    is_over: Arc<AtomicBool>,
    playing: JoinHandle<Player>,
}

impl Bystander {
    async fn join(server: &TestServer) -> Self {
        let mut player = Player::joined(&server.url("r"), "Ada").await;
        player.until("an entity", |player| has_entity(player)).await;
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let playing = tokio::spawn(async move {
            let entity = player.client.entity();
            while !over.load(Ordering::Relaxed) {
                player.step().await;
                assert_eq!(player.client.entity(), entity);
                assert!(has_entity(&player), "the bystander's entity is gone");
            }
            player
        });
        Self { is_over, playing }
    }

    /// Asserts that nothing has gone wrong for this player, and that the session goes on.
    async fn assert_unharmed(self) {
        self.is_over.store(true, Ordering::Relaxed);
        let mut player = self.playing.await.unwrap();
        let checks = player.client.counters().view_checks;
        player
            .until("more view hashes", |player| {
                player.client.counters().view_checks >= checks + 2
            })
            .await;
        let counters = player.client.counters();
        assert_eq!(
            (counters.view_mismatches, counters.protocol_errors),
            (0, 0),
            "{counters:?}"
        );
        assert_eq!((counters.reconnects, counters.resumes), (0, 0));
    }
}

fn has_entity(player: &Player) -> bool {
    let row = player
        .client
        .entity()
        .zip(player.client.replica())
        .and_then(|(id, replica)| replica.find(id.key()).filter(|row| row.id == id));
    row.is_some()
}

fn encoded(body: Body) -> Vec<u8> {
    v1::ClientMessage { body: Some(body) }.encode_to_vec()
}

fn hello() -> v1::Hello {
    v1::Hello {
        version: tickwire_proto::VERSION,
        name: "damaged".into(),
        ..v1::Hello::default()
    }
}

/// Pseudo-random numbers that are the same in every run (splitmix64).
fn splitmix(number: u64) -> u64 {
    let mixed = (number ^ number >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ mixed >> 31
}

/// A valid message with flipped bits or a missing end, so that it cannot be decoded any more.
fn damaged(number: u32) -> Vec<u8> {
    let inputs = v1::Inputs {
        seq: 70_000,
        target_tick: 90_000,
        received_tick: 89_990,
        received_at_us: 7,
        view_tick: 89_988,
        view_fraction: 77,
        payload: vec![1, 2, 3],
    };
    let valid = match number % 3 {
        0 => encoded(Body::Inputs(inputs)),
        1 => encoded(Body::Hello(hello())),
        _ => encoded(Body::Chat(v1::Chat { text: "hi".into() })),
    };
    let mut attempt = u64::from(number) << 32;
    loop {
        attempt += 1;
        let mut bytes = valid.clone();
        let random = splitmix(attempt);
        let at = random as usize % bytes.len();
        if random >> 32 & 3 == 0 {
            bytes.truncate(at);
        } else {
            bytes[at] ^= (random >> 40) as u8;
        }
        if v1::ClientMessage::decode(&bytes[..]).is_err() {
            return bytes;
        }
    }
}

/// Sends one invalid message, and asserts its documented close code.
async fn misbehave(addr: std::net::SocketAddr, number: u32) -> u16 {
    let mut client = RawClient::connect(addr, "/ws?room=r").await;
    // Some have joined before.
    let has_joined = number % 16 == 15;
    if has_joined {
        client.join(v1::Hello::default()).await;
    }
    let (message, code) = match number % 8 {
        5 if !has_joined => (encoded(Body::Inputs(v1::Inputs::default())), 4001),
        6 => {
            let version = tickwire_proto::VERSION + 1;
            (encoded(Body::Hello(v1::Hello { version, ..hello() })), 4002)
        }
        7 if has_joined => (encoded(Body::Hello(hello())), 4001),
        7 => (vec![0; 5_000], 1009),
        _ => (damaged(number), 4000),
    };
    client.send_bytes(message).await;
    let ended = client.end().await;
    assert_eq!(ended.code, Some(code), "{number}: {ended:?}");
    assert!(!ended.reason.is_empty());
    code
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_messages_are_closed_counted_and_harm_nobody() {
    let server = arena_server(&["--npcs", "0", "--resume-window", "1s"]);
    let bystander = Bystander::join(&server).await;
    let mut codes: BTreeMap<u16, u32> = BTreeMap::new();
    let mut tasks = JoinSet::new();
    for worker in 0..CONCURRENCY {
        let addr = server.addr;
        tasks.spawn(async move {
            let mut codes = Vec::new();
            for number in (worker..DAMAGED_COUNT).step_by(CONCURRENCY as usize) {
                codes.push(misbehave(addr, number).await);
            }
            codes
        });
    }
    while let Some(ended) = tasks.join_next().await {
        for code in ended.unwrap() {
            *codes.entry(code).or_default() += 1;
        }
    }
    assert_eq!(codes.values().sum::<u32>(), DAMAGED_COUNT);
    for (code, reason) in [
        (4000, "malformed"),
        (4001, "order"),
        (4002, "unsupported"),
        (1009, "too_big"),
    ] {
        let series = format!("tickwire_disconnects_total{{reason=\"{reason}\"}}");
        let count = f64::from(codes[&code]);
        server.until_metric(&series, count).await;
        assert!((server.metric(&series).await - count).abs() < 0.1);
    }
    bystander.assert_unharmed().await;
    assert!(server.metric("tickwire_view_mismatches_total").await < 0.1);
}

/// Opens a connection that vanishes at some point on its way into the room.
async fn flap(addr: std::net::SocketAddr, number: u32) {
    match number % 4 {
        0 => drop(TcpStream::connect(addr).await.unwrap()),
        1 => drop(RawClient::connect(addr, "/ws?room=r").await),
        2 => {
            let mut client = RawClient::connect(addr, "/ws?room=r").await;
            client.send(Body::Hello(hello())).await;
        }
        _ => {
            let mut client = RawClient::connect(addr, "/ws?room=r").await;
            client.join(v1::Hello::default()).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vanishing_connections_leave_nothing_behind() {
    let server = arena_server(&["--npcs", "0", "--resume-window", "1s"]);
    let bystander = Bystander::join(&server).await;
    let mut tasks = JoinSet::new();
    for worker in 0..CONCURRENCY {
        let addr = server.addr;
        tasks.spawn(async move {
            for number in (worker..FLAPPER_COUNT).step_by(CONCURRENCY as usize) {
                flap(addr, number).await;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    // Bare TCP connections do not count as connections; all others ended without a closing handshake.
    let lost = r#"tickwire_disconnects_total{reason="lost"}"#;
    server
        .until_metric(lost, f64::from(FLAPPER_COUNT / 4 * 3))
        .await;
    for gauge in [
        "tickwire_connections",
        "tickwire_players",
        "tickwire_sessions",
    ] {
        within(gauge, async {
            while server.metric(gauge).await > 1.1 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        })
        .await;
    }
    bystander.assert_unharmed().await;
    server.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_the_flood_limit_is_not_decoded() {
    let server = arena_server(&["--npcs", "0"]);
    let ping = encoded(Body::Ping(v1::Ping::default()));
    let leave = encoded(Body::Leave(v1::Leave::default()));
    // A second may end within the burst, and then the malformed message is below the limit: another try.
    within("a burst within a second", async {
        loop {
            let mut client = RawClient::connect(server.addr, "/ws?room=r").await;
            client.join(v1::Hello::default()).await;
            for _ in 0..300 {
                client.send_bytes(ping.clone()).await;
            }
            client.send_bytes(vec![0xFF; 100]).await;
            client.send_bytes(leave.clone()).await;
            match client.end().await.code {
                Some(1000) => return,
                code => assert_eq!(code, Some(4000)),
            }
        }
    })
    .await;
    // Below the limit, the same message ends the connection.
    let mut client = RawClient::connect(server.addr, "/ws?room=r").await;
    client.join(v1::Hello::default()).await;
    client.send_bytes(vec![0xFF; 100]).await;
    assert_eq!(client.end().await.code, Some(4000));
}

/// Messages that would cost a careless decoder memory, time or its stack, with the close code of each; `None`: ignored.
fn bombs() -> Vec<(&'static str, Vec<u8>, Option<u16>)> {
    /// The start and the end of a group in field 99, which no message has.
    const GROUP: [&[u8]; 2] = [&[0x9B, 0x06], &[0x9C, 0x06]];
    let repeat = |bytes: &[u8], count: usize| bytes.repeat(count);
    let open = repeat(GROUP[0], 2_000);
    let balanced = [repeat(GROUP[0], 1_000), repeat(GROUP[1], 1_000)].concat();
    // Fields of `Hello` (1), of `Chat` (3) and of none (99) that announce gigabytes.
    let announces = |key: &[u8]| [key, &[0xFF, 0xFF, 0xFF, 0xFF, 0x0F]].concat();
    let endless = |key: &[u8]| [key, &[0xFF; 9], &[0x01]].concat();
    // Lengths within lengths, each of which fits into the one around it but for its own head.
    let mut nested = Vec::new();
    for _ in 0..1_000 {
        nested = [&[0x0A, nested.len().min(127) as u8][..], &nested].concat();
    }
    nested.truncate(4_000);
    vec![
        ("groups within groups that never end", open, Some(4000)),
        ("a thousand groups within groups", balanced, Some(4000)),
        ("a Hello of 4 GB", announces(&[0x0A]), Some(4000)),
        (
            "a field of 4 GB that no message has",
            announces(&[0x9A, 0x06]),
            Some(4000),
        ),
        ("a Hello of 2^64 bytes", endless(&[0x0A]), Some(4000)),
        ("a number without an end", vec![0xFF; 4_000], Some(4000)),
        ("an empty key", vec![0; 4_000], Some(4000)),
        (
            "a wire type that there is not",
            vec![0x0F; 4_000],
            Some(4000),
        ),
        ("lengths within lengths", nested, Some(4000)),
        (
            "two thousand empty fields that no message has",
            repeat(&[0x9A, 0x06, 0x00], 1_300),
            None,
        ),
        (
            "a thousand numbers that no message has",
            repeat(&[0x98, 0x06, 0x01], 1_300),
            None,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn protobuf_bombs_are_refused_or_ignored() {
    let server = arena_server(&["--npcs", "0", "--resume-window", "1s"]);
    let bystander = Bystander::join(&server).await;
    let mut malformed = 0;
    for (what, bytes, code) in bombs() {
        for has_joined in [false, true] {
            let mut client = RawClient::connect(server.addr, "/ws?room=r").await;
            if has_joined {
                client.join(v1::Hello::default()).await;
            }
            client.send_bytes(bytes.clone()).await;
            if code.is_none() {
                // It goes on as if nothing had come.
                if !has_joined {
                    client.join(v1::Hello::default()).await;
                }
                client.send(Body::Leave(v1::Leave::default())).await;
            }
            let ended = client.end().await;
            assert_eq!(ended.code, code.or(Some(1000)), "{what}: {ended:?}");
            malformed += u32::from(code.is_some());
        }
    }
    let series = r#"tickwire_disconnects_total{reason="malformed"}"#;
    server.until_metric(series, f64::from(malformed)).await;
    assert!((server.metric(series).await - f64::from(malformed)).abs() < 0.1);
    bystander.assert_unharmed().await;
}

/// Opens a connection that is reset at some point on its way into the room.
async fn reset(addr: std::net::SocketAddr, number: u32) {
    if number.is_multiple_of(4) {
        let stream = TcpStream::connect(addr).await.unwrap();
        return stream.set_zero_linger().unwrap();
    }
    let mut client = RawClient::connect(addr, "/ws?room=r").await;
    match number % 4 {
        1 => {}
        2 => client.send(Body::Hello(hello())).await,
        _ => {
            client.join(v1::Hello::default()).await;
        }
    }
    client.reset();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_resets_leaves_nothing_behind() {
    let server = arena_server(&["--npcs", "0", "--resume-window", "1s"]);
    let bystander = Bystander::join(&server).await;
    let mut tasks = JoinSet::new();
    for worker in 0..CONCURRENCY {
        let addr = server.addr;
        tasks.spawn(async move {
            for number in (worker..FLAPPER_COUNT).step_by(CONCURRENCY as usize) {
                reset(addr, number).await;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    // Who was reset before the server has opened the WebSocket does not count as a connection.
    for gauge in [
        "tickwire_connections",
        "tickwire_players",
        "tickwire_sessions",
    ] {
        within(gauge, async {
            while server.metric(gauge).await > 1.1 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        })
        .await;
    }
    let lost = server
        .metric(r#"tickwire_disconnects_total{reason="lost"}"#)
        .await;
    let joined = f64::from(FLAPPER_COUNT / 4);
    assert!(lost >= joined, "{lost} of at least {joined}");
    bystander.assert_unharmed().await;
    server.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_resumes_at_once_one_has_the_session() {
    const COUNT: usize = 50;
    let server = arena_server(&["--npcs", "0"]);
    let bystander = Bystander::join(&server).await;
    let mut first = RawClient::connect(server.addr, "/ws?room=r").await;
    let welcome = first.join(hello()).await;
    let together = Arc::new(tokio::sync::Barrier::new(COUNT));
    let is_over = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for _ in 0..COUNT {
        let (addr, together, is_over) = (server.addr, Arc::clone(&together), Arc::clone(&is_over));
        let (session, resume_token) = (welcome.session, welcome.resume_token.clone());
        tasks.spawn(async move {
            let mut client = RawClient::connect(addr, "/ws?room=r").await;
            together.wait().await;
            let hello = v1::Hello {
                version: tickwire_proto::VERSION,
                resume_token,
                ..hello()
            };
            client.send(Body::Hello(hello)).await;
            match client.next().await {
                Ok(server_message::Body::Welcome(resumed)) => {
                    assert_eq!((resumed.session, resumed.resumed), (session, true));
                }
                Ok(other) => panic!("expected Welcome, got {other:?}"),
                // A connection that was opened later came first.
                Err(ended) => return ended.code,
            }
            // Snapshots come to the winner, tick after tick.
            while !is_over.load(Ordering::Relaxed) {
                if let Err(ended) = client.next().await {
                    return ended.code;
                }
            }
            None
        });
    }
    for _ in 1..COUNT {
        assert_eq!(tasks.join_next().await.unwrap().unwrap(), Some(4005));
    }
    assert_eq!(first.end().await.code, Some(4005));
    for gauge in [
        "tickwire_connections",
        "tickwire_players",
        "tickwire_sessions",
    ] {
        within(gauge, async {
            while (server.metric(gauge).await - 2.0).abs() > 0.1 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        })
        .await;
    }
    is_over.store(true, Ordering::Relaxed);
    assert_eq!(tasks.join_next().await.unwrap().unwrap(), None);
    let resumed = server.metric(r#"tickwire_resumes_total{outcome="resumed"}"#);
    println!("{} resumes", resumed.await);
    bystander.assert_unharmed().await;
}
