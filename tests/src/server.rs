//! A real server in this process, and HTTP requests to it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tickwire_game::{Game, GameSettings};
use tickwire_server::config::Config;
use tickwire_server::{NewGame, Server, Shutdown};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;

/// A running server.
pub struct TestServer {
    /// The game port.
    pub addr: SocketAddr,
    /// The operations port.
    pub ops: SocketAddr,
    drain_request: Shutdown,
    drained: JoinHandle<()>,
}

impl TestServer {
    /// Starts a server that plays a game, on free ports, with more flags.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start_with(
        flags: &[&str],
        game: impl Fn(&GameSettings) -> Box<dyn Game> + Send + Sync + 'static,
    ) -> Self {
        Self::of(server_of(flags, game))
    }

    /// Starts a node of a cluster, with the flags that say which, and waits until it has joined.
    ///
    /// # Panics
    /// If it does not.
    pub async fn start_in_cluster(
        flags: &[&str],
        game: impl Fn(&GameSettings) -> Box<dyn Game> + Send + Sync + 'static,
    ) -> Self {
        let server = server_of(flags, game);
        server.join_cluster().await.unwrap();
        Self::of(server)
    }

    fn of(server: Server) -> Self {
        let (addr, ops, drain_request) = (server.game_addr(), server.ops_addr(), server.draining());
        let requested = drain_request.clone();
        let drained = tokio::spawn(async move {
            requested.requested().await;
            server.drain().await;
        });
        Self {
            addr,
            ops,
            drain_request,
            drained,
        }
    }

    /// Drains the server and waits until it has ended.
    ///
    /// # Panics
    /// If it does not end.
    pub async fn drain(self) {
        self.drain_request.request();
        crate::within("the end of the drain", self.drained)
            .await
            .unwrap();
    }

    /// The WebSocket URL of a room.
    #[must_use]
    pub fn url(&self, room: &str) -> String {
        format!("ws://{}/ws?room={room}", self.addr)
    }

    /// The value of a series in `/metrics`.
    ///
    /// # Panics
    /// If there is no such series.
    pub async fn metric(&self, series: &str) -> f64 {
        let (_, text) = http_get(self.ops, "/metrics").await;
        let line = text.lines().find(|line| {
            line.strip_prefix(series)
                .is_some_and(|rest| rest.starts_with(' '))
        });
        let line = line.unwrap_or_else(|| panic!("no series {series} in:\n{text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// Waits until a series in `/metrics` is at least `min`: events are counted only with the next tick.
    pub async fn until_metric(&self, series: &str, min: f64) {
        crate::within(series, async {
            while self.metric(series).await < min {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        })
        .await;
    }
}

fn server_of(
    flags: &[&str],
    game: impl Fn(&GameSettings) -> Box<dyn Game> + Send + Sync + 'static,
) -> Server {
    // The same worlds in each run.
    let mut arguments = vec!["test", "--ops-listen", "127.0.0.1:0", "--world-seed", "0"];
    arguments.extend(flags);
    if !flags.contains(&"--listen") {
        arguments.extend(["--listen", "127.0.0.1:0"]);
    }
    let config = Config::load(arguments).unwrap();
    let game: NewGame = Arc::new(game);
    tickwire_server::start(config, game).unwrap()
}

/// Sends a GET request; returns the status and the body.
///
/// # Panics
/// If there is no response.
pub async fn http_get(addr: SocketAddr, path: &str) -> (u16, String) {
    http(
        addr,
        &format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n"),
    )
    .await
}

/// Sends a POST request with JSON; returns the status and the body.
///
/// # Panics
/// If there is no response.
pub async fn http_post(addr: SocketAddr, path: &str, body: &str) -> (u16, String) {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    http(addr, &(head + body)).await
}

/// Sends a request; returns the status and the body.
///
/// # Panics
/// If there is no response.
pub async fn http(addr: SocketAddr, request: &str) -> (u16, String) {
    let (head, body) = http_from(Ipv4Addr::LOCALHOST.into(), addr, request).await;
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body)
}

/// Sends a request from one of this machine's addresses, as another host would; returns the head and the body of the response.
///
/// # Panics
/// If there is no response, or the address is not this machine's.
pub async fn http_from(source: IpAddr, addr: SocketAddr, request: &str) -> (String, String) {
    let exchange = async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(source, 0)).unwrap();
        let mut stream = socket.connect(addr).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        response
    };
    let response = crate::within("the HTTP response", exchange).await;
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let body = if head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked")
    {
        unchunk(body)
    } else {
        body.to_owned()
    };
    (head.to_owned(), body)
}

fn unchunk(mut chunks: &str) -> String {
    let mut body = String::new();
    while let Some((length, rest)) = chunks.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            break;
        }
        body.push_str(&rest[..length]);
        chunks = &rest[length + 2..];
    }
    body
}
