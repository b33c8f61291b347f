//! `wss`: the promises of the game port under TLS.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use rustls_pki_types::{CertificateDer, ServerName};
use tickwire_server::internals::{Close, CloseCode, DisconnectReason, SendOutcome};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message;

use crate::support::*;

/// A client that trusts the server's own certificate.
async fn connect(server: &TestServer) -> TlsStream<TcpStream> {
    connect_over(server, TcpStream::connect(server.addr).await.unwrap()).await
}

/// TLS over any stream to the server, for a client that trusts the server's own certificate.
pub async fn connect_over<S>(server: &TestServer, stream: S) -> TlsStream<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut roots = rustls::RootCertStore::empty();
    let chain = server.server.tls().expect("no TLS").chain();
    roots.add_parsable_certificates(chain);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.unwrap()
}

#[tokio::test]
async fn an_independent_client_is_served_over_tls() {
    let server = TestServer::start(&["--tls-self-signed", "--ws-echo"]);
    assert!(server.server.ready_line().contains("wss://"));
    let stream = connect(&server).await;
    let (mut client, _) = tokio_tungstenite::client_async("wss://localhost/echo", stream)
        .await
        .unwrap();
    for len in [0, 5, 1000, 70_000, 1 << 20] {
        let message = Message::binary(vec![len as u8; len]);
        client.send(message.clone()).await.unwrap();
        loop {
            match within(client.next()).await.unwrap().unwrap() {
                Message::Ping(_) => {}
                echo => break assert!(echo == message, "{len}"),
            }
        }
    }
    client.close(None).await.unwrap();
    while within(client.next())
        .await
        .is_some_and(|message| message.is_ok())
    {}
}

#[tokio::test]
async fn a_slow_reader_over_tls_gets_whole_messages_later() {
    let mut server = TestServer::start(&["--tls-self-signed"]);
    let mut client = Client::over(connect(&server).await, "/ws", "").await;
    let RoomEvent::Connected(connection, _) = server.next_event().await else {
        panic!("expected a connection");
    };
    let mut sent = 0u32;
    loop {
        let mut body = [sent as u8; 4004];
        body[..4].copy_from_slice(&sent.to_be_bytes());
        if connection.try_send(&[&body]) != SendOutcome::Sent {
            break;
        }
        sent += 1;
    }
    assert!(connection.is_open() && sent > 0);
    assert!(
        connection.pending_bytes() < 5000,
        "{}",
        connection.pending_bytes()
    );
    for number in 0..sent {
        let frame = client.next().await.expect("closed");
        assert_eq!(frame.payload[..4], number.to_be_bytes());
        assert!(frame.payload[4..].iter().all(|&byte| byte == number as u8));
    }
    client.send(&frame(0x82, b"hello")).await;
    assert!(matches!(server.next_event().await, RoomEvent::Message(m) if m == b"hello"));
    connection.close(&Close::new(CloseCode::GoingAway, "bye"));
    client.closed_with(1001).await;
    drop(client);
    assert_eq!(server.closed().await, DisconnectReason::GoingAway);
}

#[tokio::test]
async fn shared_bytes_are_sealed_as_the_reader_takes_them() {
    let mut server = TestServer::start(&["--tls-self-signed"]);
    let mut client = Client::over(connect(&server).await, "/ws", "").await;
    let RoomEvent::Connected(connection, _) = server.next_event().await else {
        panic!("expected a connection");
    };
    client.send(&frame(0x82, b"hello")).await;
    assert!(matches!(server.next_event().await, RoomEvent::Message(m) if m == b"hello"));
    crate::writer::expect_shared_bytes_in_order(&mut client, &connection).await;
}

#[tokio::test]
async fn violations_are_refused_over_tls_too() {
    let mut server = TestServer::start(&["--tls-self-signed"]);
    let mut client = Client::over(connect(&server).await, "/ws", "").await;
    client.send(b"\x82\x01x").await;
    client.closed_with(1002).await;
    drop(client);
    assert_eq!(server.closed().await, DisconnectReason::Protocol);
}

#[tokio::test]
async fn new_certificate_files_are_loaded_without_a_signal() {
    let files = CertificateFiles::new("renewed");
    let server = TestServer::start(&files.flags());
    let old = presented(&connect(&server).await);
    // Half a renewal, and then the other half.
    std::fs::write(&files.paths[0], "not a certificate").unwrap();
    files.renew();
    within(async {
        loop {
            let chain = server.server.tls().unwrap().chain();
            if chain[0] != old {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_ne!(presented(&connect(&server).await), old);
}

#[tokio::test]
async fn a_page_with_a_certificate_asks_for_tls_alone() {
    let files = CertificateFiles::new("strict");
    let head = page_head(&TestServer::start(&files.flags())).await;
    assert!(
        head.contains("strict-transport-security: max-age=604800\r\n"),
        "{head}"
    );

    // A development certificate asks for nothing in future.
    let head = page_head(&TestServer::start(&["--tls-self-signed"])).await;
    assert!(!head.contains("strict-transport-security"), "{head}");
}

/// A certificate and its key in a folder that goes with the test.
struct CertificateFiles {
    folder: PathBuf,
    paths: [String; 2],
}

impl CertificateFiles {
    fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("tickwire-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let paths = ["cert.pem", "key.pem"].map(|file| folder.join(file).display().to_string());
        let files = Self { folder, paths };
        files.renew();
        files
    }

    fn flags(&self) -> [&str; 4] {
        let [cert, key] = &self.paths;
        ["--tls-cert", cert, "--tls-key", key]
    }

    fn renew(&self) {
        let generated = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&self.paths[0], generated.cert.pem()).unwrap();
        std::fs::write(&self.paths[1], generated.signing_key.serialize_pem()).unwrap();
    }
}

impl Drop for CertificateFiles {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn presented(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    let chain = stream.get_ref().1.peer_certificates();
    chain.unwrap()[0].clone().into_owned()
}

/// The head of the page's answer.
async fn page_head(server: &TestServer) -> String {
    let request = request("GET", "/", "Connection: close\r\n");
    let client = Client::asked(connect(server).await, request.as_bytes()).await;
    client.response.to_ascii_lowercase()
}

#[tokio::test]
async fn a_reload_keeps_players_connected() {
    let files = CertificateFiles::new("reload");
    let server = TestServer::start(&[&files.flags(), &["--ws-echo"][..]].concat());
    let stream = connect(&server).await;
    let old = presented(&stream);
    let mut player = Client::over(stream, "/echo", "").await;
    files.renew();
    server.server.tls().unwrap().reload().unwrap();
    assert_ne!(presented(&connect(&server).await), old);
    player.send(&frame(0x82, b"still here")).await;
    assert_eq!(player.next().await.unwrap().payload, b"still here");
}

#[tokio::test]
async fn plain_http_on_a_tls_port_counts_as_garbled() {
    let server = TestServer::start(&["--tls-self-signed"]);
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let request = request("GET", "/", "");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut alert = Vec::new();
    let _ = within(stream.read_to_end(&mut alert)).await;
    let garbled = || server.metric(r#"tickwire_connections_total{outcome="garbled"}"#);
    within(async {
        while garbled() != "1" {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn tls_handshakes_under_way_are_256_and_64_while_late() {
    for (are_ticks_late, places) in [(false, 256), (true, 64)] {
        let flags = ["--tls-self-signed", "--handshake-timeout", "1h"];
        let server = TestServer::start(&flags);
        if are_ticks_late {
            server.late.request();
        }
        let mut silent = Vec::new();
        for _ in 0..places + 5 {
            silent.push(TcpStream::connect(server.addr).await.unwrap());
        }
        let ended = |silent: &[TcpStream]| -> usize {
            let ended = silent.iter().filter(|stream| is_at_end(stream));
            ended.count()
        };
        within(async {
            while ended(&silent) < 5 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        let full = server.metric(r#"tickwire_connections_total{outcome="full"}"#);
        assert_eq!((ended(&silent), &*full), (5, "5"), "{places} places");
        // The places of those who leave are free again.
        drop(silent);
        within(async {
            loop {
                let mut stream = TcpStream::connect(server.addr).await.unwrap();
                let _ = stream.write_all(b"no TLS at all").await;
                // An alert, where the server has begun a handshake.
                if stream.read_u8().await.is_ok() {
                    break;
                }
            }
        })
        .await;
    }
}

/// A record of this type and version.
fn record(kind: u8, version: [u8; 2], payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16).to_be_bytes();
    [&[kind], &version[..], &length, payload].concat()
}

/// A `ClientHello` without extensions, as a client of an old version of TLS sends it.
fn old_hello(version: [u8; 2]) -> Vec<u8> {
    // Random bytes, no session, two ciphers, no compression.
    let rest = [&[7; 32][..], &[0, 0, 4, 0, 0x2F, 0xC0, 0x13, 1, 0]].concat();
    let body = [&version[..], &rest].concat();
    let head = [1, 0, 0, body.len() as u8];
    record(22, version, &[&head[..], &body].concat())
}

#[tokio::test]
async fn odd_tls_ends_counted_and_harms_nobody() {
    let flags = ["--tls-self-signed", "--handshake-timeout", "2s"];
    let mut server = TestServer::start(&flags);
    let mut player = Client::over(connect(&server).await, "/ws", "").await;
    player.send(&frame(0x82, b"hello")).await;
    let hello = old_hello([3, 3]);
    let garbled: Vec<(&str, Vec<u8>)> = vec![
        ("TLS 1.0", old_hello([3, 1])),
        ("TLS 1.1", old_hello([3, 2])),
        ("TLS 1.2 with ciphers of long ago", hello.clone()),
        (
            "SSL 2",
            [&[0x80, 46, 1, 0, 2, 0, 21, 0, 0, 0, 16][..], &[7; 37]].concat(),
        ),
        ("a record of an unknown type", record(99, [3, 3], b"what")),
        ("data before a handshake", record(23, [3, 3], b"data")),
        ("an alert", record(21, [3, 3], &[2, 40])),
        ("a change of ciphers", record(20, [3, 3], &[1, 1])),
        (
            "a record that is too long",
            record(22, [3, 3], &[1; 0x4801]),
        ),
        (
            "a hello that announces megabytes",
            record(22, [3, 1], &[1, 0xFF, 0xFF, 0xFF, 3, 3]),
        ),
        (
            "another handshake message",
            record(22, [3, 3], &[16, 0, 0, 1, 0]),
        ),
        (
            "noise",
            (0..=255).map(|byte: u8| byte.wrapping_mul(167)).collect(),
        ),
    ];
    for (what, bytes) in &garbled {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let _ = within(stream.read_to_end(&mut answer)).await;
        // An alert at most.
        assert!(answer.is_empty() || answer[0] == 21, "{what}: {answer:?}");
    }
    // Half a hello, and then silence.
    let mut half = TcpStream::connect(server.addr).await.unwrap();
    half.write_all(&hello[..hello.len() / 2]).await.unwrap();
    let mut answer = Vec::new();
    let _ = within(half.read_to_end(&mut answer)).await;
    assert_eq!(answer, b"");
    let counted = |outcome: &str| {
        let series = format!(r#"tickwire_connections_total{{outcome="{outcome}"}}"#);
        server.metric(&series).parse::<usize>().unwrap()
    };
    within(async {
        while counted("garbled") + counted("timeout") < garbled.len() + 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(counted("accepted"), 1);
    player.send(&frame(0x82, b"still here")).await;
    loop {
        if matches!(server.next_event().await, RoomEvent::Message(m) if m == b"still here") {
            break;
        }
    }
}
