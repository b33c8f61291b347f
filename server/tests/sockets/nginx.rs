//! The recipe for nginx on the page for operators, as the page has it, in front of a server.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tickwire_server::config::Config;
use tokio::net::{TcpSocket, TcpStream};

use crate::support::*;

const PAGE: &str = include_str!("../../../docs/OPERATIONS.md");
/// Where the recipe's server listens.
const RECIPE_UPSTREAM: &str = "http://127.0.0.1:7777";
/// Where nginx listens here. From 127.0.0.1 it asks the server.
const FRONT: &str = "127.0.0.21";
const PLAYER: &str = "127.0.0.99";

/// The recipe: the one block of nginx's configuration on the page.
fn recipe() -> &'static str {
    let mut blocks = PAGE.split("```nginx\n").skip(1);
    let block = blocks.next().and_then(|rest| rest.split_once("```"));
    assert!(blocks.next().is_none(), "a second recipe is not tested");
    block.expect("the page has no recipe").0
}

/// The value of a directive of the recipe.
fn directive(name: &str) -> &'static str {
    let mut lines = recipe().lines().map(str::trim);
    let value = lines.find_map(|line| line.strip_prefix(name)?.split_once(';'));
    value
        .unwrap_or_else(|| panic!("the recipe has no {name}"))
        .0
        .trim()
}

/// An nginx that runs until the end of the test.
struct Nginx {
    process: Child,
    folder: PathBuf,
    port: u16,
}

impl Nginx {
    /// Starts it with this `location` on a free port.
    async fn start(test: &str, location: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("tickwire-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        within(async {
            loop {
                // Somebody else may take the port before nginx does.
                let free = std::net::TcpListener::bind((FRONT, 0)).unwrap();
                let port = free.local_addr().unwrap().port();
                drop(free);
                let mut process = run(&folder, port, location);
                loop {
                    if TcpStream::connect((FRONT, port)).await.is_ok() {
                        return Self {
                            process,
                            folder,
                            port,
                        };
                    }
                    if process.try_wait().unwrap().is_some() {
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

    /// Connects as a host of another address.
    async fn connect(&self) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{PLAYER}:0").parse().unwrap()).unwrap();
        let front = format!("{FRONT}:{}", self.port).parse().unwrap();
        socket.connect(front).await.unwrap()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn run(folder: &Path, port: u16, location: &str) -> Child {
    let at = folder.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("{what}_temp_path {at}/{what};\n"))
        .concat();
    let configuration = format!(
        "daemon off;\nmaster_process off;\npid {at}/pid;\nerror_log {at}/log;\nevents {{}}\n\
         http {{\naccess_log off;\n{temporary}server {{\nlisten {FRONT}:{port};\n{location}}}\n}}\n"
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, configuration).unwrap();
    std::fs::write(folder.join("log"), "").unwrap();
    // Where it is installed, it may not be in the PATH of everybody.
    let mut command = match Path::new("/usr/sbin/nginx").exists() {
        true => Command::new("/usr/sbin/nginx"),
        false => Command::new("nginx"),
    };
    let process = (command.arg("-e").arg(folder.join("log")))
        .arg("-p")
        .arg(folder)
        .arg("-c")
        .arg(&file)
        .stdin(Stdio::null())
        .spawn();
    process.expect("nginx is not installed; ./test.sh installs it")
}

/// The status of a handshake with this origin.
async fn status(nginx: &Nginx, origin: &str) -> String {
    let headers = format!("{UPGRADE}{VERSION}{KEY}Origin: {origin}\r\n");
    let request = request("GET", "/ws", &headers);
    let client = Client::asked(nginx.connect().await, request.as_bytes()).await;
    client.response.split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn the_nginx_recipe_of_the_page_works() {
    let flags = [
        ["--trusted-proxy", "127.0.0.1"],
        ["--rtt-interval", "100ms"],
    ];
    for host in ["$http_host", "$host"] {
        let mut server = TestServer::start(&flags.concat());
        let upstream = format!("http://{}", server.addr);
        assert!(recipe().contains(RECIPE_UPSTREAM) && recipe().contains("Host $http_host;"));
        let location = recipe()
            .replace(RECIPE_UPSTREAM, &upstream)
            .replace("Host $http_host;", &format!("Host {host};"));
        let nginx = Nginx::start(&format!("nginx{}", host.len()), &location).await;

        // The page's own origin connects, and is seen under its own address.
        let own = "Origin: http://game.example:7777\r\n";
        let mut client = Client::over(nginx.connect().await, "/ws", own).await;
        let RoomEvent::Connected(connection, _) = server.next_event().await else {
            panic!("expected a connection");
        };
        assert_eq!(connection.peer_addr().ip().to_string(), PLAYER);
        client.send(&frame(0x82, b"hello")).await;
        assert!(matches!(server.next_event().await, RoomEvent::Message(m) if m == b"hello"));
        // Both ways: pings come through, and a close is answered.
        assert_eq!(client.next_or_ping().await.unwrap().opcode, 9);

        assert_eq!(status(&nginx, "http://evil.example:7777").await, "403");
        let page = request("GET", "/", "Connection: close\r\n");
        let page = Client::asked(nginx.connect().await, page.as_bytes()).await;
        assert!(
            page.response.starts_with("HTTP/1.1 200"),
            "{}",
            page.response
        );
    }
}

/// nginx ends what has been silent for its `proxy_read_timeout`, by default a minute.
#[test]
fn the_recipe_outlasts_the_heartbeat_interval() {
    let seconds = directive("proxy_read_timeout").strip_suffix('s').unwrap();
    let timeout = Duration::from_secs(seconds.parse().unwrap());
    let config = Config::load(["test"]).unwrap();
    assert!(timeout > config.heartbeat_interval + config.heartbeat_timeout);
    assert!(timeout > Duration::from_secs(60));
}
