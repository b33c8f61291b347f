//! What strangers cost the others: the snapshot gaps of fifty bots with and without each attack, one after the other in one run.
//!
//! `cargo run --release -p tickwire-arena-tests --example strangers [ATTACK ...]`. The attackers use addresses of 127/8, and fair share is
//! strict. Each line has the bots' 99th percentile and longest gap, the skipped ticks, how late ticks were, and how many of the newcomers
//! who came twice a second from an address of their own got in, and how long the slowest took.
//!
//! - `rooms`: a new room by each `Hello`, then gone. `absent`: a new session in the bots' room by each `Hello`, then gone.
//! - `chat`, `resync`, `ping`: 40 connections send these as fast as they can, and come again when they are closed. `talk`: 12 players chat
//!   within the rules, and 300 hear them.
//! - `state`: 8 connections ask for the room's state over and over. `unread`: 50 ask for the page, and read none of it.
//! - `silent`: 250 connections a second that say nothing. `hellos`: 2,000 TLS handshakes a second that are begun and dropped.

#![allow(clippy::unwrap_used, reason = "a failed unwrap ends the measurement")]

use prost::Message as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tickwire_arena_bots::ArenaPlaybook;
use tickwire_arena_tests::arena_server;
use tickwire_bot::Options;
use tickwire_proto::v1::{self, client_message::Body};
use tickwire_tests::{RawClient, TestServer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

const SECONDS: u64 = 12;
const ATTACKS: [&str; 11] = [
    "none", "rooms", "absent", "chat", "talk", "resync", "ping", "state", "unread", "silent",
    "hellos",
];
/// An address that attacks nobody, and wants to play.
const NEWCOMER: u8 = 200;

fn source(host: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 1, host).into()
}

/// Whether newcomers get in, and how long the slowest of those took, in milliseconds.
async fn newcomers(server: &TestServer, until: Instant) -> (u32, u32, f64) {
    let (mut came, mut entered, mut slowest) = (0, 0, 0.0_f64);
    while Instant::now() < until {
        let began = Instant::now();
        came += 1;
        let entering = async {
            let mut client = joined(server, NEWCOMER, "main").await?;
            client.next().await.ok()?;
            client
                .try_send(Body::Leave(v1::Leave::default()))
                .await
                .then_some(())
        };
        if let Ok(Some(())) = tokio::time::timeout(Duration::from_secs(5), entering).await {
            entered += 1;
            slowest = slowest.max(began.elapsed().as_secs_f64() * 1e3);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    (entered, came, slowest)
}

async fn joined(server: &TestServer, host: u8, room: &str) -> Option<RawClient> {
    let path = format!("/ws?room={room}");
    let mut client = RawClient::connect_from(source(host), server.addr, &path).await?;
    let hello = v1::Hello {
        version: 1,
        ..v1::Hello::default()
    };
    client.try_send(Body::Hello(hello)).await.then_some(client)
}

/// Messages as the frames that a client sends, masked with zeros.
fn frames(body: &Body, count: usize) -> Vec<u8> {
    let message = v1::ClientMessage {
        body: Some(body.clone()),
    }
    .encode_to_vec();
    let mut frame = vec![0x82];
    match u8::try_from(message.len())
        .ok()
        .filter(|length| *length < 126)
    {
        Some(length) => frame.push(0x80 | length),
        None => {
            frame.push(0x80 | 126);
            frame.extend((message.len() as u16).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(message);
    frame.repeat(count)
}

/// A socket behind its upgrade and its `Hello`; `None` if the server refuses.
async fn joined_socket(server: &TestServer, host: u8) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((source(host), 0).into()).unwrap();
    let mut stream = socket.connect(server.addr).await.ok()?;
    let upgrade = b"GET /ws?room=main HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(upgrade).await.ok()?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.ok()?;
    let hello = v1::Hello {
        version: 1,
        ..v1::Hello::default()
    };
    stream
        .write_all(&frames(&Body::Hello(hello), 1))
        .await
        .ok()?;
    (answer == *b"HTTP/1.1 101").then_some(stream)
}

/// Floods with one message over and over, and comes again whenever it is closed. The bytes are made once, so that the attack costs
/// this process little: it shares the machine with the server.
async fn flood(server: &TestServer, host: u8, body: Body, until: Instant) {
    let bytes = frames(&body, 400);
    while Instant::now() < until {
        let Some(mut stream) = joined_socket(server, host).await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        while Instant::now() < until {
            // Reads what comes, as far as it has come.
            let _ = stream.try_read(&mut [0; 16 * 1024]);
            let write = stream.write_all(&bytes);
            // A server that reads nothing more holds the flood back.
            match tokio::time::timeout(Duration::from_secs(1), write).await {
                Ok(Ok(())) => tokio::time::sleep(Duration::from_millis(20)).await,
                Ok(Err(_)) => break,
                Err(_) if Instant::now() < until => break,
                Err(_) => return,
            }
        }
    }
}

async fn http_flood(server: &TestServer, until: Instant, request: &str, reads: bool) {
    while Instant::now() < until {
        let Ok(mut stream) = TcpStream::connect(server.addr).await else {
            continue;
        };
        while Instant::now() < until {
            if stream.write_all(request.as_bytes()).await.is_err() {
                break;
            }
            if reads && !matches!(stream.read(&mut [0; 4096]).await, Ok(1..)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }
}

async fn attack(server: &'static TestServer, name: &str, until: Instant) {
    let mut attackers = JoinSet::new();
    match name {
        "rooms" => {
            for host in 1..=4 {
                attackers.spawn(async move {
                    let mut number = 0;
                    while Instant::now() < until {
                        drop(joined(server, host, &format!("h{host}-{number}")).await);
                        number += 1;
                    }
                });
            }
        }
        "chat" | "resync" | "ping" => {
            // Hosts of their own: those of the attack before wait.
            let first_host = match name {
                "chat" => 11,
                "resync" => 21,
                _ => 31,
            };
            for number in 0..40 {
                let body = match name {
                    "chat" => Body::Chat(v1::Chat {
                        text: "hello ".repeat(20),
                    }),
                    "resync" => Body::Resync(v1::Resync::default()),
                    _ => Body::Ping(v1::Ping { stamp: 7 }),
                };
                attackers.spawn(flood(server, first_host + number % 4, body, until));
            }
        }
        "absent" => {
            for host in 41..=44 {
                attackers.spawn(async move {
                    while Instant::now() < until {
                        drop(joined(server, host, "main").await);
                    }
                });
            }
        }
        "talk" => {
            for number in 0..300_u32 {
                attackers.spawn(async move {
                    let host = 50 + (number % 20) as u8;
                    let Some(mut client) = joined(server, host, "main").await else {
                        return;
                    };
                    let text = "hello ".repeat(20);
                    while Instant::now() < until {
                        if number < 12 {
                            let chat = v1::Chat { text: text.clone() };
                            client.try_send(Body::Chat(chat)).await;
                        }
                        let pause = tokio::time::sleep(Duration::from_millis(500));
                        tokio::pin!(pause);
                        loop {
                            tokio::select! {
                                () = &mut pause => break,
                                message = client.next() => if message.is_err() { return },
                            }
                        }
                    }
                });
            }
        }
        "silent" | "hellos" => {
            let (host, pause, hello) = match name {
                "silent" => (81, Duration::from_millis(4), false),
                _ => (82, Duration::from_micros(500), true),
            };
            attackers.spawn(async move {
                let mut held = std::collections::VecDeque::new();
                let mut due = tokio::time::interval(pause);
                due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
                while Instant::now() < until {
                    due.tick().await;
                    let socket = TcpSocket::new_v4().unwrap();
                    let _ = socket.bind((source(host), 0).into());
                    let connecting =
                        tokio::time::timeout(Duration::from_secs(1), socket.connect(server.addr));
                    let Ok(Ok(mut stream)) = connecting.await else {
                        continue;
                    };
                    if hello {
                        let _ = stream.write_all(&CLIENT_HELLO).await;
                    } else {
                        held.push_back(stream);
                    }
                    if held.len() > 5_000 {
                        held.pop_front();
                    }
                }
            });
        }
        "state" => {
            for _ in 0..8 {
                let head = "HEAD /rooms/main/state HTTP/1.1\r\nhost: localhost\r\n\r\n";
                attackers.spawn(http_flood(server, until, head, true));
            }
        }
        "unread" => {
            for _ in 0..50 {
                let page = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
                attackers.spawn(http_flood(server, until, page, false));
            }
        }
        _ => {}
    }
    while attackers.join_next().await.is_some() {}
}

/// The first message of a TLS 1.3 handshake, as a common client sends it; made by rustls for `localhost`.
static CLIENT_HELLO: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let config = tickwire_client::native::tls_config(true).unwrap();
    let name = rustls_pki_types::ServerName::try_from("localhost").unwrap();
    let mut connection = rustls::ClientConnection::new(config, name).unwrap();
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).unwrap();
    bytes
});

async fn metrics(server: &TestServer) -> [f64; 5] {
    let mut values = [0.0; 5];
    for (value, series) in values.iter_mut().zip([
        "tickwire_ticks_skipped_total",
        "tickwire_tick_lateness_seconds_sum",
        "tickwire_tick_lateness_seconds_count",
        r#"tickwire_phase_seconds_sum{phase="input"}"#,
        r#"tickwire_phase_seconds_count{phase="input"}"#,
    ]) {
        *value = server.metric(series).await;
    }
    values
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    let flags = ["--fair-share", "strict", "--npcs", "0"];
    let started = |more: &[&str]| -> &'static TestServer {
        Box::leak(Box::new(arena_server(&[&flags[..], more].concat())))
    };
    let plain = started(&[]);
    for name in ATTACKS {
        if !chosen.is_empty() && name != "none" && !chosen.iter().any(|one| one == name) {
            continue;
        }
        // The bots of that attack come by TLS too; no newcomers.
        let is_tls = name == "hellos";
        let server = match is_tls {
            true => started(&["--tls-self-signed"]),
            false => plain,
        };
        let before = metrics(server).await;
        let until = Instant::now() + Duration::from_secs(SECONDS + 2);
        let attacker = tokio::spawn(attack(server, name, until));
        let newcomers_until = if is_tls { Instant::now() } else { until };
        let newcomers = tokio::spawn(newcomers(server, newcomers_until));
        let duration = format!("{SECONDS}s");
        let url = server.url("main");
        let url = if is_tls {
            url.replace("ws://", "wss://")
        } else {
            url
        };
        let options = Options::load([
            "bots",
            "--url",
            &url,
            "--bots",
            "50",
            "--behaviour",
            "wander",
            "--duration",
            &duration,
            "--insecure",
        ])
        .unwrap();
        let report = tickwire_bot::run(&options, Some(Arc::new(ArenaPlaybook)))
            .await
            .unwrap();
        attacker.await.unwrap();
        let (entered, came, slowest) = newcomers.await.unwrap();
        let after = metrics(server).await;
        let [skipped, late, ticks, input, inputs] =
            std::array::from_fn(|index| after[index] - before[index]);
        println!(
            "{name:8} gap p99 {:6.2} ms, max {:6.1} ms, reconnects {}, mismatches {}, skipped {skipped}, lateness {:.3} ms, input phase {:.3} ms, ready {}, rooms {}, sessions {}, newcomers {entered} of {came}, slowest {slowest:.0} ms",
            report.snapshot_gap_ms.p99,
            report.snapshot_gap_ms.max,
            report.reconnects,
            report.view_mismatches,
            late / ticks * 1e3,
            input / inputs * 1e3,
            tickwire_tests::http_get(server.ops, "/readyz").await.0,
            server.metric("tickwire_rooms").await,
            server.metric("tickwire_sessions").await,
        );
    }
}
