//! HAProxy or nginx with its file from deploy/, in front of three nodes. All listen on loopback.
//!
//! Only what names a machine is changed in the file: addresses, ports, paths, and the user. Every change must find its line.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tickwire_tests::walkers::Walkers;
use tickwire_tests::{RawClient, TestServer, http_from, http_get, within};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

pub const HAPROXY: &str = include_str!("../../../deploy/haproxy/haproxy.cfg");
pub const NGINX: &str = include_str!("../../../deploy/nginx/nginx.conf");

/// Balancers of this process so far.
static BALANCERS: AtomicU8 = AtomicU8::new(0);
pub const PLAYER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 99));
pub const FRIEND: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 98));

/// What nodes run with, but for TLS. Addresses of loopback count as those of any hosts.
pub const NODE: [&str; 8] = [
    "--trusted-proxy",
    "127.0.0.1",
    "--tick-rate",
    "10",
    "--workers",
    "1",
    "--npcs",
    "0",
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    HaProxy,
    Nginx,
}

/// How a player comes to a node.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// ws.
    Plain,
    /// wss, with TLS ended at the balancer.
    Tls,
    /// wss, with TLS ended at a node; the name that the player asks for.
    PassedThrough(&'static str),
}

pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}
/// TCP, or TLS over it.
pub type Io = Box<dyn Stream>;

/// A certificate for some names, and its files.
pub struct Certificate {
    folder: PathBuf,
    /// Chain, key, and both in one file.
    pub files: [String; 3],
    client: Arc<rustls::ClientConfig>,
}

impl Certificate {
    pub fn new(test: &str, names: &[&str]) -> Self {
        let folder = new_folder(test, "certificate");
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let files = ["chain.pem", "key.pem", "both.pem"].map(|name| folder.join(name));
        for (file, text) in files.iter().zip([&chain, &key, &format!("{chain}{key}")]) {
            std::fs::write(file, text).unwrap();
        }
        let mut roots = rustls::RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            folder,
            files: files.map(|file| file.to_str().unwrap().to_owned()),
            client: Arc::new(client),
        }
    }

    /// TLS over a stream, for a client that trusts this certificate alone.
    async fn connect(&self, name: &'static str, stream: TcpStream) -> Io {
        let connector = TlsConnector::from(Arc::clone(&self.client));
        let name = ServerName::try_from(name).unwrap();
        let stream = within("TLS", connector.connect(name, stream)).await;
        Box::new(stream.unwrap())
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn new_folder(test: &str, what: &str) -> PathBuf {
    let name = format!("tickwire-{what}-{test}-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A node of a game of which only the sessions matter.
pub fn node(flags: &[&str]) -> TestServer {
    let flags = [&NODE[..], flags].concat();
    TestServer::start_with(&flags, |_| Box::new(Walkers::new(&[])))
}

/// The number of players whom each node has in each of its rooms.
pub async fn rooms_of(nodes: &[TestServer]) -> Vec<Vec<(String, u64)>> {
    let mut rooms = Vec::new();
    for node in nodes {
        let (status, list) = http_get(node.ops, "/rooms").await;
        assert_eq!(status, 200, "{list}");
        let list: Vec<serde_json::Value> = serde_json::from_str(&list).unwrap();
        let listed = list.iter().map(|room| {
            let name = room["room"].as_str().unwrap().to_owned();
            (name, room["players"].as_u64().unwrap())
        });
        rooms.push(listed.collect());
    }
    rooms
}

/// Waits until exactly one node has a room with so many players. Returns which one.
pub async fn home_of(nodes: &[TestServer], room: &str, players: u64) -> usize {
    within("the players of a room", async {
        loop {
            let rooms = rooms_of(nodes).await;
            let has = |at: &usize| rooms[*at].contains(&(room.to_owned(), players));
            if let Some(home) = (0..nodes.len()).find(has) {
                return home;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}

/// A balancer that runs until it is dropped.
pub struct Balancer {
    process: Child,
    folder: PathBuf,
    ports: Ports,
    certificate: Certificate,
}

/// Where it listens.
#[derive(Clone, Copy)]
struct Ports {
    front: Ipv4Addr,
    plain: u16,
    tls: u16,
    passed_through: u16,
}

impl Balancer {
    /// Starts it in front of three nodes.
    pub async fn start(kind: Kind, test: &str, nodes: &[TestServer]) -> Self {
        Self::start_changed(kind, test, nodes, str::to_owned).await
    }

    /// Starts it with a further change of its file.
    pub async fn start_changed(
        kind: Kind,
        test: &str,
        nodes: &[TestServer],
        change: impl Fn(&str) -> String,
    ) -> Self {
        assert_eq!(nodes.len(), 3, "the files have three nodes");
        let test = format!("{test}-{kind:?}");
        let folder = new_folder(&test, "balancer");
        let certificate = Certificate::new(&test, &["game.example"]);
        let file = folder.join("configuration");
        within("the balancer", async {
            loop {
                let ports = free_ports();
                let text = match kind {
                    Kind::HaProxy => haproxy(ports, nodes, &certificate),
                    Kind::Nginx => nginx(ports, nodes, &certificate, &folder),
                };
                std::fs::write(&file, change(&text)).unwrap();
                let mut process = run(kind, &file, &folder);
                loop {
                    if is_open(kind, ports).await && process.try_wait().unwrap().is_none() {
                        return Self {
                            process,
                            folder,
                            ports,
                            certificate,
                        };
                    }
                    if process.try_wait().unwrap().is_some() {
                        // Somebody else took a port first.
                        let log = std::fs::read_to_string(folder.join("log")).unwrap();
                        assert!(log.contains("Address already in use"), "{log}");
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        })
        .await
    }

    /// The URL of a room for a client that connects without TLS.
    pub fn url(&self, room: &str) -> String {
        format!(
            "ws://{}:{}/ws?room={room}",
            self.ports.front, self.ports.plain
        )
    }

    /// Connects from an address of this machine, as another host would. `nodes`: the certificate of the nodes.
    async fn connect(&self, way: Way, source: IpAddr, nodes: Option<&Certificate>) -> Io {
        let port = match way {
            Way::Plain => self.ports.plain,
            Way::Tls => self.ports.tls,
            Way::PassedThrough(_) => self.ports.passed_through,
        };
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(source, 0)).unwrap();
        let front = SocketAddr::new(self.ports.front.into(), port);
        let stream = within("a connection", socket.connect(front)).await.unwrap();
        match way {
            Way::Plain => Box::new(stream),
            Way::Tls => self.certificate.connect("game.example", stream).await,
            Way::PassedThrough(name) => nodes.unwrap().connect(name, stream).await,
        }
    }

    /// Opens a WebSocket in a room.
    pub async fn enter(&self, way: Way, source: IpAddr, room: &str) -> RawClient<Io> {
        let path = format!("/ws?room={room}");
        let opened = self.open(way, source, &path, &[], None).await;
        opened.unwrap()
    }

    /// Opens a WebSocket, with further headers.
    pub async fn open(
        &self,
        way: Way,
        source: IpAddr,
        path: &str,
        headers: &[(&'static str, &str)],
        nodes: Option<&Certificate>,
    ) -> Result<RawClient<Io>, u16> {
        let stream = self.connect(way, source, nodes).await;
        RawClient::over(stream, &format!("ws://game.example:7777{path}"), headers).await
    }

    /// Asks for a page. Returns the status and the body.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let front = SocketAddr::new(self.ports.front.into(), self.ports.plain);
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: game.example\r\nconnection: close\r\n\r\n");
        let (head, body) = http_from(PLAYER, front, &request).await;
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body)
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Ports of an address that no other balancer of this machine listens at. From 127.0.0.1 it asks the nodes.
fn free_ports() -> Ports {
    let [high, low] = (std::process::id() as u16).to_be_bytes();
    let number = BALANCERS.fetch_add(1, Ordering::Relaxed) % 254;
    let front = Ipv4Addr::new(127, 1 + high % 254, low, 1 + number);
    let listeners = [(); 3].map(|()| std::net::TcpListener::bind((front, 0)).unwrap());
    let [plain, tls, passed_through] =
        listeners.map(|listener| listener.local_addr().unwrap().port());
    Ports {
        front,
        plain,
        tls,
        passed_through,
    }
}

/// The text with this changed, which it must have.
pub fn changed(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "the file has no {from:?}");
    text.replace(from, to)
}

async fn is_open(kind: Kind, ports: Ports) -> bool {
    let mut expected = vec![ports.plain, ports.tls];
    if kind == Kind::HaProxy {
        expected.push(ports.passed_through);
    }
    for port in expected {
        if TcpStream::connect((ports.front, port)).await.is_err() {
            return false;
        }
    }
    true
}

fn haproxy(ports: Ports, nodes: &[TestServer], certificate: &Certificate) -> String {
    let mut text = HAPROXY.to_owned();
    for line in ["chroot /var/lib/haproxy", "user haproxy", "group haproxy"] {
        text = changed(&text, &format!("    {line}\n"), "");
    }
    // What a test may open.
    text = changed(&text, "maxconn 20000", "maxconn 400");
    let certificate = &*certificate.files[2];
    text = changed(&text, "/etc/haproxy/certs/game.pem", certificate);
    for (from, port) in [
        (":80\n", ports.plain),
        (":443 ", ports.tls),
        (":8443\n", ports.passed_through),
    ] {
        let end = from.chars().last().unwrap();
        let to = format!("bind {}:{port}{end}", ports.front);
        text = changed(&text, &format!("bind {from}"), &to);
    }
    for (number, node) in nodes.iter().enumerate() {
        let (addr, ops) = (node.addr, node.ops);
        let to = format!("{addr} addr {} port {}", ops.ip(), ops.port());
        text = changed(&text, &format!("10.0.0.1{}:7777", number + 1), &to);
    }
    text
}

fn nginx(ports: Ports, nodes: &[TestServer], certificate: &Certificate, folder: &Path) -> String {
    let at = folder.display();
    let mut text = NGINX.to_owned();
    for line in ["user www-data;", "worker_rlimit_nofile 65536;"] {
        text = changed(&text, &format!("{line}\n"), "");
    }
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("    {what}_temp_path {at}/{what};\n"))
        .concat();
    let front = format!("listen {}", ports.front);
    let [chain, key, _] = &certificate.files;
    for (from, to) in [
        ("http {\n", &*format!("http {{\n{temporary}")),
        ("worker_connections 20000", "worker_connections 400"),
        ("/run/nginx.pid", &format!("{at}/pid")),
        ("/var/log/nginx/error.log", &format!("{at}/log")),
        ("/var/log/nginx/access.log", &format!("{at}/access")),
        ("/etc/nginx/certs/fullchain.pem", chain),
        ("/etc/nginx/certs/privkey.pem", key),
        ("listen 80", &format!("{front}:{}", ports.plain)),
        ("listen 443", &format!("{front}:{}", ports.tls)),
    ] {
        text = changed(&text, from, to);
    }
    for (number, node) in nodes.iter().enumerate() {
        let to = node.addr.to_string();
        text = changed(&text, &format!("10.0.0.1{}:7777", number + 1), &to);
    }
    text
}

fn run(kind: Kind, file: &Path, folder: &Path) -> Child {
    let name = match kind {
        Kind::HaProxy => "haproxy",
        Kind::Nginx => "nginx",
    };
    // Where it is installed, it may not be in the PATH of everybody.
    let installed = Path::new("/usr/sbin").join(name);
    let program = if installed.exists() {
        installed
    } else {
        name.into()
    };
    let log = folder.join("log");
    std::fs::write(&log, "").unwrap();
    let log = std::fs::File::options().append(true).open(log).unwrap();
    let mut command = Command::new(program);
    match kind {
        // One process in the foreground.
        Kind::HaProxy => command.arg("-db").arg("-f").arg(file),
        Kind::Nginx => (command.arg("-g").arg("daemon off; master_process off;"))
            .arg("-e")
            .arg(folder.join("log"))
            .arg("-p")
            .arg(folder)
            .arg("-c")
            .arg(file),
    };
    let process = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    process.unwrap_or_else(|_| panic!("{name} is not installed; ./test.sh installs it"))
}
