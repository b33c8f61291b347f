//! Signals to a server in which somebody plays: SIGTERM drains it, and SIGHUP renews its certificate. A broken log harms nobody.
//!
//! The server is the binary, in a process of its own. Tests wait for its messages to players, for answers of the operations port,
//! and for lines of its log.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "this is a test")]

use futures_util::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use rustls_pki_types::{CertificateDer, ServerName};
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tickwire_proto::v1::{self, client_message, server_message::Body};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

/// Longer than anything here takes, even on a slow and busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let result = timeout(PATIENCE, future).await;
    result.unwrap_or_else(|_| panic!("{what} did not happen in time"))
}

/// The binary on free ports. Dropping this value kills the process.
struct Server {
    child: Child,
    game: String,
    ops: String,
    log: mpsc::UnboundedReceiver<String>,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let mut server = Self::start_with_log(arguments, Stdio::piped());
        let (log_line, log) = mpsc::unbounded_channel();
        let stderr = BufReader::new(server.child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = log_line.send(line);
            }
        });
        server.log = log;
        server
    }

    /// Starts a server whose log goes to `log`, where nobody reads it.
    fn start_with_log(arguments: &[&str], log: Stdio) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tickwire-server"))
            .args(["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let (_, addresses) = line.trim_end().split_once("://").unwrap();
        let (game, ops) = addresses.split_once("/ws ops http://").unwrap();
        Self {
            game: game.to_owned(),
            ops: ops.to_owned(),
            child,
            log: mpsc::unbounded_channel().1,
        }
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for a log line that contains this text.
    async fn until_log(&mut self, what: &str) {
        within(what, async {
            while !self.log.recv().await.unwrap().contains(what) {}
        })
        .await;
    }

    /// The HTTP status of a GET on the operations port.
    async fn status_of(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.ops).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        within("an answer", stream.read_to_string(&mut answer))
            .await
            .unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    }

    async fn exit_code(&mut self) -> Option<i32> {
        within("the end", async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    break status.code();
                }
                tokio::time::sleep(POLL).await;
            }
        })
        .await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A player in a room, who answers nothing.
struct Player<S> {
    socket: WebSocketStream<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Player<S> {
    async fn join(stream: S) -> Self {
        let mut request = "ws://localhost/ws".into_client_request().unwrap();
        let protocol = tickwire_proto::SUBPROTOCOL.parse().unwrap();
        request
            .headers_mut()
            .insert("sec-websocket-protocol", protocol);
        let upgrade = tokio_tungstenite::client_async(request, stream);
        let (mut socket, _) = within("the upgrade", upgrade).await.unwrap();
        let hello = v1::Hello {
            version: tickwire_proto::VERSION,
            ..v1::Hello::default()
        };
        let message = v1::ClientMessage {
            body: Some(client_message::Body::Hello(hello)),
        };
        let message = Message::binary(message.encode_to_vec());
        socket.send(message).await.unwrap();
        let mut player = Self { socket };
        assert!(matches!(player.next().await, Ok(Body::Welcome(_))));
        player
    }

    /// The next message, or the code of the server's close.
    async fn next(&mut self) -> Result<Body, Option<u16>> {
        loop {
            match within("a message", self.socket.next()).await {
                Some(Ok(Message::Binary(bytes))) => {
                    let message = v1::ServerMessage::decode(&bytes[..]).unwrap();
                    return Ok(message.body.unwrap());
                }
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map(|frame| frame.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// Waits for a message that only a running game sends.
    async fn expect_to_play(&mut self) {
        while !matches!(
            self.next().await,
            Ok(Body::Snapshot(_) | Body::Heartbeat(_))
        ) {}
    }
}

#[tokio::test]
async fn sigterm_says_goodbye_and_a_second_changes_nothing() {
    let mut server = Server::start(&["--npcs", "0", "--drain-timeout", "2s"]);
    let connect = || TcpStream::connect(server.game.clone());
    let mut player = Player::join(connect().await.unwrap()).await;
    // A client that does not read does not answer the close either, so it holds up the drain.
    let silent = Player::join(connect().await.unwrap()).await;
    assert_eq!(server.status_of("/readyz").await, "200");
    server.signal("-TERM");
    let mut goodbye = None;
    let code = loop {
        match player.next().await {
            Ok(Body::Goodbye(message)) => goodbye = Some(message),
            Ok(_) => assert!(goodbye.is_none(), "a message came after Goodbye"),
            Err(code) => break code,
        }
    };
    assert_eq!(code, Some(1001));
    let goodbye = goodbye.unwrap();
    assert!(goodbye.reconnect_after_ms > 0 && !goodbye.reason.is_empty());
    assert_eq!(server.status_of("/readyz").await, "503");
    assert_eq!(server.status_of("/healthz").await, "200");
    server.signal("-TERM");
    server.until_log("after --drain-timeout").await;
    assert_eq!(server.exit_code().await, Some(0));
    drop(silent);
}

/// Joins and leaves, which the server logs.
async fn join_and_leave(server: &Server, times: usize) {
    for _ in 0..times {
        let stream = TcpStream::connect(&server.game).await.unwrap();
        drop(Player::join(stream).await);
    }
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_log_on_a_full_disk_harms_no_player() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let full = full.unwrap();
    let mut server = Server::start_with_log(&["--npcs", "0"], Stdio::from(full));
    let stream = TcpStream::connect(&server.game).await.unwrap();
    let mut player = Player::join(stream).await;
    join_and_leave(&server, 3).await;
    server.signal("-HUP");
    player.expect_to_play().await;
    server.signal("-TERM");
    let code = loop {
        if let Err(code) = player.next().await {
            break code;
        }
    };
    assert_eq!(code, Some(1001));
    drop(player);
    assert_eq!(server.exit_code().await, Some(0));
}

#[tokio::test]
async fn a_log_that_nobody_reads_stops_no_game() {
    let server = Server::start_with_log(&["--npcs", "0"], Stdio::piped());
    let stream = TcpStream::connect(&server.game).await.unwrap();
    let mut player = Player::join(stream).await;
    // More lines than a pipe holds.
    join_and_leave(&server, 1500).await;
    player.expect_to_play().await;
    assert_eq!(server.status_of("/healthz").await, "200");
}

/// Writes a new certificate and its key. Returns the certificate.
fn renew(cert: &PathBuf, key: &PathBuf) -> CertificateDer<'static> {
    let generated = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(cert, generated.cert.pem()).unwrap();
    std::fs::write(key, generated.signing_key.serialize_pem()).unwrap();
    generated.cert.der().clone()
}

/// Connects a client that trusts only this certificate.
async fn connect(
    server: &Server,
    trusted: &CertificateDer<'static>,
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(&server.game).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from("localhost").unwrap();
    within("the TLS handshake", connector.connect(name, stream)).await
}

#[tokio::test]
async fn sighup_takes_a_good_certificate_and_no_broken_one() {
    let dir = std::env::temp_dir().join(format!("tickwire-sighup-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    let first = renew(&cert, &key);
    let paths = [cert.to_str().unwrap(), key.to_str().unwrap()];
    let mut server = Server::start(&["--npcs", "0", "--tls-cert", paths[0], "--tls-key", paths[1]]);
    let mut player = Player::join(connect(&server, &first).await.unwrap()).await;
    player.expect_to_play().await;

    let second = renew(&cert, &key);
    server.signal("-HUP");
    server.until_log("the certificate was reloaded").await;
    assert!(connect(&server, &first).await.is_err());
    let mut newcomer = Player::join(connect(&server, &second).await.unwrap()).await;

    let broken: [fn(&PathBuf, &PathBuf); 3] = [
        // A certificate that the key does not belong to.
        |cert, _| drop(renew(cert, &cert.with_extension("other"))),
        // No certificate at all.
        |cert, _| std::fs::write(cert, "no certificate").unwrap(),
        |_, key| std::fs::remove_file(key).unwrap(),
    ];
    for spoil in broken {
        spoil(&cert, &key);
        server.signal("-HUP");
        server.until_log("the old certificate stays").await;
        let stream = connect(&server, &second).await.unwrap();
        Player::join(stream).await.expect_to_play().await;
    }
    player.expect_to_play().await;
    newcomer.expect_to_play().await;
    std::fs::remove_dir_all(&dir).unwrap();
}
