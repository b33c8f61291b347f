//! Agones: what its SDK server hears of a game server's life, by the REST API of its documentation. The SDK server is a stand-in that speaks
//! HTTP and notes each call.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use tickwire_arena_tests::program;
use tickwire_proto::v1;
use tickwire_tests::{RawClient, http_get, within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// How the SDK server treats a call.
#[derive(Clone, Copy)]
enum Manner {
    Answers,
    Refuses,
    IsSilent,
}

/// A stand-in for the SDK server.
struct SdkServer {
    addr: SocketAddr,
    calls: mpsc::UnboundedReceiver<String>,
}

impl SdkServer {
    async fn start(addr: &str, manner: Manner) -> Self {
        let listener = TcpListener::bind(addr).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (sender, calls) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, manner, sender.clone()));
            }
        });
        Self { addr, calls }
    }

    fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    async fn next(&mut self) -> String {
        within("a call", self.calls.recv()).await.unwrap()
    }

    /// The calls from now on, up to and with this one.
    async fn until(&mut self, call: &str) -> Vec<String> {
        let mut calls = vec![self.next().await];
        while calls.last().unwrap() != call {
            calls.push(self.next().await);
        }
        calls
    }
}

/// Reads one request, as documented: a POST whose body is `{}`, with its type.
async fn answer(mut stream: TcpStream, manner: Manner, calls: mpsc::UnboundedSender<String>) {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n{}") {
        if stream.read_buf(&mut bytes).await.unwrap() == 0 {
            // A game server that ends may give a call up.
            return;
        }
    }
    let text = String::from_utf8(bytes).unwrap().to_lowercase();
    assert!(
        text.contains("\r\ncontent-type: application/json\r\n"),
        "{text}"
    );
    let call = text.lines().next().unwrap();
    let _ = calls.send(call.strip_suffix(" http/1.1").unwrap().to_owned());
    let answer: &[u8] = match manner {
        Manner::Answers => b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        Manner::Refuses => b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n",
        Manner::IsSilent => b"",
    };
    let _ = stream.write_all(answer).await;
    // The game server ends the connection.
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

/// A server in a process of its own, which is killed on drop.
struct ServerProcess {
    child: Child,
    game: SocketAddr,
    ops: SocketAddr,
}

impl ServerProcess {
    fn start(flags: &[&str], port_of_agones: Option<u16>) -> Self {
        let mut command = Command::new(program("tickwire-server"));
        command.args(["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"]);
        command.args(["--npcs", "0"]).args(flags);
        if let Some(port) = port_of_agones {
            command.env("AGONES_SDK_HTTP_PORT", port.to_string());
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let (socket, ops) = line
            .trim()
            .strip_prefix("tickwire ready ws://")
            .and_then(|rest| rest.split_once("/ws ops http://"))
            .unwrap_or_else(|| panic!("{line}"));
        Self {
            game: socket.parse().unwrap(),
            ops: ops.parse().unwrap(),
            child,
        }
    }

    async fn calls(&self, outcome: &str) -> f64 {
        let (_, text) = http_get(self.ops, "/metrics").await;
        let series = format!("tickwire_agones_calls_total{{outcome=\"{outcome}\"}} ");
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(&series));
        value.unwrap().parse().unwrap()
    }

    async fn until_failed(&self, times: f64) {
        within("failed calls", async {
            while self.calls("failed").await < times {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        })
        .await;
    }

    async fn is_playable(&self) {
        assert_eq!(http_get(self.ops, "/readyz").await.0, 200);
        let mut client = RawClient::connect(self.game, "/ws?room=r").await;
        client.join(v1::Hello::default()).await;
    }

    /// Asks the process to end.
    fn terminate(&self) {
        let pid = self.child.id().to_string();
        let kill = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(kill.unwrap().success());
    }

    /// Waits for the process to end. Returns how it did, and what it logged.
    async fn ended(mut self) -> (ExitStatus, String) {
        let ended = tokio::task::spawn_blocking(move || {
            let mut log = String::new();
            let mut stderr = self.child.stderr.take().unwrap();
            stderr.read_to_string(&mut log).unwrap();
            (self.child.wait().unwrap(), log)
        });
        within("the end of the process", ended).await.unwrap()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn agones_hears_of_the_start_the_life_and_the_end() {
    let mut sdk = SdkServer::start("127.0.0.1:0", Manner::Answers).await;
    let flag = format!("--agones={}", sdk.url());
    let server = ServerProcess::start(&[&flag, "--drain-delay", "1h"], None);
    assert_eq!(sdk.next().await, "post /ready");
    for _ in 0..3 {
        assert_eq!(sdk.next().await, "post /health");
    }
    assert_eq!(server.calls("ready").await, 1.0);
    server.is_playable().await;
    // A server that drains is healthy, for as long as that takes.
    server.terminate();
    while http_get(server.ops, "/readyz").await.0 == 200 {}
    while sdk.calls.try_recv().is_ok() {}
    for _ in 0..2 {
        assert_eq!(sdk.next().await, "post /health");
    }
    drop(server);

    let server = ServerProcess::start(&[&flag], None);
    sdk.until("post /ready").await;
    server.terminate();
    let calls = sdk.until("post /shutdown").await;
    assert!(
        calls
            .iter()
            .rev()
            .skip(1)
            .all(|call| call == "post /health")
    );
    let (status, log) = server.ended().await;
    assert!(status.success(), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sdk_server_that_comes_late_hears_all() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = taken.local_addr().unwrap();
    drop(taken);
    let server = ServerProcess::start(&["--agones"], Some(addr.port()));
    server.until_failed(4.0).await;
    server.is_playable().await;
    let mut sdk = SdkServer::start(&addr.to_string(), Manner::Answers).await;
    assert!(sdk.next().await.starts_with("post /"));
    sdk.until("post /health").await;
    assert_eq!(server.calls("ready").await, 1.0);
    server.terminate();
    sdk.until("post /shutdown").await;
    let (status, log) = server.ended().await;
    assert!(status.success());
    // The first failure and the first success are news, and the calls between are not.
    assert_eq!(log.matches("Agones does not hear").count(), 1, "{log}");
    assert_eq!(log.matches("Agones was told: /ready").count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_sdk_server_holds_nothing_up() {
    for manner in [Manner::IsSilent, Manner::Refuses] {
        let mut sdk = SdkServer::start("127.0.0.1:0", manner).await;
        let flag = format!("--agones={}", sdk.url());
        let server = ServerProcess::start(&[&flag], None);
        // Ready is said again until it is heard.
        assert_eq!(sdk.next().await, "post /ready");
        assert_eq!(sdk.next().await, "post /health");
        assert_eq!(sdk.next().await, "post /ready");
        server.is_playable().await;
        assert_eq!(server.calls("ready").await, 0.0);
        server.terminate();
        sdk.until("post /shutdown").await;
        let (status, log) = server.ended().await;
        assert!(status.success(), "{log}");
        assert_eq!(log.matches("Agones does not hear").count(), 2, "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_flag_nobody_is_called() {
    let mut sdk = SdkServer::start("127.0.0.1:0", Manner::Answers).await;
    for flags in [&[][..], &["--agones=off"]] {
        let server = ServerProcess::start(flags, Some(sdk.addr.port()));
        server.is_playable().await;
        server.terminate();
        let (status, log) = server.ended().await;
        assert!(status.success(), "{log}");
    }
    assert_eq!(sdk.calls.try_recv().ok(), None);
}
