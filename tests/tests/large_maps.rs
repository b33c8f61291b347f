//! What a large map costs the server for clients that take it whole and do not read it. Alone in its binary, because it measures the
//! memory of its process.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use tickwire_proto::v1::{self, client_message::Body};
use tickwire_tests::{Atlas, RawClient, TestServer};

const MAP_BYTES: usize = 4 << 20;
const SILENT: usize = 40;

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.unwrap().parse::<usize>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn a_map_is_not_copied_for_who_does_not_read() {
    let server = TestServer::start_with(&[], |_| Box::new(Atlas::new(MAP_BYTES)));
    let mut reader = RawClient::connect(server.addr, "/ws?room=m").await;
    let welcome = reader.join(v1::Hello::default()).await;
    assert!(welcome.map == Atlas::new(MAP_BYTES).bytes());
    drop(welcome);

    let before = resident_bytes();
    let mut silent = Vec::new();
    for _ in 0..SILENT {
        let mut client = RawClient::connect(server.addr, "/ws?room=m").await;
        client
            .send(Body::Hello(v1::Hello {
                version: tickwire_proto::VERSION,
                ..v1::Hello::default()
            }))
            .await;
        silent.push(client);
    }
    server
        .until_metric("tickwire_players", SILENT as f64 + 1.0)
        .await;
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < SILENT * MAP_BYTES / 4, "{grown} bytes");
}
