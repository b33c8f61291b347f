use crate::{GAME, RedisServer};
use std::fs;
use std::net::TcpListener;
use std::process::Command;
use tickwire_cluster::NodeId;
use tickwire_cluster::redis::directory::Directory;
use tickwire_cluster::redis::room_store::RoomStore;
use tickwire_cluster::redis::subscriber::{Subscriber, SubscriberEvent};

/// Where the inner test finds its server.
const URL: &str = "TICKWIRE_TEST_REDIS_URL";

#[test]
fn all_connections_speak_tls() {
    let folder = std::env::temp_dir().join(format!("tickwire-redis-tls-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (public, private) = (folder.join("certificate.pem"), folder.join("key.pem"));
    fs::write(&public, certificate.cert.pem()).unwrap();
    fs::write(&private, certificate.signing_key.serialize_pem()).unwrap();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
        .to_string();
    let (public, private) = (public.to_str().unwrap(), private.to_str().unwrap());
    let server = RedisServer::start_with(&[
        "--tls-port",
        &port,
        "--tls-cert-file",
        public,
        "--tls-key-file",
        private,
        "--tls-auth-clients",
        "no",
        "--tls-ca-cert-file",
        public,
    ]);
    // The certificates that a process trusts are read from its environment.
    let run = |trusted: &str| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tls::over_tls", "--ignored"])
            .env(URL, format!("rediss://localhost:{port}"))
            .env("SSL_CERT_FILE", trusted)
            .env_remove("SSL_CERT_DIR")
            .output()
            .unwrap()
    };
    let output = run(public);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    // A certificate that nobody trusts ends the connection.
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other_public = folder.join("other.pem");
    fs::write(&other_public, other.cert.pem()).unwrap();
    let output = run(other_public.to_str().unwrap());
    assert!(!output.status.success());
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("Unreachable"),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    drop(server);
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
#[ignore = "run by all_connections_speak_tls, with its certificate"]
async fn over_tls() {
    let url = std::env::var(URL).unwrap();
    let me = NodeId::new("one", 1);
    let directory = Directory::connect(&url, GAME, me.clone()).await.unwrap();
    let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
    let _subscriber = Subscriber::start(
        &url,
        vec![directory.keys().node_channel(&me)],
        move |event| {
            let _ = sender.send(event);
        },
    );
    assert_eq!(events.recv().await, Some(SubscriberEvent::Subscribed));
    assert_eq!(directory.send(&me, b"envelope").await.unwrap(), 1);
    assert_eq!(
        events.recv().await,
        Some(SubscriberEvent::Message {
            channel_index: 0,
            payload: "envelope".into()
        })
    );
    let mut store = RoomStore::new(&url, GAME, me).unwrap();
    tokio::task::spawn_blocking(move || store.set_aside("hall", b"broken").unwrap())
        .await
        .unwrap();
}
