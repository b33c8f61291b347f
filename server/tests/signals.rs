//! What signals do to a server in which somebody plays: SIGTERM drains it, SIGHUP renews its certificate; and what a broken log does: nothing.
//!
//! The server is the binary, in a process of its own. Tests wait for what it says: to players, on the operations port, in its log.

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

/// Longer than anything here takes, also on a slow, busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let result = timeout(PATIENCE, future).await;
    result.unwrap_or_else(|_| panic!("{what} did not come in time"))
}

/// The binary on free ports. It is killed with this value, if it still runs.
struct Server {
    child: Child,
    game: String,
    ops: String,
    log: mpsc::UnboundedReceiver<String>,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let mut server = Self::start_with_log(arguments, Stdio::piped());
        let (says, log) = mpsc::unbounded_channel();
        let stderr = BufReader::new(server.child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = says.send(line);
            }
        });
        server.log = log;
        server
    }

    /// One that writes its log there, and that nobody reads.
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

    async fn until_it_says(&mut self, what: &str) {
        within(what, async {
            while !self.log.recv().await.unwrap().contains(what) {}
        })
        .await;
    }

    /// The status of a GET on the operations port.
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

/// Somebody in a room, who answers nothing.
struct Guest<S> {
    socket: WebSocketStream<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guest<S> {
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
        let mut guest = Self { socket };
        assert!(matches!(guest.next().await, Ok(Body::Welcome(_))));
        guest
    }

    /// The next message, or the code by which the server closed.
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

    async fn still_plays(&mut self) {
        while !matches!(self.next().await, Ok(Body::Snapshot(_) | Body::Beat(_))) {}
    }
}

#[tokio::test]
async fn sigterm_says_goodbye_and_a_second_one_changes_nothing() {
    let mut server = Server::start(&["--npcs", "0", "--drain-timeout", "2s"]);
    let connect = || TcpStream::connect(server.game.clone());
    let mut player = Guest::join(connect().await.unwrap()).await;
    // Who does not read does not answer the close either, and so holds the drain up.
    let silent = Guest::join(connect().await.unwrap()).await;
    assert_eq!(server.status_of("/readyz").await, "200");
    server.signal("-TERM");
    let mut goodbye = None;
    let code = loop {
        match player.next().await {
            Ok(Body::Goodbye(said)) => goodbye = Some(said),
            Ok(_) => assert!(goodbye.is_none(), "something came after Goodbye"),
            Err(code) => break code,
        }
    };
    assert_eq!(code, Some(1001));
    let goodbye = goodbye.unwrap();
    assert!(goodbye.reconnect_after_ms > 0 && !goodbye.reason.is_empty());
    assert_eq!(server.status_of("/readyz").await, "503");
    assert_eq!(server.status_of("/healthz").await, "200");
    server.signal("-TERM");
    server.until_it_says("after --drain-timeout").await;
    assert_eq!(server.exit_code().await, Some(0));
    drop(silent);
}

/// Joins and goes away again, which is logged.
async fn come_and_go(server: &Server, times: usize) {
    for _ in 0..times {
        let stream = TcpStream::connect(&server.game).await.unwrap();
        drop(Guest::join(stream).await);
    }
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_log_that_takes_nothing_harms_no_player() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let full = full.unwrap();
    let mut server = Server::start_with_log(&["--npcs", "0"], Stdio::from(full));
    let stream = TcpStream::connect(&server.game).await.unwrap();
    let mut player = Guest::join(stream).await;
    come_and_go(&server, 3).await;
    server.signal("-HUP");
    player.still_plays().await;
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
    let mut player = Guest::join(stream).await;
    // More than a pipe takes.
    come_and_go(&server, 1500).await;
    player.still_plays().await;
    assert_eq!(server.status_of("/healthz").await, "200");
}

/// Writes a new pair; gives its certificate.
fn renew(cert: &PathBuf, key: &PathBuf) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(cert, made.cert.pem()).unwrap();
    std::fs::write(key, made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

/// Connects as one who trusts this certificate and no other.
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
async fn sighup_takes_a_good_pair_and_keeps_the_old_one_instead_of_a_broken_one() {
    let dir = std::env::temp_dir().join(format!("tickwire-sighup-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    let first = renew(&cert, &key);
    let paths = [cert.to_str().unwrap(), key.to_str().unwrap()];
    let mut server = Server::start(&["--npcs", "0", "--tls-cert", paths[0], "--tls-key", paths[1]]);
    let mut player = Guest::join(connect(&server, &first).await.unwrap()).await;
    player.still_plays().await;

    let second = renew(&cert, &key);
    server.signal("-HUP");
    server.until_it_says("the certificate was reloaded").await;
    assert!(connect(&server, &first).await.is_err());
    let mut newcomer = Guest::join(connect(&server, &second).await.unwrap()).await;

    let broken: [fn(&PathBuf, &PathBuf); 3] = [
        // The key of another certificate.
        |cert, _| drop(renew(cert, &cert.with_extension("other"))),
        // No certificate at all.
        |cert, _| std::fs::write(cert, "no certificate").unwrap(),
        |_, key| std::fs::remove_file(key).unwrap(),
    ];
    for spoil in broken {
        spoil(&cert, &key);
        server.signal("-HUP");
        server.until_it_says("the old certificate stays").await;
        let stream = connect(&server, &second).await.unwrap();
        Guest::join(stream).await.still_plays().await;
    }
    player.still_plays().await;
    newcomer.still_plays().await;
    std::fs::remove_dir_all(&dir).unwrap();
}
