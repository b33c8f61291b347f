//! Rules that travel with the room: a native client that knows nothing of a game predicts it by the server's module, and plays on
//! where the module cannot be used.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::net::SocketAddr;
use tickwire_client::{Options, SessionEvent};
use tickwire_tests::modules::{self, Bad, Walker};
use tickwire_tests::walkers::Walkers;
use tickwire_tests::{Player, TestServer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

fn server(module: Vec<u8>) -> TestServer {
    let module: &'static [u8] = module.leak();
    TestServer::start_with(&[], move |_| Box::new(Walkers::new(module)))
}

/// A player who walks to the lower right.
fn walking(url: &str) -> Player {
    let mut player = Player::new(url, Options::default());
    player.payload = vec![1, 1];
    player
}

/// What the client said about prediction, in order; `None`: it has begun.
fn notes(player: &Player) -> Vec<Option<String>> {
    (player.events.iter())
        .filter_map(|event| match event {
            SessionEvent::Prediction { note } => Some(note.clone()),
            _ => None,
        })
        .collect()
}

async fn until_predicted(player: &mut Player) {
    player
        .until("prediction by the module", |player| {
            player.client.is_predicting() && player.client.prediction_stats().inputs > 0
        })
        .await;
}

/// Waits for a hundred predicted inputs in a row without a correction: inputs that arrive late cause corrections.
async fn hundred_without_correction(player: &mut Player) {
    let mut corrected = player.client.prediction_stats();
    player
        .until("a hundred inputs in a row without a correction", |player| {
            let stats = player.client.prediction_stats();
            if stats.corrections > corrected.corrections {
                corrected = stats;
            }
            stats.inputs >= corrected.inputs + 100
        })
        .await;
}

/// Waits until the client has said why it does not predict, and plays on: the walker walks as the server says.
async fn plays_on(player: &mut Player, reason: &str) {
    player
        .until("the reason", |player| {
            notes(player).last().is_some_and(Option::is_some)
        })
        .await;
    player
        .until("the first snapshot", |player| {
            player.client.counters().snapshots > 0
        })
        .await;
    let place = |player: &Player| {
        let own = player.client.entity()?;
        Some(player.client.replica()?.find(own.key())?.lanes[0])
    };
    let before = place(player).unwrap();
    player
        .until("the walker walks", |player| {
            place(player).is_some_and(|now| now > before + 100)
        })
        .await;
    assert!(!player.client.is_predicting());
    let said: Vec<_> = notes(player).into_iter().flatten().collect();
    assert!(said.len() == 1 && said[0].contains(reason), "{said:?}");
    assert_eq!(player.client.counters().protocol_errors, 0);
}

/// Stands before a server: passes sockets on, and answers requests for the rules module itself.
async fn in_front_of(server: SocketAddr, answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut start = [0; 10];
                client.peek(&mut start).await.unwrap();
                if start.starts_with(b"GET /rules") {
                    client.write_all(answer).await.unwrap();
                    // Reads until the client hangs up, so that it can read the answer to its end.
                    let _ = client.read_to_end(&mut Vec::new()).await;
                } else {
                    let mut server = TcpStream::connect(server).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                }
            });
        }
    });
    address
}

async fn player_behind(answer: &'static [u8]) -> (TestServer, Player) {
    let server = server(modules::good());
    let front = in_front_of(server.addr, answer).await;
    let player = walking(&format!("ws://{front}/ws?room=a"));
    (server, player)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_predicts_an_unknown_game_by_its_module() {
    let server = server(modules::good());
    let mut player = walking(&server.url("a"));
    until_predicted(&mut player).await;
    hundred_without_correction(&mut player).await;
    assert_eq!(notes(&player), [None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_predicts_by_the_module_that_cargo_built() {
    if Walker::MODULE.is_empty() {
        return eprintln!("not tried: {}", Walker::NOTE);
    }
    let server = server(Walker::MODULE.to_vec());
    let mut player = walking(&server.url("a"));
    until_predicted(&mut player).await;
    hundred_without_correction(&mut player).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reconnect_keeps_the_rules_of_the_module() {
    let server = server(modules::good());
    let mut player = walking(&server.url("a"));
    until_predicted(&mut player).await;
    player.cut();
    player
        .until("the session again", |player| {
            (player.events.iter())
                .any(|event| matches!(event, SessionEvent::Joined { resumed: true }))
        })
        .await;
    hundred_without_correction(&mut player).await;
    assert!(player.client.is_predicting());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_the_server_does_not_have_leaves_play_on() {
    let (_server, mut player) =
        player_behind(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
    plays_on(&mut player, "HTTP 404").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_of_another_hash_leaves_play_on() {
    let (_server, mut player) =
        player_behind(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n\0asm\x01\0\0\0").await;
    plays_on(&mut player, "hash").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_without_end_leaves_play_on() {
    let (_server, mut player) =
        player_behind(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\nbla").await;
    plays_on(&mut player, "larger than 1 MiB").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_speaks_no_http_leaves_play_on() {
    let (_server, mut player) = player_behind(b"220 mail.example.org\r\n").await;
    plays_on(&mut player, "cannot be fetched").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_traps_in_play_leaves_play_on() {
    let server = server(Bad::TrapsOnLongInput.bytes());
    let mut player = walking(&server.url("a"));
    until_predicted(&mut player).await;
    player.payload = vec![1, 1, 0, 0, 0];
    plays_on(&mut player, "trapped").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_loops_in_play_runs_out_of_fuel() {
    let server = server(Bad::LoopsOnLongInput.bytes());
    let mut player = walking(&server.url("a"));
    until_predicted(&mut player).await;
    player.payload = vec![1, 1, 0, 0, 0];
    plays_on(&mut player, "fuel").await;
}
