//! A server tries its rules module at its start, and serves only one that is exactly its native rules.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use tickwire_client::{Client, Options};
use tickwire_sync::Micros;
use tickwire_tests::modules::{self, Bad};
use tickwire_tests::walkers::Walkers;
use tickwire_tests::{Player, TestServer, http};

fn server(module: &'static [u8]) -> TestServer {
    TestServer::start_with(&[], move |_| Box::new(Walkers::new(module)))
}

async fn joined(server: &TestServer) -> Player {
    let mut player = Player::new(&server.url("a"), Options::default());
    player.client = Client::new(Options::default(), Micros(0));
    player.payload = vec![1, 0];
    player
        .until("the walker walks", |player| {
            let own = player.client.predicted();
            own.is_some_and(|own| own.private_lanes[0] > 0)
        })
        .await;
    player
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_native_rules_predicts_by_the_servers_module() {
    let mut player = joined(&server(modules::good().leak())).await;
    player
        .until("the rules are loaded", |player| {
            player.client.is_predicting()
        })
        .await;
    let mut corrected = player.client.prediction_stats();
    player
        .until("a hundred comparisons without a correction", |player| {
            let stats = player.client.prediction_stats();
            // An input that arrives late causes a correction.
            if stats.corrections > corrected.corrections {
                corrected = stats;
            }
            stats.compared >= corrected.compared + 100
        })
        .await;
    assert_eq!(player.client.prediction_note(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_module_is_not_served_and_play_goes_on() {
    for bad in Bad::ALL {
        let module: &[u8] = bad.bytes().leak();
        let server = server(module);
        let player = joined(&server).await;
        let note = player.client.prediction_note().unwrap();
        assert!(note.contains("offers no module"), "{}: {note}", bad.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_is_found_under_its_hash_alone() {
    let module = modules::good();
    let digest = ring::digest::digest(&ring::digest::SHA256, &module);
    let hash: String = (digest.as_ref().iter())
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let served = server(module.leak());
    let status = async |server: &TestServer, hash: &str| {
        let request = format!(
            "HEAD /rules/{hash}.wasm HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
            server.addr
        );
        http(server.addr, &request).await.0
    };
    assert_eq!(status(&served, &hash).await, 200);
    assert_eq!(status(&served, &"00".repeat(32)).await, 404);
    let unserved = server(Bad::Traps.bytes().leak());
    assert_eq!(status(&unserved, &hash).await, 404);
}
